"""What a merchant may look up of a payer and of refunds: who scanned, who paid, what was given back."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from terminal.payby import errors as e
from terminal.payby.client import PayByClient
from terminal.payby.messages import payer_in
from terminal.payby.sandbox.faults import Fault
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.strict_json import load
from tests.support.payby_bodies import body_of, those_there
from tests.support.payby_client import DEVICES, NO, biz, payby, refund_biz, sandbox

__all__ = ["payby", "sandbox"]


@pytest.fixture
async def code(payby: PayByClient) -> AsyncIterator[str]:
    """What the QR code of an open order carries."""
    placed = await payby.place_order(biz())
    assert placed.token_url
    yield placed.token_url


async def test_who_scanned_is_told_once_somebody_did(sandbox: Sandbox, payby: PayByClient, code: str) -> None:
    assert await payby.get_cashier_url_info(code) is None
    await sandbox.decline(NO, payer="100000012396")
    payer = await payby.get_cashier_url_info(code)
    assert payer is not None
    assert payer.mobile_number_mask == "+971-58*96"
    assert sandbox.calls[-1].biz == {"tokenUrl": code}


async def test_a_code_that_is_none_or_no_longer_one_is_unknown(sandbox: Sandbox, payby: PayByClient, code: str) -> None:
    with pytest.raises(e.TokenUnknown, match="62082"):
        await payby.get_cashier_url_info(code[:-1])
    await sandbox.pay(NO)
    with pytest.raises(e.TokenUnknown):
        await payby.get_cashier_url_info(code)


@pytest.mark.parametrize("url", ["", "x" * 513, "a\nb"])
async def test_what_can_be_no_code_is_not_sent(sandbox: Sandbox, payby: PayByClient, url: str) -> None:
    with pytest.raises(e.BadRequest, match="tokenUrl"):
        await payby.get_cashier_url_info(url)
    assert sandbox.calls == []


@pytest.mark.parametrize("said", [None, {}, [], {"payer": None}, {"payer": {}}, {"payer": "?"}, {"payer": {"new": 1}}])
def test_any_absence_of_a_payer_means_not_yet(said: Any) -> None:
    head = {"applyStatus": "SUCCESS", "code": "0", "msg": "SUCCESS", "success": True}
    assert payer_in({"head": head, "body": said}) is None
    assert payer_in({"head": head}) is None


@pytest.mark.parametrize("mask", ["+971-58*92", 97158, "two\nlines"])
def test_a_masked_number_is_one_line_for_operators(mask: Any) -> None:
    said = load(
        json.dumps({"head": {"applyStatus": "SUCCESS", "code": "0"}, "body": {"payer": {"mobileNumberMask": mask}}})
    )
    payer = payer_in(said)
    assert payer is not None
    assert str(payer.mobile_number_mask) == str(mask).replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "mask"),
    those_there(("own get-cashier-url", "+971-50*07"), ("get-cashier-url.response.json", "+971-58*92")),
)
def test_who_scanned_a_code_is_read(name: str, mask: str) -> None:
    payer = payer_in(load(body_of(name)))
    assert payer is not None
    assert payer.mobile_number_mask == mask


async def test_who_paid_is_told_of_a_paid_order(sandbox: Sandbox, payby: PayByClient) -> None:
    placed = await payby.place_order(biz())
    with pytest.raises(e.RefundRejected, match="62015"):  # ORDER_NOT_PAID
        await payby.get_order_payer(NO)
    await sandbox.pay(NO, payer="100000012396")
    for payer in (await payby.get_order_payer(NO), await payby.get_order_payer(payby_no=placed.order.order_no)):
        assert payer is not None
        assert (payer.payer_mid, payer.mobile_number_mask) == ("100000012396", "+971-58*96")
    with pytest.raises(e.OrderUnknown):
        await payby.get_order_payer("other")


async def test_an_endpoint_that_is_not_there_or_not_for_us_is_told_apart(
    sandbox: Sandbox, payby: PayByClient, code: str
) -> None:
    sandbox.fail("getCashierUrlInfo", Fault(code="404", msg="SERVICE_NOT_AVAILABLE"))
    with pytest.raises(e.OutcomeUnknown):
        await payby.get_cashier_url_info(code)
    sandbox.fail("getCashierUrlInfo", Fault(code="403", msg="UNAUTHORIZED", sign="good"))
    with pytest.raises(e.Unauthorised):
        await payby.get_cashier_url_info(code)


async def test_refunds_of_a_day_come_in_pages(sandbox: Sandbox, payby: PayByClient) -> None:
    await payby.place_order(biz(device_id=DEVICES[0]))
    await sandbox.pay(NO)
    for number in range(5):
        await payby.refund(refund_biz(f"r-{number}", "1.00"))
    await sandbox.finish_refund("r-3", "FAILURE")
    today = datetime.now(UTC).date()
    start, end = today - timedelta(days=1), today + timedelta(days=1)
    page = await payby.query_refund_order_page(start, end, number=1, size=2)
    assert (page.total_elements, page.total_pages) == (5, 3)
    assert [refund.refund_merchant_order_no for refund in page.items] == ["r-2", "r-3"]
    assert page.items[0].origin_merchant_order_no == NO
    page = await payby.query_refund_order_page(start, end, statuses=["FAILURE"], devices=DEVICES[:1])
    assert [refund.status for refund in page.items] == ["FAILURE"]
    assert (await payby.query_refund_order_page(date(2020, 1, 1), date(2020, 1, 2))).items == ()


async def test_a_list_of_refunds_needs_its_days_in_order(payby: PayByClient) -> None:
    with pytest.raises(e.BadRequest, match="days in order"):
        await payby.query_refund_order_page(date(2026, 1, 2), date(2026, 1, 1))
