"""The day's figures, reckoned from lines."""

import json
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from terminal.core.ids import derived_id, order_no
from terminal.roles.console.figures import bounds, figures, share_within, to_csv
from terminal.roles.console.history import HeardLine

DUBAI = ZoneInfo("Asia/Dubai")
DAY = date(2026, 11, 30)
BEGIN, END = bounds(DAY, DUBAI)


def stay(number: int) -> str:
    return derived_id(BEGIN, str(number))


def line(kind: str, at_ms: int, number: int = 0, lane: str = "exit-1", opened: str = "", **data: object) -> HeardLine:
    session = stay(number)
    no = order_no("marina", lane, session, 1) if kind in ("order", "refund") else ""
    return HeardLine(1, BEGIN + at_ms, lane, kind, "", session, no, "", "", opened, json.dumps(data))


def paid(at_ms: int, number: int, amount: str = "20.00") -> HeardLine:
    return line("order", at_ms, number, status="paid", amount=amount)


def test_a_day_is_one_of_the_garage_s_clock_and_may_have_23_hours() -> None:
    assert END - BEGIN == 86_400_000
    begin, end = bounds(date(2026, 3, 29), ZoneInfo("Europe/Berlin"))
    assert end - begin == 23 * 3_600_000


def test_each_order_is_counted_once_in_its_hour() -> None:
    found = figures([paid(3_600_000, 1), paid(3_600_500, 1), paid(7_200_000, 2, "5.50")], DUBAI)
    assert (found.taken, found.payments) == (2550, 2)
    assert found.hours[:3] == [0, 2000, 550]


def test_a_refund_counts_once_it_is_settled_and_once() -> None:
    told = [
        line("refund", n, 1, refund_no="R1", status=status, amount="5.00")
        for n, status in enumerate(("asked", "created", "settled", "success"))
    ]
    other = line("refund", 9, 2, refund_no="R2", status="failed", amount="7.00")
    assert figures([*told, other], DUBAI).refunded == 500


def test_times_run_from_payment_and_from_arrival_to_the_boom() -> None:
    found = figures(
        [
            line("vehicle", 0, waiting=True),
            line("vehicle", 500, waiting=True),
            paid(9_000, 1),
            line("barrier", 9_800, 1, opened="paid"),
            line("vehicle", 12_000, waiting=False),
            line("vehicle", 20_000, waiting=True),
            line("vehicle", 25_000, waiting=False),  # drove back
            line("barrier", 30_000, 2, opened="free"),
        ],
        DUBAI,
    )
    assert (found.to_boom, found.waits, found.free) == ([800], [9_800], 1)


@pytest.mark.parametrize("asked", [False, True])
def test_a_payment_is_known_before_its_order_is_said_to_be_paid(asked: bool) -> None:
    """The lift goes first, then the order's state. Whether PayBy told of it or was asked, its first word counts."""
    told = [] if asked else [line("paid", 8_900, 1)]
    lift = line("lift", 9_000, 1, reason="paid")
    opened = [lift, line("barrier", 9_020, 1, opened="paid"), paid(9_030, 1), line("lift", 9_500, 1, reason="paid")]
    found = figures([*told, *opened, line("barrier", 60_000, 1, opened="paid")], DUBAI)
    assert (found.to_boom, found.taken) == ([20 if asked else 120], 2000)


def test_what_went_otherwise_is_counted_by_kind() -> None:
    found = figures(
        [
            line("barrier", 1, opened="operator"),
            line("barrier", 2, opened="by hand"),
            line("barrier", 3, opened="unknown"),
            line("fee", 4, reason="refused"),
            line("alert", 5, state="raised", severity="warning", code="help"),
            line("alert", 6, state="cleared", severity="warning", code="help"),
            line("alert", 7, state="raised", severity="info", code="refund"),
        ],
        DUBAI,
    )
    assert dict(found.exceptions) == {"day.operator": 1, "day.hand": 1, "day.unknown": 1, "day.refused": 1, "help": 1}


def test_what_does_not_fit_is_left_out() -> None:
    odd = [paid(0, 1, "many"), line("barrier", 9_000_000, 1, opened="paid"), line("vehicle", 1, waiting="yes")]
    found = figures(odd, DUBAI)
    assert (found.taken, found.payments, found.to_boom, found.waits) == (0, 1, [], [])


@pytest.mark.parametrize(("share", "within"), [(0.5, 60), (0.95, 100), (1.0, 100)])
def test_a_share_lies_within_a_time(share: float, within: int) -> None:
    assert share_within([100, 10, 90, 20, 80, 30, 70, 40, 60, 50], share) == within
    assert share_within([], share) is None


def test_the_table_has_every_figure() -> None:
    rows = to_csv(DAY, figures([paid(3_600_000, 1)], DUBAI)).splitlines()
    assert rows[0] == "day,what,value"
    assert "2026-11-30,takings,20.00" in rows
    assert "2026-11-30,takings 01:00,20.00" in rows
    assert "2026-11-30,payment to boom p50," in rows


def test_each_lost_ticket_and_each_coupon_is_counted_once_however_often_its_reader_says_it() -> None:
    told = [line("fee", n, reason=reason, id=f"{reason} {n // 2}") for n in range(4) for reason in ("lost", "coupon")]
    found = figures([*told, line("fee", 9, reason="due", id="due")], DUBAI)
    assert found.exceptions == {"day.lost": 2, "day.coupon": 2}
