"""Rates of one class that contradict each other, or leave a time without one.

Weeks are laid out on paper: one without a holiday, and those with a holiday on each day and on each two days in a row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from terminal.core.tariff.calendar import DAY_MINUTES, Hours
from terminal.core.tariff.rate import HOLIDAY, Rate, RateBook

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEK = 7 * DAY_MINUTES
_WHOLE_DAY = (Hours(0, DAY_MINUTES),)


@dataclass(frozen=True, slots=True)
class _Hold:
    """A rate's hours on paper, in minutes since the first Monday."""

    begin: int
    end: int
    rate: Rate


def contradiction(book: RateBook) -> str | None:
    """What is wrong between two rates of a class, which it names by their labels; None if nothing is."""
    for rank in (0, 2):
        rates = [rate for rate in book.rates if rate.rank == rank]
        for holidays in _weeks(rates):
            if wrong := _layout(rates, holidays, whole=rank == 0):
                return wrong
    return _dated(book)


def _weeks(rates: Sequence[Rate]) -> Iterator[frozenset[int]]:
    yield frozenset()
    if any(HOLIDAY in rate.days for rate in rates):
        for day in range(7, 14):
            yield frozenset({day})
            yield frozenset({day, day + 1})


def _layout(rates: Sequence[Rate], holidays: frozenset[int], *, whole: bool) -> str | None:
    holds = sorted(
        (
            _Hold(day * DAY_MINUTES + hours.begin, day * DAY_MINUTES + hours.end, rate)
            for day in range(21)
            for rate in rates
            if not rate.days or (HOLIDAY if day in holidays else day % 7) in rate.days
            for hours in rate.hours or _WHOLE_DAY
        ),
        key=lambda hold: (hold.begin, hold.end),
    )
    until, last = 0, None
    for hold in holds:
        if last and hold.begin < until and _meet(last, hold.rate):
            when = f"{_shown(hold.begin, holidays)} to {_shown(min(until, hold.end), holidays)}"
            return f"{_named(last, hold.rate, 'holds twice', 'both hold')} from {when}"
        if whole and last and until < hold.begin and until >= _WEEK:
            when = f"{_shown(until, holidays)} to {_shown(hold.begin, holidays)}"
            return f"{_named(last, hold.rate, 'no rate holds', 'no rate holds between them,')} from {when}"
        if hold.end > until:
            until, last = hold.end, hold.rate
    if whole and last is None:
        return "rate: takes one that holds at all other times, not by date or exit hours alone"
    return None


def _named(one: Rate, other: Rate, alone: str, both: str) -> str:
    """What is wrong with a rate, or between two."""
    return f"{one.label}: {alone}" if one is other else f"{one.label} and {other.label}: {both}"


def _meet(one: Rate, other: Rate) -> bool:
    """Can both be meant, as far as their exit hours go?"""
    return not one.exit_hours or any(
        a.hold(minute) and b.hold(minute)
        for a in one.exit_hours
        for b in other.exit_hours
        for minute in range(DAY_MINUTES)
    )


def _dated(book: RateBook) -> str | None:
    """Two exceptions by date for the same time."""
    dated = [rate for rate in book.rates if rate.dates]
    for number, one in enumerate(dated):
        for other in dated[number + 1 :]:
            if one.rank == other.rank and _meet(one, other) and (day := _common(book, one, other)):
                return f"{one.label} and {other.label}: both hold on {day}"
    return None


def _common(book: RateBook, one: Rate, other: Rate) -> date | None:
    if any(dates.yearly for dates in one.dates) and not all(dates.yearly for dates in other.dates):
        one, other = other, one
    for dates in one.dates:
        for day in dates.days():
            if not book.begins(one, day):
                continue
            for off in range(-7, 8):
                if book.begins(other, day + timedelta(days=off)) and _overlap(one, other, off * DAY_MINUTES):
                    return day
    return None


def _overlap(one: Rate, other: Rate, off: int) -> bool:
    return any(
        a.begin < b.end + off and b.begin + off < a.end
        for a in one.hours or _WHOLE_DAY
        for b in other.hours or _WHOLE_DAY
    )


def _shown(minute: int, holidays: frozenset[int]) -> str:
    day, rest = divmod(minute, DAY_MINUTES)
    named = "a holiday" if day in holidays else _NAMES[day % 7]
    return f"{named} {rest // 60:02d}:{rest % 60:02d}"
