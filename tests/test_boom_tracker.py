"""Where the boom is: every state by switches, by time, and by both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.boom_tracker import BoomTracker

RISE, CLOSE = 2.0, 8.0
LIMIT = 2 * RISE + 1


def walk(arm: BoomTracker, until: float, now: float = 0.0) -> list[tuple[float, str]]:
    """Let time pass; every new state with its moment."""
    seen: list[tuple[float, str]] = []
    while arm.due is not None and arm.due <= until:
        now = arm.due
        before = arm.state
        arm.tick(now)
        if arm.state != before:
            seen.append((now, arm.state))
    return seen


def states_at(arm: BoomTracker) -> tuple[str, float | None]:
    return arm.state, arm.due


def bare() -> BoomTracker:
    arm = BoomTracker(RISE, CLOSE, now=-100)
    walk(arm, 0)
    return arm


def test_without_switches_the_start_is_unknown_until_any_earlier_pulse_has_run_its_course() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0)
    assert arm.state == "unknown"
    assert walk(arm, 100) == [(RISE + CLOSE, "down")]


@pytest.mark.parametrize("up", [None, False])
@pytest.mark.parametrize("quiet_s", [0.0, 4.0, 9.9, 10.0, 10**9])
def test_where_it_is_known_for_how_long_there_was_no_pulse_the_start_is_unknown_for_the_rest(
    up: bool | None, quiet_s: float
) -> None:
    arm = BoomTracker(RISE, CLOSE, now=7, up=up, quiet_s=quiet_s)
    if quiet_s < RISE + CLOSE:
        assert states_at(arm) == ("unknown", 7 + RISE + CLOSE - quiet_s)
        walk(arm, 100)
    assert states_at(arm) == ("down", None)


def test_a_lower_switch_that_says_otherwise_is_believed_however_long_ago_the_last_pulse_was() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, down=False, quiet_s=10**9)
    assert walk(arm, 100) == [(LIMIT, "fault")]
    assert BoomTracker(RISE, CLOSE, now=0, up=True, down=False, quiet_s=10**9).state == "up"


def test_without_switches_a_pulse_is_followed_by_rise_and_close_times() -> None:
    arm = bare()
    arm.pulse(10)
    assert arm.state == "rising"
    assert walk(arm, 100) == [(10 + RISE, "up"), (10 + RISE + CLOSE, "down")]


def test_without_switches_a_second_pulse_while_up_starts_the_close_time_anew() -> None:
    arm = bare()
    arm.pulse(0)
    walk(arm, 5)
    arm.pulse(5)
    assert arm.state == "up"
    assert walk(arm, 100) == [(5 + CLOSE, "down")]


def test_a_car_under_the_boom_holds_an_arm_without_switches_up() -> None:
    arm = bare()
    arm.pulse(0)
    arm.boom_loop(1, covered=True)
    assert walk(arm, 50) == [(RISE, "up")]
    arm.boom_loop(50, covered=False)
    assert arm.state == "lowering"
    assert walk(arm, 100) == [(50 + RISE, "down")]


def test_a_car_that_clears_early_leaves_the_close_time_as_it_is() -> None:
    arm = bare()
    arm.pulse(0)
    walk(arm, RISE)
    arm.boom_loop(3, covered=True)
    arm.boom_loop(5, covered=False)
    assert arm.state == "up"
    assert walk(arm, 100) == [(RISE + CLOSE, "down")]


def test_a_second_car_sends_a_lowering_arm_up_again() -> None:
    arm = bare()
    arm.pulse(0)
    arm.boom_loop(1, covered=True)
    walk(arm, 20)
    arm.boom_loop(20, covered=False)
    arm.boom_loop(21, covered=True)
    assert arm.state == "up" and arm.due is None
    arm.boom_loop(30, covered=False)
    assert walk(arm, 100) == [(30 + RISE, "down")]


def test_a_car_under_a_lowered_boom_changes_nothing() -> None:
    arm = bare()
    arm.boom_loop(1, covered=True)
    arm.boom_loop(2, covered=False)
    assert (arm.state, arm.due) == ("down", None)


@pytest.mark.parametrize(
    ("up", "down", "state"),
    [(True, False, "up"), (False, True, "down"), (True, True, "fault"), (False, False, "unknown")],
)
def test_both_switches_say_where_the_arm_is_at_the_start(up: bool, down: bool, state: str) -> None:
    assert BoomTracker(RISE, CLOSE, now=0, up=up, down=down).state == state


def test_with_both_switches_a_raise_and_a_close_follow_the_switches_not_the_clock() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, up=False, down=True)
    states = []
    arm.pulse(1)
    states.append(arm.state)
    for at, up, down in ((2, False, False), (3, True, False), (501, False, False), (503, False, True)):
        arm.tick(at)
        arm.switches(at, up=up, down=down)
        states.append(arm.state)
    assert states == ["rising", "rising", "up", "lowering", "down"]
    assert arm.due is None


@pytest.mark.fault("arm-stuck")
@pytest.mark.parametrize("up", [False, None])
def test_an_arm_that_does_not_leave_down_after_a_pulse_is_a_fault_until_the_next_pulse(up: bool | None) -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, up=up, down=True)
    arm.pulse(10)
    assert walk(arm, 100) == [(10 + LIMIT, "fault")]
    arm.pulse(100)
    assert arm.state == "rising"


@pytest.mark.parametrize("down", [True, None])
def test_an_arm_that_does_not_reach_up_after_a_pulse_is_a_fault_until_it_does(down: bool | None) -> None:
    arm = BoomTracker(RISE, CLOSE, now=-100, up=False, down=down)
    walk(arm, 0)
    assert states_at(arm) == ("down", None)
    arm.pulse(10)
    if down:
        arm.switches(11, up=False, down=False)
    assert walk(arm, 100) == [(10 + LIMIT, "fault")]
    arm.switches(100, up=True, down=False)
    assert arm.state == "up"


def test_an_arm_that_stays_between_its_switches_while_lowering_is_a_fault() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, up=True, down=False)
    arm.switches(1, up=False, down=False)
    assert arm.state == "lowering"
    assert walk(arm, 100) == [(1 + LIMIT, "fault")]


@pytest.mark.fault("forced-open")
def test_an_arm_that_was_forced_open_is_up_without_a_pulse() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, up=False, down=True)
    arm.switches(5, up=False, down=False)
    assert states_at(arm) == ("rising", 5 + LIMIT)
    arm.switches(6, up=True, down=False)
    assert states_at(arm) == ("up", None)


def test_switches_that_contradict_each_other_are_a_fault_that_ends_with_the_contradiction() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, up=True, down=True)
    assert states_at(arm) == ("fault", None)
    arm.switches(1, up=False, down=False)
    assert states_at(arm) == ("unknown", 1 + LIMIT)
    arm.switches(2, up=False, down=True)
    assert states_at(arm) == ("down", None)


def test_with_the_upper_switch_alone_time_says_when_the_arm_is_down() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, up=True)
    arm.switches(5, up=False, down=False)
    assert arm.state == "lowering"
    assert walk(arm, 100) == [(5 + RISE, "down")]


def test_with_the_lower_switch_alone_time_says_when_the_arm_is_up() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, down=True)
    arm.pulse(1)
    arm.switches(1.5, up=False, down=False)
    assert walk(arm, 100) == [(1 + RISE, "up")]
    arm.switches(100, up=False, down=True)
    assert arm.state == "down"


def test_with_the_lower_switch_alone_an_arm_that_is_late_to_leave_is_not_up_before_it_left() -> None:
    arm = BoomTracker(RISE, CLOSE, now=0, down=True)
    arm.pulse(0)
    assert walk(arm, 4) == []
    arm.switches(4, up=False, down=False)
    assert walk(arm, 100, 4) == [(4, "up")]


levels = st.tuples(st.booleans(), st.booleans())
steps = st.lists(
    st.tuples(
        st.floats(0, 20),
        st.one_of(
            st.just(("pulse",)), st.tuples(st.just("switches"), levels), st.tuples(st.just("boom"), st.booleans())
        ),
    ),
    max_size=30,
)


@given(has_up=st.booleans(), has_down=st.booleans(), start=levels, steps=steps)
def test_whatever_happens_the_switches_are_believed_and_time_alone_ends_every_movement(
    has_up: bool, has_down: bool, start: tuple[bool, bool], steps: list[tuple[float, tuple[object, ...]]]
) -> None:
    up, down = start[0] and has_up, start[1] and has_down
    arm = BoomTracker(RISE, CLOSE, now=0, up=up if has_up else None, down=down if has_down else None)
    now, covered = 0.0, False
    for wait, step in steps:
        walk(arm, now + wait, now)
        now += wait
        match step:
            case ("pulse",):
                arm.pulse(now)
            case ("switches", (bool() as u, bool() as d)):
                up, down = u and has_up, d and has_down
                arm.switches(now, up=up, down=down)
            case ("boom", bool() as c):
                covered = c
                arm.boom_loop(now, covered=c)
        if up and down:
            assert arm.state in ("fault", "rising")
        elif up:
            assert arm.state == "up"
        elif down:
            assert arm.state in ("down", "rising", "fault")
    walk(arm, now + 1000, now)
    assert arm.state not in ("rising", "lowering", "unknown")
    if not has_up and not has_down and not covered:
        assert arm.state == "down"
