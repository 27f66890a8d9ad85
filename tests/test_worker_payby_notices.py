"""PayBy's signed words that move nothing: chargebacks and kinds that are new. They are journaled, told and answered."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from terminal.clock import new_id
from terminal.contract.deflated import PREFIX, pack, unpack
from terminal.contract.messages import Alert, Lift, Order, Paid, Receipt, stamp
from terminal.core.ids import help_code, parse_order_no
from terminal.journal.kinds import NOTICE
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign
from tests.support.lifts import LANE, payby_key
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import CLOCK, Lane, sandbox, to_json, working

__all__ = ["sandbox"]


@pytest.fixture
async def lane(sandbox: Sandbox) -> AsyncIterator[Lane]:
    async with working(sandbox) as lane:
        yield lane


async def hears(lane: Lane, order_no: str, notify_id: str = "n1", *, forged: bool = False, **said: Any) -> Paid:
    body = to_json({"notify_id": notify_id, "notify_timestamp": 1, **said})
    key = payby_key("merchant" if forged else "payby")
    told = Paid(
        id=new_id(CLOCK),
        at=stamp(CLOCK.wall_ms()),
        order_no=order_no,
        notify_id=notify_id,
        body=body,
        sign=sign(key, body.encode()),
    )
    told = pack(told)
    await lane.bus.hears(lane.topic("paid"), told)
    return told


def kept(lane: Lane) -> list[bytes]:
    return [row.data for row in lane.log.rows if row.kind == NOTICE]


def chargeback(order_no: str) -> dict[str, Any]:
    amount = {"amount": 20, "currency": "AED"}
    return {
        "chargebackTime": 1581493898000, "merchantOrderNo": order_no, "orderNo": "13", "payAmount": amount,
        "chargebackAmount": amount | {"amount": 7.5}, "caseType": "fraud", "partnerId": "200000000888",
    }  # fmt: skip


async def test_a_chargeback_is_journaled_receipted_and_told_with_order_lane_amount_and_case(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    no = order.order_no or ""
    name = parse_order_no(no)
    assert name
    told = await hears(lane, no, acquireChargeback=chargeback(no))
    alert = await lane.until(Alert, code="chargeback")
    assert (alert.severity, alert.state, alert.order_no, alert.session) == ("critical", "raised", no, name.session)
    assert alert.help_code == help_code(name.session)
    for part in ("AED 7.5", "AED 20", "fraud", no, LANE):
        assert part in alert.text
    receipt = await lane.until(Receipt, notify_id="n1")
    assert (receipt.outcome, receipt.order_no) == ("noted", no)
    assert kept(lane) == [f"{told.sign}\n{told.body}".encode()]
    assert lane.bus.of(Lift) == []


async def test_a_kind_that_is_new_may_be_longer_than_a_message(lane: Lane) -> None:
    told = await hears(lane, "none", transferOrder={"terms": ["pay with interest"] * 2000})
    assert told.body.startswith(PREFIX)
    assert "transferOrder" in (await lane.until(Alert, code="notification-unknown")).text
    assert (await lane.until(Receipt, notify_id="n1")).outcome == "noted"
    assert kept(lane) == [f"{told.sign}\n{unpack(told).body}".encode()]


async def test_a_chargeback_of_an_order_of_others_is_told_too(lane: Lane) -> None:
    await hears(lane, "S10000", acquireChargeback=chargeback("S10000"))
    alert = await lane.until(Alert, code="chargeback", order_no="S10000")
    assert "not one of our order numbers" in alert.text
    assert len(kept(lane)) == 1


async def test_a_kind_that_is_new_is_told_by_its_name_and_receipted(lane: Lane) -> None:
    await hears(lane, "none", transferOrder={"status": "SUCCESS"}, other=1)
    alert = await lane.until(Alert, code="notification-unknown")
    assert "transferOrder, other" in alert.text
    assert (await lane.until(Receipt, notify_id="n1")).outcome == "noted"
    assert len(kept(lane)) == 1


async def test_a_voided_pre_authorisation_is_told(lane: Lane) -> None:
    await hears(lane, "A1", voidOrder={"originMerchantOrderNo": "A1", "status": "SUCCESS"})
    assert "voidOrder" in (await lane.until(Alert, code="notification-unknown")).text


async def test_the_same_notice_again_is_answered_and_told_once(lane: Lane) -> None:
    for count in (1, 2):
        await hears(lane, "S1", acquireChargeback=chargeback("S1"))
        await lane.bus.until(Receipt, count)
    await hears(lane, "S1", "n2", acquireChargeback=chargeback("S1"))
    await lane.bus.until(Receipt, 3)
    assert len([a for a in lane.bus.of(Alert) if a.code == "chargeback"]) == len(kept(lane)) == 2


async def test_a_forged_chargeback_is_dropped(lane: Lane) -> None:
    await hears(lane, "S1", acquireChargeback=chargeback("S1"), forged=True)
    await lane.until(Alert, code="forged-paid")
    assert kept(lane) == []
    assert lane.bus.of(Receipt) == []


async def test_a_worker_starts_on_a_journal_with_notices(sandbox: Sandbox) -> None:
    log = MemoryJournal()
    async with working(sandbox, log) as lane:
        await hears(lane, "none", transferOrder={})
        await lane.until(Receipt, notify_id="n1")
    async with working(sandbox, log) as lane:
        assert (await lane.pays_at_the_qr()).order_no


async def test_paybys_reason_why_an_order_failed_is_told_once(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    edit = {"status": "FAILURE", "failCode": 504, "failDes": "SERVICE_TIMEOUT"}
    lane.sandbox.fail("getOrder", Fault(edit=edit), times=None)
    alert = await lane.until(Alert, code="payby-failed", order_no=order.order_no)
    assert (alert.severity, "504 SERVICE_TIMEOUT" in alert.text) == ("info", True)
    await lane.until(Order, status="closed")
    assert len([a for a in lane.bus.of(Alert) if (a.code, a.order_no) == ("payby-failed", order.order_no)]) == 1


async def test_paybys_reason_why_a_refund_failed_is_told(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    no = order.order_no or ""
    refund = {
        "refundMerchantOrderNo": "R1", "originMerchantOrderNo": no, "status": "FAILURE", "failCode": "62045",
        "failDes": "REFUND_REJECTED", "amount": {"amount": 20, "currency": "AED"},
    }  # fmt: skip
    for count in (1, 2):
        await hears(lane, no, f"n{count}", refundOrder=refund)
        await lane.bus.until(Receipt, count)
    (alert,) = [a for a in lane.bus.of(Alert) if a.code == "payby-failed"]
    assert (alert.severity, alert.order_no) == ("warning", no)
    assert "refund R1 failed: 62045 REFUND_REJECTED" in alert.text
