"""Keys of a simulation: keyed hashes in the place of RSA and Ed25519, or the real ones.

The stand-ins have the methods that the product calls, so that its own signing and verifying code runs unchanged, and
they fail as the real ones fail. They keep nothing secret: whoever has the public half could sign. Nobody here does.
"""

import hashlib
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key

from terminal.contract.signatures import TrustedKeys


@dataclass(frozen=True, slots=True)
class HashKey:
    """Both halves of a pair, as cryptography's Ed25519 and RSA keys look to the product."""

    secret: bytes
    size: int
    """Bytes of a signature."""

    @property
    def key_size(self) -> int:
        return self.size * 8

    def public_key(self) -> "HashKey":
        return self

    def public_bytes(self, *_: object) -> bytes:
        return hashlib.blake2b(self.secret, digest_size=32).digest()

    def sign(self, data: bytes, *_: object) -> bytes:
        digest = hashlib.blake2b(data, key=self.secret, digest_size=32).digest()
        return digest * (self.size // 32)

    def verify(self, signature: bytes, data: bytes, *_: object) -> None:
        if signature != self.sign(data):
            raise InvalidSignature


@dataclass(frozen=True, slots=True)
class Keys:
    """Who signs what. ``stranger`` signs what must not be believed; ``secrets`` must show nowhere."""

    payby: RSAPrivateKey
    merchant: RSAPrivateKey
    stranger: RSAPrivateKey
    worker: Ed25519PrivateKey
    console: Ed25519PrivateKey
    intruder: Ed25519PrivateKey
    ticket: bytes
    other_ticket: bytes
    secrets: tuple[bytes, ...]

    @property
    def payby_public(self) -> tuple[RSAPublicKey, ...]:
        return (self.payby.public_key(),)

    def trusted(self) -> TrustedKeys:
        return TrustedKeys({"worker": self.worker.public_key(), "console": self.console.public_key()})


def hashed(dice: random.Random) -> Keys:
    """Stand-ins. A signature of theirs has 32 or 64 bytes."""

    def pair(size: int) -> Any:
        return HashKey(dice.randbytes(32), size)

    ticket, other = dice.randbytes(32), dice.randbytes(32)
    rsa = [cast(RSAPrivateKey, pair(32)) for _ in range(3)]
    ed25519 = [cast(Ed25519PrivateKey, pair(64)) for _ in range(3)]
    known = [ticket.hex().encode(), *(cast(HashKey, key).secret.hex().encode() for key in (*rsa, *ed25519))]
    return Keys(*rsa, *ed25519, ticket, other, tuple(known))


@lru_cache(maxsize=1)
def real() -> Keys:
    """RSA of 2048 bits and Ed25519: the same for all real lives of a process, since they cost a second to make."""
    rsa = [generate_private_key(65537, 2048) for _ in range(3)]
    ed25519 = [Ed25519PrivateKey.generate() for _ in range(3)]
    ticket, other = random.Random(1).randbytes(32), random.Random(2).randbytes(32)
    raw = [key.private_bytes_raw().hex().encode() for key in ed25519]
    return Keys(*rsa, *ed25519, ticket, other, (ticket.hex().encode(), *raw))
