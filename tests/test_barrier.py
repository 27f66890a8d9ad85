"""terminal/roles/barrier: one lift, at most one pulse, and an answer, whatever fails and whenever."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from drivers.relay import RelayBarrier
from drivers.simulated import SimulatedRelay
from terminal.contract.messages import Alert, Answer, Barrier, Health, Lift, Message, Vehicle, stamp
from terminal.contract.topics import parse
from terminal.core.numbers import derived_id
from terminal.journal import Journal, JournalFailed, Row
from terminal.link import Link
from terminal.roles.barrier import BarrierRole, Book, Gate
from terminal.roles.barrier.gate import (
    FORGED_EVERY_MS,
    HELD,
    HOLD_MS,
    LIVE_MS,
    Boom,
    Effect,
    Forged,
    Raise,
    Refuse,
    Say,
)
from terminal.roles.barrier.spent import REFUSALS, Digests, Spent, done_row, intent_row, refused_row
from tests.lifts import CAR, GARAGE, LANE, NOW, NUMBER, SESSION, beliefs, lift
from tests.sim.memorybus import MemoryBus, TestClock

OTHER_CAR = derived_id(NOW, "another car")
NEXT = derived_id(NOW, "the next lift")
HEAD: dict[str, Any] = {"id": derived_id(NOW, "head"), "at": stamp(NOW)}


def vehicle(car: str | None = CAR, *, waiting: bool = True, under_boom: bool = False) -> Vehicle:
    return Vehicle(**HEAD, waiting=waiting, car=car, under_boom=under_boom)


def loops_health(state: Any = "online") -> Health:
    return Health(**HEAD, state=state, version="1", instance="loops", since=stamp(NOW))


LOOPS = parse(f"parking/{GARAGE}/{LANE}/health/loops")


class Desk:
    """A gate with a car before it, a journal of rows, and the pulses that were given."""

    def __init__(self, *, state: Boom = "down", heard: bool = True, mistrust_ms: int = 0) -> None:
        self.clock = TestClock(NOW)
        self.rows: list[tuple[str, bytes]] = []
        self.pulsed: list[str] = []
        self.start(state=state, mistrust_ms=mistrust_ms)
        if heard:
            self.gate.on_vehicle(vehicle(), retained=False)

    def start(self, *, state: Boom = "down", mistrust_ms: int = 0) -> None:
        spent = Spent()
        spent.replay(Row(n, NOW, kind, data) for n, (kind, data) in enumerate(self.rows, 1))
        self.gate = Gate(beliefs(), spent, self.clock, state=state, mistrust_ms=mistrust_ms)

    def journal(self, tried: Lift) -> None:
        self.rows.append(intent_row(tried))

    def pulse(self, tried: Lift) -> list[Effect]:
        self.pulsed.append(tried.id)
        return list(self.gate.raised(tried))

    def serve(self, tried: Lift) -> Answer | None:
        """Everything that a lift leads to when nothing fails."""
        effects = list(self.gate.on_lift(tried))
        if effects == [Raise(tried)]:
            self.journal(tried)
            effects = self.pulse(tried)
            self.rows.append(done_row(tried))
        return answer_in(self.refuse(effects))

    def refuse(self, effects: Iterable[Effect]) -> list[Effect]:
        """Journal what is refused for good."""
        said: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Refuse):
                self.rows.append(refused_row(effect.lift, effect.why))
                said += self.gate.refused(effect.lift, effect.why)
            else:
                said.append(effect)
        return said


def answer_in(effects: Iterable[Effect]) -> Answer | None:
    found = [effect.answer for effect in effects if isinstance(effect, Say)]
    assert len(found) <= 1
    return found[0] if found else None


def raised(tried: Lift) -> Answer:
    return Answer(tried.id, "raised", None, tried.order_no)


# The gate


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
    assert desk.gate.on_lift(good) == [Raise(good)]
    assert desk.gate.on_lift(good) == []
    assert answer_in(desk.pulse(good)) == raised(good)


def test_between_intent_and_pulse_another_lift_is_busy_and_keeps_its_chance() -> None:
    desk, first, second = Desk(), lift(), lift("free")
    desk.gate.on_lift(first)
    assert answer_in(desk.gate.on_lift(second)) == Answer(second.id, "refused", "busy")
    desk.pulse(first)
    assert desk.serve(second) == raised(second)


@pytest.mark.fault("arm-still-up")
@pytest.mark.parametrize("state", ["rising", "up", "lowering", "unknown", "fault"])
def test_unless_the_boom_is_down_a_lift_is_busy_unspent_and_renewed_later(state: Boom) -> None:
    desk, good = Desk(state=state), lift()
    assert desk.serve(good) == Answer(good.id, "refused", "busy", NUMBER)
    desk.gate.on_boom("down")
    assert desk.serve(good) == raised(good)


def test_what_could_not_be_journaled_is_refused_and_unspent() -> None:
    desk, good = Desk(), lift()
    desk.gate.on_lift(good)
    assert answer_in(desk.gate.unwritten(good)) == Answer(good.id, "refused", "journal", NUMBER)
    assert desk.serve(lift(id=NEXT)) == raised(lift(id=NEXT)), "its number is unspent"


@pytest.mark.fault("cut-barrier")
def test_a_relay_that_failed_leaves_the_lift_unknown_for_ever() -> None:
    desk, good = Desk(), lift()
    desk.gate.on_lift(good)
    unknown = Answer(good.id, "unknown", None, NUMBER)
    assert answer_in(desk.gate.failed(good)) == unknown
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
    desk.gate.on_vehicle(vehicle(), retained=False)
    again = desk.serve(good)
    assert again == [raised(good), Answer(good.id, "unknown", None, NUMBER), raised(good)][rows]
    assert len(desk.pulsed) == (2 if rows == 0 else 1)  # without an intent there was no pulse: the desk ran ahead


def test_barrier_tells_which_lift_raised_it_last() -> None:
    desk, good = Desk(), lift("free")
    assert desk.gate.message(HEAD) == Barrier(**HEAD, state="down")
    desk.gate.on_lift(good)
    desk.gate.on_boom("rising")
    expected = Barrier(**HEAD, state="rising", lift=good.id, session=SESSION, reason="free")
    assert desk.gate.message(HEAD) == expected
    desk.rows = [intent_row(lift()), done_row(lift()), intent_row(good)]
    desk.start(state="unknown")
    assert desk.gate.message(HEAD) == Barrier(
        **HEAD, state="unknown", lift=lift().id, session=SESSION, reason="paid"
    )  # of the last one nobody knows


@pytest.mark.fault("forged-lift")
def test_a_forged_lift_is_answered_believed_in_nothing_and_told_once_a_minute() -> None:
    desk, forged = Desk(), lift(key="stranger")
    effects = [effect for _ in range(5) for effect in desk.gate.on_lift(forged)]
    assert effects[0] == Say(Answer(forged.id, "refused", "signature"))
    assert [type(effect) for effect in effects] == [Say, Forged, Say, Say, Say, Say]
    desk.clock.turn(FORGED_EVERY_MS)
    _, told = desk.gate.on_lift(lift(amount="1.00", not_after=stamp(NOW + 90_000)))
    assert told == Forged(
        "a lift was refused: PayBy's words do not bear out what it says (4 more since the last alert)"
    )


@pytest.mark.fault("forged-lift")
def test_a_forged_copy_of_a_spent_lift_does_not_hear_what_came_of_it() -> None:
    desk, good = Desk(), lift()
    desk.serve(good)
    assert desk.serve(lift(key="stranger")) == Answer(good.id, "refused", "signature")
    assert desk.serve(good) == raised(good)


# Which car waits


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize("said", [vehicle(OTHER_CAR), vehicle(None), vehicle(waiting=False)])
def test_a_lift_for_a_car_that_does_not_wait_is_refused_at_once(said: Vehicle) -> None:
    desk = Desk()
    desk.gate.on_vehicle(said, retained=False)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)
    assert desk.serve(lift(car=None, id=NEXT)) == raised(lift(id=NEXT))


@pytest.mark.fault("loop-faulty")
def test_a_vehicle_older_than_15_s_says_nothing() -> None:
    desk = Desk()
    desk.clock.turn(LIVE_MS)
    assert desk.gate.on_lift(lift()) == [Raise(lift())]
    desk = Desk()
    desk.clock.turn(LIVE_MS + 1)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


def test_a_vehicle_of_loops_that_are_offline_says_nothing() -> None:
    desk = Desk()
    desk.clock.turn(HOLD_MS)
    desk.gate.on_health(LOOPS, loops_health(), retained=False)
    desk.gate.on_vehicle(vehicle(), retained=False)
    desk.gate.on_health(LOOPS, loops_health("offline"), retained=False)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)
    desk.gate.on_health(LOOPS, loops_health("degraded"), retained=False)
    assert desk.serve(lift(id=NEXT)) == raised(lift(id=NEXT))


def test_loops_that_fell_silent_are_offline_though_another_device_speaks_for_them() -> None:
    desk = Desk()
    desk.gate.on_health(LOOPS, loops_health(), retained=False)
    desk.clock.turn(LIVE_MS + 1)
    desk.gate.on_vehicle(vehicle(), retained=False)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


def test_a_retained_vehicle_says_what_was() -> None:
    desk = Desk(heard=False)
    desk.clock.turn(HOLD_MS)
    desk.gate.on_vehicle(vehicle(), retained=True)
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


def test_after_a_start_a_lift_waits_for_the_first_word_of_the_loops() -> None:
    desk = Desk(heard=False)
    assert desk.gate.on_lift(lift()) == []
    assert desk.gate.on_lift(lift(not_after=stamp(NOW + 40_000))) == []
    assert desk.gate.on_time() == []
    desk.clock.turn(5_000)
    effects = desk.gate.on_vehicle(vehicle(), retained=False)
    assert effects == [Raise(lift(not_after=stamp(NOW + 40_000)))]
    assert desk.gate.due_ms is None


def test_after_a_start_without_any_word_of_the_loops_a_lift_is_refused_in_time() -> None:
    desk = Desk(heard=False)
    assert desk.gate.on_lift(lift()) == []
    due_ms = [desk.gate.due_ms]
    desk.clock.turn(HOLD_MS)
    assert answer_in(desk.refuse(desk.gate.on_time())) == Answer(lift().id, "refused", "car", NUMBER)
    assert [*due_ms, desk.gate.due_ms] == [desk.clock.steady_ms(), None]
    assert desk.serve(lift()) == Answer(lift().id, "refused", "car", NUMBER)


@pytest.mark.fault("broker-hour")
def test_after_a_long_cut_of_the_connection_a_lift_waits_again() -> None:
    desk = Desk()
    desk.clock.turn(60_000)
    desk.gate.on_connected()
    good = lift(not_after=stamp(desk.clock.wall_ms() + 30_000))
    assert desk.gate.on_lift(good) == []
    assert desk.gate.on_vehicle(vehicle(), retained=False) == [Raise(good)]


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
    desk.gate.on_vehicle(vehicle(), retained=False)
    fresh = lift(id=NEXT, not_after=stamp(desk.clock.wall_ms() + 30_000))
    assert desk.serve(fresh) == raised(fresh)


# A refusal stands: the worker passes the payment on, and a copy that was late would be a second holder of it


@pytest.mark.parametrize("restarts", [False, True])
def test_a_refusal_stands_for_every_copy_of_a_lift_that_comes_later(restarts: bool) -> None:
    desk = Desk()
    desk.gate.on_vehicle(vehicle(OTHER_CAR), retained=False)
    refused = Answer(lift().id, "refused", "car", NUMBER)
    assert desk.serve(lift()) == refused
    if restarts:
        desk.start()
    desk.gate.on_vehicle(vehicle(), retained=False)
    assert desk.serve(lift()) == refused
    assert desk.serve(lift(id=NEXT)) == raised(lift(id=NEXT)), "the same payment by its next lift"
    assert len(desk.rows) == 3, "a copy leaves no row"


@pytest.mark.parametrize("restarts", [False, True])
def test_a_lift_that_was_too_far_ahead_stays_refused_until_it_is_signed_anew(restarts: bool) -> None:
    desk = Desk()
    far, near = lift(not_after=stamp(NOW + 61_000)), lift(not_after=stamp(NOW + 32_000))
    assert desk.serve(far) == Answer(far.id, "refused", "too-far", NUMBER)
    desk.clock.turn(2_000)
    if restarts:
        desk.start()
        desk.gate.on_vehicle(vehicle(), retained=False)
    assert desk.serve(far) == Answer(far.id, "refused", "too-far", NUMBER)
    assert desk.serve(near) == raised(near)


def test_a_refusal_is_said_only_once_it_is_journaled() -> None:
    desk = Desk()
    desk.gate.on_vehicle(vehicle(OTHER_CAR), retained=False)
    assert desk.gate.on_lift(lift()) == [Refuse(lift(), "car")]
    assert desk.gate.on_lift(lift()) == []
    desk.gate.unrefused(lift())
    desk.gate.on_vehicle(vehicle(), retained=False)
    assert desk.serve(lift()) == raised(lift()), "nobody was told of a refusal"


def test_refusals_of_which_no_copy_can_be_valid_leave_the_memory() -> None:
    spent = Spent()
    first = lift("free", id=derived_id(NOW, "lift 0"))
    for number in range(2 * REFUSALS):
        at_ms = NOW + number * 60_000
        tried = lift("free", id=derived_id(NOW, f"lift {number}"), not_after=stamp(at_ms))
        spent.refuse(tried, "car", at_ms)
        assert spent.refused_before(tried) == "car"
        assert (spent.refused_before(first) == "car") == (number < REFUSALS)


# What is spent


@given(st.lists(st.tuples(st.sampled_from(["add", "discard"]), st.sampled_from("abcdef"))))
def test_digests_are_a_collection_of_texts(changes: list[tuple[str, str]]) -> None:
    digests, model = Digests(map(Digests.of, "ab")), ["a", "b"]
    for what, text in changes:
        if what == "add":
            digests.add(text)
            model.append(text)
        else:
            digests.discard(text)
            if text in model:
                model.remove(text)
        assert {text for text in "abcdefg" if text in digests} == set(model)


def test_rows_of_another_kind_are_no_barriers() -> None:
    with pytest.raises(ValueError, match="'fee' is no barrier's"):
        Spent().replay([Row(1, 1, "fee", b"")])


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
            if isinstance(effect, Say) and effect.answer:
                self.answers.setdefault(effect.answer.lift, []).append(effect.answer)
            elif isinstance(effect, Raise):
                assert self.under_way is None
                self.under_way = effect.lift, "decided"
            elif isinstance(effect, Refuse):
                self.heard(self.desk.refuse([effect]))

    @rule(target=lifts, reason=st.sampled_from(["paid", "credit", "free", "operator"]))
    def made(self, reason: str) -> Lift:
        self.count += 1
        return lift(reason, id=derived_id(NOW + self.count, reason), car=None)

    @rule(tried=lifts)
    def sent(self, tried: Lift) -> None:
        self.heard(self.desk.gate.on_lift(tried))

    @rule(tried=lifts)
    def forged(self, tried: Lift) -> None:
        self.heard(self.desk.gate.on_lift(lift("free", id=tried.id, key="stranger")))

    @rule(how=st.sampled_from(["go on", "go on", "fail"]))
    def goes_on(self, how: str) -> None:
        match self.under_way:
            case tried, "decided" if how == "fail":
                self.heard(self.desk.gate.unwritten(tried))
                self.under_way = None
            case tried, "decided":
                self.desk.journal(tried)
                self.under_way = tried, "journaled"
            case tried, "journaled" if how == "fail":
                self.heard(self.desk.gate.failed(tried))
                self.under_way = None
            case tried, "journaled":
                self.desk.pulsed.append(tried.id)
                self.under_way = tried, "pulsing"
            case tried, "pulsing":
                self.heard(self.desk.gate.raised(tried))
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


# The role


class Arm:
    """A relay that remembers its pulses, and an arm that rises on each; ``wrong`` is raised instead of a pulse."""

    def __init__(self) -> None:
        self.state: Boom = "down"
        self.pulses = 0
        self.covered: list[bool] = []
        self.closed = False
        self.wrong: Exception | None = None
        self.during: Callable[[], None] = lambda: None
        self._callback: Callable[[], None] = lambda: None

    async def pulse(self) -> None:
        if self.wrong:
            raise self.wrong
        self.pulses += 1
        self.moves("rising")
        self.during()
        await asyncio.sleep(0)

    def moves(self, state: Boom) -> None:
        self.state = state
        self._callback()

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def under_boom(self, covered: bool) -> None:
        self.covered.append(covered)

    def close(self) -> None:
        self.closed = True


class Lane:
    """A barrier role in a lane of its own, with a car before the boom."""

    def __init__(self, book: Book, arm: Any, **options: Any) -> None:
        self.bus, self.clock, self.arm = MemoryBus(), TestClock(NOW), arm
        link = Link(self.bus.as_bus(), garage=GARAGE, lane=LANE, role="barrier", version="1", clock=self.clock)
        self.task: asyncio.Task[None]
        self.role = BarrierRole(link, arm, book, beliefs(), **{"every_s": 60, "disk_every_s": 60, **options})

    async def hears(self, message: Message) -> None:
        await self.bus.hears(f"parking/{GARAGE}/{LANE}/{type(message).__name__.lower()}", message)

    async def answers(self, count: int) -> list[Answer]:
        """The first ``count`` answers."""
        said: list[Barrier] = []
        while len(found := [b.answer for b in said if b.answer]) < count:
            said = await self.bus.until(Barrier, len(said) + 1)
        return found[:count]

    async def alerted(self, code: str, state: str = "raised") -> Alert:
        said: list[Alert] = []
        while not (found := [a for a in said if (a.code, a.state) == (code, state)]):
            said = await self.bus.until(Alert, len(said) + 1)
        return found[0]


def open_book(folder: Path, **options: Any) -> Book:
    return Book.open(folder / "barrier.db", NOW, **{"ballast_bytes": 4096, **options})


@asynccontextmanager
async def serving(book: Book, arm: Any = None, *, car: bool = True, **options: Any) -> AsyncIterator[Lane]:
    """The role at work; whatever it raises is raised here, but for its being cancelled."""
    lane = Lane(book, arm or Arm(), **options)
    lane.task = asyncio.create_task(lane.role.run())
    outcome: BaseException | None = None
    try:
        await lane.bus.until(Barrier, 1)
        if car:
            await lane.hears(vehicle())
        yield lane
    finally:
        lane.task.cancel()
        (outcome,) = await asyncio.gather(lane.task, return_exceptions=True)
        book.close()
    if not isinstance(outcome, asyncio.CancelledError):  # not in `finally`: what the test found comes first
        raise outcome or AssertionError("the role ended")


async def test_a_paid_lift_pulses_the_relay_once_however_often_it_is_sent(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path)) as lane:
        for _ in range(5):
            await lane.hears(lift())
        await lane.answers(1)
        for _ in range(5):
            await lane.hears(lift())
        assert await lane.answers(6) == [raised(lift())] * 6
        assert lane.arm.pulses == 1
        assert lane.bus.unacknowledged == 0
    assert lane.arm.closed
    with open_book(tmp_path) as book:
        assert [row.kind for row in book.journal.replay()] == ["intent", "done"]
        assert book.spent.last is not None
        assert book.spent.last.lift == lift().id


@pytest.mark.fault("cut-barrier")
async def test_the_intent_is_flushed_before_the_pulse_and_done_does_not_delay_the_answer(tmp_path: Path) -> None:
    story: list[str] = []
    answered = threading.Event()

    class Noted(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                story.append("flush")
                if "pulse" in story:
                    assert answered.wait(5)
            return super().execute(sql, *args)

    def connect(path: str) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Noted)

    async with serving(open_book(tmp_path, connect=connect)) as lane:
        story.clear()
        lane.arm.during = lambda: story.append("pulse")
        await lane.hears(lift())
        await lane.answers(1)
        answered.set()
    assert story == ["flush", "pulse", "flush"]


@pytest.mark.fault("cut-barrier")
async def test_a_lift_is_acknowledged_only_when_its_intent_is_on_the_disk(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path)) as lane:
        lane.arm.during = lambda: unacknowledged.append(lane.bus.unacknowledged)
        unacknowledged: list[int] = []
        await lane.hears(lift())
        await lane.answers(1)
        assert unacknowledged == [1]
        assert lane.bus.unacknowledged == 0


STEPS = ["before the intent", "intent", "pulse", "before done", "done"]


@pytest.mark.fault("cut-barrier")
@pytest.mark.parametrize("died_at", STEPS)
async def test_killed_at_any_step_the_barrier_never_pulses_twice(tmp_path: Path, died_at: str) -> None:
    at_death: dict[str, Path] = {}

    def dies(step: str) -> None:
        folder = tmp_path / step
        folder.mkdir()
        for file in tmp_path.glob("barrier.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, folder)
        at_death[step] = folder

    steps = iter(["before the intent", "intent", "before done", "done"])

    class Dying(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and armed:
                dies(next(steps))
            cursor = super().execute(sql, *args)
            if sql == "COMMIT" and armed:
                dies(next(steps))
            return cursor

    def connect(path: str) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Dying)

    armed = False
    book = open_book(tmp_path, connect=connect)
    async with serving(book) as lane:
        armed = True
        lane.arm.during = lambda: dies("pulse")
        await lane.hears(lift())
        await lane.answers(1)
    assert set(at_death) == set(STEPS)

    async with serving(open_book(at_death[died_at])) as lane:
        await lane.hears(lift())
        (answer,) = await lane.answers(1)
        if died_at == "before the intent":
            assert (answer, lane.arm.pulses) == (raised(lift()), 1)
        else:
            unknown = Answer(lift().id, "unknown", None, NUMBER)
            assert (answer, lane.arm.pulses) == (raised(lift()) if died_at == "done" else unknown, 0)
            await lane.hears(lift(id=OTHER_CAR))
            assert (await lane.answers(2))[1] == Answer(OTHER_CAR, "refused", "spent", NUMBER)


def failing(*, code: int, times: list[int]) -> Callable[[str], sqlite3.Connection]:
    """Connections whose next ``times[0]`` COMMITs fail with SQLite's error ``code``."""

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and times[0]:
                times[0] -= 1
                error = sqlite3.OperationalError("it cannot be written")
                error.sqlite_errorcode = code
                raise error
            return super().execute(sql, *args)

    return lambda path: sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Failing)


@pytest.mark.fault("torn-write")
async def test_without_a_journal_no_pulse_and_the_role_stops_once_it_has_said_so(tmp_path: Path) -> None:
    times = [0]
    book = open_book(tmp_path, connect=failing(code=sqlite3.SQLITE_IOERR, times=times))
    with pytest.raises(ExceptionGroup) as caught:
        async with serving(book) as lane:
            times[0] = 1
            await lane.hears(lift())
            assert await lane.answers(1) == [Answer(lift().id, "refused", "journal", NUMBER)]
            assert (await lane.alerted("journal")).severity == "critical"
            await asyncio.wait([lane.task], timeout=5)
    assert caught.value.subgroup(JournalFailed)
    assert lane.arm.pulses == 0
    assert lane.arm.closed


@pytest.mark.fault("disk-full")
async def test_on_a_full_disk_the_reserve_serves_the_driver_and_a_person_is_told(tmp_path: Path) -> None:
    times = [0]
    book = open_book(tmp_path, connect=failing(code=sqlite3.SQLITE_FULL, times=times))
    async with serving(book) as lane:
        times[0] = 1
        await lane.hears(lift())
        assert await lane.answers(1) == [raised(lift())]
        await lane.alerted("disk-full")
        assert not book.journal.ballast.held


@pytest.mark.fault("disk-full")
async def test_without_a_reserve_a_full_disk_refuses_until_there_is_room(tmp_path: Path) -> None:
    times = [0]
    book = open_book(tmp_path, ballast_bytes=0, connect=failing(code=sqlite3.SQLITE_FULL, times=times))
    async with serving(book) as lane:
        times[0] = 1
        await lane.hears(lift())
        assert await lane.answers(1) == [Answer(lift().id, "refused", "journal", NUMBER)]
        await lane.alerted("journal")
        assert lane.arm.pulses == 0
        await lane.hears(lift(id=NEXT))
        assert (await lane.answers(2))[1] == raised(lift(id=NEXT))


async def test_once_there_is_room_again_the_reserve_is_held_and_the_alert_cleared(tmp_path: Path) -> None:
    times = [0]
    book = open_book(tmp_path, connect=failing(code=sqlite3.SQLITE_FULL, times=times))
    async with serving(book, disk_every_s=0.01) as lane:
        times[0] = 1
        await lane.hears(lift())
        await lane.alerted("disk-full", "cleared")
        assert book.journal.ballast.held


@pytest.mark.fault("arm-stuck")
async def test_a_relay_that_fails_is_answered_unknown_told_and_forgiven(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path)) as lane:
        lane.arm.wrong = OSError("no such chip")
        await lane.hears(lift())
        assert await lane.answers(1) == [Answer(lift().id, "unknown", None, NUMBER)]
        assert "no such chip" in (await lane.alerted("relay")).text
        lane.arm.wrong = None
        await lane.hears(lift("credit"))
        assert (await lane.answers(2))[1] == raised(lift("credit"))
        await lane.alerted("relay", "cleared")
        assert lane.arm.pulses == 1


async def test_every_move_of_the_boom_is_said_retained_with_its_lift(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path)) as lane:
        await lane.hears(lift())
        await lane.answers(1)
        for state in ("up", "lowering", "down"):
            lane.arm.moves(state)
        said = await lane.bus.until(Barrier, 6)
    assert [(b.state, b.lift, b.answer is not None) for b in said] == [
        ("down", None, False),
        ("rising", lift().id, False),
        ("rising", lift().id, True),
        ("up", lift().id, False),
        ("lowering", lift().id, False),
        ("down", lift().id, False),
    ]
    topic = f"parking/{GARAGE}/{LANE}/barrier"
    assert {(t, retain) for t, _, retain in lane.bus.said if t.endswith("/barrier") and "health" not in t} == {
        (topic, True)
    }


async def test_the_state_is_said_again_with_a_new_time(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path), every_s=0.001) as lane:
        lane.clock.turn(7_000)
        said = await lane.bus.until(Barrier, len(lane.bus.of(Barrier)) + 2)
    assert said[-1].at == stamp(NOW + 7_000)


async def test_a_fault_of_the_arm_is_told_and_cleared(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path)) as lane:
        lane.arm.moves("fault")
        await lane.alerted("arm")
        lane.arm.moves("rising")
        await lane.alerted("arm", "cleared")


async def test_the_arm_hears_of_the_loop_under_it_until_the_loops_fall_silent(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path), car=False, every_s=0.001) as lane:
        await lane.hears(vehicle(under_boom=True))
        await lane.bus.until(Barrier, len(lane.bus.of(Barrier)) + 2)
        assert lane.arm.covered[-1] is True
        lane.clock.turn(LIVE_MS + 1)
        await lane.bus.until(Barrier, len(lane.bus.of(Barrier)) + 3)
        assert lane.arm.covered[-1] is False


@pytest.mark.fault("forged-lift")
async def test_forged_lifts_are_refused_counted_and_told_once(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path)) as lane:
        for _ in range(20):
            await lane.hears(lift(key="stranger"))
        assert {answer.why for answer in await lane.answers(20)} == {"signature"}
        await lane.alerted("forged-lift")
        assert [alert.code for alert in lane.bus.of(Alert)].count("forged-lift") == 1
        assert lane.arm.pulses == 0
        assert lane.bus.unacknowledged == 0


async def test_a_lift_held_for_a_car_is_answered_by_the_timer(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path), car=False) as lane:
        await lane.hears(lift())
        lane.clock.turn(HOLD_MS)
        lane.role._perform([])  # plan anew: the clock was turned by hand
        assert await lane.answers(1) == [Answer(lift().id, "refused", "car", NUMBER)]


async def test_after_a_long_cut_a_lift_waits_for_the_loops(tmp_path: Path) -> None:
    async with serving(open_book(tmp_path)) as lane:
        lane.bus.connect(False)
        lane.clock.turn(60_000)
        lane.bus.connect(True)
        good = lift(not_after=stamp(NOW + 90_000))
        await lane.hears(good)
        await lane.hears(vehicle())
        assert await lane.answers(1) == [raised(good)]


@pytest.mark.fault("journal-damaged")
async def test_a_damaged_journal_is_moved_aside_and_what_is_intact_still_counts(tmp_path: Path) -> None:
    with open_book(tmp_path) as book:
        for n in range(40):
            spent = lift("free", id=derived_id(NOW + n, "lift"), note="x" * 200)
            book.journal.append_now([intent_row(spent), done_row(spent)], NOW)
    path = tmp_path / "barrier.db"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(derived_id(NOW, "lift").encode(), derived_id(NOW, "fake").encode()))
    book = open_book(tmp_path)
    assert "damaged at row 1" in book.damaged
    assert list(tmp_path.glob("barrier.db.damaged-*"))
    assert derived_id(NOW + 39, "lift") in book.spent.ids
    async with serving(book, every_s=0.001) as lane:
        await lane.hears(lift())
        assert await lane.answers(1) == [Answer(lift().id, "refused", "journal", NUMBER)]
        assert lane.arm.pulses == 0
        await lane.alerted("journal-damaged")
        lane.clock.turn(60_000)
        await lane.alerted("journal-damaged", "cleared")
        await lane.hears(vehicle())
        await lane.hears(lift(not_after=stamp(NOW + 90_000), id=NEXT))
        assert (await lane.answers(2))[1] == raised(lift(id=NEXT))


async def test_old_lifts_are_forgotten_in_time(tmp_path: Path) -> None:
    book = open_book(tmp_path)
    for n in range(100):
        spent = lift("free", id=derived_id(NOW + n, "lift"))
        book.journal.append_now([intent_row(spent), done_row(spent)], NOW)
    async with serving(book, keep_rows=50, disk_every_s=0.001):
        while next(book.journal.replay()).seq == 1:
            await asyncio.sleep(0.001)  # pruning says nothing on the bus
        assert [row.seq for row in book.journal.replay()] == list(range(151, 201))


async def test_a_workers_journal_is_no_barriers(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "barrier.db", role="worker") as journal:
        journal.append_now([("fee", b"")], 1)
    with pytest.raises(Exception, match="another role"):
        open_book(tmp_path)
    assert not list(tmp_path.glob("*damaged*"))


async def test_the_real_relay_sees_one_pulse(tmp_path: Path) -> None:
    pins = MockFactory()
    wire = SimulatedRelay(pins, 17)
    async with (
        RelayBarrier(17, pin_factory=pins, pulse_s=0.01, rise_s=0.01, close_s=0.01) as relay,
        serving(open_book(tmp_path), relay) as lane,
    ):
        while relay.state != "down":
            await lane.bus.until(Barrier, len(lane.bus.of(Barrier)) + 1)
        await lane.hears(lift())
        await lane.answers(1)
        await lane.hears(lift())
        assert await lane.answers(2) == [raised(lift())] * 2
    assert [state.state for state in wire.pin.states] == [False, True, False]
