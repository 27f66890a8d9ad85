"""Stays that left memory: which ones may leave, and where each is found again.

A garage sees more stays in a year than a small computer can hold. A stay of which nothing is owed or waited for any
more is written to the journal whole and kept in memory as a digest. When it is mentioned again, it comes back whole.
"""

import struct
from array import array
from itertools import chain

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
        case events.LiftAnswered() | events.StayFailed() | events.AlertTold() | events.AllowanceGiven():
            return event.session
        case events.CouponRead():
            return event.coupon
        case events.PassRead():
            return event.number
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


_LOST = 1 << 63
"""Marks the number of a GONE row, which names a session whose stay was in an older row that was pruned."""


class RestingStays:
    """Sessions, each with the number of the row that has its stay, in 16 bytes a session."""

    def __init__(self) -> None:
        self._digests = Digests()
        self._rows = tuple(array("Q") for _ in range(Digests.DRAWERS))
        """The row of each digest, in its place."""
        self._pruned = 0

    def __len__(self) -> int:
        return len(self._digests)

    def put(self, session: str, row: int) -> None:
        """Note that ``session`` is in ``row``."""
        self._note(Digests.of(session), row, anew=True)

    def row_of(self, session: str) -> int | None:
        """The row of the session's stay, 0 where it was pruned; None for a session that was never put here."""
        drawer, at, known = self._digests.place(Digests.of(session))
        if not known:
            return None
        row = self._rows[drawer][at]
        return row if self._pruned < row < _LOST else 0

    def prune(self, through: int) -> None:
        """Note that rows up to ``through`` are gone."""
        self._pruned = max(self._pruned, through)

    def gone(self, through: int) -> bytes:
        """The digests of all sessions that no row after ``through`` names: for a GONE row, and take_gone().

        Those that a GONE row after it names are not in it: each would otherwise be written anew at every pruning.
        """
        named = zip(self._digests, chain.from_iterable(self._rows), strict=True)
        digests = [digest for digest, row in named if row & ~_LOST <= through]
        return struct.pack(f">{len(digests)}Q", *digests)

    def take_gone(self, digests: bytes, row: int) -> None:
        """Note that the GONE row ``row`` has this list of sessions, which have lost their stays; one whose stay has a
        row keeps it. Raises struct.error."""
        for (digest,) in struct.iter_unpack(">Q", digests):
            self._note(digest, row | _LOST, anew=False)

    def _note(self, digest: int, row: int, *, anew: bool) -> None:
        drawer, at, known = self._digests.place(digest)
        if not known:
            self._digests.insert(drawer, at, digest)
            self._rows[drawer].insert(at, row)
        elif anew or not self._pruned < self._rows[drawer][at] < _LOST:
            self._rows[drawer][at] = row
