"""The barrier's process: the product's own controller in a shell that waits, and dies where the simulation says."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from drivers.boom_tracker import BoomTracker
from terminal.contract.lift_rules import BarrierTrust
from terminal.contract.messages import BadMessage, Health, Lift, RefusalReason, Vehicle
from terminal.contract.topics import parse
from terminal.roles.barrier.controller import (
    BarrierController,
    Effect,
    PublishBarrier,
    RaiseBoom,
    RefuseLift,
    ReportForgery,
)
from terminal.roles.barrier.spent_lifts import SpentLifts, done_row, intent_row, refused_row
from tests.sim.kerb import EVERY_S, Site
from tests.sim.loop import Handle
from tests.sim.net import Payload, SimBus, SimClock, read

if TYPE_CHECKING:
    from tests.sim.world import World


Step = Literal["heard", "intent", "pulsed", "done"]
"""Where a barrier may die: before its intent is on the disk, before the pulse, after it, after `done`."""


class BarrierProcess:
    """The real controller and what it has spent, in a shell of callbacks."""

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
        """When it next dies, its machine and all of the lane are without power for this long."""
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
        judgement = BarrierTrust(world.garage, lane, world.trusted, world.keys.payby_public, world.payee)
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
        """Tell the controller where the arm is believed to be, and be back when time alone may move it."""
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
                    message = self._controller.message(self.world.head(self.clock), answer)
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
