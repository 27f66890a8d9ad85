"""Rules 9 and 10: a start, a damaged journal, and a stay on which our own code failed."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from terminal.core.ids import order_no
from terminal.core.model import Rules, VisitOrder
from terminal.core.rules import Change, step
from terminal.core.rules.limits import LOOPS_MS
from tests.support.story import T0, Story, an_id

LANE = "exit-1"


def damaged(story: Story, *orders: VisitOrder, listed: bool = False) -> None:
    story.tell(e.Damaged(story.at, "row 7", orders, listed))


def lost_order(story: Story, session: str = "lost", attempt: int = 1, **more: object) -> VisitOrder:
    """An order that the facts before the damage do not have."""
    stay = an_id("stay", session)
    no = order_no("marina", LANE, stay, attempt)
    order = VisitOrder(no, LANE, stay, attempt, 2000, T0, T0, T0 + 600_000, stage="closing")
    return replace(order, **more)  # type: ignore[arg-type]


def failed(story: Story, session: str = "a") -> None:
    story.tell(e.StayFailed(story.at, an_id("stay", session), "its words"))


def begins_again(story: Story) -> None:
    """The worker was away for 20 s; the barrier is heard, the loops are not yet."""
    story.at += 20_000
    story.tell(e.Started(story.at, "1"))
    story.boom("down")


@pytest.mark.fault("journal-damaged")
def test_an_open_order_is_closed_and_a_payment_of_it_is_a_persons() -> None:
    story = Story()
    story.shows_qr()
    damaged(story)
    assert (story.lane().visit, story.owes(), story.garage.in_doubt) == (None, ["CloseOrder"], True)
    story.said.clear()
    assert story.reply(story.payby("PAID")) == "late"
    assert (story.payment().holder, story.alerts(), story.garage.in_doubt) == ("person", ["payment-doubtful"], False)
    story.wait(3600)
    assert (story.owes(), story.stay().refunds) == ([], ())


def test_an_order_that_was_closed_unpaid_leaves_no_doubt_and_the_ticket_is_served_anew() -> None:
    story = Story()
    story.shows_qr()
    damaged(story)
    story.payby("FAILURE")
    assert not story.garage.in_doubt
    story.reads()
    assert (story.owes(), story.order().attempt, story.order().doubtful) == (["PlaceOrder"], 2, False)


def test_a_lift_that_was_out_is_given_up_and_its_payment_is_a_persons() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    damaged(story)
    assert (story.payment().holder, story.stay().grants, story.owes()) == ("person", (), [])
    story.reads()
    story.wait(20)
    assert story.shows() == "help no-answer", "nobody pays twice, and nothing lifts by itself"
    story.tell(e.LiftAnswered(story.at, LANE, story.stay().session, story.payment().grant or "", "raised"))
    assert (story.payment().holder, story.owes()) == ("raised", []), "the barrier's word settles it"


@pytest.mark.fault("journal-damaged")
def test_credit_is_neither_used_nor_refunded_by_itself() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    assert story.payment().holder == "credit"
    damaged(story)
    story.wait(3600)
    assert (story.payment().holder, story.owes()) == ("person", [])


def test_what_had_raised_raises_no_more() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    damaged(story)
    story.boom("lowering")
    story.boom("down")
    story.reads()
    story.wait(20)
    assert (story.payment().holder, story.stay().grants, story.shows()) == ("raised", (), "help no-answer")


def test_a_refund_that_was_asked_for_goes_on_under_its_number() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.wait(16 * 60)
    refund = story.refund()
    damaged(story)
    assert (story.owes(), story.refund()) == (["PlaceRefund"], refund)


def test_a_refund_that_waited_for_its_lift_waits_no_longer() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    command = e.CommandGiven(story.at, LANE, an_id("c"), "refund", "omar", story.at + 1, order_no=story.order().no)
    story.tell(command)
    assert story.payment().holder == "lift"
    damaged(story)
    assert (story.payment().holder, story.owes()) == ("refund", ["PlaceRefund"])


def test_an_order_found_in_what_was_salvaged_is_closed_and_its_lane_waits_for_it() -> None:
    story = Story()
    order = lost_order(story, attempt=2)
    damaged(story, order)
    assert story.owes("lost") == ["CloseOrder"]
    story.arrives()
    story.reads("b")
    assert (story.shows(), story.owes("b")) == ("wait", [])
    story.payby("PAID", "lost")
    assert (story.payment("lost").holder, story.owes("b")) == ("person", ["PlaceOrder"])
    story.payby("CREATED", "b")
    story.reads("lost")
    assert story.stay("lost").orders == (replace(order, stage="paid", payby_no="1317", doubtful=True),)


def test_an_order_that_is_known_is_not_taken_from_the_list() -> None:
    story = Story()
    story.shows_qr()
    order = story.order()
    damaged(story, replace(order, amount=1), listed=True)
    assert (story.order(), story.shows()) == (order, "pay")


def test_payby_s_list_puts_nothing_else_in_doubt_and_what_it_calls_closed_is() -> None:
    story = Story(lanes=(LANE, "exit-2"))
    story.shows_qr(lane="exit-2")
    damaged(story, lost_order(story, stage="closed"), listed=True)
    assert (story.shows("exit-2"), story.owes("lost"), story.garage.in_doubt) == ("pay", [], False)
    story.arrives()
    story.reads("lost")
    assert story.order("lost").attempt == 2, "a number is used once"


@pytest.mark.parametrize("code", ["62016", "400"])
def test_an_order_whose_number_payby_has_already_is_not_lifted_when_it_is_paid(code: str) -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.tell(e.OrderDenied(story.at, story.order().no, "placeOrder", code, "", "mistake"))
    assert story.owes() == ["CloseOrder"]
    story.payby("PAID")
    assert story.payment().holder == ("person" if code == "62016" else "lift")


def test_a_worker_that_starts_tells_of_payments_in_doubt() -> None:
    story = Story()
    story.shows_qr()
    damaged(story)
    story.payby("PAID")
    told = [a for a in story.tell(e.Started(story.at + 1, "1")) if isinstance(a, RaiseAlert)]
    assert [(a.code, a.severity, a.order_no) for a in told] == [("payment-doubtful", "critical", story.order().no)]


def test_a_start_forgets_only_what_live_messages_say() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.Started(story.at, "1"))
    assert (story.lane().vehicle, story.lane().boom, story.owes()) == (None, None, ["QueryOrder"])
    assert story.shows() == "pay"


def test_its_order_is_closed_and_its_driver_helped() -> None:
    story = Story()
    story.shows_qr()
    failed(story)
    assert (story.shows(), story.owes(), story.alerts()) == ("help refused", ["CloseOrder"], ["stay-failed", "help"])


def test_its_payment_neither_lifts_nor_goes_back_by_itself() -> None:
    story = Story()
    story.pays()
    failed(story)
    assert (story.owes(), story.payment().holder) == ([], "person")
    story.wait(3600)
    assert (story.owes(), story.stay().refunds) == ([], ())


def test_a_payment_that_comes_later_is_a_persons_too() -> None:
    story = Story()
    story.shows_qr()
    failed(story)
    assert (story.reply(story.payby("PAID")), story.payment().holder) == ("late", "person")


def test_the_next_car_is_served() -> None:
    story = Story()
    story.shows_qr()
    failed(story)
    story.leaves_loop()
    story.wait(3)
    story.payby("FAILURE")
    story.arrives()
    story.reads("b")
    assert story.owes("b") == ["PlaceOrder"]


def test_a_stay_of_no_visit_is_told_of_and_no_lane_changes() -> None:
    story = Story()
    failed(story, "nobody's")
    assert (story.alerts(), story.lane().visit, story.garage.stays) == (["stay-failed"], None, {})


@pytest.mark.fault("rules-changed")
def test_a_start_with_other_rules_changes_what_comes_and_not_what_was() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    until = story.payment().until
    story.tell(e.Started(story.at, "2", Rules("marina", exit_grace=60_000)))
    assert (story.payment().until, story.garage.rules.exit_grace) == (until, 60_000)
    story.tell(e.Started(story.at, "3"))
    assert story.garage.rules.exit_grace == 60_000
    story.boom("down")
    story.shows_qr("b")
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID", "b")
    assert story.payment("b").until == story.at + 60_000
    assert until == T0 + 3_000 + 15 * 60_000


def test_a_change_says_nothing_that_a_step_did_not_say() -> None:
    nobody = e.AlertTold(T0, an_id("stay", "nobody's"), "passed-open")
    assert step(Story().garage, nobody) == Change({}, {}, []) == Change({}, {}, [], rules=None, doubts=False)
    assert not Change({}, {}, [])
    assert Change({}, {}, [], rules=Rules("marina")), "other rules are news too"


def test_what_waits_for_a_person_is_told_again_at_every_start_for_a_week() -> None:
    """The worker may have died between the journal and the alert."""
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    grant = story.stay().grants[0]
    story.arrives()
    story.answers("unknown", grant=grant)
    story.shows_qr("b")
    story.payby("PAID", "b", amount=1)
    story.said.clear()
    story.tell(e.Started(story.at, "1"))
    assert sorted(story.alerts()) == ["lift-unknown", "payment-mismatch"]
    story.at += 7 * 24 * 3600 * 1000
    story.tell(e.Started(story.at, "1"))
    assert len(story.alerts()) == 2


def test_a_failed_refund_is_told_again_at_every_start() -> None:
    story = Story()
    order = story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.wait(15 * 60)
    story.tell(e.RefundReported(story.at, story.refund().no, order.no, "failed"))
    story.said.clear()
    story.tell(e.Started(story.at, "1"))
    assert story.alerts() == ["refund-failed"]


def test_each_payment_that_waits_for_a_person_is_told_again_with_its_own_reason() -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    second = story.order()
    story.payby("PAID", order=first)
    story.payby("PAID", order=second)
    story.tell(e.RefundReported(story.at, story.refund().no, second.no, "failed"))
    grant = story.stay().grants[0]
    story.arrives()
    story.answers("unknown", grant=grant)
    story.said.clear()
    story.tell(e.Started(story.at, "1"))
    told = [(a.code, a.order_no) for a in story.said if isinstance(a, RaiseAlert)]
    assert told == [("lift-unknown", first.no), ("refund-failed", second.no)]


@pytest.mark.fault("cars-swap")
def test_a_worker_that_comes_back_asks_the_loops_before_it_lifts_once_more() -> None:
    """The barrier had died in its pulse and the worker after it; back again, it let the next car out for the one
    before, as no loop had spoken yet and its lift bore no car."""
    story = Story()
    story.arrives(car="first")
    story.reads(amount=0)
    story.answers("unknown")
    story.at += 2_000  # it is dead meanwhile, and the car drives out
    story.tell(e.Started(story.at, "1"))
    story.tell(e.TimePassed(story.at, lane="exit-1"))
    assert story.owes() == []
    story.wait(0.9)
    story.arrives(car="second")
    story.wait(60)
    assert (story.owes(), story.lane().visit, story.stay().lifts) == ([], None, 1)


def test_a_worker_that_comes_back_lifts_once_more_for_a_car_that_still_waits() -> None:
    story = Story()
    car = story.arrives()
    story.reads(amount=0)
    story.answers("unknown")
    story.at += 2_000
    story.tell(e.Started(story.at, "1"))
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, car))
    story.wait(1)
    assert [(grant.car, grant.reason) for grant in story.stay().grants] == [(car, "free")]


@pytest.mark.fault("cars-swap", "cut-paid")
def test_a_payment_found_right_after_a_start_lifts_for_nobody_before_the_loops_have_spoken() -> None:
    """Another car had driven up while the worker was away; a lift without a car would have let it out."""
    story = Story()
    story.shows_qr()
    begins_again(story)
    story.payby("PAID")
    assert (story.stay().grants, story.stay().payments[0].holder, story.shows()) == ((), "credit", "wait")
    story.wait(1)
    story.arrives(car="second")
    story.wait(60)
    assert (story.stay().lifts, story.stay().payments[0].holder, story.lane().visit) == (0, "credit", None)


@pytest.mark.fault("cut-paid")
def test_a_payment_found_right_after_a_start_lifts_as_soon_as_the_loops_see_its_car() -> None:
    story = Story()
    story.shows_qr()
    begins_again(story)
    story.payby("PAID")
    story.wait(1)
    car = story.cars["exit-1"]
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, car))
    assert [(grant.car, grant.reason) for grant in story.stay().grants] == [(car, "paid")]


@pytest.mark.fault("cut-paid", "cut-free")
@pytest.mark.parametrize("amount", [0, 2000])
def test_loops_that_do_not_speak_after_a_start_hold_a_lift_for_no_longer_than_they_may(amount: int) -> None:
    story = Story()
    story.arrives()
    story.reads(amount=amount)
    if amount:
        story.payby("CREATED")
        begins_again(story)
        story.payby("PAID")
    else:
        story.answers("refused", "car")
        begins_again(story)
    story.wait(LOOPS_MS / 1000 - 0.1)
    assert story.stay().grants == ()
    story.wait(0.1)
    assert [grant.car for grant in story.stay().grants] == [None]


@pytest.mark.fault("cut-paid", "cut-free")
@pytest.mark.parametrize("amount", [0, 2000])
def test_whom_no_loop_felt_is_lifted_for_after_a_start_only_once_the_loops_have_spoken(amount: int) -> None:
    """A motorcycle had left while the worker was away, and a lift without a car would have let out the next car."""
    story = Story()
    story.leaves_loop()
    story.reads(amount=amount, car=None)
    if amount:
        story.payby("CREATED")
        begins_again(story)
        story.payby("PAID")
    else:
        story.answers("refused", "car")
        begins_again(story)
    story.wait(1)
    assert story.stay().grants == ()
    story.arrives()
    assert (story.shows(), story.stay().grants, story.stay().lane) == ("idle", (), None)
