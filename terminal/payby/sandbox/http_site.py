"""A web application on a port, which leaves no connection behind when it ends."""

import asyncio
import socket

from aiohttp import web


class HttpSite:
    """Serves ``app`` from start() to stop(); a request under way has ``shutdown_s`` to end."""

    def __init__(self, app: web.Application, *, shutdown_s: float) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_s)
        self._door: socket.socket | None = None

    async def start(self, host: str, port: int) -> int:
        """Returns the port; 0 takes a free one. Raises OSError where it is taken."""
        self._door = socket.create_server((host, port), backlog=128)
        await self._runner.setup()
        await web.SockSite(self._runner, self._door).start()
        return int(self._door.getsockname()[1])

    async def stop(self) -> None:
        """Close every connection, then stop serving; may be called twice, or without start()."""
        door, self._door = self._door, None
        if door is not None:
            # The event loop hands a connection over two turns after it accepted it, and one that finds its server
            # closed by then stays open. So no more are accepted, and those under way are let in.
            asyncio.get_running_loop().remove_reader(door)
            for _ in range(3):
                await asyncio.sleep(0)
        await self._runner.cleanup()
        if door is not None:
            door.close()  # where it was cancelled before anything was served on it
