"""AED in whole fils (1 AED = 100 fils): the only form in which the product reckons money."""

import re
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from typing import NewType

Fils = NewType("Fils", int)
"""An amount in whole fils, never negative."""

MAX = Fils(10**14 - 1)
"""The largest amount that a message can hold: twelve digits before the point."""

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,2}))?")
_PERCENT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,4})?")
_EXACT = Context(traps=[Inexact, InvalidOperation])  # not the program's own context, which may be narrower


def parse(text: str) -> Fils:
    """``25.00`` (also ``25`` and ``25.5``) -> 2500; raises ValueError for a sign, a third decimal or anything else."""
    if not (match := _AMOUNT.fullmatch(text)):
        raise ValueError(f"amount {text[:40]!r}: digits with at most two decimals are needed, such as 25.00")
    whole, part = match.groups(default="")
    return Fils(int(whole) * 100 + int(part.ljust(2, "0")))


def text(fils: int) -> str:
    """2500 -> ``25.00``; raises ValueError for an amount that no message can hold."""
    if not 0 <= fils <= MAX:
        raise ValueError(f"{fils} fils: an amount is 0 to {MAX}")
    return f"{fils // 100}.{fils % 100:02d}"


def from_decimal(value: Decimal) -> Fils:
    """A decimal number of AED -> fils, exactly; raises ValueError for a fraction of a fils, a minus or no number."""
    try:
        fils = int(value.quantize(Decimal("0.01"), context=_EXACT).scaleb(2, context=_EXACT))
    except (ArithmeticError, ValueError):  # ValueError: a quiet NaN passes quantize, but not int
        fils = -1
    if not 0 <= fils <= MAX:
        raise ValueError(f"amount {str(value)[:40]}: whole fils from 0 to {MAX} are needed")
    return Fils(fils)


def percent(text: str) -> Fraction:
    """``5`` or ``7.5`` -> that many hundredths as an exact number; raises ValueError for anything else."""
    if not _PERCENT.fullmatch(text):
        raise ValueError(f"percentage {text[:40]!r}: a number such as 5 or 7.5 is needed")
    return Fraction(text) / 100


def vat_part(total: int, percent_text: str) -> Fils:
    """The VAT that ``total`` includes at ``percent_text`` per cent, in fils; half a fils is rounded up."""
    rate = percent(percent_text)
    return Fils(int(total * rate / (1 + rate) + Fraction(1, 2)))
