"""Bytes of a scanner -> readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.line_reader import LONGEST, SHOWN, LineReader, Reading


@pytest.mark.fault("scanner-ends")
@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\n\r", b"\t", b"\x03", b"\0", b"\x03\r\n", b"\t\r"])
def test_a_ticket_ends_with_cr_or_lf_or_tab_etx_nul_or_several_of_them(end: bytes) -> None:
    assert LineReader().feed(b"one" + end + b"two" + end) == [Reading("one"), Reading("two")]


def test_empty_lines_are_nothing() -> None:
    assert LineReader().feed(b"\r\n\r\n\n\nx\r\n\r\n") == [Reading("x")]


AROUND = [
    b"",
    b" ",
    b"  \x02",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf ",
    b"]Q1",
    b"\x02]Q3\x1d",
    b"]C1",
    b"]d2 ",
    b"\x1d",
    b"\x11\x13",
]
BEHIND = [b"", b" ", b"\x04", b" \x1d\x1e ", b"\x17\x0c", b" " * 60]


@pytest.mark.fault("scanner-ends")
@pytest.mark.parametrize("before", AROUND)
@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("end", [b"\r", b"\x03", None])
def test_blanks_marks_and_the_symbologys_name_around_a_text_are_dropped(
    before: bytes, behind: bytes, end: bytes | None
) -> None:
    lines = LineReader()
    readings = lines.feed(before + b"P1.A b]Q1.]" + behind + (end or b"")) + (lines.end() if end is None else [])
    assert readings == [Reading("P1.A b]Q1.]")]


@pytest.mark.parametrize("text", ["]Q", "]Q1", "]1Q2", "]]Q12", "Q1]", "]", "a  b"])
def test_what_only_looks_like_a_mark_is_text(text: str) -> None:
    assert LineReader().feed(text.encode() + b"\r") == [Reading(text)]


@pytest.mark.parametrize("marks", [b" \x02\x1d", b"\xef\xbb\xbf", b"\x02" * 10_000, b" " * 10_000])
def test_marks_alone_are_no_reading_and_begin_no_line(marks: bytes) -> None:
    lines = LineReader()
    assert (lines.feed(marks), lines.begun, lines.feed(b"\r")) == ([], False, [])
    assert lines.feed(marks + b"good\r") == [Reading("good")]


def test_more_marks_behind_a_text_than_anybody_sends_make_it_bad() -> None:
    assert [r.why for r in LineReader().feed(b"text" + b" " * 10_000 + b"\r")] == [f"longer than {LONGEST} bytes"]


def test_a_mark_within_a_text_makes_it_bad_as_soon_as_the_text_goes_on() -> None:
    lines = LineReader()
    assert lines.feed(b"12\x1d") == []
    assert lines.feed(b"34") == [Reading("12?34", "not printable ASCII (byte 0x1d)")]
    assert lines.feed(b"56\rgood\r") == [Reading("good")]


def test_half_a_byte_order_mark_is_bad_at_the_lines_end() -> None:
    lines = LineReader()
    assert lines.feed(b"\xef\xbb") == []
    assert [r.why for r in lines.feed(b"\r")] == ["not printable ASCII (byte 0xef)"]


# What the caller says: that there was a pause


@pytest.mark.fault("scanner-ends")
def test_the_end_by_a_pause_reads_what_is_there_and_a_line_feed_that_comes_later_is_nothing() -> None:
    lines = LineReader()
    assert (lines.feed(b"one"), lines.begun, lines.end(), lines.begun) == ([], True, [Reading("one")], False)
    assert lines.feed(b"\n") == []
    assert lines.end() == []


def test_discarding_ends_with_a_pause_and_says_nothing_more() -> None:
    lines = LineReader()
    assert len(lines.feed(b"\xffrest")) == 1
    assert (lines.begun, lines.end(), lines.begun) == (True, [], False)
    assert lines.feed(b"good\r") == [Reading("good")]


def test_512_bytes_are_a_ticket_and_513_are_not() -> None:
    assert LineReader().feed(b"x" * LONGEST + b"\r") == [Reading("x" * LONGEST)]
    assert LineReader().feed(b"x" * (LONGEST + 1) + b"\r") == [Reading("x" * SHOWN, f"longer than {LONGEST} bytes")]


@pytest.mark.parametrize("byte", [0x01, 0x07, 0x1A, 0x1B, 0x1D, 0x7F, 0x80, 0xC3, 0xEF, 0xFF])
def test_a_byte_that_is_not_printable_ascii_makes_the_line_bad(byte: int) -> None:
    [reading] = LineReader().feed(b"ab" + bytes([byte]) + b"cd\r")
    assert reading == Reading("ab?cd", f"not printable ASCII (byte 0x{byte:02x})")


def test_a_bad_line_is_told_at_once_and_its_rest_is_thrown_away() -> None:
    lines = LineReader()
    assert len(lines.feed(b"\xff")) == 1
    assert lines.feed(b"more\xffof it" * 1000) == []
    assert lines.feed(b"\rgood\r") == [Reading("good")]


def test_ten_kilobytes_without_an_end_are_one_bad_reading() -> None:
    assert len(LineReader().feed(b"z" * 10_000)) == 1


def test_a_line_that_was_begun_is_forgotten_on_reset() -> None:
    lines = LineReader()
    lines.feed(b"half")
    lines.reset()
    assert lines.feed(b"whole\r") == [Reading("whole")]


def test_a_line_whose_device_lost_something_is_bad() -> None:
    lines = LineReader()
    lines.feed(b"half")
    assert lines.spoil("lost") == [Reading("half", "lost")]
    assert lines.spoil("lost again") == []
    assert lines.feed(b"of it\rgood\r") == [Reading("good")]


MARKED = [
    b"\r",
    b"\n",
    b"\t",
    b"a" * LONGEST,
    b"ticket\r\n",
    b"]Q1",
    b"]",
    b"\xef\xbb\xbf",
    b"\xef",
    b"\x1d",
    b" " * 70,
]
pieces = st.lists(st.binary(max_size=40) | st.sampled_from(MARKED), max_size=30)


@given(pieces=pieces)
def test_it_does_not_matter_where_the_bytes_are_cut(pieces: list[bytes]) -> None:
    whole, cut, lines = LineReader().feed(b"".join(pieces)), [], LineReader()
    for piece in pieces:
        cut += lines.feed(piece)
    assert [(r.why, r.text if r.why is None else None) for r in cut] == [
        (r.why, r.text if r.why is None else None) for r in whole
    ]


@given(data=st.binary(max_size=3000))
def test_every_good_reading_is_printable_and_short_and_every_bad_one_shows_little(data: bytes) -> None:
    for reading in LineReader().feed(data):
        assert reading.text.isascii() and (reading.text == "" or reading.text.isprintable())
        assert len(reading.text) <= (LONGEST if reading.why is None else SHOWN)
        assert reading.text == reading.text.strip() or reading.why


@given(data=st.binary(max_size=3000))
def test_a_line_that_has_not_begun_holds_nothing_that_a_pause_would_read(data: bytes) -> None:
    lines = LineReader()
    lines.feed(data)
    assert lines.begun or lines.end() == []


@given(tickets=st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x5C), min_size=1, max_size=LONGEST)))
def test_every_printable_ticket_comes_through_unchanged(tickets: list[str]) -> None:
    assert LineReader().feed("".join(f"{ticket}\r\n" for ticket in tickets).encode()) == [Reading(t) for t in tickets]
