"""Rules 3, 4, 6 and 7: what PayBy says of an order, and what a payment does."""

from terminal.core.alert_codes import RuleAlertCode
from terminal.core.events import OrderDenied, OrderReported, OrderScanned, OrderUnheard
from terminal.core.model import OPEN, Payment, Stay, Visit, VisitOrder
from terminal.core.rules.billing import billed
from terminal.core.rules.draft import Draft
from terminal.core.rules.lifts import grant_lift, lift_reason
from terminal.core.rules.limits import ALERT_AFTER_UNHEARD, EXPIRY_REFUSED, NUMBER_TAKEN
from terminal.core.rules.records import car_waits, find_order, loops_unheard, may_lift
from terminal.core.rules.refunds import ask_refund
from terminal.core.rules.visits import call_help, set_phase, set_stage
from terminal.core.value import replace


def order_reported(draft: Draft, event: OrderReported) -> None:
    """PayBy told, signed, an order's status. It is answered in any case."""
    found = find_order(draft, event.order_no)
    if found is None:
        if event.status == "PAID":
            text = "PayBy reports a payment for an order that we never placed"
            draft.alert("payment-unknown", "critical", text, None, order_no=event.order_no)
        draft.reply("refused", "no such order")
        return
    stay, order = found
    if wrong := event.wrong or _misfit(order, event):
        _misreported(draft, stay, order, event, wrong)
        return
    # That an order is still open does not make up for failed calls to place or close it.
    if event.status != "CREATED" or order.stage == "created" or (order.stage == "placing" and event.token_url):
        order = _heard_again(draft, order)
    payby_no = order.payby_no or event.payby_no
    match event.status, order.stage:
        case "PAID", "paid":
            draft.reply("duplicate")
        case "PAID", "quarantined":
            draft.reply("refused", "quarantined")
        case "PAID", _:
            set_stage(draft, replace(order, payby_no=payby_no), "paid")
            _paid(draft, order, event)
        case "CREATED", "placing":
            token = event.token_url or order.token_url
            order = replace(order, payby_no=payby_no, token_url=token)
            set_stage(draft, order, "created" if token else "placing")
            draft.reply("noted")
        case "FAILURE", "placing" | "created" | "closing":
            set_stage(draft, replace(order, payby_no=payby_no), "closed")
            if order.scanned:
                text = f"a phone read the code, and nobody paid: {order.scanned_by or 'PayBy does not say whose'}"
                draft.alert("scanned-unpaid", "info", text, order.lane, stay, order.no)
            draft.reply("noted")
        case "FAILURE", "paid":
            text = "PayBy had reported an order as paid and now reports it as failed"
            draft.alert("paid-then-failed", "critical", text, order.lane, stay, order.no)
            draft.reply("noted")
        case "OTHER", _:
            text = "PayBy reports a status that no DYNQR order should have"
            draft.alert("payment-status", "warning", text, order.lane, stay, order.no)
            draft.reply("refused", "status")
        case _:
            draft.reply("noted")


def order_scanned(draft: Draft, event: OrderScanned) -> None:
    """A phone has read the code on the screen."""
    found = find_order(draft, event.order_no)
    if found and found[1].stage == "created" and not found[1].scanned:
        set_stage(draft, replace(found[1], scanned=True, scanned_by=event.payer), "created")


def extend_order(draft: Draft, order: VisitOrder, visit: Visit) -> bool:
    """Rule 3: does the driver who scanned it get more time to confirm?"""
    more = draft.rules.scanned_more
    late = draft.at >= order.expires + more
    if late or not order.scanned or order.extended or order.stage != "created" or visit.phase != "paying":
        return False
    expires, payby_expires = order.expires + more, order.payby_expires + more
    set_stage(draft, replace(order, expires=expires, payby_expires=payby_expires, extended=True), "created")
    return True


def _heard_again(draft: Draft, order: VisitOrder) -> VisitOrder:
    if order.unheard >= ALERT_AFTER_UNHEARD:
        draft.clear("payby-silent", "PayBy answers again", order.lane)
    return set_stage(draft, replace(order, unheard=0), order.stage) if order.unheard else order


def _misfit(order: VisitOrder, event: OrderReported) -> str:
    if event.amount != order.amount:
        return f"amount is {event.amount} fils, but the order's is {order.amount}"
    if order.payby_no and event.payby_no and event.payby_no != order.payby_no:
        return "orderNo is not the one that PayBy gave this order"
    return ""


def _misreported(draft: Draft, stay: Stay, order: VisitOrder, event: OrderReported, wrong: str) -> None:
    """Rule 7. A notification alone decides nothing more (the query goes on); PayBy's answer to us ends the order."""
    text = f"PayBy's words do not match the order: {wrong}"
    draft.alert("payment-mismatch", "critical", text, order.lane, stay, order.no)
    draft.reply("refused", wrong)
    if event.status == "PAID" and not event.notified and order.stage in OPEN:
        set_stage(draft, order, "quarantined")
        lane = draft.lane(order.lane)
        if lane.visit and lane.visit.order_no == order.no:
            call_help(draft, lane.id, "refused")


def _paid(draft: Draft, order: VisitOrder, event: OrderReported) -> None:
    """Rule 6."""
    stay = draft.stay(order.session)
    standing = [p for p in stay.payments if stay.unasked(p)]
    payment = Payment(order.no, order.amount, draft.at, event.proof, "credit", until=draft.at + draft.rules.exit_grace)
    if order.doubtful:
        payment = replace(payment, holder="person")
    payment = billed(draft, payment)
    draft.put(replace(stay, payments=(*stay.payments, payment)))
    stay = draft.stay(order.session)
    if order.doubtful:
        text = "paid, and the damaged journal no longer shows whether the car was let out: a person must decide"
        draft.alert("payment-doubtful", "critical", text, order.lane, stay, order.no)
        draft.reply("late", "a person decides")
        return
    if standing:
        draft.alert(
            "paid-twice",
            "critical",
            "a stay was paid twice: the second payment is refunded",
            order.lane,
            stay,
            order.no,
        )
        ask_refund(draft, stay, payment, payment.amount, "paid twice", "worker", order.no)
        draft.reply("late", "paid twice; it is refunded")
        return
    lane = draft.lane(stay.lane) if stay.lane else None
    visit = lane.visit if lane else None
    may = visit is not None and may_lift(draft, stay, visit.car)
    if lane and visit and may and visit.phase != "leaving" and car_waits(draft, lane, visit):
        if not loops_unheard(draft, lane, visit):
            grant_lift(draft, lane.id, lift_reason(lane.id, stay, payment), payment)
        draft.reply("lifting")
        return
    text, why = _lateness(stay)
    draft.alert("late-payment", "warning", text, order.lane, stay, order.no)
    draft.reply("late", why)


def _lateness(stay: Stay) -> tuple[str, str]:
    """What becomes of a payment whose vehicle is gone (rules/deadlines): for the alert, and for the receipt."""
    if stay.slipped_out:
        return (
            "paid after its vehicle had left without a raise of its own: the payment is kept and the ticket is used",
            "its vehicle has left; the payment is kept",
        )
    if stay.left is not None or stay.perhaps_left:
        return (
            "paid after its vehicle left, or may have left: a person must decide when the exit grace ends",
            "its vehicle may have left; a person decides",
        )
    return (
        "paid after its vehicle was gone: its ticket has credit until the exit grace ends, then the money is refunded",
        "its vehicle is gone; the ticket has credit",
    )


def order_unheard(draft: Draft, event: OrderUnheard) -> None:
    """A call had an unknown outcome; a person is told of the fourth in a row."""
    found = find_order(draft, event.order_no)
    if found is None or found[1].unheard >= ALERT_AFTER_UNHEARD:
        return
    stay, order = found
    order = set_stage(draft, replace(order, unheard=order.unheard + 1), order.stage)
    if order.unheard == ALERT_AFTER_UNHEARD:
        text = f"PayBy does not answer ({event.call}: {event.text})"
        draft.alert_until_cleared("payby-silent", "critical", text, order.lane, stay, order.no)


def _has_paid(visit: Visit) -> bool:
    """Does its driver leave by another payment, or did that fail? He hears nothing of an order that goes."""
    return visit.phase == "leaving" or (visit.phase == "helping" and visit.lifts > 0)


def order_denied(draft: Draft, event: OrderDenied) -> None:
    """PayBy refused a call: the order ends, or is closed under the same number, if the refusal is signed."""
    found = find_order(draft, event.order_no)
    if found is None or found[1].stage not in OPEN:
        return
    stay, order = found
    text = f"PayBy refused {event.call}: {event.code} {event.text}"
    mine = draft.lane(order.lane).visit
    current = mine is not None and mine.order_no == order.no and not _has_paid(mine)
    placing = order.stage == "placing" and (event.call == "placeOrder" or not event.unsigned)
    match event.kind:
        case "dead":
            set_stage(draft, _heard_again(draft, order), "closed")
        case "unknown":
            # If the order's code was shown, PayBy must also say that it has nothing to cancel.
            if order.stage == "closing" and (not order.token_url or event.call == "cancelOrder"):
                set_stage(draft, _heard_again(draft, order), "closed")
            elif order.token_url:
                draft.alert_until_cleared("payby-forgot", "critical", text, order.lane, stay, order.no)
        case "refused" | "unauthorised":
            code: RuleAlertCode = "payby-refused" if event.kind == "refused" else "payby-unauthorised"
            draft.alert(code, "critical", text, order.lane, stay, order.no)
            if event.call == "placeOrder" and (placing or not event.unsigned):
                set_stage(draft, order, "closing" if event.unsigned else "failed")
                if current:
                    call_help(draft, order.lane, "refused")
        case "mistake":
            # Our clock may be wrong without our knowing it; PayBy's answer tells, and the next order uses its time.
            ahead = event.code in EXPIRY_REFUSED and placing
            code = "payby-clock" if ahead else "payby-mistake"
            draft.alert(code, "critical", text, order.lane, stay, order.no)
            if placing:
                # PayBy may have that number with other parameters: an order that a damaged journal lost.
                doubtful = order.doubtful or event.code == NUMBER_TAKEN
                set_stage(draft, replace(order, doubtful=doubtful), "closing")
                if current and ahead:
                    set_phase(draft, order.lane, "reordering")
                elif current:
                    call_help(draft, order.lane, "refused")
        case _:  # our clock
            draft.alert_until_cleared("payby-clock", "critical", text, order.lane, stay, order.no)
