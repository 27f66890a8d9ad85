"""terminal/core/invoice.py: numbers without a gap, and addresses that nobody can guess."""

import pytest

from terminal.core.ids import parse_order_no
from terminal.core.invoice import (
    InvoiceBooks,
    Supplier,
    TaxInvoice,
    address_of,
    is_code_of,
    next_invoice,
    next_note,
    read_address,
)
from tests.support.story import T0, an_id

SUPPLIER = Supplier("Marina Parking LLC", "المارينا للمواقف ذ.م.م", "Marina Walk, Dubai", "دبي", "100123456700003", "5")
SESSION = an_id("stay", "a")
ORDER = f"marina-exit-1-{SESSION.replace('-', '')}"
MINUTE_MS = 60_000


def invoice(order_no: str = ORDER, mark: str = "secret", at: int = T0) -> TaxInvoice:
    return next_invoice(InvoiceBooks(), at, SUPPLIER, garage="marina", mark=mark, order_no=order_no)[1]


def test_numbers_count_up_in_a_series_that_is_named_by_when_it_began() -> None:
    books, numbers = InvoiceBooks(), []
    for again in range(3):
        at = T0 + again * 86_400_000
        books, made = next_invoice(books, at, SUPPLIER, garage="marina", mark="m", order_no=f"{ORDER}-{again + 2}")
        numbers.append(made.number)
        assert (made.issued, made.supplier) == (at, SUPPLIER)
    assert [number.rpartition("-")[0] for number in numbers] == [
        "marina-2609211413-000001", "marina-2609211413-000002", "marina-2609211413-000003",
    ]  # fmt: skip
    assert len({number.rpartition("-")[2] for number in numbers}) == 3
    assert books == InvoiceBooks("2609211413", 3, 0)


def test_credit_notes_have_numbers_of_their_own() -> None:
    books, _ = next_invoice(InvoiceBooks(), T0, SUPPLIER, garage="marina", mark="m", order_no=ORDER)
    books, first = next_note(books, T0 + MINUTE_MS, garage="marina", refund_no="R" + "0" * 32)
    books, second = next_note(books, T0 + 2 * MINUTE_MS, garage="marina", refund_no="R" + "1" * 32)
    assert [note.number.rpartition("-")[0] for note in (first, second)] == [
        "marina-2609211413-C000001", "marina-2609211413-C000002",
    ]  # fmt: skip
    assert (second.issued, books) == (T0 + 2 * MINUTE_MS, InvoiceBooks("2609211413", 1, 2))


def test_a_credit_note_may_begin_the_series() -> None:
    books, note = next_note(InvoiceBooks(), T0, garage="marina", refund_no="R" + "0" * 32)
    assert (note.number[:24], books) == ("marina-2609211413-C00000", InvoiceBooks("2609211413", 0, 1))


def test_the_same_place_in_two_series_of_one_minute_is_not_the_same_number() -> None:
    one, other = invoice(ORDER), invoice(f"{ORDER}-2")
    assert one.number[:-4] == other.number[:-4]
    assert one.number != other.number


def test_an_address_leads_back_to_stay_and_code() -> None:
    made = invoice()
    address = address_of(SESSION, made)
    assert len(address) == 68
    assert address.isdecimal()
    assert read_address(address) == (SESSION, made.code)
    low = TaxInvoice("n", T0, "0" * 24, SUPPLIER)
    session = "00000000-0000-7000-8000-000000000000"
    assert read_address(address_of(session, low)) == (session, "0" * 24)


@pytest.mark.parametrize(
    "text", ["", "1" * 67, "1" * 69, "9" * 68, "-" + "1" * 67, "1" * 67 + "\n", "١" * 68, "1" * 67 + "a"]
)
def test_another_text_is_no_address(text: str) -> None:
    assert read_address(text) is None


def test_the_code_follows_from_the_order_and_the_garages_secret_alone() -> None:
    made = invoice()
    assert is_code_of(made, invoice(at=T0 + 9 * MINUTE_MS).code)
    assert not is_code_of(made, invoice(mark="another").code)
    assert not is_code_of(made, invoice(f"{ORDER}-2").code)
    assert not is_code_of(made, made.code[:-1] + "٠")
    assert parse_order_no(ORDER) is not None
    other = next_invoice(InvoiceBooks(), T0, SUPPLIER, garage="creek", mark="secret", order_no=ORDER)[1]
    assert not is_code_of(made, other.code)
