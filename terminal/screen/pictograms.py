"""Pictures that say without words what to do or what happens; drawn, so that they are sharp at any size.

Each is drawn on a white field of 100 x 100 units, eight times too large, and reduced once. Dark ink gives the shape,
and one accent the meaning: blue for what to do, green for go, red for stop.
"""

from collections.abc import Callable
from functools import lru_cache
from math import cos, radians, sin

from PIL import Image, ImageDraw

INK = (18, 24, 32)
BLUE = (0, 82, 180)
GREEN = (0, 128, 72)
RED = (200, 24, 32)
RULE = (200, 206, 214)
WHITE = (255, 255, 255)

Colour = tuple[int, int, int]
Point = tuple[float, float]
_OVER = 8  # times finer than the panel


class _Pen:
    """Draws in units of the field."""

    def __init__(self, side: int) -> None:
        self.image = Image.new("RGB", (side * _OVER,) * 2, WHITE)
        self._draw = ImageDraw.Draw(self.image)
        self._unit = side * _OVER / 100

    def _at(self, *values: float) -> list[float]:
        return [value * self._unit for value in values]

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, round_: float = 0) -> None:
        self._draw.rounded_rectangle(self._at(x0, y0, x1, y1), round_ * self._unit, colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self._draw.ellipse(self._at(x - radius, y - radius, x + radius, y + radius), colour)

    def shape(self, colour: Colour, *points: Point) -> None:
        self._draw.polygon([(x * self._unit, y * self._unit) for x, y in points], colour)

    def line(self, colour: Colour, width: float, *points: Point) -> None:
        """A line with round ends and corners."""
        scaled = [(x * self._unit, y * self._unit) for x, y in points]
        self._draw.line(scaled, colour, round(width * self._unit), joint="curve")
        for x, y in points:
            self.disc(x, y, width / 2, colour)

    def arc(self, colour: Colour, width: float, x: float, y: float, radius: float, start: float, end: float) -> None:
        """An arc with round ends; degrees clockwise from three o'clock."""
        outer = radius + width / 2
        box = self._at(x - outer, y - outer, x + outer, y + outer)
        self._draw.arc(box, start, end, colour, round(width * self._unit))
        for angle in (start, end):
            self.disc(x + radius * cos(radians(angle)), y + radius * sin(radians(angle)), width / 2, colour)

    def corners(self, x0: float, y0: float, x1: float, y1: float, arm: float, width: float, colour: Colour) -> None:
        """A camera's view-finder: four corners of a frame."""
        for x, inward in ((x0, arm), (x1, -arm)):
            for y, down in ((y0, arm), (y1, -arm)):
                self.line(colour, width, (x + inward, y), (x, y), (x, y + down))

    def code(self, x: float, y: float, unit: float, colour: Colour) -> None:
        """A small QR symbol, 7 units a side: three finders and a few modules."""
        for fx, fy in ((0, 0), (4.2, 0), (0, 4.2)):
            self.box(x + fx * unit, y + fy * unit, x + (fx + 2.8) * unit, y + (fy + 2.8) * unit, colour)
            self.box(x + (fx + 0.7) * unit, y + (fy + 0.7) * unit, x + (fx + 2.1) * unit, y + (fy + 2.1) * unit, WHITE)
            self.box(x + (fx + 1.1) * unit, y + (fy + 1.1) * unit, x + (fx + 1.7) * unit, y + (fy + 1.7) * unit, colour)
        for mx, my in ((4.2, 4.2), (5.6, 5.6), (4.2, 7 - 1.2), (5.8, 4.2)):
            self.box(x + mx * unit, y + my * unit, x + (mx + 1.2) * unit, y + (my + 1.2) * unit, colour)


def _ticket(pen: _Pen) -> None:
    """A paper ticket with its code, in a view-finder, under the reader's red line."""
    pen.corners(5, 5, 95, 95, 17, 6, BLUE)
    pen.box(27, 15, 73, 85, INK, 5)
    pen.box(31.5, 19.5, 68.5, 80.5, WHITE, 2)
    pen.code(38, 27, 3.5, INK)
    pen.box(38, 66, 62, 69.5, INK)
    pen.box(38, 72.5, 54, 76, INK)
    pen.box(10, 57, 90, 61.5, BLUE)


def _hourglass(pen: _Pen) -> None:
    """An hourglass."""
    pen.shape(INK, (26, 14), (74, 14), (74, 22), (55, 50), (74, 78), (74, 86), (26, 86), (26, 78), (45, 50), (26, 22))
    pen.shape(WHITE, (32, 14), (68, 14), (68, 21), (50, 47), (32, 21))
    pen.shape(WHITE, (32, 86), (68, 86), (68, 79), (50, 53), (32, 79))
    pen.shape(BLUE, (39, 31), (61, 31), (50, 47))
    pen.shape(BLUE, (34, 85), (66, 85), (66, 81), (50, 68), (34, 81))
    pen.line(INK, 8, (20, 11), (80, 11))
    pen.line(INK, 8, (20, 89), (80, 89))


def _phone(pen: _Pen) -> None:
    """A phone whose camera frames a QR code."""
    pen.box(20, 1, 80, 99, INK, 11)
    pen.box(26.5, 11, 73.5, 86, WHITE, 3)
    pen.disc(50, 92.5, 3, WHITE)
    pen.corners(32.5, 28, 67.5, 69, 9, 5, BLUE)
    pen.code(37.2, 36, 3.65, INK)


def _check(pen: _Pen) -> None:
    pen.disc(50, 50, 46, GREEN)
    pen.line(WHITE, 11, (28, 52), (44, 67), (73, 35))


def _go(pen: _Pen) -> None:
    """A raised boom, and the way ahead."""
    pen.box(12, 52, 30, 92, INK, 3)
    for start, end in ((0, 0.34), (0.46, 0.68), (0.8, 1)):  # stripes of the arm, from (21, 56) to (57, 6)
        a, b, c, d = (21 + 36 * start, 56 - 50 * start, 21 + 36 * end, 56 - 50 * end)
        pen.shape(GREEN, (a - 4.5, b - 3.2), (a + 4.5, b + 3.2), (c + 4.5, d + 3.2), (c - 4.5, d - 3.2))
    pen.disc(21, 56, 9, INK)
    pen.line(GREEN, 9, (68, 92), (68, 50))
    pen.line(GREEN, 9, (52, 65), (68, 49), (84, 65))


def _no_entry(pen: _Pen) -> None:
    """The road sign C1 of the Vienna Convention."""
    pen.disc(50, 50, 46, RED)
    pen.box(20, 41, 80, 59, WHITE, 1)


def _person(pen: _Pen) -> None:
    """An attendant with a headset."""
    pen.disc(50, 38, 20, INK)
    pen.box(14, 68, 86, 130, INK, 26)
    pen.arc(WHITE, 12, 50, 36, 26, 170, 370)
    pen.arc(BLUE, 6, 50, 36, 28, 180, 360)
    pen.box(15, 32, 27, 54, BLUE, 5)
    pen.box(73, 32, 85, 54, BLUE, 5)
    pen.arc(WHITE, 9, 56, 50, 22, 20, 95)
    pen.arc(BLUE, 4.5, 56, 48, 22, 10, 92)
    pen.disc(54, 70, 4.5, BLUE)


def _parking(pen: _Pen) -> None:
    """The road sign E17,a."""
    pen.box(2, 2, 98, 98, BLUE, 16)
    pen.box(30, 18, 44, 84, WHITE)
    pen.box(30, 18, 78, 60, WHITE, 21)
    pen.box(30, 18, 50, 60, WHITE)
    pen.box(44, 31, 65, 47, BLUE, 8)
    pen.box(44, 31, 54, 47, BLUE)


def _wifi(pen: _Pen) -> None:
    """Waves above their source."""
    for radius in (22, 41, 60):
        pen.arc(BLUE, 10, 50, 82, radius, 227, 313)
    pen.disc(50, 80, 8, INK)


def _warning(pen: _Pen) -> None:
    """A warning triangle."""
    pen.line(RED, 12, (50, 14), (92, 86), (8, 86), (50, 14))
    pen.shape(WHITE, (50, 25), (82, 80), (18, 80))
    pen.shape(INK, (44, 38), (56, 38), (53.5, 62), (46.5, 62))
    pen.disc(50, 71.5, 5.5, INK)


_PICTURES: dict[str, Callable[[_Pen], None]] = {
    "idle": _ticket,
    "wait": _hourglass,
    "pay": _phone,
    "paid": _check,
    "free": _go,
    "closed": _no_entry,
    "help": _person,
    "out-of-order": _warning,
    "parking": _parking,
    "wifi": _wifi,
}


@lru_cache(maxsize=64)
def picture(state: str, side: int) -> Image.Image:
    """The picture of a state, or the ``parking`` or ``wifi`` sign: RGB on white, without the white around it, at most
    ``side`` px wide and high."""
    pen = _Pen(side)
    _PICTURES[state](pen)
    image = pen.image.reduce(_OVER)
    ground = image.convert("L").point(lambda grey: 255 * (grey < 250))
    return image.crop(ground.getbbox())
