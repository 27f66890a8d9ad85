"""The files beside the journal: its lock and head, its ballast, and damaged journals that were moved aside."""

import errno
import fcntl
import os
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

from terminal.journal.first_page import opened_for_salvage
from terminal.journal.kinds import PRUNED
from terminal.journal.rows import (
    ROLES,
    TABLE,
    UNREADABLE,
    JournalDamaged,
    JournalError,
    JournalForeign,
    JournalLocked,
    NoJournal,
    Row,
    Sealed,
    as_journal_error,
    chain_at,
    last,
    sound,
)

BALLAST_BYTES = 1 << 20
"""How many bytes are kept free for a full disk: enough for the rest of every open visit."""

IN_USE = "another process writes this journal, and only one may"
_HEAD = struct.Struct(">8sQ16s")
_MAGIC = b"PXTHEAD1"
_SUFFIXES = ("", "-wal", "-shm", ".head")  # without ".ballast", which holds nothing


class HeadFile:
    """``<journal>.head``: locked by the process that writes the journal; contains the last acknowledged row.

    If the write-ahead log is torn or cut, SQLite takes it to end there, without an error. The head tells that there was
    more. It is written after each commit without a flush: if a power cut loses some of it, it only tells less.
    """

    def __init__(self, journal: Path) -> None:
        """Take the lock, held until close(); raises JournalLocked, or OSError where the file cannot be made."""
        self._journal = journal
        path = _beside(journal, ".head")
        self._made = None if path.exists() else path
        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise JournalLocked(journal, IN_USE) from None

    def read(self) -> tuple[int, bytes] | None:
        """The number and hash of the last acknowledged row; None if there is none, or a power cut tore the note."""
        return _unpack(os.pread(self._file, _HEAD.size + 4, 0))

    def write(self, seq: int, chain: bytes) -> None:
        """Note the last acknowledged row, without a flush. Raises OSError."""
        note = _HEAD.pack(_MAGIC, seq, chain)
        os.pwrite(self._file, note + crc32(note).to_bytes(4, "big"), 0)

    @property
    def place(self) -> tuple[int, int]:
        """Device and number of the file that is open."""
        found = os.fstat(self._file)
        return found.st_dev, found.st_ino

    def unmake(self) -> None:
        """Close it, and remove what was not there before."""
        if self._made:
            self._made.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Release the lock; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Ballast:
    """``<journal>.ballast``: space that is given up once, so that open visits can end on a full disk."""

    def __init__(self, journal: Path, size: int = BALLAST_BYTES) -> None:
        self._path = _beside(journal, ".ballast")
        self._size = size

    @property
    def held(self) -> bool:
        """Is the space still held, so that it can be given up?"""
        return self._path.exists()

    def hold(self) -> bool:
        """Take the space, unless less than as much again would be left; returns whether it is held now."""
        if self.held:
            return True
        partial = self._path.with_name(self._path.name + ".new")
        try:
            if usage(self._path).free_bytes < 2 * self._size:
                return False
            handle = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
            partial.rename(self._path)
        except OSError:
            partial.unlink(missing_ok=True)
            return False
        return True

    def release(self) -> bool:
        """Give the space up; returns whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Usage:
    """How full the disk under the journal is. ``used``: 0 to 1, as df reckons it for those without privileges."""

    free_bytes: int
    used: float
    journal_bytes: int


def usage(journal: Path) -> Usage:
    """How full ``journal``'s disk is, and how much of it the journal uses."""
    disk = os.statvfs(journal.parent)
    taken = disk.f_blocks - disk.f_bfree
    own = sum(_size(_beside(journal, suffix)) for suffix in _SUFFIXES)
    return Usage(disk.f_bavail * disk.f_frsize, taken / max(1, taken + disk.f_bavail), own)


def move_aside(journal: Path, at_ms: int) -> Path:
    """Rename a journal that is damaged, and not open, to ``<name>.damaged-<time>``; returns its new path."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = journal.with_name(f"{journal.name}.damaged-{at}")
    number = 1
    while any(_beside(aside, suffix).exists() for suffix in _SUFFIXES):
        number += 1
        aside = journal.with_name(f"{journal.name}.damaged-{at}-{number}")
    for suffix in _SUFFIXES:
        if (old := _beside(journal, suffix)).exists():
            old.rename(_beside(aside, suffix))
    return aside


def salvage(aside: Path) -> Iterator[Row]:
    """The rows of a journal that was moved aside which match their own checksum, in order, perhaps with gaps.

    For closing orders and for a person to read; never for replay. A file that is not a database yields nothing.
    """
    for seq, at_ms, kind, data, _, _ in sound_rows(aside):
        if kind != PRUNED:
            yield Row(seq, at_ms, kind, data)


def sound_rows(journal: Path) -> Iterator[Sealed]:
    """The same rows as they are on the disk, hashes included, with the row that stands for pruned ones."""
    noted = noted_in(journal)
    end = max(noted[0] if noted else 0, _size(journal) // 32)  # a row takes more than 32 bytes
    try:
        with opened_for_salvage(journal) as connection:
            yield from sound(connection, end)
    except sqlite3.Error as error:
        raise as_journal_error(journal, error) from error


def noted_in(journal: Path) -> tuple[int, bytes] | None:
    """The number and hash of the last acknowledged row, from the head of a journal that is not open."""
    try:
        return _unpack(_beside(journal, ".head").read_bytes())
    except OSError:
        return None


def place_of(path: Path) -> tuple[int, int] | None:
    """Device and number of the file that a path names; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def written_at(journal: Path) -> tuple[int, int] | None:
    """When the file was last written, and its size: between two folds nobody should write into it."""
    try:
        found = journal.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def has_no_log(journal: Path) -> bool:
    """Is every row in the file itself?"""
    return _size(_beside(journal, "-wal")) == 0


def refuse_other_files(journal: Path) -> None:
    """Raise NoJournal for a folder or a device in the journal's place. Call it before making anything beside the file,
    because merely opening some devices has consequences."""
    if not journal.exists():
        return
    if not journal.is_file():
        raise NoJournal(journal, "a folder lies there" if journal.is_dir() else "it is not a file")
    if journal.stat().st_size == 1:  # SQLite would take it for empty and write over it
        raise NoJournal(journal, "not a journal (file is not a database)")


def whose(journal: Path, role: str, error: JournalDamaged) -> JournalError:
    """The error for a file that cannot be opened as a journal: damage only if it once was one of ``role``, by its head
    or by what its first page still says."""
    if isinstance(error, NoJournal):
        return error
    with journal.open("rb") as file:
        page = file.read(4096)
    owner = int.from_bytes(page[68:72], "big")
    if owner in ROLES.values() and owner != ROLES[role]:
        return JournalForeign(journal, f"this is the journal of another role, not of the {role}")
    if owner == ROLES[role] or TABLE.encode() in page or noted_in(journal):
        return error
    return NoJournal(journal, f"not a journal ({error.reason.removeprefix('damaged: ')})")


def compare_head(journal: Path, noted: tuple[int, bytes] | None, connection: sqlite3.Connection) -> None:
    """Raise JournalDamaged unless the journal has the row that its head notes as acknowledged."""
    try:
        last_seq, _ = last(connection)
        if noted is None:
            return
        seq, chain = noted
        if seq > last_seq:
            raise JournalDamaged(journal, last_seq + 1, f"it ends at row {last_seq}, but row {seq} was acknowledged")
        if chain_at(connection, seq) not in (chain, None):
            raise JournalDamaged(journal, seq, "it is not the row that was acknowledged")
    except UNREADABLE as error:
        raise JournalDamaged(journal, None, str(error)) from error


def _unpack(note: bytes) -> tuple[int, bytes] | None:
    if len(note) != _HEAD.size + 4 or crc32(note[:-4]).to_bytes(4, "big") != note[-4:]:
        return None
    magic, seq, chain = _HEAD.unpack(note[:-4])
    return (seq, chain) if magic == _MAGIC else None


def _beside(journal: Path, suffix: str) -> Path:
    return journal.with_name(journal.name + suffix)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
