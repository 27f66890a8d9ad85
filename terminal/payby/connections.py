"""Connections to one server, reused only while they are certainly alive, and opened ahead of an expected call.

A router that forgets a quiet connection (NAT) tells nobody: what is sent into it is lost, and the caller waits for the
whole time-out. So each connection is an aiohttp session of its own here, because a session's pool can neither open a
connection ahead of a call nor skip one that turned out dead.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import aiohttp

FRESH_S = 15.0
"""A connection that was idle for longer than this is not used again."""
FIRST_BYTE_S = 3.0
"""A reused connection that is silent for this long is doubted: the same bytes also go out on a new one."""
MOST_AHEAD = 4
"""With this many idle connections no more are opened ahead, so a bouncing loop opens only these."""
MOST_CALLS = 64
"""The most calls at a time; others wait."""
_KEEP_ALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 10_000}
"""The kernel probes after 5 s of silence (in seconds), which a router counts as traffic; a probe that nobody
acknowledges for 10 s (in ms) ends the connection."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer; ``body`` is None if it was longer than allowed. ``sent_ms``: when its request went out."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    sent_ms: int


class CallsEnded(Exception):
    """No call may be sent any more, and this one was not."""


class Connections:
    """``steady_ms`` is the clock for their age and for ``HttpAnswer.sent_ms``. Once ``may_call`` says no, nothing more
    is sent: it is asked when a connection is there, just before a call goes out on it. Close it; close() may be called
    twice."""

    def __init__(self, steady_ms: Callable[[], int], may_call: Callable[[], bool] | None = None) -> None:
        self._steady_ms, self._may_call = steady_ms, may_call
        self._idle: list[tuple[int, _Line]] = []
        """Idle connections and since when; the newest last."""
        self._opening = 0
        self._closed = False
        self._calls = asyncio.Semaphore(MOST_CALLS)

    async def close(self) -> None:
        """Close idle connections; a call under way ends by itself, and its connection with it."""
        self._closed = True
        await self._drop_idle()

    async def open_ahead(self, url: str, limit_s: float) -> None:
        """Have one more connection ready for a call to ``url``, TLS handshake done. Sends nothing, and raises nothing:
        if it fails, the call will say so."""
        await self._drop_stale()
        if len(self._idle) + self._opening >= MOST_AHEAD:
            return
        self._opening += 1
        line = _Line(self._may_call)
        try:
            async with asyncio.timeout(limit_s):
                await line.open(url)
        except (aiohttp.ClientError, OSError, TimeoutError, CallsEnded):
            await line.close()
        except BaseException:
            await line.close()
            raise
        else:
            await self._keep(line)
        finally:
            self._opening -= 1

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        limit: int,
        patience_s: float = FIRST_BYTE_S,
        may_repeat: Callable[[], Awaitable[None]],
    ) -> HttpAnswer:
        """The answer to ``body``, read up to ``limit`` bytes; waits as long as it takes, and raises what aiohttp does.

        If a reused connection is reset, or is silent for ``patience_s``, the same bytes go out on a new one, once and
        after ``may_repeat()``, and the first answer counts. So pass only bytes that may arrive twice. If the server
        closes the connection, nothing is repeated: it may have taken the bytes, and the caller looks that up.
        """
        async with self._calls:
            await self._drop_stale()
            line = self._idle.pop()[1] if self._idle else _Line(self._may_call)
            trusted = asyncio.Event()
            calls = [asyncio.create_task(self._ask(line, url, body, headers, limit, trusted), name="payby call")]
            try:
                if await _is_dead(calls[0], trusted, patience_s):
                    await self._drop_idle()  # a router that forgot this one has forgotten the older ones too

                    async def again() -> HttpAnswer:
                        await may_repeat()
                        return await self._ask(_Line(self._may_call), url, body, headers, limit, asyncio.Event())

                    calls.append(asyncio.create_task(again(), name="payby call again"))
                return await _first(calls)
            finally:
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)

    async def _ask(
        self, line: "_Line", url: str, body: bytes, headers: Mapping[str, str], limit: int, trusted: asyncio.Event
    ) -> HttpAnswer:
        sent_ms = self._steady_ms()
        try:
            line.refuse_ended()
            async with line.session.post(
                url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=trusted
            ) as response:
                trusted.set()
                whole = HttpAnswer(
                    response.status, response.headers, await read_bounded(response.content, limit), sent_ms
                )
        except BaseException:
            await line.close()
            raise
        await self._keep(line)
        return whole

    async def _keep(self, line: "_Line") -> None:
        if self._closed:
            await line.close()
        else:
            self._idle.append((self._steady_ms(), line))

    async def _drop_stale(self) -> None:
        oldest = self._steady_ms() - FRESH_S * 1000
        while self._idle and self._idle[0][0] < oldest:
            await self._idle.pop(0)[1].close()

    async def _drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop()[1].close()


class _Line:
    """One connection: a session whose pool holds no other."""

    def __init__(self, may_call: Callable[[], bool] | None = None) -> None:
        self._may_call = may_call
        traces = aiohttp.TraceConfig()
        traces.on_connection_create_start.append(_made_anew)
        if may_call:
            traces.on_connection_create_end.append(self._made)
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=1, keepalive_timeout=FRESH_S, socket_factory=partial(_kept_alive, may_call)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # the caller's asyncio.timeout() bounds each call
            auto_decompress=False,  # the signature covers the bytes as sent
            trace_configs=[traces],
        )

    def refuse_ended(self) -> None:
        """Raises CallsEnded once no call may be sent."""
        if self._may_call and not self._may_call():
            raise CallsEnded

    async def _made(self, *_: object) -> None:
        self.refuse_ended()

    async def open(self, url: str) -> None:
        """Only connect: the next request finds the connection in the session's pool."""
        connector = self.session.connector
        assert connector is not None

        async def connect(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> NoReturn:
            (await connector.connect(request, [], aiohttp.ClientTimeout(total=None))).release()
            raise _OpenError

        with contextlib.suppress(_OpenError):
            await self.session.get(url, middlewares=(connect,))

    async def close(self) -> None:
        await self.session.close()


class _OpenError(Exception):
    """The connection is open; the request that opened it ends here."""


async def _made_anew(_session: aiohttp.ClientSession, context: Any, _params: object) -> None:
    if trusted := context.trace_request_ctx:
        trusted.set()


class GuardedSocket(socket.socket):
    """One that sends nothing more once ``may_call`` says no: asked as late as it can be, because a process may be
    frozen after any earlier question. Raises ConnectionAbortedError then."""

    def __init__(self, may_call: Callable[[], bool], *socket_kind: int) -> None:
        super().__init__(*socket_kind)
        self._may_call = may_call

    def send(self, *what: Any) -> int:
        """As socket.send()."""
        self._ask()
        return super().send(*what)

    def sendmsg(self, *what: Any) -> int:
        """As socket.sendmsg(), which asyncio uses from Python 3.12 on."""
        self._ask()
        return super().sendmsg(*what)

    def _ask(self) -> None:
        if not self._may_call():
            raise ConnectionAbortedError("another process calls PayBy")


def _kept_alive(may_call: Callable[[], bool] | None, info: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = info
    if may_call:
        made: socket.socket = GuardedSocket(may_call, family, kind, protocol)
    else:
        made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):  # Linux has them all
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made


async def _is_dead(call: asyncio.Task[HttpAnswer], trusted: asyncio.Event, patience_s: float) -> bool:
    """Does ``call`` use an old connection that was reset or stays silent?"""
    waiting = asyncio.create_task(trusted.wait(), name="payby first byte")
    try:
        await asyncio.wait([waiting, call], timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    return not trusted.is_set() and (not call.done() or isinstance(call.exception(), OSError))


async def _first(calls: list[asyncio.Task[HttpAnswer]]) -> HttpAnswer:
    """The first answer; if none comes, raises what the last failure raised."""
    waiting = set(calls)
    while True:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for call in done:
            if call.exception() is None or not waiting:
                return call.result()


async def read_bounded(content: aiohttp.StreamReader, limit: int) -> bytes | None:
    """The whole body; None if it is longer than ``limit`` bytes."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)
