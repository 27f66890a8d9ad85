"""What `check` says of the database of a worker's journal: a line for each matter, and nothing is changed."""

from pathlib import Path

import pytest

from terminal.config.load import load
from terminal.config.schema import Settings
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease
from terminal.tools.check.database import database as check_database
from terminal.tools.check.finding import Finding
from tests.support.installation import machine
from tests.support.postgres import Cluster

WHOLE = """
[garage]
id = "marina"
[journal]
url = "{url}"
"""


def settings_for(folder: Path, url: str, more: str = "") -> Settings:
    file = folder / "exit-terminal.toml"
    file.write_text(WHOLE.format(url=url) + more)
    return load(file, {})


async def findings(settings: Settings, folder: Path) -> dict[str, Finding]:
    return {finding.name: finding async for finding in check_database(settings, machine(folder))}


async def test_a_sound_database_is_told_with_who_works_on_it(postgres: Cluster, database: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, postgres.url(database))
    found = await findings(settings, tmp_path)
    assert found["database journal.url"].ok and "no worker has run on it yet" in found["database journal.url"].text
    assert postgres.execute(database, "SELECT to_regclass('public.journal') IS NULL") == [(True,)]
    with PostgresJournal.open(postgres.address(database), Lease("one")) as journal:
        journal.append_now([("fact", b"x")], 1)
        found = await findings(settings, tmp_path)
        assert "one works at row 1, 0 standing by" in found["database journal.url"].text
        assert found["database standby"].outcome == "unproven"
        assert journal.append_now([("fact", b"x")], 1) == 2
    found = await findings(settings, tmp_path)
    assert "nobody works" in found["database journal.url"].text
    assert all(finding.key == "journal.url" for finding in found.values())


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE journal SET garage = 'creek'", "garage creek, not of marina"),
        ("UPDATE journal SET version = 9", "newer program"),
        ('ALTER TABLE entry ALTER kind TYPE text COLLATE "default"', "collations"),
        ("ALTER DATABASE {} SET default_transaction_read_only = on", "read-only"),
    ],
)
async def test_what_a_worker_would_refuse_fails_with_the_same_line(
    sql: str, words: str, postgres: Cluster, database: str, tmp_path: Path
) -> None:
    PostgresJournal.open(postgres.address(database), Lease("one")).close()
    postgres.execute(database, sql.format(database))
    finding = (await findings(settings_for(tmp_path, postgres.url(database)), tmp_path))["database journal.url"]
    assert not finding.ok and words in finding.text and finding.advice


async def test_a_standby_that_is_missing_or_not_synchronous_fails(
    postgres: Cluster, database: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, postgres.url(database))
    postgres.configure(synchronous_standby_names="'FIRST 1 (nobody)'")
    try:
        finding = (await findings(settings, tmp_path))["database standby"]
        assert not finding.ok and "each commit waits" in finding.text
    finally:
        postgres.configure(synchronous_standby_names="''")
    with postgres.replica():
        finding = (await findings(settings, tmp_path))["database standby"]
        assert not finding.ok and "1, none of them synchronous" in finding.text
        postgres.configure(synchronous_standby_names="'FIRST 1 (twin)'")
        try:
            await postgres.synchronous("twin")
            finding = (await findings(settings, tmp_path))["database standby"]
            assert finding.ok and finding.text == "1 of 1 synchronous"
        finally:
            postgres.configure(synchronous_standby_names="''")


async def test_settings_under_which_a_power_cut_loses_rows_fail(
    postgres: Cluster, database: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, postgres.url(database))
    postgres.configure(full_page_writes="off")
    try:
        assert not (await findings(settings, tmp_path))["database full_page_writes"].ok
    finally:
        postgres.configure(full_page_writes="on")


async def test_a_password_file_that_libpq_would_not_take_fails(
    postgres: Cluster, database: str, tmp_path: Path
) -> None:
    (tmp_path / "pass").write_text("*:*:*:*:secret\n")
    (tmp_path / "pass").chmod(0o644)
    settings = settings_for(tmp_path, postgres.url(database), 'passfile = "pass"\n')
    finding = (await findings(settings, tmp_path))["password journal.passfile"]
    assert not finding.ok and "chmod 600" in finding.advice and "secret" not in str(finding)


async def test_a_connection_over_a_network_without_a_proof_is_a_warning(tmp_path: Path) -> None:
    from terminal.tools.check.database import _is_private

    for url, private in (
        ("postgresql:///marina?host=/run/postgresql", True),
        ("postgresql://worker@127.0.0.1/marina", True),
        ("postgresql://worker@db.example/marina", False),
        ("postgresql://worker@db.example/marina?sslmode=require", False),
        ("postgresql://worker@a.example,b.example/marina?sslmode=verify-full", True),
    ):
        assert _is_private(url) is private, url


async def test_a_database_that_does_not_answer_fails_in_a_line(tmp_path: Path) -> None:
    found = await findings(settings_for(tmp_path, f"postgresql:///marina?host={tmp_path}"), tmp_path)
    assert list(found) == ["database journal.url"] and not found["database journal.url"].ok
    assert "\n" not in str(found["database journal.url"])
