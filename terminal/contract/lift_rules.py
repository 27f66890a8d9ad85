"""What raises the boom: the one function that says whether a lift may.

Everything that the barrier believes (terminal/contract/README.md, "What the barrier believes") is in refusal(), and
nothing else in the product decides it. ``signatures.py`` has signing and key files.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from terminal.contract.messages import MAX_BYTES, Lift, Proof, RefusalReason
from terminal.contract.signatures import (
    TrustedKeys,
    check_lift,
    untimely,
)
from terminal.core.ids import parse_order_no
from terminal.payby.errors import BadSignature, BadWords
from terminal.payby.messages import read_order
from terminal.payby.signing import verify

PROVED = ("paid", "credit")
"""The reasons for a lift that need PayBy's own words, and spend an order number."""

PROOF_BYTES = MAX_BYTES - 1024
"""How many bytes of JSON a lift has for its proof; everything else in it fits into the rest."""


@dataclass(frozen=True, slots=True)
class BarrierTrust:
    """What a barrier knows from its own configuration, and from nowhere else."""

    garage: str
    lane: str
    trusted: TrustedKeys
    payby_keys: Sequence[RSAPublicKey]
    payee_mid: str


@dataclass(frozen=True, slots=True)
class BarrierSituation:
    """What a barrier knows at this moment. ``now_ms``: its wall clock. ``car``: the vehicle that waits, by a live
    message of loops that are online; None if none waits, it has no name, or no loop speaks. ``down``: the boom is down
    and nothing is about to raise it. ``ids`` and ``numbers``: the lifts and order numbers spent here. ``waiting``: does
    a vehicle wait, by the same message; None if no loop speaks."""

    now_ms: int
    car: str | None
    down: bool
    ids: Container[str]
    numbers: Container[str]
    waiting: bool | None = None


def refusal(lift: Lift, trust: BarrierTrust, situation: BarrierSituation) -> RefusalReason | None:
    """None if ``lift`` may raise the boom now, otherwise the reason why not. Raises nothing and spends nothing.

    The order of the checks: an unsigned lift learns nothing else. A spent id is known as spent for ever, however late
    it is repeated. ``car`` and ``busy``, which may change in a moment, come after all lasting reasons, ``busy`` last.

    Anybody can copy a genuine lift so that the copy is refused for ``signature`` or, with another ``sign`` of its
    proof, for ``proof``: neither may have a consequence for the lift. All other reasons rest on what is signed.
    """
    if check_lift(lift, trust.garage, trust.lane, trust.trusted):
        return "signature"
    if lift.id in situation.ids:
        return "spent"
    if late := untimely(lift.not_after, situation.now_ms):
        return late
    if lift.reason in PROVED:
        if not _proved(lift, trust):
            return "proof"
        if lift.reason == "paid" and lift.order_no in situation.numbers:
            return "spent"
    if lift.car is not None and lift.car != situation.car:
        return "car"
    if lift.car is None and situation.waiting is False:
        return "car"
    return None if situation.down else "busy"


def fits(proof: Proof) -> bool:
    """Is there room for ``proof`` in a lift? A lift without its proof proves nothing to a barrier.

    Within the lift a body grows by a backslash before each quotation mark. JSON of up to 7 KiB always fits, with the
    signature of an RSA key of up to 4096 bits; PayBy's own bodies are far smaller.
    """
    try:
        return len(msgspec.json.encode(proof)) <= PROOF_BYTES
    except UnicodeEncodeError:  # half a surrogate pair, which no message can contain
        return False


def spends(lift: Lift) -> str | None:
    """The order number that the lift spends besides its id."""
    return lift.order_no if lift.reason in PROVED else None


def _proved(lift: Lift, trust: BarrierTrust) -> bool:
    """Do PayBy's own signed words say that this lift's order is paid to us?"""
    if lift.proof is None or lift.order_no is None or lift.amount is None:
        return False
    name = parse_order_no(lift.order_no)
    if name is None or name.garage != trust.garage:
        return False
    if lift.reason == "paid" and (name.lane, name.session) != (trust.lane, lift.session):
        return False
    try:
        body = lift.proof.body.encode()
        verify(trust.payby_keys, body, lift.proof.sign)
        order = read_order(body)
    except (BadSignature, BadWords, UnicodeEncodeError):
        return False
    return (
        order.is_paid
        and order.merchant_order_no == lift.order_no
        and order.payee_mid == trust.payee_mid
        and order.total_amount.currency == "AED"
        and order.total_amount.amount == Decimal(lift.amount)
    )
