"""Keeps pruned rows in ``<journal>.archive``, a file of the same form with the same rows, hashes included.

The journal's first row has the hash of the archive's last one, so both together prove the whole history. Only
reports read it; an operator may take it away, and the next pruning begins another.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from terminal.journal import rows as rows_
from terminal.journal.kinds import PRUNED
from terminal.journal.rows import Connect, JournalDamaged, Row

_STEP = 500
"""How many rows are copied at a time."""


def archive_of(journal: Path) -> Path:
    """The path of the journal's archive, which may not exist."""
    return journal.with_name(journal.name + ".archive")


def keep(journal: Path, role: str, through: int, connect: Connect = rows_.connect) -> int:
    """Copy the rows up to ``through`` that are not there yet; returns how many were copied. An archive that does not
    fit is renamed, and another begun. Run it before pruning, as often as you like. Raises JournalError, OSError.
    """
    target_file = archive_of(journal)
    try:
        source = connect(str(journal))
        try:
            first, kind = source.execute("SELECT seq, kind FROM entry ORDER BY seq LIMIT 1").fetchone() or (1, "")
            target, reached = _open(target_file, role, source, first, connect)
            try:
                before = max(reached, first if kind == PRUNED else first - 1)
                while reached < through:
                    rows_.copy(source, target, reached, min(through, reached + _STEP))
                    reached = min(through, reached + _STEP)
                target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                target.close()
        finally:
            source.close()
    except sqlite3.Error as error:
        raise rows_.as_journal_error(target_file, error) from error
    return max(0, through - before)


def read_all(journal: Path, connect: Connect = rows_.connect) -> Iterator[Row]:
    """The archived rows and then the journal's, each file checked; raises what ``journal.read`` raises."""
    reached = 0
    for file in (archive_of(journal), journal):
        if not file.exists() and file != journal:
            continue
        if not file.exists():
            raise FileNotFoundError(file)
        try:
            connection = connect(str(file))
            try:
                connection.execute("PRAGMA query_only=ON")
                for row in rows_.verified(connection, file):
                    if row.seq > reached:
                        reached = row.seq
                        yield row
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise JournalDamaged(file, None, str(error)) from error


def _open(
    file: Path, role: str, source: sqlite3.Connection, first: int, connect: Connect
) -> tuple[sqlite3.Connection, int]:
    """The archive, ready for the row that follows the returned number."""
    with contextlib.suppress(JournalDamaged):
        target = rows_.prepare(file, role, connect=connect)
        seq, chain = rows_.last(target)
        if seq == 0 or rows_.chain_at(source, seq) == chain:
            return target, seq or first - 1
        target.close()
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            file.with_name(file.name + suffix).rename(file.with_name(f"{file.name}.ended-{at}{suffix}"))
    return rows_.prepare(file, role, connect=connect), first - 1
