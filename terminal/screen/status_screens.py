"""Every screen without a code: a picture, what happens, and what to do, in all languages."""

from itertools import product

from terminal.screen.blocks import Beside, Block, Group, Picture, Pictures, Rule, Stack, TextLine, TextRow, flow, needed
from terminal.screen.fonts import cut
from terminal.screen.pictograms import picture
from terminal.screen.sheet import Sheet
from terminal.screen.typesetting import Typesetter
from terminal.screen.view import View

_TROUBLE = ("closed", "help", "out-of-order")


def message(sheet: Sheet, typesetter: Typesetter, view: View) -> None:
    """The whole screen. Good news has a large picture and few words; trouble has a smaller one, the reason, and
    whom to call. A reason that the table does not know has no words of its own."""
    layout = typesetter.layout
    left, right, bottom = layout.margin, layout.width - layout.margin, layout.height - layout.margin
    trouble = view.state in _TROUBLE
    if not trouble or layout.style != "square":
        footer = _names(typesetter, right - left, typesetter.site.lane if trouble else "")
        footer.set(sheet, left, right, bottom - footer.height)
        bottom -= footer.height + (2 if trouble or layout.style != "wide" else 4) * layout.least
    room = bottom - layout.margin
    blocks = (_trouble if trouble else _well)(typesetter, view, right - left, room)
    flow(sheet, (left, layout.margin, right, bottom), blocks, layout.least, most=layout.least * 4)


def _well(typesetter: Typesetter, view: View, width: int, height: int) -> list[Block]:
    """A picture as large as the words leave room for, and the words; on a square panel without those that wish a good
    trip, which its picture says."""
    layout, state = typesetter.layout, view.state
    blocks = [_title(typesetter, state, width)]
    if state in ("wait", "paid") and view.amount:
        label = layout.text
        amount = typesetter.amount(
            view, width * 3 // 5, layout.plain * 4 // 5 if layout.style == "square" else layout.plain
        )
        blocks.append(
            Group([typesetter.label("aed", 0, label), amount, typesetter.label("aed", -1, label)], layout.least)
        )
    if state == "idle" or (typesetter.texts.has(f"{state}.then") and layout.style != "square"):
        blocks.append(typesetter.pair(f"{state}.then", width, layout.text, layout.small * 3 // 4))
    return [_picture(typesetter, state, blocks, height), *blocks]


def _trouble(typesetter: Typesetter, view: View, width: int, height: int) -> list[Block]:
    """The picture, what happens and what to do; below a line the reason, whom to call, and what to tell, the last two
    as large as width and height allow. A square panel has no line with the lane's name, so it is told with them, unless
    the words leave no room for it."""
    layout, state = typesetter.layout, view.state
    image = picture(state, layout.picture * 3 // 4)
    room = width if layout.stacked else width - image.width - layout.margin
    why, then = f"{state}.{view.reason}", typesetter.texts.then(state, view.reason, typesetter.site.lanes)
    words = [_title(typesetter, state, room)]
    reason: list[Block] = []
    gap = round(layout.text * 0.45)
    if then:
        words.append(typesetter.lines(then, room, layout.text, layout.small, gap))
        if typesetter.texts.has(why):
            reason.append(typesetter.pair(why, width, layout.small, layout.small * 3 // 4))
    elif typesetter.texts.has(why):
        words.append(typesetter.lines(why, room, layout.text, layout.small, gap))
    apart = layout.text if then else layout.least * 2  # help has the code below, which needs the room
    named = (True, False) if layout.style == "square" else (False,)
    for lane, largest in product(named, range(layout.plain, layout.small, -1)):
        below = Stack([*reason, *_whom(typesetter, view, width, largest, lane=lane)], layout.least * 2)
        if layout.stacked:
            blocks = [*words, below]
            blocks = [_picture(typesetter, state, blocks, height), *blocks]
        else:
            blocks = [Beside(image, Stack(words, apart), layout.margin), Rule(), below]
        if needed(blocks, layout.least) <= height:
            break
    return blocks


def _whom(typesetter: Typesetter, view: View, width: int, largest: int, *, lane: bool) -> list[Block]:
    """Whom to call and what to tell, at most in that size; with the lane's name if ``lane``."""
    layout = typesetter.layout
    code = view.help_code if view.state == "help" else ""
    return [
        _fact(typesetter, "call", typesetter.site.help_phone, width, largest),
        _fact(typesetter, "code", code, width, min(largest, max(layout.plain * 4 // 5, layout.heading * 3 // 4))),
        _fact(typesetter, "lane", typesetter.site.lane if lane else "", width, min(largest, layout.text)),
    ]


def bare(sheet: Sheet, typesetter: Typesetter, view: View) -> None:
    """The screen that can always be drawn, if the words of another do not fit: that help is needed, whom to call and
    what to tell."""
    layout = typesetter.layout
    width = layout.width - 2 * layout.margin
    lines: list[Block] = [
        TextLine(cut(text, "en", width, layout.plain, layout.small // 2))
        for text in (typesetter.site.help_phone, view.help_code)
    ]
    image = Picture(picture("help", min(layout.width, layout.height) // 2))
    box = layout.margin, layout.margin, layout.width - layout.margin, layout.height - layout.margin
    flow(sheet, box, [image, *lines], 0)


def _picture(typesetter: Typesetter, state: str, others: list[Block], height: int) -> Block:
    """The picture of a state, as large as the others leave room for. Who has paid may go: the picture of that stands
    beside it."""
    layout = typesetter.layout
    free = height - sum(block.height + 3 * layout.least for block in others)
    side = max(layout.picture // 2, min(layout.picture, free))
    if state == "paid":
        return Pictures([picture("paid", side), picture("free", side)], side // 3)
    return Picture(picture(state, side))


def _title(typesetter: Typesetter, state: str, width: int) -> Block:
    layout = typesetter.layout
    narrow = (
        layout.style == "square" or layout.width < layout.title * 7 or (layout.style == "narrow" and state == "help")
    )
    short = f"{state}.short" if narrow and typesetter.texts.has(f"{state}.short") else state
    if state in _TROUBLE:  # the reason and the telephone need the room
        return typesetter.lines(short, width, layout.heading, layout.heading * 3 // 4, round(layout.heading / 4))
    return typesetter.lines(short, width, layout.title, layout.plain, round(layout.title / 4))


def _fact(typesetter: Typesetter, key: str, text: str, width: int, largest: int) -> Block:
    """The telephone or the code between its labels, as large as it fits."""
    small = typesetter.layout.small
    taken = typesetter.label(key, 0, small).width + typesetter.label(key, -1, small).width + 16
    return typesetter.row(key, cut(text, "en", width - taken, largest, small * 3 // 4), small)


def _names(typesetter: Typesetter, width: int, lane: str) -> Block:
    """The garage's name in both languages, and the lane's between them."""
    small = typesetter.layout.small
    middle = cut(lane, "en", width // 2, small, small - 3)
    half = (width - middle.width) // 2 - 6 * (2 if middle.width else 1)
    first = cut(typesetter.site.name, "en", half, small, small - 3, "Medium")
    last = cut(typesetter.site.name_ar if "ar" in typesetter.languages else "", "ar", half, small, small - 3, "Medium")
    return TextRow(first, middle, last)
