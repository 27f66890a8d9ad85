"""What is wrong with an LCD, its picture or its fonts: a clear line, and a lane that goes on as far as it can."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from drivers.panel_kinds import check_offset, datasheet_hz
from drivers.panel_png import PngPanel
from terminal.__main__ import main
from terminal.app.hardware import RealHardware
from terminal.config.lcd_settings import LcdSettings
from terminal.config.load import load
from terminal.contract.messages import Alert
from terminal.screen import fonts, qr
from terminal.screen.sample_views import URL
from terminal.tools import screens
from terminal.tools.check.command import check
from terminal.tools.check.finding import Machine
from terminal.tools.check.report import Lines
from tests.support.lcd_kerb import GlassPanel, kerb
from tests.support.leash import running

CONFIGURATION = """
[garage]
id = "marina"
name = "Marina"
name_ar = "مارينا"
help_phone = "+971 4 000 0000"
[lane]
id = "exit-1"
[mqtt]
url = "mqtt://127.0.0.1:1"
username = "lcd"
password_file = "password"
[lift]
trusted = { worker = "worker.pub.pem" }
[lcd]
panel = "ili9341"
[gpio]
pins = "mock"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A lane's configuration: its broker is away, its pins are mock."""
    (tmp_path / "password").write_text("x")
    (tmp_path / "password").chmod(0o600)
    public = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "worker.pub.pem").write_bytes(public.public_bytes(*pem))
    Image.new("RGB", (240, 320)).save(tmp_path / "turned.png")
    Image.new("RGB", (320, 240)).save(tmp_path / "photo.jpg")
    Image.new("RGB", (320, 240)).save(tmp_path / "idle.png")
    (tmp_path / "long").write_text("x" * 63)
    (tmp_path / "long").chmod(0o600)
    made = tmp_path / "exit.toml"
    made.write_text(CONFIGURATION)
    return made


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"panel": "ili9999"},
            "got 'ili9999', takes st7789-240, st7789-320, ili9341, ili9486, ili9488, framebuffer or png",
        ),
        ({"panel": "png", "folder": "out"}, 'lcd.size: missing; panel = "png" takes pixels, such as "480x320"'),
        ({"panel": "framebuffer"}, 'lcd.size: missing; panel = "framebuffer" takes pixels, such as "800x480"'),
        ({"panel": "framebuffer", "size": "2000x480"}, "got '2000x480', takes pixels, such as "),
        ({"panel": "png", "folder": "out", "size": "480"}, 'got 480, takes pixels, such as "480x320"'),
        ({"panel": "png", "folder": "out", "size": "100x100"}, "100x100 px are too few; the shorter side needs 120"),
        ({"x_offset": "1"}, "lcd: the ili9341 has no x_offset: its glass is the whole memory"),
        ({"wifi": "w" * 32, "wifi_password_file": "long"}, "lcd.wifi: "),
    ],
    ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else "",
)
def test_what_is_wrong_with_the_panel_stops_the_role_with_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], line: str
) -> None:
    for key, value in changes.items():
        monkeypatch.setenv(f"EXIT_TERMINAL_LCD_{key.upper()}", value)
    assert main(["--config", str(file), "lcd"]) == 2
    said = [one for one in capsys.readouterr().err.splitlines() if one.startswith("exit-terminal: ")]
    assert len(said) == 1
    assert line in said[0]


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        ("absent.png", "absent.png is not there"),
        ("turned.png", "turned.png has 240x320 px; the panel has 320x240"),
        ("photo.jpg", "photo.jpg is not a PNG"),
        ("coded.png", "coded.png has a bar code, which drivers would take for the payment's"),
    ],
)
@pytest.mark.fault("lcd-fails")
def test_an_idle_picture_that_cannot_be_shown_is_told_and_the_lcd_goes_on(file: Path, picture: str, why: str) -> None:
    screens.test_card(320, 240).save(file.parent / "coded.png")
    keys = {"PANEL": "png", "FOLDER": str(file.parent / "out"), "SIZE": "320x240", "IDLE_PICTURE": picture}
    environ = {**os.environ, **{f"EXIT_TERMINAL_LCD_{key}": value for key, value in keys.items()}}
    words = [sys.executable, "-m", "terminal", "--config", str(file), "lcd"]
    with running(*words, env=environ, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "idle-picture" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert " WARNING terminal.mqtt.alerts: alert idle-picture raised: lcd.idle_picture: " in line
    assert line.endswith(f"{why}\n")


async def test_without_the_operators_idle_picture_the_lcd_shows_its_own_and_is_degraded() -> None:
    async with kerb(no_idle="lcd.idle_picture: absent.png is not there") as k:
        (alert,) = await k.bus.until(Alert, 1)
        await k.settled()
        assert (alert.code, alert.severity, alert.text) == ("idle-picture", "warning", k.health().reason)
        assert k.health().state == "degraded"
        await k.screen("idle")
        assert k.view(await k.panel.until(2), state="idle")
        await k.settled()


@pytest.mark.skipif(Path("/dev/spidev0.0").exists(), reason="this machine has an SPI bus")
def test_the_test_card_says_in_one_line_that_no_panel_is_there(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(file), "lcd", "--test"]) == 1
    _, err = capsys.readouterr()
    assert err.startswith("exit-terminal: the ili9341 cannot be reached: ")
    assert err.count("\n") == 1


def test_the_test_card_needs_a_panel_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "exit.toml").write_text('[lcd]\npanel = "png"\nfolder = "out"\nsize = "480x320"\n')
    words = [sys.executable, "-m", "terminal", "--config", str(tmp_path / "exit.toml"), "lcd", "--test"]
    with running(*words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("The test card is on the panel")
        with Image.open(tmp_path / "out" / "latest.png") as card:
            assert (card.size, qr.decode(card)) == ((480, 320), URL)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_the_test_card_needs_a_panel_that_could_show_the_screens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "exit.toml").write_text('[lcd]\npanel = "png"\nfolder = "out"\nsize = "100x100"\n')
    assert main(["--config", str(tmp_path / "exit.toml"), "lcd", "--test"]) == 2
    err = capsys.readouterr().err
    assert err == "exit-terminal: lcd.panel 'png': 100x100 px are too few; the shorter side needs 120\n"


def checked(file: Path, **changes: str) -> dict[str, str]:
    """The lines of `check` by their names."""
    environ = {f"EXIT_TERMINAL_LCD_{key.upper()}": value for key, value in changes.items()}
    lines: list[str] = []
    machine = Machine(
        open_pins=lambda kind: pytest.fail("not asked"),
        ntp=lambda: True,
        datasheet_hz=datasheet_hz,
        check_offset=check_offset,
    )
    asyncio.run(check(load(file, environ), machine, Lines(lines.append)))
    return {line[6:].partition(":")[0]: line for line in lines}


def test_check_names_an_idle_picture_that_does_not_fit(file: Path) -> None:
    line = checked(file, idle_picture="turned.png")["idle picture"]
    assert line.startswith("FAIL  idle picture: ")
    assert "has 240x320 px; the panel has 320x240 -> use a still PNG of exactly the panel's size" in line
    for fits in ({"idle_picture": "idle.png"}, {"idle_picture": "turned.png", "rotate": "1"}):
        assert checked(file, **fits)["idle picture"].startswith("ok ")
    assert "idle picture" not in checked(file)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"x_offset": "1"},
            "FAIL  panel: lcd: the ili9341 has no x_offset: its glass is the whole memory"
            " -> correct lcd.x_offset and lcd.y_offset: deploy/wiring.md, The display",
        ),
        (
            {"panel": "st7789-240", "x_offset": "81"},
            "FAIL  panel: lcd: x_offset of the st7789-240 is 0 to 80, not 81"
            " -> correct lcd.x_offset and lcd.y_offset: deploy/wiring.md, The display",
        ),
        (
            {"panel": "png", "folder": "out", "size": "480x100"},
            "FAIL  panel: lcd.panel 'png': 480x100 px are too few; the shorter side needs 120 -> correct lcd.size",
        ),
    ],
    ids=["no offset", "offset", "size"],
)
def test_check_names_what_would_stop_the_panel(file: Path, changes: dict[str, str], line: str) -> None:
    assert checked(file, **changes)["panel"] == line


def test_check_draws_every_screen_and_names_those_that_have_no_room(file: Path) -> None:
    assert checked(file)["screens"] == "ok    screens: all of them fit on the ili9341"
    wide = checked(file, panel="png", folder="out", size="260x180")["screens"]
    assert wide == (
        "FAIL  screens: pay, pay-words, pay-second, pay-signal, pay-scanned, paid-invoice do not fit on the png: "
        "the countdown is 1 px too wide"
        " -> shorten garage.help_phone or the garage's name, or take a larger panel"
    )
    small = checked(file, panel="png", folder="out", size="120x120")["screens"]
    assert "FAIL  screens: pay, " in small
    assert ": QR code: 37 modules a side; 120 pixels hold at most 22 -> " in small


def test_check_names_characters_of_the_garage_that_the_font_lacks(file: Path) -> None:
    file.write_text(CONFIGURATION.replace('"Marina"', '"Marina 停车 P"'))
    lines = checked(file)
    line = "FAIL  screens garage.name: the screens' font lacks 停 车 -> use other characters"
    assert lines["screens garage.name"] == line
    assert {name for name in lines if name.startswith("screens")} == {"screens garage.name", "screens"}


def test_check_names_a_wifi_that_does_not_fit_or_whose_password_is_not_there(file: Path) -> None:
    assert checked(file, wifi="Marina Guest")["wifi"] == "ok    wifi: Marina Guest fits on the panel; an open network"
    assert checked(file, wifi="Marina", wifi_password_file="long")["wifi"].startswith("ok ")
    for bad, why in (
        ({"wifi": "w" * 32, "wifi_password_file": "long"}, "41 modules a side; 192 pixels hold at most 40"),
        ({"wifi": "Marina", "wifi_password_file": "absent"}, "lcd.wifi_password_file: cannot read"),
    ):
        line = checked(file, **bad)["wifi"]
        assert line.startswith("FAIL ")
        assert why in line


# Fonts


@pytest.fixture
def fonts_anew() -> Iterator[None]:
    """Nothing is remembered of fonts that were loaded before."""
    caches = (fonts.font, fonts.ink)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def no_font(fonts_anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package with the font had not been installed."""
    monkeypatch.setitem(sys.modules, "fontpkg_ibm_plex_sans_arabic", None)


@pytest.mark.usefixtures("fonts_anew")
@pytest.mark.parametrize("content", [None, b"", b"no font"], ids=["gone", "empty", "damaged"])
def test_check_names_a_font_whose_file_is_gone_or_damaged_and_what_mends_it(
    file: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = file.parent / "fontpkg_ibm_plex_sans_arabic"
    (package / "files").mkdir(parents=True)
    (package / "__init__.py").touch()
    if content is not None:
        (package / "files" / "IBMPlexSansArabic-Regular.ttf").write_bytes(content)
    monkeypatch.setitem(sys.modules, package.name, None)  # so that what was there comes back
    del sys.modules[package.name]
    monkeypatch.syspath_prepend(file.parent)
    assert checked(file)["fonts"] == (
        "FAIL  fonts: the font IBMPlexSansArabic-Regular.ttf cannot be read"
        " -> pip install --force-reinstall fontpkg-ibm-plex-sans-arabic"
    )


@pytest.mark.usefixtures("no_font")
def test_check_names_a_missing_font_and_what_brings_it(file: Path) -> None:
    line = checked(file)["fonts"]
    assert line == "FAIL  fonts: the font is missing -> pip install fontpkg-ibm-plex-sans-arabic"


@pytest.mark.usefixtures("no_font")
async def test_without_its_font_the_lcd_says_so_and_stays() -> None:
    panel = GlassPanel()
    panel.free.clear()  # no first frame is waited for
    async with kerb(panel=panel) as k:
        panel.free.set()
        (alert,) = await k.bus.until(Alert, 1)
        assert alert.text == "the panel shows no frame: the font is missing: pip install fontpkg-ibm-plex-sans-arabic"
        await k.settled()
        assert (k.health().state, panel.frames) == ("degraded", [])


def test_without_fribidi_check_and_the_lcd_say_what_to_install(file: Path, tmp_path: Path) -> None:
    """A library of that name that is none stands before the real one."""
    (tmp_path / "libraries").mkdir()
    for name in ("libfribidi.so.0", "libfribidi.so"):
        (tmp_path / "libraries" / name).write_bytes(b"")
    environ = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path / "libraries")}
    words = [sys.executable, "-m", "terminal", "--config", str(file), "check"]
    ended = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert (
        "FAIL  fonts: Arabic cannot be shaped without libfribidi0 -> sudo apt-get install libfribidi0" in ended.stdout
    )
    words = [sys.executable, "-m", "terminal", "screens", "--out", str(tmp_path / "screens")]
    ended = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0
    assert (
        ended.stderr == f"exit-terminal: Arabic is left out, because it cannot be shaped here; run: {fonts.INSTALL}\n"
    )
    code = "import asyncio, tests.test_lcd_bad_input as t; asyncio.run(t.degraded_reason())"
    ended = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert ended.stdout == "Arabic cannot be shown; run: sudo apt-get install libfribidi0\n", ended.stderr


async def degraded_reason() -> None:
    """Print what the lcd's health says, for the process above."""
    async with kerb() as k:
        await k.settled()
        print(k.health().reason)


@pytest.mark.fault("lcd-fails")
def test_a_bus_that_hangs_for_good_does_not_keep_the_process_from_ending() -> None:
    code = "import asyncio, tests.test_lcd_bad_input as t; asyncio.run(t.hung())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (0, "the panel has not taken a frame for 0.05 s\n"), ended.stderr


async def hung() -> None:
    """The role ends while its panel's thread does not, for the process above."""
    panel = GlassPanel()
    panel.show = lambda image: threading.Event().wait()  # type: ignore[assignment,method-assign]
    panel.free.clear()  # no first frame is waited for
    async with kerb(panel=panel, patience_s=0.05) as k:
        print((await k.bus.until(Alert, 1))[0].text)
        await k.settled()


@pytest.mark.fault("lcd-fails")
async def test_a_bus_that_hangs_at_the_end_is_not_waited_for(file: Path) -> None:
    free = threading.Event()

    class Hung(RealHardware):
        panel_end_s = 0.05

        def _panel(self, lcd: LcdSettings) -> PngPanel:
            panel = PngPanel(file.parent, (320, 240))
            panel.close = free.wait  # type: ignore[assignment,method-assign]
            return panel

    async with asyncio.timeout(20), Hung(load(file, {})).panel():
        pass
    free.set()
