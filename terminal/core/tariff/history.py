"""Tariffs that follow each other: a stay is priced by the one in force when it began."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol

from terminal.core.money import Fils, vat_part
from terminal.core.tariff import pricing
from terminal.core.tariff.fee import ExplainedFee
from terminal.core.tariff.schedule import TariffSchedule
from terminal.core.tariff.stay import EarlierStay, PricedStay, PriorPayment, SettledStay


class TicketPricing(Protocol):
    """What an exit needs from any form of tariff; moments in ms since the epoch, amounts in fils."""

    @property
    def exit_grace_ms(self) -> int:
        """How long a paid stay may take to leave."""

    def fee(self, entered_ms: int, exited_ms: int, key_id: str = "") -> Fils:
        """What the stay costs, 0 if it is free; ``key_id`` is that of the key that signed its ticket. Raises ValueError
        for an exit before the entry."""

    def fee_after(self, entered_ms: int, exited_ms: int, key_id: str, before: Sequence[SettledStay]) -> Fils:
        """As ``fee``, of a vehicle that was in the garage ``before``, oldest first: if it came back in time, it goes on
        with that stay, and what was paid for it counts."""

    def lost_fee(self, at_ms: int) -> Fils:
        """What a lost ticket costs."""

    def vat(self, total: int) -> Fils:
        """The VAT within ``total``."""


@dataclass(frozen=True, slots=True)
class TariffHistory:
    """The tariffs of a garage, each with the moment from which it is in force (ms since the epoch), in that order. The
    first one also prices what came before it. ``classes``: the class of the tickets that a key signs, by its id in
    capitals; other tickets have none. Raises ValueError for moments that do not rise, and for a class without rates."""

    versions: tuple[tuple[int, TariffSchedule], ...]
    classes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.versions:
            raise ValueError("next: takes a tariff before it")
        for number, ((before, _), (after, _)) in enumerate(pairwise(self.versions), 1):
            if after <= before:
                first = f"next[{number - 1}]" if number > 1 else "the tariff before it"
                raise ValueError(f"next[{number}]: from: does not begin after {first}")
        if len({schedule.exit_grace_ms for _, schedule in self.versions}) > 1:
            raise ValueError("next: exit_grace: is the same at all times")
        if len({schedule.vat_percent for _, schedule in self.versions}) > 1:
            raise ValueError("next: vat_percent: is the same at all times")

        for key_id, name in self.classes.items():
            if any(name not in schedule.books for _, schedule in self.versions):
                raise ValueError(f"classes.{key_id}: got {name!r}, takes the class of a rate")

    def at(self, moment_ms: int) -> TariffSchedule:
        """The tariff in force at a moment."""
        number = bisect_right(self.versions, moment_ms, key=lambda version: version[0])
        return self.versions[max(0, number - 1)][1]

    def explain(self, stay: PricedStay) -> ExplainedFee:
        """What is due for a stay, and why; raises ValueError for an exit before the entry, UnknownClass."""
        began = pricing.first_entry(self.at(stay.entered_ms), stay)
        return pricing.explain(self.at(began), stay, began)

    @property
    def exit_grace_ms(self) -> int:
        """How long a paid stay may take to leave, in milliseconds."""
        return self.versions[0][1].exit_grace_ms

    def fee(self, entered_ms: int, exited_ms: int, key_id: str = "") -> Fils:
        """What the stay costs, 0 if it is free, by the class of the tickets that the key signs; raises ValueError for
        an exit before the entry."""
        return self.explain(PricedStay(entered_ms, exited_ms, self.classes.get(key_id.upper(), ""))).total

    def fee_after(self, entered_ms: int, exited_ms: int, key_id: str, before: Sequence[SettledStay]) -> Fils:
        """As ``fee``, of a vehicle that was in the garage ``before``, oldest first: if it came back within
        `reentry_minutes`, it goes on with that stay, and what was paid for it counts."""
        earlier = tuple(EarlierStay(one.entered_ms, one.exited_ms) for one in before)
        stay = PricedStay(entered_ms, exited_ms, self.classes.get(key_id.upper(), ""), earlier)
        began = pricing.first_entry(self.at(entered_ms), stay)
        paid = tuple(PriorPayment(one.exited_ms, Fils(one.paid)) for one in before if began <= one.entered_ms)
        return self.explain(replace(stay, paid=paid)).total

    def lost_fee(self, at_ms: int) -> Fils:
        """What a lost ticket costs at a moment, in fils."""
        return self.at(at_ms).lost_ticket

    def vat(self, total: int) -> Fils:
        """The VAT within ``total``, in fils."""
        return vat_part(total, self.versions[0][1].vat_percent)
