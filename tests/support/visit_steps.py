"""What is said at a lane during one paid visit, and how long each of its steps takes."""

import json
from typing import Any

T0 = 1_795_000_000_000
ORDER = "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab"


def visit(paid_ms: int = 3_000) -> list[tuple[int, str, dict[str, Any]]]:
    """What is said, when (ms since the ticket was read)."""
    body = json.dumps({"acquireOrder": {"paymentInfo": {"paidTime": T0 + paid_ms}}})
    return [
        (0, "fee", {"id": "f1", "reason": "due"}),
        (40, "screen", {"id": "s1", "state": "wait", "fee": "f1"}),
        (410, "screen", {"id": "s2", "state": "pay", "fee": "f1"}),
        (3_250, "paid", {"id": "p1", "order_no": ORDER, "body": body}),
        (3_262, "lift", {"id": "l1", "reason": "paid", "order_no": ORDER}),
        (3_270, "barrier", {"id": "b1", "state": "rising", "lift": "l1"}),
        (
            3_271,
            "barrier",
            {"id": "b2", "state": "rising", "lift": "l1", "answer": {"lift": "l1", "outcome": "raised"}},
        ),
        (5_270, "barrier", {"id": "b3", "state": "up", "lift": "l1"}),
        (13_270, "barrier", {"id": "b4", "state": "down", "last": {"lift": "l1"}}),
    ]


WHOLE = {  # ms
    "ticket_to_code": 410,
    "payment_to_notification": 250,
    "notification_to_lift": 12,
    "lift_to_pulse": 8,
    "pulse_to_arm_up": 2_000,
}
