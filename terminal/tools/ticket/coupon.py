"""Coupons of ``exit-terminal ticket --coupon``: what is typed for a coupon's worth, and the coupon that is made."""

import re
import secrets
from datetime import datetime
from zoneinfo import ZoneInfo

from terminal.config import schema as sections
from terminal.config.coupon_settings import CouponSettings
from terminal.config.load import read_ticket_keys
from terminal.config.schema import Settings
from terminal.core import money
from terminal.core.coupon import CouponKind, sign_coupon
from terminal.tools.ticket.picture import PrintedTicket

MOST_DAYS = 366


def worth_of(text: str, now_ms: int) -> tuple[CouponKind, int]:
    """``5.00`` (dirhams), ``25%``, ``60min``, ``free`` or ``pass`` (valid from now on) -> a coupon's kind and value;
    raises ValueError."""
    if text == "free":
        return "free", 0
    if text == "pass":
        return "pass", now_ms // 60_000
    try:
        if minutes := re.fullmatch(r"([1-9][0-9]{0,5})min", text):
            return "minutes", int(minutes[1])
        if text.endswith("%"):
            return "percent", money.parse(text[:-1])
        return "amount", money.parse(text)
    except ValueError:
        raise ValueError(f"--coupon: got {text[:40]!r}, takes 5.00, 25%, 60min, free or pass") from None


def in_words(kind: CouponKind, value: int) -> str:
    """What it takes off, for its face."""
    match kind:
        case "amount":
            return f"- AED {money.text(value)}"
        case "percent":
            return f"- {value / 100:g} %"
        case "minutes":
            return f"- {value} min"
        case "free":
            return "AED 0.00"
        case "pass":
            return "Season pass"


def make_coupon(settings: Settings, worth: str, days: int, now_ms: int, key_id: str | None = None) -> PrintedTicket:
    """A fresh coupon that ends after so many days, signed by the key ``key_id``, or by the first one. Raises
    ConfigError for what the configuration lacks, ValueError."""
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"--days: got {days}, takes 1 to {MOST_DAYS}")
    garage = settings.need(sections.GarageSettings)
    keys = read_ticket_keys(settings.need(CouponSettings))
    key_id = next(iter(keys)) if key_id is None else key_id
    if key_id not in keys:
        raise ValueError(f"--key: got {key_id[:40]!r}, takes {' or '.join(keys)}")
    kind, value = worth_of(worth, now_ms)
    until_ms = now_ms + days * 86_400_000
    text = sign_coupon(garage.id, secrets.token_hex(10), kind, value, until_ms, key_id, keys[key_id])
    until = datetime.fromtimestamp(until_ms / 1000, ZoneInfo(garage.timezone))
    return PrintedTicket(text, garage.name or garage.id, garage.name_ar, until, worth=in_words(kind, value))
