"""Where alerts go: a webhook, and a mail server. Each either takes a letter or raises NotDelivered."""

import asyncio
import hashlib
import hmac
import json
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from terminal.payby.plain_text import plain
from terminal.roles.alerts.wording import AlertLetter, gravest

if TYPE_CHECKING:
    import aiosmtplib

SIGNATURE = "X-Exit-Terminal-Signature"
"""The header with the HMAC of the body: ``sha256=`` and hex."""
TRY_S = 20.0
"""The longest that one try takes."""
_SAID_MOST = 160


class NotDelivered(Exception):
    """The text says why, without the receiver's address or any secret."""


class AlertReceiver(Protocol):
    """Takes letters, one at a time. ``name``: in logs and alerts."""

    name: str

    async def send(self, letter: AlertLetter) -> None:
        """Deliver it, within TRY_S; raises NotDelivered."""


class Webhook:
    """POSTs each letter as JSON. ``key``: signs each body with HMAC-SHA256; empty: none. ``tls`` None: the system's
    authorities. No redirect is followed; every status from 200 to 299 means that it was taken."""

    name = "webhook"

    def __init__(self, url: str, *, key: bytes = b"", tls: ssl.SSLContext | None = None, agent: str = "") -> None:
        self._url, self._key, self._tls, self._agent = url, key, tls, agent

    async def send(self, letter: AlertLetter) -> None:
        """Post it, once; raises NotDelivered."""
        import aiohttp

        body = json.dumps(letter.document(), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "User-Agent": self._agent, "Idempotency-Key": letter.id}
        if self._key:
            headers[SIGNATURE] = f"sha256={hmac.new(self._key, body, hashlib.sha256).hexdigest()}"
        try:
            async with (
                asyncio.timeout(TRY_S),
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(
                    self._url, data=body, headers=headers, allow_redirects=False, ssl=self._tls or True
                ) as response,
            ):
                if not 200 <= response.status < 300:
                    raise NotDelivered(f"{_host(self._url)} answered with status {response.status}")
        except TimeoutError:
            raise NotDelivered(f"{_host(self._url)} did not answer within {TRY_S:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise NotDelivered(f"{_host(self._url)}: {_said(error)}") from None


class Mail:
    """Sends each letter to all ``to``. ``connection`` makes what connects to the mail server, and ``login`` is the user
    and the password there; None: none is asked for."""

    name = "email"

    def __init__(
        self,
        host: str,
        connection: Callable[[], "aiosmtplib.SMTP"],
        *,
        sender: str,
        to: Sequence[str],
        login: tuple[str, str] | None = None,
    ) -> None:
        self._host, self._connection, self._sender, self._to, self._login = host, connection, sender, to, login

    async def send(self, letter: AlertLetter) -> None:
        """Hand it to the mail server, once; raises NotDelivered."""
        import aiosmtplib

        try:
            async with asyncio.timeout(TRY_S), self._connection() as server:
                if self._login:
                    await server.login(*self._login)
                await server.send_message(self.letter(letter))
        except TimeoutError:
            raise NotDelivered(f"{self._host} did not answer within {TRY_S:g} s") from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise NotDelivered(f"{self._host} refuses alerts.smtp_username or its password ({error.code})") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise NotDelivered(f"{self._host}: {_said(error)}") from None

    def letter(self, letter: AlertLetter) -> EmailMessage:
        """As an e-mail. A letter that is tried again has the same Message-ID, so that mail programs show it once."""
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, ", ".join(self._to)
        mail["Subject"] = letter.subject()
        mail["Date"] = format_datetime(datetime.fromisoformat(letter.at))
        mail["Message-ID"] = f"<{letter.id}@{self._sender.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        if gravest(letter.notices) == "critical":
            mail["Importance"] = "high"
        mail.set_content(letter.text() + "\n")
        return mail


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the webhook"


def _said(error: BaseException) -> str:
    """An error's words. One of aiohttp may name the address, which may be a secret: its type says enough."""
    if isinstance(error, OSError) and error.strerror:
        return plain(error.strerror.lower(), _SAID_MOST)
    return plain(type(error).__name__, _SAID_MOST)
