"""The listener role itself. The package's docstring says what it answers when."""

import asyncio
import contextlib
import hashlib
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from terminal.build import cannot_listen
from terminal.config.schema import ConfigError
from terminal.contract.alerts import AlertCode
from terminal.contract.deflated import pack
from terminal.contract.messages import BadMessage, Paid, Receipt, Refund
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.ids import parse_order_no
from terminal.mqtt.endpoint import Endpoint, MessageStream
from terminal.mqtt.errors import MqttError
from terminal.mqtt.throttle import Throttle
from terminal.payby.errors import BadSignature, BadWords
from terminal.payby.messages import Notification, read_notification
from terminal.payby.signing import verify
from terminal.roles.listener.connections import (
    LIMITS,
    ConnectionLimiter,
    ConnectionLimits,
    HttpConnection,
    connection_of,
    make_request,
    read_body,
)
from terminal.roles.listener.metrics import Metrics

PATH = "/payby/notify"
INVOICES = "/receipt/"
LOG_EVERY_MS, ALERT_EVERY_MS = 10_000, 600_000
"""The least time between two log lines, or two alerts, of the same kind; each has the number since the last."""
REMEMBERED, REMEMBERED_S = 1000, 600.0
"""How many answered bodies are remembered, and for how long: PayBy's copies of them get the same answer."""
SUCCESS = b'{"response": "SUCCESS"}'
ANSWERED_BY = {"X-Answered-By": "exit-terminal"}
"""The header by which `check` knows that an address leads here."""
NO_ORDER = "none"
"""Stands in an order number's place for a notification of an unknown kind."""

log = logging.getLogger(__name__)


class InvoiceServer(Protocol):
    """What invoice_pages.py is to this role, if the garage issues tax invoices."""

    async def run(self) -> None:
        """Hear the worker's answers until cancelled."""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """The page of an address below INVOICES."""


class _Waiting:
    """One notification that waits for its receipt; its concurrent copies share this. One timer at a time."""

    __slots__ = ("_began_s", "_loop", "_moments_s", "_say_again", "_timer", "order_no", "receipt")

    def __init__(self, order_no: str, limits: ConnectionLimits, say_again: Callable[[], None]) -> None:
        self.order_no = order_no
        self._loop = asyncio.get_running_loop()
        self.receipt: asyncio.Future[bool] = self._loop.create_future()
        self._say_again = say_again
        self._began_s = self._loop.time()
        self._moments_s = iter((*limits.again_s, limits.receipt_s))
        self._timer = self._loop.call_at(self._began_s + next(self._moments_s), self._wake)

    def settle(self, is_journaled: bool) -> None:
        """The receipt has come, or will not; only the first call counts."""
        self._timer.cancel()
        if not self.receipt.done():
            self.receipt.set_result(is_journaled)

    def _wake(self) -> None:
        if (moment_s := next(self._moments_s, None)) is None:
            self.settle(False)
            return
        self._timer = self._loop.call_at(self._began_s + moment_s, self._wake)
        self._say_again()


class ListenerRole:
    """``run()`` serves until cancelled; ``started`` is set and ``port`` is the real one once it takes connections.

    ``payby_keys``: several while PayBy rotates its key. ``payee_mid``: whose payments are passed on; empty: all.
    ``invoices`` serves drivers' tax invoices; None: nobody does.
    run() raises OSError if the address cannot be bound.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        payby_keys: Sequence[RSAPublicKey],
        host: str,
        port: int,
        limits: ConnectionLimits = LIMITS,
        payee_mid: str = "",
        invoices: InvoiceServer | None = None,
    ) -> None:
        self.port = port
        self.started = asyncio.Event()
        self._endpoint = endpoint
        self._keys = tuple(payby_keys)
        self._payee_mid = payee_mid
        self._invoices = invoices
        self._host = host
        self._log_lines: defaultdict[str, Throttle] = defaultdict(partial(Throttle, LOG_EVERY_MS))
        self._alert_texts: defaultdict[AlertCode, Throttle] = defaultdict(partial(Throttle, ALERT_EVERY_MS))
        self._limits = limits
        self._limiter = ConnectionLimiter(limits)
        self._copies: dict[tuple[str, bytes], _Waiting] = {}
        self._waiting: dict[str, list[_Waiting]] = {}
        self._journaled: OrderedDict[bytes, float] = OrderedDict()
        """The digests of bodies that the worker has answered, and when."""
        self._alerts: set[asyncio.Task[None]] = set()
        self._in_hand = 0
        self._is_deaf = False
        self._metrics = Metrics(lambda: len(self._limiter), lambda: self._in_hand, self._is_whole)

    async def run(self) -> None:
        """Take notifications and receipts until cancelled. Raises ConfigError if it cannot listen."""
        loop = asyncio.get_running_loop()
        server = web.Server(self._answer, request_factory=make_request)
        try:
            socket = await loop.create_server(
                lambda: HttpConnection(server, loop, self._limiter, self._no_http), self._host, self.port, backlog=512,
                start_serving=False,  # it waits once its port is open, and cancelled there would leave it open
            )  # fmt: skip
        except OSError as error:
            key, why, advice = cannot_listen("listener", self._host, self.port, error)
            raise ConfigError(f"{key}: {why}; {advice}") from None
        try:
            await socket.start_serving()
            self.port = socket.sockets[0].getsockname()[1]
            with self._endpoint.subscribe("receipt", lane="+") as receipts:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._endpoint.run_heartbeat(), name="listener health")
                    tasks.create_task(self._hear(receipts), name="listener receipts")
                    if self._invoices:
                        tasks.create_task(self._invoices.run(), name="listener invoices")
                    self.started.set()
        finally:
            socket.close()
            server.pre_shutdown()
            await server.shutdown(0.5)

    async def _hear(self, receipts: MessageStream) -> None:
        async for received in receipts:
            received.ack()
            receipt = received.message
            if isinstance(receipt, Receipt) and receipt.notify_id is not None:
                for waiting in self._waiting.get(receipt.notify_id, ()):
                    if receipt.order_no in (None, waiting.order_no):
                        waiting.settle(True)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = connection_of(request)
        try:
            if request.path == PATH:
                return await self._posted(request, connection)
            connection.complete()
            if self._invoices and request.path.startswith(INVOICES):
                return await self._invoices.answer(request)
            return self._looked(request)
        finally:
            connection.idle()

    def _looked(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path not in ("/healthz", "/metrics"):
            return web.Response(status=404)
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == "/healthz":
            return web.json_response({"status": "ok" if self._is_whole() else "degraded"})
        body, content_type = self._metrics.page(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    def _is_whole(self) -> bool:
        return self._endpoint.mqtt_client.connected and not self._is_deaf

    async def _posted(self, request: web.BaseRequest, connection: HttpConnection) -> web.StreamResponse:
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"})
        outcome, status = await self._notified(request, connection)
        self._metrics.count(outcome)
        response = web.Response(status=status, content_type="application/json", headers=ANSWERED_BY)
        if status == 200:
            response.body = SUCCESS
        elif status in (400, 408, 413):  # the rest of the request may still be on its way
            response.force_close()
        return response

    async def _notified(self, request: web.BaseRequest, connection: HttpConnection) -> tuple[str, int]:
        """Handle a request; returns the outcome for the metrics, and the status."""
        try:
            body = await read_body(request, self._limits.read_s)
        except web.HTTPRequestEntityTooLarge:
            return self._seldom_logged("too-large", 413)
        except TimeoutError:
            return self._seldom_logged("slow", 408)
        except (ConnectionError, web.RequestPayloadError):
            return self._seldom_logged("broken-off", 400)
        connection.complete()
        arrived_s = _now_s()
        try:
            verify(self._keys, body, request.headers.get("sign"))
        except BadSignature as error:
            connection.idle()  # no answer is owed, so it may make room for another
            if error.why == "wrong":
                self._alert_seldom(
                    "bad-signature", "notifications came with a wrong signature: forged, or PayBy has a new key"
                )
            if len(self._limiter) > self._limits.calm_connections:
                await asyncio.sleep(self._limits.flood_delay_s)
            return self._seldom_logged(f"signature-{error.why}", 401)
        try:
            notification = read_notification(body)
            if self._is_anothers(notification):
                self._alert_seldom("foreign-payment", "genuine notifications came of payments to another merchant")
                return "another-payee", 200
            message, lane = self._message(notification, body.decode(), request.headers["sign"])
        except BadWords as error:
            self._alert_seldom("bad-notification", f"PayBy signed something that is not a notification: {error}")
            return self._seldom_logged("bad-notification", 400)
        if garage := self._elsewhere(message.order_no):
            self._alert_seldom("another-garage", f"notifications came of orders of other garages; the last: {garage}")
            return self._seldom_logged("another-garage", 503)
        digest = hashlib.sha256(body).digest()
        if arrived_s - self._journaled.get(digest, -REMEMBERED_S) < REMEMBERED_S:
            self._metrics.observe(_now_s() - arrived_s)
            return "repeated", 200
        order = notification.acquire_order
        if order and order.payment_info and order.payment_info.paid_time:
            self._metrics.observe_delay((self._endpoint.clock.wall_ms() - order.payment_info.paid_time) / 1000)
        try:
            self._in_hand += 1
            is_journaled = await self._relay(notification.notify_id, body, pack(message), lane)
        except BadMessage:  # too long even when packed; a payment is found by the worker's query
            self._alert_seldom("bad-notification", "PayBy signed a notification that is too long to be passed on")
            return self._seldom_logged("too-large", 413)
        finally:
            self._in_hand -= 1
        self._metrics.observe(_now_s() - arrived_s)
        if is_journaled:
            self._journaled[digest] = _now_s()
            self._journaled.move_to_end(digest)
            if len(self._journaled) > REMEMBERED:
                self._journaled.popitem(last=False)
        return ("success", 200) if is_journaled else self._seldom_logged("no-receipt", 503)

    def _is_anothers(self, notification: Notification) -> bool:
        """Is it about another merchant's money? PayBy does not say whose refunds and voids are."""
        order = notification.acquire_order
        return bool(self._payee_mid and order and order.payee_mid != self._payee_mid)

    def _elsewhere(self, order_no: str) -> str:
        """The garage that the order's number names, if it is not this one; empty for a number that is none of ours.
        Its own listener is behind the same public name, and PayBy tries again; its worker's query finds a payment
        anyway."""
        name = parse_order_no(order_no)
        return name.garage if name and name.garage != self._endpoint.garage else ""

    def _message(self, notification: Notification, body: str, sign: str) -> tuple[Paid | Refund, str]:
        """The message for the worker, and its lane; raises BadWords.

        A notification about neither a payment nor a refund (a chargeback, a voided pre-authorisation, an unknown kind)
        goes as ``paid`` too: the worker journals it, finds no order in it, and alerts.
        """
        told: dict[str, Any] = {"notify_id": notification.notify_id, "body": body, "sign": sign}
        if refund := notification.refund_order:
            order_no = refund.origin_merchant_order_no
            if order_no is None:
                raise BadWords("refundOrder: originMerchantOrderNo is missing")
            status = refund.stage or "created"  # an unknown status makes the worker look the refund up
            amount, currency = f"{refund.amount.amount:.2f}", refund.amount.currency
            if currency != "AED":
                raise BadWords("refundOrder: another currency than AED")
            return Refund(
                **self._endpoint.head(),
                **told,
                order_no=order_no,
                refund_no=refund.refund_merchant_order_no,
                amount=amount,
                currency="AED",
                status=status,
            ), self._lane(order_no)
        if order := notification.acquire_order:
            return Paid(**self._endpoint.head(), **told, order_no=order.merchant_order_no), self._lane(
                order.merchant_order_no
            )
        if chargeback := notification.acquire_chargeback:
            order_no = chargeback.merchant_order_no
            return Paid(**self._endpoint.head(), **told, order_no=order_no), self._lane(order_no)
        void = notification.void_order
        order_no = void.origin_merchant_order_no if void else NO_ORDER
        return Paid(**self._endpoint.head(), **told, order_no=order_no), GARAGE_WIDE

    def _lane(self, order_no: str) -> str:
        name = parse_order_no(order_no)
        return name.lane if name else GARAGE_WIDE

    async def _relay(self, notify_id: str, body: bytes, message: Paid | Refund, lane: str) -> bool:
        """Publish it until its receipt comes; False: none within 3 s. Copies that come meanwhile are not published."""
        if same := self._copies.get((notify_id, body)):
            return await asyncio.shield(same.receipt)
        if len(self._copies) >= self._limits.waiting:
            return False
        waiting = _Waiting(message.order_no, self._limits, lambda: self._later(self._say_again(message, lane)))
        self._copies[notify_id, body] = waiting
        self._waiting.setdefault(notify_id, []).append(waiting)
        try:
            await self._endpoint.publish(message, lane=lane)
            is_journaled = await waiting.receipt
        except MqttError:
            is_journaled = False
        finally:
            waiting.settle(False)
            del self._copies[notify_id, body]
            self._waiting[notify_id].remove(waiting)
            if not self._waiting[notify_id]:
                del self._waiting[notify_id]
        self._heard_from_worker(is_journaled)
        return is_journaled

    async def _say_again(self, message: Paid | Refund, lane: str) -> None:
        with contextlib.suppress(MqttError):  # PayBy then gets 503, and sends it again
            await self._endpoint.publish(message, lane=lane)

    def _heard_from_worker(self, is_journaled: bool) -> None:
        """Set health and alert when the worker falls silent, and clear both when it is back."""
        if is_journaled is not self._is_deaf:
            return
        self._is_deaf = not is_journaled
        if is_journaled:
            self._endpoint.healthy()
            self._later(self._endpoint.clear("no-receipt", "notifications are journaled again"))
        else:
            text = "PayBy's notifications are not journaled: check that the worker is running"
            self._endpoint.degraded("no receipt")
            self._later(self._endpoint.alert("no-receipt", text))

    def _no_http(self, error: BaseException | None) -> None:
        self._metrics.count("no-http")
        if error is not None and (count := self._log_lines["no-http"].take(_now_ms())):
            log.warning("%d requests were not HTTP or failed; the last one: %s", count, type(error).__name__)

    def _seldom_logged(self, outcome: str, status: int) -> tuple[str, int]:
        if count := self._log_lines[outcome].take(_now_ms()):
            log.warning("answered a notification with %d (%s); %d since the last such line", status, outcome, count)
        return outcome, status

    def _alert_seldom(self, code: AlertCode, text: str) -> None:
        if count := self._alert_texts[code].take(_now_ms()):
            self._later(self._endpoint.alert(code, f"{count} {text}"))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Send an alert without delaying an answer."""
        task = asyncio.create_task(work, name="listener alert")
        self._alerts.add(task)
        task.add_done_callback(self._alerts.discard)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _now_ms() -> int:
    return round(_now_s() * 1000)
