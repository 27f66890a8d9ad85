"""A client of MQTT 3.1.1 that sends what a test tells it, byte by byte."""

import asyncio

from broker.embedded import EmbeddedBroker
from broker.packets import Packet, read_frame
from tests.support import mqtt_packets as packets

FEE = "parking/marina/exit-1/fee"
HEALTH = "parking/marina/exit-1/health/run"


class Raw:
    """A client that sends what it is given and keeps nothing in mind."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.broker = broker

    async def __aenter__(self) -> "Raw":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.broker.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    def hello(
        self,
        user: str = "lane",
        *,
        client: str | None = None,
        password: str | None = None,
        clean: bool = False,
        will: tuple[str, bytes, bool] | None = None,
        keepalive: int = 0,
    ) -> bytes:
        if password is None:
            password = self.broker.password_file(user).read_text().strip()
        return packets.connect(user if client is None else client, user, password, keepalive, clean=clean, will=will)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self) -> Packet | None:
        """The next packet, or None at the end of the connection."""
        async with asyncio.timeout(10):
            return await read_frame(self.reader)

    async def ask(self, data: bytes) -> bytes | None:
        """The body of the answer, None for a closed connection."""
        await self.send(data)
        answer = await self.read()
        return answer.body if answer else None


ACCEPTED, RESUMED = b"\0\0", b"\1\0"
