"""A white sheet, and the box of everything on it.

Everything set is noted with its box, so that tests can check that nothing is cut and nothing overlaps.
"""

from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from terminal.screen.fonts import Ink, Weight, font
from terminal.screen.pictograms import INK, WHITE, Colour

SheetBox = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom are the first pixels outside."""


def moved(box: SheetBox, x: int, y: int) -> SheetBox:
    """The box, moved this many px right and down."""
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


@dataclass(frozen=True, slots=True)
class Placed:
    """Something on the sheet: ``kind`` is text, picture, code or countdown. ``em`` is a text's font size in px."""

    kind: str
    text: str
    box: SheetBox
    em: int = 0
    squeeze: float = 1.0


@dataclass(frozen=True, slots=True)
class Countdown:
    """Where the seconds are: digits in cells of one width, right-aligned at ``right``, on ``baseline``."""

    right: int
    baseline: int
    em: int
    weight: Weight
    cell: int
    colon: int

    def draw(self, image: Image.Image, text: str) -> None:
        """Draw digits and colons (``text``, such as 1:30) into ``image``, from the right; what was there stays."""
        pen, face, x = ImageDraw.Draw(image), font(self.weight, self.em), self.right
        for char in reversed(text):
            x -= self.colon if char == ":" else self.cell
            width = self.colon if char == ":" else self.cell
            pen.text((x + width / 2, self.baseline), char, INK, face, anchor="ms")


@dataclass
class Sheet:
    """The picture while it is being set."""

    width: int
    height: int
    placed: list[Placed] = field(default_factory=list)
    countdown: Countdown | None = None

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", (self.width, self.height), WHITE)

    def ink(self, line: Ink, x: int, baseline: int, colour: Colour = INK) -> None:
        """Set a line with its left edge at x."""
        if line.width:
            top = baseline - line.above
            self.image.paste(colour, (x, top), line.mask)
            box = (x, top, x + line.width, top + line.height)
            self.placed.append(Placed("text", line.text, box, line.em, line.squeeze))

    def picture(self, image: Image.Image, x: int, y: int, kind: str = "picture", text: str = "") -> None:
        """Set a picture with its upper left corner at (x, y)."""
        self.image.paste(image, (x, y))
        self.placed.append(Placed(kind, text, (x, y, x + image.width, y + image.height)))
