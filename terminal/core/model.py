"""The nouns of a visit: what a ticket costs, the order for it, the payment, and the grant that lifts the boom.

All times are milliseconds of the worker's steady clock (which starts at the wall clock's time and never jumps);
money is whole fils. Everything is frozen: a rule that changes a noun makes another one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from terminal.core.alert_codes import RuleAlertCode

FeeReason = Literal["due", "free", "lost"]
GrantReason = Literal["paid", "free", "credit"]


MAX_ATTEMPTS = 3
MAX_LIFTS = 3
LIFT_MS = 30_000
LIFT_UNKNOWN_CAR_MS = 15_000
HOLD_MS = 60_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What is laid down about a visit, times in ms. A start writes them down, so that a replay steps by those that were
    in force then, whatever the configuration or the next version says."""

    garage: str
    cancel_after: int = 110_000
    exit_grace: int = 15 * 60_000
    payby_margin: int = 600_000
    """PayBy's expiredTime lies this long after ours."""
    mark: str = ""
    """A secret that the ids of our lifts are marked with: who has not heard one cannot name it."""
    attempts: int = MAX_ATTEMPTS
    """Orders in one visit, then help."""
    lifts: int = MAX_LIFTS
    """Lifts in one visit, and raises in the life of a stay; then help."""
    lift: int = LIFT_MS
    """How far ahead a lift's deadline lies."""
    lift_unknown_car: int = LIFT_UNKNOWN_CAR_MS
    """… where it names no car."""
    hold: int = HOLD_MS
    """After an unanswered lift's deadline its payment is held this long."""
    lost_again: int = 120_000
    """So long after it was read or paid a lost ticket is the same when the loop names its vehicle anew."""
    scanned_more: int = 60_000
    """So much more time an order gets, once, that runs out after a phone has read its code."""


@dataclass(frozen=True, slots=True)
class ParkingFee:
    """A genuine ticket that was read now, and what the worker itself reckons for it."""

    id: str
    session: str
    ticket: str
    amount: int
    reason: FeeReason
    minutes: int | None = None
    car: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentProof:
    """PayBy's signed bytes as text, unchanged, and its signature over them."""

    body: str
    sign: str


OrderStage = Literal["placing", "created", "closing", "paid", "closed", "failed", "quarantined"]
OPEN: frozenset[OrderStage] = frozenset({"placing", "created", "closing"})
"""Stages in which an order might still be paid; no other order of its lane is placed meanwhile."""


@dataclass(frozen=True, slots=True)
class VisitOrder:
    """One PayBy order. ``expires`` is when we begin to close it; ``payby_expires`` what PayBy was told."""

    no: str
    lane: str
    session: str
    attempt: int
    amount: int
    placed: int
    expires: int
    payby_expires: int
    minutes: int | None = None
    stage: OrderStage = "placing"
    payby_no: str = ""
    token_url: str = ""
    unheard: int = 0
    """Calls in a row whose outcome nobody knows."""
    doubtful: bool = False
    """The journal was damaged since: a payment of it may have been served already, so it is a person's."""
    scanned: bool = False
    """PayBy says that a phone has read the code."""
    scanned_by: str = ""
    """… its number, masked, as far as PayBy tells: for operators alone."""
    extended: bool = False
    """It ran out after it was scanned, and got more time."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A leave to raise the boom once; ``not_after`` is the deadline it was signed with last."""

    id: str
    lane: str
    session: str
    car: str | None
    reason: GrantReason
    not_after: int
    order_no: str | None = None
    amount: int | None = None
    signed: int = 1
    """How often it was signed; each time with a later deadline."""
    dropped: bool = False
    """Its car is gone: it is not sent any more, only its deadline is waited for."""
    overdue: bool = False
    """Its deadline went by unanswered: the barrier, which answers spent lifts for ever, is asked what came of it."""


@dataclass(frozen=True, slots=True)
class GivenLift:
    """A lift that was ever granted to a stay, and what is known of it. What raised stays known."""

    id: str
    lane: str
    car: str | None
    order_no: str | None
    outcome: Literal["", "raised", "refused", "unknown"] = ""
    """Empty as long as nobody answered."""


Holder = Literal["lift", "raised", "credit", "refund", "refunded", "used", "person"]
"""used: its car left, by all signs, without a raise of its own."""


@dataclass(frozen=True, slots=True)
class Payment:
    """An order that PayBy says is paid, and who holds the money's worth: one at a time (DESIGN.md, law 4)."""

    order_no: str
    amount: int
    paid: int
    proof: PaymentProof
    holder: Holder
    grant: str | None = None
    """The id of the lift that holds it, or raised for it last."""
    raised: str | None = None
    """The lift that raised for it last: from then on it is used, or a person's, and never given back by itself."""
    unknown: bool = False
    """The barrier does not know whether a lift of it raised: if a further one fails, a person decides."""
    until: int = 0
    """Of a credit: when it ends and a refund is asked."""
    refund_no: str | None = None


RefundStage = Literal["asked", "created", "settled", "success", "failed"]
REFUND_ENDS: frozenset[RefundStage] = frozenset({"settled", "success", "failed"})


@dataclass(frozen=True, slots=True)
class VisitRefund:
    """A refund; its number is in the journal before PayBy hears of it."""

    no: str
    order_no: str
    amount: int
    reason: str
    by: str
    stage: RefundStage = "asked"
    unheard: int = 0


@dataclass(frozen=True, slots=True)
class UntoldAlert:
    """What a person must know of a stay: told again at every start until it is known to have been told."""

    since: int
    code: RuleAlertCode
    text: str
    lane: str
    order_no: str | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """All that is known of one stay, whichever lanes its ticket was read at."""

    session: str
    orders: tuple[VisitOrder, ...] = ()
    payments: tuple[Payment, ...] = ()
    refunds: tuple[VisitRefund, ...] = ()
    grants: tuple[Grant, ...] = ()
    """Those not yet answered for good."""
    given: tuple[GivenLift, ...] = ()
    """Every lift there ever was, the newest last."""
    lane: str | None = None
    """Where its visit is now."""
    left: int | None = None
    """When its car passed the boom; nothing of it lifts any more."""
    unpassed: bool = False
    """Since the last raise the arm was seen down while its car was still on its loop."""
    slipped_out: bool = False
    """… under the raise of another, or an open arm."""
    perhaps_left: bool = False
    """Its car was off the loop, and the arm had not been seen down until then."""
    lost: int | None = None
    """Of a lost ticket: when it was read last."""
    untold: tuple[UntoldAlert, ...] = ()

    @property
    def lifts(self) -> int:
        """How many lifts were granted; the next one's id follows from it."""
        return len(self.given)

    def lift(self, lift: str | None) -> GivenLift | None:
        return next((g for g in self.given if g.id == lift), None)

    def order(self, no: str | None) -> VisitOrder | None:
        return next((o for o in self.orders if o.no == no), None)

    def payment(self, order_no: str | None) -> Payment | None:
        return next((p for p in self.payments if p.order_no == order_no), None)

    def grant(self, lift: str | None) -> Grant | None:
        return next((g for g in self.grants if g.id == lift), None)

    def refund(self, no: str) -> VisitRefund | None:
        return next((r for r in self.refunds if r.no == no), None)

    def unasked(self, payment: Payment) -> int:
        """What nobody asked to give back of it, in fils; a refund that failed does not count."""
        asked = (r for r in self.refunds if r.order_no == payment.order_no and r.stage != "failed")
        return payment.amount - sum(r.amount for r in asked)

    def kept(self, payment: Payment) -> int:
        """What has not been given back of it, in fils."""
        done = (r for r in self.refunds if r.order_no == payment.order_no and r.stage in ("settled", "success"))
        return payment.amount - sum(r.amount for r in done)


ScreenState = Literal["idle", "wait", "pay", "paid", "free", "closed", "help", "out-of-order"]
HelpReason = Literal[
    "ticket-unknown", "ticket-used", "ticket-copied", "ticket-foreign", "ticket-future",
    "refused", "unpaid", "no-answer", "qr", "barrier",
]  # fmt: skip
Obstacle = Literal[HelpReason, ""]
"""What stands in a driver's way: a person is needed. Empty: nothing does."""
ClosedReason = Literal["operator", "disk-full", "barrier"]
OutOfOrderReason = Literal["broker", "payby", "unauthorised", "clock", "journal"]
REASONS: Mapping[ScreenState, tuple[str, ...]] = {
    "help": get_args(HelpReason),
    "closed": get_args(ClosedReason),
    "out-of-order": get_args(OutOfOrderReason),
}
"""Why a screen shows what it shows, in the contract's words; other states have no reason."""
Phase = Literal["blocked", "ordering", "paying", "reordering", "leaving", "helping"]


@dataclass(frozen=True, slots=True)
class Visit:
    """A car with a genuine ticket at a lane.

    blocked: an order is wanted and something stands in its way; ordering: placeOrder is out; paying: the QR shows;
    reordering: the order ran out and is being closed, another follows; leaving: a lift is granted; helping: a
    person is needed, though a payment that is found still lifts.
    """

    fee: ParkingFee
    phase: Phase
    since: int
    car: str | None = None
    read: int = 0
    """When its ticket was read last."""
    loop: Literal["sees", "unknown", "blind"] = "sees"
    """Does a loop vouch for the car? unknown: the loops said nothing yet; blind: they saw no car at its ticket."""
    order_no: str | None = None
    attempts: int = 0
    """Orders placed in this visit."""
    grant: str | None = None
    lifts: int = 0
    """Lifts granted in this visit."""
    raised: bool = False
    """The barrier answered that it raised for ``grant``."""
    was_up: bool = False
    """The arm rose since: for this visit's lift, or by somebody else's hand."""
    under: bool = False
    """A vehicle was seen under the boom since."""
    follows: bool = False
    """A vehicle was seen under the boom that had not risen for it: this one, if it is off its loop then."""
    escape: Literal["no", "perhaps", "open", "tailgating"] = "no"
    """May it have left without a raise of its own? perhaps: no loop saw it while the arm was not known to be down;
    open, tailgating: its loop saw it go while the arm was open, for nobody's lift or for another's."""
    gone_since: int | None = None
    waits_until: int | None = None
    """Without a loop: until when the car counts as waiting; None while an order is open."""
    reason: Obstacle = ""
    """Why a person is needed."""


@dataclass(frozen=True, slots=True)
class WaitingVehicle:
    """What the loops said last, live."""

    waiting: bool
    car: str | None
    under_boom: bool


BoomState = Literal["down", "rising", "up", "lowering", "unknown", "fault"]
LiftOutcome = Literal["raised", "refused", "unknown"]
OrderStatus = Literal["placing", "created", "paid", "closing", "closed", "failed", "none"]
"""What the `order` topic says of a lane's order."""


@dataclass(frozen=True, slots=True)
class Boom:
    """What the barrier said last, live."""

    state: BoomState
    lift: str | None
    since: int


@dataclass(frozen=True, slots=True)
class RefusalNotice:
    """A refusal that the screen shows for a while over whatever else the lane does, and for as long as its car waits
    where no visit is."""

    reason: HelpReason
    help_code: str
    until: int


@dataclass(frozen=True, slots=True)
class SpentCommand:
    """A command that was taken, and what was answered: a repetition is answered the same."""

    id: str
    not_after: int
    outcome: Literal["done", "refused"]
    why: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane: its car, its boom, its visit, and what an operator said."""

    id: str
    visit: Visit | None = None
    vehicle: WaitingVehicle | None = None
    """None: no live word from the loops."""
    boom: Boom | None = None
    """None: the barrier is not online."""
    skew: int = 0
    """The barrier's clock minus ours, ms, in whole seconds."""
    closed: bool = False
    """By an operator."""
    boom_fault: bool = False
    """The arm did not rise though it was told to; cleared when it is seen up."""
    fee_ids: tuple[str, ...] = ()
    """The fees taken or refused last, the newest last."""
    open_sessions: tuple[str, ...] = ()
    """Sessions with an order of this lane that might still be paid."""
    notice: RefusalNotice | None = None
    spent: tuple[SpentCommand, ...] = ()
    """The commands taken that could still be sent again."""
    passages: int = 0
    """Vehicles seen under the boom since it was last down."""
    risen_for: str | None = None
    """The stay for which the boom rose, until it came down."""
    lifts: tuple[str, ...] = ()
    """The lifts granted here last, the newest last."""
    named: str | None = None
    """The lift that the barrier named last."""
    lost: tuple[str, ...] = ()
    """The sessions of the lost tickets read here last, the newest last."""
    began: int = 0
    """When the worker was started last."""
