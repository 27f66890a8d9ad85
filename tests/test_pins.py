"""Where pins come from."""

from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.pin_errors import NoGpio
from drivers.pins import open_pins


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
