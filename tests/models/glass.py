"""Models of LCD controllers, byte for byte as their data sheets have it, each with the glass that we know it by.

A model is a panel.Wire: what a driver sends it goes into its memory, and seen() is what a person sees. It is strict:
an unknown command, a wrong number of parameters, a window outside the memory, pixels too many or too few, a command
too soon after a reset or after ``sleep out``: each raises Garbage. Colours come out with 8 bits a channel.

What a chip keeps of a pixel in 3 bits, no data sheet says: here a bit fills its channel, so that 7 is white, as on the
ILI9488s of Arduino_GFX (src/display/Arduino_ILI9488_3bit.cpp).

Data sheets: Sitronix ST7789V 1.4 (8.8 data format, 8.12 address control, 9 commands), ILI9341 1.11 (7.6, 8),
ILI9486 (4.7, 5), ILI9488 1.0 (4.7, 5).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from PIL import Image, ImageChops

MY, MX, MV, BGR = 0x80, 0x40, 0x20, 0x08


class Garbage(Exception):
    """No controller of this kind should ever be sent that."""


@dataclass(frozen=True)
class Chip:
    """What tells one controller from another."""

    name: str
    columns: int
    rows: int
    commands: dict[int, tuple[int, ...]]
    """Every command that is known, with the numbers of parameters that it may have."""
    formats: dict[int, int]
    """COLMOD's lower three bits for our interface -> bits a pixel."""
    inverted: bool
    """The glass shows true colours with the inversion on (IPS)."""
    bgr: bool
    """The glass's colour filter runs blue, green, red."""
    scan: int = 0xB6
    """The command whose second parameter says in which direction the glass is scanned; ILI's "display function"."""


_COMMON = dict.fromkeys((1, 16, 17, 19, 32, 33, 40, 41, 52, 56, 57), (0,))
_COMMON |= {0x2A: (4,), 0x2B: (4,), 0x36: (1,), 0x3A: (1,)}

ST7789 = Chip(
    "ST7789V",
    240,
    320,
    _COMMON
    | {0xB2: (5,), 0xB7: (1,), 0xBB: (1,), 0xC0: (1,), 0xC2: (1, 2), 0xC3: (1,), 0xC4: (1,), 0xC6: (1,)}
    | {0xD0: (2,), 0xE0: (14,), 0xE1: (14,)},
    {5: 16, 6: 18},
    inverted=True,
    bgr=False,
    scan=0xE4,
)
ILI9341 = Chip(
    "ILI9341",
    240,
    320,
    _COMMON
    | {0xEF: (3,), 0xCF: (3,), 0xED: (4,), 0xE8: (3,), 0xCB: (5,), 0xF7: (1,), 0xEA: (2,), 0xC0: (1,), 0xC1: (1,)}
    | {0xC5: (2,), 0xC7: (1,), 0xB1: (2,), 0xB6: (3, 4), 0xF2: (1,), 0x26: (1,), 0xE0: (15,), 0xE1: (15,)},
    {5: 16, 6: 18},
    inverted=False,
    bgr=True,
)
ILI9488 = Chip(
    "ILI9488",
    320,
    480,
    _COMMON
    | {0xE0: (15,), 0xE1: (15,), 0xC0: (2,), 0xC1: (1,), 0xC5: (3, 4), 0xB0: (1,), 0xB1: (1, 2), 0xB4: (1,)}
    | {0xB6: (3,), 0xB7: (1,), 0xF7: (4,)},
    {1: 3, 6: 18},  # over SPI; 16 only on the parallel bus
    inverted=False,
    bgr=True,
)
ILI9486 = Chip(
    "ILI9486",
    320,
    480,
    _COMMON | {0xB0: (1,), 0xC0: (2,), 0xC1: (2,), 0xC2: (1,), 0xC5: (2, 4), 0xB6: (3,)},
    {5: 16, 6: 18},
    inverted=True,
    bgr=True,
)


@dataclass
class Model:
    """One panel: a chip, the window that its glass shows of the memory, and the way a person looks at it."""

    chip: Chip
    glass: tuple[int, int, int, int]
    """The part of the memory that the glass shows: first column, first row, columns, rows."""
    view: tuple[Image.Transpose, ...] = ()
    """How that part has to be turned and mirrored for the person who looks at it."""
    words: bool = False
    """A shift register stands before the chip: every parameter and pixel arrives in 16-bit words."""
    gates_reversed: bool = False
    """The glass is wired for GS = 1."""
    bgr: bool | None = None
    """Overrides the chip's usual colour filter."""
    strict_time: bool = True

    sent: int = 0
    """Bytes since the start, commands included."""
    writes: list[tuple[int, bytes]] = field(default_factory=list)
    """Every command but RAMWR with its parameters."""
    lit: bool | None = None
    light_share: float = 0.0
    closed: bool = False
    resets: int = 0

    def __post_init__(self) -> None:
        self._now_s, self._deaf_until_s = 0.0, 0.0
        self.lose_power()

    def lose_power(self) -> None:
        """Only the panel loses its power, or is plugged in again: the other end of the wire notices nothing."""
        self._memory = Image.new("RGB", (self.chip.columns, self.chip.rows), (90, 20, 160))  # anything
        self._power_on()

    def _power_on(self) -> None:
        self._code: int | None = None
        self._data = bytearray()
        self._madctl, self._bits = 0, 18
        self._asleep, self._on, self._inverted, self._scan = True, False, False, 0
        self._window = (0, 0, self.chip.columns - 1, self.chip.rows - 1)

    def torn(self) -> None:
        """The wire broke off in the middle of a command, and what that had got is lost."""
        self._code = None

    # The wire

    def reset(self) -> None:
        """The reset line, with the pause after it."""
        self.resets += 1
        self._power_on()
        self._now_s += 0.12

    def pause(self, seconds: float) -> None:
        """Time goes by; pass it to the driver for its sleeping."""
        self._now_s += seconds

    def command(self, code: int) -> None:
        self._end_of_command()
        self._alive()
        if self.strict_time and self._now_s < self._deaf_until_s:
            raise Garbage(f"command 0x{code:02x} comes too soon after a reset or sleep out")
        if code != 0x2C and code not in self.chip.commands:
            raise Garbage(f"the {self.chip.name} has no command 0x{code:02x}")
        self.sent += 1
        self._code, self._data = code, bytearray()
        if code in (0x01, 0x11):
            self._deaf_until_s = self._now_s + 0.005
        if code == 0x01:
            self._power_on()
            self._code = 0x01

    def data(self, data: bytes) -> None:
        self._alive()
        if self._code is None:
            raise Garbage("data without a command")
        if self.words and len(data) % 2:
            raise Garbage("half a word")
        self.sent += len(data)
        self._data += data

    def light(self, share: float) -> None:
        self._alive()
        self.lit, self.light_share = share > 0, share

    def close(self) -> None:
        self.closed = True

    def _alive(self) -> None:
        if self.closed:
            raise Garbage("the wire was closed")

    # The chip

    def _end_of_command(self) -> None:
        """The next command begins: what this one has got must be whole."""
        code, self._code = self._code, None
        if code is None:
            return
        if code == 0x2C:
            self._write(bytes(self._data))
            return
        values = bytes(self._data)
        if self.words:
            if any(values[0::2]):
                raise Garbage(f"the upper half of a parameter of 0x{code:02x} is not 0")
            values = values[1::2]
        if len(values) not in self.chip.commands[code]:
            raise Garbage(f"command 0x{code:02x} has {len(values)} parameters")
        self.writes.append((code, values))
        self._obey(code, values)

    def _obey(self, code: int, values: bytes) -> None:
        match code:
            case 0x10 | 0x11:
                self._asleep = code == 0x10
            case 0x20 | 0x21:
                self._inverted = code == 0x21
            case 0x28 | 0x29:
                self._on = code == 0x29
            case 0x2A | 0x2B:
                self._address(code, values)
            case 0x36:
                if values[0] & 0x03:
                    raise Garbage("MADCTL's two lowest bits are 0")
                self._madctl = values[0]
            case 0x3A:
                self._format(values[0])
            case self.chip.scan:
                self._scan = values[1] & 0x60

    def _format(self, value: int) -> None:
        if value & 0x88 or value & 0x07 not in self.chip.formats:
            raise Garbage(f"the {self.chip.name} has no pixel format 0x{value:02x} on this interface")
        self._bits = self.chip.formats[value & 0x07]

    def _address(self, code: int, values: bytes) -> None:
        first, last = int.from_bytes(values[:2]), int.from_bytes(values[2:])
        across = (code == 0x2A) != bool(self._madctl & MV)
        if not first <= last < (self.chip.columns if across else self.chip.rows):
            raise Garbage(f"a window from {first} to {last}")
        x, y, x1, y1 = self._window
        self._window = (first, y, last, y1) if code == 0x2A else (x, first, x1, last)

    def _write(self, data: bytes) -> None:
        """Memory write: row after row of the window, as MADCTL maps it."""
        x, y, x1, y1 = self._window
        size = x1 - x + 1, y1 - y + 1
        if len(data) * 8 != size[0] * size[1] * {3: 4, 16: 16, 18: 24}[self._bits]:
            raise Garbage(f"{len(data)} bytes for a window of {size[0]}x{size[1]} at {self._bits} bits a pixel")
        picture = {3: _from_111, 16: _from_565, 18: _from_666}[self._bits](size, data)
        if self._madctl & MV:
            picture, x, y = picture.transpose(Image.Transpose.TRANSPOSE), y, x
        if self._madctl & MX:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            x = self.chip.columns - x - picture.width
        if self._madctl & MY:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            y = self.chip.rows - y - picture.height
        self._memory.paste(picture, (x, y))

    # The glass

    def seen(self) -> Image.Image:
        """What a person sees, RGB; black while display or backlight is off."""
        self._end_of_command()
        column, row, columns, rows = self.glass
        picture = self._memory.crop((column, row, column + columns, row + rows))
        if self._asleep or not self._on or self.lit is False:
            return _all(picture, self.view).point(lambda _: 0)
        if self._scan & 0x20:  # SS: the columns from the other side
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if bool(self._scan & 0x40) != self.gates_reversed:  # GS: the rows
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        if bool(self._madctl & BGR) != (self.chip.bgr if self.bgr is None else self.bgr):
            picture = Image.merge("RGB", picture.split()[::-1])
        if self._inverted != self.chip.inverted:
            picture = ImageChops.invert(picture)
        return _all(picture, self.view)


def _all(picture: Image.Image, steps: Iterable[Image.Transpose]) -> Image.Image:
    for step in steps:
        picture = picture.transpose(step)
    return picture


def widened(value: int, bits: int) -> int:
    """A channel of ``bits`` bits -> 8 bits, the low ones filled from the high ones, so that white stays white."""
    value <<= 8 - bits
    return value | value >> bits


_FIVE = [widened(value, 5) for value in range(32)]
_SIX = [widened(value, 6) for value in range(64)]
_RED_OF_HIGH = bytes(_FIVE[byte >> 3] for byte in range(256))
_BLUE_OF_LOW = bytes(_FIVE[byte & 0x1F] for byte in range(256))
_SIX_OF_BYTE = bytes(_SIX[byte >> 2] for byte in range(256))
_GREEN_OF_HIGH = [(byte & 7) << 3 for byte in range(256)]
_GREEN_OF_LOW = [byte >> 5 for byte in range(256)]
_EIGHT = [bytes(255 * (three >> bit & 1) for bit in (2, 1, 0)) for three in range(8)]
_TWO = [_EIGHT[byte >> 3 & 7] + _EIGHT[byte & 7] for byte in range(256)]


def _from_111(size: tuple[int, int], data: bytes) -> Image.Image:
    """--rgbrgb, two pixels a byte, the left one first (MIPI DBI type C, 3 bits a pixel, option 1; ILI9488 4.7.2)."""
    return Image.frombytes("RGB", size, b"".join(map(_TWO.__getitem__, data)))


def _from_565(size: tuple[int, int], data: bytes) -> Image.Image:
    """rrrrrggg gggbbbbb."""
    high, low = (Image.frombytes("L", size, part) for part in (data[0::2], data[1::2]))
    green = ImageChops.add(high.point(_GREEN_OF_HIGH), low.point(_GREEN_OF_LOW)).point(_SIX + [0] * 192)
    return Image.merge("RGB", (high.point(list(_RED_OF_HIGH)), green, low.point(list(_BLUE_OF_LOW))))


def _from_666(size: tuple[int, int], data: bytes) -> Image.Image:
    """rrrrrr-- gggggg-- bbbbbb--; on a 16-bit bus two pixels are three words, which are the same bytes."""
    return Image.frombytes("RGB", size, data.translate(_SIX_OF_BYTE))


def rounded(image: Image.Image, bits: tuple[int, int, int]) -> Image.Image:
    """``image`` as a controller with these bits for red, green and blue stores it."""
    table = [widened(value >> (8 - n), n) for n in bits for value in range(256)]
    return image.point(table)


def st7789(width: int = 240, x_offset: int = 0, *, bgr: bool | None = None) -> Model:
    """``width`` x 240, with the glass from row ``x_offset`` of the memory on; upright with MX and MV."""
    return Model(ST7789, (0, x_offset, 240, width), (Image.Transpose.ROTATE_90,), bgr=bgr)


def ili9341(*, bgr: bool | None = None) -> Model:
    """320x240, upright with MV."""
    return Model(ILI9341, (0, 0, 240, 320), (Image.Transpose.TRANSPOSE,), bgr=bgr)


def ili9488(*, bgr: bool | None = None) -> Model:
    """480x320, upright with MV."""
    return Model(ILI9488, (0, 0, 320, 480), (Image.Transpose.TRANSPOSE,), bgr=bgr)


def ili9486(*, bgr: bool | None = None) -> Model:
    """Waveshare 3.5 inch (B): a shift register before the chip; upright as portrait with GS, seen here as landscape."""
    return Model(ILI9486, (0, 0, 320, 480), (Image.Transpose.ROTATE_90,), words=True, gates_reversed=True, bgr=bgr)


def model_of(kind: str, *, x_offset: int = 0, bgr: bool | None = None) -> Model:
    """The model of a panel by its configuration's name."""
    match kind:
        case "st7789-240":
            return st7789(240, x_offset, bgr=bgr)
        case "st7789-320":
            return st7789(320, bgr=bgr)
        case "ili9341":
            return ili9341(bgr=bgr)
        case "ili9486":
            return ili9486(bgr=bgr)
        case "ili9488":
            return ili9488(bgr=bgr)
    raise ValueError(kind)
