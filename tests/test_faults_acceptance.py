"""What judges PayBy's nine cases (tests/acceptance) can fail: calls that come too early, too late or too seldom."""

import asyncio
import time

import pytest

from terminal.payby.sandbox.api import Call
from tests.acceptance.measured import Calls, Seen, check_cancels, check_queries, table
from tests.acceptance.scaled import ScaledClock, ScaledLoop


def calls(name: str, *at_s: float, order_no: str = "a") -> Calls:
    """An order placed at 100 s of PayBy's clock, and these calls the given seconds later."""
    found = [Call("placeOrder", 0, 100_000, b"", {}, {"merchantOrderNo": order_no}, "0")]
    found += [Call(name, 0, 100_000 + round(s * 1000), b"", {}, {"merchantOrderNo": order_no}, "0") for s in at_s]
    return Calls.about([*found, Call(name, 0, 100_001, b"", {}, {"merchantOrderNo": "b"}, "0")], order_no)


@pytest.mark.parametrize(
    ("at_s", "wrong"),
    [
        ((3, 6, 9), []),
        ((2, 8), []),
        ((1.9, 5, 9), ["between two getOrder: 1.90 s, not 2 to 6 s"]),
        ((3, 6, 12.1), ["between two getOrder: 6.10 s, not 2 to 6 s"]),
        ((3,), ["1 getOrder, not 2 or more"]),
    ],
)
def test_queries_are_two_to_six_seconds_apart_from_the_order_on(at_s: tuple[float, ...], wrong: list[str]) -> None:
    seen = Seen(1, "a case")
    check_queries(seen, calls("getOrder", *at_s), at_least=2)
    assert seen.problems == wrong


@pytest.mark.parametrize(
    ("at_s", "wrong"),
    [
        ((20,), []),
        ((120, 123, 133), []),
        ((19.9,), ["placeOrder to cancelOrder: 19.90 s, not 20 to 120 s"]),
        ((120.1,), ["placeOrder to cancelOrder: 120.10 s, not 20 to 120 s"]),
        ((30, 32.9), ["between two cancelOrder: 2.90 s, not 3 to 10 s"]),
        ((30, 40.1), ["between two cancelOrder: 10.10 s, not 3 to 10 s"]),
        ((), ["0 cancelOrder, not 1 or more"]),
    ],
)
def test_cancellations_come_in_time_and_three_to_ten_seconds_apart(at_s: tuple[float, ...], wrong: list[str]) -> None:
    seen = Seen(5, "a case")
    check_cancels(seen, calls("cancelOrder", *at_s))
    assert seen.problems == wrong


def test_the_table_says_which_case_failed_and_why() -> None:
    bad = Seen(2, "nobody pays", problems=["too late"])
    assert [line.split()[:2] for line in table([Seen(1, "all well"), bad]).splitlines()[1:]] == [
        ["1", "pass"],
        ["2", "FAIL"],
        ["!", "too"],
    ]


def test_a_scaled_loop_waits_as_many_times_shorter_and_its_clock_agrees() -> None:
    async def wait() -> tuple[float, int]:
        loop, clock = asyncio.get_running_loop(), ScaledClock(50, time.time_ns() // 1_000_000)
        began, steady = loop.time(), clock.steady_ms()
        await asyncio.sleep(5)  # of scaled time, which is what is tested
        return loop.time() - began, clock.steady_ms() - steady

    real = time.monotonic()
    with asyncio.Runner(loop_factory=lambda: ScaledLoop(50)) as runner:
        by_loop, by_clock = runner.run(wait())
    assert 0.1 <= time.monotonic() - real < 4
    assert by_loop >= 5
    assert abs(by_loop * 1000 - by_clock) < 500


def test_processes_with_the_same_origin_have_the_same_wall_time() -> None:
    origin = time.time_ns() // 1_000_000 - 1000
    first, second = ScaledClock(20, origin), ScaledClock(20, origin)
    assert abs(second.wall_ms() - first.wall_ms()) < 2000
    assert first.wall_ms() - origin >= 20_000
