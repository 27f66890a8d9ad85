"""What app and tools both need, made from the settings in one place.

PayBy's client, the tariff and the screens are imported when they are needed: a barrier alone waits for none of them.
"""

import errno
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from terminal import __version__
from terminal.clock import Clock
from terminal.config import schema as sections
from terminal.config.file_errors import ConfigFileError
from terminal.config.lcd_settings import LcdSettings
from terminal.config.load import read_file, read_secret
from terminal.config.lookup_settings import LookupSettings
from terminal.config.outward_settings import AlertsSettings
from terminal.config.schema import ConfigError, Settings, present
from terminal.contract import signatures
from terminal.core.invoice import Supplier
from terminal.core.model import Rules
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import Will
from terminal.mqtt.transport import tls_context

if TYPE_CHECKING:
    from aiosmtplib import SMTP
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from terminal.core.tariff import TariffHistory
    from terminal.journal.history import JournalHistory
    from terminal.journal.postgres.connection import DatabaseAddress
    from terminal.payby.client import PayByClient
    from terminal.screen.view import Site, Wifi


def rules(settings: Settings, *, mark: str = "") -> Rules:
    """The limits of a visit; with the default wait if there is no [payby], which a reader of a journal may lack."""
    garage, exit_grace_ms = settings.need(sections.GarageSettings).id, settings.tariff.exit_grace * 60_000
    issuer = supplier(settings)
    if settings.payby is None:
        return Rules(garage, exit_grace=exit_grace_ms, mark=mark, supplier=issuer)
    return Rules(garage, round(settings.payby.cancel_after * 1000), exit_grace_ms, mark=mark, supplier=issuer)


def supplier(settings: Settings) -> Supplier | None:
    """Who issues tax invoices; None: nobody does."""
    if (receipt := settings.receipt) is None:
        return None
    return Supplier(
        receipt.supplier,
        receipt.supplier_ar or "",
        receipt.address,
        receipt.address_ar or "",
        receipt.trn,
        settings.tariff.vat_percent,
    )


def tariff(settings: Settings) -> "TariffHistory":
    """The garage's tariffs; raises ConfigError, which names the key, for values that make no tariff."""
    from terminal.core.tariff.reading import read

    values = msgspec.structs.asdict(settings.tariff)
    if settings.tariff.rate:  # the two are then only the plain form's defaults
        values |= {"block_minutes": None, "block_price": None}
    zone = settings.garage.timezone if settings.garage else "UTC"
    try:
        return read(values, ZoneInfo(zone))
    except ValueError as error:
        raise ConfigError(f"tariff.{error}") from None


def numbers(settings: Settings) -> re.Pattern[str] | None:
    """The form of another system's tickets; None if there is none."""
    return re.compile(settings.lookup.numbers) if settings.lookup else None


def lookup_tls(lookup: LookupSettings) -> ssl.SSLContext | None:
    """How the other system's certificate is checked; None: by the system's authorities. Raises ConfigError."""
    if lookup.ca_file is None:
        return None
    read_file(lookup.ca_file, "lookup.ca_file")
    try:
        return tls_context(lookup.ca_file, None, None)
    except OSError:
        raise ConfigFileError("lookup.ca_file", f"{lookup.ca_file} has no certificate, takes PEM") from None


def embedded_user(
    broker: sections.BrokerSettings, mqtt: sections.MqttSettings | None, user: str
) -> sections.MqttSettings:
    """How ``user`` connects to the embedded broker of this machine."""
    url = mqtt.url if mqtt else f"mqtt://127.0.0.1:{broker.port}"
    if mqtt is None:
        return sections.MqttSettings(url, user, broker.users / user)
    return sections.MqttSettings(url, user, broker.users / user, mqtt.ca_file, mqtt.cert_file, mqtt.key_file)


def mqtt_client(
    mqtt: sections.MqttSettings,
    client_id: str,
    *,
    will: Callable[[], Will] | None = None,
    clean: bool = False,
    may_speak: Callable[[], bool] | None = None,
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
        clean=clean or mqtt.clean_session,
        may_speak=may_speak,
    )


def password(mqtt: sections.MqttSettings) -> str:
    """The password of the broker's user; raises ConfigError if the file cannot hold one."""
    try:
        return read_secret(mqtt.password_file, "mqtt.password_file").decode()
    except UnicodeDecodeError:
        text = f"{mqtt.password_file} is not UTF-8, takes a password in it"
        raise ConfigFileError("mqtt.password_file", text) from None


def check_certificate_files(mqtt: sections.MqttSettings) -> None:
    """Raise ConfigError that names the key of the first file for TLS that cannot be used."""
    if mqtt.ca_file:
        read_file(mqtt.ca_file, "mqtt.ca_file")
        try:
            tls_context(mqtt.ca_file, None, None)
        except OSError:
            raise ConfigFileError("mqtt.ca_file", f"{mqtt.ca_file} has no certificate, takes PEM") from None
    if mqtt.cert_file and mqtt.key_file:
        read_file(mqtt.cert_file, "mqtt.cert_file")
        read_secret(mqtt.key_file, "mqtt.key_file")
        try:
            tls_context(mqtt.ca_file, mqtt.cert_file, mqtt.key_file)
        except OSError:
            raise _no_pair(mqtt.cert_file, mqtt.key_file) from None


def _no_pair(certificate: Path, key: Path) -> ConfigFileError:
    """Why TLS cannot use these two files."""
    from terminal.payby.key_files import CERTIFICATE, PRIVATE, find_key

    shown, own = find_key(certificate.read_bytes()), find_key(key.read_bytes())
    if shown.kind != CERTIFICATE and b"-----BEGIN CERTIFICATE-----" not in certificate.read_bytes():
        return ConfigFileError("mqtt.cert_file", f"{certificate} has {shown.what}, takes a certificate in PEM")
    if own.kind != PRIVATE or not own.what.startswith("PEM"):
        return ConfigFileError("mqtt.key_file", f"{key} has {own.what}, takes a private key in PEM without a password")
    text = f"{certificate} and mqtt.key_file ({key}) are no pair; they take a certificate and its key"
    return ConfigFileError("mqtt.cert_file", text)


def trusted(lift: sections.LiftSettings) -> signatures.TrustedKeys:
    """The keys whose lifts, commands, screens and heartbeats count; raises ConfigError that names the key of the wrong
    file."""
    for name, path in lift.trusted.items():
        key = f"lift.trusted.{name}"
        read_file(path, key)
        with _naming(key):
            signatures.load_trusted({name: path})
    with _naming("lift.trusted"):
        return signatures.load_trusted(lift.trusted)


def stations(settings: Settings) -> signatures.TrustedKeys | None:
    """The keys of pay stations; None if there are none. Raises ConfigError that names the key of the wrong file."""
    if settings.paystation is None:
        return None
    for name, path in settings.paystation.trusted.items():
        key = f"paystation.trusted.{name}"
        read_file(path, key)
        with _naming(key):
            signatures.load_trusted({name: path})
    own = settings.lift.trusted if settings.lift else {}
    if settings.lift:
        trusted(settings.lift)
    with _naming("paystation.trusted"):  # nor may a station have a worker's key, or a console's
        signatures.load_trusted({**own, **settings.paystation.trusted})
        return signatures.load_trusted(settings.paystation.trusted)


def signing_key(key: str, path: Path | None, lift: sections.LiftSettings) -> tuple[str, "Ed25519PrivateKey"]:
    """The private key of ``key`` (lift.private_key or console.lift_private_key), and the name by which it is trusted.
    Raises ConfigError."""
    names, path = trusted(lift), present(path, key)
    read_secret(path, key)
    with _naming(key):
        private = signatures.load_signing_key(path)
    kind, name = key.partition(".")[0].replace("lift", "worker"), names.name_of(private)
    if name is None or not name.startswith(kind):
        advice = "put its public half into lift.trusted, here and at every lane"
        raise ConfigError(f"{key}: lift.trusted has no {kind} with its public half", advice)
    return name, private


def payby_public_keys(payby: sections.PaybySettings) -> list["RSAPublicKey"]:
    """PayBy's public keys; raises ConfigError."""
    from terminal.payby.errors import BadKey
    from terminal.payby.signing import load_public_keys

    for path in payby.payby_public_key:
        read_file(path, "payby.payby_public_key")
    with _naming("payby.payby_public_key", BadKey):
        return load_public_keys(payby.payby_public_key)


def merchant_key(payby: sections.PaybySettings) -> "RSAPrivateKey":
    """The merchant's private key; raises ConfigError."""
    from terminal.payby.errors import BadKey
    from terminal.payby.signing import load_private_key

    path = present(payby.private_key, "payby.private_key")
    read_secret(path, "payby.private_key")
    with _naming("payby.private_key", BadKey):
        return load_private_key(path)


@contextmanager
def _naming(key: str, bad: type[Exception] = signatures.BadKeyFile) -> Iterator[None]:
    """Raise ConfigError with the configuration key in place of ``bad``, which says what is wrong with a key file."""
    try:
        yield
    except bad as error:
        raise ConfigFileError(key, str(error)) from None


def payby_client(
    payby: sections.PaybySettings,
    *,
    timeout_s: float | None = None,
    clock: Clock | None = None,
    may_call: Callable[[], bool] | None = None,
) -> "PayByClient":
    """PayBy's client, to be entered; ``timeout_s`` replaces the configured one. Raises ConfigError."""
    from terminal.payby.client import PayByClient

    return PayByClient(
        present(payby.base_url or None, "payby.base_url"),
        present(payby.partner_id or None, "payby.partner_id"),
        merchant_key(payby),
        payby_public_keys(payby),
        timeout_s=payby.timeout if timeout_s is None else timeout_s,
        clock=clock,
        user_agent=f"exit-terminal/{__version__}",
        may_call=may_call,
    )


def journal_database(settings: Settings) -> "DatabaseAddress":
    """The database of ``journal.url``. Raises ConfigError, also where the extra for it is not installed."""
    journal, garage = settings.need(sections.JournalSettings), settings.need(sections.GarageSettings)
    try:
        from terminal.journal.postgres.connection import DatabaseAddress
    except ImportError:
        text = "this program was installed without what it needs for a database"
        install = "run: sudo apt-get install libpq5, and pip install 'psycopg>=3.2.2' where this program is"
        raise ConfigError(f"journal.url: {text}", install) from None
    return DatabaseAddress(present(journal.url, "journal.url"), garage.id, journal.passfile)


def worker_history(settings: Settings) -> "JournalHistory":
    """The worker's journal for those who only read it. Raises ConfigError."""
    journal = settings.need(sections.JournalSettings)
    if journal.url:
        address = journal_database(settings)
        from terminal.journal.postgres.reading import DatabaseHistory

        return DatabaseHistory(address)
    from terminal.journal.history import FileHistory

    return FileHistory(present(journal.path, "journal.path"))


def cannot_listen(section: str, host: str, port: int, error: OSError) -> tuple[str, str, str]:
    """Why a server of ``section`` cannot listen there: returns the wrong key, what is wrong, and what to do."""
    place = f"{host}, port {port},"
    match error.errno:
        case errno.EADDRINUSE:
            own = f"{section}.port and mqtt.url" if section == "broker" else f"{section}.port"
            advice = f"stop the program that has it (`sudo ss -ltnp` names it), or correct {own}"
            return f"{section}.port", f"{place} is in use", advice
        case errno.EACCES:
            advice = f"correct {section}.port: 1024 or above; the reverse proxy has those below"
            return f"{section}.port", f"this user may not listen on port {port}", advice
        case errno.EADDRNOTAVAIL:
            advice = f"correct {section}.host: 127.0.0.1, or an address of this machine (`ip address` names them)"
            return f"{section}.host", f"{host} is no address of this machine", advice
        case number if isinstance(error, socket.gaierror) or (number or 0) < 0:  # asyncio keeps only its number
            advice = f"correct {section}.host: 127.0.0.1, or an address of this machine"
            return f"{section}.host", f"{host} is no name that this machine knows", advice
        case _:
            why = (error.strerror or type(error).__name__).lower()
            return f"{section}.port", f"{place} cannot be had: {why}", f"correct {section}.host and {section}.port"


def alerts_tls(alerts: AlertsSettings) -> ssl.SSLContext | None:
    """How the certificates of webhook and mail server are checked; None: by the system's authorities. Raises
    ConfigError."""
    if alerts.ca_file is None:
        return None
    read_file(alerts.ca_file, "alerts.ca_file")
    try:
        return tls_context(alerts.ca_file, None, None)
    except OSError:
        raise ConfigFileError("alerts.ca_file", f"{alerts.ca_file} has no certificate, takes PEM") from None


def mail_server(alerts: AlertsSettings, timeout_s: float) -> "SMTP":
    """A connection to the mail server, not entered yet: by TLS from the beginning (``smtps``), or by STARTTLS, without
    which nothing is sent except to this machine. Raises ConfigError."""
    from aiosmtplib import SMTP

    parts = urlsplit(present(alerts.smtp_url, "alerts.smtp_url"))
    secure, host = parts.scheme == "smtps", parts.hostname or ""
    is_here = host in ("localhost", "127.0.0.1", "::1")
    return SMTP(
        hostname=host,
        port=parts.port or (465 if secure else 587),
        use_tls=secure,
        start_tls=None if is_here or secure else True,
        tls_context=alerts_tls(alerts),
        timeout=timeout_s,
    )


def site(
    garage: sections.GarageSettings | None,
    lcd: LcdSettings | None,
    network: "Wifi | None" = None,
    lane: str = "",
) -> "Site":
    """What the screens of a lane say about their garage, and which lane it is."""
    from terminal.screen.view import Site

    names = (garage.name, garage.name_ar, garage.help_phone) if garage else ("", "", "")
    lanes = garage.lanes if garage else 1
    return Site(*names, lcd.digits if lcd else "latin", network, lanes, lane)


def wifi(lcd: LcdSettings) -> "Wifi":
    """The driver's network of ``lcd.wifi``; raises ConfigError."""
    from terminal.screen import wifi_page

    if (path := lcd.wifi_password_file) is None:
        return wifi_page.wifi(lcd.wifi)
    secret = read_secret(path, "lcd.wifi_password_file")
    if not re.fullmatch(rb"[ -~]{1,64}", secret):  # said here, because the words of a code's error would show it
        raise ConfigFileError("lcd.wifi_password_file", f"{path} has no password of 1 to 64 printable ASCII characters")
    return wifi_page.wifi(lcd.wifi, secret.decode("ascii"))


def cannot_show_wifi(error: Exception) -> ConfigError:
    """The panel is too small for the code of ``lcd.wifi``."""
    advice = "shorten lcd.wifi or its password, or leave both out"
    return ConfigError(f"lcd.wifi: the panel cannot show its code: {error}", advice)


def cannot_open(key: str, error: Exception) -> ConfigError:
    """A journal is another's: what JournalForeign and JournalLocked say, and what to do."""
    from terminal.journal.rows import JournalLocked

    if isinstance(error, JournalLocked):
        advice = f"stop the program that has it, or correct {key}: exactly one process writes a journal"
        return ConfigError(f"{key}: {error}", advice)
    return ConfigError(f"{key}: {error}", f"correct {key}")
