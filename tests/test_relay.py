"""The relay: exactly the pulses that were asked for, and never an active level otherwise."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.relay import GAP_S, RelayBarrier, RelayClosed
from drivers.simulated import RelayPin, SimulatedArm, SimulatedLoops, SimulatedRelay
from tests.models.timers import ManualTimers

RAISE, UP, DOWN = 17, 27, 22


class Bench:
    """A barrier with its limit switches on a simulated arm; each pulse lasts no time at all, and is noted."""

    def __init__(self, *, switches: bool = True) -> None:
        self.pins = MockFactory()
        self.timers = ManualTimers()
        self.held: list[float] = []
        self.relay = SimulatedRelay(self.pins, RAISE)
        self.loops = SimulatedLoops(self.pins, 5, 6)
        wiring = {"up_pin": UP, "down_pin": DOWN} if switches else {}
        self.arm = SimulatedArm(
            self.pins, self.relay, **wiring, loops=self.loops, rise_s=1, close_s=1, timers=self.timers
        )
        self.barrier = RelayBarrier(
            RAISE, pin_factory=self.pins, **wiring, rise_s=1, close_s=5, timers=self.timers, hold=self._hold
        )
        self.states: list[str] = []
        self.barrier.on_change(lambda: self.states.append(self.barrier.state))

    def _hold(self, closing: threading.Event, seconds: float) -> bool:
        self.held.append(seconds)
        return False

    @property
    def levels(self) -> list[bool]:
        return [state.state for state in self.relay.pin.states]

    async def pass_time(self, seconds: float) -> None:
        """In small steps, so that pin edges that time brings about are handed over in between."""
        for _ in range(round(seconds / 0.01)):
            await asyncio.sleep(0)
            self.timers.advance(0.01)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    async with bench.barrier:
        yield bench


async def test_one_call_is_one_pulse_of_the_length_asked_for(bench: Bench) -> None:
    await bench.barrier.pulse()
    assert bench.levels == [False, True, False]
    assert bench.held == [0.5]


@pytest.mark.fault("relay-quiet")
async def test_start_and_exit_show_no_active_level() -> None:
    bench = Bench()
    async with bench.barrier:
        assert bench.levels == [False]
    bench.barrier.close()
    bench.pins.close()
    assert bench.levels == [False]


async def test_pulses_that_overlap_come_one_after_the_other_with_a_gap(bench: Bench) -> None:
    await asyncio.gather(*(bench.barrier.pulse() for _ in range(5)))
    assert bench.levels == [False] + [True, False] * 5
    assert bench.held == [0.5] + [GAP_S, 0.5] * 4


async def test_pulses_from_many_threads_are_as_many_as_were_asked_for() -> None:
    bench = Bench()
    async with bench.barrier:
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, bench.barrier.pulse()) for _ in range(8)))
        assert bench.levels == [False] + [True, False] * 8


class Holding:
    """A hold that lasts until the test lets go, or the relay is closed."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, closing: threading.Event, seconds: float) -> bool:
        self.begun.set()
        while not self.let_go.wait(0.001):
            if closing.is_set():
                return True
        return closing.is_set()


@pytest.mark.fault("relay-quiet")
async def test_close_ends_a_running_pulse_with_the_relay_off() -> None:
    pins, hold = MockFactory(), Holding()
    pin: RelayPin = pins.pin(RAISE, pin_class=RelayPin)
    async with RelayBarrier(RAISE, pin_factory=pins, hold=hold) as barrier:
        pulse, waiting = asyncio.create_task(barrier.pulse()), asyncio.create_task(barrier.pulse())
        await asyncio.to_thread(hold.begun.wait)
        assert pin.state
    await pulse
    with pytest.raises(RelayClosed):
        await waiting
    assert [s.state for s in pin.states] == [False, True, False]
    with pytest.raises(RelayClosed):
        await barrier.pulse()
    assert [s.state for s in pin.states] == [False, True, False]


async def test_a_pulse_whose_caller_is_cancelled_still_ends_and_one_that_waits_is_never_given() -> None:
    pins, hold = MockFactory(), Holding()
    pin: RelayPin = pins.pin(RAISE, pin_class=RelayPin)
    async with RelayBarrier(RAISE, pin_factory=pins, hold=hold) as barrier:
        running = asyncio.create_task(barrier.pulse())
        await asyncio.to_thread(hold.begun.wait)
        waiting = asyncio.create_task(barrier.pulse())
        await asyncio.sleep(0)
        for task in (running, waiting):
            task.cancel()
        ends = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
        assert pin.state
        hold.let_go.set()
    assert [s.state for s in pin.states] == [False, True, False]


async def test_an_event_loop_that_is_stuck_does_not_stretch_the_pulse() -> None:
    pins = MockFactory()
    pin: RelayPin = pins.pin(RAISE, pin_class=RelayPin)
    opened = threading.Event()
    pin.watchers.append(lambda on: None if on else opened.set())
    async with RelayBarrier(RAISE, pin_factory=pins, pulse_s=0.01) as barrier:
        pulse = asyncio.create_task(barrier.pulse())
        await asyncio.sleep(0)
        assert opened.wait(5), "the relay opened only once the loop ran again"
        await pulse


async def test_a_relay_that_is_not_open_refuses() -> None:
    with pytest.raises(RelayClosed):
        await RelayBarrier(RAISE, pin_factory=MockFactory()).pulse()


@pytest.mark.fault("relay-quiet")
async def test_a_failing_pin_is_the_callers_to_know_and_the_relay_is_off() -> None:
    pins = MockFactory()
    pin: RelayPin = pins.pin(RAISE, pin_class=RelayPin)

    def fail(on: bool) -> None:
        if on:
            raise OSError("the chip is gone")

    pin.watchers.append(fail)
    async with RelayBarrier(RAISE, pin_factory=pins, pulse_s=0) as barrier:
        with pytest.raises(OSError, match="the chip is gone"):
            await barrier.pulse()
        assert not pin.state


@pytest.mark.fault("relay-quiet")
@pytest.mark.parametrize("end", ["", "raise SystemExit(1)", "raise RuntimeError", "await asyncio.sleep(60)"])
def test_a_process_that_ends_in_mid_pulse_leaves_the_relay_off(end: str) -> None:
    program = textwrap.dedent(f"""
        import asyncio, sys, threading, os, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background leaves it ignored
        from gpiozero.pins.mock import MockFactory
        from drivers.relay import RelayBarrier
        from drivers.simulated import RelayPin
        pins = MockFactory()
        pin = pins.pin({RAISE}, pin_class=RelayPin)
        pin.watchers.append(lambda on: print(int(on), flush=True))
        if "sleep" in {end!r}:
            pin.watchers.append(lambda on: os.kill(os.getpid(), signal.SIGINT) if on else None)
        async def main():
            async with RelayBarrier({RAISE}, pin_factory=pins, pulse_s=30) as barrier:
                begun = asyncio.Event()
                barrier.on_change(begun.set)
                task = asyncio.create_task(barrier.pulse())
                await begun.wait()
                {end or "pass"}
        asyncio.run(main())
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25)
    assert done.stdout.split() == ["1", "0"]


# Where the arm is


async def test_with_switches_a_visit_shows_every_state_in_its_order(bench: Bench) -> None:
    assert bench.barrier.state == "down"
    await bench.barrier.pulse()
    await bench.pass_time(2)
    bench.loops.under_boom(True)
    await bench.pass_time(3)
    bench.loops.under_boom(False)
    await bench.pass_time(3)
    assert bench.states == ["rising", "up", "lowering", "down"]


@pytest.mark.fault("arm-stuck")
async def test_a_stuck_arm_is_a_fault_and_the_next_pulse_may_succeed(bench: Bench) -> None:
    bench.arm.stuck = True
    await bench.barrier.pulse()
    await bench.pass_time(4)
    assert bench.states == ["rising", "fault"]
    bench.arm.stuck = False
    await bench.barrier.pulse()
    await bench.pass_time(2)
    assert bench.states == ["rising", "fault", "rising", "up"]


@pytest.mark.fault("forced-open")
async def test_an_arm_that_is_forced_open_is_up_without_a_pulse(bench: Bench) -> None:
    bench.arm.force_open()
    await bench.pass_time(100)
    assert bench.states == ["rising", "up"] and bench.levels == [False]


async def test_without_switches_the_arm_follows_its_times_and_a_car_holds_it_up() -> None:
    bench = Bench(switches=False)
    async with bench.barrier as barrier:
        assert barrier.state == "unknown"
        await bench.pass_time(6.1)
        await barrier.pulse()
        await bench.pass_time(1.1)
        barrier.under_boom(True)
        await bench.pass_time(20)
        assert bench.states == ["down", "rising", "up"]
        barrier.under_boom(False)
        await bench.pass_time(1.1)
        assert bench.states == ["down", "rising", "up", "lowering", "down"]


async def test_an_arm_that_stands_up_at_the_start_is_up() -> None:
    bench = Bench()
    bench.arm.force_open()
    await bench.pass_time(1.1)
    async with bench.barrier as barrier:
        assert barrier.state == "up" and bench.states == []


async def test_real_time_moves_it_too() -> None:
    pins = MockFactory()
    async with RelayBarrier(RAISE, pin_factory=pins, pulse_s=0.001, rise_s=0.01, close_s=0.01) as barrier:
        seen: list[str] = []
        down = asyncio.Event()

        def changed() -> None:
            seen.append(barrier.state)
            if seen[-2:] == ["up", "down"]:
                down.set()

        barrier.on_change(changed)
        await barrier.pulse()
        await asyncio.wait_for(down.wait(), 5)
        assert seen[-3:] == ["rising", "up", "down"]


async def test_the_raise_relay_is_the_only_output_there_is(bench: Bench) -> None:
    outputs = [info.name for info, pin in bench.pins.pins.items() if pin.function == "output"]
    assert outputs == [f"GPIO{RAISE}"]
