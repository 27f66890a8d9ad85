"""A clock whose hands a test turns."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from drivers.timing import Timer


@dataclass(order=True)
class _Due:
    at: float
    order: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class ManualTimers:
    """A timing.Timers whose hands are turned by advance(). For one thread, but for now()."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[_Due] = []
        self._count = itertools.count()

    def now(self) -> float:
        return self._now

    def after(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        due = _Due(self._now + delay_s, next(self._count), callback)
        heapq.heappush(self._due, due)
        return due

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` go by, with everything that falls due in them, in its order."""
        until = self._now + seconds
        while self._due and self._due[0].at <= until:
            due = heapq.heappop(self._due)
            self._now = max(self._now, due.at)
            if not due.cancelled:
                due.callback()
        self._now = until
