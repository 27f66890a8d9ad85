"""Facts, in the past tense and in the order of a visit: all that the rules ever hear.

``at`` is milliseconds of the worker's steady clock. A fact is a flat, frozen dataclass so that the journal can
write it as it is and read it back.
"""

from dataclasses import dataclass
from typing import Literal

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
"""How an order stands with PayBy, as far as it matters."""
Denial = Literal["refused", "dead", "unknown", "unauthorised", "clock", "mistake"]
"""What a refusal of PayBy's means."""
CommandName = Literal["cancel", "refund", "reset", "close-lane", "open-lane"]


@dataclass(frozen=True, slots=True)
class Started:
    """A worker began; what only live messages say is unknown again."""

    at: int
    version: str
    rules: Rules | None = None
    """What is in force from here on; None: the same as before."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """The journal was damaged: what it had after the facts before this one is lost, but for ``orders``."""

    at: int
    text: str
    orders: tuple[VisitOrder, ...] = ()
    """Orders that the facts before do not have: found in what could be salvaged or, ``listed``, in PayBy's list."""
    listed: bool = False
    """PayBy was asked for its list of orders; nothing else is in doubt by this fact."""


@dataclass(frozen=True, slots=True)
class StayFailed:
    """What was said or done about a stay made our own code fail: it is a person's, and everybody else goes on."""

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
    """Why no new visit may begin now: a reason of the contract's `closed` or `out-of-order`."""
    age: int = 0
    """How long ago it was read, ms, by the fee's own word: a reader says it again until it is answered."""


@dataclass(frozen=True, slots=True)
class TicketRefused:
    """A reading that is no genuine ticket, or a fee that says what the worker does not believe."""

    at: int
    lane: str
    fee_id: str
    reason: HelpReason
    disputed: str = ""
    """What the fee claimed and the worker does not; alerted."""
    ticket: str = ""
    """The start of its text: the same ticket has the same help code."""


@dataclass(frozen=True, slots=True)
class VehicleSeen:
    """The loops said, live, what waits and what is under the boom."""

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
    """The barrier said, live, what the boom does and which lift raised it last."""

    at: int
    lane: str
    state: BoomState
    lift: str | None = None
    skew: int = 0
    """The barrier's clock minus ours, ms, rounded to whole seconds so that jitter is no news."""


@dataclass(frozen=True, slots=True)
class BarrierGone:
    """The barrier is not online."""

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
    """PayBy said, signed, how an order stands: in an answer or in a notification."""

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
    """What does not fit (payee, currency, revoked …); empty when all does."""


@dataclass(frozen=True, slots=True)
class OrderScanned:
    """PayBy said that a phone has read an order's code."""

    at: int
    order_no: str
    payer: str = ""
    """Its number, masked, where PayBy tells it."""


@dataclass(frozen=True, slots=True)
class OrderUnheard:
    """A call about an order ended without an answer that counts; nobody knows what PayBy did."""

    at: int
    order_no: str
    call: str
    text: str


@dataclass(frozen=True, slots=True)
class OrderDenied:
    """PayBy said that it will not do it."""

    at: int
    order_no: str
    call: str
    code: str
    text: str
    kind: Denial
    """dead: that number can never be paid; unknown: PayBy has no such order."""
    unsigned: bool = False
    """Only a signed word ends an order; another is a hint that steers."""


@dataclass(frozen=True, slots=True)
class RefundReported:
    """PayBy said, signed, how a refund stands."""

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
    """PayBy will never do it under this number."""


@dataclass(frozen=True, slots=True)
class CommandGiven:
    """An operator asked for something; signature, key and deadline were verified."""

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
class AlertTold:
    """An alert that the state owed has reached the broker."""

    at: int
    session: str
    code: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A time that the state was waiting for has come: a lane's, or a stay's."""

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
    | TimePassed
)
"""Those that name the lane they come from."""
OrderEvent = OrderReported | OrderScanned | OrderUnheard | OrderDenied | RefundReported | RefundUnheard
"""What PayBy says, or does not say, of an order of ours."""
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
        AlertTold,
        TimePassed,
    )
}
