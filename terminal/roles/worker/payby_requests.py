"""Our requests to PayBy for an order, a cancellation or a refund: the bizContent, made once and journaled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from terminal.core import money
from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, Pursuit
from terminal.core.tariff import TicketPricing
from terminal.payby import requests

GOODS = "parking"
PARKING = frozenset(("parking", "parkings", "carpark"))
PARKING_AR = frozenset(("موقف", "مواقف"))
_MARKS = re.compile("[\u064b-\u0652\u0640]")  # vowel signs, and the stroke that only makes a word longer


class _PlacedDevice(msgspec.Struct):
    """The device in a placeOrder request."""

    deviceId: str | None = None


def device_of(words: bytes) -> str | None:
    """The device that the bizContent of a placeOrder names."""
    return msgspec.json.decode(words, type=_PlacedDevice).deviceId


@dataclass(frozen=True, slots=True)
class PayByRequests:
    """What every order of a garage says; the driver sees the names in the PayBy or BOTIM app. ``device_ids``: by lane,
    for lanes that have a device in the merchant's portal."""

    garage: str
    name: str
    name_ar: str
    notify_url: str | None
    tariff: TicketPricing
    device_ids: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, pursuit: Pursuit, ahead_ms: int) -> bytes:
        """The bizContent of a pursuit. ``ahead_ms``: PayBy's clock minus the worker's steady one."""
        match pursuit:
            case PlaceOrder(order):
                return requests.OrderRequest(
                    order_no=order.no,
                    amount=_aed(order.amount),
                    subject=_once("Parking", self.name or self.garage, PARKING)[:64],
                    subject_ar=_once("موقف", self.name_ar, PARKING_AR)[:200] if self.name_ar else None,
                    change_payer=False,  # PayBy's setting that lets another phone scan the code after the first
                    expires_ms=order.payby_expires + ahead_ms,
                    notify_url=self.notify_url,
                    device_id=self.device_ids.get(order.lane),  # PayBy refuses a device that the portal lacks (62036)
                    reserved=order.lane,
                    vat=_aed(self.tariff.vat(order.amount)),
                    goods_id=GOODS,
                    goods_name="Parking",
                    goods_body=None if order.minutes is None else f"Parking for {order.minutes} minutes",
                    store_id=self.garage,
                    store_name=self.name[:200] or None,
                    terminal_id=order.lane,
                    merchant_name=self.name[:200] or None,
                ).biz_content()
            case PlaceRefund(refund):
                return requests.RefundRequest(
                    refund_no=refund.no,
                    amount=_aed(refund.amount),
                    origin_order_no=refund.order_no,
                    reason=refund.reason[:64],
                    operator_name=refund.by[:200],
                    notify_url=self.notify_url,
                ).biz_content()
            case CloseOrder(order):
                return requests.order_ref(order.no, None)
            case _:
                raise AssertionError(f"{type(pursuit).__name__} changes nothing at PayBy")


def _once(word: str, name: str, same: frozenset[str]) -> str:
    """The garage's name after the word for parking, unless the name already has that word."""
    words = (_MARKS.sub("", part).casefold() for part in re.split(r"[\W_]+", _MARKS.sub("", name)))
    return name if any(part.removeprefix("ال") in same for part in words) else f"{word} {name}"


def _aed(fils: int) -> Decimal:
    return Decimal(money.text(fils))
