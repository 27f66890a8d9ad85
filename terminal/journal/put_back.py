"""Puts a copy of a journal in the journal's place.

A copy knows nothing of what was written after it. So the head beside it is made to note one row more than the copy
has, and the role begins as after the loss of rows: what came later is in doubt (journal_keeper.py, spent_lifts.py).
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from terminal.journal import rows as rows_
from terminal.journal.reading import read, refuse_strangers
from terminal.journal.rows import JournalForeign, sync_folder
from terminal.journal.side_files import HeadFile

_PARTS = ("", "-wal", "-shm", ".head")


def examine(copy: Path, role: str) -> int:
    """How many rows a copy has. Raises JournalError where it is damaged, not of that role, or of a newer program."""
    refuse_strangers(copy, role)
    return sum(1 for _ in read(copy))


def in_place(journal: Path) -> Path | None:
    """What lies in the journal's place; None if nothing does."""
    return next((path for part in _PARTS if (path := journal.with_name(journal.name + part)).exists()), None)


def put_back(copy: Path, journal: Path, role: str, *, complete: bool) -> list[Path]:
    """Make ``journal`` of an examined copy; returns the files that were made. ``complete``: nothing was written after
    the copy was taken, so nothing is in doubt. Raises JournalForeign if something lies in its place, OSError."""
    if there := in_place(journal):
        raise JournalForeign(journal, f"{there.name} is there already; no journal is written over: move it away first")
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        seq, chain = rows_.last(connection)
    head = HeadFile(journal)
    try:
        head.write(seq if complete else seq + 1, chain)
        fresh = journal.with_name(journal.name + ".restored")
        with (
            copy.open("rb") as source,
            os.fdopen(os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as target,
        ):
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        fresh.rename(journal)
        sync_folder(journal.parent)
    finally:
        head.close()
    return [journal, journal.with_name(journal.name + ".head")]
