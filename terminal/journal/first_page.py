"""Every journal's first page is the same, so if it is damaged, another journal's makes the rest readable again."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from terminal.journal.rows import STEPS, UNREADABLE

_PAGE = 4096
_WRITES_AHEAD = slice(18, 20)
"""Where the header says that there is a log beside the file."""


@contextmanager
def opened_for_salvage(journal: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads a damaged file, or a copy of it with a first page that is whole. Raises OSError,
    sqlite3.Error."""
    with closing(_reading(journal)) as connection:
        if _knows_its_table(connection):
            yield connection
            return
    copy = journal.with_name(journal.name + ".salvage")
    try:
        _copy(journal, copy)
        with closing(_reading(copy)) as connection:
            yield connection
    finally:
        for suffix in ("", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _knows_its_table(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("SELECT seq FROM entry LIMIT 0")
    except UNREADABLE:
        return False
    return True


def _copy(journal: Path, copy: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as model:
        model.execute(STEPS[0])
        page = bytearray(model.serialize()[:_PAGE])
    page[_WRITES_AHEAD] = b"\x02\x02"
    page[24:28], page[92:96] = b"\x00\x00\x00\x01", bytes(4)  # they differ, so SQLite uses the file's own size
    for suffix in ("", "-wal"):
        if (file := journal.with_name(journal.name + suffix)).exists():
            shutil.copyfile(file, copy.with_name(copy.name + suffix))
    with copy.open("r+b") as out:
        out.write(page)
