"""The induction loops: what the pins say, once they have settled."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.loops import SETTLE_S, InductionLoops
from drivers.settled_input import BOUNCING_S, POLL_S, SettledInput
from drivers.simulated import SimulatedLoops, WiredPin
from drivers.timing import Handover
from tests.models.timers import ManualTimers

WAITING, BOOM = 5, 6


class Bench:
    """Both loops on mock pins, with a clock to turn and a note of every callback."""

    def __init__(self) -> None:
        self.pins = MockFactory()
        self.metal = SimulatedLoops(self.pins, WAITING, BOOM)
        self.timers = ManualTimers()
        self.loops = InductionLoops(WAITING, BOOM, pin_factory=self.pins, timers=self.timers)
        self.told: list[tuple[bool, bool, str | None]] = []
        self.loops.on_change(lambda: self.told.append((self.loops.waiting, self.loops.under_boom, self.loops.trouble)))

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(0)  # lets an edge's hand-over to the loop run
        self.timers.advance(seconds)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    async with bench.loops:
        yield bench
    bench.pins.close()


async def test_a_car_on_each_loop_is_told_once_it_has_settled(bench: Bench) -> None:
    bench.metal.waiting(True)
    await bench.pass_time(SETTLE_S / 2)
    assert bench.told == []
    await bench.pass_time(SETTLE_S)
    bench.metal.under_boom(True)
    await bench.pass_time(SETTLE_S)
    bench.metal.waiting(False)
    await bench.pass_time(SETTLE_S)
    assert bench.told == [(True, False, None), (True, True, None), (False, True, None)]


async def test_a_loop_that_is_covered_at_the_start_shows_and_calls_nobody() -> None:
    bench = Bench()
    bench.metal.waiting(True)
    async with bench.loops as loops:
        assert (loops.waiting, loops.under_boom) == (True, False)
        await bench.pass_time(1)
        assert bench.told == []
        bench.metal.waiting(False)
        await bench.pass_time(SETTLE_S)
        assert bench.told == [(False, False, None)]


async def test_a_spike_shorter_than_the_settling_time_changes_nothing(bench: Bench) -> None:
    bench.metal.waiting(True)
    await bench.pass_time(SETTLE_S / 2)
    bench.metal.waiting(False)
    await bench.pass_time(SETTLE_S * 3)
    assert bench.told == []


async def test_bounces_at_an_edge_give_one_change(bench: Bench) -> None:
    for level in (True, False, True, False, True):
        bench.metal.waiting(level)
        await bench.pass_time(SETTLE_S / 5)
    await bench.pass_time(SETTLE_S)
    assert bench.told == [(True, False, None)]


@pytest.mark.fault("loop-faulty")
async def test_a_loop_that_never_settles_is_reported_and_the_report_ends_when_it_does(bench: Bench) -> None:
    level = False
    for _ in range(round(BOUNCING_S / (SETTLE_S / 2)) + 4):
        level = not level
        bench.metal.waiting(level)
        await bench.pass_time(SETTLE_S / 2)
    assert bench.told == [(False, False, "the waiting loop bounces")]
    bench.metal.waiting(False)
    await bench.pass_time(SETTLE_S * 3)
    assert bench.told[1:] == [(False, False, None)]


async def test_an_edge_that_got_lost_is_found_by_reading_the_pin(bench: Bench) -> None:
    pin: WiredPin = bench.pins.pin(WAITING)
    pin.edges = "none"
    bench.metal.waiting(True)
    await bench.pass_time(POLL_S)
    await bench.pass_time(SETTLE_S)
    assert bench.told == [(True, False, None)]


async def test_edges_may_come_from_another_thread(bench: Bench) -> None:
    thread = threading.Thread(target=bench.metal.waiting, args=(True,))
    thread.start()
    await asyncio.to_thread(thread.join)
    await bench.pass_time(SETTLE_S)
    assert bench.told == [(True, False, None)]


async def test_chatter_costs_the_event_loop_one_call_not_one_for_each_edge() -> None:
    handed = []

    class Counted(Handover):
        def call(self, callback: Callable[[], None]) -> None:
            handed.append(callback)

    bench = Bench()
    made = SettledInput(
        WAITING,
        pin_factory=bench.pins,
        timers=bench.timers,
        handover=Counted(asyncio.get_running_loop()),
        settle_s=SETTLE_S,
        changed=lambda: None,
    )
    for _ in range(500):
        bench.metal.waiting(True)
        bench.metal.waiting(False)
    made.close()
    assert len(handed) == 1


async def test_real_time_settles_it_too() -> None:
    pins = MockFactory()
    metal = SimulatedLoops(pins, WAITING, BOOM)
    changed = asyncio.Event()
    async with InductionLoops(WAITING, BOOM, pin_factory=pins, settle_s=0.001) as loops:
        loops.on_change(changed.set)
        metal.under_boom(True)
        await asyncio.wait_for(changed.wait(), 5)
        assert loops.under_boom


async def test_closing_gives_the_pins_back_and_twice_is_harmless() -> None:
    bench = Bench()
    async with bench.loops as loops:
        loops.close()
    async with InductionLoops(WAITING, BOOM, pin_factory=bench.pins, timers=bench.timers):
        pass
    bench.metal.waiting(True)
    await bench.pass_time(POLL_S * 2)
    assert bench.told == []


async def test_a_pin_that_is_taken_leaves_no_other_pin_taken() -> None:
    pins = MockFactory()
    async with InductionLoops(BOOM, 7, pin_factory=pins):
        with pytest.raises(Exception, match="already in use"):
            async with InductionLoops(WAITING, BOOM, pin_factory=pins):
                pass
        async with InductionLoops(WAITING, 8, pin_factory=pins):
            pass
