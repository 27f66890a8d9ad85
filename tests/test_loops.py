import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from terminal.clock import SystemClock
from terminal.contract.messages import Alert, Health, Vehicle, decode, encode, stamp
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.loops import RECALL_AGE_MS, STUCK_MS, LoopsRole
from tests.conftest import NewBus
from tests.sim.loop import VirtualLoop
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

NOW = 1_795_000_000_000
TOPIC = "parking/marina/exit-1/vehicle"
CAR = "01a1ec96-3c00-7000-8000-000000000001"


class Detectors:
    """Two loops whose state a test sets; like drivers/loops.py it tells after each change.
    Not those on simulated pins, which debounce in real time: test_loops_driver.py has these."""

    def __init__(self, waiting: bool = False, under_boom: bool = False) -> None:
        self.waiting, self.under_boom = waiting, under_boom
        self.trouble: str | None = None
        self._callback: Callable[[], None] = lambda: None

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def show(self, *, waiting: bool = False, under_boom: bool = False, trouble: str | None = None) -> None:
        self.waiting, self.under_boom, self.trouble = waiting, under_boom, trouble
        self._callback()


@asynccontextmanager
async def role(
    detectors: Detectors, bus: MemoryBus, clock: TurnedClock | None = None, every_s: float = 60, recall_s: float = 0.001
) -> AsyncIterator[None]:
    endpoint = Endpoint(
        bus.as_bus(), garage="marina", lane="exit-1", role="loops", version="1", clock=clock or TurnedClock(NOW)
    )
    task = asyncio.create_task(LoopsRole(endpoint, detectors, every_s=every_s, recall_s=recall_s).run())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert bus.unacknowledged == 0


async def retained(bus: MemoryBus, *, waiting: bool = True, age_ms: int = 0, car: str | None = CAR) -> None:
    old = Vehicle(id=CAR, at=stamp(NOW - age_ms), waiting=waiting, under_boom=False, car=car)
    await bus.publish(TOPIC, encode(old), retain=True)
    bus.said.clear()


async def test_every_change_is_said_retained_and_each_waiting_car_has_an_id_of_its_own() -> None:
    loops, bus = Detectors(), MemoryBus()
    async with role(loops, bus):
        await bus.until(Vehicle, 1)
        loops.show(waiting=True)
        loops.show(waiting=True, under_boom=True)
        loops.show(under_boom=True)
        loops.show(waiting=True)
        said = await bus.until(Vehicle, 5)
    assert [(v.waiting, v.under_boom) for v in said] == [
        (False, False),
        (True, False),
        (True, True),
        (False, True),
        (True, False),
    ]
    assert [v.car is not None for v in said] == [False, True, True, False, True]
    assert said[1].car == said[2].car != said[4].car
    assert [(topic, retain) for topic, _, retain in bus.said if topic == TOPIC] == [(TOPIC, True)] * 5


async def test_without_a_change_the_state_is_said_again_with_the_same_car() -> None:
    loops, bus = Detectors(), MemoryBus()
    async with role(loops, bus, every_s=0.001):
        await bus.until(Vehicle, 1)
        loops.show(waiting=True)
        await bus.until(Vehicle, 6)
    cars = [v.car for v in bus.of(Vehicle) if v.waiting]
    assert len(cars) >= 4
    assert len(set(cars)) == 1
    assert len({v.id for v in bus.of(Vehicle)}) == len(bus.of(Vehicle))


async def test_a_car_that_waits_at_the_start_is_seen_though_no_edge_came() -> None:
    bus = MemoryBus()
    async with role(Detectors(waiting=True), bus):
        (seen,) = await bus.until(Vehicle, 1)
    assert seen.waiting
    assert seen.car is not None


@pytest.mark.parametrize("age_ms", [0, RECALL_AGE_MS, -1000])
async def test_a_car_that_still_waits_after_a_restart_keeps_its_id(age_ms: int) -> None:
    bus = MemoryBus()
    await retained(bus, age_ms=age_ms)
    loops = Detectors(waiting=True)
    async with role(loops, bus):
        await bus.until(Vehicle, 1)
        loops.show(waiting=True, under_boom=True)
        said = await bus.until(Vehicle, 2)
    assert [v.car for v in said] == [CAR, CAR]


async def test_after_a_restart_the_next_car_is_another_one() -> None:
    bus = MemoryBus()
    await retained(bus)
    loops = Detectors(waiting=True)
    async with role(loops, bus):
        await bus.until(Vehicle, 1)
        loops.show()
        loops.show(waiting=True)
        *_, last = await bus.until(Vehicle, 3)
    assert last.car not in (None, CAR)


@pytest.mark.parametrize(
    ("waiting", "age_ms", "car"),
    [(True, RECALL_AGE_MS + 1, CAR), (True, -RECALL_AGE_MS - 1, CAR), (False, 0, None), (True, 0, None)],
    ids=["too old", "from the future", "nothing waited", "no id"],
)
async def test_an_old_or_empty_memory_gives_a_new_id(waiting: bool, age_ms: int, car: str | None) -> None:
    bus = MemoryBus()
    await retained(bus, waiting=waiting, age_ms=age_ms, car=car)
    async with role(Detectors(waiting=True), bus):
        (seen,) = await bus.until(Vehicle, 1)
    assert seen.car not in (None, CAR)


async def test_a_free_loop_at_the_start_does_not_take_up_the_car_of_before() -> None:
    bus = MemoryBus()
    await retained(bus)
    loops = Detectors()
    async with role(loops, bus):
        await bus.until(Vehicle, 1)
        loops.show(waiting=True)
        first, second = await bus.until(Vehicle, 2)
    assert first.car is None
    assert second.car not in (None, CAR)


async def test_started_without_a_broker_the_car_keeps_its_id_once_there_is_one() -> None:
    bus = MemoryBus()
    await retained(bus)
    bus.connect(False)
    loops, clock = Detectors(waiting=True), TurnedClock(NOW)
    async with role(loops, bus, clock):
        for _ in range(20):
            await asyncio.sleep(0)
        assert bus.of(Vehicle) == []
        clock.turn(2 * RECALL_AGE_MS)  # watched all the while, so it is still that car
        bus.connect(True)
        (seen,) = await bus.until(Vehicle, 1)
    assert seen.car == CAR


@pytest.mark.fault("broker-restarts")
def test_back_at_the_broker_it_speaks_at_once_and_again_for_who_is_back_later() -> None:
    """A lift for a car waited 5 s for the loops' next word, as the barrier had connected a moment after them."""
    with VirtualLoop() as loop:
        bus, heard = MemoryBus(), list[tuple[float, str]]()

        async def story() -> None:
            async with role(Detectors(waiting=True), bus, every_s=5):
                await asyncio.sleep(1)  # virtual time
                bus.connect(False)
                await asyncio.sleep(0.5)  # virtual time
                said = len(bus.said)
                bus.connect(True)
                for _ in range(3):
                    await asyncio.sleep(1)  # virtual time
                    heard.extend((round(loop.now, 1), topic) for topic, _, _ in bus.said[said:])
                    said = len(bus.said)

        loop.run(story())
    health = TOPIC.replace("vehicle", "health/loops")
    assert sorted(heard[:2]) == [(2.5, health), (2.5, TOPIC)]
    assert heard[2:] == [(4.5, health), (4.5, TOPIC)]


@pytest.mark.fault("loop-faulty")
async def test_a_bouncing_loop_degrades_the_role_and_goes_on_being_reported() -> None:
    loops, bus = Detectors(), MemoryBus()
    async with role(loops, bus):
        await bus.until(Vehicle, 1)
        loops.show(trouble="the waiting loop bounces")
        await bus.until(Health, 2)
        assert health(bus) == ("degraded", "the waiting loop bounces")
        loops.show(waiting=True)
        await bus.until(Alert, 2)
        await bus.until(Health, 3)
        assert health(bus) == ("online", None)
    assert [(a.code, a.state) for a in bus.of(Alert)] == [("loop-bouncing", "raised"), ("loop-bouncing", "cleared")]
    assert len(bus.of(Vehicle)) == 3


@pytest.mark.fault("loop-faulty")
async def test_a_loop_that_is_covered_for_half_an_hour_is_alerted() -> None:
    loops, bus, clock = Detectors(), MemoryBus(), TurnedClock(NOW)
    async with role(loops, bus, clock):
        await bus.until(Vehicle, 1)
        loops.show(waiting=True)
        await bus.until(Vehicle, 2)
        clock.turn(STUCK_MS)
        loops.show(waiting=True)
        await bus.until(Vehicle, 3)
        assert bus.of(Alert) == []
        clock.turn(1)
        loops.show(waiting=True)
        (alert,) = await bus.until(Alert, 1)
        assert (alert.code, "waiting loop" in alert.text) == ("loop-stuck", True)
        loops.show()
        await bus.until(Alert, 2)
        assert [v.waiting for v in bus.of(Vehicle)][-2:] == [True, False]


async def test_a_broker_that_refuses_our_own_words_costs_the_car_its_id_and_nothing_else() -> None:
    bus = MemoryBus()
    await retained(bus)
    bus.refused = {TOPIC}
    async with role(Detectors(waiting=True), bus):
        (seen,) = await bus.until(Vehicle, 1)
    assert seen.car not in (None, CAR)


async def test_over_a_real_broker_a_waiting_car_keeps_its_id_across_a_restart(new_bus: NewBus) -> None:
    async with new_bus("worker") as worker:
        subscription = worker.subscribe(TOPIC)
        await subscription.granted()
        cars = []
        for _ in range(2):
            async with new_bus("lane") as bus:
                endpoint = Endpoint(bus, garage="marina", lane="exit-1", role="loops", version="1", clock=SystemClock())
                task = asyncio.create_task(LoopsRole(endpoint, Detectors(waiting=True)).run())
                delivery = await anext(subscription)
                delivery.ack()
                cars.append(decode(Vehicle, delivery.payload).car)
                task.cancel()
                await asyncio.wait([task])
    assert cars[0] is not None
    assert cars == [cars[0]] * 2


def health(bus: MemoryBus) -> tuple[str, str | None]:
    said = decode(Health, bus.retained["parking/marina/exit-1/health/loops"])
    return said.state, said.reason
