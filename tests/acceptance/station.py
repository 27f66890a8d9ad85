"""A payment terminal under acceptance: the product's own processes, PayBy's sandbox over HTTP, one time for both."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from terminal.contract.messages import moment
from tests.acceptance.measured import Calls
from tests.acceptance.scaled import ScaledClock
from tests.conftest import Mosquitto
from tests.support.garage import Garage

DEFAULTS = {"QUERY_EVERY": "3.0", "CANCEL_AFTER": "110.0", "TIMEOUT": "10.0"}
"""The contract's own; the cases are to hold with what an operator gets who sets nothing."""
TIMEOUT_S = 10.0
START_S = 60.0
"""The longest that the processes take to be there, in real time."""
RAISED = ("rising", "up")


class Station(Garage):
    """A garage whose seconds are ``scale`` times shorter than real ones; every time here is in its seconds."""

    def __init__(self, folder: Path, broker: str, *, scale: float, notify: bool) -> None:
        self.scale = scale
        self.origin_ms = time.time_ns() // 1_000_000
        clock = ScaledClock(scale, self.origin_ms)
        super().__init__(folder, broker, notify=notify, clock=clock, sleep=self.wait)

    def words(self, command: str) -> list[str]:
        if self.scale == 1:
            return super().words(command)
        time_there = [str(self.scale), str(self.origin_ms)]
        return ["-W", "error", "-m", "tests.acceptance.lane", command, str(self.file), *time_there]

    async def opens(self, *commands: str, env: dict[str, str] | None = None) -> None:
        """Start the terminal, whole or by its roles."""
        settings = {f"EXIT_TERMINAL_PAYBY_{name}": value for name, value in DEFAULTS.items()}
        async with asyncio.timeout(START_S):
            await self.start(*(commands or ("run",)), env=settings | (env or {}))
            await self.heard.until("barrier", state="down", limit_s=START_S)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.scale)

    async def hears(self, what: str, mark: int, *, within: float, **fields: Any) -> dict[str, Any]:
        """The first such message since ``mark``; ``within`` these seconds, and a real one for the machine's sake."""
        return await self.heard.until(what, since=mark, limit_s=within / self.scale + 1.0, **fields)

    async def called(self, name: str, order_no: str, count: int, *, within: float) -> None:
        """Until PayBy has this many calls of that name about an order."""
        limit_s = within / self.scale + 1.0
        async with asyncio.timeout(limit_s):
            while len(self.about(order_no).times(name)) < count:
                await self.wait(0.2)

    async def closed(self, order_no: str, *, within: float) -> None:
        """Until PayBy has closed an order."""
        async with asyncio.timeout(within / self.scale + 1.0):
            while self.sandbox.orders[order_no].status != "FAILURE":
                await self.wait(0.2)

    def about(self, order_no: str) -> Calls:
        return Calls.about(self.sandbox.calls, order_no)

    async def first_call(self, name: str, *, within: float) -> str:
        """The number of the order that the first call of that name is about."""
        async with asyncio.timeout(within / self.scale + 1.0):
            while not self.sandbox.calls_of(name):
                await self.wait(0.1)
        return str(self.sandbox.calls_of(name)[0].biz["merchantOrderNo"])

    def told(self, code: str, order_no: str) -> list[float]:
        """When the responsible person was told so, critically, in seconds since the order was placed."""
        placed_ms = next(c.at_ms for c in self.sandbox.calls_of("placeOrder") if c.biz["merchantOrderNo"] == order_no)
        return [
            (moment(alert["at"]) - placed_ms) / 1000
            for alert in self.heard.of("alert")
            if (alert["code"], alert["severity"], alert["state"]) == (code, "critical", "raised")
            and alert.get("order_no") == order_no
        ]

    @property
    def lifts(self) -> set[str]:
        return {lift["id"] for lift in self.heard.of("lift")}

    @property
    def raised(self) -> set[str]:
        return {b["lift"] for b in self.heard.of("barrier") if b["state"] in RAISED and "lift" in b}


@asynccontextmanager
async def station(folder: Path, *, scale: float, notify: bool = True) -> AsyncIterator[Station]:
    """A terminal that is open, with a broker of its own."""
    (folder / "mosquitto").mkdir(parents=True)
    broker = Mosquitto(folder / "mosquitto")
    await asyncio.to_thread(broker.start)
    try:
        async with Station(folder, broker.url, scale=scale, notify=notify) as opened:
            await opened.opens()
            yield opened
    finally:
        await asyncio.to_thread(broker.stop)
