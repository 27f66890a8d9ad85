"""A lane's connection to its broker: MQTT 3.1.1 as bytes on an asyncio socket, so that one process has hundreds."""

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.support import mqtt_packets as packets
from tests.support.mqtt_packets import Connack, Packet, Parser, Puback, Publish, Suback

KEEPALIVE_S, SILENT_S = 5, 15.0
"""As the product has them: the keep-alive, within which a CONNECT must be answered too, and after how long without a
message (a lane hears its own heartbeats) a connection is made anew."""
AGAIN_S = 0.2
"""The pause before the next address is tried, the product's first one."""

Hear = Callable[[bytes, bytes, bool], None]


@dataclass(slots=True)
class Unacknowledged:
    """A message that the broker has not taken yet, and whom to tell when it has."""

    topic: str
    payload: bytes
    retain: bool
    taken: Callable[[], None] | None


@dataclass(slots=True)
class Traffic:
    """What all lanes of a run said and heard, in messages."""

    said: int = 0
    heard: int = 0


class LaneConnection(asyncio.Protocol):
    """Keeps up a connection to the first of ``addresses`` that takes it.

    ``hear(topic, payload, retained)`` is called for each message and ``ready()`` when the filters (each with its QoS)
    are granted after a connect. What the broker has not acknowledged is said again on the next connection.
    """

    def __init__(
        self,
        addresses: Sequence[tuple[str, int]],
        client_id: str,
        user: tuple[str, str],
        filters: Mapping[str, int],
        hear: Hear,
        ready: Callable[[], None],
        traffic: Traffic,
        *,
        clean: bool,
    ) -> None:
        self._addresses, self._client_id, self._user, self._filters = addresses, client_id, user, dict(filters)
        self._hear, self._ready, self._traffic, self._clean = hear, ready, traffic, clean
        self._mids = itertools.cycle(range(1, 60_000))
        self._waiting: dict[int, Unacknowledged] = {}
        self._transport: asyncio.Transport | None = None
        self._parser = Parser()
        self._ended = asyncio.Event()
        self._last_heard = self._last_said = 0.0
        self._is_taken = False
        self._refused = ""
        self.granted = asyncio.Event()
        """Set while there is a connection with its filters."""

    async def run(self) -> None:
        """Until cancelled. Raises PermissionError when the broker refuses the user or a filter."""
        try:
            while not self._refused:
                if await self._connected():
                    await self._watch()
                await asyncio.sleep(AGAIN_S)  # a client's pause before it connects again
            raise PermissionError(self._refused)
        finally:
            if self._transport:
                self._transport.abort()

    async def _connected(self) -> bool:
        """Try each address in turn, as the product does."""
        loop = asyncio.get_running_loop()
        self._ended.clear()
        for host, port in self._addresses:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(3):
                    await loop.create_connection(lambda: self, host, port)
                return True
        return False

    def say(self, topic: str, payload: bytes, *, retain: bool = False, taken: Callable[[], None] | None = None) -> None:
        """QoS 1, now or as soon as there is a connection. ``taken`` is called once the broker has acknowledged it."""
        mid = next(mid for mid in self._mids if mid not in self._waiting)
        self._waiting[mid] = Unacknowledged(topic, payload, retain, taken)
        if self.granted.is_set():
            self._write(packets.publish(topic, payload, mid, retain=retain, dup=False))
            self._traffic.said += 1

    @property
    def all_taken(self) -> bool:
        """Has the broker acknowledged all that was said?"""
        return not self._waiting

    async def _watch(self) -> None:
        """Ping while nothing is said, until the connection has ended; one that brings nothing is given up."""
        loop = asyncio.get_running_loop()
        while not self._ended.is_set():
            try:
                async with asyncio.timeout(KEEPALIVE_S / 2):
                    await self._ended.wait()
            except TimeoutError:
                if self._transport and loop.time() - self._last_heard > (SILENT_S if self._is_taken else KEEPALIVE_S):
                    self._transport.abort()
                elif loop.time() - self._last_said > KEEPALIVE_S / 2:
                    self._write(packets.PINGREQ)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._parser, self._is_taken = transport, Parser(), False
        self._last_heard = asyncio.get_running_loop().time()
        self._write(packets.connect(self._client_id, *self._user, KEEPALIVE_S, clean=self._clean))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.granted.clear()
        self._ended.set()

    def data_received(self, data: bytes) -> None:
        for packet in self._parser.feed(data):
            self._take(packet)

    def _take(self, packet: Packet) -> None:
        match packet:
            case Publish():
                self._traffic.heard += 1
                self._last_heard = asyncio.get_running_loop().time()
                if packet.qos:
                    self._write(packets.puback(packet.mid))
                self._hear(packet.topic, packet.payload, packet.retain)
            case Puback():
                if (done := self._waiting.pop(packet.mid, None)) and done.taken:
                    done.taken()
            case Connack(code=0):
                self._is_taken = True
                self._write(packets.subscribe(self._filters, next(self._mids)))
            case Connack():
                self._refuse(packets.REFUSALS.get(packet.code, f"code {packet.code}"))
            case Suback() if 0x80 in packet.codes:
                self._refuse("a filter was refused")
            case Suback():
                self.granted.set()
                for mid, message in self._waiting.items():
                    self._traffic.said += 1
                    self._write(packets.publish(message.topic, message.payload, mid, retain=message.retain, dup=True))
                self._ready()

    def _refuse(self, why: str) -> None:
        self._refused = f"{self._client_id}: {why}"
        if self._transport:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport:
            self._last_said = asyncio.get_running_loop().time()
            self._transport.write(data)
