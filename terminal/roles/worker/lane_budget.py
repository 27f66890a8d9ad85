"""How much a lane may say: more than any visit needs, and too little to keep other lanes from being served.

There is a token bucket for each lane and kind of message. The excess is dropped before it costs anything: everybody who
says something of weight repeats it (a reader its fee, loops and barrier every 5 s, PayBy its notification). Garbage
costs next to nothing and is not counted here (Endpoint.bad_message), so it uses up none of the budget.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from terminal.contract.topics import GARAGE_WIDE, Topic
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.throttle import Throttle

BUDGETS: dict[str, tuple[int, int]] = {
    "fee": (200, 50),
    "plate": (200, 50),
    "vehicle": (100, 100),
    "barrier": (100, 100),
    "health": (100, 100),
    "paid": (50, 200),
    "refund": (50, 200),
    "command": (500, 20),
    "enquiry": (50, 50),
    "credit": (100, 100),
}
"""The ms for each further message, and how many may come at once. A reader repeats a fee after 0.5 s and then more
slowly; bouncing loops change a few times a second; a broker that restarted delivers what waited."""
TOLD_AFTER_S, TOLD_EVERY_S = 1.0, 60.0
LANES = 1000
"""The most lanes of a garage; a user who may publish for all lanes can invent more."""


class LaneBudget:
    """``spawn`` runs the task that alerts about a flood."""

    def __init__(self, endpoint: Endpoint, spawn: Callable[[Coroutine[Any, Any, None], str], object]) -> None:
        self._endpoint, self._spawn = endpoint, spawn
        self._buckets: dict[tuple[str, str], Throttle] = {}
        self.lanes: set[str] = set()
        """The lanes of this garage: those of the journal, and those that were heard of."""
        self._dropped: dict[str, Counter[str]] = {}
        """By lane: what was dropped since the last alert."""

    def knows(self, topic: Topic) -> bool:
        """Is it on a topic of one of the first LANES lanes? The others are not this garage's: they get no screen, no
        timer and no place in the state."""
        if topic.lane not in self.lanes and topic.lane != GARAGE_WIDE and len(self.lanes) < LANES:
            self.lanes.add(topic.lane)
        return topic.lane in self.lanes or topic.lane == GARAGE_WIDE

    def admits(self, topic: Topic) -> bool:
        """Is a message on this topic, of a lane that it knows, within its lane's budget?"""
        key, now_ms = (topic.lane, topic.kind), round(asyncio.get_running_loop().time() * 1000)
        bucket = self._buckets.get(key)
        if bucket is None:
            every_ms, burst = BUDGETS[topic.kind]
            bucket = self._buckets[key] = Throttle(every_ms, burst=burst)
        if bucket.take(now_ms):
            return True
        if topic.lane not in self._dropped:
            self._dropped[topic.lane] = Counter()
            self._spawn(self._tell(topic.lane), f"flood of {topic.lane}")
        self._dropped[topic.lane][topic.kind] += 1
        return False

    async def _tell(self, lane: str) -> None:
        """Raise one alert a minute while it lasts."""
        await asyncio.sleep(TOLD_AFTER_S)
        while dropped := self._dropped[lane]:
            self._dropped[lane] = Counter()
            what = ", ".join(f"{count} `{kind}`" for kind, count in dropped.most_common())
            text = f"{lane} sends more than a lane needs: {what} were dropped"
            await self._endpoint.alert("lane-flood", text, lane=lane)
            await asyncio.sleep(TOLD_EVERY_S)
        del self._dropped[lane]
