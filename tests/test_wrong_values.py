"""Whatever is wrong with a value, and whichever command reads it: one line on stderr, status 2, and the key's name."""

import argparse
import contextlib
import io
import json
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from terminal.__main__ import main, parser
from terminal.config.load import load
from terminal.config.schema import SECTIONS, ConfigError, hints
from terminal.payby.sandbox.command import key_pair
from terminal.tools.init.command import Request, Surroundings, run, utc_now
from tests.support.ports import free_port

ORDER = "marina-exit-1-01a22e78193c7a59952f529de00f1247"
WITH_CONFIGURATION = {
    "run": (), "reader": (), "worker": (), "listener": (), "barrier": (), "lcd": (), "loops": (), "broker": (),
    "check": (), "ticket": (), "refund": (ORDER, "--yes"), "reconcile": ("--date", "2026-11-01"),
    "backup": (f"{tempfile.gettempdir()}/exit-terminal-wrong-values.tar",),
}  # fmt: skip
KEYS = [f"{name}.{key}" for name, kind in SECTIONS.items() for key in hints(kind)]
SECRET = "hunter2-do-not-show"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of every role, on ports that nobody has."""
    folder = tmp_path_factory.mktemp("whole")
    given = {"garage": "marina", "panel": "png", "reader": "stdin", "pins": "mock"}
    run(Request(folder / "exit-terminal.toml", given), Surroundings({}, utc_now(), "desk", say=lambda _: None))
    key_pair(folder / "secrets", "payby")
    file = folder / "exit-terminal.toml"
    text = file.read_text(encoding="utf-8")
    broker, listener = free_port(), free_port()
    text = text.replace("1883", str(broker)).replace("port = 8080", f"port = {listener}")
    file.write_text(text + "\n[loops]\nwaiting_pin = 5\nboom_pin = 6\n", encoding="utf-8")
    return folder


def said(*words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Status and stderr of a command, run here."""
    errors = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(errors):
        patch.setattr("sys.stdin", io.StringIO())
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                status = main(words)
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else 1
    return status, errors.getvalue()


def is_one_line(status: int, line: str, *, about: str) -> None:
    assert status == 2, line
    assert line.endswith("\n") and line.count("\n") == 1, line
    assert line.startswith("exit-terminal"), line
    assert about in line, (about, line)
    assert "[Errno" not in line and "Traceback" not in line, line
    assert SECRET not in line, line
    assert len(line) < 700, line
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", line), line


# -- every key, every command ------------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "0", "-1", "true", "NaN", "inf", "1e309", "'", '"', "\\", "a\nb", "\t", "é", "💥", "☃" * 300,
         "x" * 5000, "/nope", "../..", f"mqtt://lane:{SECRET}@host", f"{SECRET}@", f"https://u:{SECRET}@host/x", "mqtt://host:99999",
         "https://host:0/x", "mqtt://[::1", "-----BEGIN PRIVATE KEY-----"]
    ),
    st.text(max_size=40).filter(lambda text: "\0" not in text and not re.search("[\ud800-\udfff]", text)),
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.one_of(
    TEXTS,
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.booleans(),
    st.lists(st.integers(0, 3) | st.text("ab|", max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(["a", "worker", "k1", "exit-1"]), st.integers(0, 3) | st.text("a|", max_size=3)),
)


def toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return repr(value).replace("e+", "e")
        case dict():
            return "{ " + ", ".join(f'"{key}" = {toml(inner)}' for key, inner in value.items()) + " }"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case int():
            return str(value)
        case _:
            return json.dumps(value).replace("\x7f", "\\u007f")


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KEYS), VALUES, st.sampled_from(sorted(WITH_CONFIGURATION)), st.booleans())
def test_any_wrong_value_of_any_key_is_named_by_any_command(
    whole: Path, key: str, value: Any, command: str, by_environment: bool
) -> None:
    section, _, name = key.partition(".")
    variable = f"EXIT_TERMINAL_{section}_{name}".upper()
    file = whole / "exit-terminal.toml"
    env = {variable: value if isinstance(value, str) and by_environment else toml(value)}
    assume(not any(0xD800 <= ord(char) <= 0xDFFF for char in env[variable]))
    try:
        load(file, env)
    except ConfigError:
        pass
    else:
        assume(False)  # it takes that
    is_one_line(*said("--config", str(file), command, *WITH_CONFIGURATION[command], env=env), about=key)


@pytest.mark.parametrize("command", WITH_CONFIGURATION)
@pytest.mark.parametrize(
    ("text", "about"),
    [
        ('[garage]\nid = "marina"\nid = "mall"\n', "garage.id: it is there twice, first in line 2"),
        ('[garage]\nid = "marina\n', "line 2: garage.id: a quote is missing"),
        (f"[mqtt]\nurl = {SECRET}\n", "line 2: mqtt.url: no value, takes a text in quotes"),
        (f'[mqtt]\nurl = "mqtt://lane:{SECRET}@host"\n', "mqtt.url: got 'mqtt://…@host', takes mqtt://HOST:PORT"),
        ('[garage]\nid = "a"\n[garage]\nname = "b"\n', "line 3: [garage] is there twice"),
        ('garage = "marina"\n', "garage: got 'marina', takes a section"),
        ('[garden]\nid = "marina"\n', "garden: no such section"),
        ('[garage]\ncolour = "blue"\n', "garage.colour: no such key"),
        ("[garage\n", "line 1: no ] behind a section's name"),
        ("a" * 70_000, "is larger than 64 KiB"),
        ("x = " + "[" * 5000, "exit-terminal.toml"),
    ],
    ids=range(11),
)
def test_a_file_that_is_wrong_is_told_by_any_command(tmp_path: Path, command: str, text: str, about: str) -> None:
    file = tmp_path / "exit-terminal.toml"
    file.write_text(text, encoding="utf-8")
    is_one_line(*said("--config", str(file), command, *WITH_CONFIGURATION[command]), about=about)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_says_so_and_a_mark_before_the_text_is_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "exit-terminal.toml"
    file.write_bytes('[garage]\nname = "Café"\n'.encode(encoding))
    is_one_line(*said("--config", str(file), "run"), about="is not UTF-8; save the file as UTF-8")
    file.write_bytes('[garage]\nid = "marina"\n'.encode("utf-8-sig"))
    garage = load(file, {}).garage
    assert garage and garage.id == "marina"


@pytest.mark.parametrize("path", ["", ".", "absent", "absent/x", "x" * 300, "/dev/null/x"])
def test_a_configuration_that_cannot_be_read_is_told(path: str) -> None:
    is_one_line(*said("--config", path, "run"), about="cannot read")


# -- every file that a key names ---------------------------------------------------------------------------------------

FILES = {
    "mqtt.password_file": ("run",),
    "payby.private_key": ("worker",),
    "payby.payby_public_key": ("listener", "barrier"),
    "lift.private_key": ("worker",),
    "lift.trusted": ("barrier", "lcd"),
    "console.lift_private_key": ("refund",),
    "ticket.keys": ("worker", "ticket"),
    "broker.users": ("broker",),
}
IN_TABLES = {
    "payby.payby_public_key": '["{}"]', "lift.trusted": '{{ worker = "{}" }}', "ticket.keys": '{{ k1 = "{}" }}'
}  # fmt: skip
PASSWORD = BestAvailableEncryption(b"word")


def wrong_files(folder: Path) -> Iterator[Path]:
    """Nothing that any of these keys takes."""
    other = ec.generate_private_key(ec.SECP256R1())
    locked = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PASSWORD)
    for name, content in (
        ("empty", b""),
        ("newline", b"\n"),
        ("binary", bytes(range(256))),
        ("large", b"a" * 70_000),
        ("half", b"-----BEGIN PRIVATE KEY-----\nMIIE"),
        ("locked", locked),
        ("other", other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
    ):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
        yield folder / name
    (folder / "folder").mkdir()
    yield folder / "folder"
    yield folder / "absent"
    yield folder / "empty/below"


@pytest.mark.parametrize(("key", "command"), [(key, command) for key, users in FILES.items() for command in users])
def test_any_wrong_file_of_any_key_is_named_by_any_command(whole: Path, tmp_path: Path, key: str, command: str) -> None:
    config = whole / "exit-terminal.toml"
    variable = f"EXIT_TERMINAL_{key.replace('.', '_')}".upper()
    for path in wrong_files(tmp_path):
        if key == "mqtt.password_file" and path.name in ("half", "locked", "other"):
            continue  # any text may be a password
        if key == "broker.users" and path.name in ("folder", "absent"):
            continue  # it is made
        value = IN_TABLES.get(key, "{}").format(path)
        status, line = said("--config", str(config), command, *WITH_CONFIGURATION[command], env={variable: value})
        is_one_line(status, line.splitlines(keepends=True)[-1], about=key)


@pytest.mark.parametrize(
    "name", ["secrets/merchant.pem", "secrets/worker.pem", "secrets/ticket-k1", "secrets/mqtt/lane"]
)
def test_a_secret_that_others_may_read_is_refused_with_its_key(whole: Path, name: str) -> None:
    keys = dict(zip(("merchant", "worker", "ticket-k1", "lane"), FILES_OF, strict=True))
    path = whole / name
    path.chmod(0o644)
    try:
        status, line = said("--config", str(whole / "exit-terminal.toml"), "run")
    finally:
        path.chmod(0o600)
    is_one_line(status, line.splitlines(keepends=True)[-1], about=keys[path.stem])


FILES_OF = ("payby.private_key", "lift.private_key", "ticket.keys", "mqtt.password_file")


# -- every option ----------------------------------------------------------------------------------------------------


def options() -> Iterator[tuple[str, str]]:
    """Each option that takes a value, with its command."""
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    for command, own in commands.choices.items():
        for action in own._actions:
            if action.option_strings and action.nargs != 0:
                yield command, action.option_strings[-1]


NEEDED = {
    "screens": ["--out", "x"], "refund": ["marina-exit-1-x"], "reconcile": ["--date", "2026-11-22"],
    "export": ["--date", "2026-11-22"], "backup": ["x.tar"], "user": ["list"], "restore": [__file__, "x"],
}  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(options())), TEXTS.filter(lambda text: text != f"{SECRET}@"))
def test_any_value_of_any_option_is_taken_or_named_in_one_line(option: tuple[str, str], value: str) -> None:
    command, name = option
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        try:
            status = main([command, *NEEDED.get(command, []), f"{name}={value}"], lambda _: 0)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
    if status != 0:
        is_one_line(status, errors.getvalue(), about=name)


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["ticket", "--minutes-ago", "9" * 40], "--minutes-ago"),
        (["ticket", "--png", "/nope/x.png"], "--png"),
        (["ticket", "--png", "/"], "--png"),
        (["refund", "x", "--yes"], "refund: got 'x'"),
        (["refund", "\n\n", "--yes"], "refund: got"),
        (["reconcile", "--date", "2026-13-01"], "--date"),
        (["reconcile", "--date", "2026-11-01", "--picture", "x.gif"], "--picture"),
        (["reconcile", "--date", "2026-11-01", "--json", "/nope/x"], "--json"),
        (["reconcile", "--date", "2026-11-01", "--statement", "/nope"], "--statement"),
        (["reconcile", "--date", "2026-11-01", "--barrier-journal", "/"], "--barrier-journal"),
        (["export", "--date", "2026-11-01", "--csv", "/nope/x"], "--csv"),
        (["check", "--amount", "nan"], "--amount"),
        (["check", "--user", "no-such-user"], "--user"),
        (["screens", "--out", "/dev/null/x"], "--out"),
        (["screens", "--out", "OUT", "--url", "x" * 4000], "--url"),
        (["sandbox", "--folder", "/dev/null"], "--folder"),
        (["sandbox", "--merchant-key", "/dev/null"], "--merchant-key"),
        (["sandbox", "--partner-id", ""], "--partner-id"),
        (["init", "OUT", "--garage", "A"], "--garage"),
        (["init", "OUT", "--user", "no-such-user"], "--user"),
        (["init", "OUT", "--from", "/nope.tar"], "--from"),
        (["init", "/dev/null"], "init: /dev/null"),
        (["run\n"], "invalid choice"),
        (["run", "a\nb"], "unrecognized arguments"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_it(whole: Path, tmp_path: Path, words: list[str], about: str) -> None:
    words = [str(tmp_path / "out") if word == "OUT" else word for word in words]
    env = {} if words[0] == "init" else {"EXIT_TERMINAL_CONFIG": str(whole / "exit-terminal.toml")}
    is_one_line(*said(*words, env=env), about=about)


def test_a_port_that_is_in_use_names_its_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        port = str(there.getsockname()[1])
        for words in (["sandbox", "--folder", str(tmp_path), "--port", port], ["demo", "--port", port]):
            is_one_line(*said(*words), about="--port")
