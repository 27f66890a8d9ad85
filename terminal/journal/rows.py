"""The journal's rows on the disk: how they are sealed, read back, migrated and salvaged; and its errors.

Every row bears a CRC of its own content, and a hash over that content and the hash of the row before. So a flipped
byte, a lost, moved or exchanged row shows when it is read; SQLite's own integrity check would miss the first.

JournalError
 +- JournalLocked    another process writes this journal
 +- JournalForeign   it belongs to another role, or was written by a newer version
 +- JournalDamaged   what is read is not what was written
 +- JournalFull      the disk is full: nothing was written; it may go on once there is room
 +- JournalFailed    a commit failed and nobody knows how far it came: only a restart goes on
"""

import os
import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

ROLES = {"worker": 0x50585477, "barrier": 0x50585462}
"""Who has a journal, and the application id in its file ("PXTw", "PXTb")."""

PRUNED = "pruned"
"""Kind of the one row that stands for all rows before it and bears the hash of the last of them."""

CHECKPOINT = "checkpoint"
"""Kind of a row that bears the whole state at its place: a reader may begin there, so pruning ends before one."""

GENESIS = bytes(16)
"""What stands for the hash of the row before the first."""

STEPS = (
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, data BLOB NOT NULL,"
    " crc INTEGER NOT NULL, chain BLOB NOT NULL) STRICT",
    "CREATE INDEX checkpoint ON entry (at_ms, seq) WHERE kind = 'checkpoint'",
)
"""SQL that leads from one schema version to the next; the first makes an empty file version 1."""

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError, struct.error, TypeError, AttributeError)
"""What reading a damaged file raises: SQLite's own finding, whose text may itself not be UTF-8, or a value of the
wrong type where a flipped byte changed it."""

Connect = Callable[[str], sqlite3.Connection]
_HEAD = struct.Struct(">QqH")
_SELECT = "SELECT seq, at_ms, kind, data, crc, chain FROM entry"


class JournalError(Exception):
    """Something about a journal; ``path`` names its file."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class JournalLocked(JournalError):
    """Another process has this journal open for writing."""


class JournalForeign(JournalError):
    """The journal of another role, or of a newer version of this program."""


class JournalDamaged(JournalError):
    """What was read is not what was written. ``seq``: the first row in doubt, None if no row could be read."""

    def __init__(self, path: Path, seq: int | None, reason: str) -> None:
        super().__init__(path, f"damaged{'' if seq is None else f' at row {seq}'}: {reason}")
        self.seq = seq


class JournalFull(JournalError):
    """The disk is full. Nothing was written; the journal goes on once there is room."""


class JournalFailed(JournalError):
    """A commit failed, and whether its rows are on the disk is unknown until the journal is opened anew."""


class Row(NamedTuple):
    """One fact; ``seq`` counts from 1 without gaps, ``at_ms`` is ms since the epoch."""

    seq: int
    at_ms: int
    kind: str
    data: bytes


Sealed = tuple[int, int, str, bytes, int, bytes]
"""A row as it lies in the file, with its CRC and its hash."""


def connect(path: str) -> sqlite3.Connection:
    """A connection as the journal needs it: no implicit transactions, usable from its writer's thread."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=16)


def seal(previous: bytes, seq: int, at_ms: int, kind: str, data: bytes) -> tuple[int, bytes]:
    """CRC and chained hash of a row that follows the row whose hash is ``previous``."""
    content = _HEAD.pack(seq, at_ms, len(kind)) + kind.encode() + data
    return crc32(content), blake2b(previous + content, digest_size=16).digest()


def as_journal_error(path: Path, error: sqlite3.Error, seq: int | None = None) -> JournalError:
    """What an error of SQLite's means for the journal."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return JournalFull(path, "the disk is full")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return JournalDamaged(path, seq, str(error))
    return JournalFailed(path, str(error))


def prepare(path: Path, role: str, steps: Sequence[str] = STEPS, connect: Connect = connect) -> sqlite3.Connection:
    """Open the file, made with mode 0600 if absent, and bring its schema forward; raises JournalError.

    The caller must hold the journal's lock.
    """
    if role not in ROLES:
        raise ValueError(f"no journal for role {role!r}")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))  # -wal and -shm take their mode from it
        _sync_folder(path.parent)
    except FileExistsError:
        pass
    connection = connect(str(path))
    try:
        # No checkpoint of SQLite's own: it would cost flushes in the middle of an append.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=0",
            "cache_size=-512",
            "journal_size_limit=4194304",
        ):
            connection.execute(f"PRAGMA {pragma}")
        _migrate(connection, path, role, steps)
        return connection
    except (sqlite3.Error, UnicodeDecodeError) as error:
        connection.close()
        raise _while_opening(path, error) from error
    except BaseException:
        connection.close()
        raise


def _migrate(connection: sqlite3.Connection, path: Path, role: str, steps: Sequence[str]) -> None:
    version, owner = _pragma(connection, "user_version"), _pragma(connection, "application_id")
    if owner in ROLES.values() and owner != ROLES[role]:
        raise JournalForeign(path, f"the journal of another role, not of the {role}")
    if (version, owner) == (0, 0) and not _schema(connection):
        connection.execute(f"PRAGMA application_id={ROLES[role]}")
    elif owner != ROLES[role] or version < 1:
        raise JournalDamaged(path, None, f"no journal's header (application id {owner:#x}, version {version})")
    if version > len(steps):
        raise JournalForeign(path, f"version {version} was written by a newer program; this one knows {len(steps)}")
    for number, step in enumerate(steps[version:], version + 1):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(step)
        connection.execute(f"PRAGMA user_version={number}")
        connection.execute("COMMIT")
    model = sqlite3.connect(":memory:")
    try:
        for step in steps:
            model.execute(step)
        if _schema(connection) != _schema(model):
            raise JournalDamaged(path, None, "the schema is not what this program wrote")
    finally:
        model.close()


def last(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Number and hash of the last row; (0, GENESIS) of an empty journal."""
    row = connection.execute("SELECT seq, chain FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
    return row or (0, GENESIS)


def chain_at(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """The hash of one row; None where it is not there (any more)."""
    row = connection.execute("SELECT chain FROM entry WHERE seq = ?", (seq,)).fetchone()
    return bytes(row[0]) if row else None


def one(connection: sqlite3.Connection, path: Path, seq: int) -> Row | None:
    """Row ``seq``, checked by its own CRC; None where it was pruned or never was. Raises JournalDamaged."""
    try:
        found = connection.execute(f"{_SELECT} WHERE seq = ?", (seq,)).fetchone()
        if found is None or found[2] == PRUNED:
            return None
        _, at_ms, kind, data, crc, _ = found
        if crc != seal(GENESIS, seq, at_ms, kind, data)[0]:
            raise JournalDamaged(path, seq, "its content does not fit its checksum")
    except UNREADABLE as error:
        raise JournalDamaged(path, seq, str(error)) from error
    return Row(seq, at_ms, kind, data)


def checkpoint_before(connection: sqlite3.Connection, at_ms: int) -> int:
    """Number of the last checkpoint that was written at ``at_ms`` or before; 0 where there is none."""
    found = connection.execute("SELECT max(seq) FROM entry WHERE kind = 'checkpoint' AND at_ms <= ?", (at_ms,))
    return found.fetchone()[0] or 0


def insert(connection: sqlite3.Connection, row: Sealed) -> None:
    connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", row)


def copy(source: sqlite3.Connection, target: sqlite3.Connection, after: int, through: int) -> None:
    """Copy rows as they are, in one transaction; the caller knows that they are whole and follow each other."""
    target.execute("BEGIN IMMEDIATE")
    rows = source.execute(f"{_SELECT} WHERE seq > ? AND seq <= ? ORDER BY seq", (after, through))
    target.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", rows)
    target.execute("COMMIT")


def verified(connection: sqlite3.Connection, path: Path) -> Iterator[Row]:
    """Every row in order, each checked before it is handed out; raises JournalDamaged at the first one in doubt."""
    due, previous = 1, GENESIS
    try:
        for seq, at_ms, kind, data, crc, chain in connection.execute(f"{_SELECT} ORDER BY seq"):
            if kind == PRUNED and due == 1:
                if data != chain or crc != seal(GENESIS, seq, at_ms, kind, data)[0]:
                    raise JournalDamaged(path, seq, "the row that stands for the pruned ones is altered")
            else:
                if seq != due:
                    raise JournalDamaged(path, due, f"rows are missing: {due} to {seq - 1}")
                if (crc, chain) != seal(previous, seq, at_ms, kind, data):
                    raise JournalDamaged(path, seq, "its content does not fit its hash")
                yield Row(seq, at_ms, kind, data)
            due, previous = seq + 1, chain
    except UNREADABLE as error:
        raise JournalDamaged(path, due, str(error)) from error


def sound(connection: sqlite3.Connection, end: int) -> Iterator[Sealed]:
    """Of a damaged file: each row up to ``end`` that fits its own CRC, in order, with gaps where others were."""
    reached = 0
    while reached < end:
        try:
            found = connection.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq", (reached,))
            for reached, at_ms, kind, data, crc, chain in found:
                if _fits(crc, reached, at_ms, kind, data) and isinstance(chain, bytes):
                    yield reached, at_ms, kind, data, crc, chain
            return
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            reached += 1  # the page that holds it cannot be read: try to land behind it


def _fits(crc: object, seq: int, at_ms: int, kind: str, data: bytes) -> bool:
    try:
        return crc == seal(GENESIS, seq, at_ms, kind, data)[0]
    except UNREADABLE:
        return False


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def _while_opening(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> JournalError:
    """While opening, whatever cannot be made sense of is damage; a full disk or a missing right is not."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE) or not isinstance(error, sqlite3.Error):
        return JournalDamaged(path, None, str(error))
    return as_journal_error(path, error)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
