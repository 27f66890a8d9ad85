from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from terminal.core.tariff.calendar import DAY_MINUTES, Dates, Hours, instant, local
from tests.support.tariffs import DUBAI, LONDON


def shown(day: str, minute: int, zone: str) -> str:
    """When that is, by UTC."""
    found = instant(date.fromisoformat(day), minute, ZoneInfo(zone))
    return f"{datetime.fromtimestamp(found / 1000, UTC):%m-%d %H:%M:%S}"


def test_a_day_has_1440_minutes_on_paper() -> None:
    assert DAY_MINUTES == 1440


@pytest.mark.parametrize(
    ("day", "minute", "zone", "at"),
    [
        ("2026-11-30", 0, "Asia/Dubai", "11-29 20:00:00"),
        ("2026-11-30", 1439, "Asia/Dubai", "11-30 19:59:00"),
        ("2026-11-30", 1440, "Asia/Dubai", "11-30 20:00:00"),
        ("2026-11-30", 3000, "Asia/Dubai", "12-01 22:00:00"),
        # London goes from 01:00 to 02:00
        ("2026-03-29", 59, "Europe/London", "03-29 00:59:00"),
        ("2026-03-29", 60, "Europe/London", "03-29 01:00:00"),
        ("2026-03-29", 61, "Europe/London", "03-29 01:00:00"),
        ("2026-03-29", 90, "Europe/London", "03-29 01:00:00"),
        ("2026-03-29", 119, "Europe/London", "03-29 01:00:00"),
        ("2026-03-29", 120, "Europe/London", "03-29 01:00:00"),
        ("2026-03-29", 121, "Europe/London", "03-29 01:01:00"),
        # and back from 02:00 to 01:00: the first time counts
        ("2026-10-25", 60, "Europe/London", "10-25 00:00:00"),
        ("2026-10-25", 119, "Europe/London", "10-25 00:59:00"),
        ("2026-10-25", 120, "Europe/London", "10-25 02:00:00"),
        # Lord Howe by half an hour
        ("2026-10-04", 135, "Australia/Lord_Howe", "10-03 15:30:00"),
        # Cairo has no midnight, Apia no such day
        ("2026-04-24", 0, "Africa/Cairo", "04-23 22:00:00"),
        ("2026-04-24", 59, "Africa/Cairo", "04-23 22:00:00"),
        ("2011-12-30", 0, "Pacific/Apia", "12-30 10:00:00"),
        ("2011-12-30", 720, "Pacific/Apia", "12-30 10:00:00"),
        ("2011-12-31", 0, "Pacific/Apia", "12-30 10:00:00"),
        ("2011-12-31", 1, "Pacific/Apia", "12-30 10:01:00"),
    ],
)
def test_a_clock_time_is_the_first_moment_at_which_the_clock_shows_it_or_later(
    day: str, minute: int, zone: str, at: str
) -> None:
    assert shown(day, minute, zone) == at


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_local_day_may_have_23_or_25_hours(day: str, hours: int) -> None:
    at = date.fromisoformat(day)
    assert instant(at, 1440, LONDON) - instant(at, 0, LONDON) == hours * 3_600_000


def test_the_garages_clock_is_shown_to_the_millisecond() -> None:
    at = local(1_764_055_600_123, DUBAI)
    assert f"{at:%Y-%m-%d %H:%M:%S.%f}" == "2025-11-25 11:26:40.123000"


@pytest.mark.parametrize(("begin", "end"), [(-1, 10), (1440, 1500), (10, 10), (10, 9), (10, 10 + 7 * 1440 + 1)])
def test_hours_that_are_none_are_refused(begin: int, end: int) -> None:
    with pytest.raises(ValueError, match=rf"^hours from minute {begin} to minute {end} are none$"):
        Hours(begin, end)


def test_hours_may_last_from_a_minute_to_a_week() -> None:
    assert (Hours(0, 1).end, Hours(1439, 1439 + 7 * 1440).begin) == (1, 1439)


@pytest.mark.parametrize(
    ("minute", "held"), [(1079, False), (1080, True), (1439, True), (0, True), (359, True), (360, False)]
)
def test_hours_over_midnight_hold_on_both_sides_of_it(minute: int, held: bool) -> None:
    assert Hours(1080, 1800).hold(minute) is held


def test_hours_of_several_days_hold_to_their_last_minute() -> None:
    assert Hours(1439, 1439 + 7 * 1440).hold(1438)
    assert not Hours(600, 601).hold(601)


FIRST = date(2026, 12, 2)


@pytest.mark.parametrize(("last", "days"), [(FIRST, 1), (date(2026, 12, 4), 3)])
def test_dates_hold_from_the_first_to_the_last(last: date, days: int) -> None:
    dates = Dates(FIRST, last)
    assert dates.days() == [date(2026, 12, 2 + n) for n in range(days)]
    assert all(dates.hold(day) for day in dates.days())
    assert not dates.hold(date(2026, 12, 1))
    assert not dates.hold(date(2026, 12, 2 + days))
    assert not dates.hold(date(2027, 12, 2))


def test_yearly_dates_hold_in_every_year() -> None:
    dates = Dates(date(2028, 2, 28), date(2028, 3, 1), yearly=True)
    days: list[tuple[Any, bool]] = [((2027, 2, 28), True), ((2032, 2, 29), True), ((2030, 3, 1), True)]
    days += [((2027, 2, 27), False), ((2027, 3, 2), False), ((2028, 12, 28), False)]
    assert [(day, dates.hold(date(*day))) for day, _ in days] == days


def test_dates_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^dates from 2026-12-02 to 2026-12-01 are none, or more than ten years$"):
        Dates(FIRST, date(2026, 12, 1))
    with pytest.raises(ValueError, match="more than ten years"):
        Dates(date(2020, 1, 1), date.fromordinal(date(2020, 1, 1).toordinal() + 3661))
    assert len(Dates(date(2020, 1, 1), date.fromordinal(date(2020, 1, 1).toordinal() + 3660)).days()) == 3661
