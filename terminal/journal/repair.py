"""Makes a whole journal of a damaged one's intact rows.

If the damage lies before the last checkpoint, the state is still known, and only history is lost. Otherwise nothing
after the damage can be relied on, and rows that tell what is known of it take its place.

The new file is complete before the damaged one is moved aside, so that a power cut at any moment leaves one of them
in its place, or the new one beside it; ``finish()`` ends a repair that was cut off there.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from terminal.journal import rows as rows_
from terminal.journal.kinds import CHECKPOINT, PRUNED, REPAIRED
from terminal.journal.rows import GENESIS, Connect, Row
from terminal.journal.side_files import move_aside, noted_in, sound_rows

Tell = Callable[[int, Iterator[Row]], Iterable[tuple[str, bytes, int]]]
"""Given the time of the last intact row and what could be salvaged behind it: the rows (kind, data, ms) to go on
with."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``known``: no fact that matters is lost. ``aside``: where the damaged file is now."""

    known: bool
    aside: Path


@dataclass(slots=True)
class _Salvaged:
    """What a damaged file still has: the rows up to ``good``, and a last unbroken run of rows from ``run`` to
    ``end``."""

    good: int = 0
    good_ms: int = 0
    run: int = 0
    end: int = 0
    has_checkpoint: bool = False
    contradicts: bool = False
    """The head names a different row under a number that the file has, so the file is another history."""


def rebuild(path: Path, role: str, tell: Tell, now_ms: int, connect: Connect = rows_.connect) -> Rebuilt:
    """Put a whole journal in the place of the damaged one, which must not be open, and keep that one aside.

    Raises JournalError, OSError.
    """
    noted = noted_in(path)
    found = _examine(path, noted)
    unbroken = 0 < found.end == found.good
    reaches = noted is not None and found.end >= noted[0] and not found.contradicts
    known = (unbroken or found.has_checkpoint) and reaches
    fresh = _fresh(path)
    _remove(fresh)
    target = rows_.prepare(fresh, role, connect=connect)
    try:
        target.execute("BEGIN IMMEDIATE")
        if known:
            _keep_all(path, target, found)
        else:
            _keep_beginning(path, target, found, tell)
        target.execute("COMMIT")
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise rows_.as_journal_error(path, error) from error
    finally:
        target.close()
    aside = move_aside(path, now_ms)
    _place(fresh, path)
    return Rebuilt(known, aside)


def finish(path: Path) -> bool:
    """Finish a repair that a power cut or full disk interrupted; returns whether a repaired journal took its place."""
    fresh = _fresh(path)
    if not fresh.exists():
        return False
    if path.exists():
        _remove(fresh)  # it was not complete yet, and the damaged one is still in its place
        return False
    move_aside(path, time.time_ns() // 1_000_000)  # the parts of the damaged one that were not moved with it
    _place(fresh, path)
    return True


def _examine(path: Path, noted: tuple[int, bytes] | None) -> _Salvaged:
    found = _Salvaged()
    previous, unbroken = GENESIS, True
    for seq, at_ms, kind, data, crc, chain in sound_rows(path):
        follows = seq == found.end + 1 and (crc, chain) == rows_.seal(previous, seq, at_ms, kind, data)
        if kind == PRUNED:
            follows = found.end == 0 and data == chain
        if not follows:
            found.run, found.has_checkpoint, unbroken = seq, False, False
        if unbroken:
            found.good, found.good_ms = seq, at_ms
        found.contradicts |= noted is not None and seq == noted[0] and chain != noted[1]
        found.has_checkpoint |= kind == CHECKPOINT
        found.end, previous = seq, chain
    return found


def _keep_all(path: Path, target: sqlite3.Connection, found: _Salvaged) -> None:
    """Every row that is intact, sealed anew where something is missing before it."""
    seq, chain = 0, GENESIS
    for row in sound_rows(path):
        if row[0] > found.good:
            if seq == found.good:
                seq, chain = _append(target, seq, chain, row[1], REPAIRED, b"rows are lost before this one")
            if row[2] != PRUNED:
                seq, chain = _append(target, seq, chain, row[1], row[2], row[3])
        else:
            rows_.insert(target, row)
            seq, chain = row[0], row[5]


def _keep_beginning(path: Path, target: sqlite3.Connection, found: _Salvaged, tell: Tell) -> None:
    seq, chain = 0, GENESIS
    for row in sound_rows(path):
        if row[0] > found.good:
            break
        rows_.insert(target, row)
        seq, chain = row[0], row[5]
    later = (Row(*row[:4]) for row in sound_rows(path) if row[0] > found.good and row[2] != PRUNED)
    for kind, data, at_ms in tell(found.good_ms, later):
        seq, chain = _append(target, seq, chain, at_ms, kind, data)


def _append(
    target: sqlite3.Connection, seq: int, chain: bytes, at_ms: int, kind: str, data: bytes
) -> tuple[int, bytes]:
    crc, chain = rows_.seal(chain, seq + 1, at_ms, kind, data)
    rows_.insert(target, (seq + 1, at_ms, kind, data, crc, chain))
    return seq + 1, chain


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _remove(fresh: Path) -> None:
    for suffix in ("-wal", "-shm", ""):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)


def _place(fresh: Path, path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    rows_.sync_folder(path.parent)  # the damaged one's log must not lie beside it
    fresh.rename(path)
    rows_.sync_folder(path.parent)
