"""The limits of the rules: times in ms, and counts. Those that a start writes down are in model.Rules."""

GONE_MS = 2_000
"""A loop that cleared is believed after this."""
WAIT_LIMIT_MS = 15_000
"""A driver looks at `wait` no longer than this, then at `help`."""
ANSWER_LIMIT_MS = 12_000
"""PayBy has this long to give a QR; then the driver sees `help`, and we keep asking."""
RENEW_MS = 5_000
"""An unanswered lift is signed anew this long before its deadline."""
RISE_LIMIT_MS = 6_000
"""An arm that was told to rise and is still down after this did not."""
SETTLE_MS = 1_000
"""Between two lifts, and after the arm came down, before another is thought of."""
LOOPS_MS = 5_500
"""After a start the loops have so long to say whether the car is still there, and after a ticket that it is there:
they speak every 5 s."""
LINGER_MS = 60_000
"""Without a loop a car counts as waiting this long after its last order was closed."""
NOTICE_MS = 15_000
"""A refusal shows so long, and longer while its car waits; without loops as long as a car counts as waiting."""
NOTICE_OVER_VISIT_MS = 6_000
NUMBER_TAKEN = "62016"
"""PayBy's code for an order number that it has with other parameters."""
EXPIRY_REFUSED = ("62008", "62009", "62089")
"""Its codes for an order that would expire in the past, or too late."""
MAX_SIGNED = 6
ALERT_AFTER_UNHEARD = 4
"""PayBy's eighth acceptance case: more than three failures, then a person is told."""
ALERT_AFTER_SIGNED = 3
SKEW_ALERT_MS = 5_000
SKEW_LIMIT_MS = 15_000
REMEMBERED_FEES = 8
REMEMBERED_LIFTS = 16
REMEMBERED_LOST = 3
REMIND_MS = 7 * 24 * 60 * 60_000
"""What waits for a person is told again at every start, for so long."""
