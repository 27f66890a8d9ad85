"""Where pins come from: the machine's GPIO chip, or gpiozero's mock pins if they are asked for by name."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from gpiozero import Factory, InputDevice
from gpiozero.pins.mock import MockFactory

from drivers.pin_errors import NoGpio, PinHeld

Pins: TypeAlias = Factory  # what hands out pins; every driver takes one
MockPins: TypeAlias = MockFactory  # pins in memory, which the simulated hardware drives
_HEADER = ("pinctrl-rp1", "pinctrl-bcm2")
"""How the drivers of the chip on a Raspberry Pi's header name it: on a Pi 5, and on those before."""
_CHIP_INFO = 0x8044_B401
"""GPIO_GET_CHIPINFO_IOCTL of linux/gpio.h: 32 bytes of name, 32 of label, and the number of lines."""


@contextlib.contextmanager
def claiming(number: int) -> Iterator[None]:
    """Put this around code that takes the line ``number``: it raises PinHeld if the line cannot be used."""
    try:
        yield
    except Exception as error:  # lgpio's errors derive from Exception alone
        said = " ".join(str(error).strip("'").split())
        raise PinHeld(number, said or type(error).__name__) from error


def claim(pins: Pins, number: int) -> None:
    """Check that the line can be used, by taking it as an input with pull-down; raises PinHeld."""
    with claiming(number):
        InputDevice(number, pull_up=False, pin_factory=pins).close()


def label(device: Path) -> str:
    """What its driver calls a GPIO chip; empty where it does not tell."""
    told = bytearray(68)
    with contextlib.suppress(OSError), device.open("rb") as file:
        fcntl.ioctl(file, _CHIP_INFO, told)
    return told[32:64].partition(b"\0")[0].decode(errors="replace")


def header_chip(dev: Path, label: Callable[[Path], str] = label) -> int | None:
    """The number of the chip whose lines are on a Raspberry Pi's header. Its name alone tells: the number of a Pi 5's
    was 4, then 0, and is above 10 since Linux 6.12.96. None where no chip has such a name."""
    for device in sorted(dev.glob("gpiochip*")):
        number = device.name.removeprefix("gpiochip")
        if number.isdecimal() and label(device).startswith(_HEADER):
            return int(number)
    return None


def open_pins(kind: str, *, dev: Path = Path("/dev")) -> Pins:
    """Pins of ``kind``: ``auto`` is the GPIO chip through lgpio, ``mock`` is memory. The caller closes them.

    Never falls back from one to the other: a lane that only seems to have a barrier would take money and open
    nothing. Raises NoGpio, and ValueError for another ``kind``.
    """
    if kind == "mock":
        return MockPins()
    if kind != "auto":
        raise ValueError(f'pins are "auto" or "mock", not {kind!r}')
    if not any(dev.glob("gpiochip*")):
        raise NoGpio(f'no GPIO chip ({dev}/gpiochip*): run on a Raspberry Pi, or ask for pins = "mock"')
    # When imported, lgpio makes a named pipe in the working directory, where a service may not write.
    os.environ.setdefault("LG_WD", tempfile.gettempdir())
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    except ImportError as error:
        raise NoGpio(f"the package lgpio is missing: pip install lgpio ({error})") from None
    try:
        return LGPIOFactory(chip=header_chip(dev))
    except Exception as error:  # lgpio.error derives from Exception alone
        why = str(error).strip("'")
        raise NoGpio(f"the GPIO chip cannot be opened: {why} (is the user in the group gpio?)") from None
