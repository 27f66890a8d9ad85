"""Bytes of a scanner -> readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.lines import LONGEST, SHOWN, Lines, Reading


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\n\r"])
def test_a_ticket_ends_with_cr_lf_or_both(end: bytes) -> None:
    assert Lines().feed(b"one" + end + b"two" + end) == [Reading("one"), Reading("two")]


def test_empty_lines_are_nothing() -> None:
    assert Lines().feed(b"\r\n\r\n\n\nx\r\n\r\n") == [Reading("x")]


def test_a_ticket_is_kept_as_scanned_blanks_and_all() -> None:
    assert Lines().feed(b"  a b \r") == [Reading("  a b ")]


def test_512_bytes_are_a_ticket_and_513_are_not() -> None:
    assert Lines().feed(b"x" * LONGEST + b"\r") == [Reading("x" * LONGEST)]
    assert Lines().feed(b"x" * (LONGEST + 1) + b"\r") == [Reading("x" * SHOWN, f"longer than {LONGEST} bytes")]


@pytest.mark.parametrize("byte", [0x00, 0x09, 0x1B, 0x7F, 0x80, 0xC3, 0xFF])
def test_a_byte_that_is_not_printable_ascii_makes_the_line_bad(byte: int) -> None:
    [reading] = Lines().feed(b"ab" + bytes([byte]) + b"cd\r")
    assert reading == Reading("ab?cd", f"not printable ASCII (byte 0x{byte:02x})")


def test_a_bad_line_is_told_at_once_and_its_rest_is_thrown_away() -> None:
    lines = Lines()
    assert len(lines.feed(b"\xff")) == 1
    assert lines.feed(b"more\xffof it" * 1000) == []
    assert lines.feed(b"\rgood\r") == [Reading("good")]


def test_ten_kilobytes_without_an_end_are_one_bad_reading() -> None:
    assert len(Lines().feed(b"z" * 10_000)) == 1


def test_a_line_that_was_begun_is_forgotten_on_reset() -> None:
    lines = Lines()
    lines.feed(b"half")
    lines.reset()
    assert lines.feed(b"whole\r") == [Reading("whole")]


def test_a_line_whose_device_lost_something_is_bad() -> None:
    lines = Lines()
    lines.feed(b"half")
    assert lines.spoil("lost") == [Reading("half", "lost")]
    assert lines.spoil("lost again") == []
    assert lines.feed(b"of it\rgood\r") == [Reading("good")]


pieces = st.lists(st.binary(max_size=40) | st.sampled_from([b"\r", b"\n", b"a" * LONGEST, b"ticket\r\n"]), max_size=30)


@given(pieces=pieces)
def test_it_does_not_matter_where_the_bytes_are_cut(pieces: list[bytes]) -> None:
    whole, cut, lines = Lines().feed(b"".join(pieces)), [], Lines()
    for piece in pieces:
        cut += lines.feed(piece)
    assert [(r.why, r.text if r.why is None else None) for r in cut] == [
        (r.why, r.text if r.why is None else None) for r in whole
    ]


@given(data=st.binary(max_size=3000))
def test_every_good_reading_is_printable_and_short_and_every_bad_one_shows_little(data: bytes) -> None:
    for reading in Lines().feed(data):
        assert reading.text.isascii() and (reading.text == "" or reading.text.isprintable())
        assert len(reading.text) <= (LONGEST if reading.why is None else SHOWN)


@given(tickets=st.lists(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=LONGEST)))
def test_every_printable_ticket_comes_through_unchanged(tickets: list[str]) -> None:
    assert Lines().feed("".join(f"{ticket}\r\n" for ticket in tickets).encode()) == [Reading(t) for t in tickets]
