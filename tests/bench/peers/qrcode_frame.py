"""The package qrcode, as its page shows it: URL -> picture of 240 x 240 -> RGB565, ``python -m ... URL``."""

import sys

import qrcode
from PIL import Image

from tests.bench.peers.asked import cpu_us


def frame(url: str) -> bytes:
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(url)
    code.make(fit=True)
    image = code.make_image().get_image().convert("RGB").resize((240, 240), Image.Resampling.LANCZOS)
    red, green, blue = (band.tobytes() for band in image.split())
    pixels = bytearray()
    for r, g, b in zip(red, green, blue, strict=True):
        pixels += ((r & 0xF8) << 8 | (g & 0xFC) << 3 | b >> 3).to_bytes(2)
    return bytes(pixels)


if __name__ == "__main__":
    cpu_us(lambda: frame(sys.argv[1]))
