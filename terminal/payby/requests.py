"""Our requests to PayBy: the ``bizContent`` of each call as bytes, its limits checked before anything is sent.

The bytes are made once, journaled, and repeated unchanged: to PayBy the same number with the same parameters is the
same order. Limits are those of PayBy's pages.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from .errors import BadRequest

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CENT = Decimal("0.01")
_MAX_MS = 10**14  # the year 5138; catches seconds and microseconds given for milliseconds
_MIN_MS = 10**12  # the year 2001


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A new order. Amounts in AED; ``expires_ms`` in ms since the epoch, at most 48 h after the request.

    ``change_payer`` False binds nothing: another phone may scan the code after the first (PayBy's default is True).
    ``vat`` is the part of ``amount`` that is VAT; PayBy's ``amountDetail.amount`` is the rest of it.
    """

    order_no: str
    amount: Decimal
    subject: str
    subject_ar: str | None = None
    scene: str = "DYNQR"
    change_payer: bool | None = None
    one_time_payment: bool | None = None
    expires_ms: int | None = None
    notify_url: str | None = None
    device_id: str | None = None
    reserved: str | None = None
    vat: Decimal | None = None
    goods_id: str | None = None
    goods_name: str | None = None
    goods_body: str | None = None
    operator_id: str | None = None
    store_id: str | None = None
    store_name: str | None = None
    terminal_id: str | None = None
    merchant_name: str | None = None

    def biz_content(self) -> bytes:
        """The JSON for ``acquire2/placeOrder``; raises BadRequest that names the field over its limit."""
        total = _money(self.amount, "totalAmount")
        if self.vat is not None and _money(self.vat, "vatAmount", 0)["amount"] > self.amount:
            raise BadRequest("vatAmount: more than the amount")
        accessory = {
            "amountDetail": None
            if self.vat is None
            else {"amount": _money(self.amount - self.vat, "amount", 0), "vatAmount": _money(self.vat, "vatAmount", 0)},
            "goodsDetail": {
                "goodsId": _text(self.goods_id, "goodsId", 200),
                "goodsName": _text(self.goods_name, "goodsName", 200),
                "body": _text(self.goods_body, "goodsDetail.body", 200),
            },
            "terminalDetail": {
                "operatorId": _text(self.operator_id, "operatorId", 200),
                "storeId": _text(self.store_id, "storeId", 200),
                "terminalId": _text(self.terminal_id, "terminalId", 200),
                "merchantName": _text(self.merchant_name, "merchantName", 200),
                "storeName": _text(self.store_name, "storeName", 200),
            },
        }
        return _encode(
            {
                "merchantOrderNo": _number(self.order_no, "merchantOrderNo"),
                "subject": _text(self.subject, "subject", 64, needed=True),
                "subjectAr": _text(self.subject_ar, "subjectAr", 200),
                "totalAmount": total,
                "paySceneCode": _text(self.scene, "paySceneCode", 32, needed=True),
                "paySceneParams": {
                    "changePayer": _flag(self.change_payer),
                    "oneTimePayment": _flag(self.one_time_payment),
                },
                "expiredTime": None if self.expires_ms is None else _moment(self.expires_ms, "expiredTime"),
                "notifyUrl": _url(self.notify_url),
                "deviceId": _text(self.device_id, "deviceId", 200),
                "reserved": _text(self.reserved, "reserved", 20),
                "accessoryContent": accessory,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """A refund, full or partial, within 180 days of the order; one of the two origin numbers, never both."""

    refund_no: str
    amount: Decimal
    origin_order_no: str | None = None
    origin_payby_no: str | None = None
    reason: str | None = None
    operator_name: str | None = None
    notify_url: str | None = None

    def biz_content(self) -> bytes:
        """The JSON for ``acquire2/refund/placeOrder``; raises BadRequest."""
        origin = self.origin_order_no
        if (origin is None) == (self.origin_payby_no is None):
            raise BadRequest("originMerchantOrderNo or originOrderNo: exactly one is needed")
        return _encode(
            {
                "refundMerchantOrderNo": _number(self.refund_no, "refundMerchantOrderNo"),
                "originMerchantOrderNo": None if origin is None else _number(origin, "originMerchantOrderNo"),
                "originOrderNo": _text(self.origin_payby_no, "originOrderNo", 64),
                "amount": _money(self.amount, "amount"),
                "reason": _text(self.reason, "reason", 64),
                "operatorName": _text(self.operator_name, "operatorName", 200),
                "notifyUrl": _url(self.notify_url),
            }
        )


def order_ref(
    order_no: str | None, payby_no: str | None, expires_ms: int | None = None, *, device_id: str | None = None
) -> bytes:
    """Names one order, by our number or PayBy's, never both; ``expires_ms`` is for updateExpiredTime, ``device_id``
    for getOrder beside our number."""
    if (order_no is None) == (payby_no is None):
        raise BadRequest("merchantOrderNo or orderNo: exactly one is needed")
    return _encode(
        {
            "merchantOrderNo": None if order_no is None else _number(order_no, "merchantOrderNo"),
            "orderNo": _text(payby_no, "orderNo", 32),
            "expiredTime": None if expires_ms is None else _moment(expires_ms, "expiredTime"),
            "deviceId": None if order_no is None else _text(device_id, "deviceId", 32),
        }
    )


def cashier_url(token_url: str) -> bytes:
    """Names one QR code."""
    return _encode({"tokenUrl": _text(token_url, "tokenUrl", 512, needed=True)})


def refund_ref(refund_no: str | None, payby_no: str | None) -> bytes:
    """Names one refund, by our number or by PayBy's, never both."""
    if (refund_no is None) == (payby_no is None):
        raise BadRequest("refundMerchantOrderNo or orderNo: exactly one is needed")
    return _encode(
        {
            "refundMerchantOrderNo": None if refund_no is None else _number(refund_no, "refundMerchantOrderNo"),
            "orderNo": _text(payby_no, "orderNo", 32),
        }
    )


def order_page(
    start: date, end: date, devices: Sequence[str], statuses: Sequence[str], number: int, size: int
) -> bytes:
    """One page of the orders or refunds of some days (first and last included, in PayBy's time zone), from page 0."""
    if end < start or number < 0 or not 1 <= size <= 1000:
        raise BadRequest("a page of a list: days in order, a page from 0 and a size of 1 to 1000 are needed")
    return _encode(
        {
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
            "deviceIdList": list(devices),
            "includeStatusList": list(statuses),
            "sortPageParam": {"number": number, "size": size},
        }
    )


def statement(day: date) -> bytes:
    """The statement of one day."""
    return _encode({"statementDate": day.strftime("%Y%m%d")})


def _encode(fields: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(_present(fields))


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Drop fields that are None, and objects that become empty: PayBy refuses null in some places."""
    kept = {key: _present(value) if isinstance(value, dict) else value for key, value in fields.items()}
    return {key: value for key, value in kept.items() if value is not None and value != {}}


def _number(text: str, field: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise BadRequest(f"{field}: 1 to 64 letters, digits, - and _ are needed")
    return text


def _text(text: str | None, field: str, limit: int, *, needed: bool = False) -> str | None:
    if text is None or (needed and not text.strip()):
        if needed:
            raise BadRequest(f"{field}: needed")
        return None
    if len(text) > limit:
        raise BadRequest(f"{field}: {len(text)} characters; PayBy takes {limit}")
    if any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise BadRequest(f"{field}: control characters")
    return text


def _url(url: str | None) -> str | None:
    if url is not None and not url.startswith(("https://", "http://")):
        raise BadRequest("notifyUrl: http:// or https:// is needed")
    return _text(url, "notifyUrl", 200)


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()


def _moment(ms: int, field: str) -> int:
    if not _MIN_MS < ms < _MAX_MS:
        raise BadRequest(f"{field}: milliseconds since the epoch are needed")
    return ms


def _money(amount: Decimal, field: str, least: Decimal | int = _CENT) -> dict[str, Any]:
    """AED as a JSON number with exactly two decimals; never rounded."""
    if not amount.is_finite() or not least <= amount < 10**12 or amount != amount.quantize(_CENT):
        raise BadRequest(f"{field}: AED with at most 12 digits and 2 decimals is needed, at least {least}")
    return {"amount": Decimal(f"{amount:.2f}"), "currency": "AED"}
