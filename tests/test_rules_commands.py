"""What an operator may ask for."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.actions import SendReceipt
from tests.support.rules import commands, refunding
from tests.support.story import Story, an_id


@pytest.mark.fault("operator-replayed")
def test_a_command_sent_again_is_answered_again_and_done_once() -> None:
    story = Story()
    refunding(story)
    again = an_id("command", story.at)
    assert commands(story, "refund", order_no=story.order().no, id=again) == "done"
    assert len(story.stay().refunds) == 1


@pytest.mark.fault("operator-replayed")
@pytest.mark.parametrize(("after_s", "kept"), [(89.999, True), (90, False)])
def test_spent_commands_are_forgotten_60_s_after_they_could_not_be_sent_again(after_s: float, kept: bool) -> None:
    story = Story()
    commands(story, "close-lane", id=an_id("one"))
    story.wait(after_s)
    commands(story, "open-lane", id=an_id("two"))
    assert [s.id for s in story.lane().spent] == [an_id("one")] * kept + [an_id("two")]


def test_a_closed_lane_takes_no_new_visit_and_finishes_the_one_it_has() -> None:
    story = Story()
    story.shows_qr()
    commands(story, "close-lane")
    assert story.shows() == "pay"
    story.payby("PAID")
    story.raises()
    story.drives_through()
    assert story.shows() == "closed operator"
    story.arrives()
    story.reads("b")
    assert story.lane().visit is None
    commands(story, "open-lane", id=an_id("open"))
    assert story.shows() == "idle"


def test_reset_ends_the_visit_that_it_names_and_no_other() -> None:
    story = Story()
    story.shows_qr()
    assert commands(story, "reset", session=an_id("stay", "b")) == "refused"
    assert story.shows() == "pay"
    assert commands(story, "reset", session=an_id("stay", "a"), id=an_id("two")) == "done"
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])
    assert commands(story, "reset", session=an_id("stay", "a"), id=an_id("three")) == "refused"


def test_cancel_closes_the_order_that_it_names_and_no_past_one() -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    story.payby("CREATED")
    assert commands(story, "cancel", order_no=first.no) == "refused"
    assert commands(story, "cancel", order_no=story.order().no, id=an_id("two")) == "done"
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


@pytest.mark.parametrize("order_no", ["", "of a visit that is over"])
def test_cancel_where_no_such_visit_is_says_so(order_no: str) -> None:
    story = Story()
    cancel = e.CommandGiven(story.at, "exit-1", an_id("one"), "cancel", "omar", story.at, order_no=order_no or None)
    over = SendReceipt("refused", "that visit is over")
    assert story.tell(cancel) == [over]
    story.shows_qr()
    assert story.tell(replace(cancel, id=an_id("two"))) == [over]
    assert story.shows() == "pay"


@pytest.mark.fault("arm-stuck")
@pytest.mark.parametrize("stuck", [True, False])
def test_an_operator_who_opens_a_lane_says_that_its_arm_is_good_who_closes_it_says_nothing_of_it(stuck: bool) -> None:
    story = Story()
    story.garage.lanes["exit-1"] = replace(story.lane(), boom_fault=stuck)
    commands(story, "close-lane", id=an_id("one"))
    assert story.lane().boom_fault is stuck
    commands(story, "open-lane", id=an_id("two"))
    assert story.lane().boom_fault is False


def test_cancel_of_an_order_that_is_paid_is_refused() -> None:
    story = Story()
    story.pays()
    assert commands(story, "cancel", order_no=story.order().no) == "refused"
    assert story.owes() == ["SendLift"]


def test_a_refusal_that_is_asked_for_again_says_why_once_more() -> None:
    """The operator's console missed the first answer."""
    story = Story()
    story.pays()
    number = story.order().no
    cancel = e.CommandGiven(story.at, "exit-1", an_id("one"), "cancel", "omar", story.at, order_no=number)
    refusal = [SendReceipt("refused", "that order is no longer open")]
    assert story.tell(cancel) == story.tell(cancel) == refusal
