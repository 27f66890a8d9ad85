"""What this machine knows of an order: the worker's journal tells, if it is here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from terminal import build
from terminal.config import schema as sections
from terminal.config.schema import Settings
from terminal.core import ids, money
from terminal.core.actions import Pursuit
from terminal.core.model import Stay
from terminal.eventstore.store import EventStore
from terminal.journal.history import JournalHistory
from terminal.journal.rows import JournalError, Row

WELL, ILL = ("settled", "success"), ("failed",)
"""How a refund may end."""


@dataclass(frozen=True, slots=True)
class RefundWish:
    """The refund that is asked for; ``fils`` None: all that is left of the payment."""

    order_no: str
    lane: str
    session: str
    fils: int | None
    reason: str


_HELD = {
    "lift": "its lift is under way",
    "raised": "the boom rose",
    "credit": "credit for its ticket",
    "refund": "a refund is under way",
    "refunded": "refunded",
    "used": "its car left under another's raise, or under an open arm",
    "person": "a person must decide",
}


class _ReadOnlyJournal:
    """The worker's journal for an EventStore that only replays."""

    def __init__(self, history: JournalHistory) -> None:
        self._history = history

    def replay(self) -> Iterable[Row]:
        return self._history.read()

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        raise AssertionError("only the worker writes its journal")

    def note(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> None:
        raise AssertionError("only the worker writes its journal")

    async def fetch(self, seq: int) -> bytes | None:
        raise AssertionError("nothing is told to it, so no stay has to come back")


def look_up(settings: Settings, session: str) -> Stay | None:
    """A stay from the worker's journal, which may be in use; None if the journal is not on this machine or does not
    know the stay. Raises JournalError."""
    if settings.journal is None or not (history := build.worker_history(settings)).exists():
        return None
    event_store = EventStore(build.rules(settings), _ReadOnlyJournal(history), _no_words)
    event_store.replay()

    def fetch(seq: int) -> bytes | None:
        row = history.row(seq)
        return row.data if row else None

    return event_store.find(session, fetch)


def _no_words(pursuit: Pursuit) -> bytes:
    raise AssertionError(f"a replay asks for no words, and was asked for {pursuit}")


def about(settings: Settings, wish: RefundWish) -> Iterator[str]:
    """What a person should know before giving the money back."""
    yield f"order {wish.order_no} (help code {ids.help_code(wish.session)})"
    there = False
    try:
        there = settings.journal is not None and build.worker_history(settings).exists()
        stay = look_up(settings, wish.session)
    except JournalError as error:
        stay = None
        yield f"the worker's journal here cannot be read: {error}"
    order = stay.order(wish.order_no) if stay else None
    payment = stay.payment(wish.order_no) if stay else None
    left: int | None = None
    if stay is None or order is None:
        yield f"the worker's journal {'does not hold this order' if there else 'is not on this machine'}"
    elif payment is None:
        yield f"AED {money.text(order.amount)}, {order.stage}: no payment is known"
    else:
        at = datetime.fromtimestamp(payment.paid / 1000, ZoneInfo(settings.need(sections.GarageSettings).timezone))
        yield f"AED {money.text(payment.amount)} paid on {at:%Y-%m-%d} at {at:%H:%M:%S}; {_HELD[payment.holder]}"
        left = payment.amount
        for refund in (refund for refund in stay.refunds if refund.order_no == wish.order_no):
            left -= refund.amount if refund.stage not in ILL else 0
            amount = money.text(refund.amount)
            yield f"refund {refund.no}: AED {amount} {refund.stage}, {refund.reason} (by {refund.by})"
        yield f"left of it: AED {money.text(max(0, left))}"
    what = f"AED {money.text(wish.fils)}" if wish.fils is not None else "all that is left"
    yield f"to give back: {what}{f', {wish.reason}' if wish.reason else ''}"
