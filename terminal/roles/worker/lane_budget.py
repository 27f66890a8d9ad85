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

BUDGETS: dict[str, tuple[float, float]] = {
    "fee": (5.0, 50.0),
    "vehicle": (10.0, 100.0),
    "barrier": (10.0, 100.0),
    "health": (10.0, 100.0),
    "paid": (20.0, 200.0),
    "refund": (20.0, 200.0),
    "command": (2.0, 20.0),
}
"""Messages in a second as time goes on, and at once. A reader repeats a fee after 0.5 s and then more slowly; loops
that bounce change some times a second; a broker that restarted delivers what waited."""
TOLD_AFTER_S, TOLD_EVERY_S = 1.0, 60.0
LANES = 1000
"""Lanes that are told apart; whoever may publish for all lanes can invent more."""


class _Bucket:
    """``most`` tokens, of which ``per_s`` come back in a second."""

    __slots__ = ("_at_s", "_left")

    def __init__(self, most: float, now_s: float) -> None:
        self._left, self._at_s = most, now_s

    def takes(self, per_s: float, most: float, now_s: float) -> bool:
        """Take one, if one is there."""
        self._left = min(most, self._left + (now_s - self._at_s) * per_s)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class LaneBudget:
    """``spawn`` runs what tells of a flood."""

    def __init__(self, endpoint: Endpoint, spawn: Callable[[Coroutine[Any, Any, None], str], object]) -> None:
        self._endpoint, self._spawn = endpoint, spawn
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._dropped: dict[str, Counter[str]] = {}
        """By lane: what was dropped and is not told yet."""

    def admits(self, topic: Topic) -> bool:
        """Is a message on this topic within its lane's budget?"""
        per_s, most = BUDGETS[topic.kind]
        key, now_s = (topic.lane, topic.kind), asyncio.get_running_loop().time()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(most, now_s)
            if len(self._buckets) > LANES:
                self._buckets.popitem(last=False)
        if bucket.takes(per_s, most, now_s):
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
            await self._endpoint.alert("lane-flood", "warning", text, lane=lane, once=True)
            await asyncio.sleep(TOLD_EVERY_S)
        del self._dropped[lane]
