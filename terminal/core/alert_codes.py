"""The severities of alerts, and the codes that the rules raise: RaiseAlert and ClearAlert take no others.

contract/alerts.py, which core/ may not import, says what each means.
"""

from typing import Literal

Severity = Literal["info", "warning", "critical"]
RuleAlertCode = Literal[
    "bad-fee", "barrier-clock", "boom-fault", "boom-open", "boom-stuck", "coupon-used",
    "credit-late", "help", "journal-behind", "lane-closed",
    "late-payment", "lift-again", "lift-refused", "lift-unanswered", "lift-unknown",
    "loop-blind", "no-passage", "paid-then-failed", "paid-twice", "pass-twice", "passed-open", "payby-clock",
    "payby-forgot", "payby-mistake", "payby-refused", "payby-silent", "payby-unauthorised",
    "payment-doubtful", "payment-mismatch", "payment-status", "payment-unknown", "raised-late", "refund",
    "refund-contradicted", "refund-failed", "refund-silent", "refund-unknown", "scanned-unpaid",
    "stay-failed", "tailgating", "ticket-copied", "ticket-refused",
]  # fmt: skip
