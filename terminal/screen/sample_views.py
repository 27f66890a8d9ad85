"""Every screen that there is, for the commands that draw them all: ``screens`` and ``check``."""

from dataclasses import replace

from terminal.core.model import REASONS
from terminal.screen import qr
from terminal.screen.view import Hint, Site, View

URL = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac14d5d372a459fbe948e83fcaae0cb&t=1765054600668"
"""As long as PayBy's links, with few digits in a row: a link that needs the larger symbol."""

INVOICE_URL = "https://pay.example.com/receipt/" + "1790026443908215" * 4 + "1790"
"""An address of a tax invoice."""

SITE = Site("Marina Garage", "موقف المارينا", "+971 4 000 0000", lane="exit-1")
_HINTS: tuple[Hint, ...] = ("second", "signal", "scanned")


def views(url: str = URL) -> dict[str, View]:
    """Every state with each of its reasons, by ``<state>[-<reason>]``; for the pay screen also the words that stand
    alone on a square panel, and the hints. Raises qr.QrError for what no QR code can carry."""
    visit = View("wait", amount="25.00", minutes=125, tail="4F2A")
    pay = replace(visit, state="pay", left=107, symbol=qr.proven(url))
    shown = {"idle": View("idle"), "wait": visit, "pay": pay, "pay-words": replace(pay, page="words")}
    shown |= {f"pay-{hint}": replace(pay, page="words", hint=hint) for hint in _HINTS}
    invoice = replace(visit, state="paid", symbol=qr.proven(INVOICE_URL))
    shown |= {"paid": replace(visit, state="paid"), "paid-invoice": invoice, "free": View("free", minutes=8)}
    for state, reasons in REASONS.items():
        code = "7K3QF" if state == "help" else ""
        shown |= {f"{state}-{reason}": View(state, reason, help_code=code) for reason in reasons}
    return shown
