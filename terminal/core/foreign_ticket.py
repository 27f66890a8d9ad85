"""Tickets that this garage did not make: a number of another system, or a licence plate that a camera has read.

Such a ticket names a stay only together with the entry that somebody else knows. The session is derived from both, so
every reading of one ticket speaks of one stay. What was first believed about a stay is kept: an entry that is told
differently later, or a flat fee that was asked while nobody answered, must not charge the same car twice.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from terminal.core.ids import derived_id
from terminal.core.model import ForeignKind, Lane
from terminal.core.money import Fils
from terminal.core.quote import Quote
from terminal.core.tariff import SettledStay, TicketPricing, minutes
from terminal.core.ticket import FUTURE_ALLOWANCE_MS

LONGEST_MS = 366 * 24 * 3_600_000
"""An entry longer ago than this is an error of whoever tells it."""
SAME_STAY_MS = 12 * 3_600_000
"""While nobody tells an entry, a ticket that was told of within this time is the same stay, though its car has left: a
flat fee would charge somebody a second time who rolled back under the boom."""
NUMBER_MOST = 64
PLATE_MOST = 16
BEFORE_MOST = 8
"""Of so many stays before it a ticket is remembered; who comes back more often in a row begins anew."""


@dataclass(frozen=True, slots=True)
class ForeignTicket:
    """A number as it was scanned, or a plate in its normal form."""

    kind: ForeignKind
    number: str


@dataclass(frozen=True, slots=True)
class ForeignEntry:
    """What another system, or a camera, says of a ticket: when its stay began (ms since the epoch), and the id whose
    class in `[tariff]` it has; empty: none."""

    entered_ms: int
    ticket_class: str = ""


@dataclass(frozen=True, slots=True)
class ForeignStay:
    """What is believed of a ticket's latest stay. ``told_ms``: when that was last told; moments in ms since the epoch.
    Without ``entered_ms`` nobody knew the entry, and it costs ``flat`` (fils). ``before``: the ticket's stays before
    this one, oldest first, which it may go on with."""

    ticket: ForeignTicket
    session: str
    told_ms: int
    entered_ms: int | None
    ticket_class: str = ""
    flat: int = 0
    before: tuple[SettledStay, ...] = ()


def plate_of(text: str) -> str:
    """A plate in its normal form: letters and digits in capitals; empty if it has none or more than PLATE_MOST."""
    plate = "".join(c for c in text.upper() if c.isalnum())
    return plate if len(plate) <= PLATE_MOST else ""


def entry_fault(entered_ms: int, read_ms: int) -> str:
    """Why a stay that is read at ``read_ms`` cannot have begun then, in words; empty if it can."""
    if entered_ms > read_ms + FUTURE_ALLOWANCE_MS:
        return "its entry lies ahead"
    return "its entry was more than a year ago" if entered_ms < read_ms - LONGEST_MS else ""


def told_stay(
    garage: str, ticket: ForeignTicket, entry: ForeignEntry, read_ms: int, before: ForeignStay | None = None
) -> ForeignStay:
    """The stay of a ticket that was read at ``read_ms`` and whose entry was told then. ``before``: what was believed of
    the ticket. An entry that is not after that is the same stay's, and its first entry stands."""
    if before is None or entry.entered_ms > before.told_ms:
        session = derived_id(entry.entered_ms, ticket.kind, garage, ticket.number)
        return ForeignStay(ticket, session, read_ms, entry.entered_ms, entry.ticket_class)
    entered_ms = entry.entered_ms if before.entered_ms is None else before.entered_ms
    told_ms = max(before.told_ms, read_ms)
    return ForeignStay(ticket, before.session, told_ms, entered_ms, entry.ticket_class, before=before.before)


def coming_back(stay: ForeignStay, before: ForeignStay, left_ms: int, paid: int) -> ForeignStay:
    """A stay of a ticket whose last one was over at ``left_ms``, with ``paid`` fils for it. One that began before that,
    or of which nobody knew the entry, is not remembered."""
    if before.entered_ms is None or stay.entered_ms is None or not before.entered_ms <= left_ms <= stay.entered_ms:
        return stay
    settled = SettledStay(before.entered_ms, left_ms, paid)
    return replace(stay, before=(*before.before, settled)[-BEFORE_MOST:])


def flat_stay(garage: str, ticket: ForeignTicket, read_ms: int, flat: Fils) -> ForeignStay:
    """The stay of a ticket whose entry nobody could tell when it was read."""
    return ForeignStay(ticket, derived_id(read_ms, "flat", garage, ticket.number), read_ms, None, flat=flat)


def foreign_quote(stay: ForeignStay, read_ms: int, tariff: TicketPricing) -> Quote:
    """What the stay costs when its ticket is read at ``read_ms``. An entry a little ahead is a stay of zero length."""
    if stay.entered_ms is None:
        return Quote("due", read_ms, stay.session, amount=Fils(stay.flat))
    until = max(read_ms, stay.entered_ms)
    amount = tariff.fee_after(stay.entered_ms, until, stay.ticket_class, stay.before)
    length = minutes(stay.entered_ms, until)
    return Quote("due" if amount else "free", read_ms, stay.session, stay.entered_ms, length, amount)


def is_in_the_way(lane: Lane, car: str | None, session: str | None) -> bool:
    """Must a plate that is read here be left alone, because the lane serves the same car by another ticket? A driver's
    own ticket is a decision, a camera's reading is none. ``session``: the plate's stay, if it is known."""
    visit = lane.visit
    if visit is None or visit.fee.session == session:
        return False
    there = (lane.vehicle.car if lane.vehicle else None) or car
    return visit.car is None or there is None or visit.car == there


def stays_the_same(before: ForeignStay | None, read_ms: int, is_over: Callable[[str], bool]) -> bool:
    """Does what was believed before hold for a ticket that is read while nobody tells its entry?"""
    return before is not None and (read_ms - before.told_ms <= SAME_STAY_MS or not is_over(before.session))


class ForeignStays:
    """The latest stay of each ticket, of at most ``most`` tickets: the one that was told longest ago goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stays: OrderedDict[ForeignTicket, ForeignStay] = OrderedDict()

    def __len__(self) -> int:
        return len(self._stays)

    def get(self, ticket: ForeignTicket) -> ForeignStay | None:
        """What is believed of the ticket; None if nothing is."""
        return self._stays.get(ticket)

    def put(self, stay: ForeignStay) -> None:
        """Note what is believed from now on."""
        self._stays[stay.ticket] = stay
        self._stays.move_to_end(stay.ticket)
        if len(self._stays) > self._most:
            del self._stays[next(iter(self._stays))]

    def current(self, ticket: ForeignTicket, now_ms: int, within_ms: int, has_left: Callable[[str], bool]) -> bool:
        """Is what is believed good enough not to ask again? It was told within this time, and the stay goes on."""
        stay = self._stays.get(ticket)
        return stay is not None and abs(now_ms - stay.told_ms) <= within_ms and not has_left(stay.session)
