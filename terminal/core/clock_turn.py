"""Moves the state to a clock that was turned back: what was due in a minute is still due in a minute.

A worker's time begins at the wall clock's. If that clock was ahead at one start (say, in 2099), so is every time in the
state. Once the true time is known, they all move back together.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from terminal.core.allowance import Allowance
from terminal.core.events import Event, Started
from terminal.core.model import (
    Boom,
    Grant,
    Lane,
    Payment,
    RefusalNotice,
    SpentCommand,
    Stay,
    UntoldAlert,
    Visit,
    VisitOrder,
)
from terminal.core.value import replace

TIMES: dict[type[Any], frozenset[str]] = {
    Allowance: frozenset({"until"}),
    Boom: frozenset({"since"}),
    Grant: frozenset({"not_after"}),
    Lane: frozenset({"began"}),
    RefusalNotice: frozenset({"until"}),
    VisitOrder: frozenset({"placed", "expires", "payby_expires"}),
    Payment: frozenset({"paid", "until"}),
    SpentCommand: frozenset({"not_after"}),
    Stay: frozenset({"left", "lost"}),
    UntoldAlert: frozenset({"since"}),
    Visit: frozenset({"since", "read", "gone_since", "waits_until"}),
}
"""The fields that hold a time in ms; 0 and None mean no time."""

BACK_MS = 60_000
"""A start that lies further than this before the last fact has another clock: the earlier one was wrong."""
N = TypeVar("N", Lane, Stay)


def turn_of(event: Event, last_at: int) -> int:
    """By how many ms (below 0: earlier) the state moves before ``event``, given the last fact's time; 0: not at all."""
    by = event.at - last_at
    return by if isinstance(event, Started) and by < -BACK_MS else 0


def turned(nouns: Mapping[str, N], by: int) -> dict[str, N]:
    """The lanes or stays, with every time in them moved by ``by`` ms (below 0: earlier)."""
    return {name: _turned(noun, by) for name, noun in nouns.items()}


def _turned(value: Any, by: int) -> Any:
    if isinstance(value, tuple):
        return tuple(_turned(part, by) for part in value)
    if type(value) not in TIMES:
        return value
    times = TIMES[type(value)]
    changes: dict[str, Any] = {}
    for field in fields(value):
        before = getattr(value, field.name)
        changes[field.name] = before + by if before and field.name in times else _turned(before, by)
    return replace(value, **changes)
