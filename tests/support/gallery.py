"""The pictures of the screens in deploy/pictures, which the README shows.

    python -m tests.support.gallery

Needed anew whenever a screen changes; test_screens_tool.py says so.
"""

import sys
from functools import cache
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from terminal.screen.layouts import LAYOUTS
from terminal.tools.screens import contact_sheet, pictures

PICTURES = Path(__file__).parents[2] / "deploy" / "pictures"
LARGE = ("idle", "wait", "pay", "paid", "free", "help-ticket-used", "pay-wifi", "closed-operator", "out-of-order-payby")
PAYS = ("st7789-240-pay", "st7789-240-pay-words", "st7789-320-pay", "ili9341-pay")
_GROUND, _GAP = (226, 230, 236), 16


def screens() -> dict[str, Image.Image]:
    """Every screen of every panel."""
    return {f"{panel}-{name}": image for panel in LAYOUTS for name, image in pictures(panel).items()}


@cache
def gallery() -> dict[str, Image.Image]:
    """The files by their names in deploy/pictures."""
    shown = screens()
    large = [shown[f"ili9488-{name}"] for name in LARGE]
    return {
        "screens.png": _rows([large[at : at + 3] for at in range(0, len(large), 3)]),
        "panels.png": _rows([[shown[name] for name in PAYS]]),
        "contact-sheet.png": contact_sheet(shown),
    }


def _rows(rows: list[list[Image.Image]]) -> Image.Image:
    width = max(sum(image.width + _GAP for image in row) for row in rows) + _GAP
    height = sum(max(image.height for image in row) + _GAP for row in rows) + _GAP
    sheet, y = Image.new("RGB", (width, height), _GROUND), _GAP
    for row in rows:
        x = _GAP
        for image in row:
            sheet.paste(image, (x, y))
            x += image.width + _GAP
        y += max(image.height for image in row) + _GAP
    return sheet


def main() -> None:
    for name, image in gallery().items():
        image.quantize(256, dither=Image.Dither.NONE).save(PICTURES / name, optimize=True)


if __name__ == "__main__":
    main()
