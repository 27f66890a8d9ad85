"""Copies a journal whose path no longer names the open file.

It was deleted, replaced, or put back from a copy while the process was running. What is written from then on goes into
a file that nobody will find, so a copy follows it until a person has decided.
"""

from datetime import UTC, datetime
from pathlib import Path

from terminal.journal.journal import Journal
from terminal.journal.rows import JournalError


class Displaced:
    """Call ``look`` in a thread, every few seconds."""

    def __init__(self) -> None:
        self.target: Path | None = None
        """Where the copy is; None while the path names the open file."""
        self._copied = -1
        self._trouble = ""

    def look(self, journal: Journal, now_ms: int) -> str:
        """The text for a person, empty while the path names the open file. Copies what is new."""
        why = journal.displaced()
        if not why:
            self.target, self._copied = None, -1
            return ""
        if self.target is None:
            self.target = _beside(journal.path, now_ms)
        if journal.last_seq != self._copied:
            last = journal.last_seq
            try:
                journal.copy_out(self.target)
                self._copied, self._trouble = last, ""
            except (JournalError, OSError) as error:
                self._trouble = str(error)
        kept = f"cannot be copied ({self._trouble})" if self._trouble else f"is copied to {self.target}"
        return f"{why} while it was in use; what was written {kept}"


def _beside(path: Path, now_ms: int) -> Path:
    """Beside the journal, or above its folder if that is gone too: making it anew would hide the loss from a start."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = next(folder for folder in path.absolute().parents if folder.is_dir())
    return folder / f"{path.name}.rescued-{at}"
