"""Whose money a notification is about, and that the same words go in once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from terminal.contract.messages import Alert, Paid, Receipt
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign
from terminal.roles.listener.connections import ConnectionLimits
from terminal.roles.listener.role import ListenerRole
from tests.support.lifts import payby_key
from tests.support.listening import Client, PlayedWorker, outcomes, worker
from tests.support.payby_notices import PAYBY, notification, order, refund
from tests.support.worker_lane import Lane, sandbox, to_json, working

__all__ = ["sandbox", "worker"]
OURS, ANOTHERS = "200000000888", "200000000999"
SUCCESS = (200, b'{"response": "SUCCESS"}', "application/json")


@asynccontextmanager
async def ours(worker: PlayedWorker, limits: ConnectionLimits | None = None) -> AsyncIterator[Client]:
    """A listener that knows its payee."""
    listener = ListenerRole(
        worker.endpoint, payby_keys=[PAYBY.public_key()], host="127.0.0.1", port=0, payee_mid=OURS,
        limits=limits or ConnectionLimits(),
    )  # fmt: skip
    task = asyncio.create_task(listener.run())
    await listener.started.wait()
    async with aiohttp.ClientSession() as session:
        yield Client(listener.port, session)
    task.cancel()
    await asyncio.wait([task])


async def test_payments_to_another_merchant_are_counted_told_once_answered_success_and_left(
    worker: PlayedWorker,
) -> None:
    async with ours(worker) as client:
        for number in range(20):
            theirs = order(payeeMid=ANOTHERS, orderNo=str(number))
            assert await client.post(notification(f"n-{number}", acquireOrder=theirs)) == SUCCESS
        assert (worker.heard, worker.alerts) == ([], ["foreign-payment"])
        assert await outcomes(client) == {"another-payee": 20}
        assert await client.post(notification()) == SUCCESS
        assert [type(message) for message, _ in worker.heard] == [Paid]


ELSEWHERE = "creek-exit-1-0190d3f07c1e7a529d2f0123456789ab"


@pytest.mark.parametrize(
    "words",
    [
        {"acquireOrder": order(payeeMid=OURS, merchantOrderNo=ELSEWHERE)},
        {"refundOrder": refund(originMerchantOrderNo=f"{ELSEWHERE}-2")},
    ],
)
async def test_what_is_of_another_garage_is_for_its_listener_when_payby_tries_again(
    worker: PlayedWorker, words: dict[str, Any]
) -> None:
    async with ours(worker) as client:
        for number in range(20):
            assert (await client.post(notification(f"n-{number}", **words)))[0] == 503
        assert (worker.heard, worker.alerts) == ([], ["another-garage"])
        assert await outcomes(client) == {"another-garage": 20}
        assert await client.post(notification()) == SUCCESS, "it is not deaf for that"
        assert (await client.post(notification(**words), "forged"))[0] == 401


@pytest.mark.parametrize(
    "number",
    [
        "M572007254058",
        "creek-garage-0190d3f07c1e7a529d2f0123456789ab",
        f"{ELSEWHERE}-99",
        "Creek-exit-1-0190d3f07c1e7a529d2f0123456789ab",
        "marina-no-such-lane-0190d3f07c1e7a529d2f0123456789ab",
        "marina",
    ],
)
async def test_a_number_that_names_no_other_garage_goes_to_the_worker(worker: PlayedWorker, number: str) -> None:
    async with ours(worker) as client:
        assert await client.post(notification(acquireOrder=order(payeeMid=OURS, merchantOrderNo=number))) == SUCCESS
        assert (len(worker.heard), worker.alerts) == (1, [])


async def test_a_refund_of_which_payby_does_not_say_whose_it_is_goes_to_the_worker(worker: PlayedWorker) -> None:
    async with ours(worker) as client:
        assert await client.post(notification(refundOrder=refund())) == SUCCESS
        assert len(worker.heard) == 1


async def test_what_the_worker_has_answered_is_not_passed_on_again(worker: PlayedWorker) -> None:
    async with ours(worker) as client:
        body = notification()
        for _ in range(20):
            assert await client.post(body) == SUCCESS
        assert len(worker.heard) == 1
        assert await outcomes(client) == {"success": 1, "repeated": 19}
        assert (await client.post(body, "forged"))[0] == 401
        assert await client.post(notification("n-2")) == SUCCESS
        assert len(worker.heard) == 2


async def test_what_the_worker_has_not_answered_is_passed_on_again(worker: PlayedWorker) -> None:
    async with ours(worker, ConnectionLimits(receipt_s=0.05, again_s=())) as client:
        worker.answer = lambda message: None
        assert (await client.post(notification()))[0] == 503
        worker.answer = worker.receipt
        assert await client.post(notification()) == SUCCESS
        assert len(worker.heard) == 2


def of_an_unknown_order(lane: Lane, notify_id: str = "u") -> Paid:
    """Genuine, and of a number that this journal does not hold."""
    words = {
        "merchantOrderNo": "M572007254058", "orderNo": "1", "status": "PAID_SUCCESS", "payeeMid": OURS,
        "totalAmount": {"amount": 1, "currency": "AED"},
    }  # fmt: skip
    body = to_json({"acquireOrder": words, "notify_id": notify_id, "notify_timestamp": 1})
    signature = sign(payby_key("payby"), body.encode())
    return Paid(**lane.head(), order_no="M572007254058", notify_id=notify_id, body=body, sign=signature)


async def test_the_same_signed_words_are_journaled_and_told_once_and_answered_each_time(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        for _ in range(150):
            await lane.bus.hears(lane.topic("paid", "garage"), of_an_unknown_order(lane))
        await lane.bus.until(Receipt, 150)
        assert {(r.outcome, r.why) for r in lane.bus.of(Receipt)} == {("refused", "no such order")}
        assert [a.code for a in lane.bus.of(Alert)] == ["payment-unknown"]
        assert [row.kind for row in lane.log.rows].count("OrderReported") == 1
        await lane.bus.hears(lane.topic("paid", "garage"), of_an_unknown_order(lane, "another"))
        await lane.until(Receipt, notify_id="another")
        assert [row.kind for row in lane.log.rows].count("OrderReported") == 2
        assert lane.bus.unacknowledged == 0
