"""A payment link <-> the modules of a QR symbol <-> pixels: what the contract's ``screen.qr`` holds.

A link's long runs of digits go into numeric segments (3.3 bits a digit instead of 8), so that PayBy's 85 bytes need
version 5 instead of 6, and some of them 4: the millimetres of a module decide how far off a phone reads the code.
zxing-cpp's encoder (zint) cuts the segments, in a thirtieth of segno's time. We take the smallest version that level L
allows, then the highest level that it still holds. The mask is fixed: the choice changes the distance by at most 4 %,
and this one reads farthest on the recommended panel. ISO/IEC 18004 leaves the choice to the encoder; ``proven`` tries
the others if a reader fails.
"""

import base64
import binascii
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

import zxingcpp

from terminal.contract.messages import Qr

if TYPE_CHECKING:  # a worker makes codes and draws none
    from PIL import Image

QUIET = 4
"""Light modules around the symbol (ISO/IEC 18004)."""

MIN_MODULE_PX = 4.0
"""A narrower module (px) is not shown: a token that needs it is too long for the panel."""

MASK = 1
_MASKS = (MASK, *(mask for mask in range(8) if mask != MASK))
_DARK = bytes.maketrans(b"\x00\xff", b"10")
_KIND = zxingcpp.BarcodeFormat.QRCode
_QR = zxingcpp.BarcodeFormats(_KIND)
_MAX_URL = 512  # bytes; the contract's largest panel shows far less
_FINE = 16  # px a module before the one resize
_READ = 3  # px a module for a reader
_PIXELS = bytes.maketrans(b"01", b"\xff\x00")


class QrError(ValueError):
    """No symbol, or no readable symbol, can be made of this; the text says why."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A QR symbol without quiet zone: ``size`` modules a side; ``bits`` row after row without padding between rows,
    most significant bit first, 1 = dark, the last byte filled with zeros. Raises QrError for anything else."""

    size: int
    bits: bytes

    def __post_init__(self) -> None:
        if self.size not in range(21, 178, 4):
            raise QrError(f"QR symbol: {self.size} modules a side is not a size of a QR symbol (21, 25 … 177)")
        spare = -(self.size**2) % 8
        if len(self.bits) != (self.size**2 + spare) // 8 or self.bits[-1] & ((1 << spare) - 1):
            raise QrError(f"QR symbol: {len(self.bits)} bytes are not the modules of {self.size} x {self.size}")

    @property
    def sha256(self) -> str:
        """SHA-256 of the bits, hex, as the worker signs it."""
        return hashlib.sha256(self.bits).hexdigest()


def encode(url: str, mask: int = MASK) -> Symbol:
    """A link -> its symbol; raises QrError for an empty link, one over 512 bytes, or one that is not printable ASCII (a
    URL has nothing else, and readers interpret the rest differently)."""
    if not url or len(url) > _MAX_URL or not (url.isascii() and url.isprintable()):
        raise QrError(f"QR code: 1 to {_MAX_URL} printable ASCII characters are needed, got {len(url)}: {url[:40]!r}")
    size, flat = _symbol(url, "L", mask)
    for level in "HQM":
        with suppress(ValueError):  # it does not fit
            size, flat = _symbol(url, level, mask, version=(size - 17) // 4)
            break
    spare = -len(flat) % 8
    dark = int(flat.translate(_DARK).decode(), 2)
    return Symbol(size, (dark << spare).to_bytes((len(flat) + spare) // 8, "big"))


def _symbol(url: str, level: str, mask: int, **version: int) -> tuple[int, bytes]:
    """A symbol's modules a side, and its modules row after row, 0 = dark; raises ValueError if it does not fit."""
    made = zxingcpp.create_barcode(url, _KIND, ec_level=level, data_mask=mask, **version)
    image = made.to_image(scale=1, add_quiet_zones=False)
    return image.shape[0], bytes(memoryview(image))  # type: ignore[arg-type]  # its stub forgets the buffer protocol


def draw(symbol: Symbol, side: int) -> "Image.Image":
    """The symbol with its quiet zone, filling ``side`` x ``side`` pixels exactly, mode L.

    It is the same picture, to within one level of grey, as modules of 16 x 16 pixels resized once with BOX, at a tenth
    of the work: each direction is enlarged just before it is reduced, and equal rows are made once. (A 1-bit image
    would be resized with NEAREST, which costs 16 % of the distance.)
    """
    from PIL import Image

    total = symbol.size + 2 * QUIET
    image = Image.frombytes("L", (total, total), b"".join(_rows(symbol)))
    nearest, box = Image.Resampling.NEAREST, Image.Resampling.BOX
    tall = image.resize((total, total * _FINE), nearest).resize((total, side), box).tobytes()
    runs = [(row, len(list(same))) for row, same in groupby(tall[at : at + total] for at in range(0, len(tall), total))]
    rows = Image.frombytes("L", (total, len(runs)), b"".join([row for row, _ in runs]))
    wide = rows.resize((total * _FINE, len(runs)), nearest).resize((side, len(runs)), box).tobytes()
    return Image.frombytes(
        "L", (side, side), b"".join([wide[at * side : (at + 1) * side] * count for at, (_, count) in enumerate(runs)])
    )


def _rows(symbol: Symbol) -> list[bytes]:
    """The symbol with its quiet zone, a row of grey pixels for a row of modules."""
    text = format(int.from_bytes(symbol.bits, "big"), f"0{len(symbol.bits) * 8}b")
    pixels = text[: symbol.size**2].encode().translate(_PIXELS)
    light, beside = [b"\xff" * (symbol.size + 2 * QUIET)] * QUIET, b"\xff" * QUIET
    rows = [beside + pixels[at : at + symbol.size] + beside for at in range(0, len(pixels), symbol.size)]
    return [*light, *rows, *light]


def _says(symbol: Symbol) -> str | None:
    """The text that a reader finds in the symbol alone, at 3 px a module: the least work that reads every symbol."""
    side = (symbol.size + 2 * QUIET) * _READ
    wide = [row.replace(b"\xff", b"\xff" * _READ).replace(b"\x00", bytes(_READ)) * _READ for row in _rows(symbol)]
    return _read(memoryview(b"".join(wide)).cast("B", (side, side)))


def module_px(symbol: Symbol, side: int) -> float:
    """The width (px) of one module if symbol and quiet zone fill ``side`` pixels."""
    return side / (symbol.size + 2 * QUIET)


def check_size(symbol: Symbol, side: int) -> None:
    """Raise QrError if the symbol has too many modules for ``side`` pixels: it is refused, not shrunk."""
    if module_px(symbol, side) < MIN_MODULE_PX:
        most = int(side / MIN_MODULE_PX) - 2 * QUIET
        raise QrError(f"QR code: {symbol.size} modules a side; {side} pixels hold at most {most}")


def decode(image: "Image.Image") -> str | None:
    """What a reader finds in a finished frame of any mode: the text of its one QR code; None for none or several."""
    return _read(image if image.mode == "L" else image.convert("L"))


def _read(grey: "memoryview | Image.Image") -> str | None:
    found = zxingcpp.read_barcodes(grey, formats=_QR)
    return found[0].text if len(found) == 1 and found[0].valid else None


def shows(image: "Image.Image", symbol: Symbol) -> bool:
    """Does a reader find exactly one code in a finished frame, with the text of this symbol alone? For a trusted
    worker's symbol that is the token's link, because the worker sends only symbols that a reader gives back
    (``proven``)."""
    text = decode(image)
    return text is not None and text == _says(symbol)


def bears_code(image: "Image.Image") -> bool:
    """Does a reader find a bar code of any kind in the picture?"""
    return bool(zxingcpp.read_barcodes(image.convert("L")))


@lru_cache(maxsize=4)
def proven(url: str) -> Symbol:
    """A link -> a symbol that a reader gave back as exactly this link; raises QrError if it does with none of the eight
    masks."""
    for mask in _MASKS:
        symbol = encode(url, mask)
        if _says(symbol) == url:
            return symbol
    raise QrError(f"QR code: no reader gives {url[:40]!r} back")


def to_wire(symbol: Symbol) -> Qr:
    """A symbol -> the contract's ``screen.qr``."""
    return Qr(symbol.size, base64.b64encode(symbol.bits).decode())


def from_wire(qr: Qr) -> Symbol:
    """The contract's ``screen.qr`` -> a symbol; raises QrError."""
    try:
        bits = base64.b64decode(qr.bits, validate=True)
    except (binascii.Error, ValueError):
        raise QrError("QR symbol: the bits are not Base64") from None
    return Symbol(qr.size, bits)
