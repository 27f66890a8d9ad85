"""terminal/roles/barrier/controller.py and spent_lifts.py: what raises the boom, and never twice."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from terminal.contract.messages import Answer, Barrier, Health, Lift, Proof, Vehicle, stamp
from terminal.contract.topics import SILENT_MS, parse
from terminal.core.ids import derived_id
from terminal.core.model import BoomState
from terminal.journal.rows import Row
from terminal.roles.barrier.controller import (
    FORGEABLE,
    FORGED_EVERY_MS,
    HELD,
    HOLD_MS,
    KEPT_MS,
    BarrierController,
    Effect,
    PublishBarrier,
    RaiseBoom,
    RefuseLift,
    ReportForgery,
)
from terminal.roles.barrier.spent_lifts import (
    FLUSH_MS,
    REFUSALS,
    SpentLifts,
    done_row,
    intent_row,
    refused_row,
)
from tests.sim.memorybus import TestClock
from tests.support.lifts import (
    CAR,
    GARAGE,
    HEAD,
    LANE,
    NEXT,
    NOW,
    NUMBER,
    OTHER_CAR,
    SESSION,
    answer,
    lift,
    notification,
    proof,
    raised,
    trust,
    vehicle,
)
from tests.test_lift_rules import REASONS, VALUES


def loops_health(state: Any = "online") -> Health:
    return Health(**HEAD, state=state, version="1", instance="loops", since=stamp(NOW))


LOOPS = parse(f"parking/{GARAGE}/{LANE}/health/loops")


class Desk:
    """A gate with a car before it, a journal of rows, and the pulses that were given."""

    def __init__(self, *, state: BoomState = "down", heard: bool = True, mistrust_ms: int = 0) -> None:
        self.clock = TestClock(NOW)
        self.rows: list[tuple[str, bytes]] = []
        self.pulsed: list[str] = []
        self.start(state=state, mistrust_ms=mistrust_ms)
        if heard:
            self.controller.on_vehicle(vehicle(), retained=False)

    def start(self, *, state: BoomState = "down", mistrust_ms: int = 0) -> None:
        spent = SpentLifts()
        spent.replay(Row(n, NOW, kind, data) for n, (kind, data) in enumerate(self.rows, 1))
        self.controller = BarrierController(trust(), spent, self.clock, state=state, mistrust_ms=mistrust_ms)

    def journal(self, tried: Lift) -> None:
        self.rows.append(intent_row(tried))

    def pulse(self, tried: Lift) -> list[Effect]:
        self.controller.intended()
        self.pulsed.append(tried.id)
        return list(self.controller.raised(tried))

    def serve(self, tried: Lift) -> Answer | None:
        """Everything that a lift leads to when nothing fails."""
        return self.perform(self.controller.on_lift(tried))

    def perform(self, effects: Iterable[Effect]) -> Answer | None:
        """The same of what a lift or the loops' word led to."""
        said: list[Effect] = []
        for effect in effects:
            if isinstance(effect, RaiseBoom):
                self.journal(effect.lift)
                said += self.pulse(effect.lift)
                self.rows.append(done_row(effect.lift))
            else:
                said += self.refuse([effect])
        return answer_in(said)

    def refuse(self, effects: Iterable[Effect]) -> list[Effect]:
        """Journal what is refused for good."""
        said: list[Effect] = []
        for effect in effects:
            if isinstance(effect, RefuseLift):
                self.rows.append(refused_row(effect.lift, effect.why))
                said += self.controller.refused(effect.lift, effect.why)
            else:
                said.append(effect)
        return said


def answer_in(effects: Iterable[Effect]) -> Answer | None:
    found = [effect.answer for effect in effects if isinstance(effect, PublishBarrier)]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize("reason", ["paid", "credit", "free", "operator"])
def test_a_good_lift_pulses_once_and_every_repeat_is_answered_with_what_came_of_it(reason: str) -> None:
    desk, good = Desk(), lift(reason)
    assert [desk.serve(good) for _ in range(3)] == [raised(good)] * 3
    again = lift(reason, not_after=stamp(NOW + 59_000))  # signed anew under the same id
    assert desk.serve(again) == raised(good)
    desk.clock.turn(10**9)
    assert desk.serve(good) == raised(good)
    assert desk.pulsed == [good.id]


def test_between_intent_and_pulse_a_repeat_waits_for_the_one_answer() -> None:
    desk, good = Desk(), lift()
    assert desk.controller.on_lift(good) == [RaiseBoom(good)]
    assert desk.controller.on_lift(good) == []
    assert answer_in(desk.pulse(good)) == raised(good)


def test_between_intent_and_pulse_another_lift_is_busy_and_keeps_its_chance() -> None:
    desk, first, second = Desk(), lift(), lift("free")
    desk.controller.on_lift(first)
    assert answer_in(desk.controller.on_lift(second)) == Answer(second.id, "refused", "busy")
    desk.pulse(first)
    assert desk.serve(second) == raised(second)


@pytest.mark.fault("arm-still-up")
@pytest.mark.parametrize("state", ["rising", "up", "lowering", "unknown", "fault"])
def test_unless_the_boom_is_down_a_lift_is_busy_unspent_and_renewed_later(state: BoomState) -> None:
    desk, good = Desk(state=state), lift()
    assert desk.serve(good) == Answer(good.id, "refused", "busy", NUMBER)
    desk.controller.on_boom("down")
    assert desk.serve(good) == raised(good)


def test_what_could_not_be_journaled_is_refused_and_unspent() -> None:
    desk, good = Desk(), lift()
    desk.controller.on_lift(good)
    assert answer_in(desk.controller.unwritten(good)) == Answer(good.id, "refused", "journal", NUMBER)
    assert desk.serve(lift(id=NEXT)) == raised(lift(id=NEXT)), "its number is unspent"


@pytest.mark.fault("cut-barrier")
def test_a_relay_that_failed_leaves_the_lift_unknown_for_ever() -> None:
    desk, good = Desk(), lift()
    desk.controller.on_lift(good)
    unknown = Answer(good.id, "unknown", None, NUMBER)
    assert answer_in(desk.controller.failed(good)) == unknown
    assert desk.serve(good) == unknown
    assert desk.pulsed == []
    assert desk.serve(lift("paid", id=OTHER_CAR)) == Answer(OTHER_CAR, "refused", "spent", NUMBER)
    assert desk.serve(lift("credit")) == raised(lift("credit"))  # the worker's way on, if the car still waits


def test_a_payment_spent_by_another_lift_is_refused() -> None:
    desk = Desk()
    desk.serve(lift())
    again = lift(id=derived_id(NOW, "a second lift"))
    assert desk.serve(again) == Answer(again.id, "refused", "spent", NUMBER)


@pytest.mark.fault("cut-barrier")
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_after_a_crash_the_journal_says_what_came_of_a_lift(rows: int) -> None:
    desk, good = Desk(), lift()
    desk.serve(good)
    del desk.rows[rows:]
    desk.start()
    desk.controller.on_vehicle(vehicle(), retained=False)
    again = desk.serve(good)
    assert again == [raised(good), Answer(good.id, "unknown", None, NUMBER), raised(good)][rows]
    assert len(desk.pulsed) == (2 if rows == 0 else 1)  # without an intent there was no pulse: the desk ran ahead


def test_barrier_tells_which_lift_raised_it_last() -> None:
    desk, good = Desk(), lift("free")
    assert desk.controller.message(HEAD) == Barrier(**HEAD, state="down")
    desk.controller.on_lift(good)
    desk.controller.intended()
    desk.controller.on_boom("rising")
    expected = Barrier(**HEAD, state="rising", lift=good.id, session=SESSION, reason="free")
    assert desk.controller.message(HEAD) == expected
    desk.rows = [intent_row(lift()), done_row(lift()), intent_row(good)]
    desk.start(state="unknown")
    assert desk.controller.message(HEAD) == Barrier(
        **HEAD, state="unknown", lift=lift().id, session=SESSION, reason="paid"
    )  # of the last one nobody knows


@pytest.mark.fault("forged-lift")
def test_a_forged_lift_is_answered_believed_in_nothing_and_told_once_a_minute() -> None:
    desk, forged = Desk(), lift(key="stranger")
    effects = [effect for _ in range(5) for effect in desk.controller.on_lift(forged)]
    assert effects[0] == PublishBarrier(Answer(forged.id, "refused", "signature"))
    assert [type(effect) for effect in effects] == [
        PublishBarrier,
        ReportForgery,
        PublishBarrier,
        PublishBarrier,
        PublishBarrier,
        PublishBarrier,
    ]
    desk.clock.turn(FORGED_EVERY_MS)
    _, told = desk.controller.on_lift(lift(amount="1.00", not_after=stamp(NOW + 90_000)))
    assert told == ReportForgery(
        "a lift was refused: PayBy's words do not bear out what it says (4 more since the last alert)"
    )


@pytest.mark.fault("forged-lift")
def test_a_forged_copy_of_a_spent_lift_does_not_hear_what_came_of_it() -> None:
    desk, good = Desk(), lift()
    desk.serve(good)
    assert desk.serve(lift(key="stranger")) == Answer(good.id, "refused", "signature")
    assert desk.serve(good) == raised(good)


@pytest.mark.fault("forged-lift")
@pytest.mark.parametrize("reason", ["paid", "credit"])
@pytest.mark.parametrize(
    ("copied", "why"),
    [
        ({"proof": None}, "signature"),
        ({"proof": proof(status="CREATED")}, "signature"),
        ({"proof": Proof(notification(), proof(key="stranger").sign)}, "proof"),
        ({"proof": Proof(notification(), "")}, "proof"),
    ],
)
def test_a_copy_with_another_proof_spoils_nothing(reason: str, copied: dict[str, Any], why: Any) -> None:
    """Who heard a lift that was busy drew a refusal for good of it, by sending it once more without its proof."""
    desk, good = Desk(state="up"), lift(reason)
    assert desk.serve(good) == Answer(good.id, "refused", "busy", NUMBER)
    copy = msgspec.structs.replace(good, **copied)
    for _ in range(3):
        assert desk.serve(copy) == Answer(good.id, "refused", why, None if why == "signature" else NUMBER)
    assert desk.rows == []
    desk.controller.on_boom("down")
    assert desk.serve(good) == raised(good)


@pytest.mark.fault("forged-lift")
def test_a_copy_of_a_refused_lift_does_not_hear_why_it_was_refused() -> None:
    desk = Desk()
    desk.controller.on_vehicle(vehicle(OTHER_CAR), retained=False)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)
    copy = msgspec.structs.replace(lift(), proof=Proof(notification(), ""))
    assert desk.serve(copy) == Answer(lift().id, "refused", "proof", NUMBER)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


OTHERS = {
    **VALUES,
    "proof.body": st.sampled_from([notification() + " ", answer(), notification(status="SETTLED"), "", "{}"]),
    "proof.sign": VALUES["sign"] | st.just(proof(key="stranger").sign),
}


@pytest.mark.fault("forged-lift", "operator-replayed")
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("field", OTHERS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_no_altered_copy_raises_or_keeps_the_genuine_lift_from_it(reason: str, field: str, data: st.DataObject) -> None:
    good, value = lift(reason), data.draw(OTHERS[field])
    if field.startswith("proof."):
        of_proof = {field.removeprefix("proof."): value}
        field, value = "proof", msgspec.structs.replace(good.proof or Proof("", ""), **of_proof)
    assume((value or None) != (getattr(good, field) or None))
    copy = msgspec.structs.replace(good, **{field: value})
    unknown, busy, held = Desk(), Desk(state="up"), Desk(heard=False)
    assert answer_in(busy.controller.on_lift(good)) == Answer(good.id, "refused", "busy", good.order_no)
    assert held.controller.on_lift(good) == []
    for desk in (unknown, busy, held):
        for effect in [*desk.controller.on_lift(copy), *desk.controller.on_lift(copy)]:
            assert isinstance(effect, PublishBarrier | ReportForgery)
            if isinstance(effect, PublishBarrier):
                assert effect.answer
                assert effect.answer.why in FORGEABLE
        desk.controller.on_boom("down")
        desk.perform(desk.controller.on_vehicle(vehicle(), retained=False))
        assert desk.serve(good) == raised(good)
        assert desk.pulsed == [good.id]
        assert [kind for kind, _ in desk.rows] == ["intent", "done"]


@pytest.mark.parametrize("reason", REASONS)
def test_a_copy_with_another_time_is_the_lift(reason: str) -> None:
    desk, good = Desk(), lift(reason)
    assert desk.serve(msgspec.structs.replace(good, at=stamp(0))) == raised(good)
    assert desk.serve(good) == raised(good)
    assert desk.pulsed == [good.id]


@pytest.mark.fault("operator-replayed")
def test_of_a_lift_that_is_held_an_earlier_signature_does_not_take_the_place_of_the_last() -> None:
    desk = Desk(heard=False)
    first, last = lift(not_after=stamp(NOW + 3_000)), lift()
    assert [desk.serve(tried) for tried in (first, last, first)] == [None] * 3
    desk.clock.turn(4_000)
    assert desk.controller.on_vehicle(vehicle(), retained=False) == [RaiseBoom(last)]


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


def test_no_more_lifts_wait_than_a_lane_can_need() -> None:
    desk = Desk(heard=False)
    lifts = [lift("free", id=derived_id(NOW, f"lift {n}")) for n in range(HELD + 1)]
    assert [desk.serve(tried) for tried in lifts[:-1]] == [None] * HELD
    assert desk.serve(lifts[-1]) == Answer(lifts[-1].id, "refused", "car")


def test_a_gate_that_may_have_forgotten_refuses_until_older_lifts_have_expired() -> None:
    desk = Desk(mistrust_ms=60_000)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "journal", NUMBER)
    desk.clock.turn(60_000)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "expired", NUMBER)
    desk.controller.on_vehicle(vehicle(), retained=False)
    anew = lift(not_after=stamp(desk.clock.wall_ms() + 30_000))
    assert desk.serve(anew) == raised(anew)


# A refusal stands: the worker passes the payment on, and a copy that was late would be a second holder of it


@pytest.mark.parametrize("restarts", [False, True])
def test_a_refusal_stands_for_every_copy_of_a_lift_that_comes_later(restarts: bool) -> None:
    desk = Desk()
    desk.controller.on_vehicle(vehicle(OTHER_CAR), retained=False)
    refused = Answer(lift().id, "refused", "car", NUMBER)
    assert desk.serve(lift()) == refused
    if restarts:
        desk.start()
    desk.controller.on_vehicle(vehicle(), retained=False)
    assert desk.serve(lift()) == refused
    assert desk.serve(lift(id=NEXT)) == raised(lift(id=NEXT)), "the same payment by its next lift"
    assert len(desk.rows) == 3, "a copy leaves no row"


def test_a_refusal_is_said_only_once_it_is_journaled() -> None:
    desk = Desk()
    desk.controller.on_vehicle(vehicle(OTHER_CAR), retained=False)
    assert desk.controller.on_lift(lift()) == [RefuseLift(lift(), "car")]
    assert desk.controller.on_lift(lift()) == []
    desk.controller.unrefused(lift())
    desk.controller.on_vehicle(vehicle(), retained=False)
    assert desk.serve(lift()) == raised(lift()), "nobody was told of a refusal"


def test_refusals_of_which_no_copy_can_be_valid_leave_the_memory() -> None:
    spent = SpentLifts()
    first = lift("free", id=derived_id(NOW, "lift 0"))
    for number in range(2 * REFUSALS):
        at_ms = NOW + number * 60_000
        tried = lift("free", id=derived_id(NOW, f"lift {number}"), not_after=stamp(at_ms))
        spent.refuse(tried, "car", at_ms)
        assert spent.refused_before(tried) == "car"
        assert (spent.refused_before(first) == "car") == (number < REFUSALS)


# What is spent


def test_rows_of_another_kind_are_no_barriers() -> None:
    with pytest.raises(ValueError, match="'fee' is no barrier's"):
        SpentLifts().replay([Row(1, 1, "fee", b"")])


HOUR_MS = 3_600_000
INTENDED, DONE = intent_row(lift()), done_row(lift())


@pytest.mark.fault("cut-barrier", "barrier-clock")
@pytest.mark.parametrize(
    ("rows", "up_ms", "quiet_ms"),
    [
        ([], HOUR_MS, HOUR_MS),
        ([(INTENDED, 60_000), (DONE, 59_000)], HOUR_MS, 59_000),
        ([(INTENDED, 60_000)], HOUR_MS, 60_000 - FLUSH_MS),
        ([(INTENDED, 1_000)], HOUR_MS, 0),
        ([(INTENDED, 60_000), (DONE, 59_000), (refused_row(lift("free"), "car"), 1_000)], HOUR_MS, 59_000),
        ([(INTENDED, 60_000), (DONE, 59_000)], 20_000, 20_000),
        ([(INTENDED, 9 * HOUR_MS), (DONE, 9 * HOUR_MS)], 4_000, 4_000),
        ([(INTENDED, -HOUR_MS), (DONE, -HOUR_MS)], HOUR_MS, 0),
        ([(INTENDED, -HOUR_MS), (DONE, -HOUR_MS), (intent_row(lift("free")), 30_000)], HOUR_MS, 30_000 - FLUSH_MS),
    ],
    ids=[
        "no lift ever", "done", "not done", "not done just now", "refused since", "before this boot",
        "before this boot, by a clock that was wrong", "the clock went back", "the clock was ahead before",
    ],
)  # fmt: skip
def test_how_long_there_was_no_pulse_is_what_the_journal_and_the_time_since_the_boot_both_bear_out(
    rows: list[tuple[tuple[str, bytes], int]], up_ms: int, quiet_ms: int
) -> None:
    spent = SpentLifts()
    spent.replay(spent.dated(Row(n, NOW - ago, kind, data) for n, ((kind, data), ago) in enumerate(rows, 1)))
    clock = TestClock(NOW)
    clock.steady = up_ms
    assert spent.quiet_ms(clock) == quiet_ms


class Crashes(RuleBasedStateMachine):
    """Lifts, repeats, forgeries and crashes in any order: no lift and no payment ever gives two pulses."""

    lifts = Bundle("lifts")

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.answers: dict[str, list[Answer]] = {}
        self.under_way: tuple[Lift, str] | None = None
        self.count = 0

    def heard(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, PublishBarrier) and effect.answer:
                self.answers.setdefault(effect.answer.lift, []).append(effect.answer)
            elif isinstance(effect, RaiseBoom):
                assert self.under_way is None
                self.under_way = effect.lift, "decided"
            elif isinstance(effect, RefuseLift):
                self.heard(self.desk.refuse([effect]))

    @rule(target=lifts, reason=st.sampled_from(["paid", "credit", "free", "operator"]))
    def made(self, reason: str) -> Lift:
        self.count += 1
        return lift(reason, id=derived_id(NOW + self.count, reason), car=None)

    @rule(tried=lifts)
    def sent(self, tried: Lift) -> None:
        self.heard(self.desk.controller.on_lift(tried))

    @rule(tried=lifts)
    def forged(self, tried: Lift) -> None:
        self.heard(self.desk.controller.on_lift(lift("free", id=tried.id, key="stranger")))

    @rule(how=st.sampled_from(["go on", "go on", "fail"]))
    def goes_on(self, how: str) -> None:
        match self.under_way:
            case tried, "decided" if how == "fail":
                self.heard(self.desk.controller.unwritten(tried))
                self.under_way = None
            case tried, "decided":
                self.desk.journal(tried)
                self.under_way = tried, "journaled"
            case tried, "journaled" if how == "fail":
                self.heard(self.desk.controller.failed(tried))
                self.under_way = None
            case tried, "journaled":
                self.desk.controller.intended()
                self.desk.pulsed.append(tried.id)
                self.under_way = tried, "pulsing"
            case tried, "pulsing":
                self.heard(self.desk.controller.raised(tried))
                self.desk.rows.append(done_row(tried))
                self.under_way = None

    @rule()
    def crashes(self) -> None:
        self.desk.start()
        self.under_way = None

    @invariant()
    def one_lift_at_most_one_pulse(self) -> None:
        assert len(set(self.desk.pulsed)) == len(self.desk.pulsed)
        assert sum("paid" in kind for kind in map(self.reason_of, self.desk.pulsed)) <= 1

    @invariant()
    def what_was_answered_raised_was_pulsed_and_stays_raised(self) -> None:
        for lift_id, answers in self.answers.items():
            outcomes = [a.outcome for a in answers if a.outcome != "refused"]
            assert len(set(outcomes)) <= 1
            if "raised" in outcomes:
                assert lift_id in self.desk.pulsed
            if outcomes:
                after = answers[[a.outcome for a in answers].index(outcomes[0]) :]
                assert all(a.outcome != "refused" or a.why == "signature" for a in after)

    def reason_of(self, lift_id: str) -> str:
        return next(r for r in ("paid", "credit", "free", "operator") if any(
            lift_id == derived_id(NOW + n, r) for n in range(self.count + 1)))  # fmt: skip


def test_no_order_of_lifts_and_crashes_gives_a_second_pulse() -> None:
    run_state_machine_as_test(Crashes, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))
