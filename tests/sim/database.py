"""A journal in a database, and who may write it: the lease and its holders are the product's own, in virtual time.

The database lies in four ways. A commit's outcome is unknown, or it was answered with a notice: the worker's disk that
fails, before or after the rows are there. It was put back: as a file is. And its lease is lost between a step and what
follows from it: a process is frozen there, or loses its line to the database, and goes on later.
"""

from typing import TYPE_CHECKING

from terminal.journal.postgres.journal import _APPEND
from terminal.journal.postgres.lease import LEASE_S, RENEW_S, TAKING_S, Lease
from tests.sim.disk import Disk
from tests.sim.loop import Owner

if TYPE_CHECKING:
    from tests.sim.worker import WorkerProcess

COMPARES_EPOCH = b"epoch = %b" in _APPEND
"""The model compares what the product's own statement compares."""
RUNS_ON_S = 1.5
"""For how long one that was replaced goes on before it has noticed: it looks four times a second."""


class SimDatabase(Disk):
    """Its rows, and the epoch under which one may write."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def takes(self) -> int:
        """Somebody takes the lease; returns his epoch."""
        self.epoch += 1
        return self.epoch

    def accepts(self, epoch: int, rows: int) -> bool:
        """Would it take an append of that epoch, from one who knows so many rows?"""
        return (epoch == self.epoch or not COMPARES_EPOCH) and rows == len(self)


class Sitting:
    """One process's time as the garage's worker. ``rows``: how many it knows of."""

    def __init__(self, process: "WorkerProcess", database: SimDatabase, owner: Owner) -> None:
        self._process, self.database, self._owner = process, database, owner
        self._loop = process.world.loop
        self.epoch, self.rows = database.takes(), len(database)
        self.lease = Lease(f"epoch {self.epoch}", lambda: self._loop.now)
        self.lease.taken(self.epoch, self._loop.now)
        self.is_replaced = self.is_cut_off = False
        self._renewed_s = self._loop.now
        self._loop.after(RENEW_S, self._renews)

    def may_speak(self) -> bool:
        return self.lease.is_valid

    def guard(self, what: str) -> None:
        """It says that now, or calls PayBy so."""
        if self._loop.now > self._renewed_s + LEASE_S:
            self._process.world.checks.wrong(f"I9: a worker says {what} although its lease may be another's")

    def _is_current(self) -> bool:
        return self._process.sitting is self and not self._process.is_dead

    def _renews(self) -> None:
        if not self._is_current():
            return
        if not (self._owner.is_frozen or self.is_cut_off) and self.lease.is_valid:
            self.lease.renewed(self._loop.now)
            self._renewed_s = self._loop.now
        self._loop.after(RENEW_S, self._renews)

    def freezes(self, for_s: float) -> None:
        """SIGSTOP, and SIGCONT later."""
        self._loop.freeze(self._owner)
        self._process.world.note("worker", "is frozen for", round(for_s, 2))
        self._expires()
        self._loop.after(for_s, self._thaws)

    def loses_database(self, for_s: float) -> None:
        """Nothing passes between the two for that long; the process goes on."""
        self.is_cut_off = True
        self._process.world.note("worker", "has no database for", round(for_s, 2))
        self._expires()
        self._loop.after(for_s, setattr, self, "is_cut_off", False)
        self._loop.after(LEASE_S, self._looks)

    def _expires(self) -> None:
        """The other worker sees the same renewal for so long, and takes the lease."""
        takes_s = self._renewed_s + LEASE_S + self._process.world.dice.uniform(0, TAKING_S)
        self._loop.after(max(0.0, takes_s - self._loop.now), self._may_be_taken, self._renewed_s)

    def _may_be_taken(self, renewed_s: float) -> None:
        if self._is_current() and self._renewed_s == renewed_s:
            self.is_replaced = True
            self.database.takes()  # at once; its first row comes with its start
            self._process.is_replaced(self)

    def _thaws(self) -> None:
        if not (self.is_replaced or self._is_current()):
            return
        self._process.world.note("worker", "is thawed,", "replaced" if self.is_replaced else "still the worker")
        self._loop.thaw(self._owner)
        self._loop.after(RUNS_ON_S if self.is_replaced else TAKING_S, self._looks)

    def _looks(self) -> None:
        """It looks at its lease, and gets up if that is over."""
        if self.is_replaced:
            self._loop.freeze(self._owner)  # for ever
        elif self._is_current() and not self._owner.is_frozen and not self.lease.is_valid:
            self._process.dies("its lease is over", for_s=0.3)
