"""``exit-terminal reconcile --date D``: do PayBy's statement, our journal and the barriers' agree about a day?

It only reads, and may run while the worker is running: journals are read without the writer's lock, and a statement,
which nobody signs, moves no money. This file does the files and the network. The matching is pure: ``statements`` and
``journals`` become ``facts``, and ``match`` makes a ``report`` of them.
"""

import asyncio
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from terminal import build
from terminal.config import schema as sections
from terminal.config.schema import ConfigError, Settings
from terminal.journal import rows
from terminal.journal.history import FileHistory, JournalHistory
from terminal.payby.errors import CallFailed, NoStatement, OutcomeUnknown
from terminal.payby.messages import RefundOrder
from terminal.tools.reconcile.chart import as_html, as_png
from terminal.tools.reconcile.facts import Facts
from terminal.tools.reconcile.journals import (
    BarrierRecords,
    JournalRow,
    UnreadableRow,
    WorkerRecords,
    openings,
    read_barrier,
    read_worker,
)
from terminal.tools.reconcile.match import match
from terminal.tools.reconcile.report import CalendarDay, Report, as_csv, as_json, table
from terminal.tools.reconcile.statements import PAYBY_ZONE, StatementFlaw, read_papers

Files = Sequence[tuple[str, bytes]]
Listed = tuple[Sequence[RefundOrder], str]
"""PayBy's refunds of a day, and why there may be more."""
_MOST_PAGES = 100
_BEFORE_MS = 2 * 86_400_000  # how far back a day's payments may reach
_FIRST_YEAR, _LAST_YEAR = 2000, 9000  # beyond them Python's own dates end


class ReconcileFailed(Exception):
    """There is nothing to match; the text is one line for a person."""


def run(
    settings: Settings,
    *,
    day: str,
    json_file: Path | None = None,
    csv_file: Path | None = None,
    picture: Path | None = None,
    statements: Sequence[Path] = (),
    barrier_journals: Sequence[Path] = (),
    say: Callable[[str], None] = print,
    complain: Callable[[str], None] = lambda text: print(f"exit-terminal: {text}", file=sys.stderr),
    now_ms: int | None = None,
) -> int:
    """Reconcile one day (``YYYY-MM-DD``, in the garage's time zone): print the report, and write the files asked for.

    Returns 0 if everything is explained, 1 if not or if there is no statement. ``statements`` (ZIP or CSV) replace
    the download, which needs the merchant's key. Raises ConfigError for wrong use, BadKey, OSError for a file that
    cannot be written.
    """
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    garage = settings.need(sections.GarageSettings)
    asked = _day(day, ZoneInfo(garage.timezone), now_ms)
    if picture and picture.suffix not in (".png", ".html"):
        raise ConfigError(f"reconcile: --picture: got {picture.name}, takes a name that ends with .png or .html")
    settings.need(sections.JournalSettings)
    try:
        files = [_given(path) for path in statements]
        listed: Listed = ((), "")
        if not files:
            files = asyncio.run(download(settings, asked))
            listed = asyncio.run(refunds_listed(settings, asked))
        report = reconcile(settings, asked, files, barrier_journals, now_ms, listed)
    except (ReconcileFailed, CallFailed) as error:
        said = error.said if isinstance(error, OutcomeUnknown) else None
        complain(str(said or error))
        return 1
    for line in table(report):
        say(line)
    if json_file:
        json_file.write_text(as_json(report), encoding="utf-8")
    if csv_file:
        csv_file.write_text(as_csv(report), encoding="utf-8", newline="")
    if picture and picture.suffix == ".html":
        picture.write_text(as_html(report), encoding="utf-8")
    elif picture:
        as_png(report).save(picture, format="PNG")
    return 1 if report.unexplained else 0


def reconcile(
    settings: Settings,
    day: CalendarDay,
    files: Files,
    barrier_journals: Sequence[Path] = (),
    now_ms: int | None = None,
    listed: Listed = ((), ""),
) -> Report:
    """Match a day's statement files, each with its name, with this machine's journals and those named; ``listed``
    is what refunds_listed() gives.

    Raises ConfigError if a journal is absent, ReconcileFailed if the worker's cannot be used.
    """
    flaws: list[StatementFlaw] = []
    notes: list[str] = [listed[1]] if listed[1] else []
    records = _read_worker(settings, day, flaws)
    if not records.whole and (records.first_ms or 0) > day.start_ms:
        notes.append(f"the worker's journal was pruned: it begins at {day.shown(records.first_ms or 0)}")
    arms = list(_read_barriers(settings, barrier_journals, records, flaws))
    for name, lost in (("the worker's journal", records.lost), *((arm.name, arm.lost) for arm in arms)):
        notes += [f"{name} was damaged, and lost rows before {day.shown(ms)}" for ms in lost if ms >= day.start_ms]
    raises = openings(records, arms)
    if blind := {o.lane for o in raises if o.at_ms in day} - {arm.lane for arm in arms}:
        lanes = ", ".join(sorted(blind))
        notes.append(f"no barrier's journal of {lanes} is here, so its raises are those that the worker heard of")
    facts = Facts(
        settings.need(sections.GarageSettings).id,
        day,
        time.time_ns() // 1_000_000 if now_ms is None else now_ms,
        read_papers(files),
        records,
        raises,
        settings.payby.payee_mid if settings.payby else "",
        {refund.refund_merchant_order_no: refund for refund in listed[0]},
    )
    return match(facts, notes, flaws)


async def download(settings: Settings, day: CalendarDay) -> list[tuple[str, bytes]]:
    """The statements of the PayBy days that ``day`` falls into: one, if the garage has PayBy's time zone.

    Raises ConfigError for what the configuration lacks, BadKey, ReconcileFailed if there is no statement (yet),
    CallFailed for any other answer of PayBy's.
    """
    first, last = _payby_days(day)
    found = []
    async with build.payby_client(settings.need(sections.PaybySettings)) as client:
        for number in range((last - first).days + 1):
            wanted = first + timedelta(days=number)
            try:
                found.append((f"statement-{wanted}.zip", await client.get_order_statement(wanted)))
            except NoStatement as error:
                raise ReconcileFailed(
                    f"PayBy has no statement of {wanted} ({error.code} {error.msg}); one is ready about 30 minutes"
                    " after the merchant's cut-off, and a day without transactions may have none"
                ) from None
    return found


async def refunds_listed(settings: Settings, day: CalendarDay) -> Listed:
    """PayBy's own list of the day's refunds, including those made in its portal; or why it could not be read, which
    does not stop the matching. Raises what download() raises for the configuration."""
    first, last = _payby_days(day)
    found: list[RefundOrder] = []
    async with build.payby_client(settings.need(sections.PaybySettings)) as client:
        try:
            for number in range(_MOST_PAGES):
                page = await client.query_refund_order_page(first, last, number=number)
                found += page.items
                if number + 1 >= page.total_pages:
                    return found, ""
        except CallFailed as error:
            return found, f"PayBy's list of refunds could not be read: {error}"
    return found, f"PayBy's list of refunds has more than {_MOST_PAGES} pages; the rest was not read"


def _payby_days(day: CalendarDay) -> tuple[date, date]:
    """The first and the last of PayBy's days that a day of the garage falls into."""
    first, last = (datetime.fromtimestamp(ms / 1000, PAYBY_ZONE).date() for ms in (day.start_ms, day.end_ms - 1))
    return first, last


def _day(text: str, zone: ZoneInfo, now_ms: int) -> CalendarDay:
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            raise ValueError
        day = CalendarDay(date.fromisoformat(text), zone)
        if not _FIRST_YEAR <= day.date.year <= _LAST_YEAR:
            raise ValueError
    except ValueError:
        raise ConfigError(f"reconcile: --date: got {text[:40]!r}, takes a day as YYYY-MM-DD") from None
    if day.start_ms > now_ms:
        raise ConfigError(f"reconcile: --date: {day.date} has not begun yet")
    return day


def _given(path: Path) -> tuple[str, bytes]:
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise ConfigError(f"reconcile: --statement: cannot read {path}: {error.strerror}") from None


def _rows(journal: JournalHistory, flaws: list[StatementFlaw], since_ms: int | None = None) -> Iterator[JournalRow]:
    """A journal's rows, up to the first in doubt; its archive's first, if the journal begins after ``since_ms``."""
    try:
        first = next(iter(journal.read()), None) if since_ms is not None else None
        reader = journal.read_all if first and since_ms is not None and first.at_ms > since_ms else journal.read
        yield from reader()
    except rows.JournalDamaged as error:
        flaws.append(StatementFlaw(Path(journal.name).name, f"{error.reason}; what follows is not matched"))


def _read_worker(settings: Settings, day: CalendarDay, flaws: list[StatementFlaw]) -> WorkerRecords:
    journal = build.worker_history(settings)
    try:
        return read_worker(_rows(journal, flaws, day.start_ms - _BEFORE_MS), build.rules(settings))
    except FileNotFoundError:
        raise ConfigError(f"journal.path: {journal.name} is not there") from None
    except UnreadableRow as error:
        raise ReconcileFailed(f"{journal.name}: {error}") from None


def _read_barriers(
    settings: Settings, named: Sequence[Path], records: WorkerRecords, flaws: list[StatementFlaw]
) -> Iterator[BarrierRecords]:
    lanes: dict[Path, str] = {}
    if (own := settings.barrier) and own.journal.exists():
        lanes[own.journal.resolve()] = settings.lane.id if settings.lane else ""
    for path in named:
        if not path.is_file():
            raise ConfigError(f"reconcile: --barrier-journal: {path} is not there")
        lanes.setdefault(path.resolve(), "")
    for path, lane in lanes.items():
        try:
            yield read_barrier(path.name, _rows(FileHistory(path), flaws), records, lane)
        except UnreadableRow as error:
            flaws.append(StatementFlaw(path.name, f"{error}; none of it is matched"))
