"""The garage's local days and hours as moments, by the zone's rules, which come as data.

A clock time that a change of the clocks skips is the moment of the change; one that comes twice is the first of the
two. So periods that touch on paper touch in time, and a day may have 23 h, 25 h, or none at all.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
DAY_MINUTES = 24 * 60


def local(moment_ms: int, zone: tzinfo) -> datetime:
    """What the garage's clock shows at a moment in ms since the epoch."""
    return (_EPOCH + timedelta(milliseconds=moment_ms)).astimezone(zone)


def instant(day: date, minute: int, zone: tzinfo) -> int:
    """The first moment, in ms since the epoch, at which the garage's clock shows ``minute`` of ``day`` or later;
    minutes from 1440 on are the next days'."""
    wall = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
    found = wall.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) != wall:  # skipped: find the moment of the change
        early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        while found - early > _SECOND:
            middle = early + (found - early) // 2 // _SECOND * _SECOND
            if middle.astimezone(zone).replace(tzinfo=None) < wall:
                early = middle
            else:
                found = middle
    return (found - _EPOCH) // _SECOND * 1000


@dataclass(frozen=True, slots=True)
class Hours:
    """From one minute of a day to another one, which may be on a later day (1440 and more); the end is not in it."""

    begin: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.begin < DAY_MINUTES or not self.begin < self.end <= self.begin + 7 * DAY_MINUTES:
            raise ValueError(f"hours from minute {self.begin} to minute {self.end} are none")

    def hold(self, minute: int) -> bool:
        """Is a day's ``minute`` within these hours, whichever day they began on?"""
        return any(self.begin <= minute + day * DAY_MINUTES < self.end for day in range(9))


@dataclass(frozen=True, slots=True)
class Dates:
    """From one date to another, both included; with ``yearly``, in every year, by month and day."""

    first: date
    last: date
    yearly: bool = False

    def __post_init__(self) -> None:
        if self.last < self.first or (self.last - self.first).days > 3660:
            raise ValueError(f"dates from {self.first} to {self.last} are none, or more than ten years")

    def hold(self, day: date) -> bool:
        """Is ``day`` one of them?"""
        if self.yearly:
            return (self.first.month, self.first.day) <= (day.month, day.day) <= (self.last.month, self.last.day)
        return self.first <= day <= self.last

    def days(self) -> list[date]:
        """Each of these dates; if they are yearly, only those of the year in which they are written."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]
