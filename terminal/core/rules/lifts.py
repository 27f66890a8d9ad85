"""Rules 5, 8 and 12: a lift is granted, signed anew and answered, and its payment passes on."""

from typing import Literal

from terminal.core import ids
from terminal.core.events import LiftAnswered
from terminal.core.model import GivenLift, Grant, GrantReason, Payment, Stay
from terminal.core.rules.draft import Draft
from terminal.core.rules.limits import ALERT_AFTER_SIGNED, MAX_SIGNED, REMEMBERED_LIFTS
from terminal.core.rules.records import linger, with_holder, with_outcome
from terminal.core.rules.visits import call_help, set_stage
from terminal.core.value import replace


def lift_reason(lane: str, stay: Stay, payment: Payment) -> GrantReason:
    """`paid` spends an order's number at its own lane, once; everything else is `credit`."""
    order = stay.order(payment.order_no)
    return "paid" if order and order.lane == lane and payment.grant is None else "credit"


def grant_lift(draft: Draft, name: str, reason: GrantReason, payment: Payment | None) -> None:
    """Grant another lift for the lane's visit, by this payment if any; an order that is still open is closed."""
    lane = draft.lane(name)
    visit = lane.visit
    assert visit is not None
    stay = draft.stay(visit.fee.session)
    car = visit.car if lane.vehicle else None  # while loops speak, only the car that the ticket was read for
    rules = draft.rules
    lift = ids.lift_id(draft.at, rules.mark, rules.garage, name, stay.session, reason, str(stay.lifts + 1))
    number = payment.order_no if payment else None
    grant = Grant(
        lift,
        name,
        stay.session,
        car,
        reason,
        draft.at + (rules.lift if car else rules.lift_unknown_car),
        number,
        payment.amount if payment else None,
    )
    given = GivenLift(lift, name, visit.car, number)
    stay = replace(stay, grants=(*stay.grants, grant), given=(*stay.given, given))
    if payment:
        stay = with_holder(stay, replace(payment, holder="lift", grant=lift))
    draft.put(stay)
    visit = replace(
        visit,
        phase="leaving",
        since=draft.at,
        grant=lift,
        lifts=visit.lifts + 1,
        raised=False,
        was_up=False,
        reason="",
        waits_until=linger(draft, visit),
    )
    draft.put(replace(lane, visit=visit, lifts=(*lane.lifts, lift)[-REMEMBERED_LIFTS:]))
    order = stay.order(visit.order_no)
    if order and order.stage in ("placing", "created"):
        set_stage(draft, order, "closing")


def lift_answered(draft: Draft, event: LiftAnswered) -> None:
    """The barrier's answer; it counts only for a lift of its own lane that has not raised."""
    stay = draft.stay(event.session)
    given, grant = stay.lift(event.lift), stay.grant(event.lift)
    if given is None or given.lane != event.lane or given.outcome == "raised":
        return
    if event.outcome == "raised":
        lift_raised(draft, stay, given)
        return
    if grant is None or grant.overdue:
        _answered_late(draft, stay, given, event)
        return
    match event.outcome, event.why:
        case "refused", "busy":
            pass  # unspent: it is repeated until the arm is down
        case "refused", "signature" | "proof":
            # Anybody who can publish a lift can provoke this answer for an id of ours; our own lift may still raise.
            what = "its signature" if event.why == "signature" else "its proof"
            text = f"the barrier refused a lift that bears an id of ours: {what} is wrong"
            draft.alert("lift-refused", "critical", text, grant.lane, stay, grant.order_no)
        case "refused", "expired" | "too-far":  # the copy that was answered, perhaps not the last one
            visit = draft.lane(grant.lane).visit
            current = visit is not None and visit.grant == grant.id  # for a free stay, another lift may have followed
            if current and not grant.dropped and grant.signed < MAX_SIGNED:
                renew_lift(draft, stay, grant)
        case "refused", "journal":
            _unwritten(draft, stay, grant)
        case "unknown", _:
            _unknown(draft, stay, grant)
        case _:
            _not_raised(draft, stay, grant, event.why)


def _answered_late(draft: Draft, stay: Stay, given: GivenLift, event: LiftAnswered) -> None:
    """A lift was answered after its payment had passed on. A lift that was never spent and is no longer valid did not
    raise. If the barrier does not know, a person must decide about credit that is still there."""
    if event.outcome == "refused":
        if event.why in ("expired", "spent") and given.outcome == "":
            draft.put(with_outcome(stay, given.id, "refused"))
        return
    draft.put(with_outcome(stay, given.id, "unknown"))
    if stay.lane:
        draft.touch(stay.lane)
    payment = stay.payment(given.order_no)
    if payment is None or payment.holder in ("person", "raised"):
        return
    text = f"the boom may have risen for a payment that has since passed on (now: {payment.holder})"
    draft.alert("lift-unknown", "critical", text, given.lane, stay, payment.order_no)
    if payment.holder == "credit":
        draft.put(with_holder(draft.stay(stay.session), replace(payment, holder="person", unknown=True)))


def lift_raised(draft: Draft, stay: Stay, given: GivenLift) -> None:
    """A lift raised the boom, as the barrier's answer or its state tells; whatever has become of the stay since."""
    if given.outcome == "raised":
        return
    grant = stay.grant(given.id)
    stay = replace(with_outcome(stay, given.id, "raised"), unpassed=False)
    payment = stay.payment(given.order_no)
    if payment:
        stay = _raised_for(draft, stay, payment, given)
    lane = draft.lane(given.lane)
    if grant or (lane.boom and lane.boom.state != "down"):
        lane = replace(lane, risen_for=stay.session, passages=0)
        draft.put(lane)
    visit = lane.visit
    if visit and visit.grant == given.id and visit.fee.session == stay.session:
        up = lane.boom is not None and lane.boom.state in ("rising", "up")
        visit = replace(visit, phase="leaving", reason="", raised=True, was_up=up, since=draft.at)
        draft.put(replace(lane, visit=visit))
    elif stay.lane is None:
        stay = replace(stay, left=stay.left or draft.at)  # it rose after its visit had ended: the ticket is used
    draft.put(stay)
    if stay.lane:
        draft.touch(stay.lane)


def _raised_for(draft: Draft, stay: Stay, payment: Payment, given: GivenLift) -> Stay:
    """The payment has raised the boom and is used, unless its money is on its way back or another lift holds it."""
    if payment.holder == "lift" and payment.grant == given.id:
        return with_holder(stay, replace(payment, holder="raised", raised=given.id))
    twice = payment.raised is not None
    text = f"the boom had risen for a payment that has since passed on (now: {payment.holder})"
    text = "the boom rose a second time for one payment, at another time or lane" if twice else text
    draft.alert("raised-late", "critical", text, given.lane, stay, payment.order_no)
    if payment.holder in ("credit", "person"):  # nor does what a person was asked to decide lift by itself
        until = payment.until if payment.holder == "credit" else 0
        payment = replace(payment, holder="raised", grant=given.id, until=until)
    return with_holder(stay, replace(payment, raised=given.id))


def _unknown(draft: Draft, stay: Stay, grant: Grant) -> None:
    """The barrier meant to raise the boom and does not know whether it did."""
    boom, given = draft.lane(grant.lane).boom, stay.lift(grant.id)
    if given and boom and boom.state in ("rising", "up") and boom.lift in (None, grant.id):
        lift_raised(draft, stay, given)
        return
    draft.alert(
        "lift-unknown",
        "critical",
        "the barrier does not know whether it raised the boom",
        grant.lane,
        stay,
        grant.order_no,
    )
    _pass_on(draft, stay, grant, "person")


def _unwritten(draft: Draft, stay: Stay, grant: Grant) -> None:
    """The barrier cannot write its journal, so it cannot promise to refuse the next copy too: the payment is held until
    no copy is valid any more."""
    draft.alert(
        "lift-refused",
        "critical",
        "the barrier refused a lift because it cannot write its journal",
        grant.lane,
        stay,
        grant.order_no,
    )
    visit = draft.lane(grant.lane).visit
    if visit and visit.grant == grant.id and visit.phase == "leaving":
        call_help(draft, grant.lane, "barrier")


def _not_raised(draft: Draft, stay: Stay, grant: Grant, why: str) -> None:
    text = f"the barrier refused a lift: {why}"
    draft.alert("lift-refused", "warning", text, grant.lane, stay, grant.order_no)
    _pass_on(draft, stay, grant, "credit")


def _pass_on(draft: Draft, stay: Stay, grant: Grant, holder: Literal["credit", "person"]) -> None:
    """The grant is over and nobody saw a raise. Its payment becomes ``credit`` (it was refused) or goes to a ``person``
    (nobody knows), unless an earlier lift had raised for it, or may have."""
    stay = with_outcome(stay, grant.id, "refused" if holder == "credit" else "unknown")
    draft.put(let_go(draft, stay, grant, holder))
    lane = draft.lane(grant.lane)
    if lane.visit and lane.visit.grant == grant.id:
        draft.put(replace(lane, visit=replace(lane.visit, since=draft.at)))
    if stay.lane:
        draft.touch(stay.lane)


def let_go(draft: Draft, stay: Stay, grant: Grant, holder: Literal["credit", "person"]) -> Stay:
    """The stay, with the payment that this lift held passed to its next holder; the draft is not changed."""
    payment = stay.payment(grant.order_no)
    if payment is None or payment.grant != grant.id or payment.holder != "lift":
        return stay
    if holder == "credit" and payment.raised:
        payment = replace(payment, holder="raised", grant=payment.raised)
    elif holder == "person" or payment.unknown:
        payment = replace(payment, holder="person", unknown=True)
    else:
        payment = replace(payment, holder="credit", until=draft.at + draft.rules.exit_grace)
    return with_holder(stay, payment)


def renew_lift(draft: Draft, stay: Stay, grant: Grant) -> None:
    """Have it signed once more, with a later deadline."""
    ahead = draft.rules.lift if grant.car else draft.rules.lift_unknown_car
    grant = replace(grant, not_after=draft.at + ahead, signed=grant.signed + 1)
    draft.put(replace(stay, grants=tuple(grant if g.id == grant.id else g for g in stay.grants)))
    if grant.signed == ALERT_AFTER_SIGNED:
        draft.alert(
            "lift-unanswered", "critical", "the barrier does not answer a lift", grant.lane, stay, grant.order_no
        )
