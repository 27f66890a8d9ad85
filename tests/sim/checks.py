"""What the laws of DESIGN.md come to, looked at after every event, at every pulse, at every order, and at the end.

Here both sides are known: what PayBy and the street really did, and what the worker and the barriers believe.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from terminal.contract.messages import Answer, Lift
from terminal.contract.messages import Order as OrderSaid
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import money
from terminal.core.events import OrderReported
from terminal.core.ids import parse_order_no
from terminal.core.model import OPEN, Lane, Stay
from terminal.core.rules import Garage
from terminal.roles.worker.role import WorkerRole
from tests.sim.effects import Effects
from tests.sim.ending import Ending
from tests.sim.kerb import Car, Site
from tests.sim.payby_book import Order
from tests.sim.replays import Replays
from tests.sim.street import Street

if TYPE_CHECKING:
    from tests.sim.world import World


SKEW_MS = 45_000
"""Clocks further apart than this are beyond what a held lift allows for."""
UNNAMED_S = 6.0
"""How long the loops may take to name the car after a ticket was read."""


@dataclass(frozen=True, slots=True)
class Pulse:
    at: float
    lane: str
    lift: Lift


@dataclass
class Checks:
    """``violation`` is the first that was found; the world stops at it."""

    world: "World"
    violation: str = ""
    forged: int = 0
    pulses: dict[str, Pulse] = field(default_factory=dict)
    """By the lift's id."""
    told_as_scanned: set[str] = field(default_factory=set)
    """Orders of which the worker has said that a phone has read the code."""
    out_of_time: set[str] = field(default_factory=set)
    """Lifts that were out when a worker began by a wrong clock: to it their deadlines may have been long over."""
    apart_s: float = -1.0
    """When one began so last."""
    moved: set[str] = field(default_factory=set)
    """Orders that have got more time from PayBy."""
    answers: Counter[str] = field(default_factory=Counter)
    free: set[str] = field(default_factory=set)
    """Sessions that were once read as free."""
    genuine: set[str] = field(default_factory=set)
    """Sessions of tickets that were really given out."""
    read_at: dict[str, float] = field(default_factory=dict)
    paid_by: dict[str, set[str]] = field(default_factory=dict)
    """Who paid for a stay: its own driver, or one who found its code on the screen."""
    """When a session's ticket was read last."""
    paid_to_journal: set[str] = field(default_factory=set)
    """Orders of which the worker has a payment in its journal."""
    last_at: dict[str, Lift] = field(default_factory=dict)
    """What raised the boom of a lane last."""
    left: dict[str, float] = field(default_factory=dict)
    """Stays whose car drove out by its own lift, in plain sight, and when."""
    soft: Counter[str] = field(default_factory=Counter)
    """What may happen, and is worth counting."""
    decided_s: dict[str, float] = field(default_factory=dict)
    """When a barrier believed each lift; its pulse comes a flush later."""
    forgotten: set[str] = field(default_factory=set)
    """Stays of which a journal that was put back does not know what the one before knew."""
    readers: dict[str, Car] = field(default_factory=dict)
    """Who read a lost ticket, by the fee's id."""
    losers: set[str] = field(default_factory=set)
    """Drivers who read the card for a lost ticket."""
    street: Street = field(init=False)
    effects: Effects = field(init=False)
    replays: Replays = field(init=False)
    ending: Ending = field(init=False)
    stays: dict[str, Stay] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    _payable: list[Order] = field(default_factory=list)
    """Those whose codes were shown, and that PayBy would still take money for."""

    def __post_init__(self) -> None:
        self.street, self.effects = Street(self), Effects(self)
        self.replays, self.ending = Replays(self), Ending(self)

    def wrong(self, text: str) -> None:
        if not self.violation and text.startswith(self.world.options.only):
            self.violation = text
            self.world.note("VIOLATION", text)
            self.world.stop.set()

    # The worker

    def look(self, worker: WorkerRole) -> None:
        """I3, I4 on what has changed since the last look."""
        garage = worker.event_store.garage
        known, stays = self.stays, garage.stays
        for session, stay in stays.items():
            if known.get(session) is not stay:
                known[session] = stay
                self._stay(stay, garage)
        for name, lane in garage.lanes.items():
            if self.lanes.get(name) is not lane:
                self.lanes[name] = lane
                self._lane(lane, garage)

    def _stay(self, stay: Stay, garage: Garage) -> None:
        self.street.knows(stay)
        self.effects.knows(stay)
        if self.world.outside:
            self.world.outside.looks(stay)
        now = self.world.worker.worker.now()
        grants = {g.id for g in stay.grants}
        live = [g for g in stay.grants if now < g.not_after]
        if len(live) > 1:
            self.wrong(f"I2: two lifts of stay {stay.session} are valid at once: {[g.id for g in live]}")
        opened = [o for o in stay.orders if o.stage in OPEN]
        if len(opened) > 1 and not any(o.doubtful for o in opened):
            self.wrong(f"I4: two open orders of one stay: {[o.no for o in opened]}")
        for order in opened:
            if stay.session not in garage.lanes.get(order.lane, Lane(order.lane)).open_sessions:
                self.wrong(f"I4: lane {order.lane} does not know that {order.no} is {order.stage}")
        for order in stay.orders:
            truth = self.world.payby.orders.get(order.no)
            if order.stage == "paid" and (truth is None or not truth.is_paid):
                self.wrong(f"I1: order {order.no} counts as paid and PayBy has it as {truth and truth.status}")
            if (order.stage == "paid") != (stay.payment(order.no) is not None):
                self.wrong(f"I3: order {order.no} is {order.stage}, its payment {stay.payment(order.no)}")
        for payment in stay.payments:
            self.paid_to_journal.add(payment.order_no)
            if payment.holder == "lift" and payment.grant not in grants:
                self.wrong(f"I3: payment {payment.order_no} is held by lift {payment.grant}, which is over")
            refunds = [r for r in stay.refunds if r.order_no == payment.order_no and r.stage != "failed"]
            if sum(r.amount for r in refunds) > payment.amount:
                self.wrong(f"I4: more is refunded of {payment.order_no} than was paid")
            if payment.holder == "refund" and not any(r.no == payment.refund_no for r in refunds):
                self.wrong(f"I3: payment {payment.order_no} is held by a refund that nobody asks for")

    def _lane(self, lane: Lane, garage: Garage) -> None:
        if lane.id == GARAGE_WIDE and replace(lane, began=0) != Lane(lane.id):
            self.wrong(f"no lane: what was said in the garage's place has become {lane}")
        for session in lane.open_sessions:
            if not any(o.lane == lane.id and o.stage in OPEN for o in garage.stays.get(session, Stay(session)).orders):
                self.wrong(f"I4: lane {lane.id} waits for an order of {session}, and none is open")
        kept = [garage.stays[s] for s in lane.open_sessions if s in garage.stays]
        doubted = any(o.doubtful for stay in kept for o in stay.orders)  # PayBy listed them, all at once
        if len(lane.open_sessions) > 1 and not doubted:
            self.wrong(f"I4: lane {lane.id} has open orders of {lane.open_sessions}")
        stay = garage.stays.get(lane.visit.fee.session) if lane.visit else None
        if lane.visit and (stay is None or stay.lane != lane.id):
            self.wrong(f"I2: the stay of lane {lane.id}'s visit is at {stay and stay.lane}")

    def fell(self, error: BaseException | None) -> None:
        """The worker ended and should not have."""
        import traceback

        lines = "".join(traceback.format_exception(error)) if error else "without an error"
        self.wrong(f"crash: the worker fell: {lines}")

    # PayBy

    def watch(self, what: str, order: Order) -> None:
        """What happens to an order at PayBy."""
        self.world.note("payby", what, order.no, order.amount, order.status)
        match what:
            case "refunded":
                self.street.refunded(order)
            case "other words" if not self._is_forgotten(order.no):
                self.wrong(f"I4: order {order.no} was placed again with other words")
            case "moved":
                self.moved.add(order.no)
                if not order.scanned_by:
                    self.wrong(f"scan: order {order.no} gets more time, and no phone has read its code")
            case "too much" if not self._is_forgotten(order.no):
                self.wrong(f"I4: a refund of more than was paid was asked for {order.no}")

    def _is_forgotten(self, order_no: str) -> bool:
        name = parse_order_no(order_no)
        return name is not None and name.session in self.forgotten

    def _asked_again(self, order: Order) -> None:
        """I4: nobody is asked for money while the money of the same stay is here."""
        if self._is_forgotten(order.no):
            return
        name = parse_order_no(order.no)
        for other in self.world.payby.orders.values():
            its = parse_order_no(other.no)
            known = other.is_paid and other.cancelled_s is None  # PayBy had called the others failed
            kept = other.amount - other.given_back if known else 0
            if other is not order and name and its and its.session == name.session and kept > 0:
                self.wrong(f"I4: {order.no} is shown though {other.no} is paid, and {kept} fils of it kept")

    def shown(self, order: Order) -> None:
        """I4: its code is about to show somewhere."""
        name = parse_order_no(order.no)
        assert name is not None
        order.is_shown = True
        now = self.world.payby.now_ms()
        self._payable = [o for o in self._payable if o.status == "CREATED" and now < o.expires_ms and o is not order]
        for other in self._payable:
            its = parse_order_no(other.no)
            assert its is not None
            if self._is_forgotten(other.no):
                continue
            if its.lane == name.lane or its.session == name.session:
                self.wrong(f"I4: {order.no} is shown while {other.no} can still be paid")
        self._payable.append(order)
        self._asked_again(order)
        if self.world.outside:
            self.world.outside.shown(order)

    def phone_scanned(self, site: Site, car: Car, order: Order) -> None:
        """A driver is about to pay for somebody else's stay if the screen was stale."""
        name = parse_order_no(order.no)
        if name and name.session not in car.sessions:
            self.soft["scanned another's code"] += 1

    def begins_apart(self, before: WorkerRole) -> None:
        """A worker begins by a wrong clock; ``before``: the one before it."""
        self.apart_s = self.world.loop.now
        self.out_of_time |= {grant.id for stay in before.event_store.garage.stays.values() for grant in stay.grants}

    def told_of_phone(self, said: OrderSaid) -> None:
        """Only what PayBy has seen is told."""
        if said.scanned:
            self.told_as_scanned.add(said.order_no or "")
            if not self.world.payby.orders[said.order_no or ""].scanned_by:
                self.wrong(f"scan: the code of {said.order_no} is called scanned, and no phone has read it")

    def phone_paid(self, car: Car, order: Order) -> None:
        name = parse_order_no(order.no)
        assert name is not None
        self.paid_by.setdefault(name.session, set()).add(car.name)

    # The street

    def scanned(self, session: str, reason: str, lane: str) -> None:
        self.read_at[session] = self.world.loop.now
        if reason == "free":
            self.free.add(session)

    def drives_under(self, site: Site, car: Car) -> None:
        self.street.drives_under(site, car)

    def passed(self, site: Site, car: Car) -> None:
        """A car drove out. Whose lift had raised the boom for it is known when nothing was amiss at its lane."""
        lift = self.last_at.get(site.name)
        plain = site.loops.is_plain and not self.world.barriers[site.name].is_dead and not self.world.worker.is_dead
        told = lift and lift.session in car.sessions and lift.session not in self.world.attendant.resets
        told = told and not site.loops.is_blind_below
        if lift and told and plain and self.world.broker.is_up:
            self.left.setdefault(lift.session, self.world.loop.now)

    def answered(self, site: Site, answer: Answer) -> None:
        self.answers[answer.why or answer.outcome] += 1

    def pulse(self, site: Site, lift: Lift) -> None:
        """I1 and I2: the relay closes for ``lift``."""
        world = self.world
        world.note("PULSE", site.name, lift.id, lift.reason, lift.session, lift.order_no)
        if lift.id in self.pulses:
            self.wrong(f"I2: lift {lift.id} raises a second time")
        pulse = Pulse(world.loop.now, site.name, lift)
        self.pulses[lift.id] = pulse
        self.last_at[site.name] = lift
        if lift.reason != "operator":
            self.street.pulsed(site, lift)
        if lift.reason != "operator":
            self._grant_of(site, lift)
            if self.decided_s.get(lift.id, world.loop.now) > self.left.get(lift.session, world.loop.now):
                self.wrong(f"I2: the boom rises for {lift.session}, whose car has left at {self.left[lift.session]}")
        match lift.reason:
            case "operator":
                if lift.id not in world.attendant.lifts:
                    self.wrong(f"I1: operator lift {lift.id} was given by nobody")
                return
            case "free":
                given = self.world.outside is not None and self.world.outside.lets_out(lift.session)
                if lift.session not in self.free and not given:
                    self.wrong(f"I1: stay {lift.session} was never free")
            case _:
                self._paid_pulse(lift)

    def decided(self, site: Site, lift: Lift) -> None:
        """I1: the barrier has just believed ``lift``; its car must be the one that stands there."""
        world = self.world
        self.decided_s[lift.id] = world.loop.now
        front = site.front
        is_its = front is not None and (
            lift.session in front.sessions or front.name in self.paid_by.get(lift.session, ())
        )
        if lift.car is None:
            # A ticket that was read just before the loop's word has no car yet, and the first that is seen is its own.
            read = world.loop.now - self.read_at.get(lift.session, -UNNAMED_S)
            if lift.reason != "operator" and front and not is_its and site.loops.is_honest and read > UNNAMED_S:
                self.wrong(f"I1: the boom rises for {lift.session} while {front.name} stands there")
            return
        heard, at = world.barriers[site.name].heard
        silent = 1000 * (world.loop.now - at) > 15_001  # the barrier counts in whole ms
        if heard is None or not heard.waiting or heard.car != lift.car or silent:
            self.wrong(f"I1: the boom rises for {lift.car}, and the loops said last: {heard}")
        if site.name == world.stolen_lane and lift.session not in self.genuine:
            return  # whoever has a lane's machine reads lost tickets there for whomever he likes
        if self.read_at.get(lift.session, world.loop.now) < self.apart_s:
            return  # by a clock that was set back it was read just now, so that the next car seen may have been its own
        if lift.reason != "operator" and site.loops.is_honest and not is_its:
            self.wrong(f"I1: the boom rises for {lift.session} while {front and front.name} stands there")

    def _grant_of(self, site: Site, lift: Lift) -> None:
        """I2: the payment, or the free stay, is still held by this lift; nobody else has it."""
        clock_ms = self.world.barriers[site.name].clock.ahead_ms - self.world.worker.clock.ahead_ms
        if abs(clock_ms) > SKEW_MS or self.world.worker.is_dead or lift.session in self.forgotten:
            return
        if lift.id in self.out_of_time:
            return
        stay = self.world.worker.worker.event_store.garage.stays.get(lift.session)
        if stay is None or stay.grant(lift.id) is None:
            self.wrong(f"I2: the boom rises by {lift.id}, which the worker has given up")

    def _paid_pulse(self, lift: Lift) -> None:
        order = self.world.payby.orders.get(lift.order_no or "")
        if order is None or not order.is_paid:
            self.wrong(f"I1: lift {lift.id} raises for {lift.order_no}, which is {order and order.status}")
            return
        name = parse_order_no(order.no)
        if name is None or name.session != lift.session:
            self.wrong(f"I1: lift {lift.id} of stay {lift.session} raises for the money of {order.no}")
        if money.text(order.amount) != lift.amount:
            self.wrong(f"I1: lift {lift.id} says {lift.amount}, the order {order.amount} fils")
        if lift.session in self.forgotten:
            return
        if order.no not in self.paid_to_journal and not self._journaled_as_paid(order.no):
            self.wrong(f"I1: the payment of {order.no} is not in the journal")
        if order.given_back:
            self.wrong(f"I3: the boom rises for {order.no}, of which {order.given_back} fils were given back")

    def _journaled_as_paid(self, order_no: str) -> bool:
        """The worker that noted it may have died at once, and the next one have written nothing yet."""
        rows = (row for row in self.world.worker.disk.replay() if row.kind == "OrderReported")
        said = (msgspec.json.decode(row.data, type=OrderReported) for row in rows)
        return any(event.order_no == order_no and event.status == "PAID" for event in said)
