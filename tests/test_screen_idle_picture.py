import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from terminal.screen import qr
from terminal.screen.idle_picture import PictureError, load

SIZE = (320, 240)


def picture(path: Path, size: tuple[int, int] = SIZE, mode: str = "RGB", kind: str = "png") -> None:
    Image.new(mode, size, 0).save(path, kind)


def damaged(path: Path) -> None:
    picture(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def moving(path: Path) -> None:
    frames = [Image.new("RGB", SIZE, colour) for colour in ("red", "blue")]
    frames[0].save(path, "png", save_all=True, append_images=frames[1:])


def coded(path: Path) -> None:
    picture = Image.new("RGB", SIZE, "teal")
    picture.paste(qr.draw(qr.encode("https://elsewhere.example/pay"), 160).convert("RGB"), (80, 40))
    picture.save(path)


def enormous(path: Path) -> None:
    header = bytearray(b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + (30_000).to_bytes(4) * 2 + b"\x08\x02\0\0\0")
    path.write_bytes(header + zlib.crc32(header[12:]).to_bytes(4) + b"\0\0\0\0IEND\xaeB`\x82")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "1", "P", "LA", "I;16"])
def test_any_still_png_of_the_panels_size_becomes_rgb(tmp_path: Path, mode: str) -> None:
    picture(tmp_path / "idle.png", mode=mode)
    assert (load(tmp_path / "idle.png", SIZE).mode, load(tmp_path / "idle.png", SIZE).size) == ("RGB", SIZE)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", SIZE, (255, 0, 0, 0)).save(tmp_path / "idle.png")
    assert load(tmp_path / "idle.png", SIZE).getcolors() == [(SIZE[0] * SIZE[1], (255, 255, 255))]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, r"idle\.png is not there"),
        (lambda path: picture(path, (240, 320)), r"has 240x320 px; the panel has 320x240"),
        (lambda path: picture(path, kind="jpeg"), "is not a PNG"),
        (lambda path: path.write_bytes(b""), "is not a PNG"),
        (lambda path: path.write_bytes(b"x" * (8 * 1024 * 1024 + 1)), "more than 8 MiB"),
        (lambda path: path.mkdir(), "cannot be read"),
        (damaged, "cannot be read"),
        (moving, "is animated; use a still PNG"),
        (coded, "has a bar code, which drivers would take for the payment's"),
        (enormous, "far more pixels than the panel's 320x240"),
    ],
    ids=["absent", "turned", "jpeg", "empty", "large", "folder", "damaged", "moving", "coded", "enormous"],
)
def test_what_cannot_be_the_idle_picture_is_refused_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], why: str
) -> None:
    make(tmp_path / "idle.png")
    with pytest.raises(PictureError, match=why) as refused:
        load(tmp_path / "idle.png", SIZE)
    assert "\n" not in str(refused.value)
