"""A line between a process and a server, which a test looks at, or takes away without a word."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


def by_port(port: int) -> Dial:
    return lambda: asyncio.open_connection("127.0.0.1", port)


class Line:
    """``async with`` opens it; connect to ``port``, or to ``path``, a socket's. ``sent``: how many bytes the process
    has sent so far. While it is a ``black_hole``, nothing passes in either direction, and nothing ends."""

    def __init__(self, dial: Dial, path: str = "") -> None:
        self._dial, self._path = dial, path
        self.sent = 0
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def black_hole(self) -> bool:
        return not self._open.is_set()

    @black_hole.setter
    def black_hole(self, is_one: bool) -> None:
        if is_one:
            self._open.clear()
        else:
            self._open.set()

    async def __aenter__(self) -> Self:
        if self._path:
            self._server: asyncio.Server = await asyncio.start_unix_server(self._serve, self._path)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            if task:
                task.cancel()
        await asyncio.gather(*filter(None, self._tasks), return_exceptions=True)

    def cut(self) -> None:
        """Every connection is reset, and what was under way is lost."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        await self._open.wait()
        try:
            up_reader, up_writer = await self._dial()
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(up_writer)
        await asyncio.gather(self._pump(reader, up_writer, counts=True), self._pump(up_reader, writer))
        self._writers -= {writer, up_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool = False) -> None:
        try:
            while data := await reader.read(65536):
                if counts:
                    self.sent += len(data)
                await self._open.wait()
                writer.write(data)
        except OSError:
            pass
        await self._open.wait()
        writer.transport.abort()
