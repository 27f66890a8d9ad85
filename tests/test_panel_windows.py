"""Which windows go out for a change: what they cost, and that they end in the new picture."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from luma.core.framebuffer import diff_to_previous
from PIL import Image, ImageChops

from drivers.panel_frames import Box, area
from drivers.panel_windows import Window, Wire, windows
from tests.models.glass import rounded

SIZE = 120, 90
PLAIN = Wire(pixel_bits=16, window_bytes=11)
TWO_FORMATS = Wire(pixel_bits=24, window_bytes=11, few_bits=4)
INK = (18, 24, 32)


def page(*boxes: Box, size: tuple[int, int] = SIZE, colour: tuple[int, int, int] | str = INK) -> Image.Image:
    """White, with these boxes filled."""
    image = Image.new("RGB", size, "white")
    for box in boxes:
        image.paste(colour, box)
    return image


def found(old: Image.Image, new: Image.Image, wire: Wire = PLAIN) -> list[Box]:
    return [window.box for window in windows(old, new, wire)]


def after(old: Image.Image, new: Image.Image, sent: list[Window]) -> Image.Image:
    """The glass after these windows, each pixel as its format keeps it."""
    glass = rounded(old, (6, 6, 6))
    for window in sent:
        part = new.crop(window.box)
        glass.paste(
            part.point(lambda value: 255 * (value >= 224)) if window.few else rounded(part, (6, 6, 6)), window.box
        )
    return glass


def by_luma(old: Image.Image, new: Image.Image, wire: Wire) -> int:
    """How many bytes stock luma.lcd sends for the same change."""
    tiles = diff_to_previous(num_segments=25)
    list(tiles.redraw(old))
    return sum(area(box) * 3 + wire.window_bytes for _, box in tiles.redraw(new))


@pytest.mark.parametrize("wire", [PLAIN, TWO_FORMATS])
def test_an_unchanged_picture_has_no_window(wire: Wire) -> None:
    assert found(page((1, 2, 30, 40)), page((1, 2, 30, 40)), wire) == []


@pytest.mark.parametrize("wire", [PLAIN, TWO_FORMATS])
def test_the_slightest_change_of_one_channel_of_one_pixel_counts(wire: Wire) -> None:
    for channel in range(3):
        new = page()
        new.putpixel((119, 89), tuple(254 if i == channel else 255 for i in range(3)))
        assert found(page(), new, wire) == [(119, 89, 120, 90)]


def test_one_changed_box_is_one_window() -> None:
    assert found(page(), page((5, 6, 17, 20))) == [(5, 6, 17, 20)]


def test_changes_far_apart_are_windows_of_their_own() -> None:
    boxes = [(2, 3, 60, 19), (200, 4, 280, 12), (90, 150, 160, 190)]
    assert sorted(found(page(size=(320, 240)), page(*boxes, size=(320, 240)))) == sorted(boxes)


@pytest.mark.parametrize(("more", "count"), [(0, 1), (1, 2)])
def test_a_gap_is_spared_only_if_it_costs_more_than_a_window(more: int, count: int) -> None:
    for speed_hz in (8_000_000, 32_000_000, 52_000_000):
        wire = Wire(16, 11, speed_hz=speed_hz)
        gap = (8 * 11 + wire.calls_bits) // 16 // 40 + more
        two = (0, 0, 100, 40), (100 + gap, 0, 200 + gap, 40)
        assert len(found(page(size=(600, 100)), page(*two, size=(600, 100)), wire)) == count


@pytest.mark.parametrize(("gap", "count"), [(5, 1), (6, 2)])
def test_in_a_little_change_a_gap_is_spared_for_its_bytes_alone(gap: int, count: int) -> None:
    two = (0, 0, 250, 1), (250 + gap, 0, 500 + gap, 1)
    assert len(found(page(size=(600, 100)), page(*two, size=(600, 100)))) == count


def test_a_large_change_is_cut_where_that_spares_most_whatever_lies_there() -> None:
    code, words = (8, 8, 200, 200), (150, 88, 310, 112)
    boxes = found(page(size=(320, 240)), page(code, words, size=(320, 240)))
    assert sum(map(area, boxes)) == area(code) + 110 * 24


def test_a_cross_is_three_windows_although_no_single_cut_spares_much() -> None:
    upright, across = (100, 8, 220, 232), (8, 80, 312, 160)
    boxes = found(page(size=(320, 240)), page(upright, across, size=(320, 240)))
    assert len(boxes) == 3
    assert sum(map(area, boxes)) < 1.03 * (area(upright) + area(across) - 120 * 80)


# Two formats


def test_black_on_white_goes_in_few_colours_and_ink_in_all() -> None:
    old = page(size=(480, 320))
    assert windows(old, page((100, 50, 300, 250), size=(480, 320), colour="black"), TWO_FORMATS) == [
        Window((100, 48, 300, 252), few=True)
    ]
    assert windows(old, page((100, 50, 300, 250), size=(480, 320)), TWO_FORMATS) == [Window((100, 50, 300, 250))]


def test_what_is_wiped_white_goes_in_few_colours_around_the_words_that_stay() -> None:
    words = (200, 100, 280, 132)
    old, new = page((20, 40, 420, 280), size=(480, 320), colour="black"), page(words, size=(480, 320))
    old.paste(INK, words)
    sent = windows(old, new, TWO_FORMATS)
    assert all(window.few for window in sent)
    assert after(old, new, sent) == rounded(new, (6, 6, 6))
    assert TWO_FORMATS.sent(sent) < 400 * 240 // 2 + 1000


def lattice(size: tuple[int, int], module: int, seed: int) -> Image.Image:
    """Black and white modules with grey lines of one pixel between those that differ, as in a code between pixels."""
    dice = random.Random(seed)
    side = size[1] // module
    small = Image.new("L", (side, side))
    small.putdata([255 * dice.getrandbits(1) for _ in range(side * side)])
    sharp = small.resize((side * module,) * 2, Image.Resampling.NEAREST)
    code = sharp.copy()
    for x, y in ((1, 0), (0, 1)):
        other = ImageChops.offset(sharp, x, y)
        code = Image.composite(Image.new("L", code.size, 128), code, ImageChops.difference(sharp, other))
    image = Image.new("RGB", size, "white")
    image.paste(code.convert("RGB"), ((size[0] - code.width) // 2, 0))
    return image


@pytest.mark.parametrize("seed", range(3))
def test_the_grey_edges_of_a_code_go_as_stripes_over_a_code_of_two_colours(seed: int) -> None:
    old, new = page(size=(480, 320)), lattice((480, 320), 8, seed)
    sent = windows(old, new, TWO_FORMATS)
    assert after(old, new, sent) == rounded(new, (6, 6, 6))
    assert TWO_FORMATS.sent(sent) < 0.5 * 320 * 320 * 3  # of the code in 18 bits
    assert {min(window.box[2] - window.box[0], window.box[3] - window.box[1]) for window in sent if not window.few} == {
        1
    }


def test_one_code_over_another_goes_as_stripes_too_although_some_edges_stay() -> None:
    old, new = lattice((480, 320), 8, 1), lattice((480, 320), 8, 2)
    sent = windows(old, new, TWO_FORMATS)
    assert after(old, new, sent) == rounded(new, (6, 6, 6))
    assert TWO_FORMATS.sent(sent) < 0.6 * 320 * 320 * 3


# Whatever changes


def boxes_in(width: int, height: int) -> st.SearchStrategy[Box]:
    return st.tuples(
        st.integers(0, width - 1), st.integers(0, height - 1), st.integers(1, width // 2), st.integers(1, height // 2)
    ).map(lambda b: (b[0], b[1], min(b[0] + b[2], width), min(b[1] + b[3], height)))


colours = st.sampled_from(["black", "white", "red", INK, (127, 128, 129), (252, 3, 251), (4, 4, 4)])
pictures = st.lists(st.tuples(boxes_in(240, 160), colours), max_size=8)


def drawn(boxes: list[tuple[Box, tuple[int, int, int] | str]]) -> Image.Image:
    image = Image.new("RGB", (240, 160), "white")
    for box, colour in boxes:
        image.paste(colour, box)
    return image


@settings(max_examples=150)
@given(before=pictures, then=pictures, wire=st.sampled_from([PLAIN, TWO_FORMATS]))
def test_any_change_ends_in_the_new_picture_and_never_takes_more_bytes_than_luma(
    before: list[tuple[Box, tuple[int, int, int] | str]],
    then: list[tuple[Box, tuple[int, int, int] | str]],
    wire: Wire,
) -> None:
    old, new = drawn(before), drawn(then)
    sent = windows(old, new, wire)
    assert after(old, new, sent) == rounded(new, (6, 6, 6))
    assert wire.sent(sent) <= by_luma(old, new, wire)
    assert all(edge % 2 == 0 for window in sent if window.few for edge in window.box)


@settings(max_examples=150)
@given(before=pictures, edge=st.integers(0, 12), shift=st.integers(0, 3))
def test_a_change_within_one_of_luma_s_tiles_takes_no_more_bytes_than_luma(
    before: list[tuple[Box, tuple[int, int, int] | str]], edge: int, shift: int
) -> None:
    old = drawn(before)
    new = old.copy()
    new.paste("white", (50, 34, 70 + edge, 50 + edge % 5))
    new.paste(INK, (50 + shift, 34 + shift, 70, 50))
    assert TWO_FORMATS.sent(windows(old, new, TWO_FORMATS)) <= by_luma(old, new, TWO_FORMATS)


def test_many_small_changes_far_apart_take_no_more_bytes_than_luma_although_its_windows_are_many() -> None:
    old, new = page(size=(480, 320)), page(size=(480, 320))
    for x in range(4, 480, 96):
        for y in range(4, 320, 64):
            new.putpixel((x, y), INK)
    for wire in (PLAIN, TWO_FORMATS):
        sent = windows(old, new, wire)
        assert wire.sent(sent) <= by_luma(old, new, wire)


def test_a_sky_of_stars_is_not_searched_for_ever() -> None:
    dice = random.Random(5)
    old, new = page(size=(480, 320)), page(size=(480, 320))
    for _ in range(3000):
        new.putpixel((dice.randrange(480), dice.randrange(320)), INK)
    for wire in (PLAIN, TWO_FORMATS):
        sent = windows(old, new, wire)
        assert after(old, new, sent) == rounded(new, (6, 6, 6))
        assert len(sent) < 500
        assert wire.sent(sent) <= by_luma(old, new, wire)
