"""The panel that is a folder of pictures."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from drivers.panel import PanelError
from drivers.panel_png import KEPT, PngPanel

SIZE = 32, 20


def picture(number: int) -> Image.Image:
    return Image.new("RGB", SIZE, (number % 256, number // 256, 7))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_new_picture_gets_the_next_number_and_is_the_latest(tmp_path: Path) -> None:
    panel = PngPanel(tmp_path / "made" / "here", SIZE)
    for number in range(3):
        panel.show(picture(number))
    folder = tmp_path / "made" / "here"
    assert names(folder) == ["000000.png", "000001.png", "000002.png", "latest.png"]
    with Image.open(folder / "latest.png") as latest, Image.open(folder / "000001.png") as second:
        assert (latest.convert("RGB"), second.convert("RGB")) == (picture(2), picture(1))


def test_an_unchanged_picture_is_not_written_again(tmp_path: Path) -> None:
    panel = PngPanel(tmp_path, SIZE)
    panel.show(picture(1))
    panel.show(picture(1))
    assert names(tmp_path) == ["000000.png", "latest.png"]


def test_the_newest_hundred_are_kept(tmp_path: Path) -> None:
    panel = PngPanel(tmp_path, SIZE)
    for number in range(KEPT + 5):
        panel.show(picture(number))
    assert names(tmp_path) == [f"{number:06}.png" for number in range(5, KEPT + 5)] + ["latest.png"]


def test_a_new_process_counts_on_and_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.png").touch()
    with PngPanel(tmp_path, SIZE) as panel:
        panel.show(picture(1))
    with PngPanel(tmp_path, "32x20") as panel:
        panel.show(picture(1))
    assert names(tmp_path) == ["000000.png", "000001.png", "latest.png", "notes.png"]


@pytest.mark.fault("pins-signals-clones")
def test_at_the_end_the_latest_picture_is_dark_and_the_numbered_ones_stay(tmp_path: Path) -> None:
    with PngPanel(tmp_path, SIZE) as panel:
        panel.show(picture(1))
    panel.close()
    assert names(tmp_path) == ["000000.png", "latest.png"]
    with Image.open(tmp_path / "latest.png") as latest, Image.open(tmp_path / "000000.png") as first:
        assert (latest.convert("RGB"), first.convert("RGB")) == (Image.new("RGB", SIZE), picture(1))


def test_after_the_last_number_comes_the_first(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "999999.png")
    PngPanel(tmp_path, SIZE).show(picture(1))
    assert names(tmp_path) == ["000000.png", "999999.png", "latest.png"]


def test_a_folder_that_cannot_be_written_is_said_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "folder").touch()
    panel = PngPanel(tmp_path / "folder", SIZE)
    with pytest.raises(PanelError, match="no picture can be written to"):
        panel.show(picture(1))
    (tmp_path / "folder").unlink()
    panel.show(picture(1))
    assert names(tmp_path / "folder") == ["000000.png", "latest.png"]


@pytest.mark.fault("lcd-fails")
@pytest.mark.parametrize("number", [1, 2])
def test_a_folder_that_vanished_is_made_anew_by_the_next_picture_also_by_the_same_one(
    tmp_path: Path, number: int
) -> None:
    panel = PngPanel(tmp_path / "garage" / "lcd", SIZE)
    panel.show(picture(1))
    shutil.rmtree(tmp_path / "garage")
    panel.show(picture(number))
    assert names(tmp_path / "garage" / "lcd") == ["000000.png", "latest.png"]
    with Image.open(tmp_path / "garage" / "lcd" / "latest.png") as latest:
        assert latest.convert("RGB") == picture(number)


@pytest.mark.fault("lcd-fails")
def test_pictures_that_vanished_out_of_their_folder_are_missed_by_nobody(tmp_path: Path) -> None:
    panel = PngPanel(tmp_path, SIZE)
    panel.show(picture(1))
    for path in tmp_path.iterdir():
        path.unlink()
    panel.show(picture(1))
    panel.show(picture(2))
    assert names(tmp_path) == ["000001.png", "000002.png", "latest.png"]


@pytest.mark.fault("lcd-fails")
def test_a_folder_that_vanished_and_cannot_be_made_is_said_until_it_can(tmp_path: Path) -> None:
    panel = PngPanel(tmp_path / "lcd", SIZE)
    panel.show(picture(1))
    shutil.rmtree(tmp_path / "lcd")
    (tmp_path / "lcd").touch()
    for _ in range(2):
        with pytest.raises(PanelError, match="no picture can be written to"):
            panel.show(picture(1))
    (tmp_path / "lcd").unlink()
    panel.show(picture(1))
    assert names(tmp_path / "lcd") == ["000000.png", "latest.png"]


@pytest.mark.parametrize("size", ["480", "480x", "0x320", "480x320x3", "big"])
def test_a_size_that_is_none_is_refused(tmp_path: Path, size: str) -> None:
    with pytest.raises(ValueError, match="size is width x height"):
        PngPanel(tmp_path, size)


def test_a_picture_of_another_size_or_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="RGB pictures of 32x20, not RGB of 20x32"):
        PngPanel(tmp_path, SIZE).show(Image.new("RGB", (20, 32)))
    with pytest.raises(ValueError, match="not L of 32x20"):
        PngPanel(tmp_path, SIZE).show(Image.new("L", SIZE))
