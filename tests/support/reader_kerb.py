"""A reader's role with a scanner that a test feeds, and the lane that it hears."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from drivers.scanner import HidScanner
from drivers.simulated_scanner import SimulatedScanner
from terminal.contract.messages import Alert, Fee, Health, Message, Order, Screen, Vehicle, decode
from terminal.core.money import Fils
from terminal.core.tariff import Tariff
from terminal.core.ticket import sign_ticket
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.reader import ButtonDriver, ReaderRole
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

KEYS = {"k1": bytes(range(32))}
TARIFF = Tariff(10, 60, Fils(1000), Fils(10000), Fils(15000), "5", 15)
NOW = 1_795_000_000_000
LANE = "parking/marina/exit-1/"
CAR = "01a1ec96-3c00-7000-8000-000000000001"
OTHER_CAR = "01a1ec96-3c00-7000-8000-000000000002"
SESSIONS = [f"01a1ec96-0000-7000-8000-00000000000{n}" for n in range(10)]
FOREVER_S = (60.0,)


def ticket(minutes_ago: int = 90, number: int = 0, garage: str = "marina") -> str:
    return sign_ticket(garage, SESSIONS[number], NOW - minutes_ago * 60_000, "k1", KEYS["k1"])


@dataclass
class Kerb:
    """A running reader role, with everything around it."""

    bus: MemoryBus
    scanner: SimulatedScanner
    clock: TurnedClock

    async def fees(self, count: int) -> list[Fee]:
        return await self.bus.until(Fee, count)

    async def settled(self) -> None:
        """Let the role do whatever it can do without being told anything more."""
        for _ in range(20):
            await asyncio.sleep(0)

    def head(self, number: int = 1) -> dict[str, Any]:
        return {"id": f"01a1ec96-3c00-7000-9000-00000000000{number}", "at": "2026-11-18T11:06:40.000Z"}

    async def vehicle(self, car: str | None = CAR, waiting: bool = True) -> None:
        await self.bus.hears(LANE + "vehicle", Vehicle(**self.head(), waiting=waiting, under_boom=False, car=car))
        await self.settled()

    async def answer(self, fee: Fee, message: str = "screen") -> None:
        answers: dict[str, Message] = {
            "screen": Screen(**self.head(2), state="wait", fee=fee.id),
            "order": Order(**self.head(3), status="none", fee=fee.id),
        }
        await self.bus.hears(LANE + message, answers[message])
        await self.settled()

    def alerts(self) -> list[tuple[str, str]]:
        return [(alert.code, alert.state) for alert in self.bus.of(Alert)]

    def health(self) -> Health:
        return decode(Health, self.bus.retained[LANE + "health/reader"])


@asynccontextmanager
async def kerb(
    pauses_s: Sequence[float] = FOREVER_S,
    bus: MemoryBus | None = None,
    *,
    plugged: bool = True,
    scanner: HidScanner | None = None,
    kept: bool = True,
    numbers: re.Pattern[str] | None = None,
    button: ButtonDriver | None = None,
) -> AsyncIterator[Kerb]:
    bus, clock, simulated = bus or MemoryBus(), TurnedClock(NOW), SimulatedScanner()
    if not plugged:
        simulated.unplug()
    endpoint = Endpoint(bus.as_bus(), garage="marina", lane="exit-1", role="reader", version="1", clock=clock)
    options: dict[str, Any] = {"tariff": TARIFF, "pauses_s": pauses_s, "kept": lambda _: kept, "numbers": numbers}
    options["button"] = button
    role = asyncio.create_task(ReaderRole(endpoint, scanner or simulated, **options).run())
    made = Kerb(bus, simulated, clock)
    try:
        await made.settled()
        yield made
        assert not role.done(), role.exception()
    finally:
        role.cancel()
        await asyncio.wait([role])
    assert bus.unacknowledged == 0
