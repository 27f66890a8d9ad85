"""The LCD controllers that we know: how each is set up, the format of its pixels, and how fast its bus may be.

The set-up sequences are luma.lcd's own, recorded from its device classes; differences from them are noted here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from drivers.panel_frames import RGB111, RGB565, RGB666, PixelFormat
from drivers.panel_windows import Wire

SLPOUT, DISPOFF, DISPON, CASET, RASET, RAMWR, MADCTL, COLMOD = 0x11, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x36, 0x3A
_BGR = 0x08  # of MADCTL

SetUpStep = tuple[int, bytes]
"""A command and its parameters, as they go over the wire."""


@dataclass(frozen=True)
class PanelKind:
    """One kind of panel. Sizes are (width, height) in pixels, as luma's set-up has the controller's axes."""

    name: str
    luma: str
    """The device class in luma.lcd.device."""
    built: tuple[int, int]
    """The glass."""
    ram: tuple[int, int]
    """The controller's memory, of which the glass shows a part."""
    quarters: int
    """How far (quarters clockwise) a landscape picture is turned for it, besides the configured turn."""
    datasheet_hz: int
    pixels: PixelFormat
    """The format of whole pictures, and of every window that says nothing else."""
    few: PixelFormat | None = None
    """The format of windows with eight colours, where the controller has one."""
    words: bool = False
    """Parameters travel as 16-bit words."""

    @property
    def window_bytes(self) -> int:
        """How many bytes it costs to set a window: three commands and eight parameters."""
        return 19 if self.words else 11

    def wire(self, speed_hz: int) -> Wire:
        """What pixels and windows cost on a bus of that speed."""
        return Wire(self.pixels.bits, self.window_bytes, self.few.bits if self.few else 0, speed_hz)

    def parameters(self, *values: int) -> bytes:
        """``values``, a byte each, as this kind takes parameters."""
        return bytes(byte for value in values for byte in ((0, value) if self.words else (value,)))


KINDS = {
    kind.name: kind
    for kind in (
        # Data sheets' shortest serial write cycle: ST7789V 16 ns, ILI9341 100 ns, ILI9488 50 ns.
        PanelKind("st7789-240", "st7789", (240, 240), (320, 240), 0, 62_500_000, RGB565),
        PanelKind("st7789-320", "st7789", (320, 240), (320, 240), 0, 62_500_000, RGB565),
        PanelKind("ili9341", "ili9341", (320, 240), (320, 240), 0, 10_000_000, RGB565),
        # Behind its shift register the ILI9486 has a 16-bit parallel bus, on which RGB565 is one word a pixel (as
        # Linux's own drivers use it: drivers/staging/fbtft/fb_ili9486.c, drivers/gpu/drm/tiny/ili9486.c).
        PanelKind("ili9486", "ili9486", (320, 480), (320, 480), 1, 20_000_000, RGB565, words=True),
        # Over SPI the ILI9488 takes 3 or 18 bits a pixel, not 16 (data sheet 4.7.2, interface pixel format 3Ah: 001 or
        # 110), and keeps 18 bits of each in its memory, so both may be mixed in one picture. What has one of the eight
        # colours goes in 3 bits, two pixels a byte, and the rest in 18: the glass ends as if all had gone in 18.
        PanelKind("ili9488", "ili9488", (480, 320), (480, 320), 0, 20_000_000, RGB666, RGB111),
    )
}


def kind_of(name: str) -> PanelKind:
    """The kind of that name; raises ValueError for an unknown name."""
    try:
        return KINDS[name]
    except KeyError:
        raise ValueError(f"there is no panel {name!r}; there are {', '.join(KINDS)}") from None


def panel_size(name: str, rotate: int = 0) -> tuple[int, int]:
    """Width and height of the pictures that a panel takes once turned by ``rotate`` quarters."""
    kind = kind_of(name)
    width, height = kind.built
    return (width, height) if (kind.quarters + rotate) % 2 == 0 else (height, width)


def check_offset(name: str, x_offset: int, y_offset: int) -> None:
    """Raise ValueError if the glass cannot begin there in the controller's memory; ``name`` is one of KINDS."""
    kind = kind_of(name)
    for key, offset, built, ram in zip(
        ("x_offset", "y_offset"), (x_offset, y_offset), kind.built, kind.ram, strict=True
    ):
        if built == ram and offset:
            side = "is the whole memory" if kind.built == kind.ram else "is as high as the memory"
            raise ValueError(f"the {name} has no {key}: its glass {side}")
        if not 0 <= offset <= ram - built:
            raise ValueError(f"{key} of the {name} is 0 to {ram - built}, not {offset}")


def datasheet_hz(name: str) -> int:
    """The fastest bus clock that the controller's data sheet allows. In practice all are driven faster."""
    return kind_of(name).datasheet_hz


@cache
def set_up_steps(kind: PanelKind, *, bgr: bool) -> tuple[SetUpStep, ...]:
    """What luma sends to set the controller up, without its first frame and without switching the display on.

    ``bgr``: the glass has red and blue exchanged, compared with this controller's usual glass. The first call takes
    some 0.3 s, because luma waits in between.
    """
    from luma.core.interface.serial import noop
    from luma.lcd import device

    heard = _RecordedSetUp()
    width, height = kind.built
    options = {} if kind.luma == "st7789" else {"bgr": bgr}
    made = getattr(device, kind.luma)(heard, width=width, height=height, gpio=noop(), **options)
    made.persist = True  # luma's clean-up at exit must send nothing
    steps = [step for step in heard.steps if step[0] not in (CASET, RASET, RAMWR, DISPON)]
    if kind.luma == "st7789" and bgr:
        steps = [(code, bytes([data[0] | _BGR]) if code == MADCTL else data) for code, data in steps]
    pixels = COLMOD, kind.parameters(kind.pixels.colmod)
    return tuple(steps) if pixels in steps else (*steps, pixels)


class _RecordedSetUp:
    """A luma serial interface that only records."""

    def __init__(self) -> None:
        self.steps: list[SetUpStep] = []

    def command(self, code: int, *parameters: int) -> None:
        self.steps.append((code, bytes(parameters)))

    def data(self, data: Sequence[int] | bytes) -> None:
        code, parameters = self.steps[-1]
        # Nothing of luma's own first frame is kept.
        self.steps[-1] = code, b"" if code == RAMWR else parameters + bytes(data)

    def cleanup(self, *args: Any) -> None:
        """Nothing was opened."""
