"""The simulated driver: what it may do when, what it does to the hardware, and what it remembers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from PIL import Image

from terminal.demo.feed import BoomMoved, FrameShown, MessagePassed, Watch
from terminal.demo.lane import DemoLane
from terminal.demo.ports import NotNow
from terminal.screen.qr import draw, encode
from terminal.screen.view import View
from tests.browser.fake_terminal import FakeTerminal


@asynccontextmanager
async def a_lane(fake: FakeTerminal) -> AsyncIterator[DemoLane]:
    """A lane whose messages are followed, with nobody in it."""
    lane = DemoLane(fake.parts(), pace=0)
    following = asyncio.create_task(lane.run())
    fake.boot()
    await asyncio.sleep(0)
    yield lane
    following.cancel()
    await asyncio.wait([following])


async def until(watch: Watch, so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not so():
            await anext(watch)


async def test_a_whole_visit_covers_the_loops_in_a_cars_order_and_ends_with_an_empty_lane() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        with lane.feed.watch() as watch:
            await lane.drive_up(90)
            await lane.scan()
            await until(watch, lambda: lane.state()["screen"].get("state") == "pay" and lane.frames >= 3)
            order = await lane.phone_scan()
            assert (order.merchant, order.amount, order.currency) == ("Marina Garage", "20.00", "AED")
            assert lane.state()["phone"]["state"] == "order"
            await lane.pay()
            assert lane.state()["phone"]["state"] == "paid"
            await until(watch, lambda: fake.arm.state == "up")
            await lane.drive_off()
            await until(watch, lambda: fake.arm.state == "down")
        assert fake.covered == [("waiting", True), ("under_boom", True), ("waiting", False), ("under_boom", False)]
        state = lane.state()
        assert (state["car"]["phase"], state["ticket"], state["phone"]["state"]) == ("away", None, "home")
        assert (state["pulses"], state["loops"]) == (1, {"waiting": False, "under_boom": False})


async def test_a_car_does_not_drive_through_a_closed_boom() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        await lane.drive_up()
        with pytest.raises(NotNow, match="boom is not up"):
            await lane.drive_off()
        assert fake.covered == [("waiting", True)]


async def test_nothing_is_done_out_of_its_turn() -> None:
    async with a_lane(FakeTerminal()) as lane:
        for act in (lane.scan, lane.pay, lane.decline, lane.drive_off, lane.back_out):
            with pytest.raises(NotNow):
                await act()
        await lane.drive_up()
        with pytest.raises(NotNow, match="already"):
            await lane.drive_up()
        assert set(lane.state()["can"]) == {"scan", "phone_scan", "back_out", "cut_broker", "cut_payby"}


@pytest.mark.parametrize("minutes", [-1, 60 * 24 * 91])
async def test_a_stay_that_no_ticket_can_have_is_refused(minutes: int) -> None:
    async with a_lane(FakeTerminal()) as lane:
        with pytest.raises(NotNow, match="no such ticket"):
            await lane.drive_up(minutes)


async def test_the_camera_says_so_when_the_glass_shows_no_code() -> None:
    async with a_lane(FakeTerminal()) as lane:
        with lane.feed.watch() as watch:
            await until(watch, lambda: lane.image is not None)
        with pytest.raises(NotNow, match="No code in view"):
            await lane.phone_scan()
        assert lane.state()["phone"]["note"].startswith("No code in view")


async def test_the_phone_shows_the_address_of_an_invoice_and_does_not_ask_payby_for_it() -> None:
    fake = FakeTerminal()
    address = "http://127.0.0.1:8080/receipt/" + "7" * 68
    async with a_lane(fake) as lane:
        with lane.feed.watch() as watch:
            fake.panel.tell(draw(encode(address), 300))
            await until(watch, lambda: lane.image is not None and lane.image.size == (300, 300))
            lane.lcd_shows(View("paid", symbol=encode(address)))
            assert lane.state()["screen"]["invoice"]
            assert await lane.phone_scan() is None
            phone = lane.state()["phone"]
            assert (phone["state"], phone["invoice"], phone["order"]) == ("invoice", address, None)
            fake.panel.tell(draw(encode("http://127.0.0.1:8081/receipt/1"), 320))
            await until(watch, lambda: lane.image is not None and lane.image.size == (320, 320))
            with pytest.raises(NotNow):
                await lane.phone_scan()


async def test_a_payment_that_payby_refuses_leaves_the_order_on_the_phone_with_the_reason() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        with lane.feed.watch() as watch:
            await lane.drive_up()
            await lane.scan()
            await until(watch, lambda: lane.frames >= 3)
        await lane.phone_scan()
        await lane.decline()
        assert lane.state()["phone"]["state"] == "declined"
        await lane.phone_scan()
        with pytest.raises(NotNow, match="closed"):
            await lane.pay()
        phone = lane.state()["phone"]
        assert (phone["state"], phone["note"]) == ("order", "This order is closed.")


async def test_each_kind_of_trouble_has_its_own_ticket() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        for kind in ("lost", "foreign", "future", "damaged"):
            await lane.drive_up(90, kind)
            await lane.scan()
            await lane.back_out()
        lost, foreign, future, damaged = fake.fed
        assert (lost, foreign, future) == ("LOST", "THEIRS 90 0 ABCDEFGH", "FUTURE")
        good = "OURS 90 3 ABCDEFGH"
        assert len(damaged) == len(good)
        assert sum(a != b for a, b in zip(damaged, good, strict=True)) == 1
        assert fake.covered == [("waiting", True), ("waiting", False)] * 4


async def test_a_used_ticket_is_the_last_one_that_left_and_there_is_none_before() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        with pytest.raises(NotNow, match="No ticket is used yet"):
            await lane.drive_up(kind="used")
        with lane.feed.watch() as watch:
            await lane.drive_up(5)
            await lane.scan()
            await until(watch, lambda: fake.arm.state == "up")
            await lane.drive_off()
            await until(watch, lambda: fake.arm.state == "down")
        await lane.drive_up(kind="used")
        await lane.scan()
        assert fake.fed[1] == fake.fed[0]


async def test_what_the_lcd_shows_by_itself_counts_and_not_what_it_was_told_last() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        with lane.feed.watch() as watch:
            await lane.drive_up(90)
            await lane.scan()
            await until(watch, lambda: lane.state()["screen"].get("state") == "pay")
            lane.lcd_shows(View("pay", amount="20.00", left=90, hint="scanned"))
            shown = {"state": "pay", "amount": "20.00", "currency": "AED", "scanned": True}
            assert lane.state()["screen"] == shown
            lane.lcd_shows(View("out-of-order", "broker"))
            assert lane.state()["screen"] == {"state": "out-of-order", "reason": "broker"}
            lane.lcd_shows(View("help", "no-answer", help_code="7K3QF"))
            assert lane.state()["screen"] == {"state": "help", "reason": "no-answer", "help_code": "7K3QF"}


async def test_a_cut_is_shown_while_it_lasts_and_cannot_be_cut_again() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        with lane.feed.watch() as watch:
            cutting = asyncio.create_task(lane.cut_broker(0.2))
            await until(watch, lambda: "broker" in lane.state()["cut"])
            assert 0 < lane.state()["cut"]["broker"] <= 0.2
            with pytest.raises(NotNow, match="already"):
                await lane.cut_broker(0.2)
            await cutting
        assert fake.cuts == ["broker cut", "broker back"]
        assert lane.state()["cut"] == {}
        with pytest.raises(NotNow, match="up to 600"):
            await lane.cut_payby(0)


async def test_frames_from_another_thread_reach_the_watchers_in_the_event_loops_thread() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        with lane.feed.watch() as watch:
            picture = Image.new("RGB", (480, 320), "red")
            threading.Thread(target=fake.panel.tell, args=(picture,)).start()
            await until(watch, lambda: lane.image is picture)


async def test_messages_are_acknowledged_and_a_heartbeat_that_says_nothing_new_is_routine() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        seen: list[MessagePassed] = []
        with lane.feed.watch() as watch:
            fake.publish("health/lcd", state="online", version="0.1.0", instance="x", since="2026-11-22T10:00:00.000Z")
            fake.publish(
                "health/lcd", state="degraded", version="0.1.0", instance="x", since="2026-11-22T10:00:00.000Z"
            )
            async with asyncio.timeout(5):
                while not seen or seen[-1].data["state"] != "degraded":
                    if isinstance(happening := await anext(watch), MessagePassed) and happening.topic.endswith(
                        "health/lcd"
                    ):
                        seen.append(happening)
        assert [message.routine for message in seen] == [True, False]  # the first one came at the start
        assert lane.state()["roles"]["lcd"] == "degraded"
        assert fake.acked.count("parking/marina/exit-1/health/lcd") == 3


async def test_a_barriers_answer_is_news_and_its_repeated_state_is_not() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        with lane.feed.watch() as watch:
            fake.publish("barrier", state="down")
            fake.publish("barrier", state="rising")
            fake.publish("barrier", state="rising", answer={"lift": "x", "outcome": "raised"})
            fake.publish("barrier", state="rising")
            fake.publish("barrier", state="up")
            seen: list[MessagePassed] = []
            async with asyncio.timeout(5):
                while not seen or seen[-1].data["state"] != "up":
                    if isinstance(happening := await anext(watch), MessagePassed) and happening.kind == "barrier":
                        seen.append(happening)
        assert [(m.data["state"], m.routine) for m in seen[-5:]] == [
            ("down", True),
            ("rising", False),
            ("rising", False),
            ("rising", True),
            ("up", False),
        ]


async def test_rubbish_on_the_broker_is_passed_over() -> None:
    fake = FakeTerminal()
    async with a_lane(fake) as lane:
        with lane.feed.watch() as watch:
            for what, data in (("fee", b"{"), ("fee", b"[]"), ("no/such/topic/at/all", b"{}"), ("fee", b"\xff")):
                fake.say_bytes(what, data)
            fake.publish("barrier", state="fault")
            async with asyncio.timeout(5):
                async for happening in watch:
                    if (
                        isinstance(happening, MessagePassed)
                        and happening.kind == "barrier"
                        and happening.data["state"] == "fault"
                    ):
                        break
                    assert not (isinstance(happening, MessagePassed) and happening.kind == "fee")


async def test_a_watcher_that_falls_behind_loses_the_oldest_and_no_other_does() -> None:
    async with a_lane(FakeTerminal()) as lane:
        with lane.feed.watch() as slow:
            for number in range(500):
                lane.feed.tell(BoomMoved(str(number), 0.0))
            states = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]
        assert len(states) == 400
        assert states[-1] == BoomMoved("499", 0.0)
        assert not any(isinstance(state, FrameShown) for state in states)
