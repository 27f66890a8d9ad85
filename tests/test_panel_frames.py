"""How a picture is turned and becomes bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drivers.panel_frames import rgb111, rgb565, rgb888, turned, turned_box

SIZE = 120, 90
boxes = st.tuples(st.integers(0, 119), st.integers(0, 89), st.integers(1, 60), st.integers(1, 45)).map(
    lambda b: (b[0], b[1], min(b[0] + b[2], SIZE[0]), min(b[1] + b[3], SIZE[1]))
)


@given(box=boxes, quarters=st.integers(0, 3))
def test_a_turned_box_holds_what_the_box_held(box: tuple[int, int, int, int], quarters: int) -> None:
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
    assert rgb565(image).tobytes() == b"".join(
        ((red >> 3) << 11 | (green >> 2) << 5 | blue >> 3).to_bytes(2) for red, green, blue in row
    )
    assert rgb888(image).tobytes() == bytes(value for pixel in row for value in pixel)


@pytest.mark.parametrize("size", [(240, 240), (320, 240), (480, 320), (7, 3)])
def test_rows_follow_each_other_from_the_top(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "white")
    image.paste((200, 30, 9), (0, 1, size[0], 2))
    data, row = rgb565(image).tobytes(), size[0] * 2
    assert len(data) == size[1] * row
    assert data[:row] == b"\xff\xff" * size[0] and data[row : 2 * row] == b"\xc8\xe1" * size[0]


@given(row=st.lists(pixels, min_size=1, max_size=25), rows=st.integers(1, 3))
def test_rgb111_has_a_bit_for_every_channel_that_is_nearly_full_the_left_pixel_of_two_first(
    row: list[tuple[int, int, int]], rows: int
) -> None:
    row *= 2
    image = Image.new("RGB", (len(row), rows))
    image.putdata(row * rows)
    threes = [(red >= 224) << 2 | (green >= 224) << 1 | (blue >= 224) for red, green, blue in row]
    assert (
        rgb111(image).tobytes()
        == bytes(left << 3 | right for left, right in zip(threes[::2], threes[1::2], strict=True)) * rows
    )
