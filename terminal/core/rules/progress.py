"""Moves every visit as far as the rules allow, after each fact and each time that its lane waited for."""

from terminal.core import ids
from terminal.core.model import OPEN, Grant, Lane, Obstacle, Payment, Stay, Visit, VisitOrder
from terminal.core.rules.draft import Draft
from terminal.core.rules.lifts import grant_lift, lift_reason, renew_lift
from terminal.core.rules.limits import (
    ANSWER_LIMIT_MS,
    MAX_SIGNED,
    RENEW_MS,
    RISE_LIMIT_MS,
    SETTLE_MS,
    SKEW_LIMIT_MS,
    WAIT_LIMIT_MS,
)
from terminal.core.rules.orders import extend_order
from terminal.core.rules.records import (
    car_waits,
    has_risen,
    has_risen_for_another,
    loops_unheard,
    may_lift,
    paid_loss,
    with_holder,
)
from terminal.core.rules.visits import begin_visit, call_help, end_visit, set_phase, set_stage
from terminal.core.value import replace


def advance(draft: Draft, name: str) -> None:
    """Move a lane's visit as far as the rules allow."""
    while move(draft, name):
        pass


def move(draft: Draft, name: str) -> bool:
    """Move a lane's visit by one step; returns whether the rules allowed one."""
    lane = draft.lane(name)
    visit = lane.visit
    if visit is None:
        return False
    if visit.phase == "leaving":
        _advance_leaving(draft, lane, visit)
    elif not car_waits(draft, lane, visit):
        end_visit(draft, name)
    else:
        _advance_paying(draft, lane, visit)
    return draft.lane(name).visit != visit


def _advance_paying(draft: Draft, lane: Lane, visit: Visit) -> None:
    stay = draft.stay(visit.fee.session)
    order = stay.order(visit.order_no)
    if loops_unheard(draft, lane, visit):
        return
    credit, is_free = _credit(draft, stay), visit.fee.reason == "free"
    may_begin = visit.phase != "helping" or not visit.lifts
    has_right = may_begin and (credit is not None or is_free)
    if stay.left is not None or (has_right and not may_lift(draft, stay, visit.car)):
        if order and order.stage in ("placing", "created"):
            set_stage(draft, order, "closing")
        if visit.phase != "helping":
            call_help(draft, lane.id, "ticket-used" if stay.left is not None or has_risen(stay) else "barrier")
        return
    if may_begin and credit:
        grant_lift(draft, lane.id, lift_reason(lane.id, stay, credit), credit)
        return
    if may_begin and is_free and all(draft.at >= g.not_after for g in stay.grants):
        grant_lift(draft, lane.id, "free", None)
        return
    if order and order.stage in ("placing", "created") and draft.at >= order.expires:
        if extend_order(draft, order, visit):
            return
        set_stage(draft, order, "closing")
        if visit.phase != "helping":
            set_phase(draft, lane.id, "reordering")
        return
    match visit.phase:
        case "ordering" if order and order.stage == "created":
            set_phase(draft, lane.id, "paying")
        case "ordering" if order and order.stage == "placing":
            if draft.at >= visit.since + ANSWER_LIMIT_MS:
                call_help(draft, lane.id, "no-answer")
        case "ordering" | "paying" if order and order.stage not in OPEN:
            set_phase(draft, lane.id, "reordering")
        case "reordering" if order and order.stage in OPEN:
            if draft.at >= visit.since + WAIT_LIMIT_MS:
                call_help(draft, lane.id, "no-answer")
        case "reordering" if visit.attempts >= draft.rules.attempts:
            call_help(draft, lane.id, "unpaid")
        case "reordering":
            set_phase(draft, lane.id, "blocked")
        case "blocked":
            if obstacle := _obstacle(draft, lane, visit, stay):
                if draft.at >= visit.since + WAIT_LIMIT_MS or _is_left_to_a_person(stay):
                    call_help(draft, lane.id, obstacle)
            elif visit.fee.reason == "lost" and (paid := paid_loss(draft, lane)) not in (None, stay.session):
                assert paid is not None
                end_visit(draft, lane.id)  # the same lost ticket, paid while its vehicle had another name
                begin_visit(draft, lane.id, replace(visit.fee, session=paid), visit.car, visit.read)
            else:
                _place(draft, lane, visit, stay)
        case "helping" if order and order.stage == "created":
            set_phase(draft, lane.id, "paying")
        case "helping" if visit.reason in ("no-answer", "barrier") and not visit.lifts:
            if visit.attempts < draft.rules.attempts and not _obstacle(draft, lane, visit, stay):
                _place(draft, lane, visit, stay)


def _obstacle(draft: Draft, lane: Lane, visit: Visit, stay: Stay) -> Obstacle:
    """Why no order may be placed here now; empty when nothing stands in the way."""
    if any(grant.reason == "free" and draft.at < grant.not_after for grant in stay.grants):
        return "no-answer"  # it was free at another lane, where its lift may still raise
    if lane.boom is None or lane.boom_fault or lane.boom.state == "fault":
        return "barrier"
    if abs(lane.skew) >= SKEW_LIMIT_MS:
        return "no-answer"
    if lane.open_sessions or any(o.stage in OPEN for o in stay.orders):
        return "no-answer"
    if any(stay.kept(p) for p in stay.payments) or any(o.stage == "quarantined" for o in stay.orders):
        return "no-answer"  # we have its money: it lifts, goes back, or a person decides; nobody pays twice
    if _attempt(lane, stay) > ids.ATTEMPTS:
        return "no-answer"
    if not may_lift(draft, stay, visit.car):
        return "barrier"  # a driver who paid could not be let out
    return ""


def _is_left_to_a_person(stay: Stay) -> bool:
    """Does nothing but a person's decision move the money of this stay? Its driver need not wait to be told so."""
    return any(p.holder == "person" and stay.kept(p) for p in stay.payments)


def _attempt(lane: Lane, stay: Stay) -> int:
    """The number of a stay's next order at a lane; a damaged journal may have lost some of the earlier ones."""
    return 1 + max((o.attempt for o in stay.orders if o.lane == lane.id), default=0)


def _place(draft: Draft, lane: Lane, visit: Visit, stay: Stay) -> None:
    attempt = _attempt(lane, stay)
    rules, session = draft.rules, stay.session
    no = ids.order_no(rules.garage, lane.id, session, attempt)
    expires = draft.at + rules.cancel_after
    order = VisitOrder(
        no,
        lane.id,
        session,
        attempt,
        visit.fee.amount,
        draft.at,
        expires,
        expires + rules.payby_margin,
        visit.fee.minutes,
    )
    draft.put(replace(stay, orders=(*stay.orders, order)))
    visit = replace(
        visit, phase="ordering", since=draft.at, order_no=no, attempts=visit.attempts + 1, reason="", waits_until=None
    )
    draft.put(replace(lane, visit=visit, open_sessions=(*lane.open_sessions, session)))


def _credit(draft: Draft, stay: Stay) -> Payment | None:
    """A payment that may lift now: credit, or one whose lift raised for a car that did not pass."""
    for payment in stay.payments:
        if payment.holder == "credit" and draft.at < payment.until:
            return payment
        if payment.holder == "raised" and draft.at < payment.until and payment.refund_no is None:
            return payment
    return None


def _advance_leaving(draft: Draft, lane: Lane, visit: Visit) -> None:
    """Rule 8, and the lift's deadline while its car waits."""
    stay = draft.stay(visit.fee.session)
    waits, boom = car_waits(draft, lane, visit), lane.boom
    grant = stay.grant(visit.grant)
    down = boom is not None and boom.state == "down"
    settled = boom is not None and draft.at >= boom.since + SETTLE_MS
    if grant is not None and not visit.raised and _is_barred(stay, grant):
        _drop(draft, stay, grant)
        call_help(draft, lane.id, "ticket-used")
    elif visit.loop != "sees" and visit.raised and ((visit.was_up and down) or not waits):
        end_visit(draft, lane.id)  # without loops this is all there is to see: the arm rose and came down
    elif not waits and (not visit.raised or down):
        end_visit(draft, lane.id)
    elif grant is not None:
        if draft.at >= grant.not_after - RENEW_MS and grant.signed < MAX_SIGNED:
            renew_lift(draft, stay, grant)
        elif draft.at >= grant.not_after:
            call_help(draft, lane.id, "barrier")
    elif not waits or visit.gone_since is not None or loops_unheard(draft, lane, visit):
        return
    elif not visit.raised:
        if draft.at >= visit.since + SETTLE_MS:
            _lift_again(draft, lane, visit, stay, draft.rules.lifts)
    elif visit.was_up:
        if down and settled and not (lane.vehicle and lane.vehicle.under_boom):
            _lift_again(draft, lane, visit, stay, 2)
        elif down and boom is not None and draft.at >= boom.since + WAIT_LIMIT_MS:
            call_help(draft, lane.id, "barrier")  # a stuck loop, or a vehicle that covers both
    elif draft.at >= visit.since + RISE_LIMIT_MS or (boom is not None and boom.state == "fault"):
        _rise_again(draft, lane, visit, down=down)


def _is_barred(stay: Stay, grant: Grant) -> bool:
    """Rule 8: did its stay turn out, while this lift was on its way, to have left or been raised for elsewhere?"""
    return stay.left is not None or has_risen_for_another(stay, grant.car, but=grant.id)


def _drop(draft: Draft, stay: Stay, grant: Grant) -> None:
    """Stop sending it; it may still raise while a copy of it is valid."""
    dropped = replace(grant, dropped=True)
    draft.put(replace(stay, grants=tuple(dropped if g.id == grant.id else g for g in stay.grants)))


def _rise_again(draft: Draft, lane: Lane, visit: Visit, *, down: bool) -> None:
    """The arm was told to rise and did not."""
    stay = draft.stay(visit.fee.session)
    if down:
        stay = replace(stay, unpassed=True)
        draft.put(stay)
    if visit.lifts >= draft.rules.lifts and not lane.boom_fault:
        draft.alert_until_cleared(
            "boom-stuck", "critical", "the arm does not rise; the lane takes no new orders", lane.id, stay
        )
        lane = replace(lane, boom_fault=True)
        draft.put(lane)
    for payment in [p for p in stay.payments if p.holder == "raised" and visit.lifts >= draft.rules.lifts]:
        text = "paid, and the arm was told to rise but was not seen to: a person must decide"
        draft.alert("lift-unknown", "critical", text, lane.id, stay, payment.order_no)
        draft.put(with_holder(draft.stay(stay.session), replace(payment, holder="person")))
    _lift_again(draft, lane, visit, draft.stay(stay.session), draft.rules.lifts)


def _lift_again(draft: Draft, lane: Lane, visit: Visit, stay: Stay, most: int) -> None:
    payment = next((p for p in stay.payments if _may_lift_again(stay, p)), None)
    has_right = payment is not None or visit.fee.reason == "free"
    if visit.lifts >= most or not has_right or not may_lift(draft, stay, visit.car):
        call_help(draft, lane.id, "barrier")
        return
    draft.alert(
        "lift-again", "warning", f"the arm is down and the car still waits: lift {visit.lifts + 1}", lane.id, stay
    )
    grant_lift(draft, lane.id, "credit" if payment else "free", payment)


def _may_lift_again(stay: Stay, payment: Payment) -> bool:
    """Nothing of it was given back, and the car that waits here is the one that it was to raise for."""
    whole = payment.refund_no is None and stay.kept(payment) == payment.amount
    return whole and (payment.holder in ("credit", "raised") or (payment.holder == "person" and payment.unknown))
