"""PayBy's acquiring API for asyncio: one method for each call, and only signed answers.

    async with PayByClient(base_url, partner_id, private_key, payby_keys) as payby:
        answer = await payby.place_order(OrderRequest(order_no=..., amount=..., subject=...).biz_content())
        show(answer.token_url)

Every method returns a signed success or raises a leaf of ``errors.CallFailed``. A call that changes something is
repeated here in two cases only: PayBy refused our time and its answer told the right one; or a connection that was used
before was reset or stayed silent, so the same bytes go out on a new one. A caller that repeats a call must repeat the
same bytes; then nothing can happen twice.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from . import requests
from .errors import (
    BadRequest,
    BadSignature,
    BadWords,
    CallFailed,
    NotSent,
    OrderUnknown,
    OurMistake,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unauthorised,
)
from .messages import (
    AcquireOrder,
    OrderPage,
    Payer,
    RefundOrder,
    RefundPage,
    RefundSummary,
    order_in,
    order_page_in,
    payer_in,
    refund_in,
    refund_page_in,
    token_url_in,
)
from .rate_limit import Turn
from .server_clock import LocalClock, LocalSystemClock
from .signing import verify
from .transport import SignedAnswer, SignedTransport, UnverifiedAnswer

MAX_STATEMENT_BYTES = 32 * 1024 * 1024
STATEMENT_TIMEOUT_S = 60.0
STATEMENT = "acquire2/download/getOrderStatement"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """A signed success about one order. ``body`` and ``sign`` are PayBy's unchanged words: the proof of a payment."""

    order: AcquireOrder
    token_url: str | None
    body: str
    sign: str


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """A signed success about one refund."""

    refund: RefundOrder
    summary: RefundSummary | None
    body: str
    sign: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A signed round trip to PayBy: how far its clock is ahead of ours (ms; None: it sent no Date)."""

    round_trip_ms: int
    skew_ms: int | None


@cache
def _product() -> str:
    """This product's name and version; the library has no version of its own."""
    try:
        return f"exit-terminal/{version('parking-exit-terminal')}"
    except PackageNotFoundError:
        return "exit-terminal"


class _OrderQuery(msgspec.Struct):
    merchantOrderNo: str


class PayByClient:
    """A merchant's connection to PayBy. Close it, or use it as a context manager.

    ``timeout_s`` bounds a call from the first byte to the last, and before that its wait for the rate limit.
    ``calls_per_s`` is for all calls together. A ``session`` that is passed in stays the caller's; it must not
    decompress (``auto_decompress=False``), since signatures are over the bytes as sent. ``user_agent``: the product's
    name and version, for PayBy's support. ``may_call``: once it says no, no call is sent (NotSent).
    """

    def __init__(
        self,
        base_url: str,
        partner_id: str,
        private_key: RSAPrivateKey,
        payby_keys: Sequence[RSAPublicKey],
        *,
        timeout_s: float = 10.0,
        calls_per_s: float = 50.0,
        clock: LocalClock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = random.random,
        session: aiohttp.ClientSession | None = None,
        user_agent: str | None = None,
        may_call: Callable[[], bool] | None = None,
    ) -> None:
        self._clock = clock or LocalSystemClock()
        self._sleep = sleep
        self._random = random
        self._wire = SignedTransport(
            base_url,
            partner_id,
            private_key,
            payby_keys,
            timeout_s=timeout_s,
            calls_per_s=calls_per_s,
            clock=self._clock,
            sleep=sleep,
            session=session,
            user_agent=user_agent or _product(),
            may_call=may_call,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._wire.close()

    async def open_ahead(self) -> None:
        """Open a connection, with its TLS handshake, for a call that is expected soon. Sends PayBy nothing, takes at
        most ``timeout_s``, opens only a few, and raises nothing: the call itself finds out what is wrong."""
        await self._wire.open_ahead()

    @property
    def skew_ms(self) -> int | None:
        """How far PayBy's clock is ahead of ours (ms, ± 1 s); None before the first answer."""
        return self._wire.time.skew_ms

    def now_ms(self) -> int:
        """PayBy's time as far as known, in ms since the epoch: reckon ``expires_ms`` from it."""
        return self._wire.time.now_ms()

    async def place_order(self, biz: bytes) -> OrderAnswer:
        """Place an order, or learn the status of the order with this number. ``biz``: OrderRequest.biz_content(),
        journaled.

        The answer has a token_url while the order is CREATED. Raises OurMistake with 62016 if the parameters differ.
        """
        return await self._order("acquire2/placeOrder", biz, _number_in(biz), None, Turn.MONEY)

    async def get_order(
        self,
        order_no: str | None = None,
        *,
        payby_no: str | None = None,
        device_id: str | None = None,
        attempts: int = 1,
    ) -> OrderAnswer:
        """An order's status. ``device_id``: the device that it was placed with, without which PayBy does not find such
        an order by our number. More ``attempts`` repeat a call without an answer, 2 to 6 s apart."""
        biz = requests.order_ref(order_no, payby_no, device_id=device_id)
        return await self._repeat(
            attempts, lambda: self._order("acquire2/getOrder", biz, order_no, payby_no, Turn.QUERY)
        )

    async def cancel_order(self, order_no: str | None = None, *, payby_no: str | None = None) -> OrderAnswer:
        """Close an unpaid order. Raises OrderPaid if it was paid before, OrderDead if it is already closed."""
        biz = requests.order_ref(order_no, payby_no)
        return await self._order("acquire2/cancelOrder", biz, order_no, payby_no, Turn.MONEY)

    async def revoke_order(self, order_no: str | None = None, *, payby_no: str | None = None) -> OrderAnswer:
        """Undo an order of unknown outcome: closed if unpaid, refunded if paid.

        Only ``order.is_revoked`` in get_order() shows that it is done: ask until it does.
        """
        biz = requests.order_ref(order_no, payby_no)
        return await self._order("acquire2/revokeOrder", biz, order_no, payby_no, Turn.MONEY)

    async def update_expired_time(
        self, order_no: str | None = None, *, payby_no: str | None = None, expires_ms: int
    ) -> OrderAnswer:
        """Move an order's expiry (ms since the epoch), at most 15 days ahead."""
        biz = requests.order_ref(order_no, payby_no, expires_ms)
        return await self._order("acquire2/updateExpiredTime", biz, order_no, payby_no, Turn.MONEY)

    async def refund(self, biz: bytes) -> RefundAnswer:
        """Ask for a refund. ``biz``: RefundRequest.biz_content(), journaled. After RefundKnown look the refund up."""
        return await self._refund("acquire2/refund/placeOrder", biz, Turn.MONEY)

    async def get_refund(
        self, refund_no: str | None = None, *, payby_no: str | None = None, attempts: int = 1
    ) -> RefundAnswer:
        """A refund's status. More ``attempts`` repeat a call without an answer, 2 to 6 s apart."""
        biz = requests.refund_ref(refund_no, payby_no)
        return await self._repeat(attempts, lambda: self._refund("acquire2/refund/getOrder", biz, Turn.QUERY))

    async def query_order_page(
        self,
        start: date,
        end: date,
        *,
        devices: Sequence[str] = (),
        statuses: Sequence[str] = (),
        number: int = 0,
        size: int = 100,
        attempts: int = 3,
    ) -> OrderPage:
        """The orders of some days, first and last included; empty ``devices`` or ``statuses`` mean all."""
        biz = requests.order_page(start, end, devices, statuses, number, size)
        call = "acquire2Query/queryOrderPage"
        reply = await self._repeat(attempts, lambda: self._wire.call(call, biz, Turn.REPORT))
        return _understand(call, order_page_in, reply)

    async def query_refund_order_page(
        self,
        start: date,
        end: date,
        *,
        devices: Sequence[str] = (),
        statuses: Sequence[str] = (),
        number: int = 0,
        size: int = 100,
        attempts: int = 3,
    ) -> RefundPage:
        """The refunds of some days, including those made in PayBy's portal; otherwise as query_order_page()."""
        biz = requests.order_page(start, end, devices, statuses, number, size)
        call = "acquire2Query/queryRefundOrderPage"
        reply = await self._repeat(attempts, lambda: self._wire.call(call, biz, Turn.REPORT))
        return _understand(call, refund_page_in, reply)

    async def get_cashier_url_info(self, token_url: str) -> Payer | None:
        """The phone that has read the code of an open order; None: no phone yet. Raises TokenUnknown if there is no
        such code."""
        call = "acquire2/getCashierUrlInfo"
        return _understand(call, payer_in, await self._wire.call(call, requests.cashier_url(token_url), Turn.QUERY))

    async def get_order_payer(self, order_no: str | None = None, *, payby_no: str | None = None) -> Payer | None:
        """Who paid an order, masked; None if PayBy does not say."""
        call = "acquire2/getOrderPayer"
        biz = requests.order_ref(order_no, payby_no)
        return _understand(call, payer_in, await self._wire.call(call, biz, Turn.QUERY))

    async def get_order_statement(self, day: date, *, attempts: int = 3) -> bytes:
        """The day's statements as a ZIP, for ``statement_reader.read_zip``; raises NoStatement if there is none (yet).

        PayBy's page does not say that a ZIP is signed: a ZIP without a signature is accepted, one with a wrong one is
        not. No money may be moved because of a statement alone.
        """
        return await self._repeat(attempts, lambda: self._statement(requests.statement(day)))

    async def probe(self) -> Probe:
        """Ask whether PayBy answers, knows our key and product, and what time it has, by asking for a nonexistent
        order."""
        sent = self._clock.steady_ms()
        with contextlib.suppress(OrderUnknown):
            await self.get_order("probe")
        return Probe(self._clock.steady_ms() - sent, self.skew_ms)

    async def _order(
        self, call: str, biz: bytes, order_no: str | None, payby_no: str | None, turn: Turn
    ) -> OrderAnswer:
        reply = await self._wire.call(call, biz, turn)
        order = _understand(call, order_in, reply)
        if order_no not in (None, order.merchant_order_no) or payby_no not in (None, order.order_no):
            raise OutcomeUnknown(call, why="the answer speaks of another order")
        url = None if order.is_final else _understand(call, token_url_in, reply)  # nobody scans a final order
        return OrderAnswer(order, url, reply.body, reply.sign)

    async def _refund(self, call: str, biz: bytes, turn: Turn) -> RefundAnswer:
        reply = await self._wire.call(call, biz, turn)
        refund, summary = _understand(call, refund_in, reply)
        asked = msgspec.json.decode(biz)
        named = asked.get("refundMerchantOrderNo")
        if named not in (None, refund.refund_merchant_order_no):
            raise OutcomeUnknown(call, why="the answer speaks of another refund")
        return RefundAnswer(refund, summary, reply.body, reply.sign)

    async def _statement(self, biz: bytes) -> bytes:
        raw = await self._download(biz)
        try:
            return self._zip_in(raw)
        except CallFailed as error:
            if not self._wire.knows_better(error, raw):
                raise
        return self._zip_in(await self._download(biz))

    async def _download(self, biz: bytes) -> UnverifiedAnswer:
        return await self._wire.post(
            STATEMENT, biz, Turn.REPORT, timeout_s=STATEMENT_TIMEOUT_S, limit=MAX_STATEMENT_BYTES
        )

    def _zip_in(self, raw: UnverifiedAnswer) -> bytes:
        if raw.body[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
            self._wire.read(STATEMENT, raw)  # raises what the answer says
            raise OutcomeUnknown(STATEMENT, why="neither a ZIP nor an error")
        if raw.sign is not None:
            try:
                verify(self._wire.payby_keys, raw.body, raw.sign)
            except BadSignature as error:
                raise OutcomeUnknown(STATEMENT, why=str(error)) from None
        return raw.body

    async def _repeat(self, attempts: int, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call that changes nothing while it gets no answer or comes too fast, unless it is refused."""
        for _ in range(attempts - 1):
            try:
                return await call()
            except (OutcomeUnknown, NotSent, RateLimited) as error:
                if isinstance(error, OutcomeUnknown) and isinstance(error.said, Unauthorised | OurMistake | Refused):
                    raise
                await self._sleep(2 + 4 * self._random())
        return await call()


def _number_in(biz: bytes) -> str:
    try:
        return msgspec.json.decode(biz, type=_OrderQuery).merchantOrderNo
    except msgspec.DecodeError:
        raise BadRequest("bizContent: JSON with a merchantOrderNo is needed") from None


def _understand(call: str, read: Callable[[dict[str, Any]], T], reply: SignedAnswer) -> T:
    try:
        return read(reply.found)
    except BadWords as error:
        raise OutcomeUnknown(call, why=str(error)) from None
