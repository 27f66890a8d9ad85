"""What a process sends, in a few words: the topics of MQTT's packets, or the first line of HTTP."""

from collections.abc import Iterator

import msgspec

PUBLISH = 3


def described(data: bytes) -> str:
    """One word for each packet that begins with the data: a topic, of a lift with its id behind ``#``; or the number of
    the packet's kind. Bytes that go on with an earlier packet have no sense, and get one of those."""
    if data[:5] in (b"POST ", b"GET /"):
        return data.split(b" ", 2)[1].decode(errors="replace")
    return " ".join(_packets(data)) or "-"


def _packets(data: bytes) -> Iterator[str]:
    at = 0
    while at + 1 < len(data):
        first, at, length, shift = data[at], at + 1, 0, 0
        while at < len(data):
            length |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128 or shift > 21:
                break
        body, at = data[at : at + length], at + length
        yield _published(first, body) if first >> 4 == PUBLISH else str(first >> 4)


def _published(first: int, body: bytes) -> str:
    size = int.from_bytes(body[:2], "big")
    topic = body[2 : 2 + size].decode(errors="replace")
    if not topic.startswith("parking/"):
        return str(PUBLISH)
    if not topic.endswith("/lift"):
        return topic
    payload = body[2 + size + (2 if first & 6 else 0) :]
    try:
        return f"{topic}#{msgspec.json.decode(payload).get('id')}"
    except msgspec.DecodeError:  # the rest of it follows
        return topic
