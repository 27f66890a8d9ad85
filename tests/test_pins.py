"""Where pins come from."""

from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.pin_errors import NoGpio
from drivers.pins import header_chip, label, open_pins


def test_mock_pins_come_only_when_they_are_asked_for() -> None:
    assert isinstance(open_pins("mock"), MockFactory)


def test_a_machine_without_a_gpio_chip_is_told_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NoGpio, match=r'no GPIO chip .*: run on a Raspberry Pi, or ask for pins = "mock"') as caught:
        open_pins("auto", dev=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(any(Path("/dev").glob("gpiochip*")), reason="this machine has a GPIO chip")
def test_a_chip_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "gpiochip0").touch()
    with pytest.raises(NoGpio) as caught:
        open_pins("auto", dev=tmp_path)
    assert "\n" not in str(caught.value)


def test_any_other_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="pins are"):
        open_pins("pigpio")


SOC = {f"gpiochip{number}": f"gpio-brcmstb@107d5{number}" for number in range(11, 15)}
"""A Pi 5's other chips, which the kernel numbers from 11 on since 6.12.96."""


@pytest.mark.parametrize(
    ("chips", "number"),
    [
        ({"gpiochip0": "gpio-brcmstb@107d508500", "gpiochip4": "pinctrl-rp1"}, 4),  # Linux 6.6.20
        ({"gpiochip0": "pinctrl-rp1", "gpiochip10": "gpio-brcmstb@107d508500"}, 0),  # 6.6.47
        ({**SOC, "gpiochip15": "pinctrl-rp1"}, 15),  # 6.12.96
        ({"gpiochip0": "pinctrl-bcm2711", "gpiochip1": "raspberrypi-exp-gpio"}, 0),  # a Pi 4
        ({"gpiochip0": "raspberrypi-exp-gpio", "gpiochip1": "pinctrl-bcm2835", "gpiochipx": ""}, 1),
        ({"gpiochip0": "sunxi"}, None),
        ({}, None),
    ],
)
def test_the_header_s_chip_is_found_by_its_name_whatever_its_number(
    tmp_path: Path, chips: dict[str, str], number: int | None
) -> None:
    for name in chips:
        (tmp_path / name).touch()
    assert header_chip(tmp_path, lambda device: chips[device.name]) == number


def test_what_is_no_chip_has_no_label(tmp_path: Path) -> None:
    (tmp_path / "gpiochip0").touch()
    assert label(tmp_path / "gpiochip0") == label(tmp_path / "absent") == label(Path("/dev/null")) == ""
