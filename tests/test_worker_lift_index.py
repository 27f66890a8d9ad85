"""When the worker sends a lift: one that names no car waits until the loops could have told of another."""

from dataclasses import replace

import pytest

from terminal.core.model import Boom, GivenLift, Grant, Lane, ParkingFee, Rules, Stay, Visit
from terminal.core.rules import Garage
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.worker.lift_index import LiftIndex, LiftWindow
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

NAMELESS = Grant("lift", "exit-1", "stay", None, "credit", 0)
VISIT = Visit(ParkingFee("fee", "stay", "ticket", 2000, "due"), "leaving", 0, "car")
SEEN = Garage(Rules("marina"), {"exit-1": Lane("exit-1", VISIT)})
UNFELT = Garage(Rules("marina"), {"exit-1": Lane("exit-1", replace(VISIT, loop="blind"))})


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def line(bus: MemoryBus, clock: TurnedClock) -> LiftWindow:
    return LiftWindow(Endpoint(bus.as_bus(), garage="marina", lane=None, role="worker", version="test", clock=clock))


@pytest.mark.parametrize("garage", [SEEN, UNFELT], ids=["a loop that sees the car", "a loop that saw nothing"])
def test_a_lift_for_any_car_waits_for_the_line_and_then_for_the_loops(
    line: LiftWindow, bus: MemoryBus, clock: TurnedClock, garage: Garage
) -> None:
    clock.turn(5_500)
    assert line.carries(NAMELESS, garage)
    bus.connect(False)
    clock.turn(60_000)
    assert not line.carries(NAMELESS, garage), "it would be delivered when the line is back, whoever stands there then"
    bus.connect(True)
    clock.turn(5_499)
    assert not line.carries(NAMELESS, garage)
    clock.turn(1)
    assert line.carries(NAMELESS, garage)


def test_a_worker_whose_line_was_never_up_has_heard_nobody(
    line: LiftWindow, bus: MemoryBus, clock: TurnedClock
) -> None:
    bus.connect(False)
    clock.turn(60_000)
    assert not line.carries(NAMELESS, SEEN)


@pytest.mark.parametrize("connected", [True, False])
def test_a_lift_that_names_its_car_goes_at_once_for_the_barrier_looks(
    line: LiftWindow, bus: MemoryBus, connected: bool
) -> None:
    bus.connect(connected)
    assert line.carries(replace(NAMELESS, car="car"), SEEN)


@pytest.mark.parametrize(
    "garage",
    [
        Garage(Rules("marina"), {"exit-1": Lane("exit-1", replace(VISIT, loop="unknown"))}),
        Garage(Rules("marina"), {"exit-1": Lane("exit-1")}),
        Garage(Rules("marina")),
    ],
    ids=["no loops", "no visit", "an unknown lane"],
)
def test_where_no_loop_speaks_none_is_waited_for(line: LiftWindow, bus: MemoryBus, garage: Garage) -> None:
    bus.connect(True)
    assert line.carries(NAMELESS, garage)


@pytest.mark.fault("power-cut")
@pytest.mark.parametrize(
    ("lane", "is_sent"),
    [
        (Lane("exit-1", boom=Boom("down", None, 0)), True),
        (Lane("exit-1", boom=Boom("down", None, 0), skew=4_999), True),
        (Lane("exit-1", boom=Boom("down", None, 0), skew=-5_000), False),
        (Lane("exit-1"), False),
    ],
    ids=["in time", "nearly in time", "a wrong clock", "away"],
)
def test_an_overdue_lift_is_asked_about_only_where_the_barriers_clock_takes_it_for_expired(
    line: LiftWindow, bus: MemoryBus, lane: Lane, is_sent: bool
) -> None:
    asked = replace(NAMELESS, car="car", overdue=True, dropped=True)
    assert line.carries(asked, Garage(Rules("marina"), {"exit-1": lane})) is is_sent
    assert not line.carries(asked, Garage(Rules("marina")))


def test_a_lift_is_known_by_its_stay_whatever_came_of_it_until_the_stay_leaves_memory() -> None:
    lifts = LiftIndex()
    stay = Stay(
        "stay", given=(GivenLift("one", "exit-1", None, None, "refused"), GivenLift("two", "exit-1", None, None))
    )
    lifts.know(stay)
    assert (lifts.session_of("one"), lifts.session_of("two"), lifts.session_of("three")) == ("stay", "stay", None)
    lifts.forget(stay)
    assert lifts.session_of("one") is None
