"""What watches the worker's journal: old rows go into the archive, PayBy's list is read after a damage, and a person
hears of it.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from terminal.contract.messages import Alert
from terminal.core import events as e
from terminal.core.ids import derived_id, lift_id
from terminal.core.model import ParkingFee, Rules, Stay
from terminal.journal.archive import read_all
from terminal.journal.kinds import CHECKPOINT, GONE
from terminal.journal.reading import read, row
from terminal.journal.rows import JournalFull
from terminal.payby.errors import OutcomeUnknown, Unauthorised
from terminal.roles.worker.journal_keeper import WorkerJournal
from terminal.tools.reconcile.journals import read_worker
from tests.bench.journal import LANE, a_ledger, connect, visit
from tests.support.evening import full_while
from tests.support.eventually import eventually
from tests.support.journal_keeper import VISITS, Nobody, a_keeper
from tests.support.lifts import GARAGE
from tests.support.memory_bus import MemoryBus
from tests.support.story import T0


async def months(path: Path, **options: Any) -> WorkerJournal:
    """A store after many visits; the last one's order is still told by its lane."""
    store = WorkerJournal.open(path, lambda: T0, **{"connect": connect, **options})
    event_store = a_ledger(store)
    event_store.replay()
    await event_store.take(e.BoomSeen(T0, LANE, "down"))
    for number in range(VISITS):
        await visit(event_store, number)
    return store


def session(number: int) -> str:
    return derived_id(T0 + number * 45_000, "stay", str(number))


async def test_old_rows_go_into_the_archive_and_the_state_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with await months(path) as store:
        before = a_ledger(store)
        rows = before.replay()
        event_store = a_ledger(store)
        event_store.replay()
        keeper = a_keeper(store, event_store, MemoryBus(), keep_ms=60 * 45_000)
        moved = await keeper.prune()
        assert 5_000 <= moved < rows
        assert await keeper.prune() == 0, "there is nothing more to do"
        after = a_ledger(store)
        assert after.replay() == rows - moved + 1  # the row that tells what is gone
        assert next(iter(read(path))).kind == CHECKPOINT
        assert (after.garage, after.words) == (before.garage, before.words)
        fetch = fetching(path)
        assert after.find(session(0), fetch) == event_store.find(session(0), fetch) == Stay(session(0), left=0)
        kept = after.find(session(VISITS - 30), fetch)
        assert kept and kept.left and kept == before.find(session(VISITS - 30), fetch)
        assert after.find("nobody's", fetch) is None
        at = T0 + VISITS * 45_000
        fee = ParkingFee(derived_id(at, "fee"), session(0), "t", 2000, "due", 90, None)
        await after.take(e.TicketRead(at, LANE, fee))
        notice = after.garage.lanes[LANE].notice
        assert notice and notice.reason == "ticket-used"


def fetching(path: Path) -> Callable[[int], bytes | None]:
    def fetch(seq: int) -> bytes | None:
        found = row(path, seq)
        return found.data if found else None

    return fetch


async def test_reports_read_the_archive_and_the_journal_as_one(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with await months(path) as store:
        whole = read_worker(read(path), Rules("marina"))
        event_store = a_ledger(store)
        event_store.replay()
        await a_keeper(store, event_store, MemoryBus(), keep_ms=60 * 45_000).prune()
    both, rest = read_worker(read_all(path), Rules("marina")), read_worker(read(path), Rules("marina"))
    assert (both.orders, both.paid, both.raised, both.whole) == (whole.orders, whole.paid, whole.raised, True)
    assert not rest.whole and rest.orders
    assert rest.orders.items() <= whole.orders.items()
    assert {no: p.paid_ms for no, p in rest.paid.items()}.items() <= {
        n: p.paid_ms for n, p in whole.paid.items()
    }.items()


async def test_on_a_full_disk_nothing_is_pruned_and_nothing_stops(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    (await months(path)).close()
    full = tmp_path / "full"
    with WorkerJournal.open(path, lambda: T0, connect=full_while(full)) as store:
        event_store = a_ledger(store)
        event_store.replay()
        full.touch()
        assert await a_keeper(store, event_store, MemoryBus(), keep_ms=0).prune() == 0
        assert event_store.pruned == 0
        with pytest.raises(JournalFull):
            store.journal.ballast.release()
            await store.append([("fact", b"")], T0)
        full.unlink()
        assert await a_keeper(store, event_store, MemoryBus(), keep_ms=0).prune() > 5_000
        assert GONE in {r.kind for r in store.replay()}


async def in_doubt(path: Path) -> WorkerJournal:
    with WorkerJournal.open(path, lambda: T0) as store:
        await store.append([("fact", b"")], T0)
    path.write_bytes(b"no journal any more " * 500)
    return WorkerJournal.open(path, lambda: T0)


async def test_without_paybys_list_lanes_serve_all_the_same_and_a_person_is_told(tmp_path: Path) -> None:
    bus = MemoryBus()
    refused = Unauthorised("acquire2Query/queryOrderPage", code="62037", msg="FORBIDDEN")
    unheard = OutcomeUnknown("acquire2Query/queryOrderPage", why="no answer")
    payby = Nobody(refused, unheard, refused, unheard, refused, AssertionError("it was asked once more"))
    with await in_doubt(tmp_path / "j.db") as store:
        event_store = a_ledger(store)
        event_store.replay()
        posted: list[e.Damaged] = []
        keeper = a_keeper(store, event_store, bus, payby, post=posted.append, ask_again_s=0.0)
        assert keeper.hindrance() == "journal"
        task = asyncio.create_task(keeper.run())
        await eventually(lambda: bool(posted))
        await event_store.take(posted[0])
        assert keeper.hindrance() == ""
        await eventually(lambda: ("journal-damaged", "cleared") in told(bus))
        task.cancel()
    assert told(bus) == [("journal-damaged", "raised"), ("orders-unlisted", "raised"), ("journal-damaged", "cleared")]


def told(bus: MemoryBus) -> list[tuple[str, str]]:
    return [(alert.code, alert.state) for alert in bus.of(Alert) if alert.code != "disk"]


async def test_silence_is_no_list_and_it_is_asked_again(tmp_path: Path) -> None:
    bus = MemoryBus()
    unheard = OutcomeUnknown("acquire2Query/queryOrderPage", why="no answer")
    with await in_doubt(tmp_path / "j.db") as store:
        event_store = a_ledger(store)
        event_store.replay()
        posted: list[e.Damaged] = []
        payby = Nobody(*[unheard] * 9)
        task = asyncio.create_task(a_keeper(store, event_store, bus, payby, post=posted.append, ask_again_s=0.0).run())
        await eventually(lambda: bool(posted))
        task.cancel()
    assert (payby.failures, posted[0].orders, posted[0].listed) == ([], (), True)


@pytest.mark.fault("journal-put-back")
async def test_a_journal_that_turns_out_to_be_put_back_while_lanes_are_served_is_in_doubt_until_payby_gave_its_list(
    tmp_path: Path,
) -> None:
    bus = MemoryBus()
    with WorkerJournal.open(tmp_path / "j.db", lambda: T0, connect=connect) as store:
        event_store = a_ledger(store)
        posted: list[e.Damaged] = []
        keeper = a_keeper(store, event_store, bus, post=posted.append)
        task = asyncio.create_task(keeper.run())
        await event_store.take(e.BoomSeen(T0, LANE, "down"))
        for number in (1, 2):  # it is put back once more
            lift = lift_id(T0 + number, "", GARAGE, LANE, str(number))
            await event_store.take(e.BoomSeen(T0 + number, LANE, "down", lift))
            assert keeper.hindrance() == "journal"
            await eventually(lambda number=number: len(posted) == number)  # type: ignore[misc]
            await event_store.take(posted[-1])
            assert keeper.hindrance() == ""
            await eventually(lambda number=number: told(bus).count(("journal-damaged", "cleared")) == number)  # type: ignore[misc]
        task.cancel()
