"""The broker and the connections to it, in virtual time: what is published arrives late, twice, out of order or never.

A ``SimBus`` is to a role what bus.Bus is: QoS 1 with acknowledgement after commit, a session that the broker keeps
while the client is away, retained messages at every subscribing. A broker that restarts forgets all of it, as the
embedded one does.

Most lives hand messages over as they are made; in some worlds, and in the real lives, they are bytes on the way, so
that encoding, decoding and refusing are tried as well.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, TypeVar, cast

from terminal.clock import Clock
from terminal.contract.messages import MESSAGES, BadMessage, Message, decode, encode, stamp
from terminal.contract.topics import GARAGE_WIDE, LATEST_ONLY, RETAINED, parse
from terminal.mqtt import subscription
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint, MessageStream, ReceivedMessage
from terminal.mqtt.subscription import Arrival, Subscription
from tests.sim.loop import Owner, VirtualLoop

HOP_S = 0.002
KEPT = 100
"""Messages that a broker keeps for a client that is away (Mosquitto: max_queued_messages)."""

Payload = bytes | Message
Taker = Callable[[str, Payload, bool], None]
"""A device that hears: topic, payload, and whether the broker kept it."""
M = TypeVar("M", bound=Message)


@dataclass(slots=True)
class Weather:
    """How likely each message is to suffer; all of it zero in good weather."""

    lost: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    late_s: float = 3.0
    """How late at most: enough to overtake and to outlive deadlines."""

    @property
    def is_rough(self) -> bool:
        return bool(self.lost or self.twice or self.late)

    def calm(self) -> None:
        self.lost = self.twice = self.late = 0.0


stamp_of = lru_cache(maxsize=64)(stamp)
"""Many messages are said within one millisecond of virtual time."""


class Ids:
    """UUIDv7 texts that follow from how many were asked for."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self, at_ms: int) -> str:
        head, number = f"{at_ms:012x}", next(self._count)
        return f"{head[:8]}-{head[8:]}-7000-8000-{number:012x}"


class SimClock:
    """A machine's two clocks. ``ahead_ms``: how far its wall clock is ahead of the true time; it may be changed."""

    def __init__(self, loop: VirtualLoop, epoch_ms: int) -> None:
        self._loop = loop
        self._epoch_ms = epoch_ms
        self.ahead_ms = 0

    def wall_ms(self) -> int:
        return self._epoch_ms + round(self._loop.now * 1000) + self.ahead_ms

    def steady_ms(self) -> int:
        return round(self._loop.now * 1000)


class SimLink(Endpoint):
    """A Link whose ids can be repeated."""

    def __init__(self, bus: "SimBus", ids: Ids, *, garage: str, lane: str | None, role: str, clock: Clock) -> None:
        super().__init__(bus.as_bus(), garage=garage, lane=lane, role=role, version="sim", clock=clock)
        self._ids = ids

    def head(self) -> dict[str, Any]:
        now = self.clock.wall_ms()
        return {"id": self._ids(now), "at": stamp_of(now)}


class LightLink(SimLink):
    """One that hands messages over as they are."""

    def __init__(self, bus: "SimBus", ids: Ids, *, garage: str, lane: str | None, role: str, clock: Clock) -> None:
        super().__init__(bus, ids, garage=garage, lane=lane, role=role, clock=clock)
        self._sim_bus = bus

    async def publish(self, message: Message, *, lane: str | None = None, role: str | None = None) -> None:
        if self.may_speak and not self.may_speak():
            return
        kind = kind_of(type(message))
        what = f"health/{role or self.role}" if kind == "health" else kind
        topic = f"parking/{self.garage}/{lane or self.lane or GARAGE_WIDE}/{what}"
        payload: Payload = encode(message) if kind == "health" else message  # beat() looks at its echo's bytes
        self._sim_bus.says(topic, payload, retain=kind in RETAINED, latest_only=kind in LATEST_ONLY)

    def subscribe(self, *kinds: str, lane: str | None = None) -> MessageStream:
        return LightHearing(super().subscribe(*kinds, lane=lane))


class LightHearing(MessageStream):
    """The other end of it. What is still bytes was said by an intruder."""

    def __init__(self, hearing: MessageStream) -> None:
        super().__init__(hearing._endpoint, hearing._subscription)

    async def __anext__(self) -> ReceivedMessage:
        while True:
            delivery = await self._subscription.__anext__()
            where, payload = topic_of(delivery.topic), cast(Payload, delivery.payload)
            try:
                message = decode(MESSAGES[where.kind], payload) if isinstance(payload, bytes) else payload
            except BadMessage as error:
                delivery.ack()
                await self._endpoint.bad_message(delivery.topic, str(error))
                continue
            return ReceivedMessage(where, message, delivery.retained, delivery)


topic_of = lru_cache(maxsize=256)(parse)
matches = lru_cache(maxsize=4096)(subscription.matches)


@lru_cache(maxsize=32)
def kind_of(kind: type[Message]) -> str:
    return kind.__name__.lower()


def read(kind: type[M], payload: Payload) -> M:
    """What a device makes of what it hears; raises BadMessage."""
    if isinstance(payload, bytes):
        return decode(kind, payload)
    assert isinstance(payload, kind)
    return payload


class Broker:
    """Takes what connections publish and brings it to who subscribed, as the weather is."""

    def __init__(self, loop: VirtualLoop, dice: random.Random, weather: Weather) -> None:
        self.loop = loop
        self.dice = dice
        self.weather = weather
        self.is_up = True
        self.is_light = True
        """Are messages handed over as they are? Else devices' messages become bytes here."""
        self.retained: dict[str, Payload] = {}
        self.taps: list[Callable[[str, Payload], None]] = []
        """Told of everything that is published, as it is."""
        self.buses: list[SimBus] = []
        self._routes: dict[str, list[tuple[SimBus, Subscription | Taker]]] = {}

    def forget_routes(self) -> None:
        self._routes.clear()

    def take(self, topic: str, payload: Payload, retain: bool) -> None:
        for tap in self.taps:
            tap(topic, payload)
        if retain:
            self.retained[topic] = payload
        route = self._routes.get(topic)
        if route is None:
            route = self._routes[topic] = [
                (bus, taker)
                for bus in self.buses
                for filters, taker in bus.takers
                if any(matches(f, topic) for f in filters)
            ]
        weather, dice, after = self.weather, self.dice, self.loop.after
        if not weather.is_rough:
            if route:
                after(HOP_S, _deliver, route, topic, payload)
            return
        for bus, taker in route:
            fate = dice.random()
            if fate < weather.lost:
                continue
            fate -= weather.lost
            if topic.endswith("/vehicle") or "/health/" in topic:  # QoS 0: in order, or lost with the connection
                if fate >= weather.late:
                    after(HOP_S, bus.arrives, taker, topic, payload, False)
                continue
            wait = HOP_S + (dice.random() * weather.late_s if fate < weather.late else 0.0)
            after(wait, bus.arrives, taker, topic, payload, False)
            if fate > 1 - weather.lost - weather.twice:
                after(wait + dice.random() * weather.late_s, bus.arrives, taker, topic, payload, False)

    def give_retained(self, bus: "SimBus", filters: tuple[str, ...], taker: "Subscription | Taker") -> None:
        for topic, payload in self.retained.items():
            if any(matches(f, topic) for f in filters):
                self.loop.after(HOP_S, bus.arrives, taker, topic, payload, True)

    def goes_down(self) -> None:
        """Everybody loses the connection, and what the broker held for them."""
        self.is_up = False
        self.retained.clear()
        for bus in list(self.buses):
            bus.queue.clear()
            bus.held.clear()
            bus.inherited.clear()
            bus.loses_connection()

    def comes_back(self) -> None:
        self.is_up = True
        for bus in list(self.buses):
            self.loop.after(0.1 + self.dice.random() * 2.0, bus.connects)


def _deliver(route: "list[tuple[SimBus, Subscription | Taker]]", topic: str, payload: Payload) -> None:
    for bus, taker in route:
        bus.arrives(taker, topic, payload, False)


@dataclass(eq=False)
class SimBus:
    """One process's connection. ``dies`` when its process does: from then on it takes and gives nothing."""

    broker: Broker
    name: str
    instance: str
    connected: bool = True
    lost_s: float = -1.0
    """When it lost its connection last."""
    is_dead: bool = False
    takers: list[tuple[tuple[str, ...], "Subscription | Taker"]] = field(default_factory=list)
    queue: list[tuple["Subscription | Taker", str, Payload]] = field(default_factory=list)
    """What the broker keeps while this client is away."""
    held: dict[int, tuple[Subscription, str, Payload]] = field(default_factory=dict)
    """What this client has not acknowledged."""
    backlog: dict[tuple[str, Payload | None], tuple[Payload, bool]] = field(default_factory=dict)
    """What this client could not publish."""
    fleeting: set[str] = field(default_factory=set)
    """Filters of which nothing is kept."""
    inherited: list[tuple[str, Payload]] = field(default_factory=list)
    """What the broker kept for the process before this one, which bore the same name."""
    _listeners: list[tuple[Owner, Callable[[bool], None]]] = field(default_factory=list)
    guard: Callable[[str], None] | None = None
    """Told of each topic before it is said, by a process that is alive or was replaced."""
    _arrivals: int = 0

    def __post_init__(self) -> None:
        self.connected = self.broker.is_up
        for before in [b for b in self.broker.buses if b.name == self.name]:
            assert before.is_dead, f"{self.name} runs twice"
            self.inherited += [(topic, payload) for _, topic, payload in (*before.held.values(), *before.queue)]
            self.broker.buses.remove(before)
        self.broker.buses.append(self)

    def as_bus(self) -> MqttClient:
        return cast(MqttClient, self)

    # What a role calls

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, latest_only: bool = False) -> None:
        self.says(topic, payload, retain=retain, latest_only=latest_only)

    def says(self, topic: str, payload: Payload, *, retain: bool = False, latest_only: bool = False) -> None:
        if self.guard:
            self.guard(topic)
        if self.is_dead:
            return
        if not self.broker.is_light and not isinstance(payload, bytes):
            payload = encode(payload)
        if not self.connected:
            key = (topic, None if latest_only else payload)
            self.backlog.pop(key, None)
            self.backlog[key] = payload, retain
            return
        self.broker.take(topic, payload, retain)

    async def settled(self) -> bool:
        while not self.connected:
            await asyncio.sleep(0.5)  # virtual time, which costs nothing to look again in
        return True

    def subscribe(self, *filters: str, fleeting: Iterable[str] = ()) -> Subscription:
        wanted = dict.fromkeys(filters, 1) | dict.fromkeys(fleeting, 0)
        subscription = Subscription(wanted, self._unsubscribe)
        self.takers.append((tuple(wanted), subscription))
        self.fleeting.update(fleeting)
        self.broker.forget_routes()
        subscription.grant(self.connected)
        self._begin(tuple(wanted), subscription)
        return subscription

    def hears(self, take: Taker, *filters: str, fleeting: bool = False) -> None:
        """Devices of the simulation hear so, without a task of their own."""
        self.takers.append((filters, take))
        self.fleeting.update(filters if fleeting else ())
        self.broker.forget_routes()
        self._begin(filters, take)

    def on_change(self, tell: Callable[[bool], None]) -> Callable[[], None]:
        listener = self.broker.loop.owner, tell
        self._listeners.append(listener)
        return partial(self._listeners.remove, listener)

    async def wait_connected(self) -> None:
        assert self.connected

    def reconnect(self, why: str) -> None:
        assert why
        self.loses_connection()
        self.broker.loop.after(0.3, self.connects)

    # What the weather does

    def arrives(self, taker: "Subscription | Taker", topic: str, payload: Payload, retained: bool) -> None:
        if not self.connected:
            if not retained and not any(matches(f, topic) for f in self.fleeting):
                self.queue.append((taker, topic, payload))
                del self.queue[:-KEPT]
            return
        if not isinstance(taker, Subscription):
            taker(topic, payload, retained)
            return
        self._arrivals += 1
        number = self._arrivals
        if not retained:
            self.held[number] = taker, topic, payload
        taker.offer(Arrival(topic, cast(bytes, payload), retained, partial(self.held.pop, number, None)))

    def loses_connection(self) -> None:
        if self.connected and not self.is_dead:
            self.connected = False
            self.lost_s = self.broker.loop.now
            for _, taker in self.takers:
                if isinstance(taker, Subscription):
                    taker.grant(False)
            for owner, tell in list(self._listeners):
                self.broker.loop.call_soon_as(owner, tell, False)

    def connects(self) -> None:
        """What was not acknowledged comes again, then what the broker kept, then what it retains; who is told of the
        connection hears that first."""
        if self.connected or self.is_dead or not self.broker.is_up:
            return
        self.connected = True
        again = list(self.held.values())
        self.held.clear()
        for taker, topic, payload in (*again, *self.queue):
            self.broker.loop.after(HOP_S, self.arrives, taker, topic, payload, False)
        self.queue.clear()
        for filters, subscriber in self.takers:
            if isinstance(subscriber, Subscription):
                subscriber.grant(True)
            self.broker.give_retained(self, filters, subscriber)
        waiting, self.backlog = self.backlog, {}
        for (topic, _), (payload, retain) in waiting.items():
            self.broker.take(topic, payload, retain)
        for owner, tell in list(self._listeners):
            self.broker.loop.call_soon_as(owner, tell, True)

    def dies(self) -> None:
        """The process is gone; the broker keeps its session for the next one of that name."""
        self.is_dead = True
        self.connected = False

    def _begin(self, filters: tuple[str, ...], taker: "Subscription | Taker") -> None:
        mine = [(t, p) for t, p in self.inherited if any(matches(f, t) for f in filters)]
        self.inherited = [(t, p) for t, p in self.inherited if (t, p) not in mine]
        for topic, payload in mine:
            self.broker.loop.after(HOP_S, self.arrives, taker, topic, payload, False)
        if self.connected:
            self.broker.give_retained(self, filters, taker)

    def _unsubscribe(self, subscription: Subscription) -> None:
        self.takers = [(f, t) for f, t in self.takers if t is not subscription]
        self.broker.forget_routes()
