"""An LCD on the SPI bus: pictures in, the fewest bytes out."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, Self

from PIL import Image

from drivers.panel_frames import Box, PixelFormat, turned, turned_box
from drivers.panel_kinds import (
    CASET,
    COLMOD,
    DISPOFF,
    DISPON,
    RAMWR,
    RASET,
    SLPOUT,
    check_offset,
    kind_of,
    panel_size,
    set_up_steps,
)
from drivers.panel_windows import windows

WHOLE_EVERY_S = 50.0
"""How often (s) the panel is set up again and gets the whole picture: SPI does not tell when it lost its power or was
plugged in again and sleeps. It is less than the 55 s after which the lcd role shows an unchanged picture again, so that
no such picture comes a moment too early and counts as unchanged."""
AWAKE_S = 0.12
"""The pause (s) that all four controllers need after ``sleep out`` before they show anything."""
_FEW_WINDOWS = 4
PATIENCE_S = 2.0
"""How long (s) close() waits for a frame under way: a whole one takes a third of that on the slowest bus."""


class PanelError(OSError):
    """A picture did not reach the panel, as far as can be known. The next one starts with the set-up."""


class PanelWire(Protocol):
    """The bus to one panel's controller, and the two pins beside it. Every method may raise OSError."""

    def reset(self) -> None:
        """Reset the controller, and wait until it listens again."""

    def command(self, code: int) -> None:
        """Send one byte with the data/command line low."""

    def data(self, data: bytes) -> None:
        """Send bytes with the data/command line high."""

    def light(self, share: float) -> None:
        """Set the backlight, if there is one, to that share of full, 0 to 1; one without steps is on above 0."""

    def close(self) -> None:
        """Release bus and pins; may be called twice."""


class SpiPanel:
    """One panel of a kind in panel_kinds.KINDS, behind the wire that ``open_wire`` opens.

    Only changes are sent; after an error and every WHOLE_EVERY_S everything is, set-up included. ``rotate`` turns the
    picture by quarters clockwise. ``x_offset`` and ``y_offset`` say where the glass begins in the controller's memory,
    in the controller's own axes, that is, before the turn. ``bgr`` is for glass with red and blue exchanged. Without
    ``three_bit`` an ILI9488, too, gets every pixel in its usual format. ``speed_hz`` is the bus's: the slower, the more
    bytes count beside calls of the kernel.

    show() and close() may be called from any thread and block while bytes are sent, so call them outside the event
    loop's thread. The first show() opens the panel; close() darkens the glass, so that nobody scans a stale code.
    """

    def __init__(
        self,
        kind: str,
        open_wire: Callable[[], PanelWire],
        *,
        rotate: int = 0,
        x_offset: int = 0,
        y_offset: int = 0,
        bgr: bool = False,
        three_bit: bool = True,
        speed_hz: int = 32_000_000,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Raises ValueError for a kind, turn or offset that does not exist."""
        self._kind = kind_of(kind) if three_bit else replace(kind_of(kind), few=None)
        if rotate not in range(4):
            raise ValueError(f"rotate is 0 to 3 quarter turns, not {rotate}")
        check_offset(kind, x_offset, y_offset)
        self.size = panel_size(kind, rotate)
        self._quarters = (self._kind.quarters + rotate) % 4
        self._offset = x_offset, y_offset
        self._bgr = bgr
        self._cost = self._kind.wire(speed_hz)
        self._open_wire, self._pause, self._clock = open_wire, pause, clock
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._closed = False
        self._wire: PanelWire | None = None
        self._glass: Image.Image | None = None
        """The picture that was sent; None while that is not certain."""
        self._whole_at = 0.0
        self._light = 1.0
        self._format = self._kind.pixels
        self._window: dict[int, bytes] = {}
        """The parameters of the column and row address that the controller keeps."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def show(self, image: Image.Image) -> None:
        """Bring ``image``, RGB and of this panel's size, to the glass.

        Raises ValueError for another mode or size, PanelError if the bus or a pin reports that it did not arrive.
        """
        if image.mode != "RGB":
            raise ValueError(f"the panel takes pictures of mode RGB, not {image.mode}")
        if image.size != self.size:
            (width, height), (w, h) = self.size, image.size
            raise ValueError(f"the panel is {width}x{height}, the picture {w}x{h}")
        with self._lock:
            if self._closed:
                raise PanelError("the panel is closed")
            before, self._glass = self._glass, None
            try:
                self._glass = self._shown(before, image)
            except OSError as error:
                raise PanelError(f"the {self._kind.name} cannot be reached: {error}") from error
            finally:
                if self._glass is None:
                    self._drop()

    def light(self, share: float) -> None:
        """Set the backlight to ``share`` of full, 0 to 1, now and at every opening. Raises PanelError."""
        with self._lock:
            self._light = share
            if self._wire is None or self._closed:
                return  # the first picture brings it
            try:
                self._wire.light(share)
            except OSError as error:
                self._drop()
                raise PanelError(f"the {self._kind.name} cannot be reached: {error}") from error

    def close(self) -> None:
        """Darken the glass and release the wire; may be called twice. Waits ``patience_s`` for a frame under way."""
        self._closed = True
        if not self._lock.acquire(timeout=self._patience_s):
            return  # the bus hangs; the process is about to end, and the kernel closes it then
        try:
            if self._wire is not None:
                self._wire.light(0)
                self._wire.command(DISPOFF)
        except OSError:
            pass  # it cannot be reached, so nothing of ours can be taken off it
        finally:
            self._drop()
            self._lock.release()

    def _shown(self, glass: Image.Image | None, image: Image.Image) -> Image.Image:
        """Send the parts of ``image`` that differ from ``glass``; returns the new state of the glass."""
        now = self._clock()
        if glass is not None and now - self._whole_at < WHOLE_EVERY_S:
            kind = self._kind
            found = windows(glass, image, self._cost)
            # A conversion costs more than a crop of what is converted.
            encoded = kind.pixels.encoded(image) if len(found) > _FEW_WINDOWS else None
            for window in found:
                if window.few and kind.few:
                    self._send(kind.few, window.box, kind.few.encoded(self._turned(image.crop(window.box))))
                elif encoded:
                    self._send(kind.pixels, window.box, self._turned(encoded.crop(window.box)))
                else:
                    self._send(kind.pixels, window.box, kind.pixels.encoded(self._turned(image.crop(window.box))))
            self._in_format(kind.pixels)
            if len(found) == 1:  # a second of countdown
                glass.paste(image.crop(found[0].box), found[0].box)
            else:
                glass.paste(image)
            return glass
        if fresh := self._wire is None:
            self._wire = self._open_wire()
            self._wire.reset()
        wire = self._wire
        assert wire is not None
        self._set_up(wire)
        self._send(self._kind.pixels, (0, 0, *image.size), self._kind.pixels.encoded(self._turned(image)))
        wire.command(DISPON)  # only now, so that nobody sees what the memory held at power-on
        if fresh:
            wire.light(self._light)
        self._whole_at = now
        return image.copy()

    def _set_up(self, wire: PanelWire) -> None:
        """Set the panel up, not only after a reset: a panel that is already set up stays on meanwhile, because nothing
        changes its settings, and ``sleep out`` does nothing to one that is awake (ILI9341 8.2.12; the others alike)."""
        for code, parameters in set_up_steps(self._kind, bgr=self._bgr):
            wire.command(code)
            if parameters:
                wire.data(parameters)
            if code == SLPOUT:
                self._pause(AWAKE_S)
        self._format, self._window = self._kind.pixels, {}

    def _turned(self, image: Image.Image) -> Image.Image:
        return turned(image, self._quarters)

    def _send(self, pixels: PixelFormat, box: Box, encoded: Image.Image) -> None:
        """Send one window: the format and where it goes, as far as the controller does not have them, and its pixels,
        turned and in that format."""
        wire, (x, y) = self._wire, self._offset
        assert wire is not None
        self._in_format(pixels)
        left, top, right, bottom = turned_box(box, self.size, self._quarters)
        for code, first, last in ((CASET, left + x, right + x - 1), (RASET, top + y, bottom + y - 1)):
            parameters = self._kind.parameters(first >> 8, first & 0xFF, last >> 8, last & 0xFF)
            if self._window.get(code) != parameters:
                wire.command(code)
                wire.data(parameters)
                self._window[code] = parameters
        wire.command(RAMWR)
        wire.data(encoded.tobytes())

    def _in_format(self, pixels: PixelFormat) -> None:
        """Tell the controller the format of the pixels that follow, if it is another one."""
        if pixels is not self._format:
            assert self._wire is not None
            self._wire.command(COLMOD)
            self._wire.data(self._kind.parameters(pixels.colmod))
            self._format = pixels

    def _drop(self) -> None:
        wire, self._wire, self._glass = self._wire, None, None
        if wire is not None:
            try:
                wire.close()
            except OSError:
                return  # nothing more can be released
