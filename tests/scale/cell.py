"""A cell: a broker, journals, PayBy's sandbox, and of each garage a worker, a listener and lanes."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

import aiohttp

from terminal import build
from terminal.config.schema import Settings
from terminal.journal.rows import Row
from tests.scale.connection import Hear, LaneConnection, Traffic
from tests.scale.lane import Findings, Lane
from tests.support.eventually import eventually
from tests.support.garage import ROOT
from tests.support.leash import LEASH
from tests.support.ports import free_port
from tests.support.rsa_keys import lay_keys

ONLINE_S = 90.0
CONFIGURATION = """\
[garage]
id = "{garage}"
name = "Garage {garage}"
name_ar = "مواقف"
help_phone = "+971 4 000 0000"
lanes = {lanes}
[mqtt]
url = "{url}"
username = "{user}"
password_file = "{secrets}/password"
clean_session = {clean}
[payby]
base_url = "{payby}"
partner_id = "200000000888"
private_key = "{secrets}/merchant.pem"
payby_public_key = ["{secrets}/payby.pub.pem"]
notify_url = "http://127.0.0.1:{port}/payby/notify"
[lift]
private_key = "{secrets}/worker.pem"
trusted = {{ worker = "{secrets}/worker.pub.pem" }}
[ticket]
keys = {{ k1 = "{secrets}/ticket-k1" }}
[listener]
port = {port}
[journal]
{journal}
"""


class Broker(Protocol):
    """What all garages of the cell speak through. Garages and lanes are counted from 0."""

    name: str
    password: str
    clean_session: bool
    """The configuration's: does the broker forget who is away?"""

    def start(self) -> None: ...
    def addresses(self, garage: int, lane: int) -> Sequence[tuple[str, int]]: ...
    def user(self, garage: str, user: str) -> str: ...
    def client_id(self, garage: str, user: str) -> str: ...
    def url(self, garage: int) -> str: ...
    def before(self, garage: int) -> list[str]: ...
    def pids(self) -> Sequence[int]: ...
    def stop(self) -> None: ...


class Journals(Protocol):
    """Where the workers' journals are."""

    name: str

    def start(self) -> None: ...
    def section(self, garage: str) -> str: ...
    def rows(self, garage: str) -> Iterator[Row]: ...
    def commits(self) -> int | None: ...
    def disk(self) -> int: ...
    def pids(self) -> Sequence[int]: ...
    def stop(self) -> None: ...


def names(garages: int) -> list[str]:
    return [f"g{number}" for number in range(1, garages + 1)]


def lane_names(lanes: int) -> list[str]:
    return [f"exit-{number}" for number in range(1, lanes + 1)]


class Cell:
    """``async with Cell(...)``: the servers run. grow() adds garages and lanes."""

    def __init__(self, folder: Path, broker: Broker, journals: Journals, lanes: int) -> None:
        """``lanes``: the most that a garage will have."""
        self.folder, self.broker, self.journals, self._most = folder, broker, journals, lanes
        self.findings, self.traffic = Findings(), Traffic()
        self.garages: dict[str, list[Lane]] = {}
        self._roles: dict[str, dict[str, asyncio.subprocess.Process]] = {"worker": {}, "listener": {}}
        self._tariff = build.tariff(Settings())
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            lay_keys(self.folder)
            self._secrets = self.folder / "secrets"
            (self._secrets / "password").write_text(self.broker.password + "\n")
            (self._secrets / "password").chmod(0o600)
            self._key = bytes.fromhex((self._secrets / "ticket-k1").read_text().strip())
            for server in self.broker, self.journals:
                stack.callback(server.stop)
                await asyncio.to_thread(server.start)
            self._payby = free_port()
            words = ["sandbox", "--port", str(self._payby), "--folder", str(self._secrets)]
            self.sandbox = await self._spawn("sandbox", words, [])
            stack.push_async_callback(self._end, self.sandbox)
            stack.push_async_callback(self._end_roles)
            await eventually(self._sandbox_is_there, limit_s=30, every_s=0.1)
            self._phone = await stack.enter_async_context(aiohttp.ClientSession())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def _sandbox_is_there(self) -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self._payby)
            writer.close()
            return True
        return False

    async def _spawn(self, log: str, words: Sequence[str], before: Sequence[str]) -> asyncio.subprocess.Process:
        with (self.folder / f"{log}.log").open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *LEASH, *before, sys.executable, "-m", "terminal", *words,
                stdout=out, stderr=out, stdin=asyncio.subprocess.DEVNULL, cwd=ROOT, env=dict(os.environ),
            )  # fmt: skip

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def _end_roles(self) -> None:
        await asyncio.gather(*(self._end(one) for role in self._roles.values() for one in role.values()))

    async def grow(self, garages: int, lanes: int) -> None:
        """Until there are so many garages with so many lanes each, and all are served."""
        for number, garage in enumerate(names(garages)):
            if garage not in self.garages:
                self.garages[garage] = []
                await self._start(number, garage)
            here = self.garages[garage]
            for at, name in list(enumerate(lane_names(lanes)))[len(here) :]:
                here.append(self._lane(number, garage, at, name))
        await eventually(self._all_served, limit_s=ONLINE_S, every_s=0.1)

    def _all_served(self) -> bool:
        self.complain()
        lanes = [lane for here in self.garages.values() for lane in here]
        return all(lane.connection.granted.is_set() and lane.served >= {"worker", "listener"} for lane in lanes)

    def complain(self) -> None:
        """Raise RuntimeError where a process has ended, and what a lane's connection ended with."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error
        for role, processes in self._roles.items():
            for garage, process in processes.items():
                if process.returncode is not None:
                    log = (self.folder / f"{garage}-{role}.log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"{role} of {garage} ended with {process.returncode}:\n{log}")

    async def _start(self, number: int, garage: str) -> None:
        port = free_port()
        for role in self._roles:
            file = self.folder / f"{garage}-{role}.toml"
            file.write_text(
                CONFIGURATION.format(
                    garage=garage, lanes=self._most, url=self.broker.url(number), secrets=self._secrets, port=port,
                    user=self.broker.user(garage, role), payby=f"http://127.0.0.1:{self._payby}/sgs/api",
                    journal=self.journals.section(garage), clean=str(self.broker.clean_session).lower(),
                ),
                encoding="utf-8",
            )  # fmt: skip
            words = [role, "--config", str(file)]
            self._roles[role][garage] = await self._spawn(f"{garage}-{role}", words, self.broker.before(number))

    def _lane(self, number: int, garage: str, at: int, name: str) -> Lane:
        def connect(filters: Mapping[str, int], hear: Hear, ready: Callable[[], None]) -> LaneConnection:
            return LaneConnection(
                self.broker.addresses(number, at),
                self.broker.client_id(garage, f"lane.{name}"),
                (self.broker.user(garage, f"lane.{name}"), self.broker.password),
                filters,
                hear,
                ready,
                self.traffic,
                clean=self.broker.clean_session,
            )

        lane = Lane(
            garage, name, key=self._key, tariff=self._tariff, pay=self._pay, findings=self.findings, connect=connect
        )
        self._tasks.append(asyncio.create_task(lane.connection.run(), name=f"{garage} {name}"))
        self._tasks.append(asyncio.create_task(lane.beat((at + number / 7) / self._most % 1), name="beats"))
        return lane

    async def _pay(self, order_no: str) -> bool:
        """At PayBy, as the driver's phone does."""
        url = f"http://127.0.0.1:{self._payby}/sandbox/pay"
        async with self._phone.post(url, json={"ref": order_no}) as answer:
            return answer.status == 200

    @property
    def orders_url(self) -> str:
        """Where PayBy tells of all orders."""
        return f"http://127.0.0.1:{self._payby}/sandbox/orders"

    def pids(self) -> dict[str, list[int]]:
        """Of each kind of process."""
        roles = {role: [one.pid for one in processes.values()] for role, processes in self._roles.items()}
        servers = {"broker": list(self.broker.pids()), "database": list(self.journals.pids())}
        return {**roles, **servers, "sandbox": [self.sandbox.pid], "lanes": [os.getpid()]}
