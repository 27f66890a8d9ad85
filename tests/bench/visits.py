"""Cars at a real worker, one after the other: what the other roles of their lanes would say, and how long it takes."""

import asyncio
import time
from pathlib import Path
from typing import Any

from terminal import build
from terminal.clock import SystemClock, new_id
from terminal.config.schema import Settings
from terminal.contract.messages import Answer, Barrier, Fee, Message, Paid, encode, stamp
from terminal.core import money
from terminal.core.quote import quote
from terminal.payby.sandbox.command import key_pair
from terminal.payby.signing import sign
from tests.support.garage import Garage
from tests.support.worker_lane import to_json

CLOCK = SystemClock()


def head() -> dict[str, Any]:
    return {"id": new_id(CLOCK), "at": stamp(CLOCK.wall_ms())}


def topic(lane: str, what: str) -> str:
    return f"parking/marina/{lane}/{what}"


def cpu_ms(pid: int) -> float:
    """What a process has computed, in all its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


class Visits:
    """Of a garage whose worker runs, and whose test client hears what is said at the lanes."""

    def __init__(self, garage: Garage) -> None:
        self.garage = garage
        self.tariff = build.tariff(Settings())
        self.keys = {"k1": bytes.fromhex((garage.folder / "secrets" / "ticket-k1").read_text().strip())}
        self.payby = key_pair(garage.folder / "secrets", "payby")
        self.began = 0.0
        """When (``perf_counter``) the last ticket was read."""

    async def says(self, lane: str, what: str, message: Message) -> None:
        await self.garage.bus.publish(topic(lane, what), encode(message), retain=what == "barrier")

    async def order(self, lane: str) -> dict[str, Any]:
        """A ticket is read under a closed arm, and its order created."""
        await self.says(lane, "barrier", Barrier(**head(), state="down"))
        text, mark, at = self.garage.ticket(), len(self.garage.heard.all), CLOCK.wall_ms()
        found = quote(text, at, garage="marina", keys=self.keys, tariff=self.tariff, lost_session="")
        fee = Fee(
            **head(), ticket=text, reason=found.reason, session=found.session, entered=stamp(found.entered_ms or 0),
            exited=stamp(at), minutes=found.minutes, amount=money.text(found.amount or 0), currency="AED",
        )  # fmt: skip
        self.began = time.perf_counter()
        repeating = asyncio.create_task(self.repeat(lane, fee))
        try:
            return await self.garage.heard.until("order", since=mark, status="created", session=found.session)
        finally:
            repeating.cancel()

    async def one(self, lane: str = "exit-1") -> float:
        """Seconds of a visit: what its driver waits for."""
        heard, sandbox, mark = self.garage.heard, self.garage.sandbox, len(self.garage.heard.all)
        order = await self.order(lane)
        took = time.perf_counter() - self.began
        await sandbox.pay(order["order_no"], notify=False)
        body = to_json({
            "acquireOrder": sandbox.book.orders[order["order_no"]].words(), "notify_id": order["id"],
            "notify_timestamp": 1,
        })  # fmt: skip
        signature = sign(self.payby, body.encode())
        began = time.perf_counter()
        paid = Paid(**head(), order_no=order["order_no"], notify_id=order["id"], body=body, sign=signature)
        await self.says(lane, "paid", paid)
        lift = await heard.until("lift", since=mark, order_no=order["order_no"])
        took += time.perf_counter() - began
        answer = Answer(lift["id"], "raised", order_no=order["order_no"])
        up = Barrier(**head(), state="up", lift=lift["id"], session=lift["session"], answer=answer)
        await self.says(lane, "barrier", up)
        await heard.until("screen", since=mark, state="paid")
        return took

    async def repeat(self, lane: str, fee: Fee) -> None:
        """As a reader does."""
        for pause_s in (0.5, 1.0, 2.0, 4.0, 4.0, 4.0):
            await self.says(lane, "fee", fee)
            await asyncio.sleep(pause_s)
