"""What is matched, and its indexes. Everything is matched by number, never by time; time only says what belongs to the
day, and what must be in its statement."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from terminal.payby.messages import RefundOrder
from terminal.payby.statement_reader import StatementKind
from terminal.tools.reconcile.journals import Opening, PaidOrder, ReturnedRefund, WorkerRecords
from terminal.tools.reconcile.report import CalendarDay, Sums
from terminal.tools.reconcile.statements import StatementDay, StatementEntry

GOOD, BAD, OPEN = ("settled", "success"), ("failed",), ("asked", "created")
"""What a refund's stages mean."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is matched. ``now_ms``: when the journals were read. ``payee_mid`` empty: it is not compared."""

    garage: str
    day: CalendarDay
    now_ms: int
    papers: StatementDay
    records: WorkerRecords
    openings: Sequence[Opening]
    payee_mid: str = ""
    listed: Mapping[str, RefundOrder] = field(default_factory=dict)
    """PayBy's own list of refunds, by their number; empty: it could not be read."""


class Index:
    """The facts by order number."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.day, self.records = facts, facts.day, facts.records
        self.rows: dict[str, list[StatementEntry]] = defaultdict(list)
        """The statement's payments."""
        self.returns: dict[str, list[StatementEntry]] = defaultdict(list)
        """The statement's refunds, by the refund's number."""
        self.taken: dict[str, list[StatementEntry]] = defaultdict(list)
        """Its chargebacks, by the number of the order."""
        self.rest: list[StatementEntry] = []
        """Its other rows, and those of settlements."""
        for entry in facts.papers.entries:
            if entry.kind is StatementKind.TRANSACTIONS and entry.transaction == "PAYMENT":
                self.rows[entry.order_no].append(entry)
            elif entry.kind is StatementKind.TRANSACTIONS and entry.transaction == "REFUND":
                self.returns[entry.order_no].append(entry)
            elif entry.kind is StatementKind.TRANSACTIONS and entry.transaction == "CHARGEBACK":
                self.taken[entry.origin_no or entry.order_no].append(entry)
            else:
                self.rest.append(entry)
        paid = [no for no, paid in self.records.paid.items() if paid.paid_ms in self.day]
        self.today = dict.fromkeys([*paid, *(no for no in self.rows if no in self.records.orders)])
        """Our orders that were paid on the day, according to us or to the statement, in order."""
        self.refunds: dict[str, list[ReturnedRefund]] = defaultdict(list)
        for returned in self.records.refunds.values():
            self.refunds[returned.refund.order_no].append(returned)
        self.stays: dict[str, list[PaidOrder]] = defaultdict(list)
        """Payments by session, in order of time."""
        for one in sorted(self.records.paid.values(), key=lambda p: p.paid_ms):
            self.stays[one.order.session].append(one)
        self.raised: dict[str, list[Opening]] = defaultdict(list)
        self.unsure: dict[str, list[Opening]] = defaultdict(list)
        self._sort_openings()

    def _sort_openings(self) -> None:
        for opening in self.facts.openings:
            if opening.order_no:
                (self.raised if opening.sure else self.unsure)[opening.order_no].append(opening)
        for opening in self.facts.openings:  # an operator lets out a driver who paid and got no lift
            if opening.reason == "operator" and opening.sure and (payments := self.stays.get(opening.session)):
                first = payments[0]
                if opening.at_ms >= first.paid_ms and not any(self.raised.get(p.order.no) for p in payments):
                    self.raised[first.order.no].append(opening)

    def given(self, order_no: str, stages: Sequence[str] = GOOD) -> int:
        """Fils of an order's refunds that are in one of ``stages``."""
        return sum(r.refund.amount for r in self.refunds.get(order_no, ()) if r.refund.stage in stages)

    def due(self, first_ms: int, last_ms: int) -> bool:
        """Must something that happened at some time from ``first_ms`` to ``last_ms`` be in the statement?"""
        papers = self.facts.papers
        return papers.covers(first_ms, last_ms) if papers.periods else (first_ms in self.day and last_ms in self.day)

    def where(self, order_no: str) -> str:
        """The statement's rows with this order's payment."""
        return places(self.rows.get(order_no, ()))

    def sums(self) -> Sums:
        """The rows of our own orders and refunds."""
        paid = [p for p in self.records.paid.values() if p.paid_ms in self.day]
        ended = [r for r in self.records.refunds.values() if r.refund.stage in GOOD and r.ended_ms in self.day]
        settlements = [e for e in self.rest if e.kind is StatementKind.SETTLEMENTS and e.transaction == "PAYMENT"]
        settled = [e for e in settlements if e.order_no in self.records.orders]
        return Sums(
            _sum(row.fils for no, rows in self.rows.items() if no in self.records.orders for row in rows),
            _sum(p.payment.amount for p in paid),
            _sum(row.fils for no, rows in self.returns.items() if no in self.records.refunds for row in rows),
            _sum(r.refund.amount for r in ended),
            _sum(row.fils for row in settled),
        )


def places(rows: Iterable[StatementEntry]) -> str:
    """``file:line`` of each row."""
    return ", ".join(row.where for row in rows)


def _sum(amounts: Iterable[int | None]) -> tuple[int, int]:
    found = [amount or 0 for amount in amounts]
    return len(found), sum(found)
