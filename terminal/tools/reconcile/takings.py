"""What a garage took and gave back in some whole days, and the stays that it was for, from the worker's journal alone.

The amounts are those that `reconcile` compares with PayBy's statement: a payment belongs to the day on which PayBy was
paid, a refund to the day on which it was known to have been made. Pure: records come in.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from terminal.core import ids
from terminal.core.model import ParkingFee, Stay
from terminal.core.ticket import TicketError, read_form
from terminal.tools.reconcile.facts import GOOD
from terminal.tools.reconcile.journals import WorkerRecords


@dataclass(frozen=True, slots=True)
class Period:
    """Whole calendar days in the garage's time zone, ``last`` included."""

    first: dt.date
    last: dt.date
    zone: ZoneInfo

    @property
    def start_ms(self) -> int:
        """Its first moment, in ms since the epoch."""
        return self._midnight(self.first)

    @property
    def end_ms(self) -> int:
        """The first moment after it, in ms since the epoch."""
        return self._midnight(self.last + dt.timedelta(days=1))

    def __contains__(self, at_ms: int | None) -> bool:
        return at_ms is not None and self.start_ms <= at_ms < self.end_ms

    def local(self, at_ms: int) -> dt.datetime:
        """The garage's own time at ``at_ms`` (ms since the epoch)."""
        return dt.datetime.fromtimestamp(at_ms / 1000, self.zone)

    def _midnight(self, day: dt.date) -> int:
        return int(dt.datetime.combine(day, dt.time(), self.zone).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that came (``fils`` above 0) or went back (below). ``no``: the order's number, or the refund's."""

    kind: Literal["payment", "refund"]
    at_ms: int
    fils: int
    no: str
    order_no: str
    payby_no: str
    lane: str
    session: str
    minutes: int | None
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ExportedStay:
    """A stay with its movements. ``entered_ms``: None where a ticket was lost. ``left_ms``: None where nobody saw its
    car leave. ``lane``: where it was last."""

    session: str
    ticket: Literal["ticket", "number", "lost", ""]
    entered_ms: int | None
    read_ms: int
    left_ms: int | None
    lane: str
    movements: tuple[Movement, ...]


def movements(records: WorkerRecords, period: Period) -> list[Movement]:
    """All of them in the period, in order of time."""
    return sorted((one for one in _all(records) if one.at_ms in period), key=lambda one: (one.at_ms, one.kind, one.no))


def stays(garage: str, records: WorkerRecords, period: Period) -> list[ExportedStay]:
    """Those whose car left in the period, or that money moved for in it, in order of entry. Each has all its movements,
    of other days too."""
    by_stay: dict[str, list[Movement]] = {}
    for one in _all(records):
        by_stay.setdefault(one.session, []).append(one)
    found = [_stay(garage, records, stay, by_stay.get(stay.session, [])) for stay in records.stays.values()]
    wanted = [one for one in found if one.left_ms in period or any(moved.at_ms in period for moved in one.movements)]
    return sorted(wanted, key=lambda one: (one.entered_ms or one.read_ms, one.session))


def _all(records: WorkerRecords) -> Iterator[Movement]:
    for paid in records.paid.values():
        order = paid.order
        yield Movement(
            "payment", paid.paid_ms, paid.payment.amount, order.no, order.no, order.payby_no, order.lane,
            order.session, order.minutes,
        )  # fmt: skip
    for returned in records.refunds.values():
        refund, ended = returned.refund, returned.ended_ms
        if refund.stage not in GOOD or ended is None:
            continue
        order = records.orders[refund.order_no]
        yield Movement(
            "refund", ended, -refund.amount, refund.no, order.no, order.payby_no, order.lane, order.session,
            order.minutes, refund.by, refund.reason,
        )  # fmt: skip


def _stay(garage: str, records: WorkerRecords, stay: Stay, moved: Sequence[Movement]) -> ExportedStay:
    fee = records.fees.get(stay.session)
    lanes = [order.lane for order in stay.orders] + [lift.lane for lift in stay.given]
    ordered = tuple(sorted(moved, key=lambda one: one.at_ms))
    kind, entered = _entry(garage, stay, fee)
    return ExportedStay(
        stay.session, kind, entered, ids.moment_of(fee.id) if fee else ids.moment_of(stay.session), stay.left,
        lanes[-1] if lanes else stay.lane or "", ordered,
    )  # fmt: skip


def _entry(
    garage: str, stay: Stay, fee: ParkingFee | None
) -> tuple[Literal["ticket", "number", "lost", ""], int | None]:
    """What the driver had, and when it entered: a ticket says so itself; the id of another system's stay is made of its
    entry."""
    if stay.lost is not None or (fee and fee.reason == "lost"):
        return "lost", None
    if fee is None:
        return "", ids.moment_of(stay.session)
    try:
        return "ticket", read_form(fee.ticket, garage).entered_ms
    except TicketError:
        return "number", ids.moment_of(stay.session)
