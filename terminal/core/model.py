"""The nouns of a visit: what a ticket costs, the order for it, the payment, and the grant that lifts the boom.

All times are milliseconds of the worker's steady clock (which starts at the wall clock's time and never jumps);
money is whole fils. Everything is frozen: a rule that changes a noun makes a new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from terminal.core.alert_codes import RuleAlertCode
from terminal.core.allowance import Allowance
from terminal.core.invoice import CreditNote, Supplier, TaxInvoice

ForeignKind = Literal["number", "plate"]
"""A ticket that this garage did not make: another system's number, or a licence plate."""
FeeReason = Literal["due", "free", "lost"]
GrantReason = Literal["paid", "free", "credit"]


MAX_ATTEMPTS = MAX_LIFTS = 3
LIFT_MS = 30_000
LIFT_UNKNOWN_CAR_MS = 15_000
HOLD_MS = 60_000


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits of a visit, times in ms. A start journals them, so that a replay steps by the limits that were in
    force then, whatever the configuration or the next version says."""

    garage: str
    cancel_after: int = 110_000
    exit_grace: int = 15 * 60_000
    payby_margin: int = 600_000
    """PayBy's expiredTime is this much later than ours."""
    mark: str = ""
    """A secret that marks the ids of our lifts, so that nobody can make one up."""
    attempts: int = MAX_ATTEMPTS
    """The most orders in one visit; then help."""
    lifts: int = MAX_LIFTS
    """The most lifts in one visit, and the most raises in the life of a stay; then help."""
    lift: int = LIFT_MS
    """How far ahead a lift's deadline lies."""
    lift_unknown_car: int = LIFT_UNKNOWN_CAR_MS
    """… and of a lift that names no car."""
    hold: int = HOLD_MS
    """How long after its deadline an unanswered lift still holds its payment."""
    lost_again: int = 120_000
    """How long after it was read or paid a lost ticket counts as the same when the loop names its vehicle anew."""
    scanned_more: int = 60_000
    """How much more time an order gets, once, if it runs out after a phone has read its code."""
    supplier: Supplier | None = None
    """Who issues a tax invoice for each payment; None: nobody does."""


@dataclass(frozen=True, slots=True)
class ParkingFee:
    """A genuine ticket that was just read, and the amount that the worker itself reckons for it."""

    id: str
    session: str
    ticket: str
    amount: int
    reason: FeeReason
    minutes: int | None = None
    car: str | None = None
    full: int | None = None  # before allowances


@dataclass(frozen=True, slots=True)
class PaymentProof:
    """PayBy's signed bytes as unchanged text, and its signature over them."""

    body: str
    sign: str


OrderStage = Literal["placing", "created", "closing", "paid", "closed", "failed", "quarantined"]
OPEN: frozenset[OrderStage] = frozenset({"placing", "created", "closing"})
"""The stages in which an order may still be paid; its lane places no other order meanwhile."""


@dataclass(frozen=True, slots=True)
class VisitOrder:
    """One PayBy order. ``expires`` is when we begin to close it; ``payby_expires`` is what PayBy was told."""

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
    """How many calls in a row had an unknown outcome."""
    doubtful: bool = False
    """The journal was damaged since: a payment may have been served already, so a person must decide about it."""
    scanned: bool = False
    """PayBy says that a phone has read the code."""
    scanned_by: str = ""
    """… and its number, masked, as far as PayBy tells; for operators only."""
    extended: bool = False
    """It ran out after a phone had read its code, and got more time."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission to raise the boom once; ``not_after`` is the deadline that it was last signed with."""

    id: str
    lane: str
    session: str
    car: str | None
    reason: GrantReason
    not_after: int
    order_no: str | None = None
    amount: int | None = None
    signed: int = 1
    """How often it was signed, each time with a later deadline."""
    dropped: bool = False
    """Its car is gone: it is no longer sent, and only its deadline is waited for."""
    overdue: bool = False
    """Its deadline passed unanswered: the barrier, which answers spent lifts for ever, is asked what came of it."""


@dataclass(frozen=True, slots=True)
class GivenLift:
    """A lift that was once granted to a stay, and what is known of it. That it raised is never forgotten."""

    id: str
    lane: str
    car: str | None
    order_no: str | None
    outcome: Literal["", "raised", "refused", "unknown"] = ""
    """Empty until the barrier answers."""


Holder = Literal["lift", "raised", "credit", "refund", "refunded", "used", "person"]
"""`used`: by all signs, the car left without a raise of its own."""


@dataclass(frozen=True, slots=True)
class Payment:
    """An order that PayBy says is paid, and who holds its worth: one holder at a time (DESIGN.md, law 4)."""

    order_no: str
    amount: int
    paid: int
    proof: PaymentProof
    holder: Holder
    grant: str | None = None
    """The id of the lift that holds it, or that raised for it last."""
    raised: str | None = None
    """The lift that raised for it last: from then on it is used or a person decides; it never goes back by itself."""
    unknown: bool = False
    """The barrier does not know whether one of its lifts raised: if a further one fails, a person decides."""
    until: int = 0
    """Of a credit: when it ends and a refund is asked for."""
    refund_no: str | None = None
    invoice: TaxInvoice | None = None


RefundStage = Literal["asked", "created", "settled", "success", "failed"]
REFUND_ENDS: frozenset[RefundStage] = frozenset({"settled", "success", "failed"})


@dataclass(frozen=True, slots=True)
class VisitRefund:
    """A refund; its number is journaled before PayBy hears of it."""

    no: str
    order_no: str
    amount: int
    reason: str
    by: str
    stage: RefundStage = "asked"
    unheard: int = 0
    note: CreditNote | None = None


@dataclass(frozen=True, slots=True)
class UntoldAlert:
    """An alert about a stay that every start raises again until it is known to have reached the broker."""

    since: int
    code: RuleAlertCode
    text: str
    lane: str
    order_no: str | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """Everything known of one stay, whichever lanes its ticket was read at."""

    session: str
    orders: tuple[VisitOrder, ...] = ()
    payments: tuple[Payment, ...] = ()
    refunds: tuple[VisitRefund, ...] = ()
    grants: tuple[Grant, ...] = ()
    """The lifts that have no final answer yet."""
    given: tuple[GivenLift, ...] = ()
    """Every lift that was ever granted, the newest last."""
    lane: str | None = None
    """The lane of its visit."""
    left: int | None = None
    """When its car passed the boom; from then on nothing lifts for it."""
    unpassed: bool = False
    """Since the last raise, the arm was seen down while the car was still on its loop."""
    slipped_out: bool = False
    """Its car left under another's raise, or under an open arm."""
    perhaps_left: bool = False
    """The arm had not been seen down by the time its car was off the loop."""
    lost: int | None = None
    """Of a lost ticket: when it was last read."""
    untold: tuple[UntoldAlert, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    coupon: bool = False  # no stay, but a coupon that was used

    @property
    def lifts(self) -> int:
        """How many lifts were granted; the id of the next one follows from this."""
        return len(self.given)

    def lift(self, lift: str | None) -> GivenLift | None:
        """What is known of the lift with this id; None if this stay was never given it."""
        return next((g for g in self.given if g.id == lift), None)

    def order(self, no: str | None) -> VisitOrder | None:
        """The order with this number; None if this stay has none."""
        return next((o for o in self.orders if o.no == no), None)

    def payment(self, order_no: str | None) -> Payment | None:
        """The payment of this order; None if it was not paid."""
        return next((p for p in self.payments if p.order_no == order_no), None)

    def grant(self, lift: str | None) -> Grant | None:
        """The lift with this id while it has no final answer; None otherwise."""
        return next((g for g in self.grants if g.id == lift), None)

    def refund(self, no: str) -> VisitRefund | None:
        """The refund with this number; None if this stay has none."""
        return next((r for r in self.refunds if r.no == no), None)

    def unasked(self, payment: Payment) -> int:
        """How much of it nobody has asked to give back, in fils; a failed refund does not count as asked."""
        asked = (r for r in self.refunds if r.order_no == payment.order_no and r.stage != "failed")
        return payment.amount - sum(r.amount for r in asked)

    def kept(self, payment: Payment) -> int:
        """How much of it has not been given back, in fils."""
        done = (r for r in self.refunds if r.order_no == payment.order_no and r.stage in ("settled", "success"))
        return payment.amount - sum(r.amount for r in done)


ScreenState = Literal["idle", "wait", "pay", "paid", "free", "closed", "help", "out-of-order"]
HelpReason = Literal[
    "ticket-unknown", "ticket-used", "ticket-copied", "ticket-foreign", "ticket-future", "ticket-unanswered",
    "coupon-unknown", "coupon-over", "coupon-used", "coupon-alone", "pass-used", "plate-unsure", "refused", "unpaid",
    "no-answer", "qr", "barrier",
]  # fmt: skip
Obstacle = Literal[HelpReason, ""]
"""Why a person is needed. Empty: nobody is."""
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

    blocked: an order is needed and something prevents it; ordering: placeOrder is under way; paying: the QR code shows;
    reordering: the order ran out and is being closed, and another follows; leaving: a lift is granted; helping: a
    person is needed, though a payment that is found still lifts.
    """

    fee: ParkingFee
    phase: Phase
    since: int
    car: str | None = None
    read: int = 0
    """When its ticket was last read."""
    loop: Literal["sees", "unknown", "blind"] = "sees"
    """Does a loop see the car? unknown: the loops have not spoken yet; blind: they saw none at its ticket."""
    order_no: str | None = None
    attempts: int = 0
    """Orders placed in this visit."""
    grant: str | None = None
    lifts: int = 0
    """Lifts granted in this visit."""
    raised: bool = False
    """The barrier answered that it raised for ``grant``."""
    was_up: bool = False
    """The arm has risen since then: for this visit's lift, or because somebody opened it."""
    under: bool = False
    """A vehicle has been seen under the boom since then."""
    follows: bool = False
    """A vehicle was seen under a boom that had not risen for it: this visit's car, if it is then off its loop."""
    escape: Literal["no", "perhaps", "open", "tailgating"] = "no"
    """May the car have left without a raise of its own? perhaps: no loop saw it while the arm was not known to be down.
    open, tailgating: its loop saw it go while the arm was open, for no lift or for another's."""
    gone_since: int | None = None
    waits_until: int | None = None
    """Without a loop: how long the car counts as waiting; None while an order is open."""
    reason: Obstacle = ""
    """Why a person is needed."""


@dataclass(frozen=True, slots=True)
class WaitingVehicle:
    """The last live word of the loops."""

    waiting: bool
    car: str | None
    under_boom: bool


BoomState = Literal["down", "rising", "up", "lowering", "unknown", "fault"]
LiftOutcome = Literal["raised", "refused", "unknown"]
OrderStatus = Literal["placing", "created", "paid", "closing", "closed", "failed", "none"]
"""What the `order` topic says of a lane's order."""


@dataclass(frozen=True, slots=True)
class Boom:
    """The last live word of the barrier."""

    state: BoomState
    lift: str | None
    since: int


@dataclass(frozen=True, slots=True)
class RefusalNotice:
    """A refusal that the screen shows for a while, whatever else the lane does; where there is no visit, it stays for
    as long as the car waits."""

    reason: HelpReason
    help_code: str
    until: int


@dataclass(frozen=True, slots=True)
class SpentCommand:
    """A command that was taken, and its answer: a repetition gets the same one."""

    id: str
    not_after: int
    outcome: Literal["done", "refused"]
    why: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane: its car, its boom, its visit, and an operator's orders."""

    id: str
    visit: Visit | None = None
    vehicle: WaitingVehicle | None = None
    """None: no live word from the loops."""
    boom: Boom | None = None
    """None: the barrier is not online."""
    skew: int = 0
    """The barrier's clock minus ours, in ms, rounded to whole seconds."""
    closed: bool = False
    """Closed by an operator."""
    boom_fault: bool = False
    """The arm was told to rise and did not; cleared when it is seen up."""
    fee_ids: tuple[str, ...] = ()
    """The ids of the latest fees, taken or refused; the newest last."""
    open_sessions: tuple[str, ...] = ()
    """Sessions with an order at this lane that may still be paid."""
    notice: RefusalNotice | None = None
    spent: tuple[SpentCommand, ...] = ()
    """The commands taken that may still be repeated."""
    passages: int = 0
    """How many vehicles were seen under the boom since it was last down."""
    risen_for: str | None = None
    """The stay for which the boom rose; it stands here until the boom is down."""
    lifts: tuple[str, ...] = ()
    """The latest lifts granted here, the newest last."""
    named: str | None = None
    """The lift that the barrier named last."""
    lost: tuple[str, ...] = ()
    """The sessions of the latest lost tickets read here, the newest last."""
    began: int = 0
    """When the worker last started."""
