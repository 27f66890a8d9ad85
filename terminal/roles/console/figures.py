"""The day's figures, from what the desk has heard. They are for running the garage; `reconcile` is for the books."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from terminal.core import money
from terminal.roles.console.history import HeardLine

KINDS = ("order", "refund", "paid", "lift", "barrier", "vehicle", "alert", "fee")
"""What the figures are made of."""
LONGEST_WAIT_MS = 3_600_000
"""A payment or a car that waited for longer than this was not waiting: something else was wrong."""


@dataclass(slots=True)
class DayFigures:
    """Amounts in fils, times in ms. ``hours``: takings by the hour of the garage's clock."""

    taken: int = 0
    payments: int = 0
    refunded: int = 0
    free: int = 0
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    to_boom: list[int] = field(default_factory=list)
    """From the first word of each payment to its boom."""
    waits: list[int] = field(default_factory=list)
    """From each arrival on the loop to the boom."""
    exceptions: Counter[str] = field(default_factory=Counter)


def bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """The day's beginning and end by the garage's clock, ms since the epoch."""
    begins = datetime(day.year, day.month, day.day, tzinfo=zone)
    after = day + timedelta(days=1)
    ends = datetime(after.year, after.month, after.day, tzinfo=zone)
    return round(begins.timestamp() * 1000), round(ends.timestamp() * 1000)


def figures(lines: Iterable[HeardLine], zone: ZoneInfo) -> DayFigures:
    """Reckon a day from its lines, in the order in which they were heard."""
    found = DayFigures()
    paid: set[str] = set()
    paid_by_stay: dict[str, int] = {}  # a lift is on its way before its order is said to be paid
    lifted: set[str] = set()
    refunded: set[str] = set()
    read: set[str] = set()
    arrived: dict[str, int] = {}
    for line in lines:
        if _tells_of_payment(line) and line.session not in lifted:
            paid_by_stay.setdefault(line.session, line.at_ms)
        match line.kind:
            case "order":
                if line.field("status") == "paid" and line.order_no and line.order_no not in paid:
                    paid.add(line.order_no)
                    amount = _fils(line.field("amount"))
                    found.taken += amount
                    found.payments += 1
                    found.hours[datetime.fromtimestamp(line.at_ms / 1000, zone).hour] += amount
            case "refund":
                if line.field("status") in ("settled", "success") and line.field("refund_no") not in refunded:
                    refunded.add(line.field("refund_no"))
                    found.refunded += _fils(line.field("amount"))
            case "vehicle":
                if json.loads(line.data).get("waiting") is True:
                    arrived.setdefault(line.lane, line.at_ms)
                else:
                    arrived.pop(line.lane, None)
            case "barrier":
                if line.opened:
                    lifted.add(line.session)
                    _opened(found, line, paid_by_stay, arrived)
            case "fee":
                reason, fee = line.field("reason"), line.field("id")
                if reason == "refused":
                    found.exceptions["day.refused"] += 1
                elif reason in ("lost", "coupon") and fee not in read:  # its reader repeats it until it is answered
                    read.add(fee)
                    found.exceptions[f"day.{reason}"] += 1
            case "alert":
                if line.field("state") == "raised" and line.field("severity") != "info":
                    found.exceptions[line.field("code")] += 1
    return found


def share_within(times: Sequence[int], share: float) -> int | None:
    """The time within which that share of them lies, ms; None where there are none."""
    if not times:
        return None
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def to_csv(day: date, found: DayFigures) -> str:
    """The figures as a table: what, and how much; amounts in AED, times in seconds."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(["day", "what", "value"])
    rows: list[tuple[str, str]] = [
        ("takings", money.text(found.taken)),
        ("payments", str(found.payments)),
        ("given back", money.text(found.refunded)),
        ("free exits", str(found.free)),
        *((f"takings {hour:02d}:00", money.text(amount)) for hour, amount in enumerate(found.hours)),
    ]
    for name, times in (("payment to boom", found.to_boom), ("at the boom", found.waits)):
        for share, label in ((0.5, "p50"), (0.95, "p95")):
            within = share_within(times, share)
            rows.append((f"{name} {label}", "" if within is None else f"{within / 1000:.3f}"))
    rows += [(f"exception {code.removeprefix('day.')}", str(count)) for code, count in found.exceptions.most_common()]
    for what, value in rows:
        table.writerow([day.isoformat(), what, value])
    return out.getvalue()


def _tells_of_payment(line: HeardLine) -> bool:
    """PayBy's notification, or what the worker says of a payment that it has asked for."""
    match line.kind:
        case "paid":
            return True
        case "lift":
            return line.field("reason") == "paid"
    return line.kind == "order" and line.field("status") == "paid"


def _opened(found: DayFigures, line: HeardLine, paid: dict[str, int], arrived: dict[str, int]) -> None:
    match line.opened:
        case "free":
            found.free += 1
        case "operator" | "unknown":
            found.exceptions[f"day.{line.opened}"] += 1
        case "by hand":
            found.exceptions["day.hand"] += 1
    paid_ms = paid.pop(line.session, None)
    if line.opened == "paid" and paid_ms is not None and (took := line.at_ms - paid_ms) in range(LONGEST_WAIT_MS):
        found.to_boom.append(took)
    if line.lane in arrived and (waited := line.at_ms - arrived.pop(line.lane)) in range(LONGEST_WAIT_MS):
        found.waits.append(waited)


def _fils(text: str) -> int:
    try:
        return money.parse(text)
    except ValueError:
        return 0
