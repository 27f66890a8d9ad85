"""A ticket, or the card for a lost one, as it is printed: black on white, as wide as the paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from PIL import Image

from terminal.screen.fonts import Ink, cut, fit, ink, wrapped
from terminal.tools.ticket.symbols import bars_picture, qr_picture

CodeKind = Literal["qr", "code128", "both"]
MARGIN = 16
BAR_HEIGHT = 110
GROUP = 4
"""How many digits of a number stand together, for who must type it in."""
WORDS = {
    "ticket": ("Parking ticket", "تذكرة وقوف"),
    "lost": ("Lost ticket", "تذكرة مفقودة"),
    "entered": ("Entry", "الدخول"),
    "number": ("Ticket", "التذكرة"),
    "keep": ("Keep this ticket: scan it at the exit", "احتفظ بالتذكرة وامسحها عند الخروج"),
    "coupon": ("Parking coupon", "قسيمة وقوف"),
    "until": ("Until", "حتى"),
    "redeem": ("At the exit, scan your ticket and then this", "امسح تذكرتك عند الخروج ثم هذه القسيمة"),
    "use": ("Scan this at the exit if your ticket is lost", "امسح هذا الرمز عند الخروج إذا فقدت تذكرتك"),
}
"""English and Arabic; a native speaker must read the Arabic before a release."""


@dataclass(frozen=True, slots=True)
class PrintedTicket:
    """What is printed. ``entered``: by the garage's clock; None on the card for a lost ticket. ``tail``: the characters
    by which the screen at the exit names this ticket. ``worth``: a coupon's, in words; then ``entered`` is when it
    ends."""

    text: str
    garage: str
    garage_ar: str
    entered: datetime | None
    tail: str = ""
    worth: str = ""


def grouped(text: str) -> str:
    """A number in groups that a person can read out; any other text as it is."""
    if not text.isdecimal():
        return text
    return " ".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def draw(ticket: PrintedTicket, dots: int, code: CodeKind) -> Image.Image:
    """The ticket, ``dots`` px wide (mode L). Raises TooWide if a symbol has no room."""
    width, page = dots - 2 * MARGIN, list[Image.Image]()
    kind, foot = ("lost", "use") if ticket.entered is None else ("ticket", "keep")
    kind, foot, label = ("coupon", "redeem", "until") if ticket.worth else (kind, foot, "entered")
    for name, lang in ((ticket.garage_ar, "ar"), (ticket.garage, "en")):
        page += [_row([cut(name, lang, width, 38, 22, "Bold")], dots)] if name else []
    page.append(_row([ink(WORDS[kind][0], "en", 24), ink(WORDS[kind][1], "ar", 24)], dots))
    page.append(Image.new("L", (dots, 3), 0))
    if ticket.worth:
        page.append(_row([ink(ticket.worth, "en", 44, "Bold")], dots))
    if ticket.entered is not None:
        page += _fact(label, f"{ticket.entered:%Y-%m-%d %H:%M}", dots)
    if ticket.tail:
        page += _fact("number", ticket.tail, dots)
    if code in ("qr", "both"):
        page.append(_middle(qr_picture(ticket.text, dots), dots))
    if code in ("code128", "both"):
        page.append(_middle(bars_picture(ticket.text, dots, BAR_HEIGHT), dots))
    page += [_row([line], dots) for line in _readable(ticket.text, width)]
    page.append(Image.new("L", (dots, 3), 0))
    for words, lang in zip(WORDS[foot], ("en", "ar"), strict=True):
        page += [_row([line], dots) for line in wrapped(words, lang, width, 24, 3)]
    gap = 10
    sheet, y = Image.new("L", (dots, sum(part.height + gap for part in page) + gap), 255), gap
    for part in page:
        sheet.paste(part, (0, y))
        y += part.height + gap
    return sheet


def _fact(key: str, text: str, dots: int) -> list[Image.Image]:
    """A value between its labels, or below them where it has no room there."""
    value, left, right = ink(text, "en", 34, "Bold"), ink(WORDS[key][0], "en", 24), ink(WORDS[key][1], "ar", 24)
    if value.width + 2 * max(left.width, right.width) + 4 * MARGIN <= dots:
        return [_row([left, value, right], dots)]
    return [_row([left, right], dots), _row([value], dots)]


def _readable(text: str, width: int) -> list[Ink]:
    """The text in lines that can be typed in."""
    if text.isdecimal():
        return wrapped(grouped(text), "en", width, 30, 3)
    half = (len(text) + 3) // 4
    parts = [text] if len(text) <= 24 else [text[at : at + half] for at in range(0, len(text), half)]
    return [fit(part, "en", width, 24, 14, "Medium") for part in parts]


def _row(words: Sequence[Ink], dots: int) -> Image.Image:
    """Words on one baseline: one in the middle; of several, the first and the last at the edges."""
    above, below = max(w.above for w in words), max(w.height - w.above for w in words)
    row = Image.new("L", (dots, above + below), 255)
    for number, word in enumerate(words):
        left = (dots - word.width) // 2
        if len(words) > 1 and number == 0:
            left = MARGIN
        elif len(words) > 1 and number == len(words) - 1:
            left = dots - MARGIN - word.width
        row.paste(0, (left, above - word.above), word.mask)
    return row


def _middle(picture: Image.Image, dots: int) -> Image.Image:
    row = Image.new("L", (dots, picture.height), 255)
    row.paste(picture, ((dots - picture.width) // 2, 0))
    return row
