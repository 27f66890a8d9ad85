"""The limits of the rules: times in ms, and counts. The limits that a start journals are in model.Rules."""

GONE_MS = 2_000
"""How long a loop must stay clear before it is believed."""
WAIT_LIMIT_MS = 15_000
"""The longest that a driver sees `wait`; then the screen shows `help`."""
ANSWER_LIMIT_MS = 12_000
"""How long PayBy may take to give a QR code; then the driver sees `help`, and we keep asking."""
RENEW_MS = 5_000
"""How long before its deadline an unanswered lift is signed anew."""
RISE_LIMIT_MS = 6_000
"""An arm that was told to rise and is still down after this time did not rise."""
SETTLE_MS = 1_000
"""The least time between two lifts, and from the arm's coming down to the next lift."""
LOOPS_MS = 5_500
"""How long the loops may take after a start to say whether the car is still there, and after a ticket to say that it is
there: they speak every 5 s."""
BARRIERS_MS = 15_000
"""How long after a start barriers may take to name the lift that raised them last, by which a journal that was put back
is noticed: until then no credit is given back."""
LINGER_MS = 60_000
"""How long after its last order was closed a car counts as waiting where there is no loop."""
NOTICE_MS = 15_000
"""How long a refusal shows, and longer while its car waits; without loops, as long as a car counts as waiting."""
NOTICE_OVER_VISIT_MS = 6_000
NUMBER_TAKEN = "62016"
"""PayBy's code for an order number that it already has with other parameters."""
EXPIRY_REFUSED = ("62008", "62009", "62089")
"""PayBy's codes for an order that would expire in the past, or too late."""
MAX_SIGNED = 6
ALERT_AFTER_UNHEARD = 4
"""PayBy's eighth acceptance case: a person is told after more than three failures."""
ALERT_AFTER_SIGNED = 3
SKEW_ALERT_MS = 5_000
SKEW_LIMIT_MS = 15_000
ALLOWANCES = 16
"""The most that lessen the fee of one stay."""
REMEMBERED_FEES = 8
REMEMBERED_LIFTS = 16
REMEMBERED_LOST = 3
REMIND_MS = 7 * 24 * 60 * 60_000
"""How long every start raises the alert again about what waits for a person."""
