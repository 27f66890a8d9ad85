"""``exit-terminal export``: some days' payments as CSV for accountants, and its stays as JSON in APDS' words.

It only reads the worker's journal, as `reconcile` does, and needs neither PayBy nor the broker. It may run while the
worker is running.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from terminal import build
from terminal.config import schema as sections
from terminal.config.schema import ConfigError, Settings
from terminal.core import ids, money
from terminal.journal import rows
from terminal.journal.history import JournalHistory
from terminal.tools.reconcile import apds
from terminal.tools.reconcile.journals import JournalRow, UnreadableRow, WorkerRecords, read_worker
from terminal.tools.reconcile.report import cell
from terminal.tools.reconcile.takings import Movement, Period, movements, stays

COLUMNS = (
    "date", "time", "kind", "amount", "currency", "fils", "vat_percent", "vat", "net", "lane", "session", "help_code",
    "order_no", "payby_no", "refund_no", "minutes", "by", "reason",
)  # fmt: skip
LONGEST_DAYS = 400
_BEFORE_MS = 2 * 86_400_000  # how far back a day's payments may reach


def run(
    settings: Settings,
    *,
    first: str,
    last: str | None = None,
    csv_file: Path | None = None,
    apds_file: Path | None = None,
    say: Callable[[str], None] = print,
) -> int:
    """Print the sums of whole days (``YYYY-MM-DD``, in the garage's time zone, ``last`` included), and write the files
    asked for. Returns 0, or 1 if the journal was damaged or begins later. Raises ConfigError for wrong use, OSError for
    a file that cannot be written."""
    garage = settings.need(sections.GarageSettings)
    period = _period(first, last or first, ZoneInfo(garage.timezone))
    notes: list[str] = []
    records = _records(settings, period, notes)
    moved, exported = movements(records, period), stays(garage.id, records, period)
    for line in sums(garage.id, period, moved, len(exported)):
        say(line)
    for note in notes:
        say(f"note: {note}")
    if csv_file:
        csv_file.write_text(as_csv(period, moved, settings.tariff.vat_percent), encoding="utf-8", newline="")
    if apds_file:
        apds_file.write_bytes(apds.document(garage.id, garage.name or garage.id, period, exported))
    return 1 if notes else 0


def sums(garage: str, period: Period, moved: Sequence[Movement], stays_count: int) -> Iterator[str]:
    """What moved, for a person."""
    days = f"{period.first}" if period.first == period.last else f"{period.first} to {period.last}"
    yield f"garage {garage}, {days} ({period.zone})"
    came, went = ([one.fils for one in moved if one.kind == kind] for kind in ("payment", "refund"))
    for text, found in (("payments", came), ("refunds", went)):
        yield f"{text:<12}{len(found):>6}  AED {_signed(sum(found)):>12}"
    yield f"{'together':<12}{len(moved):>6}  AED {_signed(sum(came) + sum(went)):>12}"
    yield f"{'stays':<12}{stays_count:>6}"


def as_csv(period: Period, moved: Sequence[Movement], vat_percent: str) -> str:
    """One row for each movement, CRLF, as RFC 4180 has it; refunds are below zero. VAT is contained in the amount, and
    rounded to whole fils."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in moved:
        at, sign = period.local(one.at_ms), 1 if one.fils >= 0 else -1
        vat = sign * money.vat_part(abs(one.fils), vat_percent)
        writer.writerow([
            f"{at:%Y-%m-%d}", f"{at:%H:%M:%S}", one.kind, _signed(one.fils), "AED", one.fils, vat_percent, _signed(vat),
            _signed(one.fils - vat), *map(cell, (
                one.lane, one.session, ids.help_code(one.session), one.order_no, one.payby_no,
                one.no if one.kind == "refund" else "", "" if one.minutes is None else one.minutes, one.by, one.reason,
            )),
        ])  # fmt: skip
    return out.getvalue()


def _signed(fils: int) -> str:
    """Whole fils as dirhams; a sum may be more than any message holds."""
    whole, part = divmod(abs(fils), 100)
    return f"{'-' if fils < 0 else ''}{whole}.{part:02d}"


def _period(first: str, last: str, zone: ZoneInfo) -> Period:
    found = [_day(option, text) for option, text in (("--date", first), ("--until", last))]
    if not 0 <= (found[1] - found[0]).days < LONGEST_DAYS:
        raise ConfigError(f"export: --until: got {last}, takes a day from {first} on, at most {LONGEST_DAYS} days")
    return Period(found[0], found[1], zone)


def _day(option: str, text: str) -> date:
    try:
        if not re.fullmatch(r"[2-8]\d{3}-\d\d-\d\d", text, re.ASCII):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"export: {option}: got {text[:40]!r}, takes a day as YYYY-MM-DD") from None


def _records(settings: Settings, period: Period, notes: list[str]) -> WorkerRecords:
    journal = build.worker_history(settings)
    try:
        records = read_worker(_rows(journal, period.start_ms - _BEFORE_MS, notes), build.rules(settings))
    except FileNotFoundError:
        raise ConfigError(f"journal.path: {journal.name} is not there") from None
    except UnreadableRow as error:
        raise ConfigError(f"journal: {journal.name}: {error}") from None
    if not records.whole and (records.first_ms or 0) > period.start_ms:
        notes.append(f"the journal was pruned: it begins at {period.local(records.first_ms or 0):%Y-%m-%d %H:%M:%S}")
    notes += [
        f"the journal was damaged, and lost rows before {period.local(ms):%Y-%m-%d %H:%M:%S}"
        for ms in records.lost
        if ms >= period.start_ms
    ]
    return records


def _rows(journal: JournalHistory, since_ms: int, notes: list[str]) -> Iterator[JournalRow]:
    """A journal's rows, up to the first in doubt; its archive's first, if the journal begins after ``since_ms``."""
    try:
        first = next(iter(journal.read()), None)
        reader = journal.read_all if first and first.at_ms > since_ms else journal.read
        yield from reader()
    except rows.JournalDamaged as error:
        notes.append(f"{Path(journal.name).name}: {error.reason}; what follows is not in it")
