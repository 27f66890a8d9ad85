"""Fuzzed: files that a person, another machine or a broken disk hands in: configurations, users, bundles, backups,
journals and what lies beside them."""

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from terminal.config.load import _overrides, _readings, load
from terminal.config.schema import ConfigError
from terminal.config.users import BadUsersFile, UsersFile
from terminal.core.tariff import notation
from terminal.journal import reading
from terminal.journal.rows import JournalError
from terminal.journal.side_files import _unpack
from terminal.roles.barrier.spent_lifts import SpentLifts
from terminal.tools.backup.restore import _unpacked
from terminal.tools.init.bundle import pack, unpack
from tests.fuzz.target import FuzzTarget, as_file, is_plain_line, scratch
from tests.support.barrier_journal import written

TREE = Path(__file__).parents[2]
EXAMPLE = (TREE / "deploy/exit-terminal.toml").read_bytes()
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA"
_TOML = (
    b"[garage]\n", b"[payby]\n", b"[tariff]\n", b"[[tariff.rate]]\n", b"'''", b'"""', b"= {", b"= [", b"[" * 400,
    b"1979-05-27T07:32:00Z", b"07:32:00", b"nan", b"-inf", b"0x_", b"\\u0000", b"\\ud800", b'"""\n', b"\xef\xbb\xbf",
    b"99999999999999999999999", b"true", b'""', b"id", b"\xe2\x80\x9c", b"\x00", "\u2028".encode(),
)  # fmt: skip


def _one_line(error: Exception) -> None:
    assert is_plain_line(str(error)), f"more than a line: {error}"


def _toml(data: bytes) -> None:
    try:
        load(as_file("exit-terminal.toml", data), {})
    except ConfigError as error:
        _one_line(error)
        raise


def _environment(data: bytes) -> None:
    """A variable's name and its value, with a NUL between; an environment holds no other NUL."""
    name, _, value = data.partition(b"\0")
    text = [part.replace(b"\0", b"").decode("utf-8", "surrogateescape") for part in (name, value)]
    try:
        dict(_overrides({text[0]: text[1]}))
        _readings(text[1])
        load(None, {text[0]: text[1]})
    except ConfigError as error:
        _one_line(error)
        raise


_ODD = (
    b"[garage]\nlanes = " + b"9" * 5000, b"[garage]\nlanes = 0x" + b"f" * 5000, b"[garage]\nid = " + b"[" * 2000,
    b'["a\\nb"]\nc = 1', b'[garage]\n"a\\nb" = 1', b'[garage]\nid = { "a\\nb" = 1 }',
    b'[lift]\ntrusted = { "a\\nb" = "c" }',
)  # fmt: skip


def _variables() -> Iterator[bytes]:
    for name, value in (("GARAGE_ID", "marina"), ("BROKER_WATCHERS", '["watch"]'), ("LIFT_TRUSTED", '{ worker = "a" }'),
                        ("TARIFF_RATE", "[{}]"), ("PAYBY_QUERY_EVERY", "3.0")):  # fmt: skip
        yield f"EXIT_TERMINAL_{name}\0{value}".encode()
    for value in (b"9" * 5000, b"0x" + b"f" * 5000, b"[" * 2000, b"caf\xe9"):
        yield b"EXIT_TERMINAL_GARAGE_LANES\0" + value


def _times(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for read in (notation.length, notation.clock, notation.hours, notation.week, notation.days, notation.dates):
        with contextlib.suppress(ValueError):
            read(text)


def _users(data: bytes) -> None:
    users = UsersFile(as_file("desk-users.json", data))
    for user in users.users().values():
        assert user.may("view") and user.password.startswith("$argon2id$")


def _users_sample() -> Iterator[bytes]:
    one = {"name": "amal", "role": "attendant", "password": HASH, "since": "2026-11-30"}
    yield json.dumps({"v": 1, "users": [one, {**one, "name": "maha", "role": "manager"}]}).encode()


def _bundle(data: bytes) -> None:
    for name in unpack(as_file("lane.tar", data)):
        assert not name.startswith("/") and ".." not in name.split("/")


def _bundles() -> Iterator[bytes]:
    yield pack({"exit-terminal.toml": b"[lane]\n", "secrets/mqtt/lane.exit-1": b"password\n"}, 1_795_000_000)
    yield _tar(("../x", tarfile.REGTYPE), ("exit-terminal.toml", tarfile.SYMTYPE), ("/etc/x", tarfile.LNKTYPE))


def _tar(*entries: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, kind in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, "exit-terminal.toml", 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(entry, io.BytesIO(b"abc"))
    return out.getvalue()


def _backup(data: bytes) -> None:
    (scratch() / "restored").mkdir(exist_ok=True)
    _, files, _ = _unpacked(as_file("backup.tar", data), scratch() / "restored")
    for name in files:
        assert not name.startswith("/") and ".." not in name.split("/")


def _backups() -> Iterator[bytes]:
    manifest = {
        "v": 1, "version": "0.1.0", "made": "2026-11-30T00:00:00Z", "garage": "marina", "lane": "exit-1",
        "configuration": "exit-terminal.toml", "secrets": False, "journals": [],
    }  # fmt: skip
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in (("manifest.json", json.dumps(manifest).encode()),
                              ("files/exit-terminal.toml", EXAMPLE[:200]),
                              ("journals/journal.db", b"SQLite format 3\0")):  # fmt: skip
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    yield out.getvalue()
    yield _tar(("manifest.json", tarfile.REGTYPE), ("journals/a/b", tarfile.REGTYPE), form=tarfile.GNU_FORMAT)


def _head(data: bytes) -> None:
    found = _unpack(data)
    assert found is None or len(found[1]) == 16


def _heads() -> Iterator[bytes]:
    return _journal_files(".head")


def _journal(data: bytes) -> None:
    """A barrier's journal file as a whole: what is read of it is what a barrier believes."""
    path = as_file("barrier.db", data)
    for beside in scratch().glob("barrier.db-*"):
        beside.unlink()
    SpentLifts().replay(reading.read(path))


def _journal_files(*endings: str) -> Iterator[bytes]:
    path = scratch() / "sample.db"
    if not path.exists():
        written(path)
    for ending in endings:
        yield path.with_name(path.name + ending).read_bytes()


TARGETS = (
    FuzzTarget("configurations", _toml, (ConfigError,), lambda: (EXAMPLE, *_tariffs(), *_ODD), _TOML),
    FuzzTarget("environment", _environment, (ConfigError,), _variables, _TOML),
    FuzzTarget(
        "tariff-times",
        _times,
        (),
        lambda: (b"1 h 30 min", b"fri 18:00-mon 06:00", b"2026-12-02..2026-12-03"),
        (b":", b"-", b"..", b"mon", b"99999999999", "\u0661".encode()),
    ),
    FuzzTarget(
        "users-files",
        _users,
        (BadUsersFile,),
        _users_sample,
        (b'"role":', b'["view"]', b'{"a":1}', b"null", b'"users":', b"[" * 60, HASH.encode(), b'"\\ud800"'),
    ),
    FuzzTarget(
        "lane-bundles",
        _bundle,
        (ConfigError,),
        _bundles,
        (b"ustar\x0000", b"../", b"/", b"path=", b"\x80" + b"\xff" * 11),
    ),
    FuzzTarget(
        "backups", _backup, (ConfigError,), _backups, (b"ustar\x0000", b"../", b"manifest.json", b"GNU.sparse.map=")
    ),
    FuzzTarget("journal-heads", _head, (), _heads),
    FuzzTarget(
        "journal-files",
        _journal,
        (JournalError, ValueError),
        lambda: _journal_files(""),
        (b"SQLite format 3\0", b"\xff\xff"),
    ),
)


def _tariffs() -> Iterator[bytes]:
    yield from (path.read_bytes() for path in sorted((TREE / "deploy/tariffs").glob("*.toml")))
