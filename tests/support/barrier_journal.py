"""A barrier's journal with some lifts in it."""

from pathlib import Path

from terminal.contract.messages import Lift
from terminal.core.ids import derived_id
from terminal.roles.barrier.spent_lifts import BarrierJournal, done_row, intent_row, refused_row
from tests.support.evening import BALLAST
from tests.support.story import T0, an_id

# The barrier's


def a_lift(n: int) -> Lift:
    stay = an_id("stay", n)
    return Lift(
        id=derived_id(T0 + n, "lift"), at="2026-09-21T14:00:00.000Z", session=stay, reason="paid", by="worker",
        not_after="2026-09-21T14:00:30.000Z", order_no=f"marina-exit-1-{stay.replace('-', '')}", key="worker",
        sign="c2lnbg==",
    )  # fmt: skip


LIFTS = [a_lift(n) for n in range(60)]


def written(path: Path) -> Path:
    """A barrier's closed journal: many lifts, some not done, some refused."""
    with BarrierJournal.open(path, T0, ballast_bytes=BALLAST) as book:
        for n, lift in enumerate(LIFTS):
            if n % 10 == 3:
                rows = [refused_row(lift, "car")]
            else:
                rows = [intent_row(lift)] if n % 10 == 7 else [intent_row(lift), done_row(lift)]
            book.journal.append_now(rows, T0 + n)
    return path


def spent(book: BarrierJournal) -> tuple[set[str], set[str], set[str], set[str]]:
    """Which of our lifts it knows as spent, which of their orders, which as unknown, which as refused."""
    known = book.spent
    return (
        {lift.id for lift in LIFTS if lift.id in known.ids},
        {lift.order_no or "" for lift in LIFTS if lift.order_no in known.numbers},
        known.unknown,
        {lift.id for lift in LIFTS if known.refused_before(lift)},
    )
