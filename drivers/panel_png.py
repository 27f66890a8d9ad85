"""A panel that is a folder of pictures: NNNNNN.png, the newest hundred, and latest.png."""

import contextlib
import re
import struct
import threading
import zlib
from collections import deque
from pathlib import Path
from typing import Self

from PIL import Image

from drivers.panel import PanelError

KEPT = 100
_NUMBERED = re.compile(r"[0-9]{6}\.png\Z")
_NUMBERS = 1_000_000


class PngPanel:
    """Writes each new picture to ``folder``, which is made if absent, even if it vanished meanwhile. A picture that
    equals the last is not written again while the last one is there.

    No reader ever sees half a file: each is written under another name and then renamed. Numbers continue where an
    earlier process ended, and start again from 000000 after 999999. show() blocks while the disk does.
    """

    light: None = None
    """A picture has no backlight."""

    def __init__(self, folder: Path, size: tuple[int, int] | str = (480, 320)) -> None:
        """``size``: width and height in pixels, or a text such as "480x320"; ValueError for another text."""
        self.size = _parsed(size) if isinstance(size, str) else size
        self._folder, self._latest = folder, folder / "latest.png"
        self._lock = threading.Lock()
        self._last: bytes | None = None
        self._written: deque[Path] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def show(self, image: Image.Image) -> None:
        """Write ``image``, RGB and of this size; raises ValueError for any other, PanelError if the disk refuses."""
        if image.mode != "RGB" or image.size != self.size:
            (width, height), (w, h) = self.size, image.size
            raise ValueError(f"the panel takes RGB pictures of {width}x{height}, not {image.mode} of {w}x{h}")
        with self._lock:
            pixels = image.tobytes()
            if self._last == pixels and self._latest.exists():
                return
            try:
                self._write(_png(self.size, pixels))
            except OSError as error:
                raise PanelError(f"no picture can be written to {self._folder}: {error}") from error
            self._last = pixels

    def close(self) -> None:
        """Darken the latest picture, as a glass would be, so that nobody scans a stale code; the numbered ones stay.
        May be called twice."""
        with self._lock, contextlib.suppress(OSError):
            if self._last is not None:
                self._put("latest.png", _png(self.size, bytes(len(self._last))))
                self._last = None

    def _write(self, picture: bytes) -> None:
        if self._written is None or not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            found = [path for path in self._folder.iterdir() if _NUMBERED.match(path.name)]
            self._written = deque(sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)))
        number = (int(self._written[-1].stem) + 1) % _NUMBERS if self._written else 0
        path = self._folder / f"{number:06}.png"
        for name in (path.name, "latest.png"):
            self._put(name, picture)
        self._written.append(path)
        while len(self._written) > KEPT:
            self._written[0].unlink(missing_ok=True)
            self._written.popleft()

    def _put(self, name: str, picture: bytes) -> None:
        half = self._folder / f".{name}.part"
        half.write_bytes(picture)
        half.replace(self._folder / name)


def _png(size: tuple[int, int], pixels: bytes) -> bytes:
    """RGB pixels as a PNG file (ISO/IEC 15948) whose rows have no filter. Pillow tries five filters on each row, which
    takes three times as long here, and holds the interpreter's lock meanwhile: a lane's event loop would wait."""
    width, height = size
    row = width * 3
    rows = b"\0" + b"\0".join([pixels[at : at + row] for at in range(0, len(pixels), row)])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _parsed(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", size)
    if found is None:
        raise ValueError(f'size is width x height in pixels, such as "480x320", not {size!r}')
    return int(found[1]), int(found[2])
