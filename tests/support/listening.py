"""The listener over real HTTP, and who speaks to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self, cast

import aiohttp
import pytest

from terminal.contract.messages import Message, Paid, Receipt, Refund
from terminal.contract.topics import Topic
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.signing import sign
from terminal.roles.listener.connections import ConnectionLimits
from terminal.roles.listener.role import ListenerRole
from tests.support.payby_notices import NEXT, PAYBY

ID = "0190d3f0-7c1e-7a52-9d2f-0123456789ab"
AT = "2026-07-22T10:00:00.000Z"


class Heard:
    def __init__(self, message: Message) -> None:
        self.topic = Topic("marina", "exit-1", "receipt")
        self.message = message
        self.acked = False

    def ack(self) -> None:
        self.acked = True


class Hearing:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[Heard] = asyncio.Queue()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Heard:
        return await self.queue.get()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class FakeLink:
    """Remembers what is said; ``worker`` answers each message, by default with a receipt."""

    garage = "marina"

    def __init__(self) -> None:
        self.mqtt_client = self
        self.connected = True
        self.said: list[tuple[Message, str | None]] = []
        self.alerts: list[str] = []
        self.states: list[str] = []
        self.hearing = Hearing()
        self.heard: list[Heard] = []
        self.worker: Callable[[Message], None] = self.receipt
        self.spoke = asyncio.Event()

    def head(self) -> dict[str, Any]:
        return {"id": ID, "at": AT}

    async def publish(self, message: Message, *, lane: str | None = None, role: str | None = None) -> None:
        self.said.append((message, lane))
        self.spoke.set()
        self.worker(message)

    def receipt(self, message: Message, outcome: str = "lifting", **changed: Any) -> None:
        assert isinstance(message, Paid | Refund)
        fields = {"order_no": message.order_no, "notify_id": message.notify_id, "outcome": outcome}
        self.heard.append(Heard(Receipt(id=ID, at=AT, **(fields | changed))))
        self.hearing.queue.put_nowait(self.heard[-1])

    def subscribe(self, *kinds: str, lane: str | None = None) -> Hearing:
        assert (kinds, lane) == (("receipt",), "+")
        return self.hearing

    async def run_heartbeat(self) -> None:
        await asyncio.Event().wait()

    async def alert(self, code: str, text: str, **_: Any) -> None:
        self.alerts.append(code)

    async def clear(self, code: str, text: str, **_: Any) -> None:
        self.alerts.append(f"-{code}")

    def healthy(self) -> None:
        self.states.append("healthy")

    def degraded(self, reason: str) -> None:
        self.states.append("degraded")


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
async def listening(endpoint: FakeLink, limits: ConnectionLimits | None = None) -> AsyncIterator[Client]:
    keys = [PAYBY.public_key(), NEXT.public_key()]
    listener = ListenerRole(
        cast(Endpoint, endpoint), payby_keys=keys, host="127.0.0.1", port=0, limits=limits or ConnectionLimits()
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
def endpoint() -> FakeLink:
    return FakeLink()


@pytest.fixture
async def client(endpoint: FakeLink) -> AsyncIterator[Client]:
    async with listening(endpoint) as client:
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
