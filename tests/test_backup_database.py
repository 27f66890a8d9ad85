"""`backup` and `restore` of a garage server whose worker's journal is in a database."""

from pathlib import Path
from typing import Literal

from terminal.config.load import load
from terminal.journal.postgres.journal import PostgresJournal
from terminal.journal.postgres.lease import Lease
from terminal.journal.postgres.reading import DatabaseHistory
from terminal.tools.backup import restore, save
from tests.support.postgres import Cluster


def nobody(_: Path) -> Literal["", "ours", "another's"]:
    return ""


def test_a_backup_has_the_database_and_a_restore_says_how_it_is_read_back(
    postgres: Cluster, database: str, tmp_path: Path
) -> None:
    (here := tmp_path / "here").mkdir()
    file = here / "exit-terminal.toml"
    file.write_text(f'[garage]\nid = "marina"\n[journal]\nurl = "{postgres.url(database)}"\n')
    said: list[str] = []
    with PostgresJournal.open(postgres.address(database), Lease("one")) as journal:
        journal.append_now([("fact", b"1"), ("fact", b"2")], 1)
        archive = tmp_path / "garage.tar"
        save.run(load(file, {}), archive, secrets=True, now_ms=1_795_000_000_000, locked=nobody, say=said.append)
        assert journal.append_now([("fact", b"3")], 1) == 3
    assert "worker 2 rows" in said[0]
    there = tmp_path / "there"
    assert restore.run(archive, there, complete=False, user=None, say=said.append) == 0
    line = next(text for text in said if "pg_restore" in text)
    assert (there / "worker.pgdump").stat().st_mode & 0o777 == 0o600
    words = line.partition("pg_restore ")[2].replace("'", "").split()
    copy = postgres.database()
    postgres.restore(*(word.replace(database, copy) for word in words))
    assert [row.data for row in DatabaseHistory(postgres.address(copy)).read()] == [b"1", b"2"]
    postgres.drop(copy)
