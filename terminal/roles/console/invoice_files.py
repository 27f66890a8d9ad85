"""A driver's tax invoice as a PDF, for whoever stands at the desk and asks for it again."""

import asyncio
from collections.abc import Callable
from zoneinfo import ZoneInfo

from aiohttp import web

from terminal.contract.invoice_messages import IssuedInvoice
from terminal.core import ids
from terminal.invoice.enquiries import InvoiceEnquiries, NoAnswer
from terminal.roles.console.guard import SPOKEN

RefusalPage = Callable[[web.Request, int, str], web.Response]


class InvoiceFiles:
    """``refuse`` makes a page that says why there is no file. ``run()`` hears the worker's answers."""

    def __init__(self, enquiries: InvoiceEnquiries, zone: ZoneInfo) -> None:
        self._enquiries, self._zone = enquiries, zone

    async def run(self) -> None:
        """Hear until cancelled."""
        await self._enquiries.run()

    def routes(self, refuse: RefusalPage) -> list[web.RouteDef]:
        """What the desk's application gets."""

        async def invoice(request: web.Request) -> web.Response:
            order_no = request.match_info["order_no"]
            if ids.parse_order_no(order_no) is None:
                raise web.HTTPNotFound
            try:
                found = await self._enquiries.of_order(order_no)
            except NoAnswer:
                return refuse(request, 503, "invoice.later")
            if found is None:
                return refuse(request, 404, "invoice.absent")
            try:
                data = await asyncio.to_thread(_paper, found, self._zone)
            except ImportError:
                return refuse(request, 503, "invoice.extra")
            name = f'inline; filename="{found.number}.pdf"'
            return web.Response(
                body=data, content_type="application/pdf", headers={"Content-Disposition": name,
                                                                    "Content-Language": request[SPOKEN].lang},
            )  # fmt: skip

        return [web.get("/invoices/{order_no}.pdf", invoice)]


def _paper(invoice: IssuedInvoice, zone: ZoneInfo) -> bytes:
    from terminal.invoice.paper import invoice_pdf  # the extra `receipts`, which not every desk has

    return invoice_pdf(invoice, zone)
