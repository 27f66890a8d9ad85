"""A worker's journal of either kind, in a file or in a database: a test that takes ``journals`` runs on both."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

from terminal.journal.append_only import AppendOnlyJournal
from terminal.journal.history import FileHistory, JournalHistory
from terminal.journal.journal import Journal
from terminal.journal.postgres import lease
from terminal.journal.postgres.connection import BoundedConnection, DatabaseAddress
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease
from terminal.journal.postgres.reading import DatabaseHistory
from terminal.journal.rows import Row
from tests.support.postgres import Cluster


class WritableJournal(AppendOnlyJournal, Protocol):
    """What a test does with a journal beside what its keeper does."""

    async def prune(self, through: int) -> None: ...

    async def backup(self, target: Path) -> int: ...

    def __enter__(self) -> "WritableJournal": ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: object) -> None: ...


class JournalKind(Protocol):
    """One place for a journal; open() it again and again."""

    kind: str

    def open(self) -> WritableJournal: ...

    def history(self) -> JournalHistory: ...

    def place(self) -> str:
        """As an operator types it."""

    def alter(self, column: str, seq: int) -> None:
        """Change what is stored of a row, beside the program."""

    def lose(self, first: int, last: int) -> None:
        """Take rows away, beside the program."""


class FileKind:
    """In a file."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "j.db"

    def open(self) -> WritableJournal:
        return Journal.open(self.path, role="worker", ballast_bytes=0)

    def history(self) -> JournalHistory:
        return FileHistory(self.path)

    def place(self) -> str:
        return str(self.path)

    def alter(self, column: str, seq: int) -> None:
        value = "zeroblob(16)" if column in ("data", "chain") else f"{column} + 1"
        self._change(f"UPDATE entry SET {column} = {value} WHERE seq = {seq}")

    def lose(self, first: int, last: int) -> None:
        self._change(f"DELETE FROM entry WHERE seq BETWEEN {first} AND {last}")

    def _change(self, sql: str) -> None:
        import sqlite3

        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute(sql)


class DatabaseKind:
    """In a database of its own."""

    kind = "postgres"

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.database = cluster, cluster.database()
        self._holders = iter(range(1, 1_000))

    @property
    def address(self) -> DatabaseAddress:
        return self.cluster.address(self.database)

    def open(self) -> WritableJournal:
        return PostgresJournal.open(self.address, Lease(f"test-{next(self._holders)}"))

    def history(self) -> JournalHistory:
        return DatabaseHistory(self.address)

    def place(self) -> str:
        return self.address.url

    def alter(self, column: str, seq: int) -> None:
        value = "'\\x" + "00" * 16 + "'" if column in ("data", "chain") else f"{column} + 1"
        self.cluster.execute(self.database, f"UPDATE entry SET {column} = {value} WHERE seq = {seq}")

    def lose(self, first: int, last: int) -> None:
        self.cluster.execute(self.database, f"DELETE FROM entry WHERE seq BETWEEN {first} AND {last}")

    def steal(self) -> PostgresJournal:
        """Opened although another holds the lease, as after its 3 s."""
        with BoundedConnection.open(self.address, "thief") as connection:
            seen = lease.look(connection)
        return PostgresJournal.open(self.address, Lease("thief"), seen=seen)


def fill(journals: JournalKind, count: int = 30) -> list[Row]:
    """A closed journal with ``count`` rows, and what a replay must yield."""
    with journals.open() as journal:
        for n in range(1, count + 1, 100):
            rows = [("fact", f"what happened {m} ".encode() * 8) for m in range(n, min(n + 100, count + 1))]
            journal.append_now(rows, 1_000 + n)
        return list(journal.replay())


def replayed(journals: JournalKind) -> list[Row]:
    with journals.open() as journal:
        return list(journal.replay())


async def together(journal: WritableJournal, count: int) -> list[int]:
    """Appends that wait at the same time."""
    return await asyncio.gather(*(journal.append([("fact", b"%d" % n)], n) for n in range(count)))


def kinds_of(kind: str, folder: Path, cluster: Cluster | None) -> Iterator[JournalKind]:
    """The journal's place, and its end."""
    if kind == "sqlite":
        yield FileKind(folder)
        return
    assert cluster
    place = DatabaseKind(cluster)
    yield place
    cluster.drop(place.database)
