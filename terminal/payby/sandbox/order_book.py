"""PayBy's side of every order and refund: what each call does to them, by the API page. No clock, socket or file.

Times are ms since the epoch and come in as ``now_ms``; random digits come from the generator that is passed in.
"""

import random
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from . import parameters
from .orders import SandboxChargeback, SandboxOrder, SandboxRefund, masked
from .parameters import Refusal

DUBAI = timezone(timedelta(hours=4))
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
DEFAULT_LIFE_MS = 2 * _HOUR_MS
LONGEST_LIFE_MS = 48 * _HOUR_MS
LONGEST_UPDATE_MS = 15 * _DAY_MS
REFUND_WINDOW_MS = 180 * _DAY_MS


class OrderBook:
    """All orders of one merchant. The methods of calls return the answer's ``body`` or raise Refusal.

    ``refund_status`` is the status of a new refund; CREATED leaves the rest to finish_refund(). ``devices`` is the
    merchant's register: each device, and whether it may take payments.
    """

    def __init__(
        self,
        partner_id: str,
        random_: random.Random,
        qr_host: str = "https://qr.payby.com",
        devices: Collection[str] = (),
    ) -> None:
        self.partner_id = partner_id
        self.orders: dict[str, SandboxOrder] = {}
        self.refunds: dict[str, SandboxRefund] = {}
        self.refund_status = "SUCCESS"
        self.devices: dict[str, bool] = dict.fromkeys(devices, True)
        self._random = random_
        self._qr_host = qr_host
        self._serial = 0

    def place(self, biz: Mapping[str, Any], requested_ms: int, now_ms: int) -> dict[str, Any]:
        """placeOrder: idempotent by number and parameters; the first requestTime stays."""
        asked = parameters.place_order(biz)
        if order := self._aged(self.orders.get(asked.no), now_ms):
            if order.asked != biz:
                raise Refusal("62016", "MERCHANT_ORDER_NO_EXIST")
        else:
            if asked.device is not None and not self.devices.get(asked.device):
                known = asked.device in self.devices
                raise Refusal(
                    *(("62037", "DEVICE_ACCESS_FORBIDDEN") if known else ("62036", "MERCHANT_DEVICE_NOT_EXIST"))
                )
            if asked.payee_mid not in (None, self.partner_id):
                raise Refusal("62019", "PAYEEMID_NOT_EXIST")
            expires_ms = requested_ms + DEFAULT_LIFE_MS if asked.expires_ms is None else asked.expires_ms
            if expires_ms <= requested_ms:
                raise Refusal("62008", "EXPIREDTIME_LESS_THAN_REQUESTTIME")
            if expires_ms > requested_ms + LONGEST_LIFE_MS:
                raise Refusal("62009", "EXPIREDTIME_TOO_LATER")
            token = f"{self._qr_host}?BIZ_TYPE=202&ft={self._random.getrandbits(128):032x}&t={now_ms:013d}"
            order = SandboxOrder(
                biz,
                asked.no,
                self._number("13", now_ms),
                token,
                asked.amount,
                self.partner_id,
                requested_ms,
                expires_ms,
            )
            self.orders[asked.no] = order
            self._aged(order, now_ms)
        body: dict[str, Any] = {"acquireOrder": order.words()}
        if order.status == "CREATED":
            body["interActionParams"] = {"tokenUrl": order.token_url}
        return body

    def get(self, biz: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """getOrder: an order with a device is found by our number only together with the device."""
        order, device = self._named(biz, now_ms), parameters.device(biz)
        if biz.get("merchantOrderNo") is not None and order.asked.get("deviceId") != device:
            raise Refusal("62004", "MERCHANT_ORDER_NO_NOT_EXIST")
        return {"acquireOrder": order.words()}

    def cancel(self, biz: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """cancelOrder: only an unpaid order."""
        order = self._named(biz, now_ms)
        refusal = {
            "PAID_SUCCESS": ("62001", "ORDER_PAID"),
            "SETTLED": ("62003", "ORDER_SETTLED"),
            "FAILURE": ("62002", "ORDER_FAILURE"),
        }.get(order.status)
        if refusal:
            raise Refusal(*refusal)
        order.status = "FAILURE"
        return {"acquireOrder": order.words()}

    def revoke(self, biz: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """revokeOrder: closes an unpaid order, gives a paid one back; a settled one keeps its status."""
        order = self._named(biz, now_ms)
        if order.refunds and order.refundable < order.amount:
            raise Refusal("62041", "ACQUIRE_ORDER_REFUNDED")
        if order.status != "SETTLED":
            order.status = "FAILURE"
        order.revoked = True
        return {"acquireOrder": order.words()}

    def update_expired_time(self, biz: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """updateExpiredTime: of an unpaid order, at most 15 days ahead."""
        order = self._named(biz, now_ms)
        expires_ms = parameters.moment(biz.get("expiredTime"), "expiredTime")
        if order.status != "CREATED" or not now_ms < expires_ms <= now_ms + LONGEST_UPDATE_MS:
            raise Refusal("62089", "INVALID_EXPIRED_TIME")
        order.expires_ms = expires_ms
        return {"acquireOrder": order.words()}

    def refund(self, biz: Mapping[str, Any], now_ms: int) -> tuple[SandboxRefund, bool]:
        """refund/placeOrder: idempotent by number and parameters. True: it is a new one."""
        asked = parameters.place_refund(biz)
        if known := self.refunds.get(asked.no):
            if known.asked != biz:
                raise Refusal("62017", "REFUND_MERCHANT_ORDER_NO_EXIST")
            return known, False
        order = self._named(biz, now_ms, "originMerchantOrderNo", "originOrderNo")
        if order.revoked:
            raise Refusal("62040", "ACQUIRE_ORDER_REVOKED")
        if order.status == "FAILURE":
            raise Refusal("62002", "ORDER_FAILURE")
        if not order.is_paid:
            raise Refusal("62015", "ORDER_NOT_PAID")
        if now_ms - order.requested_ms > REFUND_WINDOW_MS:
            raise Refusal("62045", "REFUND_REJECTED")
        if asked.amount > order.refundable:
            raise Refusal("62006", "REFUND_AMOUNT_EXCEEDED")
        refund = SandboxRefund(
            biz, asked.no, self._number("19", now_ms), order, asked.amount, now_ms, self.refund_status
        )
        order.refunds.append(refund)
        self.refunds[asked.no] = refund
        return refund, True

    def get_refund(self, biz: Mapping[str, Any]) -> SandboxRefund:
        """refund/getOrder."""
        no, payby_no = parameters.one_of(biz, "refundMerchantOrderNo", "orderNo")
        for refund in self.refunds.values():
            if no == refund.no or (no is None and payby_no == refund.payby_no):
                return refund
        raise Refusal("62007", "REFUND_MERCHANT_ORDER_NO_NOT_EXIST")

    def page(self, biz: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """queryOrderPage: by the Dubai day of the request, oldest first."""
        asked = parameters.order_page(biz)
        found = [
            order
            for order in self.orders.values()
            if asked.start <= datetime.fromtimestamp(order.requested_ms / 1000, DUBAI).date() <= asked.end
            and self._aged(order, now_ms)
            and (not asked.statuses or order.status in asked.statuses)
            and (not asked.devices or order.asked.get("deviceId") in asked.devices)
        ]
        first = asked.number * asked.size
        return {
            "totalElements": len(found),
            "totalPages": -(-len(found) // asked.size),
            "sortPageParam": {"number": asked.number, "size": asked.size},
            "items": [order.words() for order in found[first : first + asked.size]],
        }

    def refund_page(self, biz: Mapping[str, Any]) -> dict[str, Any]:
        """queryRefundOrderPage: by the Dubai day on which a refund was asked for, oldest first."""
        asked = parameters.refund_page(biz)
        found = [
            refund
            for refund in self.refunds.values()
            if asked.start <= datetime.fromtimestamp(refund.asked_ms / 1000, DUBAI).date() <= asked.end
            and (not asked.statuses or refund.status in asked.statuses)
            and (not asked.devices or refund.order.asked.get("deviceId") in asked.devices)
        ]
        first = asked.number * asked.size
        return {
            "totalElements": len(found),
            "totalPages": -(-len(found) // asked.size),
            "sortPageParam": {"number": asked.number, "size": asked.size},
            "items": [refund.words() for refund in found[first : first + asked.size]],
        }

    def cashier(self, biz: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """getCashierUrlInfo: the phone that last read the code of an open order."""
        token_url = parameters.token_url(biz)
        for order in self.orders.values():
            if order.token_url == token_url and self._aged(order, now_ms) and order.status == "CREATED":
                return {"payer": {"mobileNumberMask": masked(order.payer)}} if order.payer else {}
        raise Refusal("62082", "TOKEN_URL_NOT_EXIST")

    def payer(self, biz: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """getOrderPayer: who paid, masked."""
        order = self._named(biz, now_ms)
        if order.paid_ms is None or order.payer is None:
            raise Refusal("62015", "ORDER_NOT_PAID")
        known = {"payerMid": order.payer, "mobileNumberMask": masked(order.payer), "ipAddress": "192.0.2.7"}
        return {"payer": known | {"deviceId": "pretended"}}

    def find(self, ref: str, now_ms: int) -> SandboxOrder:
        """By our number, PayBy's number, the token URL or its ``ft``; raises KeyError."""
        token = (parse_qs(urlsplit(ref).query).get("ft") or [ref])[0]
        for order in self.orders.values():
            if ref in (order.no, order.payby_no) or f"&ft={token}&" in order.token_url:
                self._aged(order, now_ms)
                return order
        raise KeyError(ref)

    def scan(self, ref: str, payer: str, now_ms: int) -> SandboxOrder:
        """A payer's phone reads the code; raises Refusal if this payer cannot pay the order."""
        order = self.find(ref, now_ms)
        scene = order.asked.get("paySceneParams") or {}
        if order.status != "CREATED":
            raise Refusal("62002", f"order is {order.status}")
        if order.payer not in (None, payer) and scene.get("changePayer", "true") != "false":
            raise Refusal("62037", "the code belongs to the phone that scanned it first")
        order.payer = payer
        return order

    def pay(self, ref: str, payer: str, now_ms: int, paid_amount: Decimal | None = None) -> SandboxOrder:
        """The payer pays; with a discount ``paid_amount`` is less than the total."""
        order = self.scan(ref, payer, now_ms)
        order.status, order.paid_ms = "PAID_SUCCESS", now_ms
        order.paid_amount = order.amount if paid_amount is None else paid_amount
        return order

    def settle(self, ref: str, now_ms: int) -> SandboxOrder:
        """The money of a paid order reaches the merchant."""
        order = self.find(ref, now_ms)
        if order.status != "PAID_SUCCESS":
            raise Refusal("62015", f"order is {order.status}")
        order.status, order.settled_ms = "SETTLED", now_ms
        return order

    def charge_back(self, ref: str, amount: Decimal | None, case: str, now_ms: int) -> SandboxChargeback:
        """The payer's bank takes a payment back; raises Refusal for an order that is not paid."""
        order = self.find(ref, now_ms)
        if not order.is_paid:
            raise Refusal("62015", f"order is {order.status}")
        taken = SandboxChargeback(order, order.amount if amount is None else amount, case, now_ms)
        order.chargebacks.append(taken)
        return taken

    def paid_orders(self) -> Iterator[SandboxOrder]:
        """Every order that was ever paid."""
        return (order for order in self.orders.values() if order.paid_ms is not None)

    def _named(
        self, biz: Mapping[str, Any], now_ms: int, ours: str = "merchantOrderNo", theirs: str = "orderNo"
    ) -> SandboxOrder:
        no, payby_no = parameters.one_of(biz, ours, theirs)
        if no is not None:
            if order := self._aged(self.orders.get(no), now_ms):
                return order
            raise Refusal("62004", "MERCHANT_ORDER_NO_NOT_EXIST")
        for order in self.orders.values():
            if order.payby_no == payby_no:
                self._aged(order, now_ms)
                return order
        raise Refusal("62035", "ORDER_NO_NOT_EXIST")

    def _aged(self, order: SandboxOrder | None, now_ms: int) -> SandboxOrder | None:
        if order and order.status == "CREATED" and now_ms >= order.expires_ms:
            order.status = "FAILURE"
        return order

    def _number(self, kind: str, now_ms: int) -> str:
        self._serial += 1
        return f"{kind}{now_ms:013d}{self._serial % 1000:03d}"
