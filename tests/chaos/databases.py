"""The journal's database of a garage with two workers: two PostgreSQL servers, `a` and `b`, at addresses of their own.

One is the primary, the other its synchronous standby. Where the primary dies, the other is promoted, and a fresh
standby is made where it was.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from terminal.journal.postgres.connection import DatabaseAddress
from tests.support.eventually import eventually
from tests.support.postgres import PORT, Cluster, clusters_folder, owned

NAMES = "a", "b"
SYNCHRONOUS = "'FIRST 1 (a, b)'"
"""Whichever of them it is that follows; the primary waits for it, also where it is not there yet."""
FOLLOWS_S = 30.0


class DatabasePair:
    """``opened()`` makes it. ``primary`` and ``standby`` are names."""

    def __init__(self, folder: Path) -> None:
        self._servers = {name: Cluster(owned(folder / name)) for name in NAMES}
        self.primary, self.standby = NAMES
        self.database = ""

    def socket(self, name: str) -> str:
        """Where a server takes connections."""
        return f"{self._servers[name].folder}/.s.PGSQL.{PORT}"

    @property
    def url(self) -> str:
        """Leads to whichever is the primary."""
        hosts = ",".join(str(self._servers[name].folder) for name in NAMES)
        ports = ",".join(str(PORT) for _ in NAMES)
        return f"postgresql:///{self.database}?host={hosts}&port={ports}&user=postgres&target_session_attrs=read-write"

    @property
    def address(self) -> DatabaseAddress:
        return DatabaseAddress(self.url, "marina")

    def make(self) -> None:
        """Both servers, and an empty database."""
        first = self._servers[self.primary]
        first.make()
        first.start()
        self.database = first.database()
        first.configure(synchronous_standby_names=SYNCHRONOUS)  # before the copy, which then has it too
        self._servers[self.standby].follow(first, self.standby)

    def kill(self) -> None:
        """The primary's machine ends."""
        self._servers[self.primary].kill()

    def promote(self) -> None:
        """The standby becomes the primary; each commit then waits until the other one follows."""
        self._servers[self.standby].promote()
        self.primary, self.standby = self.standby, self.primary

    def follow(self) -> None:
        """A fresh standby where the dead primary was."""
        self._servers[self.standby].follow(self._servers[self.primary], self.standby)

    async def synchronous(self) -> None:
        """Until the standby is."""
        sql = f"SELECT sync_state FROM pg_stat_replication WHERE application_name = '{self.standby}'"

        def is_so() -> bool:
            return self._servers[self.primary].execute("postgres", sql) == [("sync",)]

        await eventually(lambda: asyncio.to_thread(is_so), limit_s=FOLLOWS_S, every_s=0.1)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[DatabasePair]:
    """Until the block is left."""
    with clusters_folder() as folder:
        pair = DatabasePair(folder)
        await asyncio.to_thread(pair.make)
        await pair.synchronous()
        yield pair
