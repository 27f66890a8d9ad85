"""Fuzzed: what comes in at a lane: a scanner's bytes and keys, tickets, and what another system says of one."""

import struct
from collections.abc import Iterator

from evdev import InputEvent, ecodes

from drivers.keyboard import Keyboard
from drivers.line_reader import LONGEST, LineReader, Reading, Unreadable
from terminal.core.foreign_ticket import ForeignTicket, plate_of
from terminal.core.ids import derived_id
from terminal.core.ticket import TicketError, is_lost, read_form, read_ticket, session_in, sign_number, sign_ticket
from terminal.roles.worker.lookup_http import _entry
from terminal.roles.worker.ticket_source import LookupFailed
from tests.fuzz.target import FuzzTarget, is_plain_line

_MS = 1_795_000_000_000
_KEYS = {"k1": b"\x01" * 32, "k2": b"\x02" * 32}
_GENUINE = (
    sign_ticket("marina", derived_id(_MS, "stay"), _MS, "k1", _KEYS["k1"]),
    sign_number("marina", 7, _MS, _KEYS["k2"]),
)
_FORGED = (
    sign_ticket("marina", derived_id(_MS, "stay"), _MS, "k1", b"\x03" * 32),
    sign_number("other", 7, _MS, b"\x03" * 32),
)


def _ticket(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    is_lost(text), plate_of(text)
    if session := session_in(text):
        assert len(session) == 36
    ticket = read_ticket(text, _KEYS, "marina")
    assert text in _GENUINE, "a ticket that no key of ours has signed"
    assert read_form(text, "marina").session == ticket.session


def _scanner(data: bytes) -> None:
    """In one piece, and byte by byte: the same readings."""
    whole, pieces = LineReader(), LineReader()
    readings = whole.feed(data) + whole.end()
    one_by_one = [reading for at in range(len(data)) for reading in pieces.feed(data[at : at + 1])] + pieces.end()
    assert [r.text for r in readings if not r.why] == [r.text for r in one_by_one if not r.why]
    for reading in (*readings, *one_by_one):
        assert reading.text.isascii() and reading.text.isprintable() and len(reading.text) <= LONGEST
        assert reading.why is None or is_plain_line(reading.why)


def _keys(data: bytes) -> None:
    """Three bytes a key: its number and what it does."""
    pressed = [struct.unpack_from("<HB", data, at) for at in range(0, len(data) - 2, 3)]
    events = [
        InputEvent(0, 0, ecodes.EV_SYN if how & 64 else ecodes.EV_KEY, code % 768, how % 3) for code, how in pressed
    ]
    reader, readings = LineReader(), list[Reading]()
    for typed in Keyboard().feed(events):
        readings += reader.spoil(typed.why) if isinstance(typed, Unreadable) else reader.feed(typed)
    for reading in readings:
        assert reading.text.isascii() and reading.text.isprintable()
        assert reading.why is None or is_plain_line(reading.why)


def _typed() -> Iterator[bytes]:
    codes = (ecodes.KEY_P, ecodes.KEY_1, ecodes.KEY_DOT, ecodes.KEY_LEFTSHIFT, ecodes.KEY_A, ecodes.KEY_ENTER)
    yield b"".join(struct.pack("<HB", code, how) for code in codes for how in (1, 0))
    alt = (ecodes.KEY_LEFTALT, ecodes.KEY_KP0, ecodes.KEY_KP6, ecodes.KEY_KP5)
    yield b"".join(struct.pack("<HB", code, 1) for code in alt) + struct.pack("<HB", ecodes.KEY_LEFTALT, 0)


def _answer(data: bytes) -> None:
    """The first byte is the status: 200, or another."""
    status = {0: 200, 1: 404, 2: 500}.get(data[0] % 8, 200) if data else 200
    entry = _entry(ForeignTicket("number", "0012"), status, data[1:])
    assert entry is None or isinstance(entry.entered_ms, int)


def _answers() -> Iterator[bytes]:
    yield b'\x00{"entered": "2026-11-30T09:15:00+04:00", "number": "0012", "ticket_class": "k2"}'
    yield b"\x00{}"
    yield b"\x01<html>"


TARGETS = (
    FuzzTarget(
        "tickets",
        _ticket,
        (TicketError,),
        lambda: [text.encode() for text in (*_GENUINE, *_FORGED, "LOST")],
        (b"P1.", b".", b"MARINA", b"0" * 36, "\u0661".encode(), b"\n"),
    ),
    FuzzTarget(
        "scanner-bytes",
        _scanner,
        (),
        lambda: [b"]Q1" + _GENUINE[0].encode() + b"\r\n", b"\x02LOST\x03\xef\xbb\xbf\n"],
        (b"\r", b"\n", b"\x00", b"\x1d", b"]C1", b"\xef\xbb", b"A" * 513),
    ),
    FuzzTarget(
        "scanner-keys", _keys, (), _typed, (struct.pack("<HB", ecodes.KEY_CAPSLOCK, 1), struct.pack("<HB", 0, 64))
    ),
    FuzzTarget(
        "look-up-answers",
        _answer,
        (LookupFailed,),
        _answers,
        (b'"entered":', b'"9999-12-31T23:59:59+14:00"', b'"0001-01-01T00:00:00+14:00"', b"[" * 60, b"\xff", b"1e400"),
    ),
)
