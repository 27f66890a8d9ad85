"""Real keys and signed lifts, for the tests of what opens the boom."""

import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal.contract.lift_rules import BarrierSituation, BarrierTrust
from terminal.contract.messages import Answer, Lift, Proof, Vehicle, stamp
from terminal.contract.signatures import TrustedKeys, sign_lift
from terminal.core.ids import derived_id, order_no
from terminal.payby.signing import sign
from tests.support.rsa_keys import rsa_key

NOW = 1_795_000_000_000
GARAGE, LANE, PAYEE = "marina", "exit-1", "200000000888"
SESSION = derived_id(NOW - 5_400_000, "stay")
CAR = derived_id(NOW - 60_000, "car")
NUMBER = order_no(GARAGE, LANE, SESSION, 1)
OTHER_CAR = derived_id(NOW, "another car")
NEXT = derived_id(NOW, "the next lift")
HEAD: dict[str, Any] = {"id": derived_id(NOW, "head"), "at": stamp(NOW)}


payby_key = rsa_key


@cache
def private_key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@cache
def trusted() -> TrustedKeys:
    return TrustedKeys({name: private_key(name).public_key() for name in ("worker", "worker-2", "console")})


def trust(**changes: Any) -> BarrierTrust:
    told: dict[str, Any] = {
        "garage": GARAGE,
        "lane": LANE,
        "trusted": trusted(),
        "payby_keys": [payby_key("payby").public_key()],
        "payee_mid": PAYEE,
    }
    return BarrierTrust(**{**told, **changes})


def situation(**changes: Any) -> BarrierSituation:
    told: dict[str, Any] = {"now_ms": NOW, "car": CAR, "down": True, "ids": (), "numbers": ()}
    return BarrierSituation(**{**told, **changes})


def paid_order(**changes: Any) -> dict[str, Any]:
    """An acquireOrder of PayBy's that is paid."""
    return {
        "merchantOrderNo": NUMBER,
        "orderNo": "131587112991000943",
        "status": "PAID_SUCCESS",
        "payeeMid": PAYEE,
        "totalAmount": {"amount": 20.0, "currency": "AED"},
        **changes,
    }


def notification(**changes: Any) -> str:
    return json.dumps({"notify_id": "202611220001", "acquireOrder": paid_order(**changes)})


def answer(**changes: Any) -> str:
    return json.dumps(
        {"head": {"applyStatus": "SUCCESS", "code": "0"}, "body": {"acquireOrder": paid_order(**changes)}}
    )


def proof(body: str | None = None, key: str = "payby", **changes: Any) -> Proof:
    """PayBy's words, by default a notification about an order with ``changes``, signed by PayBy."""
    body = notification(**changes) if body is None else body
    return Proof(body, sign(payby_key(key), body.encode()))


def fields_of(reason: str) -> dict[str, Any]:
    """What a good lift of this reason says, before it is signed."""
    fields: dict[str, Any] = {
        "id": derived_id(NOW, "lift", reason),
        "at": stamp(NOW),
        "session": SESSION,
        "car": CAR,
        "reason": reason,
        "by": "worker",
        "not_after": stamp(NOW + 30_000),
        "key": "worker",
    }
    if reason == "operator":
        fields |= {"by": "Amal", "note": "lost phone", "key": "console"}
    if reason in ("paid", "credit"):
        fields |= {"order_no": NUMBER, "amount": "20.00", "proof": proof()}
    return fields


def lift(reason: str = "paid", *, garage: str = GARAGE, lane: str = LANE, **changes: Any) -> Lift:
    """A lift, by default a good one, signed by the key that it names (``worker`` for a name that nobody has)."""
    fields = {**fields_of(reason), **changes}
    name = fields.pop("key")
    signer = private_key(name if name in ("worker", "worker-2", "console", "stranger") else "worker")
    return sign_lift(signer, garage, lane, key=name, **{k: v for k, v in fields.items() if v is not None})


def vehicle(car: str | None = CAR, *, waiting: bool = True, under_boom: bool = False) -> Vehicle:
    return Vehicle(**HEAD, waiting=waiting, car=car, under_boom=under_boom)


def raised(tried: Lift) -> Answer:
    return Answer(tried.id, "raised", None, tried.order_no)


class Reachable:
    """A PayBy that answers when its time is asked, and that nothing else is asked of: where it is not what is tested, a
    sandbox for each worker would only take time."""

    skew_ms: int | None = None

    async def probe(self) -> None:
        """It answers."""

    async def open_ahead(self) -> None:
        """There is nothing to open."""

    async def get_cashier_url_info(self, token_url: str) -> None:
        raise AssertionError("no order is open, so no code is asked about")
