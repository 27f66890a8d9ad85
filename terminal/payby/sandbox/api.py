"""What becomes of a call: whether it is our merchant's and current, and what it changes. No HTTP and no faults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from terminal.payby.strict_json import load

from ..errors import BadSignature, BadWords
from ..signing import verify
from . import parameters
from .faults import Fault
from .order_book import OrderBook
from .orders import SandboxRefund
from .parameters import Refusal
from .statement_writer import Version, statement_zip

WINDOW_MS = 15 * 60_000
CALLS = (
    "acquire2/placeOrder",
    "acquire2/getOrder",
    "acquire2/cancelOrder",
    "acquire2/revokeOrder",
    "acquire2/updateExpiredTime",
    "acquire2/getCashierUrlInfo",
    "acquire2/getOrderPayer",
    "acquire2/refund/placeOrder",
    "acquire2/refund/getOrder",
    "acquire2Query/queryOrderPage",
    "acquire2Query/queryRefundOrderPage",
    "acquire2/download/getOrderStatement",
)


@dataclass
class Call:
    """One call as it came, and what became of it. ``name`` without its folder: ``placeOrder``, ``refund/getOrder``."""

    name: str
    at_ms: int
    steady_ms: int
    body: bytes
    headers: Mapping[str, str]
    biz: Mapping[str, Any] = field(default_factory=dict)
    code: str | None = None
    """The answer; None: no answer."""
    fault: Fault | None = None


class UnknownSigner(Refusal):
    """PayBy could not verify our signature: applyStatus ERROR."""


def genuine(call: Call, partner_id: str, merchant_keys: Sequence[rsa.RSAPublicKey]) -> int:
    """The call's requestTime, its parameters put into ``biz``; raises Refusal unless the call is our merchant's and
    current."""
    if call.headers.get("Partner-Id") != partner_id:
        raise Refusal("403", "UNAUTHORIZED")
    try:
        verify(merchant_keys, call.body, call.headers.get("sign"))
    except BadSignature as error:
        raise UnknownSigner("403", f"UNAUTHORIZED {error}") from None
    if call.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise parameters.invalid("Content-Type")
    try:
        found = load(call.body, decimals=True)
    except BadWords as error:
        raise parameters.invalid(str(error)) from None
    requested_ms: object = found.get("requestTime")
    if type(requested_ms) is not int:
        raise parameters.invalid("requestTime")
    if requested_ms < call.at_ms - WINDOW_MS:
        raise Refusal("400", "REQUESTTIME_TOO_EARLY")
    if requested_ms > call.at_ms + WINDOW_MS:
        raise Refusal("400", "REQUESTTIME_TOO_LATER")
    if not isinstance(found.get("bizContent"), dict):
        raise parameters.invalid("bizContent")
    call.biz = found["bizContent"]
    return requested_ms


def perform(
    call: Call, requested_ms: int, book: OrderBook, version: Version, *, stars: bool = True
) -> tuple[dict[str, Any] | bytes, SandboxRefund | None]:
    """The answer's body or the statement's ZIP, and the refund that was made. Raises Refusal."""
    now, biz = call.at_ms, call.biz
    match call.name:
        case "placeOrder":
            return book.place(biz, requested_ms, now), None
        case "getOrder":
            return book.get(biz, now), None
        case "cancelOrder":
            return book.cancel(biz, now), None
        case "revokeOrder":
            return book.revoke(biz, now), None
        case "updateExpiredTime":
            return book.update_expired_time(biz, now), None
        case "getCashierUrlInfo":
            return book.cashier(biz, now), None
        case "getOrderPayer":
            return book.payer(biz, now), None
        case "refund/placeOrder":
            refund, is_new = book.refund(biz, now)
            return {"refundOrder": refund.words(), "refundSummary": refund.summary()}, refund if is_new else None
        case "refund/getOrder":
            refund = book.get_refund(biz)
            return {"refundOrder": refund.words(), "refundSummary": refund.summary()}, None
        case "queryOrderPage":
            return book.page(biz, now), None
        case "queryRefundOrderPage":
            return book.refund_page(biz), None
        case _:
            found = statement_zip(book, parameters.day(biz, "statementDate", r"\d{8}"), version, stars=stars)
            if found is None:
                raise Refusal("62013", "STATEMENT_NOT_EXIST")
            return found, None
