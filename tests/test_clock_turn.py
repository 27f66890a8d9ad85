"""terminal/core/clock_turn.py: what is waited for is as far away as it was, by another clock."""

import typing
from dataclasses import fields
from typing import TypeVar

import pytest

from terminal.core import allowance, model
from terminal.core import events as e
from terminal.core.clock_turn import BACK_MS, TIMES, turn_of, turned
from terminal.core.outbox import lane_due, stay_due
from tests.support.story import Story

COUNTS = {
    "ParkingFee.amount", "ParkingFee.minutes", "Grant.amount", "Grant.signed", "Lane.passages", "Lane.skew",
    "VisitOrder.amount", "VisitOrder.attempt", "VisitOrder.minutes", "VisitOrder.unheard", "Payment.amount",
    "VisitRefund.amount", "Allowance.value", "Allowance.minutes",
    "ParkingFee.full", "VisitRefund.unheard", "Visit.attempts", "Visit.lifts",
}  # fmt: skip
"""The whole numbers in the state that are not times."""
NOUNS = [
    kind
    for kind in vars(model).values()
    if isinstance(kind, type)
    and kind.__module__ in (model.__name__, allowance.__name__)
    and hasattr(kind, "__dataclass_fields__")
    and kind is not model.Rules
]
"""But for the rules, whose times are lengths."""
BY = -2_000_000_000
N = TypeVar("N", model.Lane, model.Stay)


def one(noun: N, by: int) -> N:
    return turned({"": noun}, by)[""]


def test_every_whole_number_in_the_state_is_a_time_or_known_to_be_none() -> None:
    found = set()
    for kind in NOUNS:
        hints = typing.get_type_hints(kind)
        found |= {
            f"{kind.__name__}.{f.name}" for f in fields(kind) if int in (hints[f.name], *typing.get_args(hints[f.name]))
        }
    times = {f"{kind.__name__}.{name}" for kind, names in TIMES.items() for name in names}
    assert found == times | COUNTS
    assert not times & COUNTS


def test_deadlines_are_as_far_away_as_before() -> None:
    story = Story()
    story.pays()
    lane, stay = story.garage.lanes["exit-1"], story.stay()
    for noun_due, at in ((lane_due(lane, stay, story.at), story.at), (stay_due(stay, story.at), story.at)):
        assert noun_due is not None
        assert noun_due > at
    there = one(lane, BY), one(stay, BY)
    assert lane_due(*there, story.at + BY) == (lane_due(lane, stay, story.at) or 0) + BY
    assert stay_due(there[1], story.at + BY) == (stay_due(stay, story.at) or 0) + BY


def test_turned_there_and_back_is_as_it_was_and_what_is_no_time_never_was_one() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.leaves_loop()
    lane, stay = story.garage.lanes["exit-1"], story.stay()
    assert (one(one(lane, BY), -BY), one(one(stay, BY), -BY)) == (lane, stay)
    assert one(model.Stay("s", left=0), BY) == model.Stay("s", left=0)
    assert one(model.Lane("exit-1"), BY) == model.Lane("exit-1")


@pytest.mark.parametrize("minutes", [14, 16])
def test_credit_that_was_made_by_a_clock_far_ahead_ends_at_its_grace_by_the_right_one(minutes: int) -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    garage = story.garage
    garage.lanes, garage.stays = turned(garage.lanes, BY), turned(garage.stays, BY)
    story.at += BY
    story.tell(e.Started(story.at, "by the right clock"))
    story.wait(minutes * 60)
    assert story.payment().holder == ("credit" if minutes < 15 else "refund")


def test_only_a_start_that_is_far_behind_turns_the_clock() -> None:
    started, passed = e.Started(1_000_000, "1"), e.TimePassed(1_000_000)
    assert turn_of(started, 1_000_000 + BACK_MS + 1) == -BACK_MS - 1
    assert turn_of(started, 1_000_000 + BACK_MS) == 0
    assert turn_of(started, 0) == 0
    assert turn_of(passed, 9_000_000) == 0
