"""Exactly one barrier moves a boom: another one of its lane is noticed by what is said of its health.

Two of them have two journals, and a lift that both hear is pulsed twice. A person is told, and no more is done:
heartbeats are not signed, and one that somebody forged must not stop a lane.
"""

from collections import deque

from terminal.clock import Clock
from terminal.contract.messages import Health

GONE_MS = 60_000
"""Another barrier that was not heard of for so long is gone; so there is at most one alert in so much time. Two that
have one name at the broker cut each other off, and each hears of the other only when it is back."""
KNOWN = 16


class SecondBarrier:
    """What is heard of other barriers of this lane; ``instance`` is the own process's."""

    def __init__(self, instance: str, clock: Clock) -> None:
        self._instance, self._clock = instance, clock
        self._known: deque[str] = deque(maxlen=KNOWN)
        self._live = self._any = 0
        self._heard_ms = 0

    def note_health(self, health: Health, *, retained: bool) -> None:
        """A message of ``health/barrier`` of this lane."""
        if health.instance == self._instance or health.id in self._known:
            return
        if self._is_gone:
            self._live = self._any = 0
        self._known.append(health.id)
        self._heard_ms = self._clock.steady_ms()
        self._live += not retained and health.state != "offline"
        self._any += 1

    @property
    def is_there(self) -> bool:
        """One word, and the will after it, are those of the process before us: the broker may have kept them."""
        return not self._is_gone and (self._live >= 2 or self._any >= 3)

    @property
    def _is_gone(self) -> bool:
        return self._clock.steady_ms() - self._heard_ms > GONE_MS
