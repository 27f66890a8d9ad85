"""What PayBy's statement says, line by line; what cannot be read is named by file and line, and the rest is kept.

``payby/statements.py`` refuses a whole file for one bad line, which is right for a program. A person who reconciles a
day needs every line that is still good.
"""

import hashlib
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from terminal.core import money
from terminal.payby.errors import BadWords
from terminal.payby.statements import MAX_FILE_BYTES, Kind, Row

PAYBY_ZONE = timezone(timedelta(hours=4))
"""Of a statement's times that bear no offset: its period, and in some versions the payments."""
EDGE_MS = 120_000
"""So near to the ends of a statement's period, what is not in it may stand in the next one."""
FLAWS_A_FILE = 20
_NEEDED: Mapping[Kind, tuple[str, ...]] = {
    Kind.TRANSACTIONS: ("merchantOrderNo", "transactionType", "totalAmount", "paidTime"),
    Kind.SETTLEMENTS: ("merchantOrderNo", "transactionType", "settlementAmount", "settledTIme"),
}
_SEPARATE_PAGE = "fund_statement"  # of which no page gives the columns
_NUMBERED = re.compile(r"(.*)_(\d{3})\.csv", re.IGNORECASE)
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_UNZIPPABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises for bytes that are no ZIP, or no longer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. ``where`` is ``file:line``; ``fils`` and ``at_ms`` are None where the row does not say them readably."""

    where: str
    kind: Kind
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
class Flaw:
    """Something in a file that cannot be right."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Papers:
    """All files of a day. ``periods``: ms since the epoch, first included, last not, of the files of transactions."""

    files: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    flaws: tuple[Flaw, ...] = ()
    notes: tuple[str, ...] = ()
    periods: tuple[tuple[int, int], ...] = ()

    def covers(self, first_ms: int, last_ms: int) -> bool:
        """Must something that happened at some time from ``first_ms`` to ``last_ms`` stand in these files?"""
        return any(start + EDGE_MS <= first_ms and last_ms < end - EDGE_MS for start, end in self.periods)


@dataclass(slots=True)
class _Sheet:
    """What is found in one file."""

    name: str
    kind: Kind | None = None
    """None: nothing of it can be matched."""
    entries: list[Entry] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    hidden: int = 0

    def flaw(self, line: int | None, text: str) -> None:
        if len(self.flaws) < FLAWS_A_FILE:
            self.flaws.append(Flaw(f"{self.name}:{line}" if line else self.name, text))
        else:
            self.hidden += 1


def read_papers(files: Iterable[tuple[str, bytes]], *, largest: int = MAX_FILE_BYTES) -> Papers:
    """Read ZIPs and CSV files, each with its name; raises nothing. The same file given twice is read once. Of a file in
    a ZIP no more than ``largest`` bytes are read."""
    sheets: list[_Sheet] = []
    seen: set[bytes] = set()
    notes: list[str] = []
    for name, data, trouble in _unpacked(files, largest):
        digest = hashlib.sha256(data).digest()
        if digest in seen and not trouble:
            notes.append(f"{name} was given twice, and is read once")
            continue
        seen.add(digest)
        sheet = _Sheet(name)
        if trouble:
            sheet.flaw(None, trouble)
        if data or not trouble:
            _read(sheet, data)
        if sheet.hidden:
            sheet.flaws.append(Flaw(sheet.name, f"{sheet.hidden} more lines cannot be read"))
        sheets.append(sheet)
    return Papers(
        files=tuple(sheet.name for sheet in sheets),
        entries=tuple(entry for sheet in sheets for entry in sheet.entries),
        flaws=(*(flaw for sheet in sheets for flaw in sheet.flaws), *_gaps(sheets), *_miscounts(sheets)),
        notes=(*notes, *(note for sheet in sheets for note in sheet.notes)),
        periods=tuple(
            period for s in sheets if s.kind is Kind.TRANSACTIONS and (period := _period(s.summary)) is not None
        ),
    )


def _unpacked(files: Iterable[tuple[str, bytes]], largest: int) -> Iterator[tuple[str, bytes, str]]:
    """Name, content and trouble of each CSV file; of a damaged ZIP as much as can be had."""
    for name, data in files:
        if data[:2] != b"PK":
            yield _clean(name), data, ""
            continue
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for info in sorted(archive.infolist(), key=lambda info: info.filename):
                    inner = info.filename.lower()
                    if inner.endswith(".csv") and _SEPARATE_PAGE not in inner:
                        yield _clean(info.filename), *_member(archive, info, largest)
        except _UNZIPPABLE as error:
            yield _clean(name), b"", f"cut off, or no ZIP ({type(error).__name__})"


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, largest: int) -> tuple[bytes, str]:
    data = bytearray()
    try:
        with archive.open(info) as file:
            while chunk := file.read(1 << 16):
                data += chunk
                if len(data) > largest:
                    return bytes(data[:largest]), "larger than a statement may be"
    except _UNZIPPABLE as error:
        return bytes(data), f"damaged in its ZIP ({type(error).__name__})"
    return bytes(data), ""


# -- one file ------------------------------------------------------------------------------------------------------


def _read(sheet: _Sheet, data: bytes) -> None:
    if not data.strip():
        sheet.flaw(None, "empty")
        return
    lines = list(_lines(sheet, data))
    if lines[0].startswith("*"):
        sheet.summary = dict(part.strip().partition(":")[::2] for part in lines[0][1:].split("|"))
        head = 1
    else:
        sheet.flaw(1, "no summary, which begins with *")
        head = 0
    if len(lines) <= head:
        sheet.flaw(len(lines), "cut off before the column names")
        return
    whole = lines[-1].endswith("*")
    if whole:
        lines[-1] = lines[-1][:-1]
    columns = [column.strip() for column in lines[head].split("|")]
    sheet.kind = Kind.SETTLEMENTS if "settlementAmount" in columns else Kind.TRANSACTIONS
    needed = _NEEDED[sheet.kind]
    if missing := [name for name in needed if name not in columns]:
        sheet.flaw(head + 1, f"unknown columns: {', '.join(missing)} cannot be found")
        if "merchantOrderNo" in missing:
            sheet.kind = None
            return
    if not whole:
        sheet.flaw(len(lines), "cut off: the last row does not end with *")
    for number, line in enumerate(lines[head + 1 :], head + 2):
        last = number == len(lines)
        if not line.strip():
            if not last:
                sheet.flaw(number, "an empty line")
            continue
        sheet.rows += 1
        values = [value.strip() for value in line.split("|")]
        if len(values) != len(columns):
            if whole or not last:
                sheet.flaw(number, f"{len(values)} fields, and there are {len(columns)} names")
            continue
        if last and not whole and columns[-1] in needed:
            continue  # its last value may be half of one
        sheet.entries.append(_entry(sheet, sheet.kind, number, dict(zip(columns, values, strict=True)), missing))


def _lines(sheet: _Sheet, data: bytes) -> Iterator[str]:
    """A file's lines without their ends, blank ones at the end left out. One that is not UTF-8 is named, and read as
    far as it is ASCII."""
    charset = _BOMS.get(data[:2])
    if charset:
        sheet.flaw(1, "UTF-16 instead of UTF-8")
        data = data.decode(charset, errors="replace").encode()
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").rstrip().split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            sheet.flaw(number, "not UTF-8")
            yield line.decode("ascii", errors="replace")


def _entry(sheet: _Sheet, kind: Kind, number: int, fields: dict[str, str], missing: Sequence[str]) -> Entry:
    row = Row(fields)
    try:
        fils = money.from_decimal(row.amount)
    except (BadWords, ValueError):
        fils = None
        if not {"totalAmount", "settlementAmount"}.intersection(missing):
            sheet.flaw(number, "no amount")
    return Entry(
        f"{sheet.name}:{number}",
        kind,
        _clean(row.transaction),
        _clean(row.order_no),
        _clean(row.origin_order_no),
        _clean(row.payby_no),
        fils,
        _moment(sheet, number, fields.get("paidTime", "") or fields.get("settledTIme", "")),
        _clean(fields.get("orderCurrency", "")),
        _clean(fields.get("status", "")),
        _clean(fields.get("payeeMid", "")),
    )


def _moment(sheet: _Sheet, number: int, text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        if sheet.kind is Kind.TRANSACTIONS and text:
            sheet.flaw(number, "no time")
        return None
    if not 2000 <= at.year <= 9000:  # beyond them Python's own dates end
        sheet.flaw(number, "no time of these days")
        return None
    if at.tzinfo is None:
        note = f"{sheet.name}: times without an offset are taken for Dubai's"
        if note not in sheet.notes:
            sheet.notes.append(note)
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


def _gaps(sheets: Sequence[_Sheet]) -> Iterator[Flaw]:
    """Files are numbered 001, 002, … without gaps."""
    numbers: dict[str, set[int]] = {}
    for sheet in sheets:
        if found := _NUMBERED.fullmatch(sheet.name):
            numbers.setdefault(found[1], set()).add(int(found[2]))
    for stem, there in numbers.items():
        for number in sorted(set(range(1, max(there))) - there):
            yield Flaw(f"{stem}_{number:03d}.csv", "this file is not among the statement's")


def _miscounts(sheets: Sequence[_Sheet]) -> Iterator[Flaw]:
    """A summary counts the rows of its own file, or those of all numbered files of its kind and period together."""
    groups: dict[tuple[Kind | None, str, str], list[_Sheet]] = {}
    for sheet in sheets:
        period = sheet.summary.get("startTime", ""), sheet.summary.get("endTime", "")
        if re.fullmatch("[0-9]{1,9}", sheet.summary.get("totalCount", "")) and sheet.kind:
            groups.setdefault((sheet.kind, *period), []).append(sheet)
    for group in groups.values():
        rows = sum(sheet.rows for sheet in group)
        for sheet in group:
            if int(sheet.summary["totalCount"]) not in (sheet.rows, rows):
                yield Flaw(f"{sheet.name}:1", f"counts {sheet.summary['totalCount']} rows; {sheet.rows} are there")


def _clean(text: str) -> str:
    """Printable and short, whatever a file says: it goes to terminals."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:100])
