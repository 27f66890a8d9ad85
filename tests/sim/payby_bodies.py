"""What the merchant sends to PayBy, as far as its book wants it."""

from decimal import Decimal

import msgspec


class Money(msgspec.Struct):
    amount: Decimal
    currency: str


class PlaceBody(msgspec.Struct):
    merchantOrderNo: str
    totalAmount: Money
    paySceneCode: str
    expiredTime: int
    notifyUrl: str | None = None


class RefundBody(msgspec.Struct):
    refundMerchantOrderNo: str
    originMerchantOrderNo: str
    amount: Money


class NamedBody(msgspec.Struct):
    merchantOrderNo: str | None = None
    refundMerchantOrderNo: str | None = None
    tokenUrl: str = ""
    expiredTime: int = 0


PLACE, REFUND, NAMED = (msgspec.json.Decoder(t) for t in (PlaceBody, RefundBody, NamedBody))
