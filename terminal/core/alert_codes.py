"""The codes of the alerts that the rules raise: no other one type-checks in RaiseAlert and ClearAlert.

Their meaning is for people, and stands with every other alert's in contract/alerts.py, which core/ may not import.
"""

from typing import Literal

RuleAlertCode = Literal[
    "bad-fee", "barrier-clock", "boom-fault", "boom-open", "boom-stuck", "help", "journal-behind",
    "lane-closed", "late-payment", "lift-again", "lift-refused", "lift-unanswered", "lift-unknown",
    "loop-blind", "no-passage", "paid-then-failed", "paid-twice", "passed-open", "payby-clock",
    "payby-forgot", "payby-mistake", "payby-refused", "payby-silent", "payby-unauthorised",
    "payment-doubtful", "payment-mismatch", "payment-status", "payment-unknown", "raised-late", "refund",
    "refund-contradicted", "refund-failed", "refund-silent", "refund-unknown", "scanned-unpaid",
    "stay-failed", "tailgating", "ticket-copied", "ticket-refused",
]  # fmt: skip
