from collections.abc import Callable
from decimal import Decimal, getcontext, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core import money

amounts = st.integers(0, money.MAX)


@given(amounts)
def test_every_amount_comes_back_from_its_text(fils: int) -> None:
    assert money.parse(money.text(fils)) == fils


@given(amounts)
def test_every_amount_comes_back_from_its_decimal_number(fils: int) -> None:
    assert money.from_decimal(Decimal(money.text(fils))) == fils


@pytest.mark.parametrize(
    ("text", "fils"),
    [("0", 0), ("0.00", 0), ("25.00", 2500), ("25", 2500), ("25.5", 2550), ("0.05", 5), ("10.10", 1010)],
)
def test_fewer_decimals_mean_the_same_amount(text: str, fils: int) -> None:
    assert money.parse(text) == fils


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1\n",
        "-1.00",
        "+1",
        "1.",
        ".5",
        "1.000",
        "1,00",
        "1e2",
        "007",
        "\u0662\u0665.\u0660\u0660",
        "1_000",
        "0x10",
        "NaN",
        "9" * 13,
    ],
)
def test_what_is_no_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="two decimals"):
        money.parse(text)


@pytest.mark.parametrize("fils", [-1, money.MAX + 1])
def test_an_amount_that_no_message_can_hold_is_not_written(fils: int) -> None:
    with pytest.raises(ValueError, match="an amount is 0 to"):
        money.text(fils)


def test_the_largest_amount_fits_the_contracts_twelve_digits() -> None:
    assert money.text(money.MAX) == "999999999999.99"
    assert money.from_decimal(Decimal("999999999999.99")) == money.MAX


@pytest.mark.parametrize(("number", "fils"), [("25", 2500), ("25.0000", 2500), ("1E+3", 100_000), ("-0.00", 0)])
def test_a_decimal_number_is_taken_by_its_value_not_its_form(number: str, fils: int) -> None:
    assert money.from_decimal(Decimal(number)) == fils


@pytest.mark.parametrize(
    "number",
    [
        "0.001",
        "25.005",
        "-0.01",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1E+12",
        "1E+999999",
        "1E-999999",
        "1E+999999999",
    ],
)
def test_a_decimal_number_that_is_not_whole_fils_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match="whole fils"):
        money.from_decimal(Decimal(number))


@pytest.mark.parametrize("read", [money.parse, money.percent, lambda text: money.from_decimal(Decimal(text))])
def test_what_is_refused_is_shown_up_to_40_characters(read: Callable[[str], object]) -> None:
    """It may come from anywhere, at any length."""
    text = "-" + "1234567890" * 9
    with pytest.raises(ValueError, match=rf"{text[:40]}\D"):
        read(text)


def test_a_narrow_decimal_context_of_the_program_does_not_round_amounts() -> None:
    with localcontext() as context:
        context.prec = 3
        assert money.from_decimal(Decimal("123456.78")) == 12345678
    assert getcontext().prec > 3


@pytest.mark.parametrize(
    ("total", "percent", "vat"),
    [
        (2500, "5", 119),  # 119.05
        (10500, "5", 500),
        (1050, "5", 50),
        (0, "5", 0),
        (2500, "0", 0),
        (3, "100", 2),  # 1.5: half a fils goes up
        (1, "100", 1),
        (10750, "7.5", 750),
    ],
)
def test_the_vat_share_is_rounded_half_up(total: int, percent: str, vat: int) -> None:
    assert money.vat_part(total, percent) == vat


@given(amounts, st.integers(0, 999_9999))
def test_the_vat_share_is_the_nearest_fils_to_the_exact_one(total: int, percent: int) -> None:
    exact = Fraction(total) * percent / (100 * 10_000 + percent)
    vat = money.vat_part(total, f"{percent // 10_000}.{percent % 10_000:04d}")
    assert exact - Fraction(1, 2) < vat <= exact + Fraction(1, 2)


@pytest.mark.parametrize("text", ["", "-5", "5%", "1/3", "1e1", "5.", "1000", "0.00001", "\u0665"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="percentage"):
        money.vat_part(2500, text)
