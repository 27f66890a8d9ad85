"""``init FOLDER --renew WHAT``: a new key beside the one that is in use, or a certificate and password in its place.

Nothing that is in use stops being valid by it: deploy/keys.md says how each key is changed without losing a car.
"""

import re
from collections.abc import Callable
from datetime import datetime

from terminal.config.schema import ConfigError, Settings
from terminal.contract.access import BOUND, SEVERAL, USERS, WATCHERS
from terminal.tools.init import broker, keys, layout, revocation
from terminal.tools.init.certificates import AUTHORITY, AUTHORITY_KEY, Authority, Issuer, issuer
from terminal.tools.init.folder import Folder

KEYS = ("merchant", "worker", "console", "ticket")
"""Keys that get another beside them, under the next number."""
PAGE = "deploy/keys.md"


def renew(what: str, folder: Folder, settings: Settings, now: datetime, say: Callable[[str], None]) -> None:
    """Make it anew and say what was made: one of KEYS, ``ca``, ``server`` (the broker's certificate), or a user of the
    broker. Raises ConfigError."""
    garage = settings.garage.id if settings.garage else "garage"
    match what:
        case "merchant":
            name = _next(folder, "secrets/merchant-{}.pem")
            keys.merchant(folder, name, f"{keys.UPLOAD}/{name.removeprefix('secrets/').removesuffix('.pem')}")
        case "worker" | "console":
            keys.signer(folder, _next(folder, f"secrets/{what}-{{}}.pem").removesuffix(".pem"))
        case "ticket":
            keys.ticket(folder, _next(folder, "secrets/ticket-k{}"))
        case "ca":
            _authority(folder, garage, now)
        case "server":
            _certificate(folder, issuer(folder, garage, now), broker.SERVER_FILES, _hosts(folder))
        case user if _is_user(user):
            _password(folder, user)
            ours = broker.is_ours(folder.root)
            makes = user == layout.REFUND_USER or user.partition(".")[0] in SEVERAL
            if folder.has(layout.certificate(user)[0]) or (ours and makes):
                _certificate(folder, issuer(folder, garage, now), layout.certificate(user), user)
            if ours:
                broker.write_users(folder, garage)
        case _:
            known = ", ".join((*KEYS, "ca", "server"))
            raise ConfigError(f"init: --renew: got {what[:40]!r}, takes {known}, or a user of the broker such as lane")
    say(f"Made anew in {folder.root}; what is in use goes on. {PAGE} says what to do next:")
    say("\n".join(f"  {name}" for name in sorted(set(folder.made))))


def _next(folder: Folder, pattern: str) -> str:
    """The first name of that pattern, from 2 on, that is free."""
    number = 2
    while folder.has(pattern.format(number)):
        number += 1
    return pattern.format(number)


def _is_user(name: str) -> bool:
    role, dot, lane = name.partition(".")
    return name in (*USERS, *WATCHERS) or bool(
        dot and role in (*BOUND, *SEVERAL) and re.fullmatch("[a-z0-9-]{1,16}", lane)
    )


def _password(folder: Folder, user: str) -> None:
    if folder.has(f"{layout.PASSWORDS}/{user}"):
        folder.set_aside(f"{layout.PASSWORDS}/{user}")
    keys.password(folder, f"{layout.PASSWORDS}/{user}")


def _certificate(folder: Folder, authority: Issuer, files: tuple[str, str], whose: str | list[str]) -> None:
    """A new key and a certificate for it; the old ones are set aside."""
    for name in files:
        if folder.has(name):
            folder.set_aside(name)
    if isinstance(whose, str):
        authority.client(*files, whose)
    else:
        authority.server(*files, whose)


def _hosts(folder: Folder) -> list[str]:
    """The names and addresses that the broker's certificate has now."""
    if not folder.has(broker.SERVER_FILES[0]):
        raise ConfigError(
            f"init: --renew server: {folder.root / broker.SERVER_FILES[0]} is absent; it was not made here"
        )
    return broker.hosts_of(folder.read(broker.SERVER_FILES[0]))


def _authority(folder: Folder, garage: str, now: datetime) -> None:
    """A new authority; its certificate stands before the old one's, so that whoever has the file trusts both."""
    if not folder.has(AUTHORITY_KEY):
        raise ConfigError(
            f"init: --renew ca: {folder.root / AUTHORITY_KEY} is absent; the garage's authority renews itself"
        )
    old = folder.read(AUTHORITY)
    folder.set_aside(AUTHORITY)
    folder.set_aside(AUTHORITY_KEY)
    Authority(folder, garage, now)
    folder.write(AUTHORITY, folder.read(AUTHORITY) + old, 0o644, replace=True)
    if broker.is_ours(folder.root):
        folder.write(f"{broker.BROKER}/certs/ca.crt", folder.read(AUTHORITY), 0o644, replace=True)
    if folder.has(revocation.LIST):
        revocation.write_list(
            folder, now
        )  # the new authority's too: without one the broker takes none of its certificates
