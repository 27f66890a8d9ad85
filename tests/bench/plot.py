"""Charts of measurements: curves over something that grows, and steps beside their peers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from terminal.screen.fonts import font
from terminal.tools.reconcile.chart import ALARM, GRID, INK, MARGIN, MUTED, WIDTH, Pixels
from terminal.tools.tariff.chart import COLOURS
from tests.bench.rows import Row, shown

HEAD, PLOT, BELOW, LEFT, GAP = 118, 230, 62, 66, 56
"""px: above the plots, a plot's height, below it for its scale and legend, left of it for its scale, between two."""
LINE, NAMES, BARS = 52, 360, 470
"""px of a bar's row, where its bar begins, and how long the longest may be."""
OURS, FASTER = "#0f766e", "#5eb3ab"


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves with one scale, from 0. ``logs``: each decade of x is as wide as the others."""

    title: str
    x: str
    curves: Sequence[Curve]
    logs: bool = False
    note: str = ""


class Sheet(Pixels):
    """A page that can draw lines as well."""

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: int = 3) -> None:
        self._pen.line([(round(x), round(y)) for x, y in points], fill=colour, width=width, joint="curve")

    def dot(self, x: float, y: float, colour: str) -> None:
        self._pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=colour)


def nice(most: float) -> tuple[float, int]:
    """The smallest top of a scale that is not below ``most``, and into how many parts it is divided."""
    size = 10.0 ** math.floor(math.log10(most)) if most > 0 else 1.0
    for step, parts in ((1, 5), (1.2, 4), (1.5, 5), (2, 4), (2.5, 5), (3, 3), (4, 4), (5, 5), (6, 3), (8, 4), (10, 5)):
        if step * size >= most:
            return step * size, parts
    raise AssertionError(most)


def curves(title: str, below: str, plots: Sequence[Plot]) -> Image.Image:
    """All plots, two beside each other (RGB)."""
    rows = -(-len(plots) // 2)
    legends = [max(len(plot.curves) for plot in plots[row * 2 : row * 2 + 2]) for row in range(rows)]
    heights = [PLOT + BELOW + 20 * -(-legend // 3) + GAP for legend in legends]
    sheet = Sheet(HEAD + sum(heights))
    sheet.text(MARGIN, 52, title, 28, INK, weight="SemiBold")
    sheet.text(MARGIN, 80, below, 16, MUTED)
    width = (WIDTH - 2 * MARGIN - GAP) / 2
    for number, plot in enumerate(plots):
        _plot(sheet, plot, MARGIN + (number % 2) * (width + GAP), HEAD + sum(heights[: number // 2]), width)
    return sheet.image


def _plot(sheet: Sheet, plot: Plot, x0: float, y0: float, width: float) -> None:
    left, right, top, bottom = x0 + LEFT, x0 + width, y0 + 30, y0 + 30 + PLOT - 30
    points = [point for curve in plot.curves for point in curve.points]
    scale, parts = nice(max((y for _, y in points), default=1) or 1)
    first, last = min((x for x, _ in points), default=0), max((x for x, _ in points), default=1)

    def across(x: float) -> float:
        if plot.logs:
            part = (math.log10(x) - math.log10(first)) / ((math.log10(last) - math.log10(first)) or 1)
        else:
            part = x / (last or 1)
        return left + (right - left) * part

    sheet.text(x0, y0 + 8, plot.title, 17, INK, weight="SemiBold")
    sheet.text(right, y0 + 8, plot.note, 15, MUTED, "end")
    for part in range(parts + 1):
        y, value = bottom - (bottom - top) * part / parts, scale * part / parts
        sheet.box(left, round(y), right - left, 1, GRID)
        sheet.text(left - 10, y + 5, f"{value:,.10g}" if scale >= 5 else f"{value:.3g}", 14, MUTED, "end")
    marks = sorted({x for x, _ in points}) if plot.logs else [last * part / 4 for part in range(5)]
    for x in marks:
        sheet.box(round(across(x)), bottom, 1, 6, MUTED)
        sheet.text(across(x), bottom + 22, f"{x:,.0f}", 14, MUTED, "middle")
    sheet.text((left + right) / 2, bottom + 42, plot.x, 15, MUTED, "middle")
    for number, curve in enumerate(plot.curves):
        colour = COLOURS[number % len(COLOURS)]
        drawn = [(across(x), bottom - (bottom - top) * y / scale) for x, y in curve.points]
        if len(drawn) > 1:
            sheet.line(drawn, colour)
        if len(drawn) <= 12:
            for x, y in drawn:
                sheet.dot(x, y, colour)
        at = left + (number % 3) * (right - left) / 3
        sheet.box(at, bottom + 58 + 20 * (number // 3), 12, 12, colour)
        sheet.text(at + 18, bottom + 69 + 20 * (number // 3), curve.name, 14, INK)


def beside(title: str, below: str, rows: Sequence[Row]) -> Image.Image:
    """Each step beside its peer: a bar for the ratio, on a scale where each doubling is as long as the others."""
    sheet = Sheet(HEAD + 40 + LINE * len(rows) + 40)
    sheet.text(MARGIN, 52, title, 28, INK, weight="SemiBold")
    sheet.text(MARGIN, 80, below, 16, MUTED)
    least = min([0.25, *(row.ratio for row in rows if row.ratio > 0)])
    most = max([4.0, *(row.ratio for row in rows if math.isfinite(row.ratio)), *(row.target or 1 for row in rows)])
    low, high = math.floor(math.log2(least)), math.ceil(math.log2(most))

    def across(ratio: float) -> float:
        part = (math.log2(min(max(ratio, 2.0**low), 2.0**high)) - low) / (high - low)
        return NAMES + part * BARS

    top, bottom = HEAD + 26, HEAD + 30 + LINE * len(rows)
    every = 1 if high - low <= 8 else 2
    for power in range(low, high + 1, every):
        x = across(2.0**power)
        sheet.box(round(x), top, 2 if power == 0 else 1, bottom - top, MUTED if power == 0 else GRID)
        name = f"{2**power} ×" if power >= 0 else f"1/{2**-power}"
        sheet.text(x, top - 8, name, 14, MUTED, "middle")
    for number, row in enumerate(rows):
        y = HEAD + 34 + LINE * number
        _bar(sheet, row, y, across)
    sheet.text(MARGIN, bottom + 28, "left of 1 ×: less than the other way; the mark is the target", 15, MUTED)
    return sheet.image


def _bar(sheet: Sheet, row: Row, y: float, across: Any) -> None:
    colour = ALARM if not row.well else OURS if row.target is not None else FASTER
    sheet.text(MARGIN, y + 16, _cut(row.step, 16, NAMES - MARGIN - 14), 16, INK, weight="Medium")
    sheet.text(MARGIN, y + 35, _cut(f"beside {row.peer}", 14, NAMES - MARGIN - 14), 14, MUTED)
    one, here = across(1.0), across(row.ratio)
    sheet.box(min(one, here), y + 6, max(3, abs(here - one)), 22, colour)
    if row.target is not None:
        sheet.box(round(across(row.target)) - 1, y + 1, 3, 32, INK)
    x = NAMES + BARS + 24
    sheet.text(
        x,
        y + 16,
        f"{row.ratio:.{2 if row.ratio >= 0.1 else 3}f} ×",
        16,
        colour if not row.well else INK,
        weight="SemiBold",
    )
    figures = f"{shown(row.ours, row.unit)} : {shown(row.theirs, row.unit)}"
    sheet.text(x, y + 35, figures, 14, MUTED)


def _cut(text: str, size: int, room: float) -> str:
    face = font("Medium", size)
    if face.getlength(text) <= room:
        return text
    while face.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"


def save(image: Image.Image, path: Any) -> None:
    """As small as a PNG of few colours is."""
    image.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
