"""A barrier whose disk is full or fails: it pulses for nothing that it could not write down, and says so."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from terminal.contract.messages import Answer
from terminal.journal.rows import JournalFailed
from tests.support.barrier_lane import open_book, serving
from tests.support.lifts import NEXT, NUMBER, lift, raised


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
