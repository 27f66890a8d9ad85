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
    """``least`` and ``part`` of its level: so much it may grow over all the samples, whichever is more.

    What counts is the middle one of the slopes of three thirds: something that is loaded once, whenever it is first
    needed, is a step in one of them, and a leak goes on in all.
    """
    level = statistics.median(y for _, y in points)
    span, third = points[-1][0] - points[0][0], max(2, len(points) // 3)
    thirds = points[:third], points[third:-third], points[-third:]
    middle = statistics.median(slope(some) for some in thirds)
    return Growth(name, level, middle * span, max(least, part * level), unit)
