"""Messages from the broker: which subscription gets them, and when they may be acknowledged.

A PUBLISH may match several subscriptions of one connection; its PUBACK goes out once each of them is done with it.
Nothing here knows the MQTT library: client.py feeds it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

LIMIT = 1000
"""How many deliveries may wait in one subscription. A broker stops at 20 unacknowledged ones by itself; this limit is
for brokers and QoS 0 publishers that do not. The excess is not taken: QoS 1 comes again after a reconnect."""


class FilterError(ValueError):
    """A topic or a filter that MQTT does not allow."""


def check_topic(topic: str) -> str:
    """Return ``topic`` if one may publish on it; raises FilterError."""
    if not topic or "+" in topic or "#" in topic or "\0" in topic or len(topic.encode()) > 65535:
        raise FilterError(f"topic {topic[:80]!r}: empty, too long, or holds a wildcard or NUL")
    return topic


def check_filter(text: str) -> str:
    """Return ``text`` if one may subscribe to it; raises FilterError."""
    levels = text.split("/")
    if (
        not text
        or "\0" in text
        or len(text.encode()) > 65535
        or any("+" in level and level != "+" for level in levels)
        or any("#" in level for level in levels[:-1])
        or ("#" in levels[-1] and levels[-1] != "#")
    ):
        raise FilterError(f"filter {text[:80]!r}: `+` must fill a level, `#` the last one")
    return text


def matches(text: str, topic: str) -> bool:
    """Does the filter ``text`` take in ``topic``? (MQTT 3.1.1, 4.7)"""
    if text == topic:
        return True
    if topic.startswith("$") and text[:1] in "+#":
        return False
    levels, names = text.split("/"), topic.split("/")
    for at, level in enumerate(levels):
        if level == "#":
            return True
        if at >= len(names) or level not in ("+", names[at]):
            return False
    return len(levels) == len(names)


@dataclass(eq=False, slots=True)
class Arrival:
    """One PUBLISH. ``puback`` is called once, when all of its ``holders`` are done with it."""

    topic: str
    payload: bytes
    retained: bool
    puback: Callable[[], None]
    holders: "set[Subscription]" = field(default_factory=set)

    def settle(self, holder: "Subscription") -> None:
        """Note that ``holder`` is done with it, and send the PUBACK after the last one. A second call does nothing."""
        if holder in self.holders:
            self.holders.remove(holder)
            holder.held.discard(self)
            if not self.holders:
                self.puback()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as one subscriber sees it. ``retained`` is the RETAIN flag: the broker kept it, so it is not news. The
    subscriber must call ack() when it will not need the message again, that is, after its own commit."""

    topic: str
    payload: bytes
    retained: bool
    _arrival: Arrival = field(repr=False)
    _holder: "Subscription" = field(repr=False)

    def ack(self) -> None:
        """Let the broker forget the message. A second call does nothing."""
        self._arrival.settle(self._holder)


class Subscription:
    """An async iterator of Delivery, in the order of arrival, for one consumer; see MqttClient.subscribe().

    Iterating raises what made the connection useless: ConnectionRefused, SubscriptionRefused. It ends after close().
    """

    def __init__(self, filters: dict[str, int], on_close: "Callable[[Subscription], None]") -> None:
        self.filters = filters
        """Each filter with its QoS."""
        self.held: set[Arrival] = set()
        self.dropped = 0
        self._waiting: deque[Arrival] = deque()
        self._news = asyncio.Event()
        self._granted = asyncio.Event()
        self._error: Exception | None = None
        self._closed = False
        self._on_close = on_close

    def offer(self, arrival: Arrival) -> bool:
        """Take an arrival, unless the consumer is LIMIT behind."""
        if len(self._waiting) >= LIMIT:
            self.dropped += 1
            return False
        arrival.holders.add(self)
        self.held.add(arrival)
        self._waiting.append(arrival)
        self._news.set()
        return True

    def grant(self, done: bool) -> None:
        """Note that the broker has these filters or, after a lost connection, no longer has them."""
        (self._granted.set if done else self._granted.clear)()

    def fail(self, error: Exception) -> None:
        """Raise ``error`` in the consumer, after the messages that already wait."""
        self._error = error
        self._news.set()
        self._granted.set()

    async def granted(self) -> None:
        """Return once the broker has confirmed these filters on the present connection."""
        await self._granted.wait()
        if self._error:
            raise self._error

    def close(self) -> None:
        """End the iteration. Unacknowledged messages go back to the client (see MqttClient)."""
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            self._news.set()
            self._granted.set()
            self._on_close(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delivery:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            if self._error:
                raise self._error
            self._news.clear()
            await self._news.wait()
        arrival = self._waiting.popleft()
        return Delivery(arrival.topic, arrival.payload, arrival.retained, arrival, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
