"""Do the webhook and the mail server of `[alerts]` answer, by TLS, and does the mail server let its user in?

Nothing is sent: a false alert would be worse than none. What a webhook does with a message is not proven by this.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from terminal import build
from terminal.config import tokens
from terminal.config.outward_settings import AlertsSettings
from terminal.config.schema import ConfigError, Settings
from terminal.mqtt.dial_faults import dial_fault
from terminal.mqtt.transport import dialled
from terminal.tools.check.finding import Finding, Machine

LIMIT_S = 5.0


async def alert_receivers(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """A line for each of the two that is configured."""
    if (alerts := settings.alerts) is None:
        return
    try:
        url, _key = tokens.webhook(alerts)
        tls, login = build.alerts_tls(alerts), tokens.mail_login(alerts)
    except ConfigError as error:
        yield Finding("alerts", False, error.text, error.advice)
        return
    if url:
        yield await _webhook(alerts, url, tls)
    if alerts.smtp_url:
        yield await _mail(alerts, login)


async def _webhook(alerts: AlertsSettings, url: str, tls: ssl.SSLContext | None) -> Finding:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    about = "alerts.webhook_url" if alerts.webhook_url else "alerts.webhook_url_file"
    context = (tls or ssl.create_default_context()) if secure else None
    try:
        (await asyncio.to_thread(dialled, host, parts.port or (443 if secure else 80), context, LIMIT_S)).close()
    except (OSError, UnicodeError) as error:
        words = dial_fault(error, alerts.ca_file).words
        return Finding("alerts webhook", False, f"{host} {words}", f"correct {about}, or the way there", about=about)
    return Finding("alerts webhook", True, f"{host} answers; nothing was sent", about=about)


async def _mail(alerts: AlertsSettings, login: tuple[str, str] | None) -> Finding:
    from aiosmtplib import SMTPAuthenticationError, SMTPException

    host, about = urlsplit(alerts.smtp_url or "").hostname or "", "alerts.smtp_url"
    try:
        async with asyncio.timeout(LIMIT_S), build.mail_server(alerts, LIMIT_S) as server:
            if login:
                await server.login(*login)
            await server.noop()
    except SMTPAuthenticationError as error:
        about = "alerts.smtp_username"
        text = f"{host} refuses the user or the password ({error.code})"
        return Finding("alerts mail", False, text, "correct alerts.smtp_username and its password file", about=about)
    except TimeoutError:
        return Finding("alerts mail", False, f"{host} does not answer", "correct alerts.smtp_url", about=about)
    except (SMTPException, OSError, ValueError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        why = dial_fault(cause, alerts.ca_file).words if isinstance(cause, OSError) else type(error).__name__
        advice = "correct alerts.smtp_url (smtps:// speaks TLS at once, smtp:// STARTTLS), or the way there"
        return Finding("alerts mail", False, f"{host} {why}", advice, about=about)
    who = f", and lets {login[0]} in" if login else ""
    return Finding("alerts mail", True, f"{host} answers{who}; nothing was sent", about=about)
