"""The tables of a journal's database, which has one garage's worker's journal and nothing else.

``entry`` has the rows as a journal's file has them. ``journal`` has one row: whose it is, its last number and hash, and
who may write. ``archive`` has what was pruned.
"""

from dataclasses import dataclass

import psycopg

from terminal.journal.postgres.connection import BoundedConnection, as_journal_error
from terminal.journal.rows import GENESIS, JournalFailed, JournalForeign, NoJournal

_ROWS = (
    '(seq bigint PRIMARY KEY, at_ms bigint NOT NULL, kind text COLLATE "C" NOT NULL, data bytea NOT NULL,'
    " crc bigint NOT NULL, chain bytea NOT NULL)"
)
STEPS = (
    f"CREATE TABLE entry {_ROWS}; CREATE TABLE archive {_ROWS};"
    " CREATE INDEX checkpoint ON entry (at_ms, seq) WHERE kind = 'checkpoint';"
    " CREATE TABLE journal (one boolean PRIMARY KEY CHECK (one), version integer NOT NULL,"
    ' role text COLLATE "C" NOT NULL, garage text COLLATE "C" NOT NULL, keys text COLLATE "C" NOT NULL,'
    ' home text COLLATE "C" NOT NULL, epoch bigint NOT NULL, holder text COLLATE "C" NOT NULL,'
    ' renewed bigint NOT NULL, renewed_at timestamp with time zone NOT NULL, asked text COLLATE "C" NOT NULL,'
    " seq bigint NOT NULL, chain bytea NOT NULL) WITH (fillfactor = 50)",
)
"""SQL that leads from one version to the next; the first makes version 1 of an empty database."""
_TABLES = ("archive", "entry", "journal")
_CREATING = 0x50585477
"""The number of the lock that keeps two programs from making the tables at once."""
_COLUMNS = """
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(o.collname, '')::text
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation o ON o.oid = a.attcollation
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""


@dataclass(frozen=True, slots=True)
class JournalOwner:
    """Whose journal it is. ``keys`` name the worker's public keys: two garages under one name have none in common."""

    role: str
    garage: str
    keys: frozenset[str] = frozenset()


def prepare(connection: BoundedConnection, name: str, owner: JournalOwner, steps: tuple[str, ...] = STEPS) -> None:
    """Make the tables in an empty database, or bring those of an older version forward. Raises JournalError."""
    try:
        if not _exist(connection, name):
            _refuse_unwritable(connection, name)
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_CREATING,))
                if not _exist(connection, name):
                    _make(connection, owner)
        claim(connection, name, owner, known=len(steps))
        _refuse_unwritable(connection, name)
        _migrate(connection, steps)
    except psycopg.Error as error:
        raise as_journal_error(name, error) from None


def claim(connection: BoundedConnection, name: str, owner: JournalOwner, *, known: int = len(STEPS)) -> None:
    """Raise JournalForeign unless this is the journal of ``owner``, as this version of the program knows it."""
    try:
        if not _exist(connection, name):
            return
        found = connection.execute("SELECT version, role, garage, keys FROM journal").fetchone()
        if found is None:
            raise JournalForeign(name, "its table `journal` is empty: restore it from a backup")
        version, role, garage, keys = found
        if version > known:
            text = (
                f"version {version} was written by a newer program; this one knows {known}: install the newer program"
            )
            raise JournalForeign(name, f"{text} again, or restore a backup from before the update")
        if role != owner.role:
            raise JournalForeign(name, f"this is the journal of another role, not of the {owner.role}")
        if garage != owner.garage:
            raise JournalForeign(name, f"this is the journal of garage {garage}, not of {owner.garage}")
        if keys and owner.keys and owner.keys.isdisjoint(keys.split()):
            text = f"another garage is called {garage}, too: its worker signs with other keys than this one's"
            raise JournalForeign(name, f"{text}; give each garage an id and a database of its own")
        if version == len(STEPS) and _columns(connection) != _expected():
            raise JournalForeign(name, "its tables, or their collations, are not what this program made")
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedTable):
        raise NoJournal(name, "it has tables of these names that are not a journal's") from None


def home_of(connection: BoundedConnection) -> str:
    """Names this database in this cluster: the same for a standby that was promoted, another one for a copy that was
    put back."""
    found = connection.execute(
        "SELECT system_identifier::text || ':' || oid::text FROM pg_control_system(), pg_database"
        " WHERE datname = current_database()"
    ).fetchone()
    return str(found[0]) if found else ""


def _exist(connection: BoundedConnection, name: str) -> bool:
    found = {table for table, *_ in _columns(connection)}
    if found.isdisjoint(_TABLES):
        if found:
            raise NoJournal(name, f"it has other tables ({', '.join(sorted(found)[:3])})")
        return False
    if not found.issuperset(_TABLES):
        raise NoJournal(name, "some of the journal's tables are missing")
    return True


def _refuse_unwritable(connection: BoundedConnection, name: str) -> None:
    encoding, read_only = connection.execute(
        "SELECT current_setting('server_encoding'), current_setting('transaction_read_only')"
    ).fetchone() or ("", "")
    if encoding != "UTF8":
        text = f"its encoding is {encoding}, takes UTF8: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
        raise JournalForeign(name, text)
    if read_only != "off":
        raise JournalFailed(name, "the database is read-only: it is a standby, or was set so")


def _make(connection: BoundedConnection, owner: JournalOwner) -> None:
    connection.execute(STEPS[0].encode())
    connection.execute(
        "INSERT INTO journal VALUES (true, 1, %s, %s, %s, %s, 0, '', 0, clock_timestamp(), '', 0, %b)",
        (owner.role, owner.garage, " ".join(sorted(owner.keys)), home_of(connection), GENESIS),
    )


def _migrate(connection: BoundedConnection, steps: tuple[str, ...]) -> None:
    version = (connection.execute("SELECT version FROM journal").fetchone() or (0,))[0]
    for number, step in enumerate(steps[version:], version + 1):
        with connection.transaction():
            connection.execute(step.encode())
            connection.execute("UPDATE journal SET version = %s", (number,))


def _columns(connection: BoundedConnection) -> list[tuple[str, str, str, bool, str]]:
    return [(t, c, kind, bool(must), collation) for t, c, kind, must, collation in connection.execute(_COLUMNS)]


def _expected() -> list[tuple[str, str, str, bool, str]]:
    rows = [("seq", "bigint"), ("at_ms", "bigint"), ("kind", "text"), ("data", "bytea"), ("crc", "bigint")]
    journal = [
        *(("one", "boolean"), ("version", "integer"), ("role", "text"), ("garage", "text"), ("keys", "text")),
        *(("home", "text"), ("epoch", "bigint"), ("holder", "text"), ("renewed", "bigint")),
        *(("renewed_at", "timestamp with time zone"), ("asked", "text"), ("seq", "bigint"), ("chain", "bytea")),
    ]
    tables = {"archive": [*rows, ("chain", "bytea")], "entry": [*rows, ("chain", "bytea")], "journal": journal}
    return [
        (table, column, kind, True, "C" if kind == "text" else "")
        for table, columns in tables.items()
        for column, kind in columns
    ]
