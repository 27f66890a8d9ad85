from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from terminal.__main__ import main
from terminal.core.model import REASONS
from terminal.screen import fonts, qr
from terminal.screen.layouts import LAYOUTS
from terminal.screen.sample_views import SITE, URL
from terminal.screen.view import Site
from terminal.tools import screens
from tests.support.gallery import PICTURES, gallery

pytestmark = pytest.mark.skipif(not fonts.raqm_available(), reason=f"Arabic cannot be shaped here: {fonts.INSTALL}")
SHORT = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac1495837234592be948e83fcaae0cb&t=1765054600668"
pictures = cache(screens.pictures)  # drawing those of a panel takes half a second
shown = cache(gallery)
OF_EACH_STYLE = {layout.style: panel for panel, layout in LAYOUTS.items()}.values()
STATES = ["idle", "wait", "pay", "paid", "free"] + [f"{state}-{why}" for state in REASONS for why in REASONS[state]]


def test_every_screen_of_every_panel_is_written_in_its_own_pixels(tmp_path: Path) -> None:
    files = screens.run(tmp_path / "out")
    assert sorted(files) == sorted((tmp_path / "out").iterdir())
    for panel, layout in LAYOUTS.items():
        for state in STATES:
            with Image.open(tmp_path / "out" / f"{panel}-{state}.png") as image:
                assert (image.mode, image.size) == ("RGB", (layout.width, layout.height))
    with Image.open(tmp_path / "out" / "contact-sheet.png") as sheet:
        assert sheet.width < 2048


def test_the_pay_screen_bears_the_link_that_is_asked_for() -> None:
    for panel in LAYOUTS:
        assert qr.decode(pictures(panel)["pay"]) == URL
    for panel in OF_EACH_STYLE:
        assert qr.decode(screens.pictures(panel, SHORT)["pay"]) == SHORT


def test_a_square_panel_has_its_words_in_a_picture_of_their_own() -> None:
    assert {name for name in pictures("st7789-240") if name.startswith("pay")} == {
        "pay",
        "pay-words",
        "pay-second",
        "pay-signal",
        "pay-scanned",
        "pay-wifi",
    }
    assert "pay-words" not in pictures("ili9488")


def test_the_page_of_a_lanes_wifi_is_among_the_screens_of_every_panel() -> None:
    for panel in LAYOUTS:
        assert qr.decode(pictures(panel)["pay-wifi"]) == "WIFI:T:WPA;S:Marina Guest;P:welcome 2026;;"


def test_what_no_code_can_carry_is_said(tmp_path: Path) -> None:
    with pytest.raises(qr.QrError, match="printable ASCII"):
        screens.run(tmp_path, "ü")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ü", "QR code: 1 to 512 printable ASCII characters are needed, got 1: 'ü'"),
        ("", "QR code: 1 to 512 printable ASCII characters are needed, got 0: ''"),
        (
            "https://qr.payby.com?" + "x" * 230,
            "st7789-240: QR code: 57 modules a side; 240 pixels hold at most 52",
        ),
    ],
    ids=["no link", "empty", "too long"],
)
def test_a_link_that_a_panel_cannot_show_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, why: str
) -> None:
    assert main(["screens", "--out", str(tmp_path / "out"), "--url", url]) == 2
    assert capsys.readouterr().err == f"exit-terminal: screens --url: {why}\n"
    assert not (tmp_path / "out").exists()


CONFIGURATION = """
[garage]
id = "palm"
name = "Palm Garage"
name_ar = "موقف النخلة"
help_phone = "800 7256"
[lcd]
panel = "ili9341"
digits = "arabic"
"""


@pytest.mark.parametrize(
    ("options", "site"),
    [
        ([], Site("Palm Garage", "موقف النخلة", "800 7256", "arabic")),
        (["--digits", "latin"], Site("Palm Garage", "موقف النخلة", "800 7256", "latin")),
    ],
    ids=["the configuration's digits", "others"],
)
def test_the_screens_are_drawn_in_the_words_of_the_garage_that_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], site: Site
) -> None:
    monkeypatch.setattr(screens, "LAYOUTS", {"ili9341": LAYOUTS["ili9341"]})
    file = tmp_path / "exit.toml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    assert main(["--config", str(file), "screens", "--out", str(tmp_path), *options]) == 0
    for name, drawn in screens.pictures("ili9341", site=site).items():
        with Image.open(tmp_path / f"ili9341-{name}.png") as image:
            assert image.tobytes() == drawn.tobytes(), name


def test_without_a_configuration_only_the_digits_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "LAYOUTS", {"ili9488": LAYOUTS["ili9488"]})
    assert main(["screens", "--out", str(tmp_path), "--digits", "arabic"]) == 0
    with Image.open(tmp_path / "ili9488-pay.png") as image:
        assert image.tobytes() == screens.pictures("ili9488", site=replace(SITE, digits="arabic"))["pay"].tobytes()


def test_a_configuration_that_is_not_there_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(tmp_path / "absent.toml"), "screens", "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert "absent.toml" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["screens.png", "panels.png", "contact-sheet.png"])
def test_the_pictures_that_the_readme_shows_are_those_of_today(name: str) -> None:
    drawn = shown()[name].convert("L")
    with Image.open(PICTURES / name) as kept:
        assert kept.size == drawn.size, "python -m tests.support.gallery draws them anew"
        difference = ImageChops.difference(kept.convert("L"), drawn)
    other = difference.point(lambda grey: 255 * (grey > 48)).getbbox()
    assert other is None, f"they differ at {other}: python -m tests.support.gallery draws them anew"


@pytest.mark.parametrize("size", [(480, 320), (320, 240), (240, 240), (320, 480)])
def test_the_test_card_shows_edges_colours_and_a_code(size: tuple[int, int]) -> None:
    card = screens.test_card(*size)
    width, height = size
    assert (card.mode, card.size) == ("RGB", size)
    edge = [card.getpixel(at) for at in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1))]
    assert edge == [(0, 0, 0)] * 4
    colours = {colour for _, colour in card.getcolors(1 << 16) or []}
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255)} <= colours
    assert qr.decode(card) == URL
