"""Refunds: who asks for one, and what PayBy says about it."""

from terminal.core import ids
from terminal.core.actions import PublishRefund
from terminal.core.events import RefundReported, RefundUnheard
from terminal.core.model import REFUND_ENDS, Holder, Payment, Stay, VisitRefund
from terminal.core.rules.billing import credited
from terminal.core.rules.draft import Draft
from terminal.core.rules.limits import ALERT_AFTER_UNHEARD
from terminal.core.rules.records import find_order, with_holder
from terminal.core.value import replace


def ask_refund(draft: Draft, stay: Stay, payment: Payment, amount: int, reason: str, by: str, cause: str) -> None:
    """Ask for a refund, whose number follows from ``cause``: the UUID of the command, or the order's number."""
    no = ids.refund_no(ids.derived_id(draft.at, "refund", cause) if ids.parse_order_no(cause) else cause)
    refund = VisitRefund(no, payment.order_no, amount, reason, by)
    holder: Holder = "lift" if payment.holder == "lift" else "refund"
    payment = replace(payment, holder=holder, refund_no=no)
    stay = replace(stay, refunds=(*stay.refunds, refund))
    draft.put(with_holder(stay, payment))
    draft.actions.append(PublishRefund(refund))
    draft.alert("refund", "info", f"a refund was asked for: {reason}", None, stay, payment.order_no)


def refund_reported(draft: Draft, event: RefundReported) -> None:
    """PayBy told, signed, a refund's status. It is answered in any case."""
    found = find_order(draft, event.order_no)
    refund = found[0].refund(event.refund_no) if found else None
    draft.reply("noted")
    if found is None or refund is None:
        text = "PayBy reports a refund that we did not ask for"
        draft.alert("refund-unknown", "warning", text, None, order_no=event.order_no)
        payment = found[0].payment(event.order_no) if found else None
        if found and payment and payment.holder == "credit" and event.stage in ("settled", "success"):
            draft.put(
                with_holder(found[0], replace(payment, holder="person"))
            )  # a person must see how much of it is left
        return
    told = replace(refund, stage=event.stage, unheard=0)
    match refund.stage, event.stage:
        case "settled" | "success", "failed":
            text = "PayBy had called a refund done and now calls it failed"
            draft.alert("refund-contradicted", "critical", text, None, found[0], refund.order_no)
        case "failed", "settled" | "success":
            text = "PayBy had called a refund failed and has now made it: do not give that money back again"
            draft.alert("refund-contradicted", "critical", text, None, found[0], refund.order_no)
            _refund_stage(draft, found[0], refund, told)
        case ("settled" | "success" | "failed") as ended, stage if (ended, stage) != ("settled", "success"):
            pass  # an older status that comes late
        case _:
            _refund_stage(draft, found[0], refund, told)


def _refund_stage(draft: Draft, stay: Stay, before: VisitRefund, refund: VisitRefund) -> None:
    refund = credited(draft, stay, refund)
    stay = replace(stay, refunds=tuple(refund if r.no == refund.no else r for r in stay.refunds))
    payment = stay.payment(refund.order_no)
    revived = before.stage == "failed" and payment is not None and payment.holder == "person"
    if payment and (payment.refund_no == refund.no or revived) and refund.stage in REFUND_ENDS:
        rest = stay.kept(payment) and not payment.raised and stay.left is None
        ended = replace(payment, holder="person" if refund.stage == "failed" or rest else "refunded", refund_no=None)
        stay = replace(stay, payments=tuple(ended if p is payment else p for p in stay.payments))
        if rest and refund.stage != "failed":
            text = "a part was given back: a person must decide about the rest"
            draft.alert("lift-unknown", "critical", text, None, stay, refund.order_no)
    if refund.stage == "failed":
        text = "PayBy will not make this refund: a person must give the money back"
        draft.alert("refund-failed", "critical", text, None, stay, refund.order_no)
    draft.put(stay)
    if stay.lane:
        draft.touch(stay.lane)
    if refund.stage != before.stage:
        draft.actions.append(PublishRefund(refund))


def refund_unheard(draft: Draft, event: RefundUnheard) -> None:
    """A call had an unknown outcome, or PayBy said that it will never make the refund."""
    found = find_order(draft, event.order_no)
    refund = found[0].refund(event.refund_no) if found else None
    if found is None or refund is None or refund.stage in REFUND_ENDS:
        return
    if event.final:
        _refund_stage(draft, found[0], refund, replace(refund, stage="failed"))
    elif refund.unheard < ALERT_AFTER_UNHEARD:
        _refund_stage(draft, found[0], refund, replace(refund, unheard=refund.unheard + 1))
        if refund.unheard + 1 == ALERT_AFTER_UNHEARD:
            text = f"PayBy does not answer about a refund ({event.code or event.text}); we keep asking"
            draft.alert("refund-silent", "critical", text, None, found[0], event.order_no)
