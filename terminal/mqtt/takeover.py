"""Notices that a connection is lost again and again soon after it was made, as when two machines share one name.

MQTT 3.1.1 lets the broker end a session for a newer one of the same client id without saying why: each of the two
pushes the other out, connects, and looks healthy for as long as its connection lasts.
"""

from collections import deque
from collections.abc import Callable

SOON_MS = 10_000
"""A connection that is lost within this time counts; one that hangs is noticed later."""
MANY, WITHIN_MS = 3, 60_000
"""This many of them within this time raise the alert."""
QUIET_MS = 60_000
"""The alert ends when no connection was lost for this long."""
TAKEN_OVER = (
    "the broker ended our session three times within a minute, each soon after its connect: does another machine run "
    "under this name, from a copied card? Switch one off, or give it a name, passwords and keys of its own. If there "
    "is none, look at the broker's log and the line to it"
)


class TakeoverDetector:
    """``steady_ms`` is a clock that never jumps; ``connected``: is there a connection now?"""

    def __init__(self, steady_ms: Callable[[], int], *, connected: bool) -> None:
        self._steady_ms = steady_ms
        self._since_ms: int | None = steady_ms() if connected else None
        self._soon: deque[int] = deque(maxlen=MANY)
        self._last_ms = 0
        self._many = False

    def changed(self, connected: bool) -> None:
        """The connection was made or lost."""
        now = self._steady_ms()
        if connected:
            self._since_ms = now
        elif self._since_ms is not None:
            self._last_ms = now
            if now - self._since_ms < SOON_MS:
                self._soon.append(now)
                self._many = self._many or (len(self._soon) == MANY and now - self._soon[0] <= WITHIN_MS)
            self._since_ms = None

    @property
    def are_many(self) -> bool:
        """Were there too many, and has the connection not held since?"""
        if (
            self._many
            and self._since_ms is not None
            and self._steady_ms() - max(self._last_ms, self._since_ms) > QUIET_MS
        ):
            self._many = False
            self._soon.clear()
        return self._many
