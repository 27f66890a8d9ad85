from typing import Any

import pytest

from terminal.core.tariff.notation import DAYS
from tests.support.tariffs import HOURLY, schedule


def rate(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, **HOURLY, **keys}


def said(*rates: dict[str, Any], **keys: Any) -> str:
    with pytest.raises(ValueError, match=r".") as refused:
        schedule(*rates, **keys)
    return str(refused.value)


def test_days_have_names_monday_first() -> None:
    assert DAYS == ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")


@pytest.mark.parametrize(
    "rates",
    [
        [rate("A")],
        [rate("A", days="mon-fri"), rate("B", days="sat, sun")],
        [rate("A", hours="08:00-20:00"), rate("B", hours="20:00-08:00")],
        [rate("A", hours="06:00-06:00")],
        [rate("A", week="mon 06:00-fri 18:00"), rate("B", week="fri 18:00-mon 06:00")],
        [rate("A", week="wed 03:00-wed 03:00")],
        [rate("A", days="mon-sun"), rate("B", days="holiday")],
        [rate("A", days="mon-fri"), rate("B", days="sat, sun, holiday")],
        [rate("A"), rate("B", **{"class": "b"})],
        [rate("A"), rate("B", dates=["2026-12-02"]), rate("C", dates=["2026-12-03"])],
        [
            rate("A"),
            rate("B", dates=["2026-12-02"], hours="18:00-02:00"),
            rate("C", dates=["2026-12-03"], hours="02:00-04:00"),
        ],
        [
            rate("A"),
            rate("B", dates=["2026-12-02..2026-12-08"], days="mon"),
            rate("C", dates=["12-02..12-08"], days="tue"),
        ],
        [rate("A"), rate("B", hours="06:00-09:00", exit_hours="15:00-19:00")],
        [rate("A"), rate("B", exit_hours="15:00-19:00"), rate("C", exit_hours="19:00-20:00")],
        [rate("A"), rate("B", exit_hours="15:00-19:00", dates=["12-02"]), rate("C", dates=["12-02"])],
        [
            rate("A"),
            rate("B", exit_hours="05:00-06:00", dates=["12-02"]),
            rate("C", exit_hours="06:00-07:00", dates=["12-02"]),
        ],
    ],
)
def test_rates_that_hold_one_after_the_other_are_taken(rates: list[dict[str, Any]]) -> None:
    assert schedule(*rates)


A, B, C = "rate[1] (A)", "rate[2] (B)", "rate[3] (C)"


@pytest.mark.parametrize(
    ("rates", "line"),
    [
        ([rate("A"), rate("B")], f"{A} and {B}: both hold from Monday 00:00 to Tuesday 00:00"),
        (
            [rate("A", days="mon-fri"), rate("B", days="fri-sun")],
            f"{A} and {B}: both hold from Friday 00:00 to Saturday 00:00",
        ),
        (
            [rate("A", days="mon-fri"), rate("B", days="sun")],
            f"{A} and {B}: no rate holds between them, from Saturday 00:00 to Sunday 00:00",
        ),
        (
            [rate("A", hours="08:00-20:00"), rate("B", hours="19:30-08:00")],
            f"{A} and {B}: both hold from Monday 19:30 to Monday 20:00",
        ),
        (
            [rate("A", hours="08:00-20:00"), rate("B", hours="20:00-07:59")],
            f"{B} and {A}: no rate holds between them, from Monday 07:59 to Monday 08:00",
        ),
        (
            [rate("A", hours="00:00-12:00, 11:00-24:00")],
            f"{A}: holds twice from Monday 11:00 to Monday 12:00",
        ),
        (
            [
                rate("A", days="mon-fri"),
                rate("B", days="sat", hours="00:00-24:00"),
                rate("C", days="sun", hours="01:00-24:00"),
            ],
            f"{B} and {C}: no rate holds between them, from Sunday 00:00 to Sunday 01:00",
        ),
        (
            [rate("A", week="mon 06:00-fri 18:00"), rate("B", week="fri 18:00-mon 06:01")],
            f"{B} and {A}: both hold from Monday 06:00 to Monday 06:01",
        ),
        (
            [rate("A", week="mon 06:00-fri 18:00")],
            f"{A}: no rate holds from Friday 18:00 to Monday 06:00",
        ),
        (
            [rate("A", days="mon-fri, holiday"), rate("B", days="sat, sun, holiday")],
            f"{A} and {B}: both hold from a holiday 00:00 to Tuesday 00:00",
        ),
        (
            [
                rate("A", days="mon-fri, holiday", hours="06:00-06:00"),
                rate("B", days="sat, sun", hours="06:00-06:00"),
                rate("C", days="holiday", hours="05:00-06:00"),
            ],
            f"{B} and {C}: both hold from a holiday 05:00 to a holiday 06:00",
        ),
        (
            [
                rate("A", hours="22:00-24:00", days="mon-sun"),
                rate("B", hours="00:00-22:00", days="mon-sun"),
                rate("C", hours="00:00-22:00", days="holiday"),
            ],
            f"{C} and {B}: no rate holds between them, from a holiday 22:00 to Tuesday 00:00",
        ),
        (
            [rate("A", dates=["12-02"])],
            "rate: takes one that holds at all other times, not by date or exit hours alone",
        ),
        (
            [rate("A", exit_hours="01:00-02:00")],
            "rate: takes one that holds at all other times, not by date or exit hours alone",
        ),
        (
            [rate("A"), rate("B", dates=["2026-12-01..2026-12-03"]), rate("C", dates=["2026-12-03"])],
            f"{B} and {C}: both hold on 2026-12-03",
        ),
        (
            [rate("A"), rate("B", dates=["12-01..12-03"]), rate("C", dates=["2026-12-03"])],
            f"{B} and {C}: both hold on 2026-12-03",
        ),
        (
            [rate("A"), rate("B", dates=["12-01..12-03"]), rate("C", dates=["12-03"])],
            f"{B} and {C}: both hold on 2028-12-03",
        ),
        (
            [
                rate("A"),
                rate("B", dates=["2026-12-02"], hours="18:00-02:00"),
                rate("C", dates=["2026-12-03"], hours="01:59-04:00"),
            ],
            f"{B} and {C}: both hold on 2026-12-02",
        ),
        (
            [rate("A"), rate("B", exit_hours="15:00-19:00"), rate("C", exit_hours="18:59-20:00")],
            f"{B} and {C}: both hold from Monday 00:00 to Tuesday 00:00",
        ),
        (
            [
                rate("A"),
                rate("B", exit_hours="05:00-06:01", dates=["12-02"]),
                rate("C", exit_hours="06:00-07:00", dates=["12-02"]),
            ],
            f"{B} and {C}: both hold on 2028-12-02",
        ),
    ],
)
def test_rates_that_contradict_each_other_are_refused_by_name(rates: list[dict[str, Any]], line: str) -> None:
    assert said(*rates) == line


def test_a_class_has_rates_for_every_hour_of_its_own() -> None:
    night = rate("B", hours="20:00-08:00", **{"class": "staff"})
    assert said(rate("A"), night) == f"{B}: no rate holds from Monday 08:00 to Monday 20:00"
    nobody = {key: value for key, value in night.items() if key != "hours"}
    assert said(nobody) == "rate: every rate has a class, takes at least one without, for a ticket that names none"
