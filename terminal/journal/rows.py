"""The journal's rows on the disk: how they are sealed, read back, migrated and salvaged; and its errors.

Every row has a CRC of its own content, and a hash over that content and the hash of the row before. So a flipped byte
or a lost, moved or exchanged row shows when it is read; SQLite's own integrity check would miss a flipped byte.

JournalError
 +- JournalLocked    another process writes this journal
 +- JournalFenced    another writer has taken it over: nothing more may be said (PostgreSQL alone)
 +- JournalForeign   it belongs to another role, or was written by a newer version
 |   +- NoJournal    it was never one of our journals: it is neither moved nor altered
 +- JournalDamaged   what is read is not what was written (for readers also what is not a journal)
 +- JournalFull      the disk is full: nothing was written, and writing may go on once there is room
 +- JournalFailed    a commit failed and nobody knows how far it came: only a restart can go on
"""

import os
import sqlite3
import struct
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from terminal.journal.kinds import PRUNED

ROLES = {"worker": 0x50585477, "barrier": 0x50585462, "console": 0x50585463}
"""The roles that have a journal, and the application id in its file ("PXTw", "PXTb", "PXTc")."""

GENESIS = bytes(16)
"""Stands for the hash of the row before the first."""

STEPS = (
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, data BLOB NOT NULL,"
    " crc INTEGER NOT NULL, chain BLOB NOT NULL) STRICT",
    "CREATE INDEX checkpoint ON entry (at_ms, seq) WHERE kind = 'checkpoint'",
)
"""SQL that leads from one schema version to the next; the first makes an empty file version 1."""

UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError, struct.error, TypeError, AttributeError)
"""What reading a damaged file may raise: SQLite's own error, whose text may itself not be UTF-8, or an error over a
value whose type a flipped byte changed."""

TABLE = STEPS[0].partition(",")[0]
_GAPS = 20_000
"""After this many unreadable places the rest is not looked at: a start must end."""
_PAGE_ROWS = 256
"""More rows than a page holds."""
_LOOKED_UP = 5_000
"""How many numbers of a gap are asked for one by one."""
Connect = Callable[[str], sqlite3.Connection]
_HEAD = struct.Struct(">QqH")
_SELECT = "SELECT seq, at_ms, kind, data, crc, chain FROM entry"


class JournalError(Exception):
    """The root of the journal's errors; ``path`` names the file, or the database in words."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class JournalLocked(JournalError):
    """Another process has this journal open for writing."""


class JournalFenced(JournalError):
    """Another writer has taken this journal over, or its lease ran out. Nothing was written."""


class JournalForeign(JournalError):
    """The journal of another role, or of a newer version of this program."""


class JournalDamaged(JournalError):
    """What was read is not what was written. ``seq``: the first row in doubt; None if no row could be read."""

    def __init__(self, path: Path | str, seq: int | None, reason: str) -> None:
        super().__init__(path, f"damaged{'' if seq is None else f' at row {seq}'}: {reason}")
        self.seq = seq


class NoJournal(JournalForeign, JournalDamaged):
    """The file in the journal's place is something else: a text, another program's database, a folder."""

    def __init__(self, path: Path | str, what: str) -> None:
        other = "name another file, or move this one away" if isinstance(path, Path) else "name another database"
        JournalError.__init__(self, path, f"{what}; it is left as it is: {other}")
        self.seq = None


class JournalFull(JournalError):
    """The disk is full. Nothing was written; the journal goes on once there is room."""


class JournalFailed(JournalError):
    """A commit failed; whether its rows are on the disk is unknown until the journal is opened anew."""


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
    """The journal error that an SQLite error means."""
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
        sync_folder(path.parent)
    except FileExistsError:
        pass
    connection = connect(str(path))
    try:
        claim(connection, path, role)  # before the first statement that alters the file
        # SQLite must not make checkpoints itself: they would cost flushes in the middle of an append.
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


def claim(connection: sqlite3.Connection, path: Path, role: str) -> None:
    """Raise unless this is a journal of ``role``, or a database with nothing in it."""
    version, owner = _pragma(connection, "user_version"), _pragma(connection, "application_id")
    if owner in ROLES.values() and owner != ROLES[role]:
        raise JournalForeign(path, f"this is the journal of another role, not of the {role}")
    if owner == ROLES[role] and version >= 1:
        return
    schema = _schema(connection)
    if version == 0 and owner in (0, ROLES[role]) and not schema:
        return
    text = f"not a journal's header (application id {owner:#x}, version {version})"
    ours = owner == ROLES[role] or any((sql or "").startswith(TABLE) for _, sql in schema)
    raise JournalDamaged(path, None, text) if ours else NoJournal(path, text)


def refuse_newer(connection: sqlite3.Connection, path: Path, known: int = len(STEPS)) -> None:
    """Raise JournalForeign for a journal of a version above ``known``: this program would misread it."""
    if (version := _pragma(connection, "user_version")) > known:
        text = f"version {version} was written by a newer program; this one knows {known}: install the newer program"
        raise JournalForeign(path, f"{text} again, or restore a backup from before the update")


def _migrate(connection: sqlite3.Connection, path: Path, role: str, steps: Sequence[str]) -> None:
    version = _pragma(connection, "user_version")
    if version == 0:
        connection.execute(f"PRAGMA application_id={ROLES[role]}")
    refuse_newer(connection, path, len(steps))
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
    """The number and hash of the last row; (0, GENESIS) if the journal is empty."""
    row = connection.execute("SELECT seq, chain FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
    return row or (0, GENESIS)


def chain_at(connection: sqlite3.Connection, seq: int) -> bytes | None:
    """The hash of one row; None if the row is not there."""
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
            raise JournalDamaged(path, seq, "its content does not match its checksum")
    except UNREADABLE as error:
        raise JournalDamaged(path, seq, str(error)) from error
    return Row(seq, at_ms, kind, data)


def checkpoint_before(connection: sqlite3.Connection, at_ms: int) -> int:
    """Number of the last checkpoint that was written at ``at_ms`` or before; 0 where there is none."""
    found = connection.execute("SELECT max(seq) FROM entry WHERE kind = 'checkpoint' AND at_ms <= ?", (at_ms,))
    return found.fetchone()[0] or 0


def insert(connection: sqlite3.Connection, row: Sealed) -> None:
    """Write a sealed row as it is; the caller commits. Raises sqlite3.Error, also for a ``seq`` that is there."""
    connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", row)


def copy(source: sqlite3.Connection, target: sqlite3.Connection, after: int, through: int) -> None:
    """Copy rows unchanged, in one transaction; the caller knows that they are whole and consecutive."""
    target.execute("BEGIN IMMEDIATE")
    rows = source.execute(f"{_SELECT} WHERE seq > ? AND seq <= ? ORDER BY seq", (after, through))
    target.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", rows)
    target.execute("COMMIT")


class HashChain:
    """Checks that rows follow each other as they were written, from the first that is there."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self.due, self.last = 1, GENESIS
        """The number of the next row, and the hash of the one before it."""

    def follow(self, sealed: Sealed) -> Row | None:
        """The next row; None for the one that stands for pruned rows. Raises JournalDamaged unless it follows."""
        seq, at_ms, kind, data, crc, chain = sealed
        found = None
        if kind == PRUNED and self.due == 1:
            if data != chain or crc != seal(GENESIS, seq, at_ms, kind, data)[0]:
                raise JournalDamaged(self.path, seq, "the row that stands for the pruned ones is altered")
        else:
            if seq != self.due:
                raise JournalDamaged(self.path, self.due, f"rows are missing: {self.due} to {seq - 1}")
            if (crc, chain) != seal(self.last, seq, at_ms, kind, data):
                raise JournalDamaged(self.path, seq, "its content does not match its hash")
            found = Row(seq, at_ms, kind, data)
        self.due, self.last = seq + 1, chain
        return found


def verified(connection: sqlite3.Connection, path: Path) -> Iterator[Row]:
    """Every row in order, each checked before it is handed out; raises JournalDamaged at the first one in doubt."""
    chain = HashChain(path)
    try:
        for sealed in connection.execute(f"{_SELECT} ORDER BY seq"):
            if row := chain.follow(sealed):
                yield row
    except UNREADABLE as error:
        raise JournalDamaged(path, chain.due, str(error)) from error


def sound(connection: sqlite3.Connection, end: int) -> Iterator[Sealed]:
    """The rows of a damaged file that match their own CRC, in order, with gaps where others were.

    ``end``: after this number nothing is looked for once a page cannot be read. The scan only moves forward, and not
    without limit: in a broken page numbers may run backwards, and a row may claim any number.
    """
    reached = 0
    for row in _scanned(connection, end):
        yield from _between(connection, reached, row[0] - 1)
        yield row
        reached = row[0]
    yield from _between(connection, reached, end)


def _between(connection: sqlite3.Connection, reached: int, through: int) -> Iterator[Sealed]:
    """Ask for each number that a scan did not find: a row may be found although its neighbours are not."""
    for seq in range(reached + 1, min(through, reached + _LOOKED_UP) + 1):
        try:
            found = connection.execute(f"{_SELECT} WHERE seq = ?", (seq,)).fetchone()
        except UNREADABLE:
            continue
        if found and _fits(found):
            yield found


def _scanned(connection: sqlite3.Connection, end: int) -> Iterator[Sealed]:
    reached = 0
    for _ in range(_GAPS):
        try:
            for row in _from(connection, reached):
                if row[0] > reached and _fits(row):
                    yield row
                    reached = row[0]
                elif row[0] == reached + 1:  # for any other row it is unknown whether the number is its own
                    reached = row[0]
            return
        except UNREADABLE:
            reached = _behind(connection, reached, end)
            if reached >= end:
                return


def _from(connection: sqlite3.Connection, reached: int) -> Iterator[Sealed]:
    return connection.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq", (reached,))


def _behind(connection: sqlite3.Connection, reached: int, end: int) -> int:
    """The number, at least one further, after which a row can be read again; ``end`` if none can.

    One by one over what a page holds, then in leaps over the many pages that a broken one may lead to.
    """
    known, step = reached, 1
    while known < end:
        here = min(known + step, end)
        if _readable(connection, here):
            while here - known > 1:  # a leap may have gone too far
                half = (known + here) // 2
                known, here = (known, half) if _readable(connection, half) else (half, here)
            return here
        known = here
        if known - reached >= _PAGE_ROWS:
            step *= 2
    return end


def _readable(connection: sqlite3.Connection, reached: int) -> bool:
    try:
        next(_from(connection, reached), None)
    except UNREADABLE:
        return False
    return True


def _fits(row: Sealed) -> bool:
    seq, at_ms, kind, data, crc, chain = row
    try:
        return isinstance(chain, bytes) and crc == seal(GENESIS, seq, at_ms, kind, data)[0]
    except UNREADABLE:
        return False


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def _while_opening(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> JournalError:
    """While opening, whatever makes no sense is damage; a full disk or a missing right is not."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE) or not isinstance(error, sqlite3.Error):
        return JournalDamaged(path, None, str(error))
    return as_journal_error(path, error)


def sync_folder(folder: Path) -> None:
    """Flush the folder, so that a file made or renamed in it survives a power cut. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
