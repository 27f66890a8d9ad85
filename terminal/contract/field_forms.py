"""The forms of the messages' fields: what a text or a number in one must look like, and which a message needs."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

_END = r"(?!\n)$"  # Python's $ also matches before a final line feed; ECMA's does not
Uuid7 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}" + _END, title="UUIDv7")
]
Stamp = Annotated[
    str,
    Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z" + _END, title="RFC 3339, UTC; we write milliseconds"),
]
AmountText = Annotated[
    str, Meta(pattern=r"^(0|[1-9]\d{0,11})\.\d\d" + _END, title="AED with two decimals; compared as a number")
]
Currency = Literal["AED"]
OrderNo = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}" + _END, title="PayBy merchantOrderNo")]
Count = Annotated[int, Meta(ge=0)]
Percent = Annotated[int, Meta(ge=0, le=100)]
HelpCode = Annotated[str, Meta(pattern=r"^[A-Z0-9]{5,6}" + _END)]
TicketNumber = Annotated[str, Meta(min_length=1, max_length=64)]
"""A ticket's number or a plate, as it was read."""
TicketClass = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,8}" + _END)]

FEE_NEEDS: Mapping[str, tuple[str, ...]] = {
    "due": ("exited", "amount", "currency", "session", "entered", "minutes"),
    "free": ("exited", "amount", "currency", "session", "entered", "minutes"),
    "lost": ("exited", "amount", "currency"),  # it names nobody: whatever `session` says, the worker derives it
    "number": ("exited",),  # of another system, so only the worker can find out what is due
    "coupon": ("exited",),  # only the worker has the keys
    "refused": ("why",),
}
"""The fields that a `fee` must have, by its reason."""
COMMAND_NEEDS: Mapping[str, tuple[str, ...]] = {
    "cancel": ("order_no",),
    "refund": ("order_no",),
    "keep": ("order_no",),
    "let-go": ("order_no",),
    "reset": ("session",),
    "ticket": ("reason",),
}
"""The fields that a `command` must have, by what it asks for."""
SIGNED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Lift": ("session", "car", "reason", "by", "note", "not_after", "order_no", "amount", "key"),
    "Screen": ("session", "amount", "expires", "key"),
    "Command": ("command", "by", "session", "not_after", "order_no", "amount", "reason", "key"),
    "Health": ("instance", "rival", "key"),
    "Credit": ("session", "kind", "by", "amount", "percent", "until", "not_after", "key"),
}
"""By the name of the message's type."""

_UNSIGNABLE = re.compile(r"[|\x00-\x1f\x7f-\x9f]")


def is_signable(text: str) -> bool:
    """May a signed field hold ``text``? It may not if it has `|` or a control character."""
    return not _UNSIGNABLE.search(text)
