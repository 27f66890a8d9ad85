"""The worker's seat where the journal is in a database: one worker sits in it, and others stand by.

A standby follows the journal's rows and says nothing. Once it may take the lease, it serves from what it has read. It
gets up when the lease is lost, when the journal fails, or when somebody asks it to hand over; then it stands by again.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import suppress

import psycopg
from uuid_utils import uuid7

from terminal import build
from terminal.eventstore.kept_rows import RowsForReplay
from terminal.journal.kinds import OPENED
from terminal.journal.postgres import lease as lease_
from terminal.journal.postgres.connection import BoundedConnection, DatabaseAddress, Opener, as_journal_error
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease, LeaseState, LeaseWatch
from terminal.journal.postgres.reading import JournalTail
from terminal.journal.postgres.tables import JournalOwner, claim
from terminal.journal.rows import JournalDamaged, JournalError, JournalForeign, JournalLocked
from terminal.roles.worker.journal_keeper import WorkerJournal
from terminal.threads import OneThread, aside

PAUSE_S = 1.0
"""The pause after a try that failed."""
ALIVE_EVERY_S, ALIVE_FOR_S = 0.25, 1.5
"""How often the event loop says that it is alive, and for how long that counts: one that hangs loses the lease."""
HAND_OVER_S = 10.0
"""For how long one that handed over leaves the seat to others."""
CLOSE_S = 6.0
logger = logging.getLogger(__name__)


class LeftSeat(Exception):
    """The worker no longer holds the lease, or was asked to hand it over."""


class WorkerSeat:
    """``keys``: JournalOwner's. ``aside_kinds``: RowsForReplay's. ``tell`` is told in words how a standby stands, and
    whether the database answers; it is called at least once a second."""

    def __init__(
        self,
        address: DatabaseAddress,
        keys: frozenset[str],
        now_ms: Callable[[], int],
        *,
        aside_kinds: Collection[str] = (),
        tell: Callable[[str, bool], None] = lambda words, well: None,
        opener: Opener = BoundedConnection.open,
        steady_s: Callable[[], float] = lease_.uptime_s,
    ) -> None:
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{str(uuid7())[-12:]}"
        """Names this process among the garage's workers."""
        self._address, self._keys, self._now_ms, self._aside_kinds = address, keys, now_ms, aside_kinds
        self._tell, self._opener, self._steady_s = tell, opener, steady_s
        self._thread = OneThread("worker stands by")
        self._db: BoundedConnection | None = None
        self._tail: JournalTail
        self._watch: LeaseWatch
        self._left_at_s = float("-inf")
        self._known = (0, b"")
        """Number and hash of the last row that this process wrote, or read as another's: it must stay there."""
        self._said = ""

    async def run(self, serve: Callable[[WorkerJournal, Lease], Awaitable[None]]) -> None:
        """Stand by, serve while the lease is held, and again, until cancelled. Raises what ``serve`` raises, except for
        a journal that fails; at the start also what no repetition mends, a journal of another's, as ConfigError."""
        is_first = True
        try:
            while True:
                journal = await self._taken(is_first)
                is_first = False
                lease = journal.lease
                try:
                    log = await self._opened(journal)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._keep(journal), name="worker keeps its lease")
                        await serve(log, lease)
                        return
                except (JournalError, LeftSeat, BaseExceptionGroup) as error:
                    if why := _of_the_seat(error):
                        self._say(f"the worker gets up: {why}", logging.WARNING)
                    else:
                        raise
                finally:
                    await self._get_up(journal)
        finally:
            self._drop()
            self._thread.close()

    async def _taken(self, is_first: bool) -> PostgresJournal:
        """Stand by until this worker has the lease."""
        while True:
            try:
                if taken := await self._thread.run(self._round):
                    return taken
                pause_s = lease_.TAKING_S
            except (JournalError, psycopg.Error) as error:
                failed = as_journal_error(self._address.name, error)
                if is_first and isinstance(failed, JournalForeign):
                    raise build.cannot_open("journal.url", failed) from None
                if not isinstance(failed, JournalLocked):
                    self._say(f"the worker waits for its journal: {failed}", logging.WARNING)
                await self._thread.run(self._drop)
                pause_s = PAUSE_S
            await asyncio.sleep(pause_s)

    def _round(self) -> PostgresJournal | None:
        """Look once, in the thread: read what is new, and take the lease if it may be taken."""
        if self._db is None:
            self._begin_tail()
            self._watch = LeaseWatch(self.holder, self._steady_s)
            self._db = self._opener(self._address, f"{lease_.STANDBY} {self.holder}"[:63])
            claim(self._db, self._address.name, JournalOwner("worker", self._address.garage, self._keys))
        try:
            state = lease_.look(self._db)
        except psycopg.errors.UndefinedTable:  # nobody has made the journal yet
            return self._take(None)
        read_s = self._steady_s()
        if state is None:
            return self._take(None)
        if self._tail.reached[0] > state.seq:  # rows that were there are gone
            self._begin_tail()
        self._catch_up(state)
        if self._watch.may_take(state, read_s) and not self._leaves_it(state):
            return self._take(state)
        self._say(f"stands by for {state.holder or 'another'}, at row {self._tail.reached[0]}", logging.INFO)
        return None

    def _catch_up(self, state: LeaseState) -> None:
        assert self._db
        try:
            self._tail.catch_up(self._db)
        except JournalDamaged:
            if self._tail.reached[0] >= state.seq:
                raise
            self._begin_tail()  # the rows that follow may have been pruned meanwhile
            self._tail.catch_up(self._db)
        self._knows(self._tail.reached)

    def _begin_tail(self) -> None:
        self._tail = JournalTail(self._address.name, RowsForReplay(self._aside_kinds))

    def _knows(self, row: tuple[int, bytes]) -> None:
        if row[0] > self._known[0]:
            self._known = row

    def _leaves_it(self, state: LeaseState) -> bool:
        """Somebody asked this one to hand over: others first."""
        return state.holder == "" and self._steady_s() - self._left_at_s < HAND_OVER_S

    def _take(self, seen: LeaseState | None) -> PostgresJournal:
        lease = Lease(self.holder, self._steady_s)
        tail = self._tail if seen else None
        journal = PostgresJournal.open(self._address, lease, keys=self._keys, seen=seen, tail=tail, opener=self._opener)
        self._drop()
        return journal

    async def _opened(self, journal: PostgresJournal) -> WorkerJournal:
        """The worker's journal, with a row that says who took it, and in doubt if rows of it are missing."""
        log = WorkerJournal(journal, self._now_ms)

        def begin() -> None:
            told = f"epoch {journal.lease.epoch}, {self.holder}"
            if self._known[0] and not journal.has(*self._known):
                log.doubt(f"row {self._known[0]} was acknowledged, and is missing or another in {journal.path}")
                self._known = journal.last
            elif journal.moved:
                log.doubt(f"{journal.path} is a copy that was put back")
                journal.move_in()
            journal.append_now([(OPENED, told.encode())], self._now_ms())

        await aside(begin, "worker journal's start")
        self._say(f"has the lease, {told_of(journal)}", logging.INFO)
        return log

    async def _keep(self, journal: PostgresJournal) -> None:
        """Say that the event loop is alive, and leave when the lease is over."""
        while True:
            journal.alive(ALIVE_FOR_S)
            if not journal.lease.is_valid:
                raise LeftSeat(f"the lease is over: {journal.lease.why_lost}")
            if journal.lease.asked_to_hand_over:
                self._left_at_s = self._steady_s()
                raise LeftSeat("it was asked to hand over")
            await asyncio.sleep(ALIVE_EVERY_S)

    async def _get_up(self, journal: PostgresJournal) -> None:
        """Release the lease if it is still held, so that the next one need not wait; with a lost one, wait for
        nothing."""
        self._knows(journal.last)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S if journal.lease.is_valid else 0.0):
                await aside(journal.close, "worker journal's end")

    def _drop(self) -> None:
        if self._db is not None:
            with contextlib.suppress(psycopg.Error):
                self._db.close()
            self._db = None

    def _say(self, words: str, level: int) -> None:
        self._tell(words, level == logging.INFO)
        kind = words.partition(", at row")[0]
        if kind != self._said:
            self._said = kind
            logger.log(level, "worker: %s", words)


def told_of(journal: PostgresJournal) -> str:
    """Its epoch and last row, for a line."""
    return f"epoch {journal.lease.epoch}, row {journal.last_seq}"


def _of_the_seat(error: BaseException) -> str:
    """Why the worker gets up; empty if something else ended it."""
    leaves = list(_leaves(error))
    if any(not isinstance(leaf, JournalError | LeftSeat) for leaf in leaves):
        return ""
    return "; ".join(dict.fromkeys(str(leaf) for leaf in leaves))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
