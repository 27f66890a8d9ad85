"""Facts, in the past tense and in the order of a visit: everything that the rules take in.

``at`` is milliseconds of the worker's steady clock. A fact is a flat, frozen dataclass so that the journal can
write it as it is and read it back.
"""

from dataclasses import dataclass
from typing import Literal

from terminal.core.allowance import AllowanceKind
from terminal.core.model import (
    BoomState,
    HelpReason,
    LiftOutcome,
    ParkingFee,
    PaymentProof,
    RefundStage,
    Rules,
    VisitOrder,
)

ReportedStatus = Literal["CREATED", "PAID", "FAILURE", "OTHER"]
"""An order's status at PayBy, as far as the rules distinguish it."""
Denial = Literal["refused", "dead", "unknown", "unauthorised", "clock", "mistake"]
"""What a refusal from PayBy means for the order."""
CommandName = Literal["cancel", "refund", "keep", "let-go", "reset", "close-lane", "open-lane"]


@dataclass(frozen=True, slots=True)
class Started:
    """A worker started; what only live messages tell is unknown again."""

    at: int
    version: str
    rules: Rules | None = None
    """The limits in force from here on; None: the same as before."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """The journal was damaged: everything that followed the facts before this one is lost, except ``orders``."""

    at: int
    text: str
    orders: tuple[VisitOrder, ...] = ()
    """Orders that the earlier facts lack: found in what was salvaged or (``listed``) in PayBy's list."""
    listed: bool = False
    """The orders come from PayBy's list, and nothing else is in doubt by this fact."""


@dataclass(frozen=True, slots=True)
class StayFailed:
    """Our own code failed on a stay: a person must decide about it, and all other stays go on."""

    at: int
    session: str
    text: str


@dataclass(frozen=True, slots=True)
class TicketRead:
    """A genuine ticket was read at a lane, and the worker's own reckoning agrees with the reader's."""

    at: int
    lane: str
    fee: ParkingFee
    hindrance: str = ""
    """Why no new visit may begin now: one of the contract's reasons for `closed` or `out-of-order`."""
    age: int = 0
    """How long ago it was read, in ms, according to the fee: a reader repeats a fee until it is answered."""


@dataclass(frozen=True, slots=True)
class TicketRefused:
    """A reading that is not a genuine ticket, or a fee that the worker does not believe."""

    at: int
    lane: str
    fee_id: str
    reason: HelpReason
    disputed: str = ""
    """What the fee claims and the worker disputes; it is alerted."""
    ticket: str = ""
    """The beginning of its text: the same ticket gets the same help code."""


@dataclass(frozen=True, slots=True)
class VehicleSeen:
    """The loops told, live, what waits and what is under the boom."""

    at: int
    lane: str
    waiting: bool
    under_boom: bool
    car: str | None = None


@dataclass(frozen=True, slots=True)
class VehicleUnknown:
    """The loops fell silent."""

    at: int
    lane: str


@dataclass(frozen=True, slots=True)
class BoomSeen:
    """The barrier told, live, what the boom does and which lift raised it last."""

    at: int
    lane: str
    state: BoomState
    lift: str | None = None
    skew: int = 0
    """The barrier's clock minus ours, in ms, rounded to whole seconds so that jitter is not news."""


@dataclass(frozen=True, slots=True)
class BarrierGone:
    """The barrier went offline."""

    at: int
    lane: str


@dataclass(frozen=True, slots=True)
class LiftAnswered:
    """The barrier answered a lift."""

    at: int
    lane: str
    session: str
    lift: str
    outcome: LiftOutcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class OrderReported:
    """PayBy told, signed, the status of an order: in an answer or in a notification."""

    at: int
    order_no: str
    status: ReportedStatus
    """PAID for PAID_SUCCESS and SETTLED; OTHER for a status that no DYNQR order should have."""
    amount: int
    proof: PaymentProof
    payby_no: str = ""
    token_url: str = ""
    notified: bool = False
    wrong: str = ""
    """What does not match (payee, currency, revoked …); empty when everything does."""


@dataclass(frozen=True, slots=True)
class OrderScanned:
    """PayBy told that a phone has read an order's code."""

    at: int
    order_no: str
    payer: str = ""
    """Its number, masked, where PayBy tells it."""


@dataclass(frozen=True, slots=True)
class OrderUnheard:
    """A call about an order ended without an answer that counts, so nobody knows what PayBy did."""

    at: int
    order_no: str
    call: str
    text: str


@dataclass(frozen=True, slots=True)
class OrderDenied:
    """PayBy refused a call about an order."""

    at: int
    order_no: str
    call: str
    code: str
    text: str
    kind: Denial
    """dead: that number can never be paid; unknown: PayBy has no such order."""
    unsigned: bool = False
    """Was the refusal signed? Only a signed one ends an order; an unsigned one is a hint about what to ask next."""


@dataclass(frozen=True, slots=True)
class RefundReported:
    """PayBy told, signed, the status of a refund."""

    at: int
    refund_no: str
    order_no: str
    stage: RefundStage
    notified: bool = False


@dataclass(frozen=True, slots=True)
class RefundUnheard:
    """A call about a refund ended without an answer that counts, or PayBy denied it (``code``)."""

    at: int
    refund_no: str
    order_no: str
    text: str
    code: str = ""
    final: bool = False
    """PayBy will never make this refund under its number."""


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """An operator asked for something; the signature, the key and the deadline were verified."""

    at: int
    lane: str
    id: str
    command: CommandName
    by: str
    not_after: int
    session: str | None = None
    order_no: str | None = None
    amount: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AllowanceGiven:
    """A pay station was paid for a stay, or somebody takes a part of its fee away; the signature was verified."""

    at: int
    id: str
    session: str
    kind: AllowanceKind
    value: int
    by: str
    until: int


@dataclass(frozen=True, slots=True)
class CouponRead:
    """A genuine coupon was read at a lane, for the visit that is there. ``coupon``: its id; ``session``: the visit's
    stay when it was read; the rest as of an allowance."""

    at: int
    lane: str
    fee_id: str
    coupon: str
    session: str
    kind: AllowanceKind
    value: int
    until: int
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class PassRead:
    """A season pass was read at a lane, for the visit that is there. ``number``: the pass's id; ``entered``: when that
    visit's stay began, by the worker's steady clock; ``soft``: a second car is let out, and a person is told."""

    at: int
    lane: str
    fee_id: str
    number: str
    session: str
    entered: int
    until: int
    soft: bool = False


@dataclass(frozen=True, slots=True)
class AlertTold:
    """An alert that the state owed has reached the broker."""

    at: int
    session: str
    code: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A time that a lane or a stay was waiting for has come."""

    at: int
    lane: str | None = None
    session: str | None = None


Event = (
    Started
    | Damaged
    | StayFailed
    | TicketRead
    | TicketRefused
    | VehicleSeen
    | VehicleUnknown
    | BoomSeen
    | BarrierGone
    | LiftAnswered
    | OrderReported
    | OrderScanned
    | OrderUnheard
    | OrderDenied
    | RefundReported
    | RefundUnheard
    | CommandGiven
    | AllowanceGiven
    | CouponRead
    | PassRead
    | AlertTold
    | TimePassed
)
LaneEvent = (
    TicketRead
    | TicketRefused
    | VehicleSeen
    | VehicleUnknown
    | BoomSeen
    | BarrierGone
    | LiftAnswered
    | CommandGiven
    | CouponRead
    | PassRead
    | TimePassed
)
"""The events that name the lane they come from."""
OrderEvent = OrderReported | OrderScanned | OrderUnheard | OrderDenied | RefundReported | RefundUnheard
"""What PayBy says, or does not say, about an order of ours."""
EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Started,
        Damaged,
        StayFailed,
        TicketRead,
        TicketRefused,
        VehicleSeen,
        VehicleUnknown,
        BoomSeen,
        BarrierGone,
        LiftAnswered,
        OrderReported,
        OrderScanned,
        OrderUnheard,
        OrderDenied,
        RefundReported,
        RefundUnheard,
        CommandGiven,
        AllowanceGiven,
        CouponRead,
        PassRead,
        AlertTold,
        TimePassed,
    )
}
