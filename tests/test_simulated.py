"""The simulated hardware: it does what the real one does, which is what makes a demo or a test worth anything."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from drivers.pins import MockPins
from drivers.simulated import SimulatedArm, SimulatedLoops, SimulatedRelay
from tests.models.timers import ManualTimers

RAISE, UP, DOWN, WAITING, BOOM = 17, 27, 22, 5, 6
RISE, CLOSE, HOLD = 2.0, 3.0, 30.0


class Bench:
    """An arm with its relay, loops and switches, and a clock to turn."""

    def __init__(self) -> None:
        self.pins, self.timers = MockPins(), ManualTimers()
        self.relay = SimulatedRelay(self.pins, RAISE)
        self.loops = SimulatedLoops(self.pins, WAITING, BOOM)
        self.arm = SimulatedArm(
            self.pins,
            self.relay,
            up_pin=UP,
            down_pin=DOWN,
            loops=self.loops,
            rise_s=RISE,
            close_s=CLOSE,
            hold_s=HOLD,
            timers=self.timers,
        )
        self.states: list[str] = []
        self.arm.watch(self.states.append)
        self.relay.pin.function = "output"

    async def pulse(self) -> None:
        self.relay.pin.state = True
        self.relay.pin.state = False
        await asyncio.sleep(0)

    async def car(self, under_boom: bool) -> None:
        self.loops.under_boom(under_boom)
        await asyncio.sleep(0)

    @property
    def switches(self) -> tuple[bool, bool]:
        return self.pins.pin(UP).state, self.pins.pin(DOWN).state


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.arm.close()


async def test_a_pulse_raises_the_arm_and_its_switches_follow(bench: Bench) -> None:
    seen = [bench.switches]
    await bench.pulse()
    seen.append(bench.switches)
    bench.timers.advance(RISE)
    seen.append(bench.switches)
    assert bench.states == ["rising", "up"]
    assert seen == [(False, True), (False, False), (True, False)]


async def test_the_arm_lowers_once_its_car_has_gone_over_the_loop(bench: Bench) -> None:
    await bench.pulse()
    bench.timers.advance(RISE)
    await bench.car(True)
    bench.timers.advance(10 * HOLD)
    assert bench.arm.state == "up"
    await bench.car(False)
    bench.timers.advance(CLOSE)
    assert bench.states == ["rising", "up", "lowering", "down"]


async def test_an_arm_that_nobody_passes_lowers_by_itself(bench: Bench) -> None:
    await bench.pulse()
    bench.timers.advance(RISE + HOLD)
    assert bench.states == ["rising", "up", "lowering"]


async def test_a_car_under_a_lowering_arm_sends_it_up_again(bench: Bench) -> None:
    await bench.pulse()
    bench.timers.advance(RISE + HOLD + CLOSE / 2)
    await bench.car(True)
    bench.timers.advance(RISE)
    assert bench.states == ["rising", "up", "lowering", "rising", "up"]


async def test_a_stuck_arm_ignores_pulses_and_a_forced_one_needs_none(bench: Bench) -> None:
    bench.arm.stuck = True
    await bench.pulse()
    bench.timers.advance(100)
    assert bench.states == []
    bench.arm.force_open()
    bench.timers.advance(100)
    assert bench.states == ["rising", "up"]


async def test_a_second_pulse_while_up_holds_the_arm_longer(bench: Bench) -> None:
    await bench.pulse()
    bench.timers.advance(RISE + HOLD - 1)
    await bench.pulse()
    bench.timers.advance(HOLD - 1)
    assert bench.arm.state == "up"
