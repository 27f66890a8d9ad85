"""Does something grow? A line through its samples that a few wild ones do not turn."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Growth:
    """What was measured, its level, by how much it grew over all its samples, and by how much it may."""

    name: str
    level: float
    grown: float
    allowed: float
    unit: str

    @property
    def well(self) -> bool:
        return self.grown <= self.allowed

    def line(self) -> str:
        verdict = "" if self.well else "  GROWS"
        grown = f"{self.grown:>+9.2f} (at most +{self.allowed:.2f})"
        return f"{self.name:<34}{self.level:>10.2f} {self.unit:<7}{grown}{verdict}"


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between all pairs of points (Theil and Sen)."""
    slopes = [(y - b) / (x - a) for (a, b), (x, y) in combinations(points, 2) if x != a]
    return statistics.median(slopes) if slopes else 0.0


def growth(name: str, points: Sequence[tuple[float, float]], unit: str, *, least: float, part: float) -> Growth:
    """``least`` and ``part`` of its level: so much it may grow over all the samples, whichever is more."""
    level = statistics.median(y for _, y in points)
    span = max(x for x, _ in points) - min(x for x, _ in points)
    return Growth(name, level, slope(points) * span, max(least, part * level), unit)
