"""A screen on a framebuffer: a file in /dev/fb0's place, and the kernel's answers about it as
Documentation/fb/framebuffer.rst and include/uapi/linux/fb.h of Linux have them."""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drivers.framebuffer import BLANK, FramebufferPanel, probe
from drivers.panel import WHOLE_EVERY_S, PanelError
from terminal.screen import qr
from terminal.screen.layouts import LAYOUTS
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, URL, views

BGRX, RGBX, BGR24, RGB24, R5G6B5 = (32, 16, 8, 0), (32, 0, 8, 16), (24, 16, 8, 0), (24, 0, 8, 16), (16, 11, 5, 0)
FORMATS = [BGRX, RGBX, BGR24, RGB24, R5G6B5]


@dataclass
class Kernel:
    """Answers FBIOGET_VSCREENINFO (4600h) and FBIOGET_FSCREENINFO (4602h) for a file, and takes FBIOBLANK (4611h)."""

    path: Path
    width: int
    height: int
    form: tuple[int, int, int, int] = BGRX
    padding: int = 0
    top: int = 0
    grey: int = 0
    asked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path.write_bytes(bytes(self.row * (self.height + self.top)))

    @property
    def row(self) -> int:
        """Bytes of a row: line_length."""
        return self.width * self.form[0] // 8 + self.padding

    def ioctl(self, fd: int, request: int, argument: bytearray | int) -> int:
        assert os.fstat(fd).st_ino == self.path.stat().st_ino
        self.asked.append(request)
        if request == BLANK:
            return 0
        assert isinstance(argument, bytearray)
        bits, red, green, blue = self.form
        lengths = (5, 6, 5) if bits == 16 else (8, 8, 8)
        if request == 0x4600:
            fields = [word for at, n in zip((red, green, blue), lengths, strict=True) for word in (at, n, 0)]
            words = [self.width, self.height, self.width, self.height + self.top, 0, self.top, bits, self.grey, *fields]
            argument[:] = struct.pack("40I", *words, *[0] * (40 - len(words)))
        elif request == 0x4602:
            head = struct.pack("@16sLIIIIHHH", b"vc4drmfb", 0, self.row * self.height, 0, 0, 2, 1, 1, 0)
            answer = head + bytes(-len(head) % 4) + struct.pack("I", self.row)
            argument[: len(answer)] = answer
        else:
            raise OSError(25, "Inappropriate ioctl for device")
        return 0

    def seen(self) -> Image.Image:
        """What the screen shows: pixel for pixel from the bytes, by the places that the kernel named."""
        bits, *places = self.form
        rows = np.frombuffer(self.path.read_bytes(), np.uint8).reshape(-1, self.row)[self.top :]
        parts = rows[:, : self.width * bits // 8].reshape(self.height, self.width, bits // 8).astype(np.uint32)
        words = sum(parts[..., at] << 8 * at for at in range(bits // 8))
        if bits == 16:
            bands = [words >> places[0] << 3 & 0xF8, words >> places[1] << 2 & 0xFC, words >> places[2] << 3 & 0xF8]
        else:
            bands = [words >> place & 0xFF for place in places]
        return Image.fromarray(np.stack(bands, -1).astype(np.uint8))


def coloured(width: int, height: int) -> Image.Image:
    """Each pixel another colour, all of which 16 bits can hold."""
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), ((x * 8) & 0xF8, (y * 4) & 0xFC, ((x + y) * 16) & 0xF8))
    return image


@pytest.mark.parametrize("padding", [0, 12])
@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_every_pixel_arrives_in_its_colour_in_every_format_and_with_longer_rows(
    form: tuple[int, int, int, int], padding: int, tmp_path: Path
) -> None:
    kernel = Kernel(tmp_path / "fb0", 20, 14, form, padding, top=3)
    picture = coloured(20, 14)
    with FramebufferPanel(kernel.path, (20, 14), ioctl=kernel.ioctl) as panel:
        panel.show(picture)
        assert kernel.seen() == picture
        for x, y in ((0, 0), (7, 5), (19, 13)):
            picture.putpixel((x, y), (0xF8, 0xFC, 0xF8))
            panel.show(picture)
            assert kernel.seen() == picture, (x, y)
    assert kernel.seen() == Image.new("RGB", (20, 14)), "nobody scans a stale code"


@pytest.mark.parametrize("rotate", [0, 1, 2, 3])
def test_a_turned_screen_gets_a_turned_picture(rotate: int, tmp_path: Path) -> None:
    kernel = Kernel(tmp_path / "fb0", 20, 14)
    panel = FramebufferPanel(kernel.path, (20, 14), rotate=rotate, ioctl=kernel.ioctl)
    assert panel.size == ((20, 14), (14, 20))[rotate % 2]
    picture = coloured(*panel.size)
    panel.show(picture)
    assert kernel.seen() == picture.rotate(-90 * rotate, expand=True)


@pytest.mark.parametrize("name", ["framebuffer-800x480", "framebuffer-1024x600"])
@pytest.mark.parametrize("form", [BGRX, R5G6B5], ids=str)
def test_a_code_is_read_back_off_the_screen(name: str, form: tuple[int, int, int, int], tmp_path: Path) -> None:
    layout = LAYOUTS[name]
    kernel = Kernel(tmp_path / "fb0", layout.width, layout.height, form, padding=64)
    panel = FramebufferPanel(kernel.path, (layout.width, layout.height), ioctl=kernel.ioctl)
    panel.show(Renderer(layout, SITE).compose(views(URL)["pay"]))
    assert qr.decode(kernel.seen()) == URL


def counted(panel: FramebufferPanel, picture: Image.Image, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many bytes a picture takes."""
    sent = 0
    write: Callable[[int, memoryview, int], int] = os.pwrite

    def counting(fd: int, data: memoryview, at: int) -> int:
        nonlocal sent
        sent += len(data)
        return write(fd, data[:1000], at)  # the kernel may take a part

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", counting)
        panel.show(picture)
    return sent


def test_only_the_rows_that_changed_are_written_and_everything_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    kernel = Kernel(tmp_path / "fb0", 20, 14)
    panel = FramebufferPanel(kernel.path, (20, 14), ioctl=kernel.ioctl, clock=lambda: now[0])
    picture = coloured(20, 14)
    panel.show(picture)
    assert counted(panel, picture, monkeypatch) == 0
    picture.putpixel((3, 6), (0, 0, 0))
    assert counted(panel, picture, monkeypatch) == 80
    kernel.path.write_bytes(bytes(20 * 14 * 4))  # a console
    now[0] += WHOLE_EVERY_S
    panel.show(picture)
    assert kernel.seen() == picture


def test_another_mode_a_vanished_device_and_a_closed_panel_are_named(tmp_path: Path) -> None:
    path = tmp_path / "fb0"
    panel = FramebufferPanel(path, (20, 14), ioctl=lambda *_: 0)
    with pytest.raises(PanelError, match="No such file"):
        panel.show(coloured(20, 14))
    kernel = Kernel(path, 30, 14)
    panel = FramebufferPanel(path, (20, 14), ioctl=kernel.ioctl)
    with pytest.raises(PanelError, match="is 30x14, not 20x14"):
        panel.show(coloured(20, 14))
    kernel.width = 20
    panel.show(coloured(20, 14))
    panel.close()
    panel.close()
    with pytest.raises(PanelError, match="closed"):
        panel.show(coloured(20, 14))
    with pytest.raises(ValueError, match="20x14"):
        panel.show(coloured(14, 20))


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"form": (8, 0, 0, 0)}, "8 bits a pixel"), ({"form": (16, 0, 5, 11)}, "16 bits"), ({"grey": 1}, "no colours")],
)
def test_a_screen_that_cannot_show_a_picture_is_found_out_beforehand(
    changes: dict[str, object], said: str, tmp_path: Path
) -> None:
    kernel = Kernel(tmp_path / "fb0", 20, 14, **changes)  # type: ignore[arg-type]
    with pytest.raises(OSError, match=said):
        probe(kernel.path, kernel.ioctl)
    good = Kernel(tmp_path / "fb1", 20, 14)
    assert probe(good.path, good.ioctl) == (20, 14, 32)
    with pytest.raises(OSError, match="ioctl"):
        probe(tmp_path / "fb1")  # a file is none


def test_a_backlight_is_set_in_its_own_steps_and_never_quite_off(tmp_path: Path) -> None:
    (tmp_path / "max_brightness").write_text("31\n")
    (tmp_path / "brightness").write_text("31\n")
    panel = FramebufferPanel(tmp_path / "fb0", (20, 14), backlight=tmp_path)
    assert panel.light
    levels = []
    for share in (1, 0.4, 0.001, 0):
        panel.light(share)
        levels.append((tmp_path / "brightness").read_text())
    assert levels == ["31", "12", "1", "0"]
    (tmp_path / "max_brightness").unlink()
    with pytest.raises(PanelError, match="backlight"):
        panel.light(1)
    assert FramebufferPanel(tmp_path / "fb0", (20, 14)).light is None
