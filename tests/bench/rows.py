"""What a benchmark hands over, so that one table has them all.

Each measurement of this folder that `python -m tests.bench` runs has ``measure(progress) -> list[Row]``: it calls
``progress`` with a few words whenever it has come a step further, and gives its rows once it is done.
"""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One step of a visit, ours beside another way, both taken in turns in the same run. Less is better."""

    step: str
    ours: float
    peer: str
    """What it is measured beside: what a user would take instead, or the floor that nobody gets under."""
    theirs: float
    unit: str
    target: float | None = None
    """Ours is at most so many times theirs; None: it is only told."""

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs if self.theirs else float("inf") if self.ours else 1.0

    @property
    def well(self) -> bool:
        return self.target is None or self.ratio <= self.target


def shown(value: float, unit: str) -> str:
    """A figure as a person reads it."""
    if value and abs(value) < 10 and unit not in ("B", "messages", "flushes"):
        return f"{value:,.2f} {unit}"
    return f"{value:,.0f} {unit}"
