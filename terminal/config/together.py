"""What one key cannot say by itself: which values go together."""

import re
import zoneinfo
from urllib.parse import parse_qsl, urlsplit

from terminal.config.error_text import got
from terminal.config.schema import ConfigError, Settings

_SPI_PINS = {0: (10, 11), 1: (20, 21)}
"""Data and clock pins of the buses that use the same pins on every Raspberry Pi."""
_SECRETS = ("password", "sslpassword", "oauth_client_secret")
"""Parameters of libpq that are secrets."""
_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


def check_together(settings: Settings) -> None:
    """Raise ConfigError for the first key whose value does not go with the others."""
    for check in (
        *(
            _check_garage,
            _check_url,
            _check_mqtt,
            _check_ticket,
            _check_lookup,
            _check_alerts,
            _check_reader,
            _check_panel,
            _check_journal,
        ),
        *(_check_amounts, _check_pins, _check_receipt),
    ):
        check(settings)


def _check_garage(settings: Settings) -> None:
    if settings.garage:
        check_zone(settings.garage.timezone)


def check_zone(name: str) -> None:
    """Raise ConfigError for a time zone that this machine does not know."""
    try:
        zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f'garage.timezone: got {got(name)}, takes a time zone that this machine knows, such as "Asia/Dubai"'
        ) from None


def _check_url(settings: Settings) -> None:
    """Plain HTTP would show orders to everybody on the way, so it is for a sandbox on this machine only."""
    if settings.payby:
        _check_port("payby.base_url", settings.payby.base_url)
        _check_port("payby.notify_url", settings.payby.notify_url or "")
        _check_plain("payby.base_url", settings.payby.base_url)


def _check_plain(key: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(parts.hostname or ""):
        raise ConfigError(f"{key}: got http:// to {parts.hostname}, takes https:// for every host but this machine")


def _check_lookup(settings: Settings) -> None:
    """A number must be no ticket of ours; and whoever can change an answer on its way can let cars out."""
    if (lookup := settings.lookup) is None:
        return
    try:
        numbers = re.compile(lookup.numbers)
    except (re.error, RecursionError, OverflowError):
        raise ConfigError(f"lookup.numbers: got {got(lookup.numbers)}, takes a regular expression") from None
    for text in ("LOST", "lost", ""):
        if numbers.fullmatch(text):
            raise ConfigError(
                f"lookup.numbers: got {got(lookup.numbers)}, which also fits {text!r}; takes numbers alone"
            )
    if lookup.url:
        _check_port("lookup.url", lookup.url)
        _check_plain("lookup.url", lookup.url)
    for key in ("token_file", "ca_file"):
        if getattr(lookup, key) and not lookup.url:
            raise ConfigError(f"lookup.{key}: got a file, takes one with lookup.url alone")
    if (lookup.on_failure == "flat") != bool(float(lookup.flat_fee or 0)):
        raise ConfigError('lookup.flat_fee: takes an amount above 0.00 with on_failure = "flat", and none without')


def _check_alerts(settings: Settings) -> None:
    """What is said of drivers crosses no network readably, nor does a password; what goes together stands together."""
    if (alerts := settings.alerts) is None:
        return
    if alerts.webhook_url and alerts.webhook_url_file:
        raise ConfigError("alerts.webhook_url_file: got it beside alerts.webhook_url, takes one of the two")
    if alerts.webhook_key_file and not (alerts.webhook_url or alerts.webhook_url_file):
        raise ConfigError("alerts.webhook_key_file: got a file, takes one with a webhook alone")
    if alerts.webhook_url:
        _check_port("alerts.webhook_url", alerts.webhook_url)
        _check_plain("alerts.webhook_url", alerts.webhook_url)
    for key in ("email_from", "smtp_url"):
        if bool(getattr(alerts, key)) != bool(alerts.email_to):
            raise ConfigError(f"alerts.{key}: takes a value with alerts.email_to, and none without")
    if alerts.smtp_url:
        _check_port("alerts.smtp_url", alerts.smtp_url)
    if bool(alerts.smtp_username) != bool(alerts.smtp_password_file):
        raise ConfigError("alerts.smtp_password_file: takes a file with alerts.smtp_username, and none without")
    if alerts.smtp_username and not alerts.smtp_url:
        raise ConfigError("alerts.smtp_username: got a user, takes one with alerts.smtp_url alone")


def _check_receipt(settings: Settings) -> None:
    """What stays and paid for how much is nobody else's business on the way."""
    if settings.receipt and settings.receipt.url:
        _check_port("receipt.url", settings.receipt.url)
        _check_plain("receipt.url", settings.receipt.url)


def _check_mqtt(settings: Settings) -> None:
    """A client certificate and its key come together; plain MQTT shows neither."""
    if mqtt := settings.mqtt:
        _check_port("mqtt.url", mqtt.url)
        for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
            if getattr(mqtt, key) and not getattr(mqtt, other):
                raise ConfigError(f"mqtt.{other}: missing; mqtt.{key} takes both, or leave both out")
        if mqtt.cert_file and mqtt.url.startswith("mqtt:"):
            raise ConfigError("mqtt.cert_file: got a certificate for mqtt://, takes one with mqtts:// alone")


def _check_port(key: str, url: str) -> None:
    try:
        known = urlsplit(url).port != 0
    except ValueError:  # of a port that is none, and of brackets that hold no address
        known = False
    if not known:
        raise ConfigError(f"{key}: got a text whose host or port is none, takes a port from 1 to 65535, as HOST:8883")


def _check_ticket(settings: Settings) -> None:
    """A ticket has its key's id in capital letters."""
    ids = [name.upper() for name in settings.ticket.keys] if settings.ticket else []
    if len(set(ids)) < len(ids):
        raise ConfigError(
            "ticket.keys: got two ids that differ only in capital letters, which a ticket does not keep; rename one"
        )


def _check_reader(settings: Settings) -> None:
    if settings.reader and settings.reader.driver != "stdin" and not settings.reader.device:
        raise ConfigError(f'reader.device: missing; driver = "{settings.reader.driver}" takes the path of its device')


def _check_journal(settings: Settings) -> None:
    """A journal is in one place; and a URL, which logs and lists of processes show, has no secret in it."""
    if (journal := settings.journal) is None:
        return
    if journal.path and journal.url:
        raise ConfigError("journal.url: got one beside journal.path, takes one of the two")
    if journal.passfile and not journal.url:
        raise ConfigError("journal.passfile: got a file, takes one with journal.url alone")
    if journal.patroni and not journal.url:
        raise ConfigError("journal.patroni: got addresses, takes some with journal.url alone")
    for address in journal.patroni:
        _check_port("journal.patroni", address)
    if journal.url:
        _check_hosts("journal.url", journal.url)
        secret = next((key for key, _ in parse_qsl(urlsplit(journal.url).query) if key in _SECRETS), "")
        if secret:
            raise ConfigError(f"journal.url: got one with {secret}, takes one without; use journal.passfile or service")


def _check_hosts(key: str, url: str) -> None:
    """libpq takes several hosts, each with a port of its own."""
    for place in urlsplit(url).netloc.rpartition("@")[2].split(","):
        _check_port(key, f"postgresql://{place}/")


def _check_panel(settings: Settings) -> None:
    needs = {
        "png": (("folder", "the path of a folder"), ("size", 'pixels, such as "480x320"')),
        "framebuffer": (("size", 'pixels, such as "800x480"'),),
    }
    for key, takes in needs.get(settings.lcd.panel, ()) if settings.lcd else ():
        if not getattr(settings.lcd, key):
            assert settings.lcd
            raise ConfigError(f'lcd.{key}: missing; panel = "{settings.lcd.panel}" takes {takes}')
    if settings.lcd and settings.lcd.backlight_pwm and settings.lcd.backlight_pin < 0:
        raise ConfigError("lcd.backlight_pwm: got true, takes false where lcd.backlight_pin is -1")


def _check_amounts(settings: Settings) -> None:
    for key in ("block_price", "day_cap", "lost_ticket", "calendar_cap", "minimum", "maximum", "round_to"):
        if not float(getattr(settings.tariff, key) or 1):
            raise ConfigError(f"tariff.{key}: got {getattr(settings.tariff, key)!r}, takes an amount above 0.00")


def _check_pins(settings: Settings) -> None:
    """Raise ConfigError where two keys name one GPIO: the second to open it would drive the other's device."""
    used: dict[int, str] = {}
    if settings.lcd and settings.lcd.on_bus:  # the kernel drives the bus, and gives its pins away all the same
        used.update(dict.fromkeys(_SPI_PINS.get(settings.lcd.spi_bus, ()), "lcd.spi_bus"))
    for key, pin in settings.pins():
        if pin in used:
            raise ConfigError(f"{key}: got {pin}, which {used[pin]} already uses; takes another pin")
        used[pin] = key
