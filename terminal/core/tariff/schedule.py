"""One whole tariff: its rates by ticket class, and what holds for every stay."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from terminal.core.money import Fils, percent
from terminal.core.tariff.rate import RateBook
from terminal.core.tariff.stay import MAX_PRICE

RatesBy = Literal["entry", "stretch", "block", "paid-time"]
Rounding = Literal["up", "down", "nearest"]
NOTHING, ONE_FILS = Fils(0), Fils(1)
LONGEST_MS = 10**6 * 60_000
"""No time of a tariff is longer: a million minutes."""


@dataclass(frozen=True, slots=True)
class Overnight:
    """The price of each night, for stays during which the garage's clock shows ``minute``: ``amount`` (fils) is added
    to the fee or, with ``least``, the fee is at least that much for each night."""

    minute: int
    amount: Fils
    least: bool


@dataclass(frozen=True, slots=True)
class TariffSchedule:
    """A tariff, as one piece of paper has it. Raises ValueError, which names the key, for values that make no tariff.

    ``books``: the rates of each ticket class; ``""`` is the class of a ticket that names none. ``rates_by``:

    - `entry`: the rate at the entry prices the whole stay.
    - `stretch`: each stretch of the stay is priced by its own rate, from its own beginning.
    - `block`: blocks run from the entry, and each is priced by the rate that is in force when it begins.
    - `paid-time`: as `block`, but the clock stands still while a rate is in force that costs nothing.

    Three times that differ: ``free_ms`` are the complimentary minutes (a stay up to that long costs nothing,
    a longer one is priced whole; ``off_ms`` are taken off every stay). ``unpaid_grace_ms`` is for drivers who turn
    round without parking: nothing is due, whatever the rate. ``exit_grace_ms`` is the time to leave after paying.

    ``day_cap`` holds for each 24 h from the entry, ``calendar_cap`` for each local day, ``maximum`` for the stay.
    ``round_to``: the fee is a multiple of that. ``reentry_ms``: a driver who comes back within that time continues
    the first stay, and the time between counts.
    """

    books: Mapping[str, RateBook]
    zone: tzinfo
    lost_ticket: Fils
    vat_percent: str
    exit_grace_ms: int
    rates_by: RatesBy = "entry"
    free_ms: int = 0
    off_ms: int = 0
    unpaid_grace_ms: int = 0
    day_cap: Fils | None = None
    calendar_cap: Fils | None = None
    minimum: Fils = NOTHING
    maximum: Fils | None = None
    round_to: Fils = ONE_FILS
    rounding: Rounding = "up"
    overnight: Overnight | None = None
    reentry_ms: int = 0

    def __post_init__(self) -> None:
        for name in ("free_ms", "off_ms", "unpaid_grace_ms", "exit_grace_ms", "reentry_ms"):
            if not 0 <= getattr(self, name) <= LONGEST_MS:
                raise ValueError(f"{name}: {getattr(self, name)} is not within 0 and {LONGEST_MS}")
        for name in ("lost_ticket", "day_cap", "calendar_cap", "maximum", "round_to"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_PRICE:
                raise ValueError(f"{name}: {value} is not within 1 and {MAX_PRICE}")
        if "" not in self.books:
            raise ValueError("rate: every rate has a class, takes at least one without, for a ticket that names none")
        percent(self.vat_percent)
        self._check_caps()
        self._check_tables()

    def caps(self) -> Mapping[str, Fils]:
        """Each cap that some stay may meet, by its key."""
        found = {name: getattr(self, name) for name in ("day_cap", "calendar_cap", "maximum")}
        for book in self.books.values():
            for rate in book.rates:
                found |= {f"{rate.label}: {name}": getattr(rate, name) for name in ("day_cap", "calendar_cap")}
        return {name: cap for name, cap in found.items() if cap is not None}

    def _check_caps(self) -> None:
        for name, cap in self.caps().items():
            if self.minimum > cap:
                raise ValueError(f"{name}: is below the minimum")
            if cap % self.round_to:
                raise ValueError(f"{name}: takes a multiple of round_to, which would lead beyond it")
        if self.minimum % self.round_to:
            raise ValueError("minimum: takes a multiple of round_to")

    def _check_tables(self) -> None:
        of_entry = {
            "exit_hours": "exit_hours",
            "free_minutes": "free_ms",
            "minutes_off": "off_ms",
            "day_cap": "day_cap",
            "calendar_cap": "calendar_cap",
        }
        for book in self.books.values():
            for rate in book.rates:
                given = [key for key, name in of_entry.items() if getattr(rate, name) not in (None, ())]
                if given and self.rates_by != "entry":
                    raise ValueError(f"{rate.label}: {given[0]}: takes rates_by entry")
                if self.rates_by in ("block", "paid-time") and rate.most is not None:
                    raise ValueError(f"{rate.label}: most: takes rates_by entry or stretch")
                capped = self.day_cap or self.calendar_cap or rate.day_cap or rate.calendar_cap
                if rate.table.falls() and (capped or self.rates_by in ("block", "paid-time")):
                    raise ValueError(f"{rate.label}: steps: fall, which takes rates_by entry or stretch, and no cap")
