"""A script that polls PayBy: ``python -m ... URL KEY PARTNER SECONDS``; a line is an order's number, and the answer is
the moment (s, monotonic) at which it saw that the order is paid.
"""

import base64
import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def main(url: str, key_file: str, partner: str, every_s: float) -> None:
    key: Any = load_pem_private_key(Path(key_file).read_bytes(), None)

    def is_paid(order_no: str) -> bool:
        body = json.dumps(
            {"requestTime": time.time_ns() // 10**6, "bizContent": {"merchantOrderNo": order_no}}
        ).encode()
        sign = base64.b64encode(key.sign(body, PKCS1v15(), SHA256())).decode()
        headers = {"Content-Type": "application/json", "Partner-Id": partner, "sign": sign}
        request = urllib.request.Request(url + "/acquire2/getOrder", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            said = json.loads(answer.read())
        return bool(said["body"]["acquireOrder"]["status"] in ("PAID_SUCCESS", "SETTLED"))

    for line in sys.stdin:
        while not is_paid(line.strip()):
            time.sleep(every_s)  # which is what such a script does, and what is measured
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
