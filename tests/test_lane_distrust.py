"""Sequences by which somebody might have left, or been charged, or been paid back, wrongly."""

import pytest

from terminal.core import events as e
from terminal.core.model import ParkingFee, RefundStage
from tests.support.story import Story, an_id


def nameless(story: Story, *, waiting: bool) -> None:
    """What loops say that do not tell vehicles apart."""
    story.tell(e.VehicleSeen(story.at, "exit-1", waiting, False, None))


def raised_for_a_nameless_vehicle() -> Story:
    story = Story()
    nameless(story, waiting=True)
    story.reads(car=None)
    story.payby("CREATED")
    story.payby("PAID")
    story.raises()
    nameless(story, waiting=False)
    return story


def a_lift_that_nobody_answered() -> Story:
    """Paid; the barrier is away, and its car is gone."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.leaves_loop()
    return story


def loses(story: Story, reading: str, *, car: str | None = None) -> None:
    fee = ParkingFee(an_id("fee", reading), an_id("stay", reading), "LOST", 15000, "lost", None, car)
    story.tell(e.TicketRead(story.at, "exit-1", fee))


@pytest.mark.fault("cut-barrier")
def test_a_barrier_that_says_late_that_it_does_not_know_hands_the_credit_to_a_person() -> None:
    """Its machine died in the pulse, and the car was out: the money went back, and the ticket lifted once more."""
    story = a_lift_that_nobody_answered()
    grant = story.stay().grants[0]
    story.wait(92)
    assert story.payment().holder == "credit"
    story.answers("unknown", grant=grant)
    assert (story.payment().holder, story.alerts()[-1]) == ("person", "lift-unknown")
    story.wait(16 * 60)
    assert story.stay().refunds == ()


def test_a_barrier_that_does_not_know_whether_it_raised_for_money_that_went_back_is_told() -> None:
    story = a_lift_that_nobody_answered()
    grant = story.stay().grants[0]
    story.wait(92)
    story.tell(e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=story.order().no))
    for _ in range(2):
        story.said.clear()
        story.answers("unknown", grant=grant)
        assert (story.payment().holder, story.alerts()) == ("refund", ["lift-unknown"])
    refund = story.refund()
    story.tell(e.RefundReported(story.at, refund.no, refund.order_no, "success"))
    story.said.clear()
    story.answers("raised", grant=grant)
    assert (story.payment().holder, story.alerts(), story.stay().left) == ("refunded", ["raised-late"], story.at)


def test_what_a_person_decides_already_is_not_told_again_for_a_lift_that_is_not_known_to_have_raised() -> None:
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.answers("unknown", grant=grant)
    story.said.clear()
    story.answers("unknown", grant=grant)
    story.answers("refused", "expired", grant=grant)
    assert (story.payment().holder, story.alerts()) == ("person", [])


@pytest.mark.fault("barrier-away")
def test_money_whose_car_was_seen_to_leave_does_not_go_back_by_itself() -> None:
    story = Story()
    story.pays()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.under()
    story.leaves_loop()
    story.wait(90 + 16 * 60)
    assert (story.payment().holder, story.stay().refunds) == ("person", ())
    assert "lift-unknown" in story.alerts()


def test_who_paid_and_was_let_out_by_hand_is_not_paid_back_by_itself() -> None:
    story = Story()
    story.pays()
    for _ in range(3):
        story.answers("refused", "car")
        story.wait(1)
    assert story.shows() == "help barrier"
    story.boom("up")
    story.drives_through()
    story.wait(16 * 60)
    assert (story.payment().holder, story.stay().refunds) == ("person", ())


def test_a_raise_that_only_the_arm_tells_of_counts_when_its_visit_is_over_and_the_next_one_has_begun() -> None:
    """The answer and `rising` were lost; the next car's raise hid the lift's name before its deadline was over."""
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.leaves_loop()
    story.wait(3)
    assert story.lane().visit is None
    story.boom("up", lift=grant.id)
    assert (story.payment().holder, story.stay().left) == ("raised", story.at)
    story.boom("down", lift=grant.id)
    story.shows_qr("b")
    story.payby("PAID", "b")
    story.raises("b")
    assert (story.payment("b").holder, story.payment("a").holder) == ("raised", "raised")


def test_a_vehicle_that_comes_when_a_nameless_one_had_gone_is_another() -> None:
    story = raised_for_a_nameless_vehicle()
    story.wait(2)
    nameless(story, waiting=True)
    story.boom("lowering")
    story.boom("down")
    story.wait(2)
    assert (story.lane().visit, story.owes()) == (None, [])


def test_a_nameless_vehicle_that_a_loop_loses_for_a_moment_is_the_same() -> None:
    story = raised_for_a_nameless_vehicle()
    story.wait(1.9)
    nameless(story, waiting=True)
    story.boom("lowering")
    story.boom("down")
    story.wait(2)
    assert story.owes() == ["SendLift"]


def test_loops_that_fall_silent_as_a_nameless_vehicle_drives_out_do_not_swallow_the_next_ticket() -> None:
    story = raised_for_a_nameless_vehicle()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.boom("lowering")
    story.boom("down")
    story.wait(60)
    story.reads("b", car=None)
    assert story.visit().fee.session == an_id("stay", "b")


@pytest.mark.fault("loop-faulty")
def test_an_arm_that_came_down_while_the_second_loop_still_sees_something_gets_help() -> None:
    """A loop that is stuck, or a bus on both: nobody was called, and `paid` stood there for ever."""
    story = Story()
    story.pays()
    story.raises()
    story.under()
    story.boom("lowering")
    story.boom("down")
    story.wait(14.9)
    assert story.shows() == "paid"
    story.wait(0.1)
    assert (story.shows(), story.alerts()[-1]) == ("help barrier", "help")


@pytest.mark.fault("outcome-unknown")
def test_an_order_whose_code_was_shown_is_not_over_because_a_query_does_not_find_it() -> None:
    story = Story()
    no = story.shows_qr().no
    story.wait(110)
    story.tell(e.OrderDenied(story.at, no, "getOrder", "62004", "", "unknown"))
    assert (story.order().stage, story.owes(), story.alerts()[-1]) == ("closing", ["CloseOrder"], "payby-forgot")
    story.tell(e.OrderDenied(story.at, no, "cancelOrder", "62004", "", "unknown"))
    assert story.stay().orders[0].stage == "closed"


def test_a_reading_under_a_wrong_clock_does_not_make_an_open_order_free() -> None:
    story = Story()
    story.shows_qr()
    story.reads(amount=0)
    assert (story.shows(), story.visit().fee.reason, story.owes()) == ("pay", "due", ["QueryOrder"])


def test_a_stay_whose_free_lift_was_out_stays_free_when_its_ticket_is_read_again_too_late() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    story.raises()
    story.boom("lowering")
    story.reads(amount=1000)
    story.boom("down")
    story.wait(2)
    assert (story.shows(), story.owes()) == ("free", ["SendLift"])


def test_a_lost_ticket_that_is_read_twice_without_loops_is_charged_once() -> None:
    story = Story(loops=False)
    loses(story, "a")
    story.payby("CREATED")
    story.wait(8)
    loses(story, "b")
    assert (story.shows(), len(story.garage.stays)) == ("pay", 1)
    story.payby("PAID")
    assert story.owes() == ["SendLift"]


def test_a_lost_ticket_after_the_boom_rose_for_one_is_the_next_drivers() -> None:
    story = Story(loops=False)
    loses(story, "a")
    story.payby("CREATED")
    story.payby("PAID")
    story.raises()
    loses(story, "b")
    assert story.visit().fee.session == an_id("stay", "b")


def test_a_lost_ticket_of_another_vehicle_is_another() -> None:
    """The reader hears the loops though the worker does not."""
    story = Story()
    story.arrives()
    loses(story, "a")
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    loses(story, "b", car=an_id("car", "b"))
    assert story.visit().fee.session == an_id("stay", "b")


@pytest.mark.parametrize(("stage", "told"), [("success", "lift-unknown"), ("failed", "refund-failed")])
def test_what_is_left_of_credit_that_was_given_back_in_part_is_for_a_person(stage: RefundStage, told: str) -> None:
    story = Story()
    no = story.shows_qr().no
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=no, amount=500)
    story.tell(command)
    story.said.clear()
    story.tell(e.RefundReported(story.at, story.refund().no, no, stage))
    kept = 1500 if stage == "success" else 2000
    assert (story.payment().holder, story.stay().kept(story.payment())) == ("person", kept)
    assert story.alerts() == [told]


def test_a_second_payment_goes_back_although_a_part_of_the_first_had() -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    second = story.order()
    story.payby("CREATED")
    story.payby("PAID", order=first)
    story.raises()
    story.drives_through()
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=first.no, amount=500)
    story.tell(command)
    story.tell(e.RefundReported(story.at, story.refund().no, first.no, "success"))
    story.payby("PAID", order=second)
    assert [(r.order_no, r.reason) for r in story.stay().refunds][1:] == [(second.no, "paid twice")]


@pytest.mark.parametrize(("stage", "holder"), [("success", "person"), ("settled", "person"), ("failed", "credit")])
def test_credit_of_which_somebody_else_gave_back_lifts_for_nobody(stage: RefundStage, holder: str) -> None:
    """A refund that was made in PayBy's own portal."""
    story = Story()
    no = story.shows_qr().no
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.tell(e.RefundReported(story.at, "R" + "0" * 32, no, stage, notified=True))
    assert (story.payment().holder, story.alerts()[-1]) == (holder, "refund-unknown")


def test_money_of_which_a_part_went_back_raises_for_nobody() -> None:
    """Its car still waits before an arm of which the barrier does not know whether it rose."""
    story = Story()
    story.pays()
    no = story.order().no
    story.answers("unknown")
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=no, amount=500)
    story.tell(command)
    story.tell(e.RefundReported(story.at, story.refund().no, no, "success"))
    assert story.payment().holder == "person"
    story.wait(2)
    assert (story.shows(), story.owes()) == ("help barrier", [])


def test_credit_that_somebody_else_gave_back_raises_for_nobody_who_still_waits() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.tell(e.RefundReported(story.at, "R" + "0" * 32, story.order().no, "success", notified=True))
    story.wait(2)
    assert (story.shows(), story.owes()) == ("help barrier", [])


def test_a_ticket_read_for_a_car_that_the_loops_do_not_see_raises_for_that_car_alone() -> None:
    """A `fee` that somebody sent again: the arm was up, the next car came, and a lift for no car let it out."""
    story = Story()
    read_for = story.arrives()
    story.leaves_loop()
    story.reads(amount=0, car=read_for)
    assert (story.visit().loop, [grant.car for grant in story.stay().grants]) == ("blind", [read_for])
    story.answers("refused", "busy")
    story.arrives()
    assert (story.shows(), story.owes()) == ("idle", [])


def test_while_the_loops_are_silent_a_lift_names_no_car() -> None:
    """The barrier, which hears none of them either, would refuse it."""
    story = Story()
    car = story.arrives()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.reads(amount=0, car=car)
    assert [grant.car for grant in story.stay().grants] == [None]
