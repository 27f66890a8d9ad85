"""Tariffs for tests: those of deploy/tariffs, and short ways to write others."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from terminal import build
from terminal.config.load import load
from terminal.core.money import parse
from terminal.core.tariff import TariffHistory, notation
from terminal.core.tariff.fee import FeeLine
from terminal.core.tariff.pricing import explain, fee
from terminal.core.tariff.reading import read
from terminal.core.tariff.schedule import TariffSchedule
from terminal.core.tariff.stay import PricedStay

FOLDER = Path(__file__).parents[2] / "deploy" / "tariffs"
DUBAI = ZoneInfo("Asia/Dubai")
LONDON = ZoneInfo("Europe/London")
KEYS = {
    "free_minutes": 0,
    "block_minutes": None,
    "block_price": None,
    "day_cap": "",
    "lost_ticket": "150.00",
    "vat_percent": "5",
    "exit_grace": 15,
    "unpaid_grace": 0,
    "minutes_off": 0,
    "calendar_cap": "",
    "minimum": "",
    "maximum": "",
    "round_to": "",
    "rounding": "up",
    "reentry_minutes": 0,
    "overnight": {},
    "holidays": (),
    "rates_by": "entry",
    "rate": (),
    "classes": {},
    "next": (),
}
"""All that `[tariff]` has, with nothing in it."""
HOURLY: dict[str, Any] = {"steps": [{"every": "1 h", "add": "10.00"}]}


def published(name: str) -> TariffHistory:
    """A tariff of deploy/tariffs."""
    return build.tariff(load(FOLDER / f"{name}.toml", {}))


def history(*rates: dict[str, Any], zone: ZoneInfo = DUBAI, **keys: Any) -> TariffHistory:
    """The tariffs of these rates and keys."""
    return read({**KEYS, **({"rate": list(rates)} if rates else {}), **keys}, zone)


def schedule(*rates: dict[str, Any], zone: ZoneInfo = DUBAI, **keys: Any) -> TariffSchedule:
    """The one tariff of these rates and keys."""
    return history(*rates, zone=zone, **keys).versions[0][1]


def moment(text: str, zone: ZoneInfo = DUBAI) -> int:
    """``2026-11-30 09:00`` by the garage's clock, in ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 1000


def length(text: str) -> int:
    """``1 h 30 min``, in ms; empty for none."""
    return notation.length(text) if text else 0


def looks(table: str) -> Iterator[tuple[int, int]]:
    """Stays (ms) and what each costs (fils), of a table "up to": fee. Each step's fee holds from the end of the step
    before, so it is looked at there a second later, and at its end; where ``~`` says that steps were left out, at its
    end alone."""
    start = 0
    for part in table.split(", "):
        until, _, price = part.removeprefix("~").rpartition(" ")
        if not part.startswith("~"):
            yield start + 1000, parse(price)
        yield length(until), parse(price)
        start = length(until)


ENTRY = moment("2026-11-30 09:00")
DAY = {
    "name": "Day",
    "name_ar": "نهار",
    "hours": "08:00-20:00",
    "steps": [{"every": "1 h", "add": "5.00"}],
    "most": "30.00",
}
NIGHT = {"name": "Night", "name_ar": "ليل", "hours": "20:00-08:00", "steps": [{"total": "12.00"}]}
"""A tariff of a day and a night, and an entry in the morning."""


def lines(tariff: TariffSchedule, stay: str, entered: int = ENTRY, **keys: Any) -> list[FeeLine]:
    """The lines of a stay of that length."""
    return list(explain(tariff, PricedStay(entered, entered + length(stay), **keys)).lines)


def amounts(tariff: TariffSchedule, stay: str, entered: int = ENTRY, **keys: Any) -> list[tuple[str, int]]:
    """Their kinds and amounts."""
    return [(line.kind, line.amount) for line in lines(tariff, stay, entered, **keys)]


def fees(tariff: TariffSchedule, *stays: str, entered: int = ENTRY) -> list[int]:
    """What stays of these lengths cost."""
    return [fee(tariff, entered, entered + length(stay)) for stay in stays]
