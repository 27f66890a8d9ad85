"""The messages that a client must still get. amqtt's own delivery forgets unacknowledged messages, and loses those of a
client whose connection comes and goes (measured: up to 43 %). This one keeps them until their PUBACK."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from broker.packets import encode_publish

WINDOW = 20
"""How many messages may be under way to one client without a PUBACK."""
LIMIT = 1000
LIMIT_BYTES = 4 << 20
"""How many messages may wait for one client, and how many bytes; the oldest are dropped first."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message for one client: its topic in UTF-8, its bytes, and the RETAIN flag that the client sees."""

    topic: bytes
    data: bytes
    retain: bool


class Outbox:
    """One client id's messages, in order, across its connections."""

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting: deque[Parcel] = deque()
        self._bytes = 0
        """Of those that wait."""
        self._inflight: OrderedDict[int, Parcel] = OrderedDict()
        self._write: Callable[[bytes], None] | None = None
        self._mid = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._inflight)

    def attach(self, write: Callable[[bytes], None]) -> None:
        """There is a connection: send the unacknowledged messages again, marked as duplicates, then the rest."""
        self._write = write
        for mid, parcel in self._inflight.items():
            write(encode_publish(parcel.topic, parcel.data, mid, qos=1, retain=parcel.retain, dup=True))
        self._send()

    def detach(self) -> None:
        """The connection is gone; QoS 1 messages wait from now on."""
        self._write = None

    def push(self, parcel: Parcel, qos: int) -> None:
        """Send a message, or keep it (QoS 1) until it can be sent."""
        if qos == 0:
            if self._write:
                self._write(encode_publish(parcel.topic, parcel.data, 0, qos=0, retain=parcel.retain))
            return
        self._waiting.append(parcel)
        self._bytes += len(parcel.data)
        while len(self._waiting) > LIMIT or self._bytes > LIMIT_BYTES:
            self._next()
            self.dropped += 1
        self._send()

    def acknowledge(self, mid: int) -> None:
        """A PUBACK came."""
        if self._inflight.pop(mid, None):
            self._send()

    def _next(self) -> Parcel:
        parcel = self._waiting.popleft()
        self._bytes -= len(parcel.data)
        return parcel

    def _send(self) -> None:
        while self._write and self._waiting and len(self._inflight) < WINDOW:
            self._mid = self._mid % 65535 + 1
            if self._mid in self._inflight:
                continue
            parcel = self._inflight[self._mid] = self._next()
            self._write(encode_publish(parcel.topic, parcel.data, self._mid, qos=1, retain=parcel.retain))
