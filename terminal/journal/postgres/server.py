"""What a database's server says of itself, for a check: whether a row that it acknowledged would outlive it."""

from contextlib import closing
from dataclasses import dataclass
from time import time
from typing import Any

import psycopg

from terminal.journal.postgres import lease
from terminal.journal.postgres.connection import BoundedConnection, DatabaseAddress, as_journal_error
from terminal.journal.postgres.lease import LeaseState
from terminal.journal.postgres.tables import JournalOwner, claim

_SETTINGS = ("server_version", "fsync", "full_page_writes", "synchronous_standby_names", "transaction_read_only",
             "server_encoding")  # fmt: skip
_REPLICAS = """
SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')), count(*) FILTER (WHERE sync_state IS NULL)
FROM pg_stat_replication
"""
_COLLATION = """
SELECT d.datcollversion IS DISTINCT FROM pg_database_collation_actual_version(d.oid)
FROM pg_database d WHERE d.datname = current_database()
"""
_COLLATION_SINCE = 15_00_00
"""The version of PostgreSQL from which on a database knows its collation's version."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """``lease`` is None where no worker has run yet. ``replicas``: all, the synchronous ones, and those of which this
    user may not know it. ``ahead_s``: of our clock. ``collation_changed``: of the system, below the database."""

    settings: dict[str, str]
    lease: LeaseState | None
    standbys: int
    replicas: tuple[int, int, int]
    ahead_s: float
    collation_changed: bool


def examine(address: DatabaseAddress, owner: JournalOwner) -> ServerFacts:
    """Ask the server; changes nothing. Raises JournalError, as opening the journal would."""
    with closing(BoundedConnection.open(address, "exit-terminal check")) as connection:
        try:
            claim(connection, address.name, owner)
            settings = {name: str(_one(connection, "SELECT current_setting(%s)", name)[0]) for name in _SETTINGS}
            before = time()
            theirs = float(_one(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")[0])
            ahead_s = theirs - (before + time()) / 2
            made = _one(connection, "SELECT to_regclass('public.journal') IS NOT NULL")[0]
            knows = connection.info.server_version >= _COLLATION_SINCE
            return ServerFacts(
                settings,
                lease.look(connection) if made else None,
                lease.standbys(connection),
                _one(connection, _REPLICAS),
                ahead_s,
                bool(_one(connection, _COLLATION)[0]) if knows else False,
            )
        except psycopg.Error as error:
            raise as_journal_error(address.name, error) from None


def _one(connection: BoundedConnection, query: str, *arguments: str) -> tuple[Any, ...]:
    found = connection.execute(query.encode(), arguments or None).fetchone()
    assert found
    return found
