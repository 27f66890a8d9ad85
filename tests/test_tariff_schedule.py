from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from terminal.core.money import Fils
from terminal.core.tariff.rate import Rate, RateBook
from terminal.core.tariff.schedule import LONGEST_MS, TariffSchedule
from terminal.core.tariff.stay import MAX_PRICE
from terminal.core.tariff.table import FREE, PriceStep, PriceTable
from tests.support.tariffs import DUBAI, HOURLY, schedule

FALLING: dict[str, Any] = {"name": "Down", "steps": [{"until": "1 h", "total": "5.00"}, {"total": "4.00"}]}
PLAIN = TariffSchedule({"": RateBook((Rate(FREE),), DUBAI)}, DUBAI, Fils(100), "5", 0)


def said(*rates: dict[str, Any], **keys: Any) -> str:
    with pytest.raises(ValueError, match=r".") as refused:
        schedule(*rates, **keys)
    return str(refused.value)


@pytest.mark.parametrize("name", ["free_ms", "off_ms", "unpaid_grace_ms", "exit_grace_ms", "reentry_ms"])
def test_a_time_is_from_nothing_to_a_million_minutes(name: str) -> None:
    assert LONGEST_MS == 60_000_000_000
    for value in (0, LONGEST_MS):
        assert getattr(replace(PLAIN, **{name: value}), name) == value
    for value in (-1, LONGEST_MS + 1):
        with pytest.raises(ValueError, match=rf"^{name}: {value} is not within 0 and {LONGEST_MS}$"):
            replace(PLAIN, **{name: value})


@pytest.mark.parametrize("name", ["lost_ticket", "day_cap", "calendar_cap", "maximum", "round_to"])
def test_a_price_is_from_a_fils_to_a_million_dirhams(name: str) -> None:
    for value in (1, MAX_PRICE):
        assert getattr(replace(PLAIN, **{name: value}), name) == value
    for value in (0, MAX_PRICE + 1):
        with pytest.raises(ValueError, match=rf"^{name}: {value} is not within 1 and {MAX_PRICE}$"):
            replace(PLAIN, **{name: value})


def test_the_vat_is_a_percentage_and_some_class_is_for_all() -> None:
    with pytest.raises(ValueError, match="percentage 'five'"):
        replace(PLAIN, vat_percent="five")
    with pytest.raises(ValueError, match=r"^rate: every rate has a class, takes at least one without"):
        replace(PLAIN, books={"b": PLAIN.books[""]})


def test_what_is_left_out_is_nothing() -> None:
    assert PLAIN.caps() == {}
    assert (PLAIN.minimum, PLAIN.maximum, PLAIN.round_to, PLAIN.rounding, PLAIN.rates_by) == (0, None, 1, "up", "entry")
    assert (PLAIN.free_ms, PLAIN.off_ms, PLAIN.unpaid_grace_ms, PLAIN.reentry_ms, PLAIN.overnight) == (0, 0, 0, 0, None)


def test_every_cap_is_known_by_its_key() -> None:
    own = {**HOURLY, "name": "All", "day_cap": "1.00", "calendar_cap": "2.00"}
    assert schedule(own, day_cap="3.00", calendar_cap="4.00", maximum="5.00").caps() == {
        "day_cap": 300,
        "calendar_cap": 400,
        "maximum": 500,
        "rate[1] (All): day_cap": 100,
        "rate[1] (All): calendar_cap": 200,
    }


@pytest.mark.parametrize("key", ["day_cap", "calendar_cap", "maximum"])
def test_no_cap_is_below_the_minimum_or_between_two_multiples(key: str) -> None:
    caps: dict[str, Any] = {key: "5.00"}
    assert said(HOURLY, minimum="5.01", **caps) == f"{key}: is below the minimum"
    assert said(HOURLY, round_to="2.00", **caps) == f"{key}: takes a multiple of round_to, which would lead beyond it"
    assert schedule(HOURLY, minimum="5.00", round_to="2.50", **caps)


def test_the_minimum_is_a_multiple_too() -> None:
    assert said(HOURLY, minimum="3.00", round_to="2.00") == "minimum: takes a multiple of round_to"
    assert schedule(HOURLY, minimum="4.00", round_to="2.00").minimum == 400


@pytest.mark.parametrize(
    ("key", "value"),
    [("exit_hours", "01:00-02:00"), ("free_minutes", 0), ("minutes_off", 0), ("day_cap", "1"), ("calendar_cap", "1")],
)
@pytest.mark.parametrize("by", ["stretch", "block", "paid-time"])
def test_what_needs_the_rate_of_the_entry_is_refused_elsewhere(key: str, value: Any, by: str) -> None:
    given = {**HOURLY, "name": "A", key: value, **({} if key == "exit_hours" else {"class": "b"})}
    assert said(HOURLY, given, rates_by=by) == f"rate[2] (A): {key}: takes rates_by entry"
    assert schedule(HOURLY, given)


@pytest.mark.parametrize("by", ["block", "paid-time"])
def test_blocks_that_run_through_have_no_most(by: str) -> None:
    given = {**HOURLY, "name": "A", "most": "5.00"}
    assert said(given, rates_by=by) == "rate[1] (A): most: takes rates_by entry or stretch"
    assert schedule(given, rates_by="stretch")


def test_a_table_that_falls_takes_no_cap_and_no_blocks_that_run_through() -> None:
    line = "rate[1] (Down): steps: fall, which takes rates_by entry or stretch, and no cap"
    for keys in ({"day_cap": "9.00"}, {"calendar_cap": "9.00"}, {"rates_by": "block"}, {"rates_by": "paid-time"}):
        assert said(FALLING, **keys) == line
    for own in ("day_cap", "calendar_cap"):
        assert said({**FALLING, own: "9.00"}) == line
    assert schedule(FALLING, maximum="4.50").books[""].rates[0].table.falls() == ((3_600_000, 500, 400),)
    assert schedule(FALLING, rates_by="stretch")


def test_a_schedule_may_be_in_any_zone() -> None:
    table = PriceTable((PriceStep(None, Fils(100)),))
    zone = ZoneInfo("Pacific/Apia")
    found = replace(PLAIN, books={"": RateBook((Rate(table),), zone)}, zone=zone)
    assert found.zone is zone
