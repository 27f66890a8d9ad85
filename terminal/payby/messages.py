"""What PayBy says: the bodies of its answers and notifications as types.

Verify a body's signature before you read it (``signing.verify``). Fields that PayBy adds are ignored; of the known ones
only those that a terminal uses are typed, so that a change elsewhere breaks nothing. A field without a default, and
those in ``DECIDES``, must be as the page says; any other field counts as absent if it is not. Our requests to PayBy are
in ``requests``.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from .errors import BadWords
from .strict_json import Money, PlainLine, Sum, fit, load

MerchantNo = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}(?!\n)$")]
Word = Annotated[str, Meta(pattern=r"^[!-~]{1,64}(?!\n)$")]
"""An identifier: printable ASCII without spaces."""

CREATED, PAID_SUCCESS, SETTLED, FAILURE = "CREATED", "PAID_SUCCESS", "SETTLED", "FAILURE"
REFUNDED_SETTLED, SUCCESS = "REFUNDED_SETTLED", "SUCCESS"
REFUNDED = (SUCCESS, REFUNDED_SETTLED)
"""The statuses of a refund that is done."""
RefundProgress = Literal["created", "settled", "success", "failed"]
_REFUND_STAGES: Mapping[str, RefundProgress] = {
    CREATED: "created",
    REFUNDED_SETTLED: "settled",
    SUCCESS: "success",
    FAILURE: "failed",
}


class PaymentInfo(msgspec.Struct, frozen=True, rename="camel"):
    """How an order was paid. With a discount ``paid_amount`` differs from the order's total. Times: epoch ms."""

    paid_amount: Sum | None = None
    paid_time: int | None = None
    payer_mid: str | None = None
    pay_channel: str | None = None
    settlement_amount: Sum | None = None
    payee_fee_amount: Sum | None = None
    payer_fee_amount: Sum | None = None


class AcquireOrder(msgspec.Struct, frozen=True, rename="camel"):
    """An order as PayBy has it. Times: ms since the epoch. ``fail_code``, ``fail_des``: why it failed."""

    DECIDES: ClassVar = frozenset({"revoked"})
    merchant_order_no: MerchantNo
    order_no: Word
    status: str
    total_amount: Money
    payee_mid: str
    payment_info: PaymentInfo | None = None
    expired_time: int | None = None
    request_time: int | None = None
    pay_scene_code: str | None = None
    subject: str | None = None
    device_id: str | None = None
    reserved: str | None = None
    fail_code: PlainLine | None = None
    fail_des: PlainLine | None = None
    revoked: bool | str | int | None = False

    @property
    def is_paid(self) -> bool:
        """The payer has paid, and PayBy has not revoked it. Refunds do not show here."""
        return self.was_paid and not self.is_revoked

    @property
    def was_paid(self) -> bool:
        """The payer has paid, whatever became of the money."""
        return self.status in (PAID_SUCCESS, SETTLED)

    @property
    def is_revoked(self) -> bool:
        """Anything but false, "false" in any case, null or an absent field counts as revoked."""
        said = self.revoked.lower() if isinstance(self.revoked, str) else self.revoked
        return not (said is None or said is False or said == "false")

    @property
    def is_final(self) -> bool:
        """No payment can come any more. Only PayBy's word makes an order final, never our clock."""
        return self.status in (PAID_SUCCESS, SETTLED, FAILURE, "VOID")


class RefundOrder(msgspec.Struct, frozen=True, rename="camel"):
    """A refund as PayBy has it; ``status`` is CREATED, one of REFUNDED, or FAILURE."""

    refund_merchant_order_no: Word
    status: str
    amount: Money
    order_no: str | None = None
    origin_merchant_order_no: MerchantNo | None = None
    fee_refunded: Sum | None = None
    reason: str | None = None
    fail_code: PlainLine | None = None
    fail_des: PlainLine | None = None

    @property
    def stage(self) -> RefundProgress | None:
        """The refund's stage; None for a status that no refund should have."""
        return _REFUND_STAGES.get(self.status)


class RefundSummary(msgspec.Struct, frozen=True, rename="camel"):
    """How much of the order is left to refund."""

    remain_refund_amount: Money
    acquire_amount: Sum | None = None


class VoidOrder(msgspec.Struct, frozen=True, rename="camel"):
    """The end of a pre-authorisation, which a parking terminal never asks for."""

    origin_merchant_order_no: MerchantNo


class Payer(msgspec.Struct, frozen=True, rename="camel"):
    """The payer, as far as PayBy tells a merchant: a masked number, such as ``+971-58*92``. For operators only."""

    payer_mid: str | None = None
    mobile_number_mask: PlainLine | None = None
    device_id: PlainLine | None = None
    ip_address: PlainLine | None = None


class OrderPage(msgspec.Struct, frozen=True, rename="camel"):
    """One page of orders; pages count from 0."""

    total_elements: int
    total_pages: int
    items: tuple[AcquireOrder, ...] = ()


class RefundPage(msgspec.Struct, frozen=True, rename="camel"):
    """One page of refunds; pages count from 0."""

    total_elements: int
    total_pages: int
    items: tuple[RefundOrder, ...] = ()


class ResponseHead(msgspec.Struct, frozen=True, rename="camel"):
    """How PayBy took a call."""

    apply_status: str
    code: str
    msg: str | None = None
    trace_code: str | int | None = None

    @property
    def is_success(self) -> bool:
        """Both must hold: SUCCESS with another code is an error."""
        return self.apply_status == "SUCCESS" and self.code == "0"


class Chargeback(msgspec.Struct, frozen=True, rename="camel"):
    """The payer's bank takes a payment back. Time: ms since the epoch."""

    merchant_order_no: MerchantNo
    order_no: str | None = None
    pay_amount: Sum | None = None
    chargeback_amount: Sum | None = None
    chargeback_time: int | None = None
    case_type: PlainLine | None = None
    partner_id: str | None = None


class Notification(msgspec.Struct, frozen=True):
    """What PayBy posts to ``notifyUrl``: one of three kinds of order, a chargeback, or an unknown kind.

    ``kinds`` are the names of its subjects, such as ``acquireOrder``.
    """

    DECIDES: ClassVar = frozenset({"acquire_order", "refund_order", "void_order", "acquire_chargeback"})
    notify_id: Word
    notify_timestamp: int | None = None
    acquire_order: AcquireOrder | None = msgspec.field(name="acquireOrder", default=None)
    refund_order: RefundOrder | None = msgspec.field(name="refundOrder", default=None)
    void_order: VoidOrder | None = msgspec.field(name="voidOrder", default=None)
    acquire_chargeback: Chargeback | None = msgspec.field(name="acquireChargeback", default=None)
    kinds: tuple[PlainLine, ...] = ()


_KINDS = ("acquireOrder", "refundOrder", "voidOrder", "acquireChargeback")
_AROUND = frozenset(("notify_id", "notify_timestamp", "notify_time", "_input_charset", "sign_type", "version"))
"""The fields around any notification."""
_MOST_KINDS = 10


def read_order(body: str | bytes) -> AcquireOrder:
    """The order in a notification or an answer; raises BadWords.

    It stands at the top of a notification; in an answer it is in ``body``, beside a ``head`` that says success.
    A body that looks like both is refused.
    """
    found = load(body)
    if "acquireOrder" not in found:
        return order_in(found)
    if "head" in found or "body" in found:
        raise BadWords("acquireOrder: a notification and an answer in one")
    return fit(found["acquireOrder"], AcquireOrder, "acquireOrder")


def read_notification(body: str | bytes) -> Notification:
    """A whole notification, even of an unknown kind; raises BadWords, also for an answer."""
    try:
        return _notification(body.decode() if isinstance(body, bytes) else body)
    except UnicodeDecodeError:
        raise BadWords("not UTF-8") from None


@lru_cache(maxsize=4)  # who passes it on and who acts on it may be one process, and a driver waits for both
def _notification(body: str) -> Notification:
    found = load(body)
    if "head" in found or "body" in found:
        raise BadWords("an answer, no notification")
    known = [key for key in _KINDS if key in found]
    if len(known) > 1:
        raise BadWords(f"one of {', '.join(_KINDS)} is needed, and {len(known)} are there")
    kinds = known or [key for key in found if key not in _AROUND][:_MOST_KINDS]
    if not kinds or any(found[key] is None for key in known):
        raise BadWords("the notification says nothing about anything")
    return fit({**found, "kinds": kinds}, Notification, "notification")


def head_in(answer: dict[str, Any]) -> ResponseHead:
    """The head of any answer that load() read: how PayBy took the call; raises BadWords."""
    return fit(answer.get("head"), ResponseHead, "head")


def order_in(answer: dict[str, Any]) -> AcquireOrder:
    """The order in an answer; raises BadWords, also for an answer that is not a success."""
    return fit(_body(answer).get("acquireOrder"), AcquireOrder, "acquireOrder")


def token_url_in(answer: dict[str, Any]) -> str | None:
    """The QR code's content, byte for byte; None once the order is no longer CREATED. Both of PayBy's spellings are
    read."""
    body = _body(answer)
    found = {
        params["tokenUrl"]
        for params in (body.get("interActionParams"), body.get("interactionParams"))
        if isinstance(params, dict) and isinstance(params.get("tokenUrl"), str)
    }
    if len(found) > 1 or not all(re.fullmatch(r"[!-~]{1,512}", url) for url in found):
        raise BadWords("tokenUrl: one text of printable ASCII is needed")
    return found.pop() if found else None


def refund_in(answer: dict[str, Any]) -> tuple[RefundOrder, RefundSummary | None]:
    """The refund in an answer, and how much is left to refund; raises BadWords."""
    body = _body(answer)
    summary = body.get("refundSummary")
    return (
        fit(body.get("refundOrder"), RefundOrder, "refundOrder"),
        None if summary is None else fit(summary, RefundSummary, "refundSummary"),
    )


def payer_in(answer: dict[str, Any]) -> Payer | None:
    """Who scanned or paid; None if nobody has yet, which PayBy may say by leaving out any part. Raises BadWords."""
    if not head_in(answer).is_success:
        raise BadWords("head: not a success")
    body = answer.get("body")
    said = body.get("payer") if isinstance(body, dict) else None
    payer = fit(said, Payer, "payer") if isinstance(said, dict) else Payer()
    return payer if any((payer.payer_mid, payer.mobile_number_mask, payer.device_id, payer.ip_address)) else None


def order_page_in(answer: dict[str, Any]) -> OrderPage:
    """The page of orders in an answer; raises BadWords."""
    body, items = _page(answer)
    page = fit(body, OrderPage, "body")
    return msgspec.structs.replace(page, items=tuple(fit(item, AcquireOrder, "items") for item in items))


def refund_page_in(answer: dict[str, Any]) -> RefundPage:
    """The page of refunds in an answer; raises BadWords."""
    body, items = _page(answer)
    page = fit(body, RefundPage, "body")
    return msgspec.structs.replace(page, items=tuple(fit(item, RefundOrder, "items") for item in items))


def _page(answer: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The body without its items, and the items."""
    body = _body(answer)
    items = body.get("items") or []
    if not isinstance(items, list):
        raise BadWords("items: a list is needed")
    return {**body, "items": ()}, items


def _body(answer: dict[str, Any]) -> dict[str, Any]:
    if not head_in(answer).is_success:
        raise BadWords("head: not a success")
    body = answer.get("body")
    if not isinstance(body, dict):
        raise BadWords("body: absent")
    return body
