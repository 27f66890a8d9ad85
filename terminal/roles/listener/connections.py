"""Connections that cannot hurt: bounded in number, time and size, and echoed neither in the log nor in the answer.

By itself aiohttp waits for a slow client without a limit, logs a traceback for each malformed request, and repeats in
its answer what it could not parse.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from terminal.contract import deflated

MAX_BODY_BYTES = deflated.MOST
"""The largest body, bytes: instalment terms, which PayBy puts into a notification, have no limit of their own."""
IDLE_S = 75.0
"""How long an open connection may be silent (s); a reverse proxy should give up earlier (nginx: 60 s)."""
_SILENT = logging.Logger("listener.http")
_SILENT.disabled = True


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The listener's limits.

    ``read_s``: the time for a connection's first whole request, and for every body. ``receipt_s``: how long PayBy waits
    for the worker's receipt; ``again_s``: when to publish to the worker again. ``waiting``: how many notifications may
    wait for a receipt, not counting copies. With up to ``calm_connections`` open connections a bad signature is
    answered at once; with more, after ``flood_delay_s``.
    """

    read_s: float = 5.0
    receipt_s: float = 3.0
    again_s: tuple[float, ...] = (1.0, 2.0)
    waiting: int = 200
    connections: int = 400
    calm_connections: int = 16
    flood_delay_s: float = 0.25


LIMITS = ConnectionLimits()


class ConnectionLimiter:
    """All open connections. The oldest one whose request has not yet arrived makes room for a new one."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[HttpConnection] = set()
        self._idle: dict[HttpConnection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: "HttpConnection") -> None:
        """Admit a connection; close it if no other can make room."""
        if len(self._open) >= self.limits.connections:
            unwanted = next(iter(self._idle), connection)
            self.closed(unwanted)
            unwanted.force_close()
            if unwanted is connection:
                return
        self._open.add(connection)
        self._idle[connection] = None

    def idle(self, connection: "HttpConnection") -> None:
        """Note that a connection may make room for another."""
        if connection in self._open:
            self._idle[connection] = None

    def busy(self, connection: "HttpConnection") -> None:
        """Note that a connection must stay until it has its answer."""
        self._idle.pop(connection, None)

    def closed(self, connection: "HttpConnection") -> None:
        """Note that a connection is gone."""
        self._open.discard(connection)
        self._idle.pop(connection, None)


class HttpConnection(web.RequestHandler):
    """aiohttp's HTTP, with a time limit for the first request, no tracebacks in the log and no echo in its errors."""

    __slots__ = ("_deadline", "_limiter", "_no_http")

    def __init__(
        self,
        server: web.Server,
        loop: asyncio.AbstractEventLoop,
        limiter: ConnectionLimiter,
        no_http: Callable[[BaseException | None], None],
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=IDLE_S,
            logger=_SILENT,
            access_log=_SILENT,
            lingering_time=2.0,
            auto_decompress=False,  # the signature covers the bytes as sent
        )
        self._limiter = limiter
        self._no_http = no_http
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's: begin the time limit for the first request, and take a place or be closed."""
        super().connection_made(transport)
        self._deadline = asyncio.get_running_loop().call_later(self._limiter.limits.read_s, self.force_close)
        self._limiter.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """asyncio's: end the time limit, and give the place back."""
        self._limiter.closed(self)
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def complete(self) -> None:
        """A whole request has arrived."""
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
        self._limiter.busy(self)

    def idle(self) -> None:
        """No answer is owed on this connection."""
        self._limiter.idle(self)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """aiohttp's: an empty answer with ``status``, then the end. Raises ConnectionError if an answer has already
        begun."""
        self._no_http(exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has already begun")
        response = web.Response(status=status)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """aiohttp's: count the error, and log at most its type now and then, never a request's bytes."""
        self._no_http(kw.get("exc_info"))


def make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """aiohttp's request, with our limit on its body."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)


def connection_of(request: web.BaseRequest) -> HttpConnection:
    """The connection of a request."""
    connection = request.protocol
    assert isinstance(connection, HttpConnection)
    return connection


async def read_body(request: web.BaseRequest, timeout_s: float) -> bytes:
    """The body as sent; raises HTTPRequestEntityTooLarge, TimeoutError, ConnectionError or RequestPayloadError."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES)
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # as aiohttp's own handler does: the answer has not begun
    if request.content.is_eof():  # it came with the head, as it nearly always does
        return await request.read()
    async with asyncio.timeout(timeout_s):
        return await request.read()
