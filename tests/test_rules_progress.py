"""A visit, from ticket to passage: the straight line, and what it waits for."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from terminal.core import events as e
from terminal.core.display import order_status, screen
from terminal.core.ids import lift_id
from terminal.core.model import MAX_ATTEMPTS
from terminal.core.rules import step
from terminal.core.rules.limits import SKEW_LIMIT_MS
from tests.support.story import PROOF, T0, Story, an_id


def test_a_paid_visit_goes_from_ticket_to_passage_with_one_lift() -> None:
    story = Story()
    car = story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("wait", ["PlaceOrder"])
    story.payby("CREATED")
    assert (story.shows(), story.owes()) == ("pay", ["QueryOrder"])
    assert story.screen().token_url and story.screen().expires == T0 + 110_000
    assert (story.order().placed, story.order().payby_expires) == (T0, T0 + 710_000)
    assert story.visit().order_no == story.order().no
    assert story.reply(story.payby("PAID", notified=True)) == "lifting"
    assert (story.shows(), story.owes(), story.payment().holder) == ("paid", ["SendLift"], "lift")
    grant = story.raises()
    assert (grant.reason, grant.car, grant.order_no, grant.amount) == ("paid", car, story.order().no, 2000)
    assert grant.not_after == T0 + 30_000
    named = lift_id(T0, "", "marina", "exit-1", an_id("stay", "a"), "paid", "1")
    assert grant.id == named, "a replay names it the same"
    assert (story.owes(), story.payment().holder) == ([], "raised")
    story.drives_through()
    assert (story.shows(), story.stay().left, story.stay().lifts) == ("idle", T0, 1)


def test_a_free_stay_lifts_without_an_order() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    assert (story.shows(), story.owes(), story.stay().orders) == ("free", ["SendLift"], ())
    grant = story.raises()
    assert (grant.reason, grant.order_no, grant.amount) == ("free", None, None)
    story.drives_through()
    assert (story.shows(), story.owes()) == ("idle", [])


def test_an_order_that_ran_out_is_closed_and_followed_by_another() -> None:
    story = Story()
    first = story.shows_qr()
    story.wait(110)
    assert (story.shows(), story.owes(), story.order().stage) == ("wait", ["CloseOrder"], "closing")
    story.payby("FAILURE")
    assert (story.shows(), story.owes()) == ("wait", ["PlaceOrder"])
    assert story.order().no == f"{first.no}-2"


@pytest.mark.fault("notified-late")
def test_after_three_unpaid_orders_a_person_helps_and_a_late_payment_still_lifts() -> None:
    story = Story()
    story.shows_qr()
    for attempt in range(MAX_ATTEMPTS):
        assert story.order().attempt == attempt + 1
        story.payby("CREATED")
        story.wait(110)
        story.payby("FAILURE")
    assert (story.shows(), story.owes(), len(story.stay().orders)) == ("help unpaid", [], MAX_ATTEMPTS)
    story.payby("PAID", order=story.stay().orders[1])
    assert (story.shows(), story.owes()) == ("paid", ["SendLift"])


def test_a_ticket_read_again_in_help_gets_fresh_orders() -> None:
    story = Story()
    story.shows_qr()
    for _ in range(MAX_ATTEMPTS):
        story.payby("CREATED")
        story.wait(110)
        story.payby("FAILURE")
    story.reads()
    assert (story.shows(), story.order().attempt) == ("wait", 4)


def test_nine_orders_are_the_most_that_a_stay_gets_at_a_lane() -> None:
    story = Story()
    story.shows_qr()
    while story.order().attempt < 9:
        story.payby("CREATED")
        story.wait(110)
        story.payby("FAILURE")
        if story.shows() == "help unpaid":
            story.reads()
    story.payby("CREATED")
    story.wait(110)
    story.payby("FAILURE")
    story.reads()
    story.wait(60)
    assert (story.shows(), len(story.stay().orders)) == ("help no-answer", 9)


@pytest.mark.fault("backs-out")
def test_credit_lifts_for_its_ticket_at_the_same_lane() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("paid", ["SendLift"])
    assert story.stay().grants[0].reason == "paid", "its number was not spent yet, and it is of this lane"
    assert len(story.stay().orders) == 1


def test_credit_lifts_for_its_ticket_at_another_lane_without_waiting() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    grant = story.stay().grants[0]
    assert (grant.reason, grant.lane, story.shows("exit-2")) == ("credit", "exit-2", "paid")


@pytest.mark.fault("close-stuck")
def test_a_free_car_does_not_wait_for_the_old_order() -> None:
    story = Story()
    story.shows_qr("a")
    story.reads("b", amount=0)
    assert (story.shows(), story.owes("a"), story.owes("b")) == ("free", ["CloseOrder"], ["SendLift"])


@pytest.mark.fault("close-stuck")
def test_a_payable_car_behind_an_order_that_cannot_be_closed_gets_help_then_its_order() -> None:
    story = Story()
    first = story.shows_qr("a")
    story.leaves_loop()
    story.wait(2)
    story.arrives()
    story.reads("b")
    story.wait(14.9)
    assert story.shows() == "wait"
    story.wait(0.1)
    assert story.shows() == "help no-answer"
    story.payby("FAILURE", order=first)
    assert (story.shows(), story.owes("b")) == ("wait", ["PlaceOrder"])


def test_without_loops_a_car_counts_as_waiting_until_60_s_after_its_last_order_was_closed() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    for _ in range(MAX_ATTEMPTS):
        story.payby("CREATED")
        story.wait(110)
        story.payby("FAILURE")
    story.wait(59.9)
    assert story.shows() == "help unpaid"
    story.wait(0.1)
    assert story.shows() == "idle"
    assert story.reply(story.payby("PAID")) == "late"


def test_without_loops_a_payment_within_those_60_s_lifts_for_15_s() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    for _ in range(MAX_ATTEMPTS):
        story.payby("CREATED")
        story.wait(110)
        story.payby("FAILURE")
    story.wait(59)
    story.tell(e.Started(story.at, "after a crash"))
    story.boom("down")
    assert story.reply(story.payby("PAID")) == "lifting"
    grant = story.raises()
    assert (grant.car, grant.not_after - story.at) == (None, 15_000)
    story.boom("lowering")
    story.boom("down")
    assert story.stay().left is not None


def test_what_is_no_event_is_loud() -> None:
    with pytest.raises(AssertionError, match="Expected code to be unreachable, but got: namespace"):
        step(Story().garage, SimpleNamespace(at=T0))  # type: ignore[arg-type]


def test_a_fact_that_changes_and_says_nothing_is_no_change() -> None:
    story = Story()
    story.arrives()
    assert not step(story.garage, e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
    assert step(story.garage, e.VehicleSeen(story.at, "exit-1", False, False))
    story.reads()
    silence = step(story.garage, e.OrderUnheard(story.at, story.order().no, "placeOrder", "time-out"))
    assert (bool(silence), silence.lanes, silence.actions) == (True, {}, [])
    said = step(story.garage, e.OrderReported(story.at, "another's", "CREATED", 1, PROOF))
    assert (bool(said), said.lanes, said.stays) == (True, {}, {})
    story.tell(e.Damaged(story.at, "row 7"))
    assert not step(story.garage, e.Damaged(story.at, "row 7"))


def test_an_idle_lane_shows_what_keeps_it_from_serving() -> None:
    """Its operator's word first, then what the worker lacks, then the barrier."""
    story = Story()
    lane = story.lane()
    fast = replace(lane, skew=SKEW_LIMIT_MS)
    assert screen(lane, None, story.at, hindrance=("out-of-order", "payby")).reason == "payby"
    assert [screen(x, None, story.at).reason for x in (fast, replace(lane, boom=None))] == ["clock", "barrier"]
    closed = screen(replace(fast, closed=True), None, story.at, hindrance=("out-of-order", "payby"))
    assert (closed.state, closed.reason) == ("closed", "operator")


def test_the_lane_tells_how_its_order_stands() -> None:
    story = Story()
    assert order_status(None) == "none"
    order = story.shows_qr()
    assert order_status(order) == "created"
    assert order_status(replace(order, stage="quarantined")) == "failed"


def test_a_straight_visit_calls_nobody() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.drives_through()
    assert (story.alerts(), story.cleared()) == ([], [])


def test_a_free_stay_that_waits_for_its_lift_at_another_lane_gets_no_order() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads(lane="exit-2", amount=0)
    story.wait(29.9)
    assert (story.stay().orders, story.owes(), story.shows("exit-2")) == ((), [], "help no-answer")
    story.wait(0.1)
    assert (story.shows("exit-2"), [g.lane for g in story.stay().grants]) == ("free", ["exit-1", "exit-2"])


def test_a_stay_that_was_free_is_not_charged_at_another_lane_while_its_free_lift_may_raise() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    story.wait(20)
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads(lane="exit-2", amount=1000)
    story.wait(9.9)
    assert (story.shows("exit-2"), story.stay().orders) == ("wait", ())
    story.wait(0.1)
    assert (story.shows("exit-2"), story.owes()) == ("wait", ["PlaceOrder"])


def test_a_stay_that_paid_and_did_not_pass_is_not_charged_again_when_its_credit_is_over() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.leaves_loop()
    story.wait(3)
    story.boom("down")
    story.wait(16 * 60)
    story.arrives()
    story.reads(amount=3000)
    story.wait(20)
    assert (story.shows(), len(story.stay().orders)) == ("help ticket-used", 1), "a person decides"


def test_a_stay_of_which_a_part_was_refunded_is_not_charged_again() -> None:
    story = Story()
    order = story.shows_qr()
    story.payby("PAID")
    for _ in range(3):
        story.answers("refused", "car")
        story.wait(1)
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=order.no, amount=814)
    story.tell(command)
    refund = story.refund()
    story.tell(e.RefundReported(story.at, refund.no, order.no, "success"))
    story.wait(2)
    story.reads()
    story.wait(20)
    assert (story.shows(), len(story.stay().orders)) == ("help no-answer", 1)
