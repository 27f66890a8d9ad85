"""An installation with every section and every file that a configuration can name, and what `check` and `run` say of it
when something in it is broken. Both commands run in this process."""

import asyncio
import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from terminal.__main__ import main
from terminal.app import commands
from terminal.payby import key_files
from terminal.payby.sandbox.command import key_pair
from terminal.tools.check import command as check_command
from terminal.tools.init.command import Request, Surroundings, utc_now
from terminal.tools.init.command import run as init
from tests.support.authority import Authority
from tests.support.ports import free_port

FOR_A_DESK = {"garage": "marina", "panel": "png", "reader": "stdin", "pins": "mock"}
SERVES_S = 20.0
"""A `run` that has not ended by then serves."""
SLOW = frozenset({"screens", "lost_fee", "payby_and_clock", "alert_receivers", "notifications", "fonts"})
"""Parts of the check that compute for long or ask somebody else."""
MORE = """
[loops]
waiting_pin = 5
boom_pin = 6
[coupon]
keys = { c1 = "secrets/coupon-c1" }
[paystation]
trusted = { station-1 = "secrets/station.pub.pem" }
[receipt]
supplier = "Marina Parking"
address = "Marina Walk"
trn = "100000000000003"
[plate]
[discovery]
[lookup]
numbers = "[0-9]{12}"
url = "https://127.0.0.1:1/{number}"
token_file = "secrets/token"
[alerts]
webhook_url = "http://127.0.0.1:1/x"
webhook_key_file = "secrets/token"
email_to = ["ops@example.com"]
email_from = "marina@example.com"
smtp_url = "smtp://127.0.0.1:1"
smtp_username = "marina"
smtp_password_file = "secrets/token"
"""


def installed(folder: Path, *, shape: str = "single", more: str = MORE) -> Path:
    """What `init` makes, PayBy's key, and ``more`` sections with their files; returns the folder."""
    given = FOR_A_DESK if shape == "single" else {"garage": "marina", "mqtt_url": "mqtts://localhost:1"}
    request = Request(folder / "exit-terminal.toml", given, shape, payby="sandbox")
    init(request, Surroundings({}, utc_now(), "desk", say=lambda _: None))
    (folder / "sandbox").mkdir()
    key_pair(folder / "sandbox", "payby")
    public = Ed25519PrivateKey.generate().public_key()
    secret(folder / "secrets/station.pub.pem", public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    secret(folder / "secrets/coupon-c1", b"ab" * 40)
    secret(folder / "secrets/token", b"s3cret\n")
    secret(folder / "ca.pem", Authority(folder).file.read_bytes())
    with (folder / "exit-terminal.toml").open("a", encoding="utf-8") as file:
        file.write(more)
    return folder


def secret(path: Path, content: bytes) -> None:
    """A file that only its owner may read."""
    path.write_bytes(content)
    path.chmod(0o600)


class RunServes(Exception):
    """`run` did not end by itself."""


@dataclass
class Told:
    """Status and line of `run`; of `check` the status, its line where it ended early, and what it calls failed, as
    (key, text, advice)."""

    run_status: int
    run_line: str
    check_status: int
    check_line: str
    failed: list[tuple[str, str, str]] = field(default_factory=list)

    def is_one_word(self, key: str) -> None:
        """Both say the same: one line, which names ``key`` and says what to do; status 2 of `run`, and of `check`
        where there is no configuration to check."""
        line = self.run_line
        assert self.run_status == 2, line
        assert line.startswith("exit-terminal: ") and line.endswith("\n") and line.count("\n") == 1, line
        said = line.removeprefix("exit-terminal: ").rstrip("\n")
        assert key in said, (key, said)
        assert "[Errno" not in said and "Traceback" not in said and len(said) < 700, said
        if self.check_line:
            assert (self.check_status, self.check_line) == (2, line), (self.check_line, line)
            return
        assert self.check_status == 1
        assert len(self.failed) == 1, self.failed
        ((about, text, advice),) = self.failed
        assert about.startswith(key) or key.startswith(f"{about}."), (about, key)
        assert advice or "; takes " in text or ", takes " in text or ": missing" in text, text
        whole = f"{text}; {advice}" if advice else text
        assert said in (whole, f"{about}: {whole}"), (text, advice, said)


def both(file: Path, environ: Mapping[str, str], *, without: frozenset[str] = SLOW) -> Told:
    """What `check` and `run` say of that configuration; ``without``: parts of the check that are left out."""
    status, document, _ = _main(file, environ, without, "check", "--json")
    said = json.loads(document)
    error = said.get("error", {}).get("message", "")
    run_status, _, line = _main(file, environ, without, "run")
    return Told(run_status, line, status, f"exit-terminal: {error}\n" if error else "", _failed(said))


def checked(file: Path, environ: Mapping[str, str], *, without: frozenset[str] = SLOW) -> list[tuple[str, str, str]]:
    """What `check` alone calls failed."""
    return _failed(json.loads(_main(file, environ, without, "check", "--json")[1]))


def _failed(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = (one for one in document["checks"] if one["outcome"] == "failed")
    return [(one.get("key", ""), one["message"], one.get("advice", "")) for one in found]


def apart(folder: Path) -> dict[str, str]:
    """The environment of an installation whose ports nobody has, and whose journals are in that folder: a `run` that
    ends at once leaves locks behind until its process ends."""
    broker = free_port()
    return {
        "EXIT_TERMINAL_MQTT_URL": f"mqtt://127.0.0.1:{broker}",
        "EXIT_TERMINAL_BROKER_PORT": str(broker),
        "EXIT_TERMINAL_LISTENER_PORT": "0",
        "EXIT_TERMINAL_CONSOLE_PORT": "0",
        "EXIT_TERMINAL_JOURNAL_PATH": str(folder / "journal.db"),
        "EXIT_TERMINAL_BARRIER_JOURNAL": str(folder / "barrier.db"),
        "EXIT_TERMINAL_CONSOLE_FOLDER": str(folder / "console"),
    }


def variable(key: str) -> str:
    """The environment's name of a key: mqtt.url is EXIT_TERMINAL_MQTT_URL."""
    return f"EXIT_TERMINAL_{key.replace('.', '_', 1)}".upper()


def _main(file: Path, environ: Mapping[str, str], without: frozenset[str], *words: str) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        patch.setattr("sys.stdin", io.StringIO())
        for name, value in environ.items():
            patch.setenv(name, value)
        patch.setattr(key_files, "_pem", _pem)
        patch.setattr(commands, "run_roles", _limited)
        parts = (part for part in check_command._PARTS if part.__name__ not in without)
        patch.setattr(check_command, "_PARTS", tuple(parts))
        status = main(["--config", str(file), *words])
    return status, out.getvalue(), errors.getvalue()


_pem = lru_cache(64)(key_files._pem)
"""To prove an RSA key takes longer than all the rest of a row."""
_run_roles = commands.run_roles


async def _limited(*given: Any, **more: Any) -> None:
    try:
        async with asyncio.timeout(SERVES_S):
            await _run_roles(*given, **more)
    except TimeoutError:
        raise RunServes from None
