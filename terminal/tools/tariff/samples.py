"""Entries that show what a tariff does: one for each rate of each ticket class."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from terminal.core.tariff.calendar import instant, local
from terminal.core.tariff.rate import Rate, RateBook
from terminal.core.tariff.schedule import TariffSchedule

MORNING = 9 * 60
"""The entry, in minutes of the day, where a rate has no hours."""
FARTHEST = 800
"""Days ahead in which a rate's next day is looked for."""
LEAST_MS = 48 * 3_600_000


@dataclass(frozen=True, slots=True)
class SampleEntry:
    """An entry (ms since the epoch) to which ``rate`` applies."""

    rate: Rate
    entered_ms: int

    @property
    def ticket_class(self) -> str:
        """The ticket class that the rate is for; empty for tickets without one."""
        return self.rate.ticket_class


def samples(tariff: TariffSchedule, since_ms: int) -> list[SampleEntry]:
    """One entry for each rate that is in force within FARTHEST days of ``since_ms``."""
    return [
        SampleEntry(rate, entered)
        for _, book in sorted(tariff.books.items())
        for rate in book.rates
        for entered in _first(tariff, book, rate, since_ms)
    ]


def _first(tariff: TariffSchedule, book: RateBook, rate: Rate, since_ms: int) -> Iterator[int]:
    today = local(since_ms, tariff.zone).date()
    minute = rate.hours[0].begin if rate.hours else MORNING
    for ahead in range(1, FARTHEST):
        day = today + timedelta(days=ahead)
        if book.begins(rate, day):
            entered = instant(day, minute, tariff.zone)
            if rate.exit_hours or book.stretches(entered, entered + 1000)[0].rate is rate:
                yield entered
                return


def horizon(tariff: TariffSchedule) -> int:
    """A length of stay, in ms, that is enough to show every price: two days, or a day more than the longest table."""
    untils = [s.until_ms or 0 for book in tariff.books.values() for rate in book.rates for s in rate.table.steps]
    return max(LEAST_MS, max(untils) + 25 * 3_600_000)
