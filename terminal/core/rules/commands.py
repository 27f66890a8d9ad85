"""An operator's commands, each obeyed once."""

from terminal.core.events import CommandGiven
from terminal.core.model import HOLD_MS, OPEN, SpentCommand
from terminal.core.rules.draft import Draft
from terminal.core.rules.records import find_order, with_holder
from terminal.core.rules.refunds import ask_refund
from terminal.core.rules.visits import end_visit
from terminal.core.value import replace


def command_given(draft: Draft, event: CommandGiven) -> None:
    """Obey a command once; a repetition gets the first one's answer."""
    lane = draft.lane(event.lane)
    if spent := next((s for s in lane.spent if s.id == event.id), None):
        draft.reply(spent.outcome, spent.why)
        return
    why = _obey(draft, event)
    lane = draft.lane(event.lane)
    answer = SpentCommand(event.id, event.not_after, "refused" if why else "done", why)
    kept = tuple(s for s in lane.spent if s.not_after + HOLD_MS > draft.at)
    draft.put(replace(lane, spent=(*kept, answer)))
    draft.reply(answer.outcome, why)


def _obey(draft: Draft, event: CommandGiven) -> str:
    """Do what is asked; returns why not, or an empty text."""
    lane = draft.lane(event.lane)
    visit = lane.visit
    match event.command:
        case "close-lane" | "open-lane":
            closed = event.command == "close-lane"
            draft.put(replace(lane, closed=closed, boom_fault=lane.boom_fault and closed))
            if closed:
                draft.alert_until_cleared("lane-closed", "info", f"closed by {event.by}", lane.id)
            else:
                draft.clear("lane-closed", f"opened by {event.by}", lane.id)
            return ""
        case "reset" if visit and visit.fee.session == event.session:
            end_visit(draft, lane.id)
            return ""
        case "cancel" if visit and event.order_no and visit.order_no == event.order_no:
            order = draft.stay(visit.fee.session).order(event.order_no)
            if order and order.stage in OPEN:
                end_visit(draft, lane.id)
                return ""
            return "that order is no longer open"
        case "refund":
            return _obey_refund(draft, event)
        case "keep" | "let-go":
            return _decide(draft, event)
        case _:
            return "that visit is over"


def _decide(draft: Draft, event: CommandGiven) -> str:
    """A person has decided about a payment that waited for it: it is kept, or it is credit once more, by which its own
    car may still leave. Whether that may lift is judged by the same rules as for any credit."""
    found = find_order(draft, event.order_no) if event.order_no else None
    payment = found[0].payment(event.order_no) if found else None
    if found is None or payment is None:
        return "no payment is known for that order"
    if payment.holder != "person":
        return "that payment does not wait for a person"
    stay = found[0]
    if event.command == "keep":
        draft.put(with_holder(stay, replace(payment, holder="used")))
        return ""
    if stay.left is not None or payment.raised:
        return "that car has left, or the boom has risen for it"
    if stay.unasked(payment) != payment.amount:
        return "a part of that payment was given back"
    until = draft.at + draft.rules.exit_grace
    draft.put(with_holder(stay, replace(payment, holder="credit", unknown=False, until=until)))
    if stay.lane:
        draft.touch(stay.lane)
    return ""


def _obey_refund(draft: Draft, event: CommandGiven) -> str:
    found = find_order(draft, event.order_no) if event.order_no else None
    payment = found[0].payment(event.order_no) if found else None
    if found is None or payment is None:
        return "no payment is known for that order"
    if payment.refund_no:
        return "a refund of that order is under way"
    most = found[0].unasked(payment)
    amount = most if event.amount is None else event.amount
    if not 0 < amount <= most:
        return "the amount is more than is left of the payment"
    ask_refund(draft, found[0], payment, amount, event.reason or "operator", event.by, event.id)
    return ""
