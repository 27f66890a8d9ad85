"""Every screen without a code: a picture, what is the case, and what to do, in all languages."""

from terminal.screen.blocks import Beside, Block, Group, Line, Picture, Row, Rule, Stack, flow, needed
from terminal.screen.fonts import cut
from terminal.screen.pictograms import picture
from terminal.screen.setting import Setting
from terminal.screen.sheet import Sheet
from terminal.screen.view import View

_TROUBLE = ("closed", "help", "out-of-order")


def message(sheet: Sheet, setting: Setting, view: View) -> None:
    """The whole screen. What goes well has a large picture and few words; trouble has a smaller one, the reason, and
    whom to call. A reason that the table does not know has no words of its own."""
    layout = setting.layout
    left, right, bottom = layout.margin, layout.width - layout.margin, layout.height - layout.margin
    trouble = view.state in _TROUBLE
    if not trouble or layout.style != "square":
        footer = _names(setting, right - left)
        footer.set(sheet, left, right, bottom - footer.height)
        bottom -= footer.height + (2 if trouble or layout.style != "wide" else 4) * layout.least
    room = bottom - layout.margin
    blocks = (_trouble if trouble else _well)(setting, view, right - left, room)
    flow(sheet, (left, layout.margin, right, bottom), blocks, layout.least, most=layout.least * 4)


def _well(setting: Setting, view: View, width: int, height: int) -> list[Block]:
    """A picture as large as the words leave room for, and the words."""
    layout, state = setting.layout, view.state
    blocks = [_title(setting, state, width)]
    if state in ("wait", "paid") and view.amount:
        label = layout.text
        amount = setting.amount(
            view, width * 3 // 5, layout.plain * 4 // 5 if layout.style == "square" else layout.plain
        )
        blocks.append(Group([setting.label("aed", 0, label), amount, setting.label("aed", -1, label)], layout.least))
    if setting.texts.has(f"{state}.then") and layout.style != "square":
        blocks.append(setting.pair(f"{state}.then", width, layout.text, layout.small))
    return [_picture(setting, state, blocks, height), *blocks]


def _trouble(setting: Setting, view: View, width: int, height: int) -> list[Block]:
    """The picture, what is the case and what to do; below a rule why, whom to call, and what to tell: these two as
    large as width and height let them be."""
    layout, state = setting.layout, view.state
    image = picture(state, layout.picture * 3 // 4)
    room = width if layout.stacked else width - image.width - layout.margin
    why, then = f"{state}.{view.reason}", setting.texts.then(state, view.reason)
    words = [_title(setting, state, room)]
    reason: list[Block] = []
    gap = round(layout.text * 0.45)
    if then:
        words.append(setting.lines(then, room, layout.text, layout.small, gap))
        if setting.texts.has(why):
            reason.append(setting.pair(why, width, layout.small, layout.small * 3 // 4))
    elif setting.texts.has(why):
        words.append(setting.lines(why, room, layout.text, layout.small, gap))
    apart = layout.text if then else layout.least * 2  # help has the code below, which needs the room
    for largest in range(layout.plain, layout.small, -1):
        below = Stack([*reason, *_whom(setting, view, width, largest)], layout.least * 2)
        if layout.stacked:
            blocks = [*words, below]
            blocks = [_picture(setting, state, blocks, height), *blocks]
        else:
            blocks = [Beside(image, Stack(words, apart), layout.margin), Rule(), below]
        if needed(blocks, layout.least) <= height:
            break
    return blocks


def _whom(setting: Setting, view: View, width: int, largest: int) -> list[Block]:
    """Whom to call and what to tell, at most in that size."""
    layout = setting.layout
    code = view.help_code if view.state == "help" else ""
    return [
        _fact(setting, "call", setting.site.help_phone, width, largest),
        _fact(setting, "code", code, width, min(largest, max(layout.plain * 4 // 5, layout.heading * 3 // 4))),
    ]


def bare(sheet: Sheet, setting: Setting, view: View) -> None:
    """What can always be drawn, where the words of a screen do not fit: that help is needed, whom to call and what to
    tell."""
    layout = setting.layout
    width = layout.width - 2 * layout.margin
    lines: list[Block] = [
        Line(cut(text, "en", width, layout.plain, layout.small // 2))
        for text in (setting.site.help_phone, view.help_code)
    ]
    image = Picture(picture("help", min(layout.width, layout.height) // 2))
    box = layout.margin, layout.margin, layout.width - layout.margin, layout.height - layout.margin
    flow(sheet, box, [image, *lines], 0)


def _picture(setting: Setting, state: str, others: list[Block], height: int) -> Block:
    """The picture of a state, as large as the others leave room for."""
    layout = setting.layout
    free = height - sum(block.height + 3 * layout.least for block in others)
    return Picture(picture(state, max(layout.picture // 2, min(layout.picture, free))))


def _title(setting: Setting, state: str, width: int) -> Block:
    layout = setting.layout
    narrow = (
        layout.style == "square" or layout.width < layout.title * 7 or (layout.style == "narrow" and state == "help")
    )
    short = f"{state}.short" if narrow and setting.texts.has(f"{state}.short") else state
    if state in _TROUBLE:  # the reason and the telephone need the room
        return setting.lines(short, width, layout.heading, layout.heading * 3 // 4, round(layout.heading / 4))
    return setting.lines(short, width, layout.title, layout.plain, round(layout.title / 4))


def _fact(setting: Setting, key: str, text: str, width: int, largest: int) -> Block:
    """The telephone or the code between its labels, as large as it fits."""
    small = setting.layout.small
    taken = setting.label(key, 0, small).width + setting.label(key, -1, small).width + 16
    return setting.row(key, cut(text, "en", width - taken, largest, small * 3 // 4), small)


def _names(setting: Setting, width: int) -> Block:
    small, half = setting.layout.small, width // 2 - 6
    first = cut(setting.site.name, "en", half, small, small - 3, "Medium")
    last = cut(setting.site.name_ar if "ar" in setting.languages else "", "ar", half, small, small - 3, "Medium")
    return Row(first, None, last)
