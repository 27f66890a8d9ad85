"""terminal/roles/barrier: one lift, at most one pulse, and an answer, whatever fails and whenever."""

import shutil
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.relay import RelayBarrier
from drivers.simulated import SimulatedRelay
from terminal.contract.messages import Alert, Answer, Barrier, Health, stamp
from terminal.contract.topics import SILENT_MS
from terminal.core.ids import derived_id
from terminal.journal.journal import Journal
from terminal.roles.barrier.controller import HOLD_MS
from terminal.roles.barrier.second_barrier import GONE_MS, SecondBarrier
from terminal.roles.barrier.spent_lifts import done_row, intent_row
from tests.support.barrier_lane import open_book, serving
from tests.support.eventually import eventually
from tests.support.lifts import GARAGE, LANE, NEXT, NOW, NUMBER, OTHER_CAR, lift, raised, vehicle
from tests.support.turned_clock import TurnedClock


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
        lane.clock.turn(SILENT_MS + 1)
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
        await eventually(lambda: next(book.journal.replay()).seq != 1)
        assert [row.seq for row in book.journal.replay()] == list(range(151, 201))


async def test_a_workers_journal_is_no_barriers(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "barrier.db", role="worker") as journal:
        journal.append_now([("fee", b"")], 1)
    with pytest.raises(Exception, match="another role"):
        open_book(tmp_path)
    assert not list(tmp_path.glob("*damaged*"))


def word(number: int, state: Any = "online", instance: str = "other") -> Health:
    """What a barrier says of its health."""
    return Health(
        id=derived_id(NOW, str(number)), at=stamp(NOW), state=state, version="1", instance=instance, since=stamp(NOW)
    )


async def test_a_second_barrier_is_told_once_stops_nothing_and_is_forgotten_when_it_is_gone(tmp_path: Path) -> None:
    topic = f"parking/{GARAGE}/{LANE}/health/barrier"
    async with serving(open_book(tmp_path), every_s=0.001) as lane:
        for number in range(50):
            await lane.bus.hears(topic, word(number))
        assert (await lane.alerted("second-barrier")).severity == "critical"
        await lane.hears(lift())
        assert await lane.answers(1) == [raised(lift())]
        assert [alert.code for alert in lane.bus.of(Alert)] == ["second-barrier"]
        assert {health.state for health in lane.bus.of(Health)} == {"online", "degraded"}
        lane.clock.turn(GONE_MS + 1)
        await lane.alerted("second-barrier", "cleared")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (f"{LANE}/health/barrier", [word(1), word(1), word(2, "offline")]),
        (f"{LANE}/health/barrier", [word(number, instance="test") for number in range(9)]),
        (f"{LANE}/health/lcd", [word(number) for number in range(9)]),
        ("garage/health/barrier", [word(number) for number in range(9)]),
    ],
    ids=["the last of the process before", "itself", "another role", "another place"],
)
async def test_no_other_word_makes_a_second_barrier(tmp_path: Path, place: str, words: list[Health]) -> None:
    async with serving(open_book(tmp_path)) as lane:
        for said in words:
            await lane.bus.hears(f"parking/{GARAGE}/{place}", said)
        await lane.hears(lift())
        await lane.answers(1)
        assert lane.bus.of(Alert) == []


def test_two_barriers_that_cut_each_other_off_hear_only_what_the_broker_kept() -> None:
    clock = TurnedClock(NOW)
    second = SecondBarrier("test", clock)
    for number, there in enumerate([False, False, True]):
        second.note_health(word(number, "offline"), retained=True)
        assert second.is_there == there
    clock.turn(GONE_MS)
    assert second.is_there
    clock.turn(1)
    assert not second.is_there
    second.note_health(word(4), retained=False)
    assert not second.is_there, "it begins anew"
    second.note_health(word(5), retained=False)
    assert second.is_there


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
