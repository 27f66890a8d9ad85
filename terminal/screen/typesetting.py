"""What all screens of a panel share: its layout, its garage, and how words and numbers are set."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from terminal.screen import fonts
from terminal.screen import view as words
from terminal.screen.blocks import Block, Group, Stack, TextLine, TextRow
from terminal.screen.fonts import Ink, fit, ink, near, squeezed, wrapped
from terminal.screen.layouts import Layout
from terminal.screen.texts import Texts
from terminal.screen.view import Site, View

Made = TypeVar("Made")


@dataclass(frozen=True)
class Typesetter:
    """``languages``: at most two of the texts', in their order. Where lines stand above each other, the last one comes
    first: Arabic above English, as on the country's road signs; beside each other, English stands left."""

    layout: Layout
    site: Site
    texts: Texts
    languages: tuple[str, ...]
    _kept: dict[tuple[object, ...], object] = field(default_factory=dict, compare=False, repr=False)

    def once(self, make: Callable[..., Made], *key: object) -> Made:
        """Return ``make(setting, *key)``, made once because it depends on nothing else: a driver waits for the
        screen."""
        whole = make, *key
        if whole not in self._kept:
            self._kept[whole] = make(self, *key)
        return cast(Made, self._kept[whole])

    def lines(self, key: str, width: int, largest: int, smallest: int, gap: int) -> Stack:
        """A text in every language, all in one size: the largest in which each fits. Raises DoesNotFit."""
        return self.once(Typesetter._lines, key, width, largest, smallest, gap)

    def _lines(self, key: str, width: int, largest: int, smallest: int, gap: int) -> Stack:
        widest = max(ink(self.texts.say(key, lang), lang, largest).width for lang in self.languages)
        for em in range(near(largest, widest, width, smallest), smallest - 1, -1):
            inks = [ink(self.texts.say(key, lang), lang, em) for lang in reversed(self.languages)]
            if all(one.width <= width for one in inks):
                break
        else:
            inks = [
                fit(self.texts.say(key, lang), lang, width, smallest, smallest) for lang in reversed(self.languages)
            ]
        return Stack([TextLine(one) for one in inks], gap)

    def pair(self, key: str, width: int, em: int, smallest: int) -> Block:
        """A text in both languages on one line, English left; above each other where ``em`` px are too wide for it."""
        inks = [ink(self.texts.say(key, lang), lang, em) for lang in self.languages]
        if sum(one.width for one in inks) + em * (len(inks) - 1) <= width:
            return Group(inks, em)
        return self.lines(key, width, em, smallest, round(em * 0.45))

    def label(self, key: str, at: int, em: int) -> Ink:
        """A label in the first (0) or the last (-1) language; none if they are the same."""
        lang = self.languages[at]
        return ink(self.texts.say(key, lang) if at == 0 or len(self.languages) > 1 else "", lang, em, "Medium")

    def row(self, key: str, value: Ink, em: int) -> Block:
        """A value between its labels, English left. No value, no row."""
        if not value.width:
            return self.nothing()
        return TextRow(self.label(key, 0, em), value, self.label(key, -1, em))

    def broken(self, key: str, width: int, em: int, *, lines: int = 3) -> Stack:
        """A text in every language, each in at most ``lines`` lines. Raises DoesNotFit."""
        found = [wrapped(self.texts.say(key, lang), lang, width, em, lines) for lang in reversed(self.languages)]
        gap = round(em * 0.3)
        return Stack([Stack([TextLine(one) for one in inks], gap) for inks in found], gap * 2)

    def number(self, text: str) -> str:
        """Digits as the setting asks for them."""
        return words.digits(text, self.site.digits)

    def amount(self, view: View, width: int, largest: int, *, priced: bool = False) -> Ink:
        """The amount, as large as ``width`` allows: squeezed a little before it gets smaller. ``priced`` sets the
        fils at half the size, but not in Arabic digits, whose zero is a dot. An amount too long at 6 px is squeezed
        further, because it must be shown whole."""
        text, mark = self.number(words.amount(view.amount)), self.number(".")

        def line(em: int) -> Ink:
            return (
                fonts.priced(text, mark, em) if priced and self.site.digits == "latin" else ink(text, "en", em, "Bold")
            )

        room = width / fonts.NARROWEST
        em = near(largest, line(largest).width, room, 6)
        while em > 6 and line(em).width > room:
            em -= 1
        return squeezed(line(em), width)

    def stay(self, view: View, em: int, width: int = 1 << 16) -> Ink:
        """The stay in hours and minutes, smaller if ``width`` px require it. Arabic digits have the Arabic unit, and
        run with it from right to left."""
        if view.minutes is None:
            return ink("", "en", em)
        lang = "ar" if self.site.digits == "arabic" and "ar" in self.languages else "en"
        text = words.stay(view.minutes, self.texts.say("hour", lang))
        return fit(self.number(text), lang, width, em, min(em, 8))

    def nothing(self) -> Block:
        """An empty block without a size."""
        return TextLine(ink("", "en", 8))
