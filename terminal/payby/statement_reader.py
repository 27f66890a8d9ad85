"""PayBy's statements: a ZIP of ``|``-separated files, read by column names since their order differs between versions.

Row 1 is a summary that begins with ``*``, row 2 has the names, then come the data; the last row ends with ``*``. One of
PayBy's pages has neither star. A fund statement has two rows of summary: names, and their values. Nothing in a
statement is signed: it may raise an alert, but never move money.

``read_sheet`` reads every line of a file that can be read and names those that cannot; ``Statement.read``, for
programs, refuses a file that has such a line.
"""

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from .errors import BadWords
from .strict_json import Amount, Figure

MAX_FILE_BYTES = 128 * 1024 * 1024  # 50,000 rows, PayBy's limit for one file, are about 20 MB
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_STARLESS = re.compile(r"\s*(mid|periodNo|settlePeriodNo):")
_FUND_NAME = "ACCOUNTING_DATE"
_FUND_FILE = "fund_statement"
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
"""What zipfile raises for bytes that are not a ZIP, or a damaged one."""


class StatementKind(StrEnum):
    """Transactions are by payment time, settlements by settlement time; funds are the account's own movements."""

    TRANSACTIONS = "transactions"
    SETTLEMENTS = "settlements"
    FUNDS = "funds"


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One line; ``fields`` by the names of its file. The properties are those that all versions have."""

    fields: Mapping[str, str]
    line: int = field(default=0, compare=False)

    @property
    def order_no(self) -> str:
        """Our number: of the order, or of the refund."""
        return self._first("merchantOrderNo", "MERCHANT_ORDER_NO")

    @property
    def origin_order_no(self) -> str:
        """Of a refund: the number of its order."""
        return self._first("originMerchantOrderNo")

    @property
    def payby_no(self) -> str:
        """PayBy's number."""
        return self._first("orderNo", "ORDER_NO")

    @property
    def transaction(self) -> str:
        """PAYMENT, REFUND, CHARGEBACK, ADJUST, …; in a fund statement its business type."""
        return self._first("transactionType", "BUSINESS_TYPE")

    @property
    def amount(self) -> Decimal:
        """AED: what was paid or refunded, in a settlement what was settled, in a fund statement what moved (which may
        have four decimals); raises BadWords."""
        fund = self.fields.get("TXN_AMT")
        try:
            if fund is not None:
                return Figure.read(fund)
            return Amount.read(self.fields.get("settlementAmount", self.fields.get("totalAmount", "")))
        except ValueError:
            raise BadWords("statement: a row without an amount") from None

    @property
    def paid_at(self) -> datetime:
        """With its offset from UTC; raises BadWords."""
        return _moment(self._first("paidTime", "ACCOUNTING_TIME"))

    @property
    def settled(self) -> str:
        """The time of its settlement, unchanged: each version has its own name for it."""
        return self._first("settledTime", "settledTIme")

    @property
    def settled_at(self) -> datetime:
        """With its offset from UTC; raises BadWords."""
        return _moment(self.settled)

    def _first(self, *names: str) -> str:
        return next((self.fields[name] for name in names if self.fields.get(name)), "")


@dataclass(slots=True)
class StatementSheet:
    """Every readable line of a file. ``flaws``: the line, or None for the file, and what is wrong with it.

    ``whole``: it is not cut off. ``head``: the line of the column names.
    """

    name: str
    kind: StatementKind | None = None
    summary: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    head: int = 0
    rows: list[StatementRow] = field(default_factory=list)
    lines: int = 0
    """The number of data lines, including those that are not rows."""
    whole: bool = True
    flaws: list[tuple[int | None, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Statement:
    """One file. ``summary`` by its own names, such as ``totalCount`` or ``ENDING_BALANCE``."""

    name: str
    kind: StatementKind
    summary: Mapping[str, str]
    rows: tuple[StatementRow, ...]

    @classmethod
    def read(cls, name: str, text: str | bytes) -> Self:
        """Read one file; raises BadWords for one that is cut off, or has a line that cannot be read."""
        sheet = read_sheet(name, text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
        for line, what in sheet.flaws:
            raise BadWords(f"{name}{f' line {line}' if line else ''}: {what}")
        assert sheet.kind is not None  # a sheet without a flaw has columns
        return cls(name, sheet.kind, sheet.summary, tuple(sheet.rows))


def read_zip(data: bytes, *, funds: bool = False) -> list[Statement]:
    """A day's statements, numbered files included, sorted by name; raises BadWords. ``funds``: the fund statement as
    well."""
    found = []
    for name, content, trouble in unpack("statement", data):
        if trouble:
            raise BadWords(f"{name}: {trouble}")
        if funds or not is_fund_statement(name):
            found.append(Statement.read(name, content))
    return found


def is_fund_statement(name: str) -> bool:
    """Does this name say that the file is a fund statement? ``Statement.kind`` says it by the content."""
    return _FUND_FILE in name.lower()


def unpack(name: str, data: bytes, largest: int = MAX_FILE_BYTES) -> Iterator[tuple[str, bytes, str]]:
    """Name, content and trouble of each CSV file of a ZIP, sorted by name; as much as possible of a damaged one, and no
    more than ``largest`` bytes of a file. Raises nothing."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                if info.filename.lower().endswith(".csv"):
                    yield info.filename[:100], *_member(archive, info, largest)
    except _UNZIPPABLE as error:
        yield name, b"", f"cut off, or no ZIP ({type(error).__name__})"


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


def read_sheet(name: str, data: bytes) -> StatementSheet:
    """Read what can be read of one file; raises nothing."""
    sheet = StatementSheet(name)
    if not data.strip():
        sheet.flaws.append((None, "empty"))
        return sheet
    lines = list(_lines(sheet, data))
    starred = lines[0].startswith("*")
    first = lines[0].removeprefix("*")
    ended = lines[-1].endswith("*")
    if first.strip().startswith(_FUND_NAME) and len(lines) > 1:
        sheet.kind, sheet.head = StatementKind.FUNDS, 3
        sheet.summary = dict(zip(_split(first), _split(lines[1]), strict=False))
    elif starred or (_STARLESS.match(first) and not ended):
        sheet.summary = dict(part.strip().partition(":")[::2] for part in first.split("|"))
        sheet.head = 2
    else:
        sheet.flaws.append((1, "no summary, which begins with *"))
        starred, sheet.head = True, 1
    if len(lines) < sheet.head:
        sheet.flaws.append((len(lines), "cut off before the column names"))
        return sheet
    if ended:
        lines[-1] = lines[-1][:-1]
    sheet.columns = tuple(_split(lines[sheet.head - 1]))
    if sheet.kind is None:
        settles = "settlementAmount" in sheet.columns or "settle" in name.lower()
        sheet.kind = StatementKind.SETTLEMENTS if settles else StatementKind.TRANSACTIONS
    sheet.whole = ended or not starred
    if not sheet.whole:
        sheet.flaws.append((len(lines), "cut off: the last row does not end with *"))
    _read_rows(sheet, lines)
    return sheet


def _read_rows(sheet: StatementSheet, lines: list[str]) -> None:
    for number, line in enumerate(lines[sheet.head :], sheet.head + 1):
        last = number == len(lines)
        if not line.strip():
            if not last:
                sheet.flaws.append((number, "an empty line"))
            continue
        sheet.lines += 1
        values = _split(line)
        if len(values) == len(sheet.columns):
            sheet.rows.append(StatementRow(dict(zip(sheet.columns, values, strict=True)), number))
        elif sheet.whole or not last:
            sheet.flaws.append((number, f"{len(values)} fields, and there are {len(sheet.columns)} names"))


def _split(line: str) -> list[str]:
    return [value.strip() for value in line.split("|")]


def _lines(sheet: StatementSheet, data: bytes) -> Iterator[str]:
    """A file's lines without their ends and without blank ones at the end. One that is not UTF-8 is named, and read as
    far as it is ASCII."""
    charset = _BOMS.get(data[:2])
    if charset:
        sheet.flaws.append((1, "UTF-16 instead of UTF-8"))
        data = data.decode(charset, errors="replace").encode()
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").rstrip().split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            sheet.flaws.append((number, "not UTF-8"))
            yield line.decode("ascii", errors="replace")


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadWords("statement: a row without a time") from None
    if at.tzinfo is None:
        raise BadWords("statement: a time without an offset")
    return at
