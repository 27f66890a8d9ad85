"""Which rate is in force when (by weekday, hour, date and holiday), and the stretches into which rates cut a stay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta, tzinfo
from itertools import pairwise

from terminal.core.money import Fils
from terminal.core.tariff.calendar import DAY_MINUTES, Dates, Hours, instant, local
from terminal.core.tariff.table import PriceTable

HOLIDAY = 7
"""The day of the week that a holiday has, where a rate names holidays: it is no Monday to Sunday then."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A table, and when it is in force. What is empty or None restricts nothing.

    ``days``: 0 Monday to 6 Sunday, HOLIDAY; hours that run over midnight belong to the day on which they begin.
    ``exit_hours``: only for a stay that began in ``hours`` and ends in these, under 24 h later and before they end for
    the first time. ``most``: the most that the stay, or each stretch, costs. ``free_ms``, ``off_ms`` and the caps
    replace the tariff's for stays whose rate is that of their entry. ``label`` is what the configuration calls it.
    """

    table: PriceTable
    name: str = ""
    name_ar: str = ""
    ticket_class: str = ""
    days: frozenset[int] = frozenset()
    dates: tuple[Dates, ...] = ()
    hours: tuple[Hours, ...] = ()
    exit_hours: tuple[Hours, ...] = ()
    most: Fils | None = None
    free_ms: int | None = None
    off_ms: int | None = None
    day_cap: Fils | None = None
    calendar_cap: Fils | None = None
    label: str = field(default="rate", compare=False)

    @property
    def rank(self) -> int:
        """Of two rates in force the one of the higher rank counts: dates before weekdays, exit hours before all."""
        return (2 if self.exit_hours else 0) + bool(self.dates)

    def price(self, length_ms: int) -> int:
        """What a time of ``length_ms`` costs, in fils."""
        found = self.table.price(length_ms)
        return found if self.most is None else min(self.most, found)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a stay with one rate, in ms since the epoch; ``of`` is the day on which its hours began, None where
    the rate has no hours."""

    begin_ms: int
    end_ms: int
    rate: Rate
    of: date | None


@dataclass(frozen=True, slots=True)
class RateBook:
    """The rates of one class of tickets in one zone. conflicts.py makes sure that they leave no gap."""

    rates: tuple[Rate, ...]
    zone: tzinfo
    holidays: tuple[Dates, ...] = ()
    _knows_holidays: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_knows_holidays", any(HOLIDAY in rate.days for rate in self.rates))

    def kind(self, day: date) -> int:
        """0 Monday to 6 Sunday, or HOLIDAY."""
        holiday = self._knows_holidays and any(dates.hold(day) for dates in self.holidays)
        return HOLIDAY if holiday else day.weekday()

    def begins(self, rate: Rate, day: date) -> bool:
        """Do the rate's hours begin on ``day``?"""
        return (not rate.days or self.kind(day) in rate.days) and (
            not rate.dates or any(dates.hold(day) for dates in rate.dates)
        )

    def at_entry(self, entered_ms: int, exited_ms: int) -> Rate:
        """The rate at the entry of a stay, which prices the whole stay."""
        open_ = [
            rate
            for rate in self.rates
            if not rate.exit_hours or any(self._leaves_in(hours, entered_ms, exited_ms) for hours in rate.exit_hours)
        ]
        return next(self._day(local(entered_ms, self.zone).date(), entered_ms, entered_ms + 1, open_)).rate

    def _leaves_in(self, hours: Hours, entered_ms: int, exited_ms: int) -> bool:
        """Does a stay of under 24 h end in these hours, before they end for the first time? Who came in the evening may
        leave by the end of that night, not in the next evening."""
        if exited_ms - entered_ms >= DAY_MINUTES * 60_000:
            return False
        shown = local(exited_ms, self.zone)
        minute = shown.hour * 60 + shown.minute
        for back in range(2):
            if hours.begin <= minute + back * DAY_MINUTES < hours.end:
                day_before = shown.date() - timedelta(days=back + 1)
                ever = hours.end - hours.begin >= DAY_MINUTES
                return ever or instant(day_before, hours.end, self.zone) <= entered_ms
        return False

    def stretches(self, begin_ms: int, end_ms: int) -> list[Stretch]:
        """The time from one moment to another, cut where another rate is in force or its hours begin anew."""
        if len(self.rates) == 1 and not self.rates[0].hours and begin_ms < end_ms:
            return [Stretch(begin_ms, end_ms, self.rates[0], None)]
        found: list[Stretch] = []
        day = local(begin_ms, self.zone).date()
        at = begin_ms
        while at < end_ms:
            until = min(end_ms, instant(day, DAY_MINUTES, self.zone))
            for stretch in self._day(day, at, until, self.rates) if at < until else ():
                last = found[-1] if found else None
                if last and last.rate is stretch.rate and last.of == stretch.of:
                    found[-1] = Stretch(last.begin_ms, stretch.end_ms, last.rate, last.of)
                else:
                    found.append(stretch)
            at, day = max(at, until), day + timedelta(days=1)
        return found

    def _day(self, day: date, begin_ms: int, end_ms: int, rates: Sequence[Rate]) -> Iterator[Stretch]:
        """The stretches of a part of one local day."""
        known: dict[int, int] = {}

        def moment(minute: int) -> int:
            if minute not in known:
                known[minute] = instant(day, minute, self.zone)
            return known[minute]

        found: list[Stretch] = []
        for rate in rates:
            for back in range(1 + max((hours.end - 1) // DAY_MINUTES for hours in rate.hours or (_WHOLE,))):
                began = day - timedelta(days=back)
                if not self.begins(rate, began):
                    continue
                if not rate.hours:
                    found.append(Stretch(begin_ms, end_ms, rate, None))
                for hours in rate.hours:
                    first, last = hours.begin - back * DAY_MINUTES, hours.end - back * DAY_MINUTES
                    begin = begin_ms if first <= 0 else max(begin_ms, moment(first))
                    end = end_ms if last >= DAY_MINUTES else min(end_ms, moment(last))
                    if begin < end:
                        found.append(Stretch(begin, end, rate, began))
        cuts = sorted({at for stretch in found for at in (stretch.begin_ms, stretch.end_ms)})
        for cut, after in pairwise(cuts):
            there = [stretch for stretch in found if stretch.begin_ms <= cut and after <= stretch.end_ms]
            best = max(there, key=lambda stretch: stretch.rate.rank)
            yield Stretch(cut, after, best.rate, best.of)


_WHOLE = Hours(0, DAY_MINUTES)
