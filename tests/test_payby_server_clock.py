"""PayBy's time as read off its answers."""

from email.utils import formatdate

import pytest

from terminal.payby.server_clock import LocalSystemClock, PayByTime
from tests.support.turned_clock import TurnedClock

NOON = 1_770_000_000_000


def heard(time: PayByTime, clock: TurnedClock, payby_ms: int) -> None:
    time.heard(formatdate(payby_ms / 1000, usegmt=True), clock.steady)


def test_before_the_first_answer_our_own_clock_counts() -> None:
    time = PayByTime(TurnedClock(NOON))
    assert (time.now_ms(), time.skew_ms) == (NOON, None)


def test_a_clock_that_agrees_is_used_as_it_is() -> None:
    clock = TurnedClock(NOON)
    time = PayByTime(clock)
    heard(time, clock, NOON + 1000)
    assert time.now_ms() == NOON


@pytest.mark.fault("clock-wrong")
def test_a_clock_20_minutes_slow_is_corrected() -> None:
    clock = TurnedClock(NOON)
    time = PayByTime(clock)
    heard(time, clock, NOON + 1_200_000)
    assert abs(time.now_ms() - (NOON + 1_200_000)) <= 1000
    assert abs((time.skew_ms or 0) - 1_200_000) <= 1000


@pytest.mark.fault("clock-wrong")
def test_a_jump_of_our_wall_clock_after_the_answer_changes_nothing() -> None:
    clock = TurnedClock(NOON)
    time = PayByTime(clock)
    heard(time, clock, NOON)
    for wall in (NOON + 7_200_000, NOON - 7_200_000, 0):
        clock.wall = wall
        assert abs(time.now_ms() - NOON) <= 1000


def test_time_goes_on_by_the_steady_clock() -> None:
    clock = TurnedClock(NOON)
    time = PayByTime(clock)
    heard(time, clock, NOON + 1_200_000)
    before = time.now_ms()
    clock.steady += 60_000
    clock.wall += 60_000
    assert time.now_ms() == before + 60_000


def test_what_is_no_date_changes_nothing() -> None:
    clock = TurnedClock(NOON)
    time = PayByTime(clock)
    for date in (None, "", "yesterday", "Thu, 99 Feb 2026 00:00:00 GMT", "Thu, 01 Jan 99999 00:00:00 GMT"):
        time.heard(date, clock.steady)
        assert time.skew_ms is None


def test_the_systems_clocks_are_in_milliseconds() -> None:
    clock = LocalSystemClock()
    assert 1_700_000_000_000 < clock.wall_ms() < 5_000_000_000_000
    assert clock.steady_ms() <= clock.steady_ms()
