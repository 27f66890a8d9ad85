"""Coupons that drivers read at a lane: whether one is genuine, and what its minutes come to."""

from collections import OrderedDict
from collections.abc import Callable

from terminal.contract.messages import Fee, moment
from terminal.core.coupon import CouponError, CouponFault, read_coupon
from terminal.core.events import CouponRead, PassRead, TicketRefused
from terminal.core.foreign_ticket import ForeignStay, ForeignTicket
from terminal.core.ids import moment_of
from terminal.core.model import ForeignKind, Lane, ParkingFee, Stay
from terminal.core.tariff import SettledStay
from terminal.core.ticket import TicketError, read_ticket
from terminal.eventstore.store import EventStore
from terminal.roles.worker.event_mapper import FRESH_MS, TICKET_SHOWN, JudgementSettings

REMEMBERED = 1_000
"""Of how many readings the ticket is remembered: without it, nobody knows what fewer minutes would have cost."""
_MINUTE_MS = 60_000


class CouponReadings:
    """Makes an event of a coupon's `fee`. ``known``: what is believed of another system's ticket."""

    def __init__(self, judgement: JudgementSettings, known: Callable[[ForeignTicket], ForeignStay | None]) -> None:
        self._judgement, self._known = judgement, known
        self._tickets: OrderedDict[str, str] = OrderedDict()
        """The texts of genuine tickets, by the fee with which each was read."""

    def note(self, fee: ParkingFee, text: str) -> None:
        """A genuine ticket was read with this text."""
        self._tickets[fee.id] = text
        if len(self._tickets) > REMEMBERED:
            self._tickets.popitem(last=False)

    def event(
        self, fee: Fee, lane: Lane, *, at: int, wall: int, store: EventStore
    ) -> CouponRead | PassRead | TicketRefused:
        """The event of a coupon that was read at a lane. ``at``: the worker's steady time (ms); ``wall``: the true time
        (ms since the epoch)."""

        def refused(reason: CouponFault, disputed: str = "") -> TicketRefused:
            return TicketRefused(at, lane.id, fee.id, reason, disputed, fee.ticket[:TICKET_SHOWN])

        told, visit = self._judgement, lane.visit
        if (ago := abs(wall - moment(fee.exited or fee.at))) > FRESH_MS:
            return refused("coupon-over", f"a coupon was read {ago / 1000:.0f} s ago; at most 60 s are accepted")
        try:
            coupon = read_coupon(fee.ticket, told.coupon_keys, told.garage, wall)
        except CouponError as error:
            return refused(error.why)
        until = at + coupon.until_ms - wall
        if coupon.kind == "pass":
            session = visit.fee.session if visit else coupon.id
            entered = at + moment_of(session) - wall
            return PassRead(at, lane.id, fee.id, coupon.id, session, entered, until, told.soft_passback)
        stay = store.garage.stays.get(visit.fee.session) if visit else None
        if visit is None or stay is None:  # the rules say that a ticket is needed first, or that it was used
            kind = "free" if coupon.kind == "minutes" else coupon.kind
            return CouponRead(at, lane.id, fee.id, coupon.id, coupon.id, kind, coupon.value, until)
        if coupon.kind != "minutes":
            return CouponRead(at, lane.id, fee.id, coupon.id, stay.session, coupon.kind, coupon.value, until)
        worth = self._worth(visit.fee, stay, coupon.id, coupon.value)
        if worth is None:
            return TicketRefused(at, lane.id, fee.id, "coupon-alone", ticket=fee.ticket[:TICKET_SHOWN])
        return CouponRead(at, lane.id, fee.id, coupon.id, stay.session, "amount", worth, until, coupon.value)

    def _worth(self, fee: ParkingFee, stay: Stay, coupon: str, more: int) -> int | None:
        """What so many minutes less come to, after those of coupons that were read before; None: nobody knows."""
        began = self._began(fee)
        if began is None or fee.minutes is None:
            return None
        entered_ms, ticket_class, earlier = began
        before = sum(one.minutes for one in stay.allowances if one.id != coupon)
        full = fee.amount if fee.full is None else fee.full
        exited_ms = entered_ms + fee.minutes * _MINUTE_MS

        def costs(minutes_off: int) -> int:
            shorter = max(entered_ms, exited_ms - minutes_off * _MINUTE_MS)
            return min(full, self._judgement.tariff.fee_after(entered_ms, shorter, ticket_class, earlier))

        return costs(before) - costs(before + more) if before else full - costs(more)

    def _began(self, fee: ParkingFee) -> tuple[int, str, tuple[SettledStay, ...]] | None:
        """When the stay of a ticket began (ms since the epoch), its class, and the stays before it; None if this
        process has not read the ticket, or nobody told its entry."""
        kind: ForeignKind
        for kind in ("number", "plate"):
            theirs = self._known(ForeignTicket(kind, fee.ticket))
            if theirs and theirs.session == fee.session and theirs.entered_ms is not None:
                return theirs.entered_ms, theirs.ticket_class, theirs.before
        try:
            told = self._judgement
            ticket = read_ticket(self._tickets.get(fee.id, ""), told.ticket_keys, told.garage)
        except TicketError:
            return None
        return ticket.entered_ms, ticket.key_id, ()
