"""Keys and passwords: are the files there and closed to others, and do the pairs match?"""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509

from terminal import build
from terminal.config.load import read_secret, read_ticket_keys
from terminal.config.schema import BrokerSettings, ConfigError, LiftSettings, MqttSettings, PaybySettings, Settings
from terminal.contract.access import KERB, USERS
from terminal.tools.check.finding import Finding, Machine

_HOW = "`exit-terminal init` makes it; see deploy/install.md, 2"
_SOON = timedelta(days=60)


async def keys(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """PayBy's keys, the merchant's, those of lifts and of tickets; and no ticket key on a machine that stands at a
    lane."""
    if payby := settings.payby:
        advice = "download PayBy's public key from its portal: deploy/payby.md, 2"
        yield _tried("keys payby.payby_public_key", lambda: _payby_keys(payby), advice)
        if merchant := payby.private_key:
            yield _tried("key payby.private_key", lambda: _merchant_key(payby, merchant), _HOW)
    if lift := settings.lift:
        trusted = _tried("keys lift.trusted", lambda: bool(build.trusted(lift)) and ", ".join(lift.trusted), _HOW)
        yield trusted
        for key, path in (
            ("lift.private_key", lift.private_key),
            ("console.lift_private_key", settings.console and settings.console.lift_private_key),
        ):
            if not path:
                continue
            name, advice = f"key {key}", "put its public half into lift.trusted, here and at every lane"
            if trusted.ok:
                yield _tried(name, partial(_signer, key, path, lift), advice)
            else:
                yield Finding(name, True, "not looked at: lift.trusted is to be mended first", but="unproven")
    if ticket := settings.ticket:
        advice = "`exit-terminal init` makes one; the entry terminal has the same"
        roles = settings.roles()
        if "worker" not in roles and not {*KERB}.isdisjoint(roles):
            text = "this lane's machine, which may be stolen, holds the keys that sign tickets"
            advice = "take [ticket] and its files off this machine: the worker alone needs them"
            yield Finding("keys ticket.keys", False, text, advice)
            return
        yield _tried("keys ticket.keys", lambda: f"{', '.join(read_ticket_keys(ticket))}; the first one signs", advice)
    if coupon := settings.coupon:
        advice = "make one with `openssl rand -hex 32`, and close it to others: chmod o="
        yield _tried("keys coupon.keys", lambda: f"{', '.join(read_ticket_keys(coupon))}; the first one signs", advice)
    if paystation := settings.paystation:
        advice = "put the station's public key there, in PEM: deploy/operations.md"
        yield _tried(
            "keys paystation.trusted", lambda: bool(build.stations(settings)) and ", ".join(paystation.trusted), advice
        )


async def passwords(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """The file with this machine's password for the broker; unproven where the embedded broker will make it."""
    mqtt, broker = settings.mqtt, settings.broker
    if broker and (wrong := _wrong_user_file(broker, mqtt.password_file if mqtt else None)):
        yield wrong
    if not mqtt:
        return
    name = "password mqtt.password_file"
    if broker and mqtt.password_file == broker.users / mqtt.username and not mqtt.password_file.exists():
        yield Finding(name, True, "not there yet; the embedded broker will make it", but="unproven")
        return
    advice = f"write the password of {mqtt.username} at the broker into that file"
    found = _tried(name, lambda: f"{len(build.password(mqtt))} characters", advice)
    if found.ok and broker and (other := _other_password(mqtt, broker)):
        found = Finding(name, False, other, f'password_file = "{broker.users / mqtt.username}" is the one to name')
    yield found


async def certificates(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """The files for TLS to the broker."""
    mqtt = settings.mqtt
    if not mqtt or not (mqtt.ca_file or mqtt.cert_file):
        return

    def usable() -> str:
        build.check_certificate_files(mqtt)
        return " and ".join(f"mqtt.{key}" for key in ("ca_file", "cert_file") if getattr(mqtt, key)) + " can be used"

    found = _tried("certificates", usable, "`exit-terminal init` makes them: deploy/install.md, 4")
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


def _wrong_user_file(broker: BrokerSettings, own: Path | None) -> Finding | None:
    """The first file of the embedded broker's users that it would refuse; those that are absent it makes, and ``own``
    has a line of its own."""
    name, folder = "users broker.users", broker.users
    advice = "give the folder and its files to the service's user, and close them to others"
    if folder.exists() and not folder.is_dir():
        return Finding(name, False, f"{folder} is no folder", "correct broker.users")
    for path in (folder / user for user in (*USERS, *broker.watchers)):
        if path != own and path.exists():
            try:
                read_secret(path, "broker.users")
            except ConfigError as error:
                return Finding(name, False, str(error), advice)
    return None


def _other_password(mqtt: MqttSettings, broker: BrokerSettings) -> str:
    """Why this password is not the one that the embedded broker has for its user."""
    theirs = broker.users / mqtt.username
    if mqtt.username not in USERS or mqtt.password_file == theirs:
        return ""
    if broker.users.exists() and not broker.users.is_dir():
        return ""  # told already
    if not theirs.exists():
        return f"the embedded broker makes {theirs}, with another password"
    if read_secret(theirs, "broker.users") != read_secret(mqtt.password_file, "mqtt.password_file"):
        return f"another password than {theirs}, where the embedded broker has it"
    return ""


def _tried(name: str, attempt: Callable[[], object], advice: str) -> Finding:
    """``advice`` is for a file that is absent or not what it should be; rights have an advice of their own."""
    try:
        return Finding(name, True, str(attempt()))
    except ConfigError as error:
        text = str(error)
    if "close it to them: " in text:
        text, _, command = text.partition("; close it to them: ")
        advice = f"sudo {command}"
    elif text.endswith("permission denied"):
        advice = "give the file to the service's user: sudo chown USER FILE"
    return Finding(name, False, text, advice)


def _payby_keys(payby: PaybySettings) -> str:
    found = build.payby_public_keys(payby)
    own = None
    if payby.private_key:
        with suppress(ConfigError):  # the merchant key's own line reports it
            own = build.merchant_key(payby).public_key()
    if own in found:
        raise ConfigError("payby.payby_public_key: this is the merchant's own public key, not PayBy's")
    return f"{len(found)} of PayBy's"


def _signer(key: str, path: Path, lift: LiftSettings) -> str:
    return f"fits lift.trusted.{build.signing_key(key, path, lift)[0]}"


def _merchant_key(payby: PaybySettings, path: Path) -> str:
    read_secret(path, "payby.private_key")
    return f"RSA, {build.merchant_key(payby).key_size} bits"
