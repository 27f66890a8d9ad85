"""Rules 8 and 11: what raised stays known, a stay leaves once, and a copy of its ticket lets nobody out.

A copy may be read at any lane and at any time: before, while and after the car that it was given to pays, is lifted for
and passes.
"""

import pytest

from terminal.core import events as e
from tests.support.story import Story, an_id

TWO = ("exit-1", "exit-2")


def lifts(story: Story, session: str = "a") -> int:
    return story.owes(session).count("SendLift")


def copied(story: Story) -> list[str]:
    return [a.text for a in story.said if getattr(a, "code", "") == "ticket-copied"]


def arrives_paid(story: Story, amount: int) -> None:
    """A car with a free or paid ticket, for which a lift is out."""
    story.arrives()
    story.reads(amount=amount)
    if amount:
        story.payby("CREATED")
        story.payby("PAID")


@pytest.mark.fault("ticket-copied")
def test_a_reading_at_another_lane_does_not_take_the_visit_of_a_car_that_its_loop_sees() -> None:
    story = Story(lanes=TWO)
    story.shows_qr()
    story.wait(5)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert (story.shows("exit-1"), story.shows("exit-2")) == ("pay", "help ticket-copied")
    assert copied(story) == ["a ticket was read at exit-2 while its car is at exit-1"]
    story.payby("PAID")
    assert {grant.lane for grant in story.stay().grants} == {"exit-1"}


@pytest.mark.fault("ticket-copied")
@pytest.mark.parametrize("amount", [2000, 0])
def test_a_copy_read_elsewhere_while_the_lift_is_out_raises_no_second_boom(amount: int) -> None:
    story = Story(lanes=TWO)
    arrives_paid(story, amount)
    first = story.stay().grants[-1]
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=amount)
    story.wait(0.1)
    story.answers("raised", grant=first)
    story.boom("rising", lift=first.id)
    story.boom("up", lift=first.id)
    assert (lifts(story), story.shows("exit-2")) == (0, "help ticket-copied")
    story.drives_through()
    assert story.stay().left == story.at


@pytest.mark.fault("ticket-copied")
@pytest.mark.parametrize("amount", [2000, 0])
@pytest.mark.parametrize("arm", ["rising", "up", "lowering", "fault", "unknown", None])
def test_a_car_between_the_two_loops_under_its_raised_boom_is_leaving(arm: str | None, amount: int) -> None:
    """A motorcycle, or loops with a gap: off the first loop, and not yet on the second."""
    story = Story(lanes=TWO)
    arrives_paid(story, amount)
    story.raises()
    story.leaves_loop()
    if arm:
        story.boom(arm)
    else:
        story.tell(e.BarrierGone(story.at, "exit-1"))
    story.wait(0.2)
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=amount)
    assert (lifts(story), story.shows("exit-2"), story.stay().lane) == (0, "help ticket-copied", "exit-1")
    story.under(waiting=False)
    story.leaves_loop()
    assert story.stay().left == story.at


@pytest.mark.parametrize("how", ["clear", "silent"])
def test_a_reading_elsewhere_takes_the_visit_over_once_its_loop_is_clear_or_silent(how: str) -> None:
    story = Story(lanes=TWO)
    first = story.shows_qr()
    if how == "clear":
        story.leaves_loop()
        story.wait(2)
    else:
        story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert (story.stay().lane, story.shows("exit-1"), copied(story)) == ("exit-2", "idle", [])
    assert story.stay().order(first.no).stage == "closing"  # type: ignore[union-attr]


def test_a_car_that_was_under_the_boom_when_all_fell_silent_has_left_when_its_ticket_is_read_elsewhere() -> None:
    story = Story(lanes=TWO)
    story.pays()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.under()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert (story.shows("exit-2"), story.stay().left, lifts(story)) == ("help ticket-used", story.at, 0)


def test_a_loop_that_is_clear_for_a_moment_gives_no_visit_away() -> None:
    story = Story(lanes=TWO)
    story.shows_qr()
    story.leaves_loop()
    story.wait(1.9)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert (story.stay().lane, story.shows("exit-2")) == ("exit-1", "help ticket-copied")


@pytest.mark.fault("ticket-copied")
@pytest.mark.parametrize("lane", TWO)
@pytest.mark.parametrize("amount", [2000, 0])
def test_after_the_passage_the_ticket_is_used_at_every_lane(amount: int, lane: str) -> None:
    story = Story(lanes=TWO)
    arrives_paid(story, amount)
    story.raises()
    story.drives_through()
    for _ in range(3):
        story.arrives(lane)
        story.reads("a", lane, amount=amount)
        assert (lifts(story), story.shows(lane)) == (0, "help ticket-used")
        story.wait(60)
    assert copied(story) == ["a ticket was read again after the boom had risen for it"] * 3


@pytest.mark.fault("three-raises")
@pytest.mark.parametrize("amount", [2000, 0])
def test_one_stay_has_three_raises_in_its_life_however_often_its_ticket_is_read(amount: int) -> None:
    """The loop under the boom is dead, and its arm comes down each time before its car has moved."""
    story = Story()
    arrives_paid(story, amount)
    for raises in range(1, 4):
        story.raises()
        story.boom("lowering")
        story.boom("down")
        assert story.stay().unpassed
        story.leaves_loop()
        story.wait(20)
        story.arrives()
        story.reads("a", amount=amount)
        assert lifts(story) == (1 if raises < 3 else 0)
    assert story.shows() == "help ticket-used"
    story.wait(16 * 60)
    assert story.stay().refunds == ()


@pytest.mark.parametrize("amount", [2000, 0])
def test_a_stay_that_raised_lifts_again_for_the_same_car_alone_unless_it_was_there_when_the_arm_was_down(
    amount: int,
) -> None:
    story = Story()
    arrives_paid(story, amount)
    story.raises()
    story.leaves_loop()  # under the open boom: nobody knows whether it passed
    story.boom("lowering")
    story.boom("down")
    story.wait(20)
    story.arrives()
    story.reads("a", amount=amount)
    assert (lifts(story), story.shows()) == (0, "help ticket-used")


def test_the_same_car_may_read_its_ticket_again_and_leave() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.tell(e.CommandGiven(story.at, "exit-1", "c", "reset", "omar", story.at, session=story.stay().session))
    story.boom("lowering")
    story.boom("down")
    story.reads("a")
    assert [grant.reason for grant in story.stay().grants] == ["credit"]


def test_an_arm_that_is_seen_down_before_it_rises_does_not_show_that_its_car_was_still_there() -> None:
    """By switches it is still down when the barrier answers; a premature word must not outlast the rise."""
    story = Story()
    story.pays()
    lift = story.answers("raised")
    story.boom("down", lift=lift.id)
    assert story.stay().unpassed
    story.boom("up", lift=lift.id)
    assert not story.stay().unpassed
    story.leaves_loop()
    story.boom("down")
    assert not story.stay().unpassed


@pytest.mark.parametrize("session", ["a", "b"])
@pytest.mark.parametrize("amount", [2000, 0])
def test_a_paid_visit_whose_car_is_seen_does_not_give_way_to_another_ticket_at_its_lane(
    amount: int, session: str
) -> None:
    story = Story()
    arrives_paid(story, amount)
    story.wait(1)
    story.reads(session, amount=amount)
    assert (lifts(story), story.stay().lane, story.stay().lifts) == (1, "exit-1", 1)
    assert story.screen().fee == story.lane().fee_ids[-1], "the reader has its answer"


def test_credit_in_help_does_not_give_way_to_another_ticket_either() -> None:
    story = Story()
    story.pays()
    for _ in range(3):
        story.answers("refused", "car")
        story.wait(1)
    assert (story.shows(), story.payment().holder) == ("help barrier", "credit")
    story.reads("b")
    assert (story.stay().lane, an_id("stay", "b") in story.garage.stays) == ("exit-1", False)


def test_an_unpaid_visit_gives_way_to_another_ticket_at_its_lane() -> None:
    story = Story()
    story.shows_qr()
    story.reads("b")
    assert (story.stay().lane, story.stay("b").lane, story.order().stage) == (None, "exit-1", "closing")


def test_where_no_loop_speaks_another_ticket_is_another_car() -> None:
    story = Story(loops=False)
    story.reads()
    story.payby("CREATED")
    story.payby("PAID")
    story.reads("b", car=None)
    assert (story.stay().lane, story.stay("b").lane) == (None, "exit-1")


def test_a_visit_whose_stay_has_left_elsewhere_is_helped_and_its_order_closed() -> None:
    """A raise at the first lane shows when its ticket is being paid for at a second."""
    story = Story(lanes=TWO)
    story.arrives()
    story.reads(amount=0)
    grant = story.stay().grants[-1]
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.wait(300)
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=1000)
    story.payby("CREATED")
    assert story.shows("exit-2") == "pay"
    story.boom("up", lift=grant.id)
    story.under(waiting=False)
    assert (story.stay().left, story.order().stage, story.shows("exit-2")) == (story.at, "closing", "help ticket-used")


@pytest.mark.parametrize("how", ["raised", "passed", "unknown"])
def test_a_lift_that_is_out_at_a_second_lane_is_sent_no_more_once_a_raise_shows_at_the_first(how: str) -> None:
    story = Story(lanes=TWO)
    story.pays()
    first = story.stay().grants[-1]
    story.leaves_loop()
    story.wait(93)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert [g.lane for g in story.stay().grants if not g.overdue] == ["exit-2"]
    if how == "passed":
        story.boom("up", lift=first.id)
        story.under(waiting=False)
        assert story.stay().left == story.at
    else:
        story.answers(how, grant=first)
    assert (lifts(story), story.shows("exit-2")) == (0, "help ticket-used")
    assert [g.dropped for g in story.stay().grants] == [True]


def test_an_answer_and_a_boom_count_from_the_lane_of_the_lift_alone() -> None:
    story = Story(lanes=TWO)
    story.pays()
    grant = story.answers("refused", "car")
    story.tell(e.LiftAnswered(story.at, "exit-2", grant.session, grant.id, "raised"))
    story.boom("up", lift=grant.id, lane="exit-2")
    assert (story.payment().holder, story.payment().raised, story.stay().left) == ("credit", None, None)
    story.tell(e.LiftAnswered(story.at, "exit-1", grant.session, grant.id, "raised"))
    assert story.payment().holder == "raised"


@pytest.mark.parametrize(
    "event",
    [
        e.BoomSeen(1, "garage", "down"),
        e.BarrierGone(1, "garage"),
        e.VehicleSeen(1, "garage", True, False),
        e.VehicleUnknown(1, "garage"),
        e.TicketRefused(1, "garage", "a fee", "ticket-unknown"),
        e.LiftAnswered(1, "garage", an_id("stay", "a"), an_id("lift"), "raised"),
        e.CommandGiven(1, "garage", an_id("c"), "close-lane", "omar", 1),
        e.TimePassed(1, "garage"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_no_lane_is_called_garage(event: e.Event) -> None:
    story = Story()
    assert (story.tell(event), "garage" in story.garage.lanes) == ([], False)


def test_no_ticket_is_read_at_a_lane_that_is_called_garage() -> None:
    story = Story()
    story.reads(lane="garage")
    assert (story.garage.stays, "garage" in story.garage.lanes) == ({}, False)


def test_a_stay_that_used_up_its_raises_is_not_asked_for_money_again_when_a_person_gave_it_back() -> None:
    """The arm was stuck; an operator paid back, and the driver read his ticket again."""
    story = Story()
    story.pays()
    for _ in range(3):
        story.answers("raised")
        story.wait(6)
    story.tell(e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=story.order().no))
    story.tell(e.RefundReported(story.at, story.refund().no, story.order().no, "success"))
    story.boom("up")
    story.boom("down")
    story.reads()
    story.wait(16)
    assert (story.shows(), len(story.stay().orders), lifts(story)) == ("help barrier", 1, 0)


def test_money_that_shows_when_a_stay_used_up_its_raises_lifts_for_nobody() -> None:
    """An order that PayBy had called failed turns out to be paid, after the next one's was given back."""
    story = Story()
    first = story.shows_qr()
    story.wait(110)
    story.payby("FAILURE")
    story.payby("CREATED")
    story.payby("PAID")
    for _ in range(3):
        story.answers("raised")
        story.wait(6)
    story.tell(e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=story.order().no))
    story.tell(e.RefundReported(story.at, story.refund().no, story.order().no, "success"))
    story.boom("up")
    story.boom("down")
    story.payby("PAID", order=first)
    assert (story.payment().order_no, story.payment().holder, lifts(story)) == (first.no, "credit", 0)
    story.wait(20 * 60)
    assert (story.payment().holder, lifts(story)) == ("refund", 0), "no lift of it was ever sent"


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
