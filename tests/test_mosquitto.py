"""The Mosquitto that deploy/ ships, on this machine's one: its configuration is taken, its rules hold."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from terminal.contract.access import mosquitto_acl
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import ConnectionRefused
from terminal.mqtt.subscription import Subscription
from tests.support.authority import Authority
from tests.support.eventually import eventually
from tests.support.leash import LEASH, bring_down
from tests.support.ports import free_port, listens

DEPLOY = Path(__file__).parents[1] / "deploy" / "mosquitto"
PASSWORD_VARIANT = "require_certificate false\npassword_file {folder}/passwords\n"

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto") is None, reason="no mosquitto here: apt-get install mosquitto"
)


@dataclass
class Shipped:
    """A running Mosquitto with the shipped configuration, its paths moved into ``folder``."""

    authority: Authority
    config: Path
    port: int

    def start(self) -> None:
        log = self.authority.folder / "log"
        with log.open("ab") as file:
            self.process = subprocess.Popen([*LEASH, "mosquitto", "-c", str(self.config)], stdout=file, stderr=file)
        listens(self.process, self.port, log)

    def stop(self, how: int = signal.SIGTERM) -> None:
        bring_down(self.process, how)

    def bus(self, user: str, host: str = "localhost", **more: str) -> MqttClient:
        certificate, key = self.authority.issue(user)
        return MqttClient(
            f"mqtts://{host}:{self.port}",
            username=user,
            ca_file=self.authority.file,
            cert_file=certificate,
            key_file=key,
            **more,  # type: ignore[arg-type]
        )


def adapted(folder: Path, authority: Authority, port: int, *, passwords: bool = False, days: int = 1) -> Shipped:
    text = (DEPLOY / "mosquitto.conf").read_text()
    if passwords:
        text = text.replace(
            "require_certificate true\nuse_identity_as_username true\n", PASSWORD_VARIANT.format(folder=folder)
        )
        assert "password_file" in text.split("#   require")[0]
    authority.issue("server", "localhost", "127.0.0.1", days=days)
    (folder / "acl").write_text((DEPLOY / "acl").read_text())
    (folder / "acl").chmod(0o600)
    text = text.replace("listener 8883", f"listener {port} 127.0.0.1\nuser root")
    text = text.replace("/etc/mosquitto/certs", str(folder)).replace("/etc/mosquitto", str(folder))
    text = text.replace("/var/lib/mosquitto/", f"{folder}/")
    (folder / "mosquitto.conf").write_text(text)
    return Shipped(authority, folder / "mosquitto.conf", port)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def shipped(tmp_path: Path, port: int) -> Iterator[Shipped]:
    server = adapted(tmp_path, Authority(tmp_path), port)
    server.start()
    yield server
    server.stop()


async def told(bus: MqttClient) -> str:
    """What keeps it from the broker, once it knows."""
    await eventually(lambda: bus.trouble != "not connected yet", limit_s=20)
    return bus.trouble


async def take(subscription: Subscription) -> bytes:
    async with asyncio.timeout(5):
        delivery = await anext(subscription)
    delivery.ack()
    return delivery.payload


def test_the_shipped_access_list_is_what_the_contract_says() -> None:
    assert (DEPLOY / "acl").read_text() == mosquitto_acl("marina")


async def test_each_role_says_what_it_may_and_nothing_else(shipped: Shipped) -> None:
    async with shipped.bus("watch") as watch, shipped.bus("reader") as reader, shipped.bus("worker") as worker:
        everything = watch.subscribe("parking/marina/#")
        await everything.granted()
        await reader.publish("parking/marina/exit-1/lift", b"forged")
        await reader.publish("parking/marina/exit-1/health/worker", b"forged")
        await watch.publish("parking/marina/exit-1/fee", b"forged")
        await reader.publish("parking/marina/garage/fee", b"forged")
        await reader.publish("parking/marina/garage/health/reader", b"forged")
        await reader.publish("parking/marina/exit-1/fee", b"fee")
        assert await take(everything) == b"fee"
        await worker.publish("parking/marina/exit-1/lift", b"lift")
        assert await take(everything) == b"lift"


async def test_each_role_hears_what_it_may_and_nothing_else(shipped: Shipped) -> None:
    async with shipped.bus("barrier") as barrier, shipped.bus("worker") as worker, shipped.bus("listener") as listener:
        greedy = barrier.subscribe("parking/#")
        await greedy.granted()  # Mosquitto grants it, and delivers only what the rules allow
        await listener.publish("parking/marina/garage/paid", b"secret")
        await worker.publish("parking/marina/exit-1/order", b"secret")
        await worker.publish("parking/marina/exit-1/lift", b"lift")
        assert await take(greedy) == b"lift"


async def test_nobody_takes_over_anothers_session(shipped: Shipped) -> None:
    async with shipped.bus("worker") as worker, shipped.bus("reader", client_id="worker") as thief:
        for bus in (worker, thief):  # what each says is answered by the broker on the connection that it began with
            await bus.publish("parking/marina/exit-1/health/reader", b"{}")
            assert await bus.settled()
        assert worker.connected
        assert thief.connected


async def test_who_has_no_certificate_of_ours_stays_outside(shipped: Shipped, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    foreign = Authority(tmp_path / "foreign").issue("worker")
    for files in ((None, None), foreign):
        url = f"mqtts://localhost:{shipped.port}"
        ca = shipped.authority.file
        async with MqttClient(url, username="worker", ca_file=ca, cert_file=files[0], key_file=files[1]) as bus:
            assert not bus.connected
            assert await told(bus)


@pytest.mark.fault("certificate")
async def test_a_broker_whose_certificate_is_not_the_hosts_or_not_of_our_authority_is_not_spoken_to(
    shipped: Shipped, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    shipped.authority.issue("server", "broker.example")
    shipped.stop()
    shipped.start()
    async with shipped.bus("worker") as bus:
        assert "certificate" in (await told(bus)).lower()
        assert not bus.connected
    async with MqttClient(f"mqtts://localhost:{shipped.port}", username="worker", ca_file=other.file) as bus:
        assert "certificate" in (await told(bus)).lower()
        assert not bus.connected


@pytest.mark.fault("certificate")
async def test_an_expired_certificate_is_not_spoken_to(tmp_path: Path, port: int) -> None:
    server = adapted(tmp_path, Authority(tmp_path), port, days=-1)
    server.start()
    try:
        async with server.bus("worker") as bus:
            assert "expired" in await told(bus)
            assert not bus.connected
    finally:
        server.stop()


@pytest.mark.fault("broker-restarts")
async def test_what_was_acknowledged_survives_a_kill(shipped: Shipped) -> None:
    async with shipped.bus("worker") as worker:
        await worker.subscribe("parking/marina/+/paid").granted()
    async with shipped.bus("listener") as listener:
        for n in range(20):
            await listener.publish("parking/marina/garage/paid", b"%d" % n)
    async with shipped.bus("watch") as watch:  # it saves after it acknowledges, and before it serves anybody else
        await watch.subscribe("parking/marina/#").granted()
    shipped.stop(signal.SIGKILL)
    shipped.start()
    async with shipped.bus("worker") as worker:
        subscription = worker.subscribe("parking/marina/+/paid")
        assert [await take(subscription) for _ in range(20)] == [b"%d" % n for n in range(20)]


async def test_with_passwords_in_place_of_certificates_the_same_holds(tmp_path: Path, port: int) -> None:
    server = adapted(tmp_path, Authority(tmp_path), port, passwords=True)
    for user in ("worker", "watch"):
        command = ["mosquitto_passwd", "-b", *(["-c"] if user == "worker" else []), str(tmp_path / "passwords")]
        subprocess.run([*command, user, f"{user}-password"], check=True, capture_output=True)
    (tmp_path / "passwords").chmod(0o600)
    server.start()
    url, ca = f"mqtts://localhost:{port}", server.authority.file
    try:
        with pytest.raises(ConnectionRefused):
            await MqttClient(url, username="worker", password="wrong", ca_file=ca).__aenter__()
        async with (
            MqttClient(url, username="worker", password="worker-password", ca_file=ca) as worker,
            MqttClient(url, username="watch", password="watch-password", ca_file=ca, client_id="worker") as watch,
        ):
            everything = watch.subscribe("parking/marina/#")
            await everything.granted()
            await worker.publish("parking/marina/exit-1/paid", b"forged")
            await worker.publish("parking/marina/exit-1/lift", b"lift")
            assert await take(everything) == b"lift"
            assert worker.connected
    finally:
        server.stop()
