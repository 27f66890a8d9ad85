"""Rule 10: our own code failed on something about a stay; that stay is a person's, and everybody else is served."""

import pytest

from terminal.core import events as e
from terminal.core.model import Rules
from terminal.core.rules import Change
from tests.support.story import T0, Story, an_id


def failed(story: Story, session: str = "a") -> None:
    story.tell(e.StayFailed(story.at, an_id("stay", session), "its words"))


def test_its_order_is_closed_and_its_driver_helped() -> None:
    story = Story()
    story.shows_qr()
    failed(story)
    assert (story.shows(), story.owes(), story.alerts()) == ("help refused", ["CloseOrder"], ["stay-failed", "help"])


def test_its_payment_neither_lifts_nor_goes_back_by_itself() -> None:
    story = Story()
    story.pays()
    failed(story)
    assert (story.owes(), story.payment().holder) == ([], "person")
    story.wait(3600)
    assert (story.owes(), story.stay().refunds) == ([], ())


def test_a_payment_that_comes_later_is_a_persons_too() -> None:
    story = Story()
    story.shows_qr()
    failed(story)
    assert (story.reply(story.payby("PAID")), story.payment().holder) == ("late", "person")


def test_the_next_car_is_served() -> None:
    story = Story()
    story.shows_qr()
    failed(story)
    story.leaves_loop()
    story.wait(3)
    story.payby("FAILURE")
    story.arrives()
    story.reads("b")
    assert story.owes("b") == ["PlaceOrder"]


def test_a_stay_of_no_visit_is_told_of_and_no_lane_changes() -> None:
    story = Story()
    failed(story, "nobody's")
    assert (story.alerts(), story.lane().visit, story.garage.stays) == (["stay-failed"], None, {})


@pytest.mark.fault("rules-changed")
def test_a_start_with_other_rules_changes_what_comes_and_not_what_was() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    until = story.payment().until
    story.tell(e.Started(story.at, "2", Rules("marina", exit_grace=60_000)))
    assert (story.payment().until, story.garage.rules.exit_grace) == (until, 60_000)
    story.tell(e.Started(story.at, "3"))
    assert story.garage.rules.exit_grace == 60_000
    story.boom("down")
    story.shows_qr("b")
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID", "b")
    assert story.payment("b").until == story.at + 60_000
    assert until == T0 + 3_000 + 15 * 60_000


def test_a_change_says_nothing_that_a_step_did_not_say() -> None:
    assert Change({}, {}, []) == Change({}, {}, [], rules=None, doubts=False)
    assert not Change({}, {}, [])
    assert Change({}, {}, [], rules=Rules("marina")), "other rules are news too"
