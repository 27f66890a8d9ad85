"""A broker and its connection in memory, for tests of roles: it acts like an MqttClient and remembers what was said."""

import asyncio
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar, cast

from terminal.contract.messages import MESSAGES, Message, decode, encode
from terminal.contract.topics import parse
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import MqttError, SubscriptionRefused
from terminal.mqtt.subscription import Arrival, Subscription, matches
from tests.support.leaks import SAID

M = TypeVar("M", bound=Message)
_read = lru_cache(4096)(decode)  # tests look through all that was said again and again


@lru_cache(4096)
def _kind(topic: str) -> type[Message]:
    return MESSAGES[parse(topic).kind]


class MemoryBus:
    """Delivers to its own subscriptions as a broker would, retained messages first; counts what is unacknowledged."""

    def __init__(self) -> None:
        self.instance = "test"
        self.connected = True
        self.said: list[tuple[str, bytes, bool]] = []
        self.retained: dict[str, bytes] = {}
        self.refused: set[str] = set()
        """Filters that nobody may read."""
        self.refusal: MqttError | None = None
        """With what every publish fails, as where there will be no connection."""
        self.unacknowledged = 0
        self.subscriptions: list[Subscription] = []
        self._listeners: list[Callable[[bool], None]] = []
        self._news = asyncio.Event()

    def as_bus(self) -> MqttClient:
        return cast(MqttClient, self)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, latest_only: bool = False) -> None:
        if self.refusal:
            raise self.refusal
        self.said.append((topic, payload, retain))
        SAID.add(payload)
        self._news.set()
        if retain:
            self.retained[topic] = payload
        for subscription in self.subscriptions:
            self._offer(subscription, topic, payload, retained=False)

    async def settled(self) -> bool:
        while not self.connected:
            self._news.clear()
            await self._news.wait()
        return True

    def subscribe(self, *filters: str, fleeting: Iterable[str] = ()) -> Subscription:
        wanted = dict.fromkeys(filters, 1) | dict.fromkeys(fleeting, 0)
        subscription = Subscription(wanted, self.subscriptions.remove)
        self.subscriptions.append(subscription)
        subscription.grant(self.connected)
        if refused := tuple(self.refused.intersection(wanted)):
            subscription.fail(SubscriptionRefused(refused))
            return subscription
        self.redeliver(subscription)
        return subscription

    def redeliver(self, *subscriptions: Subscription) -> None:
        """Hand out the retained messages, as a broker does at every subscribing, to these or to all."""
        for subscription in subscriptions or self.subscriptions:
            for topic, payload in self.retained.items():
                self._offer(subscription, topic, payload, retained=True)

    def on_change(self, tell: Callable[[bool], None]) -> Callable[[], None]:
        self._listeners.append(tell)
        return lambda: self._listeners.remove(tell)

    def connect(self, connected: bool) -> None:
        """Lose the connection, or have it again."""
        self.connected = connected
        self._news.set()
        for subscription in self.subscriptions:
            subscription.grant(connected)
        for tell in list(self._listeners):
            tell(connected)

    async def hears(self, topic: str, message: Message) -> None:
        """Another role says ``message``, live, on ``topic``."""
        await self.hears_bytes(topic, encode(message))

    async def hears_bytes(self, topic: str, payload: bytes) -> None:
        """Somebody says whatever he likes."""
        for subscription in self.subscriptions:
            self._offer(subscription, topic, payload, retained=False)
        await asyncio.sleep(0)

    def of(self, kind: type[M]) -> list[M]:
        """All that was said of one kind, oldest first."""
        return [_read(kind, data) for topic, data, _ in self.said if _kind(topic) is kind]

    async def until(self, kind: type[M], count: int) -> list[M]:
        """Wait until ``count`` messages of a kind were said; returns them."""
        async with asyncio.timeout(5):
            while len(self.of(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return self.of(kind)

    def _offer(self, subscription: Subscription, topic: str, payload: bytes, *, retained: bool) -> None:
        if any(matches(f, topic) for f in subscription.filters):
            self.unacknowledged += 1
            subscription.offer(Arrival(topic, payload, retained, self._acknowledged))

    def _acknowledged(self) -> None:
        self.unacknowledged -= 1
