"""MQTT packets on the stream, before anything looks into them.

amqtt reads a packet piece by piece, by the lengths inside it, so a packet that lies about them takes bytes of the next
one or waits for ever. Here a packet is read whole, by its outer length, and amqtt sees only its bytes.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from amqtt.adapters import ReaderAdapter
from amqtt.mqtt import packet_class
from amqtt.mqtt.packet import MQTTFixedHeader

LIMIT = 64 * 1024
"""Largest packet, in bytes after its fixed header."""


class Malformed(Exception):
    """The bytes are not an MQTT 3.1.1 packet, or a packet that must not come here; the connection ends."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet: its type, the low half of its first byte, and what follows the length."""

    kind: int
    flags: int
    body: bytes


async def read_frame(reader: asyncio.StreamReader) -> Packet | None:
    """The next packet, or None at the end of the stream. Raises Malformed."""
    try:
        first = (await reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
            if shift > 21:
                raise Malformed("a length of more than four bytes")
        if length > LIMIT:
            raise Malformed(f"a packet of {length} bytes")
        return Packet(first >> 4, first & 0x0F, await reader.readexactly(length))
    except (asyncio.IncompleteReadError, OSError):
        return None


class _Bytes(ReaderAdapter):  # type: ignore[misc]
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    async def read(self, n: int = -1) -> bytes:
        """Up to ``n`` bytes; too few make amqtt raise NoDataError."""
        end = len(self.data) if n < 0 else self.at + n
        piece = self.data[self.at : end]
        self.at += len(piece)
        return piece

    def feed_eof(self) -> None:
        """Nothing more ever comes."""


async def decode(frame: Packet) -> Any:
    """The amqtt packet in ``frame``; raises Malformed for whatever amqtt cannot read, and for bytes left over."""
    reader = _Bytes(frame.body)
    header = MQTTFixedHeader(frame.kind, frame.flags, len(frame.body))
    try:
        packet = await packet_class(header).from_stream(reader, fixed_header=header)
    except Exception as error:  # amqtt's decoders may raise anything
        raise Malformed(f"{type(error).__name__}: {error}") from None
    if reader.at != len(frame.body):
        raise Malformed("bytes left over")
    return packet


def encode_length(size: int) -> bytes:
    """A packet's length in MQTT's encoding."""
    out = bytearray()
    while True:
        size, low = size >> 7, size & 0x7F
        out.append(low | 0x80 if size else low)
        if not size:
            return bytes(out)


def encode_publish(topic: bytes, data: bytes, mid: int, *, qos: int, retain: bool, dup: bool = False) -> bytes:
    """A PUBLISH packet; ``mid`` counts only with QoS above 0."""
    body = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if qos else b"") + data
    return bytes([0x30 | dup << 3 | qos << 1 | retain]) + encode_length(len(body)) + body
