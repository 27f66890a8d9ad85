"""An order and a refund on PayBy's side, and how answers and notifications speak of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

_FEE = Decimal("0.01")  # of the amount; the real one is in the merchant's contract


@dataclass
class SandboxOrder:
    """One order. ``asked`` is its bizContent as first sent, for the comparison with a repeated one."""

    asked: Mapping[str, Any]
    no: str
    payby_no: str
    token_url: str
    amount: Decimal
    payee_mid: str
    requested_ms: int
    expires_ms: int
    status: str = "CREATED"
    revoked: bool = False
    payer: str | None = None
    paid_ms: int | None = None
    settled_ms: int | None = None
    paid_amount: Decimal | None = None
    refunds: list["SandboxRefund"] = field(default_factory=list)
    chargebacks: list["SandboxChargeback"] = field(default_factory=list)

    @property
    def is_paid(self) -> bool:
        """Has a payer paid it, whether or not the money has reached the merchant?"""
        return self.status in ("PAID_SUCCESS", "SETTLED")

    @property
    def refundable(self) -> Decimal:
        """What is left after all refunds except failed ones."""
        return self.amount - sum((r.amount for r in self.refunds if r.status != "FAILURE"), Decimal(0))

    def words(self) -> dict[str, Any]:
        """The ``acquireOrder`` of answers and notifications."""
        copied = ("notifyUrl", "subject", "subjectAr", "accessoryContent", "deviceId", "paySceneCode", "reserved")
        said: dict[str, Any] = {
            "merchantOrderNo": self.no,
            "orderNo": self.payby_no,
            "status": self.status,
            "product": "Basic Payment Gateway",
            "totalAmount": _aed(self.amount),
            "payeeMid": self.payee_mid,
            "expiredTime": self.expires_ms,
            "requestTime": self.requested_ms,
            **{key: self.asked[key] for key in copied if self.asked.get(key) is not None},
            "revoked": "true" if self.revoked else "false",
        }
        if self.paid_ms is not None and self.paid_amount is not None:
            fee = (self.paid_amount * _FEE).quantize(Decimal("0.01"))
            said["paymentInfo"] = {
                "paidAmount": _aed(self.paid_amount),
                "paidTime": self.paid_ms,
                "payChannel": "BALANCE",
                "payerMid": self.payer,
                "payeeFeeAmount": _aed(fee),
                "payerFeeAmount": _aed(Decimal(0)),
            }
            if self.settled_ms is not None:
                said["paymentInfo"]["settlementAmount"] = _aed(self.paid_amount - fee)
        return said


@dataclass
class SandboxRefund:
    """One refund; ``asked`` as of an order."""

    asked: Mapping[str, Any]
    no: str
    payby_no: str
    order: SandboxOrder
    amount: Decimal
    asked_ms: int
    status: str

    def words(self) -> dict[str, Any]:
        """The ``refundOrder`` of answers and notifications."""
        copied = ("notifyUrl", "reason", "operatorName", "reserved")
        return {
            "refundMerchantOrderNo": self.no,
            "orderNo": self.payby_no,
            "originMerchantOrderNo": self.order.no,
            "status": self.status,
            "amount": _aed(self.amount),
            **{key: self.asked[key] for key in copied if self.asked.get(key) is not None},
        }

    def summary(self) -> dict[str, Any]:
        """The ``refundSummary`` beside it."""
        return {"acquireAmount": _aed(self.order.amount), "remainRefundAmount": _aed(self.order.refundable)}


@dataclass
class SandboxChargeback:
    """Money that the payer's bank took back."""

    order: SandboxOrder
    amount: Decimal
    case: str
    at_ms: int

    def words(self) -> dict[str, Any]:
        """The ``acquireChargeback`` of a notification."""
        return {
            "chargebackTime": self.at_ms,
            "merchantOrderNo": self.order.no,
            "orderNo": self.order.payby_no,
            "payAmount": _aed(self.order.amount),
            "chargebackAmount": _aed(self.amount),
            "caseType": self.case,
            "partnerId": self.order.payee_mid,
        }


def masked(payer: str) -> str:
    """A payer's number, masked as PayBy does."""
    return f"+971-58*{payer[-2:]}"


def _aed(amount: Decimal) -> dict[str, Any]:
    return {"amount": amount, "currency": "AED"}
