"""Keys and passwords: are the files there and closed to others, and do the pairs match?"""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from terminal.config.load import read_secret, read_ticket_keys
from terminal.config.schema import ConfigError, LiftSettings, PaybySettings, Settings
from terminal.contract.access import KERB
from terminal.contract.signatures import BadKeyFile, load_signing_key, load_trusted
from terminal.payby.errors import BadKey
from terminal.payby.signing import load_private_key, load_public_keys
from terminal.tools.check.finding import Finding, Machine

_HOW = "see deploy/install.md, 3"


async def keys(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """PayBy's keys, the merchant's, those of lifts and of tickets; and no ticket key on a machine that stands at a
    lane."""
    if payby := settings.payby:
        yield _tried(
            "keys payby.payby_public_key", lambda: _payby_keys(payby), "download PayBy's public key from its portal"
        )
        if merchant := payby.private_key:
            yield _tried("key payby.private_key", lambda: _merchant_key(merchant), _HOW)
    if lift := settings.lift:
        yield _tried("keys lift.trusted", lambda: _trusted(lift), _HOW)
        if signer := lift.private_key:
            advice = "put its public half into lift.trusted, here and at every lane"
            yield _tried("key lift.private_key", lambda: _pair("lift.private_key", signer, lift, "worker"), advice)
        if settings.console and (operator := settings.console.lift_private_key):
            name = "console.lift_private_key"
            advice = "put its public half into lift.trusted, or leave both out until there is a console"
            yield _tried(f"key {name}", lambda: _pair(name, operator, lift, "console"), advice)
    if ticket := settings.ticket:
        advice = "openssl rand -hex 32 makes one; the entry terminal has the same"
        roles = settings.roles()
        if "worker" not in roles and not {*KERB}.isdisjoint(roles):
            text = "this lane's machine, which may be stolen, holds the keys that sign tickets"
            advice = "take [ticket] and its files off this machine: the worker alone needs them"
            yield Finding("keys ticket.keys", False, text, advice)
            return
        yield _tried("keys ticket.keys", lambda: f"{', '.join(read_ticket_keys(ticket))}; the first one signs", advice)


async def passwords(settings: Settings, _: Machine) -> AsyncIterator[Finding]:
    """The file with this machine's password for the broker; unproven where the embedded broker will make it."""
    if mqtt := settings.mqtt:
        path, name = mqtt.password_file, "password mqtt.password_file"
        if settings.broker and path.parent == settings.broker.users and not path.exists():
            yield Finding(name, True, "not there yet; the embedded broker will make it", but="unproven")
            return
        yield _tried(name, lambda: f"{len(read_secret(path, 'mqtt.password_file'))} characters", "chmod o= FILE")


def _tried(name: str, attempt: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(name, True, attempt())
    except (ConfigError, BadKey, BadKeyFile) as error:
        return Finding(name, False, str(error), advice)


def _payby_keys(payby: PaybySettings) -> str:
    found = load_public_keys(payby.payby_public_key)
    if payby.private_key:
        with suppress(BadKey):  # the merchant key's own line reports it
            if load_private_key(payby.private_key).public_key() in found:
                raise ConfigError("payby.payby_public_key: this is the merchant's own public key, not PayBy's")
    return f"{len(found)} of PayBy's"


def _merchant_key(path: Path) -> str:
    read_secret(path, "payby.private_key")
    return f"RSA, {load_private_key(path).key_size} bits"


def _trusted(lift: LiftSettings) -> str:
    load_trusted(lift.trusted)
    return ", ".join(lift.trusted)


def _pair(key: str, path: Path, lift: LiftSettings, kind: str) -> str:
    name = load_trusted(lift.trusted).name_of(load_signing_key(path))
    if name is None or not name.startswith(kind):
        raise ConfigError(f"{key}: lift.trusted has no {kind} with its public half")
    return f"fits lift.trusted.{name}"
