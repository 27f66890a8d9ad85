"""The processes that run the product's own rules: worker, listener and barrier, with deaths and new starts.

The worker is the real Worker on a virtual loop, the listener the real Listener without its socket, the barrier the
real Gate in a shell that waits and dies where the simulation says. What a process had in memory is gone when it dies;
what it had journaled is there for the next one.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
from aiohttp import web

from drivers.boom_tracker import BoomTracker
from terminal.contract.lift_rules import BarrierTrust as BarrierBeliefs
from terminal.contract.messages import BadMessage, Health, Lift, RefusalReason, Vehicle
from terminal.contract.topics import parse
from terminal.core.events import Damaged
from terminal.core.ids import parse_order_no
from terminal.core.model import Lane, Stay
from terminal.core.model import VisitOrder as LedgerOrder
from terminal.payby.client import PayByClient
from terminal.roles.barrier.controller import (
    BarrierController,
    Effect,
    PublishBarrier,
    RaiseBoom,
    RefuseLift,
    ReportForgery,
)
from terminal.roles.barrier.spent_lifts import SpentLifts, done_row, intent_row, refused_row
from terminal.roles.listener.role import ListenerRole
from terminal.roles.worker.role import WorkerRole
from tests.sim.client import SeeingClient, StraightClient, real_client
from tests.sim.disk import Disk, DiskFailed
from tests.sim.effects import Look
from tests.sim.kerb import EVERY_S, Site
from tests.sim.loop import NOBODY, Handle, Owner
from tests.sim.net import Payload, SimBus, SimClock, read

if TYPE_CHECKING:
    from tests.sim.world import World


WITHIN_S = 4.5
"""So soon after a start loops that speak every 5 s have spoken."""


class WorkerLog:
    """The worker's way to its disk: one process's. It satisfies ledger.Keeping."""

    def __init__(self, process: "WorkerProcess", disk: Disk) -> None:
        self._process, self._disk = process, disk
        self._noted: list[tuple[str, bytes]] = []

    def replay(self) -> Iterator[Any]:
        yield from self._disk.replay()
        self._process.has_read()

    def note(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        self._process.compares()
        self._process.sees_effect()
        if not self._noted:
            self._process.keeps_lanes()
        self._noted += rows

    async def fetch(self, seq: int) -> bytes | None:
        return self._disk.at(seq)

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        disk, process = self._disk, self._process
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
            process.world.checks.street.journaled(rows, len(disk) - len(rows) + 1)
            process.has_applied(len(disk))  # the caller applies it before anything else can happen
            process.world.loop.call_soon_as(NOBODY, process.looks)
            return len(disk)
        if disk.after_commit:
            disk.write(rows, at_ms)
            process.world.checks.street.journaled(rows, len(disk) - len(rows) + 1)
        if disk.and_dies:
            process.dies("at a journal step")
            await asyncio.Event().wait()
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
        straight = SeeingClient if world.payby.phones else StraightClient
        self._client = (
            straight(world.payby, self.clock) if world.is_straight else real_client(world.payby, self.clock, world.keys)
        )
        self.worker = WorkerRole(
            endpoint,
            self._client,
            WorkerLog(self, self.disk),
            world.worker_settings(),
            seed=world.dice.getrandbits(32),
            hindered=world.hindrance,
            encode=world.symbol_of,
        )
        world.note("worker", "starts", len(self.disk))
        self._owner = Owner("worker")
        self._task = world.loop.create_owned(self._owner, self.worker.run(), name="worker process")
        self._task.add_done_callback(self._ended)
        if self._is_put_back:
            world.hindered = "journal"
            world.loop.after(3.0, self._lists)

    def has_read(self) -> None:
        """The last row was read; it is in the state a moment later, before the worker says anything."""
        self.has_applied(len(self.disk))
        self._is_compared = False

    def compares(self) -> None:
        """Before its state goes on: is it what the one before it left?"""
        if not self._is_compared:
            self._is_compared = True
            self.world.checks.replayed(self.worker)

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
        world.note("worker", "dies", why)
        self.is_dead = True
        self.deaths += 1
        self._bus.dies()
        if isinstance(self._client, StraightClient):
            self._client.is_dead = True
        if self._task:
            self._task.cancel()
        self.compares()
        self.sees_effect()
        world.checks.worker_died(self)
        world.loop.after(for_s or world.restart_s(), self.starts)

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
        world.checks.put_back(self, length)
        self.applied, self.lanes = length, None
        if with_head:
            return
        damaged = Damaged(self.clock.wall_ms(), "the journal ends before its head")
        self.disk.write([("Damaged", msgspec.json.encode(damaged))], self.clock.wall_ms())
        self._is_put_back = True

    def _lists(self) -> None:
        """PayBy's list of orders has come: what the worker's Keeper makes of it."""
        world, garage = self.world, self.worker.event_store.garage
        if self.is_dead or not self._is_put_back:
            return
        self._is_put_back, world.hindered = False, ""
        lost = [
            LedgerOrder(
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

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """It ended by itself: after a failed write that is right, else it is a finding."""
        self._owner.is_dead = True
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


# -- the listener ------------------------------------------------------------------------------------------------


class _Connection:
    """What a request came on, as far as the listener asks."""

    def complete(self) -> None:
        pass

    def idle(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Request:
    """A whole request, as far as the listener asks."""

    body: bytes
    headers: dict[str, str]

    @property
    def content_length(self) -> int:
        return len(self.body)

    @property
    def content(self) -> "_Request":
        return self

    @staticmethod
    def is_eof() -> bool:
        return True

    async def read(self) -> bytes:
        return self.body


class ListenerProcess:
    """The real Listener; what its socket would bring is handed to it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.is_dead = True
        self._listener: ListenerRole
        self._bus: SimBus
        self._task: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[Any]] = set()

    @property
    def bus(self) -> SimBus:
        return self._bus

    def starts(self) -> None:
        world = self.world
        if not self.is_dead:
            return
        self.is_dead = False
        self._bus = SimBus(world.broker, "listener", world.ids(world.true_ms()))
        clock = SimClock(world.loop, world.epoch_ms)
        endpoint = world.link_kind(self._bus, world.ids, garage=world.garage, lane=None, role="listener", clock=clock)
        self._listener = ListenerRole(endpoint, payby_keys=world.keys.payby_public, host="127.0.0.1", port=0)
        self._owner = Owner("listener")
        self._task = world.loop.create_owned(
            self._owner, self._listener._hear(endpoint.subscribe("receipt", lane="+")), name="listener process"
        )

    def dies(self) -> None:
        if self.is_dead:
            return
        self.world.note("listener", "dies")
        self.is_dead = True
        self._bus.dies()
        for task in (self._task, *self._answering):
            if task:
                task.cancel()
        self.world.loop.after(0.001, setattr, self._owner, "is_dead", True)
        self.world.loop.after(self.world.restart_s(), self.starts)

    async def notify(self, body: bytes, signature: str) -> int:
        """PayBy posts; returns the HTTP status, 0 where nobody answered."""
        if self.is_dead:
            return 0
        work = self._listener._notified(
            cast(web.BaseRequest, _Request(body, {"sign": signature})),
            cast(Any, _Connection()),
        )
        task = self.world.loop.create_owned(self._owner, work, name="listener answers")
        self._answering.add(task)
        await asyncio.wait([task])
        self._answering.discard(task)
        return 0 if task.cancelled() else task.result()[1]


# -- the barrier -------------------------------------------------------------------------------------------------

Step = Literal["heard", "intent", "pulsed", "done"]
"""Where a barrier may die: before its intent is on the disk, before the pulse, after it, after `done`."""


class BarrierProcess:
    """The real Gate and what it has spent, in a shell of callbacks."""

    def __init__(self, world: "World", site: Site, *, has_switches: bool) -> None:
        self.world = world
        self.site = site
        self.disk = world.new_disk(f"barrier {site.name}")
        self.clock = SimClock(world.loop, world.epoch_ms)
        self.is_dead = True
        self.dies_at: Step | None = None
        self.fails_to_write = False
        self.relay_fails = False
        self.is_mute = False
        """Its line falls before it raises, so that nobody hears of it."""
        self.off_s = 0.0
        """When it dies next, its machine is without power for so long, and all of the lane with it."""
        self.heard: tuple[Vehicle | None, float] = (None, 0.0)
        """What the loops said last, live, on this process's connection, and when."""
        self._has_switches = has_switches
        self._controller: BarrierController
        self._bus: SimBus
        self._tracker: BoomTracker
        self._timers: dict[str, Handle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._topic = f"parking/{world.garage}/{site.name}/barrier"
        self._health = f"parking/{world.garage}/{site.name}/health/barrier"
        site.arm.moved = self._arm_moved
        site.barrier = self

    @property
    def bus(self) -> SimBus:
        return self._bus

    @property
    def says_fault(self) -> bool:
        return not self.is_dead and self._tracker.state == "fault"

    def starts(self) -> None:
        world, lane = self.world, self.site.name
        if not self.is_dead:
            return
        self.is_dead = False
        self.heard = None, 0.0
        self.disk.opens()
        spent = SpentLifts()
        spent.replay(cast(Any, self.disk.replay()))
        self._tracker = BoomTracker(world.rise_s, world.close_s, now=world.loop.now, **self._switches())
        judgement = BarrierBeliefs(world.garage, lane, world.trusted, world.keys.payby_public, world.payee)
        self._controller = BarrierController(judgement, spent, self.clock, state=self._tracker.state)
        self._bus = SimBus(world.broker, f"barrier {lane}", world.ids(world.true_ms()))
        self._bus.on_change(lambda up: self._connected() if up else None)
        base = f"parking/{world.garage}/{lane}"
        self._bus.hears(self._hear_lift, f"{base}/lift")
        self._bus.hears(self._hear_vehicle, f"{base}/vehicle", fleeting=True)
        if world.loops_beat:
            self._bus.hears(self._hear_health, f"{base}/health/loops", fleeting=True)
        self._repeat()
        self._track()

    def dies(self, why: str) -> None:
        if self.is_dead:
            return
        world = self.world
        world.note("barrier", self.site.name, "dies", why)
        self.is_dead, self.is_mute = True, False
        self.dies_at = None
        self._bus.dies()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in list(self._tasks):
            task.cancel()
        if self.world.dice.random() < 0.5:  # its will
            head = world.head()
            health = Health(**head, state="offline", version="sim", instance=self._bus.instance, since=head["at"])
            world.broker.take(self._health, world.packed(health), True)
        off_s, self.off_s = self.off_s, 0.0
        if off_s:
            self.site.power(False)
            world.loop.after(off_s, self.site.power, True)
        world.loop.after(off_s or world.restart_s(), self.starts)

    def _switches(self) -> dict[str, bool]:
        state = self.site.arm.state
        return {"up": state == "up", "down": state == "down"} if self._has_switches else {}

    # The arm

    def _arm_moved(self) -> None:
        if self._has_switches and not self.is_dead:
            self._tracker.switches(self.world.loop.now, **self._switches())
            self._track()

    def _track(self) -> None:
        """Tell the gate where the arm is believed to be, and be back when time alone may move it."""
        if timer := self._timers.pop("arm", None):
            timer.cancel()
        if (due := self._tracker.due) is not None:
            self._timers["arm"] = self.world.loop.call_at(max(due, self.world.loop.now), self._arm_due)
        if self._tracker.state != self._controller.state:
            self._perform(self._controller.on_boom(self._tracker.state))

    def _arm_due(self) -> None:
        self._tracker.tick(self.world.loop.now)
        self._track()

    # What is heard

    def _connected(self) -> None:
        self.heard = None, 0.0
        self._controller.on_connected()

    def _hear_lift(self, topic: str, payload: Payload, _: bool) -> None:
        try:
            lift = read(Lift, payload)
        except BadMessage:
            return
        self._perform(self._controller.on_lift(lift))

    def _hear_vehicle(self, _: str, payload: Payload, retained: bool) -> None:
        vehicle = read(Vehicle, payload)
        if not retained:
            self.heard = vehicle, self.world.loop.now
        self._perform(self._controller.on_vehicle(vehicle, retained=retained))
        self._tracker.boom_loop(self.world.loop.now, covered=self._controller.under_boom)
        self._track()

    def _hear_health(self, topic: str, payload: Payload, retained: bool) -> None:
        self._controller.on_health(parse(topic), read(Health, payload), retained=retained)

    # What follows

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case PublishBarrier(answer):
                    if answer:
                        self.world.checks.answered(self.site, answer)
                    message = self._controller.message(self.world.head(self.clock), effect)
                    self._bus.says(self._topic, message, retain=True)
                case ReportForgery():
                    self.world.checks.forged += 1
                case RaiseBoom(lift):
                    self.world.checks.decided(self.site, lift)
                    self._task(self._raise(lift), f"barrier raises {lift.id}")
                case RefuseLift(lift, why):
                    self._task(self._refuse(lift, why), f"barrier refuses {lift.id}")
        if timer := self._timers.pop("gate", None):
            timer.cancel()
        if (due_ms := self._controller.due_ms) is not None:
            delay_s = max(0.0, (due_ms - self.clock.steady_ms()) / 1000)
            self._timers["gate"] = self.world.loop.after(delay_s, lambda: self._perform(self._controller.on_time()))

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self.world.loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _refuse(self, lift: Lift, why: RefusalReason) -> None:
        await self._reaches("heard")
        if self.fails_to_write:
            self._controller.unrefused(lift)
            return
        self.disk.write([refused_row(lift, why)], self.clock.wall_ms())
        self._perform(self._controller.refused(lift, why))

    async def _raise(self, lift: Lift) -> None:
        """As roles/barrier does it, with a place to die between any two steps."""
        await self._reaches("heard")
        if self.fails_to_write:
            self._perform(self._controller.unwritten(lift))
            return
        self.disk.write([intent_row(lift)], self.clock.wall_ms())
        await self._reaches("intent")
        self._controller.intended()
        if self.relay_fails:
            self._perform(self._controller.failed(lift))
            return
        self.world.checks.pulse(self.site, lift)
        self._tracker.pulse(self.world.loop.now)
        self.site.arm.pulse(lift.id)
        self._track()
        await asyncio.sleep(self.world.pulse_s)
        await self._reaches("pulsed")
        self._perform(self._controller.raised(lift))
        self.disk.write([done_row(lift)], self.clock.wall_ms())
        await self._reaches("done")

    async def _reaches(self, step: Step) -> None:
        await asyncio.sleep(self.world.flush_s)
        if self.is_mute and step == "intent":
            self._bus.loses_connection()
        if self.dies_at == step:
            self.dies(f"at step {step}")
            await asyncio.Event().wait()

    def _repeat(self) -> None:
        self._timers["every"] = self.world.loop.after(EVERY_S, self._repeat)
        self._perform([PublishBarrier()])
        self._tracker.boom_loop(self.world.loop.now, covered=self._controller.under_boom)
        self._track()
