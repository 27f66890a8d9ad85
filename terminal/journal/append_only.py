"""A worker's journal, open for writing, as its keeper needs it: in a file, or in a database."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from terminal.journal.rows import Row
from terminal.journal.side_files import Usage


class AppendOnlyJournal(Protocol):
    """What ``journal.Journal`` and ``postgres.journal.PostgresJournal`` have in common."""

    @property
    def path(self) -> Path | str:
        """Where it is; the path of its errors."""

    @property
    def last_seq(self) -> int:
        """The number of the last committed row; 0 if the journal is empty."""

    @property
    def has_reserve(self) -> bool:
        """Is space held that a full disk may be given?"""

    @property
    def lacks_room(self) -> bool:
        """Should there be such a space, and is there none?"""

    def replay(self) -> Iterator[Row]:
        """Every row in order, checked; raises JournalDamaged at the first row in doubt."""

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        """Write rows in one transaction; returns the number of the last one once they are durable. Raises JournalFull,
        JournalFailed, JournalFenced."""

    def append_now(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        """append() for callers without an event loop."""

    async def row(self, seq: int) -> Row | None:
        """One row; None where it was pruned. Raises JournalDamaged."""

    async def checkpoint_before(self, at_ms: int) -> int:
        """Number of the last checkpoint that was written at ``at_ms`` or before; 0 where there is none."""

    async def archive_and_prune(self, through: int) -> int:
        """Move the rows up to ``through`` into the archive; returns how many were added there."""

    def release_reserve(self) -> bool:
        """Give the space up; returns whether there was any. Blocks."""

    def hold_reserve(self) -> bool:
        """Take the space again if there is room; returns whether there is room. Blocks."""

    def usage(self) -> Usage | None:
        """How full the disk is; None where it is another machine's. Raises OSError."""

    def probe(self) -> None:
        """Try whether it can be written; raises like append(). Blocks."""

    def displaced(self) -> str:
        """How the path stopped naming what is open; empty while it names it."""

    def close(self) -> None:
        """Write what was asked for, and release it; may be called twice."""
