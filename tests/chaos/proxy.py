"""A line between the roles and their broker that somebody can cut, or leave hanging."""

import asyncio
import contextlib
import time
from typing import Self


class Line:
    """A TCP proxy on a port of its own; ``async with`` opens it. It takes connections whatever the broker does."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = 0
        self.noticed_s: list[float] = []
        """How long a client took to give up each connection that hung."""
        self._hung_s: float | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        """The client's end, and the broker's."""
        self._hung: set[asyncio.StreamWriter] = set()
        self._muted = False
        self._all_noticed = asyncio.Event()
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Every connection is reset."""
        for ends in list(self._open.items()):
            for end in ends:
                end.transport.abort()

    def hang(self) -> None:
        """Nothing passes, in either direction, and nobody is told: half-open connections."""
        self._flows.clear()
        self._hung, self._hung_s = set(self._open), time.monotonic()
        self._all_noticed.clear()

    def mute(self) -> None:
        """What clients say is lost from now on; what the broker says passes."""
        self._muted = True

    def flow(self) -> None:
        """What hung, or was muted, is lost with its connections; new ones pass."""
        self._muted = False
        self._hung.clear()
        self._hung_s = None
        self.cut()
        self._flows.set()

    async def noticed(self) -> None:
        """Until each client has given up its connection that hung."""
        await self._all_noticed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        back: asyncio.StreamWriter | None = None
        try:
            with contextlib.suppress(OSError):
                await self._flows.wait()
                there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
                self._open[writer] = back
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, back, writer))
                    pumps.create_task(self._pump(there, writer, writer))
        except asyncio.CancelledError:
            pass  # the end of this proxy; the server would take it for an error of its own
        finally:
            self._open.pop(writer, None)
            for end in (writer, back):
                if end:
                    end.transport.abort()
            self._tasks.discard(task)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        """What comes while the line hangs is lost; that the broker gives up is not told to the client."""
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if client not in self._hung and not (self._muted and sink is not client):
                    sink.write(data)
                    await sink.drain()
        if client in self._hung:
            if sink is client:
                return
            self._hung.discard(client)
            if self._hung_s is not None:
                self.noticed_s.append(time.monotonic() - self._hung_s)
            if not self._hung:
                self._all_noticed.set()
        sink.transport.abort()
