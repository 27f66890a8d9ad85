"""What a ticket's text says, and whether it is genuine. Without a key only its form can be read.

``P1.<GARAGE>.<session, 32 hex digits>.<entered, s since the epoch>.<KEY ID>.<tag>``

The tag is the first 128 bits of HMAC-SHA256, in Base32, over all that stands before its dot. Texts are compared, not
decoded values, so no character of a ticket can change and leave it genuine. Capitals, digits and dots are what a QR
symbol packs tightest (version 4), and none of them depends on a keyboard's layout. The session's digits are those of
the order number.

A ticket may also be a number of 36 digits, which fits into a Code 128 of a paper's width and can be typed in by hand if
it is damaged: ``1``, the entry (ten digits, s since the epoch), nine digits that tell its tickets of one second apart,
and a tag of sixteen (53 bits of HMAC-SHA256). Garage and key are in the tag alone.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from terminal.core.ids import derived_id
from terminal.core.value import replace

FUTURE_ALLOWANCE_MS = 15_000
"""How far the entry's clock may be ahead of the exit's before a ticket counts as one from the future."""

_SESSION = re.compile(r"[0-9A-F]{12}7[0-9A-F]{3}[89AB][0-9A-F]{15}")
_SIGNED = re.compile(rf"P1\.([A-Z0-9]{{1,12}})\.({_SESSION.pattern})\.(0|[1-9][0-9]{{0,10}})\.([A-Z0-9]{{1,8}})")
_TICKET = re.compile(rf"({_SIGNED.pattern})\.([A-Z2-7]{{25}}[AEIMQUY4])")
"""The last digit of a tag holds only three bits."""
_NUMBER = re.compile(r"(1([0-9]{10})[0-9]{9})([0-9]{16})")
SERIALS = 10**9
"""How many tickets of one second can be told apart."""

Why = Literal["ticket-unknown", "ticket-foreign", "ticket-future"]
"""Why a ticket is refused, in the contract's words for the screen."""


class TicketError(ValueError):
    """A ticket that opens nothing; ``why`` is the screen's reason."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why: Why = why


@dataclass(frozen=True, slots=True)
class ParkingTicket:
    """What a ticket of this garage says: its stay, when that began (ms since the epoch, whole seconds), and the id of
    the key that signed it."""

    session: str
    entered_ms: int
    key_id: str = ""


def sign_ticket(garage: str, session: str, entered_ms: int, key_id: str, key: bytes) -> str:
    """The text of a new ticket, its entry cut to whole seconds; raises ValueError for what no ticket can hold."""
    signed = f"P1.{garage.upper()}.{UUID(session).hex.upper()}.{entered_ms // 1000}.{key_id.upper()}"
    if not _SIGNED.fullmatch(signed):
        raise ValueError(f"ticket {signed!r}: garage, session (UUIDv7), entry or key id is not of the right form")
    return f"{signed}.{_tag(signed, key)}"


def sign_number(garage: str, serial: int, entered_ms: int, key: bytes) -> str:
    """The number of a new ticket, its entry cut to whole seconds; raises ValueError for what no ticket can hold."""
    signed = f"1{entered_ms // 1000:010d}{serial:09d}"
    if not 0 <= serial < SERIALS or not 0 <= entered_ms < 10**13:
        raise ValueError(f"ticket of serial {serial}, entry {entered_ms}: does not fit into its digits")
    return signed + _number_tag(signed, garage, key)


def read_ticket(text: str, keys: Mapping[str, bytes], garage: str) -> ParkingTicket:
    """A ticket's text -> what it says; raises TicketError unless one of ``keys`` signed it for ``garage``."""
    ticket = read_form(text, garage)
    if match := _NUMBER.fullmatch(text):
        for name, key in keys.items():
            if hmac.compare_digest(match[3], _number_tag(match[1], garage, key)):
                return replace(ticket, key_id=name.upper())
        raise TicketError("ticket-unknown")
    signed, _, tag = text.rpartition(".")
    key_id = signed.rpartition(".")[2]
    if not any(hmac.compare_digest(tag, _tag(signed, key)) for name, key in keys.items() if name.upper() == key_id):
        raise TicketError("ticket-unknown")
    return ticket


def read_form(text: str, garage: str) -> ParkingTicket:
    """A ticket's text -> what it says, whoever wrote it; raises TicketError unless it has the form of a ticket of
    ``garage``.

    Nobody here knows another garage's keys, so `ticket-foreign` rests on the form alone: it tells a driver where to
    ask, and opens nothing. A number has neither garage nor key id.
    """
    if number := _NUMBER.fullmatch(text):
        entered_ms = int(number[2]) * 1000
        return ParkingTicket(derived_id(entered_ms, "ticket", garage, number[1]), entered_ms)
    if not (match := _TICKET.fullmatch(text)):
        raise TicketError("ticket-unknown")
    _, place, session, entered, key_id, _ = match.groups()
    if place != garage.upper():
        raise TicketError("ticket-foreign")
    return ParkingTicket(str(UUID(session)), int(entered) * 1000, key_id)


def session_in(text: str) -> str | None:
    """The session that a person read off a damaged ticket: 32 hex digits, dashes or not; None if it is none."""
    digits = text.replace("-", "").upper()
    return str(UUID(digits)) if _SESSION.fullmatch(digits) else None


def check_entry(entered_ms: int, exited_ms: int) -> None:
    """Raise TicketError (`ticket-future`) for an entry later than the exit by more than FUTURE_ALLOWANCE_MS."""
    if entered_ms > exited_ms + FUTURE_ALLOWANCE_MS:
        raise TicketError("ticket-future")


def is_lost(text: str) -> bool:
    """Is this the text of the card or button that asks for a lost ticket: ``LOST``, in any case?"""
    return text.lower() == "lost"


def _number_tag(signed: str, garage: str, key: bytes) -> str:
    digest = hmac.digest(key, f"N1.{garage.upper()}.{signed}".encode(), hashlib.sha256)
    return f"{int.from_bytes(digest[:16]) % 10**16:016d}"


def _tag(signed: str, key: bytes) -> str:
    digest = hmac.digest(key, signed.encode("ascii"), hashlib.sha256)
    return base64.b32encode(digest[:16]).decode("ascii").rstrip("=")
