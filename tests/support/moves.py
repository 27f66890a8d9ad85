"""From which phase to which a lane's visit is brought, by each event and by progress: as tabled, and as done."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, get_args

from terminal.core import ids
from terminal.core.events import Event, LaneEvent
from terminal.core.model import Phase, Visit
from terminal.core.rules import Change, Garage, step
from terminal.core.rules.draft import Draft
from terminal.core.rules.facts import record
from terminal.core.rules.progress import move
from terminal.core.rules.records import differ
from terminal.core.rules.table import BY_EVENT, BY_PROGRESS


class Move(NamedTuple):
    """``event``: the name of its type; empty where progress moved the visit."""

    event: str
    before: str
    after: str


ELSEWHERE = {
    *(Move("BoomSeen", phase, "none") for phase in get_args(Phase)),
    Move("", "paying", "helping"),
    Move("", "none", "blocked"),
}
"""Moves that tests/states.py leads nowhere to; tests/test_rules_table.py has a story of each."""


def tabled() -> frozenset[Move]:
    """Every move that the table has."""
    rows = [("", BY_PROGRESS), *((kind.__name__, row.moves) for kind, row in BY_EVENT.items())]
    return frozenset(Move(name, a, b) for name, moves in rows for a, after in moves.items() for b in after)


def moves(garage: Garage, event: Event) -> tuple[Change, set[Move]]:
    """What step() makes of it, and what it does to the lanes' visits, one after the other."""
    change = step(garage, event)
    if isinstance(event, LaneEvent) and event.lane == ids.NO_LANE:
        return change, set()
    draft = Draft(garage, event.at)
    found: set[Move] = set()
    known = _visits(draft, garage)

    def look(name: str) -> None:
        nonlocal known
        before, known = known, _visits(draft, garage)
        found.update(Move(name, *phases) for phases in _changes(before, known))

    record(draft, event)
    look(type(event).__name__)
    for lane in draft.touched():
        while move(draft, lane):
            look("")
    assert draft.change() == change
    return change, found


def _visits(draft: Draft, garage: Garage) -> dict[str, Visit | None]:
    return {name: draft.lane(name).visit for name in {*garage.lanes, *draft.lanes}}


def _changes(before: dict[str, Visit | None], after: dict[str, Visit | None]) -> Iterator[tuple[str, str]]:
    """One that gives way to another is over first."""
    for name, new in after.items():
        old = before.get(name)
        phases = [visit.phase if visit else "none" for visit in (old, new)]
        if old and new and (old.fee.session != new.fee.session or differ(old.car, new.car)):
            phases.insert(1, "none")
        yield from ((a, b) for a, b in pairwise(phases) if a != b)
