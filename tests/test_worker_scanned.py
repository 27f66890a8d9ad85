"""The worker asks PayBy whether a phone has read the code that a lane shows, and says so; the number it keeps."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest

from terminal.contract.messages import Alert, Lift, Order, Receipt, Screen, moment
from terminal.core.model import Rules
from terminal.payby import errors
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker import code_scans as worker_codes
from terminal.roles.worker.code_scans import CodeScans
from tests.support.eventually import eventually
from tests.support.lifts import GARAGE
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import Lane, sandbox, working

__all__ = ["sandbox"]
MASK = "+971-58*96"
JITTER_MS = 100
"""Tolerance for an end that two clocks tell, ours and PayBy's, which are read one after the other."""


async def in_time(lane: Lane, kind: type[Any], **fields: Any) -> Any:
    async with asyncio.timeout(30):
        while True:
            try:
                return await lane.until(kind, **fields)
            except TimeoutError:
                continue


async def test_a_scanned_code_is_told_and_stays_and_the_number_is_the_journals_alone(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        before = await lane.until(Screen, state="pay")
        assert (before.scanned, order.scanned) == (False, False)
        await sandbox.scan(order.order_no or "", payer="100000012396")
        screen = await lane.until(Screen, state="pay", scanned=True)
        assert (screen.qr, screen.session) == (before.qr, before.session)
        assert abs(moment(screen.expires) - moment(before.expires)) < JITTER_MS
        told = await lane.until(Order, status="created", scanned=True)
        assert told.token_url == order.token_url
        await sandbox.pay(order.order_no or "", notify=False)
        await in_time(lane, Lift, order_no=order.order_no)
        said = [m for kind in (Screen, Order, Lift, Alert, Receipt) for m in lane.bus.of(kind)]
        assert not any("+971-58" in repr(message) for message in said if not isinstance(message, Lift))
        (kept,) = [row.data for row in lane.log.rows if row.kind == "OrderScanned"]
        assert json.loads(kept)["payer"] == MASK
        asked = sandbox.calls_of("getCashierUrlInfo")
        assert {call.biz["tokenUrl"] for call in asked} == {order.token_url}
        after = next(call for call in sandbox.calls if call.name == "getOrder" and call.at_ms > asked[-1].at_ms)
        assert after  # a code known as scanned is asked about no more, its order is


async def test_an_order_is_queried_as_ever_while_its_code_is_asked_about(sandbox: Sandbox) -> None:
    sandbox.fail("getCashierUrlInfo", Fault(delay_s=5.0), times=None)
    async with working(sandbox) as lane:
        await lane.pays_at_the_qr()
        await eventually(lambda: len(sandbox.calls_of("getOrder")) >= 5, limit_s=30)
        gaps = [later.steady_ms - earlier.steady_ms for earlier, later in pairwise(sandbox.calls_of("getOrder"))]
        assert all(2000 <= gap <= 6000 for gap in gaps), gaps
        between = [call.name for call in sandbox.calls if call.name != "placeOrder"]
        assert between[:2] == ["getOrder", "getCashierUrlInfo"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(code="404", msg="SERVICE_NOT_AVAILABLE"),
        Fault(code="403", msg="UNAUTHORIZED"),
        Fault(code="403", msg="UNAUTHORIZED", sign="good"),
        Fault(html=True, http_status=404),
    ],
    ids=["404", "403", "403 signed", "a proxy's"],
)
async def test_an_endpoint_that_is_not_there_is_left_alone_and_nothing_else_changes(
    sandbox: Sandbox, fault: Fault
) -> None:
    sandbox.fail("getCashierUrlInfo", fault, times=None)
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        if fault.html:  # which comes with status 502 from this sandbox: no word about the endpoint
            await eventually(lambda: len(sandbox.calls_of("getCashierUrlInfo")) >= 2, limit_s=30)
        else:
            alert = await in_time(lane, Alert, code="cashier-unknown")
            assert alert.severity == "info"
            seen = len(sandbox.calls_of("getOrder"))
            await eventually(lambda: len(sandbox.calls_of("getOrder")) >= seen + 3, limit_s=30)
            assert len(sandbox.calls_of("getCashierUrlInfo")) == 1
        assert {a.code for a in lane.bus.of(Alert)} <= {"cashier-unknown"}
        assert lane.bus.of(Screen)[-1].state == "pay"
        await sandbox.pay(order.order_no or "", notify=False)
        await in_time(lane, Lift, order_no=order.order_no)


async def test_after_an_hour_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    told: list[str] = []

    async def ask(_: str) -> None:
        raise errors.Unauthorised("getCashierUrlInfo", "403", "UNAUTHORIZED")

    async def tell(text: str) -> None:
        told.append(text)

    codes = CodeScans(ask=ask, tell=tell)
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    await codes._failed(errors.Unauthorised("getCashierUrlInfo", "403", "UNAUTHORIZED"))
    await codes._failed(errors.Unauthorised("getCashierUrlInfo", "403", "UNAUTHORIZED"))
    assert codes._is_given_up() and len(told) == 1
    now += worker_codes.GIVEN_UP_S
    assert not codes._is_given_up()


async def test_an_order_that_was_scanned_and_runs_out_has_its_end_moved_once(sandbox: Sandbox) -> None:
    rules = Rules(GARAGE, cancel_after=8_000, scanned_more=6_000)
    async with working(sandbox, rules=rules) as lane:
        order = await lane.pays_at_the_qr()
        first = sandbox.orders[order.order_no or ""].expires_ms
        await sandbox.scan(order.order_no or "")
        alert = await in_time(lane, Alert, code="scanned-unpaid")
        (moved,) = sandbox.calls_of("updateExpiredTime")
        assert moved.biz["merchantOrderNo"] == order.order_no
        assert abs(moved.biz["expiredTime"] - first - 6_000) < 1500  # PayBy's clock is known to a second
        cancelled = sandbox.calls_of("cancelOrder")[0]
        placed = sandbox.calls_of("placeOrder")[0]
        assert 13_900 <= cancelled.steady_ms - placed.steady_ms <= 19_000
        assert MASK in alert.text
        ends = sorted(moment(screen.expires) for screen in lane.bus.of(Screen) if screen.state == "pay")
        assert abs(ends[-1] - ends[0] - 6_000) < JITTER_MS
        assert all(min(end - ends[0], ends[-1] - end) < JITTER_MS for end in ends), "it moved once"


async def test_a_refused_later_end_costs_the_driver_nothing(sandbox: Sandbox) -> None:
    sandbox.fail("updateExpiredTime", Fault(code="62089", msg="INVALID_EXPIRED_TIME"), times=None)
    rules = Rules(GARAGE, cancel_after=6_000, scanned_more=12_000)
    async with working(sandbox, rules=rules) as lane:
        order = await lane.pays_at_the_qr()
        await sandbox.scan(order.order_no or "")
        await eventually(lambda: len(sandbox.calls_of("updateExpiredTime")) >= worker_codes.TRIES, limit_s=30)
        await sandbox.pay(order.order_no or "", notify=False)
        await in_time(lane, Lift, order_no=order.order_no)
        assert len(sandbox.calls_of("updateExpiredTime")) == worker_codes.TRIES


async def test_a_worker_that_starts_anew_knows_that_the_code_was_scanned(sandbox: Sandbox) -> None:
    log = MemoryJournal()
    async with working(sandbox, log) as lane:
        order = await lane.pays_at_the_qr()
        await sandbox.scan(order.order_no or "")
        await lane.until(Screen, state="pay", scanned=True)
    asked = len(sandbox.calls_of("getCashierUrlInfo"))
    async with working(sandbox, log) as lane:
        await lane.boom_is_down()
        await lane.until(Screen, state="pay", scanned=True)
        assert len(sandbox.calls_of("getCashierUrlInfo")) == asked
