"""A tax invoice as a page for a phone: both languages, and nothing that comes from elsewhere."""

from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from terminal.contract.invoice_messages import IssuedInvoice
from terminal.invoice import sheet


@cache
def _templates() -> Environment:
    loader = PackageLoader("terminal.invoice")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def invoice_page(invoice: IssuedInvoice, zone: ZoneInfo) -> str:
    """The page of an invoice, in HTML."""
    return (
        _templates()
        .get_template("invoice.html")
        .render(
            title=sheet.WORDS["title"],
            note=sheet.WORDS["note"],
            head=sheet.head(invoice),
            lines=sheet.lines(invoice, zone),
            notes=sheet.notes(invoice, zone),
            said=None,
        )
    )


def word_page(key: str) -> str:
    """A page that says one thing (a key of sheet.WORDS), in HTML."""
    return (
        _templates()
        .get_template("invoice.html")
        .render(title=sheet.WORDS["title"], note=(), head=(), lines=(), notes=(), said=sheet.WORDS[key])
    )
