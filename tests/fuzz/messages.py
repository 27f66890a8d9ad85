"""Fuzzed: what comes over the broker, from its bytes to what a role and a watcher make of a message."""

import asyncio
import contextlib
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec

from broker.packets import Malformed, decode, encode_length, encode_publish, read_frame
from terminal.clock import SystemClock
from terminal.contract.deflated import MOST, PREFIX, pack, unpack
from terminal.contract.lift_rules import refusal
from terminal.contract.messages import MESSAGES, BadMessage, Found, Lift, Message, Paid, Screen, encode
from terminal.contract.messages import decode as decode_message
from terminal.contract.signatures import check_screen
from terminal.contract.topics import TopicError, parse
from terminal.core.foreign_ticket import ForeignTicket
from terminal.core.ids import derived_id, order_no
from terminal.monitor.garage import GarageMonitor
from terminal.roles.worker.lookup_mqtt import _entry as entry_found
from terminal.roles.worker.ticket_source import LookupFailed
from terminal.screen.qr import QrError, from_wire
from tests.fuzz.target import FuzzTarget, awaited, is_plain_line
from tests.support import mqtt_packets
from tests.support.lifts import situation, trust, trusted

_MS = 1_795_000_000_000
_ID, _SESSION = derived_id(_MS, "id"), derived_id(_MS, "session")
_AT = "2026-11-18T06:26:40.000Z"
_BY_NAME: dict[str, Any] = {
    "session": _SESSION, "order_no": order_no("marina", "exit-1", _SESSION, 2), "refund_no": "R" + "0" * 32,
    "amount": "20.00", "currency": "AED", "help_code": "X2B4C", "token_url": "https://qr.payby.com", "key": "worker",
    "sign": "c2ln", "body": '{"acquireOrder":{}}', "text": "words", "code": "arm", "ticket": "LOST", "number": "0012",
    "plate": "D 12345", "ticket_class": "k2", "by": "Amal", "bits": "A" * 141, "size": 29,
}  # fmt: skip
_STAMPS = {"at", "entered", "exited", "expires", "not_after", "since"}
KINDS = tuple(MESSAGES.values())
_TOKENS = (
    b'"v":1', b'"id":', b'"at":', b"null", b"true", b"1e999", b"-0", b"0.1", b'"\\ud800"', b"\\u0000", b"|", b"[" * 8,
    b"99999999999999999999", b'"' + _AT.encode() + b'"', b'"0000-13-40T99:99:99Z"', b'"9999-12-31T23:59:60Z"',
    b'"2026-11-18T06:26:40.000+14:00"', b'"' + _ID.encode() + b'"', PREFIX.encode(), b"\xff", b"\xef\xbb\xbf",
)  # fmt: skip


def sample(kind: type[msgspec.Struct], *, whole: bool = True) -> dict[str, Any]:
    """A message's JSON with a value for each field, or for each that it needs."""
    fields = [field for field in msgspec.structs.fields(kind) if whole or field.required]
    return {field.name: _value(field.name, field.type) for field in fields}


def _value(name: str, hint: Any) -> Any:
    if name in _STAMPS:
        return _AT
    if name in _BY_NAME:
        return _BY_NAME[name]
    while get_origin(hint) in (typing.Annotated, typing.Union, types.UnionType):
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        first = get_args(hint)[0]
        return _value(name, first) if get_origin(first) else first
    if get_origin(hint) is tuple:
        return [_value(name, get_args(hint)[0])]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return sample(hint)
    return {bool: True, int: 30}.get(hint, _ID)


def _messages() -> Iterator[bytes]:
    for number, kind in enumerate(KINDS):
        for whole in (True, False):
            yield bytes([number]) + msgspec.json.encode({"v": 1, **sample(kind, whole=whole)})


def _message(data: bytes) -> None:
    """The first byte chooses the kind."""
    kind = KINDS[data[0] % len(KINDS)] if data else KINDS[0]
    message = decode_message(kind, data[1:])
    assert decode_message(kind, encode(message)) == message, "what was read is not what would be sent"
    _judged(message)


def _judged(message: Message) -> None:
    """What roles do first with a message that they could read."""
    match message:
        case Lift():
            assert refusal(message, trust(), situation()) is not None, "a lift that nobody signed would raise"
        case Screen():
            assert check_screen(message, "marina", "exit-1", trusted()) is not None, (
                "a code that nobody signed would be shown"
            )
            if message.qr:
                with contextlib.suppress(QrError):
                    from_wire(message.qr)


def _observed(data: bytes) -> None:
    """A watcher hears everything, whoever says it: no bytes may end a desk or `watch`, or reach its lines unclean."""
    kind = list(MESSAGES)[data[0] % len(MESSAGES)] if data else "fee"
    what = f"{kind}/worker" if kind in ("health", "alerts") else kind
    monitor = GarageMonitor("marina", SystemClock())
    for retained in (True, False):
        if seen := monitor.take(f"parking/marina/exit-1/{what}", data[1:], retained=retained):
            assert is_plain_line(seen.words)


def _topic(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert str(parse(text)) == text


def _deflated(data: bytes) -> None:
    paid = Paid(id=_ID, at=_AT, order_no="marina-exit-1", notify_id="1", body="{}", sign="c2ln")
    body = unpack(msgspec.structs.replace(paid, body=data.decode("utf-8", "replace"))).body
    assert len(body.encode()) <= max(MOST, len(data) * 3)


def _deflated_samples() -> Iterator[bytes]:
    for text in ("{}", "x" * 5_000, "y" * MOST, "z" * (MOST + 1)):
        packed = pack(
            Paid(id=_ID, at=_AT, order_no="m", notify_id="1", body=text * (16_000 // len(text) + 1), sign="s")
        )
        yield packed.body[:4_096].encode()


async def _read(data: bytes) -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    while frame := await read_frame(reader):
        assert len(frame.body) <= len(data)
        await decode(frame)


def _packet(data: bytes) -> None:
    awaited(_read(data))


def _packets() -> Iterator[bytes]:
    will = ("parking/marina/exit-1/health/run", b"{}", True)
    yield mqtt_packets.connect("lane", "lane", "password", 5, clean=False, will=will)
    yield mqtt_packets.connect("", "", "", 0, clean=True)
    yield mqtt_packets.subscribe({"parking/marina/#": 1, "a/+": 0}, 7)
    yield mqtt_packets.unsubscribe(["parking/marina/#"], 8)
    yield encode_publish(b"parking/marina/exit-1/fee", b'{"v":1}', 9, qos=1, retain=True)
    yield encode_publish(b"a", b"x" * 200, 1, qos=2, retain=False, dup=True)
    for kind in (4, 5, 6, 7, 9, 11):
        yield bytes([kind << 4 | (2 if kind == 6 else 0)]) + encode_length(2) + b"\x00\x09"
    yield mqtt_packets.PINGREQ + mqtt_packets.DISCONNECT


def _found(data: bytes) -> None:
    found = decode_message(MESSAGES["found"], data)
    assert isinstance(found, Found)
    entry = entry_found(ForeignTicket("number", "0012"), found)
    assert entry is None or isinstance(entry.entered_ms, int)


TARGETS = (
    FuzzTarget(
        "mqtt-packets", _packet, (Malformed,), _packets, (b"\x00\x04MQTT\x04", b"\xff\xff\xff\x7f", b"\x00\x00")
    ),
    FuzzTarget("messages", _message, (BadMessage,), _messages, _TOKENS),
    FuzzTarget("watched-messages", _observed, (), _messages, (*_TOKENS, b"\x1b[2J", "\u202e".encode())),
    FuzzTarget(
        "topics",
        _topic,
        (TopicError,),
        lambda: (b"parking/marina/exit-1/fee", b"parking/marina/garage/health/worker"),
        (b"/", b"+", b"#", b"\n"),
    ),
    FuzzTarget("deflated-bodies", _deflated, (BadMessage,), _deflated_samples, (PREFIX.encode(), b"=", b"eJw")),
    FuzzTarget(
        "look-up-messages",
        _found,
        (BadMessage, LookupFailed),
        lambda: (msgspec.json.encode({"v": 1, **sample(MESSAGES["found"])}),),
        _TOKENS,
    ),
)
