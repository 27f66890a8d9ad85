"""`[journal]`: a file or a database, never both, and no secret in a URL."""

from pathlib import Path

import pytest

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings

SECRET = "s3cr-t"


def loaded(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (file := folder / "exit-terminal.toml").write_text(f'[garage]\nid = "marina"\n[journal]\n{text}')
    return load(file, environ or {})


def refused(folder: Path, text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, environ)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///marina",
        "postgresql://db.example/marina",
        "postgresql://worker@db.example:5433/marina?sslmode=verify-full",
        "postgres://worker@a.example:5432,b.example:5433/marina?target_session_attrs=read-write",
        "postgresql:///marina?host=/run/postgresql&port=5433",
        "postgresql:///?service=garage",
        "postgresql://[::1]:5432/marina",
    ],
)
def test_what_libpq_takes_without_a_password_is_taken(url: str, tmp_path: Path) -> None:
    settings = loaded(tmp_path, f'url = "{url}"\npassfile = "secrets/pgpass"')
    assert settings.journal
    assert settings.journal.url == url
    assert settings.journal.passfile == tmp_path / "secrets/pgpass"
    assert settings.journal.path is None


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://worker:{SECRET}@db.example/marina",
        f"postgres://:{SECRET}@db.example/marina",
        f"postgresql://worker:{SECRET}@a.example,b.example/marina",
        f"postgresql://worker@db.example/marina?password={SECRET}",
        f"postgresql://db.example/marina?user=worker&password={SECRET}",
        f"postgresql://db.example/marina?sslpassword={SECRET}",
        f"postgresql://db.example/marina?%70assword={SECRET}",
    ],
)
def test_a_url_with_a_password_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    for said in (
        refused(tmp_path, f'url = "{url}"'),
        refused(tmp_path, "", {"EXIT_TERMINAL_JOURNAL_URL": url}),
    ):
        assert "journal.url" in said
        assert "passfile" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'path = "j.db"\nurl = "postgresql:///marina"',
            "journal.url: got one beside journal.path, takes one of the two",
        ),
        ('path = "j.db"\npassfile = "p"', "journal.passfile: got a file, takes one with journal.url alone"),
        ('url = "mysql://db.example/marina"', "journal.url: got a text"),
        ('url = "postgresql://db.example:99999/marina"', "takes a port from 1 to 65535"),
        ('url = "postgresql://a.example:1,b.example:x/marina"', "takes a port from 1 to 65535"),
        ('url = "marina"', "journal.url: got a text"),
        ("url = 5", "journal.url: got"),
        ('path = "j.db"\npatroni = ["http://db:8008"]', "journal.patroni: got addresses, takes some with journal.url"),
        ('url = "postgresql:///marina"\npatroni = ["http://db:0"]', "journal.patroni: got a text whose host or port"),
        ('url = "postgresql:///marina"\npatroni = ["http://ann:pw@db:8008"]', "journal.patroni"),
        ('url = "postgresql:///marina"\npatroni = "http://db:8008"', "journal.patroni: got"),
    ],
)
def test_each_wrong_place_has_one_line(text: str, words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, text)


def test_without_either_a_worker_lacks_the_path(tmp_path: Path) -> None:
    from terminal.config.schema import JournalSettings

    with pytest.raises(ConfigError, match=r"journal\.path: missing"):
        loaded(tmp_path, "").need(JournalSettings)
    assert "worker" not in loaded(tmp_path, 'url = "postgresql:///marina"').roles()


def test_the_environment_may_name_the_database(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "", {"EXIT_TERMINAL_JOURNAL_URL": "postgresql:///marina"})
    assert settings.journal and settings.journal.url == "postgresql:///marina"
