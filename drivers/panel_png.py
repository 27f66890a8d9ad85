"""A panel that is a folder of pictures: NNNNNN.png, the newest hundred, and latest.png."""

import contextlib
import io
import re
import threading
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
        self._last: Image.Image | None = None
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
            if self._last is not None and self._last == image and self._latest.exists():
                return
            try:
                self._write(image)
            except OSError as error:
                raise PanelError(f"no picture can be written to {self._folder}: {error}") from error
            self._last = image.copy()

    def close(self) -> None:
        """Darken the latest picture, as a glass would be, so that nobody scans a stale code; the numbered ones stay.
        May be called twice."""
        with self._lock, contextlib.suppress(OSError):
            if self._last is not None:
                self._put("latest.png", _encoded(Image.new("RGB", self.size)))
                self._last = None

    def _write(self, image: Image.Image) -> None:
        if self._written is None or not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            found = [path for path in self._folder.iterdir() if _NUMBERED.match(path.name)]
            self._written = deque(sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)))
        number = (int(self._written[-1].stem) + 1) % _NUMBERS if self._written else 0
        picture = _encoded(image)
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


def _encoded(image: Image.Image) -> bytes:
    picture = io.BytesIO()
    image.save(picture, "png", compress_level=1)
    return picture.getvalue()


def _parsed(size: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", size)
    if found is None:
        raise ValueError(f'size is width x height in pixels, such as "480x320", not {size!r}')
    return int(found[1]), int(found[2])
