"""The worker among the others' messages: what it believes, what it answers, and what it says again.

The bus is in memory; PayBy is the sandbox over real HTTP with real signatures.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from terminal.clock import new_id
from terminal.contract.messages import (
    Alert,
    Answer,
    Barrier,
    Fee,
    Health,
    LastLift,
    Lift,
    Order,
    Paid,
    Receipt,
    Screen,
    Vehicle,
    stamp,
)
from terminal.contract.signatures import check_lift, check_screen, sign_command
from terminal.core.events import VehicleUnknown
from terminal.core.ids import derived_id
from terminal.core.quote import hint
from terminal.core.rules import passage, records
from terminal.core.ticket import sign_ticket
from terminal.journal import kinds
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign
from terminal.roles.worker import lift_index as worker_lifts
from terminal.roles.worker.message_builder import WorkerSigner
from tests.support.eventually import eventually
from tests.support.lifts import GARAGE, LANE, PAYEE, payby_key, private_key, trusted
from tests.support.worker_lane import CLOCK, TARIFF, Lane, notification, sandbox, to_json, working

__all__ = ["sandbox"]


@pytest.fixture
async def lane(sandbox: Sandbox) -> AsyncIterator[Lane]:
    async with working(sandbox) as lane:
        yield lane


async def test_a_fee_becomes_an_order_and_a_signed_code(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    screen = await lane.until(Screen, state="pay")
    assert check_screen(screen, GARAGE, LANE, trusted()) is None
    assert (order.amount, screen.amount, screen.fee) == ("20.00", "20.00", order.fee)
    assert lane.sandbox.book.orders[order.order_no or ""].token_url == order.token_url


@pytest.mark.fault("cut-before-fee")
async def test_a_repeated_fee_changes_nothing_and_is_answered_again(lane: Lane) -> None:
    await lane.boom_is_down()
    fee = lane.fee()
    await lane.reads(fee)
    await lane.until(Order, status="created")
    said = len(lane.bus.of(Screen))
    await lane.reads(fee)
    await lane.bus.until(Screen, said + 1)
    assert lane.bus.of(Screen)[-1].fee == fee.id
    assert len(lane.sandbox.calls_of("placeOrder")) == 1


@pytest.mark.parametrize(
    "claim",
    [{"amount": "1.00"}, {"reason": "free", "amount": "0.00"}, {"minutes": 1}, {"session": derived_id(0, "other")}],
    ids=str,
)
async def test_a_fee_that_says_other_than_the_tariff_opens_nothing(lane: Lane, claim: dict[str, Any]) -> None:
    await lane.boom_is_down()
    fee = lane.fee(**claim)
    await lane.reads(fee)
    screen = await lane.until(Screen, state="help", fee=fee.id)
    assert screen.reason == "refused"
    await lane.until(Alert, code="bad-fee")
    assert (lane.sandbox.calls, lane.bus.of(Lift)) == ([], [])


@pytest.mark.fault("worker-away")
async def test_a_fee_that_was_read_a_minute_ago_is_refused(lane: Lane) -> None:
    await lane.boom_is_down()
    await lane.reads(lane.fee(exited=CLOCK.wall_ms() - 61_000))
    await lane.until(Alert, code="bad-fee")
    assert lane.sandbox.calls == []


async def test_a_forged_free_ticket_opens_nothing(lane: Lane) -> None:
    text = lane.ticket(minutes=5)
    await lane.reads(lane.fee(text, ticket=text[:-1] + ("A" if text[-1] != "A" else "B")))
    assert (await lane.until(Screen, state="help")).reason == "ticket-unknown"
    assert lane.bus.of(Lift) == []


async def test_a_ticket_of_another_key_is_refused_as_unknown_and_is_no_bad_fee(lane: Lane) -> None:
    entered = CLOCK.wall_ms() - 90 * 60_000
    text = sign_ticket(GARAGE, derived_id(entered, "forged"), entered, "k1", b"\0" * 32)
    told = hint(text, CLOCK.wall_ms(), garage=GARAGE, tariff=TARIFF, lost_session="")
    await lane.boom_is_down()
    await lane.reads(lane.fee(lane.ticket(), ticket=text, session=told.session, entered=stamp(told.entered_ms or 0)))
    assert (await lane.until(Screen, state="help")).reason == "ticket-unknown"
    await lane.until(Alert, code="ticket-refused")
    assert [alert.code for alert in lane.bus.of(Alert)] == ["ticket-refused"]
    assert (lane.sandbox.calls, lane.bus.of(Lift)) == ([], [])


async def test_a_lost_ticket_is_never_free(lane: Lane) -> None:
    fields = {"reason": "lost", "entered": None, "minutes": None, "session": new_id(CLOCK), "amount": "0.00"}
    await lane.reads(lane.fee("LOST", **fields))
    await lane.until(Alert, code="bad-fee")
    await lane.boom_is_down()
    await lane.reads(lane.fee("LOST", **{**fields, "amount": "150.00"}))
    assert (await lane.until(Order, status="created")).amount == "150.00"


async def test_a_lost_ticket_that_names_somebody_elses_stay_is_refused_with_an_alert(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    fields = {"reason": "lost", "entered": None, "minutes": None, "session": order.session, "amount": "150.00"}
    await lane.bus.hears(lane.topic("fee", "exit-2"), lane.fee("LOST", **fields))
    await lane.until(Alert, code="bad-fee")
    assert (await lane.until(Screen, state="help")).reason == "refused"
    assert len(lane.sandbox.orders) == 1


@pytest.mark.parametrize("what", ["fee", "barrier", "vehicle", "command"])
async def test_what_belongs_to_a_lane_is_a_bad_message_in_the_garages_place(lane: Lane, what: str) -> None:
    until = stamp(CLOCK.wall_ms() + 60_000)
    said: dict[str, Any] = {
        "fee": lane.fee(),
        "barrier": Barrier(**lane.head(), state="down"),
        "vehicle": Vehicle(**lane.head(), waiting=True, under_boom=False),
        "command": sign_command(
            private_key("console"), GARAGE, "garage", key="console", **lane.head(), command="close-lane", by="x",
            not_after=until,
        ),
    }  # fmt: skip
    await lane.bus.hears(lane.topic(what, "garage"), said[what])
    alert = await lane.until(Alert, code="bad-message")
    assert "`garage` is none" in alert.text
    assert "garage" not in lane.worker.event_store.garage.lanes
    assert lane.bus.unacknowledged == 0


async def test_an_answer_of_another_lane_says_nothing_of_a_lift(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    await lane.sandbox.pay(order.order_no, notify=False)
    lift = await lane.until(Lift, order_no=order.order_no)
    answer = Answer(lift=lift.id, outcome="refused", why="car")
    for said in ({"state": "down", "answer": answer}, {"state": "up", "lift": lift.id, "session": lift.session}):
        await lane.bus.hears(lane.topic("barrier", "exit-2"), Barrier(**lane.head(), **said))
    await lane.bus.until(Alert, 2)
    assert [alert.code for alert in lane.bus.of(Alert)] == ["bad-message"] * 2
    assert all("a lift of exit-1" in alert.text for alert in lane.bus.of(Alert))
    assert not any(row.kind == "LiftAnswered" for row in lane.log.rows)
    assert "exit-2" not in lane.worker.event_store.garage.lanes, "nor does its boom count"
    await lane.boom_is_down("exit-2", last=LastLift(lift.id, lift.session, "paid"))  # its barrier was moved there
    lanes = lane.worker.event_store.garage.lanes
    await eventually(lambda: "exit-2" in lanes and lanes["exit-2"].boom)
    assert (boom := lanes["exit-2"].boom) and (boom.state, boom.lift) == ("down", None)
    (stay,) = lane.worker.event_store.garage.stays.values()
    assert [grant.id for grant in stay.grants] == [lift.id]
    await lane.boom_is_down(answer=answer)
    await lane.until(Alert, code="lift-refused")


async def test_a_notification_lifts_with_its_own_words_as_proof_and_is_receipted(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    await lane.sandbox.pay(order.order_no, notify=False)
    paid = notification(lane.sandbox, order.order_no or "")
    await lane.bus.hears(lane.topic("paid"), paid)
    assert (await lane.until(Receipt, notify_id="n1")).outcome == "lifting"
    lift = await lane.until(Lift, order_no=order.order_no)
    assert (lift.reason, lift.proof.body, lift.proof.sign) == ("paid", paid.body, paid.sign)
    assert check_lift(lift, GARAGE, LANE, trusted()) is None
    await lane.bus.hears(lane.topic("paid"), paid)
    await lane.until(Receipt, outcome="duplicate")
    assert {lift.id for lift in lane.bus.of(Lift)} == {lift.id}


@pytest.mark.fault("forged-lift")
async def test_a_forged_notification_is_dropped_alerted_and_gets_no_receipt(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    forged = to_json({"acquireOrder": {**lane.sandbox.book.orders[order.order_no or ""].words(), "status": "SETTLED"}})
    paid = Paid(
        **lane.head(), order_no=order.order_no or "", notify_id="f", body=forged, sign=sign(payby_key("other"), b"")
    )
    await lane.bus.hears(lane.topic("paid"), paid)
    await lane.until(Alert, code="forged-paid")
    assert (lane.bus.of(Receipt), lane.bus.of(Lift)) == ([], [])


@pytest.mark.fault("payment-misfit")
async def test_a_genuine_payment_of_an_unknown_order_is_refused_and_alerted(lane: Lane) -> None:
    words = {
        "merchantOrderNo": "marina-exit-1-" + new_id(CLOCK).replace("-", ""),
        "orderNo": "1",
        "status": "PAID_SUCCESS",
        "payeeMid": PAYEE,
        "totalAmount": {"amount": 1, "currency": "AED"},
    }
    body = to_json({"acquireOrder": words, "notify_id": "u", "notify_timestamp": 1})
    signature = sign(payby_key("payby"), body.encode())
    paid = Paid(**lane.head(), order_no=words["merchantOrderNo"], notify_id="u", body=body, sign=signature)
    await lane.bus.hears(lane.topic("paid"), paid)
    assert (await lane.until(Receipt, notify_id="u")).outcome == "refused"
    await lane.until(Alert, code="payment-unknown")
    assert any(row.kind == "OrderReported" for row in lane.log.rows), "it is journaled"


@pytest.mark.fault("never-notified")
async def test_a_payment_is_found_by_query_when_no_notification_comes(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    await lane.sandbox.pay(order.order_no, notify=False)
    lift = await lane.until(Lift, order_no=order.order_no)
    assert '"head"' in lift.proof.body, "PayBy's signed answer is the proof"


@pytest.mark.fault("cut-unpaid")
async def test_an_order_of_before_a_restart_is_queried_before_its_code_shows_again(
    sandbox: Sandbox,
) -> None:
    async with working(sandbox) as before:
        order = await before.pays_at_the_qr()
    queries = len(sandbox.calls_of("getOrder"))
    async with working(sandbox, before.log) as after:
        await after.boom_is_down()
        screen = await after.until(Screen, state="pay")
        assert len(sandbox.calls_of("getOrder")) > queries
        assert after.bus.of(Screen)[0].state == "wait"
        assert screen.session == order.session
        assert len(sandbox.calls_of("placeOrder")) == 1


async def test_an_lcd_that_starts_gets_the_screen_live(lane: Lane) -> None:
    await lane.pays_at_the_qr()
    said = len(lane.bus.of(Screen))
    health = Health(**lane.head(), state="online", version="1", instance="lcd-2", since=stamp(0))
    await lane.bus.hears(lane.topic("health/lcd"), health)
    await lane.bus.until(Screen, said + 1)
    assert lane.bus.of(Screen)[-1].state == "pay"


@pytest.mark.fault("broker-restarts")
async def test_everything_is_said_again_after_a_reconnect(lane: Lane) -> None:
    await lane.pays_at_the_qr()
    said = len(lane.bus.of(Screen))
    lane.bus.connect(False)
    lane.bus.connect(True)
    await lane.bus.until(Screen, said + 1)
    assert lane.bus.of(Screen)[-1].state == "pay"


@pytest.mark.fault("broker-restarts")
async def test_a_lift_for_any_car_is_not_said_into_a_line_that_is_down(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would raise for whichever car is there when the line is back (how long: test_worker_lift_index.py)."""
    for module in (records, passage, worker_lifts):
        monkeypatch.setattr(module, "LOOPS_MS", 0)
    await lane.bus.hears(
        lane.topic("vehicle"), Vehicle(**lane.head(), waiting=True, under_boom=False, car=new_id(CLOCK))
    )
    order = await lane.pays_at_the_qr()
    lane.worker.post(VehicleUnknown(lane.worker.now(), LANE))
    lane.bus.connect(False)
    await lane.sandbox.pay(order.order_no, notify=False)
    await lane.until(Order, status="paid")
    for _ in range(50):  # turns of the loop, in which the lift's own task begins
        await asyncio.sleep(0)
    said = len(lane.bus.said)
    lane.bus.connect(True)
    lift = await lane.until(Lift, order_no=order.order_no)
    assert lift.car is None
    assert [at for at, (topic, _, _) in enumerate(lane.bus.said) if topic.endswith("/lift")] >= [said]


async def test_a_signed_command_is_obeyed_and_receipted_and_a_forged_one_is_not(lane: Lane) -> None:
    await lane.boom_is_down()
    fields = {"command": "close-lane", "by": "omar", "not_after": stamp(CLOCK.wall_ms() + 30_000)}
    forged = sign_command(private_key("worker"), GARAGE, LANE, key="console", **lane.head(), **fields)
    await lane.bus.hears(lane.topic("command"), forged)
    await lane.until(Alert, code="forged-command")
    genuine = sign_command(private_key("console"), GARAGE, LANE, key="console", **lane.head(), **fields)
    await lane.bus.hears(lane.topic("command"), genuine)
    assert (await lane.until(Receipt, command=genuine.id)).outcome == "done"
    assert (await lane.until(Screen, state="closed")).reason == "operator"
    assert [r.command for r in lane.bus.of(Receipt)] == [genuine.id]


@pytest.mark.fault("operator-replayed")
async def test_a_command_that_came_too_late_is_refused(lane: Lane) -> None:
    late = {"command": "close-lane", "by": "omar", "not_after": stamp(CLOCK.wall_ms() - 1)}
    command = sign_command(private_key("console"), GARAGE, LANE, key="console", **lane.head(), **late)
    await lane.bus.hears(lane.topic("command"), command)
    receipt = await lane.until(Receipt, command=command.id)
    assert (receipt.outcome, receipt.why) == ("refused", "expired")


async def test_a_driver_who_leaves_blanks_the_screen_and_his_order_is_closed_and_told_of_no_more(lane: Lane) -> None:
    car = new_id(CLOCK)
    await lane.boom_is_down()
    await lane.bus.hears(lane.topic("vehicle"), Vehicle(**lane.head(), waiting=True, under_boom=False, car=car))
    await lane.reads(lane.fee())
    order = await lane.until(Order, status="created")
    await lane.bus.hears(lane.topic("vehicle"), Vehicle(**lane.head(), waiting=False, under_boom=False))
    await lane.until(Order, status="none", session=None, order_no=None)
    await lane.until(Screen, state="idle")
    await lane.bus.hears(
        lane.topic("vehicle"), Vehicle(**lane.head(), waiting=True, under_boom=False, car=new_id(CLOCK))
    )
    await lane.reads(fee := lane.fee())
    await lane.until(Order, status="created", session=fee.session)
    assert lane.sandbox.book.orders[order.order_no].status == "FAILURE", "before the next one is placed"


@pytest.mark.fault("barrier-clock")
async def test_a_barrier_whose_clock_is_ahead_stops_orders_with_an_alert(lane: Lane) -> None:
    """One that is behind: test_worker_lane_devices.py."""
    head = {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms() + 30_000)}
    await lane.bus.hears(lane.topic("barrier"), Barrier(**head, state="down"))
    await lane.until(Alert, code="barrier-clock")
    assert (await lane.until(Screen, state="out-of-order")).reason == "clock"


async def test_an_unauthorised_answer_puts_idle_lanes_out_of_order(lane: Lane) -> None:
    await lane.boom_is_down()
    lane.sandbox.fail("placeOrder", Fault(code="403", msg="UNAUTHORIZED"), times=1)
    await lane.reads(lane.fee())
    await lane.until(Alert, code="payby-unauthorised")
    assert (await lane.until(Screen, state="help")).reason == "refused"


def test_the_journals_kind_of_a_request_is_known_to_reports() -> None:
    assert kinds.WORDS == "request"


@pytest.mark.fault("ticket-again")
async def test_order_tells_of_no_visit_while_another_fee_s_refusal_shows(lane: Lane) -> None:
    order = await lane.pays_at_the_qr()
    garbage = Fee(**lane.head(), ticket="not a ticket", reason="refused", why="ticket-unknown")
    await lane.reads(garbage)
    told = await lane.until(Order, fee=garbage.id)
    assert (told.status, told.session, told.order_no, told.amount) == ("none", None, None, None)
    again = await lane.until(Screen, state="help", fee=garbage.id)
    assert again.help_code is not None
    assert order.fee != garbage.id


async def test_a_refused_ticket_has_one_help_code_on_the_screen_in_the_alert_and_when_it_is_read_again(
    lane: Lane,
) -> None:
    await lane.boom_is_down()
    codes = []
    for text in ("not a ticket", "not a ticket", "another"):
        fee = Fee(**lane.head(), ticket=text, reason="refused", why="ticket-unknown")
        await lane.reads(fee)
        codes.append((await lane.until(Screen, state="help", fee=fee.id)).help_code)
        await lane.until(Alert, code="ticket-refused", help_code=codes[-1])
    assert codes[0] == codes[1] != codes[2]


def test_the_mark_of_our_lifts_follows_from_the_key_and_tells_nothing_of_it() -> None:
    one, other = WorkerSigner("worker", private_key("worker")), WorkerSigner("worker", private_key("console"))
    assert one.mark == WorkerSigner("worker-2", private_key("worker")).mark != other.mark
    assert re.fullmatch("[0-9a-f]{64}", one.mark)
