"""What lessens a stay's fee: that it was paid at a pay station, and what shops and coupons take off.

An allowance is for one stay, and several add up. The order is fixed, so that it does not matter which came first:
per cents, then amounts, then what was paid. The fee itself is reckoned by the tariff before any of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

AllowanceKind = Literal["paid", "amount", "percent", "free"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """``value``: fils of `paid` and `amount`, hundredths of a per cent of `percent`. ``until`` (ms): of `paid`, when
    the time to leave ends, after which only what has been added is due; of the others, when they end."""

    id: str
    kind: AllowanceKind
    value: int
    by: str
    until: int
    minutes: int = 0
    """Of a coupon for minutes, whose ``value`` is what they came to by the tariff."""


def due(amount: int, allowances: Iterable[Allowance], at: int) -> int:
    """What is left to pay of ``amount`` (fils) at a moment (ms). A part of a fils is the driver's."""
    given = [one for one in allowances if one.kind == "paid" or at <= one.until]
    if any(one.kind == "free" or (one.kind == "paid" and at <= one.until) for one in given):
        return 0
    for one in given:
        if one.kind == "percent":
            amount = amount * (10_000 - one.value) // 10_000
    return max(0, amount - sum(one.value for one in given if one.kind in ("amount", "paid")))
