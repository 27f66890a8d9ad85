"""PayBy's client and the sandbox that it speaks to, with keys of their own."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from terminal.payby.client import PayByClient
from terminal.payby.requests import OrderRequest, RefundRequest
from terminal.payby.sandbox.server import Sandbox

MERCHANT = rsa.generate_private_key(65537, 2048)
PAYBY = rsa.generate_private_key(65537, 2048)
NO = "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab"
DEVICES = ("20001019", "1342")


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
