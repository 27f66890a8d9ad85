"""The client against the sandbox: what goes out, what counts as an answer, what a caller can decide by."""

import asyncio
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization as ser

from terminal.payby import errors as e
from terminal.payby.client import PayByClient
from terminal.payby.messages import read_order
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.server_clock import LocalSystemClock
from terminal.payby.signing import verify
from terminal.payby.statement_reader import read_zip
from tests.support.payby_client import DEVICES, MERCHANT, NO, PAYBY, UNKNOWN, biz, client, payby, refund_biz, sandbox

__all__ = ["payby", "sandbox"]


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


def test_the_placed_bytes_are_json() -> None:
    assert json.loads(biz())["merchantOrderNo"] == NO
