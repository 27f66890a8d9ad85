"""Our own signatures: Ed25519 over the texts of terminal/contract/README.md, by named keys.

A worker's key (its name begins with ``worker``) signs screens, its own health, and lifts for a payment, a free stay or
credit. A console's key (``console``) signs commands, and an operator's lifts. Neither may sign for the other, and no
key has two names.
"""

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from msgspec.structs import replace

from terminal.contract.credit_messages import Credit
from terminal.contract.messages import Command, Health, Lift, Qr, Screen, moment

MAX_AHEAD_MS = 60_000
"""How far ahead a lift's or a command's ``not_after`` may be."""

SignerKind = Literal["worker", "console", "station"]
_NAME = re.compile(r"(worker|console|station)[A-Za-z0-9_.-]{0,56}")
_LIFT_SIGNERS: dict[str, SignerKind] = {"paid": "worker", "free": "worker", "credit": "worker", "operator": "console"}


class BadKeyFile(Exception):
    """A key file or the table of trusted keys cannot be used; the text never contains any part of a key."""


class TrustedKeys:
    """The trusted public keys, by their names."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        """Raises BadKeyFile for a name that begins with no kind, and for one key under two names."""
        self._keys = dict(keys)
        self._names: dict[bytes, str] = {}
        for name, key in self._keys.items():
            if not _NAME.fullmatch(name):
                raise BadKeyFile(f"trusted key {name!r}: its name must begin with worker, console or station")
            other = self._names.setdefault(_raw(key), name)
            if other != name:
                raise BadKeyFile(f"trusted keys {other!r} and {name!r} are the same key; each needs its own")

    def name_of(self, key: Ed25519PrivateKey) -> str | None:
        """The name of the key's public half; None if it is not trusted."""
        return self._names.get(_raw(key.public_key()))

    def fingerprints(self, kind: SignerKind) -> frozenset[str]:
        """Short names of the keys of that kind, whatever they are called here."""
        return frozenset(
            hashlib.sha256(raw).hexdigest()[:32] for raw, name in self._names.items() if name.startswith(kind)
        )

    def verifies(self, kind: SignerKind, name: str, signature: str, text: bytes) -> bool:
        """Did the key with this name, which must be of that kind, sign ``text``?"""
        key = self._keys.get(name)
        if key is None or not name.startswith(kind):
            return False
        try:
            raw = base64.b64decode(signature.encode("ascii"), validate=True)
            if base64.b64encode(raw).decode("ascii") != signature:  # stray bits in the last character
                return False
            key.verify(raw, text)
        except (binascii.Error, UnicodeEncodeError, InvalidSignature):
            return False
        return True


def load_trusted(paths: Mapping[str, Path]) -> TrustedKeys:
    """Read the public keys, PEM files by their names; raises BadKeyFile."""
    keys = {}
    for name, path in paths.items():
        try:
            key = load_pem_public_key(_read(path))
        except (ValueError, UnsupportedAlgorithm):
            raise BadKeyFile(f"{path}: not a public key in PEM") from None
        if not isinstance(key, Ed25519PublicKey):
            raise BadKeyFile(f"{path}: not an Ed25519 key")
        keys[name] = key
    return TrustedKeys(keys)


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key, PEM without a password, that others must not be able to read; raises BadKeyFile."""
    data = _read(path, secret=True)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKeyFile(f"{path}: not a private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadKeyFile(f"{path}: not an Ed25519 key")
    return key


def sign_lift(private: Ed25519PrivateKey, garage: str, lane: str, *, key: str, **fields: Any) -> Lift:
    """A signed Lift of these fields; ``key`` is the name of the public half in ``trusted``."""
    sign = _sign(private, lift_text(Lift(**fields, key=key, sign=""), garage, lane))
    return Lift(**fields, key=key, sign=sign)


def sign_screen(private: Ed25519PrivateKey, garage: str, lane: str, *, key: str, **fields: Any) -> Screen:
    """A signed Screen of these fields: in state ``pay``, or ``paid`` with an invoice's code."""
    sign = _sign(private, screen_text(Screen(**fields, key=key, sign=""), garage, lane))
    return Screen(**fields, key=key, sign=sign)


def sign_command(private: Ed25519PrivateKey, garage: str, lane: str, *, key: str, **fields: Any) -> Command:
    """A signed Command of these fields."""
    sign = _sign(private, command_text(Command(**fields, key=key, sign=""), garage, lane))
    return Command(**fields, key=key, sign=sign)


def sign_health(private: Ed25519PrivateKey, garage: str, lane: str, health: Health, *, key: str) -> Health:
    """A worker's signed health."""
    named = replace(health, key=key)
    return replace(named, sign=_sign(private, health_text(named, garage, lane)))


def check_health(health: Health, garage: str, lane: str, trusted: TrustedKeys) -> Literal["signature"] | None:
    """None if a worker of this garage signed it, otherwise why not."""
    if health.key is None or health.sign is None:
        return "signature"
    text = health_text(health, garage, lane)
    return None if trusted.verifies("worker", health.key, health.sign, text) else "signature"


def check_lift(lift: Lift, garage: str, lane: str, trusted: TrustedKeys) -> Literal["signature"] | None:
    """None if the right kind of key signed it for this lane. ``lift_rules.refusal`` decides what the lift may do."""
    kind = _LIFT_SIGNERS[lift.reason]
    return None if trusted.verifies(kind, lift.key, lift.sign, lift_text(lift, garage, lane)) else "signature"


def check_screen(screen: Screen, garage: str, lane: str, trusted: TrustedKeys) -> Literal["signature"] | None:
    """None if a worker signed the QR code of this screen for this lane. A code that expires is an order's, for ``pay``;
    one that does not is an invoice's, for ``paid``. So neither can stand for the other."""
    if screen.state not in ("pay", "paid") or screen.key is None or screen.sign is None:
        return "signature"
    if screen.qr is None or (screen.state == "pay") != (screen.expires is not None):
        return "signature"
    try:
        text = screen_text(screen, garage, lane)
    except ValueError:
        return "signature"
    return None if trusted.verifies("worker", screen.key, screen.sign, text) else "signature"


def check_command(
    command: Command, garage: str, lane: str, trusted: TrustedKeys, now_ms: int
) -> Literal["signature", "expired", "too-far"] | None:
    """None if a console signed the command for this lane and its deadline is good; the caller must know whether its id
    is spent. ``now_ms``: ms since the epoch by our own wall clock."""
    if not trusted.verifies("console", command.key, command.sign, command_text(command, garage, lane)):
        return "signature"
    return untimely(command.not_after, now_ms)


def check_credit(
    credit: Credit, garage: str, lane: str, trusted: TrustedKeys, now_ms: int
) -> Literal["signature", "expired", "too-far"] | None:
    """None if a pay station signed it for this garage, on this topic, and its deadline is good. ``now_ms``: ms since
    the epoch by our own wall clock."""
    if not trusted.verifies("station", credit.key, credit.sign, credit_text(credit, garage, lane)):
        return "signature"
    return untimely(credit.not_after, now_ms)


def sign_credit(private: Ed25519PrivateKey, garage: str, lane: str, *, key: str, **fields: Any) -> Credit:
    """A signed Credit of these fields; ``lane`` is that of its topic."""
    sign = _sign(private, credit_text(Credit(**fields, key=key, sign=""), garage, lane))
    return Credit(**fields, key=key, sign=sign)


def untimely(not_after: str, now_ms: int) -> Literal["expired", "too-far"] | None:
    """None if ``not_after`` lies ahead, and at most 60 s ahead."""
    ahead_ms = moment(not_after) - now_ms
    if ahead_ms <= 0:
        return "expired"
    return "too-far" if ahead_ms > MAX_AHEAD_MS else None


def lift_text(lift: Lift, garage: str, lane: str) -> bytes:
    """What the signature of a lift covers: everything in it but ``at`` and the proof's ``sign``, which is PayBy's own
    signature over the proof's body."""
    proof = None if lift.proof is None else hashlib.sha256(_utf8(lift.proof.body)).hexdigest()
    parts = (lift.id, lift.session, lift.car, lift.reason, lift.by, lift.note)
    return _text("lift", garage, lane, *parts, lift.not_after, lift.order_no, lift.amount, proof, lift.key)


def screen_text(screen: Screen, garage: str, lane: str) -> bytes:
    """What the signature of a screen covers; raises ValueError if its QR code does not have its size."""
    bits = None if screen.qr is None else hashlib.sha256(_modules(screen.qr)).hexdigest()
    return _text("screen", garage, lane, screen.id, screen.session, screen.amount, screen.expires, bits, screen.key)


def health_text(health: Health, garage: str, lane: str) -> bytes:
    """What the signature of a worker's health covers."""
    return _text("health", garage, lane, health.id, health.at, health.instance, health.rival, health.key)


def command_text(command: Command, garage: str, lane: str) -> bytes:
    """What the signature of a command covers."""
    parts = (command.id, command.command, command.by, command.session, command.not_after, command.order_no)
    return _text("command", garage, lane, *parts, command.amount, command.reason, command.key)


def credit_text(credit: Credit, garage: str, lane: str) -> bytes:
    """What the signature of a credit covers."""
    parts = (credit.id, credit.session, credit.kind, credit.by, credit.amount, credit.percent, credit.until)
    return _text("credit", garage, lane, *parts, credit.not_after, credit.key)


def _text(*parts: str | None) -> bytes:
    # No part can contain the separator: Message refuses it in signed fields, and topics in garage and lane.
    return _utf8("|".join(part or "" for part in parts))


def _utf8(text: str) -> bytes:
    """Half a surrogate pair, which no message can contain, makes a text that nobody signed, and no error."""
    return text.encode("utf-8", "surrogatepass")


def _modules(qr: Qr) -> bytes:
    """The symbol's modules as packed bytes. Their number is checked, so that the signature, which covers these bytes
    alone, fixes the size as well: no two sizes fill as many bytes."""
    try:
        bits = base64.b64decode(qr.bits.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("qr: bits are not base64") from None
    if len(bits) != (qr.size**2 + 7) // 8:
        raise ValueError(f"qr: {len(bits)} bytes do not hold {qr.size} x {qr.size} modules")
    return bits


def _sign(private: Ed25519PrivateKey, text: bytes) -> str:
    return base64.b64encode(private.sign(text)).decode("ascii")


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _read(path: Path, *, secret: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            if secret and os.fstat(file.fileno()).st_mode & 0o007:
                raise BadKeyFile(f"{path}: others may read it; close it to them: chmod o= {path}")
            return file.read(64 * 1024)
    except OSError as error:
        raise BadKeyFile(f"{path}: {error.strerror}") from None
