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
