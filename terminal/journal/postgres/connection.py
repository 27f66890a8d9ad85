"""A connection to a journal's database: nothing on it waits without limit, no notice is passed over, and no password
stands in a URL.

A commit that waits for its standby is never cancelled. PostgreSQL would answer a cancelled one with success and a
warning (SyncRepWaitForLSN in its src/backend/replication/syncrep.c), and no time limit of the server's ends that wait.
So after ``limit_s`` the connection is closed, and whether the commit is durable is unknown until the rows are read
anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import Diagnostic

from terminal.journal.rows import JournalDamaged, JournalError, JournalFailed, JournalFull

LIMIT_S = 5.0
"""The longest that a statement may take, the wait of its commit for the standby included."""
CONNECT_S = 3
LOCK_MS = 2_000
"""How long a statement waits for a row that another transaction changes: one that waits for its standby keeps it."""
_TEXT_MOST = 300
_SETTINGS = """
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply'
           THEN 'remote_apply' ELSE 'on' END, false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('statement_timeout', '0', false),
       set_config('lock_timeout', %s, false),
       set_config('search_path', 'public', false)
"""
RV = TypeVar("RV")


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a garage's journal is. ``url``: what libpq takes, without a password. ``passfile``: libpq's file of
    passwords."""

    url: str
    garage: str
    passfile: Path | None = None

    @property
    def name(self) -> str:
        """The database in words, for errors; without the user."""
        parts = urlsplit(self.url)
        hosts = parts.netloc.rpartition("@")[2]
        return f"database {unquote(parts.path.strip('/')) or 'of the service'}{f' at {hosts}' if hosts else ''}"


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """One on which each statement is answered within ``limit_s``, or which is closed."""

    limit_s = LIMIT_S
    notices: list[str]

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """What psycopg calls to wait for the server; raises OperationalError once the limit is over."""
        return super().wait(self._bounded(gen, monotonic() + self.limit_s), interval=min(interval, 0.1))

    def _bounded(self, gen: PQGen[RV], deadline: float) -> PQGen[RV]:
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and monotonic() >= deadline:
                    self.pgconn.finish()  # not cancel(): see above
                    raise psycopg.OperationalError(
                        f"no answer within {self.limit_s:g} s, so what became of it is unknown"
                    )
                wanted = gen.send(ready)
        except StopIteration as done:
            value: RV = done.value
            return value

    def note(self, notice: Diagnostic) -> None:
        """Keep what the server says beside its answers."""
        self.notices.append(f"{notice.severity_nonlocalized}: {notice.message_primary}")

    @classmethod
    def open(cls, address: DatabaseAddress, application: str, limit_s: float = LIMIT_S) -> Self:
        """Raises JournalError."""
        more: dict[str, Any] = {"passfile": str(address.passfile)} if address.passfile else {}
        try:
            connection = cls.connect(
                address.url,
                autocommit=True,
                prepare_threshold=1,
                connect_timeout=CONNECT_S,
                application_name=application,
                client_encoding="utf8",
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
                tcp_user_timeout=round(limit_s * 1000),
                **more,
            )
        except (psycopg.Error, UnicodeError) as error:
            raise as_journal_error(address.name, error) from None
        connection.limit_s, connection.notices = limit_s, []
        connection.add_notice_handler(connection.note)
        try:
            connection.execute(_SETTINGS, (str(LOCK_MS),))
            connection.notices.clear()
        except psycopg.Error as error:
            connection.close()
            raise as_journal_error(address.name, error) from None
        return connection


def as_journal_error(name: str, error: BaseException, seq: int | None = None) -> JournalError:
    """The journal error that an error of psycopg's means."""
    if isinstance(error, JournalError):
        return error
    match getattr(error, "sqlstate", None):
        case "53100":
            return JournalFull(name, "the disk of the database is full")
        case "25006":
            return JournalFailed(name, "the database is read-only: it is a standby, or was set so")
        case "XX001" | "XX002":
            return JournalDamaged(name, seq, in_a_line(error))
        case "55P03":
            return JournalFailed(name, "another transaction keeps the journal's row: a commit may wait for its standby")
    return JournalFailed(name, in_a_line(error))


def in_a_line(error: BaseException) -> str:
    """The first words of an error of the database."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words[:_TEXT_MOST]


Opener = Callable[[DatabaseAddress, str], BoundedConnection]
"""How a journal connects; tests bring one whose connection lies."""
