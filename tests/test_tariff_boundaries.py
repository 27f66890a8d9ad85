import pytest

from terminal.core.tariff.boundaries import Boundary, boundaries
from terminal.core.tariff.pricing import UnknownClass, fee
from tests.support.tariffs import HOURLY, LONDON, length, moment, schedule

ENTRY = moment("2026-11-30 09:00")
FALLING = {"steps": [{"until": "1 h", "total": "5.00"}, {"until": "2 h", "total": "4.00"}, {"total": "9.00"}]}


def test_each_boundary_has_the_fee_at_it_and_a_second_later() -> None:
    assert boundaries(schedule(FALLING), ENTRY, length("3 h")) == [
        Boundary(0, 0, 500),
        Boundary(3600, 500, 400),
        Boundary(7200, 400, 900),
    ]  # type: ignore[comparison-overlap]


def test_a_boundary_says_whether_the_fee_falls() -> None:
    assert [found.falls for found in boundaries(schedule(FALLING), ENTRY, length("3 h"))] == [False, True, False]


def test_the_limit_itself_is_looked_at_and_what_lies_beyond_is_not() -> None:
    tariff = schedule(HOURLY)
    assert [found.stay_s for found in boundaries(tariff, ENTRY, length("2 h"))] == [0, 3600, 7200]
    assert [found.stay_s for found in boundaries(tariff, ENTRY, length("2 h") - 1)] == [0, 3600]
    assert boundaries(schedule({"free": True}), ENTRY, length("9 days")) == []


def test_a_class_that_is_unknown_has_no_boundaries() -> None:
    with pytest.raises(UnknownClass):
        boundaries(schedule(HOURLY), ENTRY, 0, "vip")
    of = schedule(HOURLY, {"class": "vip", "steps": [{"total": "3.00"}]})
    assert [found.after for found in boundaries(of, ENTRY, 0, "vip")] == [300]


EVERYTHING = {
    "grace": schedule(HOURLY, unpaid_grace=7),
    "free": schedule(HOURLY, free_minutes=77),
    "off": schedule(HOURLY, minutes_off=77),
    "own": schedule({**HOURLY, "free_minutes": 33, "minutes_off": 22}, free_minutes=77),
    "both caps": schedule(HOURLY, day_cap="55.00", calendar_cap="45.00"),
    "own cap": schedule({**HOURLY, "day_cap": "55.00"}, minutes_off=77),
    "nights": schedule(HOURLY, overnight={"at": "00:30", "add": "5.00"}),
    "least": schedule({"steps": [{"total": "5.00"}]}, overnight={"at": "00:30", "least": "25.00"}),
    "least and cap": schedule(
        {"steps": [{"total": "5.00"}]}, overnight={"at": "09:30", "least": "25.00"}, day_cap="20.00"
    ),
    "exit hours": schedule(HOURLY, {"exit_hours": "15:00-15:30, 23:00-02:00", "steps": [{"total": "16.00"}]}),
    "stretches": schedule(
        {"hours": "08:10-20:20", **HOURLY}, {"hours": "20:20-08:10", "steps": [{"total": "7.00"}]}, rates_by="stretch"
    ),
    "blocks": schedule(
        {"hours": "08:10-20:20", **HOURLY},
        {"hours": "20:20-08:10", "steps": [{"every": "1 h", "add": "1"}]},
        rates_by="block",
        minutes_off=30,
    ),
    "paid time": schedule(
        {"hours": "08:10-20:20", **HOURLY}, {"hours": "20:20-08:10", "free": True}, rates_by="paid-time"
    ),
    "London": schedule(
        {"hours": "00:30-01:30", **HOURLY},
        {"hours": "01:30-00:30", "steps": [{"total": "3"}]},
        rates_by="stretch",
        zone=LONDON,
        calendar_cap="17.00",
    ),
}


@pytest.mark.parametrize("entered", ["2026-11-30 09:00", "2026-10-24 23:10", "2026-03-28 22:00"])
@pytest.mark.parametrize("name", EVERYTHING)
def test_nothing_changes_between_two_boundaries(name: str, entered: str) -> None:
    tariff = EVERYTHING[name]
    begin, limit = moment(entered, tariff.zone), length("30 h")  # type: ignore[arg-type]
    changes = boundaries(tariff, begin, limit)
    first = int(fee(tariff, begin, begin))
    for minute in (*range(100), *range(100, 30 * 60, 17)):
        for stay_s in (minute * 60, minute * 60 + 1):
            due = [first, *(found.after for found in changes if found.stay_s < stay_s)][-1]
            assert fee(tariff, begin, begin + stay_s * 1000) == due, minute


def test_a_stay_that_is_all_taken_off_has_no_boundary_before_that() -> None:
    tariff = schedule({"hours": "00:00-24:00", **HOURLY}, rates_by="stretch", minutes_off=600)
    assert boundaries(tariff, ENTRY, length("10 h") - 1) == []
    assert [found.stay_s for found in boundaries(tariff, ENTRY, length("10 h"))] == [36_000]
