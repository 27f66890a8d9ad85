"""Devices: an order names only one that the operator configured, and PayBy's refusal of it names the key to correct."""

import pytest

from terminal.contract.messages import Alert, Lift, Order, Screen
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from tests.support.lifts import LANE
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import Lane, sandbox, working

__all__ = ["sandbox"]

DEVICE = "20001019"


async def paid_and_lifted(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    await lane.sandbox.pay(order.token_url or "")
    assert (await lane.until(Lift)).order_no == order.order_no


async def test_an_order_bears_no_device_that_nobody_configured(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        await paid_and_lifted(lane)
    assert all("deviceId" not in call.biz for call in sandbox.calls)


async def test_a_configured_device_is_in_the_order_and_in_every_look_up(sandbox: Sandbox) -> None:
    sandbox.book.devices[DEVICE] = True
    async with working(sandbox, device_ids={LANE: DEVICE, "exit-9": "1342"}) as lane:
        await paid_and_lifted(lane)
    asked = [c.biz.get("deviceId") for c in sandbox.calls if c.name in ("placeOrder", "getOrder")]
    assert len(asked) > 1
    assert set(asked) == {DEVICE}


async def test_an_order_is_looked_up_with_the_device_that_it_was_placed_with(sandbox: Sandbox) -> None:
    """Whatever the configuration says by now."""
    sandbox.book.devices[DEVICE] = True
    log = MemoryJournal()
    async with working(sandbox, log, device_ids={LANE: DEVICE}) as lane:
        order = await lane.pays_at_the_qr()
    async with working(sandbox, log) as lane:
        await sandbox.pay(order.token_url or "", notify=False)
        assert (await lane.until(Order, status="paid")).order_no == order.order_no
    assert {c.biz.get("deviceId") for c in sandbox.calls_of("getOrder")} == {DEVICE}


@pytest.mark.parametrize(
    ("code", "msg", "key"),
    [
        ("62036", "MERCHANT_DEVICE_NOT_EXIST", "payby.device_ids"),
        ("62037", "DEVICE_ACCESS_FORBIDDEN", "payby.device_ids"),
        ("62086", "INVALID_PAYEEMID", "payby.payee_mid"),
    ],
)
async def test_a_refused_setting_is_alerted_with_its_key(sandbox: Sandbox, code: str, msg: str, key: str) -> None:
    sandbox.fail("placeOrder", Fault(code=code, msg=msg), times=None)
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        await lane.reads(lane.fee())
        alert = await lane.until(Alert, code="payby-unauthorised", state="raised", severity="critical")
        assert f"{code} {msg}" in alert.text
        assert key in alert.text
        assert (await lane.until(Screen, state="help")).reason == "refused"
        assert (await lane.until(Order, status="failed")).order_no
