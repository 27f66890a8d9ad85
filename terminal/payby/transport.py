"""One signed call to PayBy and its signed answer: bytes, limits, signatures. ``client`` knows what the calls mean."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from .connections import FIRST_BYTE_S, CallsEnded, Connections, HttpAnswer, read_bounded
from .errors import BadSignature, BadWords, CallFailed, NotSent, OutcomeUnknown, RateLimited, failure
from .messages import head_in
from .rate_limit import RateLimit, Turn
from .server_clock import LocalClock, PayByTime
from .signing import sign, verify
from .strict_json import load

MAX_ANSWER_BYTES = 1024 * 1024
_DOUBTED = 0.3  # part of a time-out under 10 s after which the second connection starts, so that it has enough time
_REFUSED_MS = 60_000  # a corrected time closer than this to the refused one corrects nothing


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """A signed success: its JSON, and its unchanged words."""

    found: dict[str, Any]
    body: str
    sign: str


@dataclass(frozen=True, slots=True)
class UnverifiedAnswer:
    """A whole answer, not yet verified. ``requested_ms``: the ``requestTime`` of its call."""

    status: int
    body: bytes
    sign: str | None
    requested_ms: int


class SignedTransport:
    """Signs, sends, limits and verifies. A ``session`` that is passed in stays the caller's; otherwise see
    Connections."""

    def __init__(
        self,
        base_url: str,
        partner_id: str,
        private_key: RSAPrivateKey,
        payby_keys: Sequence[RSAPublicKey],
        *,
        timeout_s: float,
        calls_per_s: float,
        clock: LocalClock,
        sleep: Callable[[float], Awaitable[None]],
        session: aiohttp.ClientSession | None,
        user_agent: str = "exit-terminal",
        may_call: Callable[[], bool] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._partner_id = partner_id
        self._private_key = private_key
        self.payby_keys = tuple(payby_keys)
        self._timeout_s = timeout_s
        self._clock = clock
        self.time = PayByTime(clock)
        self._limit = RateLimit(calls_per_s, steady_ms=clock.steady_ms, sleep=sleep)
        self._session = session
        self._connections = Connections(clock.steady_ms, may_call)
        self._user_agent = user_agent
        self._may_call = may_call

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._limit.close()
        await self._connections.close()

    async def open_ahead(self) -> None:
        """Open a connection ahead; with a session that was passed in, do nothing."""
        if self._session is None:
            await self._connections.open_ahead(self._base_url, self._timeout_s)

    async def call(self, call: str, biz: bytes, turn: Turn) -> SignedAnswer:
        """Make one call, and repeat it once if PayBy refused its wrong time and we now know the right one."""
        raw = await self.post(call, biz, turn)
        try:
            return self.read(call, raw)
        except CallFailed as error:
            if not self.knows_better(error, raw):
                raise
        return self.read(call, await self.post(call, biz, turn))

    def knows_better(self, error: CallFailed, raw: UnverifiedAnswer) -> bool:
        """Did PayBy refuse the call because of its time, and has its answer told us the right one?"""
        said = error.hint if isinstance(error, OutcomeUnknown) else error
        return said is not None and said.code == "400" and abs(self.time.now_ms() - raw.requested_ms) >= _REFUSED_MS

    async def post(
        self, call: str, biz: bytes, turn: Turn, *, timeout_s: float | None = None, limit: int = MAX_ANSWER_BYTES
    ) -> UnverifiedAnswer:
        """Send the signed request; raises OutcomeUnknown unless a whole answer came back, signed or not."""
        timeout_s = timeout_s or self._timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._limit.wait(turn)
        except TimeoutError:
            raise NotSent(call, why=f"held back by the rate limit for {timeout_s:g} s") from None
        requested_ms = self.time.now_ms()
        body = b'{"requestTime":%d,"bizContent":%b}' % (requested_ms, biz)
        headers = {
            "Content-Type": "application/json",
            "Content-Language": "en",
            "Partner-Id": self._partner_id,
            "sign": sign(self._private_key, body),
            "Accept-Encoding": "identity",
            "User-Agent": self._user_agent,
        }
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._exchange(f"{self._base_url}/{call}", body, headers, turn, timeout_s, limit)
        except CallsEnded:
            raise NotSent(call, why="another process makes this merchant's calls now") from None
        except TimeoutError:
            raise OutcomeUnknown(call, why=f"no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError):
            raise OutcomeUnknown(call, why="not connected: the certificate was refused") from None
        except aiohttp.ClientConnectorError as error:
            raise OutcomeUnknown(call, why=f"not connected: {error.os_error.strerror or 'no such host'}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:  # their texts may hold our headers
            raise OutcomeUnknown(call, why=f"connection lost: {type(error).__name__}") from None
        if answer.body is None:
            raise OutcomeUnknown(call, why=f"an answer of more than {limit} bytes")
        self.time.heard(answer.headers.get("Date"), answer.sent_ms)
        if answer.status == 429:
            self._limit.slow_down()
        return UnverifiedAnswer(answer.status, answer.body, answer.headers.get("sign"), requested_ms)

    async def _exchange(
        self, url: str, body: bytes, headers: dict[str, str], turn: Turn, timeout_s: float, limit: int
    ) -> HttpAnswer:
        """The same bytes may arrive twice (see Connections.post). That does no harm: they have the same number and
        content, so PayBy answers both with one order or refund, as when a caller asks again; a second cancellation
        finds the first one done, and says so; and ``requestTime`` is valid for 15 minutes."""

        async def may_repeat() -> None:
            await self._limit.wait(turn)
            if self._may_call and not self._may_call():
                await asyncio.Event().wait()  # the first copy of it may be answered, and no second one goes out

        if self._session is None:
            return await self._connections.post(
                url,
                body,
                headers,
                limit=limit,
                patience_s=min(FIRST_BYTE_S, timeout_s * _DOUBTED),
                may_repeat=may_repeat,
            )
        if self._may_call and not self._may_call():
            raise CallsEnded
        sent = self._clock.steady_ms()
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            return HttpAnswer(response.status, response.headers, await read_bounded(response.content, limit), sent)

    def read(self, call: str, raw: UnverifiedAnswer) -> SignedAnswer:
        """A signed success; raises the error for any other answer. Verifies first, then parses."""
        try:
            verify(self.payby_keys, raw.body, raw.sign)
        except BadSignature as error:
            unknown = OutcomeUnknown(call, why=f"HTTP {raw.status}, {error}")
            hint = _hint(call, raw.body)
            if isinstance(hint, RateLimited):  # slowing down needlessly does no harm
                self._limit.slow_down()
            raise unknown.hinting(hint) if hint else unknown from None
        try:
            found = load(raw.body)
            head = head_in(found)
        except BadWords as error:
            raise OutcomeUnknown(call, why=str(error)) from None
        if not head.is_success:
            said = failure(call, head.apply_status, head.code, head.msg or "", str(head.trace_code or ""))
            if isinstance(said, RateLimited):
                self._limit.slow_down()
            raise said
        assert raw.sign is not None  # verify() has checked it
        return SignedAnswer(found, raw.body.decode(), raw.sign)


def _hint(call: str, body: bytes) -> CallFailed | None:
    """The error that an unsigned answer claims; None if it claims success or cannot be read."""
    try:
        head = head_in(load(body))
    except BadWords:
        return None
    return (
        None
        if head.is_success
        else failure(call, head.apply_status, head.code, (head.msg or "")[:64], str(head.trace_code or ""))
    )
