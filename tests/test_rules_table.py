"""The table of what each event may do to a visit. Every story holds that nothing else is done (support/story.py), and
test_states.py that all of it is, but for what is told here."""

from collections.abc import Callable
from typing import get_args

import pytest

from terminal.core import events as e
from terminal.core import rules
from terminal.core.ids import lift_id
from terminal.core.model import ParkingFee, Phase
from terminal.core.rules.table import BY_EVENT, BY_PROGRESS
from tests.support.moves import ELSEWHERE, Move, tabled
from tests.support.story import Story, an_id


def test_every_event_has_its_row_and_every_phase_a_way_out() -> None:
    assert list(BY_EVENT) == list(e.EVENTS.values())
    assert BY_PROGRESS.keys() == {"none", *get_args(Phase)}
    assert len({row.words for row in BY_EVENT.values()}) == len(BY_EVENT)


def blocked(story: Story) -> None:
    story.arrives()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.reads()


def ordering(story: Story) -> None:
    story.arrives()
    story.reads()


def reordering(story: Story) -> None:
    story.shows_qr()
    story.wait(111)


def helping(story: Story) -> None:
    story.shows_qr()
    story.tell(e.StayFailed(story.at, an_id("stay", "a"), "its words"))


LEADS: dict[str, Callable[[Story], object]] = {
    "blocked": blocked,
    "ordering": ordering,
    "paying": Story.shows_qr,
    "reordering": reordering,
    "leaving": Story.pays,
    "helping": helping,
}


def in_phase(phase: str) -> Story:
    story = Story()
    LEADS[phase](story)
    assert story.visit().phase == phase
    story.moved.clear()
    return story


def put_back(phase: str) -> Story:
    """The barrier names a lift of ours that the journal does not hold."""
    story = in_phase(phase)
    story.boom("down", lift=lift_id(story.at, "", "marina", "exit-1", "of a journal that was put back"))
    return story


def paid_before_the_loops_spoke(phase: str) -> Story:
    """The worker begins, PayBy says that its order is paid, and then the loop sees the car."""
    story = in_phase(phase)
    story.at += 20_000
    story.tell(e.Started(story.at, "1"))
    story.boom("down")
    story.payby("PAID")
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
    return story


def left_elsewhere() -> Story:
    """A raise at the first lane shows when its ticket is being paid for at a second."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    lift = story.stay().grants[-1].id
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.wait(300)
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=1000)
    story.payby("CREATED")
    story.boom("up", lift=lift)
    story.under(waiting=False)
    return story


def lost_twice() -> Story:
    """A lost ticket is read again for a vehicle that got another name, and the first reading's order is paid."""
    story = Story()
    for name in ("first", "second"):
        story.arrives()
        fee = ParkingFee(an_id("fee", name), an_id("lost", name), "LOST", 15000, "lost", None, story.cars["exit-1"])
        story.tell(e.TicketRead(story.at, "exit-1", fee))
    order = story.garage.stays[an_id("lost", "first")].orders[-1]
    story.payby("PAID", order=order)
    return story


@pytest.mark.parametrize("phase", get_args(Phase))
def test_a_journal_that_was_put_back_ends_a_visit_in_any_phase(phase: str) -> None:
    assert put_back(phase).moved == {Move("BoomSeen", phase, "none")}


@pytest.mark.parametrize("phase", ["ordering", "paying", "reordering"])
def test_who_paid_while_the_worker_was_away_leaves_by_progress_once_the_loops_have_spoken(phase: str) -> None:
    assert Move("", phase, "leaving") in paid_before_the_loops_spoke(phase).moved


def test_what_only_two_lanes_or_two_stays_show() -> None:
    assert Move("", "paying", "helping") in left_elsewhere().moved
    assert {Move("", "blocked", "none"), Move("", "none", "blocked")} <= lost_twice().moved


def test_what_is_told_here_is_in_the_table() -> None:
    assert tabled() >= ELSEWHERE


def test_the_package_hands_on_the_step_and_what_it_takes_and_gives() -> None:
    assert sorted(rules.__all__) == ["Change", "Garage", "step"]
