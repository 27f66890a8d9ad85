"""The keys of `[alerts]`, `[discovery]` and `[log]`: who else is told what happens, and how."""

from typing import Annotated, Literal

from msgspec import Meta

from terminal.config.field_types import File
from terminal.config.section import Section

MailAddress = Annotated[
    str,
    Meta(
        pattern=r"^[!#-'*+./-9=?A-Z^-~-]{1,64}@[A-Za-z0-9.-]{1,190}\Z",
        description='an e-mail address, such as "garage@example.com"',
    ),
]


class AlertsSettings(Section, frozen=True):
    """A webhook, e-mail, or both. A webhook's address that is a secret stands in a file of its own."""

    webhook_url: (
        Annotated[str, Meta(pattern=r"^https?://[^/@\s]+/[^\s#]*\Z", max_length=500, description="https://HOST/PATH")]
        | None
    ) = None
    webhook_url_file: File | None = None
    webhook_key_file: File | None = None
    email_to: Annotated[
        tuple[MailAddress, ...], Meta(max_length=16, description='a list of addresses, such as ["ops@example.com"]')
    ] = ()
    email_from: MailAddress | None = None
    smtp_url: (
        Annotated[
            str,
            Meta(pattern=r"^smtps?://[^/@\s]+/?\Z", max_length=300, description="smtp://HOST:587 or smtps://HOST:465"),
        ]
        | None
    ) = None
    smtp_username: Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z", description="a user's name")] | None = None
    smtp_password_file: File | None = None
    ca_file: File | None = None
    least: Annotated[Literal["info", "warning", "critical"], Meta(description="info, warning or critical")] = "warning"
    again_after: Annotated[int, Meta(ge=1, le=1440, description="minutes, 1 to 1440")] = 30


class DiscoverySettings(Section, frozen=True):
    """Announces the garage to Home Assistant; with `announce` false, takes back what was announced."""

    announce: Annotated[bool, Meta(description="true or false")] = True


class LogSettings(Section, frozen=True):
    """How the roles log on standard error."""

    format: Annotated[Literal["plain", "json"], Meta(description="plain or json")] = "plain"
