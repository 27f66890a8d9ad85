"""GPIO lines that another program holds: real processes and gpiozero, over a chip that refuses as lgpio does."""

import os
from pathlib import Path

import pytest

from terminal.tools.check.processes import service_runs
from tests.conftest import Mosquitto
from tests.support.eventually import eventually
from tests.support.garage import Garage

REMEDY = "stop the program that holds it (`sudo gpioinfo` names it), or take another pin"
LOOPS = "[loops]\nwaiting_pin = 5\nboom_pin = 6"
SWITCHES = {"EXIT_TERMINAL_BARRIER_UP_PIN": "27", "EXIT_TERMINAL_BARRIER_DOWN_PIN": "22"}
GPIO = {"EXIT_TERMINAL_GPIO_PINS": "auto", **SWITCHES}
SPI = {"EXIT_TERMINAL_LCD_PANEL": "ili9341"}
SEVEN_PINS = {"EXIT_TERMINAL_LCD_PANEL": "st7789-240", "EXIT_TERMINAL_LCD_SPI_MODE": "3"}


class Kerb(Garage):
    """A lane on a fake chip of which others hold some lines."""

    held = ""

    def words(self, command: str) -> list[str]:
        chip = ["-m", "tests.support.fakechip", str(self.folder), self.held]
        return ["-W", "error", *chip, command, "--config", str(self.file)]

    async def ends(self, command: str, **env: str) -> tuple[int, str]:
        process = await self.spawn(command, env=GPIO | env)
        return await process.ends(), process.said()

    def lines(self) -> list[str]:
        return (self.folder / "lines.log").read_text().splitlines()


@pytest.mark.fault("pins-signals-clones")
@pytest.mark.parametrize(
    ("held", "command", "key"),
    [
        ("17", "run", "barrier.raise_pin"),
        ("17", "barrier", "barrier.raise_pin"),
        ("27", "barrier", "barrier.up_pin"),
        ("22", "barrier", "barrier.down_pin"),
        ("5", "loops", "loops.waiting_pin"),
        ("6", "run", "loops.boom_pin"),
    ],
)
async def test_a_line_that_another_program_holds_is_one_line_that_names_key_and_pin(
    tmp_path: Path, mosquitto: Mosquitto, held: str, command: str, key: str
) -> None:
    async with Kerb(tmp_path, mosquitto.url, loops=LOOPS) as garage:
        garage.held = held
        status, said = await garage.ends(command)
        assert said == f"exit-terminal: {key}: GPIO {held} cannot be used: GPIO busy; {REMEDY}\n"
        assert status == 2
        assert "17 1" not in garage.lines()


@pytest.mark.fault("pins-signals-clones")
async def test_a_panel_whose_pin_is_held_is_an_alert_and_the_lane_goes_on(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with Kerb(tmp_path, mosquitto.url) as garage:
        garage.held = "24"
        await garage.start("run", env=GPIO | SPI)
        alert = await garage.heard.until("alert", code="lcd-panel")
        assert f"lcd.dc_pin: GPIO 24 cannot be used: GPIO busy; {REMEDY}" in alert["text"]


@pytest.mark.fault("pins-signals-clones")
async def test_a_panel_without_chip_select_is_driven_in_the_mode_that_it_hears(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with Kerb(tmp_path, mosquitto.url) as garage:
        await garage.spawn(
            "lcd", env=GPIO | {"EXIT_TERMINAL_LCD_PANEL": "st7789-240", "EXIT_TERMINAL_LCD_SPI_MODE": "3"}
        )
        await garage.heard.until("health/lcd")
        await eventually(lambda: "24 1" in garage.lines())
        assert [line for line in garage.lines() if "spi" in line] == ["spi mode 3"]


@pytest.mark.fault("pins-signals-clones")
async def test_check_claims_each_line_and_names_those_that_are_held(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with Kerb(tmp_path, mosquitto.url, loops=LOOPS) as garage:
        garage.held = "17,6,25"
        status, said = await garage.ends("check", **SPI)
        assert status == 1
        found = [line for line in said.splitlines() if "  pins" in line]
        refused = "cannot be used: GPIO busy"
        assert found == [
            f"FAIL  pins lcd.reset_pin: GPIO 25 {refused} -> {REMEDY}",
            f"FAIL  pins barrier.raise_pin: GPIO 17 {refused} -> {REMEDY}",
            f"FAIL  pins loops.boom_pin: GPIO 6 {refused} -> {REMEDY}",
            "ok    pins: the GPIO chip opens; usable lines: 24, 27, 22, 5",
        ]
        assert not any("output" in line for line in garage.lines()), "what is checked is not driven"
        assert garage.lines()[-1] == "closed"


def test_check_leaves_the_lines_of_a_running_service_alone(tmp_path: Path) -> None:
    """The service must have been running for a while: one that cannot get its pins ends, and is started again."""
    service = ["/opt/exit-terminal/.venv/bin/python3", "/opt/exit-terminal/.venv/bin/exit-terminal", "run"]
    for pid, cmdline, began_s in (("7", service, 50), ("8", ["python", "-m", "terminal", "check"], 10), ("9", [], 1)):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_text("\0".join(cmdline) + "\0")
        ticks = began_s * os.sysconf("SC_CLK_TCK")
        (tmp_path / pid / "stat").write_text(f"{pid} (a (name)) S {'0 ' * 18}{ticks} 0\n")
    (tmp_path / "10").mkdir()
    (tmp_path / "uptime").write_text("55.00 1.00\n")
    assert not service_runs(tmp_path), "it began 5 s ago"
    (tmp_path / "uptime").write_text("61.00 1.00\n")
    assert service_runs(tmp_path)
