"""A lane of real processes that die and come back, and drivers who know nothing of that."""

import asyncio
import contextlib
import random
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from terminal.core.lane import Garage as Rules_Garage
from terminal.core.lane import Rules
from terminal.core.numbers import parse_order_no
from terminal.journal import Row, read
from terminal.ledger import Ledger
from terminal.payby.sandbox.params import Refusal
from tests.chaos.history import Account, Car, History, Intent, fils, words_of
from tests.chaos.proxy import Line
from tests.conftest import Mosquitto
from tests.garage import ROOT, Garage, free_port

ROLES = ("worker", "listener", "barrier", "lcd", "reader")
PRICE = 2000
"""Fils, of the stay of 90 minutes that every driver comes from."""
PATIENCE_S = 90.0
"""A driver who is not out by then has called for help and is led away."""
RESCAN_S = 6.0
STARTS_S = 60.0
"""All processes are there by then, however busy the machine is."""
QUIET_S = 75.0
"""Orders of cars that left without paying are closed by then: 60 s after the last word of them, and a little."""


class Witnessed(Garage):
    """Commands run under tests/chaos/witness.py; ``steps``: where the next process of a role kills itself."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.steps: dict[str, deque[str]] = {}

    def words(self, command: str) -> list[str]:
        steps = self.steps.get(command)
        step = steps.popleft() if steps else "-"
        pins = str(self.folder / "pins.log")
        words = ["-m", "tests.chaos.witness", pins, step, command, "--config", str(self.file)]
        return words if command != "broker" else [*words[:-1], str(self.folder / "broker.toml")]


@dataclass(slots=True)
class Told:
    """What came of the drivers."""

    cars: list[Car] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    """From paying to the boom."""


class Lane:
    """``async with Lane(folder, broker, seed)``: everything runs, and whatever dies is started again."""

    def __init__(self, folder: Path, broker: str, seed: int) -> None:
        self.folder, self.kind, self.seed = folder, broker, seed
        self.dice = random.Random(f"{seed}/{broker}")
        self.kills: dict[str, int] = {}
        self.ended: list[tuple[str, int]] = []
        self.told = Told()
        self.served_at_last = True
        self._stack = contextlib.AsyncExitStack()
        self._keeping: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        port, more, password = free_port(), "", "unused"
        if self.kind == "mosquitto":
            (self.folder / "mosquitto").mkdir()
            self.mosquitto = Mosquitto(self.folder / "mosquitto")
            self.mosquitto.start()
            self._stack.callback(self.mosquitto.stop)
            port = self.mosquitto.port
        else:
            more = f'[broker]\nport = {port}\nusers = "users"\n'
            (self.folder / "broker.toml").write_text(
                '[garage]\nid = "marina"\nname = "Marina"\nname_ar = "مارينا"\nhelp_phone = "1"\n'
                f'[lane]\nid = "exit-1"\n{more}'
            )
            await self._first_broker()
            password = (self.folder / "users" / "lane").read_text().strip()
        self.line = await self._stack.enter_async_context(Line(port))
        url = f"mqtt://127.0.0.1:{self.line.port}"
        client = "test-watch" if self.kind == "mosquitto" else "lane"
        self.garage = Witnessed(self.folder, url, seed=self.seed, more=more, password=password, client=client)
        self._stack.callback(self._stop_broker)
        if self.kind != "mosquitto":
            self.garage.file = self.folder / "broker.toml"  # until it has its own
            self._keep("broker")
        await self._stack.enter_async_context(self.garage)
        self._stack.push_async_callback(self._stop)
        mark = len(self.garage.heard.all)
        for role in ROLES:
            self._keep(role)
        for role in ROLES:
            await self.garage.online(role, since=mark, limit_s=STARTS_S)

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _first_broker(self) -> None:
        """It makes its users' passwords; ended as soon as they are there."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "terminal", "broker", "--config", str(self.folder / "broker.toml"), cwd=ROOT
        )
        users = self.folder / "users"
        async with asyncio.timeout(20):
            while not all((users / role).exists() for role in (*ROLES, "lane", "watch", "broker")):
                await asyncio.sleep(0.05)
        process.terminate()
        await process.wait()

    def _stop_broker(self) -> None:
        if task := self._keeping.pop("broker", None):
            task.cancel()
            with contextlib.suppress(KeyError, ProcessLookupError):
                self.garage.running.pop("broker")._process.kill()

    async def _stop(self) -> None:
        keeping = [self._keeping.pop(role) for role in list(self._keeping) if role != "broker"]
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)

    # Processes

    def _keep(self, role: str) -> None:
        self._keeping[role] = asyncio.create_task(self._run(role), name=f"keeps {role}")

    async def _run(self, role: str) -> None:
        while True:
            process = await self.garage.spawn(role)
            status = await process._process.wait()
            if status == -signal.SIGKILL:
                self.kills[role] = self.kills.get(role, 0) + 1
            else:
                self.ended.append((role, status))
                await asyncio.sleep(0.5)

    def kill(self, role: str) -> None:
        """kill -9, from outside."""
        if role == "broker" and self.kind == "mosquitto":
            self.mosquitto.stop(signal.SIGKILL)
            self.mosquitto.start()
            self.kills[role] = self.kills.get(role, 0) + 1
        elif (process := self.garage.running.get(role)) and not process.ended:
            with contextlib.suppress(ProcessLookupError):
                process._process.kill()

    @property
    def killed(self) -> int:
        return sum(self.kills.values())

    # Drivers

    async def car(self, trouble: Callable[[str, dict[str, Any]], None] = lambda what, message: None) -> Car:
        """One car, from its ticket until it is out or has lost patience. ``trouble`` hears every message of its visit
        before the driver acts on it."""
        garage, heard = self.garage, self.garage.heard
        ticket = garage.ticket()
        digits = ticket.split(".")[2].lower()
        session = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        at = scanned_at = len(heard.all)
        began = scanned = time.monotonic()
        garage.scan(ticket)
        paid: dict[str, float] = {}
        state, payable = "", ""
        while time.monotonic() - began < PATIENCE_S:
            for what, message in heard.all[at:]:
                trouble(what, message)
                if what == "screen":
                    state = message.get("state", "")
                    payable = message.get("session", "") if state == "pay" else ""
                if what == "barrier" and message.get("session") == session and message["state"] in ("rising", "up"):
                    car = Car(session, PRICE, True, tuple(paid))
                    self.told.waits_s += [time.monotonic() - at_s for at_s in paid.values()]
                    self.told.cars.append(car)
                    await self._comes_down(session)
                    return car
            at = len(heard.all)
            if payable == session and (link := self._link(session)) and link[0] not in paid:
                with contextlib.suppress(Refusal, KeyError):
                    await garage.sandbox.pay(link[1])
                    paid[link[0]] = time.monotonic()
            waits = state in ("wait", "pay", "paid", "free") and at > scanned_at
            if not waits and time.monotonic() - scanned > RESCAN_S:
                scanned, scanned_at = time.monotonic(), at
                garage.scan(ticket)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await heard.beyond(at)
        car = Car(session, PRICE, False, tuple(paid))
        self.told.cars.append(car)
        return car

    def _link(self, session: str) -> tuple[str, str] | None:
        """Number and link of the stay's order that can be paid."""
        for what, message in reversed(self.garage.heard.all):
            if what == "order":
                if message.get("session") == session and message["status"] == "created":
                    return message["order_no"], message["token_url"]
                return None
        return None

    async def _comes_down(self, session: str) -> None:
        at = len(self.garage.heard.all)
        with contextlib.suppress(AssertionError):
            await self.garage.heard.until("barrier", since=at, state="down", limit_s=5.0)

    # The end

    async def finish(self) -> History:
        """Nothing goes wrong any more: one more car, then quiet, then all stop, and what happened is read."""
        self.garage.steps.clear()
        for role in ROLES:
            self.kill(role)  # some would still die at the step that they wait for
        mark = len(self.garage.heard.all)
        for role in ROLES:
            await self.garage.online(role, since=mark, limit_s=STARTS_S)
        self.served_at_last = (await self.car()).out
        await self._closed()
        await self._stop()
        for role in ROLES:
            if not self.garage.running[role].ended:
                await self.garage.running[role].kill(signal.SIGTERM)
        return self._history()

    async def _closed(self) -> None:
        """Until PayBy has no order that could be paid."""
        book = self.garage.sandbox.orders
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                while any(order.status == "CREATED" for order in book.values()):
                    await self.garage.heard_more()
                await asyncio.sleep(2.0)  # the worker hears what it asked for

    def _history(self) -> History:
        barrier = [*read(self.folder / "barrier.db")]
        lines = [line.split() for line in (self.folder / "pins.log").read_text().splitlines()]
        logs = [(path.name, path.read_text(errors="replace")) for path in sorted(self.folder.glob("*.log"))]
        said = [(topic, words_of(message)) for topic, message in self.garage.heard.all]
        lifts = [message for topic, message in self.garage.heard.all if topic == "lift"]
        return History(
            accounts=self._accounts(),
            cars=self.told.cars,
            garage=self._replayed(),
            again=self._replayed(),
            granted={lift["id"]: lift["session"] for lift in lifts if "id" in lift},
            intents=[_intent(row) for row in barrier if row.kind == "intent"],
            done=[row.data.decode() for row in barrier if row.kind == "done"],
            pulses=[int(at) for at, pin, level in lines if pin == "GPIO17" and level == "1"],
            other_pins=frozenset(pin for _, pin, _ in lines if pin != "GPIO17"),
            served_at_last=self.served_at_last,
            ended=self.ended,
            texts=[*logs, *said],
            secrets=self._secrets(),
        )

    def _accounts(self) -> list[Account]:
        sandbox = self.garage.sandbox
        placed, closed = {}, {}
        for call in sandbox.calls:
            number = str(call.biz.get("merchantOrderNo"))
            if call.name == "placeOrder" and call.code == "0":
                placed.setdefault(number, call.at_ms)
            if call.name == "cancelOrder" and call.code == "0":
                closed.setdefault(number, call.at_ms)
        made = []
        for order in sandbox.orders.values():
            name = parse_order_no(order.no)
            assert name is not None
            back = sum(fils(r.amount) for r in order.refunds if r.status == "SUCCESS")
            made.append(
                Account(
                    order.no,
                    name.session,
                    placed.get(order.no, order.requested_ms),
                    order.paid_ms,
                    fils(order.amount),
                    back,
                    closed.get(order.no),
                    order.expires_ms,
                )
            )
        return made

    def _replayed(self) -> Rules_Garage:
        ledger = Ledger(Rules("marina", cancel_after=20_000), _Rows(self.folder / "journal.db"), lambda _: b"")
        ledger.replay()
        return ledger.garage

    def _secrets(self) -> list[str]:
        found = []
        for path in sorted([*self.folder.glob("secrets/*"), *self.folder.glob("users/*")]):
            if path.is_file() and not path.name.endswith(".pub.pem"):
                lines = [line for line in path.read_text().splitlines() if "-----" not in line]
                found += [line for line in lines if len(line) >= 16]
        return found


class _Rows:
    """A journal to be read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def replay(self) -> Any:
        return read(self._path)

    async def append(self, rows: Any, at_ms: int) -> int:
        raise AssertionError("it is only read")


def _intent(row: Row) -> Intent:
    told = msgspec.json.decode(row.data)
    return Intent(told["id"], told["session"], told["reason"], told.get("order_no"))


@contextlib.asynccontextmanager
async def opened(folder: Path, broker: str, seed: int) -> AsyncIterator[Lane]:
    async with Lane(folder, broker, seed) as lane:
        yield lane
