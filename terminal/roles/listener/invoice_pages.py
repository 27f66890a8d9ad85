"""Tax invoices for drivers, each at an address that nobody can guess: ``GET /receipt/<68 digits>``.

The listener keeps none of them. It asks the worker, remembers an answer for a minute, and limits how often it asks: a
stranger who tries addresses finds nothing, and costs the worker a few questions a second.
"""

import asyncio
from collections import OrderedDict
from zoneinfo import ZoneInfo

from aiohttp import web

from terminal.contract.invoice_messages import IssuedInvoice
from terminal.core.invoice import read_address
from terminal.invoice.enquiries import InvoiceEnquiries, NoAnswer
from terminal.invoice.page import invoice_page, word_page
from terminal.mqtt.throttle import Throttle
from terminal.roles.listener.role import INVOICES

ASK_EVERY_MS, ASK_BURST = 200, 25
"""The time for each further question to the worker, and how many may be asked at once."""
REMEMBERED, REMEMBERED_S = 200, 60.0
"""How many invoices are remembered, and for how long: a credit note shows after that."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


class InvoicePages:
    """``run()`` hears the worker's answers. ``zone``: the garage's."""

    def __init__(self, enquiries: InvoiceEnquiries, zone: ZoneInfo, *, remembered_s: float = REMEMBERED_S) -> None:
        self._enquiries, self._zone, self._remembered_s = enquiries, zone, remembered_s
        self._asked = Throttle(ASK_EVERY_MS, burst=ASK_BURST)
        self._known: OrderedDict[str, tuple[float, IssuedInvoice]] = OrderedDict()

    async def run(self) -> None:
        """Hear until cancelled."""
        await self._enquiries.run()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """The page of an address; 404 where there is no invoice, 503 where the worker cannot be asked now."""
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        address = request.path.removeprefix(INVOICES)
        if read_address(address) is None:
            return _page(404, word_page("absent"))
        now_s = asyncio.get_running_loop().time()
        at_s, invoice = self._known.get(address, (0.0, None))
        if invoice is None or now_s - at_s >= self._remembered_s:
            if not self._asked.take(round(now_s * 1000)):
                return _page(429, word_page("later"))
            try:
                invoice = await self._enquiries.by_address(address)
            except NoAnswer:
                return _page(503, word_page("later"))
            if invoice is None:
                return _page(404, word_page("absent"))
            self._remember(address, now_s, invoice)
        return _page(200, invoice_page(invoice, self._zone))

    def _remember(self, address: str, now_s: float, invoice: IssuedInvoice) -> None:
        self._known[address] = now_s, invoice
        self._known.move_to_end(address)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _page(status: int, html: str) -> web.Response:
    later = {"Retry-After": "3"} if status in (429, 503) else {}
    return web.Response(
        status=status, text=html, content_type="text/html", charset="utf-8", headers={**HEADERS, **later}
    )
