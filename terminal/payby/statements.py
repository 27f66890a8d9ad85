"""PayBy's statements: a ZIP of ``|``-separated files, read by column names since their order differs between versions.

Row 1 is a summary that begins with ``*``, row 2 the names, then data; the last row ends with ``*``. Nothing in a
statement is signed: it may raise an alert, never move money.
"""

import io
import zipfile
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from .errors import BadWords
from .strict import Amount

MAX_FILE_BYTES = 128 * 1024 * 1024  # 50,000 rows, PayBy's limit for one file, are about 20 MB


class Kind(StrEnum):
    """Told by a file's name; transactions are by payment time, settlements by settlement time."""

    TRANSACTIONS = "transactions"
    SETTLEMENTS = "settlements"


@dataclass(frozen=True, slots=True)
class Row:
    """One line; ``fields`` by the names of row 2. The properties are those that both versions have."""

    fields: dict[str, str]

    @property
    def order_no(self) -> str:
        """Our number: of the order, or of the refund."""
        return self.fields.get("merchantOrderNo", "")

    @property
    def origin_order_no(self) -> str:
        """Of a refund: the number of the order that it gives back."""
        return self.fields.get("originMerchantOrderNo", "")

    @property
    def payby_no(self) -> str:
        """PayBy's number."""
        return self.fields.get("orderNo", "")

    @property
    def transaction(self) -> str:
        """PAYMENT, REFUND, ADJUST, …"""
        return self.fields.get("transactionType", "")

    @property
    def amount(self) -> Decimal:
        """AED; what was paid or refunded, in a settlement what was settled; raises BadWords."""
        text = self.fields.get("totalAmount") or self.fields.get("settlementAmount", "")
        try:
            return Amount.read(text)
        except ValueError:
            raise BadWords("statement: a row without an amount") from None

    @property
    def paid_at(self) -> datetime:
        """With its offset from UTC; raises BadWords."""
        try:
            at = datetime.fromisoformat(self.fields.get("paidTime", ""))
        except ValueError:
            raise BadWords("statement: a row without a time") from None
        if at.tzinfo is None:
            raise BadWords("statement: a time without an offset")
        return at


@dataclass(frozen=True, slots=True)
class Statement:
    """One file. ``summary`` by its own names, such as ``totalCount``."""

    name: str
    kind: Kind
    summary: dict[str, str]
    rows: tuple[Row, ...]

    @classmethod
    def read(cls, name: str, text: str) -> Self:
        """Read one file's text; raises BadWords for a cut-off one."""
        lines = [line.removesuffix("\r") for line in text.lstrip("\ufeff").split("\n")]
        while lines and not lines[-1].strip():
            lines.pop()
        if len(lines) < 2 or not lines[0].startswith("*"):
            raise BadWords(f"{name}: no statement")
        if not lines[-1].endswith("*"):
            raise BadWords(f"{name}: cut off, the last row does not end with *")
        lines[-1] = lines[-1][:-1]
        summary = dict(part.partition(":")[::2] for part in lines[0][1:].split("|"))
        columns = [column.strip() for column in lines[1].split("|")]
        rows = []
        for number, line in enumerate(lines[2:], 3):
            values = line.split("|")
            if len(values) != len(columns):
                raise BadWords(f"{name}: row {number} has {len(values)} fields, and there are {len(columns)} names")
            rows.append(Row(dict(zip(columns, values, strict=True))))
        return cls(name, _kind(name), summary, tuple(rows))


def read_zip(data: bytes) -> list[Statement]:
    """A day's statements, numbered files included, sorted by name; raises BadWords.

    The fund statement, of which no page gives the columns, is left out.
    """
    found = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                name = info.filename.lower()
                if not name.endswith(".csv") or "fund_statement" in name:
                    continue
                with archive.open(info) as file:
                    text = file.read(MAX_FILE_BYTES + 1)
                if len(text) > MAX_FILE_BYTES:
                    raise BadWords(f"{info.filename[:100]}: larger than a statement may be")
                found.append(Statement.read(info.filename[:100], text.decode("utf-8")))
    except (zipfile.BadZipFile, UnicodeDecodeError, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise BadWords(f"statement: {type(error).__name__}") from None
    return found


def _kind(name: str) -> Kind:
    return Kind.SETTLEMENTS if "settle" in name.lower() else Kind.TRANSACTIONS
