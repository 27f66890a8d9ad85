"""A paid screen with the code of the driver's tax invoice. It comes once the boom has risen, so the driver may leave
without it."""

from terminal.screen import qr
from terminal.screen.blocks import Beside, Block, Picture, flow
from terminal.screen.layouts import Layout
from terminal.screen.pictograms import picture
from terminal.screen.qr import Symbol
from terminal.screen.sheet import Sheet
from terminal.screen.typesetting import Typesetter


def _side(layout: Layout) -> int:
    return min(layout.width, layout.height) * 8 // 10


def page(sheet: Sheet, typesetter: Typesetter, symbol: Symbol) -> None:
    """The whole screen; raises qr.QrError where the code has too many modules for the panel."""
    layout = typesetter.layout
    left, right, side = layout.margin, layout.width - layout.margin, _side(layout)
    qr.check_size(symbol, side)
    code = qr.draw(symbol, side).convert("RGB")
    if layout.stacked:
        top = layout.height - side
        em = min(layout.heading, (top - layout.margin) // 2)
        paid = picture("paid", em * 2)
        words = typesetter.lines("paid.invoice", right - left - paid.width - em, em, em // 3, em // 3)
        sheet.picture(code, (layout.width - side) // 2, top, "code")
        flow(sheet, (left, layout.margin // 2, right, top), [Beside(paid, words, em // 2)], 0)
        return
    sheet.picture(code, layout.width - side, (layout.height - side) // 2, "code")
    right = layout.width - side - layout.least
    blocks: list[Block] = [
        Picture(picture("paid", layout.picture * 3 // 4)),
        typesetter.lines("paid.short", right - left, layout.heading, layout.small, layout.heading // 4),
        typesetter.lines("paid.invoice", right - left, layout.text, layout.small * 3 // 4, layout.text // 3),
    ]
    flow(sheet, (left, layout.margin * 2, right, layout.height - layout.margin * 2), blocks, layout.least)
