"""What must be so in the end, when all is quiet and every deadline has passed."""

from collections import Counter
from typing import TYPE_CHECKING

from terminal.core.ids import parse_order_no
from terminal.core.model import OPEN, REFUND_ENDS, Stay
from terminal.core.outbox import owed
from tests.sim.payby_book import Order

if TYPE_CHECKING:
    from tests.sim.checks import Checks
    from tests.sim.worker import WorkerProcess


class Ending:
    """Looks at every order and every stay that there was."""

    def __init__(self, checks: "Checks") -> None:
        self._checks, self._wrong = checks, checks.wrong

    def finish(self) -> None:
        """I3, I4, I5 when all is quiet and every deadline has passed."""
        world = self._checks.world
        stays = self._found(world.worker)
        net: Counter[str] = Counter()
        price: Counter[str] = Counter()
        for order in world.payby.orders.values():
            name = parse_order_no(order.no)
            assert name is not None
            if name.session in self._checks.forgotten:
                continue
            stay = stays.get(name.session)
            ours = stay.order(order.no) if stay else None
            if stay is None or ours is None:
                self._wrong(f"I3: PayBy has {order.no}, the worker knows nothing of it")
                return
            if ours.stage in OPEN:
                self._wrong(f"I8: order {order.no} is still {ours.stage} when all is quiet ({order.status} at PayBy)")
            if order.no in world.payby.untold:
                continue  # its refund begins when it is told
            if order.is_paid:
                net[name.session] += order.amount - order.given_back
                price[name.session] = max(price[name.session], order.amount)
                self._fate(order, stay)
            elif ours.stage == "paid":
                self._wrong(f"I1: order {order.no} counts as paid and is {order.status}")
            elif order.status == "CREATED" and order.is_shown and world.payby.now_ms() < order.expires_ms:
                self._wrong(f"I4: order {order.no} can still be paid and counts as {ours.stage}")
        for session, amount in net.items():
            if amount > price[session] and not self._with_a_person(stays[session]):
                self._wrong(f"I4: stay {session} was charged {amount} fils, and costs {price[session]}")
        for number, sessions in (world.foreign.stays if world.foreign else {}).items():
            charged = [s for s in sessions if net[s] > 0 and not self._with_a_person(stays[s])]
            if len(charged) > 1:
                self._wrong(f"I4: number {number} was charged as {len(charged)} stays")
        for session, stay in stays.items():
            if any(True for _ in owed(stay)):
                self._wrong(f"I8: stay {session} still owes {[type(p).__name__ for p in owed(stay)]}")
            if stay.grants:
                self._wrong(f"I8: stay {session} still waits for lifts")
            for refund in stay.refunds:
                if refund.stage not in REFUND_ENDS:
                    self._wrong(f"I3: refund {refund.no} of {refund.order_no} is still {refund.stage}")
        self._checks.replays.whole_story(world.worker, stays)

    def _found(self, process: "WorkerProcess") -> dict[str, Stay]:
        """Every stay that there was, in memory or put away."""
        event_store = process.worker.event_store
        sessions = {*self._checks.stays, *event_store.garage.stays, *self._checks.forgotten}
        found = ((session, event_store.find(session, process.disk.at)) for session in sessions)
        return {session: stay for session, stay in found if stay}

    def _with_a_person(self, stay: Stay) -> bool:
        return any(p.holder == "person" for p in stay.payments) or any(o.stage == "quarantined" for o in stay.orders)

    def _fate(self, order: Order, stay: Stay) -> None:
        """I3: a raise for its car, or given back, or with a person who was told."""
        payment = stay.payment(order.no)
        ours = stay.order(order.no)
        alerts = self._checks.world.alerts
        if payment is None:
            if ours and ours.stage == "quarantined" and order.no in self._checks.world.payby.wrong_notices:
                if ("payment-mismatch", order.no) not in alerts:
                    self._wrong(f"I3: {order.no} is quarantined and nobody was told")
                return
            self._wrong(f"I3: {order.no} is paid and counts as {ours and ours.stage}")
            return
        match payment.holder:
            case "raised":
                at = self._checks.effects.lane_of.get(payment.grant or "")
                # The thief of a lane says what he likes of its boom.
                is_lie = at is not None and at[0] == self._checks.world.stolen_lane
                if payment.grant not in self._checks.pulses and not is_lie:
                    self._wrong(f"I3: {order.no} counts as raised by {payment.grant}, which never raised")
                elif order.given_back and order.no not in self._checks.world.attendant.refunds:
                    self._wrong(f"I3: {order.no} raised and was given back")
            case "refunded":
                if not order.given_back:
                    self._wrong(f"I3: {order.no} counts as refunded and PayBy gave nothing back")
                if payment.raised and order.no not in self._checks.world.attendant.refunds:
                    self._wrong(f"I3: the boom had risen for {order.no} by {payment.raised}, and it was given back")
            case "used":
                if order.given_back and order.no not in self._checks.world.attendant.refunds:
                    self._wrong(f"I3: {order.no} was used without a raise and was given back")
                told_so = {("tailgating", stay.session), ("passed-open", stay.session)} & self._checks.world.warned
                if not told_so:
                    self._wrong(f"I3: {order.no} was used without a raise and nobody was told")
            case "person":
                told = {code for code, no in alerts if no == order.no}
                if not told & {"lift-unknown", "refund-failed", "raised-late", "payment-doubtful"}:
                    self._wrong(f"I3: {order.no} is left to a person and nobody was told: {told}")
            case _:
                self._wrong(f"I3: {order.no} is still held by {payment.holder} when all is quiet")
