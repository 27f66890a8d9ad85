"""The hints below the call to scan: with which apps; after a while, that another phone may pay, or whom to call without
a signal; once a phone has read the code, that its owner must confirm. Each is as large as its room allows, and none
moves what is around it.
"""

import re
from collections.abc import Callable
from contextlib import suppress

from terminal.screen.blocks import Beside, Block, Picture, Slot, Stack, TextLine, TextRow
from terminal.screen.fonts import DoesNotFit, Ink, cut, fit, ink, wrapped
from terminal.screen.typesetting import Typesetter
from terminal.screen.view import Hint

APPS = ("PayBy", "BOTIM")
_APPS = re.compile(f"({'|'.join(APPS)})")


def lines(
    typesetter: Typesetter, hint: Hint, width: int, largest: int, smallest: int, first: Block | None = None
) -> Slot:
    """For a wide room: a line for each language. ``first`` replaces the first hint, the apps; it contains the call to
    scan, so a hint in its place needs words of its own."""
    gap = round(largest * 0.4)
    phone = cut(typesetter.site.help_phone, "en", width, largest * 5 // 4, smallest * 3 // 4)
    found: dict[Hint, Block] = {
        "": first or typesetter.lines("pay.with", width, largest, smallest, gap),
        "second": typesetter.lines("pay.second.alone" if first else "pay.second", width, largest, smallest, gap),
    }
    if phone.width:
        found["signal"] = Stack([typesetter.pair("pay.signal", width, smallest, smallest), TextLine(phone)], gap)
    if hint != "scanned":
        return _slot(found, hint)
    key = "pay.confirm.alone" if first else "pay.confirm"
    height = max(block.height for block in found.values())
    confirm = _largest(lambda em: typesetter.lines(key, width, em, min(em, smallest), gap), largest, height)
    return Slot(confirm or found[""], height)


def column(typesetter: Typesetter, hint: Hint, width: int, height: int, largest: int, label: int) -> Slot:
    """For a narrow column of that height: words below each other. ``label``: the size of the words around the apps'
    names."""
    make = {"second": _second, "signal": signal, "scanned": _confirm}.get(hint)
    block = typesetter.once(make, width, height, largest) if make else None
    return Slot(block or typesetter.once(_apps, width, height, largest, label) or typesetter.nothing(), height)


def beside(typesetter: Typesetter, hint: Hint, picture: Picture, width: int, largest: int, smallest: int) -> Slot:
    """For a room without space for a line of words: the apps' names beside ``picture``, understood in any language."""
    image = picture.image
    room, gap = width - image.width - largest * 5 // 14, largest // 2
    names: list[Block] = [TextLine(fit(name, "en", room, largest, smallest), "left") for name in APPS]
    apps = Beside(image, Stack(names, gap), largest * 5 // 14)
    second = typesetter.once(_second, width, apps.height * 10 // 9, largest)
    found: dict[Hint, Block] = {"": apps, "second": second or apps}
    if hint != "scanned":
        return _slot(found, hint)
    height = max(block.height for block in found.values())
    return Slot(typesetter.once(_confirm, width, height, largest) or apps, height)


def signal(typesetter: Typesetter, width: int, height: int, largest: int) -> Block | None:
    """Whom to call; None if there is nobody, or not enough room."""

    def block(em: int) -> Block:
        number = [TextLine(one) for one in wrapped(typesetter.site.help_phone, "en", width, em, 3)]
        return Stack([typesetter.broken("pay.signal", width, em, lines=2), Stack(number, em // 4)], em // 2)

    return _largest(block, largest, height) if typesetter.site.help_phone else None


def _second(typesetter: Typesetter, width: int, height: int, largest: int) -> Block | None:
    return _largest(lambda em: typesetter.broken("pay.second", width, em), largest, height)


def _confirm(typesetter: Typesetter, width: int, height: int, largest: int) -> Block | None:
    return _largest(lambda em: typesetter.broken("pay.confirm", width, em), largest, height)


def _apps(typesetter: Typesetter, width: int, height: int, largest: int, label: int) -> Block | None:
    return _largest(lambda em: _sentence(typesetter, width, em, min(em, label)), largest, height) or _largest(
        lambda em: typesetter.broken("pay.with", width, em), largest, height
    )


def _sentence(typesetter: Typesetter, width: int, em: int, label: int) -> Block:
    """The apps' names in ``em`` px, with each language's words before, between and after them in the size of labels,
    English left. Raises DoesNotFit for a language that orders the names differently."""
    parts = {lang: _APPS.split(typesetter.texts.say("pay.with", lang)) for lang in typesetter.languages}
    if any(tuple(part[1::2]) != APPS for part in parts.values()):
        raise DoesNotFit("the apps are not named in their order")
    blocks: list[Block] = []
    for at, name in enumerate((*APPS, "")):
        joining = [ink(parts[lang][2 * at].strip(), lang, label, "Medium") for lang in typesetter.languages]
        blocks += [_joined(joining, width), TextLine(_within(ink(name, "en", em), width))]
    return Stack(blocks, round(em * 0.25))


def _joined(inks: list[Ink], width: int) -> Block:
    """The words of all languages on one line, or the last language's above the first's."""
    if len(inks) == 1 or sum(one.width for one in inks) + 4 * len(inks) > width:
        return Stack([TextLine(one) for one in reversed(inks)], 4)
    return TextRow(inks[0], None, inks[-1], gap=4)


def _within(line: Ink, width: int) -> Ink:
    if line.width > width:
        raise DoesNotFit(f"{line.text!r} is {line.width} px wide; there are {width}")
    return line


def _largest(make: Callable[[int], Block], largest: int, height: int) -> Block | None:
    """The block in the largest size that is at most ``height`` px high; no block under a third of ``largest``."""
    for em in range(largest, largest // 3, -1):
        with suppress(DoesNotFit):
            if (block := make(em)).height <= height:
                return block
    return None


def _slot(found: dict[Hint, Block], hint: Hint) -> Slot:
    """One of several hints, in the room of the largest, so that a change moves nothing else."""
    return Slot(found.get(hint, found[""]), max(block.height for block in found.values()))
