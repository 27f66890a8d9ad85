"""PayBy's gateway refuses without a signature: nothing is asked in vain, and only a signed word ends an order."""

import asyncio

import pytest

from terminal.contract.messages import Alert, Barrier, Health, Lift, Order, Screen
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from tests.support.eventually import eventually
from tests.support.worker_lane import Lane, sandbox, working

__all__ = ["sandbox"]

REFUSALS = [
    ("601", "RISK_FAIL", "payby-refused"),
    ("403", "UNAUTHORIZED", "payby-unauthorised"),
    ("58001", "INVALID_IP", "payby-unauthorised"),
    ("400", "INVALID_PARAMETER", "payby-mistake"),
]


async def asked_again(lane: Lane, name: str, count: int = 1) -> None:
    """Wait until PayBy has this many more calls of that name."""
    wanted = len(lane.sandbox.calls_of(name)) + count
    await eventually(lambda: len(lane.sandbox.calls_of(name)) >= wanted, limit_s=15)


@pytest.mark.fault("answer-unsigned")
@pytest.mark.parametrize("done", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize(("code", "msg", "alert"), REFUSALS)
async def test_an_unsigned_refusal_is_placed_once_and_closed(
    sandbox: Sandbox, code: str, msg: str, alert: str, done: bool
) -> None:
    sandbox.fail("placeOrder", Fault(code=code, msg=msg, done=done), times=None)
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.fee())
        order = await lane.until(Order, status="closed")
        assert (await lane.until(Screen, state="help")).reason == "refused"
        told = await lane.until(Alert, code=alert, order_no=order.order_no)
        assert f"{code} {msg}" in told.text
    assert len(sandbox.calls_of("placeOrder")) == 1
    assert {call.code for call in sandbox.calls_of("cancelOrder")} <= {"0", "62004"}
    assert len(sandbox.orders) == done


@pytest.mark.fault("answer-unsigned")
async def test_an_order_lives_until_a_signed_word_ends_it(sandbox: Sandbox) -> None:
    """Everything is refused unsigned; a payment that was still made lets its car out."""
    sandbox.fail("placeOrder", Fault(code="601", msg="RISK_FAIL", done=True))
    sandbox.fail("cancelOrder", Fault(code="601", msg="RISK_FAIL"), times=None)
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.fee())
        order = await lane.until(Order, status="closing")
        await asked_again(lane, "cancelOrder")
        assert not [o for o in lane.bus.of(Order) if o.status in ("closed", "failed")]
        await sandbox.pay(order.order_no)
        assert (await lane.until(Lift)).order_no == order.order_no
    assert len(sandbox.calls_of("placeOrder")) == 1


@pytest.mark.fault("answer-unsigned")
@pytest.mark.parametrize(("code", "msg"), [("403", "UNAUTHORIZED"), ("58001", "INVALID_IP")])
async def test_a_gateway_that_refuses_us_puts_idle_lanes_out_of_order(sandbox: Sandbox, code: str, msg: str) -> None:
    sandbox.fail("*", Fault(code=code, msg=msg), times=None)
    async with working(sandbox) as lane:
        await lane.bus.hears(lane.topic("barrier", "exit-2"), Barrier(**lane.head(), state="down"))
        await lane.boom_is_down()
        await lane.reads(lane.fee())
        assert (await lane.until(Screen, state="out-of-order")).reason == "unauthorised"
        await lane.until(Alert, code="payby-unauthorised", order_no=None)
        async with asyncio.timeout(10):
            while not any(h.state == "degraded" and msg in (h.reason or "") for h in lane.bus.of(Health)):
                await lane.bus.until(Health, len(lane.bus.of(Health)) + 1)


@pytest.mark.fault("answer-unsigned")
async def test_a_query_that_is_refused_unsigned_goes_on_and_is_told_once(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        sandbox.fail("getOrder", Fault(code="400", msg="INVALID_PARAMETER"), times=3)
        await lane.until(Alert, code="payby-mistake", order_no=order.order_no)
        await asked_again(lane, "getOrder", 3)
        await sandbox.pay(order.token_url or "")
        assert (await lane.until(Lift)).order_no == order.order_no
        assert len([a for a in lane.bus.of(Alert) if a.code == "payby-mistake"]) == 1
        assert not [s for s in lane.bus.of(Screen) if s.state == "help"]
