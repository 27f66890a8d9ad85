"""Who has just started and hears screens: the worker says them again, because some brokers retain nothing."""

from collections.abc import Awaitable, Callable

from terminal.contract.messages import Health
from terminal.contract.topics import GARAGE_WIDE, Topic

LOOKERS = ("console", "discovery")
"""The roles that show every lane to somebody."""
LOOKERS_APART_MS = 10_000
"""The least time between two answers to them, because each is as many messages as there are lanes. Who comes sooner
hears everything within a minute (screens.SAY_AGAIN_S)."""


class Newcomers:
    """``say(lane)`` publishes a lane's screen again, ``say_all`` everything of every lane. ``now`` is the steady
    time, ms."""

    def __init__(
        self, say: Callable[[str], Awaitable[None]], say_all: Callable[[], None], now: Callable[[], int]
    ) -> None:
        self._say, self._say_all, self._now = say, say_all, now
        self._known: dict[tuple[str, str], str] = {}
        self._answered_ms: int | None = None

    async def note_health(self, topic: Topic, health: Health, *, retained: bool) -> None:
        """A role spoke. What the broker had retained tells of no start."""
        key = topic.lane, topic.role
        if retained or health.state == "offline" or health.instance == self._known.get(key):
            return
        if topic.role == "lcd" and topic.lane != GARAGE_WIDE:
            self._known[key] = health.instance
            await self._say(topic.lane)
        elif topic.role in LOOKERS and topic.lane == GARAGE_WIDE:
            self._known[key] = health.instance
            now = self._now()
            if self._answered_ms is None or now - self._answered_ms >= LOOKERS_APART_MS:
                self._answered_ms = now
                self._say_all()
