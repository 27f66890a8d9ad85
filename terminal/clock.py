"""What time it is, as an argument: tests and the simulator bring their own."""

import time
from collections.abc import Callable
from typing import Protocol

from uuid_utils import uuid7


class Clock(Protocol):
    """Two clocks. The wall's may jump: for what others read. The steady one never does: for every local wait."""

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
        return self._steady_ms() + self._offset


def new_id(clock: Clock) -> str:
    """A new UUIDv7 of this moment."""
    return str(uuid7(nanoseconds=clock.wall_ms() * 1_000_000))
