"""Lifts that a barrier names: those of long ago, and those that the journal does not hold."""

import copy

import pytest

from terminal.core import events as e
from terminal.core.ids import derived_id, lift_id
from terminal.core.rules import step
from tests.support.rules import sent
from tests.support.story import Story


def other_lifts(story: Story) -> list[str]:
    other_lane, made_up = lift_id(story.at, "", "marina", "exit-2", "x"), derived_id(story.at, "an operator's")
    return [other_lane, lift_id(story.at, "another mark", "marina", "exit-1", "x"), made_up, "no id at all"]


@pytest.mark.fault("journal-put-back")
@pytest.mark.parametrize("at_rest", [True, False])
def test_a_barrier_that_names_a_lift_which_the_journal_does_not_hold_puts_everything_in_doubt(at_rest: bool) -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr("b", "exit-2")
    story.shows_qr()
    before = copy.deepcopy(story.garage)
    story.payby("PAID")
    lift = story.raises()
    story.drives_through()
    story.wait(3600)
    story.garage = before
    story.said.clear()
    story.tell(e.Started(story.at, "put back"))
    story.leaves_loop()
    story.boom("down" if at_rest else "up", lift=lift.id)
    story.boom("down", lift=lift.id)
    assert story.alerts().count("journal-behind") == 1
    assert (story.garage.in_doubt, story.owes(), story.owes("b")) == (True, ["CloseOrder"], ["CloseOrder"])
    story.payby("PAID")
    story.payby("PAID", "b")
    assert (sent(story), story.payment("b").holder) == ("person", "person")
    assert story.stay().refunds == story.stay("b").refunds == ()


def test_a_journal_that_was_put_back_makes_the_worker_ask_paybys_list() -> None:

    story = Story()
    lift = lift_id(story.at, "", "marina", "exit-1", "anything")
    assert step(story.garage, e.BoomSeen(story.at, "exit-1", "down", lift)).doubts
    story.boom("down", lift=lift)
    assert not step(story.garage, e.BoomSeen(story.at, "exit-1", "up", lift)).doubts, "it is known by now"


def test_of_the_payments_only_those_whose_fate_was_open_are_in_doubt() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.drives_through()
    story.boom("down", lift=lift_id(story.at, "", "marina", "exit-1", "anything"))
    assert "journal-behind" in story.alerts()
    assert (story.payment().holder, "payment-doubtful" in story.alerts()) == ("raised", False)


@pytest.mark.parametrize("which", range(4))
def test_a_lift_that_nobody_of_ours_can_have_named_for_this_lane_means_nothing(which: int) -> None:
    """A lane that makes one up must not stop the garage."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.boom("down", lift=other_lifts(story)[which])
    assert (story.shows(), story.alerts()) == ("pay", [])


def test_a_lift_of_long_ago_that_a_barrier_still_names_is_no_news() -> None:
    story = Story()
    story.pays()
    old = story.raises()
    story.drives_through()
    for number in range(20):
        story.wait(5)
        story.arrives()
        story.reads(f"free {number}", amount=0)
        story.answers("refused", "car", f"free {number}")
        story.leaves_loop()
        story.wait(3)
    story.garage.stays.clear()  # all of them were put away by now
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.said.clear()
    story.boom("down", lift=old.id)
    assert story.alerts() == []


def test_a_lift_that_its_barrier_goes_on_naming_is_no_news_whatever_the_clocks_were() -> None:
    """The clock was ahead when it was granted, and has been set back; sixteen refused ones have followed since."""
    story = Story()
    story.at += 1_200_000
    story.pays()
    old = story.raises()
    story.drives_through()
    story.at -= 1_200_000
    for number in range(20):
        story.wait(5)
        story.arrives()
        story.reads(f"free {number}", amount=0)
        story.answers("refused", "car", f"free {number}")
        story.leaves_loop()
        story.wait(3)
    story.garage.stays.clear()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.said.clear()
    story.boom("down", lift=old.id)
    assert story.alerts() == []


def test_a_late_word_of_a_lift_that_is_older_than_all_that_is_remembered_is_no_news() -> None:
    story = Story()
    lifts = []
    for session in ("first", "second"):
        story.shows_qr(session)
        story.payby("PAID", session)
        lifts.append(story.raises(session))
        story.drives_through()
        story.wait(5)
    for number in range(17):
        story.arrives()
        story.reads(f"free {number}", amount=0)
        story.answers("refused", "car", f"free {number}")
        story.leaves_loop()
        story.wait(5)
    story.garage.stays.clear()
    story.said.clear()
    story.boom("down", lift=lifts[0].id)
    assert story.alerts() == []
