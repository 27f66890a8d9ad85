"""`exit-terminal tariff`: from the options of the command line to what it prints or draws."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from terminal import build
from terminal.config import schema as sections
from terminal.config.schema import ConfigError, Settings
from terminal.core import money
from terminal.core.tariff import TariffHistory, notation
from terminal.core.tariff.stay import EarlierStay, PricedStay, PriorPayment
from terminal.tools.tariff import chart
from terminal.tools.tariff.check import check, entries
from terminal.tools.tariff.explanation import explanation


@dataclass(frozen=True, slots=True)
class TariffQuestion:
    """The options, as they were written; ``paid`` as ``TIME=AMOUNT``, ``earlier`` as ``TIME/TIME``."""

    entered: str | None = None
    exited: str | None = None
    ticket_class: str = ""
    paid: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    check: bool = False
    chart: Path | None = None
    until: str | None = None


def run(settings: Settings, asked: TariffQuestion, *, now_ms: int, say: Callable[[str], None] = print) -> None:
    """Explain, check or draw; raises ConfigError for a wrong tariff or option, and OSError for the chart."""
    garage = settings.need(sections.GarageSettings)
    history = build.tariff(settings)
    zone = history.versions[0][1].zone
    entered = None if asked.entered is None else moment(asked.entered, zone, "--entered")
    limit = None if asked.until is None else _limit(asked.until)
    if asked.exited is None and not asked.check and asked.chart is None:
        raise ConfigError("tariff: takes --entered and --exited, --check, --chart FILE or --holidays YEAR")
    if asked.exited is not None:
        _explain(history, zone, asked, entered, say)
    since = now_ms if entered is None else entered
    tariff = history.at(since)
    if asked.check:
        for line in check(tariff, since, entered, limit):
            say(line)
        for start, later in history.versions:
            if start > since:
                say(f"\nfrom {datetime.fromtimestamp(start / 1000, zone):%Y-%m-%d}:")
                for line in check(later, start, None, limit):
                    say(line)
    if asked.chart is not None:
        picture = chart.draw(tariff, garage.name or garage.id, entries(tariff, since, entered), limit)
        picture.save(asked.chart, format="PNG")


def _explain(
    history: TariffHistory, zone: tzinfo, asked: TariffQuestion, entered: int | None, say: Callable[[str], None]
) -> None:
    if entered is None or asked.exited is None:
        raise ConfigError("tariff: --exited takes --entered beside it")
    stay = PricedStay(
        entered,
        moment(asked.exited, zone, "--exited"),
        asked.ticket_class,
        tuple(_presence(text, zone) for text in asked.earlier),
        tuple(_paid(text, zone) for text in asked.paid),
    )
    if stay.exited_ms < entered:
        raise ConfigError(f"tariff --exited: got {asked.exited[:40]!r}, takes a time that is not before --entered")
    try:
        fee = history.explain(stay)
    except ValueError as error:
        raise ConfigError(f"tariff: {error}") from None
    for line in explanation(fee, zone, history.versions[0][1].vat_percent, history.vat(fee.total)):
        say(line)


def moment(text: str, zone: tzinfo, option: str) -> int:
    """``2026-11-30 09:00`` (seconds and an offset may follow), by the garage's clock -> ms since the epoch."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f'tariff {option}: got {text[:40]!r}, takes a time such as "2026-11-30 09:00"') from None
    return int((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()) * 1000


def _presence(text: str, zone: tzinfo) -> EarlierStay:
    begin, mark, end = text.partition("/")
    if not mark:
        raise ConfigError(f'tariff --earlier: got {text[:40]!r}, takes "2026-11-30 09:00/2026-11-30 10:00"')
    return EarlierStay(moment(begin, zone, "--earlier"), moment(end, zone, "--earlier"))


def _paid(text: str, zone: tzinfo) -> PriorPayment:
    at, mark, amount = text.rpartition("=")
    try:
        if not mark:
            raise ValueError
        return PriorPayment(moment(at, zone, "--paid"), money.parse(amount))
    except ValueError:
        raise ConfigError(f'tariff --paid: got {text[:40]!r}, takes "2026-11-30 09:00=20.00"') from None


def _limit(text: str) -> int:
    try:
        found = notation.length(text)
    except ValueError as error:
        raise ConfigError(f"tariff --until: {error}") from None
    if not 60_000 <= found <= 400 * 86_400_000:
        raise ConfigError(f'tariff --until: got {text!r}, takes "1 min" to "400 days"')
    return found
