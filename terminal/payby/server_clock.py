"""PayBy's time as far as we know it: PayBy refuses a call whose time is more than 15 minutes off."""

import time
from email.utils import parsedate_to_datetime
from typing import Protocol

_AGREES_MS = 2000  # a Date header has whole seconds, and includes the way there and back


class LocalClock(Protocol):
    """``wall_ms``: milliseconds since the epoch, may jump. ``steady_ms``: milliseconds that never jump."""

    def wall_ms(self) -> int: ...
    def steady_ms(self) -> int: ...


class LocalSystemClock:
    """This machine's clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000


class PayByTime:
    """PayBy's clock, read from the Date header of its answers and carried on by our steady clock.

    So a jump of our wall clock after the last answer changes nothing. If our clock agrees within 2 s, ours is used.
    """

    def __init__(self, clock: LocalClock) -> None:
        self._clock = clock
        self._ahead_of_steady_ms: int | None = None

    def now_ms(self) -> int:
        """The value for ``requestTime``, in ms since the epoch."""
        skew = self.skew_ms
        wall = self._clock.wall_ms()
        return wall if skew is None or abs(skew) <= _AGREES_MS else wall + skew

    @property
    def skew_ms(self) -> int | None:
        """How far PayBy's clock is ahead of our wall clock (ms, ± 1 s); None before the first answer with a Date."""
        if self._ahead_of_steady_ms is None:
            return None
        return self._ahead_of_steady_ms + self._clock.steady_ms() - self._clock.wall_ms()

    def heard(self, date: str | None, sent_steady_ms: int) -> None:
        """Take the Date header of the answer to a request sent at ``sent_steady_ms``; an invalid date changes
        nothing."""
        try:
            said_ms = int(parsedate_to_datetime(date or "").timestamp() * 1000) + 500  # the middle of that second
        except (ValueError, TypeError, OverflowError):
            return
        now = self._clock.steady_ms()
        self._ahead_of_steady_ms = said_ms - (sent_steady_ms + now) // 2
