"""A lane as the broker sees it: reader, LCD, barrier and loops on one connection, and a car every so often.

The lane says what `run` says there and judges nothing: whether a lift may raise the boom is the barrier's matter, which
is tested elsewhere. What counts here is when the code came, when the lift came, and how often.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec

from terminal import __version__
from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Answer, Barrier, Fee, Health, LastLift, Message, Vehicle, encode, stamp
from terminal.core import money
from terminal.core.ids import derived_id
from terminal.core.model import BoomState
from terminal.core.quote import quote
from terminal.core.tariff import TicketPricing
from terminal.core.ticket import sign_ticket
from terminal.roles.reader import PAUSES_S
from tests.scale.connection import LaneConnection

CLOCK = SystemClock()
T = TypeVar("T")
BEAT_S, HEALTH_S, STAY_MIN = 5.0, 60.0, 90
LOOKS_S, ARM_S = 0.3, 0.15
"""How long a driver looks at the code before paying; how long the arm takes to rise, and a car to pass below it."""
SCANS_AGAIN_S, GIVES_UP_S = 3.0, 100.0
"""When a driver who is shown no code holds the ticket out again, and until when."""


class Heard(msgspec.Struct):
    """Of a message what a lane acts on."""

    id: str
    fee: str | None = None
    state: str = ""
    reason: str | None = None
    session: str | None = None
    status: str | None = None
    order_no: str | None = None
    token_url: str | None = None


_heard = msgspec.json.Decoder(Heard)


@dataclass
class Findings:
    """What became of the cars of a run. Times are the event loop's, in s."""

    code: list[tuple[float, float]] = field(default_factory=list)
    """When a code was on the screen, and how long after the ticket was read."""
    lift: list[tuple[float, float]] = field(default_factory=list)
    """When a lift came, and how long after the phone had paid."""
    decisions: dict[str, list[float]] = field(default_factory=dict)
    """By garage: when its worker said something that only a journaled event makes it say."""
    left: int = 0
    stuck: list[str] = field(default_factory=list)
    """Cars that did not leave, in words."""
    lifted: dict[str, list[str]] = field(default_factory=dict)
    """By order: the lifts that came for it, each once."""
    answered: dict[str, str] = field(default_factory=dict)
    """The lifts whose answer the broker has acknowledged, each with its garage."""
    asked_again: int = 0
    """Lifts that came again although the broker had acknowledged their answer."""
    said_again: Counter[str] = field(default_factory=Counter)
    """Why a driver held the ticket out again, and how often."""


class Lane:
    """``pay(order_no)`` is the driver's phone, and tells whether PayBy took it; ``connect(filters, hear, ready)`` makes
    the lane's connection."""

    def __init__(
        self,
        garage: str,
        name: str,
        *,
        key: bytes,
        tariff: TicketPricing,
        pay: Callable[[str], Awaitable[bool]],
        findings: Findings,
        connect: Callable[..., LaneConnection],
    ) -> None:
        self.garage, self.name = garage, name
        self._key, self._tariff, self._pay, self._findings = key, tariff, pay, findings
        self._place = f"parking/{garage}/{name}"
        self._instance, self._since = new_id(CLOCK), stamp(CLOCK.wall_ms())
        self._boom: BoomState = "down"
        self._raised: Heard | None = None
        self._car = ""
        self._tickets = 0
        self._spent: set[str] = set()
        self._orders: dict[str, Heard] = {}
        self._screens: dict[str, Heard] = {}
        self._news = asyncio.Event()
        self.served: set[str] = set()
        """The garage's roles that were heard to be at work."""
        filters = {f"{self._place}/{what}": 1 for what in ("lift", "screen", "order")}
        fleeting = (f"{self._place}/vehicle", f"{self._place}/health/+", f"parking/{garage}/garage/health/+")
        self.connection = connect({**filters, **dict.fromkeys(fleeting, 0)}, self._hear, self._greet)
        self._decisions = findings.decisions.setdefault(garage, [])

    # What it says

    def _head(self) -> dict[str, Any]:
        return {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}

    def _say(
        self, what: str, message: Message, *, retain: bool = True, taken: Callable[[], None] | None = None
    ) -> None:
        self.connection.say(f"{self._place}/{what}", encode(message), retain=retain, taken=taken)

    def _greet(self) -> None:
        """What every role says after a connect."""
        for role in ("reader", "lcd", "barrier", "loops"):
            self._say_health(role)
        self._beat()

    def _say_health(self, role: str) -> None:
        told = Health(**self._head(), state="online", version=__version__, instance=self._instance, since=self._since)
        self._say(f"health/{role}", told)

    def _beat(self) -> None:
        self._say_health("run")
        self._say_vehicle()
        self._say_barrier()

    def _say_barrier(self, answer: Answer | None = None, *, taken: Callable[[], None] | None = None) -> None:
        last: dict[str, Any] = {}
        if by := self._raised:
            last = {"lift": by.id, "session": by.session, "reason": by.reason}
            if self._boom == "down":
                last = {"last": LastLift(**last)}
        self._say("barrier", Barrier(**self._head(), state=self._boom, answer=answer, **last), taken=taken)

    def _say_vehicle(self, *, under_boom: bool = False) -> None:
        self._say(
            "vehicle", Vehicle(**self._head(), waiting=bool(self._car), car=self._car or None, under_boom=under_boom)
        )

    async def beat(self, phase: float) -> None:
        """Say every 5 s what a lane repeats, and every minute each role's health, until cancelled. ``phase``, 0 to 1,
        spreads the lanes."""
        await asyncio.sleep(BEAT_S * phase)  # the lane's own clock
        beats = 0
        while True:
            if self.connection.granted.is_set():
                self._beat()
                if beats % round(HEALTH_S / BEAT_S) == round(HEALTH_S / BEAT_S * phase):
                    for role in ("reader", "lcd", "barrier", "loops"):
                        self._say_health(role)
            beats += 1
            await asyncio.sleep(BEAT_S)

    # What it hears

    def _hear(self, topic: bytes, payload: bytes, retained: bool) -> None:
        what = topic.rpartition(b"/")[2]
        if retained or what not in (b"lift", b"screen", b"order", b"worker", b"listener"):
            return
        said, now = _heard.decode(payload), asyncio.get_running_loop().time()
        if what in (b"worker", b"listener"):
            (self.served.add if said.state in ("online", "degraded") else self.served.discard)(what.decode())
        elif what == b"lift":
            self._raise(said)
        elif said.fee:
            (self._screens if what == b"screen" else self._orders)[said.fee] = said
        if what == b"lift" or said.status == "created" or said.state == "pay":
            self._decisions.append(now)
        self._news.set()

    def _raise(self, lift: Heard) -> None:
        """The boom rises once for a lift; each time that it comes it is answered."""
        findings = self._findings
        if lift.id in self._spent:
            findings.asked_again += lift.id in findings.answered
        else:
            self._spent.add(lift.id)
            findings.lifted.setdefault(lift.order_no or lift.id, []).append(lift.id)
            self._boom, self._raised = "rising", lift
        answer = Answer(lift.id, "raised", order_no=lift.order_no)
        self._say_barrier(answer, taken=lambda: self._is_answered(lift.id))

    def _is_answered(self, lift: str) -> None:
        self._findings.answered[lift] = self.garage

    async def _until(self, found: Callable[[], T | None], limit_s: float) -> T | None:
        """What ``found`` gives once that is something; None after ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                while not (what := found()):
                    self._news.clear()
                    await self._news.wait()
                return what
        except TimeoutError:
            return None

    # A car

    async def cars(self, every_s: float, begin_at: float, until: float) -> None:
        """A car every ``every_s``, or when the one before has left, from ``begin_at`` until ``until`` (the event loop's
        time). Returns when the last one has left."""
        loop = asyncio.get_running_loop()
        due = begin_at
        while due < until:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self.car()
            due = max(due + every_s, loop.time())

    async def car(self) -> None:
        """One comes, is shown its code, pays, and leaves."""
        loop, findings = asyncio.get_running_loop(), self._findings
        self._tickets += 1
        self._orders.clear()
        self._screens.clear()
        self._car = new_id(CLOCK)
        self._say_vehicle()
        entered = CLOCK.wall_ms() - STAY_MIN * 60_000
        session = derived_id(entered, self.garage, self.name, self._instance, str(self._tickets))
        text = sign_ticket(self.garage, session, entered, "k1", self._key)
        began = loop.time()
        order = await self._is_shown(text, began)
        if order is None:
            findings.stuck.append(f"{self.garage} {self.name}: no code within {GIVES_UP_S:.0f} s")
        else:
            findings.code.append((loop.time(), loop.time() - began))
            await asyncio.sleep(LOOKS_S)
            await self._pays(order)
        self._car = ""
        self._say_vehicle(under_boom=order is not None)
        if self._boom != "down":
            await self._falls()

    async def _is_shown(self, ticket: str, began: float) -> Heard | None:
        """Hold the ticket out, again and again if need be; the order once its code is on the screen."""
        loop = asyncio.get_running_loop()
        while (left := GIVES_UP_S - (loop.time() - began)) > 0:
            fee = self._fee(ticket)
            repeating = asyncio.create_task(self._repeat(fee))
            try:
                screen = await self._until(partial(self._judged, fee.id), min(left, sum(PAUSES_S)))
            finally:
                repeating.cancel()
            if screen and screen.state == "pay":
                return await self._until(partial(self._created, fee.id), left)
            self._findings.said_again[f"{screen.state} {screen.reason}" if screen else "no answer"] += 1
            await asyncio.sleep(SCANS_AGAIN_S)
        return None

    def _judged(self, fee: str) -> Heard | None:
        screen = self._screens.get(fee)
        return screen if screen and screen.state not in ("wait", "idle") else None

    def _created(self, fee: str) -> Heard | None:
        order = self._orders.get(fee)
        return order if order and order.order_no and order.token_url else None

    def _fee(self, ticket: str) -> Fee:
        at = CLOCK.wall_ms()
        found = quote(ticket, at, garage=self.garage, keys={"k1": self._key}, tariff=self._tariff, lost_session="")
        return Fee(
            **self._head(), ticket=ticket, reason=found.reason, session=found.session, car=self._car,
            entered=stamp(found.entered_ms or 0), exited=stamp(at), minutes=found.minutes,
            amount=money.text(found.amount or 0), currency="AED",
        )  # fmt: skip

    async def _repeat(self, fee: Fee) -> None:
        """As a reader does, until its ticket is judged."""
        for pause_s in PAUSES_S:
            if fee.id in self._screens or fee.id in self._orders:
                return
            self._say("fee", fee, retain=False)
            await asyncio.sleep(pause_s)

    async def _pays(self, order: Heard) -> None:
        loop, findings = asyncio.get_running_loop(), self._findings
        number = order.order_no or ""
        began = loop.time()
        if not await self._pay(number):
            findings.stuck.append(f"{self.garage} {self.name}: {number} could not be paid")
            return
        if await self._until(lambda: number in findings.lifted, GIVES_UP_S):
            findings.lift.append((loop.time(), loop.time() - began))
            findings.left += 1
        else:
            findings.stuck.append(f"{self.garage} {self.name}: paid {number}, and no lift within {GIVES_UP_S:.0f} s")

    async def _falls(self) -> None:
        """The arm is up, the car passes, the arm is down."""
        for state in ("up", "lowering", "down"):
            await asyncio.sleep(ARM_S)
            self._boom = state
            self._say_barrier()
        self._say_vehicle()
