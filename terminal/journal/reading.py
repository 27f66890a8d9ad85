"""A journal is read and copied while another process may be writing it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from terminal.journal import rows as rows_
from terminal.journal import side_files
from terminal.journal.rows import Connect, JournalDamaged, JournalForeign, Row


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
    """One row of a journal that may be in use, checked by its own checksum; None if it was pruned or never was.

    Raises JournalDamaged.
    """
    with closing(connect(str(path))) as connection:
        return rows_.one(connection, path, seq)


def checkpoint_before(path: Path, at_ms: int, connect: Connect) -> int:
    """Number of the last checkpoint that was written at ``at_ms`` or before; 0 where there is none."""
    with closing(connect(str(path))) as connection:
        return rows_.checkpoint_before(connection, at_ms)


def refuse_strangers(path: Path, role: str) -> None:
    """Raise JournalForeign, as opening would, for a file that is not a journal of ``role``.

    Alters nothing, and does not report a damage, which the role repairs.
    """
    side_files.refuse_other_files(path)
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows_.claim(connection, path, role)
            rows_.refuse_newer(connection, path)
        return
    except JournalDamaged as error:
        found = side_files.whose(path, role, error)
    except sqlite3.DatabaseError as error:
        found = side_files.whose(path, role, JournalDamaged(path, None, str(error)))
    if isinstance(found, JournalForeign):
        raise found


def ends_with(path: Path, seq: int, chain: bytes) -> bool:
    """Is the file whole without the log beside it, and is that row its last?"""
    try:
        alone = f"{path.absolute().as_uri()}?immutable=1"
        with closing(sqlite3.connect(alone, uri=True)) as connection:
            for _ in rows_.verified(connection, path):
                pass
            return rows_.last(connection) == (seq, chain)
    except (JournalDamaged, *rows_.UNREADABLE):
        return False


def backup(path: Path, target: Path, connect: Connect = rows_.connect) -> int:
    """Journal.backup() for a process other than the one that writes the journal."""
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with closing(connect(str(path))) as source:
            return copy_to(source, target, connect)
    except sqlite3.Error as error:
        raise rows_.as_journal_error(path, error) from error


def copy_to(source: sqlite3.Connection, target: Path, connect: Connect = rows_.connect) -> int:
    """Write a copy that is whole and checked to ``target``, mode 0600, replaced at once; returns its last row's number.

    Raises JournalDamaged, sqlite3.Error, OSError.
    """
    unchecked = target.with_name(target.name + ".new")
    unchecked.unlink(missing_ok=True)
    os.close(os.open(unchecked, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(connect(str(unchecked))) as copy:
        source.backup(copy)
        last = 0
        for row in rows_.verified(copy, unchecked):
            last = row.seq
    handle = os.open(unchecked, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    unchecked.rename(target)
    return last
