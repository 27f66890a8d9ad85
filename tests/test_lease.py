"""Who may write, by steady clocks alone: the holder stops before anybody may begin, whatever a clock does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.journal.postgres.lease import LEASE_S, MARGIN_S, RENEW_S, Lease, LeaseState, LeaseWatch


class Steady:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def state(renewed: int, holder: str = "other", epoch: int = 1) -> LeaseState:
    return LeaseState(epoch, holder, renewed, "", 0, b"")


def test_a_lease_holds_from_when_its_renewal_was_sent_and_not_from_when_it_was_answered() -> None:
    clock = Steady()
    lease = Lease("me", clock)
    assert not lease.is_valid
    lease.taken(1, clock.now)
    clock.now += 2.0
    lease.renewed(1_000.5)
    clock.now = 1_000.5 + LEASE_S - MARGIN_S - 0.01
    assert lease.is_valid
    clock.now += 0.02
    assert not lease.is_valid
    assert lease.why_lost == "it was not renewed in time"


def test_what_was_lost_stays_lost() -> None:
    clock = Steady()
    lease = Lease("me", clock)
    lease.taken(1, clock.now)
    clock.now += 60
    assert not lease.is_valid
    lease.renewed(clock.now)  # an answer that came late
    assert not lease.is_valid
    lease = Lease("me", clock)
    lease.taken(2, clock.now)
    lease.lose("another has it")
    lease.lose("later")
    assert (lease.left_s(), lease.why_lost) == (0.0, "another has it")


def test_an_older_renewal_that_is_answered_later_shortens_nothing() -> None:
    clock = Steady()
    lease = Lease("me", clock)
    lease.taken(1, clock.now)
    lease.renewed(1_001.0)
    lease.renewed(1_000.5)
    assert lease.left_s() == pytest.approx(1.0 + LEASE_S - MARGIN_S)


def test_a_lease_may_be_taken_once_the_same_renewal_stood_for_three_seconds() -> None:
    clock = Steady()
    watch = LeaseWatch("me", clock)
    assert not watch.may_take(state(7), clock.now)
    clock.now += LEASE_S - 0.1
    assert not watch.may_take(state(7), clock.now)
    assert not watch.may_take(state(8), clock.now), "it was renewed meanwhile"
    clock.now += LEASE_S - 0.1
    assert not watch.may_take(state(8), clock.now)
    clock.now += 0.2
    assert watch.may_take(state(8), clock.now)


def test_a_free_lease_and_ones_own_are_taken_at_once() -> None:
    watch = LeaseWatch("me", Steady())
    assert watch.may_take(state(7, holder=""), 0.0)
    assert watch.may_take(state(7, holder="me"), 0.0)


def test_one_who_slept_and_wakes_counts_only_from_what_it_sees_now() -> None:
    clock = Steady()
    watch = LeaseWatch("me", clock)
    assert not watch.may_take(state(7), clock.now)
    clock.now += 3_600
    assert not watch.may_take(state(9), clock.now)


@given(
    st.lists(st.tuples(st.floats(0.0, 4.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=30),
    st.floats(0.01, 0.5),
)
def test_the_holder_never_believes_in_a_lease_that_another_may_take(
    renewals: list[tuple[float, float, float]], look_s: float
) -> None:
    """Renewals that are sent at any pace, committed and answered after any delay, against one who keeps looking."""
    clock = Steady()
    lease, watch = Lease("holder", clock), LeaseWatch("me", clock)
    lease.taken(1, clock.now)
    events: list[tuple[float, int, float]] = []
    at = clock.now
    for number, (pause, commit, answer) in enumerate(renewals, 1):
        at += pause + RENEW_S / 10
        events += [(at + commit, number, -1.0), (at + commit + answer, number, at)]
        at += commit + answer
    renewed, ends = 0, at + 10
    events.sort()
    while clock.now < ends:
        clock.now += look_s
        while events and events[0][0] <= clock.now:
            _, number, sent = events.pop(0)
            if sent < 0:
                renewed = number
            else:
                lease.renewed(sent)
        if watch.may_take(state(renewed), clock.now):
            assert not lease.is_valid
            return
    raise AssertionError("a lease that nobody renews is free in the end")
