"""The wiring of the roles that pass on what they hear to somebody outside."""

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from terminal import __version__, build
from terminal.config import schema as sections
from terminal.config import tokens
from terminal.config.outward_settings import AlertsSettings, DiscoverySettings
from terminal.config.schema import Settings
from terminal.mqtt.endpoint import Endpoint

if TYPE_CHECKING:
    from terminal.roles.alerts.receivers import AlertReceiver
    from terminal.roles.alerts.role import AlertsRole
    from terminal.roles.discovery.role import DiscoveryRole


def alerts_role(settings: Settings, endpoint: Endpoint) -> "AlertsRole":
    """Sends alerts where `[alerts]` says. Raises ConfigError."""
    from terminal.roles.alerts.receivers import TRY_S, Mail, Webhook
    from terminal.roles.alerts.role import AlertsOptions, AlertsRole

    alerts, garage = settings.need(AlertsSettings), settings.need(sections.GarageSettings)
    receivers = list["AlertReceiver"]()
    url, key = tokens.webhook(alerts)
    if url:
        receivers.append(Webhook(url, key=key, tls=build.alerts_tls(alerts), agent=f"exit-terminal/{__version__}"))
    if alerts.email_to and alerts.email_from:
        build.mail_server(alerts, TRY_S)  # what is wrong shows at the start
        host = urlsplit(alerts.smtp_url or "").hostname or ""
        connection = partial(build.mail_server, alerts, TRY_S)
        receivers.append(
            Mail(host, connection, sender=alerts.email_from, to=alerts.email_to, login=tokens.mail_login(alerts))
        )
    options = AlertsOptions(
        garage.name or garage.id, ZoneInfo(garage.timezone), alerts.least, alerts.again_after * 60_000
    )
    return AlertsRole(endpoint, receivers, options)


def discovery_role(settings: Settings, endpoint: Endpoint, process: str) -> "DiscoveryRole":
    """Announces the garage to Home Assistant; ``process``: the health of this process, which its last will is about."""
    from terminal.roles.discovery.entities import AnnouncedGarage
    from terminal.roles.discovery.role import DiscoveryRole

    garage = settings.need(sections.GarageSettings)
    announced = AnnouncedGarage(
        garage.id, garage.name or garage.id, __version__, (endpoint.where("health/discovery"), process)
    )
    announce = settings.need(DiscoverySettings).announce
    return DiscoveryRole(endpoint, announced, ZoneInfo(garage.timezone), announce=announce)
