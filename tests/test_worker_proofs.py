"""A proof too long for a lift is useless: others are looked for, and at most one stay needs a person."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from terminal.clock import new_id
from terminal.contract.deflated import PREFIX, pack
from terminal.contract.lift_rules import fits
from terminal.contract.messages import MAX_BYTES, Alert, Lift, Paid, Proof, Receipt, Screen, encode, stamp
from terminal.core import events
from terminal.core.model import PaymentProof as KeptProof
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign
from tests.support.lifts import LANE, payby_key
from tests.support.worker_lane import CLOCK, Lane, is_served, notification, sandbox, to_json, working

__all__ = ["sandbox"]
LONG = {"subject": "instalment terms " * 1_500}


def long_notification(lane: Lane, order_no: str, length: int = 14_400) -> Paid:
    """Genuine, and too long for a lift, if not for a message."""
    words = lane.sandbox.book.orders[order_no].words() | {"subject": "x" * length}
    body = to_json({"acquireOrder": words, "notify_id": "long", "notify_timestamp": 1})
    signature = sign(payby_key("payby"), body.encode())
    assert not fits(Proof(body, signature))
    return Paid(**lane.head(), order_no=order_no, notify_id="long", body=body, sign=signature)


async def in_time(lane: Lane, kind: type[Any], **fields: Any) -> Any:
    """As lane.until(), for what takes two queries."""
    async with asyncio.timeout(30):
        while True:
            with suppress(TimeoutError):
                return await lane.until(kind, **fields)


async def test_who_paid_in_words_too_long_for_a_lift_is_a_persons_and_the_next_car_is_served(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        sandbox.book.orders[order.order_no or ""].asked.update(LONG)  # type: ignore[attr-defined]
        await sandbox.pay(order.order_no or "", notify=False)
        alert = await in_time(lane, Alert, code="payment-mismatch")
        assert (alert.order_no, "too long" in alert.text) == (order.order_no, True)
        assert (await lane.until(Screen, state="help")).session == order.session
        assert len([c for c in sandbox.calls_of("getOrder") if order.order_no in c.body.decode()]) >= 2
        await is_served(lane, LANE)
        assert order.order_no not in {lift.order_no for lift in lane.bus.of(Lift)}


async def test_an_answer_that_is_short_again_is_the_proof(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        await sandbox.pay(order.order_no or "", notify=False)
        sandbox.fail("getOrder", Fault(edit=LONG), times=1)
        lift = await in_time(lane, Lift, order_no=order.order_no)
        assert "instalment" not in lift.proof.body
        assert [c.fault.edit for c in sandbox.calls_of("getOrder") if c.fault and c.fault.edit] == [LONG]
        assert lane.bus.of(Alert) == []


async def test_a_notification_too_long_for_a_lift_is_answered_once_a_query_has_brought_a_proof(
    sandbox: Sandbox,
) -> None:
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        await sandbox.pay(order.order_no or "", notify=False)
        for _ in range(3):  # the listener repeats
            await lane.bus.hears(lane.topic("paid"), long_notification(lane, order.order_no or ""))
        lift = await in_time(lane, Lift, order_no=order.order_no)
        assert '"head"' in lift.proof.body
        assert (await lane.until(Receipt, notify_id="long")).outcome == "lifting"
        await lane.bus.hears(lane.topic("paid"), notification(sandbox, order.order_no or ""))
        assert (await lane.until(Receipt, notify_id="n1")).outcome == "duplicate"
        assert lane.bus.unacknowledged == 0


async def test_a_notification_longer_than_a_message_lets_the_car_out_by_what_a_query_brings(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        await sandbox.pay(order.order_no or "", notify=False)
        told = pack(long_notification(lane, order.order_no or "", 60_000))
        assert told.body.startswith(PREFIX)
        await lane.bus.hears(lane.topic("paid"), told)
        await in_time(lane, Lift, order_no=order.order_no)
        assert (await lane.until(Receipt, notify_id="long")).outcome == "lifting"


async def test_what_is_packed_and_unreadable_is_a_bad_message(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        told = replace(long_notification(lane, order.order_no or ""), body=PREFIX + "AAAA")
        await lane.bus.hears(lane.topic("paid"), told)
        assert "`body`, deflated" in (await lane.until(Alert, code="bad-message")).text
        assert (lane.bus.of(Receipt), lane.bus.unacknowledged) == ([], 0)


async def test_a_notification_that_no_query_confirms_is_not_receipted(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        await sandbox.pay(order.order_no or "", notify=False)
        long = long_notification(lane, order.order_no or "")
        sandbox.cut_off = True
        await lane.bus.hears(lane.topic("paid"), long)
        sandbox.heal()
        await in_time(lane, Lift, order_no=order.order_no)
        assert [r.outcome for r in lane.bus.of(Receipt)] in ([], ["lifting"])


async def test_a_lift_that_is_too_long_to_be_said_is_a_persons_and_the_next_car_is_served(sandbox: Sandbox) -> None:
    """As an earlier version journaled it."""
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        paid = events.OrderReported(
            lane.worker.now(), order.order_no or "", "PAID", 2000, KeptProof("x" * 20_000, "s"), notified=True
        )
        lane.worker.post(paid)
        alert = await lane.until(Alert, code="stay-failed")
        assert (alert.session, lane.bus.of(Lift)) == (order.session, [])
        await is_served(lane, LANE)


@pytest.mark.parametrize("filling", ["x", '"', "\\", "\n", "م", "\U0001f17f"], ids=ascii)
def test_what_fits_a_lift_fits_with_everything_else_at_its_longest(filling: str) -> None:
    session, signature = new_id(CLOCK), "A" * 684  # of a 4096 bit key
    most = 0
    for step in (4096, 512, 64, 8, 1):
        while fits(Proof(filling * (most + step), signature)):
            most += step
    lift = Lift(
        id=session, at=stamp(CLOCK.wall_ms()), session=session, car=session, reason="credit", by="w" * 64,
        not_after=stamp(CLOCK.wall_ms()), key="w" * 64, sign="B" * 88, order_no="o" * 64, amount="999999999999.99",
        proof=Proof(filling * most, signature),
    )  # fmt: skip
    size = len(encode(lift))
    assert MAX_BYTES - 500 < size <= MAX_BYTES


def test_8_kib_of_ordinary_words_fit_a_lift() -> None:
    words: dict[str, str] = {}
    while len(json.dumps(words)) < 8 * 1024 - 20:
        words[f"k{len(words)}"] = "word"
    assert fits(Proof(json.dumps(words), "A" * 684))
