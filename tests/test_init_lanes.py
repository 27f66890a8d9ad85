"""A garage server's ``init --lane``: what a lane's machine is given, what it is not given, and that both meet on the
Mosquitto whose files were made with them."""

import asyncio
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from terminal import build
from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.contract.access import mosquitto_acl
from terminal.mqtt.errors import ConnectionRefused
from terminal.tools.init import broker
from terminal.tools.init.folder import Folder, Owner
from tests.support.leash import LEASH, bring_down
from tests.support.ports import free_port
from tests.support.server_folder import bundle, init, payby

SHIPPED = Path(__file__).parents[1] / "deploy/mosquitto/mosquitto.conf"
LANE_S = {
    "certs/ca.crt",
    "certs/lane.exit-2.crt",
    "exit-terminal.toml",
    "secrets/console.pub.pem",
    "secrets/mqtt/lane.exit-2",
    "secrets/mqtt/lane.exit-2.key",
    "secrets/payby.pub.pem",
    "secrets/worker.pub.pem",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder with PayBy's key and a lane's bundle; nobody alters it."""
    folder = tmp_path_factory.mktemp("server")
    init(folder, shape="server", given={"garage": "marina", "mqtt_url": "mqtts://localhost:8883"})
    payby(folder)
    init(folder, "exit-2", given={"pins": "mock", "panel": "png", "reader": "stdin"})
    return folder


def forms(path: Path) -> Iterator[bytes]:
    """A private key in every form that it may be carried in."""
    raw = path.read_bytes()
    yield raw.strip()
    key = load_pem_private_key(raw, None)
    for encoding in (Encoding.PEM, Encoding.DER):
        for kind in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH):
            try:
                form = key.private_bytes(encoding, kind, NoEncryption())
            except (ValueError, TypeError):  # not every kind of key has every form
                continue
            yield form.strip()
            if encoding == Encoding.PEM:
                yield b"".join(form.splitlines()[1:-1])


# -- what is in it ---------------------------------------------------------------------------------------------------


def test_a_lane_gets_its_own_files_and_no_others(server: Path) -> None:
    assert set(bundle(server)) == LANE_S
    assert [path.name for path in (server / "lanes").iterdir()] == ["exit-2.tar"]


def test_no_private_key_and_no_ticket_key_of_the_server_is_carried_in_any_form(server: Path) -> None:
    carried = (server / "lanes/exit-2.tar").read_bytes()
    flat = b"".join(carried.split())
    secrets = [server / "secrets" / name for name in ("worker.pem", "console.pem", "merchant.pem")]
    secrets.append(server / "authority/ca.key")
    for path in secrets:
        found = list(forms(path))
        assert len(found) > 3
        for form in found:
            assert form not in carried, path
            assert b"".join(form.split()) not in flat, path
    ticket = (server / "secrets/ticket-k1").read_bytes().strip()
    assert ticket not in carried and bytes.fromhex(ticket.decode()) not in carried
    for path in (server / "secrets/mqtt").iterdir():  # nobody else's password or key
        assert (path.read_bytes().strip() in carried) == path.name.startswith("lane.exit-2"), path


def test_the_one_private_key_that_is_carried_is_the_lane_s_own_of_its_certificate(server: Path) -> None:
    files = bundle(server)
    private = [name for name, content in files.items() if b"PRIVATE" in content]
    assert private == ["secrets/mqtt/lane.exit-2.key"]
    certificate = x509.load_pem_x509_certificate(files["certs/lane.exit-2.crt"])
    assert load_pem_private_key(files[private[0]], None).public_key() == certificate.public_key()
    (name,) = certificate.subject
    assert name.value == "lane.exit-2"
    with pytest.raises(ValueError):
        load_der_private_key(files["secrets/payby.pub.pem"], None)


def test_a_private_key_in_a_public_one_s_place_is_never_carried(tmp_path: Path) -> None:
    init(tmp_path, shape="server")
    for name in ("payby.pub.pem", "worker.pub.pem"):
        payby(tmp_path)
        kept = (tmp_path / "secrets" / name).read_bytes()
        (tmp_path / "secrets" / name).write_bytes((tmp_path / "secrets/merchant.pem").read_bytes())
        with pytest.raises(
            ConfigError, match=r"^(payby\.payby_public_key|lift\.trusted\.worker): .* has PEM of a private"
        ):
            init(tmp_path, "exit-2")
        assert not (tmp_path / "lanes").exists()
        (tmp_path / "secrets" / name).write_bytes(kept)


def test_the_lane_s_configuration_is_the_server_s_as_far_as_they_must_agree(server: Path, tmp_path: Path) -> None:
    lane = unpacked(server, tmp_path)
    there = load(server / "exit-terminal.toml", {})
    assert lane.roles() == ("barrier", "lcd", "reader")
    lane.require(*lane.roles())
    assert lane.garage == there.garage and lane.tariff == there.tariff
    assert lane.lane and lane.lane.id == "exit-2"
    assert lane.ticket is lane.journal is lane.listener is lane.console is None
    assert lane.payby and there.payby
    assert (lane.payby.payee_mid, lane.payby.private_key, lane.payby.base_url) == (there.payby.payee_mid, None, "")
    assert lane.lift and lane.lift.private_key is None
    assert lane.mqtt and (lane.mqtt.username, lane.mqtt.url) == ("lane.exit-2", "mqtts://localhost:8883")


def test_a_price_that_was_changed_at_the_server_is_the_lane_s_too(tmp_path: Path) -> None:
    init(tmp_path / "a", shape="server")
    file = tmp_path / "a/exit-terminal.toml"
    file.write_text(file.read_text().replace('block_price = "10.00"', 'block_price = "12.50"'))
    init(tmp_path / "a", "exit-7")
    assert b'block_price = "12.50"' in bundle(tmp_path / "a", "exit-7")["exit-terminal.toml"]


def unpacked(server: Path, folder: Path) -> Settings:
    init(folder, bundle_from=server / "lanes/exit-2.tar")
    return load(folder / "exit-terminal.toml", {})


def test_it_is_unpacked_once_and_closed_to_others(server: Path, tmp_path: Path) -> None:
    unpacked(server, tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == LANE_S
    for name in ("secrets/mqtt/lane.exit-2", "secrets/mqtt/lane.exit-2.key", "exit-terminal.toml"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
    (tmp_path / "exit-terminal.toml").write_text(text := (tmp_path / "exit-terminal.toml").read_text() + "# mine\n")
    assert "nothing was changed" in init(tmp_path, bundle_from=server / "lanes/exit-2.tar")
    assert (tmp_path / "exit-terminal.toml").read_text() == text


def test_plain_tar_unpacks_it_as_well(server: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xpf", str(server / "lanes/exit-2.tar"), "-C", str(tmp_path)], check=True)
    load(tmp_path / "exit-terminal.toml", {}).require("barrier", "lcd", "reader")
    assert (tmp_path / "secrets/mqtt/lane.exit-2.key").stat().st_mode & 0o777 == 0o600


# -- asked again -----------------------------------------------------------------------------------------------------


def test_a_second_time_nothing_changes_unless_it_is_asked_for(tmp_path: Path) -> None:
    init(tmp_path, shape="server")
    said = init(tmp_path, "exit-2")
    assert "Not in it, since it is not here yet: secrets/payby.pub.pem" in said
    first = (tmp_path / "lanes/exit-2.tar").read_bytes()
    payby(tmp_path)
    assert "--replace makes it anew" in init(tmp_path, "exit-2")
    assert (tmp_path / "lanes/exit-2.tar").read_bytes() == first
    init(tmp_path, "exit-2", replace=True)
    assert set(bundle(tmp_path)) == LANE_S
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:  # the lane goes on with what it has
        before = tar.extractfile("secrets/mqtt/lane.exit-2.key")
        assert before and bundle(tmp_path)["secrets/mqtt/lane.exit-2.key"] == before.read()


def test_a_server_may_be_made_with_its_lanes_at_once(tmp_path: Path) -> None:
    init(tmp_path, "exit-1", "exit-2", shape="server", given={"garage": "marina"})
    assert sorted(path.name for path in (tmp_path / "lanes").iterdir()) == ["exit-1.tar", "exit-2.tar"]
    assert (tmp_path / "mosquitto/acl").read_text() == mosquitto_acl("marina", ["exit-1", "exit-2"])


def test_what_the_server_knows_is_not_asked_of_a_lane(server: Path) -> None:
    with pytest.raises(ConfigError, match="init: --garage: a lane takes it from this server's configuration"):
        init(server, "exit-9", given={"garage": "other"})


@pytest.mark.parametrize("name", ["/etc/passwd", "../above"])
def test_a_tar_file_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ConfigError, match="takes a lane's bundle"):
        init(tmp_path / "new", bundle_from=tmp_path / "evil.tar")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("content", "line"),
    [(None, "init: --from: cannot read"), (b"", "takes a lane's bundle"), (b"no tar file" * 99, "is no tar file")],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes | None, line: str) -> None:
    file = tmp_path / "file.tar"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=line):
        init(tmp_path / "new", bundle_from=file)


# -- the broker ------------------------------------------------------------------------------------------------------


def test_the_shipped_configuration_is_the_one_that_init_writes(server: Path) -> None:
    assert (server / "mosquitto/mosquitto.conf").read_bytes() == SHIPPED.read_bytes()


def test_users_of_later_lanes_join_those_that_are_there(tmp_path: Path) -> None:
    init(tmp_path, "exit-1", shape="server")
    folder = Folder(tmp_path, Owner("me"))
    assert broker.lanes_of(folder) == ["exit-1"]
    init(tmp_path, "exit-2")
    assert broker.lanes_of(folder) == ["exit-1", "exit-2"]
    users = [line.partition(":")[0] for line in (tmp_path / "mosquitto/passwords").read_text().splitlines()]
    assert users[-2:] == ["lane.exit-1", "lane.exit-2"] and "lane" in users


@pytest.fixture(params=["certificates", "passwords"])
def running(request: pytest.FixtureRequest, server: Path, tmp_path: Path) -> Iterator[int]:
    """Mosquitto with the files that init made, its paths moved here; the port that it listens on."""
    if shutil.which("mosquitto") is None:
        pytest.skip("no mosquitto here: apt-get install mosquitto")
    there = tmp_path / "etc"
    shutil.copytree(server / "mosquitto", there)
    port = free_port()
    text = (there / "mosquitto.conf").read_text().replace("/etc/mosquitto/", f"{there}/")
    text = text.replace("listener 8883", f"listener {port} 127.0.0.1")
    text = text.replace("persistence_location /var/lib/mosquitto/", f"persistence_location {tmp_path}/")
    if request.param == "passwords":
        text = text.replace("require_certificate true\nuse_identity_as_username true\n", "require_certificate false\n"
                            f"password_file {there}/passwords\n")  # fmt: skip
    (there / "mosquitto.conf").write_text(f"user root\n{text}")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*LEASH, "mosquitto", "-c", str(there / "mosquitto.conf")], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(500):
            assert process.poll() is None, (tmp_path / "log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield port
    finally:
        bring_down(process, signal.SIGTERM)


async def test_a_lane_and_its_server_meet_on_the_broker_made_for_them(
    running: int, server: Path, tmp_path: Path
) -> None:
    url = f"mqtts://localhost:{running}"
    lane = unpacked(server, tmp_path / "lane").mqtt
    there = load(server / "exit-terminal.toml", {"EXIT_TERMINAL_MQTT_URL": url}).mqtt
    assert lane and there
    at_lane = load(tmp_path / "lane/exit-terminal.toml", {"EXIT_TERMINAL_MQTT_URL": url}).mqtt
    assert at_lane
    async with asyncio.timeout(20), build.mqtt_client(there, "lane") as worker, build.mqtt_client(
        at_lane, "lane.exit-2"
    ) as kerb:  # fmt: skip
        await worker.wait_connected()
        await kerb.wait_connected()
        with worker.subscribe("parking/marina/+/fee") as fees:
            await kerb.publish("parking/marina/exit-1/fee", b"of a lane that is not its own")
            await kerb.publish("parking/marina/exit-2/fee", b"{}")
            async for fee in fees:
                assert (fee.topic, fee.payload) == ("parking/marina/exit-2/fee", b"{}")
                break


async def test_a_stranger_does_not_get_in(running: int, server: Path, tmp_path: Path) -> None:
    """Neither without the garage's certificate and password, nor with the certificate of another authority."""
    init(tmp_path / "other", "exit-2", shape="server", given={"mqtt_url": "mqtts://localhost:8883"})
    mine = load(server / "exit-terminal.toml", {}).mqtt
    assert mine and mine.ca_file
    other = load(
        tmp_path / "other/exit-terminal.toml",
        {"EXIT_TERMINAL_MQTT_URL": f"mqtts://localhost:{running}", "EXIT_TERMINAL_MQTT_CA_FILE": str(mine.ca_file)},
    ).mqtt
    assert other
    try:
        async with build.mqtt_client(other, "lane") as client:
            assert not client.connected
    except ConnectionRefused:
        pass


async def test_a_check_leaves_a_lane_that_is_at_work_its_connection(running: int, server: Path, tmp_path: Path) -> None:
    """This Mosquitto makes a user's name its client id: a second connection of that user would end the first."""
    lane = tmp_path / "lane"
    unpacked(server, lane)
    url = {"EXIT_TERMINAL_MQTT_URL": f"mqtts://localhost:{running}"}
    words = [sys.executable, "-m", "terminal", "--config", str(lane / "exit-terminal.toml")]
    env = {**os.environ, **url, "PYTHONPATH": str(SHIPPED.parents[2])}
    there = load(server / "exit-terminal.toml", url).mqtt
    assert there
    run = await asyncio.create_subprocess_exec(
        *LEASH, *words, "run", env=env, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(60), build.mqtt_client(there, "lane") as worker:
            with worker.subscribe("parking/marina/exit-2/health/run") as beats:
                async for beat in beats:
                    if b'"online"' in beat.payload:
                        break
                check = await asyncio.create_subprocess_exec(
                    *words,
                    "check",
                    "--json",
                    env=env,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                document = json.loads((await check.communicate())[0])
    finally:
        run.terminate()
        await run.wait()
    (broker_said,) = [said for said in document["checks"] if said["name"] == "broker"]
    assert broker_said["outcome"] == "unproven", broker_said
    assert "already connected" not in (tmp_path / "log").read_text()
