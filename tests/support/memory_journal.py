"""A journal in memory, where a test is about what is written and not about the disk.

The real one is in test_journal*.py and test_worker_storage.py; SQLite and its flushes would make hundreds of tests of
the event store and the worker wait for a disk.
"""

from collections.abc import Iterable, Sequence

from terminal.journal.rows import Row


class MemoryJournal:
    """An EventLog; a second worker may go on with its ``rows``. As of the real one, what is noted waits for the next
    append, and while ``failing`` nothing is written."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows = [row._replace(seq=seq) for seq, row in enumerate(rows, 1)]
        self.commits: list[list[Row]] = []
        self.failing = False
        self._noted: list[tuple[str, bytes]] = []

    def replay(self) -> Iterable[Row]:
        return list(self.rows)

    def note(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        self._noted += rows

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        if self.failing:
            raise OSError("the disk is full")
        first = self.rows[-1].seq + 1 if self.rows else 1
        self.commits.append([Row(seq, at_ms, *row) for seq, row in enumerate((*self._noted, *rows), first)])
        self._noted.clear()
        self.rows += self.commits[-1]
        return self.rows[-1].seq

    async def fetch(self, seq: int) -> bytes | None:
        return self.at(seq)

    def at(self, seq: int) -> bytes | None:
        """The data of a row; None where it was pruned."""
        return next((row.data for row in self.rows if row.seq == seq), None)

    def kinds(self) -> list[str]:
        return [row.kind for row in self.rows]
