"""The same fees, reckoned minute by minute by the garage's clock: slow, plain, and of other code.

All of a tariff's times are whole minutes here, and a stay is so too.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class PlainRate:
    """``steps``: (until or None, "total" or block, fils), in minutes. ``hours``: (begin, end) of the day, end may be
    more than 1440; empty: always. ``days``: weekdays, empty: all."""

    steps: tuple[tuple[int | None, int | None, int], ...]
    days: frozenset[int] = frozenset()
    hours: tuple[tuple[int, int], ...] = ()
    most: int | None = None

    def price(self, minutes: int) -> int:
        total = start = 0
        for until, block, fils in self.steps:
            end = minutes if until is None else min(until, minutes)
            if end <= start:
                break
            if block is None:
                total = fils
            else:
                total += fils * len(range(start, end, block))
            start = end
        return total if self.most is None else min(total, self.most)

    @lru_cache(maxsize=50_000)  # noqa: B019 - rates are few, and frozen
    def begun(self, wall: datetime) -> date | bool:
        """The day on which the hours began that ``wall`` lies in; True where there are none; False: not in force."""
        if not self.hours:
            return not self.days or wall.weekday() in self.days
        for back in range(8):
            day = wall.date() - timedelta(days=back)
            minute = wall.hour * 60 + wall.minute + back * 1440
            if (not self.days or day.weekday() in self.days) and any(a <= minute < b for a, b in self.hours):
                return day
        return False


def walls(entered_ms: int, minutes: int, zone: ZoneInfo) -> list[datetime]:
    """What the garage's clock shows in each minute of the stay; when it goes back, what it showed before holds on."""
    first = datetime.fromtimestamp(entered_ms / 1000, UTC) - timedelta(hours=30)
    found: list[datetime] = []
    latest = datetime(1, 1, 1)  # noqa: DTZ001 - what a clock shows has no zone
    for minute in range(30 * 60 + minutes):
        latest = max(latest, (first + timedelta(minutes=minute)).astimezone(zone).replace(tzinfo=None))
        found.append(latest)
    return found[30 * 60 :]


def reference_fee(rates: list[PlainRate], entered_ms: int, minutes: int, zone: ZoneInfo, keys: dict[str, Any]) -> int:
    """``keys`` of a schedule, in minutes and fils: rates_by, free, off, grace, day_cap, calendar_cap, minimum,
    maximum."""
    if minutes <= max(keys.get("grace", 0), keys.get("free", 0), keys.get("off", 0)):
        return 0
    clock = walls(entered_ms, minutes, zone)
    off, by = keys.get("off", 0), keys["rates_by"]
    at_entry = next(rate for rate in rates if rate.begun(clock[0]))
    spent: dict[object, int] = {}
    fee = position = 0
    before: tuple[PlainRate, date | bool] | None = None
    for minute in range(off, minutes):
        wall = clock[minute]
        rate, begun = next((rate, rate.begun(wall)) for rate in rates if rate.begun(wall))
        if by == "entry":
            rate, position = at_entry, minute - off
        elif by == "stretch":
            position = position + 1 if before == (rate, begun) else 0
        elif by == "block":
            position = minute - off
        before = rate, begun
        charge = rate.price(position + 1) - rate.price(position)
        if by == "paid-time" and any(fils for _, _, fils in rate.steps):
            position += 1
        for cap, window in ((keys.get("day_cap"), minute // 1440), (keys.get("calendar_cap"), wall.date())):
            if cap is not None:
                charge = min(charge, cap - spent.get((cap, window), 0))
        for cap, window in ((keys.get("day_cap"), minute // 1440), (keys.get("calendar_cap"), wall.date())):
            spent[cap, window] = spent.get((cap, window), 0) + charge
        fee += charge
    if 0 < fee < keys.get("minimum", 0):
        fee = keys["minimum"]
    return min(fee, keys["maximum"]) if keys.get("maximum") else fee
