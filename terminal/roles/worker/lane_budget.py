"""What a lane may say: so much that no visit ever needs more, and no lane keeps the others from being served.

A token bucket for each lane and kind of message. What is over it is dropped before it costs anything: whoever says
something of weight repeats it (a reader its fee, loops and barrier every 5 s, PayBy its notification). Garbage, which
costs next to nothing, is not counted here (Endpoint.bad_message), so that it takes nothing from what is meant.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from terminal.contract.topics import Topic
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.throttle import Throttle

BUDGETS: dict[str, tuple[int, int]] = {
    "fee": (200, 50),
    "vehicle": (100, 100),
    "barrier": (100, 100),
    "health": (100, 100),
    "paid": (50, 200),
    "refund": (50, 200),
    "command": (500, 20),
}
"""One message in so many ms as time goes on, and so many at once. A reader repeats a fee after 0.5 s and then more
slowly; loops that bounce change some times a second; a broker that restarted delivers what waited."""
TOLD_AFTER_S, TOLD_EVERY_S = 1.0, 60.0
LANES = 1000
"""Lanes that are told apart; whoever may publish for all lanes can invent more."""


class LaneBudget:
    """``spawn`` runs what tells of a flood."""

    def __init__(self, endpoint: Endpoint, spawn: Callable[[Coroutine[Any, Any, None], str], object]) -> None:
        self._endpoint, self._spawn = endpoint, spawn
        self._buckets: OrderedDict[tuple[str, str], Throttle] = OrderedDict()
        self._dropped: dict[str, Counter[str]] = {}
        """By lane: what was dropped and is not told yet."""

    def admits(self, topic: Topic) -> bool:
        """Is a message on this topic within its lane's budget?"""
        key, now_ms = (topic.lane, topic.kind), round(asyncio.get_running_loop().time() * 1000)
        bucket = self._buckets.get(key)
        if bucket is None:
            every_ms, burst = BUDGETS[topic.kind]
            bucket = self._buckets[key] = Throttle(every_ms, burst=burst)
            if len(self._buckets) > LANES:
                self._buckets.popitem(last=False)
        if bucket.take(now_ms):
            return True
        if topic.lane not in self._dropped:
            self._dropped[topic.lane] = Counter()
            self._spawn(self._tell(topic.lane), f"flood of {topic.lane}")
        self._dropped[topic.lane][topic.kind] += 1
        return False

    async def _tell(self, lane: str) -> None:
        """One alert a minute as long as it lasts."""
        await asyncio.sleep(TOLD_AFTER_S)
        while dropped := self._dropped[lane]:
            self._dropped[lane] = Counter()
            what = ", ".join(f"{count} `{kind}`" for kind, count in dropped.most_common())
            text = f"{lane} says more than a lane needs: {what} were dropped"
            await self._endpoint.alert("lane-flood", text, lane=lane)
            await asyncio.sleep(TOLD_EVERY_S)
        del self._dropped[lane]
