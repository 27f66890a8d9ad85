"""What goes wrong and when: deaths, failing disks, broken lines, moods of PayBy, wrong clocks, broken machines; the
attendant who is called.
"""

import asyncio
import random
from typing import TYPE_CHECKING, Any

from terminal.contract import signatures
from terminal.contract.messages import Barrier, Message, Receipt, stamp
from terminal.core.ids import parse_order_no
from tests.sim.drivers import Driver
from tests.sim.kerb import Site
from tests.sim.net import Payload, SimBus, read
from tests.sim.payby_moods import SPELLS

if TYPE_CHECKING:
    from tests.sim.world import World

FAULTS = {
    "worker dies": 3.0,
    "worker dies at a step": 5.0,
    "worker's disk fails": 3.0,
    "listener dies": 2.0,
    "barrier dies": 2.0,
    "barrier dies at a step": 4.0,
    "barrier's disk fails": 1.0,
    "relay fails": 0.7,
    "broker restarts": 2.0,
    "worker's line": 2.0,
    "barrier's line": 2.0,
    "listener's line": 1.0,
    "payby spell": 5.0,
    "worker's clock": 1.0,
    "barrier's clock": 1.0,
    "arm sticks": 1.5,
    "arm is hasty": 1.5,
    "forced open": 1.0,
    "loop bounces": 3.0,
    "loop sticks on": 1.0,
    "loop sticks off": 1.0,
    "loops silent": 1.5,
    "command": 2.0,
    "disk full": 0.5,
}


FREEZES_S = (2.0, 3.1, 3.3, 3.6, 4.0, 8.0, 40.0)
"""Some are over just when the lease is taken."""


class Troubles:
    """Brings a fault every now and then, until told to stop; then mends all."""

    def __init__(self, world: "World", every_s: float) -> None:
        self.world = world
        self.every_s = every_s
        self.dice = world.dice_for("troubles")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.dice.expovariate(1 / self.every_s))
            fault = self.dice.choices(tuple(self.world.faults), tuple(self.world.faults.values()))[0]
            self.brings(fault, self.dice.choice(list(self.world.sites.values())))

    def brings(self, fault: str, site: Site) -> None:
        world, dice, later = self.world, self.dice, self.world.loop.after
        world.note("fault", fault, site.name)
        barrier = world.barriers[site.name]
        match fault:
            case "worker dies":
                world.worker.dies("killed")
            case "worker dies at a step" | "worker's disk fails":
                disk = world.worker.disk
                disk.fails_in = dice.randrange(6)
                disk.and_dies = fault == "worker dies at a step"
                disk.after_commit = dice.random() < 0.5
            case "worker freezes" | "worker freezes at a step" | "worker loses its database":
                self._loses_lease(fault)
            case "listener dies":
                world.listener.dies()
            case "barrier dies":
                barrier.dies("killed")
            case "barrier dies at a step":
                barrier.dies_at = dice.choice(("heard", "intent", "pulsed", "done"))
            case "barrier's disk fails":
                barrier.fails_to_write = True
                later(dice.uniform(1, 20), setattr, barrier, "fails_to_write", False)
            case "relay fails":
                barrier.relay_fails = True
                later(dice.uniform(1, 20), setattr, barrier, "relay_fails", False)
            case "broker restarts":
                world.broker.goes_down()
                later(dice.choice((0.5, 3.0, 20.0)), world.broker.comes_back)
            case "worker's line":
                self._cut(world.worker.bus)
            case "barrier's line":
                self._cut(barrier.bus)
            case "listener's line":
                self._cut(world.listener.bus)
            case "payby spell":
                world.payby.mood.spell = dice.choice(SPELLS)
                world.payby.mood.spell_until = world.loop.now + dice.choice((4.0, 15.0, 40.0))
            case "worker's clock":
                self._clock(world.worker.clock)
            case "barrier's clock":
                self._clock(barrier.clock)
            case "arm sticks":
                site.arm.is_stuck = True
                later(dice.uniform(5, 60), setattr, site.arm, "is_stuck", False)
            case "arm is hasty":
                site.arm.is_hasty = True
                later(dice.uniform(5, 30), setattr, site.arm, "is_hasty", False)
            case "forced open":
                site.arm.forced_up()
            case "held open":
                site.arm.hold(True)
                later(dice.choice((5.0, 40.0, 200.0)) * (0.5 + dice.random()), site.arm.hold, False)
            case "loop under boom dead":
                site.loops.blinds(True)
                later(dice.uniform(20, 300), site.loops.blinds, world.are_blind_below)
            case "lane loses power" | "lane loses power at a step":
                barrier.off_s = dice.choice((5.0, 60.0, 200.0)) * (0.5 + dice.random())
                if fault == "lane loses power":
                    barrier.dies("without power")
                else:
                    barrier.dies_at = dice.choice(("heard", "intent", "pulsed", "done", "done", "done"))
                    barrier.is_mute = barrier.dies_at == "done"
            case "journal put back" | "journal put back without its head" if not world.files:
                rows = dice.choice((4, 12, 100))
                with_head, for_s = fault == "journal put back", dice.choice((1.0, 20.0, 60.0))
                world.worker.put_back(dice.randint(1, rows), with_head=with_head, for_s=for_s)
            case "worker starts with a wrong clock":
                self._clock(world.worker.clock, for_s=(20, 200))
                world.worker.dies("for a restart")
            case "loop bounces":
                site.loops.bounces()
            case "loop sticks on" | "loop sticks off":
                site.loops.sticks(fault == "loop sticks on")
                later(dice.uniform(2, 30), site.loops.sticks, None)
            case "loops silent":
                site.loops.silence(True)
                later(dice.uniform(3, 40), site.loops.silence, False)
            case "command":
                world.attendant.meddles(site)
            case "disk full":
                world.hindered = "disk-full"
                later(dice.uniform(5, 40), setattr, world, "hindered", "")

    def _loses_lease(self, fault: str) -> None:
        """The worker is frozen, at once or when its next steps are journaled; or it is cut off from its database."""
        worker, for_s = self.world.worker, self.dice.choice(FREEZES_S) * self.dice.uniform(0.95, 1.05)
        if worker.is_dead or worker.sitting is None:
            return
        if fault == "worker freezes at a step":
            worker.freezes_in, worker.freezes_for_s = self.dice.randrange(6), for_s
        elif fault == "worker freezes":
            worker.sitting.freezes(for_s)
        else:
            worker.sitting.loses_database(for_s)

    def _cut(self, bus: SimBus) -> None:
        bus.loses_connection()
        self.world.loop.after(self.dice.choice((0.3, 2.0, 12.0, 25.0)), bus.connects)

    def _clock(self, clock: Any, for_s: tuple[float, float] = (5, 60)) -> None:
        """Jump; most jumps are undone by and by, as a time service does."""
        clock.ahead_ms = self.dice.choice((-1_200_000, -60_000, -30_000, -8_000, 6_000, 20_000, 45_000, 1_200_000))
        self.world.loop.after(self.dice.uniform(*for_s), setattr, clock, "ahead_ms", 0)

    def mends(self) -> None:
        """From here on nothing more goes wrong."""
        world = self.world
        world.note("all is mended")
        world.mended_at = world.loop.now
        world.weather.calm()
        world.payby.mood.calm()
        if world.foreign:
            world.foreign.calm()
        world.hindered = ""
        world.worker.clock.ahead_ms = 0
        world.worker.disk.fails_in = None
        if not world.broker.is_up:
            world.broker.comes_back()
        for site in world.sites.values():
            barrier = world.barriers[site.name]
            barrier.clock.ahead_ms = 0
            barrier.dies_at, barrier.off_s, barrier.is_mute = None, 0.0, False
            barrier.fails_to_write = barrier.relay_fails = False
            if site.arm.is_stuck or barrier.says_fault:
                site.arm.forced_up()  # a technician has been there: an arm that sticks is broken hardware
            site.arm.is_stuck = site.arm.is_hasty = False
            site.arm.is_held = False
            site.loops.blinds(False)
            site.power(True)
            barrier.starts()
            if site.loops.stuck is not None:
                site.loops.sticks(None)
            if site.loops.is_silent:
                site.loops.silence(False)
        for bus in list(world.broker.buses):
            bus.connects()


class Attendant:
    """A person with a console: opens for drivers who have waited too long, and at times commands something by
    himself."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.dice = world.dice_for("attendant")
        self.lifts: set[str] = set()
        """Operator lifts that were really given."""
        self.refunds: set[str] = set()
        """Orders of which a refund was asked by him."""
        self.resets: set[str] = set()
        """Stays of which he ended a visit: whether their cars left, nobody knows."""
        self._bus = SimBus(world.broker, "console", world.ids(world.true_ms()))
        self._answered: set[str] = set()
        self._bus.hears(self._hear, f"parking/{world.garage}/+/receipt", f"parking/{world.garage}/+/barrier")

    def called(self, site: Site, driver: Driver) -> None:
        """A driver pressed the help button."""
        self.world.loop.after(self.dice.uniform(3, 20), self._helps, site, driver)

    def _helps(self, site: Site, driver: Driver) -> None:
        if site.front is not driver.car:
            return
        if self.dice.random() < 0.7:
            self.opens(site)
        else:
            self._commands(site, "reset", session=driver.plan.session)

    def opens(self, site: Site) -> None:
        world = self.world
        head = world.head()
        car = site.loops.car if self.dice.random() < 0.7 else None
        lift = signatures.sign_lift(
            world.keys.console,
            world.garage,
            site.name,
            key="console",
            **head,
            session=world.ids(world.true_ms()),
            car=car,
            reason="operator",
            by="omar",
            note="helped",
            not_after=stamp(world.true_ms() + (30_000 if car else 15_000)),
        )
        self.lifts.add(lift.id)
        world.note("operator lifts", site.name, lift.id)
        self._repeat(f"parking/{world.garage}/{site.name}/lift", lift, lift.id, times=8)

    def meddles(self, site: Site) -> None:
        """Some command or other; half of them name what they should."""
        world, dice = self.world, self.dice
        orders = list(world.payby.orders.values())[-8:]
        paid = [o for o in world.payby.orders.values() if o.is_paid]
        command = dice.choice(("cancel", "refund", "refund", "reset", "close-lane", "open-lane"))
        match command:
            case "cancel" if orders:
                self._commands(site, "cancel", order_no=dice.choice(orders).no)
            case "refund" if paid:
                order = dice.choice(paid[-1:] if dice.random() < 0.5 else paid[-10:])
                amount = None if dice.random() < 0.6 else f"{dice.randint(1, order.amount) / 100:.2f}"
                self.refunds.add(order.no)
                name = parse_order_no(order.no)
                lane = world.sites[name.lane] if name and name.lane in world.sites else site
                self._commands(lane, "refund", order_no=order.no, amount=amount)
            case "reset" if orders:
                name = parse_order_no(dice.choice(orders).no)
                self._commands(site, "reset", session=name.session if name else None)
            case "close-lane":
                self._commands(site, "close-lane")
                world.loop.after(dice.uniform(5, 30), self._commands, site, "open-lane")
            case "open-lane":
                self._commands(site, "open-lane")

    def opens_lane(self, site: Site) -> None:
        """What a person does when the faults are over, until a worker that is still away has heard: open the lane."""
        self._commands(site, "open-lane", times=24)

    def _commands(self, site: Site, command: str, *, times: int = 8, **what: Any) -> None:
        world = self.world
        message = signatures.sign_command(
            world.keys.console,
            world.garage,
            site.name,
            key="console",
            **world.head(),
            command=command,
            by="omar",
            not_after=stamp(world.true_ms() + 50_000),
            reason="asked for" if command == "refund" else None,
            **{k: v for k, v in what.items() if v is not None},
        )
        world.note("command", site.name, command, what)
        if command == "reset" and what.get("session"):
            self.resets.add(what["session"])
        self._repeat(f"parking/{world.garage}/{site.name}/command", message, message.id, times)

    def _repeat(self, topic: str, payload: Message, message_id: str, times: int) -> None:
        if message_id in self._answered or not times:
            return
        self._bus.says(topic, payload)
        self.world.loop.after(2.0, self._repeat, topic, payload, message_id, times - 1)

    def _hear(self, topic: str, payload: Payload, _: bool) -> None:
        if topic.endswith("/receipt"):
            if command := read(Receipt, payload).command:
                self._answered.add(command)
        elif answer := read(Barrier, payload).answer:
            self._answered.add(answer.lift)


def dice_of(seed: str, name: str) -> random.Random:
    """Every part draws from a sequence of its own, so that a change in one leaves the others as they were."""
    return random.Random(f"{seed}/{name}")
