"""How bright a panel is while it serves nobody, and where its picture is then: against burn-in, and for the night.

While it serves a driver the light is full: light dimmed by pulses draws bands in a phone's picture.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from terminal.core.model import ScreenState

QUIET: frozenset[ScreenState] = frozenset({"idle", "closed", "out-of-order"})
"""The states in which nobody is served."""

MOVE_EVERY_MS = 60_000
PLACES = ((0, 0), (3, 0), (3, 3), (0, 3), (-3, 3), (-3, 0), (-3, -3), (0, -3), (3, -3))
"""The places (px right and down) that a long-standing picture takes in turn; every margin is wider than these."""

Night = tuple[int, int]
"""From and to, in minutes after local midnight; it may begin on the day before it ends."""


@dataclass(frozen=True, slots=True)
class Dimming:
    """A ``share`` of full light, 0 to 1, after ``after_ms`` without a driver (None: never), and at ``night`` at once,
    by the clock of ``zone``."""

    share: float = 1.0
    after_ms: int | None = None
    night: Night | None = None
    zone: tzinfo = UTC

    def dims(self, wall_ms: int, quiet_ms: int) -> bool:
        """Is the light down at this wall-clock time and after this long without a driver?"""
        if self.share >= 1:
            return False
        if self.after_ms is not None and quiet_ms >= self.after_ms:
            return True
        if self.night is None:
            return False
        now = datetime.fromtimestamp(wall_ms / 1000, self.zone)
        minute, (start, end) = now.hour * 60 + now.minute, self.night
        return start <= minute < end if start <= end else minute >= start or minute < end


def night_of(text: str) -> Night | None:
    """``22:00-06:00`` -> minutes; None for an empty text. Raises ValueError for any other text."""
    if not text:
        return None
    start, end = (datetime.strptime(part, "%H:%M") for part in text.split("-"))  # noqa: DTZ007 - a time of any day
    return start.hour * 60 + start.minute, end.hour * 60 + end.minute


def place(quiet_ms: int) -> int:
    """Which of PLACES the picture has after this time (ms)."""
    return quiet_ms // MOVE_EVERY_MS % len(PLACES)


def darker(share: float) -> list[int]:
    """A table from a channel's values to those with that share of the light (a display's gamma is 2.2)."""
    return [round(value * share ** (1 / 2.2)) for value in range(256)] * 3
