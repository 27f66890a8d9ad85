from datetime import date
from zoneinfo import ZoneInfo

import pytest

from terminal.core.tariff.rate import HOLIDAY, Rate, RateBook
from terminal.core.tariff.table import FREE
from tests.support.tariffs import DUBAI, HOURLY, LONDON, history, moment, schedule

HOUR = 3_600_000
DAY = {"name": "Day", "hours": "08:00-20:00", **HOURLY}
NIGHT = {"name": "Night", "hours": "20:00-08:00", **HOURLY}


def book(*rates: dict[str, object], **keys: object) -> RateBook:
    return schedule(*rates, **keys).books[""]


def cut(found: RateBook, begin: str, end: str) -> list[tuple[float, float, str, str]]:
    """Each stretch: hours from the beginning, the rate, and the day on which its hours began."""
    start = moment(begin, found.zone)  # type: ignore[arg-type]
    return [
        ((s.begin_ms - start) / HOUR, (s.end_ms - start) / HOUR, s.rate.name, f"{s.of:%m-%d}" if s.of else "")
        for s in found.stretches(start, moment(end, found.zone))  # type: ignore[arg-type]
    ]


def test_a_holiday_is_the_eighth_day_of_the_week() -> None:
    assert HOLIDAY == 7


def test_a_stay_is_cut_where_another_rate_begins() -> None:
    assert cut(book(DAY, NIGHT), "2026-11-30 19:00", "2026-12-02 01:00") == [
        (0, 1, "Day", "11-30"),
        (1, 13, "Night", "11-30"),
        (13, 25, "Day", "12-01"),
        (25, 30, "Night", "12-01"),
    ]


def test_a_night_that_began_before_the_entry_is_that_of_the_day_before() -> None:
    assert cut(book(DAY, NIGHT), "2026-12-01 00:00", "2026-12-01 08:00") == [(0, 8, "Night", "11-30")]
    assert cut(book(DAY, NIGHT), "2026-12-01 08:00", "2026-12-01 08:00") == []


def test_hours_of_a_whole_day_begin_anew_at_midnight_and_no_hours_run_on() -> None:
    daily = {"name": "Daily", "hours": "00:00-24:00", **HOURLY}
    assert cut(book(daily), "2026-11-30 12:00", "2026-12-01 12:00") == [
        (0, 12, "Daily", "11-30"),
        (12, 24, "Daily", "12-01"),
    ]
    assert cut(book({"name": "All", **HOURLY}), "2026-11-30 12:00", "2026-12-31 12:00") == [(0, 31 * 24, "All", "")]
    assert book({"name": "All", **HOURLY}).stretches(5, 5) == []


def test_days_without_hours_run_on_over_their_midnights() -> None:
    week = {"name": "Week", "days": "mon-fri", **HOURLY}
    weekend = {"name": "Weekend", "days": "sat, sun", **HOURLY}
    assert cut(book(week, weekend), "2026-12-03 12:00", "2026-12-07 12:00") == [
        (0, 36, "Week", ""),
        (36, 84, "Weekend", ""),
        (84, 96, "Week", ""),
    ]


def test_a_rate_by_date_goes_before_one_by_weekday_and_cuts_it_in_two() -> None:
    party = {"name": "Party", "dates": ["2026-12-31"], "hours": "22:00-02:00", **HOURLY}
    found = book(DAY, NIGHT, party)
    assert cut(found, "2026-12-31 21:00", "2027-01-01 09:00") == [
        (0, 1, "Night", "12-31"),
        (1, 5, "Party", "12-31"),
        (5, 11, "Night", "12-31"),
        (11, 12, "Day", "01-01"),
    ]
    assert cut(book({"name": "All", **HOURLY}, party), "2026-12-31 21:00", "2027-01-01 09:00") == [
        (0, 1, "All", ""),
        (1, 5, "Party", "12-31"),
        (5, 12, "All", ""),
    ]


def test_a_part_of_the_week_is_one_stretch_however_many_days_it_has() -> None:
    week = {"name": "Week", "week": "mon 06:00-fri 18:00", **HOURLY}
    weekend = {"name": "Weekend", "week": "fri 18:00-mon 06:00", **HOURLY}
    assert cut(book(week, weekend), "2026-12-05 12:00", "2026-12-12 00:00") == [
        (0, 42, "Weekend", "12-04"),
        (42, 150, "Week", "12-07"),
        (150, 156, "Weekend", "12-11"),
    ]


def test_holidays_are_no_weekdays_where_a_rate_names_them() -> None:
    week = {"name": "Week", "days": "mon-sun", **HOURLY}
    free = {"name": "Holiday", "days": "holiday", "free": True}
    found = book(week, free, holidays=["2026-12-02"])
    assert cut(found, "2026-12-01 23:00", "2026-12-03 01:00") == [
        (0, 1, "Week", ""),
        (1, 25, "Holiday", ""),
        (25, 26, "Week", ""),
    ]
    assert book(week, holidays=["2026-12-02"]).kind(date(2026, 12, 2)) == 2


def test_a_change_of_the_clocks_makes_a_stretch_longer_or_shorter() -> None:
    found = book(DAY, NIGHT, zone=LONDON)
    assert cut(found, "2026-03-28 20:00", "2026-03-29 20:00") == [(0, 11, "Night", "03-28"), (11, 23, "Day", "03-29")]
    assert cut(found, "2026-10-24 20:00", "2026-10-25 20:00") == [(0, 13, "Night", "10-24"), (13, 25, "Day", "10-25")]


@pytest.mark.parametrize(
    ("entered", "name"),
    [("08:00", "Day"), ("19:59:59", "Day"), ("20:00", "Night"), ("00:00", "Night"), ("07:59:59", "Night")],
)
def test_the_rate_of_an_entry_holds_from_the_beginning_of_its_hours_to_before_their_end(
    entered: str, name: str
) -> None:
    at = moment(f"2026-11-30 {entered}")
    assert book(DAY, NIGHT).at_entry(at, at + HOUR).name == name


def test_exit_hours_count_for_stays_of_under_a_day_that_begin_in_their_hours() -> None:
    early = {"name": "Early", "hours": "05:00-09:00", "exit_hours": "15:00-19:30", **HOURLY}
    found = book({"name": "All", **HOURLY}, early)
    begin = moment("2026-11-30 08:00")

    def rate(hours: float, entered: int = begin) -> str:
        return found.at_entry(entered, entered + int(hours * HOUR)).name

    hours = (6.99, 7, 11.49, 11.5, 23.99, 24, 32)
    assert [rate(length) for length in hours] == ["All", "Early", "Early", "All", "All", "All", "All"]
    assert rate(8, moment("2026-11-30 09:00")) == "All"
    late = book({"name": "All", **HOURLY}, {"name": "Late", "exit_hours": "00:00-24:00", **HOURLY})
    assert late.at_entry(begin, begin + 24 * HOUR - 1).name == "Late"
    assert late.at_entry(begin, begin + 24 * HOUR).name == "All"


@pytest.mark.parametrize(
    ("zone", "entered", "last", "after"),
    [
        (DUBAI, "2026-11-30 20:00", "2026-12-01 05:59:59", "2026-12-01 18:30"),
        (DUBAI, "2026-11-30 17:00", "2026-12-01 05:59:59", "2026-12-01 16:59:59"),
        (DUBAI, "2026-12-01 05:59:59", "2026-12-01 05:59:59", "2026-12-01 17:00"),
        (LONDON, "2026-10-24 20:00", "2026-10-25 05:59:59", "2026-10-25 17:00"),
    ],
)
def test_who_comes_in_the_evening_leaves_by_its_price_that_night_and_not_in_the_next_evening(
    zone: ZoneInfo, entered: str, last: str, after: str
) -> None:
    evening = {"name": "Evening", "exit_hours": "17:00-06:00", **HOURLY}
    found = book({"name": "All", **HOURLY}, evening, zone=zone)
    begin = moment(entered, zone)
    assert [found.at_entry(begin, moment(at, zone)).name for at in (last, after)] == ["Evening", "All"]
    assert found.at_entry(moment("2026-11-30 06:00", zone), moment("2026-11-30 18:00", zone)).name == "Evening"


def test_exit_hours_go_before_dates_and_both_together_before_all() -> None:
    ranks = [
        Rate(FREE).rank,
        Rate(FREE, dates=schedule(HOURLY, {**HOURLY, "dates": ["12-02"]}).books[""].rates[1].dates).rank,
        Rate(
            FREE, exit_hours=schedule(HOURLY, {**HOURLY, "exit_hours": "01:00-02:00"}).books[""].rates[1].exit_hours
        ).rank,
    ]
    assert ranks == [0, 1, 2]


def test_a_day_that_a_zone_leaves_out_has_no_stretch() -> None:
    daily = {"name": "Daily", "hours": "00:00-24:00", **HOURLY}
    apia = ZoneInfo("Pacific/Apia")
    found = history(daily, zone=apia).versions[0][1].books[""]
    assert cut(found, "2011-12-29 12:00", "2011-12-31 12:00") == [(0, 12, "Daily", "12-29"), (12, 24, "Daily", "12-31")]


def test_a_day_that_comes_twice_goes_on_where_it_was() -> None:
    """In Newfoundland the clocks went back at one minute past midnight, into the day before."""
    found = history(DAY, NIGHT, zone=ZoneInfo("America/St_Johns")).versions[0][1].books[""]
    begin = moment("2010-11-06 23:30", ZoneInfo("America/St_Johns"))
    assert [(s.end_ms - s.begin_ms, s.rate.name) for s in found.stretches(begin, begin + 10 * HOUR)] == [
        (int(9.5 * HOUR), "Night"),
        (int(0.5 * HOUR), "Day"),
    ]
    again = begin + HOUR
    assert [(s.end_ms - again, s.rate.name) for s in found.stretches(again, again + HOUR)] == [(HOUR, "Night")]
    plain = history(
        {"name": "A", **HOURLY}, {"name": "B", "dates": ["2011-01-01"], **HOURLY}, zone=ZoneInfo("America/St_Johns")
    )
    cut_ = plain.versions[0][1].books[""].stretches(again, again + HOUR)
    assert [(s.begin_ms, s.end_ms, s.rate.name) for s in cut_] == [(again, again + HOUR, "A")]


def test_a_rate_costs_at_most_what_it_says() -> None:
    (rate,) = book({**HOURLY, "most": "25.00"}).rates
    assert [rate.price(hours * HOUR) for hours in (0, 1, 2, 3)] == [0, 1000, 2000, 2500]
    assert book(HOURLY).rates[0].price(9 * HOUR) == 9000
