"""Tokens, addresses and passwords that stand in files of their own, as the roles take them."""

import re
from pathlib import Path

from terminal.config.file_errors import ConfigFileError
from terminal.config.load import read_secret
from terminal.config.lookup_settings import LookupSettings
from terminal.config.outward_settings import AlertsSettings
from terminal.config.schema import ConfigError, ConsoleSettings

NOBODY = "alerts.webhook_url: missing; takes https://HOST/PATH, or alerts.webhook_url_file, or alerts.email_to"


def lookup_token(lookup: LookupSettings) -> str:
    """What the other system knows us by, empty for none; raises ConfigError if the file cannot hold it."""
    return _token(lookup.token_file, "lookup.token_file")


def metrics_token(console: ConsoleSettings) -> bytes:
    """What a Prometheus elsewhere shows, empty for none; raises ConfigError if the file cannot hold it."""
    return _token(console.metrics_token_file, "console.metrics_token_file").encode("ascii")


def _token(path: Path | None, key: str) -> str:
    if path is None:
        return ""
    raw = read_secret(path, key)
    if re.fullmatch(rb"[!-~]{1,4096}", raw):
        return raw.decode("ascii")
    raise ConfigFileError(key, f"{path} has no token in one line of ASCII without blanks")


def webhook(alerts: AlertsSettings) -> tuple[str, bytes]:
    """The address of the webhook, empty for none, and the key that signs what goes there; raises ConfigError, also
    where there is no other receiver either."""
    if not (alerts.webhook_url or alerts.webhook_url_file or alerts.email_to):
        raise ConfigError(NOBODY)
    url = alerts.webhook_url or ""
    if path := alerts.webhook_url_file:
        try:
            url = read_secret(path, "alerts.webhook_url_file").decode("ascii")
        except UnicodeDecodeError:
            url = ""
        if not re.fullmatch(r"https://[^/@\s]+/[^\s#]{0,1000}", url):
            raise ConfigFileError("alerts.webhook_url_file", f"{path} has no https://HOST/PATH in one line")
    return url, read_secret(alerts.webhook_key_file, "alerts.webhook_key_file") if alerts.webhook_key_file else b""


def mail_login(alerts: AlertsSettings) -> tuple[str, str] | None:
    """The user and the password at the mail server; raises ConfigError."""
    if not (alerts.smtp_username and alerts.smtp_password_file):
        return None
    try:
        return alerts.smtp_username, read_secret(alerts.smtp_password_file, "alerts.smtp_password_file").decode()
    except UnicodeDecodeError:
        raise ConfigFileError("alerts.smtp_password_file", f"{alerts.smtp_password_file} is not UTF-8") from None
