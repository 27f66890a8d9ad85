"""What app and tools both need, made from the settings in one place.

PayBy's client and the screens are imported when they are needed: a barrier that starts alone waits for neither.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from terminal import __version__
from terminal.clock import Clock
from terminal.config import schema as sections
from terminal.config.load import read_secret
from terminal.config.schema import Settings, present
from terminal.core.model import Rules
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import Will

if TYPE_CHECKING:
    from terminal.payby.client import PayByClient
    from terminal.screen.view import Site, Wifi


def rules(settings: Settings, *, mark: str = "") -> Rules:
    """The limits of a visit; with the default wait if there is no [payby], which a reader of a journal may lack."""
    garage, exit_grace_ms = settings.need(sections.GarageSettings).id, settings.tariff.exit_grace * 60_000
    if settings.payby is None:
        return Rules(garage, exit_grace=exit_grace_ms, mark=mark)
    return Rules(garage, round(settings.payby.cancel_after * 1000), exit_grace_ms, mark=mark)


def embedded_user(
    broker: sections.BrokerSettings, mqtt: sections.MqttSettings | None, user: str
) -> sections.MqttSettings:
    """How ``user`` connects to the embedded broker of this machine."""
    url = mqtt.url if mqtt else f"mqtt://127.0.0.1:{broker.port}"
    return sections.MqttSettings(url, user, broker.users / user, mqtt.ca_file if mqtt else None)


def mqtt_client(
    mqtt: sections.MqttSettings, client_id: str, *, will: Callable[[], Will] | None = None, clean: bool = False
) -> MqttClient:
    """A connection, not entered yet; raises ConfigError, MqttError, and UnicodeDecodeError for a password that is not
    UTF-8."""
    return MqttClient(
        mqtt.url,
        client_id=client_id,
        username=mqtt.username,
        password=read_secret(mqtt.password_file, "mqtt.password_file").decode(),
        ca_file=mqtt.ca_file,
        will=will,
        clean=clean,
    )


def payby_client(
    payby: sections.PaybySettings, *, timeout_s: float | None = None, clock: Clock | None = None
) -> "PayByClient":
    """PayBy's client, to be entered; ``timeout_s`` replaces the configured one. Raises ConfigError, BadKey."""
    from terminal.payby.client import PayByClient
    from terminal.payby.signing import load_private_key, load_public_keys

    return PayByClient(
        present(payby.base_url or None, "payby.base_url"),
        present(payby.partner_id or None, "payby.partner_id"),
        load_private_key(present(payby.private_key, "payby.private_key")),
        load_public_keys(payby.payby_public_key),
        timeout_s=payby.timeout if timeout_s is None else timeout_s,
        clock=clock,
        user_agent=f"exit-terminal/{__version__}",
    )


def site(
    garage: sections.GarageSettings | None, lcd: sections.LcdSettings | None, network: "Wifi | None" = None
) -> "Site":
    """What the screens of a lane say about their garage."""
    from terminal.screen.view import Site

    names = (garage.name, garage.name_ar, garage.help_phone) if garage else ("", "", "")
    return Site(*names, lcd.digits, network) if lcd else Site(*names, wifi=network)


def wifi(lcd: sections.LcdSettings) -> "Wifi":
    """The driver's network of ``lcd.wifi``; raises ConfigError, QrError, UnicodeDecodeError for a password that is not
    printable ASCII."""
    from terminal.screen import wifi_page

    secret = read_secret(lcd.wifi_password_file, "lcd.wifi_password_file") if lcd.wifi_password_file else b""
    return wifi_page.wifi(lcd.wifi, secret.decode("ascii"))
