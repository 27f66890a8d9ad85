"""Journals on a disk: opened, filled, copied, damaged, and looked at while they flush."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from terminal.journal.journal import Journal
from terminal.journal.rows import Row

NO_BALLAST = 0


def open_journal(path: Path, **options: object) -> Journal:
    return Journal.open(path, role="worker", ballast_bytes=NO_BALLAST, **options)  # type: ignore[arg-type]


def fill(path: Path, count: int = 30) -> list[Row]:
    """A closed journal with ``count`` rows, and what a replay must yield."""
    with open_journal(path) as journal:
        for n in range(1, count + 1, 10):
            rows = [("fact", f"what happened {m} ".encode() * 8) for m in range(n, min(n + 10, count + 1))]
            journal.append_now(rows, 1_000 + n)
        return list(journal.replay())


def replayed(path: Path) -> list[Row]:
    with open_journal(path) as journal:
        return list(journal.replay())


def copy_of(journal: Path, folder: Path) -> Path:
    """The files of a journal as a kill -9 at this moment would leave them."""
    folder.mkdir(exist_ok=True)
    for file in journal.parent.glob(journal.name + "*"):
        if not file.name.endswith("-shm"):  # memory, not truth
            shutil.copy(file, folder)
    return folder / journal.name


def flip(path: Path, at: int, mask: int = 0x10) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ mask]))


class Watched(sqlite3.Connection):
    """A connection whose writes a test watches: ``before`` and ``after`` run around every COMMIT, ``folding`` before
    the log is folded into the file."""

    before: Callable[[], None] = staticmethod(lambda: None)
    after: Callable[[], None] = staticmethod(lambda: None)
    folding: Callable[[], None] = staticmethod(lambda: None)

    def execute(self, sql: str, *args: object) -> sqlite3.Cursor:
        if sql.startswith("PRAGMA wal_checkpoint"):
            self.folding()
        if sql != "COMMIT":
            return super().execute(sql, *args)  # type: ignore[arg-type]
        self.before()
        cursor = super().execute(sql)
        self.after()
        return cursor


def watching(**hooks: Callable[[], None]) -> Callable[[str], sqlite3.Connection]:
    factory = type("Hooked", (Watched,), {name: staticmethod(hook) for name, hook in hooks.items()})
    return lambda path: sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=factory)


WRITER = """
import sys
from pathlib import Path
from terminal.journal.journal import Journal
journal = Journal.open(Path(sys.argv[1]), role="worker", ballast_bytes=0)
for n in range(int(sys.argv[2])):
    journal.append_now([("fact", b"%d" % n)], n)
    print(n, flush=True)
print("done", flush=True)
sys.stdin.read()
"""
