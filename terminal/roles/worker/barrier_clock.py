"""Is a barrier's message current, and how far is its clock from ours?

A message that waited somewhere (in the broker while we were away, on a line that hung, in our own queue) looks as if
its sender's clock were slow, and no MQTT flag tells the two apart: messages kept for a session come without RETAIN. But
a slow clock is slow by the same amount in every message, while messages that waited come together, each less late than
the one before.
"""

from collections import deque
from dataclasses import dataclass, field

LATE_MS = 5_000
"""A message this much further behind than its barrier's others tells what was, not what is."""
STEADY_MS = 1_500
"""Two messages that are equally far behind, within this, show a slow clock, if …"""
APART_MS = 2_000
"""… they came at least this far apart: a barrier publishes every 5 s, and messages that waited come at once."""


@dataclass(slots=True)
class BarrierClock:
    """The messages of one barrier. Times: ms of the wall clock that they are compared with, and of a steady one."""

    _known: deque[int] = field(default_factory=lambda: deque(maxlen=3))
    """How far ahead of our clock its last live messages were."""
    _behind: tuple[int, int] | None = None
    """Of the last message that may have waited: how far ahead it was, and when it came."""

    def skew(self, apart_ms: int, steady_ms: int) -> int | None:
        """The barrier's clock minus ours, in ms rounded to whole seconds, by a message that came now and whose time is
        ``apart_ms`` ahead of our clock; None if the message tells only what was."""
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
