"""What is pruned is archived first, and both files together prove the whole history; and backups by an operator."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from terminal.journal.archive import archive_of, read_all
from terminal.journal.journal import Journal
from terminal.journal.kinds import CHECKPOINT
from terminal.journal.reading import read, row
from terminal.journal.rows import JournalDamaged, JournalFailed, Row
from tests.support.journal_files import WRITER, fill, flip, open_journal, watching
from tests.support.leash import running


async def test_archived_rows_and_the_journals_are_the_whole_history(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path, 1300)
    with open_journal(path) as journal:
        assert await journal.archive_and_prune(700) == 700
        assert list(journal.replay()) == rows[700:]
        assert list(read_all(path)) == rows
        assert await journal.archive_and_prune(1200) == 500
        assert await journal.archive_and_prune(1000) == 0, "long done"
        await journal.append([("fact", b"new")], 1)
    assert list(read_all(path)) == [*rows, Row(1301, 1, "fact", b"new")]
    assert list(read(archive_of(path))) == rows[:1200]


async def test_an_archive_that_was_taken_away_is_begun_anew_and_proves_its_part(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path, 300)
    with open_journal(path) as journal:
        await journal.archive_and_prune(100)
        archive_of(path).rename(tmp_path / "taken")
        assert await journal.archive_and_prune(200) == 100
    assert list(read_all(path)) == rows[100:]
    assert list(read(archive_of(path))) == rows[100:200]


async def test_an_archive_that_is_damaged_or_another_journals_is_put_away(tmp_path: Path) -> None:
    for spoil in ("damaged", "foreign"):
        path = tmp_path / spoil / "j.db"
        path.parent.mkdir()
        rows = fill(path, 300)
        with open_journal(path) as journal:
            await journal.archive_and_prune(100)
            if spoil == "damaged":
                flip(archive_of(path), 3)
            else:
                with open_journal(tmp_path / "other.db") as other:
                    other.append_now([("fact", b"another's")] * 100, 1)
                other.path.replace(archive_of(path))
            await journal.archive_and_prune(200)
        assert list(read(archive_of(path))) == rows[100:200]
        assert len(list(path.parent.glob("j.db.archive.ended-*Z"))) == 1


async def test_pruning_that_failed_is_repeated_and_archives_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path, 900)
    left = [4]

    def fail() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise sqlite3.OperationalError("disk I/O error")

    with open_journal(path, connect=watching(before=fail)) as journal, pytest.raises(JournalFailed):
        await journal.archive_and_prune(800)
    with open_journal(path) as journal:
        await journal.archive_and_prune(800)
    assert list(read_all(path)) == rows
    assert list(read(path)) == rows[800:]


def test_without_an_archive_the_journal_is_all(tmp_path: Path) -> None:
    rows = fill(tmp_path / "j.db")
    assert list(read_all(tmp_path / "j.db")) == rows
    with pytest.raises(FileNotFoundError):
        list(read_all(tmp_path / "none.db"))


async def test_a_damaged_archive_is_told_to_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    fill(path, 300)
    with open_journal(path) as journal:
        await journal.archive_and_prune(100)
    flip(archive_of(path), archive_of(path).read_bytes().index(b"what happened 7 "))
    with pytest.raises(JournalDamaged, match="row 7"):
        list(read_all(path))
    archive_of(path).write_bytes(b"no database" * 500)
    with pytest.raises(JournalDamaged):
        list(read_all(path))


async def test_one_row_is_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    rows = fill(path, 60)
    with open_journal(path) as journal:
        await journal.prune(20)
        assert [await journal.row(n) for n in (1, 20, 21, 60, 61)] == [None, None, rows[20], rows[59], None]
    flip(path, path.read_bytes().index(b"what happened 30 ") + 3)
    assert row(path, 31) == rows[30]
    with pytest.raises(JournalDamaged, match="row 30"):
        row(path, 30)
    path.write_bytes(b"no database" * 500)
    with pytest.raises(JournalDamaged):
        row(path, 31)


async def test_the_last_checkpoint_before_a_time_is_found(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db", role="worker", ballast_bytes=0) as journal:
        assert await journal.checkpoint_before(10**15) == 0
        for at in (10, 20, 30):
            await journal.append([("fact", b""), (CHECKPOINT, b"{}")], at)
        assert [await journal.checkpoint_before(at) for at in (9, 10, 25, 99)] == [0, 2, 4, 6]


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "terminal.journal", *map(str, words)], capture_output=True, text=True, timeout=60
    )


def test_an_operator_copies_and_checks_a_journal_at_work(tmp_path: Path) -> None:
    path, copy = tmp_path / "j.db", tmp_path / "copy.db"
    words = [sys.executable, "-c", WRITER, str(path), "50"]
    with running(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        while writer.stdout.readline() != "done\n":
            pass
        done = command("backup", path, copy)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{copy}: whole up to row 50\n", "")
        checked = command("check", path)
        assert (checked.returncode, checked.stdout) == (0, f"{path}: 50 rows, all as they were written\n")
        writer.kill()
    assert [r.data for r in read(copy)] == [b"%d" % n for n in range(50)]
    with open_journal(copy) as journal:
        assert journal.append_now([("fact", b"a copy goes on")], 1) == 51


def test_what_cannot_be_copied_is_one_line(tmp_path: Path) -> None:
    none = command("backup", tmp_path / "none.db", tmp_path / "copy.db")
    assert (none.returncode, none.stderr.count("\n")) == (1, 1)
    path = tmp_path / "j.db"
    fill(path)
    flip(path, path.read_bytes().index(b"what happened 9 "))
    for words in (("backup", path, tmp_path / "copy.db"), ("check", path)):
        failed = command(*words)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert "damaged at row 9" in failed.stderr
    assert not (tmp_path / "copy.db").exists()
    assert command("mend", path).returncode == 2
