"""Answers enquiries about tax invoices, from the stays in memory and those in the journal."""

from terminal.contract.invoice_messages import Enquiry, Invoice, IssuedInvoice, IssuedNote
from terminal.contract.messages import stamp
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import ids, money
from terminal.core.invoice import is_code_of, read_address
from terminal.core.model import Payment, Stay
from terminal.eventstore.store import EventLog, EventStore
from terminal.mqtt.endpoint import Endpoint, ReceivedMessage


class InvoiceDesk:
    """An enquiry changes nothing, so it is no event: a stay that left memory is looked at where it is, and stays
    there."""

    def __init__(self, endpoint: Endpoint, event_store: EventStore, log: EventLog, garage: str) -> None:
        self._endpoint, self._event_store, self._log, self._garage = endpoint, event_store, log, garage

    async def hear_enquiry(self, received: ReceivedMessage) -> None:
        """Answer, also that there is none; an address with a wrong code leads nowhere."""
        received.ack()
        enquiry = received.message
        assert isinstance(enquiry, Enquiry)
        found = await self._by_address(enquiry.address) if enquiry.address else None
        if found is None and enquiry.order_no:
            found = await self._of_order(enquiry.order_no)
        answer = Invoice(**self._endpoint.head(), enquiry=enquiry.id, invoice=found)
        await self._endpoint.publish(answer, lane=GARAGE_WIDE)

    async def _by_address(self, address: str) -> IssuedInvoice | None:
        session, code = read_address(address) or ("", "")
        stay = await self._stay(session)
        for payment in stay.payments if stay else ():
            if payment.invoice and is_code_of(payment.invoice, code):
                return issued_invoice(stay, payment) if stay else None
        return None

    async def _of_order(self, order_no: str) -> IssuedInvoice | None:
        name = ids.parse_order_no(order_no)
        if name is None or name.garage != self._garage:
            return None
        stay = await self._stay(name.session)
        payment = stay.payment(order_no) if stay else None
        return issued_invoice(stay, payment) if stay and payment else None

    async def _stay(self, session: str) -> Stay | None:
        row = self._event_store.resting_stays.row_of(session)
        data = await self._log.fetch(row) if row and session not in self._event_store.garage.stays else None
        return self._event_store.find(session, lambda _: data)


def issued_invoice(stay: Stay, payment: Payment) -> IssuedInvoice | None:
    """The invoice of one of the stay's payments, as it was issued, with what was given back since; None: it has
    none."""
    invoice, order = payment.invoice, stay.order(payment.order_no)
    if invoice is None or order is None:
        return None
    supplier = invoice.supplier
    notes = tuple(
        IssuedNote(
            number=refund.note.number,
            issued=stamp(refund.note.issued),
            amount=money.text(refund.amount),
            vat=money.text(money.vat_part(refund.amount, supplier.vat_percent)),
        )
        for refund in stay.refunds
        if refund.note and refund.order_no == payment.order_no
    )
    return IssuedInvoice(
        number=invoice.number,
        issued=stamp(invoice.issued),
        order_no=payment.order_no,
        lane=order.lane,
        supplier=supplier.name,
        supplier_ar=supplier.name_ar or None,
        address=supplier.address,
        address_ar=supplier.address_ar or None,
        trn=supplier.trn,
        entered=stamp(ids.moment_of(stay.session)) if stay.lost is None else None,
        minutes=order.minutes,
        amount=money.text(payment.amount),
        vat=money.text(money.vat_part(payment.amount, supplier.vat_percent)),
        vat_percent=supplier.vat_percent,
        currency="AED",
        notes=notes,
    )
