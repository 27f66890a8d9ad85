"""Exactly one barrier moves a boom: another one at its lane is noticed by its heartbeats.

Two of them have two journals, and a lift that both receive is pulsed twice. A person is alerted, and nothing more is
done: heartbeats are not signed, and a forged one must not stop a lane.
"""

from collections import deque

from terminal.clock import Clock
from terminal.contract.messages import Health

GONE_MS = 60_000
"""How long another barrier must be silent to count as gone, so this is also the least time between two alerts. Two
barriers with one name at the broker cut each other off, and each hears of the other only when it is back itself."""
KNOWN = 16


class SecondBarrier:
    """Watches for other barriers of this lane; ``instance`` is this process's own."""

    def __init__(self, instance: str, clock: Clock) -> None:
        self._instance, self._clock = instance, clock
        self._known: deque[str] = deque(maxlen=KNOWN)
        self._live = self._any = 0
        self._heard_ms = 0

    def note_health(self, health: Health, *, retained: bool) -> None:
        """Take in a message of this lane's ``health/barrier``."""
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
        """One message and the will after it belong to the process before us: the broker may have kept them."""
        return not self._is_gone and (self._live >= 2 or self._any >= 3)

    @property
    def _is_gone(self) -> bool:
        return self._clock.steady_ms() - self._heard_ms > GONE_MS
