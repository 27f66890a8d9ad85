"""Tax invoices and credit notes: who issues them, how they are numbered, and the address of a driver's own.

Every payment has an invoice, and every refund that PayBy made has a credit note. Each kind is numbered without a gap,
by the fact that pays or gives back: a number is in the journal with it, or was never given. What the Federal Tax
Authority asks of a simplified tax invoice stands in Cabinet Decision 52 of 2017, article 59 (2).

A journal that was put back, or lost rows, does not know which numbers it gave meanwhile. So it begins a series, named
by the minute. And a number ends in letters that follow from its order, so even the same place in the same series is
not the same number.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from terminal.core import ids
from terminal.core.value import replace

_CODE_BITS = 96
_ADDRESS = re.compile(r"[0-9]{68}")


@dataclass(frozen=True, slots=True)
class Supplier:
    """Who issues invoices, as they were when one was issued. ``trn`` is the tax registration number."""

    name: str
    name_ar: str
    address: str
    address_ar: str
    trn: str
    vat_percent: str


@dataclass(frozen=True, slots=True)
class TaxInvoice:
    """Of one payment. ``issued``: ms since the epoch by the worker's clock, as it was told; ``code``: 24 hex digits
    that only the garage can make, for its address."""

    number: str
    issued: int
    code: str
    supplier: Supplier


@dataclass(frozen=True, slots=True)
class CreditNote:
    """Of one refund that was made; the supplier is the invoice's. ``issued`` as of an invoice."""

    number: str
    issued: int


@dataclass(frozen=True, slots=True)
class InvoiceBooks:
    """How far the numbers are. ``series``: when it began (UTC, yymmddhhmm); empty before the first number."""

    series: str = ""
    invoices: int = 0
    notes: int = 0


def next_invoice(
    books: InvoiceBooks, at: int, supplier: Supplier, *, garage: str, mark: str, order_no: str
) -> tuple[InvoiceBooks, TaxInvoice]:
    """The next invoice, issued at ``at`` (ms), and the books after it. ``mark``: the garage's secret."""
    books = replace(_begun(books, at), invoices=books.invoices + 1)
    number = f"{garage}-{books.series}-{books.invoices:06d}-{_letters(order_no)}"
    return books, TaxInvoice(number, at, _code(mark, garage, order_no), supplier)


def next_note(books: InvoiceBooks, at: int, *, garage: str, refund_no: str) -> tuple[InvoiceBooks, CreditNote]:
    """The next credit note, issued at ``at`` (ms), and the books after it."""
    books = replace(_begun(books, at), notes=books.notes + 1)
    return books, CreditNote(f"{garage}-{books.series}-C{books.notes:06d}-{_letters(refund_no)}", at)


def address_of(session: str, invoice: TaxInvoice) -> str:
    """Where a driver finds the invoice of a stay: 68 digits, which a QR code holds in little room."""
    number = int(session.replace("-", ""), 16) << _CODE_BITS | int(invoice.code, 16)
    return f"{number:068d}"


def read_address(text: str) -> tuple[str, str] | None:
    """The session and the code in an address; None for any other text."""
    if not _ADDRESS.fullmatch(text) or (number := int(text)) >> _CODE_BITS >= 1 << 128:
        return None
    digits = f"{number >> _CODE_BITS:032x}"
    session = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return session, f"{number & ((1 << _CODE_BITS) - 1):024x}"


def is_code_of(invoice: TaxInvoice, code: str) -> bool:
    """Does the code of an address belong to this invoice? It takes as long for a wrong one."""
    return hmac.compare_digest(invoice.code.encode(), code.encode())


def _begun(books: InvoiceBooks, at: int) -> InvoiceBooks:
    if books.series:
        return books
    return InvoiceBooks(datetime.fromtimestamp(at / 1000, UTC).strftime("%y%m%d%H%M"))


def _letters(cause: str) -> str:
    return ids.help_code(cause)[:4]


def _code(mark: str, garage: str, order_no: str) -> str:
    """It follows from the order alone, so the address on a driver's phone holds after a journal was put back."""
    return hmac.digest(mark.encode(), f"invoice|{garage}|{order_no}".encode(), "sha256").hex()[: _CODE_BITS // 4]
