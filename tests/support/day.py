"""A day to reconcile: stories told into journals, and PayBy's statement of them. What test_reconcile*.py stand on."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from terminal.core import events as e
from terminal.core import money
from terminal.core.actions import Action
from terminal.core.model import Grant, PaymentProof, Rules, VisitOrder
from terminal.journal.journal import Journal
from terminal.journal.rows import Row
from terminal.tools.reconcile.facts import Facts
from terminal.tools.reconcile.journals import BarrierRecords, openings, read_barrier, read_worker
from terminal.tools.reconcile.match import match
from terminal.tools.reconcile.report import CalendarDay, Report, ReportLine
from terminal.tools.reconcile.statements import StatementDay, read_papers
from tests.support.story import T0, Story, an_id

DUBAI = timezone(timedelta(hours=4))
DATE = datetime.fromtimestamp(T0 / 1000, DUBAI).date()
DAY = CalendarDay(DATE, ZoneInfo("Asia/Dubai"))
PAYEE = "200000000888"
V1 = (
    "paidTime|transactionType|totalAmount|orderCurrency|productName|paySceneCode|merchantOrderNo|orderNo|status|"
    "paymentMethodType|subject|payeeMid|originMerchantOrderNo|reserved"
)
V2 = (
    "merchantOrderNo|orderNo|paidTime|payeeMid|scheme|orderCurrency|totalAmount|transactionType|productName|"
    "paySceneCode|subject|originMerchantOrderNo|reserved|status|dccQuoteId"
)
SETTLED = "settledTIme|transactionType|direction|settlementAmount|orderCurrency|merchantOrderNo|orderNo|paidTime|status"


class Told(Story):
    """A story that leaves a worker's journal, and the journals of its lanes' barriers."""

    def __init__(self, **more: object) -> None:
        self.rows: list[Row] = []
        self.arms: dict[str, list[Row]] = {}
        super().__init__(**more)  # type: ignore[arg-type]

    def tell(self, event: e.Event) -> list[Action]:
        self.rows.append(Row(len(self.rows) + 1, event.at, type(event).__name__, msgspec.json.encode(event)))
        return super().tell(event)

    def pulse(self, grant: Grant, *, done: bool = True, **changes: object) -> None:
        """The barrier journals a lift, and that it was done."""
        fields = {
            "v": 1, "id": grant.id, "session": grant.session, "reason": grant.reason, "by": "worker",
            "order_no": grant.order_no, "amount": grant.amount and money.text(grant.amount),
        } | changes  # fmt: skip
        rows = self.arms.setdefault(grant.lane, [])
        intent = {name: value for name, value in fields.items() if value is not None}
        rows.append(Row(len(rows) + 1, self.at, "intent", msgspec.json.encode(intent)))
        if done:
            rows.append(Row(len(rows) + 1, self.at, "done", str(fields["id"]).encode()))

    def operator(
        self, name: str, *, by: str = "Amal", note: str = "", session: str = "", lane: str = "exit-1", **more: object
    ) -> None:
        """An operator's lift raises the arm."""
        lift = an_id("operator", name)
        self.pulse(
            Grant(lift, lane, an_id("stay", session or name), None, "free", 0),
            reason="operator", by=by, note=note or None, **more,
        )  # fmt: skip
        self.boom("rising", lift=lift, lane=lane)
        self.boom("up", lift=lift, lane=lane)
        self.boom("down", lane=lane)

    def command(self, command: str, **fields: object) -> None:
        """An operator asks for something."""
        given = {"by": "Amal", "not_after": self.at + 30_000, "reason": "operator"} | fields
        given = {"id": an_id("command", len(self.rows))} | given
        self.tell(e.CommandGiven(self.at, "exit-1", command=command, **given))  # type: ignore[arg-type]

    def tell_refund(self, stage: str, session: str = "a") -> None:
        """PayBy says how the stay's last refund stands."""
        asked = self.stay(session).refunds[-1]
        self.tell(e.RefundReported(self.at, asked.no, asked.order_no, stage))  # type: ignore[arg-type]

    def pays(self, session: str = "a", lane: str = "exit-1", *, amount: int = 2000) -> VisitOrder:
        """A car arrives, its ticket is read, its order is paid; the lift is granted."""
        self.arrives(lane)
        self.reads(session, lane, amount=amount)
        self.payby("CREATED", session)
        order = self.order(session)
        self.wait(10)
        self.payby("PAID", session, proof=self.proof(order))
        return order

    def pays_too_late(self, session: str = "a") -> VisitOrder:
        """Paid when its car is gone: credit."""
        self.shows_qr(session)
        self.leaves_loop()
        self.wait(5)
        order = self.order(session)
        self.payby("PAID", session, proof=self.proof(order))
        return order

    def proof(self, order: VisitOrder) -> PaymentProof:
        """PayBy's words, with the time of the payment."""
        body = {
            "acquireOrder": {
                "merchantOrderNo": order.no, "orderNo": "1317", "status": "PAID_SUCCESS", "payeeMid": PAYEE,
                "totalAmount": {"amount": float(money.text(order.amount)), "currency": "AED"},
                "paymentInfo": {"paidTime": self.at},
            }
        }  # fmt: skip
        return PaymentProof(msgspec.json.encode(body).decode(), "c2lnbg==")

    def leaves(self, session: str = "a") -> Grant:
        """The arm rises for the stay's lift, by both journals, and its car drives away."""
        grant = self.stay(session).grants[-1]
        self.pulse(grant)
        self.raises(session)
        self.drives_through(grant.lane)
        return grant

    def visits(self, session: str = "a", lane: str = "exit-1", *, amount: int = 2000) -> VisitOrder:
        """A car pays and leaves."""
        order = self.pays(session, lane, amount=amount)
        self.leaves(session)
        return order

    def report(
        self,
        papers: StatementDay,
        *,
        arms: bool = True,
        now_ms: int | None = None,
        day: CalendarDay = DAY,
        payee: str = PAYEE,
    ) -> Report:
        """The day, matched with these papers."""
        ours = read_worker(self.rows, Rules("marina"))
        books: list[BarrierRecords] = []
        if arms:
            books = [read_barrier(f"{lane}.db", rows, ours) for lane, rows in self.arms.items()]
        return match(Facts("marina", day, now_ms or self.at, papers, ours, openings(ours, books), payee))

    def write(self, folder: Path) -> None:
        """The journals as files: journal.db, and barrier.db of the first lane."""
        for name, role, rows in (
            ("journal.db", "worker", self.rows),
            ("barrier.db", "barrier", next(iter(self.arms.values()), [])),
        ):
            with Journal.open(folder / name, role=role) as journal:
                for row in rows:
                    journal.append_now([(row.kind, row.data)], row.at_ms)


def stamp(at_ms: int) -> str:
    """A time as statements have it."""
    return datetime.fromtimestamp(at_ms // 1000, DUBAI).strftime("%Y-%m-%dT%H:%M:%S%z")


def payment(order: VisitOrder, at_ms: int = T0 + 60_000, **changes: str) -> dict[str, str]:
    """A row of the statement for a paid order."""
    return {
        "transactionType": "PAYMENT", "merchantOrderNo": order.no, "orderNo": "1317", "orderCurrency": "AED",
        "totalAmount": money.text(order.amount), "paidTime": stamp(at_ms), "status": "SUCCESS", "payeeMid": PAYEE,
    } | changes  # fmt: skip


def refund(no: str, order_no: str, fils: int, at_ms: int = T0 + 60_000, **changes: str) -> dict[str, str]:
    """A row of the statement for a refund."""
    return {
        "transactionType": "REFUND", "merchantOrderNo": no, "originMerchantOrderNo": order_no, "orderCurrency": "AED",
        "totalAmount": money.text(fils), "paidTime": stamp(at_ms), "status": "SUCCESS", "payeeMid": PAYEE,
    } | changes  # fmt: skip


def statement(*rows: dict[str, str], columns: str = V2, day: date = DATE, count: int | None = None) -> str:
    """A file of the statement, of one day of PayBy's."""
    names = columns.split("|")
    head = f"*mid:{PAYEE}|startTime:{day} 00:00|endTime:{day + timedelta(days=1)} 00:00|totalCount:"
    lines = [head + str(len(rows) if count is None else count), columns]
    return "\n".join([*lines, *("|".join(row.get(name, "") for name in names) for row in rows)]) + "*\n"


def papers(*rows: dict[str, str], columns: str = V2, day: date = DATE) -> StatementDay:
    """A day's statement of one file."""
    return read_papers([("transactions.csv", statement(*rows, columns=columns, day=day).encode())])


def kinds(report: Report, *, unexplained: bool = False) -> list[str]:
    """The kinds of the report's lines, in order."""
    return [line.kind for line in report.lines if not unexplained or not line.explained]


def at(hour: int, minute: int = 0, day: date = DATE) -> int:
    """A time of the day, ms since the epoch."""
    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=DUBAI)
    return int(moment.astimezone(UTC).timestamp() * 1000)


def texts(lines: Sequence[object]) -> str:
    """What lines say, as one text to search in."""
    return "\n".join(str(line) for line in lines)


def only(report: Report, kind: str) -> ReportLine:
    """The one line of a kind."""
    (line,) = report.of(kind)  # type: ignore[arg-type]
    return line
