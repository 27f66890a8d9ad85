"""Tax invoices for tests, and a worker that knows them."""

from typing import Any

from terminal.contract.invoice_messages import Enquiry, Invoice, IssuedInvoice, IssuedNote
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.invoice import Supplier
from terminal.mqtt.endpoint import Endpoint
from tests.support.lifts import NUMBER

SUPPLIER = Supplier(
    "Marina Parking LLC", "المارينا للمواقف ذ.م.م", "Marina Walk, Dubai", "مارينا ووك، دبي", "100123456700003", "5"
)
ADDRESS = "0" * 66 + "42"
NOTE = IssuedNote(
    number="marina-2609211413-C000004-9Q2B", issued="2026-09-22T08:00:00.000Z", amount="10.00", vat="0.48"
)


def invoice(**changes: Any) -> IssuedInvoice:
    fields: dict[str, Any] = {
        "number": "marina-2609211413-000123-7K3Q",
        "issued": "2026-09-21T14:20:00.000Z",
        "order_no": NUMBER,
        "lane": "exit-1",
        "supplier": SUPPLIER.name,
        "supplier_ar": SUPPLIER.name_ar,
        "address": SUPPLIER.address,
        "address_ar": SUPPLIER.address_ar,
        "trn": SUPPLIER.trn,
        "amount": "25.00",
        "vat": "1.19",
        "vat_percent": "5",
        "currency": "AED",
        "entered": "2026-09-21T12:15:00.000Z",
        "minutes": 125,
    }
    return IssuedInvoice(**(fields | changes))


class InvoiceKnower:
    """A worker as far as invoices go. ``asked`` has every question; while ``silent`` there is no answer."""

    def __init__(self, endpoint: Endpoint, known: dict[str, IssuedInvoice]) -> None:
        self._endpoint, self.known = endpoint, known
        self.asked: list[Enquiry] = []
        self.silent = 0
        """So many questions get no answer; below 0: none does."""

    async def run(self) -> None:
        with self._endpoint.subscribe("enquiry", lane=GARAGE_WIDE) as stream:
            async for received in stream:
                received.ack()
                question = received.message
                assert isinstance(question, Enquiry)
                self.asked.append(question)
                if self.silent:
                    self.silent -= 1
                    continue
                found = self.known.get(question.address or question.order_no or "")
                head = self._endpoint.head()
                await self._endpoint.publish(Invoice(**head, enquiry=question.id, invoice=found), lane=GARAGE_WIDE)
