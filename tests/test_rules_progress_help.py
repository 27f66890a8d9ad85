"""How a lane goes on where a person is needed: what the driver is told, and that it is told once."""

from terminal.core import events as e
from tests.support.story import Story


def test_who_comes_back_after_three_lifts_that_nobody_answered_is_told_of_the_barrier_and_not_of_his_ticket() -> None:
    story = Story()
    story.pays()
    for _ in range(3):
        story.leaves_loop()
        story.wait(93)
        assert story.payment().holder == "credit"
        story.arrives(car=story.cars["exit-1"])
        story.reads()
    assert (story.stay().lifts, story.shows()) == (3, "help barrier")


def test_an_operator_hears_once_that_a_driver_whose_stay_has_left_needs_help() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    free = story.stay().grants[-1]
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.wait(300)
    story.said.clear()
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=1000)
    story.boom("up", lift=free.id)
    story.under(waiting=False)
    since = story.visit("exit-2").since
    story.wait(1)
    story.boom("unknown", lane="exit-2")
    story.payby("FAILURE")
    assert (story.shows("exit-2"), story.alerts().count("help")) == ("help ticket-used", 1)
    assert story.visit("exit-2").since == since


def test_a_driver_before_whom_the_arm_never_rose_may_come_back_by_another_name_of_his_car() -> None:
    """The barrier said that it raised, its arm stayed down, and so nobody left by that."""
    story = Story()
    story.pays()
    story.answers("raised")
    story.wait(6)
    assert (story.stay().lifts, story.stay().unpassed) == (2, True)
    story.leaves_loop()
    story.wait(93)
    story.arrives()
    story.reads()
    assert (story.shows(), [grant.overdue for grant in story.stay().grants]) == ("paid", [True, False])


def test_an_arm_of_which_nobody_knows_does_not_show_that_its_car_is_still_there() -> None:
    story = Story()
    story.pays()
    story.answers("raised")
    story.boom("unknown")
    story.wait(6)
    assert (story.stay().lifts, story.stay().unpassed) == (2, False)


def test_of_a_stay_that_has_left_each_lift_is_waited_for_by_its_own_name() -> None:
    """Free at three lanes one after the other, as barriers were away; then the first raise shows."""
    lanes = ("exit-1", "exit-2", "exit-3")
    story = Story(lanes=lanes)
    for lane in lanes:
        story.arrives(lane)
        story.reads("a", lane, amount=0)
        story.wait(31 if story.stay().lifts else 0)
        story.tell(e.VehicleUnknown(story.at, lane)) if lane != "exit-3" else None
    first = story.stay().grants[0]
    assert [grant.lane for grant in story.stay().grants] == list(lanes)
    story.answers("raised", grant=first)
    assert [(grant.lane, grant.dropped) for grant in story.stay().grants] == [("exit-2", True), ("exit-3", True)]
