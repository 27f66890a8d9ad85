"""Where pins come from: the machine's GPIO chip, or gpiozero's mock pins if they are asked for by name."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from gpiozero import Factory, InputDevice
from gpiozero.pins.mock import MockFactory

from drivers.pin_errors import NoGpio, PinHeld

Pins: TypeAlias = Factory  # what hands out pins; every driver takes one
MockPins: TypeAlias = MockFactory  # pins in memory, which the simulated hardware drives


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
        return LGPIOFactory()
    except Exception as error:  # lgpio.error derives from Exception alone
        why = str(error).strip("'")
        raise NoGpio(f"the GPIO chip cannot be opened: {why} (is the user in the group gpio?)") from None
