"""What open pages are told: changes as they happen, what they missed, and that they are cut off."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.embedded import EmbeddedBroker
from terminal.core.ids import derived_id
from terminal.roles.console.history import HeardLine
from terminal.roles.console.live import BEHIND
from tests.support.console_desk import LANE, SESSION, DeskRig, open_desk
from tests.support.desk_stream import streaming
from tests.support.eventually import eventually
from tests.support.turned_clock import TurnedClock

ELSE = derived_id(1_795_000_000_000, "another stay")


@pytest.fixture
async def rig(embedded: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[DeskRig]:
    async with open_desk(embedded, tmp_path / "console") as opened:
        await opened.opens()
        yield opened


async def test_a_page_is_told_of_a_change_within_half_a_second(rig: DeskRig) -> None:
    loop = asyncio.get_running_loop()
    async with streaming(await rig.person()) as stream:
        await eventually(lambda: stream.fields().get("tone") == "idle")
        began = loop.time()
        await rig.arrives()
        await eventually(lambda: stream.fields().get("tone") == "stop")
        assert loop.time() - began < 2.5  # a busy machine may be slow
        await eventually(lambda: stream.of("line"))
        assert json.loads(stream.of("line")[-1])["session"] == SESSION


async def test_a_page_that_comes_back_gets_what_it_missed_and_nothing_twice(rig: DeskRig) -> None:
    amal = await rig.person()
    async with streaming(amal) as stream:
        await rig.arrives()
        await eventually(lambda: len(stream.of("line")) == 2)
        last = next(number for name, _, number in reversed(stream.events) if number)
    for minutes in (1, 2, 3):
        await rig.say("fee", ticket="x", reason="refused", why=f"after {minutes}")
    await eventually(lambda: rig.role.desk.feed.last_id.endswith("-5"))
    async with streaming(amal, last=last) as stream:
        await eventually(lambda: len(stream.of("line")) == 3)
        words = [json.loads(data)["words"] for data in stream.of("line")]
        assert words == [f"ticket refused: after {minutes}" for minutes in (1, 2, 3)]
        assert stream.fields()["tone"] == "stop"


async def test_a_page_that_was_away_for_long_is_told_how_much_it_missed(rig: DeskRig) -> None:
    amal = await rig.person()
    async with streaming(amal) as stream:
        await eventually(lambda: stream.events)
        last = stream.events[0][2]
    line = HeardLine(1, 1, LANE, "fee", "", "", "", "", "words", "", "{}")
    for _ in range(BEHIND + 100):
        rig.role.desk.feed.tell(line)
    async with streaming(amal, last=last) as stream:
        await eventually(lambda: stream.of("missed"))
        assert "100 events were left out" in stream.of("missed")[0]
        await eventually(lambda: len(stream.of("line")) == BEHIND)


async def test_one_lane_s_page_hears_of_that_lane_alone(rig: DeskRig) -> None:
    async with streaming(await rig.person(), f"?lane={LANE}") as stream:
        await rig.opens("exit-2")
        await rig.arrives("exit-2", ELSE)
        await rig.arrives()
        await eventually(lambda: stream.of("line"))
        assert {json.loads(data)["lane"] for data in stream.of("line") + stream.of("lane")} == {LANE}


async def test_a_stream_ends_with_its_sign_in(rig: DeskRig) -> None:
    amal = await rig.person()
    async with streaming(amal) as stream:
        await eventually(lambda: stream.events)
        await amal.post("/sign-out", await amal.form("/", "sign-out"))
        await rig.arrives()
        await eventually(lambda: stream.of("ended"))
    assert (await amal.get("/events"))[0] == 401
    await eventually(lambda: rig.role.desk.feed.pages == 0)


async def test_a_page_that_is_gone_is_no_longer_told(rig: DeskRig) -> None:
    amal = await rig.person()
    async with streaming(amal):
        await eventually(lambda: rig.role.desk.feed.pages == 1)
    await rig.arrives()
    await eventually(lambda: rig.role.desk.feed.pages == 0)


async def test_what_is_silent_for_15_s_is_struck_out_and_not_kept(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    clock = TurnedClock()
    async with open_desk(embedded, tmp_path / "console", clock) as rig:
        await rig.opens()
        async with streaming(await rig.person()) as stream:
            await eventually(lambda: stream.fields().get("boom_state") == "down")
            assert stream.fields()["boom_old"] == ""
            clock.turn(16_000)
            await rig.say("alerts/reader", raised=[])  # the garage is heard, the barrier is not
            await eventually(lambda: stream.fields().get("boom_old") == "old")
            assert stream.fields()["boom_state"] == stream.fields()["car_state"] == "unknown"
            assert stream.fields()["cannot_lift"] == "The barrier is not there."
            await eventually(lambda: "worker" not in stream.fields("").get("cut", ""))
            clock.turn(16_000)
            await eventually(lambda: "Nothing is heard from the garage" in stream.fields("").get("cut", ""))


async def test_without_the_broker_the_page_says_that_it_is_cut_off(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.opens()
        async with streaming(await rig.person()) as stream:
            await eventually(lambda: stream.fields().get("tone") == "idle")
            rig.role.desk._connected = lambda: False
            rig.role.desk.connection(False)
            await eventually(lambda: "no connection to the broker" in stream.fields("").get("cut", ""))
            assert stream.fields()["tone"] == "unknown"
            assert stream.fields()["cannot_lift"] == "Cut off from the garage."
