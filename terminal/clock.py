"""What time it is, as an argument: tests and the simulator bring their own."""

import time
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


def new_id(clock: Clock) -> str:
    """A new UUIDv7 of this moment."""
    return str(uuid7(nanoseconds=clock.wall_ms() * 1_000_000))
