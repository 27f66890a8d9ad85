"""Caps, nights, rounding, and what else holds for a fee as a whole."""

from zoneinfo import ZoneInfo

import pytest

from terminal.core.tariff.fee import FeeLine
from tests.support.tariffs import DAY, HOURLY, LONDON, NIGHT, amounts, fees, lines, moment, schedule

HOUR = 3_600_000


def test_a_cap_is_for_each_24_h_from_the_entry() -> None:
    tariff = schedule(HOURLY, day_cap="50.00")
    assert fees(tariff, "5 h", "5 h 1 s", "24 h", "24 h 1 s", "29 h", "48 h") == [5000, 5000, 5000, 6000, 10000, 10000]
    assert lines(tariff, "30 h") == [
        FeeLine("blocks", 30000, 30, 1000, HOUR),
        FeeLine("day-cap", -20000, each=5000),
    ]


def test_a_calendar_cap_is_for_each_day_of_the_garages_clock() -> None:
    tariff = schedule(HOURLY, calendar_cap="50.00")
    begin = moment("2026-11-30 22:30")
    assert fees(tariff, "90 min", "2 h", "2 h 1 s", "7 h", "26 h", "26 h 1 s", entered=begin) == [
        2000, 2000, 3000, 7000, 7000, 8000,
    ]  # fmt: skip
    assert lines(tariff, "26 h", begin)[-1] == FeeLine("calendar-cap", -19000, each=5000)


def test_a_calendar_cap_counts_days_of_23_and_25_hours() -> None:
    each = {"steps": [{"every": "1 h", "add": "1.00"}]}
    tariff = schedule(each, zone=LONDON, calendar_cap="24.00")
    spring, autumn = moment("2026-03-29 00:00", LONDON), moment("2026-10-25 00:00", LONDON)
    assert fees(tariff, "23 h", "24 h", entered=spring) == [2300, 2400]
    assert fees(tariff, "24 h", "25 h", "26 h", entered=autumn) == [2400, 2400, 2500]
    assert fees(schedule(each, zone=LONDON, day_cap="24.00"), "25 h", entered=autumn) == [2500]


def test_both_caps_hold_and_the_line_names_the_one_that_bound() -> None:
    tariff = schedule(HOURLY, day_cap="80.00", calendar_cap="50.00")
    begin = moment("2026-11-30 18:00")
    assert amounts(tariff, "24 h", begin) == [("blocks", 24000), ("day-cap", -15000), ("calendar-cap", -1000)]
    assert fees(tariff, "24 h", "30 h", "48 h", entered=begin) == [8000, 10000, 15000]
    assert amounts(schedule(HOURLY, day_cap="50.00", calendar_cap="50.00"), "6 h") == [
        ("blocks", 6000),
        ("day-cap", -1000),
    ]


def test_a_rates_own_caps_replace_the_tariffs() -> None:
    own = {**HOURLY, "day_cap": "20.00", "calendar_cap": "15.00"}
    assert fees(schedule(own, day_cap="80.00", calendar_cap="70.00"), "5 h") == [1500]
    assert fees(schedule({**HOURLY, "day_cap": "20.00"}, calendar_cap="70.00"), "5 h", "24 h") == [2000, 2000]


def test_caps_count_from_the_entry_also_where_minutes_are_taken_off() -> None:
    tariff = schedule(HOURLY, minutes_off=120, day_cap="50.00")
    assert fees(tariff, "24 h", "24 h 1 s", "25 h 1 s") == [5000, 6000, 7000]


def test_a_stretch_is_held_against_the_caps_where_they_begin_anew() -> None:
    tariff = schedule(DAY, NIGHT, rates_by="stretch", day_cap="35.00", calendar_cap="25.00")
    begin = moment("2026-11-30 19:00")
    assert fees(tariff, "1 h", "5 h", "15 h", "25 h", "40 h", entered=begin) == [500, 1700, 2700, 3500, 5700]


def test_a_night_is_added_for_who_is_there_when_it_counts() -> None:
    tariff = schedule(HOURLY, overnight={"at": "03:00", "add": "25.00"})
    begin = moment("2026-11-30 23:00")
    night = moment("2026-12-01 03:00")
    assert lines(tariff, "4 h", begin) == [FeeLine("blocks", 4000, 4, 1000, HOUR)]
    assert lines(tariff, "4 h 1 s", begin) == [
        FeeLine("blocks", 5000, 5, 1000, HOUR),
        FeeLine("overnight", 2500, each=2500, begin_ms=night),
    ]
    assert fees(tariff, "28 h", "28 h 1 s", entered=begin) == [30500, 34000]
    assert fees(tariff, "1 s", entered=night) == [3500]
    assert fees(
        schedule(HOURLY, overnight={"at": "03:00", "add": "25.00"}, day_cap="60.00"), "30 h", entered=begin
    ) == [12000]


def test_a_night_costs_at_least_what_it_says_for_each_of_them() -> None:
    tariff = schedule(HOURLY, overnight={"at": "03:00", "least": "90.00"})
    begin = moment("2026-11-30 23:00")
    assert lines(tariff, "4 h 1 s", begin) == [
        FeeLine("blocks", 5000, 5, 1000, HOUR),
        FeeLine("overnight-least", 4000, 1, 9000),
    ]
    assert fees(tariff, "4 h", "9 h", "9 h 1 s", entered=begin) == [4000, 9000, 10000]
    assert lines(tariff, "29 h", begin) == [FeeLine("blocks", 29000, 29, 1000, HOUR)]
    cheap = schedule({"steps": [{"total": "1.00"}]}, overnight={"at": "03:00", "least": "90.00"})
    assert fees(cheap, "3 h", "5 h", "29 h", entered=begin) == [100, 9000, 18000]


def test_not_even_a_night_costs_more_than_the_caps() -> None:
    cheap = {"steps": [{"total": "1.00"}]}
    night = {"at": "23:30", "least": "90.00"}
    begin = moment("2026-11-30 23:00")
    assert fees(schedule(cheap, overnight=night, day_cap="70.00"), "1 h", "24 h", "24 h 1 s", entered=begin) == [
        7000, 7000, 9000,
    ]  # fmt: skip
    assert fees(schedule(cheap, overnight=night, calendar_cap="70.00"), "1 h", "1 h 1 s", entered=begin) == [7000, 9000]
    assert fees(schedule(cheap, overnight=night, calendar_cap="70.00"), "25 h 1 s", entered=begin) == [18000]


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("up", [100, 200, 200, 300]), ("down", [0, 100, 100, 200]), ("nearest", [0, 100, 200, 300])],
)
def test_a_fee_is_rounded_to_a_multiple(rounding: str, expected: list[int]) -> None:
    tariff = schedule({"steps": [{"every": "1 min", "add": "0.49"}]}, round_to="1.00", rounding=rounding)
    stays = ("1 min", "3 min", "4 min", "6 min")
    assert fees(tariff, *stays) == [100 if rounding == "up" else 0, {"up": 200}.get(rounding, 100), *expected[2:]]


def test_half_of_what_is_rounded_to_is_rounded_up() -> None:
    half = {"steps": [{"every": "1 h", "add": "0.25"}]}
    tariff = schedule(half, round_to="0.50", rounding="nearest")
    assert lines(tariff, "1 h") == [FeeLine("blocks", 25, 1, 25, HOUR), FeeLine("rounding", 25, each=50)]
    assert lines(schedule(half, round_to="0.50", rounding="down"), "3 h")[1] == FeeLine("rounding", -25, each=50)
    assert amounts(tariff, "2 h") == [("blocks", 50)]


def test_there_is_a_least_and_a_most_for_what_costs_anything() -> None:
    tariff = schedule(HOURLY, minimum="15.00", maximum="45.00", free_minutes=5)
    assert fees(tariff, "5 min", "6 min", "90 min", "4 h", "5 h", "50 days") == [0, 1500, 2000, 4000, 4500, 4500]
    assert lines(tariff, "1 h")[-1] == FeeLine("minimum", 500, each=1500)
    assert lines(tariff, "5 h")[-1] == FeeLine("maximum", -500, each=4500)
    free = schedule({"free": True}, minimum="15.00")
    assert amounts(free, "9 h") == [("total-last", 0)]


def test_a_night_within_the_minutes_that_are_taken_off_costs_nothing() -> None:
    tariff = schedule(HOURLY, minutes_off=10, overnight={"at": "03:00", "add": "25.00"})
    begin = moment("2026-12-01 02:55")
    assert fees(tariff, "9 min", "10 min", "10 min 1 s", entered=begin) == [0, 0, 3500]


def test_what_is_rounded_is_held_against_the_least_and_the_most() -> None:
    steps = {"steps": [{"every": "1 h", "add": "0.83"}]}
    most = schedule(steps, round_to="1.00", maximum="2.00")
    assert amounts(most, "3 h") == [("blocks", 249), ("rounding", 51), ("maximum", -100)]
    assert amounts(most, "2 h") == [("blocks", 166), ("rounding", 34)]
    least = schedule(steps, round_to="1.00", minimum="2.00")
    assert amounts(least, "1 h") == [("blocks", 83), ("rounding", 17), ("minimum", 100)]
    assert amounts(least, "2 h") == [("blocks", 166), ("rounding", 34)]
    assert amounts(schedule({"steps": [{"total": "0.01"}]}, minimum="2.00"), "2 h") == [
        ("total-last", 1),
        ("minimum", 199),
    ]


def test_days_and_nights_are_those_of_the_garage_also_west_of_greenwich() -> None:
    new_york = ZoneInfo("America/New_York")
    begin = moment("2026-11-30 21:30", new_york)
    assert fees(schedule(HOURLY, zone=new_york, calendar_cap="20.00"), "4 h", "5 h", entered=begin) == [3000, 4000]
    night = {"at": "22:00", "add": "5.00"}
    assert fees(schedule(HOURLY, zone=new_york, overnight=night), "30 min", "31 min", entered=begin) == [1000, 1500]


def test_a_stay_that_begins_at_midnight_is_in_one_day() -> None:
    cheap = {"steps": [{"total": "1.00"}]}
    tariff = schedule(cheap, overnight={"at": "00:30", "least": "90.00"}, calendar_cap="70.00")
    assert fees(tariff, "1 h", "24 h", entered=moment("2026-12-01 00:00")) == [7000, 7000]


def test_a_night_that_adds_nothing_has_no_line() -> None:
    tariff = schedule({"steps": [{"total": "90.00"}]}, overnight={"at": "03:00", "least": "90.00"})
    assert amounts(tariff, "24 h") == [("total-last", 9000)]
