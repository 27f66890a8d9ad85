"""What the desk has heard, in SQLite: for a visit's time line, for searching, and for the day's figures.

It is no journal: nothing depends on it, it is not flushed, and old rows go. If it cannot be written, the desk says so
and goes on. Secrets of a message (PayBy's words, codes, a ticket's text) are not kept; a ticket only as a hash.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from terminal.monitor.garage import Observation

KEPT_MS = 92 * 86_400_000
"""Older rows go."""
MOST_ROWS = 3_000_000
FOUND_MOST = 50
LINES_MOST = 2_000
"""Lines of one visit, or of one lane's page."""
_SECRET = ("qr", "proof", "body", "sign", "token_url", "ticket", "raised", "key", "v", "address")
_TABLE = """
CREATE TABLE IF NOT EXISTS heard (
 n INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, lane TEXT NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,
 session TEXT NOT NULL, order_no TEXT NOT NULL, code TEXT NOT NULL, ticket BLOB, words TEXT NOT NULL,
 opened TEXT NOT NULL, data TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS by_session ON heard (session, n) WHERE session <> '';
CREATE INDEX IF NOT EXISTS by_order ON heard (order_no) WHERE order_no <> '';
CREATE INDEX IF NOT EXISTS by_code ON heard (code) WHERE code <> '';
CREATE INDEX IF NOT EXISTS by_ticket ON heard (ticket) WHERE ticket IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_time ON heard (at_ms);
CREATE INDEX IF NOT EXISTS by_lane ON heard (lane, n);
"""
_SELECT = "SELECT n, at_ms, lane, kind, role, session, order_no, code, words, opened, data FROM heard "
_STAYS = "SELECT session, max(code), max(order_no), max(lane), max(at_ms) FROM heard WHERE session <> '' AND "
_NEWEST_STAYS = " GROUP BY session ORDER BY max(at_ms) DESC LIMIT ?"


@dataclass(frozen=True, slots=True)
class HeardLine:
    """One message that was news, as a line. ``n`` counts up; 0: not written yet. ``opened``: who opened the boom by it
    (monitor.opened.By); empty: nobody. ``data``: its fields as JSON, without what is secret."""

    n: int
    at_ms: int
    lane: str
    kind: str
    role: str
    session: str
    order_no: str
    code: str
    words: str
    opened: str
    data: str

    def field(self, name: str) -> str:
        """A text field of the message; empty where there is none."""
        value = json.loads(self.data).get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class FoundVisit:
    """A stay that a search has found, with when and where it was heard of last."""

    session: str
    code: str
    order_no: str
    lane: str
    at_ms: int


def line_of(seen: Observation, n: int = 0) -> HeardLine:
    """An observation as a line."""
    data = {name: value for name, value in seen.data.items() if name not in _SECRET}
    return HeardLine(
        n,
        seen.at_ms,
        seen.lane,
        seen.kind,
        seen.role,
        seen.session,
        seen.order_no,
        seen.help_code,
        seen.words,
        seen.opened.by if seen.opened else "",
        json.dumps(data, ensure_ascii=False, separators=(",", ":")),
    )


def ticket_hash(text: str) -> bytes:
    """What is kept of a ticket, to find it again."""
    return hashlib.sha256(text.strip().encode("utf-8", "surrogatepass")).digest()[:16]


class DeskHistory:
    """All methods block: call them in a thread. One at a time is at the file; each opening raises sqlite3.Error,
    OSError."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.executescript(_TABLE)
            self.last = int(self._db.execute("SELECT coalesce(max(n), 0) FROM heard").fetchone()[0])
            """The number of the newest line."""
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; may be called twice."""
        with self._lock:
            self._db.close()

    def write(self, lines: Iterable[tuple[HeardLine, bytes | None]]) -> None:
        """Append lines, each with the hash of its ticket."""
        values = [
            (line.n, line.at_ms, line.lane, line.kind, line.role, line.session, line.order_no, line.code, ticket,
             line.words, line.opened, line.data)
            for line, ticket in lines
        ]  # fmt: skip
        with self._at_file() as db:
            db.execute("BEGIN")
            try:
                db.executemany("INSERT OR REPLACE INTO heard VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", values)
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def prune(self, now_ms: int) -> None:
        """Let old rows go, and the oldest of too many."""
        with self._at_file() as db:
            db.execute("DELETE FROM heard WHERE at_ms < ?", (now_ms - KEPT_MS,))
            db.execute("DELETE FROM heard WHERE n <= (SELECT max(n) FROM heard) - ?", (MOST_ROWS,))

    def began_ms(self) -> int | None:
        """When the oldest line was heard; None: nothing is kept yet."""
        with self._at_file() as db:
            found = db.execute("SELECT min(at_ms) FROM heard").fetchone()[0]
        return None if found is None else int(found)

    def visit(self, session: str) -> list[HeardLine]:
        """Every line about a stay, in order; the last LINES_MOST."""
        return self._lines("WHERE session = ? ORDER BY n DESC LIMIT ?", session, LINES_MOST)[::-1]

    def lane(self, lane: str, most: int = 60) -> list[HeardLine]:
        """The last lines of a lane, the newest first."""
        return self._lines("WHERE lane = ? ORDER BY n DESC LIMIT ?", lane, most)

    def recent(self, most: int = 12) -> list[HeardLine]:
        """The last lines of all, the newest first."""
        return self._lines("WHERE kind NOT IN ('health', 'alerts') ORDER BY n DESC LIMIT ?", most)

    def after(self, n: int, most: int) -> list[HeardLine]:
        """The lines after number ``n``, in order, at most ``most``."""
        return self._lines("WHERE n > ? ORDER BY n LIMIT ?", n, most)

    def between(self, since_ms: int, until_ms: int, *kinds: str) -> list[HeardLine]:
        """The lines of these kinds from ``since_ms`` to before ``until_ms``, in order."""
        marks = ",".join("?" * len(kinds))
        return self._lines(
            f"WHERE at_ms >= ? AND at_ms < ? AND kind IN ({marks}) ORDER BY at_ms, n", since_ms, until_ms, *kinds
        )

    def search(self, text: str, session: str = "") -> list[FoundVisit]:
        """The stays that ``text`` names, the newest first: a help code, any part of four characters or more of an order
        number or of a stay's id, or a ticket; ``session``: the stay that a ticket of our own form names."""
        wanted = text.strip()
        like = "%" + wanted.lower().replace("\\", "").replace("%", "").replace("_", "\\_") + "%"
        if session:
            found = self._found("session = ?", session)
        elif len(wanted) == 5 and wanted.isalnum():
            found = self._found("code = ?", wanted.upper())
        else:
            found = self._found("ticket = ?", ticket_hash(wanted))
        if not found and not session and len(wanted) >= 4:
            found = self._found("(order_no LIKE ? ESCAPE '\\' OR session LIKE ? ESCAPE '\\')", like, like)
        return found

    def _found(self, where: str, *values: object) -> list[FoundVisit]:
        with self._at_file() as db:
            rows = db.execute(_STAYS + where + _NEWEST_STAYS, (*values, FOUND_MOST))
            return [FoundVisit(*row) for row in rows]

    def _lines(self, rest: str, *values: object) -> list[HeardLine]:
        with self._at_file() as db:
            return [HeardLine(*row) for row in db.execute(_SELECT + rest, values)]

    @contextmanager
    def _at_file(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._db
