"""What PayBy says, in bodies of our own making: of every kind that we read, with all that may stand around it.

PayBy's own samples are read as well, by the same tests, where they lie beside the repository; nothing depends on that.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).resolve().parents[3] / "shared/payby/samples"

_HEAD = '"head": {"applyStatus": "SUCCESS", "code": "0", "msg": "SUCCESS", "traceCode": "40017"}'
_GOODS = """"accessoryContent": {
  "amountDetail": {"amount": {"amount": 11.4, "currency": "AED"}, "vatAmount": {"amount": 0.6, "currency": "AED"}},
  "goodsDetail": {"body": "Parking", "goodsName": "exit", "price": {"amount": 12, "currency": "AED"}, "quantity": 1.0},
  "terminalDetail": {"merchantName": "Marina Garage", "storeId": "marina", "location": "مواقف المارينا"}}"""
_PAID = """"paymentInfo": {"paidAmount": {"amount": 84.15, "currency": "AED"}, "paidTime": 1782900000000,
  "payChannel": "CARD", "payerMid": "100000077001", "cardInfo": {"brand": "MASTERCARD", "last4": "0008"},
  "payeeFeeAmount": {"amount": 0.85, "currency": "AED"}, "payerFeeAmount": {"amount": 0, "currency": "AED"},
  "paymentInfoExtend": {"installment": {"plans": [{"months": 3, "rate": 0.0125}, null]}}}"""
_SHARED = """"promotionInfoList": [{"appliedRewardId": "R1", "settleFlag": "NO"}],
  "sharingInfoList": [{"sharingMid": "200000077002", "sharingAmount": {"amount": 1, "currency": "AED"}}]"""
_REFUND = """"refundMerchantOrderNo": "R0190d3f07c1e7a529d2f0123456789ab", "orderNo": "191782900000000001",
  "originMerchantOrderNo": "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab", "status": "SUCCESS",
  "amount": {"amount": 0.75, "currency": "AED"}, "reason": "paid twice\""""
_LEFT = """"refundSummary": {"acquireAmount": {"amount": 85, "currency": "AED"},
  "remainRefundAmount": {"amount": 84.25, "currency": "AED"}}"""


def _order(status: str, amount: str, scene: str, *more: str) -> str:
    said = [
        '"merchantOrderNo": "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab", "orderNo": "131782900000000001"',
        f'"status": "{status}", "product": "Basic Payment Gateway", "paySceneCode": "{scene}"',
        f'"totalAmount": {{"amount": {amount}, "currency": "AED"}}, "payeeMid": "200000000888"',
        '"requestTime": 1782899990000, "expiredTime": 1782900700000, "subject": "Parking"',
        *more,
    ]
    return f'"acquireOrder": {{{", ".join(said)}}}'


def _answer(*body: str) -> str:
    return f'{{{_HEAD}, "body": {{{", ".join(body)}}}}}'


def _notification(body: str) -> str:
    return (
        '{"notify_id": "202607010000000077", "notify_time": "20260701140000", "notify_timestamp": 1782900000500, '
        f'"_input_charset": "UTF-8", {body}}}'
    )


TOKEN_URL = "https://qr.payby.com?BIZ_TYPE=202&ft=0123456789abcdef0123456789abcdef&t=1782899990500"
_TOKEN = f'"interActionParams": {{"tokenUrl": "{TOKEN_URL}"}}'
_NOT_REVOKED = '"revoked": "false", "reserved": "ours"'

_MID = "*mid:200000000888|periodNo:20260702|startTime:2026-07-01 00:00|endTime:2026-07-02 00:00"
_SETTLED_MID = f"{_MID}|openingAmount:AED 5.00|totalCredit:AED 20.00|settleToBank:AED 25.00 success".replace(
    "periodNo", "settlePeriodNo"
)

OWN: dict[str, str] = {
    "own cancel-order": _answer(_order("FAILURE", "12.35", "DYNQR", _GOODS)),
    "own get-order": _answer(_order("PAID_SUCCESS", "85.00", "DYNQR", _PAID, _GOODS, _SHARED, _NOT_REVOKED)),
    "own place-order dynqr": _answer(_order("CREATED", "3.05", "DYNQR", _GOODS, _NOT_REVOKED), _TOKEN),
    "own place-order settled": _answer(_order("SETTLED", "15", "PAYPAGE", _PAID, _SHARED, _NOT_REVOKED)),
    "own revoke-order": _answer(
        _order("FAILURE", "85.00", "DYNQR", _PAID, '"accessoryContent": {"goodsDetail": {}}', '"revoked": "true"')
    ),
    "own payment-notification": _notification(_order("PAID_SUCCESS", "0.3", "DYNQR", _PAID, _GOODS)),
    "own refund": _answer(f'"refundOrder": {{{_REFUND}}}', _LEFT),
    "own get-refund": _answer(f'"refundOrder": {{{_REFUND}, "refundSharingAmount": true, {_SHARED}}}', _LEFT),
    "own refund-notification": _notification(f'"refundOrder": {{{_REFUND}}}'),
    "own chargeback-notification": _notification(
        '"acquireChargeback": {"chargebackTime": 1785000000000, "merchantOrderNo": "marina-7", "orderNo": "13177", '
        '"payAmount": {"amount": 85.00, "currency": "AED"}, "chargebackAmount": {"amount": 80, "currency": "AED"}, '
        '"caseType": "goods not received", "partnerId": "200000000888"}'
    ),
    "own get-cashier-url": _answer('"payer": {"mobileNumberMask": "+971-50*07"}'),
    "own statement missing": '{"head": {"applyStatus": "SUCCESS", "code": "62013", "msg": "STATEMENT_NOT_EXIST"}}',
    "own transactions 1": (
        f"{_MID}|totalCount:3\n"
        "paidTime|transactionType|totalAmount|orderCurrency|productName|merchantOrderNo|orderNo|status|subject|reserved\n"
        "2026-07-01T08:05:09+0400|PAYMENT|45.00|AED|Smart Purchase|marina-1|1311|SUCCESS|Parking|*\n"
    ),
    "own transactions 2": (
        f"{_MID}|totalCount:1\n"
        "merchantOrderNo|orderNo|paidTime|scheme|orderCurrency|totalAmount|transactionType|cardNumber|status|dccMarkup\n"
        "marina-2|1312|2026-07-01T23:59:59+0400|VISA|AED|7.50|REFUND|400000******0002|SUCCESS|*\n"
    ),
    "own settlements 1": (
        f"{_SETTLED_MID}|totalCount:2\n"
        "settledTIme|transactionType|direction|settlementAmount|orderCurrency|merchantOrderNo|orderNo|paidTime|comm|VAT\n"
        "2026-07-02T00:10:00+0400|ADJUST|OUT|31.00|AED|adjust-3|c0ffee|2026-07-02T00:09:00+0400|0.00|0.00*\n"
    ),
    "own settlements 2": (
        f"{_SETTLED_MID}|totalCount:1\n"
        "merchantOrderNo|orderNo|settledTime|paidTime|totalAmount|transactionType|direction|settlementAmount|comm|source\n"
        "marina-4|1314|2026-07-02T00:10:00+0400|2026-07-01T12:00:00+0400|9.00|REFUND|OUT|9.00|0.00|*\n"
    ),
    "own funds": (
        "*ACCOUNTING_DATE|NUMBER_INCOME|AMOUNT_INCOME|NUMBER_PAYOUT|AMOUNT_PAYOUT|BEGINNING_BALANCE|ENDING_BALANCE\n"
        "2026-07-01T00:00:00+0400|0|0.00|1|61.2500|100.0000|38.75\n"
        "ACCOUNTING_TIME|TXN_NO|PRODUCT|BUSINESS_TYPE|DIRECTION|TXN_AMT|BEFORE_AMT|AFTER_AMT|MERCHANT_ORDER_NO|ORDER_NO\n"
        "2026-07-01T06:00:00+0400|fd77|Settlement|Pay|Payout|61.25|100.00|38.75|payout-5|1315*\n"
    ),
}


def body_of(name: str) -> bytes:
    """One of ours, or the sample of that file name."""
    return OWN[name].encode() if name in OWN else (SAMPLES / name).read_bytes()


def those_there(*cases: tuple[Any, ...]) -> Sequence[tuple[Any, ...]]:
    """The cases whose body, which the first of each names, can be read here: ours always."""
    return [case for case in cases if case[0] in OWN or (SAMPLES / case[0]).is_file()]


def jsons_there() -> Sequence[str]:
    """The names of all bodies in JSON that can be read here."""
    return [name for name, text in OWN.items() if text.startswith("{")] + sorted(p.name for p in SAMPLES.glob("*.json"))
