"""A stay and a tariff -> its fee, as lines.

A fee is a sum of charges that fall due at moments of the stay; a cap takes from each what is above it. So no stay
costs less than a shorter one with the same entry, unless a table itself falls, or a rate with exit hours is cheaper.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from terminal.core.money import Fils
from terminal.core.tariff.calendar import instant, local
from terminal.core.tariff.fee import ExplainedFee, FeeLine, FeeLineKind
from terminal.core.tariff.rate import Rate, Stretch
from terminal.core.tariff.schedule import TariffSchedule
from terminal.core.tariff.stay import DAY_MS, SECOND_MS, PricedStay, seconds

LONGEST_STRETCHES_MS = 366 * DAY_MS
"""A stay that is cut into stretches costs no more for what is beyond a year: a ticket that claims to be from 1970 would
keep the lane waiting."""


class UnknownClass(ValueError):
    """A ticket of a class that the tariff does not name."""


def first_entry(tariff: TariffSchedule, stay: PricedStay) -> int:
    """When the stay began that this one continues; its own entry if it continues none."""
    entered = stay.entered_ms
    for earlier in reversed(stay.earlier if tariff.reentry_ms else ()):
        if not 0 <= entered - earlier.exited_ms <= tariff.reentry_ms or earlier.entered_ms > earlier.exited_ms:
            break
        entered = earlier.entered_ms
    return entered


def explain(tariff: TariffSchedule, stay: PricedStay, began_ms: int | None = None) -> ExplainedFee:
    """What is due for a stay, and why; ``began_ms``: its ``first_entry``, if the caller knows it. Raises ValueError
    for an exit before the entry, UnknownClass."""
    seconds(stay.entered_ms, stay.exited_ms)
    if stay.ticket_class not in tariff.books:
        raise UnknownClass(f"class {stay.ticket_class!r}: the tariff has {sorted(tariff.books)}")
    entered = first_entry(tariff, stay) if began_ms is None else began_ms
    lines = _whole(tariff, entered, stay.exited_ms, stay.ticket_class)
    if entered != stay.entered_ms:
        lines.insert(0, FeeLine("first-stay", 0, begin_ms=entered))
    lines += _settled(tariff, stay, entered, sum(line.amount for line in lines))
    return ExplainedFee(entered, stay.exited_ms, tuple(lines))


def _settled(tariff: TariffSchedule, stay: PricedStay, entered: int, gross: int) -> Iterator[FeeLine]:
    """What was paid already; within the exit grace of a payment that was whole, nothing more is due."""
    paid = sum(payment.amount for payment in stay.paid)
    if not paid:
        return
    yield FeeLine("paid", -min(paid, gross))
    last = max(payment.at_ms for payment in stay.paid)
    if gross > paid and entered <= last and stay.exited_ms <= last + tariff.exit_grace_ms:
        owed = sum(line.amount for line in _whole(tariff, entered, last, stay.ticket_class))
        if owed <= paid:
            yield FeeLine("exit-grace", paid - gross, length_ms=tariff.exit_grace_ms)


def _whole(tariff: TariffSchedule, entered: int, exited: int, ticket_class: str) -> list[FeeLine]:
    """The lines of a stay for which nothing was paid."""
    end = entered + seconds(entered, exited) * SECOND_MS
    if end - entered <= tariff.unpaid_grace_ms:
        return [FeeLine("unpaid-grace", 0, length_ms=tariff.unpaid_grace_ms)]
    book = tariff.books[ticket_class]
    rate = book.at_entry(entered, end) if tariff.rates_by == "entry" else None
    free, off = tariff.free_ms, tariff.off_ms
    if rate is not None:
        free = free if rate.free_ms is None else rate.free_ms
        off = off if rate.off_ms is None else rate.off_ms
    if end - entered <= free:
        return [FeeLine("free-minutes", 0, length_ms=free)]
    lines = [FeeLine("minutes-off", 0, length_ms=off)] if off else []
    if end - entered <= off:
        return lines
    begin = entered + off
    if rate is None:
        end = min(end, begin + LONGEST_STRETCHES_MS)
    stretches = [Stretch(begin, end, rate, None)] if rate is not None else book.stretches(begin, end)
    charges = _Charges(tariff, entered, end, rate)
    for stretch, base in based(tariff, stretches):
        lines += charges.take(stretch, base, alone=len(stretches) == 1)
    lines += charges.added_nights()
    lines += charges.capped()
    lines += charges.least_nights(sum(line.amount for line in lines))
    return lines + list(_adjusted(tariff, sum(line.amount for line in lines)))


def based(tariff: TariffSchedule, stretches: list[Stretch]) -> Iterator[tuple[Stretch, int]]:
    """Each stretch, with how much of its table's time has run when it begins."""
    paid = 0
    for stretch in stretches:
        if tariff.rates_by == "block":
            yield stretch, stretch.begin_ms - stretches[0].begin_ms
        elif tariff.rates_by == "paid-time":
            yield stretch, paid
            paid += 0 if stretch.rate.table.free() else stretch.end_ms - stretch.begin_ms
        else:
            yield stretch, 0


def _adjusted(tariff: TariffSchedule, fee: int) -> Iterator[FeeLine]:
    """What holds for the fee as a whole."""
    if over := fee % tariff.round_to:
        up = tariff.rounding == "up" or (tariff.rounding == "nearest" and 2 * over >= tariff.round_to)
        rounded = tariff.round_to - over if up else -over
        yield FeeLine("rounding", rounded, each=tariff.round_to)
        fee += rounded
    if 0 < fee < tariff.minimum:
        yield FeeLine("minimum", tariff.minimum - fee, each=tariff.minimum)
    if tariff.maximum is not None and fee > tariff.maximum:
        yield FeeLine("maximum", tariff.maximum - fee, each=tariff.maximum)


class _Charges:
    """The charges of one stay, and what the caps leave of them."""

    def __init__(self, tariff: TariffSchedule, entered: int, end: int, rate: Rate | None) -> None:
        own = (None, None) if rate is None else (rate.day_cap, rate.calendar_cap)
        self._day_cap = own[0] or tariff.day_cap
        self._calendar_cap = own[1] or tariff.calendar_cap
        self._overnight, self._entered, self._end = tariff.overnight, entered, end
        self._midnights = midnights(tariff, entered, end) if self._calendar_cap else []
        self._nights = nights(tariff, entered, end)
        self._due: list[tuple[int, int]] = []
        """When, and how much."""

    def take(self, stretch: Stretch, base: int, *, alone: bool) -> Iterator[FeeLine]:
        """The lines of a stretch before any cap, when ``base`` of its table's time has run."""
        rate, begin = stretch.rate, stretch.begin_ms
        told = FeeLine("stretch", rate=rate.name, rate_ar=rate.name_ar)
        if not alone:
            told = replace(told, begin_ms=begin, end_ms=stretch.end_ms)
        before = rate.price(base)
        for start, stop in self._cut(begin, stretch.end_ms):
            after = rate.price(base + stop - begin)
            self._due.append((start, after - before))
            before = after
        length = base + stretch.end_ms - begin
        if base:
            yield replace(told, amount=rate.price(length) - rate.price(base))
            return
        for part in rate.table.parts(length):
            yield replace(
                told,
                kind="total-last" if part.length_ms is None else part.kind,
                amount=part.amount * part.count,
                count=part.count,
                each=part.amount,
                length_ms=part.length_ms or 0,
            )
        if over := rate.table.price(length) - rate.price(length):
            yield replace(told, kind="most", amount=-over, each=rate.price(length))

    def added_nights(self) -> Iterator[FeeLine]:
        """The nights that are added to the fee."""
        if self._overnight and not self._overnight.least:
            amount = self._overnight.amount
            for at in self._nights:
                self._due.append((at, amount))
                yield FeeLine("overnight", amount, each=amount, begin_ms=at)

    def least_nights(self, fee: int) -> Iterator[FeeLine]:
        """What ``fee`` lacks to the least that the nights cost, within the caps."""
        if self._overnight and self._overnight.least:
            least = self._overnight.amount * len(self._nights)
            if self._day_cap:
                least = min(least, self._day_cap * -(-(self._end - self._entered) // DAY_MS))
            if self._calendar_cap:
                least = min(least, self._calendar_cap * (len(self._midnights) + 1))
            if least > fee:
                yield FeeLine("overnight-least", least - fee, len(self._nights), self._overnight.amount)

    def capped(self) -> Iterator[FeeLine]:
        """What the caps take, charge by charge in the order in which they fall due."""
        over: dict[FeeLineKind, int] = {"day-cap": 0, "calendar-cap": 0}
        used: dict[tuple[FeeLineKind, int], int] = {}
        for at, amount in sorted(self._due):
            day: tuple[FeeLineKind, int] = ("day-cap", (at - self._entered) // DAY_MS)
            calendar: tuple[FeeLineKind, int] = ("calendar-cap", bisect_right(self._midnights, at))
            kept = amount
            by: FeeLineKind = "day-cap"
            for window, cap in ((day, self._day_cap), (calendar, self._calendar_cap)):
                if cap and (room := cap - used.get(window, 0)) < kept:
                    kept, by = room, window[0]
            for window in (day, calendar):
                used[window] = used.get(window, 0) + kept
            over[by] += amount - kept
        caps: Mapping[FeeLineKind, Fils | None] = {"day-cap": self._day_cap, "calendar-cap": self._calendar_cap}
        for kind, cap in caps.items():
            if cap and over[kind]:
                yield FeeLine(kind, -over[kind], each=cap)

    def _cut(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """A time, cut where a cap begins anew."""
        cuts = {begin, end}
        if self._day_cap:
            cuts.update(range(begin + (self._entered - begin) % DAY_MS, end, DAY_MS))
        cuts.update(self._midnights[bisect_right(self._midnights, begin) : bisect_left(self._midnights, end)])
        return pairwise(sorted(cuts))


def midnights(tariff: TariffSchedule, begin: int, end: int) -> list[int]:
    """The moments (ms) between ``begin`` and ``end`` at which a local day begins, without the two themselves."""
    day, last = local(begin, tariff.zone).date(), local(end, tariff.zone).date()
    found = {instant(day + timedelta(days=n), 0, tariff.zone) for n in range((last - day).days + 1)}
    return sorted(at for at in found if begin < at < end)


def nights(tariff: TariffSchedule, begin: int, end: int) -> list[int]:
    """The moments (ms) of a stay at which a night counts: its beginning may be one, its end is none."""
    if tariff.overnight is None:
        return []
    day, last = local(begin, tariff.zone).date(), local(end, tariff.zone).date()
    minute = tariff.overnight.minute
    found = {instant(day + timedelta(days=n), minute, tariff.zone) for n in range((last - day).days + 1)}
    return sorted(at for at in found if begin <= at < end)


def fee(tariff: TariffSchedule, entered_ms: int, exited_ms: int, ticket_class: str = "") -> Fils:
    """What a stay costs if nothing was paid, in fils; raises ValueError for an exit before the entry, UnknownClass."""
    return explain(tariff, PricedStay(entered_ms, exited_ms, ticket_class)).total
