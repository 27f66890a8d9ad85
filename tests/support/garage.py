"""A whole garage for tests: real processes of exit-terminal, a stock Mosquitto, PayBy's sandbox, a scanner on a pty.

Only GPIO and the panel's glass are simulated: pins are mock, and the LCD writes PNG files, from which the code is read
as a phone would.
"""

import asyncio
import contextlib
import os
import pty
import signal
import sys
import tty
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
from PIL import Image

from terminal.clock import Clock, SystemClock, new_id
from terminal.config import load
from terminal.contract.messages import Vehicle, encode, stamp
from terminal.core.ids import derived_id
from terminal.core.ticket import sign_ticket
from terminal.mqtt.client import MqttClient
from terminal.payby.sandbox.command import key_pair
from terminal.payby.sandbox.server import Sandbox
from terminal.screen import qr
from tests.support.leaks import SAID
from tests.support.leash import LEASH
from tests.support.mother import Child, of_tests
from tests.support.ports import free_port
from tests.support.rsa_keys import lay_keys
from tests.support.shipped_mosquitto import TESTER, ShippedMosquitto

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = "embedded"
PLAIN = ["-W", "error", "-m", "terminal"]
LIMIT_S = 30.0
"""The longest that a test waits for anything."""

CONFIGURATION = """\
[garage]
id = "marina"
name = "Marina Garage"
name_ar = "مواقف المارينا"
help_phone = "+971 4 000 0000"
[lane]
id = "exit-1"
[mqtt]
url = "{broker}"
username = "lane"
password_file = "secrets/password"
[payby]
base_url = "{payby}"
partner_id = "200000000888"
private_key = "secrets/merchant.pem"
payby_public_key = ["secrets/payby.pub.pem"]
{notify}
query_every = 2.0
cancel_after = 20.0
timeout = 3.0
[lift]
private_key = "secrets/worker.pem"
trusted = {{ worker = "secrets/worker.pub.pem" }}
[ticket]
keys = {{ k1 = "secrets/ticket-k1" }}
[reader]
driver = "serial"
device = "{scanner}"
[lcd]
panel = "png"
folder = "glass"
size = "480x320"
[barrier]
raise_pin = 17
pulse = 0.1
rise_time = 0.1
close_time = 0.5
journal = "barrier.db"
{loops}
[listener]
port = {port}
[journal]
path = "journal.db"
[gpio]
pins = "mock"
{more}
"""


class Heard:
    """Every message since the beginning; ``until`` waits for the next one that fits, from the mark on."""

    def __init__(self) -> None:
        self.all: list[tuple[str, dict[str, Any]]] = []
        self._news = asyncio.Condition()

    async def follow(self, bus: MqttClient) -> None:
        async for delivery in bus.subscribe("parking/marina/#"):
            delivery.ack()
            SAID.add(delivery.payload)
            what = delivery.topic.split("/", 3)[3]
            async with self._news:
                self.all.append((what, self.fields(delivery.payload)))
                self._news.notify_all()

    @staticmethod
    def fields(payload: bytes) -> dict[str, Any]:
        """A message's; garbage has none."""
        try:
            message = msgspec.json.decode(payload)
        except msgspec.DecodeError:
            return {}
        return message if isinstance(message, dict) else {}

    def of(self, what: str) -> list[dict[str, Any]]:
        return [message for topic, message in self.all if topic == what]

    async def beyond(self, count: int) -> None:
        """Until more than ``count`` messages have come."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.all) > count)

    async def until(self, what: str, *, since: int = 0, limit_s: float = LIMIT_S, **fields: Any) -> dict[str, Any]:
        """The first message of ``what`` from ``since`` on whose fields are these (a callable judges its field)."""

        def fits(message: dict[str, Any]) -> bool:
            return all(
                want(message.get(name)) if callable(want) else message.get(name) == want
                for name, want in fields.items()
            )

        def found() -> dict[str, Any] | None:
            return next((m for topic, m in self.all[since:] if topic == what and fits(m)), None)

        try:
            async with asyncio.timeout(limit_s), self._news:
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError:
            tail = deque((f"{t} {str(m)[:200]}" for t, m in self.all if not t.startswith("health")), 12)
            raise AssertionError(f"no {what} with {fields} within {limit_s} s; last:\n" + "\n".join(tail)) from None
        message = found()
        assert message is not None
        return message


class Process:
    """One running command of exit-terminal."""

    def __init__(self, process: asyncio.subprocess.Process | Child, log: Path) -> None:
        self._process, self._log = process, log

    async def kill(self, how: int = signal.SIGKILL) -> int:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(how)
        return await asyncio.wait_for(self._process.wait(), LIMIT_S)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def ends(self) -> int:
        """Its exit status, once it ends by itself."""
        return await asyncio.wait_for(self._process.wait(), LIMIT_S)

    def said(self) -> str:
        return self._log.read_text()


class Garage:
    """``async with Garage(...)``: keys, configuration, PayBy and a scanner; start() what is to run.

    ``clock`` and ``sleep`` are PayBy's, and the clock the tickets' and the loops' too. ``more``: of the configuration.
    ``user`` and ``client``: who the test is to the broker, which it watches. ``broker`` is an URL, or the Mosquitto of
    deploy/: then each process has the certificate of its own user. With EMBEDDED `run` has its own, and the test only
    watches. ``forks``: processes are forked off one that has imported the program; a benchmark, which measures what a
    process takes, starts each from nothing.
    """

    def __init__(
        self,
        folder: Path,
        broker: str | ShippedMosquitto,
        *,
        loops: str = "",
        notify: bool = True,
        seed: int = 1,
        password: str = "unused",
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        more: str = "",
        user: str = "lane",
        client: str = "test-watch",
        forks: bool = True,
    ) -> None:
        self.folder = folder
        self.secured = None if isinstance(broker, str) else broker
        self.broker = broker if isinstance(broker, str) else broker.url
        self.clock, self._sleep = clock or SystemClock(), sleep
        self._loops, self._notify, self._seed, self._password = loops, notify, seed, password
        self._more, self._user, self._client, self._forks = more, user, client, forks
        self._is_embedded = broker == EMBEDDED
        if self._is_embedded:
            self.broker = f"mqtt://127.0.0.1:{(port := free_port())}"
            self._more += f'\n[broker]\nport = {port}\nusers = "secrets/mqtt"\nwatchers = ["{TESTER}"]\n'
            self._user, self._client = TESTER, f"{TESTER}-1"
        self.heard = Heard()
        self.running: dict[str, Process] = {}
        self._made = 0
        self.tampered: Callable[[bytes], bytes] | None = None

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as self._stack:
            await self._open()
            self._stack = self._stack.pop_all()
        return self

    async def _open(self) -> None:
        lay_keys(self.folder)
        secrets = self.folder / "secrets"
        (secrets / "password").write_text(self._password + "\n")
        (secrets / "password").chmod(0o600)
        for name in ("lane", TESTER) if self._is_embedded else ():
            (secrets / "mqtt").mkdir(exist_ok=True)
            (secrets / "mqtt" / name).write_text(self._password + "\n")
            (secrets / "mqtt" / name).chmod(0o600)
        self.sandbox = await self._stack.enter_async_context(
            Sandbox(
                merchant_keys=[key_pair(secrets, "merchant").public_key()],
                private_key=key_pair(secrets, "payby"),
                clock=self.clock,
                sleep=self._sleep,
                seed=self._seed,
                time_scale=0.01,
            )
        )
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._stack.callback(os.close, slave)
        self._stack.callback(os.close, self._master)
        port = free_port()
        self.notify_url = f"http://127.0.0.1:{port}/payby/notify"
        self.file = self.folder / "exit-terminal.toml"
        self.file.write_text(
            CONFIGURATION.format(
                broker=self.broker,
                payby=self.sandbox.base_url,
                notify=f'notify_url = "{self.notify_url}"' if self._notify else "",
                scanner=os.ttyname(slave),
                loops=self._loops,
                port=port,
                more=self._more,
            ),
            encoding="utf-8",
        )
        (self.folder / "glass").mkdir()
        self.bus = await self._stack.enter_async_context(
            self.secured.bus(TESTER)
            if self.secured
            else MqttClient(self.broker, username=self._user, client_id=self._client, password=self._password)
        )
        if not self._is_embedded:
            await self.bus.wait_connected()
        following = asyncio.create_task(self.heard.follow(self.bus), name="test hears")
        self._stack.callback(following.cancel)

    async def __aexit__(self, *_: object) -> None:
        async with self._stack:
            await asyncio.gather(*(process.kill() for process in self.running.values()))

    def words(self, command: str) -> list[str]:
        """Python's arguments to run a command of exit-terminal."""
        return [*PLAIN, command, "--config", str(self.file)]

    async def start(self, *commands: str, env: dict[str, str] | None = None) -> None:
        """Run these commands, and wait until their roles are online."""
        for command in commands:
            await self.spawn(command, env=env)
        mark = len(self.heard.all)
        for command in commands:
            for role in ALL_ROLES if command == "run" else (command,):
                await self.online(role, since=mark)

    async def spawn(self, command: str, *, env: dict[str, str] | None = None) -> Process:
        """Run a command, and wait for nothing; what a subclass puts around it is started from nothing."""
        log = self.folder / f"{command}.log"
        own = {**os.environ, **self._certificate(command), **(env or {})}
        process: Child | asyncio.subprocess.Process
        if self._forks and env is None and (words := self.words(command))[: len(PLAIN)] == PLAIN:
            process = await of_tests().bear(log, words[len(PLAIN) :], own)
        else:
            with log.open("ab") as out:
                process = await asyncio.create_subprocess_exec(
                    *LEASH,
                    sys.executable,
                    *self.words(command),
                    stdout=out,
                    stderr=out,
                    stdin=asyncio.subprocess.DEVNULL,
                    cwd=ROOT,
                    env=own,
                )
        self.running[command] = Process(process, log)
        return self.running[command]

    def _certificate(self, command: str) -> dict[str, str]:
        """Who that command is to a broker that knows its users by certificates."""
        if not self.secured:
            return {}
        user = "lane" if command == "run" else command
        certificate, key = self.secured.authority.issue(user)
        key.chmod(0o600)
        files = {"username": user, "ca_file": self.secured.authority.file, "cert_file": certificate, "key_file": key}
        return {f"EXIT_TERMINAL_MQTT_{name.upper()}": str(value) for name, value in files.items()}

    async def online(self, role: str, *, since: int = 0, limit_s: float = LIMIT_S) -> None:
        """Until a heartbeat of ``role`` came live; the reader's must say that its scanner is open."""
        enough = ("online",) if role == "reader" else ("online", "degraded")
        await self.heard.until(f"health/{role}", since=since, limit_s=limit_s, state=lambda state: state in enough)

    async def kill(self, command: str) -> None:
        await self.running.pop(command).kill()

    def ticket(self, minutes: int = 90) -> str:
        """A fresh ticket for a stay that began this long ago."""
        self._made += 1
        keys = load.read_ticket_keys(load.load(self.file, {}).ticket)  # type: ignore[arg-type]
        entered = self.clock.wall_ms() - minutes * 60_000
        session = derived_id(entered, "test", str(self._seed), str(self._made))
        return sign_ticket("marina", session, entered, "k1", keys["k1"])

    def scan(self, text: str) -> int:
        """Hold a ticket under the scanner; returns a mark for what is heard from now on."""
        return self.send(text.encode() + b"\r\n")

    def send(self, data: bytes) -> int:
        """The very bytes that come down the scanner's cable; returns a mark as well."""
        os.write(self._master, data)
        return len(self.heard.all)

    async def vehicle(self, waiting: bool, *, car: str | None = None, under: bool = False) -> None:
        """Another vendor's loops say what they see."""
        at = stamp(self.clock.wall_ms())
        message = Vehicle(id=new_id(self.clock), at=at, waiting=waiting, car=car, under_boom=under)
        await self.bus.publish("parking/marina/exit-1/vehicle", encode(message), retain=True)

    async def order(self, *, since: int = 0) -> dict[str, Any]:
        return await self.heard.until("order", since=since, status="created")

    async def code_on_glass(self, url: str) -> None:
        """Until the very glass shows the code for ``url``, as a phone reads it."""
        latest = self.folder / "glass" / "latest.png"
        async with asyncio.timeout(LIMIT_S):
            while True:
                if latest.exists():
                    with Image.open(latest) as image:
                        if await asyncio.to_thread(qr.decode, image.convert("RGB")) == url:
                            return
                await self.heard_more()

    async def heard_more(self) -> None:
        """Until anything more is said; heartbeats make sure that something is."""
        async with self.heard._news:
            await self.heard._news.wait()


ALL_ROLES = ("worker", "listener", "barrier", "lcd", "reader")


@contextlib.asynccontextmanager
async def opened(garage: Garage, commands: Sequence[str]) -> AsyncIterator[Garage]:
    async with garage:
        await garage.start(*commands)
        yield garage
