"""Rule 14: a season pass lets its holder out free, again and again, and one car at a time."""

import pytest

from terminal.core import events as e
from terminal.core.actions import Action
from terminal.core.model import Stay
from tests.support.story import Story, an_id

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PASS = an_id("pass")


def shows_pass(
    story: Story,
    session: str = "a",
    *,
    entered_ago: int = HOUR_MS,
    soft: bool = False,
    fee: str = "",
    lane: str = "exit-1",
) -> list[Action]:
    fee_id = an_id("pass fee", session, story.at, fee)
    entered = story.at - entered_ago
    return story.tell(
        e.PassRead(story.at, lane, fee_id, PASS, an_id("stay", session), entered, story.at + DAY_MS, soft)
    )


def leaves_by_it(story: Story, session: str = "a") -> None:
    story.arrives()
    story.reads(session)
    shows_pass(story, session)
    story.raises(session)
    story.payby("FAILURE", session)
    story.drives_through()


def test_its_holder_leaves_free() -> None:
    story = Story()
    story.shows_qr()
    shows_pass(story)
    assert (story.shows(), [grant.reason for grant in story.stay().grants]) == ("free", ["free"])


def test_it_is_used_again_by_a_stay_that_began_after_its_last_use() -> None:
    story = Story()
    leaves_by_it(story)
    story.at += 2 * HOUR_MS
    story.shows_qr("b")
    shows_pass(story, "b")
    assert (story.shows(), story.alerts()) == ("free", [])


@pytest.mark.parametrize("soft", [False, True])
def test_a_second_car_that_was_inside_meanwhile_is_refused_or_let_out_with_an_alert(soft: bool) -> None:
    story = Story()
    leaves_by_it(story)
    story.at += HOUR_MS // 2
    story.shows_qr("b")
    shows_pass(story, "b", soft=soft)
    assert story.shows() == ("free" if soft else "help pass-used")
    assert story.alerts().count("pass-twice") == 1
    assert bool(story.stay("b").allowances) == soft


def test_read_at_two_lanes_at_once_it_lets_one_out() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr("a", "exit-1")
    story.shows_qr("b", "exit-2")
    shows_pass(story, "a")
    shows_pass(story, "b", lane="exit-2")
    assert (story.shows("exit-1"), story.shows("exit-2")) == ("free", "help pass-used")


def test_read_again_for_its_own_stay_it_changes_nothing() -> None:
    story = Story()
    story.shows_qr()
    shows_pass(story)
    before = story.stay()
    shows_pass(story, fee="again")
    assert (story.stay(), story.shows(), story.alerts()) == (before, "free", [])
    assert shows_pass(story, fee="again") == []


def test_without_a_ticket_before_it_and_for_one_that_is_paid_it_is_not_used() -> None:
    story = Story()
    story.arrives()
    shows_pass(story)
    assert story.shows() == "help coupon-alone"
    story = Story()
    story.pays()
    shows_pass(story)
    assert (story.stay().allowances, PASS in story.garage.stays) == ((), False)


def test_one_whose_last_use_was_pruned_is_used_again() -> None:
    story = Story()
    story.garage.stays[PASS] = Stay(PASS, left=0)
    story.shows_qr()
    shows_pass(story)
    assert story.shows() == "free"
