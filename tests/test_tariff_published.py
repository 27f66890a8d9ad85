"""The tariffs of deploy/tariffs give the fees of their published tables, a second before and after each boundary."""

import re
import tomllib
from zoneinfo import ZoneInfo

import pytest

from terminal.core.money import parse
from terminal.core.tariff.boundaries import boundaries
from terminal.core.tariff.stay import EarlierStay, PricedStay, PriorPayment
from tests.support.tariffs import FOLDER, looks, moment, published

MALL_WEEK = "4 h 0, 5 h 20, 6 h 60, 7 h 80, 8 h 100, 12 h 200, 24 h 500, 30 days 1000"
MALL_WEEKEND = "6 h 0, 7 h 80, 8 h 100, 12 h 200, 24 h 500, 30 days 1000"
TABLES = [
    # the file, an entry, the ticket's class, and "up to": fee
    (
        "dubai-airport-a",
        "2026-11-30 09:00",
        "",
        "5 min 5, 15 min 15, 30 min 30, 2 h 40, 3 h 55, 4 h 65, 1 day 125, 2 days 225, 3 days 325, ~10 days 1025",
    ),
    (
        "dubai-airport-b",
        "2026-11-30 23:59",
        "",
        "1 h 25, 2 h 30, 3 h 35, 4 h 45, 1 day 85, 2 days 160, 3 days 235, ~10 days 760",
    ),
    ("dubai-mall", "2026-11-30 00:00", "", MALL_WEEK),
    ("dubai-mall", "2026-12-03 23:59", "", MALL_WEEK),
    ("dubai-mall", "2026-12-04 00:00", "", MALL_WEEKEND),
    ("dubai-mall", "2026-12-06 23:59", "", MALL_WEEKEND),
    ("al-wahda-mall", "2026-11-30 10:00", "", "3 h 0, 4 h 10, 5 h 20, 6 h 30, 7 h 50, 8 h 100, 17 h 150, 41 h 350"),
    ("al-wahda-mall", "2026-11-30 23:00", "", "3 h 0, 4 h 10, 28 h 350"),
    ("wtc-mall", "2026-11-30 09:59", "", "2 h 0, 3 h 10, 4 h 20, 5 h 30, ~12 h 100"),
    ("wtc-mall", "2026-11-30 10:00", "", "3 h 0, 4 h 10, 5 h 20, ~12 h 90"),
    ("wtc-mall", "2026-11-30 00:00", "", "2 h 0, 3 h 10, ~12 h 100"),
    (
        "great-western-hospital",
        "2026-11-30 17:59",
        "",
        "20 min 0, 1 h 1.10, 2 h 2.20, 3 h 3.30, 4 h 4.40, 6 h 7.20, 24 h 8.80, 48 h 17.60",
    ),
    ("great-western-hospital", "2026-11-30 18:00", "", "2 h 1.00, 24 h 2.00"),
    ("great-western-hospital", "2026-12-01 05:59", "", "2 h 1.00, 24 h 2.00"),
    ("great-western-hospital", "2026-11-30 09:00", "concession", "5 days 1.10"),
    (
        "hourly-day-cap",
        "2026-11-30 09:00",
        "",
        "10 min 0, 1 h 10, 2 h 20, ~5 h 50, 24 h 60, 25 h 70, ~48 h 120, 49 h 130",
    ),
    (
        "night-flat",
        "2026-11-30 17:30",
        "",
        "1 h 5, 90 min 10, 13 h 30 min 25, 14 h 30 min 30, ~19 h 30 min 55, ~25 h 30 min 60",
    ),
    ("weekend-flat", "2026-12-04 17:00", "", "1 h 8, 61 h 48, 62 h 56"),
    ("weekend-flat", "2026-12-01 22:00", "", "1 h 8, 2 h 16, 50 h 16, 51 h 24, ~65 h 136"),
    ("weekend-flat", "2026-12-31 23:00", "", "1 h 8, 25 h 8, 26 h 48"),
    ("event", "2026-12-31 15:59", "", "30 min 4, 1 h 8, ~24 h 50"),
    ("event", "2026-12-31 16:00", "", "3 days 50"),
    ("event", "2027-01-17 01:59", "", "3 days 50"),
    ("event", "2027-01-17 02:00", "", "30 min 4, 1 h 8"),
    ("street", "2026-11-30 21:30", "", "1 h 4, 11 h 4, 12 h 8"),
    ("street", "2026-12-01 21:00", "", "1 h 4, 59 h 4, 60 h 8"),
    ("street", "2026-12-05 20:30", "", "1 h 4, 2 h 8, 36 h 8"),
    (
        "council",
        "2026-11-30 17:00",
        "",
        "1 h 1.50, 15 h 1.50, 16 h 2.80, 18 h 4.50, 24 h 8, 25 h 9.50, 39 h 9.50, 40 h 10.80",
    ),
    (
        "blocks-that-change",
        "2026-11-30 09:00",
        "",
        "30 min 5, 45 min 7, 1 h 9, 75 min 11, ~3 h 27, 4 h 33, ~15 h 70, 16 h 76",
    ),
    ("classes", "2026-11-30 09:00", "", "1 h 6, 2 h 12, ~24 h 50, 25 h 56"),
    ("classes", "2026-11-30 09:00", "motorcycle", "1 h 3, 2 h 6, ~24 h 25, 25 h 28"),
    ("classes", "2026-11-30 09:00", "member", "2 h 0, 3 h 6, 4 h 12, ~24 h 50"),
    ("classes", "2026-11-30 09:00", "staff", "40 days 0"),
    ("early-bird", "2026-11-30 08:59", "", "1 h 9, 2 h 18, ~6 h 40"),
    ("price-rise", "2026-12-31 23:59", "", "10 min 0, 1 h 10, 2 h 20, ~24 h 100, 25 h 110"),
    ("price-rise", "2027-01-01 00:00", "", "10 min 0, 1 h 12, 2 h 24, ~24 h 120, 25 h 132"),
]
"""Each step's fee holds from the end of the step before, so it is looked at there a second later, and at its end; where
``~`` says that steps were left out, at its end alone."""
OVERNIGHT = 4 * 3_600_000
"""Al Wahda from 23:00: at 03:00 the night counts."""


@pytest.mark.parametrize(("name", "entered", "of", "table"), TABLES)
def test_a_published_table_is_charged_to_the_second(name: str, entered: str, of: str, table: str) -> None:
    tariff = published(name)
    begin = moment(entered, zone_of(name))
    for stay, price in looks(table):
        assert tariff.explain(PricedStay(begin, begin + stay, of)).total == price, stay


def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))["garage"]["timezone"])


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_each_file_says_what_it_is_and_is_looked_at_here(file: object) -> None:
    text = FOLDER.joinpath(f"{getattr(file, 'stem', '')}.toml").read_text("utf-8")
    assert re.match(r"# [A-Z].{20,}", text)
    assert getattr(file, "stem", "") in {name for name, *_ in TABLES}


def test_the_published_lost_tickets_cost_what_they_cost() -> None:
    assert [published(name).lost_fee(0) for name in ("al-wahda-mall", "great-western-hospital")] == [15000, 880]


def test_a_night_at_al_wahda_costs_350_and_two_nights_twice_that() -> None:
    tariff, begin = published("al-wahda-mall"), moment("2026-11-30 23:00")
    fees = [tariff.fee(begin, begin + stay) for stay in (OVERNIGHT, OVERNIGHT + 1000, OVERNIGHT + 86_400_000)]
    assert fees == [1000, 35000, 35000]
    assert tariff.fee(begin, begin + OVERNIGHT + 86_401_000) == 70000


def test_who_comes_back_to_the_mall_within_two_hours_goes_on_with_his_first_stay() -> None:
    tariff = published("dubai-mall")
    first = EarlierStay(moment("2026-11-30 10:00"), moment("2026-11-30 13:00"))
    back = moment("2026-11-30 15:00")

    def due(entered: int, exited: str, *paid: PriorPayment) -> int:
        return tariff.explain(PricedStay(entered, moment(exited), earlier=(first,), paid=paid)).total

    assert due(back, "2026-11-30 15:00") == 2000
    assert due(back, "2026-11-30 15:01") == 6000
    assert due(back + 1000, "2026-11-30 19:00:01") == 0
    assert due(back + 1000, "2026-11-30 19:00:02") == 2000
    assert due(back, "2026-11-30 15:01", PriorPayment(first.exited_ms, parse("20"))) == 4000


def test_the_early_bird_pays_one_price_if_he_leaves_in_time() -> None:
    tariff = published("early-bird")
    begin = moment("2026-11-30 08:00", zone_of("early-bird"))
    fees = {
        hour: tariff.fee(begin, moment(f"2026-11-30 {hour}", zone_of("early-bird")))
        for hour in ("09:00", "14:59:59", "15:00", "18:59:59", "19:00")
    }
    assert fees == {"09:00": 900, "14:59:59": 4000, "15:00": 1600, "18:59:59": 1600, "19:00": 4000}
    assert tariff.fee(begin, begin + 32 * 3_600_000) == 8000
    late = moment("2026-11-30 09:00", zone_of("early-bird"))
    assert tariff.fee(late, late + 7 * 3_600_000) == 4000


def test_only_the_early_bird_pays_less_for_a_longer_stay() -> None:
    for file in sorted(FOLDER.glob("*.toml")):
        tariff = published(file.stem).versions[0][1]
        begin = moment("2026-12-01 06:00", zone_of(file.stem))
        falls = [found for found in boundaries(tariff, begin, 3 * 86_400_000) if found.falls]
        assert bool(falls) == (file.stem == "early-bird"), file
