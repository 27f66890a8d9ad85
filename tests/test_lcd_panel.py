"""An LCD whose panel fails, hangs, or shows the same for long."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from drivers.panel_png import PngPanel
from terminal.contract.messages import Alert
from terminal.screen import qr
from terminal.screen.dimming import Dimming
from terminal.screen.presenter import CODE_MS, WORDS_MS
from terminal.screen.sample_views import URL
from tests.support.lcd_kerb import GlassPanel, kerb


@pytest.mark.fault("lcd-fails")
async def test_a_panel_that_fails_degrades_the_role_and_gets_the_picture_when_it_is_back() -> None:
    panel = GlassPanel()
    panel.error = OSError("spidev0.0: no such device")
    async with kerb(panel=panel) as k:
        (alert,) = await k.bus.until(Alert, 1)
        assert (alert.code, alert.severity) == ("lcd-panel", "critical")
        assert alert.text == "the panel shows no frame: spidev0.0: no such device"
        await k.settled()
        assert (k.health().state, k.health().reason) == ("degraded", alert.text)
        panel.error = None
        await k.screen("idle")
        assert k.view(await panel.until(1), state="idle")
        await k.bus.until(Alert, 2)
        await k.settled()
        assert (k.alerts()[1], k.health().state) == (("lcd-panel", "cleared"), "online")


class FolderPanel(GlassPanel):
    """One that is a folder of pictures as well."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.png = PngPanel(folder, self.size)

    def show(self, image: Image.Image) -> None:
        self.png.show(image)
        super().show(image)


@pytest.mark.fault("lcd-fails")
async def test_a_folder_of_pictures_that_vanished_and_cannot_be_made_is_told_and_comes_back_by_itself(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "lcd"
    async with kerb(panel=FolderPanel(folder)) as k:
        shutil.rmtree(folder)
        folder.touch()
        await k.screen("idle")
        (alert,) = await k.bus.until(Alert, 1)
        assert (alert.code, alert.severity) == ("lcd-panel", "critical")
        assert alert.text.startswith(f"the panel shows no frame: no picture can be written to {folder}")
        await k.settled()
        assert k.health().state == "degraded"
        folder.unlink()
        await k.bus.until(Alert, 2)
        await k.settled()
        assert (k.alerts()[1], k.health().state) == (("lcd-panel", "cleared"), "online")
        with Image.open(folder / "latest.png") as latest:
            assert k.view(latest.convert("RGB"), state="idle")


@pytest.mark.fault("lcd-fails")
async def test_a_panel_that_hangs_stops_no_heartbeat_and_is_told() -> None:
    panel = GlassPanel()
    panel.free.clear()
    async with kerb(panel=panel, patience_s=0.05) as k:
        (alert,) = await k.bus.until(Alert, 1)
        assert alert.text == "the panel has not taken a frame for 0.05 s"
        await k.screen("idle")
        panel.free.set()
        await k.bus.until(Alert, 2)
        assert k.view(await panel.until(2), state="idle")
        assert k.alerts() == [("lcd-panel", "raised"), ("lcd-panel", "cleared")]


@pytest.mark.fault("lcd-fails")
async def test_a_screen_whose_words_do_not_fit_takes_the_code_off_the_glass_and_is_told() -> None:
    """A panel so small that it has room for a short endpoint's code, and not for the words that take turns with it."""
    endpoint = "https://a.ae"
    async with kerb(panel=GlassPanel((152, 154))) as k:
        await k.beat()
        await k.pays(k.pay(url=endpoint))
        assert qr.decode(await k.panel.until(2)) == endpoint
        k.clock.turn(CODE_MS)
        await k.beat()
        bare = await k.panel.until(3)
        assert bare != Image.new("RGB", bare.size, "white")
        assert qr.decode(bare) is None
        (alert,) = await k.bus.until(Alert, 1)
        assert (alert.code, alert.severity) == ("lcd-panel", "critical")
        assert alert.text.startswith("the screen 'pay' does not fit on the png: 'AED 25.00 درهم' is ")
        assert alert.text.endswith("; shorten garage.help_phone or the garage's name, or take a larger panel")
        await k.settled()
        assert (k.health().state, k.health().reason) == ("degraded", alert.text)
        await k.beat()
        assert len(k.panel.frames) == 3  # it stays, and is not tried again
        k.clock.turn(WORDS_MS)
        await k.beat()
        assert qr.decode(await k.panel.until(4)) == endpoint
        await k.bus.until(Alert, 2)
        await k.settled()
        assert k.alerts() == [("lcd-panel", "raised"), ("lcd-panel", "cleared")]


NIGHT = Dimming(0.4, 30 * 60_000, None)


async def test_a_panel_that_serves_nobody_for_long_is_dimmed_and_full_again_for_the_next_driver() -> None:
    levels: list[float] = []
    async with kerb(dimming=NIGHT, light=levels.append) as k:
        await k.beat()
        await k.screen("idle")
        await k.panel.until(2)
        k.clock.turn(30 * 60_000 - 1)
        await k.beat()
        assert k.view(await k.panel.until(3), state="idle", moved=29 % 9)
        assert levels == []
        k.clock.turn(1)
        await k.beat()
        assert k.view(await k.panel.until(4), state="idle", moved=30 % 9)
        assert levels == [0.4]
        await k.pays(k.pay())
        await k.shown(URL)
        assert levels == [0.4, 1.0]


@pytest.mark.parametrize(("code", "dims"), [("", True), ("7K3QF", False)], ids=["no visit", "a visit"])
async def test_a_panel_whose_worker_is_gone_for_long_is_dimmed_unless_a_driver_was_there(code: str, dims: bool) -> None:
    levels: list[float] = []
    async with kerb(dimming=NIGHT, light=levels.append) as k:
        await k.screen("wait" if code else "idle", help_code=code or None)
        await k.panel.until(2)
        k.clock.turn(15_000)
        await k.beat("offline")
        assert k.view(await k.panel.until(3), state="help", reason="no-answer", help_code=code)
        k.clock.turn(30 * 60_000)
        await k.beat("offline")
        await k.panel.until(4)
        assert levels == [0.4] * dims


async def test_where_the_light_cannot_be_dimmed_the_picture_is() -> None:
    async with kerb(dimming=NIGHT) as k:
        await k.screen("closed", reason="operator")
        await k.panel.until(2)
        k.clock.turn(30 * 60_000)
        await k.beat()
        white = (await k.panel.until(3)).getpixel((0, 0))
        assert white == (round(255 * 0.4 ** (1 / 2.2)),) * 3


async def test_a_picture_that_stands_for_minutes_moves_and_one_that_serves_a_driver_does_not() -> None:
    async with kerb() as k:
        await k.beat()
        await k.screen("idle")
        await k.panel.until(2)
        k.clock.turn(60_000)
        await k.beat()
        assert k.view(await k.panel.until(3), state="idle", moved=1)
        await k.screen("help", reason="refused", help_code="7K3QF")
        await k.panel.until(4)
        k.clock.turn(60_000)
        await k.beat()
        assert k.view(await k.panel.until(5), state="help", reason="refused", help_code="7K3QF")


async def test_a_light_that_fails_is_the_panels_failure() -> None:
    def fail(share: float) -> None:
        raise OSError("GPIO 18 cannot be set")

    async with kerb(dimming=Dimming(0.4, 0), light=fail) as k:
        await k.screen("idle")
        (alert,) = await k.bus.until(Alert, 1)
        assert (alert.code, alert.text) == ("lcd-panel", "the panel shows no frame: GPIO 18 cannot be set")
        await k.settled()
