"""terminal/clock.py: is this machine's clock kept, by the kernel's word?"""

from collections.abc import Callable

import pytest

from terminal.clock import STA_UNSYNC, TIME_ERROR, SystemClock, Timex, kernel_keeps

NOW = 1_790_000_000_500


def kernel(state: int = 0, status: int = 0x2001, seconds: int = NOW // 1000) -> Callable[[Timex], int]:
    def adjtimex(timex: Timex) -> int:
        assert timex.modes == 0, "it asks, and sets nothing"
        timex.status, timex.seconds = status, seconds
        return state

    return adjtimex


def test_a_synchronised_kernel_keeps_the_clock_that_it_shows() -> None:
    assert kernel_keeps(NOW, kernel())
    assert kernel_keeps(NOW + 1000, kernel()), "a second may pass between two readings"


@pytest.mark.parametrize(
    "kernel_says",
    [kernel(TIME_ERROR), kernel(status=0x2001 | STA_UNSYNC), kernel(-1)],
    ids=["an error", "not synchronised", "no answer"],
)
def test_a_kernel_that_does_not_say_so_keeps_none(kernel_says: Callable[[Timex], int]) -> None:
    assert not kernel_keeps(NOW, kernel_says)


@pytest.mark.parametrize("apart_ms", [-3_600_000, -4_000, 4_000, 3_600_000])
def test_the_kernel_speaks_for_no_other_clock_than_its_own(apart_ms: int) -> None:
    assert not kernel_keeps(NOW + apart_ms, kernel())


def test_this_machine_s_kernel_shows_the_time_that_the_system_clock_does() -> None:
    def synchronised(timex: Timex) -> int:
        from terminal.clock import _adjtimex

        assert _adjtimex(timex) >= 0
        timex.status = 0
        return 0

    assert kernel_keeps(SystemClock().wall_ms(), synchronised)
