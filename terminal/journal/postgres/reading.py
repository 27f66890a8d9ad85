"""The rows of a journal in a database, read while its worker writes: by a standby that follows them, and by tools."""

from collections.abc import Iterator
from contextlib import closing
from typing import Protocol

import psycopg

from terminal.journal.kinds import PRUNED
from terminal.journal.postgres.connection import BoundedConnection, DatabaseAddress, as_journal_error
from terminal.journal.postgres.lease import LeaseState, look
from terminal.journal.postgres.tables import JournalOwner, claim
from terminal.journal.rows import GENESIS, HashChain, JournalDamaged, Row, Sealed, seal

_PAGE = 1_000
"""How many rows one statement reads, so that none takes long."""
_PAGES = {
    "entry": b"SELECT seq, at_ms, kind, data, crc, chain FROM entry WHERE seq > %s ORDER BY seq LIMIT %s",
    "archive": b"SELECT seq, at_ms, kind, data, crc, chain FROM archive WHERE seq > %s ORDER BY seq LIMIT %s",
}
_ONE = b"SELECT seq, at_ms, kind, data, crc, chain FROM entry WHERE seq = %s"


class KeptRows(Protocol):
    """What a standby keeps of the rows that it has read."""

    def take(self, row: Row) -> None:
        """The next row."""

    def rows(self) -> Iterator[Row]:
        """What a replay needs of them, in order."""


def pages(connection: BoundedConnection, after: int, table: str = "entry") -> Iterator[Sealed]:
    """The rows behind number ``after``, page by page. Raises psycopg.Error."""
    while True:
        found = connection.execute(_PAGES[table], (after, _PAGE), binary=True).fetchall()
        for seq, at_ms, kind, data, crc, chain in found:
            yield seq, at_ms, kind, bytes(data), crc, bytes(chain)
        if len(found) < _PAGE:
            return
        after = found[-1][0]


def one(connection: BoundedConnection, name: str, seq: int) -> Row | None:
    """Row ``seq``, checked by its own CRC; None where it was pruned or never was. Raises JournalDamaged,
    psycopg.Error."""
    found = connection.execute(_ONE, (seq,), binary=True).fetchone()
    if found is None or found[2] == PRUNED:
        return None
    _, at_ms, kind, data, crc, _ = found
    if crc != seal(GENESIS, seq, at_ms, kind, bytes(data))[0]:
        raise JournalDamaged(name, seq, "its content does not match its checksum")
    return Row(seq, at_ms, kind, bytes(data))


class JournalTail:
    """Follows the rows as they are written, each checked by the hash of the one before it."""

    def __init__(self, name: str, kept: KeptRows) -> None:
        self.kept = kept
        self._chain = HashChain(name)

    @property
    def reached(self) -> tuple[int, bytes]:
        """The number and hash of the last row that was read."""
        return self._chain.due - 1, self._chain.last

    def catch_up(self, connection: BoundedConnection) -> None:
        """Read what is new. Raises JournalDamaged, psycopg.Error."""
        for sealed in pages(connection, self._chain.due - 1):
            if row := self._chain.follow(sealed):
                self.kept.take(row)


class DatabaseHistory:
    """A journal in a database for tools, which write nothing; each reading has a connection of its own."""

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address

    @property
    def name(self) -> str:
        """The database in words."""
        return self._address.name

    def exists(self) -> bool:
        """Is there a journal? Raises JournalError where the database cannot be asked."""
        with self._open() as connection:
            found = connection.execute("SELECT to_regclass('public.journal') IS NOT NULL").fetchone()
        return bool(found and found[0])

    def read(self) -> Iterator[Row]:
        """Every row in order, checked. Raises JournalDamaged at the first row in doubt, FileNotFoundError where there
        is no journal, JournalError."""
        yield from self._checked("entry")

    def read_all(self) -> Iterator[Row]:
        """The archived rows and then the journal's. Raises as read() does."""
        reached = 0
        for table in ("archive", "entry"):
            for row in self._checked(table):
                if row.seq > reached:
                    reached = row.seq
                    yield row

    def row(self, seq: int) -> Row | None:
        """One row, checked by its own checksum; None if it was pruned or never was. Raises JournalError."""
        with self._open() as connection:
            return one(connection, self.name, seq)

    def lease(self) -> LeaseState | None:
        """Who holds it, and the last row; None where there is no journal. Raises JournalError."""
        with self._open() as connection:
            try:
                return look(connection)
            except psycopg.errors.UndefinedTable:
                return None
            except psycopg.Error as error:
                raise as_journal_error(self.name, error) from None

    def refuse_strangers(self, owner: JournalOwner) -> None:
        """Raise JournalForeign, as opening would, for a database that is not the journal of ``owner``."""
        with self._open() as connection:
            claim(connection, self.name, owner)

    def _checked(self, table: str) -> Iterator[Row]:
        with self._open() as connection:
            chain = HashChain(self.name)
            try:
                for sealed in pages(connection, 0, table):
                    if row := chain.follow(sealed):
                        yield row
            except psycopg.errors.UndefinedTable:
                raise FileNotFoundError(self.name) from None
            except psycopg.Error as error:
                raise as_journal_error(self.name, error, chain.due) from None

    def _open(self) -> "closing[BoundedConnection]":
        return closing(BoundedConnection.open(self._address, "exit-terminal tool"))
