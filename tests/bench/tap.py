"""Stands between a garage's processes and its broker, and writes down each PUBLISH with its size and its moment."""

import asyncio
import time
from dataclasses import dataclass
from typing import Self

from broker.packets import encode_length, read_frame

CONNECT, PUBLISH = 1, 3


@dataclass(frozen=True, slots=True)
class Passed:
    """A PUBLISH: when it came (ns, monotonic), whether a role said it, its topic, and the bytes of the whole packet."""

    at_ns: int
    said: bool
    topic: str
    size: int

    @property
    def kind(self) -> str:
        """What it is about, without the garage and the lane."""
        return self.topic.split("/", 3)[-1]


class Tap:
    """``async with`` opens it; ``url`` leads to the broker. Of the client ``watcher`` nothing is counted."""

    def __init__(self, broker_url: str, watcher: str = "test-watch") -> None:
        self._upstream, self._watcher = int(broker_url.rpartition(":")[2]), watcher.encode()
        self.passed: list[Passed] = []
        self.packets = self.bytes = 0
        """Of every kind, both ways."""
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        clients: list[bytes] = []
        try:
            await asyncio.gather(
                self._pump(reader, up_writer, clients, said=True), self._pump(up_reader, writer, clients, said=False)
            )
        finally:
            writer.transport.abort()
            up_writer.transport.abort()
            self._tasks.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clients: list[bytes], *, said: bool
    ) -> None:
        while frame := await read_frame(reader):
            if frame.kind == CONNECT:
                clients.append(frame.body[12 : 12 + int.from_bytes(frame.body[10:12])])
            data = bytes([frame.kind << 4 | frame.flags]) + encode_length(len(frame.body)) + frame.body
            writer.write(data)
            if clients == [self._watcher]:
                continue
            self.packets += 1
            self.bytes += len(data)
            if frame.kind == PUBLISH:
                topic = frame.body[2 : 2 + int.from_bytes(frame.body[:2])].decode()
                self.passed.append(Passed(time.monotonic_ns(), said, topic, len(data)))
        writer.transport.abort()
