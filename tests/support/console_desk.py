"""An operator's desk at a real broker, over real HTTP, with people signed in; and the garage that it looks at: a kerb
client that says what roles say, and checks what the desk says as the worker and the barrier do."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from argon2 import PasswordHasher

from broker.embedded import EmbeddedBroker
from terminal.clock import Clock, SystemClock, new_id
from terminal.config.users import FILE, JOURNAL, DeskUser, UserRole
from terminal.contract.messages import Command, Lift, decode, stamp
from terminal.contract.signatures import check_command, check_lift
from terminal.contract.topics import RETAINED
from terminal.core import ids
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.console.actions import DeskSigner
from terminal.roles.console.desk_journal import DeskJournal
from terminal.roles.console.role import ConsoleOptions, ConsoleRole
from terminal.screen.view import Site
from tests.conftest import embedded_bus
from tests.support.eventually import eventually
from tests.support.leaks import register
from tests.support.lifts import private_key, trusted

PASSWORD = register("correct horse battery", "the password at the desk")
GARAGE, LANE = "marina", "exit-1"
SESSION = ids.derived_id(1_795_000_000_000, "a stay")
CODE = ids.help_code(SESSION)
NUMBER = ids.order_no(GARAGE, LANE, SESSION, 1)
CAR = ids.derived_id(1_795_000_000_000, "a car")
PEOPLE: dict[str, UserRole] = {"vera": "view", "amal": "attendant", "omar": "attendant", "maha": "manager"}


CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""A hash tells what it cost, and a password is compared at that cost; the product's own is test_users.py's matter."""


@cache
def _users() -> str:
    hashed = CHEAP.hash(PASSWORD)
    users = [DeskUser(name, role, hashed, "2026-11-30") for name, role in PEOPLE.items()]
    return json.dumps({"v": 1, "users": [asdict(user) for user in users]})


def write_users(folder: Path) -> None:
    """The people's file."""
    folder.mkdir(exist_ok=True)
    (folder / FILE).touch(mode=0o600)
    (folder / FILE).write_text(_users(), encoding="utf-8")


class Person:
    """A browser of somebody who is signed in, as far as HTTP goes."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url, self.http = url, http

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.http.get(f"{self.url}{path}", allow_redirects=False, headers=headers) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, form: dict[str, str], **headers: str) -> tuple[int, str, str]:
        """Status, text and where it leads."""
        async with self.http.post(f"{self.url}{path}", data=form, allow_redirects=False, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers.get("Location", "")

    async def form(self, page: str, action: str) -> dict[str, str]:
        """The hidden fields of a page's form."""
        _, text = await self.get(page)
        found = re.search(rf'<form[^>]*action="[^"]*{re.escape(action)}"[^>]*>(.*?)</form>', text, re.DOTALL)
        assert found, f"{page} has no form for {action}"
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[1]))

    async def act(self, page: str, action: str, **more: str) -> tuple[int, str, str]:
        """Fill in a form of a page and send it."""
        form = await self.form(page, action)
        return await self.post(f"/{action}", {**form, "reason": "other", "note": "a test", **more})


@dataclass
class DeskRig:
    """``lifts`` and ``commands``: what the desk said that a barrier and a worker would take, by id."""

    role: ConsoleRole
    kerb: MqttClient
    folder: Path
    clock: Clock
    lifts: dict[str, Lift] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)
    times: int = 0
    """How often anything was said, repetitions included."""
    _http: list[aiohttp.ClientSession] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.role.port}/desk"

    def stranger(self) -> Person:
        http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._http.append(http)
        return Person(self.url, http)

    async def person(self, name: str = "amal") -> Person:
        one = self.stranger()
        status, _, to = await one.post("/sign-in", {"name": name, "password": PASSWORD})
        assert (status, to) == (303, "/desk/")
        return one

    async def say(self, what: str, lane: str = LANE, **fields: Any) -> None:
        """A role's message."""
        head = {"v": 1, "id": new_id(self.clock), "at": stamp(self.clock.wall_ms())}
        kind = what.partition("/")[0]
        await self.kerb.publish(
            f"parking/{GARAGE}/{lane}/{what}", json.dumps({**head, **fields}).encode(), retain=kind in RETAINED
        )

    async def health(self, role: str, lane: str = LANE, state: str = "online", **more: Any) -> None:
        since = stamp(self.clock.wall_ms())
        await self.say(f"health/{role}", lane, state=state, version="1", instance=f"of {role}", since=since, **more)

    async def opens(self, lane: str = LANE) -> None:
        """A whole lane, well and idle."""
        await self.health("worker", "garage")
        for role in ("reader", "lcd", "barrier", "loops"):
            await self.health(role, lane)
        await self.say("screen", lane, state="idle")
        await self.say("vehicle", lane, waiting=False, under_boom=False)
        await self.say("barrier", lane, state="down")
        await eventually(lambda: (known := self.role.desk.monitor.lanes.get(lane)) and known.barrier)

    async def arrives(self, lane: str = LANE, session: str = SESSION) -> None:
        """A car with a ticket that needs help."""
        await self.say("vehicle", lane, waiting=True, under_boom=False, car=CAR)
        await self.say("screen", lane, state="help", reason="ticket-unknown", session=session,
                       help_code=ids.help_code(session), car=CAR)  # fmt: skip
        lanes = self.role.desk.monitor.lanes
        await eventually(lambda: lane in lanes and self.role.desk.session_at(lanes[lane]) == session)

    async def paid(self, lane: str = LANE, session: str = SESSION, amount: str = "20.00") -> str:
        """An order is paid; returns its number."""
        number = ids.order_no(GARAGE, lane, session, 1)
        await self.say("order", lane, status="paid", session=session, order_no=number, amount=amount, currency="AED")
        await eventually(lambda: (order := self.role.desk.monitor.lanes[lane].order) and order.text("status") == "paid")
        return number

    def screen(self, lane: str = LANE) -> str:
        """The state that the lane's screen was last said to have."""
        screen = self.role.desk.monitor.lanes[lane].screen
        return screen.text("state") if screen else ""

    async def lift(self) -> Lift:
        """The newest lift of the desk's that this lane's barrier would take."""
        await eventually(lambda: self.lifts)
        return list(self.lifts.values())[-1]

    async def command(self) -> Command:
        """The newest command of the desk's that the worker would obey."""
        await eventually(lambda: self.commands)
        return list(self.commands.values())[-1]

    async def answers(self, outcome: str, why: str = "", **more: str) -> None:
        """The barrier answers the newest lift."""
        lift = await self.lift()
        state = {"state": "rising", "lift": lift.id} if outcome == "raised" else {"state": "down"}
        answer = {"lift": lift.id, "outcome": outcome, **({"why": why} if why else {})}
        await self.say("barrier", answer=answer, **state, **more)

    async def stage(self, number: int = -1) -> str:
        """How far an action is, once it is further than asked for."""
        action = list(self.role.desk.book.actions.values())[number]
        await eventually(lambda: action.stage != "asked")
        return str(action.stage)

    async def listen(self) -> None:
        async for delivery in self.kerb.subscribe(f"parking/{GARAGE}/+/lift", f"parking/{GARAGE}/+/command"):
            delivery.ack()
            lane = delivery.topic.split("/")[2]
            if b'"key":"console"' not in delivery.payload:
                continue  # a worker's own
            self.times += 1
            if delivery.topic.endswith("/lift"):
                lift = decode(Lift, delivery.payload)
                assert check_lift(lift, GARAGE, lane, trusted()) is None
                self.lifts[lift.id] = lift
            else:
                command = decode(Command, delivery.payload)
                assert check_command(command, GARAGE, lane, trusted(), self.clock.wall_ms()) is None
                self.commands[command.id] = command

    async def close(self) -> None:
        for http in self._http:
            await http.close()


def options(folder: Path, **changes: Any) -> ConsoleOptions:
    """A desk that can act; its people are those of PEOPLE."""
    plain = ConsoleOptions(
        folder,
        Site("Marina Garage", "مواقف المارينا", "+971 4 000 0000"),
        ZoneInfo("Asia/Dubai"),
        DeskSigner("console", private_key("console")),
        trusted(),
        again_s=0.05,
        tick_s=0.1,
    )
    return replace(plain, **changes)


@asynccontextmanager
async def open_desk(
    broker: EmbeddedBroker, folder: Path, clock: Clock | None = None, **changes: Any
) -> AsyncIterator[DeskRig]:
    """A desk at the broker, served on a port of its own."""
    write_users(folder)
    wanted, clock = options(folder, **changes), clock or SystemClock()
    async with embedded_bus(broker) as kerb, embedded_bus(broker, "console", clean=True) as bus:
        endpoint = Endpoint(bus, garage=GARAGE, lane=None, role="console", version="1", clock=clock)
        journal = await asyncio.to_thread(DeskJournal.open, folder / JOURNAL, clock.wall_ms())
        role = ConsoleRole(endpoint, journal, wanted)
        rig = DeskRig(role, kerb, folder, clock)
        try:
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(role.run()), tasks.create_task(rig.listen())]
                await asyncio.wait_for(role.started.wait(), 10)
                try:
                    yield rig
                finally:
                    await rig.close()
                    for task in running:
                        task.cancel()
        finally:
            await asyncio.to_thread(journal.close)
