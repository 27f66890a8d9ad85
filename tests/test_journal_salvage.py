"""A sector of a journal is lost, wherever it lies: a start ends, and what can still be read goes on."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terminal.journal.kinds import CHECKPOINT, DONE, INTENT, REFUSED, REPAIRED
from terminal.journal.reading import read
from terminal.journal.rows import GENESIS, Row, seal
from terminal.journal.side_files import salvage
from terminal.roles.barrier.spent_lifts import MISTRUST_MS, BarrierJournal
from tests.support.barrier_journal import spent, written
from tests.support.evening import BALLAST, a_ledger, a_store, an_evening, filled, told, unsettled
from tests.support.journal_files import copy_of
from tests.support.story import T0

SECTOR = 512
SELECT = "SELECT seq, at_ms, kind, data, crc FROM entry"


def sectors(path: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    """A copy of the journal for each of its sectors, with that one zeroed."""
    whole = path.read_bytes()
    for at in range(0, len(whole), SECTOR):
        if any(whole[at : at + SECTOR]):
            copy = copy_of(path, folder / str(at))
            copy.write_bytes(whole[:at] + bytes(SECTOR) + whole[at + SECTOR :])
            yield at, copy
            shutil.rmtree(copy.parent)


def intact(damaged: Path, last: int) -> list[Row]:
    """What SQLite finds when it is asked for each row by its number, and fits its checksum."""
    rows = []
    with contextlib.closing(sqlite3.connect(damaged)) as db:
        for seq in range(1, last + 1):
            with contextlib.suppress(sqlite3.Error, TypeError):
                number, at_ms, kind, data, crc = db.execute(f"{SELECT} WHERE seq = ?", (seq,)).fetchone()
                if crc == seal(GENESIS, number, at_ms, kind, data)[0]:
                    rows.append(Row(number, at_ms, kind, data))
    return rows


def saved(damaged: Path, rows: list[Row], whole: bytes) -> list[Row]:
    """What the salvage finds: in order, nothing that never was, and all that anybody can find."""
    found = list(salvage(damaged))
    assert [row for row in rows if row in found] == found
    assert set(intact(damaged, len(rows))) <= set(found)
    if damaged.read_bytes()[4096:] == whole[4096:]:
        assert found == rows, "the first page holds none"
    return found


@pytest.mark.fault("zeroed-sector")
async def test_whichever_sector_is_zeroed_the_worker_starts_keeps_what_is_intact_and_lifts_nothing_by_itself(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.db"
    _, facts = told(an_evening, "exit-1", "exit-2")
    state = await filled(path, facts, rows=25)
    rows, tried, repaired = list(read(path)), 0, 0
    for at, copy in sectors(path, tmp_path):
        tried += 1
        there = saved(copy, rows, path.read_bytes())
        with a_store(copy) as store:
            event_store = a_ledger(store)
            event_store.replay()
            kept = [(row.kind, row.data) for row in store.replay()]
            if not store.damaged:
                assert event_store.garage == state, at
                continue
            repaired += 1
            if event_store.in_doubt:
                lost = min({row.seq for row in rows} - {row.seq for row in there}, default=len(rows) + 1)
                assert kept[:-1] == [(row.kind, row.data) for row in there if row.seq < lost], at
                assert not any(unsettled(stay) for stay in event_store.garage.stays.values()), at
            else:
                assert event_store.garage == state, at
                assert [row for row in kept if row[0] != REPAIRED] == [(row.kind, row.data) for row in there], at
        with a_store(copy) as store:
            a_ledger(store).replay()
            assert store.damaged == "", f"{at}: what was repaired is whole"
    assert tried > 50
    assert repaired > 40


@pytest.mark.fault("zeroed-sector")
async def test_a_page_whose_numbers_run_backwards_ends_the_salvage_all_the_same(tmp_path: Path) -> None:
    """As after zeroed cells; by hand, so that it does not hang on where SQLite puts a row."""
    path = tmp_path / "j.db"
    with a_store(path) as store:
        for n in range(60):
            store.journal.append_now([("fact", b"%d" % n * 40)], n)
    file = bytearray(path.read_bytes())
    page = file.index(b"fact" + b"30" * 40) // 4096 * 4096
    cells = int.from_bytes(file[page + 3 : page + 5], "big")
    pointers = [file[page + 8 + 2 * n : page + 10 + 2 * n] for n in range(cells)]
    file[page + 8 : page + 8 + 2 * cells] = b"".join(reversed(pointers))  # a leaf's rows in the wrong order
    path.write_bytes(file)
    numbers = [row.seq for row in salvage(path)]
    assert numbers == sorted(set(numbers))
    assert 60 in numbers
    with a_store(path) as store:
        a_ledger(store).replay()
        assert store.damaged


@pytest.mark.fault("zeroed-sector")
def test_a_lost_first_page_loses_nothing_of_what_is_in_the_log_either(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with a_store(path, fold_after=1000) as store:
        store.journal.append_now([("fact", b"%d" % n * 60) for n in range(200)], 1)
    with a_store(path, fold_after=1000) as store:
        store.journal.append_now([("fact", b"in the log")], 1)
        copy, rows = copy_of(path, tmp_path / "killed"), list(read(path))
    copy.write_bytes(bytes(4096) + copy.read_bytes()[4096:])
    assert list(salvage(copy)) == rows
    with a_store(copy) as store:
        assert store.damaged.endswith("Z") and "nothing is in doubt" in store.damaged
        assert list(store.replay()) == rows
    assert not list(copy.parent.glob("*.salvage*"))


def test_a_head_that_names_a_row_without_end_does_not_hold_up_the_salvage(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with a_store(path) as store:
        store.journal.append_now([("fact", b"%d" % n * 60) for n in range(200)], 1)
        store.journal._head.write(1 << 62, bytes(16))
    whole = path.read_bytes()
    root = int.from_bytes(whole[28:32], "big") and 4096  # the table's root is its second page
    path.write_bytes(whole[:root] + bytes(4096) + whole[root + 4096 :])
    assert list(salvage(path)) == []


@pytest.mark.fault("zeroed-sector")
def test_whichever_sector_is_zeroed_the_barrier_starts_knows_all_that_can_be_read_and_waits_a_minute(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "barrier.db")
    with BarrierJournal.open(path, T0, ballast_bytes=BALLAST) as book:
        before = spent(book)
    rows, damaged = list(read(path)), 0
    for at, copy in sectors(path, tmp_path):
        there = saved(copy, rows, path.read_bytes())
        with BarrierJournal.open(copy, T0 + 1000, ballast_bytes=BALLAST) as book:
            kept = [(row.kind, row.data) for row in book.journal.replay()]
            assert [row for row in kept if row[0] != REPAIRED] == [(row.kind, row.data) for row in there], at
            if not book.damaged:
                assert spent(book) == before
                continue
            damaged += 1
            aside = next(copy.parent.glob("*.damaged-*Z"))
            assert book.damaged.endswith(f"it is kept as {aside.name}")
        with BarrierJournal.open(copy, T0 + 999 + MISTRUST_MS, ballast_bytes=BALLAST) as book:
            assert bool(book.damaged) == (len(there) < len(rows)), "a start in that minute knows it too"
        with BarrierJournal.open(copy, T0 + 1000 + MISTRUST_MS, ballast_bytes=BALLAST) as book:
            assert book.damaged == ""
    assert damaged > 30


# What lies beside it


Change = Callable[[Path, Path], object]
HEADS: dict[str, tuple[Change, str]] = {
    "missing": (lambda head, _: head.unlink(), "whole"),
    "empty": (lambda head, _: head.write_bytes(b""), "whole"),
    "garbage": (lambda head, _: head.write_bytes(b"\xff" * 36), "whole"),
    "cut short": (lambda head, _: head.write_bytes(head.read_bytes()[:20]), "whole"),
    "older": (lambda head, other: shutil.copy(other / "older.head", head), "whole"),
    "newer": (lambda head, other: shutil.copy(other / "newer.head", head), "in doubt"),
    "another journal's": (lambda head, other: shutil.copy(other / "another.head", head), "in doubt"),
}


@pytest.mark.fault("journal-damaged")
@pytest.mark.parametrize("kind", HEADS)
async def test_what_a_head_that_disagrees_with_its_journal_leads_to(tmp_path: Path, kind: str) -> None:
    """The head is written without a flush, so an older one or none is not damage; the row that it names must be
    there."""
    change, outcome = HEADS[kind]
    path, others = tmp_path / "j.db", tmp_path / "others"
    others.mkdir()
    _, facts = told(an_evening, "exit-1", "exit-2")
    await filled(path, facts[:12], rows=1000)
    shutil.copy(f"{path}.head", others / "older.head")
    with a_store(path) as store:
        event_store = a_ledger(store, rows=1000)
        event_store.replay()
        for fact in facts[12:]:
            await event_store.take(fact)
    state, last = event_store.garage, max(row.seq for row in read(path))
    copy = copy_of(path, others / "copy")
    with a_store(copy) as store:
        store.journal.append_now([("OrderReported", b"lost")], T0)
    shutil.copy(f"{copy}.head", others / "newer.head")
    with a_store(others / "k.db") as store:
        store.journal.append_now([("fact", b"")] * (last - 3), T0)
    shutil.copy(others / "k.db.head", others / "another.head")

    change(Path(f"{path}.head"), others)
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        if outcome == "whole":
            assert (store.damaged, event_store.garage, event_store.in_doubt) == ("", state, False)
        else:
            assert "what came after it is in doubt" in store.damaged
            assert event_store.in_doubt
            assert not any(unsettled(stay) for stay in event_store.garage.stays.values())


@pytest.mark.fault("journal-damaged")
async def test_a_damage_whose_head_is_lost_too_is_in_doubt_though_what_is_there_holds_together(tmp_path: Path) -> None:
    """Nobody can say that the last row is the last one."""
    path = tmp_path / "j.db"
    _, facts = told(an_evening, "exit-1", "exit-2")
    await filled(path, facts, rows=25)
    rows = list(read(path))
    file = bytearray(path.read_bytes())
    file[file.index(rows[0].data) + 5] ^= 1
    path.write_bytes(file)
    assert max(row.seq for row in rows if row.kind == CHECKPOINT) > 1
    Path(f"{path}.head").unlink()
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        assert event_store.in_doubt


def test_the_kinds_of_a_barriers_rows_are_those_of_its_readers(tmp_path: Path) -> None:
    path = written(tmp_path / "barrier.db")
    assert {row.kind for row in read(path)} == {INTENT, DONE, REFUSED}
