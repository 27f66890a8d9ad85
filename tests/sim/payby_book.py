"""PayBy's book: orders, refunds, and the words in which it speaks of them."""

from dataclasses import dataclass, field

PAYEE = "200000000888"


@dataclass(slots=True)
class Order:
    no: str
    biz: bytes
    payby_no: str
    token: str
    amount: int
    """Fils."""
    expires_ms: int
    placed_s: float
    status: str = "CREATED"
    is_shown: bool = False
    """Its code was shown at a lane, so somebody may pay it."""
    scanned_by: str = ""
    """The phone that read its code last, masked, where PayBy sees phones."""
    paid_s: float | None = None
    cancelled_s: float | None = None
    refunds: list["Refund"] = field(default_factory=list)

    @property
    def is_paid(self) -> bool:
        return self.status in ("PAID_SUCCESS", "SETTLED")

    @property
    def given_back(self) -> int:
        return sum(r.amount for r in self.refunds if r.status != "FAILURE")

    def words(self, *, amount: int | None = None, payee: str = PAYEE, currency: str = "AED", **other: str) -> str:
        """The ``acquireOrder`` of answers and notifications."""
        fils = self.amount if amount is None else amount
        status = other.get("status", self.status)
        paid = ""
        if self.paid_s is not None:
            paid = f',"paymentInfo":{{"paidAmount":{{"amount":{fils / 100:.2f},"currency":"AED"}}}}'
        return (
            f'{{"merchantOrderNo":"{other.get("no", self.no)}","orderNo":"{other.get("payby_no", self.payby_no)}",'
            f'"status":"{status}","totalAmount":{{"amount":{fils // 100}.{fils % 100:02d},"currency":"{currency}"}},'
            f'"payeeMid":"{payee}","expiredTime":{self.expires_ms},"revoked":"{other.get("revoked", "false")}"{paid}}}'
        )


@dataclass(slots=True)
class Refund:
    no: str
    biz: bytes
    order: Order
    amount: int
    status: str

    def words(self) -> str:
        return (
            f'{{"refundMerchantOrderNo":"{self.no}","orderNo":"19{self.no[1:12]}",'
            f'"originMerchantOrderNo":"{self.order.no}","status":"{self.status}",'
            f'"amount":{{"amount":{self.amount // 100}.{self.amount % 100:02d},"currency":"AED"}}}}'
        )


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it is on the wire. ``about`` is what it speaks of, ``genuine`` whether its signature is PayBy's."""

    body: str
    sign: str
    code: str = "0"
    msg: str = "SUCCESS"
    about: Order | Refund | None = None
    token: str | None = None
    genuine: bool = True
    status: str = ""
    misfit: bool = False
    payer: str = ""
