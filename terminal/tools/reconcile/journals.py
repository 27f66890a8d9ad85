"""What our own journals tell: the worker's about orders, payments, refunds and lifts, the barriers' about raises.

The worker's events are stepped through the rules that first took them, so nothing is decided here that
``core/rules/`` decides. Pure: rows come in, facts come out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from terminal.contract.messages import moment
from terminal.core import money
from terminal.core.actions import RaiseAlert
from terminal.core.events import EVENTS, BoomSeen, Event, LiftAnswered, TicketRead
from terminal.core.ids import parse_order_no
from terminal.core.model import REFUND_ENDS, Grant, ParkingFee, Payment, Rules, Stay, VisitOrder, VisitRefund
from terminal.core.rules import Change, Garage, step
from terminal.eventstore.store import read_checkpoint, read_stay
from terminal.journal.kinds import BARRIERS, CHECKPOINT, DONE, INTENT, NOTICE, RECALLED, REPAIRED
from terminal.payby.errors import BadWords
from terminal.payby.messages import read_notification, read_order

_DAY_MS = 86_400_000
_PROMPT_MS = 120_000
"""A lift is refused 60 s after it was signed; the rest allows for clocks that disagree."""


class JournalRow(Protocol):
    """A journal's row, as the report needs it."""

    @property
    def seq(self) -> int:
        """Its number, which counts from 1 without gaps."""

    @property
    def at_ms(self) -> int:
        """When it was written, in ms since the epoch."""

    @property
    def kind(self) -> str:
        """What it tells; see journal/kinds."""

    @property
    def data(self) -> bytes:
        """Its content, as its kind has it: mostly JSON in UTF-8."""


class UnreadableRow(ValueError):
    """The row does not belong to this journal, or is a newer program's."""


# -- the worker's ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """A payment in our journal. ``paid_ms``: when, by PayBy's own words where they say so."""

    order: VisitOrder
    payment: Payment
    paid_ms: int


@dataclass(frozen=True, slots=True)
class ReturnedRefund:
    """A refund in our journal; ``ended_ms``: when it was first known to have ended."""

    refund: VisitRefund
    asked_ms: int
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ChargedBack:
    """A chargeback that PayBy notified at ``at_ms``; ``fils`` is None if it gives no amount in whole fils."""

    order_no: str
    at_ms: int
    fils: int | None
    case: str


@dataclass(frozen=True, slots=True)
class BoomSighting:
    """Something at a lane's arm, as the worker heard of it."""

    lane: str
    at_ms: int


@dataclass(slots=True)
class WorkerRecords:
    """The worker's journal, whose first row has the time ``first_ms``; ``whole``: nothing was pruned."""

    orders: dict[str, VisitOrder] = field(default_factory=dict)
    paid: dict[str, PaidOrder] = field(default_factory=dict)
    refunds: dict[str, ReturnedRefund] = field(default_factory=dict)
    fees: dict[str, ParkingFee] = field(default_factory=dict)
    stays: dict[str, Stay] = field(default_factory=dict)
    """As they are at the journal's end."""
    grants: dict[str, Grant] = field(default_factory=dict)
    raised: dict[str, BoomSighting] = field(default_factory=dict)
    """By lift, including lifts that the worker did not grant."""
    forced: list[BoomSighting] = field(default_factory=list)
    """The arm rose, and no lift raised it."""
    chargebacks: list[ChargedBack] = field(default_factory=list)
    followed: list[BoomSighting] = field(default_factory=list)
    """A vehicle passed under another one's raise."""
    first_ms: int | None = None
    whole: bool = True
    lost: list[int] = field(default_factory=list)
    """When a damage lost rows: the time of the first row after them, or of the repair."""


def read_worker(rows: Iterable[JournalRow], rules: Rules) -> WorkerRecords:
    """Step through a worker's journal; raises UnreadableRow, and what ``rows`` raises."""
    records, garage = WorkerRecords(), Garage(rules)
    decoders = {name: msgspec.json.Decoder(kind) for name, kind in EVENTS.items()}
    last: dict[str, str | None] = {}
    for row in rows:
        if records.first_ms is None:
            records.first_ms, records.whole = row.at_ms, row.seq == 1
        if row.kind == REPAIRED:
            records.lost.append(row.at_ms)
            last.clear()
        _resume(garage, row)
        if row.kind == NOTICE and (told := _charged_back(row)):
            records.chargebacks.append(told)
        if decoder := decoders.get(row.kind):
            try:
                event: Event = decoder.decode(row.data)
            except msgspec.MsgspecError as error:
                raise UnreadableRow(f"row {row.seq}: {error}") from None
            change = step(garage, event)
            garage.apply(change)
            _hear(records, event, last)
            _keep(records, change, event.at)
    records.stays = dict(garage.stays)
    for stay in garage.stays.values():
        records.orders |= {order.no: order for order in stay.orders}
        for payment in stay.payments:
            order = records.orders[payment.order_no]
            records.paid[order.no] = PaidOrder(order, payment, _paid_ms(order, payment))
    return records


def _charged_back(row: JournalRow) -> ChargedBack | None:
    """The chargeback in a NOTICE, if it has one."""
    try:
        said = read_notification(row.data.partition(b"\n")[2]).acquire_chargeback
    except BadWords as error:
        raise UnreadableRow(f"row {row.seq}: {error}") from None
    if said is None:
        return None
    try:
        fils = money.from_decimal(said.chargeback_amount.amount) if said.chargeback_amount else None
    except ValueError:
        fils = None
    return ChargedBack(said.merchant_order_no, row.at_ms, fils, said.case_type or "")


def _resume(garage: Garage, row: JournalRow) -> None:
    """What a pruned or repaired journal no longer tells: a row has the state, and a stay comes back whole. Stays that
    have left the worker's memory since are not in it, but needed here."""
    try:
        if row.kind == CHECKPOINT:
            state = read_checkpoint(row.data)
            garage.lanes = {lane.id: lane for lane in state.lanes}
            garage.stays |= {stay.session: stay for stay in state.stays}
            garage.rules = state.rules or garage.rules
        elif row.kind == RECALLED:
            stay = read_stay(row.data)
            garage.stays.setdefault(stay.session, stay)
    except msgspec.MsgspecError as error:
        raise UnreadableRow(f"row {row.seq}: {error}") from None


def _hear(records: WorkerRecords, event: Event, last: dict[str, str | None]) -> None:
    """What an event tells that the state does not keep. ``last``: the lift that each lane's barrier last named."""
    match event:
        case TicketRead(fee=fee):
            records.fees[fee.session] = fee
        case LiftAnswered(outcome="raised", lift=lift):
            records.raised.setdefault(lift, BoomSighting(event.lane, event.at))
        case BoomSeen(lane=lane, lift=lift):
            first = lane not in last  # it may have risen long before this journal began
            if lift and lift != last.get(lane) and (not first or event.state in ("rising", "up")):
                records.raised.setdefault(lift, BoomSighting(lane, event.at))
            last[lane] = lift or last.get(lane)


def _keep(records: WorkerRecords, change: Change, at_ms: int) -> None:
    for stay in change.stays.values():
        records.grants |= {grant.id: grant for grant in stay.grants}
        for refund in stay.refunds:
            known = records.refunds.get(refund.no)
            ended = known.ended_ms if known else None
            if ended is None and refund.stage in REFUND_ENDS:
                ended = at_ms
            records.refunds[refund.no] = ReturnedRefund(refund, known.asked_ms if known else at_ms, ended)
    for action in change.actions:
        match action:
            case RaiseAlert(code="boom-open", lane=str(lane)):
                records.forced.append(BoomSighting(lane, at_ms))
            case RaiseAlert(code="tailgating", lane=str(lane)):
                records.followed.append(BoomSighting(lane, at_ms))


def _paid_ms(order: VisitOrder, payment: Payment) -> int:
    """PayBy's time for it, unless it gives none or an impossible one."""
    try:
        info = read_order(payment.proof.body).payment_info
    except BadWords:
        return payment.paid
    said = info.paid_time if info else None
    return said if said and order.placed - _DAY_MS <= said <= payment.paid + _DAY_MS else payment.paid


# -- a barrier's -----------------------------------------------------------------------------------------------------


class Intent(msgspec.Struct, frozen=True):
    """A lift in the barrier's journal, as the report needs it."""

    id: str
    session: str
    reason: str
    by: str
    at: str = ""
    note: str = ""
    order_no: str | None = None
    amount: str | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """A lift that a barrier took; not ``done``: nobody knows whether the arm was told to rise."""

    intent: Intent
    at_ms: int
    done: bool


@dataclass(frozen=True, slots=True)
class BarrierRecords:
    """One barrier's journal. ``lane``: from the configuration or the worker's journal; empty if neither tells it."""

    name: str
    lane: str
    pulses: tuple[Pulse, ...]
    first_ms: int
    last_ms: int
    lost: tuple[int, ...] = ()
    """When a damage lost rows."""


def read_barrier(name: str, rows: Iterable[JournalRow], records: WorkerRecords, lane: str = "") -> BarrierRecords:
    """Read a barrier's journal; raises UnreadableRow, and what ``rows`` raises."""
    intents: dict[str, tuple[Intent, int]] = {}
    done: set[str] = set()
    lost: list[int] = []
    first = last = None
    for row in rows:
        first, last = (row.at_ms if first is None else first), row.at_ms
        if row.kind == INTENT:
            try:
                intent = msgspec.json.decode(row.data, type=Intent)
            except msgspec.MsgspecError as error:
                raise UnreadableRow(f"row {row.seq}: {error}") from None
            intents[intent.id] = intent, _pulsed_ms(intent, row.at_ms)
        elif row.kind == DONE:
            done.add(row.data.decode(errors="replace"))
        elif row.kind == REPAIRED:
            lost.append(row.at_ms)
        elif row.kind not in BARRIERS:
            raise UnreadableRow(f"row {row.seq} of kind {row.kind!r} is not a barrier's")
    pulses = tuple(Pulse(intent, at, intent.id in done) for intent, at in intents.values())
    lanes = (_lane_of(pulse.intent, records) for pulse in pulses)
    return BarrierRecords(name, lane or next(filter(None, lanes), ""), pulses, first or 0, last or 0, tuple(lost))


def _pulsed_ms(intent: Intent, written_ms: int) -> int:
    """When the lift was taken. A salvaged journal's rows were written anew, long after the lift was signed."""
    try:
        signed_ms = moment(intent.at)
    except ValueError:
        return written_ms
    return written_ms if abs(written_ms - signed_ms) <= _PROMPT_MS else signed_ms


def _lane_of(intent: Intent, records: WorkerRecords) -> str:
    if told := records.grants.get(intent.id) or records.raised.get(intent.id):
        return told.lane
    name = parse_order_no(intent.order_no or "") if intent.reason == "paid" else None
    return name.lane if name else ""


_NOBODYS = "raised by a lift that no journal here holds; the barrier's journal would show an operator's lift"


# -- both ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opening:
    """One raise. ``reason``: a lift's, or `forced` (no lift), or `unknown` (a lift that no journal here holds).
    ``odd``: why it cannot be explained. Not ``sure``: nobody knows whether the arm rose."""

    at_ms: int
    lane: str
    reason: str
    by: str = ""
    note: str = ""
    session: str = ""
    order_no: str = ""
    sure: bool = True
    odd: str = ""


def openings(records: WorkerRecords, arms: Sequence[BarrierRecords]) -> list[Opening]:
    """Every raise in any journal, once, in order of time."""
    told: dict[str, tuple[BarrierRecords, Pulse]] = {}
    for arm in arms:
        for pulse in arm.pulses:  # if a barrier's journal was moved aside, both may be here
            if pulse.done or pulse.intent.id not in told:
                told[pulse.intent.id] = arm, pulse
    found = [_pulsed(records, arm, pulse) for arm, pulse in told.values()]
    found += [_heard(records, arms, lift, seen) for lift, seen in records.raised.items() if lift not in told]
    found += [Opening(s.at_ms, s.lane, "forced", odd="the arm rose and no lift raised it") for s in records.forced]
    return sorted(found, key=lambda opening: opening.at_ms)


def _pulsed(records: WorkerRecords, arm: BarrierRecords, pulse: Pulse) -> Opening:
    intent, grant = pulse.intent, records.grants.get(pulse.intent.id)
    sure, odd = pulse.done or intent.id in records.raised, ""
    if not sure:
        odd = "the barrier was interrupted: nobody knows whether the arm rose"
    elif grant is None and intent.reason != "operator":
        odd = "the worker signed this lift, and its journal does not hold it"
    elif grant and (grant.reason, grant.order_no, grant.session) != (intent.reason, intent.order_no, intent.session):
        odd = "the barrier's journal and the worker's differ about this lift"
    return Opening(
        pulse.at_ms,
        grant.lane if grant else arm.lane,
        intent.reason,
        intent.by,
        intent.note,
        intent.session,
        intent.order_no or "",
        sure,
        odd,
    )


def _heard(records: WorkerRecords, arms: Sequence[BarrierRecords], lift: str, seen: BoomSighting) -> Opening:
    grant = records.grants.get(lift)
    if grant is None:
        return Opening(seen.at_ms, seen.lane, "unknown", odd=_NOBODYS)
    missing = any(arm.lane == seen.lane and arm.first_ms <= seen.at_ms <= arm.last_ms for arm in arms)
    return Opening(
        seen.at_ms,
        grant.lane,
        grant.reason,
        "worker",
        session=grant.session,
        order_no=grant.order_no or "",
        odd="the worker heard of this raise, and the barrier's journal does not hold it" if missing else "",
    )
