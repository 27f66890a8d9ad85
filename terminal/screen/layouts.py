"""How each panel is laid out: three compositions for the pay screen, one for all others, and the sizes for each panel.

Capitals of 3 mm are legible at 60 cm: ``plain`` is the font size that gives them on that panel, and nothing that must
be read from the seat is smaller. Sizes are px on the panel named; any other size of picture scales the nearest one.
"""

from dataclasses import dataclass, replace
from typing import Literal

Style = Literal["wide", "narrow", "square"]


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

    def scaled(self, width: int, height: int) -> "Layout":
        """The same composition for a picture of another size."""
        k = min(width / self.width, height / self.height)
        sizes = {
            n: max(1, round(getattr(self, n) * k))
            for n in ("plain", "call", "amount", "title", "heading", "text", "small", "picture")
        }
        rest = {n: max(1, round(getattr(self, n) * k)) for n in ("margin", "least")}
        return replace(self, width=width, height=height, **sizes, **rest)


_WIDE = Layout("ili9488", 480, 320, "wide", 28, 38, 60, 44, 40, 22, 17, 112, 14, 7)
LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("st7789-240", 240, 240, "square", 44, 48, 60, 44, 32, 17, 14, 76, 10, 4),
        Layout("st7789-320", 320, 240, "narrow", 34, 34, 48, 36, 32, 17, 14, 76, 10, 5),
        Layout("ili9341", 320, 240, "narrow", 24, 28, 46, 34, 30, 18, 14, 76, 10, 5),
        replace(_WIDE, name="ili9486"),
        _WIDE,
    )
}
"""By the panels' names in the configuration."""


def layout_for(panel: str, width: int, height: int) -> Layout:
    """The layout of a panel, or for ``png`` the nearest one, at that size. Raises ValueError for a picture that is
    higher than wide, smaller than 160 x 120, or not the panel's own size."""
    if width < height or width < 160 or height < 120:
        raise ValueError(f"lcd.panel {panel!r}: {width}x{height}; screens are landscape, 160x120 or larger")
    if panel in LAYOUTS:
        layout = LAYOUTS[panel]
        if (layout.width, layout.height) != (width, height):
            raise ValueError(f"lcd.panel {panel!r} has {layout.width}x{layout.height} pixels, not {width}x{height}")
        return layout
    shape = width / height
    nearest = min(
        LAYOUTS.values(),
        key=lambda one: (abs(one.width / one.height - shape), abs(one.height - height)),
    )
    return nearest.scaled(width, height)
