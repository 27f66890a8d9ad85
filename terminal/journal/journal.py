"""The journal: facts are appended, flushed, and read back as they were written.

SQLite in WAL mode with ``synchronous=FULL``; one writer, in a thread of its own, so that the event loop never waits for
a disk. When append() has returned, its rows are on the disk; if it raised, nothing is acknowledged and the caller
stops. Appends that wait at the same time share one flush. ``rows.py`` seals and checks the rows, and ``side_files.py``
keeps the files beside the journal.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Self, TypedDict

from terminal.journal import rows as rows_
from terminal.journal import side_files
from terminal.journal.archive import keep
from terminal.journal.kinds import PRUNED
from terminal.journal.reading import backup, checkpoint_before, copy_to, ends_with, read
from terminal.journal.rows import (
    STEPS,
    Connect,
    JournalDamaged,
    JournalError,
    JournalFailed,
    JournalFull,
    Row,
    Sealed,
)
from terminal.journal.side_files import Usage
from terminal.journal.writer import AppendRequest, JournalWriter, WriterJob

_FOLD_AFTER = 250
"""After this many commits the log is folded into the file as soon as the writer is idle, to keep it near 1 MiB; after
16 times as many it is folded even if the writer was never idle."""
_IDLE_S = 1.0
_PRUNE_ROWS = 500
"""How many rows one transaction prunes, so that an append waits only briefly."""


class JournalOptions(TypedDict, total=False):
    """The options of Journal.open() besides path and role."""

    ballast_bytes: int
    steps: Sequence[str]
    connect: Connect
    fold_after: int


class Journal(JournalWriter):
    """One role's journal, open for writing. A test makes writes fail through ``connect``:
    every durable write is one ``execute("COMMIT")`` of the connection that it returns."""

    def __init__(
        self,
        path: Path,
        role: str,
        db: sqlite3.Connection,
        head: side_files.HeadFile,
        ballast: side_files.Ballast,
        connect: Connect,
        fold_after: int,
    ) -> None:
        """Journal.open() calls this with what it has opened."""
        super().__init__(path, role, rows_.last(db))
        self.path = path
        self.ballast = ballast
        self._db = db
        self._head = head
        self._connect = connect
        self._places = {suffix: side_files.place_of(path.with_name(path.name + suffix)) for suffix in ("", "-wal")}
        self._folded = (side_files.written_at(path), rows_.last(db)) if side_files.has_no_log(path) else None
        """How the file itself was left, without the log beside it, and the last row in it."""
        self._fold_after = fold_after
        self._unfolded = 0 if self._folded else fold_after
        self._thread.start()

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        role: str,
        ballast_bytes: int = side_files.BALLAST_BYTES,
        steps: Sequence[str] = STEPS,
        connect: Connect = rows_.connect,
        fold_after: int = _FOLD_AFTER,
    ) -> Self:
        """Open or make the journal of ``role`` (a key of rows.ROLES); raises JournalError, or OSError where the
        folder does not allow it. Only a replay checks every row, so replay before relying on any."""
        side_files.refuse_other_files(path)
        head = side_files.HeadFile(path)
        try:
            db = rows_.prepare(path, role, steps, connect)
            try:
                side_files.compare_head(path, head.read(), db)
                ballast = side_files.Ballast(path, ballast_bytes)
                ballast.hold()
                return cls(path, role, db, head, ballast, connect, fold_after)
            except BaseException:
                db.close()
                raise
        except JournalDamaged as error:
            head.unmake()
            raise side_files.whose(path, role, error) from error
        except BaseException:
            head.close()
            raise

    @property
    def has_reserve(self) -> bool:
        """Is the reserve for a full disk held?"""
        return self.ballast.held

    @property
    def lacks_room(self) -> bool:
        """Is it missing?"""
        return not self.ballast.held

    def release_reserve(self) -> bool:
        """Give the reserve up; returns whether there was any."""
        return self.ballast.release()

    def hold_reserve(self) -> bool:
        """Take the reserve again if there is room; returns whether it is held now."""
        return self.ballast.hold()

    def replay(self) -> Iterator[Row]:
        """Every row in order, checked; raises JournalDamaged at the first row in doubt."""
        return read(self.path, connect=self._connect)

    async def prune(self, through: int) -> None:
        """Drop the rows up to number ``through``; a row with the hash of the last of them takes its place.
        The newest row always stays. Runs in steps, between appends. Raises like append()."""
        base = 0
        while base < (end := min(through, self._seq - 1)):
            base = await asyncio.wrap_future(self._submit(WriterJob(partial(self._prune_some, end), Future())))

    async def backup(self, target: Path) -> int:
        """Write a copy that is whole and checked to ``target`` (mode 0600, replaced at once) while appends go on.

        Returns the number of its last row; raises JournalDamaged, OSError.
        """
        return await asyncio.to_thread(backup, self.path, target, self._connect)

    async def archive_and_prune(self, through: int) -> int:
        """prune(), after copying the rows to ``<journal>.archive``; returns how many were added there."""
        count = await asyncio.to_thread(keep, self.path, self.role, through, self._connect)
        await self.prune(through)
        return count

    async def row(self, seq: int) -> Row | None:
        """One row, checked by its own checksum; None where it was pruned. Raises JournalDamaged."""
        job = WriterJob(partial(rows_.one, self._db, self.path, seq), Future())
        found: Row | None = await asyncio.wrap_future(self._submit(job))
        return found

    async def checkpoint_before(self, at_ms: int) -> int:
        """Number of the last checkpoint that was written at ``at_ms`` or before; 0 where there is none."""
        return await asyncio.to_thread(checkpoint_before, self.path, at_ms, self._connect)

    def usage(self) -> Usage:
        """How full the disk is, and how much of it the journal uses. Raises OSError."""
        return side_files.usage(self.path)

    def probe(self) -> None:
        """Rewrite what is already there, to try the disk; raises like append() if nothing can be written. Blocks."""
        self._submit(WriterJob(self._rewrite, Future())).result()

    def displaced(self) -> str:
        """How the path stopped naming the open file; empty while it names it, and once the journal is closed."""
        if self._closed:
            return ""
        for suffix, place in {**self._places, ".head": self._head.place}.items():
            found = side_files.place_of(file := self.path.with_name(self.path.name + suffix))
            if place and found != place:
                return f"{file} was {'replaced' if found else 'deleted'}"
        overwritten: bool = self._submit(WriterJob(self._is_overwritten, Future())).result()
        return f"{self.path} was overwritten" if overwritten else ""

    def copy_out(self, target: Path) -> None:
        """Copy what is in the open file, wherever its path leads, to ``target`` (mode 0600, replaced at once).
        Raises OSError, JournalError; writing goes on all the same."""
        failed: list[Exception] = []

        def copy() -> int:
            try:
                copy_to(self._db, target)
            except Exception as error:  # the journal itself goes on
                failed.append(error)
            return 0

        self._submit(WriterJob(copy, Future())).result()
        for error in failed:
            raise rows_.as_journal_error(target, error) if isinstance(error, sqlite3.Error) else error

    # What follows runs in the writer's thread.

    def _wait(self) -> AppendRequest | WriterJob | None:
        """The next item; raises Empty when the log should be folded and no item came for a moment."""
        due = self._unfolded >= self._fold_after and not self._failed
        return self._queue.get(timeout=_IDLE_S if due else None)

    def _insert(self, sealed: list[Sealed], seq: int, chain: bytes) -> None:
        self._transact(lambda: self._db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", sealed))
        self._head.write(seq, chain)

    def _committed(self) -> None:
        if self._unfolded >= 16 * self._fold_after:
            self._tidy()

    def _release(self) -> None:
        self._db.close()
        self._head.close()

    def _transact(self, change: Callable[[], object]) -> None:
        """One transaction, one flush."""
        if self._failed:
            raise JournalFailed(self.path, self._failed)
        self._db.execute("BEGIN IMMEDIATE")
        change()
        self._db.execute("COMMIT")
        self._unfolded += 1

    def _refusal(self, error: BaseException) -> JournalError:
        """The error for the callers; any but a full disk ends all writing, because the disk's state is unknown."""
        match error:
            case JournalError():
                refusal = error
            case sqlite3.Error():
                refusal = rows_.as_journal_error(self.path, error)
            case _:
                refusal = JournalFailed(self.path, repr(error))
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error as second:
            refusal = JournalFailed(self.path, f"{refusal.reason}; then {second}")
        if not isinstance(refusal, JournalFull):
            self._failed = self._failed or refusal.reason
        return refusal

    def _rewrite(self) -> int:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        self._transact(lambda: self._db.execute(f"PRAGMA user_version={version}"))
        return 0

    def _is_overwritten(self) -> bool:
        """Did somebody else write into the file, as `cp` does, so that it is now another?"""
        if self._folded is None:
            return False
        before, last = self._folded
        written = side_files.written_at(self.path)
        if written != before and not ends_with(self.path, *last):
            return True
        self._folded = written, last
        return False

    def _prune_some(self, through: int) -> int:
        first = self._db.execute("SELECT seq FROM entry ORDER BY seq LIMIT 1").fetchone()[0]
        base: int = min(through, first + _PRUNE_ROWS)
        if base <= first:
            return base
        at_ms, chain = self._db.execute("SELECT at_ms, chain FROM entry WHERE seq = ?", (base,)).fetchone()
        crc, _ = rows_.seal(rows_.GENESIS, base, at_ms, PRUNED, chain)

        def change() -> None:
            self._db.execute("DELETE FROM entry WHERE seq <= ?", (base,))
            self._db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", (base, at_ms, PRUNED, chain, crc, chain))

        self._transact(change)
        return base

    def _tidy(self) -> None:
        """Fold the log into the file and begin the log anew at once, so that the next append costs one flush."""
        self._unfolded = 0
        try:
            _, log, folded = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._folded = (side_files.written_at(self.path), (self._seq, self._chain)) if log == folded else None
            self._db.execute(f"PRAGMA user_version={self._db.execute('PRAGMA user_version').fetchone()[0]}")
        except sqlite3.Error as error:
            # A full disk also shows at the next append, whose caller gets the error.
            self._refusal(error)
