"""The time as an argument: tests and the simulator bring their own."""

import ctypes
import time
from collections.abc import Callable
from typing import Protocol

from uuid_utils import uuid7


class Clock(Protocol):
    """Two clocks. The wall clock may jump: use it for what others read. The steady clock never jumps: use it for local
    waits."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""

    def steady_ms(self) -> int:
        """Milliseconds since some fixed moment; never goes back."""


class SystemClock:
    """This machine's."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class Steady:
    """Milliseconds that start at a given time (no earlier than ``not_before``) and then only follow a monotonic
    clock."""

    def __init__(self, wall_ms: int, steady_ms: Callable[[], int], *, not_before: int = 0) -> None:
        self._steady_ms = steady_ms
        self._offset = max(wall_ms, not_before) - steady_ms()

    def now(self) -> int:
        """Milliseconds since the epoch; never less than before, whatever is done to the wall clock."""
        return self._steady_ms() + self._offset


class Timex(ctypes.Structure):
    """The part of adjtimex(2)'s struct that is read here; the rest is room for the other fields."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        *((name, ctypes.c_long) for name in ("constant", "precision", "tolerance", "seconds")),
        ("rest", ctypes.c_long * 40),
    )


STA_UNSYNC, TIME_ERROR = 0x40, 5
_AGREES_S = 2


def _adjtimex(timex: Timex) -> int:
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.byref(timex)))
    except (AttributeError, OSError):  # not Linux
        return -1


def kernel_keeps(wall_ms: int, adjtimex: Callable[[Timex], int] = _adjtimex) -> bool:
    """Does the kernel call its clock synchronised, and does that clock show ``wall_ms``?

    False if unknown: the kernel answers for its own clock, not for one that replaces it.
    """
    timex = Timex()
    state = adjtimex(timex)
    if state < 0 or state == TIME_ERROR or timex.status & STA_UNSYNC:
        return False
    return bool(abs(timex.seconds - wall_ms // 1000) <= _AGREES_S)


def new_id(clock: Clock) -> str:
    """A new UUIDv7 of this moment."""
    return str(uuid7(nanoseconds=clock.wall_ms() * 1_000_000))
