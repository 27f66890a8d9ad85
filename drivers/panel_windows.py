"""Which windows turn one picture into another at the least cost, and in which pixel format each goes.

A window costs the bytes of its pixels, those that set it, and the calls of the kernel for all of them. What changed is
cut where nothing changed, and joined again where a window more would cost more than it spares. All of it is Pillow's
C; nothing here loops over pixels, and numpy is not needed.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops

from drivers.panel_frames import Box, area

CALLS_S = 0.000_15
"""What a window costs (s) beside its bytes: six transfers and six settings of the data/command pin, a dozen calls of
the kernel. With Python's part they took 30 us of CPU on the desktop's core where this was measured, on a bus that takes
no time, and take four or five times that on a Raspberry Pi."""
TILES = 5
"""luma.lcd looks for changes in 5 x 5 tiles, and sends a window for each tile that has any."""
_SMALL = 4_000
"""Pixels. Nothing smaller is cut where everything changed, nor looked at as a lattice."""
_CELL = 4
"""Pixels. As fine as such cuts, and windows of few colours, are placed."""
_LINES = 40
"""Into about so many lines a part is divided to find such cuts; the search takes time with their square."""
_SLIGHT = 250
"""If less than this part of the picture changed, as by a second of countdown, there is no search for cuts."""
_LITTLE = 25
"""If less than this part of the picture changed, windows are few, and cut for bytes alone: their calls take no time
that anybody could notice."""
_MOST_CUT = 400
"""So many parts are looked into, at most: a picture of stars has thousands."""
_RUN = re.compile(rb"[^\x00]+")
_SAME = re.compile(rb"\x00+|[^\x00]+")
_MARK = [0] + [255] * 255
_BETWEEN = [0 if value <= 3 or value >= 252 else 255 for value in range(256)] * 3
"""255 where the upper 6 bits of a channel are neither all 0 nor all 1: not one of the eight colours of 3 bits."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the picture that goes out at once. ``few``: in 3-bit colour, two pixels a byte."""

    box: Box
    few: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """What a pixel (in bits) and the setting of a window (in bytes) cost on a bus of ``speed_hz``. ``few_bits``: of a
    pixel in 3-bit colour, 0 for a panel that has none."""

    pixel_bits: int
    window_bytes: int
    few_bits: int = 0
    speed_hz: int = 32_000_000

    @property
    def calls_bits(self) -> int:
        """How many bits leave while a window's calls of the kernel are made."""
        return round(CALLS_S * self.speed_hz)

    def sent(self, windows: Sequence[Window]) -> int:
        """How many bytes these take at most; a window that keeps its predecessor's rows or columns takes fewer."""
        bits = sum(area(window.box) * (self.few_bits if window.few else self.pixel_bits) for window in windows)
        formats = 2 * 2 if any(window.few for window in windows) else 0
        return bits // 8 + self.window_bytes * len(windows) + formats


def windows(old: Image.Image, new: Image.Image, wire: Wire) -> list[Window]:
    """The windows to send, in this order, so that ``old`` becomes ``new``, both RGB: none if nothing changed.

    They never take more bytes than luma.lcd's tiles. A window of few colours may hold pixels of other colours; a later
    one then brings these. Its box begins and ends at even coordinates. For ``few_bits`` the picture's sides are
    multiples of 4.
    """
    box = ImageChops.subtract_modulo(new, old).getbbox()  # three quarters of the work of a difference
    if box is None:
        return []
    tiles = _tiles_of(box, new.size)
    if len(tiles) == 1 and area(box) * _SLIGHT < new.width * new.height:
        return [Window(box)]
    if wire.few_bits:  # whole cells, so that every window of few colours is even
        left, top, right, bottom = box
        box = left // _CELL * _CELL, top // _CELL * _CELL, -(-right // _CELL) * _CELL, -(-bottom // _CELL) * _CELL
    x, y = box[:2]
    part = new.crop(box)
    mask = _marked(ImageChops.difference(old.crop(box), part))
    little = area(box) * _LITTLE < new.width * new.height
    window = 8 * wire.window_bytes + (0 if little else wire.calls_bits)
    found = _of_two_formats(mask, part, wire, window) if wire.few_bits else _of_one_format(mask, wire, window)
    stock = [one for tile in tiles if (one := _tight(mask, _moved(tile, -x, -y)))]
    if wire.sent(found) > sum(area(one) * 3 + wire.window_bytes for one in stock):
        found = [Window(one) for one in stock]
    return [Window(_moved(window.box, x, y), window.few) for window in found]


def _of_one_format(changed: Image.Image, wire: Wire, window: int) -> list[Window]:
    """``window``: what one costs beside its pixels, in bits."""
    return [Window(box) for box in _Cover(changed, lambda box: area(box) * wire.pixel_bits + window).boxes()]


def _of_two_formats(changed: Image.Image, new: Image.Image, wire: Wire, window: int) -> list[Window]:
    """First everything that fits into 3 bits, with what lies between; over it what has other colours: grey edges
    between a code's modules as thin stripes, and words. No window of few colours covers another colour that stays."""
    other = _marked(new.point(_BETWEEN))
    fine = _Cover(
        ImageChops.darker(changed, other), lambda box: area(box) * wire.pixel_bits + window, lattices=True
    ).boxes()
    rest, kept = ImageChops.subtract(changed, other), ImageChops.subtract(other, changed)
    for box in fine:
        rest.paste(0, box)
        kept.paste(0, box)
    rest_cells, kept_cells = rest.reduce(_CELL), kept.reduce(_CELL)

    def spoils(cells: Box) -> bool:
        return kept_cells.crop(cells).getbbox() is not None

    def cost(cells: Box) -> int:
        bits = wire.pixel_bits if spoils(cells) else wire.few_bits
        return area(cells) * bits * _CELL * _CELL + window

    few, more = [], []
    for cells in _Cover(rest_cells, cost, avoid=kept_cells, scale=_CELL).boxes():
        left, top, right, bottom = (edge * _CELL for edge in cells)
        if not spoils(cells):
            few.append(Window((left, top, right, bottom), few=True))
        elif tight := _tight(rest, (left, top, right, bottom)):
            more.append(Window(tight))
    return few + more + [Window(box) for box in fine]


class _Cover:
    """The cheapest rectangles around everything in ``mask`` (L, 0 for nothing) that a search with few steps finds.

    ``cost`` is that of one rectangle. ``lattices``: look for thin lines in two directions, too. ``avoid``: a
    rectangle with anything of this mask in it costs more. ``scale``: how many pixels of the picture each of the mask
    has across and down.
    """

    def __init__(
        self,
        mask: Image.Image,
        cost: Callable[[Box], int],
        *,
        lattices: bool = False,
        avoid: Image.Image | None = None,
        scale: int = 1,
    ) -> None:
        self._mask, self._cost, self._lattices, self._avoid = mask, cost, lattices, avoid
        self._window = cost((0, 0, 0, 0))
        self._cell, self._small = _CELL // scale, _SMALL // scale**2
        self._left = _MOST_CUT

    def boxes(self) -> list[Box]:
        box = self._mask.getbbox()
        return [] if box is None else self._best(box)[1]

    def _best(self, box: Box) -> tuple[int, list[Box]]:
        """The cost and the rectangles for what is in ``box``, which has no empty edge."""
        whole = self._cost(box), [box]
        self._left -= 1
        if whole[0] <= 2 * self._window or self._left < 0:  # two windows cannot be cheaper
            return whole
        part = self._mask.crop(box)
        columns, rows = ([run.span() for run in _RUN.finditer(bytes(flags))] for flags in part.getprojection())
        width, height = part.size
        across, down = (width - _length(columns)) * height, (height - _length(rows)) * width
        best = whole
        if self._lattices and area(box) >= self._small and max(across, down) * 8 < area(box):
            best = min(best, self._lattice(part, box))
            if best[0] * 3 < whole[0]:
                return best
        if across or down:
            if across >= down:
                parts = [(start, 0, end, height) for start, end in columns]
            else:
                parts = [(0, start, width, end) for start, end in rows]
        elif parts := self._around(box):
            pass
        elif area(box) >= self._small:
            parts = self._in_bands(part, whole[0])
        else:
            parts = []
        return min(best, self._joined(parts, box)) if parts else best

    def _joined(self, parts: Sequence[Box], box: Box) -> tuple[int, list[Box]]:
        """The best for each of the ``parts`` of ``box``, which follow each other; neighbours share a rectangle where
        that is cheaper."""
        done: list[tuple[Box, int, list[Box]]] = []
        for part in parts:
            inner = _tight(self._mask, _moved(part, box[0], box[1]))
            if inner is None:
                continue
            cost, boxes = self._best(inner)
            while done:
                union = _union(done[-1][0], inner)
                if (both := self._cost(union)) > done[-1][1] + cost:
                    break
                done.pop()
                inner, cost, boxes = union, both, [union]
            done.append((inner, cost, boxes))
        return sum(cost for _, cost, _ in done), [one for _, _, boxes in done for one in boxes]

    def _lattice(self, part: Image.Image, box: Box) -> tuple[int, list[Box]]:
        """Every column of ``part``, the content of ``box``, of which more than usual is set, and the rows that hold the
        rest; all as long as the box, so that their windows differ in rows or columns alone."""
        width, height = part.size
        shares = part.reduce((1, height)).tobytes()
        usual = sum(shares) / width
        full = [run.span() for run in _RUN.finditer(bytes(share > usual for share in shares))]
        rest = part.copy()
        for start, end in full:
            rest.paste(0, (start, 0, end, height))
        lines = [(start, 0, end, height) for start, end in full]
        for run in _RUN.finditer(bytes(rest.getprojection()[1])):
            lines.append((0, run.start(), width, run.end()))
        found = [_moved(line, box[0], box[1]) for line in lines]
        return sum(map(self._cost, found)), found

    def _around(self, box: Box) -> list[Box]:
        """``box`` in bands that have something to avoid and bands that have not; nothing if there is one band."""
        if self._avoid is None:
            return []
        columns, rows = (bytes(flags) for flags in self._avoid.crop(box).getprojection())
        for flags, across in ((rows, False), (columns, True)):
            spans = [run.span() for run in _SAME.finditer(flags)]
            if len(spans) > 1 and across:
                return [(start, 0, end, len(rows)) for start, end in spans]
            if len(spans) > 1:
                return [(0, start, len(columns), end) for start, end in spans]
        return []

    def _in_bands(self, part: Image.Image, whole: int) -> list[Box]:
        """``part`` cut into bands, across or down, whose boxes are cheapest as far as a coarse picture shows them;
        nothing if one box is."""
        cell = max(self._cell, max(part.size) // _LINES)
        coarse = part.reduce(cell)
        (width, height), cells = coarse.size, coarse.tobytes()
        unit = (whole - self._window) / (width * height)
        if cells.count(0) * unit <= self._window:
            return []  # nothing that could be left out is worth a window
        across, columns = _cheapest_bands([cells[x::width] for x in range(width)], unit, self._window)
        down, rows = _cheapest_bands([cells[y * width : (y + 1) * width] for y in range(height)], unit, self._window)
        if across < down and len(columns) > 1:
            return [(start * cell, 0, min(end * cell, part.width), part.height) for start, end in columns]
        if down <= across and len(rows) > 1:
            return [(0, start * cell, part.width, min(end * cell, part.height)) for start, end in rows]
        return []


def _cheapest_bands(lines: Sequence[bytes], unit: float, window: int) -> tuple[float, list[tuple[int, int]]]:
    """``lines``, none of which is empty, in bands of neighbours: the least sum of the cost of the boxes around what is
    not 0 in each, at ``unit`` a cell and ``window`` a box, and the bands."""
    spans = [(len(line) - len(line.lstrip(b"\0")), len(line.rstrip(b"\0"))) for line in lines]
    # A cut between two lines alike is never better than one at an end of the lines that are alike.
    edges = [0, *(at for at in range(1, len(spans)) if spans[at] != spans[at - 1]), len(spans)]
    costs, starts = [0.0], [0]
    for last, end in enumerate(edges[1:]):
        low, high = spans[edges[last]]
        least, start = float("inf"), last
        for first in range(last, -1, -1):
            span = spans[edges[first]]
            if span[0] < low:
                low = span[0]
            if span[1] > high:
                high = span[1]
            box = (end - edges[first]) * (high - low) * unit + window
            if box >= least:
                break
            if costs[first] + box < least:
                least, start = costs[first] + box, first
        costs.append(least)
        starts.append(start)
    bands, at = [], len(edges) - 1
    while at:
        bands.append((edges[starts[at]], edges[at]))
        at = starts[at]
    return costs[-1], bands[::-1]


def _tiles_of(box: Box, size: tuple[int, int]) -> list[Box]:
    """Those parts of ``box`` that lie in different tiles of luma's."""
    width, height = size[0] // TILES, size[1] // TILES
    left, top, right, bottom = box
    return [
        (max(left, x), max(top, y), min(right, x + width), min(bottom, y + height))
        for y in range(top // height * height, bottom, height)
        for x in range(left // width * width, right, width)
    ]


def _marked(picture: Image.Image) -> Image.Image:
    """L, 255 where any channel of an RGB picture is not 0."""
    red, green, blue = picture.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue).point(_MARK)


def _tight(mask: Image.Image, box: Box) -> Box | None:
    """``box`` without its empty edges; None if there is nothing in it."""
    inner = mask.crop(box).getbbox()
    return None if inner is None else _moved(inner, box[0], box[1])


def _length(spans: Sequence[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _moved(box: Box, x: int, y: int) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y
