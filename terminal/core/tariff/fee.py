"""A fee as lines that explain it; screen/fee_texts.py puts them into words."""

from dataclasses import dataclass
from typing import Literal

from terminal.core.money import Fils

FeeLineKind = Literal[
    "unpaid-grace",
    "free-minutes",
    "minutes-off",
    "first-stay",
    "total",
    "total-last",
    "blocks",
    "repeats",
    "stretch",
    "most",
    "overnight",
    "overnight-least",
    "day-cap",
    "calendar-cap",
    "minimum",
    "maximum",
    "rounding",
    "paid",
    "exit-grace",
]


@dataclass(frozen=True, slots=True)
class FeeLine:
    """One line of a fee: ``amount`` (fils) is what it adds, below 0 if it reduces the fee. ``count`` times ``each`` is
    how the amount came about, and ``length_ms`` how long a step or a block is. ``begin_ms`` and ``end_ms`` say which
    part of the stay it is for, if the stay has several. ``rate`` and ``rate_ar`` are the rate's own name."""

    kind: FeeLineKind
    amount: int = 0
    count: int = 1
    each: int = 0
    length_ms: int = 0
    begin_ms: int | None = None
    end_ms: int | None = None
    rate: str = ""
    rate_ar: str = ""


@dataclass(frozen=True, slots=True)
class ExplainedFee:
    """The lines of a fee, and the stay that was priced (ms since the epoch), which may have begun with an earlier
    entry."""

    entered_ms: int
    exited_ms: int
    lines: tuple[FeeLine, ...]

    @property
    def total(self) -> Fils:
        """The sum of the lines, in fils."""
        return Fils(sum(line.amount for line in self.lines))
