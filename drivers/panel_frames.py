"""Pictures -> what goes over the wire: which rectangles changed, turned as the glass is mounted, as bytes.

All of it is Pillow's C over whole images; nothing here loops over pixels, and numpy is not needed.
"""

import re

from PIL import Image, ImageChops

Box = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom lie outside."""

MOST_WINDOWS = 3
_GAPS_TRIED = 3
_STILL = re.compile(rb"\x00+")

_QUARTERS = (None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)
"""Pillow turns against the clock."""

_RED = bytes(value & 0xF8 for value in range(256))
_GREEN_HIGH = bytes(value >> 5 for value in range(256))
_GREEN_LOW = bytes((value & 0x1C) << 3 for value in range(256))
_BLUE = bytes(value >> 3 for value in range(256))


def changed(old: Image.Image, new: Image.Image, *, pixel_bytes: int, window_bytes: int) -> list[Box]:
    """The rectangles to send so that ``old`` becomes ``new``: none, or up to MOST_WINDOWS that do not overlap.

    A rectangle is cut in two, along a stripe in which nothing changed, while that saves more than the
    ``window_bytes`` that a further one costs.
    """
    difference = ImageChops.difference(old, new)
    whole = difference.getbbox()
    boxes = [] if whole is None else [whole]
    uncut = list(boxes)
    while uncut and len(boxes) < MOST_WINDOWS:
        cuts = [(_best_cut(difference, box), box) for box in uncut]
        (saved, *parts), box = max(cuts, key=lambda cut: cut[0][0])
        if saved * pixel_bytes <= window_bytes:
            break
        boxes.remove(box)
        boxes += parts
        uncut = boxes
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def _best_cut(difference: Image.Image, box: Box) -> tuple[int, Box, Box]:
    """The two rectangles that ``box`` is best cut into, and how many pixels they spare."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    part = difference.crop(box)
    columns, rows = part.getprojection()
    best = (0, box, box)
    for flags, across in ((columns, True), (rows, False)):
        gaps = sorted((gap.span() for gap in _STILL.finditer(bytes(flags))), key=lambda gap: gap[0] - gap[1])
        for start, end in gaps[:_GAPS_TRIED]:
            halves = (
                ((0, 0, start, height), (end, 0, width, height))
                if across
                else ((0, 0, width, start), (0, end, width, height))
            )
            first, second = (_tight(part, half) for half in halves)
            saved = width * height - area(first) - area(second)
            if saved > best[0]:
                best = (saved, _moved(first, left, top), _moved(second, left, top))
    return best


def _tight(part: Image.Image, box: Box) -> Box:
    """``box`` without its edges in which nothing changed; something in it has."""
    inner = part.crop(box).getbbox() or (0, 0, 0, 0)
    return _moved(inner, box[0], box[1])


def _moved(box: Box, x: int, y: int) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def area(box: Box) -> int:
    """Pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def turned(image: Image.Image, quarters: int) -> Image.Image:
    """``image`` turned clockwise by ``quarters``, 0 to 3."""
    quarter = _QUARTERS[quarters]
    return image if quarter is None else image.transpose(quarter)


def turned_box(box: Box, size: tuple[int, int], quarters: int) -> Box:
    """Where ``box`` of an image of ``size`` lies once that is turned clockwise by ``quarters``."""
    left, top, right, bottom = box
    width, height = size
    return (
        box,
        (height - bottom, left, height - top, right),
        (width - right, height - bottom, width - left, height - top),
        (top, width - right, bottom, width - left),
    )[quarters]


def rgb888(image: Image.Image) -> bytes:
    """3 bytes a pixel, of which a controller with 18-bit colour heeds the upper 6 bits each."""
    return image.tobytes()


def rgb565(image: Image.Image) -> bytes:
    """2 bytes a pixel, the high byte first: rrrrrggg gggbbbbb.

    bytes.translate is the quickest table look-up there is without numpy; the parts share no bit, so adding joins them.
    """
    green = image.tobytes("raw", "G")
    high = _joined(image.size, image.tobytes("raw", "R").translate(_RED), green.translate(_GREEN_HIGH))
    low = _joined(image.size, image.tobytes("raw", "B").translate(_BLUE), green.translate(_GREEN_LOW))
    return Image.merge("LA", (high, low)).tobytes()


def _joined(size: tuple[int, int], one: bytes, other: bytes) -> Image.Image:
    return ImageChops.add_modulo(_plane(size, one), _plane(size, other))


def _plane(size: tuple[int, int], data: bytes) -> Image.Image:
    return Image.frombuffer("L", size, data, "raw", "L", 0, 1)
