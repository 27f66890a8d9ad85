"""The panel models: they keep what they are sent, and take no garbage. Luma's own drivers are their yardstick."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from luma.lcd import device as luma
from PIL import Image, ImageDraw

from tests.models.glass import Garbage, Model, ili9341, ili9486, ili9488, model_of, rounded, st7789, widened

PANELS = ["st7789-240", "st7789-320", "ili9341", "ili9486", "ili9488"]
LUMA = {
    "st7789-240": (luma.st7789, 240, 240, 0),
    "st7789-320": (luma.st7789, 320, 240, 0),
    "ili9341": (luma.ili9341, 320, 240, 0),
    "ili9486": (luma.ili9486, 320, 480, 1),
    "ili9488": (luma.ili9488, 480, 320, 0),
}


class Serial:
    """A luma serial interface to a model."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def command(self, code: int, *parameters: int) -> None:
        self.model.command(code)
        if parameters:
            self.model.data(bytes(parameters))

    def data(self, data: bytes) -> None:
        self.model.data(bytes(data))

    def cleanup(self) -> None:
        """Nothing is open."""


def letter(size: tuple[int, int]) -> Image.Image:
    """A picture that looks different turned, mirrored, shifted, or with its colours changed."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 30, 150), (200, 0, 0))
    draw.rectangle((10, 10, 100, 30), (0, 130, 0))
    draw.rectangle((10, 70, 70, 85), (0, 0, 250))
    draw.point([(0, 0), (size[0] - 1, 0), (size[0] - 1, size[1] - 1), (0, size[1] - 1)], (1, 2, 3))
    return image


@pytest.mark.parametrize("kind", PANELS)
def test_a_picture_that_luma_displays_is_seen_upright_and_in_its_colours(kind: str) -> None:
    cls, width, height, rotate = LUMA[kind]
    model = model_of(kind)
    model.strict_time = False  # luma does not wait after sleep out on every panel
    device = cls(Serial(model), width=width, height=height, rotate=rotate, backlight=lambda on: None)
    device.persist = True
    picture = letter(device.size)
    device.display(picture)
    assert model.seen() == rounded(picture, (6, 6, 6))


def awake(model: Model, colmod: int) -> Model:
    """A model that is set up by hand."""
    for code, values in ((0x11, []), (0x3A, [colmod]), (0x29, []), (0x21 if model.chip.inverted else 0x20, [])):
        model.command(code)
        model.data(bytes(byte for value in values for byte in ((0, value) if model.words else (value,))))
        model.pause(0.005)
    return model


def window(model: Model, x: int, y: int, x1: int, y1: int) -> None:
    for code, first, last in ((0x2A, x, x1), (0x2B, y, y1)):
        values = first >> 8, first & 255, last >> 8, last & 255
        model.command(code)
        model.data(bytes(byte for value in values for byte in ((0, value) if model.words else (value,))))
    model.command(0x2C)


@given(pixel=st.integers(0, 0xFFFF))
def test_rgb565_is_five_six_and_five_bits_the_high_byte_first(pixel: int) -> None:
    model = awake(st7789(320), 0x55)
    window(model, 5, 7, 5, 7)
    model.data(pixel.to_bytes(2))
    model.seen()
    red, green, blue = pixel >> 11, pixel >> 5 & 63, pixel & 31
    assert model._memory.getpixel((5, 7)) == (widened(red, 5), widened(green, 6), widened(blue, 5))


def test_eighteen_bits_are_the_upper_six_of_each_byte() -> None:
    model = awake(ili9488(), 0x66)
    window(model, 0, 0, 0, 0)
    model.data(bytes([0xFF, 0x83, 0x04]))
    model.seen()
    assert model._memory.getpixel((0, 0)) == (255, widened(0x20, 6), widened(1, 6))


def test_three_bits_are_two_pixels_a_byte_the_left_one_in_the_upper_half() -> None:
    model = awake(ili9488(), 0x61)
    window(model, 3, 2, 4, 3)
    model.data(bytes([0b11_100_010, 0b00_111_000]))
    model.seen()
    got = [model._memory.getpixel(at) for at in ((3, 2), (4, 2), (3, 3), (4, 3))]
    assert got == [(255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 0)]


@pytest.mark.parametrize(
    ("madctl", "column", "row"),
    [
        (0x00, 2, 5),
        (0x40, 237, 5),
        (0x80, 2, 314),
        (0xC0, 237, 314),
        (0x20, 5, 2),
        (0x60, 234, 2),
        (0xA0, 5, 317),
        (0xE0, 234, 317),
    ],
)
def test_addresses_are_mapped_as_the_data_sheets_table_has_them(madctl: int, column: int, row: int) -> None:
    model = awake(ili9341(), 0x55)
    model.command(0x36)
    model.data(bytes([madctl]))
    window(model, 2, 5, 2, 5)
    model.data(b"\x12\x34")
    model.seen()
    changed = [(x, y) for x in range(240) for y in range(320) if model._memory.getpixel((x, y)) != (90, 20, 160)]
    assert changed == [(column, row)]


def test_nothing_is_seen_before_sleep_out_and_display_on_nor_without_light() -> None:
    model = ili9341()
    assert model.seen().getbbox() is None
    awake(model, 0x55)
    assert model.seen().getbbox() is not None
    model.light(False)
    assert model.seen().getbbox() is None


AT = (0x2A, b"\0\0\0\0", 0x2B, b"\0\0\0\0", 0x2C)
"""The window of one pixel at the origin."""

GARBAGE: list[tuple[str, Callable[[], Model], tuple[int | bytes, ...]]] = [
    ("no command 0xde", st7789, (0xDE,)),
    ("data without a command", st7789, (b"x",)),
    ("command 0x2a has 1 parameters", st7789, (0x2A, b"\0", 0x29)),
    ("command 0x29 has 1 parameters", st7789, (0x29, b"\0")),
    ("a window from 0 to 240", st7789, (0x2A, b"\0\0\0\xf0")),
    ("a window from 0 to 320", st7789, (0x2B, b"\0\0\1\x40")),
    ("a window from 3 to 2", st7789, (0x2A, b"\0\3\0\2")),
    ("1 bytes for a window of 1x1", st7789, (*AT, b"x")),
    ("4 bytes for a window of 1x1", st7789, (*AT, b"wxyz")),
    ("no pixel format 0x55", ili9488, (0x3A, b"\x55")),
    ("no pixel format 0x09", ili9488, (0x3A, b"\x09")),
    ("no pixel format 0x61", ili9341, (0x3A, b"\x61")),
    ("1 bytes for a window of 1x1 at 3 bits", ili9488, (0x3A, b"\x61", *AT, b"x")),
    ("half a word", ili9486, (0x3A, b"\x55")),
    ("the upper half of a parameter", ili9486, (0x3A, b"\x55\0")),
    ("too soon after a reset or sleep out", ili9341, (0x11, 0x29)),
    ("MADCTL's two lowest bits", ili9341, (0x36, b"\1")),
]


@pytest.mark.parametrize(("why", "make", "sent"), GARBAGE)
def test_garbage_is_refused(why: str, make: Callable[[], Model], sent: tuple[int | bytes, ...]) -> None:
    model = make()
    with pytest.raises(Garbage, match=why):
        for what in sent:
            if isinstance(what, int):
                model.command(what)
            else:
                model.data(what)
        model.seen()


def test_a_wire_that_was_closed_is_not_used_again() -> None:
    model = ili9341()
    model.close()
    with pytest.raises(Garbage, match="closed"):
        model.command(0x29)
