"""`exit-terminal worker --release`, where there is nobody to hand over, or nobody to take it."""

from pathlib import Path

import pytest

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.journal.postgres import lease as lease_
from terminal.journal.postgres.connection import BoundedConnection
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease
from terminal.tools import hand_over
from tests.support.postgres import Cluster


def settings(folder: Path, journal: str) -> Settings:
    (file := folder / "exit-terminal.toml").write_text(f'[garage]\nid = "marina"\n[journal]\n{journal}\n')
    return load(file, {})


def released(settings: Settings) -> tuple[int, str]:
    said: list[str] = []
    return hand_over.run(settings, say=said.append), " ".join(said)


def test_a_journal_in_a_file_is_handed_over_by_a_stop(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"takes a journal\.url"):
        released(settings(tmp_path, 'path = "journal.db"'))


def test_a_database_without_a_journal_is_no_journal(postgres: Cluster, database: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no worker has run on it yet"):
        released(settings(tmp_path, f'url = "{postgres.url(database)}"'))


def test_nothing_is_asked_where_nobody_holds_the_lease_or_nobody_stands_by(
    postgres: Cluster, database: str, tmp_path: Path
) -> None:
    there = settings(tmp_path, f'url = "{postgres.url(database)}"')
    with PostgresJournal.open(postgres.address(database), Lease("one")) as journal:
        assert released(there) == (1, "Nobody stands by for one, so it keeps the lease. Start a second worker first.")
        journal.probe()
        assert not journal.lease.asked_to_hand_over
    status, said = released(there)
    assert status == 1
    assert said.startswith("No worker holds the lease")


def test_one_that_is_asked_hears_of_it_with_its_next_renewal_and_no_other_does(
    postgres: Cluster, database: str
) -> None:
    with (
        PostgresJournal.open(postgres.address(database), Lease("one")) as journal,
        BoundedConnection.open(postgres.address(database), "test") as connection,
    ):
        assert not lease_.ask_to_hand_over(connection, "another")
        journal.probe()
        assert not journal.lease.asked_to_hand_over
        assert lease_.ask_to_hand_over(connection, "one")
        journal.probe()
        assert journal.lease.asked_to_hand_over


def test_one_that_never_rests_hears_of_it_with_its_next_row(postgres: Cluster, database: str) -> None:
    """Each append renews the lease, so while something is written each second there is no other renewal."""
    with (
        PostgresJournal.open(postgres.address(database), Lease("one")) as journal,
        BoundedConnection.open(postgres.address(database), "test") as connection,
    ):
        journal.append_now([("TimePassed", b"{}")], 1)
        assert not journal.lease.asked_to_hand_over
        assert lease_.ask_to_hand_over(connection, "one")
        journal.append_now([("TimePassed", b"{}"), ("TimePassed", b"{}")], 2)
        assert journal.lease.asked_to_hand_over
