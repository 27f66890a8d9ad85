"""Mosquitto's files for a garage server, below ``mosquitto/``: to be copied to /etc/mosquitto as they are.

The access rules and the password file are made from what is known of the garage, and so are made anew with each lane;
its configuration and certificates are made once.
"""

import base64
import hashlib
import secrets
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from terminal.contract.access import SEVERAL, USERS, WATCHERS, mosquitto_acl
from terminal.tools.init.certificates import AUTHORITY, Issuer
from terminal.tools.init.folder import Folder
from terminal.tools.init.layout import PASSWORDS

BROKER = "mosquitto"
SERVER_FILES = f"{BROKER}/certs/server.crt", f"{BROKER}/certs/server.key"
"""The broker's certificate and its key."""
_GROUP = "mosquitto"
_OURS = ("localhost", "127.0.0.1", "::1")
_ROUNDS = 101
"""Mosquitto's own number: the passwords are 43 random characters, which need no slow hash."""


def write(folder: Folder, garage: str, url: str, authority: Issuer) -> None:
    """All of them; ``url``: where lanes reach the broker."""
    host = urlsplit(url).hostname or ""
    hosts = list(dict.fromkeys([host, *_OURS]))
    authority.server(*SERVER_FILES, hosts)
    for watcher in WATCHERS:  # for the bridge to the watchers' own broker: deploy/operations.md
        authority.client(f"{BROKER}/certs/{watcher}.crt", f"{BROKER}/certs/{watcher}.key", watcher, group=_GROUP)
    folder.write(f"{BROKER}/certs/ca.crt", folder.read(AUTHORITY), 0o644)
    shipped = files("terminal.tools.init").joinpath("mosquitto.conf").read_text(encoding="utf-8")
    folder.write(f"{BROKER}/mosquitto.conf", shipped.encode(), 0o644)
    write_users(folder, garage)


def hosts_of(certificate: bytes) -> list[str]:
    """The names and addresses that a certificate is for."""
    names = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(name.value) for name in names.value]


def lanes_of(folder: Folder) -> list[str]:
    """The lanes that have a user, in the order of their names."""
    return _bound(folder, "lane")


def _bound(folder: Folder, role: str) -> list[str]:
    """What stands behind the dot in the names of this role's users."""
    there = (path.name for path in (folder.root / PASSWORDS).glob(f"{role}.*") if path.suffix not in (".key", ".old"))
    return sorted(name.removeprefix(f"{role}.") for name in there)


def write_users(folder: Folder, garage: str) -> None:
    """The access rules and passwords of all users that there are now; rules that let the garage announce itself go on
    doing so."""
    lanes = lanes_of(folder)
    acl = f"{BROKER}/acl"
    discovery = folder.has(acl) and b" --discovery " in folder.read(acl)
    servers = sorted({server for role in SEVERAL for server in _bound(folder, role)})
    text = mosquitto_acl(garage, lanes, discovery=discovery, servers=servers)
    folder.write(acl, text.encode(), group=_GROUP, replace=True)
    second = [f"{role}.{server}" for role in SEVERAL for server in _bound(folder, role)]
    users = (*USERS, *WATCHERS, *(f"lane.{lane}" for lane in lanes), *second)
    lines = [_line(user, folder.read(f"{PASSWORDS}/{user}")) for user in users]
    folder.write(f"{BROKER}/passwords", "".join(lines).encode(), group=_GROUP, replace=True)


def _line(user: str, password: bytes) -> str:
    """As mosquitto_passwd writes it: PBKDF2 with SHA-512, salt and hash in Base64."""
    salt = secrets.token_bytes(12)
    made = hashlib.pbkdf2_hmac("sha512", password.removesuffix(b"\n"), salt, _ROUNDS)
    return f"{user}:$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}\n"


def is_ours(root: Path) -> bool:
    """Were Mosquitto's files made in this folder?"""
    return (root / BROKER / "acl").exists()
