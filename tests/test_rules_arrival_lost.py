"""Lost tickets: whose they are, what they cost, and when one is another driver's."""

import itertools

import pytest

from terminal.core import events as e
from terminal.core.model import ParkingFee
from tests.support.story import Story, an_id


def loses(story: Story, reading: str, *, car: str | None = None) -> None:
    fee = ParkingFee(an_id("fee", reading), an_id("stay", reading), "LOST", 15000, "lost", None, car)
    story.tell(e.TicketRead(story.at, "exit-1", fee))


def lost(story: Story, name: str, *, after_s: float = 0) -> str:
    """A lost ticket is read for the car that stands there; returns the session that the worker derived for it."""
    story.wait(after_s)
    session = an_id("lost", name)
    fee = ParkingFee(an_id("fee", name, story.at), session, "LOST", 15000, "lost", None, story.cars["exit-1"])
    story.tell(e.TicketRead(story.at, "exit-1", fee))
    return session


def paid_late(story: Story) -> str:
    """A lost ticket whose car the loop lost as it was paid."""
    story.arrives()
    session = lost(story, "first")
    order = story.garage.stays[session].orders[-1]
    story.payby("CREATED", order=order)
    story.wait(20)
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID", order=order)
    return session


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


@pytest.mark.fault("lost-again")
@pytest.mark.parametrize(("after_s", "orders"), [(0, 1), (119.999, 1), (120, 2)])
def test_a_lost_ticket_that_was_just_paid_is_the_same_when_its_loop_names_the_vehicle_anew(
    after_s: float, orders: int
) -> None:
    story = Story()
    first = paid_late(story)
    story.wait(after_s)
    story.arrives()
    lost(story, "second")
    assert sum(len(stay.orders) for stay in story.garage.stays.values()) == orders
    assert [g.reason for g in story.garage.stays[first].grants] == (["paid"] if orders == 1 else [])


def test_a_lost_ticket_that_is_paid_while_its_second_reading_waits_is_charged_once() -> None:
    story = Story()
    story.arrives()
    session = lost(story, "first")
    order = story.garage.stays[session].orders[-1]
    story.payby("CREATED", order=order)
    story.arrives()
    second = lost(story, "second")
    assert story.shows() == "wait", "the first order is being closed"
    read = story.at
    story.wait(2)
    story.payby("PAID", order=order)
    assert (story.garage.stays[second].orders, story.garage.stays[session].lane) == ((), "exit-1")
    grants = story.garage.stays[session].grants
    assert [(g.reason, g.car) for g in grants] == [("paid", story.cars["exit-1"])], "it lets out this car and no other"
    assert story.visit().read == read


@pytest.mark.parametrize("what", ["raised", "left", "refunded"])
def test_a_lost_ticket_that_was_used_is_nobody_elses(what: str) -> None:
    story = Story()
    first = paid_late(story)
    stay = story.garage.stays[first]
    if what == "refunded":
        cause = an_id("c")
        command = e.CommandGiven(story.at, "exit-1", cause, "refund", "omar", story.at, order_no=stay.orders[0].no)
        story.tell(command)
    else:
        story.arrives()
        lost(story, "second")
        grant = story.garage.stays[first].grants[-1]
        story.answers("raised", grant=grant)
        story.boom("up", lift=grant.id)
        story.leaves_loop() if what == "raised" else story.drives_through()
        story.boom("down")
        story.wait(3)
    story.arrives()
    third = lost(story, "third")
    assert [order.stage for order in story.garage.stays[third].orders] == ["placing"]


@pytest.mark.fault("lost-names-nobody")
def test_a_lost_ticket_never_has_the_session_of_a_stay_that_is_known() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    car = story.arrives("exit-2")
    fee = ParkingFee(an_id("forged"), story.stay().session, "LOST", 15000, "lost", None, car)
    story.tell(e.TicketRead(story.at, "exit-2", fee))
    assert (story.payment().holder, story.shows("exit-2"), "bad-fee" in story.alerts()) == (
        "credit",
        "help refused",
        True,
    )


def test_another_lanes_lost_ticket_is_not_this_ones() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    first = paid_late(story)
    story.cars["exit-1"] = story.arrives("exit-2")
    session = an_id("lost", "elsewhere")
    fee = ParkingFee(an_id("fee", "elsewhere"), session, "LOST", 15000, "lost", None, story.cars["exit-2"])
    story.tell(e.TicketRead(story.at, "exit-2", fee))
    assert (story.garage.stays[first].payments[0].holder, len(story.garage.stays[session].orders)) == ("credit", 1)


def test_a_lane_remembers_its_last_lost_tickets() -> None:
    story = Story()
    for number in itertools.count():
        if number == 5:
            break
        story.arrives()
        lost(story, f"number {number}")
    assert story.lane().lost == tuple(an_id("lost", f"number {n}") for n in (2, 3, 4))
