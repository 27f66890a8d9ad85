"""A day's report: lines, sums by hour, and everything unexplained; as a table, CSV and JSON."""

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from terminal.core import money
from terminal.tools.reconcile.statements import StatementFlaw

LineKind = Literal[
    "paid-opened", "paid-refunded", "paid-not-opened", "paid-twice", "difference", "unnoticed", "not-ours", "missing",
    "refund", "opened-free", "opened-credit", "opened-operator", "opened-forced", "opened-unexplained", "opened-unsure",
    "followed", "elsewhere", "chargeback",
]  # fmt: skip
KINDS: Mapping[LineKind, str] = {
    "paid-opened": "paid and opened",
    "paid-refunded": "paid, not opened, given back",
    "paid-not-opened": "paid without opening",
    "paid-twice": "paid twice",
    "refund": "refunds",
    "chargeback": "taken back by a payer's bank",
    "difference": "differences from the statement",
    "missing": "paid here, missing in the statement",
    "unnoticed": "paid at PayBy, not known as paid here",
    "not-ours": "in the statement, never made here",
    "elsewhere": "in the statement, of another garage",
    "opened-credit": "opened for an earlier payment",
    "opened-free": "opened without payment: free stay",
    "opened-operator": "opened without payment: operator",
    "opened-forced": "opened without payment: forced",
    "opened-unexplained": "opened, and nobody knows why",
    "opened-unsure": "perhaps opened",
    "followed": "passed under another's raise",
}
"""Every kind of line and what it is called, in the order of the table."""
_LISTED = frozenset(KINDS) - {"paid-opened", "opened-free", "elsewhere"}
"""The kinds of which each line is printed, not only the sum."""


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """A calendar day in the garage's time zone."""

    date: dt.date
    zone: ZoneInfo

    @property
    def start_ms(self) -> int:
        """Its first moment, in ms since the epoch."""
        return self._midnight(self.date)

    @property
    def end_ms(self) -> int:
        """The first moment of the next day, in ms since the epoch; a day may have 23 or 25 hours."""
        return self._midnight(self.date + dt.timedelta(days=1))

    def __contains__(self, at_ms: int | None) -> bool:
        return at_ms is not None and self.start_ms <= at_ms < self.end_ms

    def local(self, at_ms: int) -> dt.datetime:
        """The garage's own time at ``at_ms`` (ms since the epoch), on whichever day."""
        return dt.datetime.fromtimestamp(at_ms / 1000, self.zone)

    def shown(self, at_ms: int) -> str:
        """The time; with the date if it is another day's."""
        at = self.local(at_ms)
        return f"{at:%H:%M:%S}" if at.date() == self.date else f"{at:%Y-%m-%d %H:%M:%S}"

    def _midnight(self, day: dt.date) -> int:
        return int(dt.datetime.combine(day, dt.time(), self.zone).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One line of the day. ``fils`` is our amount, ``said_fils`` the statement's if it differs; ``where`` is
    ``file:line`` of the statement; ``by`` is who opened or refunded."""

    kind: LineKind
    explained: bool
    at_ms: int | None
    text: str
    lane: str = ""
    session: str = ""
    order_no: str = ""
    fils: int | None = None
    said_fils: int | None = None
    by: str = ""
    where: str = ""


@dataclass(slots=True)
class Hour:
    """One hour's sums, in fils and raises. ``exceptions``: the number of unexplained lines."""

    opened_fils: int = 0
    """Paid, and the boom rose."""
    other_fils: int = 0
    """Paid, and it did not."""
    raises: dict[str, int] = field(default_factory=dict)
    """By reason."""
    exceptions: int = 0


@dataclass(frozen=True, slots=True)
class Sums:
    """This garage's orders: number and fils."""

    statement: tuple[int, int] = (0, 0)
    journal: tuple[int, int] = (0, 0)
    statement_refunds: tuple[int, int] = (0, 0)
    journal_refunds: tuple[int, int] = (0, 0)
    settled: tuple[int, int] = (0, 0)
    """In files of settlements, as they give it: of any days, after PayBy's commission."""


@dataclass(frozen=True, slots=True)
class Report:
    """A matched day."""

    garage: str
    day: CalendarDay
    files: tuple[str, ...]
    lines: tuple[ReportLine, ...]
    flaws: tuple[StatementFlaw, ...]
    notes: tuple[str, ...]
    sums: Sums
    hours: tuple[Hour, ...]
    """24 hours, by the wall clock."""

    @property
    def unexplained(self) -> int:
        """How many things a person must look at."""
        return len(self.flaws) + sum(not line.explained for line in self.lines)

    def of(self, kind: LineKind) -> list[ReportLine]:
        """The lines of one kind, in the report's order."""
        return [line for line in self.lines if line.kind == kind]


def table(report: Report) -> Iterator[str]:
    """The report for a person, line by line."""
    yield f"garage {report.garage}, {report.day.date} ({report.day.zone})"
    yield f"statement: {', '.join(report.files) or 'no file'}"
    yield ""
    sums = report.sums
    for text, (number, fils) in (
        ("paid, by the statement", sums.statement),
        ("paid, by the journal", sums.journal),
        ("refunded, by the statement", sums.statement_refunds),
        ("refunded, by the journal", sums.journal_refunds),
        ("settled (earlier days', after commission)", sums.settled),
    ):
        yield f"{text:<44}{number:>6}  AED {money.text(fils):>12}"
    yield ""
    for kind, text in KINDS.items():
        if lines := report.of(kind):
            fils = sum(line.fils or 0 for line in lines)
            bad = sum(not line.explained for line in lines)
            shown = f"AED {money.text(fils):>12}" if fils else f"{'':>16}"
            yield f"{text:<44}{len(lines):>6}  {shown}{f'  {bad} unexplained' if bad else ''}".rstrip()
    yield from _listed(report, "explained", True)
    yield from _listed(report, "UNEXPLAINED", False)
    for note in report.notes:
        yield f"note: {note}"
    yield ""
    yield f"{report.unexplained} unexplained" if report.unexplained else "everything is explained"


def _listed(report: Report, title: str, explained: bool) -> Iterator[str]:
    lines = [x for x in report.lines if x.explained == explained and (not explained or x.kind in _LISTED)]
    flaws = () if explained else report.flaws
    if not lines and not flaws:
        return
    yield ""
    yield f"{title}:"
    for flaw in flaws:
        yield f"  {flaw.where}: {flaw.text}"
    for line in lines:
        at = report.day.shown(line.at_ms) if line.at_ms is not None else "--:--:--"
        amount = f"AED {money.text(line.fils)}" if line.fils is not None else ""
        by = f"by {line.by}" if line.by not in ("", "worker") else ""
        parts = (at, line.lane, line.kind, amount, line.order_no, by, line.text, f"({line.where})" * bool(line.where))
        yield "  " + " ".join(part for part in parts if part)


CSV_COLUMNS = (
    "kind", "explained", "time", "lane", "session", "order_no", "amount", "statement_amount", "currency", "by", "text",
    "where",
)  # fmt: skip


def as_csv(report: Report) -> str:
    """One row a line, flaws included (kind ``file``); CRLF, as RFC 4180 has it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for line in report.lines:
        said = _line(report.day, line)
        writer.writerow([cell(said.get(column, "")) for column in CSV_COLUMNS])
    for flaw in report.flaws:
        found = {"kind": "file", "explained": False, "text": flaw.text, "where": flaw.where}
        writer.writerow([cell(found.get(column, "")) for column in CSV_COLUMNS])
    return out.getvalue()


def cell(value: object) -> str:
    """No cell may look like a formula to a spreadsheet program."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def as_json(report: Report) -> str:
    """The whole report; amounts are texts with two decimals, times RFC 3339 with the garage's offset."""
    sums = report.sums
    said = {
        "garage": report.garage,
        "date": report.day.date.isoformat(),
        "timezone": str(report.day.zone),
        "unexplained": report.unexplained,
        "files": report.files,
        "currency": "AED",
        "sums": {
            name: {"number": number, "amount": money.text(fils)}
            for name, (number, fils) in (
                ("statement", sums.statement),
                ("journal", sums.journal),
                ("statement_refunds", sums.statement_refunds),
                ("journal_refunds", sums.journal_refunds),
                ("settled", sums.settled),
            )
        },
        "counts": {kind: len(lines) for kind in KINDS if (lines := report.of(kind))},
        "lines": [_line(report.day, line) for line in report.lines],
        "flaws": [{"where": flaw.where, "text": flaw.text} for flaw in report.flaws],
        "notes": report.notes,
        "hours": [
            {
                "hour": hour,
                "paid_opened": money.text(found.opened_fils),
                "paid_not_opened": money.text(found.other_fils),
                "raises": found.raises,
                "unexplained": found.exceptions,
            }
            for hour, found in enumerate(report.hours)
        ],
    }
    return msgspec.json.format(msgspec.json.encode(said), indent=2).decode() + "\n"


def _line(day: CalendarDay, line: ReportLine) -> dict[str, Any]:
    """A line's fields, without those that are empty."""
    said = {
        "kind": line.kind,
        "explained": line.explained,
        "time": None if line.at_ms is None else day.local(line.at_ms).isoformat(timespec="milliseconds"),
        "lane": line.lane,
        "session": line.session,
        "order_no": line.order_no,
        "amount": None if line.fils is None else money.text(line.fils),
        "statement_amount": None if line.said_fils is None else money.text(line.said_fils),
        "currency": None if line.fils is None and line.said_fils is None else "AED",
        "by": line.by,
        "text": line.text,
        "where": line.where,
    }
    return {name: value for name, value in said.items() if value not in (None, "")}


def hours(day: CalendarDay, lines: Sequence[ReportLine], raises: Sequence[tuple[int, str]]) -> tuple[Hour, ...]:
    """Sums by hour. ``raises``: the time and reason of each."""
    found = tuple(Hour() for _ in range(24))
    for line in lines:
        if line.at_ms is None or line.at_ms not in day:
            continue
        hour = found[day.local(line.at_ms).hour]
        hour.exceptions += not line.explained
        if line.kind == "paid-opened":
            hour.opened_fils += line.fils or 0
        elif line.kind in ("paid-not-opened", "paid-refunded", "unnoticed"):
            hour.other_fils += line.fils or 0
    for at_ms, reason in raises:
        if at_ms in day:
            counts = found[day.local(at_ms).hour].raises
            counts[reason] = counts.get(reason, 0) + 1
    return found
