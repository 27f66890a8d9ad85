"""What each field of a message says, in one line: printed by ``exit-terminal contract``; the README has the same."""

from collections.abc import Mapping

EVERY: Mapping[str, str] = {
    "v": "the version of this contract",
    "id": "names the message; a repetition has the same",
    "at": "when it was made",
}
"""The fields that every message has."""

FIELDS: Mapping[str, Mapping[str, str]] = {
    "Fee": {
        "ticket": "the text as scanned, up to 512 characters; of a refused ticket the first 64",
        "reason": (
            "what the reader makes of it: an amount is due, nothing is due, the ticket is lost, it is a number of "
            "another system, a coupon, or it is refused"
        ),
        "session": "the stay that the ticket names; for a lost ticket the worker derives it, whatever this says",
        "car": "the vehicle that waits, if the loops name one",
        "entered": "when the stay began, according to the ticket",
        "exited": "when the ticket was read",
        "minutes": "the length of the stay, rounded up",
        "amount": "what is due",
        "currency": "of `amount`",
        "why": "why it is refused: one of `screen`'s reasons",
    },
    "Plate": {
        "plate": "the plate as the camera read it",
        "confidence": "how sure the camera is, in per cent; below `plate.least_confidence` a person decides",
        "entered": "when the stay began; absent: the worker looks it up",
        "car": "the vehicle that waits, if the loops name one",
    },
    "Lookup": {
        "kind": "what `number` is: a ticket's number, or a plate",
        "number": "the number as it was scanned, or the plate in capitals without blanks",
    },
    "Found": {
        "lookup": "the id of the `lookup` that is answered",
        "number": "the same as in the `lookup`",
        "entered": "when the stay began; absent: there is no such ticket",
        "ticket_class": "an id that `tariff.classes` gives a class",
    },
    "Order": {
        "status": (
            "`placing`: PayBy has not answered; `created`: it can be paid; `closing`: it is being ended; "
            "`closed`: nobody paid; `failed`: refused, or PayBy's words do not match; `none`: there is no "
            "order"
        ),
        "fee": "the last fee that the lane's visit took; with `none` the last one taken or refused",
        "session": "the stay",
        "order_no": "the lane's order",
        "amount": "the amount to pay",
        "currency": "of `amount`",
        "token_url": "the content of the code",
        "expires": "when we begin to close it",
        "scanned": "a phone has read the code",
    },
    "Screen": {
        "state": "what the driver must see",
        "fee": "the last fee taken or refused: its reader need not repeat it",
        "session": "the stay",
        "car": "the vehicle that it is for",
        "amount": "the amount to pay",
        "currency": "of `amount`",
        "minutes": "the length of the stay",
        "expires": "when the countdown ends",
        "remaining": "seconds until then, when this was published",
        "scanned": "a phone has read the code",
        "reason": "why it is `help`, `closed` or `out-of-order`, in one of the words of this contract",
        "help_code": "five characters that name the stay here, in alerts and on the phone",
        "qr": "the code: the order's; in state `paid` the address of the driver's tax invoice",
        "key": "the name of the worker's key",
        "sign": "the worker's signature, Ed25519 in Base64; without it no code is shown",
    },
    "Qr": {
        "size": "modules a side, 21 to 177",
        "bits": (
            "Base64 of the modules, row after row without padding between them, most significant bit first, 1 "
            "is dark; only the last byte is filled with zeros; without quiet zone"
        ),
    },
    "Paid": {
        "order_no": "the order that it is about; `none` if it is about no order",
        "notify_id": "PayBy's number of the notification",
        "body": (
            "PayBy's bytes as unchanged text; if that is too long for a message, `zlib,base64:` and the same deflated"
        ),
        "sign": "PayBy's signature over them, Base64",
    },
    "Receipt": {
        "outcome": (
            "`lifting`: a lift follows; `late`: the car is gone, a refund or a person follows; `duplicate`: "
            "already known; `refused`: nothing follows; `noted`: it is in the journal; `done`: the command was "
            "obeyed"
        ),
        "order_no": "of the notification",
        "notify_id": "the notification that is answered",
        "command": "the id of the command, or of the `credit`, that is answered",
        "why": "the reason in words",
    },
    "Lift": {
        "session": "the stay",
        "reason": (
            "`paid`: its own order, at its own lane, for the first time; `credit`: an order that was paid "
            "before; `free`: nothing was due; `operator`: a console's"
        ),
        "by": "who asks: the signer's name, or an operator's",
        "not_after": (
            "the deadline: 30 s ahead, 15 s if no car is named; renewed under the same `id` while nobody "
            "answers, at most five times"
        ),
        "key": "the signer's name in `lift.trusted`",
        "sign": "the signer's, Ed25519 in Base64",
        "car": "the vehicle it is for",
        "note": "an operator's words",
        "order_no": "the order that paid for it",
        "amount": "of that order",
        "proof": "with `paid` and `credit`: PayBy's words",
    },
    "Proof": {
        "body": "the signed bytes as text: a notification, or an answer with `body.acquireOrder`",
        "sign": "PayBy's signature over them, Base64",
    },
    "Barrier": {
        "state": "where the boom is, by its limit switches, by time, or both",
        "lift": "the lift by which it rose, until it is down again; absent if the arm was raised by hand",
        "session": "the stay of this lift",
        "reason": "the reason of this lift",
        "answer": "the answer to the lift that just came",
        "last": "the lift by which it last rose, while the arm is at rest or was raised by hand",
    },
    "LastLift": {
        "lift": "the lift",
        "session": "the stay that it was for",
        "reason": "its reason",
    },
    "Answer": {
        "lift": "the lift that is answered",
        "outcome": "`unknown`: the barrier meant to raise and does not know whether it did",
        "why": "why it was refused",
        "order_no": "the lift's",
    },
    "Vehicle": {
        "waiting": "whether a vehicle is on the loop before the boom",
        "under_boom": "whether a vehicle is on the loop under the boom",
        "car": (
            "the waiting vehicle's id, new each time that `waiting` becomes true; another vendor's device may "
            "leave it out"
        ),
    },
    "Command": {
        "command": "what is asked for",
        "by": "who asks",
        "not_after": "the deadline, at most 60 s ahead",
        "key": "the console's name in `lift.trusted`",
        "sign": "the console's, Ed25519 in Base64",
        "session": "the stay whose visit must end",
        "order_no": "the order to cancel, to give back, or about whose payment a person has decided",
        "amount": "how much to give back; absent: all that is left",
        "reason": (
            "the reason of a refund, for PayBy and the journal; of `ticket`: the ticket's text or number, another "
            "system's number, `LOST`, or the session on a damaged ticket, for which the operator vouches"
        ),
    },
    "Refund": {
        "order_no": "the order that was paid",
        "refund_no": "`R` and the 32 hex digits of what asked for it",
        "status": "how far it is; `asked`: PayBy has not yet answered",
        "amount": "what is given back",
        "currency": "of `amount`",
        "notify_id": "the listener's only: PayBy's number of the notification",
        "body": "the listener's only: PayBy's bytes, as in `paid`",
        "sign": "the listener's only: PayBy's signature over them, Base64",
    },
    "Credit": {
        "session": "the stay that the ticket bears",
        "kind": (
            "`paid`: it was paid elsewhere; `amount`, `percent`: so much is taken off its fee; `free`: nothing is due"
        ),
        "by": "who asks for it: a station, a shop",
        "until": (
            "of `paid`: when the time to leave ends, at most a day ahead; of the others: until when they count, at "
            "most 92 days ahead"
        ),
        "not_after": (
            "the deadline of this message, at most 60 s ahead; renewed under the same `id` while nobody answers"
        ),
        "key": "the signer's name in `paystation.trusted`",
        "sign": "the signer's, Ed25519 in Base64",
        "amount": "what was paid, or what is taken off",
        "percent": "the part that is taken off, such as `25` or `12.5`",
    },
    "Enquiry": {
        "address": "the last part of the address on the screen: 68 digits",
        "order_no": "the order that was paid",
    },
    "Invoice": {
        "enquiry": "the id of the `enquiry` that is answered",
        "invoice": "the invoice; absent: there is none",
    },
    "IssuedInvoice": {
        "number": "the next one at its time: the garage, when the series began, the place in it, four letters",
        "issued": "when the payment was found",
        "order_no": "the order that was paid",
        "lane": "the lane",
        "supplier": "who issues it",
        "address": "where the supplier is",
        "trn": "the supplier's tax registration number",
        "amount": "what was paid, VAT included",
        "vat": "the VAT in it",
        "vat_percent": "the rate of the VAT",
        "currency": "of the amounts",
        "supplier_ar": "who issues it, in Arabic",
        "address_ar": "where the supplier is, in Arabic",
        "entered": "when the stay began; absent for a lost ticket",
        "minutes": "the length of the stay; absent for a lost ticket",
        "notes": "what was given back",
    },
    "IssuedNote": {
        "number": "as an invoice's, with a C before the place",
        "issued": "when PayBy had made the refund",
        "amount": "what was given back, VAT included",
        "vat": "the VAT in it",
    },
    "Alert": {
        "severity": "how urgent",
        "code": "the kind of alert: deploy/operations.md says what to do",
        "state": (
            "`cleared` ends what was `raised` with this code, session and order at this lane; some codes tell "
            "of an occurrence and are never cleared"
        ),
        "text": "one line in words",
        "session": "the stay that it is about",
        "order_no": "the order that it is about",
        "help_code": "what the driver sees",
    },
    "Alerts": {
        "raised": "the gravest first, then the newest; empty when there is nothing",
        "more": "how many more are raised than fit into a message",
    },
    "RaisedAlert": {
        "code": "as in `alert`",
        "severity": "how urgent",
        "text": "one line in words",
        "since": "when it was raised",
        "session": "the stay that it is about",
        "order_no": "the order that it is about",
        "help_code": "what the driver sees",
    },
    "Health": {
        "state": "whether it is online; `degraded`: running, but something is wrong",
        "version": "the program's version",
        "instance": "a UUIDv7, new at each start",
        "since": "when the state began",
        "reason": "what is wrong",
        "rival": "a worker's only: the instance of the later worker that it hears",
        "key": "a worker's only: the name of its key",
        "sign": "a worker's only: its signature, Ed25519 in Base64",
    },
}
"""By the name of the type in messages.py, then by field."""
