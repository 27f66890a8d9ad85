"""What `check` says of a screen on a framebuffer, and of its backlight."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from terminal.config.schema import Settings
from terminal.tools.check.finding import Finding, Machine
from terminal.tools.check.machine import panel
from tests.support.installation import configured, machine, place

__all__ = ["place"]


def settings(place: Path, **changes: str) -> Settings:
    screen = {"lcd_panel": "framebuffer", "lcd_size": "800x480", "lcd_framebuffer": "dev/fb0", **changes}
    return configured(place, "http://127.0.0.1:1", "mqtt://127.0.0.1:1", **screen)


async def found(settings: Settings, machine: Machine) -> list[Finding]:
    return [finding async for finding in panel(settings, machine)]


def that_says(place: Path, width: int, height: int, bits: int) -> Machine:
    return replace(machine(place), framebuffer=lambda device: (width, height, bits))


async def test_a_screen_that_fits_is_proved_with_its_depth_and_needs_no_bus(place: Path) -> None:
    (place / "dev/fb0").touch()
    (place / "dev/spidev0.0").unlink()
    (one,) = await found(settings(place), that_says(place, 800, 480, 16))
    assert (one.ok, one.text) == (True, f"800x480 at {place}/dev/fb0, 16 bits a pixel")
    (turned,) = await found(settings(place, lcd_rotate="1"), that_says(place, 800, 480, 32))
    assert turned.ok, "the size is the screen's own, before it is turned"
    assert settings(place, lcd_rotate="1").lcd.pixels == (480, 800)  # type: ignore[union-attr]
    assert "lcd.dc_pin" not in dict(settings(place).pins())


async def test_a_screen_that_is_not_there_is_named_with_what_to_do(place: Path) -> None:
    (one,) = await found(settings(place), that_says(place, 800, 480, 32))
    assert (one.ok, one.about, one.text) == (False, "lcd.framebuffer", f"{place}/dev/fb0 is not there")
    assert "connect the screen" in one.advice


async def test_a_user_who_is_not_in_the_group_is_told_which_group(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "dev/fb0").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "fb0")
    (one,) = await found(settings(place), that_says(place, 800, 480, 32))
    assert (one.ok, one.advice) == (False, "put the service's user into the group video")


async def test_another_size_and_a_depth_that_cannot_be_written_are_named(place: Path) -> None:
    (place / "dev/fb0").touch()
    (one,) = await found(settings(place), that_says(place, 1024, 600, 32))
    assert (one.ok, one.about) == (False, "lcd.size")
    assert one.text.endswith("is 1024x600, not 800x480")

    def refuse(device: Path) -> tuple[int, int, int]:
        raise OSError("8 bits a pixel cannot be written")

    (one,) = await found(settings(place), replace(machine(place), framebuffer=refuse))
    assert (one.ok, one.text) == (False, f"{place}/dev/fb0: 8 bits a pixel cannot be written")
    assert "16 or 32 bits" in one.advice


async def test_a_backlight_is_there_and_may_be_written_or_the_line_says_what_to_do(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "dev/fb0").touch()
    here, fits = settings(place, lcd_backlight="light"), that_says(place, 800, 480, 32)
    absent = (await found(here, fits))[1]
    assert (absent.ok, absent.about) == (False, "lcd.backlight")
    (place / "light").mkdir()
    (place / "light/brightness").touch()
    assert (await found(here, fits))[1].ok
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "brightness")
    assert "may not write" in (await found(here, fits))[1].text
