"""Words as ink: one line of text in one language -> a mask, measured to the pixel.

IBM Plex Sans Arabic (OFL 1.1, package fontpkg-ibm-plex-sans-arabic) has both scripts. Pillow joins and orders Arabic
letters by Raqm, which is in its wheels, and FriBidi, which Debian's ``libfribidi0`` provides. Arabic and Latin runs
are shaped separately, each in its own direction, and set side by side.
"""

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from PIL import Image, ImageDraw, ImageFont, features

Weight = Literal["Regular", "Medium", "SemiBold", "Bold"]

INSTALL = "sudo apt-get install libfribidi0"
"""The command that installs what Arabic needs."""

CAPITAL = 0.698
"""Height of a capital letter and of a digit, in font sizes (the font's own figure)."""

NARROWEST = 0.8
"""The narrowest share of its width to which a line may be squeezed without looking squeezed."""

_LETTERS = r"\u0600-\u065F\u066E-\u06EF\u06FA-\u06FF"  # Arabic but its digits and their marks, which run left to right
_RUNS = re.compile(rf"[{_LETTERS}]+(?: +[{_LETTERS}]+)*|[^{_LETTERS}]+")
_ARABIC = re.compile(f"[{_LETTERS}]")


class DoesNotFit(ValueError):
    """A text has no room where the layout puts it; the message says which text and where."""


@dataclass(frozen=True, slots=True)
class Ink:
    """A line's ink without margins: ``mask`` (mode L), with ``above`` px above the baseline; ``width`` and ``height``
    are the mask's. ``em`` is the font's size in px; ``squeeze`` the share that is left of its natural width."""

    text: str
    mask: Image.Image
    above: int
    em: int
    squeeze: float = 1.0
    width: int = field(init=False)
    height: int = field(init=False)

    def __post_init__(self) -> None:
        width, height = self.mask.size  # setting a screen asks for them some hundred times
        object.__setattr__(self, "width", width)
        object.__setattr__(self, "height", height)


def raqm_available() -> bool:
    """Can Arabic be shaped on this machine? If not, run INSTALL."""
    return bool(features.check_feature("raqm") and features.check_feature("fribidi"))


def rtl(lang: str) -> bool:
    """Is the language written from right to left?"""
    return lang in ("ar", "fa", "he", "ur")


@lru_cache(maxsize=4)  # each maps the whole file, a quarter of a MB, and opens in 0.1 ms
def font(weight: Weight, em: int) -> ImageFont.FreeTypeFont:
    """The font in one size (px); raises OSError if its package is missing or damaged."""
    name = f"IBMPlexSansArabic-{weight}.ttf"
    try:
        path = files("fontpkg_ibm_plex_sans_arabic") / "files" / name
    except ModuleNotFoundError:
        raise OSError("the font is missing: pip install fontpkg-ibm-plex-sans-arabic") from None
    engine = ImageFont.Layout.RAQM if raqm_available() else ImageFont.Layout.BASIC
    try:
        return ImageFont.truetype(str(path), em, layout_engine=engine)
    except OSError:  # "cannot open resource" and the like
        again = "pip install --force-reinstall fontpkg-ibm-plex-sans-arabic"
        raise OSError(f"the font {name} cannot be read: {again}") from None


def lacking(text: str) -> str:
    """The characters of a text for which the font has no glyph, so that they would show as boxes."""
    face = font("Regular", 24)
    box = bytes(face.getmask("\U0010fffe"))
    return "".join(c for c in dict.fromkeys(text) if c != " " and bytes(face.getmask(c)) == box)


@lru_cache(maxsize=512)
def ink(text: str, lang: str, em: int, weight: Weight = "SemiBold") -> Ink:
    """One line of text, shaped and ordered for its language. A blank text has no ink and no width."""
    face = font(weight, em)
    runs = _RUNS.findall(text)
    line = Image.new("L", ((len(text) + 4) * em, 3 * em), 0)  # no glyph is wider than the font's size
    pen, x = ImageDraw.Draw(line), float(em)
    for run in reversed(runs) if rtl(lang) else runs:
        arabic = _ARABIC.search(run) is not None and raqm_available()
        direction, language = ("rtl", lang if rtl(lang) else "ar") if arabic else (None, None)
        if rtl(lang) and not arabic:  # a Latin run keeps its order; the spaces beside it change sides
            lead, tail = len(run) - len(run.lstrip(" ")), len(run) - len(run.rstrip(" "))
            run = " " * tail + run.strip(" ") + " " * lead
        pen.text((round(x), 2 * em), run, 255, face, anchor="ls", direction=direction, language=language)
        if len(runs) > 1:
            x += face.getlength(run, direction=direction, language=language)
    box = line.getbbox() or (0, 2 * em, 0, 2 * em)
    return Ink(text, line.crop(box), 2 * em - box[1], em)


def priced(text: str, mark: str, em: int, weight: Weight = "Bold") -> Ink:
    """A number, with the part from the decimal ``mark`` on at half the size, on the same baseline."""
    whole, _, part = text.partition(mark)
    large, small = ink(whole, "en", em, weight), ink(mark + part, "en", max(6, em // 2), weight)
    gap = max(1, em // 20)
    mask = Image.new(
        "L", (large.width + gap + small.width, max(large.height, large.above + small.height - small.above)), 0
    )
    mask.paste(large.mask, (0, 0))
    mask.paste(small.mask, (large.width + gap, large.above - small.above))
    return Ink(text, mask, large.above, em)


def squeezed(line: Ink, width: int) -> Ink:
    """The line squeezed to ``width`` px, no taller and no lower than it was; unchanged if it is no wider."""
    if line.width <= width:
        return line
    mask = line.mask.resize((width, line.height), Image.Resampling.BOX)
    return replace(line, mask=mask, squeeze=line.squeeze * width / line.width)


def near(em: int, wide: int, width: float, smallest: int) -> int:
    """Where to begin looking for the size that fills ``width`` px, if a line at ``em`` px is ``wide`` px wide: just
    above it, because widths grow evenly except for rounding."""
    return em if wide <= width else max(smallest, min(em, int(em * width / wide) + 2))


def fit(text: str, lang: str, width: int, largest: int, smallest: int, weight: Weight = "SemiBold") -> Ink:
    """The line in the largest size (px, of ``largest`` to ``smallest``) that is at most ``width`` px wide; at the
    smallest it may be squeezed to NARROWEST. Raises DoesNotFit."""
    for em in range(near(largest, ink(text, lang, largest, weight).width, width, smallest), smallest - 1, -1):
        if (line := ink(text, lang, em, weight)).width <= width:
            return line
    if line.width * NARROWEST > width:
        raise DoesNotFit(f"{text!r} at {smallest} px is {line.width} px wide; there are {width}")
    return squeezed(line, width)


def cut(text: str, lang: str, width: int, largest: int, smallest: int, weight: Weight = "SemiBold") -> Ink:
    """As ``fit``, for the operator's texts: a text that is too long ends in an ellipsis."""
    for length in range(len(text), 0, -1):
        shown = text if length == len(text) else text[:length].rstrip() + "…"
        try:
            return fit(shown, lang, width, largest, smallest, weight)
        except DoesNotFit:
            continue
    return ink("", lang, smallest, weight)


def wrapped(text: str, lang: str, width: int, em: int, lines: int, weight: Weight = "SemiBold") -> list[Ink]:
    """The text in as few lines as ``width`` px need, at most ``lines``, of similar length. Raises DoesNotFit."""
    words = text.split()
    if not words:
        return []
    for count in range(1, min(lines, len(words)) + 1):
        best = min(_breaks(words, count), key=lambda broken: max(ink(s, lang, em, weight).width for s in broken))
        found = [ink(s, lang, em, weight) for s in best]
        if all(line.width <= width for line in found):
            return found
    raise DoesNotFit(f"{text!r} at {em} px does not fit into {lines} lines of {width} px")


def _breaks(words: list[str], count: int) -> list[list[str]]:
    """Every way to break words into ``count`` lines."""
    if count == 1:
        return [[" ".join(words)]]
    ends = range(1, len(words) - count + 2)
    return [[" ".join(words[:end]), *rest] for end in ends for rest in _breaks(words[end:], count - 1)]
