"""A journal's database on a server that is not as it should be: a real standby, a real full disk, clocks that jump."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from terminal.config.load import parse
from terminal.config.schema import Settings
from terminal.journal.postgres import lease as lease_
from terminal.journal.postgres import server
from terminal.journal.postgres.connection import BoundedConnection, DatabaseAddress
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import LEASE_S, Lease, LeaseWatch
from terminal.journal.postgres.reading import DatabaseHistory
from terminal.journal.rows import JournalFailed, JournalFull
from terminal.tools.check.database import database as check_database
from tests.support.eventually import soon
from tests.support.installation import machine
from tests.support.postgres import Cluster

ROW = os.urandom(60_000)


def settings_for(folder: Path, url: str, more: str = "") -> Settings:
    text = f'[garage]\nid = "marina"\n[journal]\nurl = "{url}"\n{more}'
    return parse(text, folder / "exit-terminal.toml")


def test_a_standby_is_no_place_to_write_and_says_so_in_a_line(postgres: Cluster, database: str) -> None:
    with PostgresJournal.open(postgres.address(database), Lease("one")) as journal:
        journal.append_now([("fact", b"1")], 1)
    with postgres.replica() as twin:
        soon(lambda: twin.execute("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{database}'") == [(1,)])
        with pytest.raises(JournalFailed, match="read-only: it is a standby, or was set so") as caught:
            PostgresJournal.open(twin.address(database), Lease("one"))
        assert "\n" not in str(caught.value)
        assert [row.data for row in DatabaseHistory(twin.address(database)).read()] == [b"1"], "it can be read"


@pytest.fixture
def small(postgres: Cluster) -> Iterator[tuple[str, Path]]:
    """A database on a disk of 16 MB, and that disk."""
    if os.geteuid():  # CI is root: nobody need remove this
        pytest.skip("only root mounts a disk")
    disk = Path(mkdtemp(prefix="small-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], check=True, timeout=10)
    try:
        (disk / "space").mkdir()
        shutil.chown(disk / "space", "postgres", "postgres")
        disk.chmod(0o755)
        postgres.execute("postgres", f"CREATE TABLESPACE small LOCATION '{disk}/space'")
        postgres.execute("postgres", "CREATE DATABASE small TABLESPACE small")
        yield "small", disk
        postgres.drop("small")
        postgres.execute("postgres", "DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True, timeout=10)
        disk.rmdir()


@pytest.mark.fault("disk-full")
def test_a_disk_that_is_really_full_refuses_whole_appends_and_goes_on_once_there_is_room(
    postgres: Cluster, small: tuple[str, Path]
) -> None:
    database, disk = small
    filler = disk / "filler"
    with PostgresJournal.open(postgres.address(database), Lease("one")) as journal:
        journal.append_now([("fact", b"first")], 1)
        left = shutil.disk_usage(disk).free
        filler.write_bytes(bytes(max(0, left - 1_000_000)))
        acknowledged = 1
        with pytest.raises(JournalFull, match="the disk of the database is full"):
            while True:
                acknowledged = journal.append_now([("fact", ROW), ("fact", ROW)], 1)
        assert acknowledged < 100
        with pytest.raises(JournalFull):
            journal.append_now([("fact", ROW)] * 20, 1)
        filler.unlink()
        assert journal.append_now([("fact", b"room")], 1) == acknowledged + 1
    rows = [row.data for row in DatabaseHistory(postgres.address(database)).read()]
    assert len(rows) == acknowledged + 1 and rows[-1] == b"room", "all that was acknowledged, and no half of an append"


def jumping(address: DatabaseAddress, application: str) -> BoundedConnection:
    """A connection to a server whose clock is wrong by what stands in ``lies.shift``."""
    connection = BoundedConnection.open(address, application)
    connection.execute("SELECT set_config('search_path', 'lies, pg_catalog, public', false)")
    return connection


def shifted(postgres: Cluster, database: str, by: str) -> None:
    postgres.execute(database, f"UPDATE lies.shift SET by = '{by}'")


@pytest.mark.fault("clock-wrong")
def test_a_server_s_clock_that_jumps_neither_ends_a_lease_nor_prolongs_one(postgres: Cluster, database: str) -> None:
    postgres.execute(
        database,
        "CREATE SCHEMA lies; CREATE TABLE lies.shift AS SELECT interval '0' AS by;"
        "CREATE FUNCTION lies.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS"
        " 'SELECT pg_catalog.clock_timestamp() + by FROM lies.shift'",
    )
    PostgresJournal.open(postgres.address(database), Lease("one")).close()
    now = [0.0]
    with PostgresJournal.open(postgres.address(database), Lease("one"), opener=jumping) as journal:
        for number, by in enumerate(("0", "1 day", "-1 day", "-10 years"), 1):
            shifted(postgres, database, by)
            assert journal.append_now([("fact", b"%d" % number)], 1) == number
            assert journal.lease.is_valid
            with BoundedConnection.open(postgres.address(database), "standby") as connection:
                state = lease_.look(connection)
            assert state
            watch = LeaseWatch("two", lambda: now[0])
            assert not watch.may_take(state, now[0])
            now[0] += LEASE_S - 0.1
            assert not watch.may_take(state, now[0])
            now[0] += 0.2
            assert watch.may_take(state, now[0]), "it stood for 3 s of our own clock"
        was = postgres.execute(database, "SELECT renewed_at < now() - interval '9 years' FROM journal")
        assert was == [(True,)], "the lie was believed by the server alone"


def test_our_own_clock_that_jumps_back_leaves_the_order_of_the_rows(postgres: Cluster, database: str) -> None:
    moments = [1_795_000_000_000, 1_795_000_100_000, 5, 1_795_000_200_000]
    with PostgresJournal.open(postgres.address(database), Lease("one")) as journal:
        for number, at_ms in enumerate(moments, 1):
            journal.append_now([("fact", b"%d" % number)], at_ms)
    with PostgresJournal.open(postgres.address(database), Lease("one")) as journal:
        assert [(row.data, row.at_ms) for row in journal.replay()] == [
            (b"%d" % number, at_ms) for number, at_ms in enumerate(moments, 1)
        ]


@pytest.mark.parametrize(("behind_s", "words"), [(60, "60 s ahead of ours"), (-60, "60 s behind ours")])
async def test_check_says_that_the_clocks_are_apart_and_that_the_lease_does_not_go_by_them(
    behind_s: int, words: str, postgres: Cluster, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "time", lambda: time.time() - behind_s)  # this machine's clock
    settings = settings_for(tmp_path, postgres.url(database))
    found = {finding.name: finding async for finding in check_database(settings, machine(tmp_path))}
    finding = found["database clock"]
    assert finding.outcome == "warning" and words in finding.text and "lease does not go by it" in finding.text


async def test_check_says_that_who_promotes_a_standby_is_unproven_where_no_patroni_is_named(
    postgres: Cluster, database: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, postgres.url(database))
    found = {finding.name: finding async for finding in check_database(settings, machine(tmp_path))}
    assert "database fail-over" not in found, "there is none to promote"
    with postgres.replica():
        found = {finding.name: finding async for finding in check_database(settings, machine(tmp_path))}
        assert found["database fail-over"].outcome == "unproven"
        named = settings_for(tmp_path, postgres.url(database), 'patroni = ["http://127.0.0.1:8008"]\n')
        found = {finding.name: finding async for finding in check_database(named, machine(tmp_path))}
        assert "database fail-over" not in found
