"""The sandbox over plain HTTP, asked without the client, by a clock that a test turns."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from terminal.payby.errors import unsigned
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign, verify
from tests.support.rsa_keys import rsa_key
from tests.support.turned_clock import TurnedClock

MERCHANT = rsa_key("merchant")
PAYBY = rsa_key("payby")
NOON = 1_770_000_000_000
MINUTE = 60_000


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock(NOON)


@pytest.fixture
async def sandbox(clock: TurnedClock) -> AsyncIterator[Sandbox]:
    async with Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, clock=clock, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def ask(sandbox: Sandbox, http: aiohttp.ClientSession, clock: TurnedClock) -> Ask:
    """Call the sandbox by hand; every answer must be signed, but for what PayBy's gateway says itself."""

    async def ask(call: str, biz: Any, *, at: int | None = None, **headers: str | None) -> dict[str, Any]:
        body = json.dumps({"requestTime": clock.wall if at is None else at, "bizContent": biz}).encode()
        sent = {
            "Content-Type": "application/json",
            "Partner-Id": sandbox.partner_id,
            "sign": sign(MERCHANT, body),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value is not None}
        async with http.post(f"{sandbox.base_url}/{call}", data=body, headers=kept) as reply:
            raw = await reply.read()
            answer: dict[str, Any] = json.loads(raw)
            if unsigned(answer["head"]["code"]):
                assert "sign" not in reply.headers
            else:
                verify([sandbox.public_key], raw, reply.headers.get("sign"))
            return answer

    return ask


def order(no: str = "a-1", **changed: Any) -> dict[str, Any]:
    return {
        "merchantOrderNo": no,
        "subject": "Parking",
        "totalAmount": {"amount": 20, "currency": "AED"},
        "paySceneCode": "DYNQR",
    } | changed


def code(answer: dict[str, Any]) -> tuple[str, str, str]:
    head = answer["head"]
    return head["applyStatus"], head["code"], head["msg"].split()[0]
