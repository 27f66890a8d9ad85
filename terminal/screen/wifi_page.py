"""The lane's own Wi-Fi, for drivers whose phone has no signal down there: a page with a code that joins it.

It comes from the lane's configuration, and is the one code that no worker signs. It takes turns with the payment's
code, never beside it: a reader that sees two codes may take the wrong one.
"""

from contextlib import suppress

from terminal.screen import qr
from terminal.screen.blocks import Beside, Block, Picture, Stack, TextLine, TextRow, flow
from terminal.screen.fonts import DoesNotFit, cut
from terminal.screen.layouts import Layout
from terminal.screen.pictograms import picture
from terminal.screen.sheet import Sheet
from terminal.screen.typesetting import Typesetter
from terminal.screen.view import Wifi


def wifi(name: str, password: str = "") -> Wifi:
    """A network and its code, in the words that phones know (WIFI:T:…); no password: an open one. Raises qr.QrError
    for other than printable ASCII."""
    kind = f"T:WPA;S:{_escaped(name)};P:{_escaped(password)}" if password else f"T:nopass;S:{_escaped(name)}"
    return Wifi(name, qr.proven(f"WIFI:{kind};;"))


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in '\\;,:"' else char for char in text)


def check(layout: Layout, network: Wifi) -> None:
    """Raise qr.QrError where the network's code has too many modules for that panel."""
    qr.check_size(network.symbol, _side(layout))


def prove(typesetter: Typesetter, network: Wifi) -> None:
    """Raise qr.QrError where the network's code cannot be read back from its page. A page that cannot be drawn is told
    when it is to be shown."""
    sheet = Sheet(typesetter.layout.width, typesetter.layout.height)
    with suppress(OSError, DoesNotFit):
        page(sheet, typesetter, network)
        if not qr.shows(sheet.image, network.symbol):
            raise qr.QrError("the QR code could not be read back from the page")


def _side(layout: Layout) -> int:
    return min(layout.width, layout.height) * (7 if layout.stacked else 8) // 10


def page(sheet: Sheet, typesetter: Typesetter, network: Wifi) -> None:
    """The whole page. Smaller than the payment's code, which is in the driver's mind as the large one."""
    layout = typesetter.layout
    left, right = layout.margin, layout.width - layout.margin
    side = _side(layout)
    if layout.stacked:
        width, top = right - left, layout.height - layout.margin - side
        em = min(layout.heading, top // 4)
        symbol = picture("wifi", em * 2)
        blocks: list[Block] = [
            Beside(symbol, typesetter.lines("pay.signal", width - symbol.width - em, em, em // 2, em // 3), em // 2),
            TextRow(None, cut(network.name, "en", width, em, em * 3 // 4), None),
        ]
        sheet.picture(qr.draw(network.symbol, side).convert("RGB"), (layout.width - side) // 2, top, "code")
        flow(sheet, (left, layout.margin // 2, right, top), blocks, layout.least // 2, most=em)
        return
    top = (layout.height - side) // 2
    sheet.picture(qr.draw(network.symbol, side).convert("RGB"), layout.width - side, top, "code")
    right = layout.width - side - layout.least
    width = right - left
    flow(
        sheet,
        (left, layout.margin * 2, right, layout.height - layout.margin * 2),
        [
            Picture(picture("wifi", layout.picture * 3 // 4)),
            typesetter.lines("pay.signal", width, layout.heading, layout.small, layout.heading // 4),
            Stack(
                [
                    typesetter.lines("wifi", width, layout.text, layout.small * 3 // 4, layout.text // 3),
                    TextLine(cut(network.name, "en", width, layout.plain, layout.small)),
                ],
                layout.text // 2,
            ),
        ],
        layout.least,
    )
