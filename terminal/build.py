"""What app and tools both need, made from the settings in one place.

PayBy's client and the screens are loaded when they are asked for: a barrier that starts alone waits for neither.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from terminal import __version__
from terminal.clock import Clock
from terminal.config import schema as sections
from terminal.config.load import read_file, read_secret
from terminal.config.schema import ConfigError, Settings, present
from terminal.core.model import Rules
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import Will
from terminal.mqtt.transport import tls_context

if TYPE_CHECKING:
    from terminal.payby.client import PayByClient
    from terminal.screen.view import Site, Wifi


def rules(settings: Settings, *, mark: str = "") -> Rules:
    """What is laid down about a visit; without [payby], which who only reads a journal may lack, the default wait."""
    garage, exit_grace_ms = settings.need(sections.GarageSettings).id, settings.tariff.exit_grace * 60_000
    if settings.payby is None:
        return Rules(garage, exit_grace=exit_grace_ms, mark=mark)
    return Rules(garage, round(settings.payby.cancel_after * 1000), exit_grace_ms, mark=mark)


def embedded_user(
    broker: sections.BrokerSettings, mqtt: sections.MqttSettings | None, user: str
) -> sections.MqttSettings:
    """How ``user`` connects to the embedded broker of this machine."""
    url = mqtt.url if mqtt else f"mqtt://127.0.0.1:{broker.port}"
    if mqtt is None:
        return sections.MqttSettings(url, user, broker.users / user)
    return sections.MqttSettings(url, user, broker.users / user, mqtt.ca_file, mqtt.cert_file, mqtt.key_file)


def mqtt_client(
    mqtt: sections.MqttSettings, client_id: str, *, will: Callable[[], Will] | None = None, clean: bool = False
) -> MqttClient:
    """A connection, not entered yet; raises ConfigError, MqttError."""
    check_certificate_files(mqtt)
    return MqttClient(
        mqtt.url,
        client_id=client_id,
        username=mqtt.username,
        password=password(mqtt),
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
        will=will,
        clean=clean,
    )


def password(mqtt: sections.MqttSettings) -> str:
    """The user's; raises ConfigError for a file that cannot be one."""
    try:
        return read_secret(mqtt.password_file, "mqtt.password_file").decode()
    except UnicodeDecodeError:
        raise ConfigError(f"mqtt.password_file: {mqtt.password_file} is not UTF-8, takes a password in it") from None


def check_certificate_files(mqtt: sections.MqttSettings) -> None:
    """Raise ConfigError naming the key of the certificate file, of those for TLS, that is of no use."""
    if mqtt.ca_file:
        read_file(mqtt.ca_file, "mqtt.ca_file")
        try:
            tls_context(mqtt.ca_file, None, None)
        except OSError:
            raise ConfigError(f"mqtt.ca_file: {mqtt.ca_file} has no certificate, takes PEM") from None
    if mqtt.cert_file and mqtt.key_file:
        read_file(mqtt.cert_file, "mqtt.cert_file")
        read_secret(mqtt.key_file, "mqtt.key_file")
        try:
            tls_context(mqtt.ca_file, mqtt.cert_file, mqtt.key_file)
        except OSError:
            raise ConfigError(
                f"mqtt.cert_file: {mqtt.cert_file} and mqtt.key_file ({mqtt.key_file}) are no pair; they take PEM, the"
                " key without a password"
            ) from None


def payby_client(
    payby: sections.PaybySettings, *, timeout_s: float | None = None, clock: Clock | None = None
) -> "PayByClient":
    """PayBy's client, to be entered; ``timeout_s`` in place of the configured one. Raises ConfigError, BadKeyFile."""
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


def site(garage: sections.GarageSettings | None, lcd: sections.LcdSettings, network: "Wifi | None" = None) -> "Site":
    """What the screens of a lane say of their garage."""
    from terminal.screen.view import Site

    names = (garage.name, garage.name_ar, garage.help_phone) if garage else ("", "", "")
    return Site(*names, lcd.digits, network)


def wifi(lcd: sections.LcdSettings) -> "Wifi":
    """The driver's network of ``lcd.wifi``; raises ConfigError, QrError, UnicodeDecodeError for a password that is not
    printable ASCII."""
    from terminal.screen import wifi_page

    secret = read_secret(lcd.wifi_password_file, "lcd.wifi_password_file") if lcd.wifi_password_file else b""
    return wifi_page.wifi(lcd.wifi, secret.decode("ascii"))
