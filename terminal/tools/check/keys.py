"""Keys and passwords: are the files there and closed to others, and do the pairs match?"""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509

from terminal import build
from terminal.config.broker_files import check_own_password, check_user_files
from terminal.config.file_errors import ConfigFileError
from terminal.config.load import read_ticket_keys
from terminal.config.schema import ConfigError, LiftSettings, PaybySettings, Settings
from terminal.contract.access import KERB, USERS
from terminal.tools.check.finding import Finding, Machine

_LIFT_FIRST = "not looked at: lift.trusted is to be mended first"
_SOON = timedelta(days=60)


async def keys(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """PayBy's keys, the merchant's, those of lifts and of tickets; and no ticket key on a machine that stands at a
    lane."""
    if payby := settings.payby:
        yield _tried("keys payby.payby_public_key", lambda: _payby_keys(payby))
        if payby.private_key:
            yield _tried("key payby.private_key", lambda: _merchant_key(payby))
    trusted = None
    if lift := settings.lift:
        trusted = _tried("keys lift.trusted", lambda: bool(build.trusted(lift)) and ", ".join(lift.trusted))
        yield trusted
        for key, path in (
            ("lift.private_key", lift.private_key),
            ("console.lift_private_key", settings.console and settings.console.lift_private_key),
        ):
            if not path:
                continue
            if trusted.ok:
                yield _tried(f"key {key}", partial(_signer, key, path, lift))
            else:
                yield Finding(f"key {key}", True, _LIFT_FIRST, but="unproven")
    if ticket := settings.ticket:
        roles = settings.roles()
        if "worker" not in roles and not {*KERB}.isdisjoint(roles):
            text = "this lane's machine, which may be stolen, holds the keys that sign tickets"
            advice = "take [ticket] and its files off this machine: the worker alone needs them"
            yield Finding("keys ticket.keys", False, text, advice)
            return
        yield _tried("keys ticket.keys", lambda: f"{', '.join(read_ticket_keys(ticket))}; the first one signs")
    if coupon := settings.coupon:
        yield _tried("keys coupon.keys", lambda: f"{', '.join(read_ticket_keys(coupon))}; the first one signs")
    if paystation := settings.paystation:
        name = "keys paystation.trusted"
        if trusted and not trusted.ok:
            yield Finding(name, True, _LIFT_FIRST, but="unproven")
        else:
            yield _tried(name, lambda: bool(build.stations(settings)) and ", ".join(paystation.trusted))


async def passwords(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """The file with this machine's password for the broker; unproven where the embedded broker will make it."""
    mqtt, broker = settings.mqtt, settings.broker
    if broker:
        try:
            check_user_files(broker, (*USERS, *broker.watchers), mqtt.password_file if mqtt else None)
        except ConfigError as error:
            yield Finding("users broker.users", False, error.text, error.advice)
    if not mqtt:
        return
    name = "password mqtt.password_file"
    if broker and mqtt.password_file == broker.users / mqtt.username and not mqtt.password_file.exists():
        yield Finding(name, True, "not there yet; the embedded broker will make it", but="unproven")
        return

    def usable() -> str:
        characters = len(build.password(mqtt))
        if broker:
            check_own_password(broker, mqtt, USERS)
        return f"{characters} characters"

    yield _tried(name, usable)


async def certificates(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """The files for TLS to the broker."""
    mqtt = settings.mqtt
    if not mqtt or not (mqtt.ca_file or mqtt.cert_file):
        return

    def usable() -> str:
        build.check_certificate_files(mqtt)
        return " and ".join(f"mqtt.{key}" for key in ("ca_file", "cert_file") if getattr(mqtt, key)) + " can be used"

    found = _tried("certificates", usable)
    yield found
    if found.ok and mqtt.cert_file and (name := _common_name(mqtt.cert_file)) != mqtt.username:
        text = f"{mqtt.cert_file} is {name}'s, and mqtt.username is {mqtt.username}: on a broker that takes the name"
        text += f" from the certificate, as `init` makes it, this machine is {name}"
        advice = "name the certificate of that user, or correct mqtt.username"
        yield Finding("certificate mqtt.cert_file", True, text, advice, but="warning", about="mqtt.cert_file")
    if found.ok and mqtt.url.startswith("mqtts:"):
        now = datetime.now(UTC)
        for key, path in (("mqtt.ca_file", mqtt.ca_file), ("mqtt.cert_file", mqtt.cert_file)):
            if path and (said := _ends(path, now)):
                text, over = said
                advice = "issue it anew before that day, at the broker's authority"
                yield Finding(f"certificate {key}", not over, text, advice, but="" if over else "warning")


def _common_name(path: Path) -> str:
    """The name that the broker takes for the user's."""
    subject = x509.load_pem_x509_certificates(path.read_bytes())[0].subject
    names = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else "nobody"


def _ends(path: Path, now: datetime) -> tuple[str, bool] | None:
    """In words, where the certificate's time is over, has not begun, or ends soon; and whether it is of no use now."""
    certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        return f"{path} ended on {ends:%Y-%m-%d}", True
    if now < begins:
        return f"{path} begins on {begins:%Y-%m-%d}: is this machine's clock right?", True
    return (f"{path} ends on {ends:%Y-%m-%d}", False) if ends - now < _SOON else None


def _tried(name: str, attempt: Callable[[], object]) -> Finding:
    try:
        return Finding(name, True, str(attempt()))
    except ConfigError as error:
        return Finding(name, False, error.text, error.advice)


def _payby_keys(payby: PaybySettings) -> str:
    found = build.payby_public_keys(payby)
    own = None
    if payby.private_key:
        with suppress(ConfigError):  # the merchant key's own line reports it
            own = build.merchant_key(payby).public_key()
    if own in found:
        raise ConfigFileError("payby.payby_public_key", "this is the merchant's own public key, not PayBy's")
    return f"{len(found)} of PayBy's"


def _signer(key: str, path: Path, lift: LiftSettings) -> str:
    return f"fits lift.trusted.{build.signing_key(key, path, lift)[0]}"


def _merchant_key(payby: PaybySettings) -> str:
    return f"RSA, {build.merchant_key(payby).key_size} bits"
