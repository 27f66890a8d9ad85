"""A journal is read and copied while another process may be writing it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from terminal.journal import rows as rows_
from terminal.journal.rows import Connect, JournalDamaged, Row


def read(path: Path, *, connect: Connect = rows_.connect) -> Iterator[Row]:
    """Every row of a journal in order, checked, while another process may be writing it.

    Raises JournalDamaged at the first row in doubt, FileNotFoundError where there is no journal.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        connection = connect(str(path))
        try:
            connection.execute("PRAGMA query_only=ON")
            yield from rows_.verified(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise JournalDamaged(path, None, str(error)) from error


def row(path: Path, seq: int, *, connect: Connect = rows_.connect) -> Row | None:
    """One row of a journal that may be at work, checked by its own checksum; None where it was pruned or never was.

    Raises JournalDamaged.
    """
    with closing(connect(str(path))) as connection:
        return rows_.one(connection, path, seq)


def checkpoint_before(path: Path, at_ms: int, connect: Connect) -> int:
    """Number of the last checkpoint that was written at ``at_ms`` or before; 0 where there is none."""
    with closing(connect(str(path))) as connection:
        return rows_.checkpoint_before(connection, at_ms)


def backup(path: Path, target: Path, connect: Connect = rows_.connect) -> int:
    """Journal.backup() for another process than the one that writes the journal."""
    if not path.exists():
        raise FileNotFoundError(path)
    unchecked = target.with_name(target.name + ".new")
    unchecked.unlink(missing_ok=True)
    os.close(os.open(unchecked, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    source, copy = connect(str(path)), connect(str(unchecked))
    try:
        source.backup(copy)
        last = 0
        for row in rows_.verified(copy, unchecked):
            last = row.seq
    except sqlite3.Error as error:
        raise rows_.as_journal_error(path, error) from error
    finally:
        copy.close()
        source.close()
    handle = os.open(unchecked, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    unchecked.rename(target)
    return last
