"""Damage to a journal: whatever was flipped, cut off, dropped or exchanged shows, and the rest is salvaged."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminal.journal.reading import read
from terminal.journal.rows import JournalDamaged, JournalForeign, Row
from terminal.journal.side_files import move_aside, salvage
from tests.support.journal_files import copy_of, fill, flip, open_journal, replayed

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
