"""What a lane shows. It is read off the lane's state, so a screen is never behind the rules.

``screen`` says what the driver sees, ``order_status`` what the `order` topic says.
"""

from dataclasses import dataclass

from terminal.core import ids
from terminal.core.invoice import address_of
from terminal.core.model import Lane, OrderStatus, ScreenState, Stay, Visit, VisitOrder
from terminal.core.rules.limits import SKEW_LIMIT_MS
from terminal.core.value import replace


@dataclass(frozen=True, slots=True)
class LaneDisplay:
    """One screen. ``until``: when to compute it again even if nothing happens (ms, steady), or None."""

    state: ScreenState
    fee: str | None = None
    session: str | None = None
    car: str | None = None
    amount: int | None = None
    minutes: int | None = None
    expires: int | None = None
    token_url: str | None = None
    reason: str = ""
    help_code: str | None = None
    until: int | None = None
    scanned: bool = False
    """A phone has read the code."""
    invoice: str | None = None
    """The address of the driver's tax invoice, once the boom has risen for its payment: nothing comes before that."""


def screen(
    lane: Lane,
    stay: Stay | None,
    now: int,
    *,
    hindrance: tuple[ScreenState, str] | None = None,
    asking: bool = False,
) -> LaneDisplay:
    """The screen that the LCD must show. ``hindrance``: what keeps an idle lane from serving, as (state, reason).
    ``asking``: a ticket was read there that another system is being asked about."""
    fee = lane.fee_ids[-1] if lane.fee_ids else None
    asking = asking and lane.visit is None
    if (notice := lane.notice) and not asking:
        waits = lane.visit is None and lane.vehicle is not None and lane.vehicle.waiting
        if waits or now < notice.until:
            until = None if waits else notice.until
            return LaneDisplay("help", fee, reason=notice.reason, help_code=notice.help_code, until=until)
    visit = lane.visit
    if visit is None or stay is None:
        state, reason = _idle(lane, hindrance)
        return LaneDisplay("wait" if asking and state == "idle" else state, fee, reason=reason)
    base = LaneDisplay(
        "wait", fee, visit.fee.session, visit.car, visit.fee.amount, visit.fee.minutes,
        help_code=ids.help_code(visit.fee.session),
    )  # fmt: skip
    order = stay.order(visit.order_no)
    match visit.phase:
        case "paying" if order and order.stage == "created":
            base = replace(base, amount=order.amount, expires=order.expires, token_url=order.token_url)
            return replace(base, state="pay", scanned=order.scanned)
        case "leaving":
            state = "free" if visit.fee.reason == "free" else "paid"
            return replace(base, state=state, invoice=_invoice(stay, visit))
        case "helping":
            return replace(base, state="help", reason=visit.reason)
        case _ if abs(lane.skew) >= SKEW_LIMIT_MS:
            return replace(base, state="out-of-order", reason="clock")
        case _:
            return base


def _invoice(stay: Stay, visit: Visit) -> str | None:
    given = stay.lift(visit.grant) if visit.raised else None
    payment = stay.payment(given.order_no) if given else None
    return address_of(stay.session, payment.invoice) if payment and payment.invoice else None


def _idle(lane: Lane, hindrance: tuple[ScreenState, str] | None) -> tuple[ScreenState, str]:
    if lane.closed:
        return "closed", "operator"
    if hindrance:
        return hindrance
    if abs(lane.skew) >= SKEW_LIMIT_MS:
        return "out-of-order", "clock"
    if lane.boom is None or lane.boom_fault or lane.boom.state == "fault":
        return "closed", "barrier"
    return "idle", ""


def order_status(order: VisitOrder | None) -> OrderStatus:
    """The contract's word for an order's status; for the lane, a quarantined order has failed."""
    if order is None:
        return "none"
    return "failed" if order.stage == "quarantined" else order.stage
