"""A lift and the word of the loops: for whom a barrier raises, and for how long it waits to be told."""

import pytest

from terminal.contract.messages import Answer, Vehicle, stamp
from terminal.contract.topics import SILENT_MS
from terminal.roles.barrier.controller import HOLD_MS, KEPT_MS, RaiseBoom, RefuseLift
from tests.support.barrier_desk import LOOPS, Desk, answer_in, loops_health
from tests.support.lift_values import REASONS
from tests.support.lifts import CAR, NEXT, NOW, NUMBER, OTHER_CAR, lift, raised, vehicle

# Which car waits


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize("said", [vehicle(OTHER_CAR), vehicle(None), vehicle(waiting=False)])
def test_a_lift_for_a_car_that_does_not_wait_is_refused_at_once(said: Vehicle) -> None:
    desk = Desk()
    desk.controller.on_vehicle(said, retained=False)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize("reason", REASONS)
def test_a_lift_without_a_car_raises_for_whoever_waits_and_for_nobody_else(reason: str) -> None:
    anybodys, later = lift(reason, car=None), lift(reason, car=None, id=NEXT)
    for said in (vehicle(OTHER_CAR), vehicle(None)):
        desk = Desk()
        desk.controller.on_vehicle(said, retained=False)
        assert desk.serve(anybodys) == raised(anybodys)
    desk = Desk()
    desk.controller.on_vehicle(vehicle(None, waiting=False), retained=False)
    refused = Answer(anybodys.id, "refused", "car", anybodys.order_no)
    assert desk.serve(anybodys) == refused
    desk.controller.on_vehicle(vehicle(OTHER_CAR), retained=False)
    assert desk.serve(anybodys) == refused, "its sender was told"
    assert desk.serve(later) == raised(later)


@pytest.mark.fault("loop-faulty")
def test_a_lift_without_a_car_is_good_for_whoever_comes_where_no_loop_speaks() -> None:
    silent = Desk()
    silent.controller.on_vehicle(vehicle(None, waiting=False), retained=False)
    silent.clock.turn(SILENT_MS + 1)
    gone = Desk()
    gone.controller.on_health(LOOPS, loops_health(), retained=False)
    gone.controller.on_vehicle(vehicle(None, waiting=False), retained=False)
    gone.controller.on_health(LOOPS, loops_health("offline"), retained=False)
    for desk in (Desk(heard=False), silent, gone):
        desk.clock.turn(HOLD_MS)
        tried = lift(car=None, not_after=stamp(desk.clock.wall_ms() + 15_000))
        assert desk.serve(tried) == raised(tried)


@pytest.mark.fault("broker-restarts")
@pytest.mark.parametrize("waits", [True, False])
def test_after_a_connect_a_lift_without_a_car_waits_for_the_word_of_the_loops(waits: bool) -> None:
    kept, heard = Desk(heard=False), Desk(heard=False)
    kept.controller.on_vehicle(vehicle(), retained=True)
    heard.controller.on_vehicle(vehicle(None, waiting=False), retained=False)
    heard.clock.turn(2_000)
    heard.controller.on_connected()
    anybodys = lift(car=None)
    for desk in (kept, heard):
        assert desk.controller.on_lift(anybodys) == []
        assert desk.controller.due_ms == desk.clock.steady_ms() + HOLD_MS
        answered = desk.perform(desk.controller.on_vehicle(vehicle(waiting=waits), retained=False))
        assert answered == (raised(anybodys) if waits else Answer(anybodys.id, "refused", "car", NUMBER))


def test_after_a_connect_a_lift_without_a_car_waits_in_vain_where_the_loops_do_not_come_back() -> None:
    desk, anybodys = Desk(heard=False), lift(car=None)
    desk.controller.on_vehicle(vehicle(None, waiting=False), retained=True)
    assert desk.controller.on_lift(anybodys) == []
    desk.clock.turn(HOLD_MS - 1)
    assert desk.controller.on_time() == []
    desk.clock.turn(1)
    assert desk.perform(desk.controller.on_time()) == raised(anybodys)


@pytest.mark.parametrize("in_time", [True, False])
@pytest.mark.parametrize("kept", [True, False])
def test_without_loops_a_lift_waits_after_a_connect_only_for_what_the_broker_may_have_kept_of_them(
    kept: bool, in_time: bool
) -> None:
    """A broker hands out the lifts that it held for the barrier before the ``vehicle`` that tells of loops."""
    desk, anybodys = Desk(heard=False), lift(car=None)
    desk.controller.on_connected()
    assert desk.controller.on_lift(anybodys) == []
    assert desk.controller.due_ms == desk.clock.steady_ms() + KEPT_MS
    if kept:
        assert desk.controller.on_vehicle(vehicle(None, waiting=False), retained=True) == []
    if in_time:
        answered = desk.perform(desk.controller.caught_up())
    else:
        desk.clock.turn(KEPT_MS)
        answered = desk.perform(desk.controller.on_time())
    assert answered == (None if kept else raised(anybodys))


@pytest.mark.fault("loop-faulty")
def test_a_vehicle_older_than_15_s_says_nothing() -> None:
    desk = Desk()
    desk.clock.turn(SILENT_MS)
    assert desk.controller.on_lift(lift()) == [RaiseBoom(lift())]
    desk = Desk()
    desk.clock.turn(SILENT_MS + 1)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


def test_a_vehicle_of_loops_that_are_offline_says_nothing() -> None:
    desk = Desk()
    desk.clock.turn(HOLD_MS)
    desk.controller.on_health(LOOPS, loops_health(), retained=False)
    desk.controller.on_vehicle(vehicle(), retained=False)
    desk.controller.on_health(LOOPS, loops_health("offline"), retained=False)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)
    desk.controller.on_health(LOOPS, loops_health("degraded"), retained=False)
    assert desk.serve(lift(id=NEXT)) == raised(lift(id=NEXT))


def test_loops_that_fell_silent_are_offline_though_another_device_speaks_for_them() -> None:
    desk = Desk()
    desk.controller.on_health(LOOPS, loops_health(), retained=False)
    desk.clock.turn(SILENT_MS + 1)
    desk.controller.on_vehicle(vehicle(), retained=False)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


def test_a_retained_vehicle_says_what_was() -> None:
    desk = Desk(heard=False)
    desk.clock.turn(HOLD_MS)
    desk.controller.on_vehicle(vehicle(), retained=True)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


def test_after_a_start_a_lift_waits_for_the_first_word_of_the_loops() -> None:
    desk = Desk(heard=False)
    assert desk.controller.on_lift(lift()) == []
    assert desk.controller.on_lift(lift(not_after=stamp(NOW + 40_000))) == []
    assert desk.controller.on_time() == []
    desk.clock.turn(5_000)
    effects = desk.controller.on_vehicle(vehicle(), retained=False)
    assert effects == [RaiseBoom(lift(not_after=stamp(NOW + 40_000)))]
    assert desk.controller.due_ms is None


def test_after_a_start_without_any_word_of_the_loops_a_lift_is_refused_in_time() -> None:
    desk = Desk(heard=False)
    assert desk.controller.on_lift(lift()) == []
    due_ms = [desk.controller.due_ms]
    desk.clock.turn(HOLD_MS)
    assert answer_in(desk.refuse(desk.controller.on_time())) == Answer(lift().id, "refused", "car", NUMBER)
    assert [*due_ms, desk.controller.due_ms] == [desk.clock.steady_ms(), None]
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


@pytest.mark.fault("broker-hour")
def test_after_a_long_cut_of_the_connection_a_lift_waits_again() -> None:
    desk = Desk()
    desk.clock.turn(60_000)
    desk.controller.on_connected()
    good = lift(not_after=stamp(desk.clock.wall_ms() + 30_000))
    assert desk.controller.on_lift(good) == []
    assert desk.controller.on_vehicle(vehicle(), retained=False) == [RaiseBoom(good)]


@pytest.mark.fault("broker-restarts")
def test_a_car_that_drove_up_during_a_cut_is_not_refused_its_lift() -> None:
    """The barrier refused it for good, by what the loops had said before the cut, and the driver lost a lift."""
    desk = Desk(heard=False)
    desk.controller.on_vehicle(vehicle(car=OTHER_CAR), retained=False)
    desk.clock.turn(2_000)
    desk.controller.on_connected()
    good = lift(not_after=stamp(desk.clock.wall_ms() + 30_000))
    assert desk.controller.on_lift(good) == []
    assert desk.controller.on_vehicle(vehicle(), retained=False) == [RaiseBoom(good)]


@pytest.mark.fault("cars-swap")
def test_a_lift_for_a_car_that_the_loops_do_not_see_after_a_cut_is_refused() -> None:
    desk = Desk()
    desk.clock.turn(2_000)
    desk.controller.on_connected()
    other = lift(car=OTHER_CAR, not_after=stamp(desk.clock.wall_ms() + 30_000))
    assert desk.controller.on_lift(other) == []
    assert desk.controller.on_vehicle(vehicle(), retained=False) == [RefuseLift(other, "car")]


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize(("stands", "answered"), [(CAR, "raised"), (OTHER_CAR, "refused"), (None, "refused")])
def test_a_lift_after_a_cut_raises_for_its_car_only_if_the_loops_say_again_that_it_waits(
    stands: str | None, answered: str
) -> None:
    """Its car had backed out during the cut and another stood there, for whom the boom rose."""
    desk = Desk()
    desk.clock.turn(2_000)
    desk.controller.on_connected()
    good = lift(not_after=stamp(desk.clock.wall_ms() + 30_000))
    assert desk.controller.on_lift(good) == []
    said = vehicle(stands, waiting=stands is not None)
    answer = desk.perform(desk.controller.on_vehicle(said, retained=False))
    assert answer
    assert answer.outcome == answered


@pytest.mark.fault("loop-faulty")
def test_a_lift_after_a_cut_is_refused_where_the_loops_that_had_seen_its_car_do_not_speak_again() -> None:
    desk = Desk()
    desk.clock.turn(2_000)
    desk.controller.on_connected()
    good = lift(not_after=stamp(desk.clock.wall_ms() + 30_000))
    assert desk.controller.on_lift(good) == []
    desk.clock.turn(HOLD_MS)
    assert answer_in(desk.refuse(desk.controller.on_time())) == Answer(good.id, "refused", "car", NUMBER)


@pytest.mark.fault("broker-restarts")
def test_a_lift_without_a_car_after_a_cut_waits_for_the_loops_though_somebody_waited_before_it() -> None:
    desk, anybodys = Desk(), lift(car=None)
    desk.clock.turn(1)
    desk.controller.on_connected()
    assert desk.controller.on_lift(anybodys) == []
    refused = Answer(anybodys.id, "refused", "car", anybodys.order_no)
    assert desk.perform(desk.controller.on_vehicle(vehicle(None, waiting=False), retained=False)) == refused


def test_what_the_loops_say_in_the_moment_of_a_connect_is_said_since() -> None:
    desk = Desk(heard=False)
    desk.clock.turn(2_000)
    desk.controller.on_connected()
    desk.controller.on_vehicle(vehicle(), retained=False)
    assert desk.serve(lift()) == raised(lift())
