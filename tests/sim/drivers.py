"""Drivers and their phones: most pay and leave; the others do everything else that drivers do.

A driver is a coroutine that looks at the LCD, scans, pays, waits, drives; he knows nothing of messages. What he does
is drawn when he arrives (``Plan``).
"""

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING

from terminal.core.ticket import sign_ticket
from tests.sim.copies import tries_copies
from tests.sim.kerb import Car, Site
from tests.sim.plans import make_plan
from tests.sim.reader import LOST

if TYPE_CHECKING:
    from tests.sim.payby_book import Order
    from tests.sim.world import World
PATIENCE_S = 150.0
UNSEEN_S = 6.0
"""Whom no loop notices reads his ticket and waits at least so long for an answer; from a car that has just stopped
short of the loop, nobody could tell him sooner."""
STAGES = ("arrives", "reads", "sees the code", "pays", "is raised for", "drives", "is gone")
"""Of a visit, as a driver with a copy of the ticket sees it from afar."""


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _nothing() -> None:
    pass


class Driver:
    """One car, from driving up to being gone."""

    def __init__(self, world: "World", site: Site, number: int, dice: random.Random, kind: str = "") -> None:
        self.world = world
        self.site = site
        self.dice = dice
        self.plan = make_plan(world, dice, kind)
        self.car = Car(f"car {number}", is_seen=self.plan.kind != "motorcycle")
        if self.plan.kind != "twin ticket":
            self.car.owned.add(self.plan.session)
        self.stage = 0
        """In STAGES."""
        self._phones: set[str] = set()
        self._has_spot = False
        self._has_fumbled = False

    async def visit(self) -> None:
        """Wait for the place on the loop, do as planned, leave."""
        world, dice, plan = self.world, self.dice, self.plan
        if world.outside and plan.was_at_station:
            await world.outside.is_paid(plan)
        await self._takes_spot()
        try:
            await asyncio.sleep(dice.uniform(0.3, 1.5))
            if plan.kind == "tailgates" and await self._tailgates():
                return
            self._stands()
            world.note("drives up", self.site.name, self.car.name, plan.kind)
            passed = await tries_copies(self) if plan.kind == "copy" else await self.goes_on()
            if passed:
                return
        finally:
            self._goes()
        await self._elsewhere()

    async def _takes_spot(self) -> None:
        await self.site.spot.acquire()
        self._has_spot = True
        self.site.driver = self

    def _frees_spot(self) -> None:
        """The next car may come up."""
        if self._has_spot:
            self._has_spot = False
            self.site.spot.release()

    def _goes(self) -> None:
        if self.site.front is self.car:
            self.site.stands(None)
        if self.site.under is self.car:
            self.site.beneath(None)
        self._frees_spot()

    def _stands(self) -> None:
        self.site.stands(self.car)
        self.car.sessions.clear()
        self.stage = 0

    async def _elsewhere(self) -> None:
        """Those who backed out may come back, here or at another lane, with the same ticket."""
        plan, dice = self.plan, self.dice
        if plan.kind not in (
            "other lane",
            "pays, other lane",
            "pays and backs out",
            "slow",
            "backs out",
            "idles under",
        ):
            return
        if plan.kind in ("backs out", "pays and backs out") and dice.random() < 0.5:
            return
        if plan.kind in ("other lane", "pays, other lane") or (plan.kind == "backs out" and dice.random() < 0.5):
            self.site = dice.choice(list(self.world.sites.values()))
        await asyncio.sleep(dice.choice((dice.uniform(0.5, 8), dice.uniform(1, 60), dice.uniform(60, 250))))
        plan.kind = "pays"
        plan.think_s, plan.pay_s = dice.uniform(0.5, 2.5), dice.uniform(0.5, 6)
        await self._takes_spot()
        try:
            await asyncio.sleep(dice.uniform(0.5, 2.5))
            self._stands()
            self.world.note("drives up", self.site.name, self.car.name, "again")
            await self.goes_on()
        finally:
            self._goes()

    # At the lane

    async def goes_on(self) -> bool:
        """True once the car has passed the boom."""
        world, site, plan, dice = self.world, self.site, self.plan, self.dice
        arrived = world.loop.now
        await asyncio.sleep(plan.think_s * 0.4)
        for ticket in plan.others:
            self.scan(ticket)
            await asyncio.sleep(dice.uniform(2, 8))
        self.scan(plan.ticket)
        scanned = world.loop.now
        patience = PATIENCE_S * dice.uniform(0.4, 1.2)
        if plan.kind == "backs out":
            await asyncio.sleep(dice.choice((0.1, dice.uniform(0.5, 20))))
            return False
        asked_for_help = False
        while True:
            if self.may_drive(arrived):
                return await self.drives()
            if plan.kind == "follows" and self.stage >= STAGES.index("pays") and await self._follows():
                return True
            now = world.loop.now
            if now - arrived > patience and (self.car.is_seen or now - scanned > UNSEEN_S):
                world.note("gives up", site.name, self.car.name)
                if not asked_for_help and dice.random() < 0.7:
                    asked_for_help = True
                    patience += 60
                    world.attendant.called(site, self)
                else:
                    return False
            screen = site.lcd.look()
            state = screen.state if screen else "dark"
            if state == "pay" and plan.coupons:
                self.scan(plan.coupons.pop())
                scanned = now
            elif state == "pay":
                if token := site.lcd.token():
                    self.scans_code(token)
                if plan.kind in ("pays and backs out", "pays, other lane", "other lane", "pays late and leaves"):
                    leave_s = plan.think_s + (plan.pay_s if plan.kind.startswith("pays") else 0) + dice.uniform(0, 3)
                    if plan.kind == "pays late and leaves":
                        leave_s = dice.uniform(3, 40)
                    await asyncio.sleep(leave_s)
                    if site.arm.state != "up" or dice.random() < 0.5:
                        return False
            elif state in ("idle", "help", "dark", "closed", "out-of-order") and now - scanned > (
                6 if state == "idle" else 15
            ):
                scanned = now
                self.scan(plan.ticket)
            if plan.kind == "fumbles" and self.stage >= STAGES.index("pays") and not self._has_fumbled:
                self._has_fumbled = True
                self.scan(self._anothers_ticket())
            if plan.kind == "rescans" and dice.random() < 0.2:
                self.scan(plan.ticket if dice.random() < 0.8 else "rubbish")
            await self.looks_again(dice.uniform(1.0, 3.0))

    def may_drive(self, arrived: float) -> bool:
        """Is the way free? Some pay first, though the arm is up."""
        site = self.site
        if site.arm.state != "up" or site.under is not None:
            return False
        owes = self.plan.kind == "pays first" and self.stage < STAGES.index("pays")
        return not owes or self.world.loop.now - arrived > 40

    def _anothers_ticket(self) -> str:
        world, now = self.world, self.world.true_ms()
        if world.seen_tickets and self.dice.random() < 0.5:
            return self.dice.choice(world.seen_tickets[-6:])
        return sign_ticket(world.garage, world.ids(now - 5_400_000), now - 5_400_000, "k1", world.keys.ticket)

    async def looks_again(self, seconds: float) -> None:
        """Wait until the arm is up or this time has passed."""
        loop = self.world.loop
        awake = loop.create_future()
        wake = partial(_finish, awake)
        timer = loop.after(seconds, wake)
        self.site.arm.on_up = wake
        await awake
        self.site.arm.on_up = _nothing
        timer.cancel()

    def scan(self, text: str) -> None:
        world = self.world
        fee = self.site.reader.scan(text)
        world.note("scans", self.site.name, self.car.name, text[:30], fee.session, fee.reason, fee.amount)
        self.reaches("reads")
        if text == LOST or fee.reason == "number":
            world.checks.readers[fee.id] = self.car
            if text == LOST:
                world.checks.losers.add(self.car.name)
        elif fee.session:
            world.checks.genuine.add(fee.session)
        if fee.session:
            self.car.sessions.add(fee.session)
            self.car.read = fee.session
            world.checks.scanned(fee.session, fee.reason, self.site.name)
        if text == self.plan.ticket and text != LOST and fee.reason != "number":
            world.seen_tickets.append(text)
            del world.seen_tickets[:-20]

    def reaches(self, stage: str) -> None:
        self.stage = max(self.stage, STAGES.index(stage))

    async def drives(self) -> bool:
        """Drive under the boom and away, unless it is too slow or thinks better of it."""
        site, dice = self.site, self.dice
        self.reaches("is raised for")
        if self.plan.kind == "follows":
            await asyncio.sleep(dice.uniform(0.1, 0.6))
        else:
            await asyncio.sleep(dice.uniform(0.3, 2.0) * (4 if self.plan.kind == "slow" else 1))
        if self.plan.kind == "idles under" and dice.random() < 0.5:
            self.plan.kind = "pays"
            await asyncio.sleep(dice.uniform(5, 20))
        if self.plan.kind == "wavers":
            self.plan.kind = "pays"
            await self._wavers()
        if site.arm.state != "up":
            return await self.goes_on()
        self.world.checks.drives_under(site, self.car)
        self.reaches("drives")
        if self.plan.kind == "short":  # off the first loop before it is on the second
            site.stands(None)
            await asyncio.sleep(dice.uniform(0.2, 1.7))
        site.beneath(self.car)
        await asyncio.sleep(dice.uniform(0.5, 1.5))
        return await self._is_under()

    async def _is_under(self) -> bool:
        site, dice = self.site, self.dice
        site.stands(None)
        site.log.append((self.world.loop.now, self.car.name, "passed"))
        self.world.checks.passed(site, self.car)
        self.car.has_passed = True
        self.world.note("passes", site.name, self.car.name)
        if self.plan.kind == "lingers":
            self._frees_spot()
            await asyncio.sleep(dice.uniform(4, 25))
        # The spot on the loop is free; the car is still under the boom for a moment.
        await asyncio.sleep(dice.uniform(0.5, 2.0))
        self.reaches("is gone")
        site.clears()
        return True

    async def _follows(self) -> bool:
        """Bumper to bumper behind the car under the boom; False if that does not drive on in time."""
        site, loop = self.site, self.world.loop
        if site.under is None or site.on_clear is not None or self.dice.random() < 0.5:
            return False
        moved = loop.create_future()

        def drives() -> None:
            self.world.note("follows", site.name, self.car.name)
            self.world.checks.drives_under(site, self.car)
            site.beneath(self.car)
            _finish(moved)

        site.on_clear = drives
        timer = loop.after(30.0, _finish, moved)
        await moved
        timer.cancel()
        if site.on_clear is drives:
            site.on_clear = None
        if site.under is not self.car:
            return False
        self.reaches("drives")
        await asyncio.sleep(self.dice.uniform(0.5, 1.5))
        return await self._is_under()

    async def _wavers(self) -> None:
        """Roll back off the loop under the open boom, and come again; a driver's time is the event, and virtual."""
        self.site.stands(None)
        await asyncio.sleep(self.dice.uniform(0.3, 4.0))
        self.site.stands(self.car)
        await asyncio.sleep(self.dice.uniform(0.2, 1.5))
        if self.dice.random() < 0.5:
            self.scan(self.plan.ticket)
            await asyncio.sleep(self.dice.uniform(0.2, 1.5))

    async def _tailgates(self) -> bool:
        """Follow the car before, if the arm is still up."""
        site = self.site
        if site.arm.state != "up" or site.under is not None:
            return False
        self.world.note("tailgates", site.name, self.car.name)
        site.stands(self.car)
        await asyncio.sleep(0.4)
        self.world.checks.drives_under(site, self.car)
        site.beneath(self.car)
        await asyncio.sleep(0.5)
        site.stands(None)
        await asyncio.sleep(0.7)
        site.beneath(None)
        site.log.append((self.world.loop.now, self.car.name, "tailgated"))
        return True

    # The phone

    def scans_code(self, token: str) -> None:
        """A phone reads the code once; then it pays in its own time, whatever the lane does."""
        world, plan, dice = self.world, self.plan, self.dice
        if token in self._phones:
            return
        if self._phones and plan.kind not in ("two phones", "slow", "never pays") and dice.random() < 0.5:
            return  # the first phone is still at it
        self._phones.add(token)
        self.reaches("sees the code")
        order = world.payby.by_token.get(token)
        if order is None:
            return
        world.checks.phone_scanned(self.site, self.car, order)
        dawdles_s = world.payby.scan(order)
        if plan.kind == "never pays" or dawdles_s is None:
            return
        delay = plan.think_s + plan.pay_s + dawdles_s
        world.loop.after(delay, self._pays, order)
        if plan.kind == "two phones":
            world.loop.after(delay + dice.uniform(0, 30), self._pays, order)

    def _pays(self, order: "Order") -> None:
        done = self.world.payby.pay(order)
        self.world.note("phone pays", self.car.name, order.no, done)
        if done:
            self.reaches("pays")
            self.world.checks.phone_paid(self.car, order)
