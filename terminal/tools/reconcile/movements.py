"""The day's payments and refunds: what became of each, and whether the statement agrees."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from terminal.core import money
from terminal.payby.messages import PAID_SUCCESS, REFUNDED, SETTLED
from terminal.tools.reconcile.facts import BAD, GOOD, OPEN, Index, places
from terminal.tools.reconcile.journals import PaidOrder, ReturnedRefund
from terminal.tools.reconcile.report import ReportLine
from terminal.tools.reconcile.statements import StatementEntry

DONE = (*REFUNDED, PAID_SUCCESS, SETTLED, "")
"""Statuses of a row whose money has moved; some versions leave it empty."""
IN_FLIGHT_MS = 10 * 60_000
"""A lift is answered, or given up, long before this."""


def payments(found: Index) -> Iterator[ReportLine]:
    """For every order that was paid on the day, according to us or PayBy: what it bought, and what does not match."""
    for no in found.today:
        yield from _payment(found, no)
    for stay in found.stays.values():
        yield from _twice(found, stay)


def refunds(found: Index) -> Iterator[ReportLine]:
    """For every refund that was asked for or ended on the day, or is in the statement."""
    for no, returned in found.records.refunds.items():
        rows = found.returns.get(no, [])
        if rows or returned.asked_ms in found.day or returned.ended_ms in found.day:
            yield from _refund(found, returned, rows)


def _payment(found: Index, no: str) -> Iterator[ReportLine]:
    order, paid, rows = found.records.orders[no], found.records.paid.get(no), found.rows.get(no, [])
    base = ReportLine("difference", False, None, "", order.lane, order.session, no, order.amount)
    if paid:
        yield _outcome(found, paid)
        if not rows:
            due = found.due(paid.paid_ms, paid.paid_ms)
            text = (
                "PayBy's statement does not have it"
                if due
                else "outside this statement: see the previous or next day's"
            )
            yield replace(base, kind="missing", explained=not due, at_ms=paid.paid_ms, text=text)
    else:
        text = f"the journal has this order as {order.stage}"
        yield replace(base, kind="unnoticed", at_ms=rows[0].at_ms, text=text, where=places(rows))
    yield from _unlike(found, base, rows, DONE, order.payby_no)
    if len(rows) > 1:
        base = replace(base, at_ms=rows[0].at_ms, where=places(rows))
        if len({row.payby_no for row in rows}) < len(rows):
            yield replace(base, text=f"listed {len(rows)} times")
        else:
            yield replace(base, kind="paid-twice", text=f"PayBy has {len(rows)} payments of this one order")


def _unlike(
    found: Index, base: ReportLine, rows: Sequence[StatementEntry], done: Sequence[str], payby_no: str = ""
) -> Iterator[ReportLine]:
    """A line for each difference of a row from ``base``."""
    payee = found.facts.payee_mid
    for row in rows:
        line = replace(base, at_ms=row.at_ms, where=row.where)
        if row.fils is not None and row.fils != base.fils:
            apart = row.fils - (base.fils or 0)
            text = f"{base.text}the statement has {money.text(abs(apart))} {'more' if apart > 0 else 'less'}"
            yield replace(line, said_fils=row.fils, text=text)
        if row.currency not in ("AED", ""):
            yield replace(line, text=f"{base.text}currency {row.currency}")
        if row.status not in done:
            yield replace(line, text=f"{base.text}status {row.status}")
        if payby_no and row.payby_no not in (payby_no, ""):
            yield replace(line, text=f"{base.text}PayBy's number is {row.payby_no}, and was {payby_no}")
        if payee and row.payee_mid not in (payee, ""):
            yield replace(line, text=f"{base.text}payee {row.payee_mid} instead of {payee}")


def _outcome(found: Index, paid: PaidOrder) -> ReportLine:
    """What a payment bought: a raise, its money back, or nothing yet."""
    order, payment = paid.order, paid.payment
    line = ReportLine(
        "paid-not-opened", True, paid.paid_ms, "", order.lane, order.session, order.no, payment.amount,
        where=found.where(order.no),
    )  # fmt: skip
    given = found.given(order.no)
    if raised := found.raised.get(order.no):
        text = f"{len(raised)} raises" if len(raised) > 1 else ""
        if raised[0].reason == "operator":
            text = ": ".join(filter(None, ("let out by an operator", raised[0].note)))
        return replace(line, kind="paid-opened", text=text, by=raised[0].by)
    if given >= payment.amount:
        return replace(line, kind="paid-refunded", text="refunded")
    if given + found.given(order.no, OPEN) >= payment.amount:
        return replace(line, text="its refund is under way")
    if payment.holder == "credit" and found.facts.now_ms < payment.until:
        return replace(line, text=f"credit for its ticket until {found.day.shown(payment.until)}")
    if payment.holder == "used":
        return replace(line, kind="paid-opened", text="left under another's raise, or under an open arm")
    if payment.holder == "lift" and found.facts.now_ms < payment.paid + IN_FLIGHT_MS:
        return replace(line, text="its lift is under way")
    text = f"no raise, and no refund that ended (the payment's holder: {payment.holder})"
    if found.unsure.get(order.no):
        text = "the barrier does not know whether it raised the boom"
    elif payment.holder == "raised":
        text = "the worker counted it as raised, but no journal here holds the raise"
    return replace(line, explained=False, text=text)


def _twice(found: Index, stay: Sequence[PaidOrder]) -> Iterator[ReportLine]:
    """Only one of a stay's payments may be kept."""
    kept = sum(found.given(p.order.no, GOOD + OPEN) < p.payment.amount for p in stay)
    fate = "one is kept" if kept == 1 else f"{kept} are kept"
    for number, paid in enumerate(stay, 1):
        order = paid.order
        if number > 1 and order.no in found.today:
            yield ReportLine(
                "paid-twice",
                kept < 2,
                paid.paid_ms,
                f"payment {number} of {len(stay)} of this stay; {fate}",
                order.lane,
                order.session,
                order.no,
                order.amount,
                where=found.where(order.no),
            )


def _refund(found: Index, returned: ReturnedRefund, rows: Sequence[StatementEntry]) -> Iterator[ReportLine]:
    refund = returned.refund
    order, raised = found.records.orders[refund.order_no], found.raised.get(refund.order_no)
    at = returned.ended_ms or returned.asked_ms
    base = ReportLine(
        "refund", True, at, f"{refund.no}: ", order.lane, order.session, order.no, refund.amount, by=refund.by
    )
    text, explained = f"{refund.no} {refund.stage}: {refund.reason}", True
    if refund.stage in BAD:
        again = found.given(order.no, GOOD + OPEN) >= refund.amount
        explained = again or bool(raised)
        text += (
            "; refunded under another number"
            if again
            else "; PayBy will not make it: a person must give the money back"
        )
    elif refund.by == "worker" and raised:
        text, explained = f"{text}; yet the boom rose for it", False
    yield replace(base, text=text, explained=explained, where=places(rows))
    wrong = replace(base, kind="difference", explained=False)
    if refund.stage in GOOD and not rows:
        due = found.due(returned.asked_ms, at)
        fate = (
            "PayBy's statement does not have this refund"
            if due
            else "it may be in the previous or next day's statement"
        )
        yield replace(wrong, kind="missing", explained=not due, text=base.text + fate)
    if refund.stage in BAD and rows:
        yield replace(wrong, text=f"{base.text}failed here, and in the statement", where=places(rows))
    for row in rows:
        if row.origin_no not in (order.no, ""):
            yield replace(wrong, text=f"{base.text}of order {row.origin_no} in the statement", where=row.where)
    yield from _unlike(found, wrong, rows, (*DONE, "CREATED") if refund.stage in OPEN else DONE)
    if len(rows) > 1:
        yield replace(wrong, text=f"{base.text}listed {len(rows)} times", where=places(rows))
