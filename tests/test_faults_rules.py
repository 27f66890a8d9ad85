"""Faults of tests/faults.py that are a matter of the rules alone, told as stories; see also test_lane*.py."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.contract import messages
from terminal.core import events as e
from terminal.core.actions import SendLift
from terminal.core.lane import MAX_SIGNED
from terminal.core.model import HOLD_MS, PaymentProof
from terminal.core.money import Fils
from terminal.core.tariff import Tariff
from terminal.payby.errors import BadWords
from terminal.payby.messages import read_order
from terminal.payby.signing import sign
from terminal.roles.worker.event_mapper import JudgementSettings, notification_event, order_report
from tests.support.lifts import GARAGE, PAYEE, notification, payby_key
from tests.support.story import T0, Story, an_id

DAY_S = 24 * 60 * 60
BELIEFS = JudgementSettings(
    GARAGE, {}, Tariff(10, 60, Fils(1000), Fils(10000), Fils(15000), "5", 15), [payby_key("payby").public_key()], PAYEE
)


def starts_again(story: Story, *, after_s: float, waits: bool = True, car: str | None = None) -> None:
    """The worker was away for a while; the barrier and the loops are heard again."""
    story.at += round(after_s * 1000)
    story.tell(e.Started(story.at, "test"))
    story.tell(e.VehicleSeen(story.at, "exit-1", waits, False, (car or story.cars["exit-1"]) if waits else None))
    story.boom("down")


def lifts(story: Story, session: str = "a") -> list[SendLift]:
    return [p for p in story.pursuits(session) if isinstance(p, SendLift)]


@pytest.mark.fault("cut-unpaid")
def test_a_code_of_before_a_restart_shows_again_for_the_time_that_is_left() -> None:
    story = Story()
    order = story.shows_qr()
    starts_again(story, after_s=50)
    assert story.owes() == ["QueryOrder"]
    story.payby("CREATED")
    assert (story.shows(), story.screen().expires) == ("pay", order.expires)


@pytest.mark.fault("cut-unpaid", "update")
def test_an_order_that_ran_out_while_the_worker_was_away_is_closed_and_placed_anew() -> None:
    story = Story()
    first = story.shows_qr()
    starts_again(story, after_s=200)
    assert (story.shows(), story.owes()) == ("wait", ["CloseOrder"])
    story.payby("FAILURE")
    assert (story.owes(), story.order().attempt) == (["PlaceOrder"], 2)
    assert story.order().no != first.no


@pytest.mark.fault("cut-paid")
@pytest.mark.parametrize("waits", [True, False])
def test_a_payment_that_was_written_down_before_the_end_lifts_if_its_car_waits_and_else_is_credit(waits: bool) -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    lift = lifts(story)[0].grant.id
    starts_again(story, after_s=10, waits=waits)
    if waits:
        assert [p.grant.id for p in lifts(story)] == [lift], "the same lift"
        story.raises()
        assert (story.payment().holder, lifts(story)) == ("raised", [])
    else:
        story.wait(3)
        assert lifts(story) == []
        story.wait(100)
        assert story.payment().holder == "credit"


@pytest.mark.fault("broker-hour", "barrier-away")
def test_a_payment_that_no_barrier_hears_of_for_an_hour_is_a_persons() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.payby("PAID")
    seen: set[tuple[str, int]] = set()
    for _ in range(60):
        seen |= {(p.grant.id, p.grant.not_after) for p in lifts(story)}
        assert not (lifts(story) and story.stay().refunds), "a lift and a refund at once"
        story.wait(60)
    assert len({lift for lift, _ in seen}) == 1, "one lift, signed anew, then asked about"
    assert len(seen) <= MAX_SIGNED
    assert (story.shows(), story.owes(), story.payment().holder) == ("help barrier", [], "person")


@pytest.mark.fault("broker-hour")
def test_an_order_is_asked_about_while_no_barrier_is_heard() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.wait(60)
    assert story.owes() == ["QueryOrder"]


@pytest.mark.fault("notified-late")
@pytest.mark.parametrize("late_s", [DAY_S, DAY_S + 22 * 60, 5 * DAY_S])
def test_a_payment_told_a_day_late_never_lifts_and_goes_back(late_s: int) -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("FAILURE")
    story.arrives()
    story.wait(late_s)
    assert story.reply(story.payby("PAID", notified=True)) == "late"
    assert (lifts(story), story.payment().holder) == ([], "credit")
    assert "late-payment" in story.alerts()
    story.wait(15 * 60)
    assert (story.owes(), story.payment().holder) == (["PlaceRefund"], "refund")


FACTS = ("leaves", "runs out", "still open", "closed", "paid, asked", "paid, notified")


@pytest.mark.fault("paid-while-closing")
@pytest.mark.parametrize("first_fact", FACTS)
def test_a_payment_around_the_end_of_its_order_lifts_or_is_credit_once_in_every_order(first_fact: str) -> None:
    for facts in itertools.permutations(FACTS):
        if facts[0] == first_fact:
            paid_among(facts)


def paid_among(facts: tuple[str, ...]) -> None:
    story = Story()
    first = story.shows_qr()
    is_paid = False
    for fact in facts:
        match fact:
            case "leaves":
                story.leaves_loop()
                story.wait(3)
            case "runs out":
                story.wait(110)
            case "still open":
                story.payby("CREATED", order=first)
            case "closed":
                story.payby("FAILURE", order=first)
            case _:
                waits = story.lane().visit is not None
                said = story.reply(story.payby("PAID", order=first, notified=fact == "paid, notified"))
                if is_paid:
                    assert said == "duplicate", facts
                elif waits:
                    assert (said, [p.grant.reason for p in lifts(story)]) == ("lifting", ["paid"]), facts
                else:
                    assert (said, lifts(story), story.payment().holder) == ("late", [], "credit"), facts
                is_paid = True
    assert [p.order_no for p in story.stay().payments] == [first.no], facts
    assert story.payment().holder in ("lift", "credit"), facts
    assert (len(lifts(story)) <= 1, story.stay().refunds) == (True, ()), facts


@pytest.mark.fault("barrier-away")
def test_a_payment_out_at_a_lane_whose_barrier_is_away_lifts_at_another_only_when_it_cannot_lift_there() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.payby("PAID")
    first = lifts(story)[0].grant
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.leaves_loop()
    story.wait(3)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    while story.at < first.not_after + HOLD_MS - 1000:
        assert {p.grant.lane for p in lifts(story)} <= {"exit-1"}
        assert (story.payment().holder, story.stay().refunds) == ("lift", ())
        story.wait(1)
    story.wait(2)
    asked, second = lifts(story)
    assert (asked.grant.id, asked.grant.overdue) == (first.id, True)
    assert (second.grant.lane, second.grant.reason, story.payment().holder) == ("exit-2", "credit", "lift")
    story.raises()
    story.tell(e.LiftAnswered(story.at, "exit-1", first.session, first.id, "refused", "expired"))
    story.wait(DAY_S)
    assert (story.payment().holder, story.stay().refunds) == ("raised", ())


@pytest.mark.fault("worker-away")
def test_of_two_tickets_read_while_the_worker_was_away_the_car_that_waits_now_is_served() -> None:
    story = Story()
    gone, waits = an_id("car", "gone"), an_id("car", "waits")
    starts_again(story, after_s=30, car=waits)
    story.reads("a", car=gone)
    story.reads("b", car=waits)
    assert (story.visit().car, story.owes("b")) == (waits, ["PlaceOrder"])
    assert an_id("stay", "a") not in story.garage.stays or story.owes("a") == []


@pytest.mark.fault("close-stuck")
def test_a_credited_car_leaves_behind_an_order_that_cannot_be_closed() -> None:
    story = Story()
    story.shows_qr("a")
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID", "a")
    assert story.payment("a").holder == "credit"
    story.shows_qr("b")
    story.leaves_loop()
    story.wait(3)
    assert story.owes("b") == ["CloseOrder"]
    story.arrives()
    story.reads("a")
    assert [p.grant.reason for p in lifts(story, "a")] == ["paid"], "its number was never spent at the barrier"
    assert story.owes("b") == ["CloseOrder"]


@pytest.mark.fault("cut-free")
def test_a_free_stay_cut_after_any_fact_has_one_lift_and_one_raise() -> None:
    told: list[e.Event] = []

    class Recorded(Story):
        def tell(self, event: e.Event) -> Any:
            told.append(event)
            return super().tell(event)

    def free_visit(story: Story) -> None:
        story.arrives()
        story.reads(amount=0, id=an_id("fee", "the same"))
        story.raises()

    whole = Recorded()
    free_visit(whole)
    fee = next(event for event in told if isinstance(event, e.TicketRead))
    written = told.index(fee)
    (lift,) = {a.lift for a in told if isinstance(a, e.LiftAnswered)}
    for cut in range(written, len(told) + 1):
        story = Story()
        for event in told[:cut]:
            story.tell(event)
        car = whole.cars["exit-1"]
        story.at = told[-1].at + 3_000
        story.tell(e.Started(story.at, "test"))
        story.tell(e.VehicleSeen(story.at, "exit-1", True, False, car))
        story.boom("down")
        story.tell(replace(fee, at=story.at))  # the reader repeats it
        wanted = [p.grant.id for p in lifts(story)]
        if cut <= written:
            assert len(wanted) == 1, "nothing was written, so nothing was sent"
        elif not any(isinstance(event, e.LiftAnswered) for event in told[:cut]):
            assert wanted == [lift]
        else:
            assert wanted == [], f"raised already, after {told[cut - 1]}"


MISFITS: dict[str, dict[str, Any]] = {
    "amount": {"totalAmount": {"amount": 19.99, "currency": "AED"}},
    "no money": {"totalAmount": {"amount": 0, "currency": "AED"}},
    "too much": {"totalAmount": {"amount": 2000, "currency": "AED"}},
    "currency": {"totalAmount": {"amount": 20.0, "currency": "USD"}},
    "merchant": {"payeeMid": "200000000999"},
    "their number": {"orderNo": "999999999999"},
    "revoked": {"revoked": "true"},
    "not paid": {"status": "CREATED"},
    "failed": {"status": "FAILURE"},
    "another status": {"status": "AUTHORIZATION"},
}


@pytest.mark.fault("payment-misfit", "stranger-paid")
@given(st.sets(st.sampled_from([*MISFITS, "lane", "garage", "stay"])), st.booleans())
def test_only_a_payment_that_fits_in_everything_lifts(wrong: set[str], shown: bool) -> None:
    story = Story()
    story.arrives()
    story.reads()
    if shown:
        story.payby("CREATED", payby_no="131587112991000943")
    else:
        wrong -= {"their number"}  # PayBy's number is not known yet
    no = story.order().no
    if "lane" in wrong:
        no = no.replace("exit-1", "exit-2")
    if "garage" in wrong:
        no = no.replace("marina", "harbour")
    if "stay" in wrong:
        no = no[:-32] + an_id("stay", "of nobody").replace("-", "")
    changes = {field: value for name in sorted(wrong & MISFITS.keys()) for field, value in MISFITS[name].items()}
    body = notification(merchantOrderNo=no, **changes)
    signature = sign(payby_key("payby"), body.encode())
    said = messages.Paid(id=an_id(1), at=messages.stamp(T0), order_no=no, notify_id="n", body=body, sign=signature)
    try:
        event = notification_event(said, at=story.at, judgement=BELIEFS)
    except BadWords:
        event = None
    if event is not None:
        story.tell(event)
    assert bool(lifts(story)) == (not wrong)
    assert bool(story.stay().payments) == (not wrong)
    if wrong and not wrong & {"not paid", "failed", "another status"}:
        assert set(story.alerts()) & {"payment-mismatch", "payment-unknown"}, "a person is told"


@pytest.mark.fault("payment-misfit")
def test_an_order_that_payby_gave_back_by_a_revocation_ends_and_is_a_persons() -> None:
    """Its query would go on for ever, and keep the lane: PayBy neither cancels it nor calls it failed."""
    story = Story()
    story.shows_qr()
    order = read_order(notification(merchantOrderNo=story.order().no, status="SETTLED", revoked="true"))
    story.tell(order_report(order, PaymentProof("", ""), at=story.at, payee_mid=PAYEE))
    assert (story.order().stage, story.shows(), story.owes()) == ("quarantined", "help refused", [])
    assert "payment-mismatch" in story.alerts() and not lifts(story)
