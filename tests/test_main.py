import argparse
import errno
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from terminal import __version__
from terminal.__main__ import main
from terminal.config.schema import ConfigError

COMMANDS = [
    *(
        "demo",
        "run",
        "reader",
        "worker",
        "listener",
        "barrier",
        "lcd",
        "loops",
        "console",
        "alerts",
        "discovery",
        "broker",
    ),
    *(
        "sandbox",
        "init",
        "backup",
        "restore",
        "check",
        "watch",
        "user",
        "ticket",
        "tariff",
        "screens",
        "refund",
        "reconcile",
        "export",
        "contract",
    ),
]


def called(*words: str) -> argparse.Namespace:
    """What `app` is called with."""
    calls: list[argparse.Namespace] = []

    def run(arguments: argparse.Namespace) -> int:
        calls.append(arguments)
        return 0

    assert main(words, run) == 0
    (arguments,) = calls
    return arguments


def raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def run(_: argparse.Namespace) -> int:
        raise error

    return run


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line on stderr with which a wrong use ends, status 2."""
    try:
        status = main(words, raising(AssertionError("called")))
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    return err


def test_every_command_of_the_contract_that_is_there_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert re.findall(r"^    ([a-z]+) +", capsys.readouterr().out, re.MULTILINE) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: exit-terminal {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_reaches_app_with_its_name(command: str) -> None:
    needed = {
        "screens": ["--out", "x"], "refund": ["marina-exit-1-x"], "reconcile": ["--date", "2026-11-22"],
        "export": ["--date", "2026-11-22"],
        "backup": ["x.tar"], "user": ["list"], "restore": [__file__, "x"],
    }  # fmt: skip
    assert called(command, *needed.get(command, [])).command == command


def test_config_may_stand_before_or_after_the_command() -> None:
    assert called("--config", "a.toml", "run").config == Path("a.toml")
    assert called("run", "--config", "a.toml").config == Path("a.toml")
    assert called("run").config is None


def test_options_reach_app() -> None:
    assert vars(called("demo", "--port", "0", "--cars", "20")) == {
        "command": "demo", "config": None, "port": 0, "cars": 20
    }  # fmt: skip
    assert called("demo").port == 8000
    assert called("ticket").minutes_ago == 90
    assert called("ticket", "--key", "k2").key == "k2"
    asked = called("tariff", "--paid", "a=1", "--paid", "b=2", "--class", "bus", "--holidays", "2027")
    assert (asked.paid, asked.ticket_class, asked.holidays, asked.country) == (["a=1", "b=2"], "bus", 2027, "AE")
    assert vars(called("ticket", "--minutes-ago", "-5", "--text", "--png", "t.png")) == {
        "command": "ticket", "config": None, "minutes_ago": -5, "text": True, "png": Path("t.png"),
        "code": "qr", "lost": False, "coupon": None, "days": 1, "printer": None,
        "dots": 576,
        "key": None,
    }  # fmt: skip
    assert called("screens", "--out", "pictures").out == Path("pictures")
    assert called("lcd", "--test").test
    assert called("sandbox", "--folder", "keys").folder == Path("keys")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "exit-terminal: the following arguments are required: COMMAND"),
        (["fly"], "exit-terminal: argument COMMAND: invalid choice: 'fly'"),
        (["run", "--fast"], "exit-terminal: unrecognized arguments: --fast"),
        (["demo", "--cars", "0"], "exit-terminal demo: argument --cars: got '0', takes a number from 1 to 1000000"),
        (["demo", "--port", "x"], "exit-terminal demo: argument --port: got 'x', takes a port, 0 to 65535"),
        (["demo", "--port", "65536"], "exit-terminal demo: argument --port: got '65536', takes a port"),
        (["tariff", "--holidays", "1999"], "exit-terminal tariff: argument --holidays: got '1999', takes a year from"),
        (["tariff", "--holidays", "soon"], "exit-terminal tariff: argument --holidays: got 'soon', takes a year from"),
        (["ticket", "--minutes-ago", "soon"], "exit-terminal ticket: argument --minutes-ago: invalid int value"),
        (["screens"], "exit-terminal screens: the following arguments are required: --out"),
        (["--config"], "exit-terminal: argument --config: expected one argument"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, *words).startswith(line)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ConfigError("payby.query_every: got 9, takes seconds, 2 to 6"), 2, "payby.query_every: got 9, takes"),
        (OSError(errno.EADDRINUSE, "address already in use"), 2, "address already in use"),
        (OSError(errno.ENOSPC, "no space left on device"), 1, "no space left on device"),
        (
            PermissionError(errno.EACCES, "permission denied", "journal.db"),
            1,
            "journal.db: permission denied",
        ),
    ],
)
def test_what_an_operator_can_mend_is_one_line_without_a_traceback(
    error: Exception, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run"], raising(error)) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"exit-terminal: {line}")
    assert err.count("\n") == 1


def test_a_mistake_of_ours_is_loud() -> None:
    with pytest.raises(ZeroDivisionError):
        main(["run"], raising(ZeroDivisionError()))


def test_an_interrupted_command_ends_quietly(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"], raising(KeyboardInterrupt())) == 1
    assert capsys.readouterr() == ("", "")


def test_apps_status_is_ours() -> None:
    assert main(["check"], lambda _: 1) == 1


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)


def test_python_m_terminal_is_the_same_command() -> None:
    ended = python("-m", "terminal", "--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"exit-terminal {__version__}\n", "")


def test_help_does_not_wait_for_the_roles_to_load() -> None:
    script = "import sys; from terminal.__main__ import parser; parser(); print(*sorted(sys.modules))"
    loaded = python("-c", script).stdout.split()
    assert "terminal.config.schema" in loaded
    assert not {"terminal.app", "terminal.mqtt.client", "aiohttp", "PIL", "cryptography"} & set(loaded)
