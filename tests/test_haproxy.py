"""The HAProxy of deploy/cluster on Debian's: which broker, which database and which listener one is led to."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from terminal.mqtt.client import MqttClient
from terminal.mqtt.subscription import Subscription
from tests.support.authority import Authority
from tests.support.eventually import eventually
from tests.support.haproxy import Haproxy, HttpServer, NamedServer, server_tls
from tests.support.shipped_mosquitto import ShippedMosquitto

OK, DEGRADED = {"/healthz": (200, {"status": "ok"})}, {"/healthz": (200, {"status": "degraded"})}
PRIMARY, REPLICA = {"/primary": (200, {})}, {"/primary": (503, {})}
A, B = "127.0.2.11", "127.0.2.12"


def configured(name: str, folder: Path) -> Iterator[Haproxy]:
    made = Haproxy(name, folder)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def garage(tmp_path: Path) -> Iterator[Haproxy]:
    yield from configured("garage", tmp_path)


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Haproxy]:
    yield from configured("hosted", tmp_path)


@pytest.mark.parametrize("name", ["garage", "hosted"])
def test_haproxy_takes_the_configuration_without_a_warning(name: str, tmp_path: Path) -> None:
    file = Haproxy(name, tmp_path).file
    ended = subprocess.run(["haproxy", "-c", "-f", str(file)], capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 0, ended.stderr
    assert "WARNING" not in ended.stderr and "ALERT" not in ended.stderr, ended.stderr


class Led:
    """A connection through the proxy: to whom it was led, and when that ended it."""

    def __init__(self, host: str, port: int) -> None:
        self._where = host, port
        self._writer: asyncio.StreamWriter | None = None

    async def to(self) -> str:
        """Connect anew; the server's name, or empty if there is none."""
        await self.leave()
        reader, self._writer = await asyncio.open_connection(*self._where)
        self._reader = reader
        with suppress(ConnectionError):
            return (await reader.read(10)).decode()
        return ""

    async def ended(self) -> bool:
        """Wait until it is ended from the other side."""
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                return await self._reader.read(1) == b""
        return True

    async def leave(self) -> None:
        if self._writer:
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()
            self._writer = None


async def led_to(led: Led, name: str) -> None:
    """Connect until it is led there: a check has to see the change first."""
    async with asyncio.timeout(10):
        while await led.to() != name:
            await asyncio.sleep(0.02)  # between two tries


async def test_all_lanes_are_at_one_broker_and_together_move_and_come_back(garage: Haproxy) -> None:
    a, b = (NamedServer(name, host, garage.ports[8883]) for name, host in (("a", A), ("b", B)))
    led = Led("127.0.2.10", garage.ports[8883])
    await a.start()
    await b.start()
    try:
        await led_to(led, "a")
        assert [await led.to() for _ in range(5)] == ["a"] * 5
        await a.stop()
        assert await led.ended()
        await led_to(led, "b")
        await a.start()
        assert await led.ended(), "nobody stays at the second broker when the first is back"
        assert await led.to() == "a"
    finally:
        await led.leave()
        await a.stop()
        await b.stop()


async def test_roles_move_to_the_second_mosquitto_and_back_with_their_certificates(
    garage: Haproxy, tmp_path: Path
) -> None:
    """The pair shares one server certificate, for the address that lanes know; TLS goes through the proxy as it is."""
    authority = Authority(tmp_path)
    pair = []
    for name, host in (("a", A), ("b", B)):
        (tmp_path / name).mkdir()
        made = ShippedMosquitto(tmp_path / name, authority)
        made.host, made.port = host, garage.ports[8883]
        pair.append(made)
    authority.issue("server", "127.0.2.10")
    try:
        for broker in pair:
            broker.start()
        async with pair[0].bus("listener", "127.0.2.10") as listener, pair[0].bus("worker", "127.0.2.10") as worker:
            heard = worker.subscribe("parking/marina/+/paid")
            await heard.granted()
            for number, change in enumerate((lambda: None, pair[0].stop, pair[0].start)):
                change()
                if number:
                    await eventually(lambda: not (listener.connected and worker.connected))
                await eventually(lambda: listener.connected and worker.connected)
                await repeated(listener, heard, b"%d" % number)
    finally:
        for broker in pair:
            broker.stop()


async def repeated(listener: MqttClient, heard: Subscription, payload: bytes) -> None:
    """Say it until it is heard, as every role does until it is answered: the second broker knows nobody's session."""
    async with asyncio.timeout(20):
        while True:
            await listener.publish("parking/marina/exit-1/paid", payload)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    while (delivery := await anext(heard)).payload != payload:
                        delivery.ack()
                    delivery.ack()
                    return


async def test_a_worker_is_led_to_the_database_that_patroni_calls_the_primary_and_to_no_other(garage: Haproxy) -> None:
    rest, port = garage.ports[8008], garage.ports[5432]
    agents = [HttpServer(PRIMARY), HttpServer(REPLICA)]
    servers = [NamedServer(name, host, port) for name, host in (("a", A), ("b", B))]
    led = Led("127.0.0.1", garage.ports[5000])
    async with AsyncExitStack() as stack:
        for agent, server, host in zip(agents, servers, (A, B), strict=True):
            await stack.enter_async_context(agent.serving(host, rest, server_tls(garage, host)))
            await server.start()
            stack.push_async_callback(server.stop)
        stack.push_async_callback(led.leave)
        await led_to(led, "a")
        agents[0].answers["/primary"] = 503, {}
        assert await led.ended(), "an orphaned primary keeps no connection"
        assert await led.to() == ""
        agents[1].answers["/primary"] = 200, {}
        await led_to(led, "b")


@asynccontextmanager
async def client(haproxy: Haproxy, host: str) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    context = ssl.create_default_context(cafile=haproxy.authority.file)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield session, f"https://{host}:{haproxy.ports[443]}"


async def posted(session: aiohttp.ClientSession, url: str, body: bytes = b"words") -> int:
    async with session.post(url, data=body) as answer:
        return answer.status


async def until(session: aiohttp.ClientSession, url: str, status: int) -> None:
    async with asyncio.timeout(10):
        while await posted(session, url) != status:
            await asyncio.sleep(0.02)  # between two tries


async def test_a_notification_comes_to_a_listener_that_has_its_broker(garage: Haproxy) -> None:
    first, second = HttpServer(OK), HttpServer(DEGRADED)
    port = garage.ports[8080]
    async with (
        client(garage, "127.0.2.10") as (session, base),
        first.serving(A, port),
        second.serving(B, port),
    ):
        url = f"{base}/payby/notify"
        await until(session, url, 200)
        await only(session, url, first, 6)  # at its start HAProxy takes each server for sound until it is checked
        path, body, forwarded = first.posted[-1]
        assert (path, body) == ("/payby/notify", b"words") and forwarded
        first.answers, second.answers = dict(DEGRADED), dict(OK)
        await only(session, url, second, 6)
        second.answers = dict(DEGRADED)
        await until(session, url, 503)
        assert await posted(session, f"{base}/metrics") == 404
        assert await posted(session, url, b"x" * 65_537) == 413


async def only(session: aiohttp.ClientSession, url: str, server: HttpServer, count: int) -> None:
    """Post until so many in a row came to this server."""
    async with asyncio.timeout(10):
        in_a_row = 0
        while in_a_row < count:
            before = len(server.posted)
            await posted(session, url)
            in_a_row = in_a_row + 1 if len(server.posted) > before else 0


async def test_the_path_of_a_hosted_cell_names_the_garage_and_a_stranger_gets_503(hosted: Haproxy) -> None:
    marina, creek = HttpServer(OK), HttpServer(OK)
    async with (
        client(hosted, "127.0.0.1") as (session, base),
        marina.serving("127.0.2.21", hosted.ports[8101]),
        creek.serving("127.0.2.22", hosted.ports[8102]),
    ):
        await until(session, f"{base}/marina/payby/notify", 200)
        await until(session, f"{base}/creek/payby/notify", 200)
        assert {path for path, *_ in marina.posted} == {path for path, *_ in creek.posted} == {"/payby/notify"}
        assert await posted(session, f"{base}/palm/payby/notify") == 503, "PayBy tries again"
        for path in ("/payby/notify", "/marina/metrics", "/marina/payby/notify/x", "/Marina/payby/notify", "/"):
            assert await posted(session, base + path) == 404
