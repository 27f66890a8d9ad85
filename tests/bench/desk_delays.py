"""From what was said to what was shown: how long each state of a lane took to a page, as pure functions."""

import bisect
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Entry = tuple[str, str, float, str]
"""Lane, field of its card, ms since the epoch, and the text."""


def _by_field(entries: Iterable[Entry]) -> dict[tuple[str, str], list[tuple[float, str]]]:
    found: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for lane, field, at_ms, text in sorted(entries, key=lambda entry: entry[2]):
        found.setdefault((lane, field), []).append((at_ms, text))
    return found


def delays(said: Iterable[Entry], shown: Iterable[Entry]) -> tuple[list[float], int]:
    """The delay (ms) of each text that was said until it, or a later one of the same field, was shown; and how many
    were never shown. A text that comes again and again is shown anew only by a change, so each change answers the next
    text like it, and all before that one."""
    seen, took, lost = _by_field(shown), list[float](), 0
    for field, texts in _by_field(said).items():
        left = texts
        for at_ms, text in seen.get(field, []):
            known = bisect.bisect_right(left, at_ms, key=lambda one: one[0])
            number = next((number for number in range(known) if left[number][1] == text), None)
            if number is not None:
                took += [at_ms - began for began, _ in left[: number + 1]]
                left = left[number + 1 :]
        lost += len(left)
    return took, lost


@dataclass(frozen=True, slots=True)
class Delays:
    """Of one way, ms."""

    count: int
    median: float
    p95: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:8.0f}{self.p95:8.0f}{self.most:8.0f}"


def summary(took: Sequence[float]) -> Delays:
    """Raises ValueError where nothing was measured."""
    if not took:
        raise ValueError("nothing of what was said was shown")
    ordered = sorted(took)
    return Delays(len(ordered), statistics.median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1])
