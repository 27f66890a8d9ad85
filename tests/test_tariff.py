from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core import tariff as package
from terminal.core.money import Fils
from terminal.core.tariff import DAY_S, MAX_PRICE, Tariff, minutes
from terminal.core.tariff.stay import SettledStay

PLAIN = Tariff(
    free_minutes=10,
    block_minutes=60,
    block_price=Fils(1000),
    day_cap=Fils(10000),
    lost_ticket=Fils(15000),
    vat_percent="5",
    exit_grace=15,
)
ENTRY = 1_764_055_600_000
MINUTE = 60
HOUR = 60 * MINUTE

stays = st.integers(0, 60 * DAY_S)
tariffs = st.builds(
    Tariff,
    free_minutes=st.integers(0, 3000),
    block_minutes=st.integers(1, 3000),
    block_price=st.integers(1, 5000).map(Fils),
    day_cap=st.integers(1, 50_000).map(Fils),
    lost_ticket=st.just(Fils(15000)),
    vat_percent=st.just("5"),
    exit_grace=st.just(15),
)


def test_the_package_offers_only_what_it_has() -> None:
    assert set(package.__all__) <= vars(package).keys()


def test_a_day_has_86400_s_and_no_price_is_above_a_million_aed() -> None:
    assert (DAY_S, MAX_PRICE) == (86_400, 100_000_000)


def test_the_configurations_texts_make_the_same_tariff() -> None:
    texts: dict[str, Any] = {
        "free_minutes": 10,
        "block_minutes": 60,
        "block_price": "10.00",
        "day_cap": "100.00",
        "lost_ticket": "150.00",
        "vat_percent": "5",
        "exit_grace": 15,
    }
    assert Tariff.from_texts(**texts) == PLAIN
    with pytest.raises(ValueError, match="two decimals"):
        Tariff.from_texts(**texts | {"day_cap": "1.000"})


def fee(stay_s: int, tariff: Tariff = PLAIN) -> int:
    return tariff.fee(ENTRY, ENTRY + stay_s * 1000)


@pytest.mark.parametrize(
    ("stay", "due"),
    [
        (0, 0),
        (10 * MINUTE, 0),
        (10 * MINUTE + 1, 1000),
        (HOUR, 1000),
        (HOUR + 1, 2000),
        (90 * MINUTE, 2000),
        (9 * HOUR, 9000),
        (9 * HOUR + 1, 10000),
        (10 * HOUR + 1, 10000),
        (DAY_S, 10000),
        (DAY_S + 1, 11000),
        (DAY_S + HOUR + 1, 12000),
        (2 * DAY_S, 20000),
        (2 * DAY_S + 1, 21000),
    ],
)
def test_the_contracts_values_give_these_fees(stay: int, due: int) -> None:
    assert fee(stay) == due


def test_parts_of_a_second_do_not_start_a_block() -> None:
    assert PLAIN.fee(ENTRY, ENTRY + HOUR * 1000 + 999) == 1000
    assert PLAIN.fee(ENTRY + 999, ENTRY + 999 + HOUR * 1000 + 1000) == 2000


@pytest.mark.parametrize(
    ("stay_ms", "whole"),
    [(0, 0), (999, 0), (1000, 1), (60_000, 1), (60_999, 1), (61_000, 2), (3_600_000, 60), (3_601_000, 61)],
)
def test_minutes_are_whole_seconds_by_sixty_rounded_up(stay_ms: int, whole: int) -> None:
    assert minutes(ENTRY, ENTRY + stay_ms) == whole


def test_an_exit_before_the_entry_has_no_fee_and_no_minutes() -> None:
    with pytest.raises(ValueError, match="before the entry"):
        PLAIN.fee(ENTRY, ENTRY - 1)
    with pytest.raises(ValueError, match="before the entry"):
        minutes(ENTRY, ENTRY - 1)


@given(tariffs, stays, stays)
def test_a_longer_stay_never_costs_less(tariff: Tariff, one: int, other: int) -> None:
    assert fee(min(one, other), tariff) <= fee(max(one, other), tariff)


@given(tariffs, stays)
def test_no_stay_costs_more_than_the_cap_of_each_started_day(tariff: Tariff, stay: int) -> None:
    assert fee(stay, tariff) <= tariff.day_cap * -(-stay // DAY_S)


@given(tariffs, stays)
def test_no_stay_costs_more_than_its_started_blocks(tariff: Tariff, stay: int) -> None:
    assert fee(stay, tariff) <= tariff.block_price * -(-stay // (tariff.block_minutes * 60))


@given(tariffs, stays)
def test_where_no_day_reaches_its_cap_every_started_block_counts_once(tariff: Tariff, stay: int) -> None:
    tariff = replace(tariff, day_cap=Fils(MAX_PRICE), free_minutes=0)
    assert fee(stay, tariff) == tariff.block_price * -(-stay // (tariff.block_minutes * 60))


@given(tariffs, stays)
def test_only_a_stay_within_the_free_minutes_costs_nothing(tariff: Tariff, stay: int) -> None:
    tariff = replace(tariff, block_minutes=60)
    assert (fee(stay, tariff) == 0) == (stay <= tariff.free_minutes * 60)


@given(tariffs, st.integers(0, 59), stays)
def test_a_further_whole_day_costs_what_the_first_one_costs(tariff: Tariff, days: int, stay: int) -> None:
    tariff = replace(tariff, block_minutes=60, free_minutes=0)
    rest = stay % DAY_S
    assert fee(days * DAY_S + rest, tariff) == days * fee(DAY_S, tariff) + fee(rest, tariff)


def test_a_block_that_spans_midnight_of_the_stay_is_paid_once() -> None:
    seven_hours = replace(PLAIN, block_minutes=7 * 60, day_cap=Fils(3000))
    assert [fee(hours * HOUR, seven_hours) for hours in (7, 14, 21, 24, 28)] == [1000, 2000, 3000, 3000, 3000]
    assert fee(28 * HOUR + 1, seven_hours) == 4000


def test_the_other_prices_and_times_are_at_hand() -> None:
    assert (PLAIN.lost_ticket, PLAIN.exit_grace_ms, PLAIN.vat(2500)) == (15000, 900_000, 119)


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("free_minutes", 0, 1_000_000),
        ("block_minutes", 1, 1_000_000),
        ("block_price", 1, MAX_PRICE),
        ("day_cap", 1, MAX_PRICE),
        ("lost_ticket", 1, MAX_PRICE),
        ("exit_grace", 0, 1_000_000),
    ],
)
def test_every_value_has_its_bounds(field: str, least: int, most: int) -> None:
    for value in (least, most):
        assert getattr(replace(PLAIN, **{field: value}), field) == value
    for value in (least - 1, most + 1):
        with pytest.raises(ValueError, match=field):
            replace(PLAIN, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("free_minutes", -1),
        ("block_minutes", 0),
        ("block_price", 0),
        ("day_cap", 0),
        ("lost_ticket", 0),
        ("lost_ticket", MAX_PRICE + 1),
        ("exit_grace", -1),
        ("vat_percent", "five"),
    ],
)
def test_values_that_make_no_tariff_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match="percentage" if field == "vat_percent" else field):
        replace(PLAIN, **{field: value})


def test_no_stay_goes_on_with_an_earlier_one() -> None:
    hour = 3_600_000
    earlier = (SettledStay(ENTRY - hour, ENTRY - 60_000, 1000),)
    assert PLAIN.fee_after(ENTRY, ENTRY + 2 * hour, "", earlier) == PLAIN.fee(ENTRY, ENTRY + 2 * hour) == 2000
