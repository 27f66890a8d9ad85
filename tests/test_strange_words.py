"""Whatever stands in a text of PayBy's or of a message, one stay at most is a person's: the next car is served.

Each field has a lane of its own, where a whole visit goes by with it; then a second car comes there, of which all is
said as it should be.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from terminal.clock import new_id
from terminal.contract.messages import Alert, Lift, Order, Paid, Screen, encode, stamp
from terminal.contract.signatures import sign_command
from terminal.core.ids import parse_order_no
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign
from tests.support.eventually import eventually
from tests.support.lifts import GARAGE, LANE, PAYEE, payby_key, private_key
from tests.support.worker_lane import CLOCK, Lane, to_json, working

TEXTS = {
    "20 kB": "x" * 20_000,
    "half a pair": "Parking \ud83d",
    "NUL": "nul \0",
    "line feed": "paid\nWARNING terminal.mqtt.alerts: alert forged raised",
    "turned around": "\u202egnikrap",
}
SPOKEN_S = 150.0


@dataclass(frozen=True)
class Case:
    """A field of PayBy's answers by its path, the text in it, and whether PayBy signs it."""

    path: tuple[str, ...]
    text: str
    signed: bool = True

    def put(self, found: dict[str, Any]) -> None:
        *way, last = self.path
        for step in way:
            found = found.setdefault(step, {})
            if not isinstance(found, dict):
                return
        found[last] = self.text


HEAD = [("head", name) for name in ("applyStatus", "code", "msg", "traceCode", "errors")]
ORDER = [
    *(("body", "acquireOrder", name) for name in (
        "merchantOrderNo", "orderNo", "status", "payeeMid", "subject", "deviceId", "reserved", "product", "notifyUrl",
        "revoked", "paySceneCode",
    )),
    ("body", "acquireOrder", "totalAmount", "currency"),
    ("body", "acquireOrder", "totalAmount", "amount"),
    *(("body", "acquireOrder", "paymentInfo", name) for name in ("payerMid", "payChannel", "instalmentTerms")),
    ("body", "interActionParams", "tokenUrl"),
    ("body", "of a later version"),
]  # fmt: skip
REFUND = [
    *(("body", "refundOrder", name) for name in (
        "refundMerchantOrderNo", "originMerchantOrderNo", "orderNo", "status", "reason", "failCode", "failDes",
    )),
    ("body", "refundOrder", "amount", "currency"),
    ("body", "refundSummary", "remainRefundAmount", "currency"),
]  # fmt: skip


class StrangeSandbox(Sandbox):
    """Answers about an order of a lane with what that lane's case puts into them."""

    cases: dict[str, Case]

    async def _send(self, request: web.Request, fault: Any, body: Any, refusal: Any) -> web.StreamResponse:
        words = body if isinstance(body, dict) else {}
        said = words.get("acquireOrder") or words.get("refundOrder") or {}
        name = parse_order_no(said.get("merchantOrderNo") or said.get("originMerchantOrderNo") or "")
        case = self.cases.get(name.lane) if name else None
        if case is None or (case.path[1] in ("refundOrder", "refundSummary")) != ("refundOrder" in words):
            return await super()._send(request, fault, body, refusal)
        found = json.loads(self._words(fault, words, refusal))
        if not case.signed:
            found = {"head": {"applyStatus": "FAIL", "code": "500", "msg": "SYSTEM_ERROR", "traceCode": "1"}}
        case.put(found)
        data = json.dumps(found).encode()
        headers = self._date() | ({"sign": sign(self.private_key, data)} if case.signed else {})
        return web.Response(body=data, content_type="application/json", headers=headers)


@pytest.fixture
async def sandbox() -> AsyncIterator[StrangeSandbox]:
    merchant = [payby_key("merchant").public_key()]
    strange = StrangeSandbox(merchant_keys=merchant, private_key=payby_key("payby"), partner_id=PAYEE, seed=1)
    strange.cases = {}
    async with strange as server:
        yield server


class Street(Lane):
    """Visits at many lanes at once."""

    async def seen(self, found: Callable[[], Any], limit_s: float = SPOKEN_S) -> Any:
        """The first thing that is found, or None."""
        with suppress(TimeoutError):
            return await eventually(found, limit_s=limit_s, every_s=0.02)
        return None

    def ordered(self, session: str | None) -> Callable[[], Order | None]:
        return lambda: next(
            (o for o in self.bus.of(Order) if o.session == session and o.status in ("created", "paid")), None
        )

    async def strange_visit(self, lane: str) -> None:
        """A driver reads, and pays if he is shown how."""
        await self.boom_is_down(lane)
        fee = self.fee()
        await self.reads(fee, lane)
        order = await self.seen(self.ordered(fee.session), 1.0)
        if order is None:
            return
        with suppress(Exception):  # an order of that number need not be there
            await self.sandbox.pay(order.order_no or "", notify=False)
        if await self.seen(lambda: self.lift_of(order), 3.0) and lane.startswith("refund"):
            await self.gives_back(order, lane)
            await asyncio.sleep(1.0)  # PayBy's answers about the refund, which no message shows where they are strange

    async def gives_back(self, order: Order, lane: str) -> None:
        fields = {"command": "refund", "by": "omar", "order_no": order.order_no}
        not_after = stamp(CLOCK.wall_ms() + 30_000)
        command = sign_command(
            private_key("console"), GARAGE, lane, key="console", **self.head(), **fields, not_after=not_after
        )
        await self.bus.hears(self.topic("command", lane), command)

    def lift_of(self, order: Order) -> Lift | None:
        return next((lift for lift in self.bus.of(Lift) if lift.order_no == order.order_no), None)

    async def next_car(self, lane: str) -> str:
        """Is the next one served, up to its lift? Returns the lane if not."""
        await self.boom_is_down(lane)
        fee = self.fee()
        await self.reads(fee, lane)
        order = await self.seen(self.ordered(fee.session))
        if order is None:
            return lane
        await self.sandbox.pay(order.order_no, notify=False)
        return "" if await self.seen(lambda: self.lift_of(order)) else lane


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("text", TEXTS)
async def test_no_text_of_paybys_keeps_the_next_car_from_being_served(
    sandbox: StrangeSandbox, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    cases = [Case(path, TEXTS[text]) for path in (*HEAD, *ORDER)] + [Case(p, TEXTS[text], False) for p in HEAD]
    lanes = {f"answer-{n}": case for n, case in enumerate(cases)}
    lanes |= {f"refund-{n}": Case(path, TEXTS[text]) for n, path in enumerate(REFUND)}
    # All lanes at once are more than a small machine likes, so PayBy is waited for longer.
    async with working(sandbox, kind=Street, timeout_s=10.0) as street:
        assert isinstance(street, Street)
        sandbox.cases = dict(lanes)
        await asyncio.gather(*(street.strange_visit(lane) for lane in lanes))
        sandbox.cases = {}
        unserved = [lane for lane in await asyncio.gather(*(street.next_car(lane) for lane in lanes)) if lane]
        assert {lane: lanes[lane].path for lane in unserved} == {}
        failed = [a.text for a in street.bus.of(Alert) if a.code in ("stay-failed", "worker-failing")]
        assert (failed, street.bus.unacknowledged) == ([], 0)
    assert [line for line in caplog.messages if not line.isprintable()] == []


def messages(lane: Lane) -> dict[str, Any]:
    """One of each kind that a worker hears, and PayBy's words in some."""
    no = f"{GARAGE}-{LANE}-{new_id(CLOCK).replace('-', '')}"
    now = stamp(CLOCK.wall_ms())
    body = to_json({"acquireOrder": {"status": "PAID_SUCCESS"}, "notify_id": "n", "notify_timestamp": 1})
    signature = sign(payby_key("payby"), body.encode())
    head = {"v": 1, "id": new_id(CLOCK), "at": now}
    command = sign_command(
        private_key("console"), GARAGE, LANE, key="console", **lane.head(), command="reset", by="o", session=head["id"],
        not_after=stamp(CLOCK.wall_ms() + 30_000), reason="r",
    )  # fmt: skip
    return {
        "fee": json.loads(encode(lane.fee())) | {"car": head["id"], "why": "ticket-unknown"},
        "barrier": head | {
            "state": "down", "lift": head["id"], "session": head["id"], "reason": "paid",
            "answer": {"lift": head["id"], "outcome": "raised", "why": "spent", "order_no": no},
        },
        "vehicle": head | {"waiting": True, "under_boom": False, "car": head["id"]},
        "health/lcd": head | {"state": "online", "version": "1", "instance": "x", "since": now, "reason": "r"},
        "health/worker": head | {
            "state": "online", "version": "1", "instance": "0", "since": now, "key": "worker", "sign": "s",
            "rival": "r",
        },
        "refund": head | {
            "order_no": no, "refund_no": "R1", "status": "success", "amount": "1.00", "currency": "AED",
            "notify_id": "n", "body": body, "sign": signature,
        },
        "paid": head | {"order_no": no, "notify_id": "n", "body": body, "sign": signature},
        "command": json.loads(encode(command)),
    }  # fmt: skip


def fields_of(message: dict[str, Any], way: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, value in message.items():
        found += fields_of(value, (*way, name)) if isinstance(value, dict) else []
        found += [(*way, name)] if isinstance(value, str) else []
    return found


@pytest.mark.parametrize("text", TEXTS)
async def test_no_text_of_a_message_keeps_the_next_car_from_being_served(
    sandbox: StrangeSandbox, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(sandbox) as lane:
        for what, message in messages(lane).items():
            for number, path in enumerate(fields_of(message)):
                said = json.loads(json.dumps(message)) | {"id": new_id(CLOCK)}
                Case(path, TEXTS[text]).put(said)
                place = "garage" if what == "health/worker" else f"{what.replace('/', '-')}-{number // 10}"
                await lane.bus.hears_bytes(lane.topic(what, place), json.dumps(said).encode())
        order = await lane.pays_at_the_qr()
        await sandbox.pay(order.order_no or "", notify=False)
        await lane.until(Lift, order_no=order.order_no)
        assert not [a.text for a in lane.bus.of(Alert) if a.code in ("stay-failed", "worker-failing")]
        assert all(a.text.isprintable() for a in lane.bus.of(Alert))
        assert lane.bus.unacknowledged == 0
    assert [line for line in caplog.messages if not line.isprintable()] == []


@pytest.mark.parametrize("text", TEXTS)
async def test_no_text_of_a_notification_keeps_the_next_car_from_being_served(
    sandbox: StrangeSandbox, text: str
) -> None:
    """PayBy signs all of them, and says them on the broker, as a listener would."""
    async with working(sandbox) as lane:
        order = await lane.pays_at_the_qr()
        words = json.loads(to_json({
            "acquireOrder": sandbox.book.orders[order.order_no or ""].words(), "notify_id": "n", "notify_timestamp": 1,
        }))  # fmt: skip
        for number, path in enumerate([*fields_of(words), ("acquireOrder", "paymentInfo", "payChannel")]):
            strange = json.loads(json.dumps(words))
            strange["acquireOrder"]["status"] = "PAID_SUCCESS"
            Case(path, TEXTS[text]).put(strange)
            body = json.dumps(strange)
            signature = sign(payby_key("payby"), body.encode())
            paid = Paid(**lane.head(), order_no=order.order_no or "", notify_id=f"n{number}", body=body, sign=signature)
            with suppress(ValueError):  # too long for a message
                await lane.bus.hears(lane.topic("paid", f"exit-{number + 2}"), paid)
        await lane.bus.until(Screen, len(lane.bus.of(Screen)))
        other = await lane.pays_at_the_qr("exit-99")
        await sandbox.pay(other.order_no or "", notify=False)
        await lane.until(Lift, order_no=other.order_no)
        assert not [a.text for a in lane.bus.of(Alert) if a.code in ("stay-failed", "worker-failing")]
        assert lane.bus.unacknowledged == 0
