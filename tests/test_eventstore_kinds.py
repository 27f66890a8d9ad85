"""The event store over a worker's journal of either kind, and over what a standby keeps of its rows.

The reference is a story's garage, which forgets nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from terminal.core import events as e
from terminal.core.actions import Action
from terminal.core.model import Rules
from terminal.core.retention import slim
from terminal.eventstore.kept_rows import RowsForReplay
from terminal.eventstore.store import EventStore
from terminal.journal.kinds import ASKED, CHECKPOINT, GONE, SHELVED
from terminal.journal.rows import JournalFailed, JournalFenced, Row
from terminal.roles.worker.journal_keeper import WorkerJournal
from tests.support.journal_kinds import DatabaseKind, JournalKind
from tests.support.memory_journal import MemoryJournal
from tests.support.pursuit_words import words
from tests.support.story import T0, Story, an_id


class Recorded(Story):
    """A story that keeps its events."""

    def __init__(self) -> None:
        self.events: list[e.Event] = []
        super().__init__()

    def tell(self, event: e.Event) -> list[Action]:
        self.events.append(event)
        return super().tell(event)


def told(visits: int, mention: bool = False) -> Recorded:
    """Cars that pay and leave; with ``mention`` an operator comes back to the first one's payment in the end."""
    story = Recorded()
    for n in range(visits):
        name = f"s{n}"
        story.arrives()
        story.reads(name)
        story.payby("CREATED", name)
        story.wait(5)
        story.payby("PAID", name)
        story.raises(name)
        story.wait(2)
        story.drives_through()
        story.wait(700)
    if mention:
        order = story.order("s0")
        story.tell(e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at + 1, order_no=order.no))
    return story


async def taken(event_store: EventStore, events: Sequence[e.Event]) -> None:
    for event in events:
        await event_store.take(event)


def ledger(log: Any, rows: int = 20) -> EventStore:
    return EventStore(Rules("marina"), log, words, checkpoint_rows=rows)


def same(event_store: EventStore, story: Story, at: Callable[[int], bytes | None]) -> None:
    assert event_store.garage.lanes == story.garage.lanes
    for session, stay in story.garage.stays.items():
        found = event_store.find(session, at)
        assert found and slim(found) == slim(stay)


async def test_visits_come_back_as_they_were_after_each_restart(journals: JournalKind) -> None:
    story = told(6)
    parts = [story.events[at : at + 25] for at in range(0, len(story.events), 25)]
    for part in parts:
        with WorkerJournal(journals.open(), lambda: T0) as log:
            event_store = ledger(log)
            event_store.replay()
            await taken(event_store, part)
    with WorkerJournal(journals.open(), lambda: T0) as log:
        again = ledger(log)
        again.replay()
        history = journals.history()
        rows = list(history.read())
        assert {SHELVED, CHECKPOINT} <= {row.kind for row in rows}
        same(again, story, lambda seq: rows[seq - 1].data)


async def test_what_was_only_seen_is_written_when_the_worker_stops(journals: JournalKind) -> None:
    with WorkerJournal(journals.open(), lambda: T0) as log:
        event_store = ledger(log)
        await event_store.take(e.VehicleSeen(T0, "exit-1", True, an_id("car"), False))
        assert list(log.replay()) == []
    with WorkerJournal(journals.open(), lambda: T0) as log:
        assert [row.kind for row in log.replay()] == ["VehicleSeen"]


async def test_a_stay_on_the_shelf_is_fetched_from_its_row(journals: JournalKind) -> None:
    story = told(3)
    with WorkerJournal(journals.open(), lambda: T0) as log:
        event_store = ledger(log)
        await taken(event_store, story.events)
        session = an_id("stay", "s0")
        assert session not in event_store.garage.stays
        order = story.order("s0")
        await event_store.take(
            e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at + 1, order_no=order.no)
        )
        assert event_store.garage.stays[session].refunds


async def test_an_event_of_one_who_was_replaced_moves_nothing(journals: JournalKind) -> None:
    if not isinstance(journals, DatabaseKind):
        return  # a file's lock keeps others off
    story = told(1)
    with WorkerJournal(journals.open(), lambda: T0) as old:
        event_store = ledger(old)
        await taken(event_store, story.events[:3])
        before, words_before = dict(event_store.garage.lanes), dict(event_store.words)
        with journals.steal(), pytest.raises((JournalFenced, JournalFailed)):
            await taken(event_store, story.events[3:])
        assert event_store.garage.lanes.keys() == before.keys()
        assert event_store.words == words_before


# What a standby keeps


@pytest.mark.parametrize("checkpoint_rows", [5, 20, 60, 10_000])
async def test_a_replay_of_what_a_standby_keeps_comes_to_the_same_state_after_any_row(checkpoint_rows: int) -> None:
    story, memory = told(5, mention=True), MemoryJournal()
    event_store = ledger(memory, checkpoint_rows)
    await taken(event_store, story.events)
    rows = [row for at, row in enumerate(memory.rows) for row in _with_reading(at, row)]
    rows = [row._replace(seq=seq) for seq, row in enumerate(rows, 1)]
    kept = RowsForReplay((ASKED,))
    for count, row in enumerate(rows, 1):
        kept.take(row)
        if count % 7 == 0 or count == len(rows):
            assert state(kept.rows()) == state(rows[:count]), count


def _with_reading(at: int, row: Row) -> list[Row]:
    """Now and then a row that somebody hears beside the events."""
    return [row, Row(0, row.at_ms, ASKED, b"%d" % at)] if at % 11 == 3 else [row]


async def test_what_a_standby_keeps_of_a_journal_that_was_pruned_comes_to_the_same_state() -> None:
    story, memory = told(6), MemoryJournal()
    event_store = ledger(memory, 20)
    await taken(event_store, story.events)
    through = max(row.seq for row in memory.rows if row.kind == CHECKPOINT) - 1
    gone = event_store.resting_stays.gone(through)
    rows = [row for row in memory.rows if row.seq > through]
    rows.append(Row(rows[-1].seq + 1, 0, GONE, gone))
    kept = RowsForReplay()
    for row in rows:
        kept.take(row)
    assert state(kept.rows()) == state(rows)


async def test_a_standby_keeps_little_of_what_is_behind_the_last_checkpoint() -> None:
    story, memory = told(8), MemoryJournal()
    await taken(ledger(memory, 20), story.events)
    kept = RowsForReplay()
    for row in memory.rows:
        kept.take(row)
    found = list(kept.rows())
    last = max(row.seq for row in memory.rows if row.kind == CHECKPOINT)
    behind = [row for row in found if row.seq < last]
    assert sum(len(row.data) for row in behind) < sum(len(r.data) for r in memory.rows if r.seq < last) / 20
    assert [row for row in found if row.seq >= last] == [row for row in memory.rows if row.seq >= last]


def state(rows: Any) -> tuple[object, ...]:
    """All that a replay of rows gives."""
    heard: list[bytes] = []

    class Replayed(MemoryJournal):
        def replay(self) -> list[Row]:
            return list(rows)

    event_store = EventStore(Rules("marina"), Replayed(), words, aside={ASKED: heard.append})
    event_store.replay()
    resting = {
        session: event_store.resting_stays.row_of(session) for session in (an_id("stay", f"s{n}") for n in range(8))
    }
    return (
        event_store.garage.lanes, event_store.garage.stays, event_store.words, event_store.last_at, resting, heard,
        event_store.pruned, event_store.unlisted, event_store.unread,
    )  # fmt: skip
