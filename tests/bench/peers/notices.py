"""What every listener here does with a notification: PayBy's signature, its fields, and our words for the worker."""

import base64
import json
import os
import time
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PAID, RECEIPT = "parking/marina/exit-1/paid", "parking/marina/+/receipt"
REPLY = b'{"response": "SUCCESS"}'
KEY: Any = load_pem_public_key(Path(os.environ["BENCH_KEY"]).read_bytes()) if "BENCH_KEY" in os.environ else None
PORT = int(os.environ.get("BENCH_MQTT", "0"))
WAIT_S = 3.0


def checked(body: bytes, sign: str) -> dict[str, Any]:
    """Raises what a bad one raises."""
    KEY.verify(base64.b64decode(sign, validate=True), body, PKCS1v15(), SHA256())
    said = json.loads(body, parse_float=Decimal)
    order = said["acquireOrder"]
    if order["totalAmount"]["currency"] != "AED" or order["payeeMid"] != "200000000888":
        raise ValueError
    return {
        "v": 1, "id": str(uuid.uuid4()), "at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
        "order_no": order["merchantOrderNo"], "notify_id": said["notify_id"], "body": body.decode(), "sign": sign,
    }  # fmt: skip
