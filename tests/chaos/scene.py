"""A garage of real processes that die and come back: one lane whose roles run apart, and others that run as one."""

import asyncio
import contextlib
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

from terminal.contract.topics import GARAGE_WIDE
from terminal.journal.reading import read
from terminal.journal.rows import Row
from tests.chaos.bell import Bell
from tests.chaos.drivers import Driver
from tests.chaos.history import Car, History, judge
from tests.chaos.kerb import Kerb
from tests.chaos.processes import LOOPS, Ears, Witnessed, broker_file, configure, guard, passwords
from tests.chaos.proxy import Line
from tests.conftest import Mosquitto
from tests.support.mother import Mother
from tests.support.ports import free_port

APART = ("worker", "listener", "barrier", "lcd", "reader")
"""Roles of the first lane; loops besides, where it has some."""
GARAGE_ROLES = ("worker", "listener")
AS_ONE = ("barrier", "lcd", "reader")
"""Roles of every other lane, in one process."""
STARTS_S = 60.0
"""All processes are there by then, however busy the machine is."""
QUIET_S = 150.0
"""Nothing is under way any more by then: a lift that nobody answered holds its payment for 90 s."""


class Scene:
    """``async with Scene(folder, broker, seed)``: everything runs, and whatever dies is started again."""

    mother: Callable[[], Mother] = partial(Mother, "tests.chaos.witness")
    """What starts its processes."""
    quiet_s = QUIET_S

    def __init__(
        self,
        folder: Path,
        broker: str,
        seed: int,
        *,
        loops: bool = True,
        lanes: int = 1,
        guarded: bool = False,
        more: str = "",
    ) -> None:
        """``guarded``: a Mosquitto that knows its users, each other lane's machine by its own name, and holds them to
        the product's rules. ``more``: of the configuration."""
        self.folder, self.kind, self.seed, self._more = folder, broker, seed, more
        self._guarded = guarded and broker == "mosquitto"
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
        self.granted: dict[str, str] = {}
        """Session by lift, of a journal that no longer exists."""
        self.passwords: dict[str, str] = {}
        """Of the broker's users."""
        self.broker_back = asyncio.Event()
        self.back_ms = 0
        self._away_s = 0.0
        """When the broker took connections again."""
        self._stack = contextlib.AsyncExitStack()
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._off: dict[str, asyncio.Event] = {}
        self._asked_to_end: set[str] = set()

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
            extra = ()
            if self._guarded:
                names = [kerb.name for kerb in self.kerbs]
                self.passwords = passwords(self.folder, ["lane", *(f"lane.{name}" for name in names)])
                extra = (guard(self.folder / "mosquitto", self.passwords, names),)
            self.mosquitto = Mosquitto(self.folder / "mosquitto", *extra)
            self.mosquitto.start()
            self._back()
            self._stack.callback(self.mosquitto.stop)
            self._port, password, user, client = self.mosquitto.port, "unused", "lane", "test-watch"
            password = self.passwords.get(user, password)
        else:  # there a user's name is its client id, and the second lane is the user `lane`
            self._port, user = free_port(), "watch" if len(self.kerbs) > 1 else "lane"
            client = user
            broker = f'[broker]\nport = {self._port}\nusers = "users"\n'
            self.passwords = passwords(self.folder)
            password = self.passwords[user]
        self.line = await self._stack.enter_async_context(Line(self._port))
        url = f"mqtt://127.0.0.1:{self.line.port}"
        garage = Witnessed(
            self.folder,
            url,
            seed=self.seed,
            more=f"{broker}{self._more}",
            password=password,
            user=user,
            client=client,
            loops=LOOPS if self.kerbs[0].has_loops else "",
        )
        garage.kerbs = self.kerbs
        garage.mother = await self._stack.enter_async_context(type(self).mother())
        garage.heard = self.ears = Ears(self.kerbs, self.bell, self.folder / "said.log")
        self.garage = garage
        if broker:
            garage.file = self.folder / "broker.toml"  # until it has its own
            garage.file.write_text(broker_file(broker), encoding="utf-8")
            self._stack.push_async_callback(self.stop, "broker")
            self._keep("broker")
            await self.broker_back.wait()
        await self._stack.enter_async_context(garage)
        for roles in (("broker",), ()):  # the broker last
            self._stack.push_async_callback(self.stop, *roles)
        configure(garage, broker, guarded=self._guarded)
        await self._configured()
        for role in (*self.roles, *(kerb.name for kerb in self.kerbs[1:])):
            self._keep(role)
        await self.online()

    async def _configured(self) -> None:
        """What a scene adds before its processes start."""

    def journal(self) -> Iterator[Row]:
        """The worker's rows, checked."""
        return read(self.folder / "journal.db")

    def judged(self, history: History) -> list[str]:
        """What of it must not have happened, while what it was read from is there."""
        return judge(history)

    async def online(self) -> None:
        """Until a heartbeat of each role has come live from now on; the reader's must say that its scanner is open."""
        first, mark = self.kerbs[0], len(self.ears.beats)
        awaited = {(kerb.name, role) for kerb in self.kerbs[1:] for role in AS_ONE}
        kinds = {role.partition(".")[0] for role in self.roles}
        awaited |= {(GARAGE_WIDE if role in GARAGE_ROLES else first.name, role) for role in kinds}

        def missing() -> set[tuple[str, str]]:
            return awaited - {(lane, role) for lane, role, state in self.ears.beats[mark:] if fits(role, state)}

        def fits(role: str, state: str) -> bool:
            return state == "online" or (state == "degraded" and role != "reader")

        await self.broker_back.wait()
        if not await self.bell.until(lambda: not missing(), STARTS_S):
            raise AssertionError(f"not online within {STARTS_S} s: {', '.join(map(' '.join, sorted(missing())))}")

    # Processes

    def _keep(self, role: str) -> None:
        self._keeping[role] = asyncio.create_task(self._run(role), name=f"keeps {role}")

    async def _run(self, role: str) -> None:
        while True:
            if off := self._off.get(role):
                await off.wait()
            process = await self.garage.spawn(role)
            if role in self._off:
                self._strike(role)
            status = await (self._serve_broker(process._process) if role == "broker" else process._process.wait())
            if status == -signal.SIGKILL:
                self.kills[role] += 1
            elif status or role not in self._asked_to_end:
                self.ended.append((role, status))
                await asyncio.sleep(0.5)
            self._asked_to_end.discard(role)
            if role == "broker":
                await asyncio.sleep(self._away_s)

    async def _serve_broker(self, process: asyncio.subprocess.Process) -> int:
        """Note when it takes connections."""
        while process.returncode is None and not _listens(self._port):
            await asyncio.sleep(0.02)
        self._back()
        return await process.wait()

    async def _start_mosquitto(self) -> None:
        await asyncio.sleep(self._away_s)
        self.mosquitto.start()
        self._back()

    def _back(self) -> None:
        self.back_ms = time.time_ns() // 1_000_000
        self.broker_back.set()
        self.bell.ring()

    def kill(self, role: str, *, away_s: float = 0.0) -> None:
        """kill -9, from outside. ``away_s``: how long the broker stays away."""
        if role != "broker":
            self._strike(role)
        elif self.broker_back.is_set():
            self.broker_back.clear()
            self._away_s = away_s
            if self.kind == "mosquitto":
                self.mosquitto.stop(signal.SIGKILL)
                self.kills[role] += 1
                self._keeping[role] = asyncio.create_task(self._start_mosquitto(), name="starts mosquitto")
            else:
                self._strike(role)

    def _strike(self, role: str) -> None:
        if (process := self.garage.running.get(role)) and not process.ended:
            with contextlib.suppress(ProcessLookupError):
                process._process.kill()

    def end(self, role: str) -> None:
        """Ask it to end, as a service is ended for an update; it is started again."""
        self._asked_to_end.add(role)
        self.garage.running[role]._process.send_signal(signal.SIGTERM)

    def spare(self, *roles: str) -> None:
        """Once these end, they stay away until on()."""
        self._off |= {role: asyncio.Event() for role in roles if role not in self._off}

    def off(self, *roles: str) -> None:
        """kill -9, and they stay away until on()."""
        self.spare(*roles)
        for role in roles:
            self._strike(role)

    def on(self, *roles: str) -> None:
        """They may be there again."""
        for role in roles:
            self._off.pop(role).set()

    @property
    def killed(self) -> int:
        return self.kills.total()

    def start(self, role: str) -> None:
        """Let one that was stopped be there again."""
        self._keep(role)

    async def stop(self, *roles: str) -> None:
        """End these, or all but the broker, as a service is ended."""
        for name in roles or [name for name in self._keeping if name != "broker"]:
            if task := self._keeping.pop(name, None):
                task.cancel()
                await asyncio.wait([task])
                process = self.garage.running.get(name)
                if process and not process.ended and (status := await process.kill(signal.SIGTERM)):
                    self.ended.append((name, status))

    async def told(self, code: str, *, since: int, limit_s: float) -> bool:
        """Is such an alert raised, counted from ``since`` on, within that time?"""
        alerts = self.ears.alerts

        def is_there() -> bool:
            return any((a["code"], a["state"]) == (code, "raised") for a in alerts[since:])

        return await self.bell.until(is_there, limit_s)

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
        ticket: str = "",
    ) -> Car:
        """One car, from its ticket until it is out or gone."""
        more = {"readied": readied} if readied else {}
        more |= {"ticket": ticket} if ticket else {}
        car = await Driver(self.garage, kerb or self.kerbs[0], manner, trouble, **more).drive()
        self.cars.append(car)
        return car


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
