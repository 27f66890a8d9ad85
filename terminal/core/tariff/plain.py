"""The plain form of the contract: free minutes, blocks, and a cap for each 24 h."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Self

from terminal.core.money import Fils, parse, percent, vat_part
from terminal.core.tariff import pricing
from terminal.core.tariff.rate import Rate, RateBook
from terminal.core.tariff.schedule import TariffSchedule
from terminal.core.tariff.stay import MAX_PRICE, MINUTE_MS, SettledStay
from terminal.core.tariff.table import PriceStep, PriceTable


@dataclass(frozen=True, slots=True)
class Tariff:
    """The plain form. Raises ValueError, which names the field, for values that make no tariff.

    A stay up to ``free_minutes`` costs nothing. Above it every block of ``block_minutes`` that has started since
    the entry costs ``block_price``, the free time included; blocks that start within the same 24 h from entry cost
    ``day_cap`` at most. Prices include ``vat_percent``; ``exit_grace`` is in minutes.
    """

    free_minutes: int
    block_minutes: int
    block_price: Fils
    day_cap: Fils
    lost_ticket: Fils
    vat_percent: str
    exit_grace: int
    schedule: TariffSchedule = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, least, most in (
            ("free_minutes", 0, 10**6),
            ("block_minutes", 1, 10**6),
            ("block_price", 1, MAX_PRICE),
            ("day_cap", 1, MAX_PRICE),
            ("lost_ticket", 1, MAX_PRICE),
            ("exit_grace", 0, 10**6),
        ):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name}: {getattr(self, name)} is not within {least} and {most}")
        percent(self.vat_percent)
        table = PriceTable((PriceStep(None, self.block_price, self.block_minutes * MINUTE_MS),))
        schedule = TariffSchedule(
            {"": RateBook((Rate(table),), UTC)},
            UTC,
            self.lost_ticket,
            self.vat_percent,
            self.exit_grace_ms,
            free_ms=self.free_minutes * MINUTE_MS,
            day_cap=self.day_cap,
        )
        object.__setattr__(self, "schedule", schedule)

    @classmethod
    def from_texts(
        cls,
        *,
        free_minutes: int,
        block_minutes: int,
        block_price: str,
        day_cap: str,
        lost_ticket: str,
        vat_percent: str,
        exit_grace: int,
    ) -> Self:
        """The tariff as the configuration writes it, prices as texts such as ``10.00``; raises ValueError."""
        prices = parse(block_price), parse(day_cap), parse(lost_ticket)
        return cls(free_minutes, block_minutes, *prices, vat_percent, exit_grace)

    @property
    def exit_grace_ms(self) -> int:
        """How long a paid stay may take to leave, in milliseconds."""
        return self.exit_grace * MINUTE_MS

    def fee(self, entered_ms: int, exited_ms: int, key_id: str = "") -> Fils:
        """What the stay costs in fils, whichever key signed its ticket, 0 if it is free; raises ValueError for an exit
        before the entry."""
        return pricing.fee(self.schedule, entered_ms, exited_ms)

    def fee_after(self, entered_ms: int, exited_ms: int, key_id: str, before: Sequence[SettledStay]) -> Fils:
        """As ``fee``: here no stay goes on with an earlier one."""
        return self.fee(entered_ms, exited_ms, key_id)

    def lost_fee(self, at_ms: int) -> Fils:
        """What a lost ticket costs at any moment, in fils."""
        return self.lost_ticket

    def vat(self, total: int) -> Fils:
        """The VAT within ``total``, in fils."""
        return vat_part(total, self.vat_percent)
