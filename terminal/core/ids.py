"""Names that are built, read back and derived: order numbers, refund numbers, ids and help codes.

All of them follow from what is already known (DESIGN.md, law 1), so a replay names the same ones.
"""

import hashlib
import hmac
import re
from functools import lru_cache
from typing import NamedTuple

ATTEMPTS = 9
"""The most orders of one stay; terminal/contract/README.md has no number for a tenth."""

NO_LANE = "garage"
"""Stands in the lane's place for the whole garage, so no lane may have this name."""

GARAGE_NAME = r"[a-z0-9]{1,12}"
LANE_NAME = r"[a-z0-9-]{1,16}"
_SESSION = r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"
_ORDER_NO = re.compile(rf"({GARAGE_NAME})-({LANE_NAME})-({_SESSION})(?:-([2-9]))?")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MARK_BITS = 44
_HELP_LETTERS = "23456789BCDFGHJKMNPQRSTVWXYZ"  # no 0 O 1 I L U, which look or sound alike; no vowels, so no words


class OrderName(NamedTuple):
    """The parts of an order number; ``session`` has dashes, ``attempt`` counts from 1."""

    garage: str
    lane: str
    session: str
    attempt: int


def order_no(garage: str, lane: str, session: str, attempt: int) -> str:
    """PayBy's merchantOrderNo for the ``attempt``-th order (1 to 9) of a stay at a lane; at most 64 characters.

    Raises ValueError for parts that could not be read back.
    """
    suffix = f"-{attempt}" if attempt > 1 else ""
    text = f"{garage}-{lane}-{session.replace('-', '')}{suffix}"
    if not 1 <= attempt <= ATTEMPTS or parse_order_no(text) != (garage, lane, session, attempt):
        raise ValueError(f"no order number for garage {garage!r}, lane {lane!r}, session {session!r}, try {attempt}")
    return text


@lru_cache(maxsize=1024)
def parse_order_no(text: str) -> OrderName | None:
    """The parts of one of our order numbers; None for any other text."""
    if not (found := _ORDER_NO.fullmatch(text)):
        return None
    garage, lane, digits, attempt = found.groups()
    if lane == NO_LANE:
        return None
    return OrderName(garage, lane, _dashed(digits), int(attempt or 1))


def refund_no(cause_id: str) -> str:
    """PayBy's refundMerchantOrderNo: R and the 32 hex digits of the UUID that asked for it; raises ValueError."""
    if not _UUID.fullmatch(cause_id):
        raise ValueError(f"{cause_id!r} is no UUID")
    return "R" + cause_id.replace("-", "")


def derived_id(at_ms: int, *parts: str) -> str:
    """A UUIDv7 text of ``at_ms`` (ms since the epoch) and a hash of ``parts``: the same for the same arguments.

    Parts are hashed with their lengths, so ("ab", "c") and ("a", "bc") differ.
    """
    if not 0 <= at_ms < 1 << 48:
        raise ValueError(f"{at_ms} ms do not fit into a UUIDv7")
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    tail = int.from_bytes(digest.digest()[:10], "big")
    tail = tail & ~(0xF << 76) | 0x7 << 76  # version 7
    tail = tail & ~(0x3 << 62) | 0x2 << 62  # RFC 9562 variant
    return _dashed(f"{at_ms << 80 | tail:032x}")


def lift_id(at_ms: int, mark: str, garage: str, lane: str, *parts: str) -> str:
    """The id of one of our lifts: a UUIDv7 of ``at_ms``, 30 bits of a hash of ``parts``, and 44 bits that can only be
    made with the secret ``mark``, for this lane."""
    plain = int(derived_id(at_ms, garage, lane, *parts).replace("-", ""), 16)
    head = plain >> _MARK_BITS
    return _dashed(f"{head << _MARK_BITS | _marked(head, mark, garage, lane):032x}")


def is_lift_id(lift: str, mark: str, garage: str, lane: str) -> bool:
    """Did lift_id() make this id, with this mark and for this lane? False for any text that is not a UUID."""
    if not _UUID.fullmatch(lift):
        return False
    number = int(lift.replace("-", ""), 16)
    head = number >> _MARK_BITS
    return hmac.compare_digest(
        (number - (head << _MARK_BITS)).to_bytes(6, "big"), _marked(head, mark, garage, lane).to_bytes(6, "big")
    )


def moment_of(uuid7: str) -> int:
    """The time in a UUIDv7, in ms since the epoch."""
    return int(uuid7.replace("-", "")[:12], 16)


def _marked(head: int, mark: str, garage: str, lane: str) -> int:
    text = f"{head:x}|{garage}|{lane}".encode()
    return int.from_bytes(hmac.digest(mark.encode(), text, "sha256")[:8], "big") >> (64 - _MARK_BITS)


def lost_session(garage: str, lane: str, car: str | None, fee_id: str) -> str:
    """The session of a lost ticket: one for each car that waits at a lane, so that reading the card twice, or again
    after a restart, does not charge the car twice. Where no loop names the car, each reading has its own.

    ``car`` and ``fee_id`` are UUIDv7s. The session follows from these alone, so the sender of a fee cannot choose it.
    """
    named = car or fee_id
    return derived_id(moment_of(named), "lost", garage, lane, named)


@lru_cache(maxsize=1024)
def help_code(session: str) -> str:
    """The five characters that name a stay on the screen, in every log line and alert, and on the phone."""
    number = int.from_bytes(hashlib.sha256(b"help|" + session.encode()).digest()[:16], "big")
    letters = []
    for _ in range(5):
        number, which = divmod(number, len(_HELP_LETTERS))
        letters.append(_HELP_LETTERS[which])
    return "".join(letters)


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
