"""A reading at the exit -> the amount due. The reader reckons a hint from the ticket's form alone; the worker, which
holds the keys, reckons the amount that counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from terminal.core.ids import moment_of
from terminal.core.money import Fils
from terminal.core.tariff import TicketPricing, minutes
from terminal.core.ticket import ParkingTicket, TicketError, Why, check_entry, is_lost, read_form, read_ticket


@dataclass(frozen=True, slots=True)
class Quote:
    """What a reading comes to. ``refused`` has ``why`` and nothing else; a lost ticket knows no entry and no minutes;
    ``due`` and ``free`` have all but ``why``. Moments in ms since the epoch, the amount in fils."""

    reason: Literal["due", "free", "lost", "refused"]
    exited_ms: int
    session: str | None = None
    entered_ms: int | None = None
    minutes: int | None = None
    amount: Fils | None = None
    why: Why | None = None


def quote(
    text: str,
    exited_ms: int,
    *,
    garage: str,
    keys: Mapping[str, bytes],
    tariff: TicketPricing,
    lost_session: str,
    kept: bool = True,
) -> Quote:
    """What the ticket ``text`` costs at ``exited_ms`` (ms since the epoch), by the caller's ``keys`` and ``tariff``.

    ``lost_session`` is the session that a lost ticket gets. An entry that is later than the exit, by no more than the
    clocks' allowance, counts as a stay of zero length.

    ``kept``: the clock behind ``exited_ms`` is known to be right. A clock that is not calls no ticket one from the
    future: an entry ahead of it counts as a stay of zero length, and whoever knows the time decides.
    """
    return _reckon(text, exited_ms, lambda: read_ticket(text, keys, garage), tariff, lost_session, kept=kept)


def hint(
    text: str, exited_ms: int, *, garage: str, tariff: TicketPricing, lost_session: str, kept: bool = True
) -> Quote:
    """As ``quote``, by the ticket's form alone: all that can be said without a key."""
    return _reckon(text, exited_ms, lambda: read_form(text, garage), tariff, lost_session, kept=kept)


def vouched(session: str, read_ms: int, *, tariff: TicketPricing, kept: bool = True) -> Quote:
    """As ``quote``, for a ticket that an operator vouches for by its ``session``, which bears the time of the entry. It
    has no class."""
    entered_ms = moment_of(session) // 1000 * 1000
    return _priced(read_ms, lambda: ParkingTicket(session, entered_ms), tariff, kept=kept)


def _reckon(
    text: str,
    exited_ms: int,
    read: Callable[[], ParkingTicket],
    tariff: TicketPricing,
    lost_session: str,
    *,
    kept: bool,
) -> Quote:
    if is_lost(text):
        return Quote("lost", exited_ms, lost_session, amount=tariff.lost_fee(exited_ms))
    return _priced(exited_ms, read, tariff, kept=kept)


def _priced(exited_ms: int, read: Callable[[], ParkingTicket], tariff: TicketPricing, *, kept: bool) -> Quote:
    try:
        ticket = read()
        if kept:
            check_entry(ticket.entered_ms, exited_ms)
    except TicketError as error:
        return Quote("refused", exited_ms, why=error.why)
    until = max(exited_ms, ticket.entered_ms)
    amount = tariff.fee(ticket.entered_ms, until, ticket.key_id)
    stay = minutes(ticket.entered_ms, until)
    return Quote("due" if amount else "free", exited_ms, ticket.session, ticket.entered_ms, stay, amount)
