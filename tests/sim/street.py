"""Which cars drove out, by whose raise and whose money, and what became of that money: the street beside the books.

A ticket is a piece of paper that can be copied, so whoever reads it first and is seen by a loop counts as its driver.
What must never be: that one payment, or one free stay, lets out two; that what raised goes back by itself; that the
money of one who waits opens for another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from terminal.contract.messages import Lift
from terminal.core.ids import parse_order_no
from terminal.core.model import Stay
from tests.sim.kerb import Car, Site
from tests.sim.payby_book import Order

if TYPE_CHECKING:
    from tests.sim.checks import Checks
    from tests.sim.world import World

MOST_RAISES = 3
"""Of one stay, by lifts whose raises the worker has heard of."""
WRITTEN_S = 5.0
"""What a loop or an arm showed is in the journal after this, if the worker lives."""


class _Told(msgspec.Struct):
    """Of a row that a barrier's word left, what names the lift."""

    lift: str | None = None
    outcome: str = "raised"


_TOLD = msgspec.json.Decoder(_Told)


@dataclass(frozen=True, slots=True)
class Raise:
    """``lift`` closed the relay at ``site`` while ``car`` stood there. ``is_plain``: the loops told the truth."""

    at: float
    site: Site
    lift: Lift
    car: Car | None
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Exit:
    """A car drove out under the raise that was for it."""

    raised: Raise
    is_plain: bool


class Street:
    """Told by Checks of pulses, cars, rows and refunds."""

    def __init__(self, checks: "Checks") -> None:
        self.heard: dict[str, tuple[int, float]] = {}
        """Lifts of which the journal says that they raised: at which row, and when."""
        self.granted: dict[str, float] = {}
        """When each lift was first seen in the worker's state."""
        self.died: list[float] = []
        """When workers died."""
        self._checks = checks
        self._world: World = checks.world
        self._raises: dict[str, list[Raise]] = {}
        self._by_lift: dict[str, Raise] = {}
        self._exits: dict[str, list[Exit]] = {}
        self._drove: dict[str, tuple[float, float, str]] = {}
        """Orders whose driver drove out under an arm that was up anyway: when they were known as paid, when he did,
        and who he was."""
        self._forgotten: dict[str, str] = {}
        """Of lifts that raised and that a journal which was put back does not hold: the orders."""
        self._told_again: dict[str, int] = {}
        """Of these, the orders whose raise the barrier has named since, and the row that says so."""
        self._paid_at: dict[str, float] = {}
        """When an order's payment was first seen in the worker's state."""

    # What the worker knows

    def knows(self, stay: Stay) -> None:
        """The worker's state has this stay now."""
        now = self._world.loop.now
        for grant in stay.grants:
            self.granted.setdefault(grant.id, now)
        for payment in stay.payments:
            self._paid_at.setdefault(payment.order_no, now)

    def journaled(self, rows: Sequence[tuple[str, bytes]], first: int) -> None:
        """Rows are on the worker's disk; the first of them has the number ``first``."""
        for seq, (kind, data) in enumerate(rows, first):
            if kind not in ("BoomSeen", "LiftAnswered"):
                continue
            told = _TOLD.decode(data)
            if told.lift in self._forgotten:
                self._told_again.setdefault(self._forgotten[told.lift], seq)
            if told.lift in self._by_lift and told.outcome == "raised" and told.lift not in self.heard:
                self.heard[told.lift] = seq, self._world.loop.now

    def put_back(self, length: int, forgotten: Mapping[str, Any]) -> None:
        """The journal has only this many rows again; what came of later sessions is forgotten."""
        self.heard = {lift: told for lift, told in self.heard.items() if told[0] <= length}
        self._told_again = {no: seq for no, seq in self._told_again.items() if seq <= length}
        for session in forgotten:
            for raised in self._raises.pop(session, ()):
                del self._by_lift[raised.lift.id]
                if raised.lift.order_no:
                    self._forgotten[raised.lift.id] = raised.lift.order_no
            self._exits.pop(session, None)
        gone = {no for no in self._drove if (name := parse_order_no(no)) and name.session in forgotten}
        for no in gone:
            del self._drove[no]

    def _known_before(self, earlier: Raise, later: Lift) -> bool:
        """Had the worker heard of the one raise when it granted the other lift?"""
        told = self.heard.get(earlier.lift.id)
        return told is not None and told[1] <= self.granted.get(later.id, -1.0)

    # What happens at a lane

    def pulsed(self, site: Site, lift: Lift) -> None:
        world, car = self._world, site.front
        raised = Raise(world.loop.now, site, lift, car, site.loops.is_honest)
        before = self._raises.setdefault(lift.session, [])
        known = [r for r in before if self._known_before(r, lift)]
        if len(known) >= MOST_RAISES:
            self._checks.wrong(f"raises: the boom rises for stay {lift.session} for the {len(known) + 1}th time")
        before.append(raised)
        self._by_lift[lift.id] = raised
        for left in self._exits.get(lift.session, ()):
            self._two(left, raised)
        self._of_another(site, lift, car)

    def drives_under(self, site: Site, car: Car) -> None:
        """Its driver has decided; from now on it is under the boom."""
        raised = self._by_lift.get(site.arm.lift or "")
        if raised and raised.car is car:
            # Without limit switches, only the loop under the boom tells that the arm is not down yet.
            left = Exit(raised, site.loops.is_plain and (self._world.has_switches or not site.loops.is_blind_below))
            self._exits.setdefault(raised.lift.session, []).append(left)
            for other in self._raises[raised.lift.session]:
                self._two(left, other)
        self._drives_under_anothers(site, car)

    def _two(self, left: Exit, other: Raise) -> None:
        """Two cars: one drove out under its raise, and the boom rises, or had risen, for another by the same stay."""
        first, later = sorted((left.raised, other), key=lambda raised: raised.at)
        one, two = left.raised.car, other.car
        if one is None or two is None or one is two or not (one.is_seen and two.is_seen):
            return
        if left.raised is not first:
            return  # a car that did not drive out under its raise leaves it to whoever reads the ticket next
        plain = left.is_plain and left.raised.is_plain and other.is_plain
        if plain and self._known_before(first, later.lift):
            self._checks.wrong(
                f"two cars: by stay {other.lift.session} the boom rose for {one.name} at {left.raised.site.name}, "
                f"which drove out, and for {two.name} at {other.site.name}"
            )

    def _of_another(self, site: Site, lift: Lift, car: Car | None) -> None:
        """The payer stands at the lane of his order, seen by its loop since before that was placed; the boom rises for
        another."""
        world = self._world
        order = world.payby.orders.get(lift.order_no or "")
        if order is None or car is None or lift.session in car.owned or car.name in self._payers(lift.session):
            return
        name = parse_order_no(order.no)
        other = world.sites.get(name.lane) if name else None
        payer = other.front if other and other is not site else None
        if other is None or payer is None or not payer.is_seen or payer.name not in self._payers(lift.session):
            return
        if payer.read != lift.session or other.name == world.stolen_lane:
            return  # he went on with another ticket, or whoever has the lane's machine did so for him
        worker = world.worker
        lane = worker.worker.event_store.garage.lanes.get(other.name)
        visit = lane.visit if lane else None
        if visit and visit.fee.session != lift.session and payer.name in self._payers(visit.fee.session):
            return  # he paid for another ticket as well, and that visit keeps its place
        unbroken = min(order.placed_s - t for t in (worker.started_s, worker.bus.lost_s, other.loops.lost_s)) > 0
        if unbroken and other.loops.is_honest and other.since <= order.placed_s:
            self._checks.wrong(
                f"another's money: {payer.name} paid {order.no} and waits at {other.name}, and the boom rises "
                f"for {car.name} at {site.name}"
            )

    def _payers(self, session: str) -> set[str]:
        return self._checks.paid_by.get(session, set())

    def _drives_under_anothers(self, site: Site, car: Car) -> None:
        """A car whose visit the lane has drives out while its payment has not raised; the worker sees the arm up."""
        world, process = self._world, self._world.worker
        raised = self._by_lift.get(site.arm.lift or "")
        if process.is_dead or not process.bus.connected or (raised and raised.car is car):
            return
        if not site.loops.is_honest or world.barriers[site.name].is_dead:
            return
        garage = process.worker.event_store.garage
        lane = garage.lanes.get(site.name)
        visit = lane.visit if lane else None
        if lane is None or visit is None or visit.loop != "sees" or visit.car is None or visit.car != site.loops.car:
            return
        stay = garage.stays.get(visit.fee.session)
        up = lane.boom is not None and lane.boom.state in ("rising", "up", "lowering")
        its = stay is not None and (stay.session in car.owned or car.name in self._payers(stay.session))
        if stay and up and its and stay.left is None:
            for payment in stay.payments:
                if payment.holder in ("lift", "credit", "raised") and payment.refund_no is None:
                    known = self._paid_at.get(payment.order_no, world.loop.now)
                    self._drove.setdefault(payment.order_no, (known, world.loop.now, car.name))

    # Money

    def refunded(self, order: Order) -> None:
        """PayBy gives some of it back."""
        world = self._world
        name = parse_order_no(order.no)
        if name is None or order.no in world.attendant.refunds:
            return
        if order.no in self._told_again:
            self._checks.wrong(f"raised and given back: the barrier names a lift of {order.no} that is forgotten")
        if name.session in self._checks.forgotten:
            return
        by = [r.lift.id for r in self._raises.get(name.session, ()) if r.lift.order_no == order.no]
        if by:
            self._checks.wrong(f"raised and given back: {order.no} raised by {by}, and nobody asked for its refund")
        if drove := self._drove.get(order.no):
            known, under, car = drove
            lived = not any(known <= died <= under + WRITTEN_S for died in self.died)
            if lived and name.session not in world.attendant.resets:
                self._checks.wrong(f"left and given back: {car} had paid {order.no} and drove out under a raised arm")
