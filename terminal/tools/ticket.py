"""``exit-terminal ticket``: a test ticket for the configured garage, as text, on the terminal or as a picture."""

import io
import secrets
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import segno
from PIL import Image, ImageDraw, ImageFont

from terminal.config import schema as sections
from terminal.config.load import read_ticket_keys
from terminal.config.schema import Settings
from terminal.core import money
from terminal.core.ids import derived_id
from terminal.core.quote import Quote, quote
from terminal.core.tariff import Tariff
from terminal.core.ticket import sign_ticket

MODULE_PX = 8
MARGIN_PX = 4 * MODULE_PX
TEXT_PX = 14
BLOCKS = "▀▄█"
"""The characters that draw a symbol on a terminal that has them."""
MOST_MINUTES = 60 * 24 * 366 * 20
"""Entries further away than this, either way, are typing mistakes."""


@dataclass(frozen=True, slots=True)
class MadeTicket:
    """A ticket's text, and what it costs now by the configured tariff."""

    text: str
    quote: Quote


def make(settings: Settings, *, minutes_ago: int, now_ms: int) -> MadeTicket:
    """A fresh stay that began ``minutes_ago`` before ``now_ms`` (negative: in the future), signed by the first key.

    Raises ConfigError for what the configuration lacks, ValueError for an entry beyond MOST_MINUTES.
    """
    if abs(minutes_ago) > MOST_MINUTES:
        raise ValueError(f"--minutes-ago: got {minutes_ago}, takes {-MOST_MINUTES} to {MOST_MINUTES}")
    garage = settings.need(sections.GarageSettings).id
    keys = read_ticket_keys(settings.need(sections.TicketSettings))
    key_id, key = next(iter(keys.items()))
    entered_ms = now_ms - minutes_ago * 60_000
    session = derived_id(entered_ms, secrets.token_hex(16))
    text = sign_ticket(garage, session, entered_ms, key_id, key)
    tariff = Tariff.from_texts(**msgspec.structs.asdict(settings.tariff))
    return MadeTicket(text, quote(text, now_ms, garage=garage, keys=keys, tariff=tariff, lost_session=session))


def describe(ticket: MadeTicket, garage: sections.GarageSettings) -> str:
    """Lines for a person: the ticket's garage, its entry, and what it costs now."""
    asked = ticket.quote
    if asked.entered_ms is None or asked.amount is None:
        return f"test ticket of garage {garage.id}\nrefused: {asked.why}"
    entered = datetime.fromtimestamp(asked.entered_ms / 1000, ZoneInfo(garage.timezone))
    cost = f"AED {money.text(asked.amount)}" if asked.amount else "nothing due"
    return f"test ticket of garage {garage.id}\nentered {entered:%Y-%m-%d %H:%M}\n{asked.minutes} minutes: {cost}"


def draw(ticket: MadeTicket, garage: sections.GarageSettings) -> Image.Image:
    """The ticket as one would print it (mode L): its QR symbol with a quiet zone, and its text below."""
    code = _symbol(ticket.text)
    stream = io.BytesIO()
    code.save(stream, kind="png", scale=MODULE_PX, border=0)
    picture = Image.open(stream).convert("L")
    font = ImageFont.load_default(TEXT_PX)
    lines = describe(ticket, garage).splitlines() + textwrap.wrap(ticket.text, 28)
    height = round(TEXT_PX * 1.4)
    page = Image.new("L", (picture.width + 2 * MARGIN_PX, picture.height + 3 * MARGIN_PX + height * len(lines)), 255)
    page.paste(picture, (MARGIN_PX, MARGIN_PX))
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((MARGIN_PX, picture.height + 2 * MARGIN_PX + height * number), line, 0, font)
    return page


def run(
    settings: Settings,
    *,
    minutes_ago: int,
    text_only: bool,
    png: Path | None,
    now_ms: int,
    blocks: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Print a ticket; with ``text_only`` only its text, otherwise also its cost and a symbol to scan from the terminal,
    drawn with BLOCKS or, larger, with blanks in two colours. ``png`` draws it as a picture too. Raises
    ConfigError, ValueError, and OSError for a file that cannot be written.
    """
    garage = settings.need(sections.GarageSettings)
    ticket = make(settings, minutes_ago=minutes_ago, now_ms=now_ms)
    if png:
        draw(ticket, garage).save(png, format="PNG")
    if not text_only:
        terminal = io.StringIO()
        _symbol(ticket.text).terminal(terminal, compact=blocks)
        say(f"{terminal.getvalue()}{describe(ticket, garage)}")
    say(ticket.text)


def _symbol(text: str) -> segno.QRCode:
    return segno.make_qr(text, error="m")
