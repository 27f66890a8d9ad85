"""What goes to PayBy: exact bytes, and PayBy's limits."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from terminal.payby import requests as r
from terminal.payby.errors import BadRequest

EXPIRES = 1770451403018


def place(**changed: Any) -> bytes:
    fields: dict[str, Any] = {"order_no": "marina-exit-1-a", "amount": Decimal("20"), "subject": "Parking"}
    return r.OrderRequest(**(fields | changed)).biz_content()


def refund(**changed: Any) -> bytes:
    fields: dict[str, Any] = {"refund_no": "R1", "amount": Decimal("5.50"), "origin_order_no": "marina-1"}
    return r.RefundRequest(**(fields | changed)).biz_content()


def test_a_dynqr_order_in_full_is_these_bytes() -> None:
    biz = place(
        subject_ar="موقف",
        change_payer=False,
        expires_ms=EXPIRES,
        notify_url="https://pay.example.com/payby/notify",
        device_id="exit-1",
        reserved="ABC23",
        vat=Decimal("0.95"),
        goods_id="parking",
        goods_name="Parking 61 min",
        goods_body="61 min",
        operator_id="op",
        store_id="marina",
        store_name="Marina Garage",
        terminal_id="exit-1",
        merchant_name="Marina",
    )
    assert biz.decode() == (
        '{"merchantOrderNo":"marina-exit-1-a","subject":"Parking","subjectAr":"موقف",'
        '"totalAmount":{"amount":20.00,"currency":"AED"},"paySceneCode":"DYNQR",'
        '"paySceneParams":{"changePayer":"false"},"expiredTime":1770451403018,'
        '"notifyUrl":"https://pay.example.com/payby/notify","deviceId":"exit-1","reserved":"ABC23",'
        '"accessoryContent":{"amountDetail":{"amount":{"amount":19.05,"currency":"AED"},'
        '"vatAmount":{"amount":0.95,"currency":"AED"}},'
        '"goodsDetail":{"goodsId":"parking","goodsName":"Parking 61 min","body":"61 min"},'
        '"terminalDetail":{"operatorId":"op","storeId":"marina","terminalId":"exit-1","merchantName":"Marina",'
        '"storeName":"Marina Garage"}}}'
    )


def test_what_is_not_given_is_not_sent() -> None:
    assert json.loads(place()) == {
        "merchantOrderNo": "marina-exit-1-a",
        "subject": "Parking",
        "totalAmount": {"amount": 20.0, "currency": "AED"},
        "paySceneCode": "DYNQR",
    }


def test_the_same_order_is_the_same_bytes() -> None:
    assert place(vat=Decimal("0.95")) == place(vat=Decimal("0.950"))


@pytest.mark.parametrize(
    ("amount", "sent"),
    [
        ("0.01", b"0.01"),
        ("1", b"1.00"),
        ("1E+2", b"100.00"),
        ("999999999999.99", b"999999999999.99"),
        ("1.10", b"1.10"),
    ],
)
def test_amounts_go_out_as_numbers_with_two_decimals(amount: str, sent: bytes) -> None:
    assert b'"totalAmount":{"amount":%b,' % sent in place(amount=Decimal(amount))


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "1.005", "1000000000000", "NaN", "Infinity", "-0.01"])
def test_what_is_no_amount_is_not_sent(amount: str) -> None:
    with pytest.raises(BadRequest, match="totalAmount"):
        place(amount=Decimal(amount))
    with pytest.raises(BadRequest, match="amount"):
        refund(amount=Decimal(amount))


@pytest.mark.parametrize("vat", ["20.01", "-1", "0.001", "NaN"])
def test_vat_is_part_of_the_amount(vat: str) -> None:
    with pytest.raises(BadRequest, match="vatAmount"):
        place(vat=Decimal(vat))


@pytest.mark.parametrize(
    ("field", "name", "limit"),
    [
        ("subject", "subject", 64),
        ("subject_ar", "subjectAr", 200),
        ("device_id", "deviceId", 200),
        ("reserved", "reserved", 20),
        ("goods_id", "goodsId", 200),
        ("goods_name", "goodsName", 200),
        ("goods_body", "goodsDetail.body", 200),
        ("operator_id", "operatorId", 200),
        ("store_id", "storeId", 200),
        ("store_name", "storeName", 200),
        ("terminal_id", "terminalId", 200),
        ("merchant_name", "merchantName", 200),
    ],
)
def test_texts_keep_to_paybys_limits(field: str, name: str, limit: int) -> None:
    assert ("م" * limit).encode() in place(**{field: "م" * limit})
    for text in ("م" * (limit + 1), "a\nb", "a\x00", "\ud800"):
        with pytest.raises(BadRequest, match=name):
            place(**{field: text})


@pytest.mark.parametrize("number", ["", "x" * 65, "a b", "a/b", "a.b", "٣", "a\n", "é"])
def test_order_numbers_keep_to_paybys_alphabet(number: str) -> None:
    for attempt in (
        lambda: place(order_no=number),
        lambda: refund(refund_no=number),
        lambda: refund(origin_order_no=number),
        lambda: r.order_ref(number, None),
        lambda: r.refund_ref(number, None),
    ):
        with pytest.raises(BadRequest):
            attempt()
    assert json.loads(place(order_no="aZ09-_" * 10))["merchantOrderNo"] == "aZ09-_" * 10


def test_an_empty_subject_is_not_sent() -> None:
    for subject in ("", "  "):
        with pytest.raises(BadRequest, match="subject"):
            place(subject=subject)


def test_a_notify_url_is_a_web_address_of_at_most_200_characters() -> None:
    for url in ("ftp://x", "pay.example.com", "https://" + "x" * 200):
        with pytest.raises(BadRequest, match="notifyUrl"):
            place(notify_url=url)


def test_seconds_and_microseconds_for_milliseconds_are_noticed() -> None:
    for wrong in (EXPIRES // 1000, EXPIRES * 1000):
        with pytest.raises(BadRequest, match="milliseconds"):
            place(expires_ms=wrong)


def test_a_refund_names_one_origin() -> None:
    assert json.loads(refund(reason="car gone", operator_name="Sara")) == {
        "refundMerchantOrderNo": "R1",
        "originMerchantOrderNo": "marina-1",
        "amount": {"amount": 5.5, "currency": "AED"},
        "reason": "car gone",
        "operatorName": "Sara",
    }
    assert json.loads(refund(origin_order_no=None, origin_payby_no="131"))["originOrderNo"] == "131"
    for wrong in ({"origin_payby_no": "131"}, {"origin_order_no": None}):
        with pytest.raises(BadRequest, match="exactly one"):
            refund(**wrong)


def test_one_order_is_named_by_one_number() -> None:
    assert r.order_ref("a", None) == b'{"merchantOrderNo":"a"}'
    assert r.order_ref(None, "131") == b'{"orderNo":"131"}'
    assert r.order_ref("a", None, EXPIRES) == b'{"merchantOrderNo":"a","expiredTime":1770451403018}'
    assert r.order_ref("a", None, device_id="1342") == b'{"merchantOrderNo":"a","deviceId":"1342"}'
    assert r.order_ref(None, "131", device_id="1342") == b'{"orderNo":"131"}'
    with pytest.raises(BadRequest, match="deviceId"):
        r.order_ref("a", None, device_id="x" * 33)
    assert r.refund_ref("R1", None) == b'{"refundMerchantOrderNo":"R1"}'
    for named in ((None, None), ("a", "131")):
        with pytest.raises(BadRequest):
            r.order_ref(*named)
        with pytest.raises(BadRequest):
            r.refund_ref(*named)


def test_a_page_is_asked_for_as_paybys_sample_does() -> None:
    day = date(2022, 7, 22)
    assert r.order_page(day, day, [], [], 0, 20) == (
        b'{"startDate":"2022-07-22","endDate":"2022-07-22","deviceIdList":[],"includeStatusList":[],'
        b'"sortPageParam":{"number":0,"size":20}}'
    )
    with pytest.raises(BadRequest):
        r.order_page(day, date(2022, 7, 21), [], [], 0, 20)


def test_a_statement_is_asked_for_by_its_day() -> None:
    assert r.statement(date(2026, 7, 1)) == b'{"statementDate":"20260701"}'
