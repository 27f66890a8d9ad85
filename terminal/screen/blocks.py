"""The blocks of a sheet, set from top to bottom.

Heights are those of the ink, so that even gaps look even. A block never changes, so it reckons its height once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Literal, Protocol

from PIL import Image

from terminal.screen.fonts import DoesNotFit, Ink, Weight, font
from terminal.screen.pictograms import INK, RULE, Colour
from terminal.screen.sheet import Countdown, Placed, Sheet, SheetBox

Align = Literal["left", "centre", "right"]


_DIGIT = 0.74
"""Height of the tallest digit, in font sizes: round ones stand a little above a capital."""


class Block(Protocol):
    """Something with a height that can be set between two edges."""

    @property
    def height(self) -> int:
        """The height of the ink, in px."""

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        """Put it on ``sheet`` between two edges, its top at ``top`` (all px). Raises DoesNotFit if the room is too
        small."""


def _x(width: int, left: int, right: int, align: Align) -> int:
    return {"left": left, "centre": (left + right - width + 1) // 2, "right": right - width}[align]


@dataclass(frozen=True)
class TextLine:
    """One line of text."""

    ink: Ink
    align: Align = "centre"
    colour: Colour = INK

    @property
    def height(self) -> int:
        return self.ink.height

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        if self.ink.width > right - left:
            raise DoesNotFit(f"{self.ink.text!r} is {self.ink.width} px wide; there are {right - left}")
        sheet.ink(self.ink, _x(self.ink.width, left, right, self.align), top + self.ink.above, self.colour)


@dataclass(frozen=True)
class TextRow:
    """Lines beside each other on one baseline: at the left edge, in the middle, at the right edge. The middle is that
    of the whole row, so that rows below each other stand in line; a line in its way moves it aside."""

    left: Ink | None = None
    middle: Ink | None = None
    right: Ink | None = None
    gap: int = 6

    @cached_property
    def _inks(self) -> list[Ink]:
        return [ink for ink in (self.left, self.middle, self.right) if ink and ink.width]

    @cached_property
    def _above(self) -> int:
        return max((ink.above for ink in self._inks), default=0)

    @cached_property
    def height(self) -> int:
        return self._above + max((ink.height - ink.above for ink in self._inks), default=0)

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        free = right - left - sum(ink.width for ink in self._inks) - self.gap * (len(self._inks) - 1)
        if free < 0:
            raise DoesNotFit(f"{' '.join(ink.text for ink in self._inks)!r} is {-free} px too wide for one row")
        baseline, middle = top + self._above, _x(self.middle.width, left, right, "centre") if self.middle else 0
        if self.left:
            sheet.ink(self.left, left, baseline)
            left += self.left.width + self.gap * (self.left.width > 0)
        if self.right:
            sheet.ink(self.right, right - self.right.width, baseline)
            right -= self.right.width + self.gap * (self.right.width > 0)
        if self.middle:
            sheet.ink(self.middle, min(max(middle, left), right - self.middle.width), baseline)


@dataclass(frozen=True)
class Group:
    """Lines beside each other on one baseline, ``gap`` px apart, centred together."""

    inks: Sequence[Ink]
    gap: int

    @cached_property
    def _above(self) -> int:
        return max((ink.above for ink in self.inks), default=0)

    @cached_property
    def height(self) -> int:
        return self._above + max((ink.height - ink.above for ink in self.inks), default=0)

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        width = sum(ink.width + self.gap for ink in self.inks) - self.gap
        if width > right - left:
            raise DoesNotFit(
                f"{' '.join(ink.text for ink in self.inks)!r} is {width} px wide; there are {right - left}"
            )
        x = _x(width, left, right, "centre")
        for ink in self.inks:
            sheet.ink(ink, x, top + self._above)
            x += ink.width + self.gap


@dataclass(frozen=True)
class Picture:
    """A picture by itself."""

    image: Image.Image
    align: Align = "centre"

    @property
    def height(self) -> int:
        return self.image.height

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        sheet.picture(self.image, _x(self.image.width, left, right, self.align), top)


@dataclass(frozen=True)
class Pictures:
    """Pictures beside each other, ``gap`` px apart, centred together and in height."""

    images: Sequence[Image.Image]
    gap: int

    @property
    def height(self) -> int:
        return max(image.height for image in self.images)

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        x = _x(sum(image.width + self.gap for image in self.images) - self.gap, left, right, "centre")
        for image in self.images:
            sheet.picture(image, x, top + (self.height - image.height) // 2)
            x += image.width + self.gap


@dataclass(frozen=True)
class Rule:
    """A thin line from edge to edge."""

    height: int = 2

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        sheet.picture(Image.new("RGB", (right - left, self.height), RULE), left, top, "rule")


@dataclass(frozen=True)
class Seconds:
    """Room for the countdown's digits, each in its own cell, so that a second changes only one."""

    em: int
    chars: str
    weight: Weight = "SemiBold"

    @property
    def _cells(self) -> tuple[int, int]:
        """Widths of a digit's and of the colon's cell."""
        face = font(self.weight, self.em)
        return max(ceil(face.getlength(char)) for char in self.chars), round(face.getlength(":"))

    @property
    def height(self) -> int:
        return ceil(_DIGIT * self.em)

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        cell, colon = self._cells
        digits = 3 * cell + colon
        x = _x(digits, left, right, "centre")
        if x < left:
            raise DoesNotFit(f"the countdown is {left - x} px too wide")
        end, baseline = x + digits, top + self.height
        sheet.countdown = Countdown(end, baseline, self.em, self.weight, cell, colon)
        box = (end - digits, top, end, baseline + 2)
        sheet.placed.append(Placed("countdown", "", box, self.em))


@dataclass(frozen=True)
class Stack:
    """Blocks that belong together, ``gap`` px apart."""

    blocks: Sequence[Block]
    gap: int

    @cached_property
    def _shown(self) -> list[Block]:
        return [block for block in self.blocks if block.height]

    @cached_property
    def height(self) -> int:
        return max(0, sum(block.height + self.gap for block in self._shown) - self.gap)

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        for block in self._shown:
            block.set(sheet, left, right, top)
            top += block.height + self.gap


@dataclass(frozen=True)
class Beside:
    """A picture at the left and a block to its right, both centred in height."""

    image: Image.Image
    block: Block
    gap: int

    @cached_property
    def height(self) -> int:
        return max(self.image.height, self.block.height)

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        sheet.picture(self.image, left, top + (self.height - self.image.height) // 2)
        self.block.set(sheet, left + self.image.width + self.gap, right, top + (self.height - self.block.height) // 2)


@dataclass(frozen=True)
class Halves:
    """Two blocks beside each other, each with half of the room, both centred in height."""

    first: Block
    second: Block
    gap: int

    @cached_property
    def height(self) -> int:
        return max(self.first.height, self.second.height)

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        middle = (left + right) // 2
        self.first.set(sheet, left, middle - self.gap, top + (self.height - self.first.height) // 2)
        self.second.set(sheet, middle + self.gap, right, top + (self.height - self.second.height) // 2)


@dataclass(frozen=True)
class Blank:
    """Empty room, so that a later block moves nothing around it."""

    height: int

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        """It stays white."""


@dataclass(frozen=True)
class Slot:
    """A block centred in a room of fixed height, so that another block in its place moves nothing around it."""

    block: Block
    height: int

    def set(self, sheet: Sheet, left: int, right: int, top: int) -> None:
        if (spare := self.height - self.block.height) < 0:
            raise DoesNotFit(f"a block of {self.block.height} px does not fit into {self.height} px")
        self.block.set(sheet, left, right, top + spare // 2)


def needed(blocks: Sequence[Block], least: int) -> int:
    """How high (px) a box must be for ``flow`` to set these blocks."""
    heights = [block.height for block in blocks if block.height]
    return sum(heights) + least * max(0, len(heights) - 1)


def flow(sheet: Sheet, box: SheetBox, blocks: Sequence[Block], least: int, most: int = 1 << 16) -> list[int]:
    """Set blocks from the box's top to its bottom with even gaps of at least ``least`` px; if more than ``most``
    would be left between them, they are centred. Returns where each begins. Raises DoesNotFit."""
    left, top, right, bottom = box
    shown = [block for block in blocks if block.height]
    free = bottom - top - sum(block.height for block in shown)
    gaps = len(shown) - 1
    if (over := needed(blocks, least) - (bottom - top)) > 0:
        raise DoesNotFit(f"{len(shown)} blocks are {over} px too high for {bottom - top} px")
    gap = min(free / gaps, most) if gaps else 0
    y, tops = top + (free - gap * gaps) / 2, []
    for block in blocks:
        tops.append(round(y))
        if block.height:
            block.set(sheet, left, right, round(y))
            y += block.height + gap
    return tops
