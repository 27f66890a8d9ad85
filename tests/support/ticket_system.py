"""Another garage system that knows its own tickets: a real HTTP server which answers well, late, or with nonsense."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class TicketSystem:
    """``entries``: the tickets that it knows, each with its entry as text. ``answering`` takes the place of an answer.
    ``asked``: the path and headers of each question."""

    url: str = ""
    entries: dict[str, str] = field(default_factory=dict)
    answering: Answering | None = None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """What an answer that hangs waits for."""

    @property
    def address(self) -> str:
        """What `lookup.url` would be."""
        return f"{self.url}/{{kind}}/{{number}}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.raw_path, dict(request.headers)))
        if self.answering:
            return await self.answering(request)
        entered = self.entries.get(request.match_info["number"])
        return web.json_response({"entered": entered}) if entered else web.json_response({}, status=404)

    async def hangs(self, _: web.Request) -> web.StreamResponse:
        """Answer only when released."""
        await self.released.wait()
        return web.json_response({})


def replies(*, status: int = 200, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Answering:
    """An answer that is always the same."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return answer


@asynccontextmanager
async def ticket_system(tls: ssl.SSLContext | None = None) -> AsyncIterator[TicketSystem]:
    """A system that listens on the loopback."""
    system = TicketSystem()
    app = web.Application()
    app.router.add_get("/{kind}/{number}", system.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    host, port = runner.addresses[0][:2]
    system.url = f"{'https' if tls else 'http'}://{host}:{port}"
    try:
        yield system
    finally:
        system.released.set()
        await runner.cleanup()
