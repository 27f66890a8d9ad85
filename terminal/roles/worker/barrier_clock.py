"""Is a barrier's message news, and how far is its clock from ours?

A message that waited somewhere (in the broker while nobody was here, in a line that hung, in our own queue) looks as if
its sender's clock were slow, and no flag of MQTT tells the two apart: what a broker kept for a session comes without
RETAIN. But a slow clock is slow by the same with every message, and messages that waited come in a heap, each later by
less than the one before.
"""

from collections import deque
from dataclasses import dataclass, field

LATE_MS = 5_000
"""A message that is so much farther behind than its barrier's others says what was."""
STEADY_MS = 1_500
"""Two messages as far behind as each other, to this, show a slow clock, if …"""
APART_MS = 2_000
"""… they came at least so far apart: a barrier speaks every 5 s, and what waited comes at once."""


@dataclass(slots=True)
class BarrierClock:
    """The messages of one barrier. Time: ms of the wall clock that they are compared with, and of a steady one."""

    _known: deque[int] = field(default_factory=lambda: deque(maxlen=3))
    """How far ahead of our clock its last live messages were."""
    _behind: tuple[int, int] | None = None
    """How far ahead, and when it came, of the last message that may have waited."""

    def skew(self, apart_ms: int, steady_ms: int) -> int | None:
        """The barrier's clock minus ours, in whole seconds of ms, by a message that came now and whose time is
        ``apart_ms`` ahead of our clock; None where the message tells only what was."""
        if apart_ms < max(self._known, default=0) - LATE_MS:
            before = self._behind
            if before is None or abs(apart_ms - before[0]) > STEADY_MS:
                self._behind = apart_ms, steady_ms
                return None
            if steady_ms - before[1] < APART_MS:
                return None
            self._known.clear()
        self._behind = None
        self._known.append(apart_ms)
        return round(max(self._known) / 1000) * 1000
