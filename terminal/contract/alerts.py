"""Every alert of the product: how grave it is, how long it lasts, what it means and what to do.

A code that is not named here does not type-check where alerts are raised. The table in deploy/operations.md is drawn
from this by ``python -m tests.alerts --write``. On the wire a code stays a string: whoever reads alerts must not
stumble over those of a newer version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from terminal.core.alert_codes import RuleAlertCode, Severity

RoleAlertCode = Literal[
    "arm", "bad-message", "bad-notification", "bad-signature", "cashier-unknown", "chargeback",
    "clock-skew", "clock-unconfirmed", "disk", "disk-full", "fee-unanswered", "foreign-payment",
    "forged-command", "forged-lift", "forged-paid", "forged-screen", "forged-worker", "idle-picture",
    "journal", "journal-damaged", "journal-replaced", "lane-flood", "lcd-panel", "loop-bouncing",
    "loop-stuck", "no-receipt", "notification-unknown", "orders-unlisted", "payby-failed", "payby-payby",
    "qr-unreadable", "reader-refuses", "relay", "scanner", "second-barrier", "second-worker", "taken-over",
    "ticket-garbage", "worker-failing",
]  # fmt: skip
"""Of the alerts that a role raises without the rules."""

AlertCode = Literal[RuleAlertCode, RoleAlertCode]
Lasts = Literal["once", "until cleared", "once or until cleared"]


@dataclass(frozen=True, slots=True)
class AlertKind:
    """What is known of an alert before it is raised; the texts are Markdown."""

    severity: Severity | None
    """None: it depends on what happened, and whoever raises it says so."""
    lasts: Lasts
    """Once: it happened. Until cleared: a state, which is told again only after its end."""
    meaning: str
    remedy: str
    """What a person should do."""


ONCE: Lasts = "once"
UNTIL_CLEARED: Lasts = "until cleared"
EITHER: Lasts = "once or until cleared"
"""Told once of an order, and as a state of the whole garage."""

# fmt: off
ALERTS: Mapping[AlertCode, AlertKind] = {
    "arm": AlertKind("critical", UNTIL_CLEARED,
        "by its limit switches, the arm does not move as it should",
        "look at the arm and its switches"),
    "bad-fee": AlertKind("warning", ONCE,
        "a fee said something else than the ticket and the worker's tariff",
        "same `[tariff]` at reader and worker, and the lane's clock right? Else somebody else publishes fees"),
    "bad-message": AlertKind("warning", ONCE,
        "a message on the broker does not fit the contract; it was dropped",
        "the text names topic and field: mend the device that sends it"),
    "bad-notification": AlertKind("warning", ONCE,
        "PayBy signed something that is no notification",
        "ask PayBy, if it comes again"),
    "bad-signature": AlertKind("warning", ONCE,
        "notifications with a wrong signature came to the listener",
        "forged; or PayBy changed its key: download it"),
    "barrier-clock": AlertKind("critical", UNTIL_CLEARED,
        "the barrier's clock differs by 5 s or more; at 15 s the lane is out of order",
        "set both clocks by the network"),
    "boom-fault": AlertKind("critical", UNTIL_CLEARED,
        "the barrier reports a fault of the arm",
        "look at the arm and its switches"),
    "boom-open": AlertKind("warning", ONCE,
        "the arm is up and no lift raised it",
        "by hand, or by the fire alarm; else look at the barrier"),
    "boom-stuck": AlertKind("critical", UNTIL_CLEARED,
        "the arm did not rise after three lifts; the lane takes no new orders",
        "let the driver out by hand, mend the arm; the lane opens once the arm was seen up"),
    "cashier-unknown": AlertKind("info", ONCE,
        "PayBy does not tell this merchant whether a code was scanned (404, 403): screens do not say it, and an "
        "order that was scanned gets no more time; asked again after an hour",
        "none for a lane; ask PayBy for getCashierUrlInfo"),
    "chargeback": AlertKind("critical", ONCE,
        "the payer's bank took a payment back; the text has the amount, the order and the case",
        "PayBy's portal: answer the case in time; `reconcile` of the day shows the passage"),
    "clock-skew": AlertKind("critical", UNTIL_CLEARED,
        "this machine's clock differs from PayBy's by a minute or more; fees are reckoned by PayBy's time, and "
        "what is said to PayBy is corrected",
        "set the clock by the network: `timedatectl set-ntp true`"),
    "clock-unconfirmed": AlertKind("critical", UNTIL_CLEARED,
        "nothing has confirmed this machine's clock since the start: the kernel does not call it synchronised, "
        "and PayBy did not answer. No new ticket is taken (out of order, `clock`)",
        "the way to the internet; network time (`timedatectl`). It ends by itself with the first answer of either"),
    "disk": AlertKind("warning", UNTIL_CLEARED,
        "the disk under a journal is 90 % full",
        "make room"),
    "disk-full": AlertKind("critical", UNTIL_CLEARED,
        "the disk under a journal is full: new tickets are refused until there is room, and open orders end on a "
        "reserve of 1 MiB",
        "make room"),
    "fee-unanswered": AlertKind("critical", UNTIL_CLEARED,
        "no worker took a ticket that was read",
        "is the worker running, and the broker?"),
    "foreign-payment": AlertKind("warning", ONCE,
        "PayBy notified us of payments to another merchant; they were counted and left alone",
        "whose `notify_url` is ours? Or somebody sends them here to be a nuisance"),
    "forged-command": AlertKind("critical", ONCE,
        "a command without a genuine signature was dropped",
        "somebody publishes on the broker: change its passwords. After a change of keys: `lift.trusted` is not "
        "the same everywhere"),
    "forged-lift": AlertKind("critical", ONCE,
        "a lift without a genuine signature was refused",
        "somebody publishes on the broker: change its passwords. After a change of keys: `lift.trusted` is not "
        "the same everywhere"),
    "forged-paid": AlertKind("critical", ONCE,
        "a payment without a genuine signature of PayBy's was dropped",
        "somebody publishes on the broker: change its passwords. After a change of keys: `lift.trusted` is not "
        "the same everywhere"),
    "forged-screen": AlertKind("critical", UNTIL_CLEARED,
        "a QR code without a worker's genuine signature was not shown",
        "somebody publishes on the broker: change its passwords. After a change of keys: `lift.trusted` is not "
        "the same everywhere"),
    "forged-worker": AlertKind("critical", ONCE,
        "another worker's heartbeat without a genuine signature was dropped",
        "somebody publishes on the broker: change its passwords. After a change of keys: `lift.trusted` is not "
        "the same everywhere"),
    "help": AlertKind("warning", ONCE,
        "a driver needs help; the text says why, the help code is on the screen",
        "go there"),
    "idle-picture": AlertKind("warning", ONCE,
        "the operator's own idle picture cannot be shown; the program's own stands there",
        "the text says why: mend `lcd.idle_picture`, then restart the lcd"),
    "journal": AlertKind("critical", UNTIL_CLEARED,
        "worker or barrier (the text says which) cannot write its journal: the lanes are out of order, or no lift "
        "raises the boom. It is tried every few seconds, and the next write that works ends it",
        "disk, file rights, another program that holds the file"),
    "journal-behind": AlertKind("critical", ONCE,
        "a barrier names a lift of this garage that the worker's journal does not hold: an older journal was put "
        "back. Every open order is closed, and money whose fate it may have lost is a person's",
        "as in \"A damaged journal\" below; never put a journal back without its newest rows"),
    "journal-damaged": AlertKind("critical", UNTIL_CLEARED,
        "a journal was damaged and moved aside. The barrier's: lifts wait a minute. The worker's: see \"A damaged "
        "journal\" below",
        "replace the disk or card"),
    "journal-replaced": AlertKind("critical", UNTIL_CLEARED,
        "a journal was deleted, replaced or overwritten while its role was at work. The worker takes no new "
        "tickets; what was written is copied to the file that the text names",
        "see \"A journal that was taken away\" below"),
    "lane-closed": AlertKind("info", UNTIL_CLEARED,
        "an operator closed the lane",
        "none"),
    "lane-flood": AlertKind("warning", ONCE,
        "a lane says more than a lane can need; what is over that was dropped, and other lanes were served as "
        "ever",
        "a scanner or loop that runs wild, or somebody at that lane's machine: look there"),
    "late-payment": AlertKind("warning", ONCE,
        "paid when the car was gone: credit for that ticket, later a refund; where it had left without a raise of its "
        "own the payment is kept, and where it may have left a person decides",
        "none, or see `lift-unknown`"),
    "lcd-panel": AlertKind("critical", UNTIL_CLEARED,
        "the panel takes no picture; or a screen's words do not fit on it, and only the telephone and the help "
        "code are shown",
        "cable, power; restart the lcd. Words: shorten what the text names"),
    "lift-again": AlertKind("warning", ONCE,
        "the arm is down again and the car still waits: one more lift",
        "if often: look at the barrier's loops"),
    "lift-refused": AlertKind(None, ONCE,
        "the barrier refused a lift; the text says why",
        "`signature`, `proof`, `journal`: configuration or attack, look at once. The others settle themselves"),
    "lift-unanswered": AlertKind("critical", ONCE,
        "the barrier does not answer a lift",
        "is the barrier's role running, and its broker?"),
    "lift-unknown": AlertKind("critical", ONCE,
        "nobody knows whether a paid car left by its payment: the barrier was interrupted in a pulse or never "
        "answered, the arm was not seen down until the car was off its loop, the car was let out by hand, the arm "
        "was not seen to rise, or a part of its credit was given back",
        "see whether the car has left; refund, or let it out by hand"),
    "loop-blind": AlertKind("warning", ONCE,
        "a ticket was read while the loop saw no vehicle; if the loop sees one more than 5 s later, that ticket "
        "must be read again",
        "loop before the boom, its detector; a motorcycle beside the loop"),
    "loop-bouncing": AlertKind("warning", UNTIL_CLEARED,
        "a loop changes all the time",
        "detector, wiring"),
    "loop-stuck": AlertKind("warning", UNTIL_CLEARED,
        "a loop shows a vehicle for more than 30 minutes",
        "detector, wiring, a parked car"),
    "no-passage": AlertKind("warning", ONCE,
        "the boom rose and its vehicle did not pass",
        "look; the arm may have been lowered on an empty lane"),
    "no-receipt": AlertKind("critical", UNTIL_CLEARED,
        "notifications are not journaled, so PayBy gets 503 and repeats them",
        "is the worker running?"),
    "notification-unknown": AlertKind("warning", ONCE,
        "PayBy signed a notification of a kind that this program does not know; it is in the journal, and nothing "
        "follows from it",
        "look it up in PayBy's pages; an update of this program may know it"),
    "orders-unlisted": AlertKind("warning", ONCE,
        "after a damage PayBy gave no list of its orders",
        "compare the day with `reconcile`"),
    "paid-then-failed": AlertKind("critical", ONCE,
        "PayBy reports a paid order as failed",
        "ask PayBy, with the order number"),
    "paid-twice": AlertKind("critical", ONCE,
        "a stay was paid twice; the second payment is refunded",
        "see that the refund ends"),
    "passed-open": AlertKind("warning", ONCE,
        "a vehicle left under an arm that no lift of it had raised (held open by hand, or by the fire alarm); if "
        "it had paid, its ticket is used",
        "none if it had paid; else see who opened the arm"),
    "payby-clock": AlertKind("critical", EITHER,
        "our clock is more than 15 minutes from PayBy's",
        "set the clock by the network"),
    "payby-failed": AlertKind(None, ONCE,
        "PayBy's own reason why an order or a refund failed",
        "none; of a refund, quote it to PayBy"),
    "payby-forgot": AlertKind("critical", UNTIL_CLEARED,
        "PayBy does not know an order of ours",
        "a fault of this program: report it with the text"),
    "payby-mistake": AlertKind("critical", ONCE,
        "PayBy calls a request wrong",
        "a fault of this program: report it with the text"),
    "payby-payby": AlertKind("critical", UNTIL_CLEARED,
        "PayBy cannot be reached",
        "the way to the internet; PayBy's status"),
    "payby-refused": AlertKind("critical", ONCE,
        "PayBy's risk control refused the order",
        "the driver pays in another way"),
    "payby-silent": AlertKind("critical", UNTIL_CLEARED,
        "PayBy does not answer about an order",
        "the way to the internet; PayBy's status"),
    "payby-unauthorised": AlertKind("critical", EITHER,
        "PayBy refuses our key, address, product, payee or device",
        "the text names the setting, if it is one; else the portal: key, list of addresses, DYNQR; `exit-terminal "
        "check`"),
    "payment-doubtful": AlertKind("critical", ONCE,
        "paid, and the damaged journal lost whether it was served",
        "see \"A damaged journal\" below"),
    "payment-mismatch": AlertKind("critical", ONCE,
        "PayBy's words do not fit the order (amount, currency, payee); nothing was lifted",
        "compare in PayBy's portal; refund there if it is paid"),
    "payment-status": AlertKind("warning", ONCE,
        "PayBy's words do not fit the order (its status is a new one, or it was revoked); nothing was lifted",
        "compare in PayBy's portal; refund there if it is paid"),
    "payment-unknown": AlertKind("critical", ONCE,
        "a payment for an order that this journal does not hold",
        "another terminal with our keys? Compare in the portal"),
    "qr-unreadable": AlertKind("critical", UNTIL_CLEARED,
        "PayBy's link makes no QR code, or the code could not be read back from the picture; it was not shown",
        "report it with the text"),
    "raised-late": AlertKind("critical", ONCE,
        "a boom had risen for a payment that was passed on meanwhile",
        "compare the refund with the passage"),
    "reader-refuses": AlertKind("warning", UNTIL_CLEARED,
        "the last ten tickets that a lane read were all refused",
        "the scanner's settings ([wiring.md](wiring.md)); else `garage.id`, the ticket keys and the clock, "
        "against the entry's"),
    "refund": AlertKind("info", ONCE,
        "a refund was asked; the text says why",
        "none"),
    "refund-contradicted": AlertKind("critical", ONCE,
        "PayBy made a refund that it had called failed, or calls one failed that it had called done",
        "PayBy's portal: was it given back once?"),
    "refund-failed": AlertKind("critical", ONCE,
        "PayBy will not refund",
        "PayBy's portal, with the order number"),
    "refund-silent": AlertKind("critical", ONCE,
        "PayBy does not answer about a refund",
        "PayBy's portal, with the order number"),
    "refund-unknown": AlertKind("warning", ONCE,
        "PayBy reports a refund that we did not ask for; credit of that order lifts no more",
        "PayBy's portal, with the order number"),
    "relay": AlertKind("critical", UNTIL_CLEARED,
        "the relay's pin failed",
        "wiring; restart the barrier's role"),
    "scanned-unpaid": AlertKind("info", ONCE,
        "a phone read the code and nobody paid, though its order got a minute more; the text has the phone's "
        "number, masked",
        "ask the driver what the app says; no money was taken"),
    "scanner": AlertKind("critical", UNTIL_CLEARED,
        "the scanner is away",
        "USB cable; `reader.device`"),
    "second-barrier": AlertKind("critical", UNTIL_CLEARED,
        "another process speaks for this lane's barrier; one lift may raise the boom twice",
        "one lane has one barrier: stop the other, or give it its own `lane.id`. If there is none, somebody "
        "publishes on the broker: change its passwords"),
    "second-worker": AlertKind("critical", ONCE,
        "a second worker was started for this garage, and stopped",
        "one garage has one worker: take `[journal]` out of the other"),
    "stay-failed": AlertKind("critical", ONCE,
        "this program failed on what was said about one stay: that stay is a person's, all others go on",
        "let the driver out or refund by hand; report it with the text"),
    "tailgating": AlertKind("warning", ONCE,
        "more than one vehicle passed under one raise; if one of them had paid and waited for its own, its ticket "
        "is used",
        "none"),
    "taken-over": AlertKind("critical", UNTIL_CLEARED,
        "the broker ended this machine's session three times within a minute, each soon after its connect; "
        "cleared after a quiet minute",
        "does a second machine run under this name (`mqtt.username`), from a copied card? Switch one off, or give "
        "it a name, passwords and keys of its own. Else the broker's log, and the line to it"),
    "ticket-copied": AlertKind("warning", ONCE,
        "a ticket was read at a lane while its car is at another, or after it has left; the text names both lanes",
        "look at both cars; the one whose visit goes on is the one that read it first"),
    "ticket-garbage": AlertKind("warning", UNTIL_CLEARED,
        "what was read is no ticket",
        "if often: the scanner's settings, which the text names, or the entry's ticket key"),
    "ticket-refused": AlertKind("info", ONCE,
        "what was read is not a genuine ticket of this garage",
        "if often: the scanner's settings, which the text names, or the entry's ticket key"),
    "worker-failing": AlertKind("critical", UNTIL_CLEARED,
        "the worker fails for several stays, not for one; its lanes are out of order until nothing has failed for "
        "a minute",
        "a fault of this program: report it with the text"),
}
# fmt: on


def severity_of(code: AlertCode) -> Severity:
    """How grave it always is; raises ValueError where that depends on what happened."""
    severity = ALERTS[code].severity
    if severity is None:
        raise ValueError(f"alert {code}: whoever raises it must say how grave it is")
    return severity


def is_told_once(code: AlertCode) -> bool:
    """Is it something that happened, and no state that will be cleared? Raises ValueError where it may be both."""
    lasts = ALERTS[code].lasts
    if lasts == EITHER:
        raise ValueError(f"alert {code}: whoever raises it must say whether it will be cleared")
    return lasts == ONCE
