"""Where a fee changes: each length of stay from an entry after which a stay that is a second longer costs
another amount."""

from dataclasses import dataclass

from terminal.core.money import Fils
from terminal.core.tariff.calendar import instant, local
from terminal.core.tariff.pricing import based, fee, midnights, nights
from terminal.core.tariff.rate import Stretch
from terminal.core.tariff.schedule import TariffSchedule
from terminal.core.tariff.stay import DAY_MS, SECOND_MS


@dataclass(frozen=True, slots=True)
class Boundary:
    """A stay of ``stay_s`` seconds costs ``before``, one that is a second longer ``after`` (fils)."""

    stay_s: int
    before: Fils
    after: Fils

    @property
    def falls(self) -> bool:
        """Does the longer stay cost less?"""
        return self.after < self.before


def boundaries(tariff: TariffSchedule, entered_ms: int, limit_ms: int, ticket_class: str = "") -> list[Boundary]:
    """Each boundary of stays up to ``limit_ms`` that begin at ``entered_ms``; raises UnknownClass."""
    found = []
    for stay_s in sorted({mark // SECOND_MS for mark in _marks(tariff, entered_ms, limit_ms, ticket_class)}):
        at = entered_ms + stay_s * SECOND_MS
        before, after = (fee(tariff, entered_ms, end, ticket_class) for end in (at, at + SECOND_MS))
        if before != after:
            found.append(Boundary(stay_s, before, after))
    return found


def _marks(tariff: TariffSchedule, entered: int, limit: int, ticket_class: str) -> set[int]:
    """The lengths of stay at which something may change; a fee is the same between two of them."""
    fee(tariff, entered, entered, ticket_class)  # is there such a class?
    book = tariff.books[ticket_class]
    end = entered + limit
    found = {0, tariff.unpaid_grace_ms, tariff.free_ms, tariff.off_ms}
    found |= set(range(0, limit + 1, DAY_MS))
    found |= {at - entered for at in (*midnights(tariff, entered, end), *nights(tariff, entered, end))}
    found |= {mark - SECOND_MS for mark in found if mark}  # what counts from its moment on, and what counts after it
    for rate in book.rates if tariff.rates_by == "entry" else ():
        free, off = (tariff.free_ms if rate.free_ms is None else rate.free_ms, rate.off_ms)
        off = tariff.off_ms if off is None else off
        found |= {free, off} | {off + mark for mark in rate.table.marks(max(0, limit - off))}
        day = local(entered, tariff.zone).date()
        for hours in rate.exit_hours:
            for minute in (hours.begin, hours.end, hours.begin + DAY_MS // 60_000, hours.end + DAY_MS // 60_000):
                edge = instant(day, minute, tariff.zone) - entered
                found |= {edge, edge - SECOND_MS}
    if tariff.rates_by != "entry":
        begin = entered + tariff.off_ms
        stretches = book.stretches(begin, end) if begin < end else []
        for stretch, base in based(tariff, stretches):
            found |= _stretch_marks(stretch, base, entered)
    return {mark for mark in found if 0 <= mark <= limit}


def _stretch_marks(stretch: Stretch, base: int, entered: int) -> set[int]:
    """Those of the stretch's table, as lengths of the stay."""
    length = stretch.end_ms - stretch.begin_ms
    begin = stretch.begin_ms - entered
    marks = stretch.rate.table.marks(base + length)
    return {begin, begin + length} | {begin + mark - base for mark in marks if mark >= base}
