"""Rules 9 and 10: a worker starts, its journal was damaged, or our own code failed on a stay."""

from terminal.core.alert_codes import RuleAlertCode
from terminal.core.events import AlertTold, Damaged, Started, StayFailed
from terminal.core.model import OPEN, Stay
from terminal.core.rules.billing import begin_series
from terminal.core.rules.draft import Draft
from terminal.core.rules.limits import BARRIERS_MS, REMIND_MS
from terminal.core.rules.records import watched, with_holder
from terminal.core.rules.visits import call_help, tell_untold
from terminal.core.value import replace


def started(draft: Draft, event: Started) -> None:
    """What only live messages say is unknown again, and what waits for a person is told again."""
    if event.rules and event.rules != draft.rules:
        draft.rules = draft.new_rules = event.rules
    for lane in draft.all_lanes():
        visit = lane.visit and replace(lane.visit, gone_since=None)
        draft.put(watched(replace(lane, vehicle=None, boom=None, notice=None, visit=visit, began=draft.at)))
    for stay in sorted(draft.all_stays(), key=lambda stay: stay.session):  # in one order, whichever left memory
        _remind(draft, stay)
        _keep_credit(draft, draft.stay(stay.session))


def _keep_credit(draft: Draft, stay: Stay) -> None:
    """No credit is given back before the barriers have said whether the journal lacks a lift that raised."""
    heard = draft.at + BARRIERS_MS
    kept = (replace(p, until=heard) if p.holder == "credit" and p.until < heard else p for p in stay.payments)
    draft.put(replace(stay, payments=tuple(kept)))


def _remind(draft: Draft, stay: Stay) -> None:
    """Raise again the alert about what waits for a person: the worker may have died before it could raise it."""
    for payment in stay.payments:
        if payment.holder == "person" and draft.at < payment.paid + REMIND_MS:
            failed = any(r.order_no == payment.order_no and r.stage == "failed" for r in stay.refunds)
            paid_for = stay.order(payment.order_no)
            code: RuleAlertCode = "payment-doubtful" if paid_for and paid_for.doubtful else "lift-unknown"
            code = "refund-failed" if failed else code
            text = "a payment still waits for a person's decision"
            draft.alert(code, "critical", text, None, stay, payment.order_no)
    for order in stay.orders:
        if order.stage == "quarantined" and draft.at < order.placed + REMIND_MS:
            text = "PayBy's words did not match an order: it still waits for a person"
            draft.alert("payment-mismatch", "critical", text, order.lane, stay, order.no)
    for untold in stay.untold:
        if draft.at < untold.since + REMIND_MS:
            tell_untold(draft, stay, untold)


def alert_told(draft: Draft, event: AlertTold) -> None:
    """An alert that was owed has reached the broker."""
    stay = draft.stay(event.session)
    draft.put(replace(stay, untold=tuple(untold for untold in stay.untold if untold.code != event.code)))


def damaged(draft: Draft, event: Damaged) -> None:
    """Rule 9."""
    if not event.listed:
        doubt_all(draft)
    for order in event.orders:
        stay = draft.stay(order.session)
        if stay.order(order.no) is None:
            draft.put(replace(stay, orders=(*stay.orders, replace(order, doubtful=True))))
            if order.stage in OPEN:
                lane = draft.lane(order.lane)
                draft.put(replace(lane, open_sessions=(*lane.open_sessions, order.session)))


def doubt_all(draft: Draft, *, at_work: bool = False) -> None:
    """Rule 9: every visit ends, and nobody knows what became of the money. ``at_work``: not before a start, which tells
    by itself what waits for a person."""
    begin_series(draft)
    for known in draft.all_lanes():
        draft.put(replace(draft.lane(known.id), visit=None))
    for stay in sorted(draft.all_stays(), key=lambda stay: stay.session):  # in one order, whichever left memory
        known_so_far = draft.stay(stay.session)
        draft.put(_doubted(known_so_far))
        for payment in known_so_far.payments if at_work else ():
            if payment.holder in ("lift", "credit"):
                text = "paid, and the journal that was put back does not show what came of it: a person must decide"
                draft.alert("payment-doubtful", "critical", text, None, known_so_far, payment.order_no)


def _doubted(stay: Stay) -> Stay:
    """A stay about which the lost facts may have said more: its orders are closed, its lifts are given up, and a person
    decides about its payments. A refund that was asked for goes on under its number."""
    for payment in stay.payments:
        if payment.holder in ("lift", "credit"):
            stay = with_holder(stay, replace(payment, holder="person"))
        elif payment.holder == "raised":
            stay = with_holder(stay, replace(payment, until=0))
    orders = tuple(replace(o, stage="closing" if o.stage in OPEN else o.stage, doubtful=True) for o in stay.orders)
    return replace(stay, orders=orders, grants=(), lane=None)


def stay_failed(draft: Draft, event: StayFailed) -> None:
    """Rule 10."""
    stay = draft.stay(event.session)
    name = stay.lane
    draft.put(replace(_doubted(stay), lane=name))
    text = f"the program failed on a stay and does not know what came of it: {event.text}"
    draft.alert("stay-failed", "critical", text, name, stay)
    if name:
        call_help(draft, name, "refused")
