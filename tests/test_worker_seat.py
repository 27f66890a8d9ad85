"""terminal/app/worker_seat.py: who sits, who stands by, and what a start on a database in doubt says."""

import asyncio
from collections.abc import Callable

import pytest

from terminal.app.worker_seat import WorkerSeat
from terminal.config.schema import ConfigError
from terminal.core.events import Damaged
from terminal.journal.kinds import OPENED
from terminal.journal.postgres.connection import DatabaseAddress
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease
from terminal.journal.postgres.reading import DatabaseHistory
from terminal.roles.worker.journal_keeper import WorkerJournal
from tests.support.eventually import eventually
from tests.support.postgres import Cluster

KEYS = frozenset({"a"})


class Sitting:
    """A seat, and the worker that sits in it: it appends what a test tells it to."""

    def __init__(self, address: DatabaseAddress, keys: frozenset[str] = KEYS) -> None:
        self.told: list[tuple[str, bool]] = []
        self.seat = WorkerSeat(address, keys, lambda: 5, tell=lambda words, well: self.told.append((words, well)))
        self.sat: list[tuple[WorkerJournal, Lease]] = []
        self.fails: Callable[[], None] = lambda: None
        self._task = asyncio.create_task(self.seat.run(self._serve))

    async def _serve(self, log: WorkerJournal, lease: Lease) -> None:
        list(log.replay())
        await log.append([("fact", b"works")], 1)
        self.sat.append((log, lease))  # after its row: who waits for this one's work counts the rows
        await asyncio.Event().wait()

    @property
    def works(self) -> bool:
        return bool(self.sat) and self.sat[-1][1].is_valid

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def ended(self) -> None:
        await self._task


async def test_the_second_stands_by_and_has_the_seat_as_soon_as_the_first_has_ended(
    postgres: Cluster, database: str
) -> None:
    first = Sitting(postgres.address(database))
    await eventually(lambda: first.works)
    second = Sitting(postgres.address(database))
    await eventually(lambda: second.told)
    assert second.told[-1] == (f"stands by for {first.seat.holder}, at row 2", True)
    assert not second.sat
    await first.end()
    await eventually(lambda: second.works)
    await second.end()
    rows = list(DatabaseHistory(postgres.address(database)).read())
    assert [row.kind for row in rows] == [OPENED, "fact"] * 2
    assert [row.data.split(b",")[0] for row in rows if row.kind == OPENED] == [b"epoch 1", b"epoch 2"]


async def test_one_whose_database_is_cut_off_gets_up_and_sits_again_when_it_is_back(
    postgres: Cluster, database: str
) -> None:
    sitting = Sitting(postgres.address(database))
    await eventually(lambda: sitting.works)
    await asyncio.to_thread(postgres.cut, database)
    await eventually(lambda: len(sitting.sat) == 2 and sitting.works)
    assert not sitting.sat[0][1].is_valid
    assert sitting.sat[1][0].damaged == "", "nothing that was acknowledged is missing"
    await sitting.end()


@pytest.mark.fault("database-lies")
async def test_rows_that_were_acknowledged_and_are_missing_put_the_next_start_in_doubt(
    postgres: Cluster, database: str
) -> None:
    sitting = Sitting(postgres.address(database))
    await eventually(lambda: sitting.works)
    await sitting.sat[0][0].append([("fact", b"acknowledged")], 2)
    sql = "DELETE FROM entry WHERE seq = 3; UPDATE journal SET seq = 2, chain = (SELECT chain FROM entry WHERE seq = 2)"
    await asyncio.to_thread(postgres.execute, database, sql)
    await asyncio.to_thread(postgres.cut, database)
    await eventually(lambda: len(sitting.sat) == 2 and sitting.works)
    assert "row 3 was acknowledged, and is missing" in sitting.sat[1][0].damaged
    await sitting.end()
    kinds = [row.kind for row in DatabaseHistory(postgres.address(database)).read()]
    assert kinds == [OPENED, "fact", Damaged.__name__, OPENED, "fact"]


@pytest.mark.fault("database-lies")
async def test_rows_that_a_standby_has_seen_and_that_are_missing_put_its_start_in_doubt(
    postgres: Cluster, database: str
) -> None:
    """As after the promotion of a second server that was not synchronous."""
    address = postgres.address(database)
    journal = await asyncio.to_thread(PostgresJournal.open, address, Lease("first"), keys=KEYS)
    await journal.append([("fact", b"1")], 1)
    await journal.append([("fact", b"2")], 2)
    sitting = Sitting(address)
    await eventually(lambda: sitting.told and "at row 2" in sitting.told[-1][0])
    sql = "DELETE FROM entry WHERE seq = 2; UPDATE journal SET seq = 1, chain = (SELECT chain FROM entry WHERE seq = 1)"
    await asyncio.to_thread(postgres.execute, database, sql)
    await asyncio.to_thread(postgres.cut, database)
    await eventually(lambda: sitting.works, limit_s=20)
    assert "row 2 was acknowledged, and is missing" in sitting.sat[0][0].damaged
    await sitting.end()
    await asyncio.to_thread(journal.close)
    kinds = [row.kind for row in DatabaseHistory(address).read()]
    assert kinds == ["fact", Damaged.__name__, OPENED, "fact"]


async def test_a_copy_that_was_put_back_begins_in_doubt_once(postgres: Cluster, database: str) -> None:
    sitting = Sitting(postgres.address(database))
    await eventually(lambda: sitting.works)
    await sitting.end()
    copy = await asyncio.to_thread(postgres.database, f"TEMPLATE {database}")
    for damaged in ("is a copy that was put back", ""):
        sitting = Sitting(postgres.address(copy))
        await eventually(lambda: sitting.works)  # noqa: B023 - awaited here
        assert damaged in sitting.sat[0][0].damaged
        assert bool(damaged) == bool(sitting.sat[0][0].damaged)
        await sitting.end()
    await asyncio.to_thread(postgres.drop, copy)


async def test_a_strange_database_ends_a_start_and_not_a_standby(postgres: Cluster, database: str) -> None:
    first = Sitting(postgres.address(database))
    await eventually(lambda: first.works)
    await first.end()
    with pytest.raises(ConfigError, match=r"^journal\.url: .*another garage is called marina"):
        await Sitting(postgres.address(database), frozenset({"z"})).ended()


async def test_a_database_that_is_not_there_yet_is_waited_for(postgres: Cluster) -> None:
    name = "comes_later"
    sitting = Sitting(postgres.address(name))
    await eventually(lambda: sitting.told)
    assert "waits for its journal" in sitting.told[0][0] and not sitting.told[0][1]
    await asyncio.to_thread(postgres.execute, "postgres", f"CREATE DATABASE {name}")
    await eventually(lambda: sitting.works)
    await sitting.end()
    await asyncio.to_thread(postgres.drop, name)
