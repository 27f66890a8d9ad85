"""What a worker relies on, wherever its journal is: each test runs on a file and on a database."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from terminal.journal.kinds import CHECKPOINT
from terminal.journal.rows import JournalDamaged, JournalFailed, JournalLocked, Row
from tests.support.journal_kinds import DatabaseKind, JournalKind, fill, replayed, together


async def test_rows_come_back_in_order_as_they_were_written(journals: JournalKind) -> None:
    with journals.open() as journal:
        assert await journal.append([("fee", b"\x00\xff"), ("order", b"")], 5) == 2
        assert await journal.append([("paid", b"z" * 9000)], 4) == 3
        assert journal.last_seq == 3
        rows = [Row(1, 5, "fee", b"\x00\xff"), Row(2, 5, "order", b""), Row(3, 4, "paid", b"z" * 9000)]
        assert list(journal.replay()) == rows
    assert replayed(journals) == rows
    assert list(journals.history().read()) == rows


def test_an_empty_journal_replays_nothing(journals: JournalKind) -> None:
    assert replayed(journals) == []
    assert replayed(journals) == []


def test_another_is_kept_off_until_the_first_has_closed(journals: JournalKind) -> None:
    with journals.open() as journal:
        with pytest.raises(JournalLocked, match="another"):
            journals.open()
        assert journal.append_now([("fact", b"undisturbed")], 1) == 1
    journals.open().close()


def test_close_writes_what_was_asked_for_and_may_be_called_twice(journals: JournalKind) -> None:
    async def main() -> None:
        journal = journals.open()
        waiting = [asyncio.ensure_future(journal.append([("fact", b"%d" % n)], n)) for n in range(9)]
        await asyncio.sleep(0)
        journal.close()
        journal.close()
        assert await asyncio.gather(*waiting) == list(range(1, 10))
        with pytest.raises(JournalFailed, match="closed"):
            await journal.append([("fact", b"late")], 1)

    asyncio.run(main())
    assert len(replayed(journals)) == 9


@pytest.mark.parametrize("rows", [[], [("", b"")], [("pruned", b"")], [("k" * 65, b"")], [("é", b"")], [("k", "text")]])
async def test_rows_that_could_not_be_read_back_are_refused_and_harm_nobody(journals: JournalKind, rows: list) -> None:  # type: ignore[type-arg]
    with journals.open() as journal:
        with pytest.raises(ValueError, match=r"no row can be|cannot be written"):
            await journal.append(rows, 1)
        with pytest.raises(ValueError, match="cannot be written"):
            await journal.append([("fact", b"")], 1 << 63)
        assert await journal.append([("fact", b"")], 1) == 1


async def test_appends_that_wait_at_once_each_get_their_number(journals: JournalKind) -> None:
    with journals.open() as journal:
        assert await together(journal, 60) == list(range(1, 61))
        assert [row.data for row in journal.replay()] == [b"%d" % n for n in range(60)]


async def test_an_append_of_a_cancelled_caller_is_written_all_the_same(journals: JournalKind) -> None:
    with journals.open() as journal:
        left = asyncio.ensure_future(journal.append([("fact", b"left")], 1))
        await asyncio.sleep(0)
        left.cancel()
        await journal.append([("fact", b"stayed")], 1)
        assert [row.data for row in journal.replay()] == [b"left", b"stayed"]


async def test_pruned_rows_are_gone_and_the_rest_is_still_proved(journals: JournalKind) -> None:
    rows = fill(journals, 1300)
    with journals.open() as journal:
        await journal.prune(1200)
        assert list(journal.replay()) == rows[1200:]
        assert await journal.append([("fact", b"after")], 1) == 1301
        await journal.prune(1250)
        await journal.prune(100)  # long gone
        assert [row.seq for row in journal.replay()] == list(range(1251, 1302))
        await journal.prune(5000)
        assert [row.seq for row in journal.replay()] == [1301]  # the newest stays
    assert [seq for seq, *_ in replayed(journals)] == [1301]


@pytest.mark.parametrize("column", ["data", "chain", "at_ms", "crc"])
async def test_the_row_that_stands_for_the_pruned_ones_is_proved_too(journals: JournalKind, column: str) -> None:
    fill(journals)
    with journals.open() as journal:
        await journal.prune(10)
    journals.alter(column, 10)
    with pytest.raises(JournalDamaged) as caught:
        replayed(journals)
    assert caught.value.seq == 10


@pytest.mark.parametrize("column", ["data", "chain", "at_ms", "crc"])
def test_a_row_that_was_altered_is_never_read(journals: JournalKind, column: str) -> None:
    fill(journals)
    journals.alter(column, 9)
    with pytest.raises(JournalDamaged, match="row 9"):
        replayed(journals)
    with pytest.raises(JournalDamaged, match="row 9"):
        list(journals.history().read())


@pytest.mark.parametrize(("first", "last"), [(1, 1), (9, 9), (9, 20), (30, 30), (25, 30)])
def test_rows_that_are_missing_are_noticed_at_the_next_start(journals: JournalKind, first: int, last: int) -> None:
    fill(journals)
    journals.lose(first, last)
    with pytest.raises(JournalDamaged):
        replayed(journals)


async def test_archived_rows_and_the_journals_are_the_whole_history(journals: JournalKind) -> None:
    rows = fill(journals, 1300)
    with journals.open() as journal:
        assert await journal.archive_and_prune(700) == 700
        assert list(journal.replay()) == rows[700:]
        assert list(journals.history().read_all()) == rows
        assert await journal.archive_and_prune(1200) == 500
        assert await journal.archive_and_prune(1000) == 0, "long done"
        await journal.append([("fact", b"new")], 1)
    assert list(journals.history().read_all()) == [*rows, Row(1301, 1, "fact", b"new")]
    assert list(journals.history().read()) == [*rows[1200:], Row(1301, 1, "fact", b"new")]


async def test_one_row_is_read_and_checked(journals: JournalKind) -> None:
    rows = fill(journals, 60)
    with journals.open() as journal:
        await journal.prune(20)
        assert [await journal.row(n) for n in (1, 20, 21, 60, 61)] == [None, None, rows[20], rows[59], None]
    history = journals.history()
    assert history.row(31) == rows[30]
    journals.alter("at_ms", 31)
    with pytest.raises(JournalDamaged, match="row 31"):
        history.row(31)


async def test_the_last_checkpoint_before_a_time_is_found(journals: JournalKind) -> None:
    with journals.open() as journal:
        assert await journal.checkpoint_before(10**15) == 0
        for at in (10, 20, 30):
            await journal.append([("fact", b""), (CHECKPOINT, b"{}")], at)
        assert [await journal.checkpoint_before(at) for at in (9, 10, 25, 99)] == [0, 2, 4, 6]


async def test_a_backup_is_whole_while_appends_go_on(journals: JournalKind, tmp_path: Path) -> None:
    target = tmp_path / "safe" / "copy"
    target.parent.mkdir()
    with journals.open() as journal:
        await together(journal, 50)
        last, *_ = await asyncio.gather(journal.backup(target), together(journal, 20))
        assert 50 <= last <= 70
    assert [path.name for path in target.parent.iterdir()] == ["copy"]
    assert target.stat().st_mode & 0o777 == 0o600
    if isinstance(journals, DatabaseKind):
        rows = list(journals.history().read())
        copy = journals.cluster.database()
        words = ("--no-owner", "--exit-on-error", f"--dbname={journals.cluster.url(copy)}", str(target))
        journals.cluster.restore(*words)
        journals.database = copy
        found = list(journals.history().read())
        assert 50 <= len(found) <= 70
        assert found == rows[: len(found)]


def test_who_only_reads_makes_no_journal(journals: JournalKind) -> None:
    history = journals.history()
    assert not history.exists()
    with pytest.raises(FileNotFoundError):
        next(history.read())
    assert not history.exists()
    fill(journals, 3)
    assert history.exists()


def operator(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "terminal.journal", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_an_operator_checks_and_copies_a_journal_at_work(journals: JournalKind, tmp_path: Path) -> None:
    fill(journals, 60)
    place = journals.place()
    with journals.open() as journal:
        done = operator("check", place)
        assert (done.returncode, done.stderr) == (0, "")
        assert "60 rows, all as they were written" in done.stdout
        assert operator("backup", place, tmp_path / "copy").returncode == 0
        assert (tmp_path / "copy").stat().st_size > 1000
        assert journal.append_now([("fact", b"undisturbed")], 1) == 61
    journals.alter("data", 9)
    failed = operator("check", place)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "damaged at row 9" in failed.stderr


def test_an_operator_s_url_with_a_password_is_refused_and_not_repeated() -> None:
    for url in ("postgresql://worker:s3cr-t@db.example/marina", "postgresql://db.example/marina?password=s3cr-t"):
        refused = operator("check", url)
        assert refused.returncode == 2
        assert "PGPASSFILE" in refused.stderr
        assert "s3cr-t" not in refused.stderr
