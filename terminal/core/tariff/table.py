"""A published table: what a time costs, by its length.

A price is a sum of charges, each of which falls due at one moment of the time. A time of length ``t`` has those that
fell due before its end, so "up to 1 h" includes 1 h 0 s, and a time of no length costs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from terminal.core.money import Fils
from terminal.core.tariff.stay import MAX_PRICE


@dataclass(frozen=True, slots=True)
class PriceStep:
    """One line of a table. With ``every_ms`` None, ``amount`` is what a time up to ``until_ms`` costs in all; else it
    is added for each block of ``every_ms`` that has begun since the step before. ``until_ms`` None: for ever."""

    until_ms: int | None
    amount: Fils
    every_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table's price: ``count`` times ``amount``. ``length_ms``: of a `total`, the step's end, None for the
    last one; of `blocks` and `repeats`, how long each is."""

    kind: Literal["total", "blocks", "repeats"]
    amount: int
    count: int
    length_ms: int | None


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Steps in their order; with ``repeat_ms`` the table begins anew after that time, and the prices add up.

    Raises ValueError, which names the step, for steps that make no table.
    """

    steps: tuple[PriceStep, ...]
    repeat_ms: int | None = None

    def __post_init__(self) -> None:
        start = 0
        if not self.steps:
            raise ValueError("steps: got none, takes one or more")
        for number, step in enumerate(self.steps, 1):
            if not 0 <= step.amount <= MAX_PRICE:
                raise ValueError(f"steps {number}: a price of {step.amount} fils, takes 0 to {MAX_PRICE}")
            if step.every_ms is not None and step.every_ms < 1000:
                raise ValueError(f"steps {number}: every {step.every_ms} ms, takes a second or more")
            if step.until_ms is None and number < len(self.steps):
                raise ValueError(f"steps {number}: has no until, and steps {number + 1} follows it")
            if step.until_ms is not None and step.until_ms <= start:
                before = f"that of steps {number - 1}" if number > 1 else "the beginning"
                raise ValueError(f"steps {number}: its until is not after {before}")
            start = step.until_ms or start
        last = self.steps[-1].until_ms
        if self.repeat_ms is None and last is not None:
            raise ValueError("steps: leave a gap, the last one has an until; takes one without it, or a repeat")
        if self.repeat_ms is not None and (self.repeat_ms < max(1000, start) or last not in (None, self.repeat_ms)):
            raise ValueError("repeat: takes the time at which the last step ends")

    def parts(self, length_ms: int) -> list[Part]:
        """What the price of a time of ``length_ms`` is made of."""
        if length_ms <= 0:
            return []
        if self.repeat_ms is None:
            return self._within(length_ms)
        whole, rest = divmod(length_ms - 1, self.repeat_ms)
        parts = [Part("repeats", self._price_within(self.repeat_ms), whole, self.repeat_ms)] if whole else []
        return parts + self._within(rest + 1)

    def price(self, length_ms: int) -> int:
        """What a time of ``length_ms`` costs, in fils."""
        if length_ms <= 0:
            return 0
        if self.repeat_ms is None:
            return self._price_within(length_ms)
        whole, rest = divmod(length_ms - 1, self.repeat_ms)
        return whole * self._price_within(self.repeat_ms) + self._price_within(rest + 1)

    def marks(self, limit_ms: int) -> Iterator[int]:
        """The lengths up to ``limit_ms`` that may cost less than one that is a moment longer, 0 included."""
        turn = self.repeat_ms or limit_ms + 1
        for began in range(0, limit_ms + 1, turn):
            start = began
            yield start
            for step in self.steps:
                end = min(began + turn, limit_ms) if step.until_ms is None else began + step.until_ms
                if step.every_ms is not None:
                    yield from range(start, min(end, limit_ms) + 1, step.every_ms)
                if end <= limit_ms:
                    yield end
                start = end

    def falls(self) -> tuple[tuple[int, int, int], ...]:
        """Where the table itself falls: the length (ms), the price up to it, and the price after it (fils)."""
        found = []
        for step, after in pairwise(self.steps):
            if after.every_ms is None and step.until_ms is not None:
                before = self._price_within(step.until_ms)
                if after.amount < before:
                    found.append((step.until_ms, before, int(after.amount)))
        return tuple(found)

    def free(self) -> bool:
        """Is every length of time free?"""
        return all(step.amount == 0 for step in self.steps)

    def _price_within(self, length_ms: int) -> int:
        """What the parts of ``_within`` come to; most of the work of a fee, so it makes none of them."""
        total = start = 0
        for step in self.steps:
            if start == length_ms:
                break
            end = length_ms if step.until_ms is None or step.until_ms > length_ms else step.until_ms
            if step.every_ms is None:
                total = step.amount
            else:
                total += step.amount * -(-(end - start) // step.every_ms)
            start = end
        return total

    def _within(self, length_ms: int) -> list[Part]:
        """The parts within one turn of the table."""
        parts: list[Part] = []
        start = 0
        for step in self.steps:
            if start == length_ms:
                break
            end = length_ms if step.until_ms is None else min(step.until_ms, length_ms)
            if step.every_ms is None:
                parts = [Part("total", step.amount, 1, step.until_ms)]
            else:
                parts.append(Part("blocks", step.amount, -(-(end - start) // step.every_ms), step.every_ms))
            start = end
        return parts


FREE = PriceTable((PriceStep(None, Fils(0)),))
"""Nothing, however long."""
