"""terminal/journal/postgres: a writer that was replaced, a database that lies, and one that is not ours."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from terminal.journal.postgres import lease as lease_
from terminal.journal.postgres.connection import BoundedConnection, DatabaseAddress
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease
from terminal.journal.postgres.reading import DatabaseHistory
from terminal.journal.postgres.tables import STEPS
from terminal.journal.rows import (
    JournalError,
    JournalFailed,
    JournalFenced,
    JournalForeign,
    JournalFull,
    JournalLocked,
    NoJournal,
)
from tests.support.eventually import soon
from tests.support.postgres import Cluster, cluster


def opened(postgres: Cluster, database: str, holder: str = "one", **more: object) -> PostgresJournal:
    return PostgresJournal.open(postgres.address(database), Lease(holder), **more)  # type: ignore[arg-type]


def stolen(postgres: Cluster, database: str, holder: str) -> PostgresJournal:
    """Opened although another holds the lease, as after its 3 s."""
    with BoundedConnection.open(postgres.address(database), "thief") as connection:
        seen = lease_.look(connection)
    return opened(postgres, database, holder, seen=seen)


def rows_of(postgres: Cluster, database: str) -> list[bytes]:
    return [row.data for row in DatabaseHistory(postgres.address(database)).read()]


def impatient(limit_s: float) -> Callable[[DatabaseAddress, str], BoundedConnection]:
    return lambda address, name: BoundedConnection.open(address, name, limit_s)


# One history


def test_a_writer_that_was_replaced_writes_nothing_more(postgres: Cluster, database: str) -> None:
    with opened(postgres, database, "old") as old:
        old.append_now([("fact", b"old")], 1)
        with stolen(postgres, database, "new") as new:
            new.append_now([("fact", b"new")], 2)
            with pytest.raises(JournalFenced, match="another worker has taken this journal: new"):
                old.append_now([("fact", b"late")], 3)
            assert not old.lease.is_valid
            assert new.lease.epoch == old.lease.epoch + 1
            new.append_now([("fact", b"undisturbed")], 4)
        with pytest.raises(JournalFenced):
            old.append_now([("fact", b"again")], 5)
    assert rows_of(postgres, database) == [b"old", b"new", b"undisturbed"]


def test_one_who_lost_the_lease_does_not_free_it_at_its_end(postgres: Cluster, database: str) -> None:
    old = opened(postgres, database, "old")
    with stolen(postgres, database, "new") as new:
        old.close()
        with pytest.raises(JournalLocked, match="new"):
            opened(postgres, database, "third")
        assert new.append_now([("fact", b"x")], 1) == 1


def test_forced_take_overs_leave_one_chain_and_lose_nothing_that_was_acknowledged(
    postgres: Cluster, database: str
) -> None:
    opened(postgres, database, "first").close()
    acknowledged: dict[int, bytes] = {}
    epochs: list[int] = []
    refused = 0
    lock, ends = threading.Lock(), time.monotonic() + 60.0

    def is_over() -> bool:
        return len(epochs) >= 15 or time.monotonic() > ends

    def thief(name: str) -> None:
        nonlocal refused
        number = 0
        while not is_over():
            try:
                # one that writes renews its lease, so it cannot be taken: it is thrown out first
                postgres.execute(database, "UPDATE journal SET epoch = epoch + 1")
                with stolen(postgres, database, name) as journal:
                    with lock:
                        epochs.append(journal.lease.epoch)
                    while not is_over():
                        number += 1
                        data = f"{name} {number}".encode()
                        seq = journal.append_now([("fact", data)], 1)
                        with lock:
                            assert seq not in acknowledged
                            acknowledged[seq] = data
            except JournalLocked:  # another was quicker
                continue
            except JournalFenced:
                refused += 1

    thieves = [threading.Thread(target=thief, args=(f"thief-{n}",)) for n in range(3)]
    for one in thieves:
        one.start()
    for one in thieves:
        one.join()
    found = {row.seq: row.data for row in DatabaseHistory(postgres.address(database)).read()}  # the chain is whole
    assert acknowledged.items() <= found.items()
    assert len(set(epochs)) == len(epochs) >= 15
    assert refused > 0


@pytest.mark.fault("database-lies")
def test_a_database_that_was_put_back_under_a_living_writer_is_noticed_by_its_next_append(
    postgres: Cluster, database: str
) -> None:
    with opened(postgres, database) as journal:
        journal.append_now([("fact", b"1")], 1)
        sql = "DELETE FROM entry WHERE seq = 2; UPDATE journal SET seq = 1, chain = (SELECT chain FROM entry)"
        journal.append_now([("fact", b"2")], 2)
        postgres.execute(database, sql)
        with pytest.raises(JournalFailed, match="ends at row 1, but row 2 was acknowledged"):
            journal.append_now([("fact", b"3")], 3)
        with pytest.raises(JournalFailed):
            journal.append_now([("fact", b"again")], 3)
    assert rows_of(postgres, database) == [b"1"]


def test_a_copy_that_was_put_back_is_known_as_one_and_a_restarted_server_is_not(
    postgres: Cluster, database: str
) -> None:
    with opened(postgres, database) as journal:
        assert not journal.moved
    copy = postgres.database(f"TEMPLATE {database}")
    with opened(postgres, copy) as journal:
        assert journal.moved
        journal.move_in()
    with opened(postgres, copy) as journal:
        assert not journal.moved
    postgres.drop(copy)


# A database that does not answer, or lies


@pytest.mark.fault("database-cut")
def test_a_commit_that_waits_for_its_standby_is_given_up_and_not_cancelled(postgres: Cluster, database: str) -> None:
    with opened(postgres, database) as journal:
        journal.append_now([("fact", b"before")], 1)
    postgres.configure(synchronous_standby_names="'FIRST 1 (nobody)'")
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    try:
        began = time.monotonic()
        with pytest.raises(JournalFailed, match="what became of it is unknown"):
            opened(postgres, database, "waits", opener=impatient(0.5))
        assert time.monotonic() - began < 5
        assert postgres.execute("postgres", waits) != [(0,)], "it still waits, since nobody cancelled it"
    finally:
        postgres.configure(synchronous_standby_names="''")
    soon(lambda: postgres.execute("postgres", waits) == [(0,)])
    with stolen(postgres, database, "next") as journal:
        assert journal.lease.epoch == 3, "the taking that waited was done"


def test_an_append_without_an_answer_has_an_unknown_outcome_and_the_next_start_knows_it(
    postgres: Cluster, database: str
) -> None:
    with opened(postgres, database, opener=impatient(0.5)) as journal:
        journal.append_now([("fact", b"before")], 1)
        postgres.configure(synchronous_standby_names="'FIRST 1 (nobody)'")
        try:
            with pytest.raises(JournalFailed, match="unknown"):
                journal.append_now([("fact", b"in doubt")], 2)
            assert journal.last == (1, journal.last[1])
        finally:
            postgres.configure(synchronous_standby_names="''")
    with stolen(postgres, database, "next") as journal:
        assert [row.data for row in journal.replay()] == [b"before", b"in doubt"]
        assert journal.append_now([("fact", b"after")], 3) == 3


@pytest.mark.fault("database-lies")
def test_a_notice_during_an_append_is_a_failure(postgres: Cluster, database: str) -> None:
    with opened(postgres, database) as journal:
        journal.append_now([("fact", b"1")], 1)
        on_insert(postgres, database, "RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL;")
        with pytest.raises(JournalFailed, match="notice: WARNING: canceling wait"):
            journal.append_now([("fact", b"2")], 2)
        with pytest.raises(JournalFailed, match="notice"):
            journal.append_now([("fact", b"3")], 3)


def on_insert(postgres: Cluster, database: str, body: str) -> None:
    postgres.execute(
        database,
        f"CREATE FUNCTION lie() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body.replace(chr(39), chr(39) * 2)} END';"
        "CREATE TRIGGER lie AFTER INSERT ON entry FOR EACH STATEMENT EXECUTE FUNCTION lie()",
    )


@pytest.mark.fault("disk-full")
def test_on_a_full_disk_nothing_is_written_and_it_goes_on_once_there_is_room(postgres: Cluster, database: str) -> None:
    with opened(postgres, database) as journal:
        on_insert(postgres, database, "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100';")
        for _ in range(2):
            with pytest.raises(JournalFull, match="the disk of the database is full"):
                journal.append_now([("fact", b"1")], 1)
        postgres.execute(database, "DROP TRIGGER lie ON entry")
        assert journal.append_now([("fact", b"room")], 2) == 1
    assert rows_of(postgres, database) == [b"room"]


def test_a_server_that_ends_fails_the_append_and_the_journal_goes_on_after_its_return(tmp_path: Path) -> None:
    with cluster() as own:
        database = own.database()
        with opened(own, database, "one") as journal:
            journal.append_now([("fact", b"1")], 1)
            own.stop()
            with pytest.raises(JournalFailed):
                journal.append_now([("fact", b"2")], 2)
        with pytest.raises(JournalFailed):
            opened(own, database)
        own.start()
        with opened(own, database, "one") as journal:
            assert not journal.moved
            assert journal.append_now([("fact", b"3")], 3) == 2
        assert rows_of(own, database) == [b"1", b"3"]


@pytest.mark.fault("database-cut")
async def test_all_that_was_acknowledged_is_on_the_standby_that_is_promoted(tmp_path: Path) -> None:
    with cluster() as own, own.replica() as twin:
        own.configure(synchronous_standby_names="'FIRST 1 (twin)'")
        await own.synchronous("twin")
        database = own.database()
        acknowledged = 0
        with opened(own, database, "one") as journal, pytest.raises(JournalFailed):
            while True:
                acknowledged = await journal.append([("fact", b"%d" % (acknowledged + 1))], 1)
                if acknowledged == 40:
                    own.signal(signal.SIGKILL)
        assert acknowledged >= 40
        twin.promote()
        with opened(twin, database, "one") as journal:
            assert not journal.moved, "a promoted standby is no copy"
            rows = [row.data for row in journal.replay()]
            assert rows[:acknowledged] == [b"%d" % n for n in range(1, acknowledged + 1)]
            assert len(rows) <= acknowledged + 1, "one may be there without an answer"
            assert journal.append_now([("fact", b"goes on")], 1) == len(rows) + 1


# A database that is not ours


def refused(postgres: Cluster, database: str, kind: type[JournalError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        opened(postgres, database)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("database ")


@pytest.mark.parametrize(
    ("sql", "kind", "words"),
    [
        ("UPDATE journal SET version = 9", JournalForeign, "version 9 was written by a newer program"),
        ("UPDATE journal SET garage = 'creek'", JournalForeign, "the journal of garage creek, not of marina"),
        ("UPDATE journal SET role = 'barrier'", JournalForeign, "another role, not of the worker"),
        ('ALTER TABLE entry ALTER kind TYPE text COLLATE "default"', JournalForeign, "collations"),
        ("ALTER TABLE entry DROP COLUMN crc", JournalForeign, "tables, or their collations"),
        ("ALTER TABLE journal RENAME COLUMN garage TO g", NoJournal, "not a journal's"),
        ("DROP TABLE archive", NoJournal, "missing"),
        ("DELETE FROM journal", JournalForeign, "restore it from a backup"),
    ],
)
def test_each_strange_database_has_its_line_and_is_left_alone(
    sql: str, kind: type[JournalError], words: str, postgres: Cluster, database: str
) -> None:
    with opened(postgres, database) as journal:
        journal.append_now([("fact", b"1")], 1)
    postgres.execute(database, sql)
    refused(postgres, database, kind, words)


def test_a_database_that_cannot_be_written_has_its_line(postgres: Cluster, database: str) -> None:
    opened(postgres, database).close()
    postgres.execute("postgres", f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    refused(postgres, database, JournalFailed, "read-only: it is a standby, or was set so")


def test_a_new_database_that_cannot_be_a_journal_has_its_line(postgres: Cluster) -> None:
    for options, sql, kind, words in (
        ("TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", "", JournalForeign, "LATIN1, takes UTF8"),
        ("", "CREATE TABLE orders (id int)", NoJournal, r"other tables \(orders\).*name another database"),
    ):
        name = postgres.database(options)
        if sql:
            postgres.execute(name, sql)
        refused(postgres, name, kind, words)
        assert postgres.execute(name, "SELECT to_regclass('public.journal') IS NULL") == [(True,)]
        postgres.drop(name)


def test_two_garages_under_one_name_are_told_apart_by_their_workers_keys(postgres: Cluster, database: str) -> None:
    opened(postgres, database, keys=frozenset({"a", "b"})).close()
    opened(postgres, database, keys=frozenset({"b", "c"})).close()  # a key was changed
    with pytest.raises(JournalForeign, match="another garage is called marina, too"):
        opened(postgres, database, keys=frozenset({"a"}))
    opened(postgres, database, keys=frozenset({"c"})).close()


def test_a_database_that_is_not_there_is_an_error_without_the_user(postgres: Cluster) -> None:
    address = DatabaseAddress(postgres.url("nowhere"), "marina")
    with pytest.raises(JournalFailed, match="does not exist"):
        PostgresJournal.open(address, Lease("one"))
    assert DatabaseAddress("postgresql://ann@db.example:5433/marina", "marina").name == (
        "database marina at db.example:5433"
    )


@pytest.mark.fault("update")
def test_an_older_database_is_brought_forward_with_its_rows(postgres: Cluster, database: str) -> None:
    with opened(postgres, database) as journal:
        journal.append_now([("fact", b"1")], 1)
    more = (*STEPS, "CREATE TABLE seen (id text PRIMARY KEY)")
    for _ in range(2):
        with opened(postgres, database, steps=more) as journal:
            assert [row.data for row in journal.replay()] == [b"1"]
    with psycopg.connect(postgres.url(database)) as connection:
        assert connection.execute("SELECT version FROM journal").fetchone() == (2,)
    refused(postgres, database, JournalForeign, "version 2 was written by a newer program")
