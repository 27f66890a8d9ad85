"""The rules of a visit, one sentence each: the straight line, and what drivers do (test_lane_faults.py: faults)."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from terminal.core import events as e
from terminal.core.display import order_status, screen
from terminal.core.ids import derived_id, lift_id, refund_no
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


@pytest.mark.fault("never-notified")
@pytest.mark.parametrize("notified", [True, False])
def test_a_payment_lifts_whether_notified_or_found_by_query(notified: bool) -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID", notified=notified)
    assert story.owes() == ["SendLift"]


@pytest.mark.fault("notified-often")
def test_the_same_payment_reported_again_is_a_duplicate_and_lifts_once() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    assert [story.reply(story.payby("PAID", notified=True)) for _ in range(50)] == ["duplicate"] * 50
    assert story.stay().lifts == 1


@pytest.mark.fault("paid-before-answer")
def test_a_payment_before_the_answer_to_place_order_lifts() -> None:
    story = Story()
    story.arrives()
    story.reads()
    assert story.reply(story.payby("PAID", notified=True)) == "lifting"
    assert story.reply(story.payby("CREATED")) == "noted"
    assert story.owes() == ["SendLift"]


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
def test_when_the_car_leaves_the_screen_is_blank_and_the_order_closed() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    assert story.shows() == "pay", "a loop that clears is believed after 2 s"
    story.wait(2)
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


@pytest.mark.fault("loop-faulty")
def test_a_bouncing_loop_does_not_end_a_visit() -> None:
    story = Story()
    story.shows_qr()
    car = story.cars["exit-1"]
    for _ in range(5):
        story.leaves_loop()
        story.wait(1.5)
        story.arrives(car=car)
        story.wait(1)
    assert story.shows() == "pay"


def test_a_payment_while_the_loop_bounces_still_lifts() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(1)
    story.payby("PAID")
    assert story.owes() == ["SendLift"]


@pytest.mark.fault("cars-swap")
def test_another_car_on_the_loop_ends_the_visit_at_once() -> None:
    story = Story()
    story.shows_qr()
    story.arrives()
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


@pytest.mark.fault("backs-out")
def test_a_car_that_leaves_after_paying_has_credit_then_a_refund() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    assert story.reply(story.payby("PAID", notified=True)) == "late"
    assert (story.owes(), story.payment().holder) == ([], "credit")
    assert "late-payment" in story.alerts()
    story.wait(15 * 60 - 1)
    assert story.payment().holder == "credit"
    story.wait(1)
    assert (story.owes(), story.payment().holder) == (["PlaceRefund"], "refund")
    assert (story.refund().amount, story.refund().by) == (2000, "worker")
    asked = derived_id(story.at, "refund", story.order().no)
    assert story.refund().no == refund_no(asked), "a replay names it the same"


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


@pytest.mark.parametrize("left_ms", [1, 0])
def test_credit_is_over_at_its_end_though_nobody_told_the_time(left_ms: int) -> None:
    """At that moment its refund is asked, and only one may have it."""
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.at = story.payment().until - left_ms
    story.arrives()
    story.reads()
    assert bool(story.stay().grants) == bool(left_ms)


@pytest.mark.parametrize("left_ms", [1, 0])
def test_a_raise_that_let_nobody_out_is_good_for_another_until_the_exit_grace_ends(left_ms: int) -> None:
    story = Story()
    story.pays()
    story.raises()
    story.boom("down")
    assert story.stay().unpassed, "its car still stood on the loop"
    story.leaves_loop()
    story.wait(3)
    story.at = T0 + 15 * 60_000 - left_ms
    story.arrives()
    story.reads()
    assert bool(story.stay().grants) == bool(left_ms)


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


@pytest.mark.fault("second-ticket")
def test_a_ticket_read_at_a_second_lane_ends_its_visit_at_the_first() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    first = story.shows_qr()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    assert (story.shows("exit-1"), story.shows("exit-2"), story.owes()) == ("idle", "wait", ["CloseOrder"])
    story.payby("FAILURE", order=first)
    assert (story.order().lane, story.order().attempt, story.owes()) == ("exit-2", 1, ["PlaceOrder"])


@pytest.mark.fault("paid-while-closing", "second-ticket")
def test_an_order_found_paid_while_its_car_is_at_a_second_lane_lifts_there() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    first = story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    story.payby("PAID", order=first)
    assert [(g.lane, g.reason) for g in story.stay().grants] == [("exit-2", "credit")]


@pytest.mark.fault("second-ticket")
def test_another_ticket_at_the_lane_waits_until_the_old_order_is_closed() -> None:
    story = Story()
    first = story.shows_qr("a")
    story.reads("b")
    assert (story.shows(), story.owes("a"), story.owes("b")) == ("wait", ["CloseOrder"], [])
    story.payby("FAILURE", order=first)
    assert story.owes("b") == ["PlaceOrder"]


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


@pytest.mark.fault("ticket-again")
def test_the_same_ticket_with_another_car_is_another_visit() -> None:
    story = Story()
    first = story.shows_qr()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.reads(car=an_id("car", "that came without the loops' word"))
    assert (story.order(), story.visit().car) == (
        story.stay().orders[0],
        an_id("car", "that came without the loops' word"),
    )
    assert (story.order().no, story.order().stage, story.shows()) == (first.no, "closing", "wait")


def test_the_same_ticket_again_is_the_same_visit() -> None:
    story = Story()
    story.shows_qr()
    story.reads(amount=3000)
    assert (story.shows(), story.screen().amount, len(story.stay().orders)) == ("pay", 2000, 1)


@pytest.mark.fault("cut-before-fee")
def test_the_same_fee_again_changes_nothing() -> None:
    story = Story()
    story.arrives()
    story.reads(id=an_id("fee", 99))
    before = story.garage.lanes["exit-1"]
    assert story.reads(id=an_id("fee", 99)) == []
    assert story.garage.lanes["exit-1"] is before


@pytest.mark.fault("worker-away")
def test_a_fee_read_for_a_car_that_has_gone_is_dropped() -> None:
    story = Story()
    gone = story.arrives()
    story.arrives()
    story.reads(car=gone)
    assert (story.shows(), story.lane().visit, len(story.lane().fee_ids)) == ("idle", None, 1)


@pytest.mark.fault("ticket-again")
def test_a_used_ticket_is_refused_with_help() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    story.raises()
    story.drives_through()
    story.arrives()
    story.reads(amount=0)
    assert (story.shows(), story.owes()) == ("help ticket-used", [])
    assert story.screen().help_code


@pytest.mark.fault("reader-garbage")
def test_a_refused_ticket_shows_over_a_visit_for_a_moment() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("bad"), "ticket-unknown"))
    assert story.shows() == "help ticket-unknown"
    assert story.screen().until == story.at + 6000
    story.wait(6)
    assert story.shows() == "pay"


def test_a_refusal_is_not_shown_to_the_next_car() -> None:
    story = Story()
    story.arrives()
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("bad"), "ticket-foreign"))
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("bad"), "ticket-foreign"))
    assert story.alerts() == ["ticket-refused"]
    story.arrives()
    assert story.shows() == "idle"


def test_a_fee_that_the_worker_does_not_believe_is_alerted() -> None:
    story = Story()
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("bad"), "refused", "a fee says free, the tariff 20.00"))
    assert story.alerts() == ["ticket-refused", "bad-fee"]
    assert story.shows() == "help refused"


@pytest.mark.fault("disk-full")
@pytest.mark.parametrize("hindrance", ["disk-full", "journal"])
def test_no_visit_begins_while_something_hinders(hindrance: str) -> None:
    story = Story()
    story.arrives()
    story.reads(hindrance=hindrance)
    assert (story.lane().visit, story.screen().fee) == (None, story.lane().fee_ids[-1])


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


@pytest.mark.fault("loop-faulty")
def test_a_ticket_read_while_the_loop_sees_nothing_is_served_and_alerted() -> None:
    story = Story()
    story.reads(car=None)
    assert (story.shows(), story.alerts()) == ("wait", ["loop-blind"])
    story.leaves_loop()
    story.wait(5.4)
    assert story.visit().loop == "blind"
    car = story.arrives()
    assert (story.visit().loop, story.visit().car) == ("sees", car)


@pytest.mark.fault("loop-faulty")
def test_a_vehicle_that_the_loop_sees_long_after_a_ticket_is_another() -> None:
    story = Story()
    story.reads(car=None)
    story.payby("CREATED")
    story.wait(5.5)
    assert story.shows() == "pay"
    story.arrives()
    assert (story.shows(), story.owes(), story.stay().lane) == ("idle", ["CloseOrder"], None)
    assert story.payby("PAID")
    assert (story.stay().payments[0].holder, story.stay().grants) == ("credit", ())


@pytest.mark.fault("loop-faulty")
def test_a_ticket_read_again_while_the_loop_sees_nothing_waits_for_its_word_anew() -> None:
    story = Story()
    story.reads(car=None)
    story.wait(5)
    story.reads(car=None)
    story.wait(5)
    car = story.arrives()
    assert (story.visit().loop, story.visit().car) == ("sees", car)


@pytest.mark.fault("loop-faulty")
def test_a_reader_that_heard_of_the_vehicle_before_the_worker_did_names_it() -> None:
    story = Story()
    car = an_id("early")
    story.reads(car=car)
    story.wait(20)
    story.arrives(car=car)
    assert (story.visit().loop, story.visit().car) == ("sees", car)
    story.leaves_loop()
    story.wait(2)
    story.reads("b", car=an_id("early", 2))
    story.arrives(car=an_id("other"))
    assert (story.shows(), story.stay("b").lane) == ("idle", None)


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.fault("loop-faulty")
def test_where_no_loop_saw_the_payer_the_vehicle_seen_after_the_boom_rose_is_another(loops: bool) -> None:
    story = Story(loops=loops)
    story.reads(amount=0, car=None)
    assert story.raises().car is None
    story.wait(4)
    story.arrives()
    assert (story.shows(), story.stay().left) == ("idle", story.at)
    story.boom("lowering")
    story.boom("down")
    story.wait(5)
    assert (story.stay().lifts, story.owes()) == (1, []), "the boom rises for it no more"
    story.reads("b")
    assert story.visit().fee.session == an_id("stay", "b"), "its own ticket is heard"


def test_loops_that_come_back_tell_whether_the_car_still_waits() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    story.leaves_loop()
    story.wait(2)
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


@pytest.mark.fault("loop-faulty")
def test_loops_that_fall_silent_leave_the_visit_as_it_is() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.wait(60)
    assert story.shows() == "pay"
    story.payby("PAID")
    assert story.stay().grants[0].car is None, "nobody can say live which car it is"


def test_the_car_before_under_the_boom_does_not_end_the_next_visit() -> None:
    story = Story()
    story.shows_qr("a")
    story.payby("PAID", "a")
    story.raises("a")
    story.under()
    story.under(waiting=False)
    second = story.arrives()
    assert second
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, second))
    story.reads("b")
    story.payby("CREATED", "b")
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, second))
    assert (story.shows(), story.stay("b").left, story.stay("a").left) == ("pay", None, story.at)


def test_the_car_before_under_the_boom_does_not_use_the_lift_of_the_next() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.under()
    second = story.arrives()
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, second))
    story.reads("b")
    story.payby("PAID", "b")
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, second))
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, second))
    assert (story.shows(), story.owes("b"), story.stay("b").left) == ("paid", ["SendLift"], None)


@pytest.mark.fault("tailgating")
def test_a_second_vehicle_under_one_raise_is_alerted() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.under()
    story.leaves_loop()
    assert "tailgating" not in story.alerts()
    story.under(waiting=False)
    assert "tailgating" in story.alerts()


@pytest.mark.fault("backs-out")
def test_a_car_that_was_off_its_loop_before_its_arm_was_down_gets_no_further_lift() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.leaves_loop()
    story.wait(3)
    assert story.shows() == "paid", "it may still come back before the arm is down"
    story.boom("lowering")
    story.boom("down")
    story.wait(1)
    assert (story.shows(), story.stay().left, story.payment().holder) == ("idle", None, "raised")
    assert "no-passage" in story.alerts()
    story.arrives()
    story.reads()
    assert (story.shows(), story.stay().grants) == ("help ticket-used", ())


def test_a_start_forgets_only_what_live_messages_say() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.Started(story.at, "1"))
    assert (story.lane().vehicle, story.lane().boom, story.owes()) == (None, None, ["QueryOrder"])
    assert story.shows() == "pay"


def test_what_is_no_event_is_loud() -> None:
    with pytest.raises(AssertionError, match="Expected code to be unreachable"):
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
