"""The client against the sandbox: what goes out, what counts as an answer, what a caller can decide by."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256

from terminal.payby import errors as e
from terminal.payby.client import PayByClient
from terminal.payby.messages import read_order
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.server_clock import LocalSystemClock
from terminal.payby.signing import sign, verify
from terminal.payby.statement_reader import read_zip
from tests.support.payby_client import DEVICES, MERCHANT, NO, PAYBY, biz, client, payby, refund_biz, sandbox

__all__ = ["payby", "sandbox"]
STRANGER = rsa.generate_private_key(65537, 2048)


class SkewedClock(LocalSystemClock):
    """Off by ``skew_ms`` on the wall; the steady one is steady."""

    def __init__(self, skew_ms: int) -> None:
        self.skew = skew_ms

    def wall_ms(self) -> int:
        return super().wall_ms() + self.skew


async def test_an_order_lives_from_its_qr_to_its_refund(sandbox: Sandbox, payby: PayByClient) -> None:
    placed = await payby.place_order(biz())
    assert placed.order.status == "CREATED"
    assert placed.token_url is not None
    assert re.fullmatch(r"https://qr\.payby\.com\?BIZ_TYPE=202&ft=[0-9a-f]{32}&t=\d{13}", placed.token_url)
    await sandbox.pay(placed.token_url)
    paid = await payby.get_order(NO)
    assert (paid.order.status, paid.order.is_paid, paid.token_url) == ("PAID_SUCCESS", True, None)
    assert (await payby.get_order(payby_no=paid.order.order_no)).order == paid.order
    back = await payby.refund(refund_biz())
    assert back.refund.status == "SUCCESS"
    assert back.summary is not None
    assert back.summary.remain_refund_amount.amount == 0
    assert (await payby.get_refund("R1")).refund == back.refund


async def test_an_answer_is_its_own_proof(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz())
    await sandbox.pay(NO)
    answer = await payby.get_order(NO)
    verify([sandbox.public_key], answer.body.encode(), answer.sign)
    assert read_order(answer.body) == answer.order


async def test_the_journaled_bytes_go_out_unchanged(sandbox: Sandbox, payby: PayByClient) -> None:
    odd = b'{ "merchantOrderNo" : "a-1", "subject":"\\u0050\xd9\x85", "totalAmount":{"currency":"AED","amount":1.010},'
    odd = odd.replace(b"1.010", b"1.01") + b'\n"paySceneCode":"DYNQR"}'
    await payby.place_order(odd)
    (call,) = sandbox.calls
    assert re.fullmatch(rb'\{"requestTime":\d{13},"bizContent":' + re.escape(odd) + rb"\}", call.body)


async def test_the_headers_are_those_of_the_api_page(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz())
    headers = sandbox.calls[0].headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Language"] == "en"
    assert headers["Partner-Id"] == "200000000888"
    assert re.fullmatch(r"exit-terminal(/\d+(\.\d+)*)?", headers["User-Agent"])
    verify([MERCHANT.public_key()], sandbox.calls[0].body, headers["sign"])


async def test_a_merchant_id_may_be_shorter_and_a_product_names_itself() -> None:
    async with (
        Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, partner_id="M1") as sandbox,
        client(sandbox, user_agent="garage-pos/2.1") as payby,
    ):
        await payby.place_order(biz())
        headers = sandbox.calls[0].headers
        assert (headers["Partner-Id"], headers["User-Agent"]) == ("M1", "garage-pos/2.1")


async def test_placing_again_answers_with_the_same_order(sandbox: Sandbox, payby: PayByClient) -> None:
    first, second = await payby.place_order(biz()), await payby.place_order(biz())
    assert (first.token_url, first.order) == (second.token_url, second.order)
    await sandbox.pay(NO)
    third = await payby.place_order(biz())
    assert (third.order.status, third.token_url) == ("PAID_SUCCESS", None)


@pytest.mark.fault("cut-before-order")
async def test_other_parameters_under_the_same_number_are_our_mistake(payby: PayByClient) -> None:
    await payby.place_order(biz())
    with pytest.raises(e.OurMistake) as caught:
        await payby.place_order(biz(reserved="x"))
    assert caught.value.code == "62016"


async def test_cancelling_says_how_the_order_stands(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz())
    assert (await payby.cancel_order(NO)).order.status == "FAILURE"
    with pytest.raises(e.OrderDead):
        await payby.cancel_order(NO)
    await payby.place_order(biz("b"))
    await sandbox.pay("b")
    with pytest.raises(e.OrderPaid):
        await payby.cancel_order("b")
    await sandbox.settle("b")
    with pytest.raises(e.OrderPaid) as caught:
        await payby.cancel_order("b")
    assert caught.value.code == "62003"
    with pytest.raises(e.OrderUnknown):
        await payby.cancel_order("c")


async def test_a_revocation_shows_in_the_look_up(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz())
    await sandbox.pay(NO)
    await payby.revoke_order(NO)
    order = (await payby.get_order(NO)).order
    assert (order.is_revoked, order.is_paid) == (True, False)
    with pytest.raises(e.RefundRejected) as caught:
        await payby.refund(refund_biz())
    assert caught.value.code == "62040"


async def test_refund_errors_are_told_apart(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz())
    with pytest.raises(e.RefundRejected, match="62015"):
        await payby.refund(refund_biz())
    await sandbox.pay(NO)
    await payby.refund(refund_biz("R1", "5.00"))
    assert (await payby.refund(refund_biz("R1", "5.00"))).refund.amount.amount == 5
    with pytest.raises(e.RefundKnown):
        await payby.refund(refund_biz("R1", "6.00"))
    with pytest.raises(e.RefundRejected, match="62006"):
        await payby.refund(refund_biz("R2", "15.01"))
    with pytest.raises(e.RefundUnknown):
        await payby.get_refund("R3")


async def test_the_expiry_can_be_moved(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz())
    later = payby.now_ms() + 3_600_000
    assert (await payby.update_expired_time(NO, expires_ms=later)).order.expired_time == later
    with pytest.raises(e.OurMistake, match="62089"):
        await payby.update_expired_time(NO, expires_ms=payby.now_ms() + 16 * 86_400_000)


async def test_orders_of_a_day_come_in_pages(sandbox: Sandbox, payby: PayByClient) -> None:
    for number in range(5):
        await payby.place_order(biz(f"o-{number}", device_id=DEVICES[number % 2]))
    await sandbox.pay("o-0")
    today = datetime.now(UTC).date()
    start, end = date.fromordinal(today.toordinal() - 1), date.fromordinal(today.toordinal() + 1)
    page = await payby.query_order_page(start, end, number=1, size=2)
    assert (page.total_elements, page.total_pages) == (5, 3)
    assert [order.merchant_order_no for order in page.items] == ["o-2", "o-3"]
    page = await payby.query_order_page(start, end, statuses=["PAID_SUCCESS"], devices=DEVICES[:1])
    assert [order.merchant_order_no for order in page.items] == ["o-0"]


async def test_a_paid_order_needs_no_token_url(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz())
    await sandbox.pay(NO)
    answer = await payby.get_order(NO)
    assert (answer.order.is_paid, answer.token_url) == (True, None)


async def test_an_order_of_a_device_is_found_by_our_number_only_beside_its_device(payby: PayByClient) -> None:
    placed = await payby.place_order(biz(device_id=DEVICES[0]))
    for device in (None, DEVICES[1]):
        with pytest.raises(e.OrderUnknown):
            await payby.get_order(NO, device_id=device)
    assert (await payby.get_order(NO, device_id=DEVICES[0])).order == placed.order
    assert (await payby.get_order(payby_no=placed.order.order_no)).order == placed.order


async def test_a_days_statement_is_fetched_or_is_not_there(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz())
    await sandbox.pay(NO)
    day = datetime.fromtimestamp((sandbox.orders[NO].paid_ms or 0) / 1000, UTC).astimezone(sandbox_zone()).date()
    (statement,) = read_zip(await payby.get_order_statement(day))
    assert [(row.order_no, row.amount, row.transaction) for row in statement.rows] == [
        (NO, Decimal("20.00"), "PAYMENT")
    ]
    with pytest.raises(e.NoStatement):
        await payby.get_order_statement(date(2020, 1, 1))


def sandbox_zone() -> Any:
    from terminal.payby.sandbox.order_book import DUBAI

    return DUBAI


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


@pytest.mark.fault("answer-unsigned", "outcome-unknown")
@pytest.mark.parametrize("fault", UNKNOWN, ids=range(len(UNKNOWN)))
async def test_what_is_no_signed_answer_leaves_the_outcome_unknown(
    sandbox: Sandbox, payby: PayByClient, fault: Fault
) -> None:
    calls = [
        ("placeOrder", lambda: payby.place_order(biz())),
        ("getOrder", lambda: payby.get_order(NO)),
        ("cancelOrder", lambda: payby.cancel_order(NO)),
    ]
    for name, call in calls:
        before = len(sandbox.calls)
        sandbox.fail(name, fault)
        with pytest.raises(e.OutcomeUnknown):
            await call()
        assert len(sandbox.calls) == before + 1, "an unknown outcome is not repeated by the client"


@pytest.mark.fault("cut-before-order")
async def test_after_an_unknown_outcome_the_same_bytes_bring_the_same_order(
    sandbox: Sandbox, payby: PayByClient
) -> None:
    sandbox.fail("placeOrder", Fault(drop=True, done=True))
    with pytest.raises(e.OutcomeUnknown):
        await payby.place_order(biz())
    assert (await payby.place_order(biz())).token_url == sandbox.orders[NO].token_url
    assert len(sandbox.orders) == 1


async def test_a_late_answer_is_none(sandbox: Sandbox) -> None:
    held = asyncio.Event()

    async def hold(_: object) -> None:
        await held.wait()

    sandbox.on_call = hold
    async with client(sandbox, timeout_s=0.05) as payby:
        with pytest.raises(e.OutcomeUnknown, match=r"within 0\.05 s"):
            await payby.place_order(biz())
    held.set()


async def test_a_statement_may_take_longer_than_a_call(sandbox: Sandbox) -> None:
    sandbox.fail("getOrderStatement", Fault(delay_s=0.2))
    async with client(sandbox, timeout_s=0.05) as payby:
        with pytest.raises(e.NoStatement):
            await payby.get_order_statement(date(2020, 1, 1))


async def test_nobody_there_is_an_unknown_outcome(sandbox: Sandbox) -> None:
    async with client(sandbox) as payby:
        sandbox.cut_off = True
        with pytest.raises(e.OutcomeUnknown, match="connection lost"):
            await payby.get_order(NO)
    async with PayByClient("http://127.0.0.1:1/x", "1", MERCHANT, [PAYBY.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="not connected"):
            await payby.get_order(NO)


SIGNED = [
    ("402", "RATE_LIMIT_REJECT", "FAIL", e.RateLimited),
    ("403", "UNAUTHORIZED", "FAIL", e.Unauthorised),
    ("403", "UNAUTHORIZED", "ERROR", e.Unauthorised),
    ("601", "RISK_FAIL", "FAIL", e.Refused),
    ("62026", "PRODUCT_IS_NOT_APPLIED", "SUCCESS", e.Unauthorised),
    ("400", "INVALID_PARAMETER", "FAIL", e.OurMistake),
]


@pytest.mark.parametrize(("code", "msg", "apply_status", "kind"), SIGNED)
@pytest.mark.parametrize("http_status", [200, 403, 500])
async def test_a_signed_error_decides_whatever_its_http_status(
    sandbox: Sandbox,
    payby: PayByClient,
    code: str,
    msg: str,
    apply_status: str,
    kind: type[e.CallFailed],
    http_status: int,
) -> None:
    fault = Fault(code=code, msg=msg, apply_status=apply_status, http_status=http_status, sign="good")
    sandbox.fail("placeOrder", fault)
    with pytest.raises(kind) as caught:
        await payby.place_order(biz())
    assert (caught.value.code, caught.value.msg, caught.value.call) == (code, msg, "acquire2/placeOrder")
    assert caught.value.trace_code


@pytest.mark.fault("answer-unsigned")
@pytest.mark.parametrize(("code", "msg", "apply_status", "kind"), SIGNED)
async def test_an_unsigned_error_is_a_hint_and_no_more(
    sandbox: Sandbox, payby: PayByClient, code: str, msg: str, apply_status: str, kind: type[e.CallFailed]
) -> None:
    sandbox.fail("placeOrder", Fault(code=code, msg=msg, apply_status=apply_status, sign="absent"))
    with pytest.raises(e.OutcomeUnknown) as caught:
        await payby.place_order(biz())
    assert type(caught.value.hint) is kind


@pytest.mark.fault("answer-unsigned")
async def test_a_key_that_payby_does_not_know_is_unauthorised(sandbox: Sandbox) -> None:
    async with PayByClient(sandbox.base_url, sandbox.partner_id, STRANGER, [sandbox.public_key]) as payby:
        with pytest.raises(e.OutcomeUnknown) as caught:
            await payby.get_order(NO)
        assert type(caught.value.said) is e.Unauthorised
        sandbox.unsigned_errors = False
        with pytest.raises(e.Unauthorised, match="could not verify our signature"):
            await payby.get_order(NO)


@pytest.mark.fault("answer-unsigned", "keys-rotate")
async def test_answers_of_a_stranger_do_not_count(sandbox: Sandbox) -> None:
    async with PayByClient(sandbox.base_url, sandbox.partner_id, MERCHANT, [STRANGER.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="signature wrong"):
            await payby.place_order(biz())


@pytest.mark.fault("certificate")
@pytest.mark.parametrize("name", ["127.0.0.1", "elsewhere.example"])
async def test_a_certificate_that_nobody_vouches_for_ends_the_call(tmp_path: Path, name: str) -> None:
    authority = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.load_cert_chain(self_signed(tmp_path / "chain.pem", name))
    refusing = raw_server(lambda _: web.Response(body=b"x"), authority)
    async with refusing as (url, presence), PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="the certificate was refused"):
            await payby.get_order(NO)
        assert presence == []


def self_signed(path: Path, name: str) -> Path:
    """A chain file: the key, and a certificate that it signed for itself."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    began = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, MERCHANT.public_key(), 1, began, began.replace(year=2046))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(MERCHANT, SHA256())
    )
    key = MERCHANT.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption())
    path.write_bytes(key + certificate.public_bytes(ser.Encoding.PEM))
    return path


@pytest.mark.fault("keys-rotate")
async def test_while_payby_rotates_its_key_both_count(sandbox: Sandbox) -> None:
    keys = [STRANGER.public_key(), sandbox.public_key]
    async with PayByClient(sandbox.base_url, sandbox.partner_id, MERCHANT, keys) as payby:
        assert (await payby.place_order(biz())).order.status == "CREATED"


@pytest.mark.fault("clock-wrong")
@pytest.mark.parametrize("skew_ms", [-1_200_000, 1_200_000, -1_700_000_000_000])
@pytest.mark.parametrize("unsigned", [False, True, None])
async def test_a_wrong_clock_costs_one_more_call_and_then_none(skew_ms: int, unsigned: bool | None) -> None:
    async with (
        Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, unsigned_errors=unsigned) as sandbox,
        client(sandbox, clock=SkewedClock(skew_ms)) as payby,
    ):
        assert (await payby.place_order(biz())).order.status == "CREATED"
        assert [call.code for call in sandbox.calls] == ["400", "0"]
        await payby.get_order(NO)
        assert len(sandbox.calls) == 3
        assert abs((payby.skew_ms or 0) + skew_ms) < 2000
        assert abs(payby.now_ms() - sandbox.clock.wall_ms()) < 2000


@pytest.mark.fault("clock-wrong")
@pytest.mark.parametrize("unsigned", [False, True])
async def test_with_a_wrong_clock_a_statement_is_asked_for_again_without_a_pause(unsigned: bool) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with (
        Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, unsigned_errors=unsigned) as sandbox,
        client(sandbox, clock=SkewedClock(1_200_000), sleep=sleep) as payby,
    ):
        await payby.place_order(biz())
        await sandbox.pay(NO)
        day = datetime.fromtimestamp((sandbox.orders[NO].paid_ms or 0) / 1000, UTC).astimezone(sandbox_zone()).date()
        async with client(sandbox, clock=SkewedClock(1_200_000), sleep=sleep) as fresh:
            assert read_zip(await fresh.get_order_statement(day))
        assert [call.code for call in sandbox.calls_of("getOrderStatement")] == ["400", "0"]
        assert pauses == []


@pytest.mark.fault("clock-wrong")
async def test_a_clock_that_cannot_be_corrected_is_told(sandbox: Sandbox, payby: PayByClient) -> None:
    sandbox.fail("getOrder", Fault(code="400", msg="REQUESTTIME_TOO_EARLY", sign="good"))
    with pytest.raises(e.ClockWrong):
        await payby.get_order(NO)
    assert len(sandbox.calls) == 1


async def test_twenty_calls_need_one_connection() -> None:
    async with raw_server(lambda _: web.Response(body=b"x")) as (url, presence):
        async with PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
            for _ in range(20):
                with pytest.raises(e.OutcomeUnknown):
                    await payby.get_order(NO)
        assert len(presence) == 20
        assert len(set(presence)) == 1


async def test_an_answer_of_more_than_a_mebibyte_is_none() -> None:
    large = raw_server(lambda _: web.Response(body=bytes(1024 * 1024 + 1)))
    async with large as (url, _), PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="more than 1048576 bytes"):
            await payby.get_order(NO)


async def test_a_redirect_is_not_followed() -> None:
    def away(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/x/acquire2/elsewhere"})

    async with raw_server(away) as (url, presence):
        async with PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
            with pytest.raises(e.OutcomeUnknown, match="HTTP 302"):
                await payby.get_order(NO)
        assert len(presence) == 1


async def test_a_signature_is_over_the_bytes_as_sent_though_they_are_compressed() -> None:
    import gzip

    body = gzip.compress(b'{"head": {"applyStatus": "SUCCESS", "code": "0"}}')

    def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "sign": sign(PAYBY, body)})

    async with raw_server(answer) as (url, _), PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
        with pytest.raises(e.OutcomeUnknown, match="not UTF-8"):  # verified, then no JSON
            await payby.get_order(NO)


@pytest.mark.parametrize(("signature", "taken"), [(None, True), ("right", True), ("wrong", False)])
async def test_a_zip_may_be_unsigned_but_not_wrongly_signed(signature: str | None, taken: bool) -> None:
    body = b"PK\x05\x06" + bytes(18)
    key = {"right": PAYBY, "wrong": STRANGER}.get(signature or "")

    def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"sign": sign(key, body)} if key else {})

    async with raw_server(answer) as (url, _), PayByClient(url, "1", MERCHANT, [PAYBY.public_key()]) as payby:
        if taken:
            assert await payby.get_order_statement(date(2026, 7, 1)) == body
        else:
            with pytest.raises(e.OutcomeUnknown):
                await payby.get_order_statement(date(2026, 7, 1), attempts=1)


@pytest.mark.fault("outcome-unknown")
async def test_only_reads_are_repeated_and_two_to_six_seconds_apart(sandbox: Sandbox) -> None:
    slept: list[float] = []

    async def sleep(s: float) -> None:
        slept.append(s)

    drawn = iter((0.0, 0.5, 0.999))
    async with client(sandbox, sleep=sleep, random=lambda: next(drawn)) as payby:
        await payby.place_order(biz())
        sandbox.fail("getOrder", Fault(code="500", msg="SYSTEM_ERROR"), times=2)
        assert (await payby.get_order(NO, attempts=3)).order.status == "CREATED"
        assert slept == [2, 4]
        sandbox.fail("getOrder", Fault(code="500", msg="SYSTEM_ERROR"), times=2)
        with pytest.raises(e.OutcomeUnknown):
            await payby.get_order(NO)
        assert len(slept) == 2


@pytest.mark.parametrize("code", ["400", "403", "601", "58001"])
async def test_a_refusal_of_the_gateway_is_not_repeated_either(sandbox: Sandbox, payby: PayByClient, code: str) -> None:
    sandbox.fail("getOrder", Fault(code=code, msg="ITS WORDS"), times=None)
    with pytest.raises(e.OutcomeUnknown) as caught:
        await payby.get_order(NO, attempts=3)
    assert caught.value.said is not None
    assert caught.value.said.code == code
    assert len(sandbox.calls) == 1


async def test_a_refusal_is_not_repeated_even_where_attempts_are_left(sandbox: Sandbox, payby: PayByClient) -> None:
    with pytest.raises(e.OrderUnknown):
        await payby.get_order(NO, attempts=3)
    assert len(sandbox.calls) == 1


async def test_a_call_held_back_too_long_was_not_sent(sandbox: Sandbox) -> None:
    async with client(sandbox, timeout_s=0.05, calls_per_s=1) as payby:
        with pytest.raises(e.OrderUnknown):
            await payby.get_order(NO)
        with pytest.raises(e.NotSent):
            await payby.get_order(NO)
    assert len(sandbox.calls) == 1


@pytest.mark.fault("rate-limit")
@pytest.mark.parametrize(("sign", "kind"), [("good", e.RateLimited), (None, e.OutcomeUnknown)])
async def test_a_rate_limit_slows_the_next_calls_down(sandbox: Sandbox, sign: Any, kind: type[Exception]) -> None:
    slept: list[float] = []

    async def sleep(s: float) -> None:
        slept.append(s)
        await asyncio.sleep(0)

    async with client(sandbox, sleep=sleep, calls_per_s=4, clock=LocalSystemClock()) as payby:
        sandbox.fail("getOrder", Fault(code="402", msg="RATE_LIMIT_REJECT", sign=sign))
        with pytest.raises(kind):
            await payby.get_order(NO)
        assert slept == []
        with pytest.raises(e.OrderUnknown):
            await payby.get_order(NO)
        assert slept
        assert slept[0] == pytest.approx(0.5, abs=0.1)


async def test_a_probe_tells_reach_and_clock(sandbox: Sandbox) -> None:
    async with client(sandbox, clock=SkewedClock(90_000)) as payby:
        probe = await payby.probe()
        assert probe.skew_ms is not None
        assert abs(probe.skew_ms + 90_000) < 2000
        assert 0 <= probe.round_trip_ms < 5000
        sandbox.fail("getOrder", Fault(code="403", msg="UNAUTHORIZED", sign="good"))
        with pytest.raises(e.Unauthorised):
            await payby.probe()


async def test_no_error_holds_a_key_or_a_signature(sandbox: Sandbox, payby: PayByClient) -> None:
    pem = MERCHANT.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, ser.NoEncryption()).decode()
    for fault in UNKNOWN:
        sandbox.fail("placeOrder", fault)
        with pytest.raises(e.OutcomeUnknown) as caught:
            await payby.place_order(biz())
        said = repr(caught.value) + str(vars(caught.value)) + repr(caught.value.__cause__)
        assert pem.splitlines()[1] not in said
        assert sandbox.calls[-1].headers["sign"] not in said
        assert "Parking" not in said


async def test_what_is_no_order_is_not_sent(sandbox: Sandbox, payby: PayByClient) -> None:
    for wrong in (b"", b"{}", b'{"merchantOrderNo": 1}', b"\xff"):
        with pytest.raises(e.BadRequest):
            await payby.place_order(wrong)
    assert sandbox.calls == []


async def test_the_client_may_be_closed_twice(sandbox: Sandbox) -> None:
    payby = client(sandbox)
    await payby.place_order(biz())
    await payby.close()
    await payby.close()


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


def test_the_placed_bytes_are_json() -> None:
    assert json.loads(biz())["merchantOrderNo"] == NO
