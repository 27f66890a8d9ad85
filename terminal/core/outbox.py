"""What the state still owes, and when it wants to be woken. Both are read off the nouns, at any time.

A worker that starts after a crash asks here, so it owes exactly what it owed before.
"""

from collections.abc import Iterator

from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, Pursuit, QueryOrder, SendLift
from terminal.core.model import HOLD_MS, REFUND_ENDS, Lane, Stay, Visit
from terminal.core.rules.limits import (
    ANSWER_LIMIT_MS,
    GONE_MS,
    LOOPS_MS,
    MAX_SIGNED,
    RENEW_MS,
    RISE_LIMIT_MS,
    SETTLE_MS,
    WAIT_LIMIT_MS,
)


def owed(stay: Stay) -> Iterator[Pursuit]:
    """What must be pursued for a stay until its state says otherwise."""
    for order in stay.orders:
        match order.stage:
            case "placing":
                yield PlaceOrder(order)
            case "created":
                yield QueryOrder(order)
            case "closing":
                yield CloseOrder(order)
    for grant in stay.grants:
        if not grant.dropped or grant.overdue:
            payment = stay.payment(grant.order_no)
            yield SendLift(grant, payment.proof if payment else None)
    for refund in stay.refunds:
        payment = stay.payment(refund.order_no)
        if refund.stage not in REFUND_ENDS and payment and payment.holder == "refund":
            yield PlaceRefund(refund)


def settled(stay: Stay) -> bool:
    """Is nothing of the stay owed or waited for any more, whatever comes later?"""
    waited = any(p.holder in ("lift", "credit", "refund") for p in stay.payments)
    return stay.lane is None and not waited and not stay.grants and next(owed(stay), None) is None


def stay_due(stay: Stay, now: int) -> int | None:
    """The next time (ms) after ``now`` at which a stay wants a TimePassed, whatever its lane does; None: never."""
    times = [p.until for p in stay.payments if p.holder == "credit"]
    times += [g.not_after + HOLD_MS for g in stay.grants]
    return min((t for t in times if t > now), default=None)


def lane_due(lane: Lane, stay: Stay | None, now: int) -> int | None:
    """The next time (ms) after ``now`` at which a lane wants a TimePassed; None: never. ``stay``: its visit's."""
    if lane.visit is None or stay is None:
        return None
    return min((t for t in _visit_times(lane, lane.visit, stay) if t > now), default=None)


def _visit_times(lane: Lane, visit: Visit, stay: Stay) -> Iterator[int]:
    if visit.gone_since is not None:
        yield visit.gone_since + GONE_MS
    if visit.waits_until is not None:
        yield visit.waits_until
    yield lane.began + LOOPS_MS
    order = stay.order(visit.order_no)
    if order and order.stage in ("placing", "created"):
        yield order.expires
    if visit.phase == "ordering":
        yield visit.since + ANSWER_LIMIT_MS
    if visit.phase in ("blocked", "reordering"):
        yield visit.since + WAIT_LIMIT_MS
    for grant in stay.grants:
        yield grant.not_after
        if grant.signed < MAX_SIGNED:
            yield grant.not_after - RENEW_MS
    if visit.phase == "leaving":
        yield visit.since + SETTLE_MS
        yield visit.since + RISE_LIMIT_MS
        if lane.boom:
            yield lane.boom.since + SETTLE_MS
            if visit.was_up:
                yield lane.boom.since + WAIT_LIMIT_MS
