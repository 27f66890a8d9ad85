"""terminal/journal: acknowledged rows are there after every fault, and damage is reported, never read."""

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.journal.journal import Journal
from terminal.journal.reading import read
from terminal.journal.rows import STEPS, JournalError, JournalFailed, JournalForeign, JournalFull, JournalLocked
from tests.support.journal_files import WRITER, fill, open_journal, replayed, watching
from tests.support.leash import running

# What is written is there


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
