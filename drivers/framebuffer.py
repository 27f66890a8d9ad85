"""A screen that the kernel drives: HDMI, DSI or DPI, as a framebuffer such as /dev/fb0.

What the kernel says of it comes by two ioctls, and the pixels go by writing to the device
(Documentation/fb/framebuffer.rst and include/uapi/linux/fb.h of Linux). A row may be longer than its pixels, so each
goes to its own place; luma.core's driver ignores that, and turns pixels one by one.
"""

import array
import contextlib
import fcntl
import os
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from PIL import Image, ImageChops

from drivers.panel import WHOLE_EVERY_S, PanelError
from drivers.panel_frames import rgb565, turned

GET_VARIABLE, GET_FIXED, BLANK = 0x4600, 0x4602, 0x4611
"""FBIOGET_VSCREENINFO, FBIOGET_FSCREENINFO, FBIOBLANK"""
VARIABLE = struct.Struct("8I" + "3I" * 4 + "20I")
"""fb_var_screeninfo: xres, yres, their virtual sizes, xoffset, yoffset, bits_per_pixel, grayscale; offset, length and
msb_right of red, green, blue and transparency; and more that is not needed here."""
FIXED = struct.Struct("@16sLIIIIHHHIL")
"""fb_fix_screeninfo up to mmio_start; line_length, in bytes, is the last but one."""
FIXED_BYTES = 80
"""At least what the kernel writes, on 32 and 64 bits."""
_RAW = {
    (32, 16, 8, 0): "BGRX",
    (32, 0, 8, 16): "RGBX",
    (24, 16, 8, 0): "BGR",
    (24, 0, 8, 16): "RGB",
}
"""Pillow's names of formats, by bits a pixel and the places of red, green and blue."""

Ioctl = Callable[..., object]
"""fcntl.ioctl, of a file, a request and a buffer or a number."""


@dataclass(frozen=True, slots=True)
class FramebufferMode:
    """What the kernel says of a framebuffer: px, bits a pixel, bytes a row, where the shown part begins (bytes)."""

    width: int
    height: int
    bits: int
    places: tuple[int, int, int]
    """The lowest bits of red, green and blue."""
    row_bytes: int
    start: int

    def encoded(self, image: Image.Image) -> bytes:
        """The rows of an RGB picture of this width as bytes, each ``row_bytes`` long. Raises PanelError for a format
        that cannot be written."""
        raw = _RAW.get((self.bits, *self.places))
        if raw:
            return image.tobytes("raw", raw, self.row_bytes, 1)
        if (self.bits, self.places) != (16, (11, 5, 0)):
            raise PanelError(f"{self.bits} bits a pixel with red, green and blue at {self.places} cannot be written")
        words = array.array("H", rgb565(image).tobytes())
        if sys.byteorder == "little":  # as the wire of a panel has them: the high byte first
            words.byteswap()
        pixels, row = words.tobytes(), 2 * image.width
        padding = bytes(self.row_bytes - row)
        return b"".join(pixels[at : at + row] + padding for at in range(0, len(pixels), row))


def mode_of(fd: int, ioctl: Ioctl = fcntl.ioctl) -> FramebufferMode:
    """What the kernel says of the opened framebuffer. Raises OSError if it is none."""
    variable, fixed = bytearray(VARIABLE.size), bytearray(FIXED_BYTES)
    ioctl(fd, GET_VARIABLE, variable)
    ioctl(fd, GET_FIXED, fixed)
    width, height, _, _, left, top, bits, grey, *fields = VARIABLE.unpack(variable)
    if grey or not width or not height:
        raise OSError("the framebuffer has no colours" if grey else "the framebuffer has no size")
    row_bytes = FIXED.unpack_from(fixed)[-2] or width * bits // 8
    places = fields[0], fields[3], fields[6]
    return FramebufferMode(width, height, bits, places, row_bytes, top * row_bytes + left * bits // 8)


def probe(device: Path, ioctl: Ioctl = fcntl.ioctl) -> tuple[int, int, int]:
    """Width, height and bits a pixel of the framebuffer. Raises OSError if it is none, or cannot show a picture."""
    fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        mode = mode_of(fd, ioctl)
    finally:
        os.close(fd)
    mode.encoded(Image.new("RGB", (mode.width, 1)))
    return mode.width, mode.height, mode.bits


class FramebufferPanel:
    """The screen at ``device``, of ``size`` px before it is turned by ``rotate`` quarters clockwise.

    Rows that changed are sent, and every WHOLE_EVERY_S the whole picture: a console may have written over it.
    ``backlight`` is a folder of /sys/class/backlight. show(), light() and close() may be called from any thread, and
    block while the kernel does. The first show() opens the device; close() darkens it, so that nobody scans a stale
    code.
    """

    def __init__(
        self,
        device: Path,
        size: tuple[int, int],
        *,
        rotate: int = 0,
        backlight: Path | None = None,
        ioctl: Ioctl = fcntl.ioctl,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if rotate not in range(4):
            raise ValueError(f"rotate is 0 to 3 quarter turns, not {rotate}")
        self._device, self._built, self._quarters = device, size, rotate
        self.size = size if rotate % 2 == 0 else (size[1], size[0])
        self._backlight, self._ioctl, self._clock = backlight, ioctl, clock
        self._lock = threading.Lock()
        self._closed = False
        self._fd: int | None = None
        self._mode: FramebufferMode | None = None
        self._glass: Image.Image | None = None
        """The picture that was written, turned; None while that is not certain."""
        self._whole_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def light(self) -> Callable[[float], None] | None:
        """Sets the backlight to a share of full, 0 to 1; raises PanelError. None without a backlight."""
        return self._set_light if self._backlight else None

    def show(self, image: Image.Image) -> None:
        """Bring ``image``, RGB and of this panel's size, to the glass. Raises ValueError for another mode or size,
        PanelError if the device is not there, refuses, or has another size."""
        if image.mode != "RGB" or image.size != self.size:
            (width, height), (w, h) = self.size, image.size
            raise ValueError(f"the panel takes RGB pictures of {width}x{height}, not {image.mode} of {w}x{h}")
        with self._lock:
            if self._closed:
                raise PanelError("the panel is closed")
            before, self._glass = self._glass, None
            try:
                self._glass = self._written(before, turned(image, self._quarters).copy())
            except OSError as error:
                self._drop()
                if isinstance(error, PanelError):
                    raise
                raise PanelError(f"{self._device}: {error.strerror or error}") from error

    def close(self) -> None:
        """Darken the screen and let go of it; may be called twice."""
        with self._lock:
            self._closed = True
            if self._fd is not None and self._mode is not None:
                with contextlib.suppress(OSError):
                    self._write(Image.new("RGB", self._built), (0, self._built[1]))
            self._drop()

    def _written(self, before: Image.Image | None, picture: Image.Image) -> Image.Image:
        now = self._clock()
        if self._fd is None:
            self._fd = os.open(self._device, os.O_RDWR | os.O_CLOEXEC)
            with contextlib.suppress(OSError):  # not every driver can blank
                self._ioctl(self._fd, BLANK, 0)
            before = None
        if before is None or now - self._whole_at >= WHOLE_EVERY_S:
            self._mode = mode_of(self._fd, self._ioctl)
            if (found := (self._mode.width, self._mode.height)) != self._built:
                raise PanelError(f"{self._device} is {found[0]}x{found[1]}, not {self._built[0]}x{self._built[1]}")
            before, self._whole_at = None, now
        rows = (0, picture.height)
        if before:
            box = ImageChops.difference(before, picture).getbbox()
            if box is None:
                return picture
            rows = box[1], box[3]
        self._write(picture, rows)
        return picture

    def _write(self, picture: Image.Image, rows: tuple[int, int]) -> None:
        assert self._fd is not None
        assert self._mode is not None
        first, last = rows
        data = self._mode.encoded(picture.crop((0, first, picture.width, last)))
        at = self._mode.start + first * self._mode.row_bytes
        spare = self._mode.row_bytes - picture.width * self._mode.bits // 8
        view = memoryview(data)[: len(data) - spare]  # the last row may end where the memory does
        while view:
            sent = os.pwrite(self._fd, view, at)
            if not sent:
                raise PanelError(f"{self._device} takes no more than {at} bytes")
            view, at = view[sent:], at + sent

    def _set_light(self, share: float) -> None:
        assert self._backlight
        try:
            most = int((self._backlight / "max_brightness").read_text())
            level = max(1, round(share * most)) if share > 0 else 0
            (self._backlight / "brightness").write_text(str(level))
        except (OSError, ValueError) as error:
            raise PanelError(f"the backlight {self._backlight} cannot be set: {error}") from error

    def _drop(self) -> None:
        fd, self._fd, self._mode = self._fd, None, None
        if fd is not None:
            os.close(fd)
