"""The listener over real HTTP, with a link that the test plays."""

import asyncio
import json
import logging
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self, cast

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from terminal.config.schema import ConfigError
from terminal.contract.deflated import PREFIX, unpack
from terminal.contract.messages import Message, Paid, Receipt, Refund, encode
from terminal.contract.topics import Topic
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.errors import ConnectionRefused
from terminal.payby.signing import sign
from terminal.roles.listener.connections import ConnectionLimits
from terminal.roles.listener.role import ListenerRole

PAYBY = rsa.generate_private_key(65537, 2048)
NEXT = rsa.generate_private_key(65537, 2048)
STRANGER = rsa.generate_private_key(65537, 2048)
SESSION = "0190d3f07c1e7a529d2f0123456789ab"
NO = f"marina-exit-1-{SESSION}"
ID = "0190d3f0-7c1e-7a52-9d2f-0123456789ab"
AT = "2026-07-22T10:00:00.000Z"


def order(**changed: Any) -> dict[str, Any]:
    return {
        "merchantOrderNo": NO,
        "orderNo": "131765054600900852",
        "status": "PAID_SUCCESS",
        "totalAmount": {"amount": 20.0, "currency": "AED"},
        "payeeMid": "200000000888",
    } | changed


def refund(**changed: Any) -> dict[str, Any]:
    return {
        "refundMerchantOrderNo": "R" + SESSION,
        "orderNo": "191587114148046289",
        "originMerchantOrderNo": NO,
        "status": "SUCCESS",
        "amount": {"amount": 5.5, "currency": "AED"},
    } | changed


def notification(notify_id: str = "n-1", **parts: Any) -> bytes:
    said = {"notify_id": notify_id, "notify_timestamp": 1587113039189} | (parts or {"acquireOrder": order()})
    return json.dumps(said, indent=1, ensure_ascii=False).encode()


class Heard:
    def __init__(self, message: Message) -> None:
        self.topic = Topic("marina", "exit-1", "receipt")
        self.message = message
        self.acked = False

    def ack(self) -> None:
        self.acked = True


class Hearing:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[Heard] = asyncio.Queue()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Heard:
        return await self.queue.get()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class FakeLink:
    """Remembers what is said; ``worker`` answers each message, by default with a receipt."""

    garage = "marina"

    def __init__(self) -> None:
        self.mqtt_client = self
        self.connected = True
        self.said: list[tuple[Message, str | None]] = []
        self.alerts: list[str] = []
        self.states: list[str] = []
        self.hearing = Hearing()
        self.heard: list[Heard] = []
        self.worker: Callable[[Message], None] = self.receipt
        self.spoke = asyncio.Event()

    def head(self) -> dict[str, Any]:
        return {"id": ID, "at": AT}

    async def publish(self, message: Message, *, lane: str | None = None, role: str | None = None) -> None:
        self.said.append((message, lane))
        self.spoke.set()
        self.worker(message)

    def receipt(self, message: Message, outcome: str = "lifting", **changed: Any) -> None:
        assert isinstance(message, Paid | Refund)
        fields = {"order_no": message.order_no, "notify_id": message.notify_id, "outcome": outcome}
        self.heard.append(Heard(Receipt(id=ID, at=AT, **(fields | changed))))
        self.hearing.queue.put_nowait(self.heard[-1])

    def subscribe(self, *kinds: str, lane: str | None = None) -> Hearing:
        assert (kinds, lane) == (("receipt",), "+")
        return self.hearing

    async def run_heartbeat(self) -> None:
        await asyncio.Event().wait()

    async def alert(self, code: str, text: str, **_: Any) -> None:
        self.alerts.append(code)

    async def clear(self, code: str, text: str, **_: Any) -> None:
        self.alerts.append(f"-{code}")

    def healthy(self) -> None:
        self.states.append("healthy")

    def degraded(self, reason: str) -> None:
        self.states.append("degraded")


class Client:
    """PayBy, or anybody else, on the outside."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.session = session

    async def post(
        self, body: bytes, signature: str | None = "", path: str = "/payby/notify", **headers: str
    ) -> tuple[int, bytes, str]:
        """Status, body and Content-Type; signed by PayBy unless something else is given."""
        signature = sign(PAYBY, body) if signature == "" else signature
        sent = {"Content-Type": "application/json"} | ({"sign": signature} if signature is not None else {})
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(self.url + path, data=body, headers=sent) as reply:
            return reply.status, await reply.read(), reply.headers.get("Content-Type", "")

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as reply:
            return reply.status, await reply.text()

    async def raw(self, data: bytes, *, eof: bool = False) -> bytes:
        """Send bytes as they are, and read until the listener closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        if eof:
            writer.write_eof()
        found = await reader.read()
        writer.close()
        await writer.wait_closed()
        return found


@asynccontextmanager
async def listening(endpoint: FakeLink, limits: ConnectionLimits | None = None) -> AsyncIterator[Client]:
    keys = [PAYBY.public_key(), NEXT.public_key()]
    listener = ListenerRole(
        cast(Endpoint, endpoint), payby_keys=keys, host="127.0.0.1", port=0, limits=limits or ConnectionLimits()
    )
    task = asyncio.create_task(listener.run())
    await listener.started.wait()
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(listener.port, session)
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error


@pytest.fixture
def endpoint() -> FakeLink:
    return FakeLink()


@pytest.fixture
async def client(endpoint: FakeLink) -> AsyncIterator[Client]:
    async with listening(endpoint) as client:
        yield client


async def outcomes(client: Client) -> dict[str, int]:
    lines = (await client.get("/metrics"))[1].splitlines()
    return {
        line.split('"')[1]: int(float(line.split()[-1]))
        for line in lines
        if line.startswith("payby_notifications_total")
    }


async def test_a_payment_is_told_in_paybys_words_and_answered_success(endpoint: FakeLink, client: Client) -> None:
    body = notification()
    assert await client.post(body) == (200, b'{"response": "SUCCESS"}', "application/json")
    ((message, lane),) = endpoint.said
    assert message == Paid(id=ID, at=AT, order_no=NO, notify_id="n-1", body=body.decode(), sign=sign(PAYBY, body))
    assert lane == "exit-1"
    assert [heard.acked for heard in endpoint.heard] == [True]


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
        (f"dubai-exit-1-{SESSION}", "garage"),
        (f"marina-exit-1-{SESSION[:-1]}", "garage"),
        (f"marina-Exit-1-{SESSION}", "garage"),
        (f"marina-much-too-long-a-lane-{SESSION}", "garage"),
        (f"marina-garage-{SESSION}", "garage"),
        ("M572007254058", "garage"),
    ],
)
async def test_the_lane_is_read_back_from_the_order_number(
    endpoint: FakeLink, client: Client, order_no: str, lane: str
) -> None:
    assert (await client.post(notification(acquireOrder=order(merchantOrderNo=order_no))))[0] == 200
    assert [said for _, said in endpoint.said] == [lane]


@pytest.mark.parametrize("status", ["CREATED", "SETTLED", "FAILURE", "NEW"])
async def test_the_listener_leaves_it_to_the_worker_what_an_order_is_worth(
    endpoint: FakeLink, client: Client, status: str
) -> None:
    changed = order(status=status, payeeMid="200000000001", totalAmount={"amount": 0, "currency": "USD"})
    assert (await client.post(notification(acquireOrder=changed)))[0] == 200
    assert isinstance(endpoint.said[0][0], Paid)


@pytest.mark.parametrize(
    ("said", "told"),
    [("CREATED", "created"), ("REFUNDED_SETTLED", "settled"), ("SUCCESS", "success"), ("FAILURE", "failed"),
     ("NEW", "created")],
)  # fmt: skip
async def test_a_refund_is_told_with_its_proof(endpoint: FakeLink, client: Client, said: str, told: str) -> None:
    body = notification(refundOrder=refund(status=said))
    assert (await client.post(body))[0] == 200
    assert endpoint.said == [
        (
            Refund(
                id=ID, at=AT, order_no=NO, refund_no="R" + SESSION, amount="5.50", currency="AED",
                status=cast(Any, told), notify_id="n-1", body=body.decode(), sign=sign(PAYBY, body),
            ),
            "exit-1",
        )
    ]  # fmt: skip


async def test_a_chargeback_goes_to_its_lane(endpoint: FakeLink, client: Client) -> None:
    said = {"merchantOrderNo": NO, "chargebackAmount": {"amount": 20, "currency": "AED"}, "caseType": "fraud"}
    assert (await client.post(body := notification(acquireChargeback=said)))[0] == 200
    ((told, lane),) = endpoint.said
    assert isinstance(told, Paid)
    assert (told.order_no, told.body, lane) == (NO, body.decode(), "exit-1")


async def test_a_kind_that_is_new_goes_to_the_garage(endpoint: FakeLink, client: Client) -> None:
    assert (await client.post(body := notification(transferOrder={"status": "SUCCESS"})))[0] == 200
    ((told, lane),) = endpoint.said
    assert isinstance(told, Paid)
    assert (told.body, told.notify_id, lane) == (body.decode(), "n-1", "garage")


async def test_a_voided_pre_authorisation_goes_to_the_garage(endpoint: FakeLink, client: Client) -> None:
    void = {"voidMerchantOrderNo": "V1", "originMerchantOrderNo": NO, "status": "SUCCESS"}
    assert (await client.post(notification(voidOrder=void)))[0] == 200
    assert [(type(message), lane) for message, lane in endpoint.said] == [(Paid, "garage")]


@pytest.mark.parametrize("outcome", ["lifting", "duplicate", "late", "refused", "noted", "done"])
async def test_any_receipt_is_answered_success(endpoint: FakeLink, client: Client, outcome: str) -> None:
    endpoint.worker = lambda message: endpoint.receipt(message, outcome)
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


GENUINE = sign(PAYBY, notification())
BAD = [
    None, "x", GENUINE[:-4], GENUINE + "AAAA", GENUINE.rstrip("="), f"{GENUINE},{GENUINE}",
    sign(STRANGER, notification()), sign(PAYBY, notification() + b" "), "é" * 344,
]  # fmt: skip


@pytest.mark.fault("forged-notification")
@pytest.mark.parametrize("signature", BAD, ids=range(len(BAD)))
async def test_a_bad_signature_is_401_and_says_nothing(
    endpoint: FakeLink, client: Client, signature: str | None
) -> None:
    status, said, _ = await client.post(notification(), signature)
    assert (status, said) == (401, b"")
    assert endpoint.said == []


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
async def test_signed_words_that_are_no_notification_are_400(endpoint: FakeLink, client: Client, body: bytes) -> None:
    status, said, _ = await client.post(body)
    assert (status, said) == (400, b"")
    assert endpoint.said == []


async def test_64_kib_are_taken_and_one_byte_more_is_not(endpoint: FakeLink, client: Client) -> None:
    body = notification()
    assert (await client.post(body + b" " * (65536 - len(body))))[0] == 200
    assert (await client.post(body + b" " * (65537 - len(body))))[0] == 413
    assert (await client.post(bytes(1_000_000)))[0] == 413
    assert len(endpoint.said) == 1


async def test_a_chunked_body_is_bounded_too(client: Client) -> None:
    async def chunks(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b" " * 1024

    for count, status in ((64, 400), (65, 413), (2000, 413)):
        headers = {"sign": sign(PAYBY, b" " * 1024 * count)}
        async with client.session.post(f"{client.url}/payby/notify", data=chunks(count), headers=headers) as reply:
            assert reply.status == status


async def test_what_is_over_16_kib_as_a_message_is_handed_on_packed(client: Client, endpoint: FakeLink) -> None:
    def worker(message: Message) -> None:
        encode(message)  # what the real link does first
        endpoint.receipt(message)

    endpoint.worker = worker
    terms = [{"months": n, "text": f"pay {n} times, with interest"} for n in range(1000)]
    for reserved in ('"' * 2000, '"' * 20_000, json.dumps(terms)):
        body = notification(acquireOrder=order(reserved=reserved))
        assert (await client.post(body))[0] == 200
        told = endpoint.said[-1][0]
        assert isinstance(told, Paid)
        assert told.body.startswith(PREFIX) is (len(body) > 16_000)
        assert unpack(told).body.encode() == body


async def test_what_is_too_long_even_packed_is_413_and_told(client: Client, endpoint: FakeLink) -> None:
    def worker(message: Message) -> None:
        encode(message)
        endpoint.receipt(message)

    endpoint.worker = worker
    noise = random.Random(1).randbytes(15_000).hex()
    assert (await client.post(notification(acquireOrder=order(reserved=noise))))[0] == 413
    assert "bad-notification" in endpoint.alerts
    assert not endpoint.heard


async def test_other_paths_and_methods(client: Client) -> None:
    assert (await client.get("/"))[0] == 404
    assert (await client.get("/payby/notify"))[0] == 405
    assert (await client.post(notification(), path="/payby/notify/"))[0] == 404
    assert (await client.post(notification(), path="/healthz"))[0] == 405
    async with client.session.put(f"{client.url}/payby/notify", data=b"x") as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")


@pytest.mark.fault("notified-often")
async def test_copies_that_come_together_are_told_once_and_all_answered(endpoint: FakeLink, client: Client) -> None:
    endpoint.worker = lambda message: None
    copies = [asyncio.create_task(client.post(notification())) for _ in range(50)]
    await endpoint.spoke.wait()
    while await gauge(client, "payby_listener_waiting") < 50:
        await asyncio.sleep(0)
    endpoint.receipt(endpoint.said[0][0])
    assert {reply[0] for reply in await asyncio.gather(*copies)} == {200}
    assert len(endpoint.said) == 1


async def gauge(client: Client, name: str) -> int:
    text = (await client.get("/metrics"))[1]
    return int(float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1]))


async def test_different_notifications_of_one_order_are_each_told(endpoint: FakeLink, client: Client) -> None:
    await asyncio.gather(*(client.post(notification(f"n-{number}")) for number in range(5)))
    assert sorted(cast(Paid, message).notify_id for message, _ in endpoint.said) == [f"n-{n}" for n in range(5)]


@pytest.mark.parametrize("changed", [{"notify_id": "n-2"}, {"order_no": f"{NO}-2"}])
async def test_a_receipt_for_another_is_none(endpoint: FakeLink, changed: dict[str, str]) -> None:
    endpoint.worker = lambda message: endpoint.receipt(message, **changed)
    async with listening(endpoint, ConnectionLimits(receipt_s=0.02, again_s=())) as client:
        assert (await client.post(notification()))[0] == 503


def test_a_receipt_is_waited_for_3_s() -> None:
    assert ConnectionLimits().receipt_s == 3.0
    assert all(0 < after_s < 3 for after_s in ConnectionLimits().again_s)


@pytest.mark.fault("torn-write")
async def test_without_a_receipt_it_says_the_same_again_and_then_503(endpoint: FakeLink) -> None:
    endpoint.worker = lambda message: None
    async with listening(endpoint, ConnectionLimits(receipt_s=0.1, again_s=(0.02, 0.04))) as client:
        assert (await client.post(notification()))[:2] == (503, b"")
        assert len(endpoint.said) == 3
        assert len({message.id for message, _ in endpoint.said}) == 1
        assert (endpoint.states, endpoint.alerts) == (["degraded"], ["no-receipt"])
        assert (await client.get("/healthz")) == (200, '{"status": "degraded"}')
        assert (await client.post(notification()))[0] == 503
        endpoint.worker = endpoint.receipt
        assert (await client.post(notification()))[0] == 200
        assert (endpoint.states, endpoint.alerts) == (["degraded", "healthy"], ["no-receipt", "-no-receipt"])


async def test_a_receipt_after_the_second_time_of_saying_counts(endpoint: FakeLink) -> None:
    def worker(message: Message) -> None:
        if len(endpoint.said) == 2:
            endpoint.receipt(message)

    endpoint.worker = worker
    async with listening(endpoint, ConnectionLimits(again_s=(0.02,))) as client:
        assert (await client.post(notification()))[0] == 200
        assert len(endpoint.said) == 2


@pytest.mark.fault("broker-hour")
async def test_with_no_broker_to_say_it_on_it_is_503(endpoint: FakeLink) -> None:
    def worker(message: Message) -> None:
        raise ConnectionRefused("the password is wrong")

    endpoint.worker = worker
    async with listening(endpoint) as client:
        assert (await client.post(notification()))[0] == 503


async def test_more_than_can_wait_are_503_at_once(endpoint: FakeLink) -> None:
    endpoint.worker = lambda message: None
    async with listening(endpoint, ConnectionLimits(waiting=1)) as client:
        first = asyncio.create_task(client.post(notification("n-1")))
        await endpoint.spoke.wait()
        assert (await client.post(notification("n-2")))[0] == 503
        endpoint.receipt(endpoint.said[0][0])
        assert (await first)[0] == 200


async def test_health_and_metrics_are_there_to_look_at(endpoint: FakeLink, client: Client) -> None:
    assert await client.get("/healthz") == (200, '{"status": "ok"}')
    endpoint.connected = False
    assert await client.get("/healthz") == (200, '{"status": "degraded"}')
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
    endpoint: FakeLink, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(60):
        await client.post(notification(), sign(STRANGER, b"") if number % 2 else None)
        await client.raw(b"nonsense\r\n\r\n")
    assert len([r for r in caplog.records if r.name.startswith("terminal.roles.listener")]) == 3
    assert endpoint.alerts == ["bad-signature"]
    assert (await outcomes(client))["no-http"] == 60


async def test_expect_100_continue_is_answered(client: Client) -> None:
    body = notification()
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(
        b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
        b"sign: %b\r\nContent-Length: %d\r\n\r\n" % (sign(PAYBY, body).encode(), len(body))
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()
    await writer.wait_closed()


async def test_a_compressed_body_is_not_unpacked(client: Client, endpoint: FakeLink) -> None:
    import gzip

    packed = gzip.compress(b" " * 1_000_000)
    assert (await client.post(packed, Content_Encoding="gzip"))[0] == 400  # signed over the packed bytes: no JSON
    assert (await client.post(packed, sign(PAYBY, b" " * 1_000_000), Content_Encoding="gzip"))[0] == 401


@pytest.mark.fault("listener-flood")
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /payby/notify HTTP/1.1\r\nHost: x\r\n",
        b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
    ],
)
async def test_who_does_not_finish_a_request_is_cut_off(endpoint: FakeLink, begun: bytes) -> None:
    async with listening(endpoint, ConnectionLimits(read_s=0.05)) as client:
        assert b"200" not in await client.raw(begun)


async def test_a_half_request_on_a_kept_connection_is_cut_off_too(endpoint: FakeLink) -> None:
    body = notification()
    head = b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nsign: %b\r\nContent-Length: %d\r\n\r\n" % (
        sign(PAYBY, body).encode(), len(body),
    )  # fmt: skip
    async with listening(endpoint, ConnectionLimits(read_s=0.1)) as client:
        found = await client.raw(head + body + head + body[:100])
        assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"200", b"408"]


async def test_a_burst_of_connections_stays_within_the_limit(endpoint: FakeLink) -> None:
    async with listening(endpoint, ConnectionLimits(connections=20)) as client:
        burst = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", client.port) for _ in range(80)))
        assert (await client.post(notification()))[0] == 200
        assert await gauge(client, "payby_listener_connections") <= 20
        for _, writer in burst:
            writer.close()


@pytest.mark.fault("listener-flood")
async def test_500_half_open_requests_do_not_keep_a_genuine_one_out(endpoint: FakeLink, client: Client) -> None:
    halves = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(500)]
    for _, writer in halves:
        writer.write(b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n{")
    try:
        assert (await client.post(notification()))[0] == 200
        assert await gauge(client, "payby_listener_connections") <= ConnectionLimits().connections
    finally:
        for _, writer in halves:
            writer.close()


@pytest.mark.fault("listener-flood")
async def test_a_flood_over_many_connections_is_slowed_down(endpoint: FakeLink, client: Client) -> None:
    loop = asyncio.get_running_loop()

    async def bad() -> float:
        began = loop.time()
        async with aiohttp.ClientSession() as session:
            assert (await Client(client.port, session).post(notification(), GENUINE[::-1]))[0] == 401
        return loop.time() - began

    assert await bad() < ConnectionLimits().flood_delay_s
    took = await asyncio.gather(*(bad() for _ in range(ConnectionLimits().calm_connections * 2)))
    assert max(took) >= ConnectionLimits().flood_delay_s


async def test_an_address_in_use_is_told_at_once(endpoint: FakeLink, client: Client) -> None:
    second = ListenerRole(cast(Endpoint, endpoint), payby_keys=[PAYBY.public_key()], host="127.0.0.1", port=client.port)
    with pytest.raises(ConfigError, match=rf"^listener\.port: 127\.0\.0\.1, port {client.port}, is in use"):
        await second.run()
