"""A stay as the tariff sees it: two moments, the class of its ticket, and what came before."""

from dataclasses import dataclass

from terminal.core.money import Fils

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
DAY_S = 24 * 60 * 60
DAY_MS = DAY_S * SECOND_MS
MAX_PRICE = 10**8
"""The highest price in fils (a million AED); with it no stay since 1970 comes to more than a message can hold."""


def seconds(entered_ms: int, exited_ms: int) -> int:
    """The stay in whole seconds, rounded down; raises ValueError for an exit before the entry."""
    if exited_ms < entered_ms:
        raise ValueError(f"exit at {exited_ms} ms is before the entry at {entered_ms} ms")
    return (exited_ms - entered_ms) // SECOND_MS


def minutes(entered_ms: int, exited_ms: int) -> int:
    """The stay in whole seconds divided by 60, rounded up; raises ValueError for an exit before the entry."""
    return -(-seconds(entered_ms, exited_ms) // 60)


@dataclass(frozen=True, slots=True)
class EarlierStay:
    """An earlier time in the garage of the same vehicle, in ms since the epoch."""

    entered_ms: int
    exited_ms: int


@dataclass(frozen=True, slots=True)
class SettledStay:
    """An earlier time in the garage of the same vehicle (ms since the epoch), and what was paid for it (fils)."""

    entered_ms: int
    exited_ms: int
    paid: int = 0


@dataclass(frozen=True, slots=True)
class PriorPayment:
    """What was paid for this stay already, and when (ms since the epoch)."""

    at_ms: int
    amount: Fils


@dataclass(frozen=True, slots=True)
class PricedStay:
    """A stay to be priced. ``earlier``: the vehicle's times in the garage before this one, oldest first. ``paid``: what
    was paid for this stay, or for an earlier one that it continues."""

    entered_ms: int
    exited_ms: int
    ticket_class: str = ""
    earlier: tuple[EarlierStay, ...] = ()
    paid: tuple[PriorPayment, ...] = ()
