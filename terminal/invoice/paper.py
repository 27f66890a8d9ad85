"""A tax invoice on paper: a PDF of one A5 page, in English and Arabic.

fpdf2 sets it, and HarfBuzz (uharfbuzz) joins the Arabic letters; both come with the extra `receipts`. The same invoice
gives the same bytes, however often it is asked for.
"""

from datetime import UTC, datetime
from importlib.resources import files
from typing import Literal
from zoneinfo import ZoneInfo

from fpdf import FPDF

from terminal.contract.invoice_messages import IssuedInvoice
from terminal.contract.messages import moment
from terminal.invoice import sheet
from terminal.invoice.sheet import SheetLine

_FONT = "plex"
_MARGIN, _WIDTH = 12.0, 124.0
_SIDE = 36.0
"""mm: the page's margin, what is left between the margins, and the room of a name."""
_ROW = 7.5


def invoice_pdf(invoice: IssuedInvoice, zone: ZoneInfo) -> bytes:
    """The PDF; raises OSError if the font's package is missing."""
    paper = _Paper()
    paper.title(*sheet.WORDS["title"], 16)
    for number, (text, text_ar) in enumerate(sheet.head(invoice)):
        paper.pair(text, text_ar, 11 if number == 0 else 9)
    paper.space(3)
    paper.table(sheet.lines(invoice, zone))
    for note in sheet.notes(invoice, zone):
        paper.space(6)
        paper.title(*sheet.WORDS["note"], 12)
        paper.table(note)
    issued = datetime.fromtimestamp(moment(invoice.issued) / 1000, UTC)
    return paper.finish(invoice.number, invoice.supplier, issued)


class _Paper:
    """A page that is filled from top to bottom."""

    def __init__(self) -> None:
        self._pdf = FPDF(format=(148, 210))
        self._pdf.set_margins(_MARGIN, _MARGIN)
        self._pdf.set_auto_page_break(True, _MARGIN)
        for style, weight in (("", "Regular"), ("B", "Bold")):
            try:
                path = files("fontpkg_ibm_plex_sans_arabic") / "files" / f"IBMPlexSansArabic-{weight}.ttf"
            except ModuleNotFoundError:
                raise OSError("the font is missing: pip install fontpkg-ibm-plex-sans-arabic") from None
            self._pdf.add_font(_FONT, style, str(path))
        self._pdf.add_page()

    def title(self, text: str, text_ar: str, size: int) -> None:
        """A heading in both languages."""
        self._cell(text, _WIDTH / 2, size, "L", bold=True)
        self._cell(text_ar, _WIDTH / 2, size, "R", bold=True, arabic=True)
        self.space(size * 0.6)

    def pair(self, text: str, text_ar: str, size: int) -> None:
        """A line in both languages, each in as many lines as it needs."""
        top = self._pdf.get_y()
        bottom = self._block(text, _MARGIN, top, size, "L")
        below = self._block(text_ar, _MARGIN + _WIDTH / 2, top, size, "R", arabic=True) if text_ar else top
        self._pdf.set_xy(_MARGIN, max(bottom, below))

    def table(self, rows: list[SheetLine]) -> None:
        """A line for each, the value between its names."""
        for row in rows:
            top = self._pdf.get_y()
            self._pdf.line(_MARGIN, top, _MARGIN + _WIDTH, top)
            size = 11 if row.strong else 9
            side = _SIDE if len(row.value) < 40 else _SIDE * 2 / 3  # an order's number is long, its name is not
            middle = _WIDTH - 2 * side
            self._cell(row.name, side, 9, "L", bold=row.strong)
            if row.value_ar:
                self._cell(f"{row.value} · ", middle / 2, size, "R")
                self._cell(row.value_ar, middle / 2, size, "L", arabic=True)
            else:
                self._cell(row.value, middle, size, "C", bold=row.strong)
            self._cell(row.name_ar, side, 9, "R", bold=row.strong, arabic=True)
            self.space(_ROW)

    def space(self, height_mm: float) -> None:
        """Go down, to the left margin."""
        self._pdf.set_xy(_MARGIN, self._pdf.get_y() + height_mm)

    def finish(self, number: str, author: str, issued: datetime) -> bytes:
        """The whole file."""
        self._pdf.set_title(number)
        self._pdf.set_author(author)
        self._pdf.set_creation_date(issued)
        return bytes(self._pdf.output())

    def _cell(
        self, text: str, width: float, size: int, align: Literal["L", "C", "R"], *, bold: bool = False,
        arabic: bool = False,
    ) -> None:  # fmt: skip
        self._face(size, bold=bold, arabic=arabic)
        while size > 5 and self._pdf.get_string_width(text) > width - 2:
            size -= 1
            self._face(size, bold=bold, arabic=arabic)
        self._pdf.cell(width, _ROW, text, align=align)

    def _block(self, text: str, left: float, top: float, size: int, align: str, *, arabic: bool = False) -> float:
        self._face(size, bold=size > 10, arabic=arabic)
        self._pdf.set_xy(left, top)
        self._pdf.multi_cell(_WIDTH / 2, size * 0.5, text, align=align)
        return float(self._pdf.get_y())

    def _face(self, size: int, *, bold: bool, arabic: bool) -> None:
        self._pdf.set_font(_FONT, "B" if bold else "", size)
        direction, script, language = ("rtl", "arab", "ara") if arabic else ("ltr", "latn", "eng")
        self._pdf.set_text_shaping(True, direction=direction, script=script, language=language)
