"""A garage of real processes that die and come back: one lane whose roles run apart, and others that run as one."""

import asyncio
import contextlib
import random
import secrets
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.bus import Bus
from terminal.contract.access import USERS
from tests.chaos.bell import Bell
from tests.chaos.drivers import Driver
from tests.chaos.history import Car
from tests.chaos.kerb import Kerb
from tests.chaos.mother import Mother
from tests.chaos.proxy import Line
from tests.conftest import Mosquitto
from tests.garage import Garage, Heard, Process, free_port

APART = ("worker", "listener", "barrier", "lcd", "reader")
"""Roles of the first lane; loops besides, where it has some."""
AS_ONE = ("barrier", "lcd", "reader")
"""Roles of every other lane, in one process."""
STARTS_S = 60.0
"""All processes are there by then, however busy the machine is."""
QUIET_S = 150.0
"""Nothing is under way any more by then: a lift that nobody answered holds its payment for 90 s."""
LOOPS = "[loops]\nwaiting_pin = 5\nboom_pin = 6"


class Ears(Heard):
    """Hears for each lane, and rings."""

    def __init__(self, kerbs: list[Kerb], bell: Bell) -> None:
        super().__init__()
        self._kerbs, self._bell = {kerb.name: kerb for kerb in kerbs}, bell

    async def follow(self, bus: Bus) -> None:
        async for delivery in bus.subscribe("parking/marina/#"):
            delivery.ack()
            _, _, lane, what = delivery.topic.split("/", 3)
            async with self._news:
                self.all.append((what, self.fields(delivery.payload)))
                self._news.notify_all()
            if kerb := self._kerbs.get(lane):
                kerb.said.append(self.all[-1])
            self._bell.ring()


class Witnessed(Garage):
    """Commands run under tests/chaos/witness.py; another lane's name is the command that runs it."""

    kerbs: list[Kerb]
    mother: Mother

    async def spawn(self, command: str, *, env: dict[str, str] | None = None) -> Process:
        log = self.folder / f"{command}.log"
        self.running[command] = Process(await self.mother.bear(log, self.words(command)), log)
        return self.running[command]

    def words(self, command: str) -> list[str]:
        kerb = next((kerb for kerb in self.kerbs if kerb.name == command), None)
        file = kerb.folder / "exit-terminal.toml" if kerb else self.file
        kerb, command = (kerb, "run") if kerb else (self.kerbs[0], command)
        return [str(kerb.port), str(kerb.folder), command, "--config", str(file)]


class Scene:
    """``async with Scene(folder, broker, seed)``: everything runs, and whatever dies is started again."""

    def __init__(self, folder: Path, broker: str, seed: int, *, loops: bool = True, lanes: int = 1) -> None:
        self.folder, self.kind, self.seed = folder, broker, seed
        self.dice = random.Random(f"{seed}/{broker}/{loops}")
        self.bell = Bell()
        names = [f"exit-{n}" for n in range(1, lanes + 1)]
        self.kerbs = [
            Kerb(name, folder if not n else folder / name, self.bell, loops=loops and not n)
            for n, name in enumerate(names)
        ]
        self.kills: Counter[str] = Counter()
        self.moments: Counter[str] = Counter()
        """How often a role was killed as something was said."""
        self.ended: list[tuple[str, int]] = []
        self.cars: list[Car] = []
        self.figures: dict[str, list[float]] = {}
        """What was measured, for the table."""
        self.served_at_last = True
        self.broker_back = asyncio.Event()
        self.back_ms = 0
        """When the broker took connections again."""
        self._stack = contextlib.AsyncExitStack()
        self._keeping: dict[str, asyncio.Task[None]] = {}

    @property
    def roles(self) -> tuple[str, ...]:
        return (*APART, "loops") if self.kerbs[0].has_loops else APART

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        for kerb in self.kerbs:
            await self._stack.enter_async_context(kerb)
        broker = ""
        if self.kind == "mosquitto":
            (self.folder / "mosquitto").mkdir()
            self.mosquitto = Mosquitto(self.folder / "mosquitto")
            self.mosquitto.start()
            self._back()
            self._stack.callback(self.mosquitto.stop)
            self._port, password, user, client = self.mosquitto.port, "unused", "lane", "test-watch"
        else:  # there a user's name is its client id, and the second lane is the user `lane`
            self._port, user = free_port(), "watch" if len(self.kerbs) > 1 else "lane"
            client = user
            broker = f'[broker]\nport = {self._port}\nusers = "users"\n'
            password = self._passwords()[user]
        self.line = await self._stack.enter_async_context(Line(self._port))
        url = f"mqtt://127.0.0.1:{self.line.port}"
        garage = Witnessed(
            self.folder,
            url,
            seed=self.seed,
            more=broker,
            password=password,
            user=user,
            client=client,
            loops=LOOPS if self.kerbs[0].has_loops else "",
        )
        garage.kerbs = self.kerbs
        garage.mother = await self._stack.enter_async_context(Mother())
        garage.heard = Ears(self.kerbs, self.bell)
        self.garage = garage
        if broker:
            garage.file = self.folder / "broker.toml"  # until it has its own
            garage.file.write_text(_broker_file(broker), encoding="utf-8")
            self._stack.push_async_callback(self.stop, "broker")
            self._keep("broker")
            await self.broker_back.wait()
        await self._stack.enter_async_context(garage)
        for roles in (("broker",), ()):  # the broker last
            self._stack.push_async_callback(self.stop, *roles)
        self._configure(broker)
        marks = [len(kerb.said) for kerb in self.kerbs]
        for role in (*self.roles, *(kerb.name for kerb in self.kerbs[1:])):
            self._keep(role)
        await self.online(marks)

    def _passwords(self) -> dict[str, str]:
        """Of the embedded broker's users."""
        users = self.folder / "users"
        users.mkdir(mode=0o700)
        made = {name: secrets.token_urlsafe(24) for name in USERS}
        for name, password in made.items():
            (users / name).touch(mode=0o600)
            (users / name).write_text(password + "\n")
        return made

    def _configure(self, broker: str) -> None:
        """The first lane's scanner and a console's key; and the other lanes, which have no worker of their own."""
        folder, file = self.folder, self.garage.file
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for name, data in (("console.pem", private), ("console.pub.pem", public)):
            (folder / "secrets" / name).touch(mode=0o600)
            (folder / "secrets" / name).write_bytes(data)
        text = file.read_text(encoding="utf-8")
        text = _set(text, "trusted", '{ worker = "secrets/worker.pub.pem", console = "secrets/console.pub.pem" }')
        file.write_text(_set(text, "device", f'"{self.kerbs[0].scanner}"'), encoding="utf-8")
        user = ("lane", '"../users/lane"') if broker else ("", '"../secrets/password"')
        for kerb in self.kerbs[1:]:
            own = text.replace("secrets/", "../secrets/").replace('private_key = "../secrets/merchant.pem"\n', "")
            own = own.replace(broker, "").replace(f"{LOOPS}\n", "").replace('[journal]\npath = "journal.db"\n', "")
            own = own.replace("[listener]\n", "").replace('id = "exit-1"', f'id = "{kerb.name}"')
            own = "\n".join(line for line in own.splitlines() if not line.startswith(("port = ", "notify_url")))
            own = _set(_set(own, "device", f'"{kerb.scanner}"'), "username", f'"{user[0] or kerb.name}"')
            (kerb.folder / "glass").mkdir()
            (kerb.folder / "exit-terminal.toml").write_text(_set(own, "password_file", user[1]), encoding="utf-8")

    async def online(self, marks: list[int]) -> None:
        """Until a heartbeat of each role came live; the reader's must say that its scanner is open."""

        def missing() -> list[str]:
            found = []
            for kerb, mark in zip(self.kerbs, marks, strict=True):
                for role in self.roles if kerb is self.kerbs[0] else AS_ONE:
                    said = self.garage.heard.all if role in ("worker", "listener") else kerb.said[mark:]
                    enough = ("online",) if role == "reader" else ("online", "degraded")
                    if not any(what == f"health/{role}" and m.get("state") in enough for what, m in said):
                        found.append(f"{kerb.name} {role}")
            return found

        await self.broker_back.wait()
        if not await self.bell.until(lambda: not missing(), STARTS_S):
            raise AssertionError(f"not online within {STARTS_S} s: {', '.join(missing())}")

    # Processes

    def _keep(self, role: str) -> None:
        self._keeping[role] = asyncio.create_task(self._run(role), name=f"keeps {role}")

    async def _run(self, role: str) -> None:
        while True:
            process = await self.garage.spawn(role)
            status = await (self._serve_broker(process._process) if role == "broker" else process._process.wait())
            if status == -signal.SIGKILL:
                self.kills[role] += 1
            else:
                self.ended.append((role, status))
                await asyncio.sleep(0.5)

    async def _serve_broker(self, process: asyncio.subprocess.Process) -> int:
        """Note when it takes connections."""
        while process.returncode is None and not _listens(self._port):
            await asyncio.sleep(0.02)
        self._back()
        return await process.wait()

    def _back(self) -> None:
        self.back_ms = time.time_ns() // 1_000_000
        self.broker_back.set()
        self.bell.ring()

    def kill(self, role: str) -> None:
        """kill -9, from outside."""
        if role == "broker":
            self.broker_back.clear()
        if role == "broker" and self.kind == "mosquitto":
            self.mosquitto.stop(signal.SIGKILL)
            self.mosquitto.start()
            self.kills[role] += 1
            self._back()
        elif (process := self.garage.running.get(role)) and not process.ended:
            with contextlib.suppress(ProcessLookupError):
                process._process.kill()

    @property
    def killed(self) -> int:
        return self.kills.total()

    async def stop(self, *roles: str) -> None:
        """End these, or all but the broker, as a service is ended."""
        for name in roles or [name for name in self._keeping if name != "broker"]:
            if task := self._keeping.pop(name, None):
                task.cancel()
                await asyncio.wait([task])
                process = self.garage.running[name]
                if not process.ended and (status := await process.kill(signal.SIGTERM)):
                    self.ended.append((name, status))

    def note(self, line: str) -> None:
        """For who looks at what happened afterwards."""
        with (self.folder / "cars.log").open("a", encoding="utf-8") as log:
            log.write(line + "\n")

    # Drivers

    async def car(
        self,
        manner: str = "pays",
        trouble: Callable[[str, dict[str, Any]], None] = lambda what, message: None,
        *,
        kerb: Kerb | None = None,
        readied: Any = None,
    ) -> Car:
        """One car, from its ticket until it is out or gone."""
        more = {"readied": readied} if readied else {}
        car = await Driver(self.garage, kerb or self.kerbs[0], manner, trouble, **more).drive()
        self.cars.append(car)
        return car


def _broker_file(broker: str) -> str:
    """What the broker needs of the configuration, before there is the rest of it."""
    garage = '[garage]\nid = "marina"\nname = "Marina"\nname_ar = "مارينا"\nhelp_phone = "1"\n[lane]\nid = "exit-1"\n'
    return garage + broker


def _set(text: str, key: str, value: str) -> str:
    """The configuration with another value for a key."""
    lines = [f"{key} = {value}" if line.startswith(f"{key} = ") else line for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
