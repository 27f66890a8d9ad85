"""PayBy's signature: SHA256withRSA (RSASSA-PKCS1-v1_5) over the raw body, as Base64 in the header ``sign``.

Requests, answers and notifications are signed alike. Verify the bytes as received, never rewritten JSON.
"""

import base64
import binascii
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .errors import BadKey, BadSignature
from .key_files import CERTIFICATE, PRIVATE, PUBLIC, find_key

MIN_KEY_BITS = 2048
_MAX_FILE = 64 * 1024  # far more than any RSA key; less than a device file or a log given by mistake
_PADDING = padding.PKCS1v15()
_HASH = hashes.SHA256()


def load_private_key(path: Path) -> rsa.RSAPrivateKey:
    """Read the merchant's key, RSA of at least 2048 bits and without a password: PEM, DER or bare Base64, of PKCS#8 or
    PKCS#1, in a file that is closed to others; raises BadKey, which says what was found instead."""
    found = find_key(_read(path, private=True))
    if found.kind != PRIVATE:
        raise BadKey(f"{path}: {found.what}; the merchant's private key is needed here, without a password")
    if not isinstance(found.key, rsa.RSAPrivateKey):
        raise BadKey(f"{path}: not an RSA key, but {found.what} of another kind")
    _check_size(path, found.key.key_size)
    return found.key


def load_public_keys(paths: Iterable[Path]) -> list[rsa.RSAPublicKey]:
    """Read PayBy's keys, at least one, each in its file: PEM, DER or bare Base64, of SubjectPublicKeyInfo, PKCS#1 or
    X.509 certificate; raises BadKey, which says what was found instead."""
    keys = []
    for path in paths:
        found = find_key(_read(path))
        if found.kind not in (PUBLIC, CERTIFICATE):
            raise BadKey(f"{path}: {found.what}; PayBy's public key is needed here")
        if not isinstance(found.key, rsa.RSAPublicKey):
            raise BadKey(f"{path}: not an RSA key, but {found.what} of another kind")
        _check_size(path, found.key.key_size)
        keys.append(found.key)
    if not keys:
        raise BadKey("PayBy's public key is missing")
    return keys


def sign(key: rsa.RSAPrivateKey, body: bytes) -> str:
    """The header ``sign`` for ``body``, which must be sent exactly as it is here."""
    return base64.b64encode(key.sign(body, _PADDING, _HASH)).decode("ascii")


def verify(keys: Sequence[rsa.RSAPublicKey], body: bytes, signature: str | None) -> None:
    """Return if one of ``keys`` signed ``body``, otherwise raise BadSignature.

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
                raise BadKey(f"{path}: others may read it; close it to them: chmod o= {path}")
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise BadKey(f"{path}: {error.strerror}") from None
    if len(data) > _MAX_FILE:
        raise BadKey(f"{path}: too large for a key")
    return data


def _check_size(path: Path, bits: int) -> None:
    if bits < MIN_KEY_BITS:
        raise BadKey(f"{path}: an RSA key of {bits} bits; PayBy takes {MIN_KEY_BITS} or more")
