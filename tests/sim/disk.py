"""What a process has on its disk: a journal in memory, or, in real lives, the product's own in a file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from terminal.eventstore.store import StoredEvent
from terminal.journal.journal import Journal
from terminal.journal.reading import read, row
from terminal.journal.rows import JournalError


class DiskFailed(JournalError):
    """The journal could not be written."""

    def __init__(self) -> None:
        super().__init__(Path("worker.db"), "the disk failed")


@dataclass(frozen=True, slots=True)
class SimRow:
    seq: int
    kind: str
    data: bytes


class Disk:
    """A journal in memory. ``fails_in``: so many appends from now it fails; ``and_dies`` its process instead, either
    before the rows are on the disk or (``after_commit``) right after."""

    def __init__(self) -> None:
        self.fails_in: int | None = None
        self.and_dies = False
        self.after_commit = False
        self._rows: list[SimRow] = []
        self._commits: list[int] = []
        """How many rows there were after each commit."""

    def __len__(self) -> int:
        return len(self._rows)

    def opens(self) -> None:
        """A process starts; any process that had it open is dead."""

    def replay(self) -> Iterable[StoredEvent]:
        return iter(self._rows)

    def after(self, seq: int) -> Sequence[StoredEvent]:
        """What was written after that row."""
        return self._rows[seq:]

    def at(self, seq: int) -> bytes:
        return self._rows[seq - 1].data

    def write(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        """What a commit leaves."""
        for kind, data in rows:
            self._rows.append(SimRow(len(self._rows) + 1, kind, data))
        self._commits.append(len(self._rows))

    def put_back(self, rows: int) -> int:
        """A copy that was taken ``rows`` rows ago or earlier takes its place; returns how many it has."""
        wanted = max(0, len(self._rows) - rows)
        while self._commits and self._commits[-1] > wanted:
            self._commits.pop()
        del self._rows[self._commits[-1] if self._commits else 0 :]
        return len(self._rows)

    def due(self) -> bool:
        """Is it this append that goes wrong?"""
        if self.fails_in is None:
            return False
        self.fails_in -= 1
        if self.fails_in >= 0:
            return False
        self.fails_in = None
        return True


class FileDisk(Disk):
    """The product's journal in a file. A kill closes it: what a kill leaves of SQLite's own files is shown by real
    processes (tests/chaos)."""

    def __init__(self, path: Path, role: str) -> None:
        super().__init__()
        self._path, self._role = path, role
        self._journal: Journal | None = None

    def __len__(self) -> int:
        assert self._journal
        return self._journal.last_seq

    def opens(self) -> None:
        self.close()
        self._journal = Journal.open(self._path, role=self._role, ballast_bytes=4096)

    def replay(self) -> Iterator[StoredEvent]:
        return read(self._path)

    def after(self, seq: int) -> Sequence[StoredEvent]:
        return [found for found in read(self._path) if found.seq > seq]

    def at(self, seq: int) -> bytes:
        found = row(self._path, seq)
        assert found
        return found.data

    def write(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        assert self._journal
        self._journal.append_now(rows, at_ms)

    def close(self) -> None:
        if self._journal:
            self._journal.close()
