import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from drivers.panel import WHOLE_EVERY_S
from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Alert, Screen, encode, stamp
from terminal.contract.signatures import TrustedKeys
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.lcd import BURST, DRAW_EVERY_MS, LOOK_EVERY_MS, WHOLE_EVERY_MS, LcdRole
from terminal.screen import qr
from terminal.screen.sample_views import SITE, URL
from terminal.screen.view import View
from terminal.screen.wifi_page import wifi
from tests.conftest import NewBus
from tests.support.eventually import eventually
from tests.support.lcd_kerb import KEY, LANE, PAY, STRANGER, WORKER, GlassPanel, kerb, pay
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

OTHER_URL = URL[:-3] + "999"


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
    message = pay(TurnedClock())
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
        await k.beat(topic="parking/marina/exit-2/health/run")  # somebody else's
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
            await asyncio.sleep(0.002)  # the pace of the flood, beside a panel in a thread of its own
        await k.panel.until(BURST)
        k.clock.turn(DRAW_EVERY_MS)
        await k.beat()
        assert k.view(await k.panel.until(BURST + 1), state="help", reason="ticket-unknown", help_code="B0049")


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
        MemoryBus().as_bus(), garage="marina", lane="exit-1", role="lcd", version="1", clock=TurnedClock()
    )
    with pytest.raises(ValueError, match=r"lcd\.panel 'ili9341' has 320x240 px, not 480x320"):
        LcdRole(endpoint, GlassPanel(), name="ili9341", site=SITE, trusted=TrustedKeys({}))


async def test_an_lcd_of_no_lane_is_a_mistake() -> None:
    endpoint = Endpoint(MemoryBus().as_bus(), garage="marina", lane=None, role="lcd", version="1", clock=TurnedClock())
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
        await eventually(lambda: qr.decode(panel.frames[-1]) == OTHER_URL, limit_s=5)
        assert qr.decode(first) is None
        assert URL not in {qr.decode(frame) for frame in panel.frames}
        task.cancel()
        await asyncio.wait([task])
