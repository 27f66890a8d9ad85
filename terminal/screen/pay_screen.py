"""The pay screen: the code with its quiet zone over the panel's whole height, words beside it.

While the order is being placed, its words are already there, with an hourglass in the code's room: once PayBy has
answered, only the code and the words about it must go over the wire.

A square panel has no room beside the code. It shows the code alone and, now and then, briefly the words.
"""

from collections.abc import Callable
from contextlib import suppress

from terminal.screen import pay_hints, qr
from terminal.screen.blocks import (
    Beside,
    Blank,
    Block,
    Group,
    Halves,
    Picture,
    Seconds,
    Slot,
    Stack,
    TextLine,
    TextRow,
    flow,
)
from terminal.screen.fonts import NARROWEST, DoesNotFit, Ink, ink, squeezed
from terminal.screen.pictograms import picture
from terminal.screen.qr import Symbol
from terminal.screen.sheet import Sheet
from terminal.screen.typesetting import Typesetter
from terminal.screen.view import View

_LEAST = 8
"""The smallest font size (px) at which a word can be read."""
_DIGITS = {"latin": "0123456789", "arabic": "٠١٢٣٤٥٦٧٨٩"}


def code(sheet: Sheet, typesetter: Typesetter, symbol: Symbol) -> None:
    """The code, with words on both sides of it, left of it or below; raises qr.QrError where the panel is too small.

    In the middle it can be read 4 % farther than at an edge, because the camera looks at it straight.
    """
    left, side = _room(typesetter)
    qr.check_size(symbol, side)
    sheet.picture(qr.draw(symbol, side).convert("RGB"), left, 0, "code")


def soon(sheet: Sheet, typesetter: Typesetter) -> None:
    """The picture for waiting, in the code's place. It keeps within the modules, where the code changes everything
    anyway."""
    layout = typesetter.layout
    left, side = _room(typesetter)
    margin = side // 10
    flow(
        sheet,
        (left + margin, margin, left + side - margin, side - margin),
        [
            Picture(picture("wait", side * 3 // 8)),
            typesetter.lines("wait", side - 2 * margin, layout.title, layout.plain * 2 // 3, round(layout.title / 4)),
        ],
        layout.least,
        most=side // 9,
    )


def _room(typesetter: Typesetter) -> tuple[int, int]:
    """Where the code's square begins, and its side."""
    width, height = typesetter.layout.width, typesetter.layout.height
    side = min(width, height)
    return {"wide": (width - side) // 2, "narrow": width - side}.get(typesetter.layout.style, 0), side


def wide(sheet: Sheet, typesetter: Typesetter, view: View) -> None:
    """Left of the code what to pay and until when, right of it how: 74 px each. Its labels are 2 mm high."""
    layout = typesetter.layout
    u = layout.height / 320
    edge, top, bottom = round(6 * u), round(14 * u), layout.height - round(14 * u)
    side = (layout.width - layout.height) // 2
    width, small = side - edge, layout.small
    flow(
        sheet,
        (edge, top, side, layout.height - round(22 * u)),  # so high that the countdown crosses none of a panel's tiles
        [
            Stack(
                [
                    _currency(typesetter, width, small),
                    TextLine(typesetter.amount(view, width, layout.amount, priced=True)),
                ],
                round(8 * u),
            ),
            _named(typesetter, "stay", typesetter.stay(view, round(24 * u), width), small, round(7 * u)),
            _named(typesetter, "ticket", ink(view.tail, "en", round(24 * u)), small, round(7 * u)),
            _seconds(typesetter, view, round(32 * u), small, width),
        ],
        layout.least,
    )
    flow(
        sheet,
        (layout.width - side, top, layout.width - edge, bottom),
        [
            Picture(picture("pay", round(66 * u))),
            _call(
                view,
                lambda key, em, least: typesetter.lines(key, width, em, least, round(10 * u)),
                layout.call,
                layout.plain,
                squeezed_at=small,
            ),
            pay_hints.column(typesetter, view.hint, width, round(126 * u), round(24 * u), small),
        ],
        layout.least,
    )


def narrow(sheet: Sheet, typesetter: Typesetter, view: View) -> None:
    """Left of a code of 240 px: 74 px of words."""
    layout = typesetter.layout
    u = layout.height / 240
    left, right = round(5 * u), layout.width - layout.height
    width, small = right - left, layout.small
    call = _call(
        view, lambda key, em, least: typesetter.lines(key, width, em, least, round(5 * u)), layout.call, layout.plain
    )
    apps = pay_hints.beside(
        typesetter, view.hint, Picture(picture("pay", round(42 * u))), width, round(14 * u), round(11 * u)
    )
    blocks = [
        Stack(
            [
                TextRow(typesetter.label("aed", 0, small), None, typesetter.label("aed", -1, small)),
                TextLine(typesetter.amount(view, width, layout.amount, priced=True)),
            ],
            round(5 * u),
        ),
        _facts(typesetter, view, small, width),
        call,
        apps,
        _seconds(typesetter, view, round(23 * u), round(12 * u), width),
    ]
    edge = round(6 * u)
    box = (left, edge, right, layout.height - edge)
    if view.hint != "signal":
        flow(sheet, box, blocks, layout.least)
        return
    # The telephone number takes the room of both: in that of the apps alone nobody could read it.
    tops = flow(sheet, box, [Blank(block.height) if block in (call, apps) else block for block in blocks], layout.least)
    top, height = tops[2], tops[3] + apps.height - tops[2]
    whom = typesetter.once(pay_hints.signal, width, height, round(24 * u))
    for block, at in ((Slot(whom, height), top),) if whom else ((call, top), (apps, tops[3])):
        block.set(sheet, left, right, at)


def square(sheet: Sheet, typesetter: Typesetter, view: View) -> None:
    """The words alone."""
    layout = typesetter.layout
    u = layout.height / 240
    left, right = round(10 * u), layout.width - round(10 * u)
    width, aed = right - left, round(17 * u)
    first, last = typesetter.label("aed", 0, aed), typesetter.label("aed", -1, aed)
    flow(
        sheet,
        (left, round(10 * u), right, layout.height - round(10 * u)),
        [
            TextRow(
                first, typesetter.amount(view, width - first.width - last.width - round(16 * u), layout.amount), last
            ),
            Beside(
                picture("pay", round(80 * u)),
                _call(
                    view,
                    lambda key, em, least: typesetter.lines(key, round(140 * u), em, least, round(5 * u)),
                    layout.call,
                    layout.plain,
                ),
                round(14 * u),
            ),
            pay_hints.lines(typesetter, view.hint, width, round(17 * u), round(15 * u)),
            Halves(
                _facts(typesetter, view, round(17 * u), width // 2 - round(4 * u)),
                _seconds(typesetter, view, round(22 * u), round(12 * u), width // 2 - round(4 * u)),
                round(4 * u),
            ),
        ],
        layout.least,
    )


def tall(sheet: Sheet, typesetter: Typesetter, view: View) -> None:
    """Below the code of an upright panel: as much as the room there takes."""
    layout = typesetter.layout
    left, right = layout.margin, layout.width - layout.margin
    width, high = right - left, layout.height - layout.width
    box = (left, layout.width, right, layout.height - layout.margin // 2)
    if high < 4 * layout.plain:
        half, aed = width // 2 - 4, layout.small
        first, last = typesetter.label("aed", 0, aed), typesetter.label("aed", -1, aed)
        amount = typesetter.amount(view, half - first.width - last.width - 8, layout.amount, priced=True)
        phone, em = picture("pay", high * 3 // 7), high // 6
        room = width - phone.width - 8
        call = _call(view, lambda key, em, least: typesetter.pair(key, room, em, least), high // 4, high // 6)
        words = Stack([call, Group([ink(name, "en", em) for name in pay_hints.APPS], em)], high // 16)
        blocks: list[Block] = [
            Halves(Group([first, amount, last], 4), _seconds(typesetter, view, high * 2 // 7, high // 8, half), 4),
            Beside(phone, pay_hints.lines(typesetter, view.hint, room, em, high // 8, words), 8),
        ]
    else:
        u = min(high / 160, layout.width / 320)
        aed, phone = round(20 * u), picture("pay", round(54 * u))
        room = width - phone.width - round(12 * u)
        words = Stack(
            [
                _call(view, lambda key, em, least: typesetter.pair(key, room, em, least), round(30 * u), round(26 * u)),
                pay_hints.lines(typesetter, view.hint, room, round(14 * u), round(12 * u)),
            ],
            round(3 * u),
        )
        facts = _facts(typesetter, view, round(18 * u), width // 2 - round(16 * u))
        blocks = [
            TextRow(
                typesetter.label("aed", 0, aed),
                typesetter.amount(view, width - round(110 * u), round(44 * u)),
                typesetter.label("aed", -1, aed),
            ),
            Beside(phone, words, round(12 * u)),
            Halves(
                facts,
                _seconds(typesetter, view, round(24 * u), round(14 * u), width // 2 - round(8 * u)),
                round(8 * u),
            ),
        ]
    flow(sheet, box, blocks, 4)


def _named(typesetter: Typesetter, key: str, value: Ink, em: int, gap: int) -> Block:
    """A value above its labels; nothing where there is none."""
    if not value.width:
        return typesetter.nothing()
    return Stack([TextLine(value), Stack([TextLine(typesetter.label(key, at, em)) for at in (-1, 0)], gap // 2)], gap)


def _facts(typesetter: Typesetter, view: View, largest: int, width: int) -> Block:
    """Stay and ticket tail on one line, as large as fits, since no label would; before them the road sign for parking,
    where it makes neither smaller."""
    sign, em = picture("parking", largest), largest
    while True:
        stay, tail = typesetter.stay(view, em), ink(view.tail, "en", em)
        free = width - stay.width - tail.width - em // 2
        if free >= 0 or em == 6:
            break
        em -= 1
    if not stay.width:
        return TextRow(None, tail, None)
    row = TextRow(stay, None, tail, gap=em // 2)
    return Beside(sign, row, em // 4) if free >= sign.width + em // 4 else row


def _currency(typesetter: Typesetter, width: int, em: int) -> Block:
    """The currency above the amount in both languages, each a little squeezed if that is what the row takes."""
    first, last, gap = typesetter.label("aed", 0, em), typesetter.label("aed", -1, em), em // 3
    share = (width - gap) / (first.width + last.width)
    if NARROWEST <= share < 1:
        first, last = (squeezed(one, int(one.width * share)) for one in (first, last))
    return TextRow(first, None, last, gap=gap)


def _call(
    view: View, make: Callable[[str, int, int], Block], largest: int, least: int, *, squeezed_at: int = _LEAST
) -> Block:
    """What to do with the code, or that it is done; before there is a code, the same room stays empty. ``make`` takes a
    text's key, and its largest and least size. That it is done is squeezed before it gets smaller than
    ``squeezed_at``."""
    words = make("pay", largest, least)
    if view.state != "pay":
        return Blank(words.height)
    if view.hint != "scanned":
        return words
    for em in range(largest, _LEAST - 1, -1):
        with suppress(DoesNotFit):
            if (done := make("pay.scanned", em, min(em, squeezed_at))).height <= words.height:
                return Slot(done, words.height)
    return Slot(words, words.height)


def _seconds(typesetter: Typesetter, view: View, em: int, label: int, width: int) -> Block:
    """The countdown, and below it that this is the time left, so that nobody takes it for a length of stay; before it
    runs, the same room stays empty."""
    inks = [typesetter.label("left", at, label) for at in (0, -1)]
    fits = sum(one.width for one in inks) + label // 2 <= width
    named: Block = (
        Group([one for one in inks if one.width], label // 2)
        if fits
        else Stack([TextLine(one) for one in reversed(inks)], label // 5)
    )
    seconds = Stack([Seconds(em, _DIGITS[typesetter.site.digits]), named], max(3, em // 5))
    return seconds if view.left is not None else Blank(seconds.height)
