"""`check` and `run` say the same word: what `run` stops for, `check` calls not ready, with the same key; and what
`check` calls ready, `run` serves. On an installation that `init` made."""

import contextlib
import io
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from terminal.__main__ import main
from terminal.config.load import load
from terminal.journal.journal import Journal
from terminal.journal.rows import STEPS
from terminal.payby.sandbox.command import key_pair
from terminal.tools.init.command import Request, Surroundings, run, utc_now
from tests.support.leash import LEASH
from tests.support.ports import free_port

ROOT = Path(__file__).parents[1]
DESK = {"garage": "marina", "panel": "png", "reader": "stdin", "pins": "mock"}
STEADY_S = 3.0
"""What serves for so long after its listener answered has opened everything."""
HARDLY = {"clock", "PayBy"}
"""What this machine cannot have: a clock that somebody keeps, and PayBy."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A single box for the desk, with PayBy's key; nobody alters it."""
    folder = tmp_path_factory.mktemp("whole")
    said: list[str] = []
    request = Request(folder / "exit-terminal.toml", DESK, "single", payby="sandbox")
    run(request, Surroundings({}, utc_now(), "desk", say=said.append))
    (folder / "sandbox").mkdir()
    key_pair(folder / "sandbox", "payby")
    return folder


@dataclass
class Box:
    """A copy of it, on ports of its own, to be broken."""

    folder: Path
    broker: int
    listener: int
    environ: dict[str, str] = field(default_factory=dict)

    def set(self, **keys: object) -> None:
        """``mqtt_username="worker"``; a text that is a path stays one."""
        for key, value in keys.items():
            self.environ[f"EXIT_TERMINAL_{key.upper()}"] = str(value)

    @property
    def env(self) -> dict[str, str]:
        own = {
            "EXIT_TERMINAL_MQTT_URL": f"mqtt://127.0.0.1:{self.broker}",
            "EXIT_TERMINAL_BROKER_PORT": str(self.broker),
            "EXIT_TERMINAL_LISTENER_PORT": str(self.listener),
            "EXIT_TERMINAL_CONSOLE_PORT": "0",
        }
        return {**os.environ, "PYTHONPATH": str(ROOT), **own, **self.environ}

    def words(self, *words: str) -> list[str]:
        return [*LEASH, sys.executable, "-m", "terminal", "--config", str(self.folder / "exit-terminal.toml"), *words]

    def check(self) -> dict[str, Any]:
        """What `check --json` says."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
            for name, value in self.env.items():
                patch.setenv(name, value)
            status = main(["--config", str(self.folder / "exit-terminal.toml"), "check", "--json"])
        document: dict[str, Any] = json.loads(said.getvalue())
        assert status == (0 if document["verdict"] == "ready" else 2 if "error" in document else 1)
        return document

    def failed(self) -> list[tuple[str, str]]:
        """Key and words of what `check` calls failed, but for what no machine of a test has."""
        document = self.check()
        bad = [said for said in document["checks"] if said["outcome"] == "failed" and said["name"] not in HARDLY]
        found = [(said.get("key", ""), "; ".join((said["message"], said.get("advice", "")))) for said in bad]
        if error := document.get("error"):
            found.append((error.get("key", ""), error["message"]))
        return found

    def run(self) -> tuple[int, str]:
        """Status and words of a `run` that ends by itself."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
            patch.setattr("sys.stdin", io.StringIO())
            for name, value in self.env.items():
                patch.setenv(name, value)
            status = main(["--config", str(self.folder / "exit-terminal.toml"), "run"])
        return status, said.getvalue()

    @contextlib.contextmanager
    def served(self) -> Iterator["subprocess.Popen[bytes]"]:
        """A process of `run`, once its listener answers; ended afterwards."""
        quiet = subprocess.DEVNULL
        with subprocess.Popen(self.words("run"), env=self.env, stdin=quiet, stdout=quiet, stderr=quiet) as process:
            try:
                for _ in range(4000):
                    assert process.poll() is None
                    with socket.socket() as probe:
                        probe.settimeout(1)
                        if self._answers(probe):
                            break
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.02)
                yield process
            finally:
                process.terminate()

    def _answers(self, probe: socket.socket) -> bool:
        try:
            probe.connect(("127.0.0.1", self.listener))
            probe.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            return b"HTTP/1" in probe.recv(64)
        except OSError:
            return False


@pytest.fixture
def box(whole: Path, tmp_path: Path) -> Box:
    folder = tmp_path / "box"
    shutil.copytree(whole, folder)
    return Box(folder, free_port(), free_port())


def test_what_check_calls_ready_serves(box: Box) -> None:
    assert box.failed() == []
    with box.served() as process, pytest.raises(subprocess.TimeoutExpired):
        process.wait(STEADY_S)


def occupied(box: Box) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", box.listener)):
        yield


def broker_occupied(box: Box) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", box.broker)):
        yield


def second_worker(box: Box) -> Iterator[None]:
    journal = Journal.open(box.folder / "journal.db", role="worker")
    yield
    journal.close()


def file(name: str, content: bytes | None, mode: int = 0o600) -> Callable[[Box], None]:
    def change(box: Box) -> None:
        path = box.folder / name
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
            path.chmod(mode)

    return change


def of(name: str, other: str) -> Callable[[Box], None]:
    return lambda box: (box.folder / name).write_bytes((box.folder / other).read_bytes()) and None


def others_read(name: str) -> Callable[[Box], None]:
    return lambda box: (box.folder / name).chmod(0o644)


def foreign_journal(box: Box) -> None:
    Journal.open(box.folder / "journal.db", role="barrier").close()


def key(**values: object) -> Callable[[Box], None]:
    return lambda box: box.set(**values)


def half_written(box: Box) -> None:
    path = box.folder / "exit-terminal.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index('block_price = "') + 16], encoding="utf-8")


def newer_journal(box: Box) -> None:
    Journal.open(box.folder / "journal.db", role="worker").close()
    with contextlib.closing(sqlite3.connect(box.folder / "journal.db")) as db:
        db.execute(f"PRAGMA user_version={len(STEPS) + 1}")


def read_only_disk(box: Box) -> Iterator[None]:
    yield from _mounted(box, "ro")


def full_disk(box: Box) -> Iterator[None]:
    yield from _mounted(box, "size=1m")


def _mounted(box: Box, options: str) -> Iterator[None]:
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(_disk(box))]
    mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"nobody may mount a disk here: {mounted.stderr.strip()}")
    yield
    subprocess.run(["umount", str(box.folder / "disk")], check=True)


def _disk(box: Box) -> Path:
    """A folder for a disk of its own, with the worker's journal on it."""
    box.set(journal_path="disk/journal.db")
    (box.folder / "disk").mkdir()
    return box.folder / "disk"


BROKEN: dict[str, tuple[Callable[[Box], Any], str]] = {
    "a wrong password": (file("other", b"wrong\n"), "mqtt.password_file"),
    "a broker's user file that others read": (others_read("secrets/mqtt/reader"), "broker.users"),
    "the broker's port in use": (broker_occupied, "broker.port"),
    "the broker elsewhere (run waits for it)": (key(mqtt_url="mqtt://127.0.0.1:1"), "mqtt.url"),
    "TLS to the embedded broker (run waits for it)": (key(mqtt_url="mqtts://127.0.0.1"), "mqtt.url"),
    "the listener's port in use": (occupied, "listener.port"),
    "a listener's host of another machine": (key(listener_host="192.0.2.1"), "listener.host"),
    "the other role's journal": (foreign_journal, "journal.path"),
    "a newer program's journal, after a downgrade": (newer_journal, "journal.path"),
    "a disk that is read-only (run waits for it)": (read_only_disk, "journal.path"),
    "a disk that is full (run waits for it)": (full_disk, "journal.path"),
    "two workers": (second_worker, "journal.path"),
    "a public key in the merchant's place": (
        of("secrets/merchant.pem", "upload/merchant.pub.pem"),
        "payby.private_key",
    ),
    "a merchant's key of another kind": (of("secrets/merchant.pem", "secrets/worker.pem"), "payby.private_key"),
    "a private key among the trusted": (of("secrets/worker.pub.pem", "secrets/worker.pem"), "lift.trusted.worker"),
    "a worker's key that nobody trusts": (of("secrets/worker.pem", "secrets/console.pem"), "lift.private_key"),
    "one key under two names": (of("secrets/console.pub.pem", "secrets/worker.pub.pem"), "lift.trusted"),
    "a ticket key that is short": (file("secrets/ticket-k1", b"ab"), "ticket.keys.k1"),
    "a configuration that was half written": (half_written, "tariff.block_price"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_run_stops_for_check_calls_not_ready_with_the_key(box: Box, what: str) -> None:
    change, wanted = BROKEN[what]
    if "a disk" in what and os.geteuid() != 0:
        pytest.skip("only root mounts a disk")
    if what == "a wrong password":
        box.set(mqtt_password_file="other")
    during = change(box)
    if during is not None:
        next(during)
    try:
        failed = box.failed()
        status, said = (2, "exit-terminal: ") if "(run waits" in what else box.run()
    finally:
        if during is not None:
            next(during, None)
    ((key, words),) = failed  # one fault, one line
    assert key == wanted, failed
    assert status == 2, said
    assert "Traceback" not in said and "[Errno" not in said, said
    if "(run waits" not in what:
        last = said.splitlines()[-1].removeprefix("exit-terminal: ")
        assert last in (words, f"{key}: {words}"), (last, words)


def test_a_running_lane_keeps_what_it_has_and_is_not_called_broken(box: Box) -> None:
    with box.served():
        document = box.check()
    outcomes = {said["name"]: said["outcome"] for said in document["checks"] if said["name"] not in HARDLY}
    assert "failed" not in outcomes.values(), outcomes
    for name in ("disk journal.path", "disk barrier.journal", "port listener.port", "port broker.port"):
        assert outcomes[name] == "unproven"


def test_the_installation_of_these_tests_is_one_of_every_role(box: Box) -> None:
    settings = load(box.folder / "exit-terminal.toml", {})
    assert settings.roles() == ("broker", "worker", "listener", "barrier", "lcd", "reader", "console")


@pytest.mark.parametrize("user", ["worker", "listener", "watch", "lane.exit-2"])
def test_a_server_s_run_as_another_user_than_lane_is_named_by_both_and_tries_nothing(
    tmp_path: Path, user: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a broker elsewhere too, whose rules are ours: it would connect for ever, and never be heard."""
    given = {"garage": "marina", "mqtt_url": "mqtts://localhost:1"}
    request = Request(tmp_path / "exit-terminal.toml", given, "server", payby="sandbox")
    run(request, Surroundings({}, utc_now(), "desk", say=lambda _: None))
    (tmp_path / "sandbox").mkdir()
    key_pair(tmp_path / "sandbox", "payby")
    monkeypatch.setenv("EXIT_TERMINAL_MQTT_USERNAME", user)
    words = ["--config", str(tmp_path / "exit-terminal.toml")]
    assert main([*words, "check"]) == 1
    assert f"FAIL  user mqtt.username: {user} may not use parking/marina/" in capsys.readouterr().out
    assert main([*words, "run"]) == 2
    said = capsys.readouterr().err
    assert f"mqtt.username: {user} may not use parking/marina/" in said and '"lane" is the one for run' in said
