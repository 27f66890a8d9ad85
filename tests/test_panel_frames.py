"""Which rectangles go out for a change, and how a picture becomes bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from drivers.panel_frames import Box, area, changed, rgb565, rgb888, turned, turned_box

SIZE = 120, 90
PIXEL, WINDOW = 2, 11


def page(*boxes: Box, size: tuple[int, int] = SIZE) -> Image.Image:
    """White, with these boxes filled."""
    image = Image.new("RGB", size, "white")
    for box in boxes:
        image.paste((200, 30, 9), box)
    return image


def windows(old: Image.Image, new: Image.Image) -> list[Box]:
    return changed(old, new, pixel_bytes=PIXEL, window_bytes=WINDOW)


def test_an_unchanged_picture_has_no_window() -> None:
    assert windows(page((1, 2, 30, 40)), page((1, 2, 30, 40))) == []


def test_one_changed_box_is_one_window() -> None:
    assert windows(page(), page((5, 6, 17, 20))) == [(5, 6, 17, 20)]


def test_the_slightest_change_of_one_channel_of_one_pixel_counts() -> None:
    for channel in range(3):
        new = page()
        new.putpixel((119, 89), tuple(254 if i == channel else 255 for i in range(3)))
        assert windows(page(), new) == [(119, 89, 120, 90)]


def test_changes_far_apart_are_windows_of_their_own() -> None:
    boxes = [(2, 3, 10, 9), (100, 4, 110, 12), (50, 70, 60, 80)]
    assert windows(page(), page(*boxes)) == boxes


def test_there_are_at_most_three_windows_and_the_widest_gaps_are_spared() -> None:
    boxes = [(2, 3, 10, 9), (12, 3, 20, 9), (100, 4, 110, 12), (50, 70, 60, 80)]
    assert windows(page(), page(*boxes)) == [(2, 3, 20, 9), (100, 4, 110, 12), (50, 70, 60, 80)]


@pytest.mark.parametrize(("gap", "count"), [(5, 1), (6, 2)])
def test_a_gap_is_spared_only_if_it_holds_more_bytes_than_a_window_costs(gap: int, count: int) -> None:
    old = page(size=(600, 4))
    assert len(windows(old, page((0, 0, 250, 1), (250 + gap, 0, 500 + gap, 1), size=(600, 4)))) == count


def test_a_large_change_is_cut_where_that_spares_most_whatever_lies_there() -> None:
    code, words = (8, 8, 200, 200), (150, 90, 310, 110)
    found = windows(page(size=(320, 240)), page(code, words, size=(320, 240)))
    assert found == [(8, 8, 200, 200), (200, 90, 310, 110)]


def test_what_the_first_cut_spares_little_of_the_second_may_spare_much() -> None:
    code, beside, below = (108, 28, 372, 292), (400, 142, 474, 211), (8, 245, 76, 302)
    old = page(size=(480, 320))
    new = page(code, beside, below, size=(480, 320))
    assert windows(old, new) == sorted((code, beside, below), key=lambda box: (box[1], box[0]))


def boxes_in(width: int, height: int) -> st.SearchStrategy[Box]:
    return st.tuples(
        st.integers(0, width - 1), st.integers(0, height - 1), st.integers(1, width // 2), st.integers(1, height // 2)
    ).map(lambda b: (b[0], b[1], min(b[0] + b[2], width), min(b[1] + b[3], height)))


boxes, large_boxes = boxes_in(*SIZE), boxes_in(320, 240)


def are_right(old: Image.Image, new: Image.Image) -> None:
    """The windows hold every change, do not overlap, and cost no more than one box around everything."""
    found = windows(old, new)
    assert len(found) <= 3
    patched, cover = old.copy(), Image.new("L", old.size)
    for box in found:
        patched.paste(new.crop(box), box)
        assert cover.crop(box).getbbox() is None
        cover.paste(1, box)
    assert patched == new
    one = ImageChops.difference(old, new).getbbox()
    if one is not None:
        assert sum(area(box) * PIXEL + WINDOW for box in found) <= area(one) * PIXEL + WINDOW


@settings(max_examples=60)
@given(before=st.lists(boxes, max_size=5), after=st.lists(boxes, max_size=5))
def test_windows_of_any_change_are_right(before: list[Box], after: list[Box]) -> None:
    are_right(page(*before), page(*after))


@settings(max_examples=60)
@given(before=st.lists(large_boxes, max_size=5), after=st.lists(large_boxes, max_size=5))
def test_windows_of_any_large_change_are_right(before: list[Box], after: list[Box]) -> None:
    are_right(page(*before, size=(320, 240)), page(*after, size=(320, 240)))


@given(box=boxes, quarters=st.integers(0, 3))
def test_a_turned_box_holds_what_the_box_held(box: Box, quarters: int) -> None:
    image = Image.new("L", SIZE)
    image.paste(255, box)
    assert turned(image, quarters).getbbox() == turned_box(box, SIZE, quarters)


def test_a_quarter_turn_is_clockwise() -> None:
    image = Image.new("L", (2, 1))
    image.putpixel((0, 0), 9)
    assert (turned(image, 1).size, turned(image, 1).tobytes()) == ((1, 2), b"\x09\x00")


pixels = st.tuples(*[st.integers(0, 255)] * 3)


@given(row=st.lists(pixels, min_size=1, max_size=50))
def test_rgb565_keeps_the_upper_bits_of_every_pixel_high_byte_first(row: list[tuple[int, int, int]]) -> None:
    image = Image.new("RGB", (len(row), 1))
    image.putdata(row)
    assert rgb565(image) == b"".join(
        ((red >> 3) << 11 | (green >> 2) << 5 | blue >> 3).to_bytes(2) for red, green, blue in row
    )
    assert rgb888(image) == bytes(value for pixel in row for value in pixel)


@pytest.mark.parametrize("size", [(240, 240), (320, 240), (480, 320), (7, 3)])
def test_rows_follow_each_other_from_the_top(size: tuple[int, int]) -> None:
    image = page((0, 1, size[0], 2), size=size)
    data, row = rgb565(image), size[0] * 2
    assert len(data) == size[1] * row
    assert data[:row] == b"\xff\xff" * size[0] and data[row : 2 * row] == b"\xc8\xe1" * size[0]
