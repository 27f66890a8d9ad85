"""Another system's tickets, and plates, at a lane of real processes on a real broker; a worker that is killed while it
asks."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Found, Lookup, Plate, decode, encode, stamp
from tests.conftest import Mosquitto
from tests.support.garage import ALL_ROLES, Garage, opened
from tests.support.leaving import leaves
from tests.support.ticket_system import ticket_system

CLOCK = SystemClock()
NUMBER = "000123456789"
SECTIONS = '[lookup]\nnumbers = "[0-9]{{12}}"\n{more}\n[plate]\n'


def garage(tmp_path: Path, mosquitto: Mosquitto, more: str) -> Garage:
    return Garage(tmp_path, mosquitto.url, notify=False, more=SECTIONS.format(more=more))


def head() -> dict[str, Any]:
    return {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}


def ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


async def pays_and_leaves(lane: Garage, mark: int) -> None:
    order = await lane.order(since=mark)
    assert order["amount"] == "20.00"
    await lane.sandbox.pay(order["token_url"])
    await leaves(lane, mark)


async def test_a_number_is_asked_for_over_http_paid_and_let_out(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with ticket_system() as system:
        system.entries[NUMBER] = ago(90)
        more = f'url = "{system.url}/number/{{number}}"'
        async with opened(garage(tmp_path, mosquitto, more), ["run"]) as lane:
            mark = lane.scan(NUMBER)
            await pays_and_leaves(lane, mark)
            again = lane.scan(NUMBER)
            shown = await lane.heard.until("screen", since=again, state="help")
            assert shown["reason"] == "ticket-used"
            assert "ticket-garbage" not in {alert["code"] for alert in lane.heard.of("alert")}


@pytest.mark.fault("lookup-cut")
async def test_a_worker_killed_while_it_asks_asks_again_and_charges_once(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with ticket_system() as system:
        system.entries[NUMBER] = ago(90)
        system.answering = system.hangs
        more = f'url = "{system.url}/number/{{number}}"\ntimeout = 10'
        async with opened(garage(tmp_path, mosquitto, more), ALL_ROLES) as lane:
            mark = lane.scan(NUMBER)
            await lane.heard.until("screen", since=mark, state="wait")
            async with asyncio.timeout(30):
                while not system.asked:
                    await lane.heard_more()
            await lane.kill("worker")
            system.answering = None
            mark = len(lane.heard.all)
            await lane.start("worker")
            await pays_and_leaves(lane, mark)
            assert len([call for call in lane.sandbox.calls if call.name == "placeOrder"]) == 1
            assert len(system.asked) == 2


async def test_over_a_real_broker_question_and_answer_meet_and_a_forged_one_does_not(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(garage(tmp_path, mosquitto, "timeout = 5"), ["run"]) as lane:
        answering = asyncio.create_task(_answers(lane))
        mark = lane.scan(NUMBER)
        await pays_and_leaves(lane, mark)
        (question,) = {message["id"]: message for message in lane.heard.of("lookup")}.values()
        assert (question["kind"], question["number"]) == ("number", NUMBER)
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


async def _answers(lane: Garage) -> None:
    """The user `tickets`: first an answer to nobody's question, one that is no message, then the true one, twice."""
    place = "parking/marina/garage/found"
    async for delivery in lane.bus.subscribe("parking/marina/garage/lookup"):
        delivery.ack()
        asked = decode(Lookup, delivery.payload)
        forged = Found(**head(), lookup=new_id(CLOCK), number=asked.number, entered=stamp(CLOCK.wall_ms()))
        await lane.bus.publish(place, encode(forged))
        await lane.bus.publish(place, b'{"v": 1}')
        entered = stamp(CLOCK.wall_ms() - 90 * 60_000)
        for _ in range(2):
            await lane.bus.publish(
                place, encode(Found(**head(), lookup=asked.id, number=asked.number, entered=entered))
            )


async def hears_cameras(lane: Garage) -> None:
    """Until the worker has subscribed: it tells of a plate that is none."""
    async with asyncio.timeout(30):
        while not any("plate" in alert["text"] for alert in lane.heard.of("alert")):
            await lane.bus.publish("parking/marina/exit-1/plate", b'{"v": 1}')
            await lane.heard_more()


async def test_a_plate_that_came_while_the_worker_was_away_is_served_once_it_is_back(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(garage(tmp_path, mosquitto, ""), ALL_ROLES) as lane:
        await hears_cameras(lane)
        await lane.kill("worker")
        entered = stamp(CLOCK.wall_ms() - 90 * 60_000)
        plate = Plate(**head(), plate="D 12345", confidence=95, entered=entered)
        mark = len(lane.heard.all)
        for _ in range(3):
            await lane.bus.publish("parking/marina/exit-1/plate", encode(plate))
        await lane.start("worker")
        await pays_and_leaves(lane, mark)
        assert len([call for call in lane.sandbox.calls if call.name == "placeOrder"]) == 1


@pytest.mark.fault("plate-unsure")
async def test_an_unsure_plate_asks_for_a_person_on_the_glass(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with opened(garage(tmp_path, mosquitto, ""), ["run"]) as lane:
        await hears_cameras(lane)
        mark = len(lane.heard.all)
        plate = Plate(**head(), plate="D 12345", confidence=40, entered=stamp(CLOCK.wall_ms()))
        await lane.bus.publish("parking/marina/exit-1/plate", encode(plate))
        shown = await lane.heard.until("screen", since=mark, state="help")
        assert shown["reason"] == "plate-unsure"
        await lane.heard.until("alert", since=mark, code="plate-unsure", help_code=shown["help_code"])
        assert lane.sandbox.calls == []
