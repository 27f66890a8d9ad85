"""The keys of `[receipt]`: tax invoices for drivers."""

from typing import Annotated

from msgspec import Meta

from terminal.config.section import Section

InvoiceWords = Annotated[
    str, Meta(pattern=r"^[^\x00-\x1f\x7f|]{1,120}\Z", description="1 to 120 characters on one line, no |")
]
ReceiptUrl = Annotated[
    str, Meta(pattern=r"^https?://[^/@\s]+(/[A-Za-z0-9._~/-]*)?\Z", max_length=100, description="https://HOST/PATH")
]


class ReceiptSettings(Section, frozen=True):
    """Who issues the invoices, and the address under which the listener's host serves them; for the worker, and for a
    listener that serves them. No `url`: no screen has a code for an invoice, and only the desk gives them."""

    supplier: InvoiceWords
    address: InvoiceWords
    trn: Annotated[str, Meta(pattern=r"^[0-9]{15}\Z", description="15 digits, in quotes")]
    supplier_ar: InvoiceWords | None = None
    address_ar: InvoiceWords | None = None
    url: ReceiptUrl | None = None
