"""Tax invoices on the wire: who wants to see one asks the worker, which has them all in its journal."""

from typing import Annotated

import msgspec
from msgspec import Meta

from terminal.contract.field_forms import AmountText, Count, Currency, OrderNo, Stamp, Uuid7
from terminal.contract.message_form import Message

InvoiceAddress = Annotated[str, Meta(pattern=r"^[0-9]{68}(?!\n)$")]


class Enquiry(Message, frozen=True, kw_only=True):
    """The listener or the console asks for a payment's tax invoice, by its address or by the order."""

    address: InvoiceAddress | None = None
    order_no: OrderNo | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order_no is None:
            self.need("address", where="an enquiry without `order_no`")


class IssuedNote(msgspec.Struct, frozen=True, kw_only=True):
    """A credit note: what was given back of an invoice."""

    number: str
    issued: Stamp
    amount: AmountText
    vat: AmountText


class IssuedInvoice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tax invoice, as it was issued, and the credit notes for it."""

    number: str
    issued: Stamp
    order_no: OrderNo
    lane: str
    supplier: str
    address: str
    trn: str
    amount: AmountText
    vat: AmountText
    vat_percent: str
    currency: Currency
    supplier_ar: str | None = None
    address_ar: str | None = None
    entered: Stamp | None = None
    minutes: Count | None = None
    notes: tuple[IssuedNote, ...] = ()


class Invoice(Message, frozen=True, kw_only=True):
    """The worker's answer to an ``Enquiry``; without ``invoice`` there is none."""

    enquiry: Uuid7
    invoice: IssuedInvoice | None = None
