"""terminal/journal: acknowledged rows are there after every fault, and damage is reported, never read."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminal.journal.journal import Journal
from terminal.journal.reading import read
from terminal.journal.rows import (
    STEPS,
    JournalDamaged,
    JournalError,
    JournalFailed,
    JournalForeign,
    JournalFull,
    JournalLocked,
    Row,
)
from terminal.journal.side_files import move_aside, salvage
from tests.support.leash import running

NO_BALLAST = 0


def open_journal(path: Path, **options: object) -> Journal:
    return Journal.open(path, role="worker", ballast_bytes=NO_BALLAST, **options)  # type: ignore[arg-type]


def fill(path: Path, count: int = 30) -> list[Row]:
    """A closed journal with ``count`` rows, and what a replay must yield."""
    with open_journal(path) as journal:
        for n in range(1, count + 1, 10):
            rows = [("fact", f"what happened {m} ".encode() * 8) for m in range(n, min(n + 10, count + 1))]
            journal.append_now(rows, 1_000 + n)
        return list(journal.replay())


def replayed(path: Path) -> list[Row]:
    with open_journal(path) as journal:
        return list(journal.replay())


def copy_of(journal: Path, folder: Path) -> Path:
    """The files of a journal as a kill -9 at this moment would leave them."""
    folder.mkdir(exist_ok=True)
    for file in journal.parent.glob(journal.name + "*"):
        if not file.name.endswith("-shm"):  # memory, not truth
            shutil.copy(file, folder)
    return folder / journal.name


def flip(path: Path, at: int, mask: int = 0x10) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ mask]))


class Watched(sqlite3.Connection):
    """A connection whose writes a test watches: ``before`` and ``after`` run around every COMMIT, ``folding`` before
    the log is folded into the file."""

    before: Callable[[], None] = staticmethod(lambda: None)
    after: Callable[[], None] = staticmethod(lambda: None)
    folding: Callable[[], None] = staticmethod(lambda: None)

    def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA wal_checkpoint"):
            self.folding()
        if sql != "COMMIT":
            return super().execute(sql, *args)  # type: ignore[arg-type]
        self.before()
        cursor = super().execute(sql)
        self.after()
        return cursor


def watching(**hooks: Callable[[], None]) -> Callable[[str], sqlite3.Connection]:
    factory = type("Hooked", (Watched,), {name: staticmethod(hook) for name, hook in hooks.items()})
    return lambda path: sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=factory)


# What is written is there


async def test_rows_come_back_in_order_as_they_were_written(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        assert await journal.append([("fee", b"\x00\xff"), ("order", b"")], 5) == 2
        assert await journal.append([("paid", b"z" * 9000)], 4) == 3
        assert journal.last_seq == 3
        rows = [Row(1, 5, "fee", b"\x00\xff"), Row(2, 5, "order", b""), Row(3, 4, "paid", b"z" * 9000)]
        assert list(journal.replay()) == rows
    assert replayed(tmp_path / "j.db") == rows


def test_an_empty_journal_replays_nothing(tmp_path: Path) -> None:
    assert replayed(tmp_path / "j.db") == []
    assert replayed(tmp_path / "j.db") == []


WRITER = """
import sys
from pathlib import Path
from terminal.journal.journal import Journal
journal = Journal.open(Path(sys.argv[1]), role="worker", ballast_bytes=0)
for n in range(int(sys.argv[2])):
    journal.append_now([("fact", b"%d" % n)], n)
    print(n, flush=True)
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that wrote 20 rows and holds the journal open."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "j.db"), "20"]
    with running(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        for line in process.stdout:
            if line == "done\n":
                break
        yield process


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert [data for _, _, _, data in replayed(tmp_path / "j.db")] == [b"%d" % n for n in range(20)]


def test_a_second_process_is_kept_off(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    with pytest.raises(JournalLocked, match="another process"):
        open_journal(tmp_path / "j.db")
    writer.kill()
    writer.wait()
    open_journal(tmp_path / "j.db").close()


def test_another_process_may_read_while_one_writes(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    assert sum(1 for _ in read(tmp_path / "j.db")) == 20


def test_reading_makes_no_journal(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(read(tmp_path / "j.db"))
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_can_read_the_files(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db", role="worker", ballast_bytes=4096) as journal:
        journal.append_now([("fact", b"x")], 1)
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
        assert len(list(tmp_path.iterdir())) == 5


def test_a_row_costs_little_more_than_its_data(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        journal.append_now([("fact", b"d" * 200)] * 2000, 1_795_000_000_000)
    assert (tmp_path / "j.db").stat().st_size / 2000 < 200 + 64


def test_close_writes_what_was_asked_for_and_may_be_called_twice(tmp_path: Path) -> None:
    async def main() -> None:
        journal = open_journal(tmp_path / "j.db")
        waiting = [asyncio.ensure_future(journal.append([("fact", b"%d" % n)], n)) for n in range(9)]
        await asyncio.sleep(0)
        journal.close()
        journal.close()
        assert await asyncio.gather(*waiting) == list(range(1, 10))
        with pytest.raises(JournalFailed, match="closed"):
            await journal.append([("fact", b"late")], 1)

    asyncio.run(main())
    assert len(replayed(tmp_path / "j.db")) == 9


@pytest.mark.parametrize("rows", [[], [("", b"")], [("pruned", b"")], [("k" * 65, b"")], [("é", b"")], [("k", "text")]])
async def test_rows_that_could_not_be_read_back_are_refused_and_harm_nobody(tmp_path: Path, rows: list) -> None:  # type: ignore[type-arg]
    with open_journal(tmp_path / "j.db") as journal:
        with pytest.raises(ValueError, match=r"no row can be|cannot be written"):
            await journal.append(rows, 1)
        with pytest.raises(ValueError, match="cannot be written"):
            await journal.append([("fact", b"")], 1 << 63)
        assert await journal.append([("fact", b"")], 1) == 1


# Flushes


async def test_appends_that_wait_at_once_share_one_flush(tmp_path: Path) -> None:
    commits: list[int] = []
    at_disk, disk = threading.Event(), threading.Event()

    def hold() -> None:
        commits.append(1)
        at_disk.set()
        assert disk.wait(30)

    disk.set()
    with open_journal(tmp_path / "j.db", connect=watching(before=hold)) as journal:
        commits.clear()
        at_disk.clear()
        disk.clear()
        first = asyncio.ensure_future(journal.append([("fact", b"first")], 1))
        await asyncio.to_thread(at_disk.wait, 30)
        rest = [asyncio.ensure_future(journal.append([("fact", b"rest"), ("fact", b"more")], 1)) for _ in range(40)]
        await asyncio.sleep(0)  # the event loop goes on while the disk does not
        assert not any(append.done() for append in rest)
        disk.set()
        assert await first == 1
        assert await asyncio.gather(*rest) == list(range(3, 83, 2))
    assert len(commits) == 2


def test_every_commit_is_flushed_and_costs_no_more_than_that(tmp_path: Path) -> None:
    connections: list[sqlite3.Connection] = []

    def connect(path: str) -> sqlite3.Connection:
        connections.append(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
        return connections[-1]

    with open_journal(tmp_path / "j.db", connect=connect):
        told = [connections[0].execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert told == ["wal", 2]  # 2 is FULL: one flush a commit
        assert connections[0].execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)  # and no other amid an append


def test_the_log_is_folded_into_the_file_when_the_writer_is_idle(tmp_path: Path) -> None:
    folding = threading.Event()
    with open_journal(tmp_path / "j.db", connect=watching(folding=folding.set), fold_after=20) as journal:
        for n in range(20):
            journal.append_now([("fact", b"%d" % n)], n)
        assert folding.wait(10)
        journal.append_now([("fact", b"next")], 1)  # comes after the folding, in the same thread
        (tmp_path / "alone").mkdir()
        shutil.copy(tmp_path / "j.db", tmp_path / "alone")
    assert len(replayed(tmp_path / "alone" / "j.db")) == 20


def test_a_writer_that_is_never_idle_folds_the_log_all_the_same(tmp_path: Path) -> None:
    told: list[int] = []
    foldings: list[int] = []
    hooks = watching(folding=lambda: foldings.append(len(told)))
    with open_journal(tmp_path / "j.db", connect=hooks, fold_after=1) as journal:
        for n in range(40):
            told.append(journal.append_now([("fact", b"%d" % n)], n))
    assert foldings


async def test_an_append_of_a_cancelled_caller_is_written_all_the_same(tmp_path: Path) -> None:
    with open_journal(tmp_path / "j.db") as journal:
        left = asyncio.ensure_future(journal.append([("fact", b"left")], 1))
        await asyncio.sleep(0)
        left.cancel()
        await journal.append([("fact", b"stayed")], 1)
        assert [row.data for row in journal.replay()] == [b"left", b"stayed"]


# Damage


def damage_shows(path: Path, rows: list[Row]) -> bool:
    """Open and replay: either it is refused (True), or it is exactly what was written (False)."""
    try:
        assert replayed(path) == rows
    except (JournalDamaged, JournalForeign):
        return True
    return False


@pytest.mark.fault("journal-damaged")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_byte_of_the_file_is_read_as_truth(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "j.db"
    rows = list(read(path)) if path.exists() else fill(path)
    copy = copy_of(path, tmp_path / "copy")
    flip(copy, data.draw(st.integers(0, path.stat().st_size - 1)), 1 << data.draw(st.integers(0, 7)))
    damage_shows(copy, rows)
    shutil.rmtree(tmp_path / "copy")


def test_a_flipped_byte_of_any_row_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    fill(path)
    whole = path.read_bytes()
    for n in range(1, 31):
        copy = copy_of(path, tmp_path / f"copy{n}")
        flip(copy, whole.index(f"what happened {n} ".encode()) + 3)
        with pytest.raises(JournalDamaged, match=f"row {n}: its content") as caught:
            replayed(copy)
        assert caught.value.seq == n


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_byte_of_the_log_loses_a_row_in_silence(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "live" / "j.db"
    if not path.exists():
        path.parent.mkdir()
        with open_journal(tmp_path / "j.db") as journal:
            for n in range(6):
                journal.append_now([("fact", b"%d" % n)], n)
            copy_of(tmp_path / "j.db", path.parent)
    rows = [Row(n + 1, n, "fact", b"%d" % n) for n in range(6)]
    copy = copy_of(path, tmp_path / "copy")
    log = Path(f"{copy}-wal")
    flip(log, data.draw(st.integers(0, log.stat().st_size - 1)), 1 << data.draw(st.integers(0, 7)))
    damage_shows(copy, rows)
    shutil.rmtree(tmp_path / "copy")


def test_a_flipped_byte_of_the_schema_or_the_header_shows(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path)
    schema = path.read_bytes().index(b"CREATE TABLE")
    for n, at in enumerate([*range(16), *range(68, 72), *range(schema, schema + 150, 3)]):
        copy = copy_of(path, tmp_path / f"copy{n}")
        flip(copy, at, 0x80)  # no longer ASCII, so that SQLite's own words about it are no UTF-8
        assert damage_shows(copy, rows), at


@pytest.mark.parametrize("lost", ["log", "half the log", "file", "half the file"])
def test_a_lost_tail_shows(tmp_path: Path, lost: str) -> None:
    path = tmp_path / "j.db"
    with open_journal(path) as journal:
        for n in range(20):
            journal.append_now([("fact", b"%d" % n * 300)], n)
        copy = copy_of(path, tmp_path / "copy")
    if "file" in lost:
        copy = copy_of(path, tmp_path / "closed")  # here the log is in the file
    victim = Path(f"{copy}-wal") if "log" in lost else copy
    if "half" in lost:
        os.truncate(victim, victim.stat().st_size // 2)
    else:
        victim.unlink()
    with pytest.raises(JournalDamaged):
        replayed(copy)


@pytest.mark.fault("torn-write")
def test_every_cut_of_the_log_shows(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with open_journal(path) as journal:
        for n in range(4):
            journal.append_now([("fact", b"%d" % n)], n)
        whole = copy_of(path, tmp_path / "whole")  # before a second without a row folds the log into the file
    for n, keep in enumerate(range(0, Path(f"{whole}-wal").stat().st_size, 1031)):
        copy = copy_of(whole, tmp_path / f"copy{n}")
        os.truncate(f"{copy}-wal", keep)
        with pytest.raises(JournalDamaged):
            replayed(copy)


@pytest.mark.fault("torn-write")
def test_a_torn_commit_that_nobody_was_told_of_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with open_journal(path) as journal:
        journal.append_now([("fact", b"told")], 1)
        before = Path(f"{path}.head").read_bytes()
        journal.append_now([("fact", b"not told")], 2)
        copy = copy_of(path, tmp_path / "copy")
    Path(f"{copy}.head").write_bytes(before)  # the power went between the flush and the note
    os.truncate(f"{copy}-wal", Path(f"{copy}-wal").stat().st_size - 2000)
    assert [data for _, _, _, data in replayed(copy)] == [b"told"]


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ("DELETE FROM entry WHERE seq = 7", 7),
        ("DELETE FROM entry WHERE seq <= 7", 1),
        ("DELETE FROM entry WHERE seq >= 29", 29),
        ("UPDATE entry SET at_ms = at_ms + 1 WHERE seq = 9", 9),
        ("UPDATE entry SET kind = 'fake' WHERE seq = 9", 9),
        ("UPDATE entry SET kind = 'pruned' WHERE seq = 1", 1),
        ("UPDATE entry SET crc = crc + 1 WHERE seq = 9", 9),
        ("UPDATE entry SET chain = zeroblob(16) WHERE seq = 9", 9),
        ("UPDATE entry SET data = (SELECT data FROM entry WHERE seq = 3) WHERE seq = 4", 4),
        ("UPDATE entry SET seq = 99 WHERE seq = 30", 30),
        ("UPDATE entry SET kind = CAST(x'ff' AS TEXT) WHERE seq = 9", 9),
    ],
)
def test_rows_that_were_dropped_or_exchanged_show(tmp_path: Path, change: str, seq: int) -> None:
    path = tmp_path / "j.db"
    fill(path)
    with sqlite3.connect(path) as db:
        db.execute(change)
    db.close()
    with pytest.raises(JournalDamaged) as caught:
        replayed(path)
    assert caught.value.seq == seq


def test_an_older_copy_in_its_place_shows(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    fill(path, 5)
    old = copy_of(path, tmp_path / "old")
    with open_journal(path) as journal:
        journal.append_now([("fact", b"new")], 1)
    shutil.copy(old, path)
    with pytest.raises(JournalDamaged, match="ends at row 5, but row 6 was acknowledged"):
        open_journal(path)


def test_another_journal_in_its_place_shows(tmp_path: Path) -> None:
    fill(tmp_path / "other.db", 9)
    with open_journal(tmp_path / "j.db") as journal:
        journal.append_now([("fact", b"")] * 9, 1)
    shutil.copy(tmp_path / "other.db", tmp_path / "j.db")
    with pytest.raises(JournalDamaged, match="row 9: it is not the row that was acknowledged"):
        open_journal(tmp_path / "j.db")


@pytest.mark.parametrize("content", [b"no database at all " * 400, b"SQLite format 3\x00" + b"\x00" * 4080])
def test_a_file_that_is_no_journal_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j.db").write_bytes(content)
    with pytest.raises(JournalDamaged):
        open_journal(tmp_path / "j.db")


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "j.db") as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    with pytest.raises(JournalDamaged, match="not a journal's header"):
        open_journal(tmp_path / "j.db")


@pytest.mark.fault("journal-damaged")
def test_a_damaged_journal_is_moved_aside_whole_and_what_is_intact_is_salvaged(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path, 200)
    flip(path, path.read_bytes().index(b"what happened 40 "))
    with pytest.raises(JournalDamaged):
        replayed(path)
    aside = move_aside(path, 1_795_000_000_000)
    assert aside.name == "j.db.damaged-20261118T110640Z"
    assert list(salvage(aside)) == [row for row in rows if row[0] != 40]
    assert replayed(path) == []
    assert move_aside(path, 1_795_000_000_000).name == "j.db.damaged-20261118T110640Z-2"


def test_of_a_broken_page_only_its_own_rows_are_lost(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path, 200)
    at = path.read_bytes().index(b"what happened 40 ") // 4096 * 4096
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 4096)
    with pytest.raises(JournalDamaged):
        replayed(path)
    saved = list(salvage(move_aside(path, 0)))
    assert set(saved) < set(rows)
    assert len(saved) > 170
    assert saved[-1] == rows[-1]


def test_of_no_database_nothing_is_salvaged(tmp_path: Path) -> None:
    (tmp_path / "j.db").write_bytes(b"garbage" * 1000)
    assert list(salvage(tmp_path / "j.db")) == []


# Writes that fail


@pytest.mark.fault("torn-write")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("n", range(1, 9))
def test_a_failed_write_acknowledges_nothing_and_a_restart_is_clean(tmp_path: Path, n: int, when: str) -> None:
    path, told = tmp_path / "j.db", []
    fill(path, 1)
    left = [n]

    def fail() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise sqlite3.OperationalError("disk I/O error")

    with open_journal(path, connect=watching(**{when: fail})) as journal:
        for number in range(2, 12):
            try:
                told.append(journal.append_now([("fact", b"%d" % number)], number))
            except JournalFailed:
                assert number == n + 1
                break
        with pytest.raises(JournalFailed):  # and nothing more, as if nothing had happened
            journal.append_now([("fact", b"later")], 1)
    seqs = [seq for seq, *_ in replayed(path)]
    assert told == list(range(2, n + 1))
    assert seqs == [1, *told] if when == "before" else [1, *told, n + 1]
    with open_journal(path) as journal:
        assert journal.append_now([("fact", b"again")], 1) == seqs[-1] + 1


@pytest.mark.fault("disk-full")
async def test_on_a_full_disk_nothing_is_acknowledged_and_it_goes_on_once_there_is_room(tmp_path: Path) -> None:
    pages = [12]
    connections: list[sqlite3.Connection] = []

    def small_disk(path: str) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA max_page_count={pages[0]}")
        connections.append(connection)
        return connection

    with open_journal(tmp_path / "j.db", connect=small_disk) as journal:
        told = []
        with pytest.raises(JournalFull):
            for n in range(100):
                told.append(await journal.append([("fact", b"x" * 1000)], n))
        with pytest.raises(JournalFull):
            await journal.append([("fact", b"x" * 1000)], 100)
        connections[0].execute("PRAGMA max_page_count=10000")
        told.append(await journal.append([("fact", b"room")], 101))
    assert told == list(range(1, len(told) + 1))
    assert [seq for seq, *_ in replayed(tmp_path / "j.db")] == told


@pytest.mark.fault("disk-full")
def test_the_ballast_is_real_space_that_can_be_given_up_once(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db", role="worker", ballast_bytes=1 << 20) as journal:
        assert (tmp_path / "j.db.ballast").stat().st_blocks * 512 >= 1 << 20
        assert [journal.ballast.release() for _ in range(2)] == [True, False]
        assert not journal.ballast.held
        assert journal.ballast.hold()
    usage = journal.usage()
    assert usage.free_bytes > 0
    assert 0 < usage.used < 1
    assert usage.journal_bytes >= (tmp_path / "j.db").stat().st_size


def test_no_ballast_is_taken_from_a_disk_that_has_too_little(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db", role="worker", ballast_bytes=1 << 60) as journal:
        assert not journal.ballast.held
        assert not journal.ballast.release()


# Pruning, backup, migration


async def test_pruned_rows_are_gone_and_the_rest_is_still_proved(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path, 1300)
    with open_journal(path) as journal:
        await journal.prune(1200)
        assert list(journal.replay()) == rows[1200:]
        assert await journal.append([("fact", b"after")], 1) == 1301
        await journal.prune(1250)
        await journal.prune(100)  # long gone
        assert [row.seq for row in journal.replay()] == list(range(1251, 1302))
        await journal.prune(5000)
        assert [row.seq for row in journal.replay()] == [1301]  # the newest stays
    assert [seq for seq, *_ in replayed(path)] == [1301]


@pytest.mark.parametrize("column", ["data", "chain", "at_ms", "crc"])
async def test_the_row_that_stands_for_the_pruned_ones_is_proved_too(tmp_path: Path, column: str) -> None:
    path = tmp_path / "j.db"
    fill(path)
    with open_journal(path) as journal:
        await journal.prune(10)
    with sqlite3.connect(path) as db:
        value = "zeroblob(16)" if column in ("data", "chain") else f"{column} + 1"
        db.execute(f"UPDATE entry SET {column} = {value} WHERE seq = 10")
    db.close()
    with pytest.raises(JournalDamaged) as caught:
        replayed(path)
    assert caught.value.seq == 10


@pytest.mark.parametrize("n", range(1, 4))
async def test_a_prune_that_fails_half_way_leaves_a_whole_journal(tmp_path: Path, n: int) -> None:
    path = tmp_path / "j.db"
    rows = fill(path, 1300)
    left = [n]

    def fail() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise sqlite3.OperationalError("disk I/O error")

    with open_journal(path, connect=watching(before=fail)) as journal, pytest.raises(JournalFailed):
        await journal.prune(1299)
    left_rows = replayed(path)
    assert left_rows == rows[-len(left_rows) :]
    assert len(left_rows) == [1300, 799, 299][n - 1]


async def test_a_backup_is_whole_while_appends_go_on(tmp_path: Path) -> None:
    target = tmp_path / "safe" / "copy.db"
    target.parent.mkdir()
    with open_journal(tmp_path / "j.db") as journal:
        for n in range(50):
            await journal.append([("fact", b"%d" % n)], n)
        last, *more = await asyncio.gather(
            journal.backup(target), *(journal.append([("fact", b"m%d" % n)], n) for n in range(20))
        )
        assert 50 <= last <= 70
        assert more == list(range(51, 71))
        expected = list(journal.replay())[:last]
    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]
    assert target.stat().st_mode & 0o777 == 0o600
    assert replayed(target) == expected


async def test_a_damaged_journal_makes_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    fill(path)
    flip(path, path.read_bytes().index(b"what happened 9 "))
    with open_journal(path) as journal, pytest.raises(JournalDamaged):
        await journal.backup(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


MORE = (*STEPS, "CREATE TABLE seen (id TEXT PRIMARY KEY) STRICT")


@pytest.mark.fault("update")
def test_an_older_journal_is_brought_forward_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path)
    for _ in range(2):
        with open_journal(path, steps=MORE) as journal:
            assert list(journal.replay()) == rows
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MORE),)
        assert db.execute("SELECT count(*) FROM seen").fetchone() == (0,)
    db.close()


@pytest.mark.fault("update")
def test_a_step_forward_that_fails_leaves_the_older_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path)
    with pytest.raises(JournalError):
        open_journal(path, steps=(*STEPS, "CREATE TABLE entry (x)"))
    assert replayed(path) == rows


@pytest.mark.fault("update")
def test_a_newer_programs_journal_is_left_alone(tmp_path: Path) -> None:
    open_journal(tmp_path / "j.db", steps=MORE).close()
    with pytest.raises(JournalForeign, match="newer"):
        open_journal(tmp_path / "j.db")


def test_the_journal_of_another_role_is_left_alone(tmp_path: Path) -> None:
    fill(tmp_path / "j.db")
    with pytest.raises(JournalForeign, match="another role, not of the barrier"):
        Journal.open(tmp_path / "j.db", role="barrier")
    with pytest.raises(ValueError, match="no journal for role"):
        Journal.open(tmp_path / "j.db", role="lcd")


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_journal(tmp_path / "none" / "j.db")
