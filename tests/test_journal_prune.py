"""Old rows are pruned and backups made while a journal is at work."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from terminal.journal.rows import JournalDamaged, JournalFailed
from tests.support.journal_files import fill, flip, open_journal, replayed, watching

# Pruning, backup, migration


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
