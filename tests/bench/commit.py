"""A commit of the journal beside SQLite's own: what is durable, and what the journal adds to it.

    python -m tests.bench.commit [--commits N]

The same rows, of the size of a visit's, into a journal and into a bare table; both in WAL mode with
``synchronous=FULL``, one commit of the one after one of the other, on the same disk.
"""

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from terminal.journal.journal import Journal
from tests.bench.rows import Progress, Row

COMMITS, WARM, SIZE = 300, 20, 1_100
ALLOWED = 1.5


def compared(commits: int, folder: Path, progress: Progress) -> tuple[list[float], list[float]]:
    """Microseconds of each commit, ours and SQLite's."""
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, at_ms INTEGER, kind TEXT, data BLOB)")
    ours, theirs, data = list[float](), list[float](), b"x" * SIZE
    with Journal.open(folder / "journal.db", role="worker", ballast_bytes=0) as journal:
        for number in range(commits + WARM):
            if number % 100 == 0:
                progress(f"commit {number} of {commits}")
            time.sleep(0.003)  # a visit's commits do not come one upon the other
            began = time.perf_counter_ns()
            journal.append_now([("OrderReported", data)], number)
            ours.append((time.perf_counter_ns() - began) / 1000)
            time.sleep(0.003)  # as long as before ours
            began = time.perf_counter_ns()
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (number, number, "OrderReported", data))
            bare.execute("COMMIT")
            theirs.append((time.perf_counter_ns() - began) / 1000)
    bare.close()
    return ours[WARM:], theirs[WARM:]


def measure(progress: Progress, commits: int = COMMITS) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = compared(commits, Path(name), progress)
    return [
        Row("commit of the journal", statistics.median(ours), "SQLite, bare", statistics.median(theirs), "us", ALLOWED)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=COMMITS)
    (row,) = measure(lambda said: print(f"  {said}", file=sys.stderr, flush=True), parser.parse_args().commits)
    print(f"{row.step}: {row.ours:.0f} us, {row.peer} {row.theirs:.0f} us: x {row.ratio:.2f}")
    return int(not row.well)


if __name__ == "__main__":
    sys.exit(main())
