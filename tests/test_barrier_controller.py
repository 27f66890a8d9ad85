"""terminal/roles/barrier/controller.py and spent_lifts.py: what raises the boom, and never twice."""

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from terminal.contract.messages import Answer, Barrier, Lift, stamp
from terminal.core.ids import derived_id
from terminal.core.model import BoomState
from terminal.journal.rows import Row
from terminal.roles.barrier.controller import HELD, Effect, PublishBarrier, RaiseBoom, RefuseLift
from terminal.roles.barrier.spent_lifts import (
    FLUSH_MS,
    REFUSALS,
    SpentLifts,
    done_row,
    intent_row,
    refused_row,
)
from tests.support.barrier_desk import Desk, answer_in
from tests.support.lifts import HEAD, NEXT, NOW, NUMBER, OTHER_CAR, SESSION, lift, raised, vehicle
from tests.support.turned_clock import TurnedClock


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
    with pytest.raises(ValueError, match="'fee' is not a barrier's"):
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
    clock = TurnedClock(NOW)
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
