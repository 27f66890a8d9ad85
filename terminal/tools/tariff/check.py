"""Where fees change: a table for each rate, and warnings about the tariff."""

from collections.abc import Iterator

from terminal.core import money
from terminal.core.tariff.boundaries import boundaries
from terminal.core.tariff.calendar import local
from terminal.core.tariff.pricing import fee
from terminal.core.tariff.schedule import TariffSchedule
from terminal.core.tariff.stay import DAY_MS
from terminal.screen.fee_texts import length_words
from terminal.tools.tariff.samples import SampleEntry, horizon, samples

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def check(tariff: TariffSchedule, since_ms: int, entered_ms: int | None, limit_ms: int | None) -> Iterator[str]:
    """Lines for a person: each boundary of stays up to ``limit_ms`` that begin at ``entered_ms``; without it, those of
    an entry after ``since_ms`` for each rate."""
    warnings = [*lost_warnings(tariff, since_ms)]
    for entry in entries(tariff, since_ms, entered_ms):
        yield heading(tariff, entry)
        yield f"  {'a stay of':<20}{'costs':>12}{'1 s more':>12}"
        for found in boundaries(tariff, entry.entered_ms, limit_ms or horizon(tariff), entry.ticket_class):
            stay, mark = length_words(found.stay_s * 1000, "en"), "   falls" if found.falls else ""
            yield f"  {stay:<20}{money.text(found.before):>12}{money.text(found.after):>12}{mark}"
            if found.falls:
                warnings.append(
                    f"{named(entry)}: the fee falls after {stay}, from {money.text(found.before)} to"
                    f" {money.text(found.after)}"
                )
        yield ""
    yield from (f"warning: {text}" for text in warnings)
    if not warnings:
        yield "no fee falls as a stay grows"


def entries(tariff: TariffSchedule, since_ms: int, entered_ms: int | None) -> list[SampleEntry]:
    """One for each rate, or, with ``entered_ms``, that entry for each class."""
    if entered_ms is None:
        return samples(tariff, since_ms)
    return [
        SampleEntry(book.stretches(entered_ms, entered_ms + 1000)[0].rate, entered_ms)
        for _, book in sorted(tariff.books.items())
    ]


def heading(tariff: TariffSchedule, entry: SampleEntry) -> str:
    """The heading of a table: which rate, and which entry."""
    at = local(entry.entered_ms, tariff.zone)
    of = f", class {entry.ticket_class}" if entry.ticket_class else ""
    return f"{named(entry)}{of}: entry on {DAYS[at.weekday()]} {at:%Y-%m-%d %H:%M}"


def named(entry: SampleEntry) -> str:
    """The rate's name, or what the configuration calls it."""
    return entry.rate.name or entry.rate.label


def lost_warnings(tariff: TariffSchedule, since_ms: int) -> Iterator[str]:
    """A line for each rate by which a lost ticket is cheaper than 24 hours in the garage."""
    for entry in samples(tariff, since_ms):
        if entry.ticket_class:
            continue
        day = fee(tariff, entry.entered_ms, entry.entered_ms + DAY_MS)
        if day > tariff.lost_ticket:
            yield (
                f"lost_ticket: {money.text(tariff.lost_ticket)} is less than 24 h cost"
                f" ({named(entry)}, {money.text(day)}), so it pays to lose a ticket"
            )
