"""Whole visits through real processes: a ticket on a pty, Mosquitto, PayBy over HTTP, a code on glass, one raise."""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.contract.messages import Qr
from terminal.screen import qr
from tests.conftest import Mosquitto
from tests.support.authority import Authority
from tests.support.garage import ALL_ROLES, Garage, opened
from tests.support.leaving import leaves
from tests.support.shipped_mosquitto import ShippedMosquitto

ROLES_APART = ("worker", "listener", "barrier", "lcd", "reader")


def garage(tmp_path: Path, broker: Mosquitto | ShippedMosquitto | str, **more: bool) -> Garage:
    return Garage(tmp_path, broker.url if isinstance(broker, Mosquitto) else broker, **more)  # type: ignore[arg-type]


async def test_run_lets_a_paid_car_out_with_one_raise(tmp_path: Path, each_broker: str | ShippedMosquitto) -> None:
    async with opened(garage(tmp_path, each_broker), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        assert order["order_no"].startswith("marina-exit-1-") and order["amount"] == "20.00"
        screen = await lane.heard.until("screen", since=mark, state="pay")
        symbol = qr.from_wire(Qr(screen["qr"]["size"], screen["qr"]["bits"]))
        assert len(base64.b64decode(screen["qr"]["bits"])) == -(-(symbol.size**2) // 8)
        assert qr.decode(qr.draw(symbol, 480)) == order["token_url"]
        await lane.code_on_glass(order["token_url"])
        await lane.sandbox.pay(order["token_url"])
        paid = await lane.heard.until("paid", since=mark)
        receipt = await lane.heard.until("receipt", since=mark, notify_id=paid["notify_id"])
        assert receipt["outcome"] in ("lifting", "duplicate")  # the worker's own query may have found it before
        await leaves(lane, mark)


@pytest.mark.fault("never-notified")
async def test_a_payment_without_a_notification_is_found_by_the_query(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with opened(garage(tmp_path, mosquitto, notify=False), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)
        assert lane.heard.of("paid") == []


async def test_a_free_stay_leaves_without_an_order(tmp_path: Path, each_broker: str | ShippedMosquitto) -> None:
    async with opened(garage(tmp_path, each_broker), ["run"]) as lane:
        mark = lane.scan(lane.ticket(minutes=5))
        raised = await lane.heard.until("barrier", since=mark, state=lambda s: s in ("rising", "up"))
        assert raised["reason"] == "free"
        assert lane.sandbox.calls == []


@pytest.mark.fault("backs-out")
async def test_a_driver_who_leaves_ends_the_order(tmp_path: Path, either_mosquitto: str | ShippedMosquitto) -> None:
    car = "0190d3f0-7c1e-7a52-9d2f-0123456789ab"
    async with opened(garage(tmp_path, either_mosquitto), ["run"]) as lane:
        await lane.vehicle(True, car=car)
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.vehicle(False)
        await lane.heard.until("screen", since=mark, state="idle")
        await lane.heard.until("order", since=mark, status="none")
        async with asyncio.timeout(30):
            while lane.sandbox.book.orders[order["order_no"]].status != "FAILURE":
                await lane.heard_more()


@pytest.mark.fault("cut-unpaid", "lcd-fails")
@pytest.mark.parametrize("role", ROLES_APART)
async def test_a_role_killed_while_the_code_shows_and_started_again_lets_the_visit_end_rightly(
    role: str, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(garage(tmp_path, mosquitto), ROLES_APART) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.code_on_glass(order["token_url"])
        await lane.kill(role)
        await lane.start(role)
        await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)


@pytest.mark.fault("cut-paid")
@pytest.mark.parametrize("role", ["worker", "barrier", "listener"])
async def test_a_role_killed_as_the_payment_comes_lifts_once_when_it_is_back(
    role: str, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(garage(tmp_path, mosquitto), ROLES_APART) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.kill(role)
        await lane.sandbox.pay(order["token_url"])
        await lane.start(role)
        await leaves(lane, mark)


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[ShippedMosquitto]:
    (tmp_path / "shipped").mkdir()
    server = ShippedMosquitto(tmp_path / "shipped", Authority(tmp_path / "shipped"))
    server.start()
    yield server
    server.stop()


@pytest.mark.fault("broker-restarts")
@pytest.mark.parametrize("command", ["run", "apart"])
async def test_the_shipped_broker_killed_during_a_visit_of_roles_with_users_of_their_own_delays_it_and_no_more(
    command: str, tmp_path: Path, shipped: ShippedMosquitto
) -> None:
    async with opened(garage(tmp_path, shipped), ["run"] if command == "run" else ROLES_APART) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        shipped.stop(9)
        await lane.sandbox.pay(order["token_url"])
        await asyncio.to_thread(shipped.start)
        await leaves(lane, mark)


@pytest.mark.fault("broker-restarts")
async def test_a_broker_killed_during_a_visit_delays_it_and_no_more(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with opened(garage(tmp_path, mosquitto), ["run"]) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        mosquitto.stop(9)
        await lane.sandbox.pay(order["token_url"])
        await asyncio.to_thread(mosquitto.start)
        await leaves(lane, mark)


def test_every_role_of_run_is_waited_for() -> None:
    assert set(ALL_ROLES) == set(ROLES_APART)
