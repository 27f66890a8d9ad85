"""Sign-ins that end, and tries that wait."""

import pytest

from terminal.roles.console.sign_in import FREE_TRIES, LONGEST_MS, MOST, SignIns, SignInThrottle
from tests.support.turned_clock import TurnedClock

IDLE_MS = 60_000


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


def test_a_sign_in_ends_when_nobody_uses_it(clock: TurnedClock) -> None:
    sign_ins = SignIns(clock, IDLE_MS)
    token, one = sign_ins.begin("amal", "::1")
    clock.turn(IDLE_MS - 1)
    assert sign_ins.find(token) is one
    clock.turn(IDLE_MS - 1)
    assert sign_ins.find(token, use=False) is one
    clock.turn(1)
    assert not sign_ins.lasts(one)
    assert sign_ins.find(token) is None


def test_a_sign_in_ends_after_twelve_hours_however_busy(clock: TurnedClock) -> None:
    sign_ins = SignIns(clock, IDLE_MS)
    token, _ = sign_ins.begin("amal", "::1")
    for _ in range(LONGEST_MS // 50_000):
        assert sign_ins.find(token)
        clock.turn(50_000)
    clock.turn(50_000)
    assert sign_ins.find(token) is None


def test_only_the_token_finds_a_sign_in(clock: TurnedClock) -> None:
    sign_ins = SignIns(clock, IDLE_MS)
    token, one = sign_ins.begin("amal", "::1")
    other, _ = sign_ins.begin("amal", "::1")
    assert token != other
    assert one.csrf not in token
    for wrong in ("", token[:-1], token + "x", "\ud800"):
        assert sign_ins.find(wrong) is None
    sign_ins.end(one)
    sign_ins.end(one)
    assert sign_ins.find(token) is None
    assert sign_ins.find(other)


def test_all_of_a_changed_user_end(clock: TurnedClock) -> None:
    sign_ins = SignIns(clock, IDLE_MS)
    tokens = [sign_ins.begin(user, "::1")[0] for user in ("amal", "amal", "omar")]
    sign_ins.end_all_of("amal")
    assert [sign_ins.find(token) is None for token in tokens] == [True, True, False]


def test_too_many_sign_ins_end_the_one_that_was_idle_for_longest(clock: TurnedClock) -> None:
    sign_ins = SignIns(clock, IDLE_MS)
    tokens = [sign_ins.begin("amal", "::1")[0] for _ in range(MOST)]
    assert sign_ins.find(tokens[0])
    sign_ins.begin("omar", "::1")
    assert sign_ins.find(tokens[0])
    assert sign_ins.find(tokens[1]) is None


def test_after_some_failures_each_try_waits_twice_as_long_up_to_a_minute(clock: TurnedClock) -> None:
    throttle, waits = SignInThrottle(clock), []
    for _ in range(FREE_TRIES + 8):
        waits.append(throttle.wait_ms("amal", "::1"))
        clock.turn(waits[-1])
        throttle.failed("amal", "::1")
    assert waits == [0] * FREE_TRIES + [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]


def test_another_address_waits_for_that_name_and_another_name_for_that_address(clock: TurnedClock) -> None:
    throttle = SignInThrottle(clock)
    for _ in range(FREE_TRIES):
        throttle.failed("amal", "::1")
    assert throttle.wait_ms("AMAL", "10.0.0.1") == 2_000
    assert throttle.wait_ms("omar", "::1") == 2_000
    assert throttle.wait_ms("omar", "10.0.0.1") == 0
    throttle.succeeded("amal", "::1")
    assert throttle.wait_ms("amal", "::1") == 0


def test_old_failures_are_forgotten(clock: TurnedClock) -> None:
    throttle = SignInThrottle(clock)
    for _ in range(FREE_TRIES):
        throttle.failed("amal", "::1")
    clock.turn(15 * 60_000)
    throttle.failed("amal", "::1")
    assert throttle.wait_ms("amal", "::1") == 0
