"""From a message to an event: the worker judges each message, and makes an event of it or refuses it.

It believes only the ticket's text of a `fee`, and only PayBy's signature of a `paid` (terminal/contract/README.md,
"What the worker believes").
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, get_args

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from terminal.contract import messages
from terminal.contract.credit_messages import Credit
from terminal.contract.messages import moment
from terminal.core import money
from terminal.core.events import (
    AllowanceGiven,
    CommandGiven,
    OrderReported,
    RefundReported,
    ReportedStatus,
    TicketRead,
    TicketRefused,
)
from terminal.core.ids import lost_session
from terminal.core.model import HelpReason, ParkingFee, PaymentProof
from terminal.core.quote import hint, quote
from terminal.core.tariff import TicketPricing
from terminal.core.ticket import Why
from terminal.payby.messages import CREATED, FAILURE, AcquireOrder, RefundOrder, read_notification
from terminal.payby.signing import verify

PAID_LONGEST_MS, ALLOWED_LONGEST_MS = 24 * 3_600_000, 92 * 24 * 3_600_000
"""How far ahead the time to leave may end that a pay station gives, and that of a shop's allowance."""
FRESH_MS = 60_000
"""The longest time since a ticket's reading, by our own clock."""
_REFUSALS: Mapping[str | None, HelpReason] = {why: why for why in get_args(Literal[Why, "ticket-used"])}
"""Why a reader may have refused a ticket; any other reason counts as `ticket-unknown`."""
_UNPAID: Mapping[str, ReportedStatus] = {CREATED: "CREATED", FAILURE: "FAILURE"}
"""The statuses of an order that PayBy does not call paid; every other status is OTHER."""
TICKET_SHOWN = 64


@dataclass(frozen=True, slots=True)
class JudgementSettings:
    """What the worker checks messages with."""

    garage: str
    ticket_keys: Mapping[str, bytes]
    tariff: TicketPricing
    payby_keys: Sequence[RSAPublicKey]
    payee_mid: str
    coupon_keys: Mapping[str, bytes] = field(default_factory=dict)
    soft_passback: bool = False


def ticket_event(
    fee: messages.Fee,
    lane: str,
    *,
    at: int,
    wall: int,
    judgement: JudgementSettings,
    hindrance: str,
    knows: Callable[[str], bool] = lambda _: False,
    skew: int = 0,
) -> TicketRead | TicketRefused:
    """The event for a `fee`. ``at``: the worker's steady time (ms); ``wall``: ms since the epoch by its own clock;
    ``skew``: how many ms the true time is ahead of that, if known; ``knows``: was this stay seen before?

    The ticket must have been read now: by our own clock, which the reader may share, or by the true time, which the
    reader's clock may show. The amount due is reckoned by the true time, so if the two differ, the fee's amount is not
    the one that is due. While nobody knows the time (``hindrance`` is `clock`) a fee opens nothing, and neither its age
    nor its entry is held against it.

    A fee must say what a reader without a key makes of its ticket at its `exited`: any other is disputed. Whether the
    ticket is genuine is for the worker to find out; a fee for a false one is not disputed. A lost ticket names no stay:
    the worker derives one, whatever `session` says, and refuses a fee that names somebody else's stay.
    """

    ticket = fee.ticket[:TICKET_SHOWN]  # kept as scanned, no longer than a screen or a report can show

    def refused(reason: HelpReason, disputed: str = "") -> TicketRefused:
        return TicketRefused(at, lane, fee.id, reason, disputed, ticket)

    if fee.reason == "refused":
        return refused(_REFUSALS.get(fee.why, "ticket-unknown"))
    timely = hindrance != "clock"
    exited = moment(fee.exited or fee.at)
    ago, read = since_read(exited, wall, skew)
    if timely and abs(ago) > FRESH_MS:
        return refused("refused", f"a fee's ticket was read {ago / 1000:.0f} s ago; at most 60 s are accepted")
    garage, tariff, session = judgement.garage, judgement.tariff, lost_session(judgement.garage, lane, fee.car, fee.id)
    told = hint(fee.ticket, exited, garage=garage, tariff=tariff, lost_session=session, kept=False)
    if told.why:
        return refused(told.why, f"a fee came for a ticket that is refused: {told.why}")
    amount = told.amount or 0
    named = fee.session
    if fee.reason == "lost" and named != session:
        if named and knows(named):
            return refused("refused", "the fee of a lost ticket names a stay that is already known")
        named = session
    said = (fee.reason, named, fee.amount, fee.minutes, fee.entered and moment(fee.entered))
    reckoned = (told.reason, told.session, money.text(amount), told.minutes, told.entered_ms)
    if said != reckoned or (told.reason == "lost" and not amount):
        return refused("refused", f"a fee says {fee.reason} {fee.amount}, but the tariff {reckoned[0]} {reckoned[2]}")
    keys = judgement.ticket_keys
    ours = quote(fee.ticket, read, garage=garage, keys=keys, tariff=tariff, lost_session=session, kept=timely)
    if ours.session is None or ours.reason == "refused":
        return refused(ours.why or "ticket-unknown")
    taken = ParkingFee(fee.id, ours.session, ticket, ours.amount or 0, ours.reason, ours.minutes, fee.car)
    return TicketRead(at, lane, taken, hindrance, age=max(0, ago) if timely else 0)


def since_read(exited: int, wall: int, skew: int) -> tuple[int, int]:
    """How many ms ago a ticket was read at ``exited``, by our own clock or by the true time, and when by the true time
    (ms since the epoch)."""
    ago = min(wall - exited, wall + skew - exited, key=abs)
    return ago, wall + skew - ago


def order_report(
    order: AcquireOrder, proof: PaymentProof, *, at: int, payee_mid: str, token_url: str = "", notified: bool = False
) -> OrderReported:
    """PayBy's signed words about an order, as an event; its ``wrong`` says what in them cannot be ours."""
    wrong = ""
    if order.was_paid and order.is_revoked:
        wrong = "it is revoked"
    elif order.payee_mid != payee_mid:
        wrong = "payeeMid is another merchant's"
    amount = _fils(order.total_amount.amount)
    if order.total_amount.currency != "AED" or amount is None:
        wrong = "currency or amount cannot be ours"
    return OrderReported(
        at,
        order.merchant_order_no,
        "PAID" if order.was_paid else _UNPAID.get(order.status, "OTHER"),
        amount or 0,
        proof,
        order.order_no or "",
        token_url,
        notified,
        wrong,
    )


def notification_event(
    paid: messages.Paid | messages.Refund, *, at: int, judgement: JudgementSettings
) -> OrderReported | RefundReported | None:
    """A genuine notification as an event; None for one that the rules do not take (see ``payby_notices``).

    Raises BadSignature or BadWords for one that PayBy did not say.
    """
    body = paid.body or ""
    verify(judgement.payby_keys, body.encode(), paid.sign)
    said = read_notification(body)
    if said.acquire_order is not None:
        proof = PaymentProof(body, paid.sign or "")
        return order_report(said.acquire_order, proof, at=at, payee_mid=judgement.payee_mid, notified=True)
    return refund_report(said.refund_order, at=at, notified=True) if said.refund_order is not None else None


def refund_report(refund: RefundOrder, *, at: int, notified: bool = False) -> RefundReported | None:
    """PayBy's signed words about a refund, as an event; None for a status that no refund should have."""
    stage = refund.stage
    if stage is None or refund.origin_merchant_order_no is None:
        return None
    return RefundReported(at, refund.refund_merchant_order_no, refund.origin_merchant_order_no, stage, notified)


def command_event(command: messages.Command, lane: str, *, at: int, wall: int) -> CommandGiven:
    """A command whose signature and deadline are good, as an event; its deadline by the worker's steady clock."""
    assert command.command != "ticket", "a ticket that is read out is no command to the rules"
    return CommandGiven(
        at,
        lane,
        command.id,
        command.command,
        command.by,
        at + moment(command.not_after) - wall,
        command.session,
        command.order_no,
        None if command.amount is None else money.parse(command.amount),
        command.reason or "",
    )


def credit_event(credit: Credit, *, at: int, wall: int) -> tuple[AllowanceGiven, str]:
    """A credit whose signature is good, as an event, its end by the worker's steady clock; and why it cannot count, in
    words."""
    ahead_ms = moment(credit.until) - wall
    longest_ms = PAID_LONGEST_MS if credit.kind == "paid" else ALLOWED_LONGEST_MS
    wrong = "its time is over" if ahead_ms <= 0 else "it lasts too long" if ahead_ms > longest_ms else ""
    match credit.kind:
        case "paid" | "amount":
            value = money.parse(credit.amount or "0.00")
            wrong = wrong or ("" if value else "its amount is nothing")
        case "percent":
            value = money.parse(credit.percent or "0")  # hundredths, as fils are
        case "free":
            value = money.Fils(0)
    by = f"{credit.by} ({credit.key})"
    return AllowanceGiven(at, credit.id, credit.session, credit.kind, value, by, at + ahead_ms), wrong


def _fils(amount: Decimal) -> int | None:
    try:
        return money.from_decimal(amount)
    except ValueError:
        return None
