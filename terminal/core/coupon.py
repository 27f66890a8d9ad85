"""What a coupon's text says, and whether it is genuine. Whoever has one may use it, once, at any exit of its garage.

``C1.<GARAGE>.<serial, 20 hex digits>.<worth>.<until, s since the epoch>.<KEY ID>.<tag>``

The worth is ``A`` and fils, ``P`` and hundredths of a per cent, ``M`` and minutes, or ``F`` for a free stay. ``S`` and
the minute (since the epoch) from which it is valid make a season pass, which is used again and again, by one car at a
time. The tag is a ticket's: 128 bits of HMAC-SHA256 over all that stands before its dot. A reader knows a coupon by its
form; only the worker has the keys.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from terminal.core.ids import derived_id

CouponKind = Literal["amount", "percent", "minutes", "free", "pass"]
CouponFault = Literal["coupon-unknown", "coupon-over"]
LONGEST_MS = 366 * 24 * 3_600_000
"""How far ahead a coupon's end may lie when it is used."""
_LETTERS: Mapping[str, CouponKind] = {"A": "amount", "P": "percent", "M": "minutes", "F": "free", "S": "pass"}
_MOST: Mapping[CouponKind, int] = {"amount": 10**8, "percent": 10_000, "minutes": 525_600, "free": 0, "pass": 10**9 - 1}
_SIGNED = re.compile(
    r"C1\.([A-Z0-9]{1,12})\.([0-9A-F]{20})\.(F|[APMS][1-9][0-9]{0,8})\.([1-9][0-9]{0,10})\.([A-Z0-9]{1,8})"
)
_COUPON = re.compile(rf"({_SIGNED.pattern})\.([A-Z2-7]{{26}})")


class CouponError(ValueError):
    """A coupon that takes nothing off; ``why`` is the screen's reason."""

    def __init__(self, why: CouponFault) -> None:
        super().__init__(why)
        self.why: CouponFault = why


@dataclass(frozen=True, slots=True)
class Coupon:
    """A genuine coupon. ``id``: a UUIDv7 that follows from its garage, serial and end; ``value``: fils, hundredths of a
    per cent, minutes, or of a pass the minute from which it is valid; ``until_ms``: since the epoch."""

    id: str
    kind: CouponKind
    value: int
    until_ms: int
    key_id: str


def is_coupon(text: str) -> bool:
    """Has it the form of a coupon, of whichever garage?"""
    return _COUPON.fullmatch(text) is not None


def sign_coupon(
    garage: str, serial: str, kind: CouponKind, value: int, until_ms: int, key_id: str, key: bytes
) -> str:  # fmt: skip
    """The text of a new coupon; raises ValueError for what none can hold."""
    letter = next(letter for letter, known in _LETTERS.items() if known == kind)
    signed = f"C1.{garage.upper()}.{serial.upper()}.{letter}{value or ''}.{until_ms // 1000}.{key_id.upper()}"
    if not _SIGNED.fullmatch(signed) or value > _MOST[kind] or (kind == "free") != (value == 0):
        raise ValueError(f"coupon {signed!r}: garage, serial, worth, end or key id is not of the right form")
    return f"{signed}.{_tag(signed, key)}"


def read_coupon(text: str, keys: Mapping[str, bytes], garage: str, now_ms: int) -> Coupon:
    """A coupon's text -> what it says; raises CouponError unless one of ``keys`` signed it for ``garage`` and it is not
    over at ``now_ms`` (since the epoch)."""
    found = _COUPON.fullmatch(text)
    if found is None or found[2] != garage.upper():
        raise CouponError("coupon-unknown")
    signed, _, serial, worth, until, key_id, tag = found.groups()
    if not any(hmac.compare_digest(tag, _tag(signed, key)) for name, key in keys.items() if name.upper() == key_id):
        raise CouponError("coupon-unknown")
    kind, value, until_ms = _LETTERS[worth[0]], int(worth[1:] or 0), int(until) * 1000
    is_early = kind == "pass" and now_ms < value * 60_000
    if is_early or not now_ms < until_ms <= now_ms + LONGEST_MS:
        raise CouponError("coupon-over")
    return Coupon(derived_id(until_ms, "coupon", garage, serial), kind, min(value, _MOST[kind]), until_ms, key_id)


def _tag(signed: str, key: bytes) -> str:
    digest = hmac.digest(key, signed.encode("ascii"), hashlib.sha256)
    return base64.b32encode(digest[:16]).decode("ascii").rstrip("=")
