"""Every kind of row that worker and barrier write is read by reconcile, after refusals, prunings and repairs too."""

from pathlib import Path

import pytest

from terminal.contract.messages import encode
from terminal.core.events import EVENTS
from terminal.core.model import Rules
from terminal.journal import kinds
from terminal.journal.reading import read
from terminal.journal.rows import Row
from terminal.roles.barrier.spent_lifts import BarrierJournal, done_row, intent_row, refused_row
from terminal.tools.reconcile.journals import UnreadableRow, WorkerRecords, read_barrier, read_worker
from tests.support.barrier_journal import LIFTS, written
from tests.support.day import Told, papers, payment
from tests.support.evening import BALLAST, a_ledger, a_store, an_evening, filled, told
from tests.support.story import T0


def test_a_refused_lift_does_not_end_the_reading_of_a_barriers_journal(tmp_path: Path) -> None:
    path = tmp_path / "barrier.db"
    with BarrierJournal.open(path, T0, ballast_bytes=BALLAST) as book:
        for row in (
            refused_row(LIFTS[0], "car"),
            intent_row(LIFTS[1]),
            done_row(LIFTS[1]),
            refused_row(LIFTS[2], "car"),
        ):
            book.journal.append_now([row], T0)
    arm = read_barrier("barrier.db", read(path), WorkerRecords())
    assert [(pulse.intent.id, pulse.done) for pulse in arm.pulses] == [(LIFTS[1].id, True)]
    assert arm.lane == "exit-1"


def test_a_day_with_a_refused_lift_is_explained() -> None:
    story = Told()
    order = story.visits()
    rows = story.arms["exit-1"]
    rows.insert(0, Row(0, rows[0].at_ms, *refused_row(LIFTS[0], "signature")))
    report = story.report(papers(payment(order)))
    assert (report.unexplained, [line.kind for line in report.lines]) == (0, ["paid-opened"])


def test_a_repaired_barriers_journal_is_read_and_says_when_rows_were_lost(tmp_path: Path) -> None:
    path = written(tmp_path / "barrier.db")
    whole = bytearray(path.read_bytes())
    whole[whole.index(b'"by":"worker"') + 7] ^= 1
    path.write_bytes(whole)
    BarrierJournal.open(path, T0 + 5000, ballast_bytes=BALLAST).close()
    arm = read_barrier("barrier.db", read(path), WorkerRecords())
    assert arm.lost == (T0 + 5000,)
    assert len(arm.pulses) == sum(n % 10 != 3 for n in range(len(LIFTS))) - 1


def test_a_kind_that_is_none_of_the_barriers_ends_it_with_the_row() -> None:
    with pytest.raises(UnreadableRow, match="row 1 of kind 'TicketRead' is not a barrier's"):
        read_barrier("b.db", [Row(1, T0, "TicketRead", encode(LIFTS[0]))], WorkerRecords())


async def test_every_kind_that_the_worker_writes_is_one_of_those_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    _, facts = told(an_evening, "exit-1", "exit-2")
    await filled(path, facts, rows=25)
    written = {row.kind for row in read(path)}
    named = {kinds.WORDS, kinds.CHECKPOINT, kinds.SHELVED, kinds.RECALLED, kinds.NOTICE, kinds.GONE, kinds.REPAIRED}
    assert written <= named | EVENTS.keys()
    assert {kinds.WORDS, kinds.CHECKPOINT, kinds.SHELVED} <= written


async def test_after_a_repair_the_report_goes_on_from_the_next_checkpoint(tmp_path: Path) -> None:
    """What lies between the damage and the checkpoint is stepped on a state that nobody knows; then it is known."""
    path = tmp_path / "j.db"
    _, facts = told(an_evening, "exit-1", "exit-2")
    state = await filled(path, facts, rows=25)
    victim = next(row for row in read(path) if row.kind == "OrderReported")
    whole = bytearray(path.read_bytes())
    whole[whole.index(victim.data) + 30] ^= 1
    path.write_bytes(whole)
    with a_store(path) as store:
        event_store = a_ledger(store)
        event_store.replay()
        assert "nothing is in doubt" in store.damaged
        assert event_store.garage == state
    records = read_worker(read(path), Rules("marina"))
    assert len(records.lost) == 1
    wanted = {o.no: o.stage for stay in state.stays.values() for o in stay.orders}
    assert {no: order.stage for no, order in records.orders.items() if no in wanted} == wanted
    assert {p.order.no for p in records.paid.values()} >= {
        p.order_no for stay in state.stays.values() for p in stay.payments
    }


def test_both_roles_know_what_the_readers_know() -> None:
    assert {
        intent_row(LIFTS[0])[0],
        done_row(LIFTS[0])[0],
        refused_row(LIFTS[0], "car")[0],
        "repaired",
    } == kinds.BARRIERS
