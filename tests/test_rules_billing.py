"""Rule 13: a tax invoice for each payment, a credit note for each refund, and numbers without a gap."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.invoice import InvoiceBooks, Supplier, address_of
from terminal.core.model import RefundStage
from tests.support.story import Story, an_id

SUPPLIER = Supplier("Marina Parking LLC", "المارينا للمواقف", "Marina Walk, Dubai", "دبي", "100123456700003", "5")


def billing(story: Story, supplier: Supplier | None = SUPPLIER) -> Story:
    """A start from which on invoices are issued."""
    rules = replace(story.garage.rules, supplier=supplier, mark="secret")
    story.tell(e.Started(story.at, "test", rules))
    story.boom("down")
    story.leaves_loop()
    return story


def numbers(story: Story) -> list[str]:
    """Of all payments, by their place in the series."""
    found = [p.invoice.number for s in story.garage.stays.values() for p in s.payments if p.invoice]
    return [number.rpartition("-")[0] for number in sorted(found)]


def gives_back(story: Story, stage: RefundStage = "success", amount: int | None = None, by: str = "c") -> None:
    no = story.order().no
    story.tell(e.CommandGiven(story.at, "exit-1", an_id(by), "refund", "omar", story.at, order_no=no, amount=amount))
    story.tell(e.RefundReported(story.at, story.refund().no, no, stage))


def test_a_payment_has_the_next_number_from_the_fact_that_pays() -> None:
    story = billing(Story())
    story.shows_qr()
    assert story.garage.books == InvoiceBooks()
    story.payby("PAID")
    invoice = story.payment().invoice
    assert invoice is not None
    assert (invoice.issued, invoice.supplier) == (story.at, SUPPLIER)
    assert numbers(story) == ["marina-2609211413-000001"]
    assert story.garage.books == InvoiceBooks("2609211413", 1)


def test_a_payment_that_is_told_twice_has_one_number() -> None:
    story = billing(Story())
    story.pays()
    before = story.payment()
    story.payby("PAID")
    assert (story.payment(), story.garage.books.invoices) == (before, 1)


def test_without_a_supplier_nothing_is_numbered_and_what_was_paid_then_stays_so() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.drives_through()
    assert (story.payment().invoice, story.garage.books) == (None, InvoiceBooks())
    billing(story)
    gives_back(story)
    assert (story.payment().invoice, story.refund().note, story.garage.books) == (None, None, InvoiceBooks())


def test_a_number_goes_on_where_the_garage_left_off_issuing() -> None:
    story = billing(Story())
    story.pays()
    story.raises()
    story.drives_through()
    billing(story, None)
    story.at += 3_600_000
    story.shows_qr("b")
    story.payby("PAID", "b")
    story.raises("b")
    story.drives_through()
    billing(story, replace(SUPPLIER, trn="100999999900003"))
    story.shows_qr("c")
    story.payby("PAID", "c")
    assert numbers(story) == ["marina-2609211413-000001", "marina-2609211413-000002"]
    first, later = story.payment("a").invoice, story.payment("c").invoice
    assert first and later and (first.supplier.trn, later.supplier.trn) == ("100123456700003", "100999999900003")


def test_a_payment_that_goes_back_keeps_its_invoice_and_gets_a_credit_note() -> None:
    story = billing(Story())
    story.pays()
    story.raises()
    story.drives_through()
    gives_back(story, "created")
    assert story.refund().note is None
    story.tell(e.RefundReported(story.at, story.refund().no, story.order().no, "settled"))
    note = story.refund().note
    assert note is not None
    assert (note.number.rpartition("-")[0], note.issued) == ("marina-2609211413-C000001", story.at)
    story.at += 1000
    story.tell(e.RefundReported(story.at, story.refund().no, story.order().no, "success"))
    assert (story.refund().note, story.garage.books) == (note, InvoiceBooks("2609211413", 1, 1))


def test_each_of_two_partial_refunds_has_a_note() -> None:
    story = billing(Story())
    story.pays()
    story.raises()
    story.drives_through()
    gives_back(story, amount=500, by="c1")
    gives_back(story, amount=700, by="c2")
    notes = [refund.note.number.rpartition("-")[0] for refund in story.stay().refunds if refund.note]
    assert notes == ["marina-2609211413-C000001", "marina-2609211413-C000002"]


def test_a_refund_that_failed_has_no_note_until_it_is_made_after_all() -> None:
    story = billing(Story())
    story.pays()
    story.raises()
    story.drives_through()
    gives_back(story, "failed")
    assert (story.refund().note, story.garage.books.notes) == (None, 0)
    story.tell(e.RefundReported(story.at, story.refund().no, story.order().no, "success"))
    assert story.refund().note is not None


def test_a_second_payment_has_an_invoice_too_and_a_credit_note_for_it() -> None:
    story = billing(Story())
    first = story.shows_qr()
    story.payby("FAILURE")
    second = story.order()
    story.payby("CREATED")
    story.payby("PAID", order=first)
    story.payby("PAID", order=second)
    assert len(numbers(story)) == 2
    story.tell(e.RefundReported(story.at, story.refund().no, second.no, "success"))
    assert story.refund().note is not None


@pytest.mark.parametrize("listed", [False, True])
def test_after_a_damage_numbers_begin_anew_in_a_series_of_their_own(listed: bool) -> None:
    """What the lost facts numbered is not known; PayBy's list of orders tells of no further loss."""
    story = billing(Story())
    story.pays()
    story.raises()
    story.drives_through()
    story.at += 120_000
    story.tell(e.Damaged(story.at, "rows are lost", listed=listed))
    story.boom("down")
    story.shows_qr("b")
    story.payby("PAID", "b")
    new = ["marina-2609211413-000002"] if listed else ["marina-2609211415-000001"]
    assert numbers(story) == ["marina-2609211413-000001", *new]


def test_the_screen_has_the_address_once_the_boom_has_risen_for_the_payment() -> None:
    story = billing(Story())
    story.shows_qr()
    assert story.screen().invoice is None
    story.payby("PAID")
    assert (story.shows(), story.screen().invoice) == ("paid", None)
    story.raises()
    invoice = story.payment().invoice
    assert invoice is not None
    assert (story.shows(), story.screen().invoice) == ("paid", address_of(an_id("stay", "a"), invoice))
    story.drives_through()
    assert (story.shows(), story.screen().invoice) == ("idle", None)


def test_a_free_stay_and_one_without_an_invoice_show_no_address() -> None:
    story = billing(Story())
    story.arrives()
    story.reads(amount=0)
    story.raises()
    assert (story.shows(), story.screen().invoice) == ("free", None)
    story.drives_through()
    billing(story, None)
    story.shows_qr("b")
    story.payby("PAID", "b")
    story.raises("b")
    assert (story.shows(), story.screen().invoice) == ("paid", None)
