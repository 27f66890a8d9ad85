"""The worker's process: the product's own worker on a virtual loop, with deaths and new starts.

What it had in memory is gone when it dies; what it had journaled is there for the next one.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from terminal.core.events import Damaged
from terminal.core.ids import parse_order_no
from terminal.core.model import Lane, Stay, VisitOrder
from terminal.journal.kinds import OPENED
from terminal.journal.postgres.connection import LIMIT_S
from terminal.payby.client import PayByClient
from terminal.roles.worker.role import WorkerRole
from terminal.screen.qr import Symbol
from tests.sim.client import SeeingClient, StraightClient, real_client
from tests.sim.database import SimDatabase, Sitting
from tests.sim.disk import Disk, DiskFailed
from tests.sim.effects import Look
from tests.sim.loop import NOBODY, Owner
from tests.sim.net import SimBus, SimClock

if TYPE_CHECKING:
    from tests.sim.world import World


WITHIN_S = 4.5
"""So soon after a start loops that speak every 5 s have spoken."""


async def at_once(make: Callable[[], Symbol]) -> Symbol:
    """In this thread, as a virtual clock knows no other."""
    return make()


class WorkerLog:
    """The worker's way to its disk: one process's. It is an EventLog."""

    def __init__(self, process: "WorkerProcess", disk: Disk, sitting: Sitting | None = None) -> None:
        self._process, self._disk, self._sitting = process, disk, sitting
        self._noted: list[tuple[str, bytes]] = []

    def replay(self) -> Iterator[Any]:
        yield from self._disk.replay()
        self._process.has_read()

    def note(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        if self._process.is_dead:  # beside an append at which it died
            raise asyncio.CancelledError
        if self._sitting and self._sitting.is_replaced:
            return
        self._process.compares()
        self._process.sees_effect()
        if not self._noted:
            self._process.keeps_lanes()
        self._noted += rows

    async def fetch(self, seq: int) -> bytes | None:
        return self._disk.at(seq)

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        disk, process, sitting = self._disk, self._process, self._sitting
        if sitting and (sitting.is_replaced or sitting.is_cut_off):
            await self._in_vain(sitting)
        if process.is_dead:
            raise asyncio.CancelledError
        process.compares()
        process.sees_effect()
        event = rows
        rows, self._noted = [*self._noted, *rows], []
        if process.world.is_tracing:
            process.world.note("journal", *(f"{kind} {data.decode()}" for kind, data in rows))
        if not disk.due():
            process.expects(event)
            disk.write(rows, at_ms)
            process.journaled(rows)
            process.has_applied(len(disk))  # the caller applies it before anything else can happen
            process.world.loop.call_soon_as(NOBODY, process.looks)
            if sitting:
                sitting.rows = len(disk)
                process.may_freeze(sitting)
            return len(disk)
        if disk.after_commit:
            disk.write(rows, at_ms)
            process.journaled(rows)
        if disk.and_dies:
            process.dies("at a journal step")
            await asyncio.Event().wait()
        raise DiskFailed

    async def _in_vain(self, sitting: Sitting) -> None:
        """The append of one who was replaced is refused; of one who is cut off, nobody knows."""
        process = self._process
        if sitting.is_replaced:
            process.world.note("worker", "a replaced one appends, knowing", sitting.rows, "rows")
            if sitting.database.accepts(sitting.epoch, sitting.rows):
                process.world.checks.wrong("I9: an append of a worker that was replaced is taken")
        else:
            await asyncio.sleep(LIMIT_S)
        raise DiskFailed


class WorkerProcess:
    """Runs a worker, and another one after each death."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.disk = world.new_disk("worker")
        self.clock = SimClock(world.loop, world.epoch_ms)
        self.worker: WorkerRole
        self.is_dead = True
        self.deaths = 0
        self.sitting: Sitting | None = None
        """Its lease, where another may take it."""
        self.freezes_in: int | None = None
        """So many appends from now it freezes, just when the rows are there."""
        self.freezes_for_s = 0.0
        self.applied = 0
        """Rows of its journal that its state has in it."""
        self.lanes: dict[str, Lane] | None = None
        """Lanes as its journal has them, where it has seen more since; that dies with it."""
        self.last_at = 0
        """The time of the last fact in them."""
        self.started_s = 0.0
        """When the last one began."""
        self._is_compared = True
        self._look: Look | None = None
        """What looks at the state once the event that is being journaled has changed it."""
        self._is_put_back = False
        self._task: asyncio.Task[None] | None = None
        self._bus: SimBus
        self._client: StraightClient | PayByClient

    @property
    def bus(self) -> SimBus:
        return self._bus

    def starts(self) -> None:
        world = self.world
        if not self.is_dead:
            return
        self.is_dead = False
        self.started_s = world.loop.now
        if self.clock.ahead_ms and self.deaths:
            world.checks.begins_apart(self.worker)
            for site in world.sites.values():  # what the broker has kept is not of its time
                world.loop.after(WITHIN_S, site.loops.says_again)
        self.disk.opens()
        self._bus = SimBus(world.broker, "worker", world.ids(world.true_ms()))
        endpoint = world.link_kind(
            self._bus, world.ids, garage=world.garage, lane=None, role="worker", clock=self.clock
        )
        self._owner = Owner("worker")
        self.sitting = sitting = self._sits()
        may_speak = endpoint.may_speak = sitting.may_speak if sitting else None
        straight = SeeingClient if world.payby.phones else StraightClient
        self._client = (
            straight(world.payby, self.clock, may_speak)
            if world.is_straight
            else real_client(world.payby, self.clock, world.keys, may_speak)
        )
        if sitting:
            self._bus.guard = sitting.guard
            if isinstance(self._client, StraightClient):
                self._client.guard = sitting.guard
        self.worker = WorkerRole(
            endpoint,
            self._client,
            WorkerLog(self, self.disk, sitting),
            world.worker_settings(),
            seed=world.dice.getrandbits(32),
            hindered=world.hindrance,
            encode=partial(world.symbol_of, sitting=sitting),
            thread=at_once,
            tickets=world.foreign,
        )
        world.note("worker", "starts", len(self.disk))
        self._task = world.loop.create_owned(self._owner, self.worker.run(), name="worker process")
        self._task.add_done_callback(partial(self._ended, self._owner))
        if self._is_put_back:
            world.hindered = "journal"
            world.loop.after(3.0, self._lists)

    def _sits(self) -> Sitting | None:
        """It has taken the lease, and says so in the journal a moment before it reads it."""
        if not isinstance(self.disk, SimDatabase):
            return None
        sitting = Sitting(self, self.disk, self._owner)
        self.disk.write([(OPENED, b"epoch %d" % sitting.epoch)], self.clock.wall_ms())
        sitting.rows = len(self.disk)
        return sitting

    def may_freeze(self, sitting: Sitting) -> None:
        """It has just committed a step: is this where it is frozen, before anything follows from it?"""
        if self.freezes_in is None:
            return
        self.freezes_in -= 1
        if self.freezes_in < 0:
            self.freezes_in = None
            self.world.loop.call_soon_as(NOBODY, sitting.freezes, self.freezes_for_s)

    def is_replaced(self, sitting: Sitting) -> None:
        """Another worker took its lease. It may be frozen, or cut off, and does not know."""
        if not self.is_dead:
            self._leaves("is replaced")
            self.world.loop.after(self.world.dice.uniform(0.05, 0.6), self.starts)

    def journaled(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """Rows are on its disk."""
        self.world.checks.street.journaled(rows, len(self.disk) - len(rows) + 1)
        if self.world.foreign:
            self.world.foreign.journaled(rows)

    def has_read(self) -> None:
        """The last row was read; it is in the state a moment later, before the worker says anything."""
        self.has_applied(len(self.disk))
        self._is_compared = False

    def compares(self) -> None:
        """Before its state goes on: is it what the one before it left?"""
        if not self._is_compared:
            self._is_compared = True
            self.world.checks.replays.replayed(self.worker)

    def has_applied(self, rows: int) -> None:
        self.applied, self.lanes = rows, None

    def keeps_lanes(self) -> None:
        event_store = self.worker.event_store
        self.lanes, self.last_at = dict(event_store.garage.lanes), event_store.last_at

    def looks(self) -> None:
        """What was committed a moment ago is in the state now."""
        if not self.is_dead:
            self.sees_effect()
            self.world.checks.look(self.worker)

    def expects(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """This event is on the disk, and in the state in a moment."""
        self._look = self.world.checks.effects.before(rows, self.worker.event_store.garage)

    def sees_effect(self) -> None:
        """It is in the state now, and nothing else is."""
        if look := self._look:
            self._look = None
            look(self.worker.event_store.garage)

    def dies(self, why: str, *, for_s: float = 0.0) -> None:
        """kill -9; another is started after a while, or after ``for_s``."""
        if self.is_dead:
            return
        world = self.world
        if isinstance(self._client, StraightClient):
            self._client.is_dead = True
        if self._task and not self._owner.is_frozen:
            self._task.cancel()
        self._leaves(f"dies {why}")
        world.loop.after(for_s or world.restart_s(), self.starts)

    def _leaves(self, why: str) -> None:
        """It is no longer the garage's worker."""
        self.world.note("worker", why)
        self.is_dead = True
        self.deaths += 1
        self._bus.dies()
        self.compares()
        self.sees_effect()
        self.world.checks.replays.worker_died(self)

    def put_back(self, rows: int, *, with_head: bool, for_s: float) -> None:
        """It is killed, and its journal is replaced by a copy that was taken ``rows`` rows ago or earlier; the next one
        starts after ``for_s``. Without the copy's ``.head`` it sees that rows are missing: it repairs, which leaves a
        fact, and no lane serves until PayBy has listed its orders."""
        if self.is_dead:
            return
        self.dies("for a journal that is put back", for_s=for_s)
        length = self.disk.put_back(rows)
        world = self.world
        world.note("journal", "put back to", length, "with its head" if with_head else "without its head")
        world.checks.replays.put_back(self, length)
        self.applied, self.lanes = length, None
        if with_head:
            return
        damaged = Damaged(self.clock.wall_ms(), "the journal ends before its head")
        self.disk.write([("Damaged", msgspec.json.encode(damaged))], self.clock.wall_ms())
        self._is_put_back = True

    def _lists(self) -> None:
        """PayBy's list of orders has come: what the worker's JournalKeeper makes of it."""
        world, garage = self.world, self.worker.event_store.garage
        if self.is_dead or not self._is_put_back:
            return
        self._is_put_back, world.hindered = False, ""
        lost = [
            VisitOrder(
                order.no,
                name.lane,
                name.session,
                name.attempt,
                order.amount,
                now := self.worker.now(),
                now,
                0,
                stage="closed" if order.status == "FAILURE" else "closing",
            )
            for order in world.payby.orders.values()
            if (name := parse_order_no(order.no))
            and self.worker.event_store.resting_stays.row_of(name.session) is None
            and not garage.stays.get(name.session, Stay(name.session)).order(order.no)
        ]
        self.worker.post(Damaged(self.worker.now(), "PayBy's list of orders", tuple(lost), listed=True))

    def _ended(self, owner: Owner, task: "asyncio.Task[None]") -> None:
        """It ended by itself: after a failed write that is right, else it is a finding."""
        owner.is_dead = True
        if owner is not self._owner:  # one that was replaced
            if not task.cancelled() and (error := task.exception()) and not _only(error, DiskFailed):
                self.world.checks.fell(error)
            return
        if task.cancelled() or self.is_dead:
            if not task.cancelled() and (error := task.exception()) and not _only(error, DiskFailed):
                self.world.checks.fell(error)
            return
        error = task.exception()
        if error is None or not _only(error, DiskFailed):
            self.world.checks.fell(error)
        self.dies("its journal failed")


def _only(error: BaseException, kind: type[Exception]) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only(e, kind) for e in error.exceptions)
    return isinstance(error, kind | asyncio.CancelledError)
