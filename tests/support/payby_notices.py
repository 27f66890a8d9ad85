"""PayBy's notifications as they come in, signed by its key."""

import json
from typing import Any

from terminal.payby.signing import sign
from tests.support.rsa_keys import rsa_key

PAYBY = rsa_key("payby")
NEXT = rsa_key("next")
STRANGER = rsa_key("stranger")
SESSION = "0190d3f07c1e7a529d2f0123456789ab"
NO = f"marina-exit-1-{SESSION}"


def order(**changed: Any) -> dict[str, Any]:
    return {
        "merchantOrderNo": NO,
        "orderNo": "131765054600900852",
        "status": "PAID_SUCCESS",
        "totalAmount": {"amount": 20.0, "currency": "AED"},
        "payeeMid": "200000000888",
    } | changed


def refund(**changed: Any) -> dict[str, Any]:
    return {
        "refundMerchantOrderNo": "R" + SESSION,
        "orderNo": "191587114148046289",
        "originMerchantOrderNo": NO,
        "status": "SUCCESS",
        "amount": {"amount": 5.5, "currency": "AED"},
    } | changed


def notification(notify_id: str = "n-1", **parts: Any) -> bytes:
    said = {"notify_id": notify_id, "notify_timestamp": 1587113039189} | (parts or {"acquireOrder": order()})
    return json.dumps(said, indent=1, ensure_ascii=False).encode()


GENUINE = sign(PAYBY, notification())
