"""Every alert of the product: how severe it is, how long it lasts, what it means and what to do.

Raising a code that is not named here does not type-check. ``python -m tests.alerts --write`` draws the table of
deploy/operations.md from this file. On the wire a code is a plain string, so that readers of alerts accept the codes
of newer versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from terminal.core.alert_codes import RuleAlertCode, Severity

RoleAlertCode = Literal[
    "alerts-undelivered", "another-garage", "arm", "bad-message", "bad-notification", "bad-signature",
    "cashier-unknown", "chargeback",
    "clock-skew", "clock-unconfirmed", "disk", "disk-full", "fee-unanswered", "foreign-payment",
    "credit-refused", "forged-command", "forged-credit", "forged-lift", "forged-paid", "forged-screen",
    "forged-worker", "idle-picture",
    "journal", "journal-damaged", "journal-replaced", "lane-flood", "lcd-panel", "loop-bouncing",
    "lookup-failed", "lookup-flat", "lookup-odd",
    "loop-stuck", "no-receipt", "notification-unknown", "orders-unlisted", "payby-failed", "payby-payby",
    "plate-unsure",
    "qr-unreadable", "reader-refuses", "receipt-unreadable", "relay", "scanner", "second-barrier", "second-worker",
    "taken-over",
    "ticket-garbage", "worker-failing",
]  # fmt: skip
"""The codes that a role raises itself; the rules raise the others."""

AlertCode = Literal[RuleAlertCode, RoleAlertCode]
Lasts = Literal["once", "until cleared", "once or until cleared"]


@dataclass(frozen=True, slots=True)
class AlertKind:
    """What is known of an alert before it is raised. The texts are Markdown."""

    severity: Severity | None
    """None: it depends on what happened, and the code that raises the alert must say it."""
    lasts: Lasts
    """Once: an occurrence. Until cleared: a condition, which is raised again only after it has ended."""
    meaning: str
    remedy: str
    """What a person must do, as instructions."""


ONCE: Lasts = "once"
UNTIL_CLEARED: Lasts = "until cleared"
EITHER: Lasts = "once or until cleared"
"""Raised once for an order, and until cleared for the whole garage."""

AFTER_NEW_KEYS = (
    "After a change of keys: make `lift.trusted` the same on every machine. Otherwise somebody else publishes on the "
    "broker: change its passwords."
)
REPORT_FAULT = "This is a fault of the program: report it with the text."

# fmt: off
ALERTS: Mapping[AlertCode, AlertKind] = {
    "alerts-undelivered": AlertKind("critical", UNTIL_CLEARED,
        "Messages with alerts could not be delivered to the webhook or the mail server (the text says which and why), "
        "for so long that they were given up.",
        "Correct `[alerts]`, or what it names; `exit-terminal check` tries both. What was given up stands at the desk "
        "and in the log. The next message that is taken ends the alert."),
    "another-garage": AlertKind("info", ONCE,
        "PayBy notified us of orders of other garages. They got 503, so that PayBy tries again, and their own workers "
        "find the payments by their queries.",
        "If it goes on, correct `notify_url` of those garages, or the proxy before the listeners."),
    "arm": AlertKind("critical", UNTIL_CLEARED,
        "By its limit switches, the arm does not move as it should.",
        "Check the arm and its switches."),
    "bad-fee": AlertKind("warning", ONCE,
        "A fee does not match the ticket and the worker's own tariff; it opened nothing.",
        "Make `[tariff]` the same at reader and worker, and check the lane's clock. If both are right, somebody "
        "else publishes fees: change the broker's passwords."),
    "bad-message": AlertKind("warning", ONCE,
        "A message on the broker does not follow the contract; it was dropped.",
        "The text names topic and field: fix the device that sends it."),
    "bad-notification": AlertKind("warning", ONCE,
        "PayBy signed something that is not a notification.",
        "If it comes again, ask PayBy."),
    "bad-signature": AlertKind("warning", ONCE,
        "The listener received notifications with a wrong signature.",
        "Download PayBy's public key again in case PayBy changed it. If the key is the same, somebody sends "
        "forgeries; they do no harm."),
    "barrier-clock": AlertKind("critical", UNTIL_CLEARED,
        "The barrier's clock and the worker's differ by 5 s or more; from 15 s the lane is out of order.",
        "Set both clocks by the network: `timedatectl set-ntp true`."),
    "boom-fault": AlertKind("critical", UNTIL_CLEARED,
        "The barrier reports a fault of the arm.",
        "Check the arm and its switches."),
    "boom-open": AlertKind("warning", ONCE,
        "The arm is up although no lift raised it.",
        "Ask whether somebody opened it by hand, or the fire alarm did. If not, check the barrier."),
    "boom-stuck": AlertKind("critical", UNTIL_CLEARED,
        "The arm did not rise after three lifts; the lane takes no new orders.",
        "Let the driver out by hand and repair the arm. The lane opens again once the arm was seen up."),
    "cashier-unknown": AlertKind("info", ONCE,
        "PayBy does not tell this merchant whether a code was scanned (404, 403). Screens do not show it, and a "
        "scanned order gets no extra time. PayBy is asked again after an hour.",
        "The lanes need nothing. To have it, ask PayBy for getCashierUrlInfo."),
    "chargeback": AlertKind("critical", ONCE,
        "The payer's bank took a payment back; the text has the amount, the order and the case.",
        "Answer the case in PayBy's portal in time. `reconcile` for that day shows the passage."),
    "clock-skew": AlertKind("critical", UNTIL_CLEARED,
        "This machine's clock differs from PayBy's by a minute or more. Fees are reckoned by PayBy's time, and "
        "calls to PayBy use it too.",
        "Set the clock by the network: `timedatectl set-ntp true`."),
    "clock-unconfirmed": AlertKind("critical", UNTIL_CLEARED,
        "Nothing has confirmed this machine's clock since the start: the kernel does not call it synchronised, "
        "and PayBy did not answer. No new ticket is taken (out of order, `clock`).",
        "Check the internet connection and network time (`timedatectl`). The lanes serve again with the first "
        "answer from either."),
    "disk": AlertKind("warning", UNTIL_CLEARED,
        "The disk under a journal is 90 % full.",
        "Free some space."),
    "disk-full": AlertKind("critical", UNTIL_CLEARED,
        "The disk under a journal is full. New tickets are refused until there is room; open orders are finished "
        "on a reserve of 1 MiB.",
        "Free some space at once."),
    "fee-unanswered": AlertKind("critical", UNTIL_CLEARED,
        "A ticket was read, and no worker took it.",
        "Check that the worker and the broker are running."),
    "foreign-payment": AlertKind("warning", ONCE,
        "PayBy notified us of payments to another merchant; they were counted and left alone.",
        "Ask PayBy whose `notify_url` points here."),
    "forged-command": AlertKind("critical", ONCE,
        "A command without a genuine signature was dropped.",
        AFTER_NEW_KEYS),
    "forged-credit": AlertKind("critical", ONCE,
        "Somebody who is no pay station of this garage said that a ticket was paid; nothing came of it.",
        "After a change of keys: make `paystation.trusted` that of the stations. Otherwise somebody else publishes on "
        "the broker: change its passwords."),
    "coupon-used": AlertKind("warning", ONCE,
        "A coupon was read that another stay has used: it was copied, or given away twice.",
        "Nothing: it counts once. If it happens often, ask who hands the coupons out."),
    "credit-refused": AlertKind("warning", ONCE,
        "A pay station's credit was refused: it came too late, or it lasts too long.",
        "Compare the station's clock. Open the lane for the driver, if he has paid."),
    "credit-late": AlertKind("warning", ONCE,
        "A ticket was paid or validated after its vehicle had left.",
        "If it was paid, the station has money for a stay that was paid for already, or left free: give it back."),
    "forged-lift": AlertKind("critical", ONCE,
        "A lift without a genuine signature was refused.",
        AFTER_NEW_KEYS),
    "forged-paid": AlertKind("critical", ONCE,
        "A payment without PayBy's genuine signature was dropped.",
        "After a change of PayBy's key: put the same `payby_public_key` on every machine. Otherwise somebody "
        "else publishes on the broker: change its passwords."),
    "forged-screen": AlertKind("critical", UNTIL_CLEARED,
        "A QR code without a worker's genuine signature was not shown.",
        AFTER_NEW_KEYS),
    "forged-worker": AlertKind("critical", ONCE,
        "Another worker's heartbeat without a genuine signature was dropped.",
        AFTER_NEW_KEYS),
    "help": AlertKind("warning", ONCE,
        "A driver needs help. The text says why; the help code is on the screen.",
        "Go to the lane."),
    "idle-picture": AlertKind("warning", ONCE,
        "The operator's own idle picture cannot be shown; the program shows its own.",
        "The text says why: fix `lcd.idle_picture`, then restart the lcd."),
    "journal": AlertKind("critical", UNTIL_CLEARED,
        "The worker or a barrier (the text says which) cannot write its journal. Without the worker's the lanes "
        "are out of order; without a barrier's no lift raises that boom. The role tries again every few seconds, "
        "and the first write that works ends the alert.",
        "Check the disk, the file's rights, and whether another program holds the file."),
    "journal-behind": AlertKind("critical", ONCE,
        "A barrier names a lift of this garage that the worker's journal does not hold, so an older journal was "
        "put back. Every open order is closed, and a person must decide about money whose fate was lost.",
        "Follow \"A damaged journal\" in `deploy/operations.md`. Never put a journal back without its newest rows."),
    "journal-damaged": AlertKind("critical", UNTIL_CLEARED,
        "A journal was damaged and moved aside. After the barrier's, no lift raises the boom for a minute. After "
        "the worker's, see \"A damaged journal\" in `deploy/operations.md`.",
        "Replace the disk or card."),
    "journal-replaced": AlertKind("critical", UNTIL_CLEARED,
        "A journal was deleted, replaced or overwritten while its role was running. The worker takes no new "
        "tickets; everything written is copied to the file that the text names.",
        "Follow \"A journal that was taken away\" in `deploy/operations.md`."),
    "lane-closed": AlertKind("info", UNTIL_CLEARED,
        "An operator closed the lane.",
        "Nothing."),
    "lane-flood": AlertKind("warning", ONCE,
        "A lane sends more messages than a lane can need. The excess was dropped; other lanes were served as "
        "usual.",
        "Look at that lane for a scanner or loop that runs wild, or for somebody at its machine."),
    "late-payment": AlertKind("warning", ONCE,
        "A driver paid after the car had gone. The text says whether the ticket has credit, the payment is kept, "
        "or a person must decide.",
        "Nothing, unless the text says that a person must decide."),
    "lcd-panel": AlertKind("critical", UNTIL_CLEARED,
        "The panel takes no picture; or the words of a screen do not fit on it, and it shows only the telephone "
        "number and the help code.",
        "No picture: check cable and power, then restart the lcd. Words: shorten what the text names."),
    "lift-again": AlertKind("warning", ONCE,
        "The arm is down again and the car still waits, so it gets one more lift.",
        "If it happens often, check the barrier's loops."),
    "lift-refused": AlertKind(None, ONCE,
        "The barrier refused a lift; the text says why.",
        "For a signature, a proof or the journal: look at once, it is a wrong configuration or an attack. Other "
        "reasons settle themselves."),
    "lift-unanswered": AlertKind("critical", ONCE,
        "The barrier does not answer a lift.",
        "Check that the barrier's role and the broker are running."),
    "lift-unknown": AlertKind("critical", ONCE,
        "Nobody knows whether a paid car left by its payment. The text says why: the barrier was interrupted "
        "during a pulse or never answered, the arm was not seen down until the car was off its loop, the car was "
        "let out by hand, the arm was not seen to rise, or a part of its credit was given back.",
        "Find out whether the car has left: `exit-terminal reconcile` for that day. If it has not, let it out by "
        "hand or refund."),
    "loop-blind": AlertKind("warning", ONCE,
        "A ticket was read while the loop saw no vehicle. If the loop sees one more than 5 s later, that driver "
        "must scan the ticket again.",
        "Check the loop before the boom and its detector. A motorcycle beside the loop does this too."),
    "loop-bouncing": AlertKind("warning", UNTIL_CLEARED,
        "A loop keeps changing.",
        "Check its detector and wiring."),
    "loop-stuck": AlertKind("warning", UNTIL_CLEARED,
        "A loop has shown a vehicle for more than 30 minutes.",
        "Look for a parked car; if there is none, check detector and wiring."),
    "lookup-failed": AlertKind("critical", UNTIL_CLEARED,
        "The system that knows other tickets, or plates, does not tell when one entered; the text says why. Their "
        "drivers get help, or pay `lookup.flat_fee`.",
        "Check that system, `lookup.url` and the line to it. The next answer ends the alert."),
    "lookup-flat": AlertKind("info", ONCE,
        "A driver was asked for `lookup.flat_fee`, because nobody told when the ticket entered.",
        "Nothing, unless the driver objects: the text has the number."),
    "lookup-odd": AlertKind("warning", ONCE,
        "The system that knows other tickets, or a camera, said what cannot be: an entry that lies ahead or more than "
        "a year back, another number, a second answer that differs, or no answer of the contract. It does not count.",
        "The text has the number: report it to that system's vendor, and check its clock."),
    "no-passage": AlertKind("warning", ONCE,
        "The boom rose and its vehicle did not pass.",
        "Look at the lane; the arm may have been lowered with nobody under it."),
    "no-receipt": AlertKind("critical", UNTIL_CLEARED,
        "PayBy's notifications are not journaled, so PayBy gets 503 and repeats them.",
        "Check that the worker is running."),
    "notification-unknown": AlertKind("warning", ONCE,
        "PayBy signed a notification of a kind that this program does not know. It is in the journal and has no "
        "effect.",
        "Look it up in PayBy's documentation. A newer version of this program may know it."),
    "orders-unlisted": AlertKind("warning", ONCE,
        "After the journal was damaged, PayBy gave no list of its orders, so orders that the journal lost are "
        "not looked for.",
        "Compare the day with `exit-terminal reconcile`."),
    "paid-then-failed": AlertKind("critical", ONCE,
        "PayBy reports an order as failed that it had reported as paid.",
        "Ask PayBy, with the order number."),
    "paid-twice": AlertKind("critical", ONCE,
        "A stay was paid twice; the second payment is refunded.",
        "Check that the refund succeeds."),
    "pass-twice": AlertKind("warning", ONCE,
        "One season pass was used for two cars that were in the garage at the same time.",
        "With `coupon.passback` `hard` the second driver needs help; with `soft` he has left. Ask whose pass it is."),
    "passed-open": AlertKind("warning", ONCE,
        "A vehicle left under an arm that none of its own lifts had raised (held open by hand or by the fire "
        "alarm). If the driver had paid, the ticket is used.",
        "Nothing if the driver had paid. Otherwise find out who opened the arm."),
    "payby-clock": AlertKind("critical", EITHER,
        "PayBy refuses our calls because our clock is more than 15 minutes off.",
        "Set the clock by the network: `timedatectl set-ntp true`."),
    "payby-failed": AlertKind(None, ONCE,
        "PayBy gave its own reason why an order or a refund failed.",
        "Nothing for an order. For a refund, quote the reason to PayBy."),
    "payby-forgot": AlertKind("critical", UNTIL_CLEARED,
        "PayBy does not know an order of ours.",
        REPORT_FAULT),
    "payby-mistake": AlertKind("critical", ONCE,
        "PayBy calls one of our requests wrong.",
        REPORT_FAULT),
    "payby-payby": AlertKind("critical", UNTIL_CLEARED,
        "PayBy cannot be reached.",
        "Check the internet connection, then PayBy's status."),
    "payby-refused": AlertKind("critical", ONCE,
        "PayBy's risk control refused the order.",
        "Let the driver pay in another way."),
    "payby-silent": AlertKind("critical", UNTIL_CLEARED,
        "PayBy does not answer about an order.",
        "Check the internet connection, then PayBy's status."),
    "payby-unauthorised": AlertKind("critical", EITHER,
        "PayBy refuses our key, address, product, payee or device.",
        "If the text names a setting, correct it. Otherwise check the key, the list of addresses and DYNQR in "
        "PayBy's portal, then run `exit-terminal check`."),
    "payment-doubtful": AlertKind("critical", ONCE,
        "A stay was paid, and the damaged journal no longer shows whether its car was let out.",
        "Follow \"A damaged journal\" in `deploy/operations.md`."),
    "payment-mismatch": AlertKind("critical", ONCE,
        "PayBy's words do not match the order (amount, currency, payee); no lift was given.",
        "Compare the order in PayBy's portal; if it is paid, refund it there."),
    "payment-status": AlertKind("warning", ONCE,
        "PayBy's words do not match the order (its status is new, or it was revoked); no lift was given.",
        "Compare the order in PayBy's portal; if it is paid, refund it there."),
    "payment-unknown": AlertKind("critical", ONCE,
        "PayBy reports a payment for an order that this journal does not hold.",
        "Ask whether another terminal uses our keys, and compare in PayBy's portal."),
    "plate-unsure": AlertKind("warning", ONCE,
        "A camera read a plate with less than `plate.least_confidence`, so a person decides. Nothing was charged.",
        "Go to the lane: the driver may scan a ticket, or be let out by hand. If it happens often, clean the camera."),
    "receipt-unreadable": AlertKind("warning", ONCE,
        "The address of a driver's tax invoice makes no QR code that the panel can show; the driver left without it.",
        "Make `receipt.url` shorter. The desk has the invoice all the same."),
    "qr-unreadable": AlertKind("critical", UNTIL_CLEARED,
        "PayBy's link makes no QR code, or the code could not be read back from the picture; it was not shown.",
        "Report it with the text."),
    "raised-late": AlertKind("critical", ONCE,
        "A boom had risen for a payment that has since become credit or a refund, or that a person was asked to "
        "decide.",
        "Compare any refund with the passage: `exit-terminal reconcile` for that day."),
    "reader-refuses": AlertKind("warning", UNTIL_CLEARED,
        "The last ten tickets that a lane read were all refused.",
        "Check the scanner's settings (deploy/wiring.md). If they are right, compare `garage.id`, the "
        "ticket keys and the clock with the entry's."),
    "refund": AlertKind("info", ONCE,
        "A refund was asked for; the text says why.",
        "Nothing."),
    "refund-contradicted": AlertKind("critical", ONCE,
        "PayBy made a refund that it had called failed, or calls one failed that it had called done.",
        "Check in PayBy's portal that the money went back exactly once."),
    "refund-failed": AlertKind("critical", ONCE,
        "PayBy will not make a refund.",
        "Give the money back in PayBy's portal, by the order number."),
    "refund-silent": AlertKind("critical", ONCE,
        "PayBy does not answer about a refund; the worker keeps asking.",
        "Look the order number up in PayBy's portal. Do not refund it there while PayBy may still make this "
        "refund."),
    "refund-unknown": AlertKind("warning", ONCE,
        "PayBy reports a refund that we did not ask for; credit of that order no longer lifts.",
        "Look the order number up in PayBy's portal."),
    "relay": AlertKind("critical", UNTIL_CLEARED,
        "The relay's pin failed.",
        "Check the wiring, then restart the barrier's role."),
    "scanned-unpaid": AlertKind("info", ONCE,
        "A phone read the code and nobody paid, although the order got a minute more. The text has the phone's "
        "number, masked.",
        "Ask the driver what the app says. No money was taken."),
    "scanner": AlertKind("critical", UNTIL_CLEARED,
        "The scanner does not answer.",
        "Check its USB cable and `reader.device`."),
    "second-barrier": AlertKind("critical", UNTIL_CLEARED,
        "Another process speaks for this lane's barrier, so one lift may raise the boom twice.",
        "Stop the other barrier, or give it its own `lane.id`: one lane has one barrier. If there is no other, "
        "somebody else publishes on the broker: change its passwords."),
    "second-worker": AlertKind("critical", ONCE,
        "A second worker was started for this garage, and stopped; or one works without the lease of the journal, which"
        " is in a database.",
        "Take `[journal]` out of that machine's configuration: one garage has one worker. With a database, give every"
        " worker the same `journal.url`."),
    "stay-failed": AlertKind("critical", ONCE,
        "This program failed on one stay. A person must decide about that stay; all others go on.",
        "Let the driver out or refund by hand, and report it with the text."),
    "tailgating": AlertKind("warning", ONCE,
        "More than one vehicle passed under one raise. If one of them had paid and was waiting for its own, its "
        "ticket is used.",
        "Nothing."),
    "taken-over": AlertKind("critical", UNTIL_CLEARED,
        "The broker ended this machine's session three times within a minute, each time soon after it connected. "
        "A quiet minute clears the alert.",
        "Look for a second machine under this name (`mqtt.username`), perhaps from a copied card. Switch one "
        "off, or give it a name, passwords and keys of its own. If there is none, check the broker's log and the "
        "line to it."),
    "ticket-copied": AlertKind("warning", ONCE,
        "A ticket was read at a lane while its car is at another, or after it has left. The text names both "
        "lanes.",
        "Look at both cars. The visit that goes on belongs to the car that read the ticket first."),
    "ticket-garbage": AlertKind("warning", UNTIL_CLEARED,
        "The scanner read something that is not a ticket.",
        "If it happens often, check the scanner's settings, which the text names."),
    "ticket-refused": AlertKind("info", ONCE,
        "A ticket was refused; the text says why.",
        "If it happens often, check the scanner's settings, and compare the ticket keys with the entry's."),
    "worker-failing": AlertKind("critical", UNTIL_CLEARED,
        "The worker fails for several stays, not just one. Its lanes are out of order until nothing has failed "
        "for a minute.",
        REPORT_FAULT),
}
# fmt: on


def severity_of(code: AlertCode) -> Severity:
    """The fixed severity of an alert; raises ValueError where it depends on what happened."""
    severity = ALERTS[code].severity
    if severity is None:
        raise ValueError(f"alert {code}: pass a severity when you raise it")
    return severity


def is_told_once(code: AlertCode) -> bool:
    """True for an occurrence, False for a condition that will be cleared; raises ValueError where it may be either."""
    lasts = ALERTS[code].lasts
    if lasts == EITHER:
        raise ValueError(f"alert {code}: pass `once` when you raise it")
    return lasts == ONCE
