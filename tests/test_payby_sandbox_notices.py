"""The sandbox notifies as PayBy notifies: signed, again and again, and wrongly on demand."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from aiohttp import web

from terminal.payby.messages import read_notification, read_order
from terminal.payby.sandbox.faults import NotifyFault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import verify
from tests.support.sandbox_http import MERCHANT, NOON, PAYBY, Ask, ask, clock, http, order, sandbox
from tests.support.turned_clock import TurnedClock

__all__ = ["ask", "clock", "http", "sandbox"]


class Merchant:
    """A notifyUrl that answers as the test says, and remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, str | None]] = []
        self.answers: list[web.Response] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.heard.append((await request.read(), request.headers.get("sign")))
        return self.answers.pop(0) if self.answers else web.json_response({"response": "SUCCESS"})


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    merchant = Merchant()
    app = web.Application()
    app.router.add_post("/payby/notify", merchant.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    merchant.url = f"http://127.0.0.1:{runner.addresses[0][1]}/payby/notify"
    yield merchant
    await runner.cleanup()


async def test_a_payment_is_notified_in_paybys_signed_words(sandbox: Sandbox, ask: Ask, merchant: Merchant) -> None:
    await ask("acquire2/placeOrder", order(notifyUrl=merchant.url))
    await sandbox.pay("a-1", paid_amount=Decimal("19.50"))
    await sandbox.notified()
    ((body, signature),) = merchant.heard
    verify([sandbox.public_key], body, signature)
    notification = read_notification(body)
    assert notification.acquire_order == read_order(body)
    assert notification.acquire_order.payment_info is not None
    assert notification.acquire_order.payment_info.paid_amount is not None
    assert notification.acquire_order.total_amount.amount == 20
    assert notification.acquire_order.payment_info.paid_amount.amount == Decimal("19.50")
    assert [d.ok for d in sandbox.deliveries] == [True]


async def test_a_refund_is_notified_to_the_orders_url(sandbox: Sandbox, ask: Ask, merchant: Merchant) -> None:
    await ask("acquire2/placeOrder", order(notifyUrl=merchant.url))
    await sandbox.pay("a-1", notify=False)
    sandbox.book.refund_status = "CREATED"
    back = {"refundMerchantOrderNo": "R1", "originMerchantOrderNo": "a-1", "amount": {"amount": 1, "currency": "AED"}}
    answer = await ask("acquire2/refund/placeOrder", back)
    assert answer["body"]["refundOrder"]["status"] == "CREATED"
    await sandbox.finish_refund("R1", "REFUNDED_SETTLED")
    await sandbox.notified()
    refund = read_notification(merchant.heard[0][0]).refund_order
    assert refund is not None
    assert (refund.refund_merchant_order_no, refund.origin_merchant_order_no, refund.status) == (
        "R1", "a-1", "REFUNDED_SETTLED",
    )  # fmt: skip


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=503),
        web.Response(status=202, body=b'{"response": "SUCCESS"}', content_type="application/json"),
        web.Response(body=b'{"response": "FAIL"}', content_type="application/json"),
        web.Response(body=b'{"response": "SUCCESS"}', content_type="text/plain"),
        web.Response(body=b"SUCCESS", content_type="application/json"),
        web.Response(body=b'["SUCCESS"]', content_type="application/json"),
    ],
    ids=range(6),
)
async def test_anything_but_success_is_asked_again(
    clock: TurnedClock, merchant: Merchant, answer: web.Response
) -> None:
    async with Sandbox(
        merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, clock=clock, sleep=lambda _: asyncio.sleep(0)
    ) as sandbox:
        sandbox.book.place(order(notifyUrl=merchant.url), NOON, NOON)
        merchant.answers = [answer]
        await sandbox.pay("a-1")
        await sandbox.notified()
        assert [d.ok for d in sandbox.deliveries] == [False, True]
        assert merchant.heard[0] == merchant.heard[1]


async def test_retries_come_after_2_10_10_60_120_360_900_minutes_and_then_silence(clock: TurnedClock) -> None:
    slept: list[float] = []

    async def sleep(s: float) -> None:
        slept.append(s)

    async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, clock=clock, sleep=sleep) as sandbox:
        sandbox.book.place(order(notifyUrl="http://127.0.0.1:1/"), NOON, NOON)
        await sandbox.pay("a-1")
        await sandbox.notified()
        assert slept[1:] == [60 * minutes for minutes in (2, 10, 10, 60, 120, 360, 900)]
        assert [d.status for d in sandbox.deliveries] == [None] * 8


async def test_notifications_go_wrong_on_demand(sandbox: Sandbox, ask: Ask, merchant: Merchant) -> None:
    await ask("acquire2/placeOrder", order(notifyUrl=merchant.url))
    sandbox.notify_fault = NotifyFault(never=True)
    await sandbox.pay("a-1")
    await sandbox.notified()
    assert merchant.heard == []
    sandbox.notify_fault = NotifyFault(copies=3, edit={"totalAmount": {"amount": Decimal("0.01"), "currency": "AED"}})
    sandbox.notify("a-1")
    await sandbox.notified()
    assert len(merchant.heard) == 3
    assert len(set(merchant.heard)) == 1
    verify([sandbox.public_key], *merchant.heard[0])
    assert read_order(merchant.heard[0][0]).total_amount.amount == Decimal("0.01")
    for how in ("wrong", "malformed", "absent"):
        sandbox.notify_fault = NotifyFault(sign=how)
        sandbox.notify("a-1")
        await sandbox.notified()
        with pytest.raises(Exception, match=how):
            verify([sandbox.public_key], *merchant.heard[-1])
