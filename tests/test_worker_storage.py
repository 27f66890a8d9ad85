"""The worker's journal when the disk is full, a write fails, or bytes were flipped: nothing is acknowledged that is
not there, and what is there goes on.
"""

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from terminal.core import events as e
from terminal.core import model
from terminal.core.model import OPEN, Stay
from terminal.core.retention import slim
from terminal.core.rules import Garage
from terminal.eventstore.store import EventStore
from terminal.journal.kinds import CHECKPOINT
from terminal.journal.reading import read
from terminal.journal.repair import finish
from terminal.journal.rows import JournalDamaged, JournalFailed, JournalFull
from terminal.roles.worker.journal_keeper import WorkerJournal
from tests.support.evening import (
    a_ledger,
    a_store,
    a_store_over,
    an_evening,
    filled,
    full_while,
    told,
    unsettled,
    visit,
)
from tests.support.journal_files import copy_of, flip
from tests.support.journal_kinds import JournalKind, WhenItFails
from tests.support.story import Story, an_id


@pytest.mark.fault("disk-full")
async def test_on_a_full_disk_the_reserve_is_given_up_and_a_person_can_be_told(tmp_path: Path) -> None:
    path, news = tmp_path / "j.db", []
    a_store(path).close()
    with a_store(path, connect=full_while(tmp_path / "j.db.ballast")) as store:
        store.on_full = lambda: news.append("full")
        assert not store.is_full
        store.note([("fact", b"noted")], 1)
        assert await store.append([("fact", b"1")], 1) == 2
        assert (store.is_full, news) == (True, ["full"])
        assert await store.append([("fact", b"2")], 1) == 3
        assert [row.data for row in store.replay()] == [b"noted", b"1", b"2"]
        assert store.room_again() and not store.is_full


@pytest.mark.fault("disk-full")
async def test_when_the_reserve_is_used_up_nothing_is_acknowledged_and_the_next_start_is_clean(tmp_path: Path) -> None:
    path, never = tmp_path / "j.db", tmp_path / "full"
    story, facts = told(lambda story: story.shows_qr() and None)  # type: ignore[func-returns-value]
    await filled(path, facts)
    never.touch()
    with a_store(path, connect=full_while(never)) as store:
        event_store = a_ledger(store)
        event_store.replay()
        paid = e.OrderReported(story.at, story.order().no, "PAID", 2000, model.PaymentProof("{}", ""), "1317")
        with pytest.raises(JournalFull):
            await event_store.take(paid)
        assert event_store.garage == story.garage
    assert not (tmp_path / "j.db.ballast").exists()
    never.unlink()
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        assert event_store.garage == story.garage
        await event_store.take(paid)
        assert event_store.garage.stays[paid_session(story)].payments[0].holder == "lift"


def paid_session(story: Story) -> str:
    return story.stay().session


def test_what_was_only_seen_is_written_when_the_worker_stops(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with a_store(path) as store:
        store.note([("BoomSeen", b"{}")], 1)
    assert [row.kind for row in read(path)] == ["BoomSeen"]


# Writes that fail


@pytest.mark.fault("torn-write")
@pytest.mark.parametrize("when", ["before", "after"])
async def test_whichever_write_fails_the_worker_stops_starts_clean_and_the_outcome_is_the_same(
    journals: JournalKind, when: WhenItFails
) -> None:
    """What was not acknowledged is told again, as its sender does; and loops and barrier say again how things are."""
    undisturbed, facts = told(lambda story: visit(story, "a"))
    wanted = outcome(undisturbed.garage)
    n = failures = 0
    while True:
        n += 1
        place = journals.another()
        place.open().close()
        with a_store_over(place.failing(n, when)) as store:
            event_store = a_ledger(store)
            event_store.replay()
            failed = await all_told(event_store, facts)
        if failed is None:
            break
        failures += 1
        with a_store_over(place.open()) as store:
            event_store = a_ledger(store)
            event_store.replay()
            at = facts[failed].at
            await event_store.take(e.Started(at, "1"))
            for live in how_things_are(facts[:failed]):
                await event_store.take(live)
            assert await all_told(event_store, facts[failed:]) is None
            assert outcome(event_store.garage) == wanted, f"write {n} failed {when} its flush"
            again = a_ledger(store)
            again.replay()
            assert outcome(again.garage) == wanted
    assert failures >= 4


async def all_told(event_store: EventStore, facts: Sequence[e.Event]) -> int | None:
    """The number of the fact that could not be journaled, None when all were."""
    for number, fact in enumerate(facts):
        try:
            await event_store.take(fact)
        except JournalFailed:
            return number
    return None


def how_things_are(facts: Sequence[e.Event]) -> list[e.Event]:
    last: dict[type[e.Event], e.Event] = {type(f): f for f in facts if isinstance(f, e.BoomSeen | e.VehicleSeen)}
    return list(last.values())


def outcome(garage: Garage) -> list[tuple[object, ...]]:
    return [
        (
            stay.session,
            [(o.no, o.stage) for o in stay.orders],
            [(p.order_no, p.holder, p.grant) for p in stay.payments],
            stay.lifts,
            stay.left,
            stay.refunds,
        )
        for stay in garage.stays.values()
    ]


@pytest.mark.fault("journal-damaged")
async def test_whichever_row_is_damaged_nothing_lifts_by_itself_and_no_order_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    story, facts = told(an_evening, "exit-1", "exit-2")
    state = await filled(path, facts, rows=25)
    rows = list(read(path))
    last_checkpoint = max(row.seq for row in rows if row.kind == CHECKPOINT)
    placed = {o.no for stay in story.garage.stays.values() for o in stay.orders}
    assert 10 < last_checkpoint < len(rows) - 3
    whole = path.read_bytes()
    for row in rows:
        copy = copy_of(path, tmp_path / f"row {row.seq}")
        start = row.data[:300]  # the rest of a long one lies on other pages
        flip(copy, whole.index(start) + len(start) // 2)
        with a_store(copy) as store:
            event_store = a_ledger(store)
            event_store.replay()
            assert f"row {row.seq}" in store.damaged
            stays = event_store.garage.stays.values()
            if row.seq < last_checkpoint:
                assert "nothing is in doubt" in store.damaged
                assert (event_store.garage, event_store.in_doubt) == (state, False)
            else:
                assert event_store.in_doubt
                assert not any(unsettled(stay) for stay in stays)
                known = {o.no for stay in stays for o in stay.orders}
                shelved = {o.no for s in story.garage.stays if (f := found(event_store, store, s)) for o in f.orders}
                assert len(placed - known - shelved) <= 1, "but for the one whose own request was lost"
                assert all(o.stage == "closing" for stay in stays for o in stay.orders if o.stage in OPEN)
            again = a_ledger(store)
            again.replay()
            assert (again.garage, again.in_doubt) == (event_store.garage, event_store.in_doubt)
        with a_store(copy) as store:
            assert store.damaged == ""
            a_ledger(store).replay()
            assert store.damaged == "", "what was repaired is whole"
        assert len(list(copy.parent.glob("*.damaged-*Z"))) == 1


def found(event_store: EventStore, store: WorkerJournal, session: str) -> Stay | None:
    rows = {row.seq: row.data for row in store.journal.replay()}
    return event_store.find(session, rows.get)


@pytest.mark.fault("journal-damaged", "torn-write")
async def test_a_lost_tail_puts_in_doubt_what_was_open(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    _, facts = told(an_evening, "exit-1", "exit-2")
    await filled(path, facts)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)")
    db.close()
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        assert "was acknowledged; what came after it is in doubt" in store.damaged
        assert event_store.in_doubt


@pytest.mark.parametrize("content", [b"no database at all " * 400, b"", b"SQLite format 3\x00" + b"\xff" * 9000])
async def test_a_file_that_is_no_journal_any_more_begins_anew_in_doubt(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j.db"
    _, facts = told(an_evening, "exit-1", "exit-2")
    await filled(path, facts)
    path.write_bytes(content)
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        assert (event_store.garage.stays, event_store.in_doubt) == ({}, True)
        assert [row.kind for row in store.replay()] == ["Damaged"]


async def test_an_order_that_only_the_rest_of_the_journal_names_is_closed_as_it_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    story, facts = told(an_evening, "exit-1", "exit-2")
    await filled(path, facts, rows=1000)
    ticket = next(f for f in facts if isinstance(f, e.TicketRead) and f.fee.session == an_id("stay", "looking"))
    data = next(row.data for row in read(path) if ticket.fee.id.encode() in row.data)
    flip(path, path.read_bytes().index(data) + 9)
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
    order = event_store.garage.stays[an_id("stay", "looking")].orders[0]
    asked = story.order("looking")
    assert (order.no, order.lane, order.amount, order.payby_expires, order.stage, order.doubtful) == (
        asked.no, "exit-1", asked.amount, asked.payby_expires, "closing", True,
    )  # fmt: skip


async def test_what_is_on_the_shelf_is_found_after_a_repair(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    story, facts = told(an_evening, "exit-1", "exit-2")
    await filled(path, facts)
    first = next(iter(read(path)))
    flip(path, path.read_bytes().index(first.data) + 5)
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        for n in range(3):
            stay = found(event_store, store, an_id("stay", f"s{n}"))
            assert stay and slim(stay) == slim(story.stay(f"s{n}"))


async def test_a_repair_that_was_cut_off_is_ended_by_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "whole" / "j.db"
    path.parent.mkdir()
    _, facts = told(an_evening, "exit-1", "exit-2")
    state = await filled(path, facts)
    for name, there in (("before it was complete", True), ("after the damaged one was moved", False)):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(path, folder / "j.db.new")
        if there:
            shutil.copy(path, folder / "j.db")
        (folder / "j.db-wal").write_bytes(b"of the damaged one" * 100 if not there else b"")
        with a_store(folder / "j.db") as store:
            event_store = a_ledger(store)
            event_store.replay()
            assert (event_store.garage, store.damaged) == (state, "")
        assert not (folder / "j.db.new").exists()


def test_where_nothing_was_cut_off_nothing_is_ended(tmp_path: Path) -> None:
    finish(tmp_path / "j.db")
    assert list(tmp_path.iterdir()) == []


async def test_a_shelved_stay_whose_row_was_damaged_while_it_ran_stops_the_worker(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    story, facts = told(an_evening, "exit-1", "exit-2")
    await filled(path, facts)
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        row = event_store.resting_stays.row_of(an_id("stay", "s0"))
        data = next(r.data for r in read(path) if r.seq == row)
        flip(path, path.read_bytes().index(data) + 20)
        order = story.order("s0")
        command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "o", story.at + 1, order_no=order.no)
        with pytest.raises(JournalDamaged):
            await event_store.take(command)
