"""The codes of the alerts that the rules raise. No other code type-checks in RaiseAlert and ClearAlert.

contract/alerts.py, which core/ may not import, says what each means.
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
