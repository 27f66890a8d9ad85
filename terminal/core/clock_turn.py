"""The state by a clock that was turned back: what was to come in a minute comes in a minute.

A worker's time begins at the wall clock's. Where that was ahead at one start (2099), every time in the state is; once
the true one is known, they all move back together.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

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
"""The fields that hold a time, ms; 0 and None are none."""

BACK_MS = 60_000
"""A start that is earlier than the last fact by more has another clock: the one before it was wrong."""
N = TypeVar("N", Lane, Stay)


def turn_of(event: Event, last_at: int) -> int:
    """By how many ms (below 0) the state must move for what follows ``event``, given the last fact's time; 0: not."""
    by = event.at - last_at
    return by if isinstance(event, Started) and by < -BACK_MS else 0


def turned(nouns: Mapping[str, N], by: int) -> dict[str, N]:
    """Lanes or stays with every time in them later by ``by`` ms (earlier, below 0)."""
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
