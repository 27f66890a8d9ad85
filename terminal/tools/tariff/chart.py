"""The fee over the stay, as a picture: a line for each rate."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from terminal.core import money
from terminal.core.tariff.boundaries import boundaries
from terminal.core.tariff.calendar import local
from terminal.core.tariff.pricing import fee
from terminal.core.tariff.schedule import TariffSchedule
from terminal.screen.fee_texts import FEE_TABLE
from terminal.screen.fonts import Weight, ink
from terminal.tools.tariff.samples import SampleEntry

WIDTH, HEIGHT = 1200, 760
LEFT, RIGHT, TOP, BOTTOM = 96, 40, 150, 100
INK, MUTED, GRID, PAPER = "#1b1f24", "#626b76", "#dde1e6", "#ffffff"
COLOURS = ("#0f766e", "#b4530a", "#6d4fa3", "#1d5fa8", "#b42318", "#5b7a12", "#a21a66", "#4b5563")
HOUR_MS = 3_600_000
LONGEST_MS = 48 * HOUR_MS
SLANT = 3
"""Lines that coincide are drawn this many px apart."""


@dataclass(frozen=True, slots=True)
class FeeCurve:
    """The fee of a rate: it is ``fils`` for stays longer than ``begin_ms``, step by step."""

    entry: SampleEntry
    steps: tuple[tuple[int, int], ...]


def curves(tariff: TariffSchedule, entries: Sequence[SampleEntry], limit_ms: int) -> list[FeeCurve]:
    """Each rate's steps up to ``limit_ms``; what equals an earlier one is left out."""
    found: list[FeeCurve] = []
    for entry in entries:
        first = fee(tariff, entry.entered_ms, entry.entered_ms, entry.ticket_class)
        steps = [(0, int(first))]
        for boundary in boundaries(tariff, entry.entered_ms, limit_ms, entry.ticket_class):
            steps.append((boundary.stay_s * 1000, boundary.after))
        found.append(FeeCurve(entry, tuple(steps)))
    return found


def reach(found: Sequence[FeeCurve]) -> int:
    """The length of stay (ms, whole hours) after which the chart would show nothing new."""
    last = max(curve.steps[-1][0] for curve in found)
    return min(LONGEST_MS, max(HOUR_MS, -(-(last + last // 8) // HOUR_MS) * HOUR_MS))


def draw(
    tariff: TariffSchedule, garage: str, entries: Sequence[SampleEntry], limit_ms: int | None = None
) -> Image.Image:
    """The picture (RGB, 1200 × 760 px, and 28 px more for each rate)."""
    found = curves(tariff, entries, limit_ms or LONGEST_MS)
    limit = limit_ms or reach(found)
    page = Image.new("RGB", (WIDTH, HEIGHT + 28 * len(found)), PAPER)
    pen = ImageDraw.Draw(page)
    most = max((fils for curve in found for at, fils in curve.steps if at < limit), default=0)
    top, parts = _scale(most)
    _say(page, LEFT, 56, garage, "en", 30, INK, "SemiBold")
    for number, lang in enumerate(("en", "ar")):
        line = ink(FEE_TABLE.say("chart", lang), lang, 18, "Regular")
        _paste(page, line.mask, LEFT if not number else WIDTH - RIGHT - line.width, 96 - line.above, MUTED)
    _grid(page, pen, limit, top, parts)
    for number, curve in enumerate(found):
        _curve(pen, curve, limit, top, COLOURS[number % len(COLOURS)], number * SLANT)
        _legend(page, pen, tariff, curve.entry, number)
    return page


def _x(at: int, limit: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at / limit


def _y(fils: int, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * fils / top


def _curve(pen: ImageDraw.ImageDraw, curve: FeeCurve, limit: int, top: int, colour: str, shift: int) -> None:
    points: list[tuple[float, float]] = []
    for (at, fils), after in zip(curve.steps, (*curve.steps[1:], None), strict=True):
        if at >= limit:
            break
        end = limit if after is None else min(limit, after[0])
        points += [(_x(at, limit), _y(fils, top) - shift), (_x(end, limit), _y(fils, top) - shift)]
    pen.line(points, fill=colour, width=3)


def _grid(page: Image.Image, pen: ImageDraw.ImageDraw, limit: int, top: int, parts: int) -> None:
    for part in range(parts + 1):
        fils = top * part // parts
        y = _y(fils, top)
        pen.line([(LEFT, y), (WIDTH - RIGHT, y)], fill=GRID)
        shown = money.text(fils).removesuffix(".00")
        line = ink(shown, "en", 16, "Regular")
        _paste(page, line.mask, LEFT - 12 - line.width, round(y) - line.above // 2, MUTED)
    hours = limit // HOUR_MS or 1
    step = next(step for step in (1, 2, 3, 4, 6, 12, 24, 48, 168) if hours / step <= 13)
    for hour in range(0, hours + 1, step):
        x = _x(hour * HOUR_MS, limit)
        pen.line([(x, HEIGHT - BOTTOM), (x, HEIGHT - BOTTOM + 6)], fill=MUTED)
        line = ink(f"{hour} h", "en", 16, "Regular")
        _paste(page, line.mask, round(x) - line.width // 2, HEIGHT - BOTTOM + 12, MUTED)


def _legend(
    page: Image.Image, pen: ImageDraw.ImageDraw, tariff: TariffSchedule, entry: SampleEntry, number: int
) -> None:
    y = HEIGHT - 32 + 28 * number
    colour = COLOURS[number % len(COLOURS)]
    pen.rectangle((LEFT, y - 11, LEFT + 24, y - 7), fill=colour)
    at = local(entry.entered_ms, tariff.zone)
    names = {part.casefold(): part for part in (entry.ticket_class, entry.rate.name) if part}
    name = ", ".join(reversed(names.values()))
    _say(page, LEFT + 36, y, f"{name + ': ' if name else ''}entry {at:%a %Y-%m-%d %H:%M}", "en", 17, INK, "Regular")
    if entry.rate.name_ar:
        line = ink(entry.rate.name_ar, "ar", 17, "Regular")
        _paste(page, line.mask, WIDTH - RIGHT - line.width, y - line.above, INK)


def _say(page: Image.Image, x: int, y: int, text: str, lang: str, em: int, colour: str, weight: Weight) -> None:
    line = ink(text, lang, em, weight)
    _paste(page, line.mask, x, y - line.above, colour)


def _paste(page: Image.Image, mask: Image.Image, x: int, y: int, colour: str) -> None:
    page.paste(Image.new("RGB", mask.size, colour), (x, y), mask)


def _scale(most: int) -> tuple[int, int]:
    """The smallest top of the scale (fils) that leaves room above ``most``, and into how many parts it is divided."""
    size = 10
    while True:
        for step, parts in ((10, 5), (12, 4), (15, 5), (20, 4), (25, 5), (30, 6), (40, 4), (50, 5), (60, 6), (80, 4)):
            if step * size >= max(100, most * 21 // 20):
                return step * size, parts
        size *= 10
