"""What the report looks like: the picture in pixels and as a page, and cells that no program may take for formulas."""

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from terminal.screen.fonts import font
from terminal.tools.reconcile.chart import (
    ALARM,
    CHART_HEIGHT,
    CHART_TOP,
    LISTED,
    MARGIN,
    OPENED,
    OTHER,
    PAPER,
    RAISES,
    WIDTH,
    Svg,
    as_html,
    as_png,
    draw,
)
from terminal.tools.reconcile.report import Report, ReportLine, as_csv
from terminal.tools.reconcile.statements import StatementFlaw
from tests.support.day import Told, at, papers, payment

ALARM_RGB, OPENED_RGB, OTHER_RGB, PAPER_RGB = (
    tuple(bytes.fromhex(colour[1:])) for colour in (ALARM, OPENED, OTHER, PAPER)
)


def a_report() -> Report:
    """AED 40 at eight with a raise, 10 at nine without, an arm forced up at ten."""
    story = Told()
    story.at = at(8)
    first = story.visits("a", amount=4000)
    story.at = at(9)
    story.arrives()
    story.reads("b", amount=1000)
    story.payby("CREATED", "b")
    story.leaves_loop()
    story.wait(5)
    second = story.order("b")
    story.payby("PAID", "b", proof=story.proof(second))
    story.at = at(10)
    story.boom("up")
    return story.report(papers(payment(first), payment(second)), now_ms=at(9, 5))


def column(image: Image.Image, hour: int) -> list[tuple[int, ...]]:
    """The pixels of an hour's bar in the chart of money, from the bottom."""
    left = MARGIN + 64
    x = round(left + (WIDTH - MARGIN - left) / 24 * (hour + 0.5))
    return [image.getpixel((x, y)) for y in range(CHART_TOP + CHART_HEIGHT - 1, CHART_TOP - 1, -1)]  # type: ignore[misc]


def test_bars_are_as_high_as_what_was_paid() -> None:
    image = as_png(a_report())
    heights = {hour: column(image, hour) for hour in range(24)}
    assert heights[8].count(OPENED_RGB) == CHART_HEIGHT  # AED 40 is the scale's end
    assert heights[9].count(OTHER_RGB) == pytest.approx(CHART_HEIGHT / 4, abs=1)
    assert heights[9][: CHART_HEIGHT // 4 - 1] == [OTHER_RGB] * (CHART_HEIGHT // 4 - 1)
    assert [hour for hour, bar in heights.items() if OPENED_RGB in bar or OTHER_RGB in bar] == [8, 9]


def test_an_hour_with_something_unexplained_is_marked() -> None:
    image = as_png(a_report())
    left = MARGIN + 64
    step = (WIDTH - MARGIN - left) / 24
    for hour in range(24):
        box = (round(left + hour * step), CHART_TOP, round(left + (hour + 1) * step), CHART_TOP + CHART_HEIGHT)
        reds = image.crop(box).getcolors(1 << 20)
        assert (ALARM_RGB in {colour for _, colour in reds}) == (hour == 10), hour


def test_the_page_says_the_same_as_the_pixels_and_needs_nothing_else() -> None:
    page = as_html(a_report())
    for word in (
        "Monday, 21 September 2026",
        "AED 50.00",
        "2 payments",
        "1 forced",
        "the arm rose and no lift raised it",
    ):
        assert word in page
    assert not re.search(r"<script|https?://|src=|url\(|@import|<link", page)

    class Parser(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "rect"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag != "rect":
                assert self.open.pop() == tag

    parser = Parser()
    parser.feed(page)
    assert parser.open == []
    assert page.count("<tr") == 1 + len(a_report().lines)


def test_words_of_others_are_words_and_no_markup() -> None:
    line = ReportLine(
        "not-ours", False, at(9), "<script>alert(1)</script>", order_no='"><img>', where="<b>.csv:3", by="<i>"
    )
    report = replace(a_report(), lines=(line,), flaws=(StatementFlaw("<u>.csv", "<s>"),))
    page = as_html(report)
    for word in ("<script>", "<img>", "<b>", "<i>", "<u>", "<s>"):
        assert word not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_no_cell_looks_like_a_formula() -> None:
    for word in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        report = replace(a_report(), lines=(ReportLine("not-ours", False, None, word, order_no=word),))
        (row,) = csv.DictReader(io.StringIO(as_csv(report), newline=""))
        assert row["text"] == row["order_no"] == f"'{word}"


def test_flaws_stand_in_the_csv_too() -> None:
    report = replace(a_report(), lines=(), flaws=(StatementFlaw("a.csv:3", "no amount"),))
    (row,) = csv.DictReader(io.StringIO(as_csv(report), newline=""))
    assert (row["kind"], row["explained"], row["where"], row["text"]) == ("file", "no", "a.csv:3", "no amount")


def test_a_long_list_is_cut_and_says_how_much_more_there_is_and_no_text_leaves_the_picture() -> None:
    many = tuple(ReportLine("not-ours", False, at(9), "W" * 300, order_no="x") for _ in range(LISTED + 7))
    report = replace(a_report(), lines=many)
    canvas = Svg()
    draw(report, canvas)
    assert any("and 7 more" in element for element in canvas.elements)
    height = as_png(report).height
    for element in canvas.elements:
        if found := re.fullmatch(
            r'<text x="([\d.]+)" y="([\d.]+)" font-size="(\d+)" font-weight="(\d+)".*text-anchor="(\w+)">(.*)</text>',
            element,
        ):
            x, y, size, weight, anchor, text = found.groups()
            width = font("Regular" if weight == "400" else "Bold", int(size)).getlength(text)
            left = float(x) - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
            assert left >= 0, text
            assert left + width <= WIDTH, text
            assert float(y) + int(size) / 2 < height, text


def test_a_day_on_which_nothing_happened_is_drawn() -> None:
    report = Told().report(papers())
    image = as_png(report)
    assert all(set(column(image, hour)) <= {PAPER_RGB, tuple(bytes.fromhex("dde1e6"))} for hour in range(24))
    assert "everything is explained" in as_html(report)


def test_every_reason_for_a_raise_has_a_colour_of_its_own() -> None:
    assert {"paid", "free", "credit", "operator", "forced", "unknown"} == set(RAISES)
    assert len({colour for colour, _ in RAISES.values()}) == len(RAISES)
