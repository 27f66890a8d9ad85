"""An update with open orders: a journal of the former version is brought forward, and its visits go on."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from terminal.journal.journal import Journal
from terminal.journal.reading import read
from terminal.journal.rows import GENESIS, ROLES, STEPS, JournalForeign, Row, seal
from tests.conftest import Mosquitto
from tests.support.garage import Garage, opened
from tests.support.leaving import leaves

ROLES_APART = ("worker", "listener", "barrier", "lcd", "reader")
VERSION_1 = """
PRAGMA journal_mode=WAL;
PRAGMA application_id=%d;
PRAGMA user_version=1;
CREATE TABLE entry (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, data BLOB NOT NULL,\
 crc INTEGER NOT NULL, chain BLOB NOT NULL) STRICT;
"""
"""How the first version made a journal."""


def as_version_1_wrote_it(path: Path, rows: Sequence[Row]) -> None:
    """A journal of these rows as the former program left it."""
    for file in path.parent.glob(path.name + "*"):
        file.unlink()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_1 % ROLES["worker"])
        chain = GENESIS
        for number, row in enumerate(rows, 1):
            crc, chain = seal(chain, number, row.at_ms, row.kind, row.data)
            db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", (number, *row[1:], crc, chain))
        db.commit()


def version_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.fault("update")
@pytest.mark.parametrize("paid", ["while it was down", "after the update"])
async def test_a_new_process_finds_the_open_order_of_the_old_one_and_ends_its_visit(
    paid: str, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with opened(Garage(tmp_path, mosquitto.url), ROLES_APART) as lane:
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.kill("worker")
        path = lane.folder / "journal.db"
        rows = list(read(path))
        assert [row.kind for row in rows][-1] == "OrderReported"
        as_version_1_wrote_it(path, rows)
        if paid == "while it was down":
            await lane.sandbox.pay(order["token_url"])
        await lane.start("worker")
        if paid == "after the update":
            await lane.code_on_glass(order["token_url"])
            await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)
        assert version_of(path) == len(STEPS) > 1
        assert len(lane.sandbox.calls_of("placeOrder")) == 1


def test_an_old_journal_is_brought_forward_with_every_row(tmp_path: Path) -> None:
    rows = [Row(n, n, "fact", b"%d" % n) for n in range(1, 100)]
    path = tmp_path / "journal.db"
    as_version_1_wrote_it(path, rows)
    for _ in range(2):
        with Journal.open(path, role="worker") as journal:
            assert list(journal.replay()) == rows
        assert version_of(path) == len(STEPS)


@pytest.mark.fault("update")
def test_a_journal_of_a_newer_version_is_refused_with_a_line_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path, role="worker").close()
    newer = len(STEPS) + 1
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version={newer}")
    with pytest.raises(JournalForeign, match=f"version {newer} was written by a newer program; this one knows"):
        Journal.open(path, role="worker")
    assert version_of(path) == newer
