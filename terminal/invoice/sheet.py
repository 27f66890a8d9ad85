"""What a tax invoice says, line by line, each in English and Arabic: the same on a phone as on paper.

Cabinet Decision 52 of 2017, article 59 (2), asks of a simplified tax invoice: the words "Tax Invoice"; name, address
and TRN of the supplier; the date of issue; what was supplied; the total, and the VAT in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from terminal.contract.invoice_messages import IssuedInvoice
from terminal.contract.messages import moment
from terminal.core import money

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Tax Invoice", "فاتورة ضريبية"),
    "number": ("Invoice number", "رقم الفاتورة"),
    "issued": ("Date of issue", "تاريخ الإصدار"),
    "trn": ("TRN", "رقم التسجيل الضريبي"),
    "what": ("Service", "الخدمة"),
    "parking": ("Car parking", "موقف مركبة"),
    "entered": ("Entry", "وقت الدخول"),
    "stay": ("Length of stay", "مدة الوقوف"),
    "lost": ("Lost ticket", "تذكرة مفقودة"),
    "net": ("Amount without VAT", "المبلغ قبل الضريبة"),
    "vat": ("VAT {} %", "ضريبة القيمة المضافة {}٪"),
    "total": ("Total with VAT", "الإجمالي مع الضريبة"),
    "order": ("Order number", "رقم الطلب"),
    "note": ("Tax Credit Note", "إشعار دائن ضريبي"),
    "note.number": ("Credit note number", "رقم الإشعار"),
    "note.amount": ("Given back, with VAT", "المبلغ المسترد مع الضريبة"),
    "absent": ("There is no such invoice", "لا توجد فاتورة بهذا العنوان"),
    "later": ("Please try again in a moment", "يرجى المحاولة بعد قليل"),
}
"""Every word, in English and Arabic. A native speaker must read the Arabic before a release."""


@dataclass(frozen=True, slots=True)
class SheetLine:
    """A value between its names in both languages. ``value_ar``: the value in Arabic, if it has words. ``strong`` lines
    are what people look for."""

    name: str
    name_ar: str
    value: str
    value_ar: str = ""
    strong: bool = False


def head(invoice: IssuedInvoice) -> list[tuple[str, str]]:
    """Who issues it and where, in English and Arabic; the Arabic may be empty."""
    return [(invoice.supplier, invoice.supplier_ar or ""), (invoice.address, invoice.address_ar or "")]


def lines(invoice: IssuedInvoice, zone: ZoneInfo) -> list[SheetLine]:
    """The invoice's own lines; times by the garage's clock."""
    return list(_lines(invoice, zone))


def notes(invoice: IssuedInvoice, zone: ZoneInfo) -> list[list[SheetLine]]:
    """The lines of each credit note."""
    return [
        [
            _line("note.number", note.number),
            _line("issued", _when(note.issued, zone)),
            _line("vat", _aed(note.vat), invoice.vat_percent),
            _line("note.amount", _aed(note.amount), strong=True),
        ]
        for note in invoice.notes
    ]


def _lines(invoice: IssuedInvoice, zone: ZoneInfo) -> Iterator[SheetLine]:
    yield _line("trn", invoice.trn)
    yield _line("number", invoice.number)
    yield _line("issued", _when(invoice.issued, zone))
    yield _line("what", *WORDS["parking" if invoice.entered else "lost"])
    if invoice.entered:
        yield _line("entered", _when(invoice.entered, zone))
    if invoice.minutes is not None:
        yield _line("stay", "{}:{:02d} h".format(*divmod(invoice.minutes, 60)))
    total, vat = money.parse(invoice.amount), money.parse(invoice.vat)
    yield _line("net", _aed(money.text(total - vat)))
    yield _line("vat", _aed(invoice.vat), invoice.vat_percent)
    yield _line("total", _aed(invoice.amount), strong=True)
    yield _line("order", invoice.order_no)


def _line(key: str, value: str, more: str = "", *, strong: bool = False) -> SheetLine:
    """``more``: the rate of a line about VAT, otherwise the value in Arabic."""
    name, name_ar = WORDS[key]
    if key == "vat":
        return SheetLine(name.format(more), name_ar.format(more), value)
    return SheetLine(name, name_ar, value, more, strong)


def _aed(amount: str) -> str:
    return f"AED {amount}"


def _when(at: str, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(moment(at) / 1000, zone).strftime("%Y-%m-%d %H:%M")
