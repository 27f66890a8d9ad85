"""The worker's journal in a PostgreSQL database: the same rows, sealed in the same way, and one writer by a lease.

An append is one statement: it compares epoch, last number and last hash, and writes nothing if any of them differs. So
a writer that was replaced is refused, and a database that was put back under a living writer is noticed. Whatever else
goes wrong with an append (an error, a notice, no answer in time) ends all writing, because its outcome is unknown.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Self

import psycopg

from terminal.journal import rows as rows_
from terminal.journal.kinds import PRUNED
from terminal.journal.postgres import lease as lease_
from terminal.journal.postgres.connection import BoundedConnection, DatabaseAddress, Opener, as_journal_error
from terminal.journal.postgres.dump import dump
from terminal.journal.postgres.lease import Lease, LeaseState
from terminal.journal.postgres.reading import JournalTail, one, pages
from terminal.journal.postgres.tables import STEPS, JournalOwner, home_of, prepare
from terminal.journal.rows import (
    GENESIS,
    HashChain,
    JournalDamaged,
    JournalError,
    JournalFailed,
    JournalFenced,
    JournalFull,
    JournalLocked,
    Row,
    Sealed,
)
from terminal.journal.side_files import Usage
from terminal.journal.writer import AppendRequest, JournalWriter, WriterJob

_PRUNE_ROWS = 500
"""How many rows one transaction prunes, so that an append waits only briefly."""
_APPEND = b"""
WITH mine AS (
    UPDATE journal SET seq = %b, chain = %b, renewed = renewed + 1, renewed_at = clock_timestamp()
    WHERE epoch = %b AND seq = %b AND chain = %b RETURNING asked)
INSERT INTO entry SELECT v.* FROM mine,
    unnest(%b::bigint[], %b::bigint[], %b::text[], %b::bytea[], %b::bigint[], %b::bytea[]) AS v
RETURNING (SELECT asked FROM mine)
"""
_FIRST = (
    "SELECT coalesce(min(seq), 0) + count(*) FILTER (WHERE kind = 'pruned')"
    " FROM (SELECT seq, kind FROM entry ORDER BY seq LIMIT 1) AS first"
)
_PRUNE = b"""
WITH mine AS (UPDATE journal SET renewed = renewed + 1 WHERE epoch = %(epoch)s RETURNING 1),
kept AS (INSERT INTO archive SELECT e.* FROM mine, entry e
    WHERE e.seq <= %(base)s AND (e.kind <> 'pruned' OR NOT EXISTS (SELECT FROM archive)) RETURNING 1),
gone AS (DELETE FROM entry USING mine WHERE seq < %(base)s)
UPDATE entry SET kind = 'pruned', data = %(chain)s, crc = %(crc)s FROM mine WHERE seq = %(base)s
"""


def _open_writer(address: DatabaseAddress, application: str) -> BoundedConnection:
    return BoundedConnection.open(address, application)


class PostgresJournal(JournalWriter):
    """A garage's journal, open for writing by the holder of its lease."""

    def __init__(
        self, address: DatabaseAddress, db: BoundedConnection, opener: Opener, lease: Lease, tail: JournalTail | None,
        state: LeaseState, moved: bool,
    ) -> None:  # fmt: skip
        """PostgresJournal.open() calls this with what it has opened."""
        super().__init__(address.name, "worker", (state.seq, bytes(state.chain)))
        self.path = address.name
        self.lease = lease
        self.moved = moved
        """Is this database another than the one that was last written to? Then it was put back from a copy."""
        self._address, self._db, self._opener, self._tail = address, db, opener, tail
        self._renew_at = lease.steady_s() + lease_.RENEW_S
        self._alive_until = lease.steady_s() + _BEGIN_S
        self._thread.start()

    @classmethod
    def open(
        cls,
        address: DatabaseAddress,
        lease: Lease,
        *,
        role: str = "worker",
        keys: frozenset[str] = frozenset(),
        seen: LeaseState | None = None,
        tail: JournalTail | None = None,
        opener: Opener = _open_writer,
        steps: tuple[str, ...] = STEPS,
    ) -> Self:
        """Open or make the journal, and take its lease: the one that was ``seen`` for long enough, or a free one.
        ``tail`` has followed the rows so far. Raises JournalError: JournalLocked while another holds the lease."""
        db = opener(address, f"exit-terminal worker {lease.holder}"[:60])
        try:
            prepare(db, address.name, JournalOwner(role, address.garage, keys), steps)
            now = seen or lease_.look(db)
            if now is None or (seen is None and now.holder not in ("", lease.holder)):
                raise JournalLocked(address.name, f"another worker writes this journal: {now.holder if now else ''}")
            state = lease_.take(db, now, lease, " ".join(sorted(keys)))
            if state is None:
                raise JournalLocked(address.name, "another worker took this journal a moment ago")
            _compare_head(db, address.name, state)
            was = db.execute("SELECT home FROM journal").fetchone() or ("",)
            return cls(address, db, opener, lease, tail, state, was[0] != home_of(db))
        except psycopg.Error as error:
            db.close()
            raise as_journal_error(address.name, error) from None
        except BaseException:  # raised again: only the connection must not be left open
            db.close()
            raise

    @property
    def lacks_room(self) -> bool:
        """Never: the room is the database's, which holds no reserve for one journal."""
        return False

    @property
    def has_reserve(self) -> bool:
        """No: see lacks_room."""
        return False

    def release_reserve(self) -> bool:
        """There is none."""
        return False

    def hold_reserve(self) -> bool:
        """The next append tells whether there is room."""
        return True

    @property
    def last(self) -> tuple[int, bytes]:
        """The number and hash of the last acknowledged row."""
        return self._seq, self._chain

    def has(self, seq: int, chain: bytes) -> bool:
        """Is that row, which was acknowledged once, still in the history? Blocks. Raises JournalError."""
        work = partial(self._db.execute, "SELECT chain FROM entry WHERE seq = %s", (seq,))
        found = self._submit(WriterJob(lambda: work().fetchone(), Future())).result()
        return bool(found and bytes(found[0]) == chain) or self._first() > seq

    def move_in(self) -> None:
        """That it was put back is in the journal now, so the next start need not say it again. Blocks."""

        def note() -> int:
            home = home_of(self._db)
            self._db.execute("UPDATE journal SET home = %s WHERE epoch = %s", (home, self.lease.epoch))
            return 0

        self._submit(WriterJob(note, Future())).result()
        self.moved = False

    def alive(self, for_s: float) -> None:
        """The event loop runs, so for that long the lease is renewed while the writer is idle."""
        self._alive_until = max(self._alive_until, self.lease.steady_s() + for_s)

    def replay(self) -> Iterator[Row]:
        """Every row in order, checked, or after a standby what it kept; raises JournalDamaged at the first row in
        doubt, JournalFailed."""
        seq, chain = self._seq, self._chain
        reader = self._opener(self._address, "exit-terminal worker reads")
        try:
            if tail := self._tail:
                self._tail = None
                tail.catch_up(reader)
                yield from tail.kept.rows()
                reached = tail.reached
            else:
                checked = HashChain(self.path)
                for sealed in pages(reader, 0):
                    if row := checked.follow(sealed):
                        yield row
                reached = checked.due - 1, checked.last
        except psycopg.Error as error:
            raise as_journal_error(self.path, error) from None
        finally:
            reader.close()
        if reached[0] < seq or (reached[0] == seq and reached[1] != chain):
            raise JournalDamaged(
                self.path, reached[0] + 1, f"it ends at row {reached[0]}, but row {seq} was acknowledged"
            )

    async def prune(self, through: int) -> None:
        """Move the rows up to number ``through`` into the table `archive`; a row with the hash of the last of them
        takes its place. The newest row always stays. Runs in steps, between appends. Raises like append()."""
        base = 0
        while base < (end := min(through, self._seq - 1)):
            base = await asyncio.wrap_future(self._submit(WriterJob(partial(self._prune_some, end), Future())))

    async def archive_and_prune(self, through: int) -> int:
        """prune(); returns how many rows were added to the archive."""
        first = await asyncio.to_thread(self._first)
        await self.prune(through)
        return max(0, min(through, self._seq - 1) - first + 1)

    async def backup(self, target: Path) -> int:
        """Write a dump of the database to ``target`` (mode 0600, replaced at once) while appends go on; returns the
        number of the last row that it has at least. Raises JournalError, OSError."""
        seq = self._seq
        await asyncio.to_thread(dump, self._address, target)
        return seq

    async def row(self, seq: int) -> Row | None:
        """One row, checked by its own checksum; None where it was pruned. Raises JournalDamaged."""
        job = WriterJob(partial(one, self._db, self.path, seq), Future())
        found: Row | None = await asyncio.wrap_future(self._submit(job))
        return found

    async def checkpoint_before(self, at_ms: int) -> int:
        """Number of the last checkpoint that was written at ``at_ms`` or before; 0 where there is none."""
        query = "SELECT coalesce(max(seq), 0) FROM entry WHERE kind = 'checkpoint' AND at_ms <= %s"
        return await asyncio.wrap_future(self._submit(WriterJob(partial(self._number, query, (at_ms,)), Future())))

    def usage(self) -> Usage | None:
        """None: nothing is known of the disk of another machine."""
        return None

    def probe(self) -> None:
        """Renew the lease, to try the database; raises like append() if nothing can be written. Blocks."""
        self._submit(WriterJob(self._renew, Future())).result()

    def displaced(self) -> str:
        """Empty: what takes the journal's place is noticed by the next append."""
        return ""

    def abandon(self, why: str) -> None:
        """Give the lease up at once, without a word to a database that may not answer; close() then waits for
        nothing."""
        self.lease.lose(why)

    # What follows runs in the writer's thread; _release() after its end.

    def _wait(self) -> AppendRequest | WriterJob | None:
        if self._failed:
            return self._queue.get()
        return self._queue.get(timeout=max(0.0, self._renew_at - self.lease.steady_s()))

    def _tidy(self) -> None:
        """Renew the lease if nothing was written for a second and the event loop is alive."""
        self._renew_at = (now_s := self.lease.steady_s()) + lease_.RENEW_S
        if now_s >= self._alive_until:
            return
        try:
            self._renew()
        except Exception as error:  # kept as the journal's refusal, which the next append raises
            self._refusal(error)

    def _renew(self) -> int:
        self._refuse_lost()

        def renew() -> None:
            if not lease_.renew(self._db, self.lease):
                self._fenced()

        self._quietly(renew)
        return self._seq

    def _insert(self, sealed: list[Sealed], seq: int, chain: bytes) -> None:
        self._refuse_lost()
        columns: list[list[Any]] = [list(column) for column in zip(*sealed, strict=True)]
        was = (seq, chain, self.lease.epoch, self._seq, self._chain)
        sent_s = self.lease.steady_s()

        def write() -> None:
            with self._db.cursor() as cursor:
                cursor.execute(_APPEND, (*was, *columns))
                if cursor.rowcount != len(sealed):
                    self._fenced()
                self.lease.note_asked((cursor.fetchone() or ("",))[0])

        self._quietly(write)
        self.lease.renewed(sent_s)
        self._renew_at = sent_s + lease_.RENEW_S

    def _committed(self) -> None:
        """Nothing is left to do."""

    def _refuse_lost(self) -> None:
        if not self.lease.is_valid:
            raise JournalFenced(self.path, f"this worker does not hold the lease: {self.lease.why_lost}")
        if self._failed:
            raise JournalFailed(self.path, self._failed)

    def _quietly(self, write: Callable[[], object]) -> None:
        """A notice during a write may say that it is not what it seems, so it is a failure."""
        self._db.notices.clear()
        write()
        if self._db.notices:
            raise JournalFailed(self.path, f"the database answered with a notice: {self._db.notices[0][:200]}")

    def _fenced(self) -> None:
        """Nothing was written: say why."""
        state = lease_.look(self._db)
        if state is None or (state.epoch, state.holder) != (self.lease.epoch, self.lease.holder):
            whose = f"another worker has taken this journal: {state.holder}" if state and state.holder else "it is free"
            self.lease.lose(whose)
            raise JournalFenced(self.path, whose)
        raise JournalFailed(
            self.path, f"it ends at row {state.seq}, but row {self._seq} was acknowledged: it was put back, or forked"
        )

    def _refusal(self, error: BaseException) -> JournalError:
        """Any error but a full disk ends all writing."""
        refusal = as_journal_error(self.path, error)
        if not isinstance(refusal, JournalFull):
            self._failed = self._failed or refusal.reason
        if isinstance(refusal, JournalFailed):  # a statement may still be under way: not even a cancel may reach it
            self._db.pgconn.finish()
        return refusal

    def _release(self) -> None:
        try:
            if not self._failed and self.lease.is_valid:
                lease_.release(self._db, self.lease)
        except psycopg.Error:  # then it runs out
            pass
        finally:
            self.lease.lose("it was given back")
            self._db.close()

    def _number(self, query: str, arguments: Sequence[object]) -> int:
        found = self._db.execute(query.encode(), arguments).fetchone()
        return int(found[0]) if found else 0

    def _first(self) -> int:
        """The number of the first row that is left."""
        return int(self._submit(WriterJob(partial(self._number, _FIRST, ()), Future())).result())

    def _prune_some(self, through: int) -> int:
        self._refuse_lost()
        first = self._number("SELECT min(seq) FROM entry", ())
        base = min(through, first + _PRUNE_ROWS)
        if base <= first:
            return base
        at_ms, chain = self._db.execute("SELECT at_ms, chain FROM entry WHERE seq = %s", (base,)).fetchone() or (0, b"")
        crc, _ = rows_.seal(GENESIS, base, at_ms, PRUNED, bytes(chain))
        values = {"epoch": self.lease.epoch, "base": base, "chain": bytes(chain), "crc": crc}

        def write() -> None:
            if self._db.execute(_PRUNE, values).rowcount != 1:
                self._fenced()

        self._quietly(write)
        return base


_BEGIN_S = 60.0
"""How long a worker may take to begin, while its event loop reads the journal and cannot say that it is alive."""


def _compare_head(db: BoundedConnection, name: str, state: LeaseState) -> None:
    """Raise JournalDamaged unless the last row is the one that the table `journal` notes."""
    found = db.execute("SELECT seq, chain FROM entry ORDER BY seq DESC LIMIT 1", binary=True).fetchone() or (0, GENESIS)
    seq, chain = found[0], bytes(found[1])
    if (seq, chain) != (state.seq, bytes(state.chain)):
        raise JournalDamaged(name, seq + 1, f"it ends at row {seq}, but row {state.seq} was acknowledged")
