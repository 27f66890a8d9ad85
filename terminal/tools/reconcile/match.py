"""Matches the statement, the worker's journal and the arms' raises: data in, report out.

Whatever no rule here explains is unexplained.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from terminal.core.ids import parse_order_no
from terminal.payby.statement_reader import StatementKind
from terminal.tools.reconcile.facts import Facts, Index, places
from terminal.tools.reconcile.journals import ChargedBack, Opening
from terminal.tools.reconcile.movements import payments, refunds
from terminal.tools.reconcile.report import LineKind, Report, ReportLine, hours
from terminal.tools.reconcile.statements import StatementEntry, StatementFlaw

_TEST_ORDER = re.compile(r"check-[0-9a-f]{32}")
_OPENED: Mapping[str, LineKind] = {"free": "opened-free", "operator": "opened-operator", "forced": "opened-forced"}


def match(facts: Facts, notes: Sequence[str] = (), flaws: Sequence[StatementFlaw] = ()) -> Report:
    """A day's report; ``notes`` and ``flaws`` are what else was found while reading."""
    found = Index(facts)
    lines = [
        *payments(found),
        *refunds(found),
        *_strangers(found),
        *_chargebacks(found),
        *_raises(found),
        *_followers(found),
    ]
    lines.sort(key=lambda line: (line.at_ms is None, line.at_ms or 0))
    papers = facts.papers
    return Report(
        facts.garage,
        facts.day,
        papers.files,
        tuple(lines),
        (*papers.flaws, *flaws, *_wrong_day(facts)),
        (*papers.notes, *notes),
        found.sums(),
        hours(facts.day, lines, [(o.at_ms, o.reason) for o in facts.openings if o.sure]),
    )


def _wrong_day(facts: Facts) -> Iterator[StatementFlaw]:
    day, periods = facts.day, facts.papers.periods
    if periods and not any(start < day.end_ms and day.start_ms < end for start, end in periods):
        start, end = (day.local(at) for at in periods[0])
        yield StatementFlaw("statement", f"for another day: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}")


# -- what the statement has and we do not ----------------------------------------------------------------------------


def _strangers(found: Index) -> Iterator[ReportLine]:
    orders, refunds = found.records.orders, found.records.refunds
    told = found.rows.keys() | found.returns.keys() | orders.keys() | refunds.keys()
    for no, rows in found.rows.items():
        yield from (_stranger(found, row) for row in rows if no not in orders)
    for no, rows in found.returns.items():
        yield from (_stranger(found, row) for row in rows if no not in refunds)
    for row in found.rest:
        if row.kind is StatementKind.TRANSACTIONS:
            line = replace(_stranger(found, row), text=f"a transaction of type {row.transaction or 'none'}")
            yield replace(line, kind="difference") if row.order_no in orders else line
        elif row.transaction in ("PAYMENT", "REFUND") and row.order_no not in told:
            yield _stranger(found, row)


def _stranger(found: Index, row: StatementEntry) -> ReportLine:
    refund = row.transaction == "REFUND"
    about = row.origin_no if refund else row.order_no
    line = ReportLine(
        "not-ours", False, row.at_ms, "not one of our order numbers", "", "", about, row.fils, where=row.where
    )
    order, name = found.records.orders.get(about), parse_order_no(about)
    if refund and order:
        line = replace(line, lane=order.lane, session=order.session)
        made = found.facts.listed.get(row.order_no)
        if made and made.origin_merchant_order_no == about and made.status != "FAILURE":
            return replace(line, kind="refund", explained=True, text=f"{row.order_no}, made in PayBy's portal")
        return replace(line, text=f"refund {row.order_no} was not asked for here")
    if name and name.garage != found.facts.garage:
        return replace(line, kind="elsewhere", explained=True, text=f"of garage {name.garage}")
    if _TEST_ORDER.fullmatch(about):
        return replace(line, kind="elsewhere", explained=True, text="a test order of `check --order`")
    if name:
        text = "an order number of this garage, but its journal does not hold it"
        return replace(line, text=text, lane=name.lane, session=name.session)
    return line


# -- what a payer's bank took back -------------------------------------------------------------------------------------


def _chargebacks(found: Index) -> Iterator[ReportLine]:
    """Each order whose money was taken back, by PayBy's notification of the day or by the statement."""
    told: dict[str, list[ChargedBack]] = defaultdict(list)
    for one in found.records.chargebacks:
        told[one.order_no].append(one)
    today = [no for no, all_ in told.items() if any(one.at_ms in found.day for one in all_)]
    for no in dict.fromkeys([*today, *found.taken]):
        yield _chargeback(found, no, told.get(no, []), found.taken.get(no, []))


def _chargeback(found: Index, no: str, told: Sequence[ChargedBack], rows: Sequence[StatementEntry]) -> ReportLine:
    order, name = found.records.orders.get(no), parse_order_no(no)
    lane, session = (order.lane, order.session) if order else (name.lane, name.session) if name else ("", "")
    said, listed = sum(one.fils or 0 for one in told), sum(row.fils or 0 for row in rows)
    at_ms = rows[0].at_ms if rows else told[-1].at_ms
    case = ", ".join(dict.fromkeys(one.case for one in told if one.case))
    line = ReportLine("chargeback", True, at_ms, case, lane, session, no, said if told else listed, where=places(rows))
    if name and name.garage != found.facts.garage:
        return replace(line, text=f"of garage {name.garage}")
    if not told:
        return replace(line, explained=False, text="in the statement, but PayBy did not notify us of it")
    if rows and said != listed:
        return replace(line, explained=False, said_fils=listed, text=f"{case}: the statement has another amount")
    return line if rows else replace(line, text=f"{case}; the statement of another day has it")


# -- raises ----------------------------------------------------------------------------------------------------------


def _raises(found: Index) -> Iterator[ReportLine]:
    """The day's raises that no `paid-opened` covers."""
    for opening in found.facts.openings:
        if opening.at_ms in found.day and (line := _raise(found, opening)):
            yield line


def _raise(found: Index, opening: Opening) -> ReportLine | None:
    kind = _OPENED.get(opening.reason, "opened-unexplained")
    line = ReportLine(
        kind, True, opening.at_ms, opening.note, opening.lane, opening.session, opening.order_no, by=opening.by
    )
    paid = found.records.paid.get(opening.order_no)
    if not opening.sure:
        return replace(line, kind="opened-unsure", explained=_settled(found, opening), text=opening.odd)
    if opening.odd:
        return replace(line, explained=False, text=opening.odd)
    if paid:
        raised = found.raised[opening.order_no]
        if opening is raised[0] and opening.order_no in found.today:
            return None
        text = f"raise {raised.index(opening) + 1} for what was paid at {found.day.shown(paid.paid_ms)}"
        return replace(line, kind="opened-credit", text=text, fils=paid.payment.amount)
    if opening.reason in ("paid", "credit"):
        return replace(line, explained=False, text="for an order that is not paid here")
    if opening.reason == "free" and (fee := found.records.fees.get(opening.session)) and fee.minutes is not None:
        return replace(line, text=f"a stay of {fee.minutes} min")
    return line


def _settled(found: Index, opening: Opening) -> bool:
    """Did the payment of a lift with an unknown outcome end in another way?"""
    paid = found.records.paid.get(opening.order_no)
    if paid is None:
        return False
    return bool(found.raised.get(opening.order_no)) or found.given(opening.order_no) >= paid.payment.amount


def _followers(found: Index) -> Iterator[ReportLine]:
    for seen in found.records.followed:
        if seen.at_ms in found.day:
            yield ReportLine("followed", True, seen.at_ms, "a vehicle passed under another one's raise", seen.lane)
