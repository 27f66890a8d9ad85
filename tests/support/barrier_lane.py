"""A barrier's role with an arm that a test moves, and the lane that it hears."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from terminal.contract.messages import Alert, Answer, Barrier, Message
from terminal.core.model import BoomState
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.barrier.role import BarrierRole
from terminal.roles.barrier.spent_lifts import BarrierJournal
from tests.support.lifts import GARAGE, LANE, NOW, trust, vehicle
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock


class Arm:
    """A relay that remembers its pulses, and an arm that rises on each; ``wrong`` is raised instead of a pulse.
    drivers/simulated.py's moves by time alone; here a test moves it, and stops it between two steps."""

    def __init__(self) -> None:
        self.state: BoomState = "down"
        self.pulses = 0
        self.covered: list[bool] = []
        self.closed = False
        self.wrong: Exception | None = None
        self.during: Callable[[], None] = lambda: None
        self._callback: Callable[[], None] = lambda: None

    async def pulse(self) -> None:
        if self.wrong:
            raise self.wrong
        self.pulses += 1
        self.moves("rising")
        self.during()
        await asyncio.sleep(0)

    def moves(self, state: BoomState) -> None:
        self.state = state
        self._callback()

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callback = callback

    def under_boom(self, covered: bool) -> None:
        self.covered.append(covered)

    def close(self) -> None:
        self.closed = True


class Lane:
    """A barrier role in a lane of its own, with a car before the boom."""

    def __init__(self, book: BarrierJournal, arm: Any, **options: Any) -> None:
        self.bus, self.clock, self.arm = MemoryBus(), TurnedClock(NOW), arm
        endpoint = Endpoint(self.bus.as_bus(), garage=GARAGE, lane=LANE, role="barrier", version="1", clock=self.clock)
        self.task: asyncio.Task[None]
        self.role = BarrierRole(endpoint, arm, book, trust(), **{"every_s": 60, "disk_every_s": 60, **options})

    async def hears(self, message: Message) -> None:
        await self.bus.hears(f"parking/{GARAGE}/{LANE}/{type(message).__name__.lower()}", message)

    async def answers(self, count: int) -> list[Answer]:
        """The first ``count`` answers."""
        said: list[Barrier] = []
        while len(found := [b.answer for b in said if b.answer]) < count:
            said = await self.bus.until(Barrier, len(said) + 1)
        return found[:count]

    async def alerted(self, code: str, state: str = "raised") -> Alert:
        said: list[Alert] = []
        while not (found := [a for a in said if (a.code, a.state) == (code, state)]):
            said = await self.bus.until(Alert, len(said) + 1)
        return found[0]


def open_book(folder: Path, **options: Any) -> BarrierJournal:
    return BarrierJournal.open(folder / "barrier.db", NOW, **{"ballast_bytes": 4096, **options})


@asynccontextmanager
async def serving(book: BarrierJournal, arm: Any = None, *, car: bool = True, **options: Any) -> AsyncIterator[Lane]:
    """The running role; whatever it raises is raised here, except its cancellation."""
    lane = Lane(book, arm or Arm(), **options)
    lane.task = asyncio.create_task(lane.role.run())
    outcome: BaseException | None = None
    try:
        await lane.bus.until(Barrier, 1)
        if car:
            await lane.hears(vehicle())
        yield lane
    finally:
        lane.task.cancel()
        (outcome,) = await asyncio.gather(lane.task, return_exceptions=True)
        book.close()
    if not isinstance(outcome, asyncio.CancelledError):  # not in `finally`: what the test found comes first
        raise outcome or AssertionError("the role ended")
