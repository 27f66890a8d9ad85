"""The Mosquitto that deploy/ ships, on this machine's one: its configuration is taken, its rules hold."""

import asyncio
import shutil
import signal
import subprocess
import sys
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
from tests.support.shipped_mosquitto import DEPLOY, ShippedMosquitto

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto") is None, reason="no mosquitto here: apt-get install mosquitto"
)


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[ShippedMosquitto]:
    server = ShippedMosquitto(tmp_path, Authority(tmp_path))
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


async def test_each_role_says_what_it_may_and_nothing_else(shipped: ShippedMosquitto) -> None:
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


async def test_each_role_hears_what_it_may_and_nothing_else(shipped: ShippedMosquitto) -> None:
    async with shipped.bus("barrier") as barrier, shipped.bus("worker") as worker, shipped.bus("listener") as listener:
        greedy = barrier.subscribe("parking/#")
        await greedy.granted()  # Mosquitto grants it, and delivers only what the rules allow
        await listener.publish("parking/marina/garage/paid", b"secret")
        await worker.publish("parking/marina/exit-1/order", b"secret")
        await worker.publish("parking/marina/exit-1/lift", b"lift")
        assert await take(greedy) == b"lift"


async def test_nobody_takes_over_anothers_session(shipped: ShippedMosquitto) -> None:
    async with shipped.bus("worker") as worker, shipped.bus("reader", client_id="worker") as thief:
        for bus in (worker, thief):  # what each says is answered by the broker on the connection that it began with
            await bus.publish("parking/marina/exit-1/health/reader", b"{}")
            assert await bus.settled()
        assert worker.connected
        assert thief.connected


async def test_who_has_no_certificate_of_ours_stays_outside(shipped: ShippedMosquitto, tmp_path: Path) -> None:
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
    shipped: ShippedMosquitto, tmp_path: Path
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
async def test_an_expired_certificate_is_not_spoken_to(tmp_path: Path) -> None:
    server = ShippedMosquitto(tmp_path, Authority(tmp_path), days=-1)
    server.start()
    try:
        async with server.bus("worker") as bus:
            assert "expired" in await told(bus)
            assert not bus.connected
    finally:
        server.stop()


@pytest.mark.fault("broker-restarts")
async def test_what_was_acknowledged_survives_a_kill(shipped: ShippedMosquitto) -> None:
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


async def test_with_passwords_in_place_of_certificates_the_same_holds(tmp_path: Path) -> None:
    server = ShippedMosquitto(tmp_path, Authority(tmp_path), passwords=True)
    for user in ("worker", "watch"):
        command = ["mosquitto_passwd", "-b", *(["-c"] if user == "worker" else []), str(tmp_path / "passwords")]
        subprocess.run([*command, user, f"{user}-password"], check=True, capture_output=True)
    (tmp_path / "passwords").chmod(0o600)
    server.start()
    url, ca = server.url, server.authority.file
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


# Who looks on


PAGE = (DEPLOY.parent / "operations.md").read_text(encoding="utf-8")
CHAPTER = PAGE.partition("\n### On Mosquitto\n")[2].partition("\n### ")[0]
COMMANDS = CHAPTER.partition("```sh\n")[2].partition("```")[0].splitlines()


@dataclass
class Onlookers:
    """A running Mosquitto with the shipped watch.conf beside a garage's, its paths moved into ``folder``."""

    folder: Path
    port: int

    def here(self, command: str) -> str:
        """A command of the page, for this machine."""
        command = command.replace("/etc/mosquitto", str(self.folder)).replace("1884", str(self.port))
        return command.replace(".venv/bin/exit-terminal", f"{sys.executable} -m terminal --config c.toml")

    def lines(self, command: str, count: int) -> list[str]:
        """The first lines that a command says."""
        with subprocess.Popen(
            [*LEASH, "bash", "-c", f"exec {self.here(command)}"], cwd=self.folder, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                return [process.stdout.readline() for _ in range(count)]
            finally:
                bring_down(process, signal.SIGINT)


@pytest.fixture
def onlookers(shipped: ShippedMosquitto) -> Iterator[Onlookers]:
    """Set up by the page's own commands."""
    folder = shipped.authority.folder
    shipped.authority.issue("watch")
    there = Onlookers(folder, free_port())
    text = (DEPLOY / "watch.conf").read_text()
    text = text.replace("listener 1884 127.0.0.1", f"listener {there.port} 127.0.0.1\nuser root")
    text = text.replace("127.0.0.1:8883", f"127.0.0.1:{shipped.port}")
    text = text.replace("/etc/mosquitto/certs", str(folder)).replace("/etc/mosquitto", str(folder))
    (folder / "watch.conf").write_text(text)
    (folder / "secrets" / "mqtt").mkdir(parents=True)
    (folder / "secrets" / "mqtt" / "watch").write_text("watch-password\n")
    (folder / "secrets" / "mqtt" / "watch").chmod(0o600)
    (folder / "c.toml").write_text(
        '[garage]\nid = "marina"\n[mqtt]\nurl = "mqtts://server.local:8883"\nusername = "worker"\n'
        'password_file = "secrets/mqtt/worker"\n'
    )
    made, started = COMMANDS[:2]
    said = "watch-password\n" * 2
    subprocess.run(["bash", "-c", there.here(made)], check=True, input=said, text=True, capture_output=True)
    (folder / "watchers").chmod(0o600)
    with (folder / "watch.log").open("wb") as log:
        process = subprocess.Popen([*LEASH, "bash", "-c", f"exec {there.here(started)}"], stdout=log, stderr=log)
    listens(process, there.port, folder / "watch.log")
    yield there
    bring_down(process, signal.SIGTERM)


async def test_several_look_on_at_once_by_the_pages_commands_and_none_says_anything(
    shipped: ShippedMosquitto, onlookers: Onlookers
) -> None:
    heard = next(command for command in COMMANDS if command.startswith("mosquitto_sub"))
    watched = next(command for command in COMMANDS if "exit-terminal watch" in command)
    async with shipped.bus("worker") as worker, shipped.bus("console") as console:
        await worker.publish("parking/marina/exit-1/screen", b'{"state": "idle"}', retain=True)
        await worker.settled()
        first, second, third = await asyncio.gather(
            asyncio.to_thread(onlookers.lines, heard, 1),
            asyncio.to_thread(onlookers.lines, heard.replace("watch-1", "watch-2"), 1),
            asyncio.to_thread(onlookers.lines, watched, 1),
        )
        assert first == second == ['parking/marina/exit-1/screen {"state": "idle"}\n']
        assert "screen: shows idle" in third[0]
        everything = console.subscribe("parking/marina/#")
        await everything.granted()
        assert (await take(everything)).startswith(b'{"state"')
        said = heard.replace("mosquitto_sub", "mosquitto_pub").replace("-v -t 'parking/marina/#'", "")
        for topic in ("exit-1/lift", "exit-1/health/worker"):
            command = onlookers.here(f"{said} -t parking/marina/{topic} -m forged")
            await asyncio.to_thread(subprocess.run, ["bash", "-c", command], check=True, cwd=onlookers.folder)
        await worker.publish("parking/marina/exit-1/lift", b"lift")
        assert await take(everything) == b"lift"
        assert worker.connected


def test_the_pages_other_commands_for_mosquitto_do_what_it_says(tmp_path: Path) -> None:
    access, tunnel = COMMANDS[-2:]
    there = access.replace("python -m", f"{sys.executable} -m").replace("> acl", f"> {tmp_path}/acl")
    subprocess.run(["bash", "-c", there], check=True)
    assert (tmp_path / "acl").read_text() == mosquitto_acl("marina", watchers=["watch", "homeassistant"])
    asked = tunnel.replace("ssh -L", "ssh -G -F none -L").split()
    told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    assert "localforward 1884 [127.0.0.1]:1884\n" in told
    assert len(COMMANDS) == 6
