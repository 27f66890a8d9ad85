"""The sandbox's checks of parameters: PayBy's limits from PayBy's side, so not with our own builders."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

SCENES = frozenset(("PAYPAGE", "INAPP", "EWALLET", "DYNQR", "QRPAY", "JSAPI", "AUTODEBIT", "DIRECTPAY", "CASHTOPUP"))
STATUSES = frozenset(("CREATED", "PAID_SUCCESS", "SETTLED", "FAILURE"))
REFUND_STATUSES = frozenset(("CREATED", "REFUNDED_SETTLED", "SUCCESS", "FAILURE"))
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Refusal(Exception):
    """PayBy says no: ``code`` and ``msg`` of its head."""

    def __init__(self, code: str, msg: str) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg


@dataclass(frozen=True)
class OrderAsked:
    """What placeOrder asks for: ``amount`` in AED, ``expires_ms`` in ms since the epoch (None: PayBy's default)."""

    no: str
    amount: Decimal
    payee_mid: str | None
    expires_ms: int | None
    device: str | None


@dataclass(frozen=True)
class RefundAsked:
    """What refund/placeOrder asks for: the refund's own number, and ``amount`` in AED."""

    no: str
    amount: Decimal


@dataclass(frozen=True)
class PageAsked:
    """A page of orders or refunds: both days count, no device or status means any, ``number`` counts from 0."""

    start: date
    end: date
    devices: tuple[str, ...]
    statuses: tuple[str, ...]
    number: int
    size: int


def invalid(field: str) -> Refusal:
    """The refusal of a parameter. It names the parameter, which the real PayBy does not."""
    return Refusal("400", f"INVALID_PARAMETER {field}")


def place_order(biz: Mapping[str, Any]) -> OrderAsked:
    """Parameters of placeOrder."""
    for name, limit in (("subjectAr", 200), ("notifyUrl", 200), ("deviceId", 200), ("reserved", 20), ("payeeMid", 12)):
        _text(biz, name, limit)
    if not _text(biz, "subject", 64):
        raise invalid("subject")
    if biz.get("paySceneCode") not in SCENES:
        raise Refusal("62012", "PAYSCENECODE_ILLEGAL")
    scene = biz.get("paySceneParams", {})
    if not isinstance(scene, dict) or not all(isinstance(value, str) for value in scene.values()):
        raise invalid("paySceneParams")
    if scene.get("oneTimePayment", "false") not in ("true", "false"):
        raise Refusal("62073", "INVALID_ONE_TIME_PAYMENT")
    if scene.get("changePayer", "true") not in ("true", "false"):
        raise invalid("changePayer")
    _accessory(biz.get("accessoryContent", {}))
    expires = None if biz.get("expiredTime") is None else moment(biz["expiredTime"], "expiredTime")
    amount = _money(biz.get("totalAmount"), "totalAmount")
    if amount == 0:
        raise invalid("totalAmount")
    return OrderAsked(
        _number(biz.get("merchantOrderNo"), "merchantOrderNo"),
        amount,
        biz.get("payeeMid"),
        expires,
        biz.get("deviceId"),
    )


def place_refund(biz: Mapping[str, Any]) -> RefundAsked:
    """Parameters of refund/placeOrder."""
    for name, limit in (("reason", 64), ("operatorName", 200), ("notifyUrl", 200), ("reserved", 200)):
        _text(biz, name, limit)
    one_of(biz, "originMerchantOrderNo", "originOrderNo")
    amount = _money(biz.get("amount"), "amount")
    if amount == 0:
        raise invalid("amount")
    return RefundAsked(_number(biz.get("refundMerchantOrderNo"), "refundMerchantOrderNo"), amount)


def order_page(biz: Mapping[str, Any], known: frozenset[str] = STATUSES) -> PageAsked:
    """Parameters of queryOrderPage or, with other statuses, queryRefundOrderPage."""
    sort = biz.get("sortPageParam")
    if not isinstance(sort, dict):
        raise invalid("sortPageParam")
    number, size = sort.get("number", 0), sort.get("size")
    if type(number) is not int or number < 0 or type(size) is not int or size < 1:
        raise invalid("sortPageParam")
    statuses = _texts(biz, "includeStatusList")
    if not known.issuperset(statuses):
        raise invalid("includeStatusList")
    return PageAsked(day(biz, "startDate"), day(biz, "endDate"), _texts(biz, "deviceIdList"), statuses, number, size)


def refund_page(biz: Mapping[str, Any]) -> PageAsked:
    """Parameters of queryRefundOrderPage, which has its own codes for its two dates."""
    for name, code in (("startDate", "71002"), ("endDate", "71003")):
        try:
            day(biz, name)
        except Refusal:
            raise Refusal(code, "DATE_ILLEGAL") from None
    if biz["endDate"] < biz["startDate"]:
        raise Refusal("71003", "DATE_ILLEGAL")
    return order_page(biz, REFUND_STATUSES)


def token_url(biz: Mapping[str, Any]) -> str:
    """The code that getCashierUrlInfo names."""
    if not (found := _text(biz, "tokenUrl", 512)):
        raise invalid("tokenUrl")
    return found


def one_of(biz: Mapping[str, Any], ours: str, theirs: str) -> tuple[str | None, str | None]:
    """The one of two names that is present; both or neither are refused."""
    if (biz.get(ours) is None) == (biz.get(theirs) is None):
        raise invalid(f"{ours} or {theirs}, not both")
    return _text(biz, ours, 64), _text(biz, theirs, 64)


def device(biz: Mapping[str, Any]) -> str | None:
    """The device that getOrder names."""
    return _text(biz, "deviceId", 32)


def day(biz: Mapping[str, Any], name: str, form: str = r"\d{4}-\d\d-\d\d") -> date:
    """A day, YYYY-MM-DD or by ``form``."""
    text = biz.get(name)
    try:
        if isinstance(text, str) and re.fullmatch(form, text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise invalid(name)


def moment(value: object, name: str) -> int:
    """Milliseconds since the epoch."""
    if type(value) is not int or value < 10**12:
        raise invalid(name)
    return value


def _number(value: object, name: str) -> str:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise invalid(name)
    return value


def _text(biz: Mapping[str, Any], name: str, limit: int) -> str | None:
    text = biz.get(name)
    if text is not None and not (isinstance(text, str) and len(text) <= limit):
        raise invalid(name)
    return text


def _texts(biz: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = biz.get(name) or []
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise invalid(name)
    return tuple(found)


def _money(value: object, name: str) -> Decimal:
    """AED; as a number, or as the string that some SDKs send."""
    if not isinstance(value, dict) or value.get("currency") != "AED" or isinstance(value.get("amount"), bool):
        raise invalid(name)
    text = str(value.get("amount"))
    if not re.fullmatch(r"\d{1,12}(\.\d{1,2})?", text, re.ASCII):
        raise invalid(name)
    return Decimal(text)


def _accessory(value: object) -> None:
    if not isinstance(value, dict) or not all(isinstance(part, dict) for part in value.values()):
        raise invalid("accessoryContent")
    for part in ("goodsDetail", "terminalDetail"):
        for name, text in value.get(part, {}).items():
            if isinstance(text, str) and len(text) > 200:
                raise invalid(f"{part}.{name}")
    for name in ("amount", "vatAmount", "discountableAmount", "tipAmount"):
        if name in value.get("amountDetail", {}):
            _money(value["amountDetail"][name], name)
