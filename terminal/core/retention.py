"""Stays that left memory: which ones may leave, and where each is found again.

A garage sees more stays in a year than a small computer can hold. A stay of which nothing is owed or waited for any
more is written to the journal whole and kept in memory as a digest. When it is mentioned again, it comes back whole.
"""

import struct
from array import array

from terminal.core import events
from terminal.core.digests import Digests
from terminal.core.ids import parse_order_no
from terminal.core.model import Payment, PaymentProof, Stay
from terminal.core.outbox import settled
from terminal.core.rules.limits import REMIND_MS
from terminal.core.value import replace

REST_MS = 10 * 60_000
"""How long a settled stay remains in memory: most of what is still said about one is said soon."""
NO_PROOF = PaymentProof("", "")


def rests_until(stay: Stay, now: int) -> int | None:
    """When (ms) a stay may leave memory, by what is known ``now``; None while anything of it is owed or waited for.

    What waits for a person, or may not have been told yet, is told again at every start, so it remains until then.
    """
    if not settled(stay):
        return None
    told = [p.paid + REMIND_MS for p in stay.payments if p.holder == "person"]
    told += [o.placed + REMIND_MS for o in stay.orders if o.stage == "quarantined"]
    told += [untold.since + REMIND_MS for untold in stay.untold]
    return max(now + REST_MS, *told) if told else now + REST_MS


def slim(stay: Stay) -> Stay:
    """The stay without the proofs that can no longer lift: its car has left, and the money is spent or given back."""
    if stay.left is None:
        return stay
    return replace(stay, payments=tuple(_slim(p) for p in stay.payments))


def _slim(payment: Payment) -> Payment:
    return replace(payment, proof=NO_PROOF) if payment.holder in ("raised", "refunded") else payment


def session_of(event: events.Event) -> str | None:
    """The session that an event is about, if it may be one that was settled long ago."""
    match event:
        case events.TicketRead(fee=fee):
            return fee.session
        case events.LiftAnswered() | events.StayFailed() | events.AlertTold():
            return event.session
        case (
            events.OrderReported()
            | events.OrderScanned()
            | events.OrderUnheard()
            | events.OrderDenied()
            | events.RefundReported()
            | events.RefundUnheard()
        ):
            name = parse_order_no(event.order_no)
        case events.CommandGiven(order_no=str(order_no)):
            name = parse_order_no(order_no)
        case _:
            return None
    return name.session if name else None


class RestingStays:
    """Sessions, each with the number of the row that has its stay, in 16 bytes a session."""

    def __init__(self) -> None:
        self._digests = Digests()
        self._rows = array("Q")
        self._pruned = 0

    def __len__(self) -> int:
        return len(self._digests)

    def put(self, session: str, row: int) -> None:
        """Note that ``session`` is in ``row``."""
        at, known = self._digests.place(session)
        if known:
            self._rows[at] = row
        else:
            self._digests.add(session)
            self._rows.insert(at, row)

    def row_of(self, session: str) -> int | None:
        """The row of the session's stay, 0 where it was pruned; None for a session that was never put here."""
        at, known = self._digests.place(session)
        if not known:
            return None
        return self._rows[at] if self._rows[at] > self._pruned else 0

    def prune(self, through: int) -> None:
        """Note that rows up to ``through`` are gone."""
        self._pruned = max(self._pruned, through)

    def gone(self, through: int) -> bytes:
        """The digests of all sessions that are lost with the rows up to ``through``, or before; for take_gone()."""
        limit = max(through, self._pruned)
        digests = [d for d, row in zip(self._digests, self._rows, strict=True) if row <= limit]
        return struct.pack(f">{len(digests)}Q", *digests)

    def take_gone(self, digests: bytes) -> None:
        """Note the digests from gone() as sessions without a row; one that has a row keeps it. Raises struct.error."""
        known = dict(zip(self._digests, self._rows, strict=True))
        for (digest,) in struct.iter_unpack(">Q", digests):
            known.setdefault(digest, 0)
        self._digests = Digests(known)
        self._rows = array("Q", (known[d] for d in self._digests))
