"""terminal/invoice: what a tax invoice says to people, as a page and on paper."""

import io
import re
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader

from terminal.contract.invoice_messages import IssuedInvoice
from terminal.core import money
from terminal.invoice import sheet
from terminal.invoice.page import invoice_page, word_page
from terminal.invoice.paper import invoice_pdf
from terminal.screen.fonts import lacking
from tests.support.invoices import NOTE, invoice

DUBAI = ZoneInfo("Asia/Dubai")


def said(one: IssuedInvoice) -> dict[str, str]:
    return {line.name: line.value for line in sheet.lines(one, DUBAI)}


def text_of(pdf: bytes) -> str:
    return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_it_says_all_that_a_simplified_tax_invoice_must() -> None:
    """The words, who and where, when, what for, how much, and the VAT in it; times by the garage's clock."""
    one = invoice()
    assert sheet.WORDS["title"][0] == "Tax Invoice"
    assert sheet.head(one) == [(one.supplier, one.supplier_ar), (one.address, one.address_ar)]
    assert said(one) == {
        "TRN": "100123456700003",
        "Invoice number": one.number,
        "Date of issue": "2026-09-21 18:20",
        "Service": "Car parking",
        "Entry": "2026-09-21 16:15",
        "Length of stay": "2:05 h",
        "Amount without VAT": "AED 23.81",
        "VAT 5 %": "AED 1.19",
        "Total with VAT": "AED 25.00",
        "Order number": one.order_no,
    }


@pytest.mark.parametrize(("amount", "vat"), [("0.01", "0.00"), ("25.00", "1.19"), ("100.00", "4.76")])
def test_net_and_vat_add_up_to_the_total(amount: str, vat: str) -> None:
    lines = said(invoice(amount=amount, vat=vat))
    net = money.parse(lines["Amount without VAT"].removeprefix("AED "))
    assert net + money.parse(vat) == money.parse(amount)


def test_a_lost_ticket_has_no_entry_and_no_length() -> None:
    lines = said(invoice(entered=None, minutes=None))
    assert lines["Service"] == "Lost ticket"
    assert not {"Entry", "Length of stay"} & set(lines)


def test_every_word_is_in_both_languages_and_the_font_has_its_letters() -> None:
    for key, (text, text_ar) in sheet.WORDS.items():
        assert text and re.search("[\u0600-\u06ff]", text_ar), key
        assert lacking(text + text_ar) == "", key


def test_the_page_has_every_line_in_both_languages_and_loads_nothing() -> None:
    one = invoice(notes=(NOTE,))
    page = invoice_page(one, DUBAI)
    for line in [*sheet.lines(one, DUBAI), *sheet.notes(one, DUBAI)[0]]:
        assert line.name in page and line.name_ar in page and line.value in page
    assert "Tax Credit Note" in page and NOTE.number in page
    assert 'dir="rtl"' in page
    assert not re.findall(r"<(?:script|link|img|iframe)|url\(|https?:", page)


def test_a_name_with_markup_in_it_stays_text() -> None:
    page = invoice_page(invoice(supplier='<b onload="x">Marina & Sons</b>'), DUBAI)
    assert "<b onload" not in page
    assert "&lt;b onload=" in page and "Marina &amp; Sons" in page


def test_a_page_that_has_one_thing_to_say_says_it_in_both_languages() -> None:
    page = word_page("absent")
    assert all(word in page for word in sheet.WORDS["absent"])
    assert "<table" not in page


def test_the_paper_says_the_same_and_each_time_in_the_same_bytes() -> None:
    one = invoice(notes=(NOTE,))
    pdf = invoice_pdf(one, DUBAI)
    assert pdf.startswith(b"%PDF-")
    assert pdf == invoice_pdf(one, DUBAI)
    text = text_of(pdf)
    for line in [*sheet.lines(one, DUBAI), *sheet.notes(one, DUBAI)[0]]:
        assert line.name in text and line.value in text, line
    assert one.supplier in text and one.address in text
    assert len(PdfReader(io.BytesIO(pdf)).pages) == 1


def test_arabic_on_paper_is_joined_and_runs_from_right_to_left() -> None:
    """The letters of `فاتورة ضريبية` take as much room joined as on the screens, and less than apart; its first word
    stands right of its second."""
    pdf = PdfReader(io.BytesIO(invoice_pdf(invoice(), DUBAI)))
    found: list[tuple[str, float, float]] = []
    pdf.pages[0].extract_text(visitor_text=lambda text, cm, tm, font, size: found.append((text.strip(), tm[4], tm[5])))
    title = next(one for one in found if "فاتورة ضريبية" in one[0])
    english = next(one for one in found if "Tax Invoice" in one[0])
    assert title[2] == english[2]
    assert title[1] > english[1] + 100
    text = text_of(invoice_pdf(invoice(), DUBAI))
    assert text.index("فاتورة") < text.index("ضريبية")


def test_many_credit_notes_go_on_over_the_page_and_none_is_cut() -> None:
    numbers = [f"marina-2609211413-C{number:06d}-9Q2B" for number in range(1, 10)]
    one = invoice(notes=tuple(type(NOTE)(number=n, issued=NOTE.issued, amount="1.00", vat="0.05") for n in numbers))
    pdf = invoice_pdf(one, DUBAI)
    assert len(PdfReader(io.BytesIO(pdf)).pages) > 1
    assert all(number in text_of(pdf) for number in numbers)


def test_long_names_are_broken_or_set_smaller_and_none_is_cut() -> None:
    name, place = "Marina International Parking Services and Facilities " * 2, "Office 1203, Marina Plaza, Dubai " * 3
    text = text_of(invoice_pdf(invoice(supplier=name.strip(), address=place.strip(), supplier_ar=None), DUBAI))
    assert text.count("Facilities") == 2
    assert text.count("Plaza") == 3
