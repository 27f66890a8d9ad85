"""Faults of tests/faults.py between the worker and PayBy; the bus and the journal are in memory, see test_worker.py."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from terminal.clock import SystemClock
from terminal.contract.messages import Alert, Health, Lift, Order, Screen
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from tests.support.eventually import eventually
from tests.support.lifts import PAYEE, payby_key
from tests.support.worker_lane import Lane, notification, working

ANSWERED_S = 12.0
"""A driver sees `help` after this; what is repaired by then he does not notice."""


@asynccontextmanager
async def payby(clock: SystemClock | None = None) -> AsyncIterator[Sandbox]:
    merchant, key = [payby_key("merchant").public_key()], payby_key("payby")
    async with Sandbox(merchant_keys=merchant, private_key=key, partner_id=PAYEE, clock=clock, seed=1) as server:
        yield server


def placed(sandbox: Sandbox) -> list[bytes]:
    """What was said in each placeOrder, the time of saying it apart."""
    return [call.body.partition(b"bizContent")[2] for call in sandbox.calls_of("placeOrder")]


@pytest.mark.fault("cut-before-order", "update")
@pytest.mark.parametrize("arrived", [True, False])
async def test_an_order_that_was_cut_short_is_placed_again_with_the_same_words(arrived: bool) -> None:
    async with payby() as sandbox:
        sandbox.fail("placeOrder", Fault(drop=True, done=arrived), times=None)
        async with working(sandbox) as before:
            await before.boom_is_down()
            await before.reads(before.fee())
            await before.until(Order, status="placing")
            await eventually(lambda: sandbox.calls_of("placeOrder"))
        sandbox.heal()
        async with working(sandbox, before.log) as after:
            await after.boom_is_down()
            order = await after.until(Order, status="created")
            screen = await after.until(Screen, state="pay")
            assert screen.session == order.session
        said = placed(sandbox)
        assert len(said) >= 2
        assert len(set(said)) == 1
        assert list(sandbox.orders) == [order.order_no]
        assert sandbox.orders[order.order_no].token_url == order.token_url


async def created(lane: Lane) -> Order:
    """The lane's order, once PayBy has given a code for it; a quiet bus is not the end."""
    async with asyncio.timeout(ANSWERED_S):
        while True:
            with contextlib.suppress(TimeoutError):
                found: Order = await lane.until(Order, status="created")
                return found


OUTCOMES = {
    "500": Fault(code="500", msg="SYSTEM_ERROR"),
    "504": Fault(code="504", msg="SERVICE_TIMEOUT", http_status=504),
    "reset": Fault(drop=True),
    "half": Fault(half=True),
    "html": Fault(html=True),
    "late": Fault(delay_s=2.5),  # the worker waits for 2 s
    "unsigned": Fault(sign="absent"),
    "badly signed": Fault(sign="wrong"),
}


@pytest.mark.fault("outcome-unknown", "answer-unsigned")
@pytest.mark.parametrize("done", [True, False])
async def test_after_any_unclear_answer_the_driver_gets_the_code_of_the_same_order(done: bool) -> None:
    async def driver(name: str) -> None:
        async with payby() as sandbox:
            sandbox.fail("placeOrder", replace(OUTCOMES[name], done=done))
            sandbox.fail("getOrder", Fault(code="500", msg="SYSTEM_ERROR"))
            async with working(sandbox) as lane:
                await lane.boom_is_down()
                await lane.reads(lane.fee())
                order = await created(lane)
                assert (await lane.until(Screen, state="pay")).session == order.session
                assert list(sandbox.orders) == [order.order_no], name
                assert len(set(placed(sandbox))) == 1, name
                asked = [c.steady_ms for c in sandbox.calls_of("getOrder")]
                assert all(later - earlier >= 2000 for earlier, later in itertools.pairwise(asked)), name
                assert lane.bus.of(Lift) == []

    await asyncio.gather(*map(driver, OUTCOMES))


@pytest.mark.fault("paid-before-answer")
async def test_a_payment_that_is_told_before_place_order_is_answered_lifts() -> None:
    async with payby() as sandbox:
        sandbox.fail("placeOrder", Fault(delay_s=1.5))
        async with working(sandbox) as lane:
            await lane.boom_is_down()
            await lane.reads(lane.fee())
            await eventually(lambda: sandbox.orders)
            (no,) = sandbox.orders
            await sandbox.pay(no, notify=False)
            await lane.bus.hears(lane.topic("paid"), notification(sandbox, no))
            lift = await lane.until(Lift, order_no=no)
            assert not [o for o in lane.bus.of(Order) if o.status == "created"], "the answer is still to come"
            assert {m.id for m in lane.bus.of(Lift)} == {lift.id}


@pytest.mark.fault("close-stuck")
async def test_an_order_that_cannot_be_closed_shows_the_next_driver_wait_and_lets_a_free_car_out() -> None:
    async with payby() as sandbox, working(sandbox) as lane:
        first = await lane.pays_at_the_qr()
        sandbox.cut_off = True
        payable = lane.fee()
        await lane.reads(payable)
        assert (await lane.until(Screen, fee=payable.id)).state == "wait"
        await lane.reads(lane.fee(lane.ticket(minutes=5)))
        assert (await lane.until(Lift)).reason == "free"
        assert list(sandbox.orders) == [first.order_no]


class Ahead(SystemClock):
    """PayBy's clock, this many seconds before this machine's."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def wall_ms(self) -> int:
        return super().wall_ms() + round(self.seconds * 1000)


@pytest.mark.fault("clock-wrong")
@pytest.mark.parametrize("seconds", [70, -70, 1200, -1200, 400_000_000])
async def test_a_clock_that_is_a_minute_or_more_off_is_told_and_orders_go_on(seconds: float) -> None:
    clock = Ahead(seconds)
    async with payby(clock) as sandbox, working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        told = await lane.until(Alert, code="clock-skew", state="raised")
        assert (told.severity, "behind" in told.text) == ("critical", seconds > 0)
        assert lane.bus.of(Health)[-1].state == "degraded"
        await sandbox.pay(order.order_no, notify=False)
        await lane.until(Lift, order_no=order.order_no)
        clock.seconds = 0
        await lane.reads(lane.fee())
        await lane.until(Alert, code="clock-skew", state="cleared")


@pytest.mark.fault("clock-wrong")
async def test_a_clock_that_is_less_than_a_minute_off_is_nobodys_concern() -> None:
    async with payby(Ahead(50)) as sandbox, working(sandbox) as lane:
        await lane.pays_at_the_qr()
        assert lane.bus.of(Alert) == []
