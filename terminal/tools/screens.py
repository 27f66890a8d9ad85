"""``exit-terminal screens``: every screen of every panel as a picture, and all of them on one sheet. And the test card
that ``exit-terminal lcd --test`` brings to the real panel."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from terminal.screen import qr
from terminal.screen.fonts import fit, ink
from terminal.screen.layouts import LAYOUTS
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, URL, views
from terminal.screen.view import Site
from terminal.screen.wifi_page import wifi

_NETWORK = "Marina Guest", "welcome 2026"
_COLUMNS, _WIDTH, _GAP, _LABEL = 6, 320, 12, 16  # of the contact sheet; px
_GROUND, _PAPER = (88, 92, 98), (255, 255, 255)


def pictures(panel: str, url: str = URL, site: Site = SITE) -> dict[str, Image.Image]:
    """All screens of a panel (a key of layouts.LAYOUTS) by their names, including a lane's Wi-Fi; screens that look the
    same as another one there are left out."""
    renderer = Renderer(LAYOUTS[panel], replace(site, wifi=wifi(*_NETWORK)))
    shown = views(url)
    shown["pay-wifi"] = replace(shown["pay"], page="wifi", left=None)
    found: dict[str, Image.Image] = {}
    for name, view in shown.items():
        image = renderer.compose(view)
        if image not in found.values():
            found[name] = image
    return found


def run(out: Path, url: str | None = None, site: Site = SITE) -> list[Path]:
    """Write ``<panel>-<state>[-<reason>].png`` for every screen of every panel, in its own pixels, and
    ``contact-sheet.png``; make the folder. Returns the files. Raises qr.QrError for a text that no QR code can carry,
    or none on the panel that it names; OSError if nothing can be written."""
    qr.proven(url := URL if url is None else url)
    shown: dict[str, Image.Image] = {}
    for panel in LAYOUTS:
        try:
            shown |= {f"{panel}-{name}": image for name, image in pictures(panel, url, site).items()}
        except qr.QrError as error:
            raise qr.QrError(f"{panel}: {error}") from None
    shown["contact-sheet"] = contact_sheet(shown)
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, image in shown.items():
        files.append(out / f"{name}.png")
        image.save(files[-1])
    return files


def contact_sheet(shown: dict[str, Image.Image]) -> Image.Image:
    """All pictures in rows, each with its name below; the large ones reduced."""
    tiles = [
        (name, image.reduce(-(-image.width // _WIDTH)) if image.width > _WIDTH else image)
        for name, image in shown.items()
    ]
    rows: list[Sequence[tuple[str, Image.Image]]] = []
    for panel in LAYOUTS:  # a panel begins a row
        own = [tile for tile in tiles if tile[0].startswith(f"{panel}-")]
        rows += [own[at : at + _COLUMNS] for at in range(0, len(own), _COLUMNS)]
    heights = [max(image.height for _, image in row) + _LABEL + _GAP for row in rows]
    sheet = Image.new("RGB", (_COLUMNS * (_WIDTH + _GAP) + _GAP, sum(heights) + _GAP), _GROUND)
    y = _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, (name, image) in enumerate(row):
            x = _GAP + column * (_WIDTH + _GAP)
            sheet.paste(image, (x, y))
            label = ink(name, "en", 12, "Medium")
            sheet.paste(_PAPER, (x, y + image.height + 12 - label.above), label.mask)
        y += height
    return sheet


def test_card(width: int, height: int, url: str = URL) -> Image.Image:
    """The test card, which shows at a glance whether a panel is wired and set up well: a line along each edge
    (offsets), an arrow that points up (rotation), red, green and blue by name (colour order), grey steps, and a QR
    code."""
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width - 1, height - 1), outline="black")
    side = min(height - 16, width * 2 // 3)
    image.paste(qr.draw(qr.encode(url), side), (8, (height - side) // 2))
    left, right, step = side + 12, width - 8, height // 9
    pen.polygon([((left + right) // 2, 6), (right - 4, 4 + step), (left + 4, 4 + step)], fill="black")
    bars = {"RED": (255, 0, 0), "GREEN": (0, 255, 0), "BLUE": (0, 0, 255), f"{width}x{height}": (255, 255, 255)}
    for at, (name, colour) in enumerate(bars.items(), 1):
        top = 4 + at * step + at * step // 8
        pen.rectangle((left, top, right, top + step - 1), fill=colour)
        label = fit(name, "en", right - left - 4, step * 3 // 4, 6)
        dark = "white" if name in ("RED", "BLUE") else "black"
        image.paste(Image.new("RGB", label.mask.size, dark), (left + 3, top + (step - label.height) // 2), label.mask)
    for at in range(8):
        x = left + (right - left) * at // 8
        pen.rectangle((x, height - 8 - step, left + (right - left) * (at + 1) // 8, height - 8), fill=(at * 36,) * 3)
    return image
