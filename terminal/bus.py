"""The MQTT connection of a process: publish, subscribe, acknowledge after commit, reconnect, resubscribe.

The client is our own (packets.py, wire.py). paho was the first choice and was measured on one broker, against two
plain paho clients: with its network thread and call_soon_threadsafe a hop took 1.7 times as long, on asyncio's
readiness events 1.3, with this client 0.7 (tests/bench/mqtt.py); 1.0 is allowed. There is no thread that an exception
could kill unseen, name look-up and TLS handshake do not block, and acknowledging late is no special mode. Rules:

- Whatever goes wrong costs the connection, never the event loop, and is logged.
- A PUBACK belongs to the connection on which its message came; message ids start anew on the next one.
- Filters are asked for after every connect, whatever session_present says.
- Unacknowledged messages go out again, marked as duplicates, before newer ones.

    BusError
    ├── BusRefused           the broker does not accept this user: nothing to wait for, exit status 2
    └── SubscriptionRefused  the broker does not let this user read a filter
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from uuid_utils import uuid7

from terminal import packets
from terminal.outgoing import Outgoing
from terminal.packets import Packet, ProtocolError, Puback, Publish, Suback
from terminal.subscription import Arrival, Delivery, Subscription, check_filter, check_topic, matches
from terminal.wire import KEEPALIVE_S, Wire, tls_context, where

__all__ = ["Bus", "BusError", "BusRefused", "Delivery", "Subscription", "SubscriptionRefused", "Will"]
log = logging.getLogger(__name__)

RETRY_S = 0.2, 2.0
"""Wait before the first and, doubling, before later connects. A lane must work 5 s after the broker's return."""
STEADY_S = 5.0
"""A connection that lasted this long makes the next retry a first one; else two clients fighting over an id, or a
broker that drops everybody, would be asked five times a second."""
FIRST_S = 3.0
"""How long opening waits to learn whether the broker accepts the user; it goes on without an answer."""
FLUSH_S = 2.0
"""How long closing waits for outstanding PUBACKs, and then for the goodbye."""
GRACE_S = 10.0
"""How long a message that nobody takes is kept unacknowledged (Bus's ``grace_s``): after a start, until the roles have
subscribed; after a subscription's end, so that a program that is being stopped leaves it with the broker."""
LARGEST = 60_000
"""Bytes of a payload. Brokers take packets of 64 KiB (the embedded one, and Mosquitto as we ship it)."""

_TRY_AGAIN = 3
"""The one refusal of a CONNACK that speaks of the broker, not of this client."""


class BusError(Exception):
    """A connection that cannot be had as it was asked for."""


class BusRefused(BusError):
    """The broker answered, and refused this user, password or client id."""


class SubscriptionRefused(BusError):
    """The broker does not let this user read ``filters``."""

    def __init__(self, filters: tuple[str, ...]) -> None:
        super().__init__(f"the broker refuses the subscription to {', '.join(filters)}")
        self.filters = filters


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, QoS 1, when the connection ends without a goodbye."""

    topic: str
    payload: bytes
    retain: bool = True


class Bus:
    """One connection to the broker at ``url`` (``mqtt://host:port`` or ``mqtts://host:port``), kept up until exit.

    ``async with`` raises BusRefused when the broker refuses the user, BusError for a URL or a certificate file that
    is of no use, and goes on when no broker can be reached. Should the first answer come later and be a refusal, it is
    raised from publish(), wait_connected() and every subscription. After a first success a refusal is retried.
    The broker keeps the session (clean_session off) under ``client_id``, by default the user's name; not without
    either, nor with ``clean``, for who only looks on and wants nothing of what was while it was away. ``mqtts`` checks
    the certificate and its host name, by ``ca_file`` or the system's authorities.
    ``will`` may be a function: it is called before each connect, so that no two wills bear the same id.
    """

    def __init__(
        self,
        url: str,
        *,
        client_id: str = "",
        username: str = "",
        password: str = "",
        ca_file: Path | None = None,
        cert_file: Path | None = None,
        key_file: Path | None = None,
        will: Will | Callable[[], Will] | None = None,
        instance: str = "",
        clean: bool = False,
        grace_s: float = GRACE_S,
    ) -> None:
        self.instance = instance or str(uuid7())
        """Names this start of the program, in the health of every role on this connection."""
        self.trouble = "not connected yet"
        """Why there is no connection, in words; empty while there is one."""
        try:
            self._host, self._port, secure = where(url)
            self._tls = tls_context(ca_file, cert_file, key_file) if secure else None
        except ValueError as error:
            raise BusError(str(error)) from None
        except OSError as error:
            raise BusError(f"mqtt certificate files: {error}") from None
        self._client_id, self._username, self._password = client_id or username, username, password
        self._clean = clean or not self._client_id  # MQTT 3.1.1: without an id no session can be kept
        self._will = will
        self._grace_s = grace_s
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None
        self._wire: Wire | None = None
        self._error: BusError | None = None
        self._once_connected = self._closing = False
        self._up, self._tried, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._mid = 0
        self._outgoing = Outgoing(self._next_mid)
        self._asked: dict[int, list[str]] = {}
        self._granted: set[str] = set()
        self._subscriptions: list[Subscription] = []
        self._routes: dict[bytes, tuple[str, list[Subscription]]] = {}
        self._parked: dict[Arrival, asyncio.TimerHandle] = {}
        self._park_until = 0.0
        self._listeners: list[Callable[[bool], None]] = []

    # What others call

    @property
    def connected(self) -> bool:
        """Is there a connection now, as far as one can know?"""
        return self._wire is not None

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, latest_only: bool = False) -> None:
        """Hand a message to the connection, QoS 1, and return; without a connection it waits here.

        That it was handed over proves nothing: who needs to know must see an answer. While it waits, a repeat of the
        same bytes is not queued twice, and with ``latest_only`` (a state, a heartbeat) only the topic's newest is kept.
        """
        check_topic(topic)
        if len(payload) > LARGEST:
            raise ValueError(f"{topic}: {len(payload)} bytes; a broker would drop the connection, again and again")
        if self._error:
            raise self._error
        self._outgoing.add(topic, payload, retain, latest_only)
        self._idle.clear()
        if self._wire:
            self._outgoing.pump(self._wire.send)

    def subscribe(self, *filters: str, fleeting: Iterable[str] = ()) -> Subscription:
        """Messages on ``filters`` (QoS 1) from now on, retained ones first. Filters may overlap: each subscription
        gets what the broker sends, which with overlapping filters may be the same message twice. ``fleeting`` filters
        are heard while there is a connection (QoS 0): of a heartbeat nothing may be kept and come late as if it were
        new."""
        wanted = {check_filter(f): 1 for f in filters} | {check_filter(f): 0 for f in fleeting}
        if not wanted:
            raise ValueError("subscribe() needs a filter")
        subscription = Subscription(wanted, self._unsubscribe)
        self._subscriptions.append(subscription)
        self._routes.clear()
        for arrival in [a for a in self._parked if any(matches(f, a.topic) for f in wanted)]:
            self._parked.pop(arrival).cancel()
            subscription.offer(arrival)
        if self._error:
            subscription.fail(self._error)
        self._ask(wanted)
        return subscription

    async def wait_connected(self) -> None:
        """Return once there is a connection; raises BusRefused if there will be none."""
        await self._up.wait()
        if self._error:
            raise self._error

    @property
    def dropped(self) -> int:
        """Messages that were too many to wait for a connection."""
        return self._outgoing.dropped

    def on_change(self, tell: Callable[[bool], None]) -> Callable[[], None]:
        """Call ``tell(True)`` after every connect and ``tell(False)`` after every loss; returns what undoes it."""
        self._listeners.append(tell)
        return partial(self._listeners.remove, tell)

    def reconnect(self, why: str) -> None:
        """Give the present connection up and make a new one: for who knows that it only looks alive."""
        if self._wire:
            self._wire.cut(why)

    # The connection's life

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._park_until = self._loop.time() + self._grace_s
        self._task = asyncio.create_task(self._keep_connected(), name="bus")
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_S):
                    await self._tried.wait()
            if self._error:
                raise self._error
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        try:
            if self._wire and self._outgoing:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_S):
                        await self._idle.wait()
            if self._wire:
                await self._wire.goodbye(FLUSH_S)
        finally:
            await self._stop()

    async def _stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        for timer in self._parked.values():
            timer.cancel()
        self._parked.clear()
        for subscription in list(self._subscriptions):
            subscription.close()

    async def _keep_connected(self) -> None:
        wait = RETRY_S[0]
        while True:
            began = self._loop.time()
            wire = Wire(self._received)
            try:
                trouble = await self._converse(wire)
            except (OSError, ProtocolError) as error:
                trouble = str(error) or "no answer"
            except Exception as error:
                log.exception("mqtt: an error of ours while connecting; it is tried again")
                trouble = f"error of ours: {error!r}"
            finally:
                wire.cut("closed")
            if trouble != self.trouble and not self._closing:
                log.warning("mqtt: no connection: %s", trouble)
            self.trouble = trouble
            self._tried.set()
            if self._error:
                return
            wait = RETRY_S[0] if self._loop.time() - began > STEADY_S else wait
            await asyncio.sleep(wait * random.uniform(0.8, 1.0))
            wait = min(wait * 2, RETRY_S[1])

    async def _converse(self, wire: Wire) -> str:
        """One connection, from its CONNECT to its end; returns why it ended."""
        will = self._will() if callable(self._will) else self._will
        hello = packets.connect(
            self._client_id,
            self._username,
            self._password,
            KEEPALIVE_S,
            clean=self._clean,
            will=(will.topic, will.payload, will.retain) if will else None,
        )
        answer = await wire.open(self._host, self._port, self._tls, hello)
        if answer.code:
            reason = f"the broker refuses: {packets.REFUSALS.get(answer.code, answer.code)}"
            if answer.code != _TRY_AGAIN and not self._once_connected:
                self._refuse(BusRefused(f"mqtt: {reason}"))
            return reason
        self._once_connected = True
        self._wire, self.trouble = wire, ""
        try:
            self._resume(wire)
            return await wire.lost
        finally:
            self._wire = None
            self._up.clear()
            self._asked.clear()
            self._granted.clear()
            for subscription in self._subscriptions:
                subscription.grant(False)
            self._tell(False)

    def _resume(self, wire: Wire) -> None:
        self._ask({f for s in self._subscriptions for f in s.filters})
        self._outgoing.resume(wire.send)
        self._outgoing.pump(wire.send)
        self._up.set()
        self._tried.set()
        self._tell(True)

    def _refuse(self, error: BusRefused) -> None:
        self._error = error
        self._up.set()
        for subscription in self._subscriptions:
            subscription.fail(error)

    def _tell(self, connected: bool) -> None:
        for tell in list(self._listeners):
            self._loop.call_soon(tell, connected)

    # Packets

    def _next_mid(self) -> int:
        while True:
            self._mid = self._mid % 65535 + 1
            if self._mid not in self._outgoing and self._mid not in self._asked:
                return self._mid

    def _ask(self, filters: Iterable[str]) -> None:
        """Ask for ``filters``, each as the most demanding of its subscriptions wants it."""
        wanted = {f: max(s.filters.get(f, 0) for s in self._subscriptions) for f in sorted(filters)}
        if self._wire and wanted:
            self._granted.difference_update(wanted)
            self._asked[mid := self._next_mid()] = list(wanted)
            self._wire.send(packets.subscribe(wanted, mid))

    def _received(self, wire: Wire, packet: Packet) -> None:
        match packet:
            case Publish():
                self._arrived(wire, packet)
            case Puback(mid):
                self._outgoing.acknowledge(mid)
                self._outgoing.pump(wire.send)
                if not self._outgoing:
                    self._idle.set()
            case Suback(mid, codes):
                self._subscribed(self._asked.pop(mid, []), codes)

    def _subscribed(self, asked: list[str], codes: bytes) -> None:
        refused = tuple(f for f, code in zip(asked, codes, strict=False) if code & 0x80)
        self._granted.update(f for f in asked if f not in refused)
        for subscription in self._subscriptions:
            if mine := tuple(f for f in refused if f in subscription.filters):
                log.error("mqtt: the broker refuses the subscription to %s", ", ".join(mine))
                subscription.fail(SubscriptionRefused(mine))
            elif self._granted.issuperset(subscription.filters):
                subscription.grant(True)

    def _arrived(self, wire: Wire, packet: Publish) -> None:
        route = self._routes.get(packet.topic)
        if route is None:
            topic = packet.topic.decode(errors="replace")
            route = topic, [s for s in self._subscriptions if any(matches(f, topic) for f in s.filters)]
            if len(self._routes) >= 1024:
                self._routes.clear()
            self._routes[packet.topic] = route
        topic, takers = route
        arrival = Arrival(topic, packet.payload, packet.retain, partial(self._puback, wire, packet.qos, packet.mid))
        for subscription in takers:
            subscription.offer(arrival)
        if not takers:
            self._nobody(arrival, self._loop.time() < self._park_until)

    # Acknowledging

    def _puback(self, wire: Wire, qos: int, mid: int) -> None:
        if qos:
            wire.send(packets.puback(mid))  # on the connection it came by, or not at all

    def _nobody(self, arrival: Arrival, wait: bool) -> None:
        """Acknowledge what nobody is there for, or wait whether somebody comes."""
        if wait:
            self._parked[arrival] = self._loop.call_later(self._grace_s, self._give_up, arrival)
        else:
            arrival.puback()

    def _give_up(self, arrival: Arrival) -> None:
        del self._parked[arrival]
        arrival.puback()

    def _unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.remove(subscription)
        self._routes.clear()
        for arrival in subscription.held:
            arrival.holders.discard(subscription)
            if not arrival.holders and self._wire:
                self._nobody(arrival, True)
        subscription.held.clear()
        unused = [f for f in subscription.filters if not any(f in s.filters for s in self._subscriptions)]
        if unused and self._wire:
            self._wire.send(packets.unsubscribe(unused, self._next_mid()))
