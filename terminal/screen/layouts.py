"""Each panel's layout: four compositions for the pay screen, one for all others, and the sizes for each panel.

Capitals of 3 mm are legible at 60 cm: ``plain`` is the font size that gives them on that panel, and nothing that must
be read from the seat is smaller. Sizes are px on the named panel; for any other picture size the nearest one is scaled.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

Style = Literal["wide", "narrow", "square", "tall"]


@dataclass(frozen=True, slots=True)
class Layout:
    """A panel's size in px and its measures: font sizes, heights of pictures, margins; all in px."""

    name: str
    width: int
    height: int
    style: Style
    plain: int
    call: int
    amount: int
    title: int
    heading: int
    text: int
    small: int
    picture: int
    margin: int
    least: int

    @property
    def stacked(self) -> bool:
        """Is there no room for a picture beside the words?"""
        return self.style in ("square", "tall")

    def scaled(self, width: int, height: int) -> "Layout":
        """The same composition for a picture of another size."""
        k = min(width / self.width, height / self.height)
        return replace(self, width=width, height=height, **{n: max(1, round(getattr(self, n) * k)) for n in _MEASURES})

    def upright(self) -> "Layout":
        """For the same panel turned by a quarter: words below the code."""
        return replace(self, width=self.height, height=self.width, style="tall")


_MEASURES = tuple(one.name for one in fields(Layout) if one.name not in ("name", "width", "height", "style"))
_WIDE = Layout("ili9488", 480, 320, "wide", 28, 34, 48, 44, 40, 22, 19, 112, 14, 7)
LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("st7789-240", 240, 240, "square", 44, 44, 56, 44, 32, 17, 14, 76, 10, 4),
        Layout("st7789-320", 320, 240, "narrow", 34, 34, 48, 36, 32, 17, 14, 76, 10, 5),
        Layout("ili9341", 320, 240, "narrow", 24, 28, 46, 34, 30, 18, 14, 76, 10, 5),
        replace(_WIDE, name="ili9486"),
        _WIDE,
        # 7 inch: 154 mm wide. ``plain`` has capitals of 5.5 mm there, for a code that is read from 110 cm.
        Layout("framebuffer-800x480", 800, 480, "wide", 42, 54, 78, 66, 60, 34, 26, 172, 22, 11),
        Layout("framebuffer-1024x600", 1024, 600, "wide", 53, 70, 102, 84, 76, 44, 33, 218, 28, 14),
    )
}
"""The layouts, by the panels' names in the configuration; those of a framebuffer with the size behind."""


def pixels(panel: str, rotate: int) -> tuple[int, int]:
    """Width and height (px) of the pictures of a configured panel, except ``png`` and ``framebuffer``, turned by this
    many quarters."""
    layout = LAYOUTS[panel]
    return (layout.width, layout.height) if rotate % 2 == 0 else (layout.height, layout.width)


def layout_for(panel: str, width: int, height: int) -> Layout:
    """The layout of a panel, also upright; for ``png`` and ``framebuffer`` the one of the nearest shape and size,
    scaled. Raises ValueError for a picture whose shorter side is under 120 px, and for a picture that does not have the
    panel's size."""
    if min(width, height) < 120:
        raise ValueError(f"lcd.panel {panel!r}: {width}x{height} px are too few; the shorter side needs 120")
    known = [LAYOUTS[panel]] if panel in LAYOUTS else list(LAYOUTS.values())
    known += [layout.upright() for layout in known if layout.style != "square"]
    for layout in known:
        if (layout.width, layout.height) == (width, height):
            return layout
    if panel in LAYOUTS:
        raise ValueError(f"lcd.panel {panel!r} has {known[0].width}x{known[0].height} px, not {width}x{height}")
    shape = width / height
    return min(known, key=lambda one: (abs(one.width / one.height - shape), abs(one.height - height))).scaled(
        width, height
    )
