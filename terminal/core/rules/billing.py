"""Rule 13: each payment has a tax invoice, and each refund that was made a credit note, numbered without a gap."""

from terminal.core.invoice import InvoiceBooks, next_invoice, next_note
from terminal.core.model import Payment, Stay, VisitRefund
from terminal.core.rules.draft import Draft
from terminal.core.value import replace


def billed(draft: Draft, payment: Payment) -> Payment:
    """The payment with its invoice, if the garage issues any."""
    rules = draft.rules
    if rules.supplier is None:
        return payment
    draft.books, invoice = next_invoice(
        draft.books, draft.at, rules.supplier, garage=rules.garage, mark=rules.mark, order_no=payment.order_no
    )
    return replace(payment, invoice=invoice)


def credited(draft: Draft, stay: Stay, refund: VisitRefund) -> VisitRefund:
    """The refund with its credit note, once it is made and if its payment has an invoice."""
    payment = stay.payment(refund.order_no)
    made = refund.stage in ("settled", "success")
    if not made or refund.note or payment is None or payment.invoice is None:
        return refund
    draft.books, note = next_note(draft.books, draft.at, garage=draft.rules.garage, refund_no=refund.no)
    return replace(refund, note=note)


def begin_series(draft: Draft) -> None:
    """The journal lacks facts, and nobody knows which numbers they gave: the next number begins a series."""
    draft.books = InvoiceBooks()
