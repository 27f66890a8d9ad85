"""What lies in a journal's place and is none, or another's: it is left as it is, and the role says so and ends."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from terminal.app.demo import make_keys
from terminal.app.exit_status import set_right
from terminal.journal.journal import Journal
from terminal.journal.reading import refuse_strangers
from terminal.journal.rows import JournalForeign
from terminal.payby.sandbox.command import key_pair
from terminal.roles.barrier.spent_lifts import BarrierJournal
from terminal.roles.worker.journal_keeper import WorkerJournal
from tests.support.garage import CONFIGURATION, ROOT
from tests.support.story import T0

OPEN: dict[str, Callable[[Path], Any]] = {
    "worker": lambda path: WorkerJournal.open(path, lambda: T0, ballast_bytes=4096),
    "barrier": lambda path: BarrierJournal.open(path, T0, ballast_bytes=4096),
}
OTHER = {"worker": "barrier", "barrier": "worker"}


def database(path: Path, *words: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        for sql in words:
            db.execute(sql)
        db.commit()


def others_journal(path: Path, role: str) -> None:
    with Journal.open(path, role=OTHER[role], ballast_bytes=0) as journal:
        journal.append_now([("fact", b"")], T0)


def broken_journal_of_the_other(path: Path, role: str) -> None:
    others_journal(path, role)
    path.write_bytes(path.read_bytes()[:2000])


STRANGERS: dict[str, tuple[Callable[[Path, str], object], str]] = {
    "a text": (lambda path, _: path.write_text("Tariff of 2026\n" * 40), "not a journal (file is not a database)"),
    "one byte": (lambda path, _: path.write_bytes(b"\n"), "not a journal (file is not a database)"),
    "another program's database": (
        lambda path, _: database(path, "CREATE TABLE cars (plate)"),
        "not a journal's header",
    ),
    "… that writes ahead": (
        lambda path, _: database(path, "PRAGMA journal_mode=WAL", "CREATE TABLE entry (plate)"),
        "not a journal's header",
    ),
    "… that names itself": (lambda path, _: database(path, "PRAGMA application_id=42"), "not a journal's header"),
    "… that counts": (lambda path, _: database(path, "PRAGMA user_version=1"), "not a journal's header"),
    "half of one": (
        lambda path, _: path.write_bytes(b"SQLite format 3\x00" + b"\x10\x00\x02\x02\x00\x40\x20\x20" + bytes(2000)),
        "not a journal (",
    ),
    "a folder": (lambda path, _: path.mkdir(), "a folder lies there"),
    "a pipe": (lambda path, _: os.mkfifo(path), "it is not a file"),
    "a device": (lambda path, _: path.symlink_to("/dev/null"), "it is not a file"),
    "the other role's": (others_journal, "this is the journal of another role, not of the "),
    "the other role's, broken": (broken_journal_of_the_other, "this is the journal of another role, not of the "),
}


def everything(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


@pytest.mark.fault("no-journal")
@pytest.mark.parametrize("role", OPEN)
@pytest.mark.parametrize("kind", STRANGERS)
def test_what_is_no_journal_of_this_role_is_left_as_it_is_with_nothing_beside_it(
    tmp_path: Path, role: str, kind: str
) -> None:
    make, reason = STRANGERS[kind]
    path = tmp_path / "j.db"
    make(path, role)
    before = everything(tmp_path)
    for _ in range(2):
        with pytest.raises(JournalForeign) as looked:
            refuse_strangers(path, role)
        with pytest.raises(JournalForeign) as refused:
            OPEN[role](path).close()
        assert str(looked.value) == str(refused.value), "`check` says the same"
        assert isinstance(refused.value, set_right()), "status 2: no repetition mends it"
        assert str(refused.value).startswith(f"{path}: {reason}")
        after = everything(tmp_path)
        assert {name: data for name, data in after.items() if not name.endswith(("-shm", "-wal"))} == before


@pytest.mark.parametrize("role", OPEN)
def test_an_empty_file_and_a_database_with_nothing_in_it_become_a_journal(tmp_path: Path, role: str) -> None:
    (tmp_path / "empty.db").touch()
    database(tmp_path / "made.db", "CREATE TABLE t (x)", "DROP TABLE t")
    for name in ("empty.db", "made.db"):
        refuse_strangers(tmp_path / name, role)
        with OPEN[role](tmp_path / name) as opened:
            assert not opened.damaged
            refuse_strangers(tmp_path / name, role)


def test_a_journal_whose_making_was_cut_off_is_made(tmp_path: Path) -> None:
    database(tmp_path / "j.db", "PRAGMA journal_mode=WAL", f"PRAGMA application_id={0x50585477}")
    with OPEN["worker"](tmp_path / "j.db") as store:
        assert store.damaged == ""


def test_a_damaged_journal_is_no_stranger(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with OPEN["worker"](path) as store:
        store.journal.append_now([("fact", b"")], T0)
    for damaged in (b"", b"nothing is left of it " * 300, path.read_bytes()[:3000]):
        path.write_bytes(damaged)
        refuse_strangers(path, "worker")


def test_rows_that_a_newer_program_wrote_are_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "barrier.db"
    with Journal.open(path, role="barrier", ballast_bytes=0) as journal:
        journal.append_now([("lent", b"{}")], T0)
    with pytest.raises(
        JournalForeign, match=r"row 1 of kind 'lent' is not a barrier's; a newer program may have written it"
    ):
        OPEN["barrier"](path)
    assert not list(tmp_path.glob("*damaged*"))


def configured(folder: Path) -> Path:
    """Everything that worker and barrier need, except a broker, for which nothing waits."""
    make_keys(folder)
    (folder / "secrets" / "password").write_text("unused")
    (folder / "secrets" / "password").chmod(0o600)
    key_pair(folder / "secrets", "merchant")
    key_pair(folder / "secrets", "payby")
    file = folder / "exit-terminal.toml"
    file.write_text(
        CONFIGURATION.format(
            broker="mqtt://127.0.0.1:1", payby="http://127.0.0.1:1", notify="", scanner="/dev/null", loops="", port=1,
            more="",
        ),
        encoding="utf-8",
    )  # fmt: skip
    return file


@pytest.mark.fault("no-journal")
@pytest.mark.parametrize("role", OPEN)
async def test_the_role_says_so_in_one_line_and_ends_with_status_2(tmp_path: Path, role: str) -> None:
    file, path = configured(tmp_path), tmp_path / ("journal.db" if role == "worker" else "barrier.db")
    texts = ["Tariff of 2026\n" * 40, ""]
    path.write_text(texts[0])
    for n, reason in enumerate(("not a journal (file is not a database)", "a folder lies there")):
        if n:
            path.unlink()
            path.mkdir()
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", "-m", "terminal", role, "--config", str(file)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        key = "journal.path" if role == "worker" else "barrier.journal"
        away = f"it is left as it is: name another file, or move this one away; correct {key}"
        line = f"exit-terminal: {key}: {path}: {reason}; {away}"
        said = [
            text for text in ended.stderr.splitlines() if "terminal.mqtt.client" not in text
        ]  # there is no broker here
        assert (ended.returncode, said) == (2, [line])
        assert path.is_dir() or path.read_text() == texts[0]
    assert not list(tmp_path.glob("*damaged*"))
