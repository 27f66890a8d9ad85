"""Rules 5 and 6: the times that a stay waits for, wherever its visit is."""

from terminal.core.events import TimePassed
from terminal.core.model import Grant, Payment, Stay
from terminal.core.rules.draft import Draft
from terminal.core.rules.lifts import let_go
from terminal.core.rules.records import with_holder
from terminal.core.rules.refunds import ask_refund
from terminal.core.value import replace


def time_passed(draft: Draft, event: TimePassed) -> None:
    """Advance a lane that waited; do what is due for a stay that waited."""
    if event.lane is not None:
        draft.touch(event.lane)
    if event.session is not None:
        _stay_matured(draft, draft.stay(event.session))


def _stay_matured(draft: Draft, stay: Stay) -> None:
    """Rules 5 and 6: deadlines that no lane waits for."""
    rules = draft.rules
    for grant in stay.grants:
        if not grant.overdue and draft.at >= grant.not_after + rules.hold:
            _unanswered(draft, draft.stay(stay.session), grant)
    for payment in draft.stay(stay.session).payments:
        if payment.holder == "credit" and draft.at >= payment.until:
            _credit_matured(draft, draft.stay(stay.session), payment)
    stay = draft.stay(stay.session)
    asked = tuple(g for g in stay.grants if not g.overdue or draft.at < g.not_after + rules.hold + rules.exit_grace)
    draft.put(replace(stay, grants=asked))


def _unanswered(draft: Draft, stay: Stay, grant: Grant) -> None:
    """Its payment becomes credit, so that its driver can leave at another lane; the barrier is still asked."""
    text = "the barrier never answered a lift"
    draft.alert("lift-unanswered", "critical", text, grant.lane, stay, grant.order_no)
    asked = replace(grant, dropped=True, overdue=True)
    stay = replace(stay, grants=tuple(asked if g.id == grant.id else g for g in stay.grants))
    draft.put(let_go(draft, stay, grant, "credit"))
    lane = draft.lane(grant.lane)
    if lane.visit and lane.visit.grant == grant.id:
        draft.put(replace(lane, visit=replace(lane.visit, since=draft.at)))
    if stay.lane:
        draft.touch(stay.lane)


def _credit_matured(draft: Draft, stay: Stay, payment: Payment) -> None:
    """Rule 6: a credit that nobody used while it could lift."""
    lifts = [g for g in stay.given if g.order_no == payment.order_no]
    may_have_left = stay.left is not None or stay.perhaps_left
    if not may_have_left and all(g.outcome == "refused" for g in lifts):
        ask_refund(draft, stay, payment, payment.amount, "credit not used", "worker", payment.order_no)
        return
    if stay.slipped_out and all(g.outcome != "unknown" for g in lifts):
        draft.put(with_holder(stay, replace(payment, holder="used")))  # its alert is owed from the moment it left
        return
    text = "paid, and its vehicle left although no lift is known to have raised the boom: a person must decide"
    if not may_have_left:
        text = "paid, and the barrier never said whether a lift for it raised the boom: a person must decide"
    elif stay.left is None:
        text = "paid, and its vehicle may have left while the arm was not seen down: a person must decide"
    draft.alert("lift-unknown", "critical", text, None, stay, payment.order_no)
    draft.put(with_holder(stay, replace(payment, holder="person")))
