"""What a barrier says late, or of a lift that it has answered before."""

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from terminal.core.model import Grant
from tests.support.rules import commands, refund_said, sent
from tests.support.story import Story


def comes_back_unanswered(story: Story) -> Grant:
    """Its lift was never answered; it drives up once more, and another is out for its credit. Returns the first."""
    story.pays()
    unheard = story.stay().grants[-1]
    story.leaves_loop()
    story.wait(93)
    story.arrives(car=story.cars["exit-1"])
    story.reads()
    return unheard


def test_a_barrier_that_forgot_what_it_answered_unmakes_no_raise() -> None:
    story = Story()
    story.pays()
    lift = story.raises()
    story.answers("unknown", grant=lift)
    assert [given.outcome for given in story.stay().given] == ["raised"]


@pytest.mark.parametrize(("why", "what"), [("signature", "its signature"), ("proof", "its proof")])
def test_whoever_looks_after_a_lift_that_was_not_believed_is_told_what_was_wrong_with_it(why: str, what: str) -> None:
    story = Story()
    story.pays()
    story.answers("refused", why)
    texts = [a.text for a in story.said if isinstance(a, RaiseAlert)]
    assert texts == [f"the barrier refused a lift that bears an id of ours: {what} is wrong"]


@pytest.mark.parametrize("why", ["expired", "spent"])
def test_money_goes_back_once_the_barrier_says_that_no_copy_of_its_lift_can_raise_any_more(why: str) -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(200)
    story.answers("refused", why)
    assert sent(story) == "refund"


def test_a_lift_that_the_barrier_does_not_know_of_is_no_news_where_a_later_one_has_raised_for_its_payment() -> None:
    story = Story()
    unheard = comes_back_unanswered(story)
    story.raises()
    story.said.clear()
    story.answers("unknown", grant=unheard)
    assert (story.payment().holder, story.alerts()) == ("raised", [])


def test_a_car_that_waits_gets_one_more_lift_for_a_payment_in_doubt_and_then_a_person_decides() -> None:
    """It is there, so the lift of which the barrier does not know has let nobody out; but its money is no credit."""
    story = Story()
    unheard = comes_back_unanswered(story)
    story.answers("refused", "car")
    story.answers("unknown", grant=unheard)
    assert (story.payment().holder, story.payment().unknown) == ("person", True)
    story.wait(1)
    assert (story.payment().holder, story.owes()) == ("lift", ["SendLift"])
    story.answers("refused", "car")
    assert story.payment().holder == "person"


@pytest.mark.fault("ticket-copied")
def test_a_car_that_was_there_when_the_arm_came_down_says_nothing_of_the_raise_after_it() -> None:
    """The second raise let it out while the barrier was away; its ticket lets out no other car."""
    story = Story()
    story.pays()
    story.raises()
    story.boom("down")
    story.wait(1)
    story.answers("raised")
    assert story.stay().unpassed is False
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.leaves_loop()
    assert commands(story, "reset", session=story.stay().session) == "done"
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("help ticket-used", [])


@pytest.mark.parametrize("holder", ["credit", "refund"])
def test_a_raise_that_shows_when_its_payment_had_passed_on_is_told_with_who_holds_it(holder: str) -> None:
    story = Story()
    story.pays()
    lift = story.answers("refused", "car")
    story.leaves_loop()
    story.wait(3 if holder == "credit" else 1200)
    assert story.payment().holder == holder
    story.boom("up", lift=lift.id)
    texts = [a.text for a in story.said if isinstance(a, RaiseAlert) and a.code == "raised-late"]
    assert texts == [f"the boom had risen for a payment that has since passed on (now: {holder})"]


def test_a_driver_who_waits_at_a_second_lane_goes_on_as_soon_as_the_first_has_refused_his_lift() -> None:
    """He was free there, and no more by the time he came here; both together would be a lift and an order."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    free = story.stay().grants[-1]
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=1000)
    assert (story.shows("exit-2"), story.owes()) == ("wait", [])
    story.answers("refused", "car", grant=free)
    assert (story.shows("exit-2"), story.owes()) == ("wait", ["PlaceOrder"])


def test_money_that_was_given_back_while_its_lift_was_out_is_no_credit_once_that_is_refused() -> None:
    story = Story()
    story.pays()
    assert commands(story, "refund", order_no=story.order().no) == "done"
    refund_said(story, "success")
    story.answers("refused", "car")
    assert (story.payment().holder, story.owes()) == ("refunded", [])
