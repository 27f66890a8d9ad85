"""Messages in one readable line."""

from typing import Any

import pytest

from terminal.contract.describe import in_words, stay
from terminal.contract.messages import MESSAGES


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "0 min"), (1, "1 min"), (60, "1 h"), (95, "1 h 35 min"), (1441, "1 d 1 min")]
)
def test_a_stay_is_said_in_days_hours_and_minutes(minutes: int, words: str) -> None:
    assert stay(minutes) == words


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (
            "fee",
            {"reason": "due", "minutes": 91, "amount": "20.00", "currency": "AED"},
            "stay of 1 h 31 min, AED 20.00 due",
        ),
        ("fee", {"reason": "free", "minutes": 9}, "stay of 9 min, free"),
        ("fee", {"reason": "number", "ticket": "0012"}, "ticket 0012 of another system"),
        ("plate", {"plate": "D 12345", "confidence": 93}, "plate D 12345, read with 93 %"),
        ("lookup", {"kind": "number", "number": "0012"}, "asks when number 0012 entered"),
        ("found", {"number": "0012"}, "0012 is unknown"),
        ("found", {"number": "0012", "entered": "2026-11-30T05:15:00Z"}, "0012 entered at 2026-11-30T05:15:00Z"),
        ("fee", {"reason": "refused", "why": "ticket-foreign"}, "ticket refused: ticket-foreign"),
        ("fee", {"reason": "lost", "amount": "150.00", "currency": "AED"}, "ticket lost, AED 150.00 due"),
        ("order", {"status": "created", "amount": "20.00", "currency": "AED"}, "created, AED 20.00"),
        ("order", {"status": "none"}, "no order"),
        ("screen", {"state": "idle"}, "shows idle"),
        ("screen", {"state": "paid"}, "shows paid"),
        ("screen", {"state": "paid", "qr": {}}, "shows paid, and the code of the invoice"),
        (
            "screen",
            {"state": "help", "reason": "refused", "help_code": "K7M2Q"},
            "shows help: refused, help code K7M2Q",
        ),
        ("screen", {"state": "out-of-order", "reason": "payby"}, "shows out-of-order: payby"),
        ("lift", {"reason": "paid", "proof": {}}, "permission to raise the boom: paid, with PayBy's signed proof"),
        ("lift", {"reason": "free"}, "permission to raise the boom: free"),
        ("barrier", {"state": "up"}, "up"),
        ("barrier", {"state": "down", "answer": {"outcome": "refused", "why": "car"}}, "down; lift refused (car)"),
        ("vehicle", {"waiting": True, "under_boom": False}, "a car waits"),
        ("vehicle", {"waiting": False, "under_boom": True}, "nobody waits, one is under the boom"),
        ("receipt", {"outcome": "refused", "why": "amount"}, "journaled, refused: amount"),
        ("alert", {"severity": "critical", "state": "raised", "text": "stuck"}, "critical, raised: stuck"),
        (
            "alert",
            {"severity": "warning", "state": "cleared", "code": "disk", "text": "there is room"},
            "warning, cleared disk: there is room",
        ),
        ("alerts", {"raised": []}, "nothing is raised"),
        ("alerts", {"raised": [{"code": "arm"}, {"code": "disk"}], "more": 3}, "raised: arm, disk and 3 more"),
        ("health", {"state": "degraded", "reason": "no broker"}, "degraded: no broker"),
    ],
)
def test_a_message_is_said_in_one_line(kind: str, data: dict[str, Any], words: str) -> None:
    assert in_words(kind, data) == words


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_every_kind_has_words_and_none_breaks_on_a_message_that_lacks_everything(kind: str) -> None:
    assert in_words(kind, {}) == "does not follow the contract"
