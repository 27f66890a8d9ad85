"""What the simulation found in roles: what comes late says what was, and what was meant is not yet done."""

from typing import Any, cast

import pytest

from terminal.clock import SystemClock
from terminal.contract.messages import Answer, Barrier, Vehicle, stamp
from terminal.core.model import Lane
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.barrier.controller import BarrierController, PublishBarrier, RaiseBoom
from terminal.roles.barrier.spent_lifts import SpentLifts
from tests.sim.loop import VirtualLoop
from tests.sim.net import SimBus
from tests.sim.report import Options
from tests.sim.world import World
from tests.support.lifts import CAR, NOW, lift, trust
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock


@pytest.mark.fault("worker-away")
def test_a_broker_keeps_no_vehicle_for_who_is_away() -> None:
    """A barrier that came back read what it had missed: a lift, then that its car waits, though another stood there."""
    bus = MemoryBus()
    endpoint = Endpoint(bus.as_bus(), garage="marina", lane="exit-1", role="barrier", version="1", clock=SystemClock())
    with endpoint.subscribe("lift", "vehicle"):
        (subscription,) = bus.subscriptions
        assert subscription.filters == {"parking/marina/exit-1/lift": 1, "parking/marina/exit-1/vehicle": 0}


def hears(*late_s: float, state: str = "down", **more: Any) -> Lane:
    """What a worker makes of barrier messages that are so late."""
    with VirtualLoop() as loop:
        world = World("late", Options(faults=False), loop)

        async def story() -> Lane:
            world.worker.starts()
            barrier = SimBus(world.broker, "barrier exit-1", "")
            for late in late_s:
                head = {**world.head(), "at": stamp(world.true_ms() - round(late * 1000))}
                said = Barrier(**head, state=cast(Any, "up" if late > 5 else state), **more)
                barrier.says("parking/marina/exit-1/barrier", world.packed(said))
                await world.nap(1)
            return world.worker.worker.event_store.garage.lanes["exit-1"]

        return cast(Lane, loop.run(story()))


@pytest.mark.fault("barrier-clock")
def test_a_barrier_message_that_comes_late_is_no_sign_of_a_wrong_clock() -> None:
    lane = hears(0, 0, 18, 2)
    assert (lane.skew, lane.boom and lane.boom.state) == (0, "down")


@pytest.mark.fault("barrier-clock")
def test_a_barrier_whose_messages_all_seem_late_has_a_wrong_clock() -> None:
    lane = hears(0, 18, 18, 18)
    assert (lane.skew, lane.boom and lane.boom.state) == (-18_000, "up")


def test_a_barrier_names_a_lift_as_raised_only_from_its_pulse_on() -> None:
    """It died between intent and pulse, and had named the lift meanwhile: the worker took the car for raised."""
    controller = BarrierController(trust(), SpentLifts(), TurnedClock(NOW), state="down")
    free = lift(reason="free", car=None)
    head = {"id": free.id, "at": stamp(NOW)}
    assert controller.on_lift(free) == [RaiseBoom(free)]
    assert controller.message(head).lift is None
    controller.on_boom("rising")
    assert controller.message(head).lift is None, "something else lifts it"
    controller.intended()
    assert controller.message(head).lift == free.id
    controller.raised(free)
    controller.on_boom("down")
    assert controller.message(head).lift == free.id


def vehicle(clock: TurnedClock, car: str | None) -> Vehicle:
    return Vehicle(id=CAR, at=stamp(clock.wall), waiting=car is not None, under_boom=False, car=car)


@pytest.mark.fault("arm-still-up")
def test_a_busy_lift_keeps_its_chance() -> None:
    clock = TurnedClock(NOW)
    controller = BarrierController(trust(), SpentLifts(), clock, state="up")
    controller.on_vehicle(vehicle(clock, CAR), retained=False)
    assert controller.on_lift(lift()) == [PublishBarrier(Answer(lift().id, "refused", "busy", lift().order_no))]
    controller.on_boom("down")
    assert controller.on_lift(lift()) == [RaiseBoom(lift())]
