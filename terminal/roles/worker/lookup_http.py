"""Asks another system about its tickets over HTTP.

``GET`` of the configured address, with the number in it; 200 and a JSON object with ``entered``, or 404 (or an object
without it) for a ticket that does not exist. Everything else is no answer. No redirect is followed, and no more than
16 KiB are read, uncompressed.
"""

import asyncio
import ssl
from collections.abc import Mapping
from urllib.parse import quote

import aiohttp
import msgspec

from terminal.contract.field_forms import TicketClass, TicketNumber
from terminal.contract.messages import moment
from terminal.core.foreign_ticket import ForeignEntry, ForeignTicket
from terminal.payby.plain_text import plain
from terminal.roles.worker.ticket_source import LateAnswer, LookupFailed, OddAnswer

MOST_BYTES = 16 * 1024
TRIES, PAUSE_S = 2, 0.3
"""How often the system is asked within the time limit, and the pause (s) after a connection that failed, or 5xx."""
_TEXT_SHOWN = 100


class TicketAnswer(msgspec.Struct, frozen=True):
    """The body of a 200: an RFC 3339 time with a time zone; ``number``, if it is there, must be the one asked for."""

    entered: str | None = None
    number: TicketNumber | None = None
    ticket_class: TicketClass | None = None


class HttpTickets:
    """``address`` has ``{number}``, and perhaps ``{kind}`` (`number` or `plate`); ``token``: sent as a bearer token.
    ``tls``: None for the system's authorities."""

    def __init__(self, address: str, *, token: str = "", tls: ssl.SSLContext | None = None, agent: str = "") -> None:
        self._address, self._tls = address, tls
        self._headers: Mapping[str, str] = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            **({"User-Agent": agent} if agent else {}),
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        self._session: aiohttp.ClientSession | None = None

    async def run(self, late: LateAnswer) -> None:
        """Keep connections for the next question until cancelled. An answer that is late is never read."""
        async with aiohttp.ClientSession(
            headers=self._headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as self._session:
            await asyncio.Event().wait()

    async def ask(self, lookup_id: str, ticket: ForeignTicket) -> ForeignEntry | None:
        """See TicketSource."""
        if self._session is None:
            raise LookupFailed("the look-up has not begun yet")
        address = self._address.replace("{kind}", ticket.kind).replace("{number}", quote(ticket.number, safe=""))
        why = ""
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            try:
                status, body = await self._get(self._session, address)
            except (aiohttp.ClientError, OSError) as error:
                why = plain(str(error) or type(error).__name__, _TEXT_SHOWN)
                continue
            if status < 500:
                return _entry(ticket, status, body)
            why = f"HTTP status {status}"
        raise LookupFailed(why)

    async def _get(self, session: aiohttp.ClientSession, address: str) -> tuple[int, bytes]:
        async with session.get(address, allow_redirects=False, ssl=self._tls or True) as response:
            body = b""
            while len(body) <= MOST_BYTES and (more := await response.content.read(MOST_BYTES + 1 - len(body))):
                body += more
            if len(body) > MOST_BYTES:
                response.close()
            return response.status, body


def _entry(ticket: ForeignTicket, status: int, body: bytes) -> ForeignEntry | None:
    if status == 404:
        return None
    if status != 200:
        raise LookupFailed(f"HTTP status {status}")
    if len(body) > MOST_BYTES:
        raise OddAnswer(f"its answer has more than {MOST_BYTES} bytes")
    try:
        answer = msgspec.json.decode(body, type=TicketAnswer)
        entered_ms = None if answer.entered is None else moment(answer.entered)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise OddAnswer(f"its answer is none: {plain(str(error), _TEXT_SHOWN)}") from None
    if answer.number not in (None, ticket.number):
        raise OddAnswer("its answer is about another number")
    return None if entered_ms is None else ForeignEntry(entered_ms, answer.ticket_class or "")
