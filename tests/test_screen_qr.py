import base64
import re
from collections.abc import Callable
from contextlib import suppress

import pytest
import segno
import zxingcpp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from terminal.contract.messages import Qr
from terminal.screen import qr
from terminal.screen.qr import QrError, Symbol
from tests.support.qr_readers import SHORT, by_opencv, by_zbar, by_zxing

LONG = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac14d5d372a459fbe948e83fcaae0cb&t=1765054600668"
SIDES = (240, 320, 287, 198)
"""The panels' heights, and two that leave a very fractional module."""

tokens = st.builds(
    "https://qr.payby.com?BIZ_TYPE=202&ft={:032x}&t={}".format,
    st.integers(0, 2**128 - 1),
    st.integers(10**12, 10**13 - 1),
)


@pytest.mark.fault("qr-unreadable")
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("url", [LONG, SHORT])
@pytest.mark.parametrize("read", [by_zxing, by_zbar, by_opencv])
def test_three_independent_readers_give_the_link_back_at_any_scale(
    read: Callable[[Image.Image], str | None], url: str, side: int
) -> None:
    assert read(qr.draw(qr.encode(url), side)) == url


@given(tokens)
@example(LONG)
@settings(max_examples=40, deadline=None)
def test_every_token_comes_back_from_its_picture(url: str) -> None:
    assert qr.decode(qr.draw(qr.encode(url), 240)) == url


@pytest.mark.parametrize(("url", "version"), [(LONG, 5), (SHORT, 4)])
def test_digits_in_segments_of_their_own_need_a_smaller_symbol(url: str, version: int) -> None:
    assert qr.encode(url).size == 17 + 4 * version
    assert int(segno.make(url, error="m", micro=False, boost_error=False).version) == 6


@given(tokens)
@settings(max_examples=40, deadline=None)
def test_no_symbol_is_larger_or_weaker_than_digits_in_segments_of_their_own_need(url: str) -> None:
    parts = [(part, 1 if part.isdigit() else 4) for part in re.split(r"(\d{6,}|\d{3,}$)", url) if part]
    least = segno.make(parts, error="l", micro=False, boost_error=False).version  # type: ignore[arg-type]
    fitting = []
    for level in "hqml":
        with suppress(segno.DataOverflowError):
            segno.make(parts, error=level, version=least, mask=qr.MASK, micro=False, boost_error=False)  # type: ignore[arg-type]
            fitting.append(level.upper())
    (found,) = zxingcpp.read_barcodes(qr.draw(qr.encode(url), 480))
    assert (int(found.extra["Version"]), "HQML".index(found.ec_level)) <= (least, "HQML".index(fitting[0]))
    assert found.extra["DataMask"] == qr.MASK


@given(st.text("abcdef", min_size=32, max_size=32), st.integers(10**12, 10**13 - 1), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_where_there_is_one_way_to_cut_the_segments_segno_makes_the_same_modules(ft: str, t: int, mask: int) -> None:
    head = f"https://qr.payby.com?BIZ_TYPE=202&ft={ft}&t="
    code = qr.encode(f"{head}{t}", mask)
    made = segno.make([(head, 4), (str(t), 1)], error="m", mask=mask, micro=False, boost_error=False)  # type: ignore[arg-type]
    assert modules(code) == [bytes(row) for row in made.matrix]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=120))
@settings(max_examples=100, deadline=None)
def test_any_printable_text_comes_back_as_it_is(text: str) -> None:
    assert qr.decode(qr.draw(qr.encode(text), 480)) == text


def modules(symbol: Symbol) -> list[bytes]:
    """The rows as the contract describes them, read bit by bit."""
    flat = bytes(symbol.bits[at // 8] >> (7 - at % 8) & 1 for at in range(symbol.size**2))
    return [flat[row * symbol.size : (row + 1) * symbol.size] for row in range(symbol.size)]


def test_the_picture_is_that_of_whole_modules_resized_once() -> None:
    symbol = qr.encode(LONG)
    total = symbol.size + 8
    plain = Image.new("L", (total, total), 255)
    for y, row in enumerate(modules(symbol)):
        for x, dark in enumerate(row):
            plain.putpixel((x + 4, y + 4), 0 if dark else 255)
    large = plain.resize((total * 16, total * 16), Image.Resampling.NEAREST)
    for side in SIDES:
        drawn = qr.draw(symbol, side)
        assert (drawn.mode, drawn.size) == ("L", (side, side))
        resized = large.resize((side, side), Image.Resampling.BOX)
        assert all(abs(a - b) <= 1 for a, b in zip(drawn.tobytes(), resized.tobytes(), strict=True))


def test_a_symbol_goes_over_the_wire_and_back() -> None:
    symbol = qr.encode(SHORT)
    wire = qr.to_wire(symbol)
    assert (wire.size, len(base64.b64decode(wire.bits))) == (33, 137)
    assert base64.b64decode(wire.bits)[0] == 0b11111110  # the finder's upper edge, then its light border
    assert qr.from_wire(wire) == symbol


@pytest.mark.parametrize(
    ("size", "bits", "complaint"),
    [
        (22, b"\0" * 61, "22 modules a side"),
        (21, b"\0" * 55, "55 bytes are not the modules of 21 x 21"),
        (21, b"\0" * 57, "57 bytes are not the modules of 21 x 21"),
        (21, b"\0" * 55 + b"\x01", "56 bytes are not the modules of 21 x 21"),
    ],
)
def test_what_is_no_symbol_is_refused(size: int, bits: bytes, complaint: str) -> None:
    with pytest.raises(QrError, match=complaint):
        qr.from_wire(Qr(size, base64.b64encode(bits).decode()))


def test_bits_that_are_no_base64_are_refused() -> None:
    with pytest.raises(QrError, match="not Base64"):
        qr.from_wire(Qr(21, "…"))


@pytest.mark.parametrize("url", ["", "x" * 513, "https://qr.payby.com?ä", "https://qr.payby.com?\n"])
def test_what_is_no_link_is_refused(url: str) -> None:
    with pytest.raises(QrError, match="1 to 512 printable ASCII characters are needed"):
        qr.encode(url)


def test_the_longest_link_still_makes_a_symbol_but_no_panel_takes_it() -> None:
    symbol = qr.encode("https://" + "x" * 504)
    with pytest.raises(QrError, match="modules a side; 320 pixels hold at most 72"):
        qr.check_size(symbol, 320)


def test_a_module_of_four_pixels_is_shown_and_a_narrower_one_is_not() -> None:
    symbol = Symbol(49, bytes(301))  # version 8
    qr.check_size(symbol, 228)
    with pytest.raises(QrError, match="227 pixels hold at most 48"):
        qr.check_size(symbol, 227)


def test_a_frame_without_a_code_or_with_two_gives_nothing_back() -> None:
    code = qr.draw(qr.encode(LONG), 240)
    two = Image.new("RGB", (480, 240), "white")
    assert qr.decode(two) is None
    two.paste(code, (0, 0))
    assert qr.decode(two) == LONG
    two.paste(code, (240, 0))
    assert qr.decode(two) is None


def test_a_frame_shows_a_symbol_only_if_its_one_code_says_the_same() -> None:
    symbol, other = qr.encode(LONG), qr.encode(SHORT)
    frame = Image.new("RGB", (480, 240), "white")
    assert not qr.shows(frame, symbol)
    frame.paste(qr.draw(symbol, 240), (0, 0))
    assert qr.shows(frame, symbol)
    assert not qr.shows(frame, other)
    frame.paste(qr.draw(other, 240), (240, 0))
    assert not qr.shows(frame, symbol)
    assert not qr.shows(qr.draw(Symbol(37, bytes(172)), 240), Symbol(37, bytes(172)))


def test_a_proven_symbol_was_read_back_by_a_reader() -> None:
    assert qr.proven(LONG) == qr.encode(LONG)
    assert len({qr.encode(LONG, mask).bits for mask in range(8)}) == 8
