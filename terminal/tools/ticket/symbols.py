"""The symbols on a ticket: a QR code, and a Code 128 for scanners that read only bars."""

import io
from typing import Any

import segno
import zxingcpp
from PIL import Image

QUIET_BARS = 10
"""Modules of white beside the bars (ISO/IEC 15417, 4.6)."""
QUIET_QR = 4
MODULE_MOST = 8
"""px: a millimetre at 203 dots an inch."""
BAR_LEAST = 2
"""px a module: thinner bars (a quarter of a millimetre) print and scan badly."""


class TooWide(ValueError):
    """The symbol has no room on this paper."""


def qr(text: str) -> segno.QRCode:
    """The text's QR code."""
    return segno.make_qr(text, error="m")


def qr_picture(text: str, width: int) -> Image.Image:
    """The QR code with its quiet zone (mode L), as large as ``width`` px allow, but no module above MODULE_MOST. Raises
    TooWide."""
    code = qr(text)
    side = code.symbol_size(scale=1, border=QUIET_QR)[0]
    if (module := min(MODULE_MOST, width // side)) < BAR_LEAST:
        raise TooWide(f"a QR code of {side} modules: {width} dots hold at most {width // BAR_LEAST}")
    stream = io.BytesIO()
    code.save(stream, kind="png", scale=module, border=QUIET_QR)
    return Image.open(stream).convert("L")


def bars_picture(text: str, width: int, height: int) -> Image.Image:
    """The Code 128 with its quiet zones, as wide as ``width`` px allow in whole px a module (mode L). Raises
    TooWide."""
    made = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.Code128)
    row: Any = made.to_image(scale=1, add_hrt=False, add_quiet_zones=False)
    modules = row.shape[1]
    line = Image.frombytes("L", (modules, 1), bytes(memoryview(row))[:modules])
    whole = Image.new("L", (modules + 2 * QUIET_BARS, 1), 255)
    whole.paste(line, (QUIET_BARS, 0))
    if (module := min(width // whole.width, MODULE_MOST // 2)) < BAR_LEAST:
        raise TooWide(f"a Code 128 of {modules} modules needs {whole.width * BAR_LEAST} dots, and there are {width}")
    return whole.resize((whole.width * module, height), Image.Resampling.NEAREST)
