"""What the simulation found (tests/sim), as short as it can be told: one sentence and one story each."""

from terminal.core import events as e
from tests.story import Story


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
    story.arrives("exit-2")
    story.reads(lane="exit-2", amount=0)
    story.wait(29.9)
    assert (story.stay().orders, story.owes(), story.shows("exit-2")) == ((), [], "help no-answer")
    story.wait(0.1)
    assert (story.shows("exit-2"), [g.lane for g in story.stay().grants]) == ("free", ["exit-1", "exit-2"])
