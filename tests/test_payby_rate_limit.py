"""The rate limit, by a clock that the test moves."""

import asyncio

import pytest

from terminal.payby.rate_limit import RateLimit, Turn


class Time:
    """Sleeping is what makes time pass: what the limiter is given in place of the loop's sleep, which a test would wait
    for."""

    def __init__(self) -> None:
        self.ms = 0

    def steady_ms(self) -> int:
        return self.ms

    async def sleep(self, s: float) -> None:
        await asyncio.sleep(0)
        self.ms += max(1, round(s * 1000))


def limit(time: Time, calls_per_s: float) -> RateLimit:
    return RateLimit(calls_per_s, steady_ms=time.steady_ms, sleep=time.sleep)


async def test_a_burst_of_one_second_goes_at_once() -> None:
    time = Time()
    rate = limit(time, 5)
    for _ in range(5):
        await rate.wait(Turn.QUERY)
    assert time.ms == 0
    await rate.wait(Turn.QUERY)
    assert time.ms == 200


async def test_a_hundred_calls_take_their_time() -> None:
    time = Time()
    rate = limit(time, 10)
    await asyncio.gather(*(rate.wait(Turn.QUERY) for _ in range(110)))
    assert 9_900 <= time.ms <= 10_200


@pytest.mark.fault("rate-limit")
async def test_new_orders_go_before_queries_and_these_before_reports() -> None:
    time = Time()
    rate = limit(time, 1)
    await rate.wait(Turn.REPORT)
    went: list[tuple[Turn, int]] = []

    async def call(turn: Turn, number: int) -> None:
        await rate.wait(turn)
        went.append((turn, number))

    turns = [Turn.REPORT, Turn.QUERY, Turn.MONEY, Turn.QUERY, Turn.MONEY]
    async with asyncio.TaskGroup() as group:
        for number, turn in enumerate(turns):
            group.create_task(call(turn, number))
    assert went == [(Turn.MONEY, 2), (Turn.MONEY, 4), (Turn.QUERY, 1), (Turn.QUERY, 3), (Turn.REPORT, 0)]


@pytest.mark.fault("rate-limit")
async def test_a_complaint_halves_the_rate_and_one_storm_is_one_complaint() -> None:
    time = Time()
    rate = limit(time, 40)
    for _ in range(20):
        rate.slow_down()
    assert rate.calls_per_s == 20
    time.ms += 1000
    rate.slow_down()
    assert rate.calls_per_s == pytest.approx(10, abs=0.5)


async def test_after_a_complaint_no_burst_is_left() -> None:
    time = Time()
    rate = limit(time, 10)
    rate.slow_down()
    await rate.wait(Turn.MONEY)
    assert time.ms >= 190


@pytest.mark.fault("rate-limit")
async def test_the_rate_comes_back_within_a_minute_and_never_stops() -> None:
    time = Time()
    rate = limit(time, 30)
    for _ in range(50):
        rate.slow_down()
        time.ms += 1000
    assert rate.calls_per_s >= 0.5
    time.ms += 60_000
    assert rate.calls_per_s == 30


async def test_who_gives_up_takes_no_turn() -> None:
    time = Time()
    rate = limit(time, 1)
    await rate.wait(Turn.MONEY)
    gone = asyncio.create_task(rate.wait(Turn.MONEY))
    await asyncio.sleep(0)
    gone.cancel()
    await rate.wait(Turn.QUERY)
    assert time.ms == 1000
    assert gone.cancelled()


async def test_closing_lets_nobody_wait() -> None:
    async def never(_: float) -> None:
        await asyncio.Event().wait()

    rate = RateLimit(1, steady_ms=lambda: 0, sleep=never)
    await rate.wait(Turn.MONEY)
    waiting = asyncio.create_task(rate.wait(Turn.MONEY))
    await asyncio.sleep(0)
    await rate.close()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
