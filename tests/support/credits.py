"""A pay station: the credits that it signs."""

from typing import Any

from terminal.clock import Clock, new_id
from terminal.contract.credit_messages import Credit
from terminal.contract.messages import stamp
from terminal.contract.signatures import TrustedKeys, sign_credit
from terminal.contract.topics import GARAGE_WIDE
from tests.support.lifts import GARAGE, private_key

STATION = "station-1"


def stations() -> TrustedKeys:
    return TrustedKeys({STATION: private_key(STATION).public_key()})


def credit(
    clock: Clock,
    session: str,
    *,
    signer: str = STATION,
    garage: str = GARAGE,
    key: str = STATION,
    ahead_s: float = 900,
    **changes: Any,
) -> Credit:
    """A signed credit, by default one that a stay was paid and has 15 minutes to leave."""
    now = clock.wall_ms()
    fields: dict[str, Any] = {
        "id": new_id(clock), "at": stamp(now), "session": session, "kind": "paid", "by": "level 2",
        "until": stamp(now + round(ahead_s * 1000)), "not_after": stamp(now + 30_000), "amount": "20.00",
    }  # fmt: skip
    return sign_credit(private_key(signer), garage, GARAGE_WIDE, key=key, **(fields | changes))
