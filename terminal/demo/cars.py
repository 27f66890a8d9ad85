"""Cars one after another, without the page: every step is real, every wait has a limit, and each step is timed."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from terminal.demo.feed import BoomMoved, FrameShown, MessagePassed, RelayPulsed, Watch
from terminal.demo.lane import DemoLane
from terminal.demo.ports import NotNow
from terminal.screen.qr import decode

LIMIT_S = 15.0
"""The longest (s) that a step may take."""
FREE_EVERY = 5
"""One car in this many has a free stay."""
DUE_MINUTES, FREE_MINUTES = 90, 5

Step = tuple[str, str, str]
DUE: tuple[Step, ...] = (
    ("ticket", "fee", "ticket → fee"),
    ("fee", "order", "fee → order"),
    ("order", "glass", "order → QR on glass"),
    ("ticket", "glass", "ticket → QR on glass"),
    ("pay", "paid", "pay → notified"),
    ("paid", "lift", "notified → lift"),
    ("lift", "pulse", "lift → pulse"),
    ("pay", "pulse", "pay → pulse"),
    ("pulse", "up", "pulse → boom up"),
)
"""The steps of a car that pays: from which moment to which, and the step's name."""
FREE: tuple[Step, ...] = (
    ("ticket", "fee", "ticket → fee"),
    ("fee", "lift", "fee → lift"),
    ("lift", "pulse", "lift → pulse"),
    ("ticket", "pulse", "ticket → pulse"),
    ("pulse", "up", "pulse → boom up"),
)
"""The steps of a car that has nothing to pay."""
STEPS = (*DUE, *(step for step in FREE if step not in DUE))


class StepLate(Exception):
    """A step did not happen within its limit."""


@dataclass(frozen=True)
class CarLeft:
    """A car that left: what it paid, and the ms of each of its steps by name."""

    number: int
    amount: str
    steps_ms: dict[str, float]


@dataclass(frozen=True)
class Summary:
    """All cars of a run. ``failures`` has a line for each car that did not leave."""

    cars: int
    left: Sequence[CarLeft]
    failures: Sequence[str]

    @property
    def ok(self) -> bool:
        """Did every car leave?"""
        return not self.failures and len(self.left) == self.cars

    def lines(self) -> list[str]:
        """The report for a person: the count, then p50 and p99 of every step."""
        lines = [f"{len(self.left)} of {self.cars} cars left"]
        rows = [(name, [car.steps_ms[name] for car in self.left if name in car.steps_ms]) for _, _, name in STEPS]
        if any(found for _, found in rows):
            lines.append(f"{'ms':22}{'p50':>9}{'p99':>9}{'max':>9}{'cars':>7}")
        for name, found in rows:
            if found:
                p50, p99, most = quantile(found, 0.5), quantile(found, 0.99), max(found)
                lines.append(f"{name:22}{p50:9.1f}{p99:9.1f}{most:9.1f}{len(found):7}")
        return lines


def quantile(found: Sequence[float], part: float) -> float:
    """The nearest-rank quantile: the smallest of ``found`` that at least ``part`` of them do not exceed."""
    return sorted(found)[max(0, math.ceil(part * len(found)) - 1)]


async def run_cars(
    lane: DemoLane, count: int, *, say: Callable[[str], None] = print, limit_s: float = LIMIT_S
) -> Summary:
    """Let ``count`` cars out through ``lane`` (made with pace 0, its run() running), and print a line for each.

    If a car does not leave, the state of the lane is unknown, and the run ends.
    """
    left: list[CarLeft] = []
    failures: list[str] = []
    for number in range(1, count + 1):
        try:
            car = await _Visit(lane, number, limit_s).run()
        except (StepLate, NotNow) as error:
            failures.append(f"car {number} did not leave: {error}")
            say(failures[-1])
            break
        left.append(car)
        free = car.amount == "0.00"
        steps = "  ".join(f"{name} {car.steps_ms[name]:.1f}" for _, _, name in (FREE if free else DUE))
        say(f"car {number:3}  AED {car.amount:>6}  {steps}  ms")
    summary = Summary(count, left, failures)
    for line in summary.lines():
        say(line)
    return summary


@dataclass
class _Visit:
    """One car. ``at`` has the first moment (s) of each thing that this visit saw."""

    lane: DemoLane
    number: int
    limit_s: float
    at: dict[str, float] = field(default_factory=dict)
    amount: str = ""
    session: str = ""
    token: str = ""
    trouble: str = ""
    raised: bool = False
    codes: dict[str, float] = field(default_factory=dict)
    """What could be read from the glass, and since when."""

    async def run(self) -> CarLeft:
        lane, free = self.lane, self.number % FREE_EVERY == 0
        with lane.feed.watch() as watch:
            await lane.drive_up(FREE_MINUTES if free else DUE_MINUTES)
            await self._until(watch, "seen", "the loops reported the car")
            self._mark("ticket", time.perf_counter())
            await lane.scan()
            await self._until(watch, "fee", "the ticket's fee was known")
            if not free:
                await self._until(watch, "glass", "the screen showed the order's code")
                order = await lane.phone_scan()
                if order is None or order.amount != self.amount:
                    raise NotNow(f"the phone shows {order and order.amount}, the fee is AED {self.amount}")
                self._mark("pay", time.perf_counter())
                await lane.pay()
                await self._until(watch, "paid", "PayBy's notification passed")
            await self._until(watch, "lift", "the worker signed a lift")
            await self._until(watch, "pulse", "the relay closed")
            await self._until(watch, "up", "the boom was up")
            self.raised = True
            await lane.drive_off()
            await self._until(watch, "clear", "the loops reported the way clear")
            await self._until(watch, "down", "the boom was down again")
        steps = {
            name: 1000 * (self.at[to] - self.at[since])
            for since, to, name in (FREE if free else DUE)
            if since in self.at and to in self.at
        }
        return CarLeft(self.number, self.amount, steps)

    async def _until(self, watch: Watch, what: str, words: str) -> None:
        """Take happenings until ``what`` has happened; raises StepLate."""
        try:
            async with asyncio.timeout(self.limit_s):
                while what not in self.at:
                    try:
                        happening = await anext(watch)
                    except StopAsyncIteration:
                        raise StepLate("the demo ended") from None
                    match happening:
                        case MessagePassed():
                            self._passed(happening)
                        case FrameShown():
                            await self._shown(happening)
                        case RelayPulsed(at_s=at_s):
                            self._mark("pulse", at_s)
                        case BoomMoved(state=state, at_s=at_s) if state == "up" or self.raised:
                            self._mark(state, at_s)
        except TimeoutError:
            trouble = f"; the screen says {self.trouble}" if self.trouble else ""
            raise StepLate(f"waited {self.limit_s:g} s until {words}{trouble}") from None

    def _passed(self, message: MessagePassed) -> None:
        data, at_s = message.data, message.at_s
        if message.kind == "vehicle":
            if data.get("waiting") and not data.get("under_boom"):
                self._mark("seen", at_s)
            elif self.raised and not data.get("waiting") and not data.get("under_boom"):
                self._mark("clear", at_s)
        if "ticket" not in self.at or message.retained:
            return
        if message.kind == "fee" and "fee" not in self.at:
            if data.get("reason") == "refused":
                raise NotNow(f"the reader refused the ticket: {data.get('why')}")
            self.amount, self.session = str(data.get("amount")), str(data.get("session"))
            self._mark("fee", at_s)
        elif message.kind == "screen":
            waits = data.get("state") in ("idle", "wait", "pay", "paid", "free")
            self.trouble = "" if waits else f"{data.get('state')}: {data.get('reason')}"
        elif message.kind == "paid" and self.session.replace("-", "") in str(data.get("order_no")):
            self._mark("paid", at_s)
        elif message.kind == "order" and data.get("session") == self.session and data.get("status") == "created":
            self.token = str(data.get("token_url"))
            self._mark("order", at_s)
            self._read()
        elif message.kind == "lift" and data.get("session") == self.session:
            self._mark("lift", at_s)

    async def _shown(self, frame: FrameShown) -> None:
        """A frame counts as the order's from the moment that it reached the glass, however long reading takes."""
        if "ticket" in self.at and "glass" not in self.at:
            if code := await asyncio.to_thread(decode, frame.image):
                self.codes.setdefault(code, frame.at_s)
            self._read()

    def _read(self) -> None:
        """Is the order's own code on the glass? The frame may come before or after the message about the order."""
        if self.token in self.codes:
            self._mark("glass", self.codes[self.token])

    def _mark(self, what: str, at_s: float) -> None:
        self.at.setdefault(what, at_s)
