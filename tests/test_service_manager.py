"""What systemd is told, over a real datagram socket: ready, how it is, that messages still come back, why it ended."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.app.service_manager import ServiceManager
from tests.conftest import Mosquitto
from tests.sim.loop import VirtualLoop
from tests.support.endpoint import endpoint
from tests.support.garage import Garage
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock


class NotifySocket:
    """systemd's end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def came(self) -> list[list[str]]:
        """The fields of each message since the last call."""
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(4096).decode().split("\n"))
        return found

    async def until(self, field: str, limit_s: float = 20.0) -> str:
        """The first field that begins so."""
        async with asyncio.timeout(limit_s):
            while True:
                said = (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode().split("\n")
                for line in said:
                    if line.startswith(field):
                        return line

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def notify(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    name = f"@exit-terminal-{os.getpid()}" if request.param == "abstract" else f"{tmp_path}/notify"
    listening = NotifySocket(name)
    yield listening
    listening.close()


def told(notify: NotifySocket, **more: str) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": notify.address, **more})


def test_it_is_told_once_that_the_process_is_ready_and_each_change_of_its_connection(notify: NotifySocket) -> None:
    manager = told(notify)
    manager.connection(True, "")
    manager.connection(False, "lost")
    assert notify.came() == [], "what was never ready has nothing to lose"
    manager.ready("ready: version 1")
    manager.connection(False, "the broker shows a certificate that has expired")
    manager.connection(True, "")
    manager.stopping()
    assert notify.came() == [
        ["READY=1", "STATUS=ready: version 1"],
        ["STATUS=no connection to the broker: the broker shows a certificate that has expired"],
        ["STATUS=ready: version 1"],
        ["STOPPING=1"],
    ]


def test_a_status_is_one_field_whatever_is_in_it(notify: NotifySocket) -> None:
    told(notify).status("two\nREADY=1\0lines" + "x" * 5000)
    ((field,),) = notify.came()
    assert field.startswith("STATUS=two READY=1") and len(field) < 420


@pytest.mark.parametrize(
    "environ",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nobody/there"}, {"NOTIFY_SOCKET": "vsock:2:1"},
     {"NOTIFY_SOCKET": "relative", "WATCHDOG_USEC": "soon"}],
)  # fmt: skip
def test_where_nobody_listens_nothing_happens(environ: dict[str, str]) -> None:
    manager = ServiceManager(environ)
    assert manager.watchdog_s == 0
    manager.ready("ready")
    manager.heartbeat_came_back()
    manager.stopping()


def test_a_watchdog_of_another_process_is_not_ours(notify: NotifySocket) -> None:
    assert told(notify, WATCHDOG_USEC="60000000", WATCHDOG_PID="1").watchdog_s == 0
    assert told(notify, WATCHDOG_USEC="60000000", WATCHDOG_PID=str(os.getpid())).watchdog_s == 60


def test_the_watchdog_is_fed_by_what_comes_back_and_only_after_it_was_ready(notify: NotifySocket) -> None:
    manager = told(notify, WATCHDOG_USEC="60000000")
    manager.heartbeat_came_back()
    assert notify.came() == []
    manager.ready("ready")
    for _ in range(10):
        manager.heartbeat_came_back()
    assert notify.came()[1:] == [["WATCHDOG=1"]]
    alone = told(notify, WATCHDOG_USEC="60000000")
    alone.ready_at_once = "serves marina as worker"
    alone.heartbeat_came_back()
    assert notify.came() == [["READY=1", "STATUS=serves marina as worker"], ["WATCHDOG=1"]]


@pytest.mark.parametrize("delivers", [True, False])
def test_a_broker_that_accepts_heartbeats_and_delivers_none_starves_the_watchdog(delivers: bool) -> None:
    fed: list[float] = []
    with VirtualLoop() as loop:
        bus, clock = MemoryBus(), TurnedClock()

        async def story() -> None:
            speaker = endpoint(bus.as_bus(), clock, came_back=lambda: fed.append(loop.time()))
            beating = asyncio.create_task(speaker.run_heartbeat())
            await asyncio.sleep(30)  # virtual time
            assert len(fed) > 4
            if not delivers:
                bus.subscriptions.clear()
                fed.clear()
            await asyncio.sleep(60)  # virtual time
            beating.cancel()
            await asyncio.wait([beating])

        loop.run(story())
    assert (len(fed) > 12) == delivers
    assert delivers or fed == []


async def test_run_says_when_it_serves_that_it_still_does_and_that_it_ends(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    notify = NotifySocket(f"{tmp_path}/notify")
    environ = {"NOTIFY_SOCKET": notify.address, "WATCHDOG_USEC": "4000000"}
    try:
        async with Garage(tmp_path, mosquitto.url) as lane:
            process = await lane.spawn("run", env=environ)
            assert (await notify.until("STATUS=")).startswith("STATUS=ready: version")
            await notify.until("WATCHDOG=1")
            mosquitto.stop(signal.SIGKILL)
            assert "no connection to the broker" in await notify.until("STATUS=")
            mosquitto.start()
            assert (await notify.until("STATUS=")).startswith("STATUS=ready: version")
            await notify.until("WATCHDOG=1")
            assert await process.kill(signal.SIGTERM) == 0
            await notify.until("STOPPING=1")
    finally:
        notify.close()


@pytest.mark.parametrize("command", ["worker", "barrier"])
async def test_a_role_that_runs_alone_is_ready_once_its_own_heartbeat_came_back(
    command: str, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    notify = NotifySocket(f"{tmp_path}/notify")
    try:
        async with Garage(tmp_path, mosquitto.url) as lane:
            await lane.spawn(command, env={"NOTIFY_SOCKET": notify.address})
            await notify.until("READY=1")
    finally:
        notify.close()


async def test_why_it_ends_with_status_2_is_what_systemctl_shows(tmp_path: Path, mosquitto: Mosquitto) -> None:
    notify = NotifySocket(f"{tmp_path}/notify")
    try:
        async with Garage(tmp_path, mosquitto.url) as lane:
            (tmp_path / "secrets/merchant.pem").unlink()
            process = await lane.spawn("run", env={"NOTIFY_SOCKET": notify.address})
            assert await process.ends() == 2
            assert "payby.private_key" in await notify.until("STATUS=")
    finally:
        notify.close()


def test_one_that_stands_by_is_ready_and_fed_by_the_database_and_then_by_its_heartbeat(notify: NotifySocket) -> None:
    manager = told(notify, WATCHDOG_USEC="20000000")
    manager.ready_at_once = "serves marina as worker"
    manager.stands_by("waits for its journal: no answer", False)
    assert notify.came() == [["STATUS=waits for its journal: no answer"]], "that is no sign of life"
    manager.stands_by("stands by for other", True)
    assert notify.came() == [["READY=1", "STATUS=stands by for other"], ["WATCHDOG=1"]]
    manager.stands_by("stands by for other", True)
    assert notify.came() == [], "once in a while is enough"
    manager.stands_by("stands by for other, at row 7", True)
    assert notify.came() == [["STATUS=stands by for other, at row 7"]]
    manager.heartbeat_came_back()
    assert notify.came() == [["READY=1", "STATUS=serves marina as worker"]]
    manager.heartbeat_came_back()
    assert notify.came() == []
