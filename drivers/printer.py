"""A receipt printer that speaks ESC/POS: prints a picture of a ticket, feeds and cuts.

python-escpos (the optional extra `printer`) makes the bytes: `GS v 0`, a raster bit image, which nearly every printer
takes (Epson, "ESC/POS Command Reference"), and `GS V` where the model has a cutter. A picture needs no code page, so
Arabic comes out as it is drawn. The bytes are sent from here, within a time limit: python-escpos would wait for ever
for a printer that has no paper.
"""

import os
import re
import select
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

PROFILES: Mapping[int, str] = {576: "TM-T20II", 512: "TM-T88V", 384: "POS-5890"}
"""The profile of python-escpos for a printer of so many dots a line: 80 mm paper at 203 and at 180 dots an inch, and
58 mm paper, whose printers have no cutter."""
PORT = 9100
LIMIT_S = 15.0
"""A ticket takes two seconds to print, and a printer's buffer holds less than one."""
INSTALL = "pip install 'parking-exit-terminal[printer]'"
_NETWORK = re.compile(r"tcp://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:(?P<port>[0-9]{1,5}))?/?")


class PrinterError(Exception):
    """The printer cannot be reached, or the library for it is missing. The text is one line."""


class TicketPrinter:
    """``where``: a device as `/dev/usb/lp0`, or `tcp://HOST` or `tcp://HOST:PORT` (9100 by default); ``dots``: a key of
    PROFILES. Raises ValueError for what is none of these.
    """

    def __init__(self, where: str, dots: int, *, limit_s: float = LIMIT_S) -> None:
        self._where, self._dots, self._limit_s = where, dots, limit_s
        if dots not in PROFILES:
            raise ValueError(f"--dots: got {dots}, takes {', '.join(map(str, PROFILES))}")
        self._address: tuple[str, int] | None = None
        if "://" not in where:
            return
        if not (found := _NETWORK.fullmatch(where)) or not 0 < int(found["port"] or PORT) < 65536:
            raise ValueError(f"--printer: got {where[:60]!r}, takes a device such as /dev/usb/lp0, or tcp://HOST:PORT")
        self._address = found["host"].strip("[]"), int(found["port"] or PORT)

    def print(self, picture: "Image.Image") -> None:
        """Print ``picture`` (mode L or 1, at most as wide as the paper; 0 is black), feed and cut. The printer tells
        nothing back, so no error means only that it took the bytes. Raises PrinterError, also without the library, and
        ValueError for a picture that is too wide."""
        data = _commands(picture, self._dots)
        try:
            if self._address:
                with socket.create_connection(self._address, self._limit_s) as connection:
                    connection.sendall(data)
            else:
                self._write(data)
        except OSError as error:
            why = (error.strerror or str(error) or type(error).__name__).lower()
            raise PrinterError(f"ticket --printer: {self._where}: {why}") from None

    def _write(self, data: bytes) -> None:
        """Write to the device, which must be there; raises OSError, TimeoutError."""
        device = os.open(self._where, os.O_WRONLY | os.O_NONBLOCK)
        try:
            until_s = time.monotonic() + self._limit_s
            while data:
                if not select.select([], [device], [], max(0.0, until_s - time.monotonic()))[1]:
                    raise TimeoutError("it takes nothing more: is there paper?")
                data = data[os.write(device, data) :]
        finally:
            os.close(device)


def _commands(picture: "Image.Image", dots: int) -> bytes:
    """The bytes that print the picture, feed and cut."""
    if picture.width > dots:
        raise ValueError(f"a picture of {picture.width} dots on paper of {dots}")
    try:
        from escpos.printer import Dummy
    except ModuleNotFoundError:
        raise PrinterError(f"ticket --printer: python-escpos is missing; run: {INSTALL}") from None
    printer = Dummy(profile=PROFILES[dots])
    printer.hw("INIT")
    printer.image(picture.convert("L").point(lambda grey: 255 * (grey > 127)), impl="bitImageRaster")  # not dithered
    printer.cut()
    return bytes(printer.output)
