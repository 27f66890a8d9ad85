"""The pay screen: the code with its quiet zone over the panel's whole height, words beside it.

A square panel has no room beside the code. It shows the code alone, and now and then, for a moment, the words.
"""

from terminal.screen import qr
from terminal.screen.fonts import cut, fit, ink
from terminal.screen.pictograms import picture
from terminal.screen.qr import Symbol
from terminal.screen.setting import Setting
from terminal.screen.sheet import Beside, Block, Group, Halves, Line, Row, Seconds, Sheet, Slot, Stack, flow
from terminal.screen.view import Hint, View

_DIGITS = {"latin": "0123456789", "arabic": "٠١٢٣٤٥٦٧٨٩"}
_HINTS: dict[Hint, str] = {"": "pay.with", "second": "pay.second", "signal": "pay.signal"}


def code(sheet: Sheet, symbol: Symbol) -> None:
    """The code at the left, or on top of an upright panel; raises qr.QrError where the panel is too small for it."""
    side = min(sheet.width, sheet.height)
    qr.check_size(symbol, side)
    sheet.picture(qr.draw(symbol, side).convert("RGB"), 0, 0, "code")


def wide(sheet: Sheet, setting: Setting, view: View) -> None:
    """Beside a code of 320 px: all words in two languages."""
    layout = setting.layout
    u = layout.height / 320
    left, right = layout.height, layout.width - round(10 * u)
    width, small = right - left, layout.small
    aed = round(20 * u)
    flow(
        sheet,
        (left, round(12 * u), right, layout.height - round(12 * u)),
        [
            Stack(
                [
                    Row(setting.label("aed", 0, aed), None, setting.label("aed", -1, aed)),
                    Line(setting.amount(view, width, layout.amount)),
                ],
                round(8 * u),
            ),
            Stack(
                [
                    setting.row("stay", setting.stay(view, small), small),
                    setting.row("ticket", ink(view.tail, "en", small), small),
                ],
                round(7 * u),
            ),
            Beside(
                picture("pay", round(76 * u)),
                setting.lines("pay", width - round(60 * u), layout.call, layout.plain, round(9 * u)),
                round(10 * u),
            ),
            _hint(setting, view, width, round(16 * u), round(14 * u)),
            _seconds(setting, round(32 * u)),
        ],
        layout.least,
    )


def narrow(sheet: Sheet, setting: Setting, view: View) -> None:
    """Beside a code of 240 px: 76 px of words, the least of them without labels."""
    layout = setting.layout
    u = layout.height / 240
    left, right = layout.height, layout.width - round(4 * u)
    width, small = right - left, layout.small
    flow(
        sheet,
        (left, round(8 * u), right, layout.height - round(8 * u)),
        [
            Stack(
                [
                    Row(setting.label("aed", 0, small), None, setting.label("aed", -1, small)),
                    Line(setting.amount(view, width, layout.amount, priced=True)),
                ],
                round(5 * u),
            ),
            _facts(setting, view, small, width),
            setting.lines("pay", width, layout.call, layout.plain, round(5 * u)),
            _apps(setting, view, width, u),
            _seconds(setting, round(23 * u)),
        ],
        layout.least,
    )


def square(sheet: Sheet, setting: Setting, view: View) -> None:
    """The words alone."""
    layout = setting.layout
    u = layout.height / 240
    left, right = round(10 * u), layout.width - round(10 * u)
    width, aed = right - left, round(20 * u)
    flow(
        sheet,
        (left, round(10 * u), right, layout.height - round(10 * u)),
        [
            Row(
                setting.label("aed", 0, aed),
                setting.amount(view, width - round(100 * u), layout.amount),
                setting.label("aed", -1, aed),
            ),
            Beside(
                picture("pay", round(86 * u)),
                setting.lines("pay", round(140 * u), layout.call, layout.plain, round(8 * u)),
                round(14 * u),
            ),
            _hint(setting, view, width, round(18 * u), round(15 * u)),
            _seconds(setting, round(26 * u)),
        ],
        layout.least,
    )


def tall(sheet: Sheet, setting: Setting, view: View) -> None:
    """Below the code of an upright panel: as much as the room there takes."""
    layout = setting.layout
    left, right = layout.margin, layout.width - layout.margin
    width, high = right - left, layout.height - layout.width
    box = (left, layout.width, right, layout.height - layout.margin // 2)
    if high < 4 * layout.plain:
        half, aed = width // 2 - 4, layout.small
        first, last = setting.label("aed", 0, aed), setting.label("aed", -1, aed)
        amount = setting.amount(view, half - first.width - last.width - 8, layout.amount, priced=True)
        phone = picture("pay", high * 3 // 7)
        call = setting.pair("pay", width - phone.width - 8, layout.call, layout.plain * 2 // 3)
        blocks: list[Block] = [
            Halves(Group([first, amount, last], 4), _seconds(setting, high * 2 // 7), 4),
            Beside(phone, call, 8),
        ]
    else:
        u = min(high / 160, layout.width / 320)
        aed, phone = round(20 * u), picture("pay", round(62 * u))
        room = width - phone.width - round(12 * u)
        words = Stack(
            [
                setting.pair("pay", room, round(30 * u), round(26 * u)),
                _hint(setting, view, room, round(15 * u), round(12 * u)),
            ],
            round(3 * u),
        )
        facts = _facts(setting, view, round(18 * u), width // 2 - round(16 * u))
        blocks = [
            Row(
                setting.label("aed", 0, aed),
                setting.amount(view, width - round(110 * u), round(44 * u)),
                setting.label("aed", -1, aed),
            ),
            Beside(phone, words, round(12 * u)),
            Halves(facts, _seconds(setting, round(28 * u)), round(8 * u)),
        ]
    flow(sheet, box, blocks, 4)


def _hint(setting: Setting, view: View, width: int, largest: int, smallest: int) -> Slot:
    """With what to pay; after a while also how else, and whom to call."""
    gap = round(largest * 0.4)
    found: dict[Hint, Block] = {
        hint: setting.lines(key, width, largest, smallest, gap) for hint, key in _HINTS.items() if hint != "signal"
    }
    phone = cut(setting.site.help_phone, "en", width, largest * 5 // 4, smallest * 3 // 4)
    if phone.width:
        found["signal"] = Stack([setting.pair("pay.signal", width, smallest, smallest), Line(phone)], gap)
    return _slot(found, view.hint)


def _apps(setting: Setting, view: View, width: int, u: float) -> Slot:
    """With what to pay, where no line of words has room: the apps' names beside the picture, which is enough for
    either language; or the hint of a second phone."""
    em, phone = round(14 * u), picture("pay", round(46 * u))
    room = width - phone.width - round(5 * u)
    names = [Line(fit(name, "en", room, em, round(11 * u)), "left") for name in ("PayBy", "BOTIM")]
    return _slot(
        {
            "": Beside(phone, Stack(names, round(7 * u)), round(5 * u)),
            "second": setting.wrapped("pay.second.short", width, em, 2, round(3 * u)),
        },
        view.hint,
    )


def _slot(found: dict[Hint, Block], hint: Hint) -> Slot:
    """One of several hints in the room of the largest, so that a change moves nothing else."""
    return Slot(found.get(hint, found[""]), max(block.height for block in found.values()))


def _facts(setting: Setting, view: View, largest: int, width: int) -> Block:
    """Stay and ticket tail on one line as large as both have room, after the road sign for parking: no label has."""
    for em in range(largest, 5, -1):
        sign, stay, tail = picture("parking", em), setting.stay(view, em), ink(view.tail, "en", em)
        if sign.width + stay.width + tail.width + em <= width:
            break
    if not stay.width:
        return Row(None, tail, None)
    return Beside(sign, Row(stay, None, tail, gap=em // 2), em // 4)


def _seconds(setting: Setting, em: int) -> Seconds:
    return Seconds(picture("clock", round(em * 0.8)), em, chars=_DIGITS[setting.site.digits])
