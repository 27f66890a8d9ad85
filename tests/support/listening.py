"""The listener over real HTTP, and who speaks to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any, Self, cast

import aiohttp
import pytest

from terminal.contract.messages import Alert, Health, Paid, Receipt, Refund, decode
from terminal.contract.topics import parse
from terminal.mqtt.endpoint import Endpoint, MessageStream
from terminal.payby.signing import sign
from terminal.roles.listener.connections import ConnectionLimits
from terminal.roles.listener.role import ListenerRole
from tests.support.eventually import eventually
from tests.support.memory_bus import MemoryBus
from tests.support.payby_notices import NEXT, PAYBY
from tests.support.turned_clock import TurnedClock

GARAGE = "marina"


class PlayedWorker:
    """The listener's endpoint and a worker's on one bus in memory. The worker answers each notification that it hears
    with what ``answer`` makes of it, by default a receipt, or with nothing. ``async with`` runs it."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.clock = TurnedClock()
        self.endpoint = self._endpoint("listener")
        self.answer: Callable[[Paid | Refund], Receipt | None] = self.receipt
        self._own = self._endpoint("worker")

    def _endpoint(self, role: str) -> Endpoint:
        return Endpoint(self.bus.as_bus(), garage=GARAGE, lane=None, role=role, version="1", clock=self.clock)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work(self._own.subscribe("paid", "refund", lane="+")))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled() and (error := self._task.exception()):
            raise error

    async def _work(self, notices: MessageStream) -> None:
        with notices:
            async for received in notices:
                received.ack()
                if receipt := self.answer(cast(Paid | Refund, received.message)):
                    await self._own.publish(receipt, lane=received.topic.lane)

    @property
    def heard(self) -> list[tuple[Paid | Refund, str]]:
        """Each notification that the listener has published, with its lane."""
        notices = [(parse(topic), data) for topic, data, _ in self.bus.said]
        return [
            (decode({"paid": Paid, "refund": Refund}[where.kind], data), where.lane)
            for where, data in notices
            if where.kind in ("paid", "refund")
        ]

    @property
    def alerts(self) -> list[str]:
        """The codes that were raised, and with a minus those that were cleared."""
        return [("" if alert.state == "raised" else "-") + alert.code for alert in self.bus.of(Alert)]

    @property
    def states(self) -> list[str]:
        """Of the listener's health, without repetitions."""
        return [state for state, _ in groupby(health.state for health in self.bus.of(Health))]

    def receipt(self, message: Paid | Refund, outcome: str = "lifting", **changed: Any) -> Receipt:
        fields = {"order_no": message.order_no, "notify_id": message.notify_id, "outcome": outcome}
        return Receipt(**self._own.head(), **(fields | changed))

    async def confirms(self) -> None:
        """A receipt for the first notification that it heard."""
        message, lane = self.heard[0]
        await self._own.publish(self.receipt(message), lane=lane)

    async def hears(self, count: int = 1) -> None:
        """Wait until the listener has published so many notifications."""
        await eventually(lambda: len(self.heard) >= count, every_s=0)


class Client:
    """PayBy, or anybody else, on the outside."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.session = session

    async def post(
        self, body: bytes, signature: str | None = "", path: str = "/payby/notify", **headers: str
    ) -> tuple[int, bytes, str]:
        """Status, body and Content-Type; signed by PayBy unless something else is given."""
        signature = sign(PAYBY, body) if signature == "" else signature
        sent = {"Content-Type": "application/json"} | ({"sign": signature} if signature is not None else {})
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(self.url + path, data=body, headers=sent) as reply:
            return reply.status, await reply.read(), reply.headers.get("Content-Type", "")

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as reply:
            return reply.status, await reply.text()

    async def raw(self, data: bytes, *, eof: bool = False) -> bytes:
        """Send bytes as they are, and read until the listener closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        if eof:
            writer.write_eof()
        found = await reader.read()
        writer.close()
        await writer.wait_closed()
        return found


@asynccontextmanager
async def listening(worker: PlayedWorker, limits: ConnectionLimits | None = None) -> AsyncIterator[Client]:
    keys = [PAYBY.public_key(), NEXT.public_key()]
    listener = ListenerRole(
        worker.endpoint, payby_keys=keys, host="127.0.0.1", port=0, limits=limits or ConnectionLimits()
    )
    task = asyncio.create_task(listener.run())
    await listener.started.wait()
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(listener.port, session)
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error


@pytest.fixture
async def worker() -> AsyncIterator[PlayedWorker]:
    async with PlayedWorker() as worker:
        yield worker


@pytest.fixture
async def client(worker: PlayedWorker) -> AsyncIterator[Client]:
    async with listening(worker) as client:
        yield client


async def outcomes(client: Client) -> dict[str, int]:
    lines = (await client.get("/metrics"))[1].splitlines()
    return {
        line.split('"')[1]: int(float(line.split()[-1]))
        for line in lines
        if line.startswith("payby_notifications_total")
    }


async def gauge(client: Client, name: str) -> int:
    text = (await client.get("/metrics"))[1]
    return int(float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1]))
