"""What the driver, the reader and the operator hear of a reading, whatever became of its ticket."""

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from terminal.core.ids import help_code
from terminal.core.model import ParkingFee
from tests.support.story import Story, an_id

TWO = ("exit-1", "exit-2")


def said_of(story: Story, code: str) -> list[tuple[str | None, str | None]]:
    """The lane and the stay of each alert of this kind."""
    return [(a.lane, a.session) for a in story.said if isinstance(a, RaiseAlert) and a.code == code]


def loses(story: Story, lane: str, name: str, *, session: str = "") -> str:
    """A lost ticket is read for the car that stands there; returns the session that the worker derived for it."""
    session = session or an_id("lost", name)
    fee = ParkingFee(an_id("fee", name), session, "LOST", 15000, "lost", None, story.cars[lane])
    story.tell(e.TicketRead(story.at, lane, fee))
    return session


def test_without_loops_a_ticket_read_again_while_the_boom_is_up_for_it_is_not_called_used() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    story.payby("CREATED")
    story.payby("PAID")
    story.raises()
    story.reads(car=None)
    assert (story.shows(), story.alerts()) == ("paid", [])


def test_without_loops_a_refusal_shows_for_as_long_as_a_car_counts_as_waiting() -> None:
    story = Story(loops=False)
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("bad"), "ticket-foreign"))
    assert story.screen().until == story.at + 60_000


def test_two_readings_of_one_text_have_one_help_code_and_those_without_a_text_have_their_own() -> None:
    """A driver who tries again reads the same letters out to whoever helps."""
    story = Story()

    def code(fee: str, ticket: str = "") -> str | None:
        story.tell(e.TicketRefused(story.at, "exit-1", fee, "ticket-unknown", ticket=ticket))
        return story.screen().help_code

    assert code("first", "PG1.x") == code("second", "PG1.x")
    assert len({code("third", "PG1.y"), code("fourth"), code("fifth")}) == 3


def test_a_ticket_whose_lift_may_have_raised_is_used_for_another_car() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    story.answers("unknown")
    story.leaves_loop()
    story.wait(3)
    story.arrives()
    story.reads(amount=0)
    assert (story.shows(), story.lane().visit) == ("help ticket-used", None)


def test_lifts_that_the_barrier_refused_are_no_raises_and_its_driver_may_come_back() -> None:
    story = Story()
    story.pays()
    for _ in range(3):
        story.answers("refused", "car")
        story.wait(1)
    assert story.shows() == "help barrier"
    story.leaves_loop()
    story.wait(3)
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("paid", ["SendLift"])


def test_a_ticket_whose_car_passed_while_nobody_looked_is_refused_and_begins_no_visit() -> None:
    story = Story(lanes=TWO)
    story.pays()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.under()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads("a", "exit-2", id="the reading")
    assert story.lane("exit-2").visit is None, "the next ticket takes nobody's place"
    assert (story.screen("exit-2").fee, story.screen("exit-2").help_code) == (
        "the reading",
        help_code(story.stay().session),
    )
    assert story.alerts()[-1] == "ticket-refused"


@pytest.mark.fault("ticket-copied")
@pytest.mark.parametrize("arm", ["rising", "up", "lowering", "fault", "unknown", None])
def test_a_car_that_is_long_between_the_two_loops_under_its_raised_boom_is_leaving_still(arm: str | None) -> None:
    """It waits for a pedestrian; its loop is believed clear, and a copy of its ticket lets nobody out elsewhere."""
    story = Story(lanes=TWO)
    story.pays()
    story.raises()
    story.leaves_loop()
    if arm:
        story.boom(arm)
    else:
        story.tell(e.BarrierGone(story.at, "exit-1"))
    story.wait(20)
    story.arrives("exit-2")
    story.reads("a", "exit-2", id="the reading")
    assert (story.shows("exit-2"), story.stay().lane) == ("help ticket-copied", "exit-1")
    assert story.screen("exit-2").fee == "the reading"


@pytest.mark.fault("ticket-again")
def test_a_car_whose_arm_came_down_before_it_and_whose_loop_fell_silent_may_leave_at_another_lane() -> None:
    story = Story(lanes=TWO)
    story.pays()
    story.raises()
    story.boom("down")
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert (story.stay().lane, [grant.lane for grant in story.stay().grants]) == ("exit-2", ["exit-2"])


def test_who_paid_and_waits_for_help_as_the_barrier_cannot_write_keeps_his_place() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "journal")
    assert (story.shows(), story.payment().holder) == ("help barrier", "lift")
    story.reads("b")
    assert (story.stay().lane, an_id("stay", "b") in story.garage.stays) == ("exit-1", False)


@pytest.mark.fault("lost-names-nobody")
def test_a_lost_ticket_with_the_session_of_a_known_stay_is_told_with_that_stay_and_its_lane() -> None:
    story = Story(lanes=TWO)
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.arrives("exit-2")
    loses(story, "exit-2", "forged", session=story.stay().session)
    assert said_of(story, "bad-fee") == [("exit-2", story.stay().session)]


@pytest.mark.fault("lost-again")
def test_a_lost_ticket_whose_lift_is_out_is_the_same_when_its_loop_names_the_vehicle_anew() -> None:
    """Its driver is not to pay 150 dirhams twice since a loop bounced as the barrier was asked."""
    story = Story()
    story.arrives()
    first = loses(story, "exit-1", "first")
    order = story.garage.stays[first].orders[-1]
    story.payby("CREATED", order=order)
    story.payby("PAID", order=order)
    assert story.garage.stays[first].payments[0].holder == "lift"
    story.arrives()
    assert loses(story, "exit-1", "second") not in story.garage.stays
    assert story.garage.stays[first].lane == "exit-1"


@pytest.mark.fault("lost-again")
@pytest.mark.parametrize(("after_s", "is_the_same"), [(119.999, True), (120, False)])
def test_two_minutes_after_it_was_read_again_a_paid_lost_ticket_is_another(after_s: float, is_the_same: bool) -> None:
    story = Story()
    story.arrives()
    first = loses(story, "exit-1", "first")
    order = story.garage.stays[first].orders[-1]
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID", order=order)
    story.wait(100)
    story.arrives()
    loses(story, "exit-1", "second")
    story.arrives()
    story.wait(after_s)
    third = loses(story, "exit-1", "third")
    assert (third not in story.garage.stays) == is_the_same


def test_a_stay_on_which_our_own_code_failed_is_told_with_the_lane_where_it_waits() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.StayFailed(story.at, story.stay().session, "its words"))
    assert said_of(story, "stay-failed") == [("exit-1", story.stay().session)]
