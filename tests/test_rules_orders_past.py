"""What becomes of a payment, and what is answered, where its stay has a past."""

from terminal.core import events as e
from terminal.core.actions import SendReceipt
from tests.support.rules import commands, sent
from tests.support.story import Story


def test_who_pays_where_the_boom_may_have_risen_for_him_before_is_not_called_late() -> None:
    """He was free, the barrier did not know, an operator began anew, and by then he had to pay."""
    story = Story()
    story.arrives()
    story.reads(amount=0)
    story.answers("unknown")
    assert commands(story, "reset", session=story.stay().session) == "done"
    story.reads(amount=1000)
    story.payby("CREATED")
    assert story.reply(story.payby("PAID")) == "lifting"
    assert (story.shows(), "late-payment" in story.alerts()) == ("paid", False)


def test_who_pays_when_his_car_has_left_by_a_free_lift_is_promised_no_credit() -> None:
    """It was free at the first lane, whose lift raised when its ticket was being paid for at the second."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    free = story.stay().grants[-1]
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.wait(300)
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=1000)
    story.payby("CREATED")
    story.boom("up", lift=free.id)
    story.under(waiting=False)
    assert (story.stay().left, story.stay().perhaps_left) == (story.at, False)
    assert SendReceipt("late", "its vehicle may have left; a person decides") in story.payby("PAID")
    assert sent(story) == "person"
