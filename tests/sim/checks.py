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
from terminal.core.clock_turn import turn_of, turned
from terminal.core.events import EVENTS, OrderReported
from terminal.core.ids import parse_order_no
from terminal.core.model import OPEN, REFUND_ENDS, Lane, Stay
from terminal.core.outbox import owed
from terminal.core.retention import NO_PROOF
from terminal.core.rules import Garage, step
from terminal.eventstore.store import EventStore, StoredEvent
from terminal.journal.kinds import RECALLED, SHELVED
from terminal.roles.worker.role import WorkerRole
from tests.sim.effects import Effects
from tests.sim.kerb import Car, Site
from tests.sim.payby import Order
from tests.sim.street import Street

if TYPE_CHECKING:
    from tests.sim.roles import WorkerProcess
    from tests.sim.world import World


SKEW_MS = 45_000
"""Clocks further apart than this are beyond what a held lift allows for."""
UNNAMED_S = 6.0
"""After a ticket was read, the loops have so long to name its car."""


def _bare(stay: Stay) -> Stay:
    """Without the proofs: a stay that was put away and asked for again has them no more."""
    return replace(stay, payments=tuple(replace(p, proof=NO_PROOF) for p in stay.payments)) if stay.left else stay


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
    forgotten: set[str] = field(default_factory=set)
    """Stays of which a journal that was put back does not know what the one before knew."""
    readers: dict[str, Car] = field(default_factory=dict)
    """Who read a lost ticket, by the fee's id."""
    street: Street = field(init=False)
    effects: Effects = field(init=False)
    _stays: dict[str, Stay] = field(default_factory=dict)
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _payable: list[Order] = field(default_factory=list)
    """Those whose codes were shown, and that PayBy would still take money for."""
    _before_death: tuple[EventStore, list[StoredEvent]] | None = None

    def __post_init__(self) -> None:
        self.street, self.effects = Street(self), Effects(self)

    def wrong(self, text: str) -> None:
        if not self.violation and text.startswith(self.world.options.only):
            self.violation = text
            self.world.note("VIOLATION", text)
            self.world.stop.set()

    # The worker

    def look(self, worker: WorkerRole) -> None:
        """I3, I4 on what has changed since the last look."""
        garage = worker.event_store.garage
        known, stays = self._stays, garage.stays
        for session, stay in stays.items():
            if known.get(session) is not stay:
                known[session] = stay
                self._stay(stay, garage)
        for name, lane in garage.lanes.items():
            if self._lanes.get(name) is not lane:
                self._lanes[name] = lane
                self._lane(lane, garage)

    def _stay(self, stay: Stay, garage: Garage) -> None:
        self.street.knows(stay)
        self.effects.knows(stay)
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

    def worker_died(self, process: "WorkerProcess") -> None:
        """Keep what it knew and what is in its journal beyond that, to compare it with what the next one reads."""
        self.street.died.append(self.world.loop.now)
        event_store = process.worker.event_store
        if process.lanes is not None:
            event_store.garage.lanes, event_store.last_at = process.lanes, process.last_at
        self._before_death = event_store, list(process.disk.after(process.applied))

    def put_back(self, process: "WorkerProcess", length: int) -> None:
        """The journal of a dead worker has only ``length`` rows now, as it had once. What was known of a stay beyond
        that is forgotten, and nothing of it can be held against the next worker."""
        assert self._before_death
        known, lost = self._before_death
        self._before_death = None
        known.read(lost)
        garage, old = known.garage, EventStore(known.garage.rules, process.disk, lambda _: b"")  # type: ignore[arg-type]
        old.read(process.disk.replay())
        stays, olds = garage.stays, old.garage.stays
        changed = {s for s in {*stays, *olds} if stays.get(s) != olds.get(s)}
        changed |= {
            s for s in self._stays if known.resting_stays.row_of(s) != old.resting_stays.row_of(s)
        }  # they had left memory
        self.forgotten |= changed
        self.street.put_back(length, dict.fromkeys(changed))
        for session in changed:
            self._stays.pop(session, None)
            self.left.pop(session, None)
        self._lanes.clear()

    def replayed(self, worker: WorkerRole) -> None:
        """I5: a worker knows just what the one before it knew, and what that one committed as it died."""
        if self._before_death is None:
            return
        event_store, lost = self._before_death
        self._before_death = None
        event_store.read(lost)
        ours, others = worker.event_store.garage, event_store.garage
        if by := worker.event_store.last_at - event_store.last_at:  # one of them has turned its state to another clock
            others.lanes, others.stays = turned(others.lanes, by), turned(others.stays, by)
        for session in sorted({*ours.stays, *others.stays}):
            one, other = ours.stays.get(session), others.stays.get(session)
            if one and other is None:  # it comes back for the fact that is about to be written
                other = event_store.find(session, self.world.worker.disk.at)
            if one != other:
                self.wrong(f"I5: the journal tells otherwise of stay {session}")
        self._same_lanes(others, ours)

    def _same_lanes(self, one: Garage, other: Garage) -> None:
        for name in {*one.lanes, *other.lanes}:
            if one.lanes.get(name, Lane(name)) != other.lanes.get(name, Lane(name)):
                self.wrong(f"I5: the journal tells otherwise of lane {name}")

    def _whole_story(self, process: "WorkerProcess", stays: dict[str, Stay]) -> None:
        """I5: every fact from the first on, with nothing skipped, gives the same state. Stays that were put away are
        not there for facts about all of them, such as a journal that was put back."""
        garage = process.worker.event_store.garage
        story = Garage(garage.rules)
        resting: dict[str, Stay] = {}
        last_at = 0
        for row in process.disk.replay():
            if row.kind == SHELVED:
                for stay in msgspec.json.decode(row.data, type=list[Stay]):
                    resting[stay.session] = story.stays.pop(stay.session)
            elif row.kind == RECALLED:
                session = msgspec.json.decode(row.data, type=Stay).session
                story.stays[session] = resting.pop(session)
            if kind := EVENTS.get(row.kind):
                event = msgspec.json.decode(row.data, type=kind)
                if by := turn_of(event, last_at):
                    story.lanes, story.stays = turned(story.lanes, by), turned(story.stays, by)
                last_at = event.at if by else max(last_at, event.at)
                story.apply(step(story, event))
        told = resting | story.stays
        for session in sorted({*stays, *told}):
            one, other = stays.get(session), told.get(session)
            if one is None or other is None or _bare(one) != _bare(other):
                self.wrong(f"I5: the whole journal tells otherwise of stay {session}")
        self._same_lanes(story, replace(garage, lanes=process.lanes or garage.lanes))

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
            if world.loop.now > self.left.get(lift.session, world.loop.now):
                self.wrong(f"I2: the boom rises for {lift.session}, whose car has left at {self.left[lift.session]}")
        match lift.reason:
            case "operator":
                if lift.id not in world.attendant.lifts:
                    self.wrong(f"I1: operator lift {lift.id} was given by nobody")
                return
            case "free":
                if lift.session not in self.free:
                    self.wrong(f"I1: stay {lift.session} was never free")
            case _:
                self._paid_pulse(lift)

    def decided(self, site: Site, lift: Lift) -> None:
        """I1: the barrier has just believed ``lift``; its car must be the one that stands there."""
        world = self.world
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

    # The end

    def finish(self) -> None:
        """I3, I4, I5 when all is quiet and every deadline has passed."""
        world = self.world
        stays = self._found(world.worker)
        net: Counter[str] = Counter()
        price: Counter[str] = Counter()
        for order in world.payby.orders.values():
            name = parse_order_no(order.no)
            assert name is not None
            if name.session in self.forgotten:
                continue
            stay = stays.get(name.session)
            ours = stay.order(order.no) if stay else None
            if stay is None or ours is None:
                self.wrong(f"I3: PayBy has {order.no}, the worker knows nothing of it")
                return
            if ours.stage in OPEN:
                self.wrong(f"I8: order {order.no} is still {ours.stage} when all is quiet ({order.status} at PayBy)")
            if order.no in world.payby.untold:
                continue  # its refund begins when it is told
            if order.is_paid:
                net[name.session] += order.amount - order.given_back
                price[name.session] = max(price[name.session], order.amount)
                self._fate(order, stay)
            elif ours.stage == "paid":
                self.wrong(f"I1: order {order.no} counts as paid and is {order.status}")
            elif order.status == "CREATED" and order.is_shown and world.payby.now_ms() < order.expires_ms:
                self.wrong(f"I4: order {order.no} can still be paid and counts as {ours.stage}")
        for session, amount in net.items():
            if amount > price[session] and not self._with_a_person(stays[session]):
                self.wrong(f"I4: stay {session} was charged {amount} fils, and costs {price[session]}")
        for session, stay in stays.items():
            if any(True for _ in owed(stay)):
                self.wrong(f"I8: stay {session} still owes {[type(p).__name__ for p in owed(stay)]}")
            if stay.grants:
                self.wrong(f"I8: stay {session} still waits for lifts")
            for refund in stay.refunds:
                if refund.stage not in REFUND_ENDS:
                    self.wrong(f"I3: refund {refund.no} of {refund.order_no} is still {refund.stage}")
        self._whole_story(world.worker, stays)

    def _found(self, process: "WorkerProcess") -> dict[str, Stay]:
        """Every stay that there was, in memory or put away."""
        event_store = process.worker.event_store
        sessions = {*self._stays, *event_store.garage.stays, *self.forgotten}
        found = ((session, event_store.find(session, process.disk.at)) for session in sessions)
        return {session: stay for session, stay in found if stay}

    def _with_a_person(self, stay: Stay) -> bool:
        return any(p.holder == "person" for p in stay.payments) or any(o.stage == "quarantined" for o in stay.orders)

    def _fate(self, order: Order, stay: Stay) -> None:
        """I3: a raise for its car, or given back, or with a person who was told."""
        payment = stay.payment(order.no)
        ours = stay.order(order.no)
        alerts = self.world.alerts
        if payment is None:
            if ours and ours.stage == "quarantined" and order.no in self.world.payby.wrong_notices:
                if ("payment-mismatch", order.no) not in alerts:
                    self.wrong(f"I3: {order.no} is quarantined and nobody was told")
                return
            self.wrong(f"I3: {order.no} is paid and counts as {ours and ours.stage}")
            return
        match payment.holder:
            case "raised":
                at = self.effects.lane_of.get(payment.grant or "")
                is_lie = at is not None and at[0] == self.world.stolen_lane  # its thief says what he likes of its boom
                if payment.grant not in self.pulses and not is_lie:
                    self.wrong(f"I3: {order.no} counts as raised by {payment.grant}, which never raised")
                elif order.given_back and order.no not in self.world.attendant.refunds:
                    self.wrong(f"I3: {order.no} raised and was given back")
            case "refunded":
                if not order.given_back:
                    self.wrong(f"I3: {order.no} counts as refunded and PayBy gave nothing back")
                if payment.raised and order.no not in self.world.attendant.refunds:
                    self.wrong(f"I3: the boom had risen for {order.no} by {payment.raised}, and it was given back")
            case "used":
                if order.given_back and order.no not in self.world.attendant.refunds:
                    self.wrong(f"I3: {order.no} was used without a raise and was given back")
                told_so = {("tailgating", stay.session), ("passed-open", stay.session)} & self.world.warned
                if not told_so:
                    self.wrong(f"I3: {order.no} was used without a raise and nobody was told")
            case "person":
                told = {code for code, no in alerts if no == order.no}
                if not told & {"lift-unknown", "refund-failed", "raised-late", "payment-doubtful"}:
                    self.wrong(f"I3: {order.no} is left to a person and nobody was told: {told}")
            case _:
                self.wrong(f"I3: {order.no} is still held by {payment.holder} when all is quiet")
