"""Does it pay to lose a ticket? A lost ticket should cost no less than a likely longest stay."""

import time
from collections.abc import AsyncIterator

from terminal import build
from terminal.config.schema import ConfigError, Settings
from terminal.core import money
from terminal.core.tariff import TariffHistory
from terminal.tools.check.finding import Finding, Machine

HOUR_MS = 3_600_000
LONGEST_MS = 24 * HOUR_MS
"""A likely longest stay. Some are longer, but who stays for days seldom has lost the ticket by chance."""
ENTRIES = range(0, 7 * 24 * HOUR_MS, HOUR_MS)
"""A week's entries, ms after the first one."""


def dearest_day(tariff: TariffHistory, from_ms: int) -> tuple[money.Fils, money.Fils]:
    """What the dearest day's stay costs that begins within a week from then on, and a lost ticket at its end: the pair
    in which the lost ticket is cheapest by comparison (fils)."""
    classes = ("", *tariff.classes)
    stays = ((from_ms + after, from_ms + after + LONGEST_MS) for after in ENTRIES)
    pairs = ((tariff.fee(began, ended, name), tariff.lost_fee(ended)) for began, ended in stays for name in classes)
    return max(pairs, key=lambda pair: pair[0] - pair[1])


async def lost_fee(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """Warn if a lost ticket is cheaper, now or after a change of the tariff; say nothing otherwise."""
    if {"reader", "worker"}.isdisjoint(settings.roles()):
        return
    try:
        tariff = build.tariff(settings)
    except ConfigError:
        return  # said by another check
    now_ms = time.time_ns() // 1_000_000
    for from_ms in (now_ms, *(start for start, _ in tariff.versions if start > now_ms)):
        day, lost = dearest_day(tariff, from_ms)
        if lost < day:
            text = f"AED {money.text(lost)} is less than a stay of 24 h may cost, AED {money.text(day)}"
            advice = "raise tariff.lost_ticket, so that nobody saves by losing a ticket"
            yield Finding("tariff.lost_ticket", True, text, advice, but="warning")
            return
