"""``check --order``: a real order, paid with a phone and refunded, which proves DYNQR, deviceId, expiry and notifyUrl
before the first driver comes. Money moves here: the order's amount, there and back.
"""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from decimal import Decimal, InvalidOperation

import segno
from aiohttp import web

from terminal import build
from terminal.config.schema import ConfigError, PaybySettings, Settings
from terminal.payby import errors
from terminal.payby.client import OrderAnswer, PayByClient
from terminal.payby.messages import REFUNDED, read_notification
from terminal.payby.requests import OrderRequest, RefundRequest
from terminal.payby.signing import verify
from terminal.tools.check.finding import Finding
from terminal.tools.check.report import CheckReport
from terminal.tools.check.services import what_to_do

NOTIFIED_S = 15.0
"""How long after the payment PayBy's notification may come."""
REFUNDED_S = 30.0
_MARGIN_MS = 600_000
_MOST = Decimal(100)
_NOTIFY_PATH = "/payby/notify"


def amount_of(text: str) -> Decimal:
    """``--amount``; raises ConfigError."""
    try:
        amount = Decimal(text)
        if not Decimal("0.01") <= amount <= _MOST or amount != amount.quantize(Decimal("0.01")):
            raise InvalidOperation
    except InvalidOperation:
        raise ConfigError(f"check: --amount: got {text[:20]!r}, takes AED 0.01 to {_MOST}.00, as 1.00") from None
    return amount


async def prove(
    settings: Settings,
    amount: Decimal,
    *,
    blocks: bool,
    report: CheckReport,
    wait_s: float | None = None,
) -> bool:
    """Report each step as it happens; returns whether all went well. ``wait_s``: how long the payer has, by default
    as long as a driver. Raises ConfigError, BadKey."""
    payby = settings.need(PaybySettings)
    lane = settings.lane.id if settings.lane else ""
    device = payby.device_ids.get(lane)
    client = build.payby_client(payby)
    proof = _OrderProof(settings, payby, client, device, report)
    async with client, proof.listening():
        return await proof.run(amount, blocks, payby.cancel_after if wait_s is None else wait_s)


class _OrderProof:
    def __init__(
        self, settings: Settings, payby: PaybySettings, client: PayByClient, device: str | None, report: CheckReport
    ) -> None:
        self._settings, self._payby, self._client, self._device = settings, payby, client, device
        self._report = report
        self._no = f"check-{uuid.uuid4().hex}"
        self._good = True
        self._deaf = ""
        """Why no notification can be seen here; empty if it can."""
        self._notified = asyncio.Event()

    async def run(self, amount: Decimal, blocks: bool, wait_s: float) -> bool:
        """All steps, in their order."""
        try:
            placed = await self._place(amount)
        except errors.PayByError as error:
            return self._failed("order", error)
        device = f", device {self._device}" if self._device else ", no deviceId"
        self._tell("order", True, f"{self._no}, AED {amount:.2f}{device}: PayBy made a code")
        self._report.show(_code(placed.token_url or "", blocks=blocks))
        self._report.show(f"Pay it with the PayBy or BOTIM app (in UAT the test app) within {wait_s:.0f} s.")
        try:
            paid = await self._wait(placed, wait_s)
        except errors.PayByError as error:
            with suppress(errors.PayByError):
                await self._client.cancel_order(self._no)
            return self._failed("paid", error)
        if paid is None:
            return False
        await self._hear()
        await self._give_back(amount)
        return self._good

    async def _place(self, amount: Decimal) -> OrderAnswer:
        garage = self._settings.garage
        order = OrderRequest(
            order_no=self._no,
            amount=amount,
            subject=f"Test of {garage.name if garage else 'a terminal'}"[:64],
            change_payer=False,
            expires_ms=self._client.now_ms() + round(self._payby.cancel_after * 1000) + _MARGIN_MS,
            notify_url=self._payby.notify_url,
            device_id=self._device,
        )
        biz = order.biz_content()
        try:
            answer = await self._client.place_order(biz)
        except errors.ClockWrong:  # now the client knows PayBy's time
            answer = await self._client.place_order(biz)
        if not answer.token_url:
            raise errors.BadWords(f"placeOrder: the order is {answer.order.status}, and there is no tokenUrl")
        return answer

    async def _wait(self, placed: OrderAnswer, wait_s: float) -> OrderAnswer | None:
        """Query as a lane does, until the order is paid; close it if nobody pays."""
        loop, scanned, asks = asyncio.get_running_loop(), False, True
        until = loop.time() + wait_s
        while loop.time() < until:
            await asyncio.sleep(min(self._payby.query_every, max(0.0, until - loop.time())))
            answer = await self._client.get_order(self._no, device_id=self._device, attempts=3)
            if answer.order.is_final:
                return self._ended(answer, placed)
            if asks and not scanned:
                asks, scanned = await self._scanned(placed.token_url or "")
        try:
            await self._client.cancel_order(self._no)
            text = f"nobody paid within {wait_s:.0f} s; the order was cancelled"
        except errors.OrderPaid:
            return self._ended(await self._client.get_order(self._no, device_id=self._device, attempts=3), placed)
        except errors.PayByError as error:
            text = f"nobody paid within {wait_s:.0f} s, and the order could not be cancelled: {error}"
        self._tell("paid", False, text, "scan the code above with a phone that can pay")
        return None

    async def _scanned(self, token_url: str) -> tuple[bool, bool]:
        """Ask whether it was scanned; returns whether to ask again."""
        try:
            payer = await self._client.get_cashier_url_info(token_url)
        except errors.PayByError as error:
            self._not_proven("scanned", f"PayBy does not tell, and it is not needed: {error}")
            return False, False
        if payer is None:
            return True, False
        self._tell("scanned", True, f"by {payer.mobile_number_mask or 'a phone whose number PayBy does not tell'}")
        return True, True

    def _ended(self, answer: OrderAnswer, placed: OrderAnswer) -> OrderAnswer | None:
        order, info = answer.order, answer.order.payment_info
        mid = self._payby.payee_mid or self._payby.partner_id
        if not order.is_paid:
            why = " ".join(filter(None, (order.fail_code, order.fail_des))) or "PayBy gives no reason"
            self._tell("paid", False, f"the order is {order.status}: {why}", "try again; then ask PayBy")
            return None
        if order.payee_mid != mid:
            self._tell("paid", False, f"paid to payeeMid {order.payee_mid}, not to {mid}", "correct payby.payee_mid")
        elif order.total_amount != placed.order.total_amount or order.total_amount.currency != "AED":
            self._tell("paid", False, "PayBy names another amount than the order's", "ask PayBy, with the order number")
        else:
            channel = f", by {info.pay_channel}" if info and info.pay_channel else ""
            self._tell("paid", True, f"AED {order.total_amount.amount} to {mid}{channel}; orderNo {order.order_no}")
        return answer

    async def _hear(self) -> None:
        url = self._payby.notify_url
        if url is None:
            text = "none was asked for, because payby.notify_url is not set; queries find payments"
            self._not_proven("notification", text)
        elif self._deaf:
            self._not_proven("notification", f"not seen here: {self._deaf}")
        else:
            try:
                async with asyncio.timeout(NOTIFIED_S):
                    await self._notified.wait()
                self._tell("notification", True, f"PayBy's own came through {url}")
            except TimeoutError:
                text = f"none came through {url} within {NOTIFIED_S:.0f} s"
                advice = (
                    "make sure that the address is public, has a public authority's certificate and leads to [listener]"
                )
                self._tell("notification", False, text, advice)

    async def _give_back(self, amount: Decimal) -> None:
        refund = RefundRequest(refund_no=f"R{uuid.uuid4().hex}", amount=amount, origin_order_no=self._no, reason="test")
        biz, loop = refund.biz_content(), asyncio.get_running_loop()
        until = loop.time() + REFUNDED_S
        try:
            said = (await self._client.refund(biz)).refund
            while said.status == "CREATED" and loop.time() < until:
                await asyncio.sleep(2.0)
                said = (await self._client.get_refund(refund.refund_no, attempts=3)).refund
        except errors.PayByError as error:
            self._failed("refund", error)
            return
        text = f"{refund.refund_no} is {said.status}"
        if said.status == "CREATED":
            self._not_proven("refund", text)
        else:
            good = said.status in REFUNDED
            self._tell("refund", good, text, "" if good else "give it back in PayBy's portal")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take notifications in place of the listener, unless that is running or not configured."""
        async with AsyncExitStack() as stack:
            listener = self._settings.listener
            if self._payby.notify_url and listener:
                app = web.Application(client_max_size=64 * 1024)
                app.router.add_post(_NOTIFY_PATH, self._heard)
                runner = web.AppRunner(app, access_log=None)
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                try:
                    await web.TCPSite(runner, listener.host, listener.port).start()
                except OSError:
                    self._deaf = "the running listener got it; look at its /metrics, or stop it for this test"
            else:
                self._deaf = "this configuration has no [listener]"
            yield

    async def _heard(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            verify(build.payby_public_keys(self._payby), body, request.headers.get("sign"))
            order = read_notification(body).acquire_order
        except errors.BadSignature:
            return web.Response(status=401)
        except errors.PayByError:
            return web.Response(status=400)
        if order is None or order.merchant_order_no != self._no:
            return web.Response(status=503)  # another order's: PayBy sends it again once the listener is back
        self._notified.set()
        return web.json_response({"response": "SUCCESS"})

    def _failed(self, step: str, error: errors.PayByError) -> bool:
        self._tell(step, False, str(error), what_to_do(error))
        return False

    def _tell(self, step: str, ok: bool, text: str, advice: str = "") -> None:
        self._good = self._good and ok
        self._report.found(Finding(step, ok, text, advice))

    def _not_proven(self, step: str, text: str) -> None:
        self._report.found(Finding(step, True, text, but="unproven"))


def _code(token_url: str, *, blocks: bool) -> str:
    drawn = io.StringIO()
    segno.make_qr(token_url, error="l").terminal(drawn, compact=blocks)
    return f"{drawn.getvalue()}{token_url}"
