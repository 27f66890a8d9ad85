"""Fixtures that several files share: a stock Mosquitto, and our own broker, on ports of their own.

And what every test must do: leave nothing open, and nothing running.
"""

import asyncio
import gc
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import settings

from broker.embedded import EmbeddedBroker
from broker.packets import Packet, encode_length, read_frame
from terminal.contract.access import USERS, WATCHERS, may_publish, may_subscribe
from terminal.mqtt.client import MqttClient
from tests.support.authority import Authority
from tests.support.journal_kinds import JournalKind, kinds_of
from tests.support.leaks import capfd, capsys, listen, nothing_secret_is_said  # noqa: F401 - fixtures of every test
from tests.support.leash import LEASH, bring_down, end_children
from tests.support.mother import left_behind
from tests.support.ports import free_port, listens
from tests.support.postgres import Cluster, cluster
from tests.support.shipped_mosquitto import ShippedMosquitto

settings.register_profile("same every time", derandomize=True, deadline=None)
settings.load_profile("same every time")
GARAGE = "marina"


class NewBus:
    """``new_bus("worker", **more)`` is an unopened MqttClient for that user of the broker at ``url``; ``more`` goes to
    MqttClient."""

    def __init__(self, url: str, make: Callable[..., MqttClient]) -> None:
        self.url = url
        self.make = make

    def __call__(self, user: str = "lane", **more: Any) -> MqttClient:
        return self.make(user, **more)


def pytest_configure(config: pytest.Config) -> None:
    listen()
    config.addinivalue_line("markers", "slow: takes more than 5 s, since what it tests is a time limit")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what is there by now will stay: the collections below take a millisecond, not half a second


def pytest_unconfigure() -> None:
    gc.unfreeze()  # some libraries complain at the end of what was never let go


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A socket, a task or a process that a test leaves behind fails that test, and not one of those after it."""
    yield
    left = end_children() or left_behind()
    request.node.funcargs.clear()
    gc.collect()  # pytest makes an error of each ResourceWarning that comes of it
    gc.freeze()  # what is still there is held by somebody: the next test's collection need not look at it again
    assert not left, "processes are left behind"


@pytest.fixture(autouse=True)
def signals_are_as_before() -> Iterator[None]:
    """A program leaves signals without effect as it ends; one that ran in this process would leave them so to all that
    later tests start."""
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield
    for number, was in before.items():
        if was is not None and signal.getsignal(number) is not was:
            signal.signal(number, was)


class Mosquitto:
    """A stock Mosquitto, with an open listener, that survives a kill; ``stop()`` and ``start()`` it at will."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true") -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nset_tcp_nodelay true\npersistence true\npersistence_location {folder}/\n"
            f"autosave_interval 1\nautosave_on_changes true\n{'user root' if os.geteuid() == 0 else ''}\n{extra}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([*LEASH, "mosquitto", "-c", str(self.config)], stdout=log, stderr=log)
        listens(self.process, self.port, self.folder / "mosquitto.log")

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            bring_down(self.process, how)
            self.process = None


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running Mosquitto that lets everybody in."""
    if shutil.which("mosquitto") is None:
        pytest.skip("no mosquitto here: apt-get install mosquitto")
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    server = Mosquitto(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["open", "shipped"])
def either_mosquitto(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | ShippedMosquitto]:
    """For a Garage: the URL of the stock Mosquitto that lets everybody in, and then the one that deploy/ ships."""
    yield from _broker(request, tmp_path)


@pytest.fixture(params=["open", "shipped", "embedded"])
def each_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | ShippedMosquitto]:
    """For a Garage to which the test only listens: those two, and then the one that `run` has itself."""
    yield from _broker(request, tmp_path)


def _broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | ShippedMosquitto]:
    if request.param == "open":
        yield request.getfixturevalue("mosquitto").url
        return
    if request.param == "embedded":
        yield "embedded"
        return
    if shutil.which("mosquitto") is None:
        pytest.skip("no mosquitto here: apt-get install mosquitto")
    folder = tmp_path / "shipped"
    folder.mkdir()
    server = ShippedMosquitto(folder, Authority(folder))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """Our broker, running, for GARAGE, with a user for each role."""
    async with open_embedded(tmp_path) as broker:
        yield broker


def open_embedded(tmp_path: Path, port: int = 0, **more: Any) -> EmbeddedBroker:
    rules = {
        "may_publish": partial(may_publish, garage=GARAGE),
        "may_subscribe": partial(may_subscribe, garage=GARAGE),
        "watchers": WATCHERS,
        **more,
    }
    return EmbeddedBroker(tmp_path / "users", USERS, port=port, **rules)


def embedded_bus(broker: EmbeddedBroker, user: str = "lane", **more: Any) -> MqttClient:
    """An unopened Bus for a user of the embedded broker."""
    return MqttClient(
        more.pop("url", broker.url), username=user, password=broker.password_file(user).read_text().strip(), **more
    )


@pytest.fixture(params=["mosquitto", "embedded"])
def new_bus(request: pytest.FixtureRequest) -> NewBus:
    """Makes Buses for a user, on each of the two brokers in turn."""
    broker = request.getfixturevalue(request.param)
    if isinstance(broker, EmbeddedBroker):
        return NewBus(broker.url, partial(embedded_bus, broker))
    return NewBus(broker.url, lambda user, **more: MqttClient(more.pop("url", broker.url), username=user, **more))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL cluster, made when the first test asks for it. Without a server that test fails."""
    with cluster() as made:
        yield made


@pytest.fixture
def database(postgres: Cluster) -> Iterator[str]:
    """The name of an empty database."""
    name = postgres.database()
    yield name
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def journals(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JournalKind]:
    """A place for a worker's journal: a file, and then a database."""
    yield from kinds_of(request.param, tmp_path, _cluster_for(request))


def _cluster_for(request: pytest.FixtureRequest) -> Cluster | None:
    found: Cluster | None = request.getfixturevalue("postgres") if request.param == "postgres" else None
    return found


class PuppetBroker:
    """A broker that does only what a test tells it: answers CONNECT with ``code`` (None: not at all), and keeps what
    came. ``async with`` opens it."""

    def __init__(self, code: int | None = 0, port: int = 0) -> None:
        self.code = code
        self.port = port
        self.came: asyncio.Queue[Packet] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []
        self.tasks: set[asyncio.Task[None] | None] = set()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.gather(*filter(None, self.tasks))
        await self.server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.tasks.add(asyncio.current_task())
        while frame := await read_frame(reader):
            if frame.kind == 1 and self.code is not None:
                writer.write(bytes([0x20, 2, 0, self.code]))
            await self.came.put(frame)

    def send(self, data: bytes) -> None:
        """On the newest connection."""
        self.writers[-1].write(data)

    async def next(self, kind: int) -> Packet:
        """The next packet of that kind; what comes before it is passed over."""
        while (frame := await self.came.get()).kind != kind:
            pass
        return frame


class Proxy:
    """Stands between a client and a broker, packet by packet: counts them, cuts the line, or lets it hang half-open.
    ``async with`` opens it."""

    def __init__(self, broker_url: str) -> None:
        self.upstream = int(broker_url.rpartition(":")[2])
        self.kinds: list[int] = []
        self.hanging = False
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None] | None] = set()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        self.cut()
        await asyncio.gather(*filter(None, self.tasks))
        await self.server.wait_closed()

    def cut(self) -> None:
        """Break every line now, on both sides, without a goodbye."""
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        pair = {writer, up_writer}
        self.writers |= pair
        await asyncio.gather(self.pump(reader, up_writer), self.pump(up_reader, writer))
        self.writers -= pair
        for line_end in pair:
            line_end.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while frame := await read_frame(reader):
            self.kinds.append(frame.kind)
            if not self.hanging:
                writer.write(bytes([frame.kind << 4 | frame.flags]) + encode_length(len(frame.body)) + frame.body)
        if not self.hanging:
            writer.transport.abort()
