"""A journal whose path no longer names the open file: it is noticed, and what is written is copied out."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal.contract.messages import Alert
from terminal.journal.displaced import Displaced
from terminal.journal.journal import Journal
from terminal.journal.reading import read
from terminal.journal.rows import JournalDamaged
from terminal.roles.barrier.spent_lifts import BarrierJournal
from tests.bench.journal import a_ledger
from tests.support.barrier_lane import open_book, serving
from tests.support.evening import BALLAST, a_store
from tests.support.eventually import eventually
from tests.support.journal_files import copy_of, watching
from tests.support.journal_keeper import a_keeper
from tests.support.lifts import NOW, lift, raised
from tests.support.memory_bus import MemoryBus
from tests.support.story import T0

Taken = Callable[[Path, Path], object]


def put_back(path: Path, spare: Path) -> None:
    """From a copy, with its head, as `cp --remove-destination` does."""
    for suffix in ("", ".head"):
        shutil.copy(f"{path}{suffix}", spare)
        Path(f"{path}{suffix}").unlink()
        shutil.copy(spare / f"{path.name}{suffix}", f"{path}{suffix}")


TAKEN: dict[str, tuple[Taken, str]] = {
    "its file deleted": (lambda path, _: path.unlink(), "j.db was deleted"),
    "its log deleted": (lambda path, _: Path(f"{path}-wal").unlink(), "j.db-wal was deleted"),
    "its head deleted": (lambda path, _: Path(f"{path}.head").unlink(), "j.db.head was deleted"),
    "its folder deleted": (lambda path, _: shutil.rmtree(path.parent), "j.db was deleted"),
    "its folder moved": (lambda path, spare: path.parent.rename(spare / "moved"), "j.db was deleted"),
    "put back from a copy": (put_back, "j.db was replaced"),
}


@pytest.mark.fault("journal-replaced")
@pytest.mark.parametrize("how", TAKEN)
def test_however_it_is_taken_away_all_that_was_written_is_copied_and_the_copy_follows(tmp_path: Path, how: str) -> None:
    take, told = TAKEN[how]
    path, watch, spare = tmp_path / "card" / "j.db", Displaced(), tmp_path / "spare"
    path.parent.mkdir()
    spare.mkdir()
    with a_store(path) as store:
        store.journal.append_now([("fact", b"before")], T0)
        assert watch.look(store.journal, T0) == ""
        take(path, spare)
        text = watch.look(store.journal, T0)
        copy = watch.target
        assert copy is not None and copy.parent in (path.parent, tmp_path)
        assert text == f"{path.parent}/{told} while it was in use; what was written is copied to {copy}"
        assert [row.data for row in read(copy)] == [b"before"]
        store.journal.append_now([("fact", b"after")], T0)
        assert (watch.look(store.journal, T0 + 5000), watch.target) == (text, copy)
        assert [row.data for row in read(copy)] == [b"before", b"after"]
        assert copy.stat().st_mode & 0o777 == 0o600
    with Journal.open(copy, role="worker", ballast_bytes=BALLAST) as again:
        assert [row.data for row in again.replay()] == [b"before", b"after"]


@pytest.mark.fault("journal-replaced")
def test_a_copy_that_is_written_over_it_is_told_and_what_only_reads_or_touches_it_is_not(tmp_path: Path) -> None:
    path, older = tmp_path / "j.db", tmp_path / "older.db"
    folded = threading.Event()
    with a_store(path, fold_after=3, connect=watching(folding=folded.set)) as store:
        for n in range(8):
            store.journal.append_now([("fact", b"%d" % n * 500)], T0)
            if n == 4:
                asyncio.run(store.journal.backup(older))
        assert folded.wait(10)
        assert store.journal.displaced() == ""
        store.journal.append_now([("fact", b"only in the log")], T0)
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("SELECT count(*) FROM entry").fetchone()
        os.utime(path)
        assert len(list(read(path))) == 9 and store.journal.displaced() == ""
        path.write_bytes(older.read_bytes())  # the same file, as `cp` does it
        assert store.journal.displaced() == f"{path} was overwritten"
        assert f"{path} was overwritten while it was in use" in store.look_at_place()


@pytest.mark.fault("journal-replaced")
def test_a_copy_that_is_written_over_it_soon_after_a_start_is_told_too(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with a_store(path) as store:
        store.journal.append_now([("fact", b"1")], T0)
        killed = copy_of(path, tmp_path / "killed")
    older = path.read_bytes()
    with a_store(path) as store:
        store.journal.append_now([("fact", b"2")], T0)
    folded = threading.Event()
    with a_store(path) as store:
        store.journal.append_now([("fact", b"3")], T0)
        path.write_bytes(older)
        assert store.journal.displaced() == f"{path} was overwritten"
    with a_store(killed, connect=watching(folding=folded.set)) as store:
        assert folded.wait(10)
        assert store.journal.displaced() == ""
        killed.write_bytes(b"Tariff of 2026 " * 600)
        assert store.journal.displaced() == f"{killed} was overwritten"


def test_the_last_rows_are_copied_when_the_role_ends(tmp_path: Path) -> None:
    with a_store(tmp_path / "j.db") as store:
        (tmp_path / "j.db").unlink()
        assert store.look_at_place()
        store.note([("fact", b"seen last")], T0)
    (copy,) = tmp_path.glob("j.db.rescued-*Z")
    assert [row.data for row in read(copy)] == [b"seen last"]
    assert store.journal.displaced() == ""


def test_where_nothing_can_be_copied_that_is_told_and_tried_again(tmp_path: Path) -> None:
    path, watch = tmp_path / "j.db", Displaced()
    with a_store(path) as store:
        store.journal.append_now([("fact", b"1")], T0)
        path.unlink()
        blocked = tmp_path / "j.db.rescued-20260921T140000Z"
        blocked.mkdir()
        text = watch.look(store.journal, 1_789_999_200_000)
        assert watch.target == blocked and "what was written cannot be copied (" in text
        blocked.rmdir()
        assert watch.look(store.journal, T0).endswith(f"is copied to {blocked}")
        store.journal.append_now([("fact", b"2")], T0)


def test_reading_a_row_of_a_journal_that_was_deleted_makes_no_file_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with a_store(path) as store:
        store.journal.append_now([("fact", b"kept")], T0)
        path.unlink()
        assert asyncio.run(store.fetch(1)) == b"kept"
        assert not path.exists()


def test_a_copy_of_a_damaged_journal_is_refused_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with a_store(path) as store:
        store.journal.append_now([("fact", b"1")], T0)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("UPDATE entry SET data = x'00'")
            db.commit()
        with pytest.raises(JournalDamaged):
            store.journal.copy_out(tmp_path / "copy.db")
        store.journal.append_now([("fact", b"2")], T0)


@pytest.mark.fault("journal-replaced")
async def test_the_worker_tells_it_takes_no_new_ticket_and_forgives_when_the_file_is_back(tmp_path: Path) -> None:
    bus, path = MemoryBus(), tmp_path / "j.db"
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        keeper = a_keeper(store, event_store, bus)
        task = asyncio.create_task(keeper.run())
        path.rename(tmp_path / "away.db")
        await eventually(lambda: keeper.hindrance() == "journal")
        (told,) = (alert for alert in bus.of(Alert) if alert.code == "journal-replaced")
        assert (told.severity, told.state) == ("critical", "raised")
        (tmp_path / "away.db").rename(path)
        await eventually(lambda: keeper.hindrance() == "")
        assert await keeper.prune() == 0
        task.cancel()


@pytest.mark.fault("journal-replaced")
async def test_the_barrier_tells_it_and_still_raises_once_for_each_lift(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    async with serving(book) as lane:
        (tmp_path / "barrier.db").unlink()
        alert = await lane.alerted("journal-replaced")
        assert alert.severity == "critical"
        for n in (1, 2):
            await lane.hears(lift())
            assert await lane.answers(n) == [raised(lift())] * n
        assert lane.arm.pulses == 1
    book.close()
    book.close()
    (copy,) = tmp_path.glob("barrier.db.rescued-*Z")
    with BarrierJournal.open(copy, NOW, ballast_bytes=BALLAST) as known:
        assert known.spent.outcome(lift().id) == "raised" and lift().id in known.spent.ids
