"""A journal as those need it who only read it, wherever it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from terminal.journal import archive, reading
from terminal.journal.rows import Row


class JournalHistory(Protocol):
    """The rows of a journal that may be in use."""

    @property
    def name(self) -> str:
        """Where it is, in words."""

    def exists(self) -> bool:
        """Is there one? Raises JournalError where that cannot be told."""

    def read(self) -> Iterator[Row]:
        """Every row in order, checked. Raises JournalDamaged at the first row in doubt, JournalError, and
        FileNotFoundError where there is no journal."""

    def read_all(self) -> Iterator[Row]:
        """The archived rows and then the journal's. Raises as read() does."""

    def row(self, seq: int) -> Row | None:
        """One row, checked by its own checksum; None if it was pruned or never was. Raises JournalError."""


class FileHistory:
    """A journal in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self._path)

    def exists(self) -> bool:
        """Is there a file?"""
        return self._path.exists()

    def read(self) -> Iterator[Row]:
        """See JournalHistory."""
        return reading.read(self._path)

    def read_all(self) -> Iterator[Row]:
        """See JournalHistory."""
        return archive.read_all(self._path)

    def row(self, seq: int) -> Row | None:
        """See JournalHistory."""
        return reading.row(self._path, seq)
