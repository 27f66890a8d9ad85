"""RSA keys as portals and tools hand them out: PEM, bare Base64 on one line or many, or DER.

Only a file's bytes tell what is in it. No text here repeats them.
"""

import base64
import binascii
import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_public_key,
)

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----(.*?)-----END \1-----", re.DOTALL)
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")
_PKCS12 = re.compile(rb"\x30.{1,5}\x02\x01\x03", re.DOTALL)
_ENCRYPTED = re.compile(rb"\x30.{1,5}\x30.{1,5}\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d", re.DOTALL)  # PBES2
_NO_KEY = (ValueError, TypeError, UnsupportedAlgorithm)  # their texts may contain parts of the key

_REMEMBERED = 8  # ours, two of PayBy's, and some of a garage's certificates

PRIVATE, PUBLIC, CERTIFICATE = "a private key", "a public key", "a certificate"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What is in a file, in words, and its key: a certificate's public key; None for a request."""

    what: str
    kind: str = ""
    key: Any = None


_found: dict[bytes, KeyFile] = {}
"""By their contents' SHA-256: the contents themselves are not kept."""


def find_key(data: bytes) -> KeyFile:
    """What is in a key file; raises nothing.

    The last few are remembered by their hashes: OpenSSL takes 50 ms to prove an RSA key, many times that on a small
    computer, and `check` meets the same file in several places.
    """
    digest = hashlib.sha256(data).digest()
    if (found := _found.pop(digest, None)) is None:
        found = _find(_plain(data))
        while len(_found) >= _REMEMBERED:
            _found.pop(next(iter(_found)), None)
    _found[digest] = found
    return found


def _find(data: bytes) -> KeyFile:
    if not data.strip():
        return KeyFile("an empty file")
    if begin := _BEGIN.search(data):
        return _pem(data, begin[1].decode())
    if data.startswith((b"ssh-", b"ecdsa-")):
        return _ssh(data)
    packed = b"".join(data.split())
    if _BASE64.fullmatch(packed):
        try:
            der = base64.b64decode(packed.rstrip(b"=") + b"=" * (-len(packed.rstrip(b"=")) % 4), validate=True)
        except binascii.Error:
            return KeyFile("Base64 that is cut off")
        if der.startswith(b"-----BEGIN "):
            return KeyFile("Base64 of a PEM file: decode it once")
        return _named("Base64", _der(der)) or KeyFile("Base64 of no key, or of one that is cut off")
    return _named("DER", _der(data)) or KeyFile("no key: neither PEM nor Base64 nor DER")


def _plain(data: bytes) -> bytes:
    """Undo what some editors do to a text: a byte order mark, or UTF-16."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace").encode(errors="replace")
    return data.removeprefix(b"\xef\xbb\xbf")


def _named(form: str, found: KeyFile | None) -> KeyFile | None:
    return found and KeyFile(f"{form} of {found.what}", found.kind, found.key)


def _pem(data: bytes, label: str) -> KeyFile:
    """Read a PEM block by its content: its label is not always right."""
    try:
        return KeyFile("PEM of a private key", PRIVATE, load_pem_private_key(data, None))
    except TypeError:
        return KeyFile("PEM of a private key with a password")
    except _NO_KEY:
        pass
    with contextlib.suppress(*_NO_KEY):
        return KeyFile("PEM of a public key", PUBLIC, load_pem_public_key(data))
    blocks = list(_PEM.finditer(data))
    for block in blocks:  # on one line, beside the chain, or a certificate
        packed = b"".join(block[2].replace(rb"\n", b"").split())
        with contextlib.suppress(binascii.Error):
            if found := _der(base64.b64decode(packed, validate=True)):
                return KeyFile(f"PEM of {found.what}", found.kind, found.key)
    state = "of no key, or of one that is damaged" if blocks else "that is cut off"
    return KeyFile(f"PEM ({label.lower()}) {state}")


def _ssh(data: bytes) -> KeyFile:
    try:
        return KeyFile("OpenSSH's line of a public key", PUBLIC, load_ssh_public_key(data))
    except _NO_KEY:
        return KeyFile("an OpenSSH line that is damaged")


def _der(der: bytes) -> KeyFile | None:
    for what, kind, load in _readers():
        try:
            key = load(der)
        except TypeError:  # it wants a password
            return KeyFile("a private key with a password")
        except _NO_KEY:
            continue
        return KeyFile(what, kind, key)
    if _ENCRYPTED.match(der):
        return KeyFile("a private key with a password")
    if _PKCS12.match(der):
        return KeyFile("a PKCS#12 store")
    return None


def _readers() -> Iterator[tuple[str, str, Callable[[bytes], Any]]]:
    yield "a private key", PRIVATE, lambda der: load_der_private_key(der, None)
    yield "a public key", PUBLIC, load_der_public_key
    from cryptography import x509  # by far the largest of them, and seldom needed

    yield "a certificate", CERTIFICATE, lambda der: x509.load_der_x509_certificate(der).public_key()
    yield "a certificate request", "", lambda der: x509.load_der_x509_csr(der) and None
