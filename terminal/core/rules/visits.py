"""How a visit begins, moves from phase to phase and ends, and what an order's next stage means for it."""

from terminal.core.model import (
    OPEN,
    HelpReason,
    Lane,
    Obstacle,
    OrderStage,
    ParkingFee,
    Phase,
    RefusalNotice,
    Stay,
    UntoldAlert,
    Visit,
    VisitOrder,
)
from terminal.core.rules.draft import Draft
from terminal.core.rules.limits import (
    LINGER_MS,
    NOTICE_MS,
    NOTICE_OVER_VISIT_MS,
    REMEMBERED_FEES,
    REMEMBERED_LOST,
)
from terminal.core.rules.records import linger, watched
from terminal.core.value import replace


def begin_visit(draft: Draft, name: str, fee: ParkingFee, car: str | None, read: int) -> None:
    """Open a visit for this ticket, read at ``read`` (ms), with the car that the lane's loops see. Neither the lane nor
    the stay may have a visit."""
    lane, stay = draft.lane(name), draft.stay(fee.session)
    stay = replace(stay, lane=name)
    if fee.reason == "lost":
        stay = replace(stay, lost=draft.at)
        others = (session for session in lane.lost if session != fee.session)
        lane = replace(lane, lost=(*others, fee.session)[-REMEMBERED_LOST:])
    draft.put(stay)
    visit = Visit(fee, "blocked", draft.at, car, read=read)
    if lane.vehicle is None:
        visit = replace(visit, loop="unknown", waits_until=draft.at + LINGER_MS)
    elif not lane.vehicle.waiting:
        visit = replace(visit, loop="blind", waits_until=draft.at + LINGER_MS)
        draft.alert("loop-blind", "warning", "a ticket was read while the loop saw no vehicle", name, stay)
    draft.put(watched(replace(lane, visit=visit)))


def end_visit(draft: Draft, name: str) -> None:
    """End the visit: close its order and stop sending its lift. Its payment, if any, keeps its holder."""
    lane = draft.lane(name)
    visit = lane.visit
    if visit is None:
        return
    draft.put(replace(lane, visit=None))
    stay = draft.stay(visit.fee.session)
    grants = tuple(replace(grant, dropped=True) for grant in stay.grants)
    passed = visit.under or (visit.raised and visit.loop != "sees")
    slipped = None if passed or visit.raised else _slipped_out(draft, lane, visit, stay)
    left = draft.at if passed or slipped else stay.left
    perhaps = stay.perhaps_left or (visit.escape != "no" and not visit.raised)
    stay = replace(stay, lane=None, grants=grants, left=left, perhaps_left=perhaps)
    if slipped:
        stay = replace(stay, slipped_out=True, untold=(*stay.untold, slipped))
        tell_untold(draft, stay, slipped)
    draft.put(stay)
    order = stay.order(visit.order_no)
    if order and order.stage in ("placing", "created"):
        set_stage(draft, order, "closing")
    if visit.raised and not passed:
        draft.alert("no-passage", "warning", "the boom rose and its vehicle did not pass", name, stay)


def _slipped_out(draft: Draft, lane: Lane, visit: Visit, stay: Stay) -> UntoldAlert | None:
    """If its car left under another's raise, or under an arm that is held open, the alert to raise: the ticket is used,
    and nothing else will tell what became of the payment."""
    may_leave = visit.fee.reason == "free" or any(p.holder in ("lift", "credit") for p in stay.payments)
    if not visit.follows and not (visit.escape in ("open", "tailgating") and may_leave):
        return None
    for_another = visit.escape == "tailgating" or lane.risen_for is not None or lane.passages > 1
    how = "under another vehicle's raise" if for_another else "under an arm that none of its own lifts had raised"
    text = f"a vehicle left {how}: its ticket is used" if may_leave else f"an unpaid vehicle left {how}"
    number = stay.payments[-1].order_no if stay.payments else None
    return UntoldAlert(draft.at, "tailgating" if for_another else "passed-open", text, lane.id, number)


def tell_untold(draft: Draft, stay: Stay, what: UntoldAlert) -> None:
    """Raise an alert that the state holds until the broker has it."""
    draft.alert(what.code, "warning", what.text, what.lane, stay, what.order_no, owed=True)


def set_phase(draft: Draft, name: str, phase: Phase, reason: Obstacle = "") -> Visit:
    """Move the lane's visit to this phase. ``reason``: why a person is needed, for `helping` only."""
    lane = draft.lane(name)
    assert lane.visit is not None
    visit = replace(lane.visit, phase=phase, since=draft.at, reason=reason)
    draft.put(replace(lane, visit=visit))
    return visit


def call_help(draft: Draft, name: str, reason: HelpReason) -> None:
    """Call a person."""
    visit = set_phase(draft, name, "helping", reason)
    stay = draft.stay(visit.fee.session)
    draft.alert("help", "warning", f"a driver needs help: {reason}", name, stay, visit.order_no)


def set_stage(draft: Draft, order: VisitOrder, stage: OrderStage) -> VisitOrder:
    """Move an order to its next stage; its lane and visit learn when it can no longer be paid."""
    order = replace(order, stage=stage)
    stay = draft.stay(order.session)
    draft.put(replace(stay, orders=tuple(order if o.no == order.no else o for o in stay.orders)))
    if stage not in OPEN:
        lane = draft.lane(order.lane)
        others = draft.stay(order.session).orders
        still = any(o.lane == order.lane and o.stage in OPEN for o in others)
        sessions = tuple(s for s in lane.open_sessions if s != order.session or still)
        visit = lane.visit
        if visit and visit.order_no == order.no:
            visit = replace(visit, waits_until=linger(draft, visit))
        draft.put(replace(lane, open_sessions=sessions, visit=visit))
    if stay.lane:
        draft.touch(stay.lane)
    return order


def fee_taken(lane: Lane, fee_id: str) -> Lane:
    """The lane, which has taken or refused the fee with this id: its reader need not repeat it."""
    others = (i for i in lane.fee_ids if i != fee_id)
    return replace(lane, fee_ids=(*others, fee_id)[-REMEMBERED_FEES:], notice=None)


def refuse(draft: Draft, name: str, fee_id: str, reason: HelpReason, help_code: str) -> None:
    """Show a refusal; a visit that is under way continues behind it."""
    lane = fee_taken(draft.lane(name), fee_id)
    shown = NOTICE_OVER_VISIT_MS if lane.visit else NOTICE_MS if lane.vehicle else LINGER_MS
    draft.put(replace(lane, notice=RefusalNotice(reason, help_code, draft.at + shown)))
    text = f"a ticket was refused: {reason}"
    draft.alert("ticket-refused", "info", text, name, help_code=help_code)
