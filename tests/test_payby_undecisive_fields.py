"""Fields of PayBy's that decide nothing: whatever stands in them, an order, a refund or a notification is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.payby import messages as m
from terminal.payby import strict_json
from terminal.payby.errors import BadWords
from terminal.payby.strict_json import Figure, load
from tests.support.payby_words import ANSWER, NOTIFICATION, ORDER, order

UNDECISIVE = [
    "expiredTime", "requestTime", "paySceneCode", "subject", "subjectAr", "deviceId", "reserved", "product",
    "notifyUrl", "failCode", "failDes", "paymentInfo", "accessoryContent", "sharingInfoList",
]  # fmt: skip
OF_PAYMENT = [
    "paidAmount", "paidTime", "payerMid", "payChannel", "settlementAmount", "payeeFeeAmount", "payerFeeAmount",
    "cardInfo",
]  # fmt: skip
ODD = [
    "null", "true", "false", "0", "-1", "0.125", "-0.001", "1e-7", "1E+999999", "9" * 50, "-" + "9" * 5000, '""', '"x"',
    '"2026-07-01T09:49:33+0400"', '"' + "x" * 5000 + '"', '"\\ud83d"', '"\\u0000"', "[]", "{}", "[[[[[[{}]]]]]]",
    '{"amount": 0.125, "currency": "AED"}', '{"amount": -5.00, "currency": "AED"}', '{"amount": "many"}',
    '{"amount": %s, "currency": "AED"}' % ("9" * 5000), '{"amount": null, "currency": null}', '{"amount": 1}',
    '{"amount": {"amount": 1}, "currency": []}',
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(UNDECISIVE), st.sampled_from(ODD)),
       st.dictionaries(st.sampled_from(OF_PAYMENT), st.sampled_from(ODD)))  # fmt: skip
def test_no_paid_order_is_refused_for_a_field_that_decides_nothing(more: dict[str, str], info: dict[str, str]) -> None:
    if info:
        more = {"paymentInfo": "{" + ", ".join(f'"{name}": {said}' for name, said in info.items()) + "}"} | more
    added = "".join(f'"{name}": {said}, ' for name, said in more.items())
    text = ORDER.replace('"status"', f'{added}"status"')
    for body in (NOTIFICATION % text, ANSWER % text):
        found = m.read_order(body)
        assert found.is_paid
        assert (found.merchant_order_no, found.order_no, found.total_amount, found.payee_mid) == (
            order().merchant_order_no, order().order_no, order().total_amount, order().payee_mid,
        )  # fmt: skip
    assert m.read_notification(NOTIFICATION % text).acquire_order == m.read_order(ANSWER % text)


def test_what_decides_nothing_is_kept_where_it_fits_and_absent_where_it_does_not() -> None:
    info = """"paymentInfo": {"payeeFeeAmount": {"amount": 0.125, "currency": "AED"}, "paidTime": "yesterday",
        "settlementAmount": {"amount": -1.5, "currency": "AED"}, "payerMid": 100000012396, "payChannel": "BALANCE",
        "payerFeeAmount": {"amount": 1e-3, "currency": "AED"}}, "failCode": 504, "failDes": "TIME\\nOUT",
        "subject": 1, """
    found = order(ORDER.replace('"status"', info + '"status"'))
    paid = found.payment_info
    assert paid == m.PaymentInfo(
        payee_fee_amount=strict_json.Sum(Figure("0.125"), "AED"),
        settlement_amount=strict_json.Sum(Figure("-1.5"), "AED"),
        pay_channel="BALANCE",
    )
    assert (found.fail_code, found.fail_des, found.subject) == ("504", "TIME OUT", None)


def test_a_notifications_time_decides_nothing() -> None:
    for said in ('"now"', "1.5", "null", "9" * 60):
        text = (NOTIFICATION % ORDER).replace("1587113039189", said)
        assert m.read_notification(text).notify_timestamp is None


def test_a_refunds_fee_decides_nothing_and_its_amount_does() -> None:
    text = """{"head": {"applyStatus": "SUCCESS", "code": "0", "msg": 1}, "body": {"refundOrder": {
        "refundMerchantOrderNo": "R1", "status": "FAILURE", "amount": {"amount": 20.00, "currency": "AED"},
        "feeRefunded": {"amount": 0.125}, "failCode": "62002", "failDes": "Failed orders cannot be refunded"}}}"""
    refund, _ = m.refund_in(load(text))
    assert (refund.fee_refunded, refund.fail_code, refund.fail_des) == (
        None, "62002", "Failed orders cannot be refunded",
    )  # fmt: skip
    with pytest.raises(BadWords, match="amount"):
        m.refund_in(load(text.replace("20.00", "20.001")))
