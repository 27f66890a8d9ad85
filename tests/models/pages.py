"""The pages that the panels' bytes are counted on: an idle page, and a code with a price and a countdown beside it.

Their layout is a fixed yardstick and not the product's: figures about it stay comparable while screens change.
"""

from dataclasses import dataclass

import segno
from PIL import Image, ImageDraw, ImageFont

URL = ("https://checkout.payby.com/q/20260722/0123456789ABCDEFabcdef0123456789abcdef" + "x" * 84)[:84]


@dataclass(frozen=True)
class Pages:
    """One panel's pages, RGB."""

    idle: Image.Image
    pay_300: Image.Image
    pay_259: Image.Image
    pay_258: Image.Image


def pages(width: int, height: int) -> Pages:
    """The pages of a panel of this size: landscape, or square with the words in its margins."""
    symbol = segno.make(URL, error="m", micro=False, boost_error=False)
    modules = len(symbol.matrix)
    scale = min(width, height) // (modules + 8)
    code = Image.frombytes("L", (modules, modules), b"".join(bytes(row) for row in symbol.matrix))
    code = code.point([255] + [0] * 255).resize((modules * scale,) * 2, Image.Resampling.NEAREST)

    def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size)

    idle = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(idle).text((width // 2, height // 2), "Insert ticket", "black", font(width // 9), "mm")

    def pay(left: str) -> Image.Image:
        image = Image.new("RGB", (width, height), "white")
        image.paste(code, (4 * scale,) * 2)
        wide = width > height
        x = (scale * (modules + 8) + width) // 2 if wide else width - 40
        y = height // 2 if wide else height - 8
        size = width // 12 if wide else 13
        draw = ImageDraw.Draw(image)
        draw.text((x, y), left, (176, 0, 0), font(size), "mm")
        draw.text((x, y - height // 4) if wide else (50, y), "25.00", "black", font(size), "mm")
        return image

    return Pages(idle, pay("3:00"), pay("2:59"), pay("2:58"))
