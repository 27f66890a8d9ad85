"""The worker's calls, brought to the simulated PayBy: straight, or by the product's own client over a pretended HTTP.

The straight way is what most lives use: an answer's fields are taken from PayBy's book instead of being read from its
JSON again, and errors are the product's own, chosen by its own table. The other way runs all of ``terminal/payby``.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
import msgspec

from terminal.clock import Clock
from terminal.core import money
from terminal.payby import errors, requests
from terminal.payby.client import OrderAnswer, PayByClient, RefundAnswer
from terminal.payby.messages import AcquireOrder, Payer, RefundOrder
from terminal.payby.signing import verify
from terminal.payby.strict_json import Amount, Money
from tests.sim.keys import Keys
from tests.sim.payby import SimPayBy
from tests.sim.payby_book import PAYEE, Order, Refund, Said

TIMEOUT_S = 10.0


class StraightClient:
    """Has the methods of payby.client.PayBy that the worker uses. ``is_dead``: its process is gone. ``may_call``: as
    PayByClient's."""

    def __init__(self, payby: SimPayBy, clock: Clock, may_call: Callable[[], bool] | None = None) -> None:
        self.is_dead = False
        self.guard: Callable[[str], None] | None = None
        """Told of each call before it goes out."""
        self._may_call = may_call
        self.skew_ms: int | None = None
        self._payby = payby
        self._clock = clock

    async def place_order(self, biz: bytes) -> OrderAnswer:
        return self._order(await self._call("acquire2/placeOrder", biz))

    async def get_order(self, order_no: str) -> OrderAnswer:
        return self._order(await self._call("acquire2/getOrder", requests.order_ref(order_no, None)))

    async def cancel_order(self, order_no: str) -> OrderAnswer:
        return self._order(await self._call("acquire2/cancelOrder", requests.order_ref(order_no, None)))

    async def refund(self, biz: bytes) -> RefundAnswer:
        return self._refund(await self._call("acquire2/refund/placeOrder", biz))

    async def get_refund(self, refund_no: str) -> RefundAnswer:
        return self._refund(await self._call("acquire2/refund/getOrder", requests.refund_ref(refund_no, None)))

    async def get_cashier_url_info(self, token_url: str) -> Payer | None:
        """No simulated phone is seen before it pays."""
        return None

    async def update_expired_time(self, order_no: str, *, expires_ms: int) -> OrderAnswer:
        raise AssertionError("what nobody has scanned is not extended")

    async def open_ahead(self) -> None:
        """There is nothing to open."""

    async def probe(self) -> None:
        try:
            await self.get_order("probe")
        except errors.OrderUnknown:
            return

    async def close(self) -> None:
        self.is_dead = True

    async def _call(self, call: str, biz: bytes) -> Said:
        try:
            return await self._once(call, biz)
        except errors.ClockWrong:  # PayBy's Date header has told the time meanwhile
            return await self._once(call, biz)

    async def _once(self, call: str, biz: bytes) -> Said:
        if self.is_dead:
            raise asyncio.CancelledError
        if self._may_call and not self._may_call():
            raise errors.NotSent(call, why="another process makes this merchant's calls now")
        if self.guard:
            self.guard(call)
        payby, skew = self._payby, self.skew_ms
        ahead = skew if skew is not None and abs(skew) > 2000 else 0
        future = payby.send(call, biz, self._clock.wall_ms() + ahead)
        timer = payby.loop.call_later(TIMEOUT_S, lambda: future.done() or future.cancel())
        try:
            said = await future
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise errors.OutcomeUnknown(call, why="no answer within 10 s") from None
        finally:
            timer.cancel()
        self.skew_ms = payby.now_ms() - self._clock.wall_ms()
        if not said.genuine:
            raise errors.OutcomeUnknown(call, why="signature wrong")
        if said.code != "0":
            raise errors.failure(call, "FAIL", said.code, said.msg, "sim")
        return said

    @staticmethod
    def _order(said: Said) -> OrderAnswer:
        order = said.about
        assert isinstance(order, Order)
        amount = Money(Amount(money.text(order.amount + (100 if said.misfit else 0))), "AED")
        found = AcquireOrder(
            merchant_order_no=order.no,
            order_no=order.payby_no,
            status=said.status,
            total_amount=amount,
            payee_mid=PAYEE,
            revoked="false",
        )
        return OrderAnswer(found, said.token, said.body, said.sign)

    @staticmethod
    def _refund(said: Said) -> RefundAnswer:
        refund = said.about
        assert isinstance(refund, Refund)
        found = RefundOrder(
            refund_merchant_order_no=refund.no,
            status=said.status,
            amount=Money(Amount(money.text(refund.amount)), "AED"),
            origin_merchant_order_no=refund.order.no,
        )
        return RefundAnswer(found, None, said.body, said.sign)


class SeeingClient(StraightClient):
    """… of a merchant whom PayBy tells which phone has read a code."""

    async def get_cashier_url_info(self, token_url: str) -> Payer | None:
        said = await self._call("acquire2/getCashierUrlInfo", requests.cashier_url(token_url))
        return Payer(mobile_number_mask=said.payer) if said.payer else None

    async def update_expired_time(self, order_no: str, *, expires_ms: int) -> OrderAnswer:
        biz = requests.order_ref(order_no, None, expires_ms)
        return self._order(await self._call("acquire2/updateExpiredTime", biz))


def real_client(payby: SimPayBy, clock: Clock, keys: Keys, may_call: Callable[[], bool] | None = None) -> PayByClient:
    """The product's client; what it thinks is an aiohttp session leads to ``payby``."""
    return PayByClient(
        "https://payby.sim/sgs/api",
        PAYEE,
        keys.merchant,
        keys.payby_public,
        clock=clock,
        session=cast(aiohttp.ClientSession, _Session(payby, clock, keys)),
        may_call=may_call,
    )


class _Envelope(msgspec.Struct):
    requestTime: int
    bizContent: msgspec.Raw


@dataclass(frozen=True, slots=True)
class _Session:
    payby: SimPayBy
    clock: Clock
    keys: Keys

    def post(self, url: str, *, data: bytes, headers: dict[str, str], allow_redirects: bool) -> "_Exchange":
        assert not allow_redirects
        verify([self.keys.merchant.public_key()], data, headers["sign"])
        return _Exchange(self.payby, url.partition("/sgs/api/")[2], msgspec.json.decode(data, type=_Envelope))


class _Exchange:
    """One request and its answer, as ``async with session.post(...) as response`` sees them."""

    status = 200

    def __init__(self, payby: SimPayBy, call: str, envelope: _Envelope) -> None:
        self._payby = payby
        self._call = call
        self._envelope = envelope
        self.headers: dict[str, str] = {}
        self._said: Said

    @property
    def content(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        biz = bytes(self._envelope.bizContent)
        self._said = await self._payby.send(self._call, biz, self._envelope.requestTime)
        self.headers = {"Date": formatdate(self._payby.now_ms() / 1000, usegmt=True)}
        if self._said.sign:
            self.headers["sign"] = self._said.sign
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        pass

    async def iter_any(self) -> AsyncIterator[Any]:
        yield self._said.body.encode()
