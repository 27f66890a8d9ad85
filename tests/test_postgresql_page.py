"""deploy/postgresql.md: what it says to type works, as an ordinary user of the database."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.config.load import parse
from terminal.journal.postgres.connection import DatabaseAddress
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease
from terminal.journal.postgres.server import examine
from terminal.journal.postgres.tables import JournalOwner
from tests.support.postgres import PORT, Cluster, programs

PAGE = (Path(__file__).parents[1] / "deploy/postgresql.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def as_postgres(postgres: Cluster, line: str) -> None:
    """A line of the page, with this cluster's socket in place of Debian's."""
    program, *words = shlex.split(line.removeprefix("sudo -u postgres "))
    here = ["--host", str(postgres.folder), "--port", str(PORT), "--username", "postgres"]
    subprocess.run([str(programs() / program), *here, *words], check=True, capture_output=True, timeout=60)


@pytest.fixture
def made(postgres: Cluster) -> Iterator[DatabaseAddress]:
    """The database that the page makes, as its user has it."""
    lines = [line for line in blocks("sh")[0].splitlines() if line.startswith("sudo -u postgres ")]
    assert [shlex.split(line)[3] for line in lines] == ["createuser", "createdb", "psql"]
    for line in lines:
        as_postgres(postgres, line)
    url = postgres.url("marina").replace("user=postgres", "user=exit_terminal")
    yield DatabaseAddress(url, "marina")
    postgres.drop("marina")
    postgres.execute("postgres", "DROP ROLE exit_terminal")


async def test_the_database_of_the_page_is_a_journal_for_its_user_and_comes_back_from_a_dump(
    postgres: Cluster, made: DatabaseAddress, tmp_path: Path
) -> None:
    with PostgresJournal.open(made, Lease("one")) as journal:
        assert await journal.append([("fact", b"1")] * 1300, 1) == 1300
        assert await journal.archive_and_prune(700) == 700
        await journal.backup(tmp_path / "worker.pgdump")
    facts = examine(made, JournalOwner("worker", "marina"))
    assert facts.replicas == (0, 0, 0) and not facts.collation_changed
    restore = blocks("sh")[-1].split()
    assert restore[0] == "pg_restore"
    postgres.drop("marina")
    as_postgres(postgres, next(line for line in blocks("sh")[0].splitlines() if " createdb " in line))
    words = [word for word in restore[1:-1] if not word.startswith("--dbname")]
    postgres.restore(*words, f"--dbname={made.url}", str(tmp_path / "worker.pgdump"))
    with PostgresJournal.open(made, Lease("one")) as journal:
        assert journal.moved
        assert journal.append_now([("fact", b"goes on")], 1) == 1301


def test_the_configuration_of_the_page_is_taken(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    settings = parse(text, tmp_path / "exit-terminal.toml")
    assert settings.journal and settings.journal.url and settings.journal.passfile == tmp_path / "secrets/pgpass"


def test_the_sql_of_the_page_is_taken(postgres: Cluster) -> None:
    (text,) = blocks("sql")
    try:
        for statement in filter(None, map(str.strip, text.split(";"))):
            postgres.execute("postgres", statement)
    finally:
        postgres.configure(synchronous_standby_names="''")
