"""What a rule looks up in the nouns, and how a noun changes by what is known now. Nothing here raises an alert."""

from typing import Literal

from terminal.core import ids
from terminal.core.allowance import due
from terminal.core.model import Lane, ParkingFee, Payment, Stay, Visit, VisitOrder
from terminal.core.rules.draft import Draft
from terminal.core.rules.limits import GONE_MS, LINGER_MS, LOOPS_MS
from terminal.core.value import replace


def stands_there(lane: Lane, visit: Visit) -> bool:
    """Does a live loop see the visit's car?"""
    vehicle = lane.vehicle
    sees = visit.loop == "sees" and vehicle is not None and vehicle.waiting
    return sees and visit.gone_since is None and not differ(visit.car, vehicle.car if vehicle else None)


def paid_loss(draft: Draft, lane: Lane) -> str | None:
    """The lane's last lost stay, if it was paid just now and has not raised."""
    for session in reversed(lane.lost):
        stay = draft.stay(session)
        paid = [p.paid for p in stay.payments if p.holder in ("lift", "credit")]
        young = paid and draft.at < max(stay.lost or 0, *paid) + draft.rules.lost_again
        if young and stay.left is None and not has_risen(stay):
            return session
    return None


def differ(one: str | None, other: str | None) -> bool:
    """Are these the names of two vehicles?"""
    return one is not None and other is not None and one != other


def watched(lane: Lane) -> Lane:
    """The visit, with what is known now of whether its car may have left without a raise of its own."""
    visit, boom = lane.visit, lane.boom
    if visit is None or (boom and boom.state == "down" and not stands_there(lane, visit)):
        return lane
    escape = visit.escape
    if stands_there(lane, visit):
        escape = "no"
    elif lane.vehicle and visit.loop == "sees" and boom and boom.state in ("rising", "up", "lowering"):
        escape = "tailgating" if lane.risen_for or lane.passages > 1 else "open"
    elif escape == "no":
        escape = "perhaps"
    return lane if escape == visit.escape else replace(lane, visit=replace(visit, escape=escape))


def car_waits(draft: Draft, lane: Lane, visit: Visit) -> bool:
    """Is the visit's car still there, as far as can be known?"""
    if visit.gone_since is not None and lane.vehicle is not None:
        return draft.at - visit.gone_since < GONE_MS
    return visit.waits_until is None or draft.at < visit.waits_until


def loops_unheard(draft: Draft, lane: Lane, visit: Visit) -> bool:
    """Must a worker that came back still hear from the loops, which spoke when the ticket was read? Another car may be
    there now, and a lift without a car would let it out."""
    return visit.loop != "unknown" and lane.vehicle is None and draft.at < lane.began + LOOPS_MS


def linger(draft: Draft, visit: Visit) -> int | None:
    """Until when a car that no loop sees counts as waiting; None: its loop tells."""
    return None if visit.loop == "sees" else draft.at + LINGER_MS


def reduced(stay: Stay, fee: ParkingFee, at: int) -> ParkingFee:
    """Rule 14: the fee after the stay's allowances. A lost ticket names no stay that could have any."""
    if fee.reason == "lost" or not stay.allowances:
        return fee
    full = fee.amount if fee.full is None else fee.full
    amount = due(full, stay.allowances, at)
    return replace(fee, amount=amount, reason="due" if amount else "free", full=full)


def find_order(draft: Draft, order_no: str) -> tuple[Stay, VisitOrder] | None:
    """The order with this number and its stay; None where the garage never placed it."""
    name = ids.parse_order_no(order_no)
    if name is None or name.garage != draft.rules.garage:
        return None
    stay = draft.stay(name.session)
    order = stay.order(order_no)
    return (stay, order) if order else None


def has_risen(stay: Stay) -> bool:
    """Did the boom rise for it, or may it have, according to a barrier?"""
    return any(g.outcome in ("raised", "unknown") for g in stay.given)


def may_lift(draft: Draft, stay: Stay, car: str | None) -> bool:
    """Rule 8: may the boom rise (again) for this stay, whose ticket was read for this car?"""
    if stay.left is not None or sum(g.outcome != "refused" for g in stay.given) >= draft.rules.lifts:
        return False
    return not has_risen_for_another(stay, car)


def has_risen_for_another(stay: Stay, car: str | None, but: str | None = None) -> bool:
    """Did the boom rise for the stay, or may it have, for a car that by all signs is not this one? ``but``: a lift that
    does not count."""
    rose = [g for g in stay.given if g.id != but and g.outcome in ("raised", "unknown")]
    return bool(rose) and not stay.unpassed and (car is None or rose[-1].car != car)


def with_holder(stay: Stay, payment: Payment) -> Stay:
    """The payment with its new holder; a refund that waited for the lift in flight takes it over."""
    if payment.refund_no and payment.holder in ("raised", "credit", "person"):
        payment = replace(payment, holder="refund")
    return replace(stay, payments=tuple(payment if p.order_no == payment.order_no else p for p in stay.payments))


def with_outcome(stay: Stay, lift: str, outcome: Literal["raised", "refused", "unknown"]) -> Stay:
    """The outcome of a lift is known, so it is no longer waited for."""
    return replace(
        stay,
        grants=tuple(g for g in stay.grants if g.id != lift),
        given=tuple(replace(g, outcome=outcome) if g.id == lift else g for g in stay.given),
    )
