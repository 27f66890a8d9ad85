import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from drivers.panel import WHOLE_EVERY_S
from drivers.panel_png import PngPanel
from terminal.clock import Clock, SystemClock, new_id
from terminal.contract.messages import Alert, Health, Screen, decode, encode, stamp
from terminal.contract.signatures import TrustedKeys, sign_screen
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.lcd import BURST, DRAW_EVERY_MS, LOOK_EVERY_MS, WHOLE_EVERY_MS, LcdRole
from terminal.screen import qr
from terminal.screen.dimming import Dimming
from terminal.screen.layouts import LAYOUTS
from terminal.screen.presenter import CODE_MS, WORDS_MS
from terminal.screen.renderer import Renderer
from terminal.screen.sample_views import SITE, URL
from terminal.screen.view import View
from terminal.screen.wifi_page import wifi
from tests.conftest import NewBus
from tests.sim.memorybus import MemoryBus, TestClock

LANE = "parking/marina/exit-1/"
WORKER = "parking/marina/garage/health/worker"
SESSION = "01a1ec96-3c00-7000-8000-000000004f2a"
KEY, STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32)), Ed25519PrivateKey.from_private_bytes(b"x" * 32)
PAY: dict[str, Any] = {
    "state": "pay",
    "amount": "25.00",
    "minutes": 125,
    "tail": "4F2A",
    "help_code": "7K3QF",
    "symbol": qr.encode(URL),
}
OTHER_URL = URL[:-3] + "999"


class GlassPanel:
    """A panel that remembers all that was brought to it, and can fail or hang."""

    def __init__(self, size: tuple[int, int] = (480, 320)) -> None:
        self.size = size
        self.frames: list[Image.Image] = []
        self.threads: set[int] = set()
        self.error: OSError | None = None
        self.free = threading.Event()
        self.free.set()
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def show(self, image: Image.Image) -> None:
        self.free.wait(10)
        self.threads.add(threading.get_ident())
        assert (image.mode, image.size) == ("RGB", self.size)
        if self.error:
            raise self.error
        self.frames.append(image.copy())
        self._loop.call_soon_threadsafe(self._news.set)

    async def until(self, count: int) -> Image.Image:
        """Wait for so many frames in all; the last of them."""
        async with asyncio.timeout(5):
            while len(self.frames) < count:
                self._news.clear()
                await self._news.wait()
        assert len(self.frames) == count
        return self.frames[-1]


def pay(clock: Clock, url: str = URL, key: Ed25519PrivateKey = KEY, lane: str = "exit-1", **changes: Any) -> Screen:
    """A signed pay screen of this moment, with whatever is changed before it is signed."""
    now = clock.wall_ms()
    whole = {
        "id": new_id(clock),
        "at": stamp(now),
        "state": "pay",
        "session": SESSION,
        "amount": "25.00",
        "currency": "AED",
        "minutes": 125,
        "expires": stamp(now + 110_000),
        "remaining": 110,
        "help_code": "7K3QF",
        "qr": qr.to_wire(qr.encode(url)),
    }
    return sign_screen(key, "marina", lane, key="worker", **(whole | changes))


@dataclass
class Kerb:
    """An lcd role at work: what it hears, what its panel shows, and what it says."""

    bus: MemoryBus
    panel: GlassPanel
    clock: TestClock
    role: LcdRole
    renderer: Renderer = field(default_factory=lambda: Renderer(LAYOUTS["ili9488"], SITE))

    def head(self) -> dict[str, Any]:
        return {"id": new_id(self.clock), "at": stamp(self.clock.wall_ms())}

    async def screen(self, state: str, **fields: Any) -> None:
        await self.bus.hears(LANE + "screen", Screen(**self.head(), state=state, **fields))  # type: ignore[arg-type]
        await self.settled()

    def pay(self, **changes: Any) -> Screen:
        return pay(self.clock, **changes)

    async def pays(self, message: Screen) -> None:
        await self.bus.hears(LANE + "screen", message)
        await self.settled()

    async def beat(self, state: str = "online", topic: str = WORKER, instance: str = "w") -> None:
        health = Health(**self.head(), state=state, version="1", instance=instance, since=stamp(0))  # type: ignore[arg-type]
        await self.bus.hears(topic, health)
        await self.settled()

    async def shown(self, url: str) -> list[Image.Image]:
        """Wait until the glass shows the code of a link; all frames so far."""
        async with asyncio.timeout(5):
            while not self.panel.frames or qr.decode(self.panel.frames[-1]) != url:
                await asyncio.sleep(0.005)
        return self.panel.frames

    async def settled(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def view(self, image: Image.Image, **fields: Any) -> bool:
        """Is this the picture of that view?"""
        return image == self.renderer.compose(View(**fields))

    def alerts(self) -> list[tuple[str, str]]:
        return [(alert.code, alert.state) for alert in self.bus.of(Alert)]

    def health(self) -> Health:
        return decode(Health, self.bus.retained[LANE + "health/lcd"])


@asynccontextmanager
async def kerb(
    bus: MemoryBus | None = None, panel: GlassPanel | None = None, patience_s: float = 5.0, **options: Any
) -> AsyncIterator[Kerb]:
    bus, clock, panel = bus or MemoryBus(), TestClock(), panel or GlassPanel()
    endpoint = Endpoint(bus.as_bus(), garage="marina", lane="exit-1", role="lcd", version="1", clock=clock)
    name = {(480, 320): "ili9488", (240, 240): "st7789-240", (320, 240): "ili9341"}.get(panel.size, "png")
    trusted = TrustedKeys({"worker": KEY.public_key()})
    role = LcdRole(
        endpoint, panel, **({"name": name, "site": SITE, "trusted": trusted, "patience_s": patience_s} | options)
    )
    task = asyncio.create_task(role.run())
    made = Kerb(bus, panel, clock, role)
    try:
        if panel.free.is_set() and not panel.error:
            await panel.until(1)
        yield made
        assert not task.done(), task.exception()
        assert bus.unacknowledged == 0
    finally:
        panel.free.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_lcd_that_has_heard_nothing_asks_to_wait() -> None:
    async with kerb() as k:
        assert k.view(k.panel.frames[0], state="wait")
        assert k.health().state == "online"


async def test_a_signed_code_reaches_the_glass_and_can_be_read_there() -> None:
    async with kerb() as k:
        await k.pays(k.pay())
        assert qr.decode(await k.panel.until(2)) == URL
        assert k.alerts() == []


async def test_frames_leave_from_another_thread() -> None:
    async with kerb() as k:
        await k.screen("idle")
        await k.panel.until(2)
        assert threading.get_ident() not in k.panel.threads


@pytest.mark.fault("forged-screen")
@pytest.mark.parametrize(
    "forged",
    [
        {"key": STRANGER},
        {"lane": "exit-2"},
    ],
    ids=["a stranger's", "another lane's"],
)
async def test_a_code_that_no_trusted_worker_signed_for_this_lane_is_not_shown(forged: dict[str, Any]) -> None:
    async with kerb() as k:
        await k.screen("idle")
        before = await k.panel.until(2)
        await k.pays(k.pay(**forged))
        await k.pays(k.pay(**forged))
        assert k.alerts() == [("forged-screen", "raised")]
        await k.pays(k.pay(url=OTHER_URL))
        shown = await k.panel.until(3)
        assert (before, qr.decode(shown)) == (k.renderer.compose(View("idle")), OTHER_URL)
        assert k.alerts() == [("forged-screen", "raised"), ("forged-screen", "cleared")]


@pytest.mark.fault("forged-screen")
@pytest.mark.parametrize("changed", ["amount", "expires", "session", "qr"])
async def test_a_code_with_anything_changed_after_signing_is_not_shown(changed: str) -> None:
    async with kerb() as k:
        genuine = k.pay()
        other = {
            "amount": "1.00",
            "expires": stamp(k.clock.wall_ms() + 999_000),
            "session": new_id(k.clock),
            "qr": qr.to_wire(qr.encode(OTHER_URL)),
        }
        fields = {name: getattr(genuine, name) for name in genuine.__struct_fields__}
        await k.pays(Screen(**(fields | {changed: other[changed]})))
        await k.screen("idle")
        assert k.view(await k.panel.until(2), state="idle")
        assert k.alerts() == [("forged-screen", "raised")]


@pytest.mark.fault("code-orphaned")
async def test_a_retained_code_waits_for_a_live_one() -> None:
    bus = MemoryBus()
    message = pay(TestClock())
    bus.retained[LANE + "screen"] = encode(message)
    async with kerb(bus) as k:
        assert k.view(k.panel.frames[0], state="wait")
        await k.settled()
        await k.pays(message)
        frames = await k.shown(URL)
        assert [qr.decode(frame) for frame in frames] == [None] * (len(frames) - 1) + [URL]


async def test_the_seconds_count_down_on_the_glass() -> None:
    async with kerb() as k:
        message = k.pay()
        await k.pays(message)
        await k.panel.until(2)
        k.clock.turn(1_000)
        await k.beat()
        assert k.view(await k.panel.until(3), **PAY, left=109)
        k.clock.turn(108_999)
        await k.beat()
        assert k.view(await k.panel.until(4), **PAY, left=1)


async def test_an_unchanged_view_is_drawn_again_within_each_minute_and_not_sooner() -> None:
    async with kerb() as k:
        await k.beat()
        for _ in range(10):
            k.clock.turn(LOOK_EVERY_MS)
            await k.beat()
        assert len(k.panel.frames) == 1
        k.clock.turn(LOOK_EVERY_MS)
        await k.beat()
        assert await k.panel.until(2) == k.panel.frames[0]


def test_a_panel_takes_whatever_the_role_draws_again_for_a_whole_picture_and_has_one_each_minute() -> None:
    assert WHOLE_EVERY_S * 1000 < WHOLE_EVERY_MS <= 60_000 - LOOK_EVERY_MS


@pytest.mark.fault("code-orphaned")
async def test_the_code_goes_off_when_the_worker_has_been_silent_for_fifteen_seconds() -> None:
    async with kerb() as k:
        await k.beat()
        await k.pays(k.pay())
        await k.panel.until(2)
        k.clock.turn(15_000)
        await k.beat(topic="parking/marina/exit-2/health/run", instance="x")  # somebody else's
        assert k.view(await k.panel.until(3), state="help", reason="no-answer", help_code="7K3QF")
        await k.beat()
        assert k.view(await k.panel.until(4), **PAY, left=95)


@pytest.mark.parametrize("topic", [WORKER, "parking/marina/exit-2/health/worker"])
async def test_the_workers_heartbeat_counts_at_whatever_lane_it_stands(topic: str) -> None:
    async with kerb() as k:
        await k.pays(k.pay())
        await k.panel.until(2)
        k.clock.turn(10_000)
        await k.beat(topic=topic)
        await k.panel.until(3)
        k.clock.turn(10_000)
        await k.beat(topic="parking/marina/exit-1/health/run", instance="another process")
        assert k.view(await k.panel.until(4), **PAY, left=90, hint="second")


@pytest.mark.fault("code-orphaned")
async def test_a_worker_that_says_offline_counts_as_silent_from_its_last_heartbeat() -> None:
    async with kerb() as k:
        await k.screen("idle")
        await k.beat()
        await k.panel.until(2)
        k.clock.turn(15_000)
        await k.beat("offline")
        assert k.view(await k.panel.until(3), state="help", reason="no-answer")


@pytest.mark.fault("code-orphaned")
async def test_the_code_stays_while_a_worker_that_said_offline_may_be_back_within_fifteen_seconds() -> None:
    async with kerb() as k:
        for _ in range(3):  # the lcd has been there for longer than the worker may be silent
            await k.beat()
            k.clock.turn(9_000)
        await k.beat()
        await k.pays(k.pay())
        await k.panel.until(2)
        k.clock.turn(5_000)
        await k.beat("offline")
        assert k.view(await k.panel.until(3), **PAY, left=105)
        k.clock.turn(10_000)
        await k.beat("offline")
        assert k.view(await k.panel.until(4), state="help", reason="no-answer", help_code="7K3QF")


@pytest.mark.fault("broker-hour")
async def test_fifteen_seconds_without_the_broker_the_lane_is_out_of_order() -> None:
    async with kerb() as k:
        await k.beat()
        await k.pays(k.pay())
        await k.panel.until(2)
        k.bus.connect(False)
        k.clock.turn(14_999)
        k.bus.connect(False)
        assert k.view(await k.panel.until(3), **PAY, left=96)
        k.clock.turn(1)
        k.bus.connect(False)
        assert k.view(await k.panel.until(4), state="out-of-order", reason="broker")


async def test_a_broker_that_is_back_gives_the_worker_its_fifteen_seconds() -> None:
    async with kerb() as k:
        await k.screen("idle")
        await k.panel.until(2)
        k.bus.connect(False)
        k.clock.turn(3_600_000)
        k.bus.connect(False)
        assert k.view(await k.panel.until(3), state="out-of-order", reason="broker")
        k.bus.connect(True)
        assert k.view(await k.panel.until(4), state="idle")
        k.clock.turn(15_000)
        k.bus.connect(False)
        k.bus.connect(True)
        await k.settled()
        assert k.view(k.panel.frames[-1], state="idle")


@pytest.mark.fault("qr-unreadable")
async def test_a_code_that_cannot_be_read_back_is_not_shown_and_the_next_one_is() -> None:
    async with kerb() as k:
        nonsense = qr.to_wire(qr.Symbol(37, bytes(172)))
        await k.pays(k.pay(qr=nonsense))
        assert k.view(await k.panel.until(2), state="help", reason="qr", help_code="7K3QF")
        (alert,) = await k.bus.until(Alert, 1)
        assert (alert.code, alert.severity, alert.help_code) == ("qr-unreadable", "critical", "7K3QF")
        assert alert.text == "the QR code could not be read back from the frame"
        await k.pays(k.pay())
        assert qr.decode(await k.panel.until(3)) == URL
        await k.bus.until(Alert, 2)
        assert k.alerts() == [("qr-unreadable", "raised"), ("qr-unreadable", "cleared")]


@pytest.mark.fault("qr-unreadable")
async def test_a_link_too_long_for_the_panel_is_refused_with_an_alert() -> None:
    async with kerb(panel=GlassPanel((320, 240))) as k:
        await k.pays(k.pay(url="https://qr.payby.com?" + "x" * 230))
        await k.panel.until(2)
        (alert,) = await k.bus.until(Alert, 1)
        assert (alert.code, alert.text) == ("qr-unreadable", "QR code: 57 modules a side; 240 pixels hold at most 52")


async def test_a_code_is_proven_once_with_each_hint_and_not_at_every_second(monkeypatch: pytest.MonkeyPatch) -> None:
    proven: list[Image.Image] = []
    shows = qr.shows

    def counted(image: Image.Image, symbol: qr.Symbol) -> bool:
        proven.append(image)
        return shows(image, symbol)

    monkeypatch.setattr(qr, "shows", counted)
    async with kerb() as k:
        await k.pays(k.pay())
        first = await k.panel.until(2)
        assert proven == [first]
        start, found = k.clock.steady_ms(), {}
        for count, at_s in enumerate((1, 17, 18, 20, 24, 30, 42), 3):  # the hints come at 18 and 30 s
            k.clock.turn(at_s * 1_000 - (k.clock.steady_ms() - start))
            await k.beat()
            found[at_s] = await k.panel.until(count)
        assert {qr.decode(frame) for frame in found.values()} == {URL}
        assert proven == [first, found[18], found[30]]
        assert k.alerts() == []
        await k.pays(k.pay(url=OTHER_URL))
        other = await k.panel.until(10)
        assert proven == [first, found[18], found[30], other]


async def test_a_square_panel_shows_the_code_first_and_the_words_in_turn() -> None:
    async with kerb(panel=GlassPanel((240, 240))) as k:
        await k.beat()
        await k.pays(k.pay())
        assert qr.decode(await k.panel.until(2)) == URL
        k.clock.turn(5_000)
        await k.beat()
        await k.settled()
        assert len(k.panel.frames) == 2
        k.clock.turn(4_000)
        await k.beat()
        assert qr.decode(await k.panel.until(3)) is None
        k.clock.turn(3_000)
        await k.beat()
        assert qr.decode(await k.panel.until(4)) == URL


async def test_a_flood_of_screens_is_drawn_no_faster_than_once_a_second() -> None:
    async with kerb() as k:
        for number in range(50):
            await k.screen("help", reason="ticket-unknown", help_code=f"B{number:04d}")
            await asyncio.sleep(0.002)
        await k.panel.until(BURST)
        k.clock.turn(DRAW_EVERY_MS)
        await k.beat()
        assert k.view(await k.panel.until(BURST + 1), state="help", reason="ticket-unknown", help_code="B0049")


@pytest.mark.fault("lcd-fails")
async def test_a_panel_that_fails_degrades_the_role_and_gets_the_picture_when_it_is_back() -> None:
    panel = GlassPanel()
    panel.error = OSError("spidev0.0: no such device")
    async with kerb(panel=panel) as k:
        (alert,) = await k.bus.until(Alert, 1)
        assert (alert.code, alert.severity) == ("lcd-panel", "critical")
        assert alert.text == "no frame can be shown: spidev0.0: no such device"
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
        assert alert.text.startswith(f"no frame can be shown: no picture can be written to {folder}")
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
        assert (alert.code, alert.text) == ("lcd-panel", "no frame can be shown: GPIO 18 cannot be set")
        await k.settled()


async def test_the_operators_idle_picture_is_shown_and_one_of_another_size_is_refused() -> None:
    own = Image.new("RGB", (480, 320), "teal")
    async with kerb(idle=own) as k:
        await k.screen("idle")
        assert await k.panel.until(2) == own
    with pytest.raises(ValueError, match="idle picture"):
        async with kerb(idle=own.resize((240, 240))):
            pass


async def test_the_lanes_wifi_takes_turns_with_the_code_and_both_can_be_read() -> None:
    network = wifi("Marina Guest", "welcome 2026")
    async with kerb(site=replace(SITE, wifi=network)) as k:
        await k.pays(k.pay())
        await k.shown(URL)
        count, offered = 2, {30, 32, 34, 36, 56, 58, 60, 62, 82, 84, 86, 88, 108}
        for at_s in range(2, 110, 2):
            k.clock.turn(2_000)
            await k.beat()
            count += not {at_s - 2, at_s} <= offered  # that page has no seconds
            text = qr.decode(await k.panel.until(count))
            assert text == ("WIFI:T:WPA;S:Marina Guest;P:welcome 2026;;" if at_s in offered else URL), at_s
        assert k.alerts() == []


async def test_a_panel_of_the_wrong_size_stops_the_role_at_once() -> None:
    endpoint = Endpoint(
        MemoryBus().as_bus(), garage="marina", lane="exit-1", role="lcd", version="1", clock=TestClock()
    )
    with pytest.raises(ValueError, match=r"lcd\.panel 'ili9341' has 320x240 px, not 480x320"):
        LcdRole(endpoint, GlassPanel(), name="ili9341", site=SITE, trusted=TrustedKeys({}))


async def test_an_lcd_of_no_lane_is_a_mistake() -> None:
    endpoint = Endpoint(MemoryBus().as_bus(), garage="marina", lane=None, role="lcd", version="1", clock=TestClock())
    with pytest.raises(ValueError, match="needs a lane"):
        LcdRole(endpoint, GlassPanel(), name="ili9488", site=SITE, trusted=TrustedKeys({}))


async def test_over_a_real_broker_a_signed_code_reaches_the_glass_and_a_retained_one_does_not(new_bus: NewBus) -> None:
    clock, panel = SystemClock(), GlassPanel()
    trusted = TrustedKeys({"worker": KEY.public_key()})
    async with new_bus("lcd") as kerbside, new_bus("worker") as garage, new_bus("watch") as anybody:
        lane = Endpoint(kerbside, garage="marina", lane="exit-1", role="lcd", version="1", clock=clock)
        worker = Endpoint(garage, garage="marina", lane=None, role="worker", version="1", clock=clock)
        with Endpoint(anybody, garage="marina", lane="exit-1", role="watch", version="1", clock=clock).subscribe(
            "screen"
        ) as said:
            await said.granted()
            await worker.publish(pay(clock), lane="exit-1")
            (await anext(said)).ack()
        task = asyncio.create_task(LcdRole(lane, panel, name="ili9488", site=SITE, trusted=trusted).run())
        with worker.subscribe("health/lcd", lane="exit-1") as beats:
            (await anext(beats)).ack()
        first = await panel.until(1)
        await worker.publish(pay(clock, OTHER_URL), lane="exit-1")
        async with asyncio.timeout(5):
            while qr.decode(panel.frames[-1]) != OTHER_URL:
                await asyncio.sleep(0.01)
        assert qr.decode(first) is None
        assert URL not in {qr.decode(frame) for frame in panel.frames}
        task.cancel()
        await asyncio.wait([task])
