"""Fresh keys and passwords, and a key's public half in every form that is asked for."""

import base64
import secrets

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from terminal.config.schema import ConfigError
from terminal.tools.init.folder import Folder

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
MERCHANT_BITS = 2048
"""What PayBy's guide asks for."""
UPLOAD = "upload"
"""The folder with the merchant's public half, for PayBy's portal: the same key in each file."""


def merchant(folder: Folder, name: str, public: str = f"{UPLOAD}/merchant") -> None:
    """The merchant's RSA pair; what a portal may want of its public half stands in UPLOAD, under names that begin with
    ``public``."""
    key = _private(folder, name, rsa.RSAPrivateKey)
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pkcs1 = key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    for file, content in (
        ("pub.pem", spki(key)),
        ("pub.pkcs1.pem", pkcs1),
        ("pub.base64", base64.b64encode(der) + b"\n"),
        ("pub.der", der),
    ):
        _public(folder, f"{public}.{file}", content, name)


def signer(folder: Folder, name: str) -> None:
    """An Ed25519 pair: ``<name>.pem`` and ``<name>.pub.pem``."""
    key = _private(folder, f"{name}.pem", ed25519.Ed25519PrivateKey)
    _public(folder, f"{name}.pub.pem", spki(key), f"{name}.pem")


def ticket(folder: Folder, name: str) -> None:
    """32 random bytes, as hex."""
    folder.write(name, secrets.token_hex(32).encode() + b"\n")


def password(folder: Folder, name: str) -> str:
    """Of an MQTT user: 43 characters of randomness; returns what the file says now."""
    folder.write(name, secrets.token_urlsafe(32).encode() + b"\n")
    return folder.read(name).decode("utf-8", "replace").strip()


def spki(key: PrivateKey) -> bytes:
    """The public half as PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key: PrivateKey) -> bytes:
    """The private half as PEM, without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _fresh(kind: type[PrivateKey]) -> PrivateKey:
    if kind is rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, MERCHANT_BITS)
    return ed25519.Ed25519PrivateKey.generate()


def _private(folder: Folder, name: str, kind: type[PrivateKey]) -> PrivateKey:
    """The key in that file, which is made where it is absent."""
    if not folder.has(name):
        folder.write(name, pkcs8(_fresh(kind)))
    else:
        folder.kept.append(name)
    try:
        key = load_pem_private_key(folder.read(name), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, kind):
        word = "RSA" if kind is rsa.RSAPrivateKey else "Ed25519"
        raise ConfigError(f"init: {folder.root / name} is no {word} key in PEM; move it away, and it is made anew")
    return key


def _public(folder: Folder, name: str, content: bytes, private: str) -> None:
    if not folder.write(name, content, 0o644) and folder.read(name).strip() != content.strip():
        raise ConfigError(
            f"init: {folder.root / name} is not the public half of {folder.root / private}; move one of them away"
        )
