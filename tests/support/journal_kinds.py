"""A worker's journal of either kind, in a file or in a database: a test that takes ``journals`` runs on both."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Literal, Protocol, Self

import psycopg

from terminal.journal.append_only import AppendOnlyJournal
from terminal.journal.history import FileHistory, JournalHistory
from terminal.journal.journal import Journal
from terminal.journal.postgres import lease
from terminal.journal.postgres.connection import BoundedConnection, DatabaseAddress
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease
from terminal.journal.postgres.reading import DatabaseHistory
from terminal.journal.rows import Row
from tests.support.journal_files import watching
from tests.support.postgres import Cluster

WhenItFails = Literal["before", "after"]


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

    def another(self) -> "JournalKind":
        """A new place of the same kind."""

    def failing(self, n: int, when: WhenItFails) -> WritableJournal:
        """Opened so that its n-th append fails, ``before`` or ``after`` its rows are durable: nobody tells which."""

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
        self._more = count(1)

    def another(self) -> "FileKind":
        folder = self.path.parent / f"another-{next(self._more)}"
        folder.mkdir()
        return FileKind(folder)

    def failing(self, n: int, when: WhenItFails) -> WritableJournal:
        left = count(n - 1, -1)

        def fail() -> None:
            if next(left) == 0:
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error

        return Journal.open(self.path, role="worker", ballast_bytes=0, connect=watching(**{when: fail}))

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
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute(sql)


class DatabaseKind:
    """In a database of its own."""

    kind = "postgres"

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.database = cluster, cluster.database()
        self._holders = count(1)
        self.made = [self.database]

    def another(self) -> "DatabaseKind":
        place = DatabaseKind(self.cluster)
        self.made.append(place.database)
        return place

    def failing(self, n: int, when: WhenItFails) -> WritableJournal:
        left = count(n - 1, -1)

        class Lost(psycopg.Cursor[tuple[Any, ...]]):
            def execute(self, query: Any, *args: Any, **more: Any) -> Self:
                fails = b"INSERT INTO entry" in query and next(left) == 0 if isinstance(query, bytes) else False
                if fails and when == "before":
                    raise psycopg.OperationalError("the connection was lost")
                super().execute(query, *args, **more)
                if fails:
                    raise psycopg.OperationalError("the connection was lost")
                return self

        def opener(address: DatabaseAddress, name: str) -> BoundedConnection:
            connection = BoundedConnection.open(address, name)
            connection.cursor_factory = Lost
            return connection

        return PostgresJournal.open(self.address, Lease("test"), opener=opener)

    @property
    def address(self) -> DatabaseAddress:
        return self.cluster.address(self.database)

    def open(self) -> WritableJournal:
        """One that failed and did not free its lease is of the same process."""
        with BoundedConnection.open(self.address, "test") as connection:
            made = connection.execute("SELECT to_regclass('public.journal') IS NOT NULL").fetchone()
            seen = lease.look(connection) if made and made[0] else None
        mine = seen is not None and seen.holder == "test"
        return PostgresJournal.open(self.address, Lease("test" if mine else f"test-{next(self._holders)}"))

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
    for database in place.made:
        cluster.drop(database)
