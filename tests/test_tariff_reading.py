from datetime import date
from typing import Any

import pytest

from terminal.core.money import Fils
from terminal.core.tariff.calendar import Dates, Hours
from terminal.core.tariff.rate import Rate
from terminal.core.tariff.reading import read
from terminal.core.tariff.schedule import Overnight, TariffSchedule
from terminal.core.tariff.table import FREE, PriceStep, PriceTable
from tests.support.tariffs import DUBAI, HOURLY, KEYS, history, moment, schedule

HOUR = 3_600_000
BLOCK: dict[str, Any] = {"block_minutes": 60, "block_price": "10.00"}


def test_every_key_of_a_tariff_says_what_it_says() -> None:
    found = schedule(
        HOURLY,
        lost_ticket="200.00",
        vat_percent="7.5",
        exit_grace=20,
        rates_by="entry",
        free_minutes=10,
        minutes_off=5,
        unpaid_grace=3,
        day_cap="100.00",
        calendar_cap="90.00",
        minimum="1.00",
        maximum="500.00",
        round_to="0.50",
        rounding="nearest",
        reentry_minutes=120,
        overnight={"at": "03:00", "add": "25.00"},
    )
    assert found == TariffSchedule(
        found.books,
        DUBAI,
        Fils(20000),
        "7.5",
        1_200_000,
        "entry",
        600_000,
        300_000,
        180_000,
        Fils(10000),
        Fils(9000),
        Fils(100),
        Fils(50000),
        Fils(50),
        "nearest",
        Overnight(180, Fils(2500), False),
        7_200_000,
    )


def test_every_key_of_a_rate_says_what_it_says() -> None:
    given = {
        "name": "Night",
        "name_ar": "ليل",
        "class": "staff",
        "days": "mon, holiday",
        "dates": ["2026-12-02", date(2026, 12, 4), "12-31"],
        "hours": "18:00-06:00",
        "exit_hours": "05:00-10:00",
        "most": "30.00",
        "free_minutes": 0,
        "minutes_off": 7,
        "day_cap": "40.00",
        "calendar_cap": "50.00",
        "steps": [{"until": "1 h", "total": "0"}, {"until": "24 h", "every": "30 min", "add": "2.5"}],
        "repeat": "24 h",
    }
    staff = {"class": "staff", **HOURLY}
    found = schedule(HOURLY, given, staff).books["staff"].rates[0]
    days = [Dates(date(2026, 12, 2), date(2026, 12, 2)), Dates(date(2026, 12, 4), date(2026, 12, 4))]
    assert found == Rate(
        PriceTable((PriceStep(HOUR, Fils(0)), PriceStep(24 * HOUR, Fils(250), HOUR // 2)), 24 * HOUR),
        "Night",
        "ليل",
        "staff",
        frozenset({0, 7}),
        (*days, Dates(date(2028, 12, 31), date(2028, 12, 31), yearly=True)),
        (Hours(1080, 1800),),
        (Hours(300, 600),),
        Fils(3000),
        0,
        420_000,
        Fils(4000),
        Fils(5000),
    )
    assert found.label == "rate[2] (Night)"
    assert schedule(HOURLY).books[""].rates[0].label == "rate[1]"


def test_what_is_left_out_restricts_nothing() -> None:
    found = schedule(HOURLY)
    (rate,) = found.books[""].rates
    assert rate == Rate(PriceTable((PriceStep(None, Fils(1000), HOUR),)))
    assert found == TariffSchedule(found.books, DUBAI, Fils(15000), "5", 900_000)


def test_a_rate_may_be_free_or_a_part_of_the_week() -> None:
    found = schedule({"week": "mon 06:00-fri 18:00", "free": True}, {"week": "fri 18:00-mon 06:00", **HOURLY})
    first, second = found.books[""].rates
    assert (first.table, first.days, first.hours) == (FREE, frozenset({0}), (Hours(360, 4 * 1440 + 1080),))
    assert (second.days, second.hours) == (frozenset({4}), (Hours(1080, 3 * 1440 + 360),))


def test_the_plain_form_is_one_rate_of_blocks() -> None:
    found = schedule(**BLOCK)
    (rate,) = found.books[""].rates
    assert rate == Rate(PriceTable((PriceStep(None, Fils(1000), HOUR),)))
    assert rate.label == "block_price"


def test_holidays_are_dates_ranges_and_days_of_every_year() -> None:
    found = schedule(
        {"days": "mon-sun", **HOURLY}, {"days": "holiday", "free": True}, holidays=["2026-12-02..2026-12-03", "01-01"]
    )
    holidays = {day for day in range(1, 32) if found.books[""].kind(date(2026, 12, day)) == 7}
    assert holidays == {2, 3}
    assert found.books[""].kind(date(2031, 1, 1)) == 7
    assert found.books[""].kind(date(2026, 12, 4)) == 4


def test_a_tariff_that_follows_keeps_what_it_leaves_out() -> None:
    found = history(
        **BLOCK,
        free_minutes=10,
        day_cap="100.00",
        next=[{"from": "2027-01-01", "block_price": "12.00", "maximum": "500.00"}],
    )
    start, later = found.versions[1]
    assert (found.versions[0][0], start) == (0, moment("2027-01-01 00:00"))
    assert later.books[""].rates[0].price(1) == 1200
    assert (later.free_ms, later.day_cap, later.maximum) == (600_000, 10000, 50000)
    assert found.versions[0][1].maximum is None


def test_rates_take_the_place_of_blocks_and_blocks_that_of_rates() -> None:
    changes = [{"from": date(2027, 1, 1), "rate": [HOURLY]}, {"from": "2028-01-01", **BLOCK, "free_minutes": 5}]
    found = history(**BLOCK, free_minutes=10, day_cap="100.00", next=changes)
    assert [(tariff.free_ms, tariff.day_cap) for _, tariff in found.versions] == [
        (600_000, 10000),
        (0, None),
        (300_000, 10000),
    ]
    back = history(HOURLY, next=[{"from": "2027-01-01", "block_minutes": 30, "block_price": "3.00"}])
    assert back.versions[1][1].books[""].rates[0].price(1) == 300


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"rate": 7}, "rate: got 7, takes tables, such as [[tariff.rate]]"),
    ({"rate": [7]}, "rate[1]: got 7, takes tables, such as [[tariff.rate]]"),
    ({"rate": [{}]}, "rate[1].steps: missing; takes steps, or free = true"),
    ({"rate": [{"free": "yes"}]}, "rate[1].free: got 'yes', takes true or false"),
    ({"rate": [{"free": True, **HOURLY}]}, "rate[1].free: stands beside steps; takes one of the two"),
    ({"rate": [{**HOURLY, "colour": 1}]}, "rate[1].colour: no such key; takes days, hours, week, free, steps, repeat, "
     "name, name_ar, class, dates, exit_hours, most, free_minutes, minutes_off, day_cap, calendar_cap"),
    ({"rate": [HOURLY, {**HOURLY, "days": "someday"}]},
     "rate[2].days: got 'someday', takes days such as \"mon-thu\", \"sat, sun\" or \"fri-sun, holiday\""),
    ({"rate": [{**HOURLY, "days": 1}]}, "rate[1].days: got 1, takes a text in quotes"),
    ({"rate": [{**HOURLY, "hours": 1}]}, "rate[1].hours: got 1, takes a text in quotes"),
    ({"rate": [{**HOURLY, "exit_hours": 1}]}, "rate[1].exit_hours: got 1, takes a text in quotes"),
    ({"rate": [{**HOURLY, "week": 1}]}, "rate[1].week: got 1, takes a text in quotes"),
    ({"rate": [{**HOURLY, "hours": "1-2"}]},
     "rate[1].hours: got '1-2', takes hours such as \"08:00-18:00\", or several with commas"),
    ({"rate": [{**HOURLY, "hours": "08:00-18:00", "week": "mon 01:00-tue 02:00"}]},
     "rate[1].week: stands beside days or hours; takes one of the two"),
    ({"rate": [{**HOURLY, "days": "mon", "week": "mon 01:00-tue 02:00"}]},
     "rate[1].week: stands beside days or hours; takes one of the two"),
    ({"rate": [{**HOURLY, "dates": "12-02"}]}, "rate[1].dates: got '12-02', takes a list, such as [\"2026-12-02\"]"),
    ({"rate": [{**HOURLY, "dates": [5]}]}, "rate[1].dates: got 5, takes dates such as \"2026-12-02\", "
     "\"2026-12-02..2026-12-03\" or \"12-02\" for each year"),
    ({"rate": [{**HOURLY, "name": "a\nb"}]}, "rate[1].name: got 'a\\nb', takes 1 to 64 characters on one line"),
    ({"rate": [{**HOURLY, "name_ar": "x" * 65}]},
     f"rate[1].name_ar: got '{'x' * 59}…, takes 1 to 64 characters on one line"),
    ({"rate": [{**HOURLY, "class": 3}]}, "rate[1].class: got 3, takes 1 to 64 characters on one line"),
    ({"rate": [{**HOURLY, "most": "0.00"}]}, "rate[1].most: got '0.00', takes an amount above 0.00"),
    ({"rate": [{**HOURLY, "most": 3}]}, "rate[1].most: got 3, takes dirhams in quotes, such as \"10.00\""),
    ({"rate": [{**HOURLY, "most": "1.001"}]}, "rate[1].most: got '1.001', takes dirhams in quotes, such as \"10.00\""),
    ({"rate": [{**HOURLY, "most": "1000000.01"}]},
     "rate[1].most: got '1000000.01', takes dirhams in quotes, such as \"10.00\""),
    ({"rate": [{**HOURLY, "minutes_off": -1}]}, "rate[1].minutes_off: got -1, takes minutes, 0 to 1000000"),
    ({"rate": [{**HOURLY, "minutes_off": 1000001}]}, "rate[1].minutes_off: got 1000001, takes minutes, 0 to 1000000"),
    ({"rate": [{**HOURLY, "free_minutes": True}]}, "rate[1].free_minutes: got True, takes minutes, 0 to 1000000"),
    ({"rate": [{"steps": "1 h"}]},
     "rate[1].steps: got '1 h', takes steps, such as [{ until = \"1 h\", total = \"5.00\" }]"),
    ({"rate": [{"steps": [{"until": "1 h"}]}]}, "rate[1].steps[1].total: missing"),
    ({"rate": [{"steps": [{"every": "1 h"}]}]}, "rate[1].steps[1].add: missing"),
    ({"rate": [{"steps": [{"every": "1 h", "add": "1", "total": "2"}]}]},
     "rate[1].steps[1].total: stands beside every; takes one of the two"),
    ({"rate": [{"steps": [{"total": "1", "add": "1"}]}]},
     "rate[1].steps[1].add: no such key; takes until, every, total"),
    ({"rate": [{"steps": [{"every": "1 h", "add": "1", "to": "2"}]}]},
     "rate[1].steps[1].to: no such key; takes until, every, add"),
    ({"rate": [{"steps": [{"every": "1 hour", "add": "1"}]}]},
     "rate[1].steps[1].every: got '1 hour', takes a time such "
     "as \"1 h\", \"90 min\", \"1 day\" or \"1 h 30 min\""),
    ({"rate": [{"steps": [{"total": 5}]}]},
     "rate[1].steps[1].total: got 5, takes dirhams in quotes, such as \"10.00\""),
    ({"rate": [{"steps": [{"until": 5, "total": "5"}]}]}, "rate[1].steps[1].until: got 5, takes a text in quotes"),
    ({"rate": [{"steps": [{"total": "1"}, {"total": "2"}]}]},
     "rate[1].steps[1]: has no until, and steps[2] follows it"),
    ({"rate": [{"steps": [{"until": "1 h", "total": "1"}]}]},
     "rate[1].steps: leave a gap, the last one has an until; takes one without it, or a repeat"),
    ({"rate": [{**HOURLY, "days": "mon-fri", "name": "Week"}]},
     "rate[1] (Week): no rate holds from Saturday 00:00 to Monday 00:00"),
    ({"rate": [HOURLY], "block_price": "1.00"}, "block_price: stands beside rate; takes one of the two"),
    ({"rate": [HOURLY], "block_minutes": 5}, "block_minutes: stands beside rate; takes one of the two"),
    ({"block_price": "1.00"}, "block_price: missing, with block_minutes; takes both, or rate"),
    ({"block_minutes": 5}, "block_price: missing, with block_minutes; takes both, or rate"),
    ({**BLOCK, "lost_ticket": ""}, "lost_ticket: missing"),
    ({**BLOCK, "vat_percent": 5}, "vat_percent: got 5, takes per cent in quotes, such as \"5\""),
    ({**BLOCK, "vat_percent": "five"}, "vat_percent: got 'five', takes per cent in quotes, such as \"5\""),
    ({**BLOCK, "rates_by": "hour"}, "rates_by: got 'hour', takes entry or stretch or block or paid-time"),
    ({**BLOCK, "rounding": "away"}, "rounding: got 'away', takes up or down or nearest"),
    ({**BLOCK, "overnight": {"at": "3:00", "add": "1"}},
     "overnight.at: got '3:00', takes a time of day such as \"18:00\""),
    ({**BLOCK, "overnight": {"at": 3, "add": "1"}}, "overnight.at: got 3, takes a text in quotes"),
    ({**BLOCK, "overnight": {"at": "24:00", "add": "1"}},
     "overnight.at: got '24:00', takes a time of day before 24:00"),
    ({**BLOCK, "overnight": {"at": "03:00"}}, "overnight.add: missing"),
    ({**BLOCK, "overnight": {"at": "03:00", "add": "1", "least": "2"}},
     "overnight.add: stands beside least; takes one of the two"),
    ({**BLOCK, "overnight": {"at": "03:00", "add": "1", "x": "2"}}, "overnight.x: no such key; takes at, add"),
    ({**BLOCK, "overnight": 3}, "overnight: got 3, takes a table"),
    ({**BLOCK, "holidays": "12-02"}, "holidays: got '12-02', takes a list, such as [\"2026-12-02\"]"),
    ({**BLOCK, "colour": "red"}, "colour: no such key; takes holidays, rate, block_minutes, block_price, overnight, "
     "lost_ticket, vat_percent, exit_grace, rates_by, free_minutes, minutes_off, unpaid_grace, day_cap, calendar_cap, "
     "minimum, maximum, round_to, rounding, reentry_minutes"),
    ({**BLOCK, "minimum": "2.00", "maximum": "1.00"}, "maximum: is below the minimum"),
    ({**BLOCK, "classes": 7},
     "classes: got 7, takes ids of [ticket] keys and classes, such as { k2 = \"motorcycle\" }"),
    ({**BLOCK, "classes": {"k2": 7}}, "classes.k2: got 7, takes 1 to 64 characters on one line"),
    ({**BLOCK, "classes": {"k2": "bus"}}, "classes.K2: got 'bus', takes the class of a rate"),
    ({**BLOCK, "next": [{"from": "2027-01-01", "classes": {}}]},
     "next[1].classes: no such key; takes from, and what changes of [tariff]"),
    ({**BLOCK, "next": 7}, "next: got 7, takes tables, such as [[tariff.next]]"),
    ({**BLOCK, "next": [{"block_price": "1"}]}, "next[1].from: missing"),
    ({**BLOCK, "next": [{"from": "soon"}]}, "next[1].from: got 'soon', takes a date such as \"2026-12-02\""),
    ({**BLOCK, "next": [{"from": "2027-01-01", "vat_percent": "7"}]},
     "next[1].vat_percent: no such key; takes from, and what changes of [tariff]"),
    ({**BLOCK, "next": [{"from": "2027-01-01", "exit_grace": 7}]},
     "next[1].exit_grace: no such key; takes from, and what changes of [tariff]"),
    ({**BLOCK, "next": [{"from": "2027-01-01", "next": []}]},
     "next[1].next: no such key; takes from, and what changes of [tariff]"),
    ({**BLOCK, "next": [{"from": "2027-01-01", "colour": 7}]},
     "next[1].colour: no such key; takes from, and what changes of [tariff]"),
    ({**BLOCK, "next": [{"from": "2027-01-01", "block_price": 7}]},
     "next[1].block_price: got 7, takes dirhams in quotes, such as \"10.00\""),
    ({**BLOCK, "next": [{"from": "2027-01-01", "minimum": "2.00", "maximum": "1.00"}]},
     "next[1].maximum: is below the minimum"),
    ({**BLOCK, "next": [{"from": "2027-01-01", "rate": [{**HOURLY, "days": "mon"}]}]},
     "next[1].rate[1]: no rate holds from Tuesday 00:00 to Monday 00:00"),
    ({**BLOCK, "next": [{"from": "2027-01-01"}, {"from": "2027-01-01"}]},
     "next[2]: from: does not begin after next[1]"),
    ({**BLOCK, "next": [{"from": "1970-01-01"}]}, "next[1]: from: does not begin after the tariff before it"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "line"), WRONG, ids=lambda value: value[:50] if isinstance(value, str) else "")
def test_what_is_wrong_is_a_line_that_begins_with_its_key(keys: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read({**KEYS, **keys}, DUBAI)
    assert str(refused.value) == line


def test_the_highest_price_and_the_longest_time_are_taken() -> None:
    found = schedule({"minutes_off": 1_000_000, "steps": [{"total": "1000000.00"}]}, lost_ticket="1000000")
    assert (found.books[""].rates[0].off_ms, found.lost_ticket) == (60_000_000_000, 100_000_000)
