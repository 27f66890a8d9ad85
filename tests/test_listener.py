"""The listener over real HTTP, with a link that the test plays."""

import asyncio
import json
import logging
import random
import re
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from terminal.contract.deflated import PREFIX, unpack
from terminal.contract.messages import Health, Paid, Refund
from terminal.mqtt.errors import ConnectionRefused
from terminal.payby.signing import sign
from terminal.roles.listener.connections import ConnectionLimits
from tests.support.eventually import eventually
from tests.support.listening import Client, PlayedWorker, client, gauge, listening, outcomes, worker
from tests.support.payby_notices import GENUINE, NEXT, NO, PAYBY, SESSION, STRANGER, notification, order, refund

__all__ = ["client", "worker"]


async def test_a_payment_is_told_in_paybys_words_and_answered_success(worker: PlayedWorker, client: Client) -> None:
    body = notification()
    assert await client.post(body) == (200, b'{"response": "SUCCESS"}', "application/json")
    ((message, lane),) = worker.heard
    assert message == Paid(
        id=message.id, at=message.at, order_no=NO, notify_id="n-1", body=body.decode(), sign=sign(PAYBY, body)
    )
    assert lane == "exit-1"
    assert worker.bus.unacknowledged == 0


@pytest.mark.parametrize(
    ("order_no", "lane"),
    [
        (NO, "exit-1"),
        (f"{NO}-2", "exit-1"),
        (f"{NO}-9", "exit-1"),
        (f"marina-a-b-c-d-e-f-g-h-{SESSION}", "a-b-c-d-e-f-g-h"),
        (f"marina-1-{SESSION}", "1"),
        (f"marina---{SESSION}", "-"),
        (f"{NO}-1", "garage"),
        (f"{NO}-10", "garage"),
        (f"marina-exit-1-{SESSION[:-1]}", "garage"),
        (f"marina-Exit-1-{SESSION}", "garage"),
        (f"marina-much-too-long-a-lane-{SESSION}", "garage"),
        (f"marina-garage-{SESSION}", "garage"),
        ("M572007254058", "garage"),
    ],
)
async def test_the_lane_is_read_back_from_the_order_number(
    worker: PlayedWorker, client: Client, order_no: str, lane: str
) -> None:
    assert (await client.post(notification(acquireOrder=order(merchantOrderNo=order_no))))[0] == 200
    assert [said for _, said in worker.heard] == [lane]


@pytest.mark.parametrize("status", ["CREATED", "SETTLED", "FAILURE", "NEW"])
async def test_the_listener_leaves_it_to_the_worker_what_an_order_is_worth(
    worker: PlayedWorker, client: Client, status: str
) -> None:
    changed = order(status=status, payeeMid="200000000001", totalAmount={"amount": 0, "currency": "USD"})
    assert (await client.post(notification(acquireOrder=changed)))[0] == 200
    assert isinstance(worker.heard[0][0], Paid)


@pytest.mark.parametrize(
    ("said", "told"),
    [("CREATED", "created"), ("REFUNDED_SETTLED", "settled"), ("SUCCESS", "success"), ("FAILURE", "failed"),
     ("NEW", "created")],
)  # fmt: skip
async def test_a_refund_is_told_with_its_proof(worker: PlayedWorker, client: Client, said: str, told: str) -> None:
    body = notification(refundOrder=refund(status=said))
    assert (await client.post(body))[0] == 200
    ((message, lane),) = worker.heard
    assert (message, lane) == (
            Refund(
                id=message.id, at=message.at, order_no=NO, refund_no="R" + SESSION, amount="5.50", currency="AED",
                status=cast(Any, told), notify_id="n-1", body=body.decode(), sign=sign(PAYBY, body),
            ),
            "exit-1",
    )  # fmt: skip


async def test_a_chargeback_goes_to_its_lane(worker: PlayedWorker, client: Client) -> None:
    said = {"merchantOrderNo": NO, "chargebackAmount": {"amount": 20, "currency": "AED"}, "caseType": "fraud"}
    assert (await client.post(body := notification(acquireChargeback=said)))[0] == 200
    ((told, lane),) = worker.heard
    assert isinstance(told, Paid)
    assert (told.order_no, told.body, lane) == (NO, body.decode(), "exit-1")


async def test_a_kind_that_is_new_goes_to_the_garage(worker: PlayedWorker, client: Client) -> None:
    assert (await client.post(body := notification(transferOrder={"status": "SUCCESS"})))[0] == 200
    ((told, lane),) = worker.heard
    assert isinstance(told, Paid)
    assert (told.body, told.notify_id, lane) == (body.decode(), "n-1", "garage")


async def test_a_voided_pre_authorisation_goes_to_the_garage(worker: PlayedWorker, client: Client) -> None:
    void = {"voidMerchantOrderNo": "V1", "originMerchantOrderNo": NO, "status": "SUCCESS"}
    assert (await client.post(notification(voidOrder=void)))[0] == 200
    assert [(type(message), lane) for message, lane in worker.heard] == [(Paid, "garage")]


@pytest.mark.parametrize("outcome", ["lifting", "duplicate", "late", "refused", "noted", "done"])
async def test_any_receipt_is_answered_success(worker: PlayedWorker, client: Client, outcome: str) -> None:
    worker.answer = lambda message: worker.receipt(message, outcome)
    assert (await client.post(notification()))[0] == 200


@pytest.mark.fault("keys-rotate")
async def test_while_payby_rotates_its_key_both_are_taken(client: Client) -> None:
    assert (await client.post(notification(), sign(NEXT, notification())))[0] == 200


@pytest.mark.parametrize("header", ["sign", "Sign", "SIGN"])
async def test_the_headers_name_has_any_case(client: Client, header: str) -> None:
    body = notification()
    assert (await client.post(body, None, **{header: sign(PAYBY, body)}))[0] == 200


@pytest.mark.parametrize("kind", ["application/json;charset=UTF-8", "text/plain", "application/x-www-form-urlencoded"])
async def test_the_signature_decides_not_the_content_type(client: Client, kind: str) -> None:
    assert (await client.post(notification(), Content_Type=kind))[0] == 200


BAD = [
    None, "x", GENUINE[:-4], GENUINE + "AAAA", GENUINE.rstrip("="), f"{GENUINE},{GENUINE}",
    sign(STRANGER, notification()), sign(PAYBY, notification() + b" "), "é" * 344,
]  # fmt: skip


@pytest.mark.fault("forged-notification")
@pytest.mark.parametrize("signature", BAD, ids=range(len(BAD)))
async def test_a_bad_signature_is_401_and_says_nothing(
    worker: PlayedWorker, client: Client, signature: str | None
) -> None:
    status, said, _ = await client.post(notification(), signature)
    assert (status, said) == (401, b"")
    assert worker.heard == []


@pytest.mark.fault("forged-notification")
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"null", b"\xff", b"\xef\xbb\xbf" + notification(), notification().decode().encode("utf-16"),
        notification(acquireOrder=None), notification(acquireOrder=order(), refundOrder=refund()),
        notification(acquireOrder=order(merchantOrderNo="../../x")), notification(notify_id="a b"),
        notification(acquireOrder=order(totalAmount={"amount": -1, "currency": "AED"})),
        notification().replace(b'"notify_id"', b'"notify_id": "0", "notify_id"'),
        notification(refundOrder=refund(originMerchantOrderNo=None)),
        notification(refundOrder=refund(amount={"amount": 1, "currency": "USD"})),
        b'{"head": {"applyStatus": "SUCCESS", "code": "0"}, "body": {"acquireOrder": {}}}',
    ],
    ids=range(15),
)  # fmt: skip
async def test_signed_words_that_are_no_notification_are_400(worker: PlayedWorker, client: Client, body: bytes) -> None:
    status, said, _ = await client.post(body)
    assert (status, said) == (400, b"")
    assert worker.heard == []


async def test_64_kib_are_taken_and_one_byte_more_is_not(worker: PlayedWorker, client: Client) -> None:
    body = notification()
    assert (await client.post(body + b" " * (65536 - len(body))))[0] == 200
    assert (await client.post(body + b" " * (65537 - len(body))))[0] == 413
    assert (await client.post(bytes(1_000_000)))[0] == 413
    assert len(worker.heard) == 1


async def test_a_chunked_body_is_bounded_too(client: Client) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b" " * 1024

    for count, status in ((64, 400), (65, 413), (2000, 413)):
        headers = {"sign": sign(PAYBY, b" " * 1024 * count)}
        async with client.session.post(f"{client.url}/payby/notify", data=chunks(count), headers=headers) as reply:
            assert reply.status == status


async def test_what_is_over_16_kib_as_a_message_is_handed_on_packed(client: Client, worker: PlayedWorker) -> None:
    terms = [{"months": n, "text": f"pay {n} times, with interest"} for n in range(1000)]
    for reserved in ('"' * 2000, '"' * 20_000, json.dumps(terms)):
        body = notification(acquireOrder=order(reserved=reserved))
        assert (await client.post(body))[0] == 200
        told = worker.heard[-1][0]
        assert isinstance(told, Paid)
        assert told.body.startswith(PREFIX) is (len(body) > 16_000)
        assert unpack(told).body.encode() == body


async def test_what_is_too_long_even_packed_is_413_and_told(client: Client, worker: PlayedWorker) -> None:
    noise = random.Random(1).randbytes(15_000).hex()
    assert (await client.post(notification(acquireOrder=order(reserved=noise))))[0] == 413
    assert "bad-notification" in worker.alerts
    assert worker.heard == []


async def test_other_paths_and_methods(client: Client) -> None:
    assert (await client.get("/"))[0] == 404
    assert (await client.get("/payby/notify"))[0] == 405
    assert (await client.post(notification(), path="/payby/notify/"))[0] == 404
    assert (await client.post(notification(), path="/healthz"))[0] == 405
    async with client.session.put(f"{client.url}/payby/notify", data=b"x") as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")


@pytest.mark.fault("notified-often")
async def test_copies_that_come_together_are_told_once_and_all_answered(worker: PlayedWorker, client: Client) -> None:
    worker.answer = lambda message: None
    copies = [asyncio.create_task(client.post(notification())) for _ in range(50)]
    await worker.hears()
    while await gauge(client, "payby_listener_waiting") < 50:
        await asyncio.sleep(0)
    await worker.confirms()
    assert {reply[0] for reply in await asyncio.gather(*copies)} == {200}
    assert len(worker.heard) == 1


async def test_different_notifications_of_one_order_are_each_told(worker: PlayedWorker, client: Client) -> None:
    await asyncio.gather(*(client.post(notification(f"n-{number}")) for number in range(5)))
    assert sorted(cast(Paid, message).notify_id for message, _ in worker.heard) == [f"n-{n}" for n in range(5)]


@pytest.mark.parametrize("changed", [{"notify_id": "n-2"}, {"order_no": f"{NO}-2"}])
async def test_a_receipt_for_another_is_none(worker: PlayedWorker, changed: dict[str, str]) -> None:
    worker.answer = lambda message: worker.receipt(message, **changed)
    async with listening(worker, ConnectionLimits(receipt_s=0.02, again_s=())) as client:
        assert (await client.post(notification()))[0] == 503


def test_a_receipt_is_waited_for_3_s() -> None:
    assert ConnectionLimits().receipt_s == 3.0
    assert all(0 < after_s < 3 for after_s in ConnectionLimits().again_s)


@pytest.mark.fault("torn-write")
async def test_without_a_receipt_it_says_the_same_again_and_then_503(worker: PlayedWorker) -> None:
    worker.answer = lambda message: None
    async with listening(worker, ConnectionLimits(receipt_s=0.1, again_s=(0.02, 0.04))) as client:
        assert (await client.post(notification()))[:2] == (503, b"")
        assert len(worker.heard) == 3
        assert len({message.id for message, _ in worker.heard}) == 1
        await eventually(lambda: (worker.states, worker.alerts) == (["online", "degraded"], ["no-receipt"]), every_s=0)
        assert (await client.get("/healthz")) == (200, '{"status": "degraded"}')
        assert (await client.post(notification()))[0] == 503
        worker.answer = worker.receipt
        assert (await client.post(notification()))[0] == 200
        states, alerts = ["online", "degraded", "online"], ["no-receipt", "-no-receipt"]
        await eventually(lambda: (worker.states, worker.alerts) == (states, alerts), every_s=0)


async def test_a_receipt_after_the_second_time_of_saying_counts(worker: PlayedWorker) -> None:
    worker.answer = lambda message: worker.receipt(message) if len(worker.heard) == 2 else None
    async with listening(worker, ConnectionLimits(again_s=(0.02,))) as client:
        assert (await client.post(notification()))[0] == 200
        assert len(worker.heard) == 2


@pytest.mark.fault("broker-hour")
async def test_with_no_broker_to_say_it_on_it_is_503(worker: PlayedWorker) -> None:
    with pytest.raises(ExceptionGroup) as ended:
        async with listening(worker) as client:
            await worker.bus.until(Health, 1)
            worker.bus.refusal = ConnectionRefused("the password is wrong")
            assert (await client.post(notification()))[0] == 503
    assert ended.group_contains(ConnectionRefused)


async def test_more_than_can_wait_are_503_at_once(worker: PlayedWorker) -> None:
    worker.answer = lambda message: None
    async with listening(worker, ConnectionLimits(waiting=1)) as client:
        first = asyncio.create_task(client.post(notification("n-1")))
        await worker.hears()
        assert (await client.post(notification("n-2")))[0] == 503
        await worker.confirms()
        assert (await first)[0] == 200


async def test_health_and_metrics_are_there_to_look_at(worker: PlayedWorker, client: Client) -> None:
    assert await client.get("/healthz") == (200, '{"status": "ok"}')
    worker.bus.connect(False)
    assert await client.get("/healthz") == (200, '{"status": "degraded"}')
    worker.bus.connect(True)
    await client.post(notification())
    await client.post(notification(), None)
    await client.post(notification(), "x")
    await client.post(notification(), sign(STRANGER, b""))
    await client.post(b"{}")
    await client.post(bytes(70_000))
    assert await outcomes(client) == {
        "success": 1, "signature-absent": 1, "signature-malformed": 1, "signature-wrong": 1, "bad-notification": 1,
        "too-large": 1,
    }  # fmt: skip
    text = (await client.get("/metrics"))[1]
    assert "payby_notification_seconds_count 1.0\n" in text
    assert 'payby_notification_seconds_bucket{le="+Inf"} 1.0\n' in text
    assert re.findall("# TYPE (.*)", text) == [
        "payby_notifications_total counter", "payby_notification_seconds histogram",
        "payby_payment_to_notification_seconds histogram", "payby_listener_healthy gauge",
        "payby_listener_connections gauge", "payby_listener_waiting gauge",
    ]  # fmt: skip
    assert "_created" not in text
    async with client.session.head(f"{client.url}/healthz") as reply:
        assert reply.status == 200


@pytest.mark.fault("forged-notification")
async def test_no_answer_and_no_log_line_repeats_what_came_in(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mark = b"EVIL<script>"
    answers = [
        await client.raw(mark + b" / HTTP/1.1\r\n\r\n"),
        await client.raw(b"GET /" + mark + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        await client.raw(b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nEVIL<script>\r\n\r\n"),
        await client.raw(b"POST /payby/notify HTTP/1.1\r\nContent-Length: EVIL<script>\r\n\r\n"),
        await client.raw(b"POST /payby/notify HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nEVIL<script>\r\n"),
        await client.raw(b"GET / HTTP/1.1\r\nX: " + mark * 1000 + b"\r\n\r\n"),
        (await client.post(mark, None))[1],
        (await client.post(mark))[1],
    ]
    assert all(b"EVIL" not in answer for answer in answers)
    assert all(re.match(rb"HTTP/1\.[01] 4", answer) for answer in answers[:6])
    assert "EVIL" not in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.fault("forged-notification", "listener-flood")
async def test_a_flood_leaves_a_few_lines_in_the_log_and_one_alert(
    worker: PlayedWorker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(60):
        await client.post(notification(), sign(STRANGER, b"") if number % 2 else None)
        await client.raw(b"nonsense\r\n\r\n")
    assert len([r for r in caplog.records if r.name.startswith("terminal.roles.listener")]) == 3
    assert worker.alerts == ["bad-signature"]
    assert (await outcomes(client))["no-http"] == 60
