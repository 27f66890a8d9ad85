"""The sandbox as an HTTP server: the API under ``/sgs/api/``, and ``/sandbox/`` for pages and scripts::

    async with Sandbox(merchant_keys=[key.public_key()]) as sandbox:
        payby = PayByClient(sandbox.base_url, sandbox.partner_id, key, [sandbox.public_key])
        answer = await payby.place_order(...)
        await sandbox.pay(answer.token_url)

``api`` and ``order_book`` say what a call does.
"""

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from decimal import Decimal
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from terminal.payby.server_clock import LocalClock, LocalSystemClock

from ..errors import unsigned
from ..signing import sign
from .api import CALLS, Call, UnknownSigner, genuine, perform
from .control import control_routes
from .faults import Fault, Faults, NotifyFault, Signature, spoil
from .http_site import HttpSite
from .notifier import NotificationAttempt, Notifier
from .order_book import OrderBook
from .orders import SandboxChargeback, SandboxOrder, SandboxRefund
from .parameters import Refusal
from .statement_writer import Version

BASE_PATH = "/sgs/api/"
_HTML = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
_PROBE = b'{"merchantOrderNo":"probe"}'
"""What PayByClient.probe() asks for."""
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Sandbox:
    """PayBy for one merchant, on loopback by default; port 0 takes a free one.

    ``clock`` is PayBy's: the 15 minutes, expiry and the Date header go by it. ``time_scale`` shortens the waits between
    repeated notifications. ``seed`` makes tokens and order numbers repeatable. ``unsigned_errors``: leave the
    signature off every error answer, or off none; None: off those that PayBy's gateway gives (400, 403, 500, 601, …).
    ``devices``: those of the merchant's portal. ``statement_stars``: one of PayBy's pages shows statements without
    them.
    """

    def __init__(
        self,
        *,
        merchant_keys: Sequence[rsa.RSAPublicKey],
        private_key: rsa.RSAPrivateKey | None = None,
        partner_id: str = "200000000888",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: LocalClock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        seed: int | None = None,
        time_scale: float = 1.0,
        statement_version: Version = 2,
        statement_stars: bool = True,
        unsigned_errors: bool | None = None,
        devices: Collection[str] = (),
    ) -> None:
        self.merchant_keys = list(merchant_keys)
        self.private_key = private_key or rsa.generate_private_key(65537, 2048)
        self.partner_id = partner_id
        self.host = host
        self.port = port
        self.clock = clock or LocalSystemClock()
        self.book = OrderBook(partner_id, random.Random(seed), devices=devices)
        self.calls: list[Call] = []
        """The calls about orders, refunds and reports; ``probes`` has those that only ask whether PayBy answers."""
        self.probes = 0
        self.cut_off = False
        """True: every call's connection ends without an answer, as if PayBy were down."""
        self.on_call: Callable[[Call], Awaitable[None] | None] | None = None
        """Called with each genuine call before it does anything; may wait."""
        self.notify_fault = NotifyFault()
        self.statement_version = statement_version
        self.statement_stars = statement_stars
        self.unsigned_errors = unsigned_errors
        self._sleep = sleep
        self._faults = Faults()
        self._notifier = Notifier(self.private_key, wall_ms=self.clock.wall_ms, sleep=sleep, time_scale=time_scale)
        self._trace = 0
        self._served: HttpSite | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=256 * 1024)
        for call in CALLS:
            app.router.add_post(BASE_PATH + call, self._answer)
        app.add_routes(control_routes(self))
        self._served = HttpSite(app, shutdown_s=0.5)
        self.port = await self._served.start(self.host, self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._notifier.close()
        if self._served is not None:
            await self._served.stop()

    @property
    def base_url(self) -> str:
        """The value for ``payby.base_url``."""
        return f"http://{self.host}:{self.port}{BASE_PATH.rstrip('/')}"

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """The key with which the merchant verifies our words."""
        return self.private_key.public_key()

    @property
    def orders(self) -> dict[str, SandboxOrder]:
        """All orders by our number."""
        return self.book.orders

    @property
    def refunds(self) -> dict[str, SandboxRefund]:
        """All refunds by our number."""
        return self.book.refunds

    @property
    def deliveries(self) -> list[NotificationAttempt]:
        """Every notification posted so far."""
        return self._notifier.deliveries

    def calls_of(self, name: str) -> list[Call]:
        """The calls of one name, in order."""
        return [call for call in self.calls if call.name == name]

    def fail(self, call: str, fault: Fault, times: int | None = 1) -> None:
        """Give the next ``times`` calls of this name (``*``: of any name) this fault; None: until heal()."""
        self._faults.add(call, fault, times)

    def heal(self, call: str | None = None) -> None:
        """Clear the faults of one call or all; PayBy is up again."""
        self._faults.clear(call)
        if call is None:
            self.cut_off = False
            self.notify_fault = NotifyFault()

    async def pay(
        self,
        ref: str,
        *,
        payer: str = "100000012396",
        paid_amount: Decimal | None = None,
        settle: bool = False,
        notify: bool = True,
    ) -> SandboxOrder:
        """Pay by order number or token URL. Raises KeyError for an unknown order, Refusal if it cannot be paid."""
        order = self.book.pay(ref, payer, self.clock.wall_ms(), paid_amount)
        if settle:
            self.book.settle(order.no, self.clock.wall_ms())
        if notify:
            self.notify(order.no)
        return order

    async def scan(self, ref: str, *, payer: str = "100000012396") -> SandboxOrder:
        """A phone reads the code, as getCashierUrlInfo tells: the order stays CREATED, and may now be reserved for
        it."""
        return self.book.scan(ref, payer, self.clock.wall_ms())

    async def decline(self, ref: str, *, payer: str = "100000012396") -> SandboxOrder:
        """The payer scans the code and does not pay."""
        return await self.scan(ref, payer=payer)

    async def settle(self, ref: str) -> SandboxOrder:
        """The money of a paid order reaches the merchant. PayBy does not notify of that."""
        return self.book.settle(ref, self.clock.wall_ms())

    async def charge_back(self, ref: str, *, amount: Decimal | None = None, case: str = "fraud") -> SandboxChargeback:
        """The payer's bank takes a payment back, whole or in part; PayBy notifies of it."""
        taken = self.book.charge_back(ref, amount, case, self.clock.wall_ms())
        url = taken.order.asked.get("notifyUrl")
        self._notifier.send("acquireChargeback", taken.order.no, taken.words(), url, self.notify_fault)
        return taken

    async def finish_refund(self, refund_no: str, status: str = "SUCCESS") -> SandboxRefund:
        """Give a refund its final status, and notify."""
        refund = self.book.refunds[refund_no]
        refund.status = status
        self._notify_refund(refund)
        return refund

    def notify(self, ref: str) -> None:
        """Post a notification about an order as it stands now, genuine but for ``notify_fault``."""
        order = self.book.find(ref, self.clock.wall_ms())
        self._notifier.send("acquireOrder", order.no, order.words(), order.asked.get("notifyUrl"), self.notify_fault)

    async def notified(self) -> None:
        """Return when no notification is under way any more, retries included."""
        await self._notifier.settle()

    def _notify_refund(self, refund: SandboxRefund) -> None:
        url = refund.asked.get("notifyUrl") or refund.order.asked.get("notifyUrl")
        self._notifier.send("refundOrder", refund.order.no, refund.words(), url, self.notify_fault)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix(BASE_PATH).removeprefix("acquire2/").removeprefix("acquire2Query/")
        call = Call(
            name.removeprefix("download/"),
            self.clock.wall_ms(),
            self.clock.steady_ms(),
            await request.read(),
            request.headers.copy(),
        )
        if self.cut_off:
            return _drop(request)
        if _PROBE in call.body:
            self.probes += 1
        else:
            self.calls.append(call)
        fault = call.fault = self._faults.take(call.name) or Fault()
        try:
            requested_ms = genuine(call, self.partner_id, self.merchant_keys)
            if self.on_call and inspect.isawaitable(waiting := self.on_call(call)):
                await waiting
            body = None if fault.prevents else self._perform(call, requested_ms)
            refusal = Refusal(fault.code, fault.msg) if fault.code is not None else None
        except Refusal as said:
            body, refusal = None, said
        if fault.delay_s:
            await self._sleep(fault.delay_s)
        if fault.drop:
            return _drop(request)
        if fault.html:
            return web.Response(status=502, body=_HTML, content_type="text/html", headers=self._date())
        call.code = refusal.code if refusal else "0"
        return await self._send(request, fault, body, refusal)

    def _perform(self, call: Call, requested_ms: int) -> dict[str, Any] | bytes:
        body, made = perform(call, requested_ms, self.book, self.statement_version, stars=self.statement_stars)
        if made and made.status != "CREATED":
            self._notify_refund(made)
        return body

    async def _send(
        self, request: web.Request, fault: Fault, body: dict[str, Any] | bytes | None, refusal: Refusal | None
    ) -> web.StreamResponse:
        headers = self._date()
        if isinstance(body, bytes) and refusal is None:
            data, kind = body, "application/zip"
            headers["Content-Disposition"] = 'attachment; filename="statement.zip"'
        else:
            data, kind = self._words(fault, body if isinstance(body, dict) else {}, refusal), "application/json"
        how = fault.sign or self._signs(refusal)
        if (signature := spoil(sign(self.private_key, data), how)) is not None:
            headers["sign"] = signature
        response = web.Response(status=fault.http_status, body=data, content_type=kind, headers=headers)
        if not fault.half:
            return response
        cut = web.StreamResponse(status=fault.http_status, headers=response.headers)
        await cut.prepare(request)
        await cut.write(data[: len(data) // 2])
        return _drop(request)

    def _signs(self, refusal: Refusal | None) -> Signature:
        if refusal is None:
            return "good"
        bare = unsigned(refusal.code) if self.unsigned_errors is None else self.unsigned_errors
        return "absent" if bare else "good"

    def _words(self, fault: Fault, body: dict[str, Any], refusal: Refusal | None) -> bytes:
        self._trace += 1
        head = {"applyStatus": "SUCCESS", "code": "0", "msg": "SUCCESS", "traceCode": f"{self._trace:06d}"}
        if refusal:
            apply_status = "ERROR" if isinstance(refusal, UnknownSigner) else fault.apply_status
            head |= {"applyStatus": apply_status, "code": refusal.code, "msg": refusal.msg}
            return _ENCODER.encode({"head": head})
        for part in ("acquireOrder", "refundOrder"):
            if part in body:
                body[part] |= fault.edit
        return _ENCODER.encode({"head": head, "body": body})

    def _date(self) -> dict[str, str]:
        return {"Date": formatdate(self.clock.wall_ms() / 1000, usegmt=True)}


def _drop(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
