"""A router between the worker and PayBy that forgets connections without a word, as address translation does."""

import asyncio
import contextlib
import socket
import ssl
import struct
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class Nat:
    """A TCP proxy before the server of ``url``; ``async with`` opens it. With ``tls`` it ends TLS as well."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._upstream = urlsplit(url)
        self._tls = tls
        self.opened = 0
        """Connections made so far, their TLS handshakes done."""
        self.swallowed = b""
        """What was sent into those that were forgotten."""
        self._open: list[asyncio.StreamWriter] = []
        self._forgotten: set[asyncio.StreamWriter] = set()
        self._more = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        """The server's, by way of here."""
        return urlunsplit(("https" if self._tls else "http", f"127.0.0.1:{self.port}", self._upstream.path, "", ""))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """From now on nothing passes over any existing connection, and neither side notices."""
        self._forgotten.update(self._open)

    def reset(self) -> None:
        """The next that is sent over any connection there is will be answered with a reset."""
        for writer in self._open:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.resetting, self._forgotten = True, {*self._forgotten, *self._open}

    resetting = False

    async def until_opened(self, count: int) -> None:
        async with asyncio.timeout(10), self._more:
            await self._more.wait_for(lambda: self.opened >= count)

    async def all_closed(self) -> bool:
        """Until every connection is closed; False where one stays."""
        try:
            async with asyncio.timeout(2), self._more:
                await self._more.wait_for(lambda: not self._tasks)
        except TimeoutError:
            return False
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.append(writer)
        async with self._more:
            self.opened += 1
            self._more.notify_all()
        back: asyncio.StreamWriter | None = None
        try:
            with contextlib.suppress(OSError):
                there, back = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, back, writer))
                    pumps.create_task(self._pump(there, writer, writer))
        except asyncio.CancelledError:
            pass  # the end of this proxy; the server would take it for an error of its own
        finally:
            for end in (writer, back):
                if end:
                    end.transport.abort()
            self._tasks.discard(task)
            async with self._more:
                self._more.notify_all()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if client not in self._forgotten:
                    sink.write(data)
                elif sink is not client:
                    self.swallowed += data
                    if self.resetting:
                        break
        if client not in self._forgotten or sink is not client:
            client.transport.abort()
            sink.transport.abort()
