"""What a run of the simulation may ask for, and what came of a world."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may ask for. ``orders``: how many a world should see before its last driver."""

    orders: int = 60
    faults: bool = True
    real: bool = False
    """RSA, Ed25519, SQLite and the whole PayBy client."""
    tracing: bool = False
    climate: str = ""
    """What this run is to be full of (climate.py); empty for a bit of all."""
    only: str = ""
    """What is violated counts only if its text begins so."""


@dataclass(slots=True)
class Report:
    """What came of a world."""

    seed: str
    orders: int
    violation: str
    trace: list[tuple[Any, ...]]
    counts: dict[str, int] = field(default_factory=dict)
    virtual_s: float = 0.0

    def digest(self) -> str:
        """The trace's hash; of a run that was traced."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()


def readable(trace: Sequence[tuple[Any, ...]], last: int = 200) -> str:
    """The end of a trace, one line an entry."""
    lines = []
    for at, *what in trace[-last:]:
        lines.append(f"{at:10.3f}  " + "  ".join(str(part)[:400] for part in what))
    return "\n".join(lines)
