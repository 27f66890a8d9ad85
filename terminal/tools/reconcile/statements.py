"""PayBy's statement, line by line; unreadable lines are named by file and line, and the rest is kept.

``payby/statement_reader.py`` reads the files; this file extracts what a person who reconciles a day needs of every line
that is good.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from terminal.core import money
from terminal.payby.errors import BadWords
from terminal.payby.statement_reader import (
    MAX_FILE_BYTES,
    StatementKind,
    StatementRow,
    StatementSheet,
    is_fund_statement,
    read_sheet,
    unpack,
)
from terminal.payby.strict_json import Figure

PAYBY_ZONE = timezone(timedelta(hours=4))
"""The zone of a statement's times that have no offset: its period, and in some versions the payments."""
EDGE_MS = 120_000
"""What is missing this close to the ends of a statement's period may be in the next one."""
FLAWS_A_FILE = 20
_NEEDED: Mapping[StatementKind, tuple[tuple[str, ...], ...]] = {
    StatementKind.TRANSACTIONS: (("merchantOrderNo",), ("transactionType",), ("totalAmount",), ("paidTime",)),
    StatementKind.SETTLEMENTS: (
        ("merchantOrderNo",),
        ("transactionType",),
        ("settlementAmount",),
        ("settledTime", "settledTIme"),
    ),
}
"""The columns, each with the names that it has in the versions."""
_FUND_DAY = "ACCOUNTING_DATE"
_FUND_SUMS = ("BEGINNING_BALANCE", "ENDING_BALANCE", "AMOUNT_INCOME", "AMOUNT_PAYOUT")
_NUMBERED = re.compile(r"(.*)_(\d{3})\.csv", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One row. ``where`` is ``file:line``; ``fils`` and ``at_ms`` are None if the row does not give them readably."""

    where: str
    kind: StatementKind
    transaction: str
    order_no: str
    origin_no: str
    payby_no: str
    fils: int | None
    at_ms: int | None
    currency: str
    status: str
    payee_mid: str


@dataclass(frozen=True, slots=True)
class StatementFlaw:
    """Something in a file that cannot be right."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class StatementDay:
    """All files of a day. ``periods``: ms since the epoch, first included, last not, of the files of transactions."""

    files: tuple[str, ...] = ()
    entries: tuple[StatementEntry, ...] = ()
    flaws: tuple[StatementFlaw, ...] = ()
    notes: tuple[str, ...] = ()
    periods: tuple[tuple[int, int], ...] = ()

    def covers(self, first_ms: int, last_ms: int) -> bool:
        """Must something that happened at some time from ``first_ms`` to ``last_ms`` be in these files?"""
        return any(start + EDGE_MS <= first_ms and last_ms < end - EDGE_MS for start, end in self.periods)


@dataclass(slots=True)
class _FileContent:
    """The content of one file. ``kind`` None: nothing of it can be matched."""

    sheet: StatementSheet
    kind: StatementKind | None = None
    entries: list[StatementEntry] = field(default_factory=list)
    flaws: list[StatementFlaw] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hidden: int = 0

    def flaw(self, line: int | None, text: str) -> None:
        if len(self.flaws) < FLAWS_A_FILE:
            self.flaws.append(StatementFlaw(f"{self.sheet.name}:{line}" if line else self.sheet.name, text))
        else:
            self.hidden += 1


def read_papers(files: Iterable[tuple[str, bytes]], *, largest: int = MAX_FILE_BYTES) -> StatementDay:
    """Read ZIPs and CSV files, each with its name; raises nothing. The same file given twice is read once. Of a file in
    a ZIP no more than ``largest`` bytes are read."""
    found: list[_FileContent] = []
    funds: list[_FileContent] = []
    seen: set[bytes] = set()
    notes: list[str] = []
    for name, data, trouble in _unpacked(files, largest):
        digest = hashlib.sha256(data).digest()
        if digest in seen and not trouble:
            notes.append(f"{name} was given twice and is read once")
            continue
        seen.add(digest)
        one = _FileContent(read_sheet(name, data) if data or not trouble else StatementSheet(name))
        if trouble:
            one.flaw(None, trouble)
        _read(one)
        if one.hidden:
            one.flaws.append(StatementFlaw(one.sheet.name, f"{one.hidden} more lines cannot be read"))
        (funds if one.kind is StatementKind.FUNDS or is_fund_statement(name) else found).append(one)
    return StatementDay(
        files=tuple(one.sheet.name for one in found),
        entries=tuple(entry for one in found for entry in one.entries),
        flaws=(
            *(flaw for one in found for flaw in one.flaws),
            *_gaps([one.sheet for one in found]),
            *_miscounts(found),
        ),
        notes=(*notes, *(note for one in found for note in one.notes), *_about_funds(funds)),
        periods=tuple(
            period
            for one in found
            if one.kind is StatementKind.TRANSACTIONS and (period := _period(one.sheet.summary)) is not None
        ),
    )


def _unpacked(files: Iterable[tuple[str, bytes]], largest: int) -> Iterator[tuple[str, bytes, str]]:
    """Name, content and trouble of each CSV file; as much as possible of a damaged ZIP."""
    for name, data in files:
        if data[:2] != b"PK":
            yield _clean(name), data, ""
            continue
        for inner, content, trouble in unpack(name, data, largest):
            yield _clean(inner), content, trouble


# -- one file ------------------------------------------------------------------------------------------------------


def _read(found: _FileContent) -> None:
    """What can be matched of a file, and what is wrong with it."""
    sheet = found.sheet
    for line, text in sheet.flaws:
        found.flaw(line, text)
    found.kind = sheet.kind
    if sheet.kind is None or sheet.kind is StatementKind.FUNDS:
        return
    needed = _NEEDED[sheet.kind]
    missing = [names[0] for names in needed if not any(name in sheet.columns for name in names)]
    if missing:
        found.flaw(sheet.head, f"unknown columns: {', '.join(missing)} cannot be found")
        if "merchantOrderNo" in missing:
            found.kind = None
            return
    half = not sheet.whole and any(sheet.columns[-1] in names for names in needed)
    last = sheet.head + sheet.lines
    for row in sheet.rows:
        if half and row.line == last:
            continue  # its last value may be cut off
        found.entries.append(_entry(found, sheet.kind, row, missing))


def _entry(found: _FileContent, kind: StatementKind, row: StatementRow, missing: Sequence[str]) -> StatementEntry:
    try:
        fils = money.from_decimal(row.amount)
    except (BadWords, ValueError):
        fils = None
        if not {"totalAmount", "settlementAmount"}.intersection(missing):
            found.flaw(row.line, "no amount")
    return StatementEntry(
        f"{found.sheet.name}:{row.line}",
        kind,
        _clean(row.transaction),
        _clean(row.order_no),
        _clean(row.origin_order_no),
        _clean(row.payby_no),
        fils,
        _moment(found, row.line, row.fields.get("paidTime", "") or row.settled),
        _clean(row.fields.get("orderCurrency", "")),
        _clean(row.fields.get("status", "")),
        _clean(row.fields.get("payeeMid", "")),
    )


def _moment(found: _FileContent, line: int, text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        if found.sheet.kind is StatementKind.TRANSACTIONS and text:
            found.flaw(line, "no time")
        return None
    if not 2000 <= at.year <= 9000:  # beyond them Python's own dates end
        found.flaw(line, "the time cannot be right")
        return None
    if at.tzinfo is None:
        note = f"{found.sheet.name}: times without an offset are read as Dubai time"
        if note not in found.notes:
            found.notes.append(note)
        at = at.replace(tzinfo=PAYBY_ZONE)
    return int(at.timestamp() * 1000)


# -- the files together ----------------------------------------------------------------------------------------------


def _period(summary: Mapping[str, str]) -> tuple[int, int] | None:
    try:
        start, end = (
            datetime.fromisoformat(summary[name]).replace(tzinfo=PAYBY_ZONE) for name in ("startTime", "endTime")
        )
    except (KeyError, ValueError):
        return None
    if not 2000 <= start.year <= end.year <= 9000:
        return None
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)


def _gaps(sheets: Sequence[StatementSheet]) -> Iterator[StatementFlaw]:
    """Check that files are numbered 001, 002, … without gaps."""
    numbers: dict[str, set[int]] = {}
    for sheet in sheets:
        if named := _NUMBERED.fullmatch(sheet.name):
            numbers.setdefault(named[1], set()).add(int(named[2]))
    for stem, there in numbers.items():
        for number in sorted(set(range(1, max(there))) - there):
            yield StatementFlaw(f"{stem}_{number:03d}.csv", "this file of the statement is missing")


def _miscounts(found: Sequence[_FileContent]) -> Iterator[StatementFlaw]:
    """Check that a summary counts its own file's rows, or those of all numbered files of its kind and period."""
    groups: dict[tuple[StatementKind, str, str], list[StatementSheet]] = {}
    for one in found:
        summary = one.sheet.summary
        period = summary.get("startTime", ""), summary.get("endTime", "")
        if re.fullmatch("[0-9]{1,9}", summary.get("totalCount", "")) and one.kind:
            groups.setdefault((one.kind, *period), []).append(one.sheet)
    for group in groups.values():
        rows = sum(sheet.lines for sheet in group)
        for sheet in group:
            if int(sheet.summary["totalCount"]) not in (sheet.lines, rows):
                yield StatementFlaw(
                    f"{sheet.name}:1", f"counts {sheet.summary['totalCount']} rows, but there are {sheet.lines}"
                )


def _about_funds(found: Sequence[_FileContent]) -> Iterator[str]:
    """What does not add up in a fund statement. No payment is matched with it, so none of this is unexplained."""
    for flaw in (*(flaw for one in found for flaw in one.flaws), *_misfunded(found)):
        yield f"{flaw.where}: {flaw.text}"


def _misfunded(found: Sequence[_FileContent]) -> Iterator[StatementFlaw]:
    """Check a fund statement's balances against its sums, and its sums against the rows of all its day's numbered
    files."""
    days: dict[str, list[StatementSheet]] = {}
    for one in found:
        if one.kind is StatementKind.FUNDS and not one.flaws:
            days.setdefault(one.sheet.summary.get(_FUND_DAY, ""), []).append(one.sheet)
    for sheets in days.values():
        rows = [row for sheet in sheets for row in sheet.rows]
        out = [row.fields.get("DIRECTION", "").lower() == "payout" for row in rows]
        for sheet in sheets:
            said = sheet.summary
            try:
                begin, end, paid_in, paid_out = (Figure.read(said.get(name, "")) for name in _FUND_SUMS)
                numbers = int(said.get("NUMBER_INCOME", "")), int(said.get("NUMBER_PAYOUT", ""))
                moved_in, moved_out = (
                    sum((row.amount for row, is_out in zip(rows, out, strict=True) if is_out == which), Decimal(0))
                    for which in (False, True)
                )
            except (BadWords, ValueError):
                yield StatementFlaw(f"{sheet.name}:1", "its sums cannot be read")
                continue
            if begin + paid_in - paid_out != end:
                yield StatementFlaw(f"{sheet.name}:2", f"{begin} + {paid_in} - {paid_out} is not {end}")
            if numbers != (len(rows) - sum(out), sum(out)):
                there = f"{len(rows) - sum(out)} and {sum(out)} are there"
                yield StatementFlaw(f"{sheet.name}:2", f"counts {numbers[0]} incomes and {numbers[1]} payouts; {there}")
            elif (moved_in, moved_out) != (paid_in, paid_out):
                yield StatementFlaw(
                    f"{sheet.name}:2", f"sums {paid_in} and {paid_out}; {moved_in} and {moved_out} are there"
                )


def _clean(text: str) -> str:
    """Make a file's text printable and short: it goes to terminals."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:100])
