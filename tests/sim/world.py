"""One world from one seed: a garage, its machines, its drivers, and all that goes wrong; run until its drivers have
left, then mended, and looked at once more.
"""

import asyncio
import base64
import hashlib
import logging
import random
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from terminal.contract.messages import Alert, Message, Order, Qr, encode
from terminal.core.model import Rules
from terminal.core.money import Fils
from terminal.core.tariff import Tariff
from terminal.roles.worker.event_mapper import JudgementSettings
from terminal.roles.worker.message_builder import WorkerSigner
from terminal.roles.worker.payby_requests import PayByRequests
from terminal.roles.worker.pursuits import REFUND_QUERY_S
from terminal.roles.worker.settings import WorkerSettings
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from terminal.screen import qr
from terminal.screen.qr import Symbol
from tests.sim import climate
from tests.sim import keys as keys_
from tests.sim.barrier import BarrierProcess
from tests.sim.checks import Checks
from tests.sim.database import SimDatabase, Sitting
from tests.sim.disk import Disk, FileDisk
from tests.sim.drivers import Driver
from tests.sim.foreign import ForeignSystem
from tests.sim.intruder import Intruder, StolenLane
from tests.sim.kerb import Arm, Loops, Site
from tests.sim.lcd import Lcd
from tests.sim.listener import ListenerProcess
from tests.sim.loop import Stuck, VirtualLoop
from tests.sim.net import Broker, Ids, LightLink, Payload, SimLink, Weather, read, stamp_of
from tests.sim.outside import Outside
from tests.sim.payby import SimPayBy
from tests.sim.payby_book import PAYEE
from tests.sim.payby_moods import Mood
from tests.sim.plans import KINDS
from tests.sim.reader import Reader
from tests.sim.report import Options, Report
from tests.sim.trouble import FAULTS, Attendant, Troubles
from tests.sim.worker import WorkerProcess

EPOCH_MS = 1_795_000_000_000
GARAGE = "marina"
SERVED_WITHIN_S = 60.0
"""When nothing goes wrong, a driver who pays is out after this, from driving up to passing."""
WIRE_EVERY = 16
"""In one of this many worlds, messages travel as bytes."""
REAL_EVERY = 16
"""One in this many worlds runs the product's PayBy client over simulated HTTP."""
SEES_PHONES = 0.3
"""In this share of the worlds PayBy tells whether a phone has read a code; the owners may take their time."""


class World:
    """Everything that one seed makes; see run()."""

    def __init__(self, seed: str, options: Options, loop: VirtualLoop, folder: Path | None = None) -> None:
        self.seed = seed
        self.options = options
        self.loop = loop
        self.folder = folder
        self.files: list[FileDisk] = []
        self.is_tracing = options.tracing
        self.trace: list[tuple[Any, ...]] = []
        self.dice = dice = self.dice_for("world")
        self.garage = GARAGE
        self.payee = PAYEE
        self.epoch_ms = EPOCH_MS
        self.ids = Ids()
        self.stop = asyncio.Event()
        self.is_straight = not options.real and dice.randrange(REAL_EVERY) != 0
        self.has_hashed_keys = not options.real
        self.keys = keys_.real() if options.real else keys_.hashed(self.dice_for("keys"))
        self.trusted = self.keys.trusted()
        self.ticket_keys = {"k1": self.keys.ticket}
        self.tariff = Tariff(10, 60, Fils(1000), Fils(10000), Fils(15000), "5", 15)
        self.alerts: set[tuple[str, str | None]] = set()
        """What was alerted, and for which order."""
        self.warned: set[tuple[str, str | None]] = set()
        """… and for which stay."""
        self.seen_tickets: list[str] = []
        self.hindered = ""
        self.mended_at = -100.0
        self.kinds: dict[str, float] = KINDS
        self.faults, self.stolen_lane, self.stolen_every_s = FAULTS, "", 0.0
        """How often the thief of a lane's machine says something; 0 for never."""
        self.foreign: ForeignSystem | None = None
        """Another system that sells tickets for this garage."""
        self.outside: Outside | None = None
        """A pay station, and who hands out coupons."""
        self.has_pair = False
        """The worker's journal is in a database, and another worker stands by."""
        self.are_blind_below = False
        """No lane's loop under the boom works."""
        self._draw(dice)
        climate.fill(self, options.climate)
        self._symbols: dict[str, str] = {}
        self.checks = Checks(self)
        self.broker = Broker(loop, self.dice_for("net"), self.weather)
        self.broker.taps.append(self._tap)
        self.broker.is_light = not options.real and dice.randrange(WIRE_EVERY) != 0
        self.link_kind: type[SimLink] = LightLink if self.broker.is_light else SimLink
        payby_keys = (self.keys.payby, self.keys.stranger)
        self.payby = SimPayBy(loop, self.dice_for("payby"), EPOCH_MS, payby_keys, self.mood, watch=self.checks.watch)
        phones = self.dice_for("phones")
        if phones.random() < SEES_PHONES:
            self.payby.phones, self.mood.dawdles = phones, 0.3
        self.worker = WorkerProcess(self)
        self.listener = ListenerProcess(self)
        self.payby.notify = self.listener.notify
        self.attendant = Attendant(self)
        self.sites: dict[str, Site] = {}
        self.barriers: dict[str, BarrierProcess] = {}
        for number in range(dice.choice((1, 2, 2, 3))):
            self._build(f"exit-{number + 1}")

    def _draw(self, dice: random.Random) -> None:
        """The climate of this world."""
        rough = dice.random() if self.options.faults else 0.0
        bad = self.options.faults and rough > 0.15
        self.weather = Weather(
            lost=dice.choice((0.0, 0.01, 0.05)) if bad else 0.0,
            twice=dice.choice((0.0, 0.02, 0.1)) if bad else 0.0,
            late=dice.choice((0.0, 0.05, 0.2)) if bad else 0.0,
            late_s=dice.choice((0.3, 3.0, 20.0)),
        )
        self.mood = Mood(
            trouble=dice.choice((0.0, 0.05, 0.15, 0.4)) if bad else 0.0,
            latency_s=dice.choice((0.05, 0.3, 1.5)),
            lost_notice=dice.choice((0.0, 0.2, 1.0)) if bad else 0.0,
            late_notice=dice.choice((0.0, 0.2)) if bad else 0.0,
            twice_notice=dice.choice((0.0, 0.2)) if bad else 0.0,
            wrong_notice=dice.choice((0.0, 0.05)) if bad else 0.0,
            settles_at_once=dice.choice((0.0, 0.3)),
            refund_fails=dice.choice((0.0, 0.1)) if bad else 0.0,
            revives=dice.choice((0.0, 0.5)) if bad else 0.0,
        )
        self.troubles_every_s = dice.choice((20.0, 60.0, 200.0)) if bad else 0.0
        self.intruder_every_s = dice.choice((0.0, 0.0, 15.0)) if bad else 0.0
        self.loops_beat = dice.random() < 0.2
        self.has_switches = dice.random() < 0.6
        self.rise_s = dice.choice((0.5, 1.0, 2.0))
        self.close_s = dice.choice((2.0, 4.0, 8.0))
        self.pulse_s = dice.choice((0.1, 0.5))
        self.flush_s = dice.choice((0.004, 0.004, 0.4))
        self.query_every = dice.choice((3.0, 5.0, 6.0))
        self.restarts_s = dice.choice((0.5, 3.0, 15.0))
        self.checkpoint_rows = dice.choice((20, 60, 200))
        self.rules = Rules(
            GARAGE,
            cancel_after=dice.choice((20, 20, 30, 45, 110)) * 1000,
            exit_grace=dice.choice((40, 60, 150)) * 1000,
            payby_margin=600_000,
        )

    def _build(self, name: str) -> None:
        arm = Arm(self, rise_s=self.rise_s, close_s=self.close_s)
        loops = Loops(self, name)
        loops.is_blind_below = self.are_blind_below
        site = Site(name, arm, loops, Reader(self, name, loops), Lcd(self, name))
        self.sites[name] = site
        self.barriers[name] = BarrierProcess(self, site, has_switches=self.has_switches)

    # What the parts ask for

    def dice_for(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{name}")

    def true_ms(self) -> int:
        return EPOCH_MS + round(self.loop.now * 1000)

    def head(self, clock: Any = None) -> dict[str, Any]:
        now = clock.wall_ms() if clock else self.true_ms()
        return {"id": self.ids(now), "at": stamp_of(now)}

    def note(self, *what: Any) -> None:
        if self.is_tracing:
            self.trace.append((round(self.loop.now, 3), *what))

    def restart_s(self) -> float:
        return self.restarts_s * (0.5 + self.dice.random())

    def hindrance(self) -> str:
        return self.hindered

    def new_disk(self, name: str) -> Disk:
        """The journal of a worker or of a lane's barrier."""
        if self.folder is None:
            return SimDatabase() if self.has_pair and name == "worker" else Disk()
        disk = FileDisk(self.folder / f"{name}.db", name.partition(" ")[0])
        self.files.append(disk)
        return disk

    def worker_settings(self) -> WorkerSettings:
        return WorkerSettings(
            garage=GARAGE,
            rules=self.rules,
            judgement=JudgementSettings(
                *(GARAGE, self.ticket_keys, self.tariff, self.keys.payby_public, PAYEE),
                self.outside.coupon_keys if self.outside else {},
            ),
            signer=WorkerSigner("worker", self.keys.worker),
            trusted=self.trusted,
            query_every=self.query_every,
            words_for=PayByRequests(GARAGE, "Marina Garage", "", "https://pay.sim/payby/notify", self.tariff),
            version="sim",
            checkpoint_rows=self.checkpoint_rows,
            foreign=self.foreign.settings if self.foreign else ForeignTicketSettings(),
            stations=self.outside.trusted if self.outside else None,
            holds_lease=self.has_pair,
        )

    def symbol_of(self, url: str, *, sitting: Sitting | None) -> Symbol:
        """The worker is about to show ``url``, if its lease holds. Encoding is slow: most worlds only hash."""
        if self.has_hashed_keys:
            symbol = Symbol(21, hashlib.sha512(url.encode()).digest()[:55] + b"\0")
        else:
            symbol = qr.encode(url)
        self._symbols[base64.b64encode(symbol.bits).decode()] = url
        if sitting is None or sitting.may_speak():
            self.checks.shown(self.payby.by_token[url])
        return symbol

    def token_of(self, qr: Qr) -> str | None:
        return self._symbols.get(qr.bits)

    def packed(self, message: Message) -> Payload:
        """As it goes to the broker."""
        return message if self.broker.is_light else encode(message)

    def _tap(self, topic: str, payload: Payload) -> None:
        if topic.endswith("/alert"):
            alert = read(Alert, payload)
            self.alerts.add((alert.code, alert.order_no))
            if alert.code in ("stay-failed", "worker-failing"):
                self.checks.wrong(f"crash: {alert.text}")
            self.warned.add((alert.code, alert.session))
        elif self.payby.phones and topic.endswith("/order"):
            self.checks.told_of_phone(read(Order, payload))
        if self.is_tracing:
            self.note("says", topic, (payload if isinstance(payload, bytes) else encode(payload)).decode())

    @staticmethod
    async def nap(seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)

    # Its life

    async def live(self) -> None:
        """From the first start to the last look."""
        self.worker.starts()
        self.listener.starts()
        for barrier in self.barriers.values():
            barrier.starts()
        await asyncio.sleep(1.0)
        troubles = Troubles(self, self.troubles_every_s)
        background = []
        if self.troubles_every_s:
            background.append(self.loop.create_task(troubles.run(), name="troubles"))
        if self.intruder_every_s:
            background.append(self.loop.create_task(Intruder(self, self.intruder_every_s).run(), name="intruder"))
        if self.stolen_every_s:
            thief = StolenLane(self, self.stolen_every_s)
            background.append(self.loop.create_task(thief.run(), name="stolen lane"))
        await self._traffic()
        for task in background:
            task.cancel()
        if self.checks.violation:
            return
        troubles.mends()
        for site in self.sites.values():
            self.attendant.opens_lane(site)
        await self._quiet()

    async def _traffic(self) -> None:
        """Cars at every lane, one behind the other, until enough orders were placed."""
        lanes = [self.loop.create_task(self._queue(site), name=f"queue {site.name}") for site in self.sites.values()]
        stop = self.loop.create_task(self.stop.wait(), name="stop")
        everybody = asyncio.gather(*lanes)
        await asyncio.wait((stop, everybody), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not everybody.done():
            everybody.cancel()
            await asyncio.wait(lanes)
        else:
            everybody.result()

    async def _queue(self, site: Site) -> None:
        dice = self.dice_for(f"queue {site.name}")
        number = 0
        waiting: set[asyncio.Task[None]] = set()
        deadline = 40.0 * self.options.orders
        while len(self.payby.orders) < self.options.orders and self.loop.now < deadline:
            number += 1
            driver = Driver(self, site, number * 10 + int(site.name[-1]), dice)
            waiting.add(self.loop.create_task(driver.visit(), name=f"driver {driver.car.name}"))
            while len(waiting) > 2:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            await asyncio.sleep(dice.uniform(0, 2))
        if waiting:
            for task in (await asyncio.wait(waiting))[0]:
                task.result()

    async def _quiet(self) -> None:
        """I8: nothing goes wrong any more; every deadline passes, then one more car is served at each lane."""
        await self._pass(30 + self.rules.cancel_after / 1000)
        for number, site in enumerate(self.sites.values()):
            await self._probe(site, number)
            if self.checks.violation:
                return
        # A credit's end, a lift's end, and PayBy's last word on a refund.
        await self._pass(100 + self.rules.exit_grace / 1000 + 100)
        if any(
            p.holder == "refund" for stay in self.worker.worker.event_store.garage.stays.values() for p in stay.payments
        ):
            await self._pass(REFUND_QUERY_S[-1] * 1.2 + 20)  # of which PayBy said nothing while all went wrong
        if not self.checks.violation:
            self.checks.ending.finish()

    async def _pass(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            pass

    async def _probe(self, site: Site, number: int) -> None:
        dice = self.dice_for("probe")
        driver = Driver(self, site, 900_000 + number, dice, kind="pays")
        began = self.loop.now
        task = self.loop.create_task(driver.visit(), name=f"probe {site.name}")
        try:
            async with asyncio.timeout(SERVED_WITHIN_S):
                await task
        except TimeoutError:
            pass
        if not driver.car.has_passed and not self.checks.violation:
            shown = site.lcd.look()
            self.checks.wrong(
                f"I8: the next car at {site.name} is not served in {self.loop.now - began:.0f} s; it sees "
                f"{shown and (shown.state, shown.reason)}"
            )


def run(seed: str, options: Options | None = None) -> Report:
    """One world. Never raises for what it finds; a bug of the simulation's own raises."""
    options = options or Options()
    logger = logging.getLogger("terminal")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # a world full of faults has much to say
    try:
        return _live(seed, options)
    finally:
        logger.setLevel(level)


def _live(seed: str, options: Options) -> Report:
    with tempfile.TemporaryDirectory() if options.real else nullcontext("") as folder, VirtualLoop() as loop:
        world = World(seed, options, loop, Path(folder) if folder else None)
        try:
            loop.run(world.live())
        except Stuck as error:
            world.checks.wrong(f"stuck: {error}")
        for context in loop.escaped:
            world.checks.wrong(f"crash: {context.get('message')}: {context.get('exception')!r}")
        report = _report(world)
        for disk in world.files:
            disk.close()
        return report


def _report(world: World) -> Report:
    payby, checks = world.payby, world.checks
    counts = {
        "orders": len(payby.orders),
        "paid": sum(o.is_paid for o in payby.orders.values()),
        "refunds": len(payby.refunds),
        "pulses": len(checks.pulses),
        "told as scanned": len(checks.told_as_scanned),
        **({"look-ups": world.foreign.asked} if world.foreign else {}),
        **({"lost": len(checks.losers), **world.outside.counts} if world.outside else {}),
        "ends moved": len(checks.moved),
        "worker deaths": world.worker.deaths,
        "rows": len(world.worker.disk),
        **{f"answer {k}": v for k, v in checks.answers.items()},
        **{f"soft: {k}": v for k, v in checks.soft.items()},
    }
    return Report(world.seed, len(payby.orders), checks.violation, world.trace, counts, world.loop.now)
