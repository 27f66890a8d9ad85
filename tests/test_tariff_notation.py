from collections.abc import Callable
from datetime import date, datetime

import pytest

from terminal.core.tariff import notation
from terminal.core.tariff.calendar import Dates, Hours


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1 s", 1),
        ("90 min", 5400),
        ("1 h", 3600),
        ("1 h 30 min", 5400),
        ("1 day", 86_400),
        ("2 days", 172_800),
        ("1 day 2 h 3 min 4 s", 93_784),
        ("7 days 1 min", 604_860),
        ("0 min", 0),
    ],
)
def test_a_length_is_written_in_days_hours_minutes_and_seconds(text: str, seconds: int) -> None:
    assert notation.length(text) == seconds * 1000


LENGTH = 'takes a time such as "1 h", "90 min", "1 day" or "1 h 30 min"'


@pytest.mark.parametrize(
    "text", ["", " ", "1", "1h", "1 hour", "30 min 1 h", "-1 h", "1.5 h", " 1 h", "1 h ", "1 h  1 s"]
)
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        notation.length(text)
    assert str(refused.value) == f"got {text!r}, {LENGTH}"


@pytest.mark.parametrize(
    ("seconds", "parts"),
    [
        (0, [(0, "min")]),
        (59, [(59, "s")]),
        (60, [(1, "min")]),
        (3661, [(1, "h"), (1, "min"), (1, "s")]),
        (86_400, [(1, "day")]),
        (86_401, [(24, "h"), (1, "s")]),
        (172_799, [(47, "h"), (59, "min"), (59, "s")]),
        (172_800, [(2, "day")]),
        (180_000, [(2, "day"), (2, "h")]),
    ],
)
def test_a_length_is_shown_as_numbers_and_units(seconds: int, parts: list[tuple[int, str]]) -> None:
    assert notation.shown_length(seconds * 1000 + 999) == parts


@pytest.mark.parametrize(("text", "minute"), [("00:00", 0), ("09:05", 545), ("23:59", 1439), ("24:00", 1440)])
def test_a_time_of_day_is_a_minute_of_it(text: str, minute: int) -> None:
    assert notation.clock(text) == minute


@pytest.mark.parametrize("text", ["", "9:00", "24:01", "23:60", "25:00", "0900"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        notation.clock(text)
    assert str(refused.value) == f'got {text!r}, takes a time of day such as "18:00"'


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("08:00-18:00", [(480, 1080)]),
        ("18:00-08:00", [(1080, 1920)]),
        ("00:00-24:00", [(0, 1440)]),
        ("08:00-08:00", [(480, 1920)]),
        ("00:00-06:00, 22:00 - 24:00", [(0, 360), (1320, 1440)]),
    ],
)
def test_hours_that_end_before_they_begin_end_on_the_next_day(text: str, hours: list[tuple[int, int]]) -> None:
    assert notation.hours(text) == tuple(Hours(*part) for part in hours)


@pytest.mark.parametrize(
    ("text", "day", "hours"),
    [
        ("fri 18:00-mon 06:00", 4, (1080, 3 * 1440 + 360)),
        ("mon 00:00-mon 24:00", 0, (0, 1440)),
        ("mon 06:00 - mon 06:00", 0, (360, 7 * 1440 + 360)),
        ("sun 23:00-mon 01:00", 6, (1380, 1500)),
        ("wed 10:00-wed 09:00", 2, (600, 7 * 1440 + 540)),
    ],
)
def test_a_part_of_a_week_runs_over_days(text: str, day: int, hours: tuple[int, int]) -> None:
    assert notation.week(text) == (frozenset({day}), Hours(*hours))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon", {0}),
        ("mon-thu", {0, 1, 2, 3}),
        ("fri-sun", {4, 5, 6}),
        ("sat-mon", {5, 6, 0}),
        ("mon-sun", {0, 1, 2, 3, 4, 5, 6}),
        ("tue-tue", {1}),
        ("sat, sun,holiday", {5, 6, 7}),
        ("mon - wed, holiday", {0, 1, 2, 7}),
    ],
)
def test_days_are_named_by_three_letters_and_ranges(text: str, days: set[int]) -> None:
    assert notation.days(text) == days


DAY = date(2026, 12, 2)


@pytest.mark.parametrize(
    ("value", "dates"),
    [
        ("2026-12-02", Dates(DAY, DAY)),
        (DAY, Dates(DAY, DAY)),
        ("2026-12-02..2026-12-03", Dates(DAY, date(2026, 12, 3))),
        ("12-02", Dates(date(2028, 12, 2), date(2028, 12, 2), yearly=True)),
        ("02-28..02-29", Dates(date(2028, 2, 28), date(2028, 2, 29), yearly=True)),
    ],
)
def test_dates_are_days_ranges_or_days_of_every_year(value: object, dates: Dates) -> None:
    assert notation.dates(value) == dates


HOURS = 'takes hours such as "08:00-18:00", or several with commas'
WEEK = 'takes a part of a week such as "fri 18:00-mon 06:00"'
DAYS = 'takes days such as "mon-thu", "sat, sun" or "fri-sun, holiday"'
DATES = 'takes dates such as "2026-12-02", "2026-12-02..2026-12-03" or "12-02" for each year'
WRONG: list[tuple[Callable[[str], object], str, str]] = [
    *((notation.hours, text, HOURS) for text in ("", "08:00", "08:00-18:00-20:00", "8-18", "08:00-25:00")),
    *(
        (notation.week, text, WEEK)
        for text in ("", "fri 18:00", "fri-mon", "fri 18:00-holiday 06:00", "fr 1:00-mo 2:00")
    ),
    *((notation.week, text, WEEK) for text in ("holiday 06:00-mon 06:00", "fri 18:00-mon 06:00-tue 07:00")),
    *((notation.days, text, DAYS) for text in ("", "monday", "mon-", "-mon", "mon-holiday", "holiday-mon", "mon;tue")),
    *((notation.dates, text, DATES) for text in ("", "12-32", "2026-12-03..2026-12-02", "2026-12-02..12-03", "2-1")),
    *((notation.dates, text, DATES) for text in ("12-05..12-03", "20261202", "2026-W49-3")),
]


@pytest.mark.parametrize(("read", "text", "takes"), WRONG)
def test_what_cannot_be_read_is_said_with_what_is_taken(read: Callable[[str], object], text: str, takes: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read(text)
    assert str(refused.value) == f"got {text!r}, {takes}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (7, "7"),
        (datetime(2026, 12, 2, 1, 2), "'2026-12-02 01:02:00'"),  # noqa: DTZ001 - as TOML has it
        ("2026-13-02", "'2026-13-02'"),
        ("2026-12-2", "'2026-12-2'"),
        ("x" * 100, "'" + "x" * 59 + "…"),
    ],
)
def test_a_day_is_a_date_and_no_time(value: object, shown: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        notation.day(value)
    assert str(refused.value) == f'got {shown}, takes a date such as "2026-12-02"'
    assert notation.day(DAY) == notation.day("2026-12-02") == DAY
