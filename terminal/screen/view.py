"""What a screen shows, as plain words and numbers: the contract's ``screen`` and its remaining seconds."""

from dataclasses import dataclass
from typing import Literal

from terminal.contract.messages import Screen
from terminal.core.model import ScreenState
from terminal.screen.qr import Symbol, from_wire

Digits = Literal["latin", "arabic"]
Hint = Literal["", "second", "signal", "scanned"]
"""What the pay screen adds once a driver has looked at it for a while, or once a phone has read the code."""

PayPage = Literal["code", "words", "wifi"]
"""The side of the pay screen that shows: the code; the words, if they have no room beside it; the lane's Wi-Fi."""

_ARABIC = str.maketrans("0123456789.", "٠١٢٣٤٥٦٧٨٩٫")


@dataclass(frozen=True, slots=True)
class Wifi:
    """A network that drivers may join, and the code that joins it."""

    name: str
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Site:
    """What is the same on all screens of a garage. ``help_phone`` is shown as it is written; of one exit lane no screen
    sends a driver to another. ``lane`` is this lane's name, which a driver who asks for help can say."""

    name: str
    name_ar: str
    help_phone: str
    digits: Digits = "latin"
    wifi: Wifi | None = None
    lanes: int = 1
    lane: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """One screen. ``amount`` is in AED with two decimals; ``minutes`` is the stay; ``left`` is the countdown in s;
    ``tail`` is the last four characters of the session, which the ticket's text has. What is empty or None is not
    shown. ``dim`` and ``moved``, a place of dimming.PLACES, are for long-standing pictures."""

    state: ScreenState
    reason: str = ""
    amount: str = ""
    minutes: int | None = None
    left: int | None = None
    tail: str = ""
    help_code: str = ""
    symbol: Symbol | None = None
    hint: Hint = ""
    page: PayPage = "code"
    dim: bool = False
    moved: int = 0


def view_of(screen: Screen, left: int | None = None, *, hint: Hint = "", page: PayPage = "code") -> View:
    """A message and its remaining seconds -> its view; raises qr.QrError for bits that are not a symbol."""
    return View(
        state=screen.state,
        reason=screen.reason or "",
        amount=screen.amount or "",
        minutes=screen.minutes,
        left=left,
        tail=tail_of(screen.session),
        help_code=screen.help_code or "",
        symbol=from_wire(screen.qr) if screen.qr and screen.state in ("pay", "paid") else None,
        hint=hint,
        page=page,
    )


def tail_of(session: str | None) -> str:
    """What a screen, a ticket and a log name a stay's ticket by."""
    return (session or "")[-4:].upper()


def digits(text: str, kind: Digits) -> str:
    """Numbers in the configured digits: 25.00, or ٢٥٫٠٠."""
    return text.translate(_ARABIC) if kind == "arabic" else text


def amount(text: str) -> str:
    """An amount for people: 1,234.00 above 9999.99, because long numbers are hard to read."""
    whole, _, part = text.partition(".")
    return (f"{int(whole):,}" if len(whole) > 4 else whole) + "." + part


def stay(minutes: int, hour: str = "h") -> str:
    """The stay as hours and minutes: 2 h 05, in another form than the countdown beside it; at most 9999 h 59. ``hour``
    is the unit's sign."""
    hours, rest = divmod(min(minutes, 599_999), 60)
    return f"{hours} {hour} {rest:02d}"


def countdown(left: int) -> str:
    """Seconds as minutes and seconds: 1:47; at most 9:59, five times what `payby.cancel_after` lets an order live."""
    return "{}:{:02d}".format(*divmod(min(max(left, 0), 599), 60))
