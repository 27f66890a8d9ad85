"""The pay screen: the code with its quiet zone over the panel's whole height, words beside it.

A square panel has no room beside the code. It shows the code alone, and now and then, for a moment, the words.
"""

from terminal.screen import qr
from terminal.screen.fonts import cut, fit, ink
from terminal.screen.pictograms import picture
from terminal.screen.qr import Symbol
from terminal.screen.setting import Setting
from terminal.screen.sheet import Beside, Block, Line, Row, Seconds, Sheet, Slot, Stack, flow
from terminal.screen.view import View

_DIGITS = {"latin": "0123456789", "arabic": "٠١٢٣٤٥٦٧٨٩"}
_HINTS = {"": "pay.with", "second": "pay.second", "signal": "pay.signal"}


def code(sheet: Sheet, symbol: Symbol) -> None:
    """The code at the left; raises qr.QrError where the panel is too small for it."""
    qr.check_size(symbol, sheet.height)
    sheet.picture(qr.draw(symbol, sheet.height).convert("RGB"), 0, 0, "code")


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
            Slot(_hint(setting, view, width, round(16 * u), round(14 * u)), round(40 * u)),
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
            _facts(setting, view, width),
            setting.lines("pay", width, layout.call, layout.plain, round(5 * u)),
            Slot(_apps(setting, view, width, u), round(46 * u)),
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
            Slot(_hint(setting, view, width, round(18 * u), round(15 * u)), round(46 * u)),
            _seconds(setting, round(26 * u)),
        ],
        layout.least,
    )


def _hint(setting: Setting, view: View, width: int, largest: int, smallest: int) -> Block:
    """With what to pay; after a while also how else, and whom to call."""
    gap = round(largest * 0.4)
    if view.hint == "signal" and setting.site.help_phone:
        phone = cut(setting.site.help_phone, "en", width, largest * 5 // 4, smallest * 3 // 4)
        return Stack([setting.pair("pay.signal", width, smallest, smallest), Line(phone)], gap)
    return setting.lines(_HINTS[view.hint], width, largest, smallest, gap)


def _apps(setting: Setting, view: View, width: int, u: float) -> Block:
    """With what to pay, where no line of words has room: the apps' names beside the picture, which is enough for
    either language; or the hint of a second phone."""
    em = round(14 * u)
    if view.hint == "second":
        return setting.wrapped("pay.second.short", width, em, 2, round(3 * u))
    phone = picture("pay", round(46 * u))
    room = width - phone.width - round(5 * u)
    names = [Line(fit(name, "en", room, em, round(11 * u)), "left") for name in ("PayBy", "BOTIM")]
    return Beside(phone, Stack(names, round(7 * u)), round(5 * u))


def _facts(setting: Setting, view: View, width: int) -> Block:
    """Stay and ticket tail on one line as large as both have room, after the road sign for parking: no label has."""
    for em in range(setting.layout.small, 5, -1):
        sign, stay, tail = picture("parking", em), setting.stay(view, em), ink(view.tail, "en", em)
        if sign.width + stay.width + tail.width + em <= width:
            break
    if not stay.width:
        return Row(None, tail, None)
    return Beside(sign, Row(stay, None, tail, gap=em // 2), em // 4)


def _seconds(setting: Setting, em: int) -> Seconds:
    return Seconds(picture("clock", round(em * 0.8)), em, chars=_DIGITS[setting.site.digits])
