"""What the journal tells: each worker knows what the one before it knew, and the whole of it gives the same state."""

from copy import copy, deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from terminal.core.clock_turn import turn_of, turned
from terminal.core.events import EVENTS
from terminal.core.model import Lane, Stay
from terminal.core.retention import NO_PROOF
from terminal.core.rules import Garage, step
from terminal.eventstore.store import EventStore, StoredEvent
from terminal.journal.kinds import RECALLED, SHELVED
from terminal.roles.worker.role import WorkerRole

if TYPE_CHECKING:
    from tests.sim.checks import Checks
    from tests.sim.worker import WorkerProcess


def _bare(stay: Stay) -> Stay:
    """Without the proofs: a stay that was put away and asked for again has them no more."""
    return replace(stay, payments=tuple(replace(p, proof=NO_PROOF) for p in stay.payments)) if stay.left else stay


def _as_it_is(event_store: EventStore) -> EventStore:
    """A copy of what it knows."""
    known = copy(event_store)
    known.garage = copy(event_store.garage)
    known.garage.lanes, known.garage.stays = dict(event_store.garage.lanes), dict(event_store.garage.stays)
    known.words, known.resting_stays = dict(event_store.words), deepcopy(event_store.resting_stays)
    return known


class Replays:
    """Told by Checks and the worker's process of deaths, new starts and journals that were put back."""

    def __init__(self, checks: "Checks") -> None:
        self._checks, self._wrong = checks, checks.wrong
        self._before_death: tuple[EventStore, list[StoredEvent]] | None = None

    def worker_died(self, process: "WorkerProcess") -> None:
        """Keep what it knew and what is in its journal beyond that, to compare it with what the next one reads."""
        self._checks.street.died.append(self._checks.world.loop.now)
        event_store = process.worker.event_store
        if process.lanes is not None:
            event_store.garage.lanes, event_store.last_at = process.lanes, process.last_at
        if process.sitting and process.sitting.is_replaced:  # it may go on, and move its own state
            event_store = _as_it_is(event_store)
        self._before_death = event_store, list(process.disk.after(process.applied))

    def put_back(self, process: "WorkerProcess", length: int) -> None:
        """The journal of a dead worker has only ``length`` rows now, as it had once. What was known of a stay beyond
        that is forgotten, and nothing of it can be held against the next worker."""
        assert self._before_death
        known, lost = self._before_death
        self._before_death = None
        known.read(lost)
        garage, old = known.garage, EventStore(known.garage.rules, process.disk, lambda _: b"")  # type: ignore[arg-type]
        old.read(process.disk.replay())
        stays, olds = garage.stays, old.garage.stays
        changed = {s for s in {*stays, *olds} if stays.get(s) != olds.get(s)}
        was, now = known.resting_stays, old.resting_stays
        changed |= {s for s in self._checks.stays if was.row_of(s) != now.row_of(s)}  # they had left memory
        self._checks.forgotten |= changed
        self._checks.street.put_back(length, dict.fromkeys(changed))
        for session in changed:
            self._checks.stays.pop(session, None)
            self._checks.left.pop(session, None)
        self._checks.lanes.clear()

    def replayed(self, worker: WorkerRole) -> None:
        """I5: a worker knows just what the one before it knew, and what that one committed as it died."""
        if self._before_death is None:
            return
        event_store, lost = self._before_death
        self._before_death = None
        event_store.read(lost)
        ours, others = worker.event_store.garage, event_store.garage
        if by := worker.event_store.last_at - event_store.last_at:  # one of them has turned its state to another clock
            others.lanes, others.stays = turned(others.lanes, by), turned(others.stays, by)
        for session in sorted({*ours.stays, *others.stays}):
            one, other = ours.stays.get(session), others.stays.get(session)
            if one and other is None:  # it comes back for the fact that is about to be written
                other = event_store.find(session, self._checks.world.worker.disk.at)
            if one != other:
                self._wrong(f"I5: the journal tells otherwise of stay {session}")
        self._same_lanes(others, ours)

    def whole_story(self, process: "WorkerProcess", stays: dict[str, Stay]) -> None:
        """I5: every fact from the first on, with nothing skipped, gives the same state. Stays that were put away are
        not there for facts about all of them, such as a journal that was put back."""
        garage = process.worker.event_store.garage
        story = Garage(garage.rules)
        resting: dict[str, Stay] = {}
        last_at = 0
        for row in process.disk.replay():
            if row.kind == SHELVED:
                for stay in msgspec.json.decode(row.data, type=list[Stay]):
                    resting[stay.session] = story.stays.pop(stay.session)
            elif row.kind == RECALLED:
                session = msgspec.json.decode(row.data, type=Stay).session
                story.stays[session] = resting.pop(session)
            if kind := EVENTS.get(row.kind):
                event = msgspec.json.decode(row.data, type=kind)
                if by := turn_of(event, last_at):
                    story.lanes, story.stays = turned(story.lanes, by), turned(story.stays, by)
                last_at = event.at if by else max(last_at, event.at)
                story.apply(step(story, event))
        told = resting | story.stays
        for session in sorted({*stays, *told}):
            one, other = stays.get(session), told.get(session)
            if one is None:  # written as a worker died, put away by the next one's first row
                one = process.worker.event_store.find(session, process.disk.at)
            if one is None or other is None or _bare(one) != _bare(other):
                self._wrong(f"I5: the whole journal tells otherwise of stay {session}")
        self._same_lanes(story, replace(garage, lanes=process.lanes or garage.lanes))

    def _same_lanes(self, one: Garage, other: Garage) -> None:
        for name in {*one.lanes, *other.lanes}:
            if one.lanes.get(name, Lane(name)) != other.lanes.get(name, Lane(name)):
                self._wrong(f"I5: the journal tells otherwise of lane {name}")
