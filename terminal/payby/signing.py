"""PayBy's signature: SHA256withRSA (RSASSA-PKCS1-v1_5) over the raw body, as Base64 in the header ``sign``.

Requests, answers and notifications are signed alike. The bytes as received are verified, never JSON written anew.
"""

import base64
import binascii
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .errors import BadKey, BadSignature

MIN_KEY_BITS = 2048
_MAX_PEM = 64 * 1024  # no PEM of an RSA key is near this; a device file or a log by mistake is over it
_PADDING = padding.PKCS1v15()
_HASH = hashes.SHA256()


def load_private_key(path: Path) -> rsa.RSAPrivateKey:
    """Read the merchant's key: PKCS#8 or PKCS#1 PEM without a password, RSA of at least 2048 bits, in a file that is
    closed to others; raises BadKey."""
    data = _read(path, private=True)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # their texts may speak of the key's content
        raise BadKey(f"{path}: not a private key in PEM without a password (PKCS#8 or PKCS#1)") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BadKey(f"{path}: not an RSA key")
    _check_size(path, key.key_size)
    return key


def load_public_keys(paths: Iterable[Path]) -> list[rsa.RSAPublicKey]:
    """Read PayBy's keys, one PEM file each (SubjectPublicKeyInfo or PKCS#1), at least one; raises BadKey."""
    keys = []
    for path in paths:
        data = _read(path)
        if b"PRIVATE KEY" in data:
            raise BadKey(f"{path}: a private key; PayBy's public key is needed here")
        try:
            key = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            raise BadKey(f"{path}: not a public key in PEM") from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise BadKey(f"{path}: not an RSA key")
        _check_size(path, key.key_size)
        keys.append(key)
    if not keys:
        raise BadKey("no public key of PayBy's is given")
    return keys


def sign(key: rsa.RSAPrivateKey, body: bytes) -> str:
    """The header ``sign`` for ``body``, which must go out exactly as it is here."""
    return base64.b64encode(key.sign(body, _PADDING, _HASH)).decode("ascii")


def verify(keys: Sequence[rsa.RSAPublicKey], body: bytes, signature: str | None) -> None:
    """Return if one of ``keys`` signed ``body``; raises BadSignature else.

    Strict Base64: one line, padded, nothing but its alphabet; and as long as the key's signatures are.
    """
    if not signature:
        raise BadSignature("absent")
    try:
        raw = base64.b64decode(signature.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        raise BadSignature("malformed") from None
    if base64.b64encode(raw).decode("ascii") != signature:  # b64decode skips what is not its alphabet, and stray bits
        raise BadSignature("malformed")
    fitting = [key for key in keys if len(raw) == (key.key_size + 7) // 8]
    if not fitting:
        raise BadSignature("malformed")
    for key in fitting:
        try:
            key.verify(raw, body, _PADDING, _HASH)
        except InvalidSignature:
            continue
        return
    raise BadSignature("wrong")


def _read(path: Path, *, private: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            if private and os.fstat(file.fileno()).st_mode & 0o007:
                raise BadKey(f"{path}: others may read it; chmod o= it")
            data = file.read(_MAX_PEM + 1)
    except OSError as error:
        raise BadKey(f"{path}: {error.strerror}") from None
    if len(data) > _MAX_PEM:
        raise BadKey(f"{path}: too large for a key")
    return data


def _check_size(path: Path, bits: int) -> None:
    if bits < MIN_KEY_BITS:
        raise BadKey(f"{path}: an RSA key of {bits} bits; PayBy takes {MIN_KEY_BITS} or more")
