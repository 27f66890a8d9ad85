"""What `check` says of a broker: each fault of the way to it, and of TLS, has its own word, key and advice."""

import asyncio
import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.mqtt.dial_faults import dial_fault
from terminal.tools.check import processes
from terminal.tools.check.broker import broker
from terminal.tools.check.finding import Finding, Machine
from terminal.tools.check.keys import certificates
from terminal.tools.check.user import become, me, user
from tests.support.leash import running
from tests.support.ports import free_port

NOW = datetime.now(UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(folder: Path, name: str, *, host: str = "127.0.0.1", begins: int = -9, ends: int = 900) -> Path:
    """One that signs itself, valid on these days from now, with its key behind it; written to ``name``."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(subject, subject, KEY.public_key(), x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=begins))
        .not_valid_after(NOW + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)]
            ),
            critical=False,
        )
    )
    path = folder / f"{name}.crt"
    path.write_bytes(
        builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM)
        + KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    path.chmod(0o600)
    return path


@contextlib.asynccontextmanager
async def answering(own: Path | None = None, *, asks: bool = False) -> AsyncIterator[int]:
    """A port that answers, by TLS with its ``own`` certificate, and then says nothing; ``asks``: for a client's."""
    context = None
    if own:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(own)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(own)

    async def end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(end, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def settings(folder: Path, url: str, **more: object) -> Settings:
    (folder / "password").write_text("secret\n")
    (folder / "password").chmod(0o600)
    given = {"mqtt_url": url, "mqtt_username": "lane", "mqtt_password_file": "password", "garage_id": "marina", **more}
    file = folder / "exit.toml"
    file.write_text("")
    return load(file, {f"EXIT_TERMINAL_{key.upper()}": str(value) for key, value in given.items()})


MACHINE = Machine(lambda _: pytest.fail("no pins here"), lambda: True, lambda _: 0, lambda *_: None)


async def found(of: Settings, machine: Machine = MACHINE) -> Finding:
    (finding,) = [finding async for finding in broker(of, machine)]
    return finding


@pytest.mark.parametrize(
    ("shown", "trusted", "text", "key"),
    [
        ({"ends": -1}, None, "shows a certificate that has expired", "mqtt.url"),
        ({"begins": 1}, None, "shows a certificate whose time has not begun", "mqtt.url"),
        ({"host": "192.0.2.1"}, None, "shows a certificate for another name", "mqtt.url"),
        ({"host": "broker.example.com"}, None, "shows a certificate for another name", "mqtt.url"),
        ({}, "other", "other.crt did not issue", "mqtt.ca_file"),
        ({}, "", "the system's authorities did not issue", "mqtt.ca_file"),
    ],
)
async def test_a_certificate_that_is_not_accepted_is_told_by_what_is_wrong_with_it(
    tmp_path: Path, shown: dict[str, str], trusted: str | None, text: str, key: str
) -> None:
    own = certificate(tmp_path, "own", **shown)  # type: ignore[arg-type]
    ca = certificate(tmp_path, trusted) if trusted else own if trusted is None else ""
    async with answering(own) as port:
        finding = await found(settings(tmp_path, f"mqtts://127.0.0.1:{port}", mqtt_ca_file=ca))
    assert (finding.ok, finding.key) == (False, key)
    assert text in finding.text
    assert "start the broker" not in finding.advice


async def test_what_is_no_fault_of_tls_is_told_as_what_it_is(tmp_path: Path) -> None:
    own = certificate(tmp_path, "own")
    async with answering() as port:
        finding = await found(settings(tmp_path, f"mqtts://127.0.0.1:{port}", mqtt_ca_file=own))
        assert not finding.ok
        # One that only ends the connection may want a certificate, for all that its guest can tell.
        assert "TLS" in finding.text and finding.key == "mqtt.url"
        assert "mqtt.url" in finding.advice
    finding = await found(settings(tmp_path, f"mqtt://127.0.0.1:{free_port()}"))
    assert (finding.ok, finding.key) == (False, "mqtt.url")
    assert "nobody listens there" in finding.text and "start the broker" in finding.advice
    finding = await found(settings(tmp_path, "mqtt://no.such.host.invalid"))
    assert "a host that is not known here" in finding.text


@pytest.mark.parametrize(
    "error", [ssl.SSLEOFError(8, "EOF"), ssl.SSLZeroReturnError(6, "closed"), ConnectionResetError()]
)
def test_a_handshake_that_merely_ends_names_both_keys_that_may_be_wrong(error: Exception) -> None:
    fault = dial_fault(error, None)
    assert "TLS handshake" in fault.words and fault.about == "mqtt.url"
    assert "mqtt.url" in fault.advice and "mqtt.cert_file and mqtt.key_file" in fault.advice


async def test_a_broker_that_ends_the_connection_without_a_client_s_certificate_is_told(tmp_path: Path) -> None:
    own = certificate(tmp_path, "own")
    async with answering(own, asks=True) as port:
        finding = await found(settings(tmp_path, f"mqtts://127.0.0.1:{port}", mqtt_ca_file=own))
    assert (finding.ok, finding.key) == (False, "mqtt.cert_file")


async def test_where_our_process_is_connected_no_second_connection_is_made(tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []

    def connected(host: str, port: int) -> bool:
        asked.append((host, port))
        return True

    async with answering() as port:
        finding = await found(settings(tmp_path, f"mqtt://127.0.0.1:{port}"), replace(MACHINE, connected_to=connected))
    assert finding.outcome == "unproven"
    assert asked == [("127.0.0.1", port)]


@pytest.mark.parametrize(
    ("name", "username", "outcome", "advice"),
    [
        ("a server's run", "worker", "failed", 'mqtt.username = "lane" is the one for run'),
        ("a lane's run", "lane.exit-1", "failed", 'mqtt.username = "lane" is the one for run'),
        ("the right one", "lane", "", ""),
        ("another's", "node-red", "unproven", ""),
    ],
)
async def test_a_server_s_user_must_be_one_that_may_all_that_run_does(
    tmp_path: Path, name: str, username: str, outcome: str, advice: str
) -> None:
    of = settings(
        tmp_path, f"mqtt://127.0.0.1:{free_port()}", mqtt_username=username, journal_path="journal.db",
        payby_payby_public_key='["x"]', listener_port="0",
    )  # fmt: skip
    assert of.roles() == ("worker", "listener"), name
    findings = [finding async for finding in broker(of, MACHINE) if finding.name.startswith("user")]
    assert [finding.outcome for finding in findings] == ([outcome] if outcome else [])
    assert all(advice in finding.advice and finding.key == "mqtt.username" for finding in findings)


# -- certificate files -----------------------------------------------------------------------------------------------


async def told(of: Settings) -> list[Finding]:
    return [finding async for finding in certificates(of, MACHINE)]


async def test_certificate_files_that_cannot_be_used_name_their_key(tmp_path: Path) -> None:
    own = certificate(tmp_path, "own")
    locked = tmp_path / "locked.key"
    locked.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")))
    locked.chmod(0o600)
    opened = tmp_path / "open.key"
    opened.write_bytes(own.read_bytes())
    opened.chmod(0o644)
    other = tmp_path / "other.key"
    other.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    other.chmod(0o600)
    (tmp_path / "empty").touch(0o600)
    for ca, cert, key, named in (
        ("absent", "", "", "mqtt.ca_file: cannot read"),
        ("empty", "", "", "mqtt.ca_file: "),
        ("password", "", "", "mqtt.ca_file: "),
        ("own.crt", "absent", "own.crt", "mqtt.cert_file: cannot read"),
        ("own.crt", "own.crt", "open.key", "mqtt.key_file: others may read"),
        ("own.crt", "own.crt", "locked.key", "mqtt.key_file: "),
        ("own.crt", "password", "own.crt", "mqtt.cert_file: "),
        ("own.crt", "own.crt", "other.key", "mqtt.cert_file: "),
        ("own.crt", "own.crt", "empty", "mqtt.key_file: "),
    ):
        of = settings(tmp_path, "mqtts://127.0.0.1:1", mqtt_ca_file=ca, mqtt_cert_file=cert, mqtt_key_file=key)
        (finding,) = await told(of)
        assert not finding.ok, named
        assert finding.text.startswith(named), finding.text
        assert (await found(of)).outcome == "unproven"
    for name, outcomes in (("own", ["proved"]), ("lane", ["proved", "warning"])):
        of = settings(
            tmp_path, "mqtts://x:1", mqtt_username=name,
            mqtt_ca_file="own.crt", mqtt_cert_file="own.crt", mqtt_key_file="own.crt",
        )  # fmt: skip
        assert [finding.outcome for finding in await told(of)] == outcomes


@pytest.mark.parametrize(("days", "outcomes"), [(900, []), (30, ["warning"]), (-1, ["failed"])])
async def test_a_certificate_that_ends_soon_is_told_before_it_does(
    tmp_path: Path, days: int, outcomes: list[str]
) -> None:
    own = certificate(tmp_path, "own", ends=days)
    _, *ends = await told(settings(tmp_path, "mqtts://127.0.0.1:1", mqtt_ca_file=own))
    assert [finding.outcome for finding in ends] == outcomes
    assert all(finding.key == "mqtt.ca_file" for finding in ends)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"mqtt_cert_file": "a"}, "mqtt.key_file: missing; mqtt.cert_file takes both"),
        ({"mqtt_key_file": "a"}, "mqtt.cert_file: missing; mqtt.key_file takes both"),
    ],
)
def test_a_certificate_and_its_key_come_together(tmp_path: Path, more: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        settings(tmp_path, "mqtts://127.0.0.1", **more)
    with pytest.raises(ConfigError, match="takes one with mqtts:// alone"):
        settings(tmp_path, "mqtt://127.0.0.1", mqtt_cert_file="a", mqtt_key_file="b")


# -- processes, and as whom ------------------------------------------------------------------------------------------


HOLDS = """
import fcntl, os, socket, sys
there = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
here = socket.create_server(("127.0.0.1", int(sys.argv[2])))
file = os.open(sys.argv[3], os.O_CREAT | os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("named", "ours"), [("exit-terminal", True), ("node-red", False)])
def test_what_a_process_of_ours_holds_is_known_as_ours(tmp_path: Path, named: str, ours: bool) -> None:
    script = tmp_path / named
    script.write_text(HOLDS)
    lock, port = tmp_path / "journal.db.head", free_port()
    with socket.create_server(("127.0.0.1", 0)) as there:
        far = there.getsockname()[1]
        words = (sys.executable, str(script), str(far), str(port), str(lock), "run")
        assert not processes.connected_to("127.0.0.1", far) and not processes.listens(port)
        assert processes.locked(lock) == ""
        with running(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout and process.stdout.readline() == "ready\n"
            assert processes.connected_to("localhost", far) == ours
            assert processes.listens(port) == ours
            assert processes.locked(lock) == ("ours" if ours else "another's")
            assert not processes.connected_to("127.0.0.1", port)


async def test_root_is_told_that_it_sees_more_than_the_service(tmp_path: Path) -> None:
    of = settings(tmp_path, "mqtt://127.0.0.1:1")
    assert [finding async for finding in user(of, MACHINE)] == []
    (finding,) = [finding async for finding in user(of, replace(MACHINE, user="root"))]
    assert finding.outcome == "warning" and "--user exit-terminal" in finding.advice
    (finding,) = [finding async for finding in user(of, replace(MACHINE, user="exit-terminal"))]
    assert finding.outcome == "proved"


def test_only_root_looks_as_another_and_only_as_one_that_is_there() -> None:
    become(me())
    with pytest.raises(ConfigError, match="check: --user: got 'no-such-user', takes a user of this machine"):
        become("no-such-user")
    if os.getuid() != 0:
        with pytest.raises(ConfigError, match="from root alone"):
            become("root")


@pytest.mark.skipif(os.getuid() != 0, reason="only root looks as another")
def test_a_journal_of_root_s_is_not_the_service_s() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others, again and again
        Path(folder).chmod(0o755)
        assert _journal_seen_by(Path(folder)) == {"root": ("proved", "warning"), "nobody": ("failed", "proved")}


def _journal_seen_by(tree: Path) -> dict[str, tuple[str, str]]:
    (tree / "journal.db").touch(0o600)
    file = tree / "exit.toml"
    file.write_text(
        '[garage]\nid = "marina"\n[barrier]\nraise_pin = 17\njournal = "journal.db"\n[gpio]\npins = "mock"\n'
    )
    file.chmod(0o644)
    outcomes = {}
    for name in ("root", "nobody"):
        ended = subprocess.run(
            [sys.executable, "-m", "terminal", "--config", str(file), "check", "--json", "--user", name],
            capture_output=True, text=True, timeout=60, check=False, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        assert ended.stdout, ended.stderr
        said = {said["name"]: said for said in json.loads(ended.stdout)["checks"]}
        outcomes[name] = said["disk barrier.journal"]["outcome"], said["user"]["outcome"]
    return outcomes
