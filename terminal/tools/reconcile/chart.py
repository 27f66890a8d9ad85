"""The day at a glance: payments and raises, hour by hour, and everything unexplained.

One layout, drawn on one of two canvases: pixels (PNG), or SVG in a page that needs nothing else (HTML).
"""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from PIL import Image, ImageDraw

from terminal.core import money
from terminal.screen.fonts import Weight, font
from terminal.tools.reconcile.report import KINDS, Report, ReportLine

Anchor = Literal["start", "middle", "end"]
WIDTH = 1200
MARGIN = 48
CHART_TOP, CHART_HEIGHT = 280, 250
RAISES_TOP, RAISES_HEIGHT = 612, 120
LIST_TOP, LINE_HEIGHT, LISTED = 806, 26, 12

INK, MUTED, GRID, PAPER = "#1b1f24", "#626b76", "#dde1e6", "#ffffff"
OPENED, OTHER, ALARM, WELL = "#0f766e", "#e0a100", "#b42318", "#0f766e"
RAISES: Mapping[str, tuple[str, str]] = {
    "paid": (OPENED, "paid"),
    "credit": ("#5eb3ab", "credit"),
    "free": ("#7c9cc4", "free stay"),
    "operator": ("#6d4fa3", "operator"),
    "forced": (ALARM, "forced"),
    "unknown": ("#e5735f", "unknown lift"),
}
"""Colour and name of each reason for a raise."""


class Canvas(Protocol):
    """Colours as ``#rrggbb``, lengths in px from the top left corner, a text's ``y`` on its baseline."""

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """Fill a rectangle; ``x`` and ``y`` are its top left corner."""

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        colour: str,
        anchor: Anchor = "start",
        weight: Weight = "Regular",
    ) -> None:
        """Write one line, ``size`` px high; ``anchor`` says which part of it stands at ``x``."""


class Pixels:
    """A Pillow image (RGB)."""

    def __init__(self, height: int) -> None:
        self.image = Image.new("RGB", (WIDTH, height), PAPER)
        self._pen = ImageDraw.Draw(self.image)

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        left, top = round(x), round(y)
        right, bottom = round(x + width) - 1, round(y + height) - 1
        if right >= left and bottom >= top:
            self._pen.rectangle((left, top, right, bottom), fill=colour)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        colour: str,
        anchor: Anchor = "start",
        weight: Weight = "Regular",
    ) -> None:
        at = {"start": "ls", "middle": "ms", "end": "rs"}[anchor]
        self._pen.text((round(x), round(y)), text, fill=colour, font=font(weight, size), anchor=at)


class Svg:
    """The elements of an SVG picture."""

    def __init__(self) -> None:
        self.elements: list[str] = []

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        colour: str,
        anchor: Anchor = "start",
        weight: Weight = "Regular",
    ) -> None:
        bold = {"Regular": 400, "Medium": 500, "SemiBold": 600, "Bold": 700}[weight]
        self.elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{bold}" fill="{colour}"'
            f' text-anchor="{anchor}">{html.escape(text)}</text>'
        )


def as_png(report: Report) -> Image.Image:
    """The picture alone."""
    canvas = Pixels(_height(report))
    draw(report, canvas)
    return canvas.image


def as_html(report: Report) -> str:
    """The picture with every line below it, in one file without scripts."""
    canvas = Svg()
    draw(report, canvas)
    title = f"{report.garage} {report.day.date}"
    rows = "".join(_row(report, line) for line in report.lines)
    flaws = "".join(
        f'<tr class="bad"><td></td><td></td><td>file</td><td></td><td></td>'
        f"<td>{html.escape(flaw.text)}</td><td>{html.escape(flaw.where)}</td></tr>"
        for flaw in report.flaws
    )
    heads = "".join(f"<th>{name}</th>" for name in ("time", "lane", "what", "AED", "order", "why", "statement"))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n"
        f'<svg viewBox="0 0 {WIDTH} {_height(report)}" role="img" aria-label="{html.escape(title)}">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(canvas.elements)}</svg>\n'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{flaws}{rows}</tbody></table>\n</body></html>\n"
    )


_STYLE = (
    "body{font-family:'IBM Plex Sans Arabic','IBM Plex Sans',system-ui,sans-serif;margin:0 auto;max-width:1200px;"
    f"padding:16px;color:{INK};background:{PAPER}}}svg{{width:100%;height:auto}}"
    "table{border-collapse:collapse;width:100%;font-size:13px}th,td{text-align:left;padding:4px 8px;vertical-align:top;"
    f"border-bottom:1px solid {GRID}}}td:nth-child(n+5){{overflow-wrap:anywhere}}"
    f"td:nth-child(-n+4){{white-space:nowrap}}:is(td,th):nth-child(4){{text-align:right}}.bad{{color:{ALARM}}}"
)


def _row(report: Report, line: ReportLine) -> str:
    at = report.day.shown(line.at_ms) if line.at_ms is not None else ""
    amount = "" if line.fils is None else money.text(line.fils)
    why = f"{line.text} (by {line.by})" if line.by and line.by != "worker" else line.text
    cells = (at, line.lane, KINDS[line.kind], amount, line.order_no, why, line.where)
    style = "" if line.explained else ' class="bad"'
    return f"<tr{style}>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


# -- the layout ------------------------------------------------------------------------------------------------------


def draw(report: Report, canvas: Canvas) -> None:
    """Draw everything, from the top."""
    canvas.text(MARGIN, 66, f"{report.day.date:%A, %-d %B %Y}", 30, INK, weight="SemiBold")
    canvas.text(MARGIN, 94, f"garage {report.garage}, {report.day.zone}", 17, MUTED)
    _tiles(report, canvas)
    _money(report, canvas)
    _raises(report, canvas)
    _exceptions(report, canvas)


def _height(report: Report) -> int:
    listed = min(report.unexplained, LISTED + 1)
    return LIST_TOP + max(1, listed) * LINE_HEIGHT + 40


def _tiles(report: Report, canvas: Canvas) -> None:
    paid, back = report.sums.statement, report.sums.statement_refunds
    without = [line for line in report.lines if line.kind.startswith("opened-") and line.kind != "opened-credit"]
    bad = report.unexplained
    tiles = (
        ("paid, by the statement", f"AED {_grouped(paid[1])}", f"{paid[0]} payments", INK),
        ("refunded", f"AED {_grouped(back[1])}", f"{back[0]} refunds", INK),
        ("opened without payment", str(len(without)), _reasons(without), INK),
        ("unexplained", str(bad), "see the list below" if bad else "nothing to check", ALARM if bad else WELL),
    )
    width = (WIDTH - 2 * MARGIN) / len(tiles)
    for number, (title, value, below, colour) in enumerate(tiles):
        x = MARGIN + number * width
        canvas.text(x, 138, title, 15, MUTED)
        canvas.text(x, 172, value, 28, colour, weight="SemiBold")
        canvas.text(x, 196, below, 15, MUTED)


def _reasons(lines: Sequence[ReportLine]) -> str:
    counts: dict[str, int] = {}
    for line in lines:
        name = line.kind.removeprefix("opened-")
        counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "none"


def _grouped(fils: int) -> str:
    whole, _, part = money.text(fils).partition(".")
    return f"{int(whole):,}.{part}"


def _column(hour: int) -> tuple[float, float]:
    """Left edge and width of an hour's bar."""
    left = MARGIN + 64
    step = (WIDTH - MARGIN - left) / 24
    return left + hour * step + step * 0.14, step * 0.72


def _money(report: Report, canvas: Canvas) -> None:
    _legend(canvas, CHART_TOP - 26, "paid by hour, AED", ((OPENED, "the boom rose"), (OTHER, "it did not")))
    most = max((hour.opened_fils + hour.other_fils for hour in report.hours), default=0)
    top = _scale(most, least=100)
    _grid(canvas, CHART_TOP, CHART_HEIGHT, top, lambda fils: _grouped(fils).removesuffix(".00"))
    for number, hour in enumerate(report.hours):
        x, width = _column(number)
        y = float(CHART_TOP + CHART_HEIGHT)
        for fils, colour in ((hour.opened_fils, OPENED), (hour.other_fils, OTHER)):
            y -= fils / top * CHART_HEIGHT
            canvas.box(x, y, width, fils / top * CHART_HEIGHT, colour)
        if hour.exceptions:
            canvas.text(x + width / 2, y - 8, f"! {hour.exceptions}", 15, ALARM, "middle", "Bold")
        canvas.text(x + width / 2, CHART_TOP + CHART_HEIGHT + 20, f"{number:02d}", 14, MUTED, "middle")


def _raises(report: Report, canvas: Canvas) -> None:
    used = [key for key in RAISES if any(hour.raises.get(key) for hour in report.hours)]
    _legend(canvas, RAISES_TOP - 26, "raises by hour", tuple(RAISES[key] for key in used))
    top = _scale(max((sum(hour.raises.values()) for hour in report.hours), default=0), least=4)
    _grid(canvas, RAISES_TOP, RAISES_HEIGHT, top, str)
    for number, hour in enumerate(report.hours):
        x, width = _column(number)
        y = float(RAISES_TOP + RAISES_HEIGHT)
        for key in used:
            height = hour.raises.get(key, 0) / top * RAISES_HEIGHT
            y -= height
            canvas.box(x, y, width, height, RAISES[key][0])
        canvas.text(x + width / 2, RAISES_TOP + RAISES_HEIGHT + 20, f"{number:02d}", 14, MUTED, "middle")


def _scale(most: int, least: int = 1) -> int:
    """The smallest of 1, 2, 4, 5, 10, 20, … that is not below ``most`` and ``least``; four grid lines divide it."""
    size = 1
    while True:
        for step in (1, 2, 4, 5):
            if step * size >= max(most, least):
                return step * size
        size *= 10


def _grid(canvas: Canvas, top: int, height: int, most: int, name: Callable[[int], str]) -> None:
    parts = 4 if most % 4 == 0 else 5 if most % 5 == 0 else 2 if most % 2 == 0 else 1
    for part in range(parts + 1):
        y = round(top + height - height * part / parts)
        canvas.box(MARGIN + 64, y, WIDTH - 2 * MARGIN - 64, 1, GRID)
        canvas.text(MARGIN + 54, y + 5, name(most * part // parts), 14, MUTED, "end")


def _legend(canvas: Canvas, y: int, title: str, entries: Sequence[tuple[str, str]]) -> None:
    canvas.text(MARGIN, y, title, 17, INK, weight="SemiBold")
    x = MARGIN + 200.0
    for colour, name in entries:
        canvas.box(x, y - 12, 13, 13, colour)
        canvas.text(x + 20, y, name, 15, MUTED)
        x += 44 + font("Regular", 15).getlength(name)


def _exceptions(report: Report, canvas: Canvas) -> None:
    bad = [f"{flaw.where}: {flaw.text}" for flaw in report.flaws]
    for line in report.lines:
        if not line.explained:
            at = report.day.shown(line.at_ms) if line.at_ms is not None else ""
            amount = f"AED {money.text(line.fils)}" if line.fils is not None else ""
            about = line.order_no or line.session
            bad.append(" · ".join(p for p in (at, line.lane, KINDS[line.kind], amount, line.text, about) if p))
    y = LIST_TOP
    canvas.text(MARGIN, y, "unexplained" if bad else "everything is explained", 17, ALARM if bad else WELL,
                weight="SemiBold")  # fmt: skip
    for text in bad[:LISTED]:
        y += LINE_HEIGHT
        canvas.text(MARGIN, y, _cut(text), 15, INK)
    if len(bad) > LISTED:
        canvas.text(MARGIN, y + LINE_HEIGHT, f"and {len(bad) - LISTED} more", 15, MUTED)


def _cut(text: str) -> str:
    """As much of a text as fits on one line."""
    face, room = font("Regular", 15), WIDTH - 2 * MARGIN
    if face.getlength(text) <= room:
        return text
    while face.getlength(text + "…") > room:
        text = text[:-1]
    return text + "…"
