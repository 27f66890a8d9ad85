"""A stay -> its fee.

Every form of tariff answers the same questions: ``fee``, ``lost_ticket``, ``vat`` and ``exit_grace_ms``. ``Tariff`` is
the plain form of the contract; another form is another class beside it. ``fee`` gets both moments, not the length of
the stay, because in some garages the day or hour of entry decides.
"""

from dataclasses import dataclass
from typing import Self

from terminal.core.money import Fils, parse, percent, vat_part

DAY_S = 24 * 60 * 60
MAX_PRICE = 10**8
"""The highest price in fils (a million AED); with it no stay since 1970 comes to more than a message can hold."""


def seconds(entered_ms: int, exited_ms: int) -> int:
    """The stay in whole seconds, rounded down; raises ValueError for an exit before the entry."""
    if exited_ms < entered_ms:
        raise ValueError(f"exit at {exited_ms} ms is before the entry at {entered_ms} ms")
    return (exited_ms - entered_ms) // 1000


def minutes(entered_ms: int, exited_ms: int) -> int:
    """The stay in whole seconds divided by 60, rounded up; raises ValueError for an exit before the entry."""
    return -(-seconds(entered_ms, exited_ms) // 60)


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
        return self.exit_grace * 60_000

    def fee(self, entered_ms: int, exited_ms: int) -> Fils:
        """What the stay costs, 0 if it is free; raises ValueError for an exit before the entry."""
        stay = seconds(entered_ms, exited_ms)
        if stay <= self.free_minutes * 60:
            return Fils(0)
        return Fils(
            sum(
                min(self.day_cap, self.block_price * (self._blocks(min(day + DAY_S, stay)) - self._blocks(day)))
                for day in range(0, stay, DAY_S)
            )
        )

    def vat(self, total: int) -> Fils:
        """The VAT within ``total``, in fils."""
        return vat_part(total, self.vat_percent)

    def _blocks(self, stay: int) -> int:
        """How many blocks have started before second ``stay`` of the visit."""
        return -(-stay // (self.block_minutes * 60))
