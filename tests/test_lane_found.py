"""What the simulation found (tests/sim), as short as it can be told: one sentence and one story each."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.actions import Alert
from terminal.core.lane import LOOPS_MS, MAX_SIGNED
from terminal.core.visit import RefundStage
from tests.story import Story, an_id


def unheard(story: Story) -> None:
    story.tell(e.OrderUnheard(story.at, story.order().no, "placeOrder", "time-out"))


def test_a_ticket_read_again_in_help_shows_the_qr_as_soon_as_the_old_answer_comes() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.wait(12)
    assert story.shows() == "help no-answer"
    story.reads()
    assert story.shows() == "wait"
    story.payby("CREATED")
    assert story.shows() == "pay"


def test_a_ticket_read_again_in_help_waits_for_its_order_as_long_as_the_first_time() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.wait(12)
    story.reads()
    story.wait(11.9)
    assert (story.shows(), story.owes()) == ("wait", ["PlaceOrder"])
    story.wait(0.1)
    assert story.shows() == "help no-answer"


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


def test_an_arm_that_came_down_is_not_raised_again_while_the_loop_does_not_see_the_car() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.boom("down")
    story.leaves_loop()
    story.wait(1.9)
    assert (story.stay().lifts, story.owes()) == (1, [])
    story.arrives(car=story.cars["exit-1"])
    assert (story.stay().lifts, story.owes()) == (2, ["SendLift"])


@pytest.mark.parametrize("end", ["settled", "success"])
def test_a_car_that_waits_for_the_end_of_a_refund_gets_its_order_then(end: RefundStage) -> None:
    story = Story()
    order = story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.wait(15 * 60)
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("wait", ["PlaceRefund"])
    refund = story.refund()
    story.tell(e.RefundReported(story.at, refund.no, order.no, end))
    assert story.owes() == ["PlaceOrder"]


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
    told = [(a.code, a.order_no) for a in story.said if isinstance(a, Alert)]
    assert told == [("lift-unknown", first.no), ("refund-failed", second.no)]


@pytest.mark.fault("ticket-again")
def test_a_ticket_read_elsewhere_while_its_car_drives_out_is_used() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.under()
    story.under(waiting=False)
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    assert (story.shows("exit-2"), story.owes()) == ("help ticket-copied", [])
    story.leaves_loop()
    assert story.stay().left == story.at
    assert len(story.lane("exit-2").fee_ids) == 1


def test_an_old_copy_that_has_expired_does_not_free_the_payment_of_a_lift_that_was_signed_anew() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    for _ in range(10):
        story.answers("refused", "expired")
    assert (story.payment().holder, story.stay().grants[0].signed) == ("lift", MAX_SIGNED)
    story.arrives()
    story.answers("refused", "too-far")
    assert story.payment().holder == "lift"
    story.wait(90)
    assert story.payment().holder == "credit"


def test_another_ticket_of_a_car_that_the_boom_has_risen_for_changes_nothing() -> None:
    """Its visit counted as no passage, and the ticket that had paid let a second car out."""
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.reads("b")
    assert (story.shows(), story.lane().fee_ids[-1]) == ("paid", story.screen().fee)
    story.drives_through()
    assert (story.stay().left, story.owes()) == (story.at, [])
    story.arrives()
    story.reads()
    assert story.shows() == "help ticket-used"


def test_another_ticket_after_the_arm_came_down_on_a_car_that_still_waits_is_served() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    for _ in range(2):
        story.raises()
        story.boom("down")
        story.wait(1)
    assert story.shows() == "help barrier"
    story.reads("b", amount=0)
    assert story.shows() == "free"


@pytest.mark.fault("notified-late")
def test_a_late_payment_of_an_earlier_order_does_not_hide_that_the_next_one_is_open() -> None:
    """PayBy called the first one failed, and took its money after all; the second was still open for the next car."""
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    story.payby("CREATED")
    story.payby("PAID", order=first)
    assert (story.order().stage, story.lane().open_sessions) == ("closing", (story.stay().session,))
    story.arrives()
    story.reads("b")
    assert story.owes("b") == []
    story.payby("FAILURE", "a")
    assert story.owes("b") == ["PlaceOrder"]


@pytest.mark.fault("outcome-unknown")
def test_cancellations_that_fail_are_told_though_queries_in_between_are_answered() -> None:
    story = Story()
    story.shows_qr()
    story.wait(110)
    assert story.owes() == ["CloseOrder"]
    for failures in range(1, 6):
        story.payby("CREATED")
        story.tell(e.OrderUnheard(story.at, story.order().no, "cancelOrder", "500"))
        assert story.alerts().count("payby-silent") == (failures > 3)
    story.said.clear()
    story.payby("FAILURE")
    assert "Clear" in [type(a).__name__ for a in story.said]


def test_an_order_that_payby_has_and_does_not_give_a_code_for_is_told() -> None:
    story = Story()
    story.arrives()
    story.reads()
    for _ in range(4):
        unheard(story)
        story.payby("CREATED", token_url="")
    assert story.alerts().count("payby-silent") == 1
    story.payby("CREATED")
    assert story.shows() == "pay"
    assert [type(a).__name__ for a in story.said][-2:] == ["Clear", "Reply"]


def test_a_silence_that_ends_with_the_word_that_the_order_is_closed_is_over() -> None:
    story = Story()
    story.shows_qr()
    story.wait(110)
    for _ in range(4):
        unheard(story)
    story.said.clear()
    story.tell(e.OrderDenied(story.at, story.order().no, "cancelOrder", "62002", "", "dead"))
    assert story.stay().orders[0].stage == "closed"
    assert [type(a).__name__ for a in story.said] == ["Clear"]


@pytest.mark.fault("clock-wrong")
def test_an_order_that_would_expire_in_the_past_is_closed_and_placed_anew_with_what_the_answer_taught() -> None:
    """A clock 20 minutes slow makes words that PayBy refuses; its first answer tells by how much."""
    story = Story()
    story.arrives()
    story.reads()
    late = e.OrderDenied(story.at, story.order().no, "placeOrder", "62008", "EXPIREDTIME", "mistake")
    story.tell(late)
    assert (story.shows(), story.owes(), story.alerts()) == ("wait", ["CloseOrder"], ["payby-clock"])
    story.tell(e.OrderDenied(story.at, story.order().no, "getOrder", "62004", "", "unknown"))
    assert (story.owes(), story.order().attempt) == (["PlaceOrder"], 2)
    for _ in range(2):
        story.tell(replace(late, order_no=story.order().no))
        story.tell(e.OrderDenied(story.at, story.order().no, "getOrder", "62004", "", "unknown"))
    assert (story.shows(), story.owes()) == ("help unpaid", [])


def test_a_raise_that_shows_after_the_driver_was_sent_for_help_and_read_his_ticket_again_gets_no_second_lift() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.answers("refused", "journal")
    story.reads()
    assert story.shows() == "wait"
    story.boom("rising", lift=story.stay().grants[0].id)
    assert (story.shows(), story.payment().holder, story.owes()) == ("paid", "raised", [])
    story.boom("up")
    story.drives_through()
    assert story.stay().left == story.at


def test_a_free_stays_first_lift_that_was_refused_late_is_not_signed_anew_beside_the_second() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    first = story.answers("refused", "journal")
    story.reads(amount=0)
    story.wait(30)
    assert [grant.id == first.id for grant in story.stay().grants] == [True, False]
    story.answers("refused", "expired", grant=first)
    assert story.stay().grant(first.id) == first
    second = story.answers("refused", "expired")
    assert story.stay().grants == (first, replace(second, signed=second.signed + 1))


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


def begins_again(story: Story) -> None:
    """The worker was away for 20 s; the barrier is heard, the loops are not yet."""
    story.at += 20_000
    story.tell(e.Started(story.at, "1"))
    story.boom("down")


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


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize(("age", "is_its"), [(0, True), (LOOPS_MS - 1_001, True), (LOOPS_MS - 1_000, False)])
def test_a_car_that_comes_late_after_its_ticket_was_read_is_another_however_late_the_worker_heard_of_it(
    age: int, is_its: bool
) -> None:
    story = Story()
    story.leaves_loop()
    story.reads(car=None, age=age)
    story.wait(1)
    story.arrives()
    assert (story.stay().lane == "exit-1") is is_its
    story.reads(car=None, age=age)
    assert story.visit().read == story.at - age


@pytest.mark.fault("ticket-again")
@pytest.mark.parametrize("amount", [0, 2000])
def test_a_copy_of_a_ticket_lets_nobody_out_while_the_boom_is_up_for_the_car_that_has_it(amount: int) -> None:
    """Two cars left by one payment: the second read the ticket at another lane while the first still stood there."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=amount)
    if amount:
        story.payby("CREATED")
        story.payby("PAID")
    story.raises()
    story.arrives("exit-2")
    story.reads(lane="exit-2", amount=amount)
    assert (story.shows("exit-2"), story.stay().lane, story.stay().lifts) == ("help ticket-copied", "exit-1", 1)
    story.drives_through()
    story.wait(30)
    story.reads(lane="exit-2", amount=amount)
    assert (story.shows("exit-2"), story.stay().lifts) == ("help ticket-used", 1)


@pytest.mark.fault("ticket-again")
def test_a_car_whose_arm_came_down_before_it_may_leave_at_another_lane() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.boom("down")
    story.leaves_loop()
    story.wait(3)
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    story.wait(3)
    assert (story.stay().lane, [grant.lane for grant in story.stay().grants]) == ("exit-2", ["exit-2"])


@pytest.mark.fault("ticket-again")
def test_a_ticket_read_again_where_the_boom_is_up_for_it_is_not_called_used() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.reads()
    assert (story.shows(), story.stay().lifts) == ("paid", 1)


@pytest.mark.parametrize("why", ["car", "unanswered"])
def test_money_for_which_the_boom_had_risen_is_not_given_back_because_a_further_lift_fails(why: str) -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    first = story.raises()
    story.boom("down")
    story.wait(1)
    assert (story.payment().holder, story.stay().lifts) == ("lift", 2)
    if why == "car":
        story.answers("refused", "car")
    story.leaves_loop()
    story.wait(16 * 60)
    assert (story.payment().holder, story.payment().grant, story.stay().refunds) == ("raised", first.id, ())


def test_money_for_which_an_arm_was_told_to_rise_and_never_did_is_a_persons() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    for _ in range(3):
        story.answers("raised")
        story.boom("down")
        story.wait(6)
    assert (story.shows(), story.payment().holder) == ("help barrier", "person")
    story.leaves_loop()
    story.wait(16 * 60)
    assert story.stay().refunds == ()


def test_a_raise_that_shows_late_is_the_one_that_raised() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    grant = story.answers("refused", "car")
    story.answers("raised", grant=grant)
    assert (story.payment().holder, story.payment().raised) == ("raised", grant.id)


def test_money_of_which_nobody_knows_whether_it_raised_stays_with_a_person_when_a_further_lift_fails() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.answers("unknown")
    story.wait(1)
    assert (story.payment().holder, story.stay().lifts) == ("lift", 2)
    story.answers("refused", "car")
    assert story.payment().holder == "person"
    story.wait(1)
    assert (story.payment().holder, story.stay().lifts) == ("lift", 3), "its car still waits"
    story.leaves_loop()
    story.wait(16 * 60)
    assert (story.payment().holder, story.stay().refunds) == ("person", ())


def test_money_of_which_a_further_lift_is_known_to_have_raised_has_raised() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.answers("unknown")
    story.wait(1)
    raised = story.raises()
    story.drives_through()
    assert (story.payment().holder, story.payment().raised) == ("raised", raised.id)


def test_a_free_lift_that_another_followed_is_not_signed_anew_when_that_one_is_over() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    first = story.stay().grants[0]
    story.arrives()
    story.reads(amount=0)
    story.wait(30)
    assert (story.stay().grants[0].id, len(story.stay().grants)) == (first.id, 2)
    story.answers("refused", "car")
    story.answers("refused", "expired", grant=first)
    assert (story.stay().grants[0].signed, story.owes()) == (1, [])


@pytest.mark.fault("barrier-away")
def test_a_raise_that_shows_when_a_later_lift_was_refused_is_the_one_that_its_payment_raised_by() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    first = story.stay().grants[0]
    story.leaves_loop()
    story.wait(93)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert story.answers("refused", "car").id != first.id
    until = story.payment().until
    story.answers("raised", grant=first)
    assert (story.payment().holder, story.payment().grant, story.payment().raised) == ("raised", first.id, first.id)
    assert story.payment().until == until > story.at
