"""What a receipt printer does with ESC/POS bytes, after Epson's "ESC/POS Command Reference": the paper that comes out.

Only the commands that a ticket needs; every other byte is refused, as a real printer would print it as rubbish.
"""

from dataclasses import dataclass, field

from PIL import Image

ESC, GS = 0x1B, 0x1D
CUTS = (0, 1, 48, 49)
"""GS V m: full and partial cuts."""


@dataclass
class ReceiptPaper:
    """``rows``: the dots of each line, left to right, True is black. ``cut_at``: at which rows it was cut."""

    dots: int
    rows: list[list[bool]] = field(default_factory=list)
    cut_at: list[int] = field(default_factory=list)
    initialised: int = 0

    def take(self, data: bytes) -> None:
        """Obey the bytes; raises ValueError for a command that is not known here, and for a line wider than the
        paper."""
        at = 0
        while at < len(data):
            at = self._obey(data, at)

    def _obey(self, data: bytes, at: int) -> int:
        match data[at], data[at + 1 : at + 2]:
            case 0x0A, _:  # LF
                return at + 1
            case 0x1B, b"@":  # ESC @: initialise
                self.initialised += 1
                return at + 2
            case 0x1B, b"d":  # ESC d n: print and feed n lines
                self.rows += [[False] * self.dots for _ in range(data[at + 2] * 30)]
                return at + 3
            case 0x1D, b"v":  # GS v 0 m xL xH yL yH d1 … dk: print a raster bit image
                if data[at + 2] != 0x30 or data[at + 3] != 0:
                    raise ValueError(f"GS v {data[at + 2 : at + 4].hex()}: only 0 0, no scaling, is known")
                wide, high = (
                    int.from_bytes(data[at + 4 : at + 6], "little"),
                    int.from_bytes(data[at + 6 : at + 8], "little"),
                )
                begin = at + 8
                for row in range(high):
                    line = data[begin + row * wide : begin + (row + 1) * wide]
                    if len(line) < wide:
                        raise ValueError("the image ends too early")
                    bits = [bool(byte & (0x80 >> bit)) for byte in line for bit in range(8)]
                    if any(bits[self.dots :]):
                        raise ValueError(f"a line of {len(bits)} dots on paper of {self.dots}")
                    self.rows.append((bits + [False] * self.dots)[: self.dots])
                return begin + wide * high
            case 0x1D, b"V" if data[at + 2] in CUTS:  # GS V m: cut
                self.cut_at.append(len(self.rows))
                return at + 3
        raise ValueError(f"unknown command {data[at : at + 4].hex()} at {at}")

    def picture(self) -> Image.Image:
        """The paper, mode L."""
        pixels = bytes(0 if dark else 255 for row in self.rows for dark in row)
        return Image.frombytes("L", (self.dots, len(self.rows)), pixels)
