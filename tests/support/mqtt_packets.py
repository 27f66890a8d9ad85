"""MQTT 3.1.1 as bytes, a client's side of it: pure, no socket and no clock.

QoS 1 and 0 only: a client that subscribes with QoS 1 is sent nothing higher (3.8.4). Numbers are the OASIS standard's.
"""

from dataclasses import dataclass

LIMIT = 256 * 1024
"""Largest packet taken from a broker, in bytes."""

PINGREQ = b"\xc0\0"
DISCONNECT = b"\xe0\0"
REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not take this client id (our own broker takes the user's name only)",
    3: "it is not available",
    4: "user or password is wrong",
    5: "this user may not connect",
}
"""What the return codes of a CONNACK say (3.2.2.3)."""


class ProtocolError(Exception):
    """Bytes that a broker must not send; the connection is of no further use."""


@dataclass(slots=True)
class Connack:
    """The answer to CONNECT; ``code`` 0 is yes, else a key of REFUSALS."""

    code: int
    session_present: bool


@dataclass(slots=True)
class Publish:
    topic: bytes
    payload: bytes
    qos: int
    retain: bool
    mid: int


@dataclass(slots=True)
class Puback:
    mid: int


@dataclass(slots=True)
class Suback:
    """``codes`` holds, in the order of the filters, the granted QoS or 0x80."""

    mid: int
    codes: bytes


@dataclass(slots=True)
class Other:
    """PINGRESP or UNSUBACK: nothing but a sign of life."""


Packet = Connack | Publish | Puback | Suback | Other


def _packet(first: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, low = size >> 7, size & 0x7F
        length.append(low | 0x80 if size else low)
        if not size:
            return bytes((first, *length)) + body


def _text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def connect(
    client_id: str,
    username: str,
    password: str,
    keepalive_s: int,
    *,
    clean: bool,
    will: tuple[str, bytes, bool] | None = None,
) -> bytes:
    """``will``: topic, payload, retain; QoS 1."""
    flags = (2 if clean else 0) | (0xC0 if username else 0)
    parts = [_text(client_id)]
    if will:
        flags |= 0x0C | (0x20 if will[2] else 0)
        parts += [_text(will[0]), _text(will[1])]
    if username:
        parts += [_text(username), _text(password)]
    return _packet(0x10, b"\0\x04MQTT\x04" + bytes([flags]) + keepalive_s.to_bytes(2, "big") + b"".join(parts))


def publish(topic: str, payload: bytes, mid: int, *, retain: bool, dup: bool) -> bytes:
    """QoS 1."""
    return _packet(0x32 | retain | dup << 3, _text(topic) + mid.to_bytes(2, "big") + payload)


def puback(mid: int) -> bytes:
    return b"\x40\x02" + mid.to_bytes(2, "big")


def subscribe(filters: dict[str, int], mid: int) -> bytes:
    """``filters``: each with its QoS, 0 or 1."""
    return _packet(0x82, mid.to_bytes(2, "big") + b"".join(_text(f) + bytes([qos]) for f, qos in filters.items()))


def unsubscribe(filters: list[str], mid: int) -> bytes:
    return _packet(0xA2, mid.to_bytes(2, "big") + b"".join(_text(f) for f in filters))


class Parser:
    """Turns what a socket gives, in whatever pieces, into packets."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are complete now; raises ProtocolError, after which nothing more may be fed."""
        data = self._rest + data if self._rest else data
        at, end, packets = 0, len(data), []
        while end - at >= 2:
            size, shift, start = data[at + 1] & 0x7F, 7, at + 2
            while data[start - 1] & 0x80:
                if shift > 21:
                    raise ProtocolError("a length of more than four bytes")
                if start == end:
                    break
                size |= (data[start] & 0x7F) << shift
                shift, start = shift + 7, start + 1
            else:
                if size > LIMIT:
                    raise ProtocolError(f"a packet of {size} bytes")
                if end - start >= size:
                    packets.append(_decode(data[at], data[start : start + size]))
                    at = start + size
                    continue
            break
        self._rest = data[at:]
        return packets


def _decode(first: int, body: bytes) -> Packet:
    size = len(body)
    match first >> 4:
        case 3:
            qos, end = first >> 1 & 3, 2 + int.from_bytes(body[:2], "big")
            start = end + 2 if qos else end
            mid = int.from_bytes(body[end:start], "big")
            if qos > 1 or size < start or size < 2 or (qos and not mid):
                raise ProtocolError("a malformed PUBLISH")
            return Publish(body[2:end], body[start:], qos, bool(first & 1), mid)
        case 4 if size == 2:
            return Puback(int.from_bytes(body, "big"))
        case 2 if size == 2:
            return Connack(body[1], bool(body[0] & 1))
        case 9 if size > 2:
            return Suback(int.from_bytes(body[:2], "big"), body[2:])
        case 11 if size == 2:
            return Other()
        case 13 if size == 0:
            return Other()
    raise ProtocolError(f"a packet that a broker does not send: 0x{first:02x}, {size} bytes")
