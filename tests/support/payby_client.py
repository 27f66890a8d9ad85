"""PayBy's client and the sandbox that it speaks to, with keys of their own."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import web

from terminal.payby.client import PayByClient
from terminal.payby.requests import OrderRequest, RefundRequest
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from tests.support.rsa_keys import rsa_key

MERCHANT = rsa_key("merchant")
PAYBY = rsa_key("payby")
NO = "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab"
DEVICES = ("20001019", "1342")
STRANGER = rsa_key("stranger")

UNKNOWN = [
    Fault(code="500", msg="SYSTEM_ERROR"),
    Fault(code="500", msg="SYSTEM_ERROR", sign="good"),
    Fault(code="504", msg="SERVICE_TIMEOUT", http_status=504),
    Fault(code="601", msg="RISK_FAIL"),
    Fault(code="403", msg="UNAUTHORIZED"),
    Fault(code="404", msg="SERVICE_NOT_AVAILABLE"),
    Fault(code="99999", msg="NEW"),
    Fault(drop=True),
    Fault(drop=True, done=True),
    Fault(half=True),
    Fault(html=True),
    Fault(sign="absent"),
    Fault(sign="malformed"),
    Fault(sign="wrong"),
    Fault(code="62001", msg="ORDER_PAID", sign="absent"),
    Fault(code="62002", msg="ORDER_FAILURE", sign="wrong"),
    Fault(code="62004", msg="MERCHANT_ORDER_NO_NOT_EXIST", http_status=500, sign="absent"),
    Fault(edit={"merchantOrderNo": "someone-elses"}),
    Fault(edit={"totalAmount": {"amount": "many", "currency": "AED"}}),
]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, seed=1, devices=DEVICES) as sandbox:
        yield sandbox


@pytest.fixture
async def payby(sandbox: Sandbox) -> AsyncIterator[PayByClient]:
    async with client(sandbox, timeout_s=5) as payby:
        yield payby


def biz(no: str = NO, **more: Any) -> bytes:
    return OrderRequest(order_no=no, amount=Decimal("20.00"), subject="Parking", **more).biz_content()


def refund_biz(no: str = "R1", amount: str = "20.00") -> bytes:
    return RefundRequest(refund_no=no, amount=Decimal(amount), origin_order_no=NO).biz_content()


def client(sandbox: Sandbox, **options: Any) -> PayByClient:
    return PayByClient(sandbox.base_url, sandbox.partner_id, MERCHANT, [sandbox.public_key], **options)


@asynccontextmanager
async def raw_server(answer: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[Any]]]:
    """A server that is no PayBy at all."""
    presence: list[Any] = []

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        presence.append(request.transport.get_extra_info("peername") if request.transport else None)
        response: web.Response = answer(request)
        response.headers["Date"] = formatdate(usegmt=True)
        return response

    app = web.Application()
    app.router.add_post("/x/{call:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/x", presence
    finally:
        await runner.cleanup()
