"""This machine: pins, panel, scanner, clock."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from terminal.clock import SystemClock, kernel_keeps
from terminal.config.lcd_settings import LcdSettings
from terminal.config.schema import Settings
from terminal.screen.layouts import layout_for
from terminal.tools.check.finding import Finding, Machine


async def pins(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """Does the GPIO chip open, and is every line that is configured free? A running service holds them: unproven."""
    panel = settings.lcd if settings.lcd and settings.lcd.on_bus else None
    if not (settings.barrier or settings.loops or panel):
        return
    if settings.gpio.pins == "mock":
        yield Finding("pins", True, "mock: no relay will close, and no loop is read", but="warning", about="gpio.pins")
        return
    try:
        chip = machine.open_pins(settings.gpio.pins)
    except Exception as error:  # drivers have no root error that tools/ may import
        yield Finding("pins", False, str(error), 'gpio.pins = "mock" is for trials without hardware')
        return
    try:
        if machine.serves():
            text = "the GPIO chip opens; the running service holds its lines"
            yield Finding("pins", True, text, but="unproven", about="gpio.pins")
            return
        free = []
        for key, number in settings.pins():
            try:
                machine.claim(chip, number)
                free.append(number)
            except Exception as error:
                advice = "stop the program that holds it (`sudo gpioinfo` names it), or take another pin"
                yield Finding(f"pins {key}", False, str(error), advice)
        yield Finding("pins", True, f"the GPIO chip opens; usable lines: {', '.join(map(str, free)) or 'none'}")
    finally:
        chip.close()


async def panel(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """Does the panel's size, offset or folder fit, and is its SPI bus ready for it?"""
    if not (lcd := settings.lcd):
        return
    if lcd.panel == "png":
        assert lcd.folder
        try:
            layout_for(lcd.panel, *lcd.pixels)
        except ValueError as error:
            yield Finding("panel", False, str(error), "correct lcd.size", about="lcd.size")
            return
        if lcd.folder.exists() and not lcd.folder.is_dir():
            yield Finding("panel", False, f"{lcd.folder} is no folder", "correct lcd.folder", about="lcd.folder")
            return
        fit = os.access(lcd.folder if lcd.folder.exists() else lcd.folder.parent, os.W_OK | os.X_OK)
        text = f"pictures of {lcd.size} go to {lcd.folder}" + ("" if fit else ", which cannot be written")
        advice = "" if fit else "make the folder, and give it to the service's user"
        yield Finding("panel", fit, text, advice, about="lcd.folder")
        return
    if lcd.panel == "framebuffer":
        yield _framebuffer(lcd, machine)
        if lcd.backlight:
            yield _backlight(lcd.backlight)
        return
    try:
        machine.check_offset(lcd.panel, lcd.x_offset, lcd.y_offset)
    except ValueError as error:
        advice = "correct lcd.x_offset and lcd.y_offset: deploy/wiring.md, The display"
        yield Finding("panel", False, f"lcd: {error}", advice)
        return
    yield _spi(lcd, machine)


def _framebuffer(lcd: LcdSettings, machine: Machine) -> Finding:
    device = lcd.framebuffer_device
    if not device.exists():
        advice = (
            "connect the screen and restart the machine, or correct lcd.framebuffer: deploy/wiring.md, Larger screens"
        )
        return Finding("panel", False, f"{device} is not there", advice, about="lcd.framebuffer")
    if not os.access(device, os.R_OK | os.W_OK):
        advice = "put the service's user into the group video"
        return Finding("panel", False, f"this user may not use {device}", advice, about="lcd.framebuffer")
    try:
        width, height, bits = machine.framebuffer(device)
    except OSError as error:
        said = error.strerror or str(error)
        advice = "set 16 or 32 bits a pixel, or correct lcd.framebuffer: deploy/wiring.md, Larger screens"
        return Finding("panel", False, f"{device}: {said}", advice, about="lcd.framebuffer")
    if (width, height) != lcd.built:
        text, advice = f"{device} is {width}x{height}, not {lcd.size}", "correct lcd.size, or the screen's mode"
        return Finding("panel", False, text, advice, about="lcd.size")
    return Finding("panel", True, f"{lcd.size} at {device}, {bits} bits a pixel")


def _backlight(folder: Path) -> Finding:
    file = folder / "brightness"
    if not file.exists():
        advice = "`ls /sys/class/backlight` names those that there are; without one leave lcd.backlight out"
        return Finding("backlight", False, f"{file} is not there", advice, about="lcd.backlight")
    if not os.access(file, os.W_OK):
        advice = "let the service's user write it: deploy/wiring.md, Larger screens"
        return Finding("backlight", False, f"this user may not write {file}", advice, about="lcd.backlight")
    return Finding("backlight", True, f"{folder} can be dimmed")


def _spi(lcd: LcdSettings, machine: Machine) -> Finding:
    device = machine.dev / f"spidev{lcd.spi_bus}.{lcd.spi_device}"
    if not device.exists():
        advice = "turn SPI on: sudo raspi-config nonint do_spi 0, then restart the machine"
        return Finding("panel", False, f"{device} is not there", advice, about="lcd.spi_device")
    if not os.access(device, os.R_OK | os.W_OK):
        advice = "put the service's user into the group spi"
        return Finding("panel", False, f"this user may not use {device}", advice, about="lcd.spi_device")
    text = f"{lcd.panel} at {device}, {lcd.speed_hz / 1e6:g} MHz" + (", mode 3" if lcd.spi_mode == 3 else "")
    about = ""
    if lcd.speed_hz > (promised := machine.datasheet_hz(lcd.panel)):
        about = "lcd.speed_hz"
        text += f", above its data sheet's {promised / 1e6:g} MHz (most modules take it; lower it if pictures are torn)"
    if lcd.transfer_size > (taken := _spi_bytes(machine)):
        about = about or "lcd.transfer_size"
        text += f"; transfers of {lcd.transfer_size} bytes are cut to {taken}, the kernel's limit (spidev.bufsiz)"
    return Finding("panel", True, text, but="warning" if about else "", about=about)


def _spi_bytes(machine: Machine) -> int:
    """How many bytes the kernel takes in one transfer; its default if it does not tell."""
    try:
        return int(machine.spi_bytes.read_text())
    except (OSError, ValueError):
        return 4096


async def scanner(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """Is the scanner's device there, and may this user read it? Standard input has none."""
    if (reader := settings.reader) and reader.driver == "stdin":
        yield Finding("scanner", True, "tickets are lines of standard input")
    elif reader and reader.device:
        if not reader.device.exists():
            yield Finding(
                "scanner", False, f"{reader.device} is not there", "plug the scanner in, or correct reader.device"
            )
        elif not os.access(reader.device, os.R_OK):
            group = "input" if reader.driver == "hid" else "dialout"
            advice = f"put the service's user into the group {group}"
            yield Finding("scanner", False, f"this user may not read {reader.device}", advice, about="reader.device")
        else:
            yield Finding("scanner", True, f"{reader.driver} at {reader.device}")


def network_time(
    marker: Path = Path("/run/systemd/timesync/synchronized"), kernel: Callable[[int], bool] = kernel_keeps
) -> bool | None:
    """Does the network keep the clock, according to the kernel or systemd-timesyncd's marker? None: neither tells."""
    if kernel(SystemClock().wall_ms()) or marker.exists():
        return True
    return False if marker.parent.is_dir() else None
