"""`[lcd]`: the panel."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from terminal.config.field_types import File, Offset, PanelName, PanelSize, Pin
from terminal.config.section import Section

MHZ = (0.5, 1, 2, 4, 8, 16, 20, 24, 28, 32, 36, 40, 44, 48, 50, 52)
CLOCKS = frozenset(round(mhz * 1_000_000) for mhz in MHZ)
"""The SPI clocks that luma.core takes, in Hz."""


class LcdSettings(Section, frozen=True):
    """The panel and its SPI bus (Hz, bytes, px), its brightness, the idle picture and the Wi-Fi that is offered."""

    panel: PanelName
    folder: Annotated[Path, Meta(description="the path of a folder")] | None = None
    size: PanelSize | None = None
    framebuffer: File | None = None
    backlight: Annotated[Path, Meta(description="the path of a folder in /sys/class/backlight")] | None = None
    spi_bus: Annotated[int, Meta(ge=0, le=6, description="0 to 6")] = 0
    spi_device: Annotated[int, Meta(ge=0, le=2, description="0 to 2")] = 0
    spi_mode: Annotated[Literal[0, 3], Meta(description="0 or 3")] = 0
    dc_pin: Pin = 24
    reset_pin: Pin = 25
    backlight_pin: Annotated[int, Meta(ge=-1, le=27, description="a GPIO number, 0 to 27, or -1 for none")] = -1
    speed_hz: Annotated[int, Meta(description=f"one of {', '.join(map(str, sorted(CLOCKS)))}")] = 32_000_000
    transfer_size: Annotated[int, Meta(ge=64, le=65536, description="bytes, 64 to 65536")] = 4096
    rotate: Annotated[int, Meta(ge=0, le=3, description="quarter turns clockwise, 0 to 3")] = 0
    x_offset: Offset = 0
    y_offset: Offset = 0
    bgr: Annotated[bool, Meta(description="true or false")] = False
    three_bit: Annotated[bool, Meta(description="true or false")] = True
    digits: Annotated[Literal["latin", "arabic"], Meta(description="latin or arabic")] = "latin"
    backlight_pwm: Annotated[bool, Meta(description="true or false")] = False
    idle_brightness: Annotated[int, Meta(ge=5, le=100, description="per cent of full brightness, 5 to 100")] = 40
    dim_after: Annotated[int, Meta(ge=0, le=1440, description="minutes, 0 (never) to 1440")] = 30
    night: Annotated[
        str,
        Meta(
            pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?\Z",
            description='two times of day, such as "22:00-06:00", or "" for none',
        ),
    ] = ""
    idle_picture: File | None = None
    wifi: Annotated[
        str,
        Meta(
            pattern=r"^[\x20-\x7e]{0,32}\Z", description='the name of a network, up to 32 ASCII characters; "" for none'
        ),
    ] = ""
    wifi_password_file: File | None = None

    @property
    def on_bus(self) -> bool:
        """Is the panel on the SPI bus, with pins beside it?"""
        return self.panel not in ("png", "framebuffer")

    @property
    def framebuffer_device(self) -> Path:
        """The kernel's first one, unless another is named."""
        return self.framebuffer or Path("/dev/fb0")

    @property
    def built(self) -> tuple[int, int]:
        """Width and height of a `png` or a `framebuffer` before it is turned."""
        width, _, height = (self.size or "").partition("x")
        return int(width), int(height)

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of the pictures of a `png` or a `framebuffer`."""
        return self.built if self.panel == "png" or self.rotate % 2 == 0 else self.built[::-1]
