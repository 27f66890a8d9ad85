"""``exit-terminal ticket``: a ticket for the configured garage, as text, on the terminal, as a picture or on paper."""

import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from PIL import Image

from terminal import build
from terminal.config import schema as sections
from terminal.config.load import read_ticket_keys
from terminal.config.schema import Settings
from terminal.core import money
from terminal.core.ids import derived_id
from terminal.core.quote import Quote, quote
from terminal.core.ticket import SERIALS, sign_number, sign_ticket
from terminal.screen.view import tail_of
from terminal.tools.ticket.coupon import make_coupon
from terminal.tools.ticket.picture import CodeKind, PrintedTicket, draw
from terminal.tools.ticket.symbols import qr

BLOCKS = "▀▄█"
"""The characters that draw a symbol on a terminal that has them."""
MOST_MINUTES = 60 * 24 * 366 * 20
"""Entries further away than this, either way, are typing mistakes."""
LOST = "LOST"
"""The text of the card for a lost ticket."""


class PicturePrinter(Protocol):
    """What drivers/printer.py is to this command."""

    def print(self, picture: Image.Image) -> None:
        """Print a picture and cut the paper."""


@dataclass(frozen=True, slots=True)
class MadeTicket:
    """A ticket's text, and what it costs now by the configured tariff."""

    text: str
    quote: Quote


@dataclass(frozen=True, slots=True)
class TicketWish:
    """What is asked for. ``minutes_ago``: how long ago it entered (negative: in the future); ``code``: which symbols it
    has; ``dots``: the paper's width; ``lost``: the card for a lost ticket instead."""

    minutes_ago: int = 90
    key_id: str | None = None
    code: CodeKind = "qr"
    lost: bool = False
    text_only: bool = False
    png: Path | None = None
    dots: int = 576
    coupon: str = ""
    """A coupon's worth: one is made instead of a ticket."""
    days: int = 1
    """How long that lasts."""


def make(
    settings: Settings, *, minutes_ago: int, now_ms: int, key_id: str | None = None, code: CodeKind = "qr"
) -> MadeTicket:
    """A fresh stay that began ``minutes_ago`` before ``now_ms``, signed by the key ``key_id``, or by the first one. A
    ticket with bars is a number, because nothing longer fits on paper.

    Raises ConfigError for what the configuration lacks, ValueError for an entry beyond MOST_MINUTES.
    """
    if abs(minutes_ago) > MOST_MINUTES:
        raise ValueError(f"--minutes-ago: got {minutes_ago}, takes {-MOST_MINUTES} to {MOST_MINUTES}")
    garage = settings.need(sections.GarageSettings).id
    keys = read_ticket_keys(settings.need(sections.TicketSettings))
    key_id = next(iter(keys)) if key_id is None else key_id
    if key_id not in keys:
        raise ValueError(f"--key: got {key_id[:40]!r}, takes {' or '.join(keys)}")
    entered_ms = now_ms - minutes_ago * 60_000
    if code == "qr":
        text = sign_ticket(garage, derived_id(entered_ms, secrets.token_hex(16)), entered_ms, key_id, keys[key_id])
    else:
        text = sign_number(garage, secrets.randbelow(SERIALS), entered_ms, keys[key_id])
    tariff = build.tariff(settings)
    return MadeTicket(text, quote(text, now_ms, garage=garage, keys=keys, tariff=tariff, lost_session=""))


def make_lost(settings: Settings, now_ms: int) -> MadeTicket:
    """The card for a lost ticket, and what one costs now."""
    tariff, garage = build.tariff(settings), settings.need(sections.GarageSettings).id
    return MadeTicket(LOST, quote(LOST, now_ms, garage=garage, keys={}, tariff=tariff, lost_session=""))


def describe(ticket: MadeTicket, garage: sections.GarageSettings) -> str:
    """Lines for a person: the characters by which a screen names the ticket, its garage, its entry, and what it costs
    now."""
    asked = ticket.quote
    if asked.reason == "lost":
        return f"lost ticket of garage {garage.id}: AED {money.text(asked.amount or 0)}"
    if asked.entered_ms is None or asked.amount is None:
        return f"test ticket of garage {garage.id}\nrefused: {asked.why}"
    entered = datetime.fromtimestamp(asked.entered_ms / 1000, ZoneInfo(garage.timezone))
    cost = f"AED {money.text(asked.amount)}" if asked.amount else "nothing due"
    first = f"on the screen: {tail_of(asked.session)}\ntest ticket of garage {garage.id}"
    return f"{first}\nentered {entered:%Y-%m-%d %H:%M}\n{asked.minutes} minutes: {cost}"


def printed(ticket: MadeTicket, garage: sections.GarageSettings, entered_ms: int) -> PrintedTicket:
    """What of it stands on paper; ``entered_ms``: when its stay began (ms since the epoch)."""
    entered = datetime.fromtimestamp(entered_ms / 1000, ZoneInfo(garage.timezone))
    name, tail = garage.name or garage.id, "" if ticket.text == LOST else tail_of(ticket.quote.session)
    return PrintedTicket(ticket.text, name, garage.name_ar, None if ticket.text == LOST else entered, tail)


def run(
    settings: Settings,
    wish: TicketWish,
    *,
    now_ms: int,
    printer: PicturePrinter | None = None,
    blocks: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Make a ticket and print its text, with ``text_only`` alone, otherwise after its cost and a symbol to scan from
    the terminal, drawn with BLOCKS or, larger, with blanks in two colours. ``png`` draws it as a picture too, and
    ``printer`` prints that. Raises ConfigError, ValueError, OSError for a file that cannot be written, and what the
    printer raises.
    """
    garage = settings.need(sections.GarageSettings)
    if wish.coupon:
        coupon = make_coupon(settings, wish.coupon, wish.days, now_ms, wish.key_id)
        facts = f"coupon of garage {garage.id}: {coupon.worth}\nuntil {coupon.entered:%Y-%m-%d %H:%M}"
        _show(coupon, facts, replace(wish, code="qr"), printer, blocks, say)
        return
    if wish.lost:
        ticket = make_lost(settings, now_ms)
    else:
        ticket = make(settings, minutes_ago=wish.minutes_ago, now_ms=now_ms, key_id=wish.key_id, code=wish.code)
    paper = printed(ticket, garage, now_ms - wish.minutes_ago * 60_000)
    _show(paper, describe(ticket, garage), wish, printer, blocks, say)


def _show(
    paper: PrintedTicket,
    facts: str,
    wish: TicketWish,
    printer: PicturePrinter | None,
    blocks: bool,
    say: Callable[[str], None],
) -> None:
    if wish.png or printer:
        picture = draw(paper, wish.dots, wish.code)
        if wish.png:
            picture.save(wish.png, format="PNG")
        if printer:
            printer.print(picture)
    if not wish.text_only:
        terminal = io.StringIO()
        if wish.code != "code128":
            qr(paper.text).terminal(terminal, compact=blocks)
        say(f"{terminal.getvalue()}{facts}")
    say(paper.text)
