"""terminal/app/journaled: which failures of a role are its journal's, and what is said meanwhile."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from terminal.app.journal_watch import JournalWatch, OutOfOrder
from terminal.clock import SystemClock, new_id
from terminal.config.schema import ConfigError
from terminal.contract.messages import Alert, Health, Screen, stamp
from terminal.journal.rows import JournalError, JournalFailed, JournalForeign, JournalFull, JournalLocked
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.worker.journal_keeper import WorkerJournal
from tests.support.evening import BALLAST, full_while
from tests.support.eventually import eventually
from tests.support.memory_bus import MemoryBus
from tests.support.story import T0

PATH = Path("j.db")
CLOCK = SystemClock()
Serve = Callable[[WorkerJournal], Awaitable[None]]


def a_link(bus: MemoryBus) -> Endpoint:
    return Endpoint(bus.as_bus(), garage="marina", lane=None, role="worker", version="1", clock=CLOCK, heartbeat_s=0.01)


async def for_ever(_: WorkerJournal) -> None:
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def kept(
    bus: MemoryBus, open_: Callable[[], WorkerJournal], serve: Serve = for_ever
) -> AsyncIterator[asyncio.Task[None]]:
    endpoint = a_link(bus)
    away = OutOfOrder(endpoint, {"exit-1"}).run
    role = JournalWatch(
        endpoint, open_, serve, away, key="journal.path", cannot="nothing works", beats_on=True, pauses_s=(0.01,)
    )
    task = asyncio.create_task(role.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def store(folder: Path, **options: object) -> WorkerJournal:
    return WorkerJournal.open(folder / "j.db", lambda: T0, ballast_bytes=BALLAST, **options)


def alerts(bus: MemoryBus) -> list[tuple[str, str]]:
    return [(alert.code, alert.state) for alert in bus.of(Alert)]


@pytest.mark.fault("journal-unwritable")
@pytest.mark.parametrize(
    "error", [JournalFailed(PATH, "I/O error"), JournalFull(PATH, "it is full"), OSError(30, "Read-only file system")]
)
async def test_a_journal_that_does_not_open_is_tried_again_told_once_and_shown(
    tmp_path: Path, error: Exception
) -> None:
    bus, failures = MemoryBus(), [error] * 5
    served = asyncio.Event()

    def open_() -> WorkerJournal:
        if failures:
            raise failures.pop()
        return store(tmp_path)

    async def serve(_: WorkerJournal) -> None:
        served.set()
        await asyncio.Event().wait()

    async with kept(bus, open_, serve):
        await asyncio.wait_for(served.wait(), 10)
        await eventually(lambda: bus.of(Health)[-1].state == "online")
        assert [(s.state, s.reason) for s in bus.of(Screen)] == [("out-of-order", "journal")]
        assert alerts(bus) == [("journal", "raised"), ("journal", "cleared")]
        (told, _) = bus.of(Alert)
        assert told.severity == "critical" and told.text.startswith("nothing works: ")
        assert "offline" not in {health.state for health in bus.of(Health)}
        assert any(health.reason == told.text for health in bus.of(Health))


@pytest.mark.fault("journal-unwritable", "torn-write")
async def test_a_role_whose_journal_fails_begins_anew_from_what_is_on_the_disk(tmp_path: Path) -> None:
    bus, rows = MemoryBus(), list[list[str]]()

    async def serve(opened: WorkerJournal) -> None:
        rows.append([row.kind for row in opened.replay()])
        async with asyncio.TaskGroup() as group:
            await opened.append([(f"life-{len(rows)}", b"")], T0)
            if len(rows) < 3:
                await bus_link.alert("disk", "nearly full")
                group.create_task(fails())
            await asyncio.Event().wait()

    async def fails() -> None:
        raise JournalFailed(PATH, "I/O error")

    endpoint = bus_link = a_link(bus)
    role = JournalWatch(
        endpoint,
        lambda: store(tmp_path),
        serve,
        OutOfOrder(endpoint, set()).run,
        key="journal.path",
        cannot="nothing works",
        pauses_s=(0.01,),
    )
    task = asyncio.create_task(role.run())
    await eventually(lambda: len(rows) == 3)
    task.cancel()
    await asyncio.wait([task])
    assert rows == [[], ["life-1"], ["life-1", "life-2"]]
    assert alerts(bus).count(("journal", "raised")) == alerts(bus).count(("journal", "cleared")) == 2
    assert alerts(bus).count(("disk", "cleared")) == 2, "what the role told is the next one's to tell"


async def test_a_write_that_fails_is_no_opening(tmp_path: Path) -> None:
    bus, is_full = MemoryBus(), tmp_path / "full"
    store(tmp_path).close()
    (tmp_path / "j.db.ballast").unlink()
    is_full.touch()
    served: list[bool] = []

    async def serve(_: WorkerJournal) -> None:
        served.append(is_full.exists())
        await asyncio.Event().wait()

    def open_() -> WorkerJournal:
        return WorkerJournal.open(tmp_path / "j.db", lambda: T0, ballast_bytes=1 << 60, connect=full_while(is_full))

    async with kept(bus, open_, serve):
        await eventually(lambda: ("journal", "raised") in alerts(bus))
        is_full.unlink()
        await eventually(lambda: bool(served))
    assert served == [False]


async def test_with_a_reserve_a_full_disk_is_the_roles_own_matter(tmp_path: Path) -> None:
    bus, is_full = MemoryBus(), tmp_path / "full"
    store(tmp_path).close()
    is_full.touch()
    served = asyncio.Event()

    async def serve(_: WorkerJournal) -> None:
        served.set()
        await asyncio.Event().wait()

    async with kept(bus, lambda: store(tmp_path, connect=full_while(is_full)), serve):
        await asyncio.wait_for(served.wait(), 10)
    assert alerts(bus) == []


@pytest.mark.parametrize("error", [JournalForeign(PATH, "another role's"), JournalLocked(PATH, "another process")])
async def test_what_must_be_set_right_ends_the_start_but_no_role_at_work(tmp_path: Path, error: JournalError) -> None:
    def wrong() -> WorkerJournal:
        raise error

    async with kept(MemoryBus(), wrong) as task:
        with pytest.raises(ExceptionGroup) as ended:
            await task
        (refused,) = ended.value.exceptions
        assert isinstance(refused, ConfigError) and str(refused).startswith(f"journal.path: {error}; ")

    bus, lives, left = MemoryBus(), list[int](), [error]

    def later() -> WorkerJournal:
        if lives and left:
            raise left.pop()
        return store(tmp_path)

    async def serve(_: WorkerJournal) -> None:
        lives.append(1)
        if len(lives) == 1:
            raise JournalFailed(PATH, "I/O error")
        await asyncio.Event().wait()

    async with kept(bus, later, serve):
        await eventually(lambda: len(lives) == 2)
        assert not left


@pytest.mark.parametrize("error", [RuntimeError("ours"), sqlite3.OperationalError("ours too")])
async def test_a_mistake_of_ours_ends_the_process_also_beside_a_journal_that_failed(
    tmp_path: Path, error: Exception
) -> None:
    async def serve(_: WorkerJournal) -> None:
        raise ExceptionGroup("", [JournalFailed(PATH, "I/O error"), error])

    async with kept(MemoryBus(), lambda: store(tmp_path), serve) as task:
        with pytest.raises(ExceptionGroup) as ended:
            await task
        assert ended.value.subgroup(type(error))
    store(tmp_path).close()  # the lock was given back


async def test_every_lane_that_is_heard_of_is_shown_as_out_of_order() -> None:
    bus = MemoryBus()
    task = asyncio.create_task(OutOfOrder(a_link(bus), {"exit-1"}).run())
    await bus.until(Screen, 1)
    for place in ("exit-2", "garage", "exit-2"):
        now = stamp(CLOCK.wall_ms())
        health = Health(id=new_id(CLOCK), at=now, state="online", version="1", instance="x", since=now)
        await bus.hears(f"parking/marina/{place}/health/lcd", health)
    await bus.until(Screen, 2)
    task.cancel()
    await asyncio.wait([task])
    assert [topic for topic, _, retained in bus.said if retained] == [
        "parking/marina/exit-1/screen", "parking/marina/exit-2/screen",
    ]  # fmt: skip
    assert bus.unacknowledged == 0
