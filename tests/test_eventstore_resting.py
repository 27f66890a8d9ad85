"""A ledger over a store that keeps more than rows: checkpoints, stays that leave memory, and facts that may wait.

The reference is a story's garage, which forgets nothing.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terminal.core import events as e
from terminal.core import model
from terminal.core.actions import Action
from terminal.core.invoice import Supplier
from terminal.core.model import Rules, Stay
from terminal.core.retention import slim
from terminal.core.rules import Change
from terminal.eventstore.store import EventStore
from terminal.journal import kinds
from terminal.journal.kinds import CHECKPOINT, GONE, RECALLED, SHELVED
from terminal.journal.rows import Row
from tests.support.memory_journal import MemoryJournal
from tests.support.pursuit_words import words
from tests.support.story import PROOF, T0, TOKEN, Story, an_id


class PrunedJournal(MemoryJournal):
    """One whose old rows are pruned."""

    def prune(self, event_store: EventStore) -> int:
        """As the worker does it: up to the last checkpoint; returns the last row that is gone, 0 without one."""
        through = max((row.seq for row in self.rows if row.kind == CHECKPOINT), default=1) - 1
        if through:
            gone = event_store.resting_stays.gone(through)
            self.rows.append(Row(self.rows[-1].seq + 1, 0, GONE, gone))
            event_store.prune(through, gone, self.rows[-1].seq)
            self.rows = [row for row in self.rows if row.seq > through]
        return through


def taken(event_store: EventStore, event: e.Event) -> Change:
    """What a store in memory, which nobody waits for, lets a ledger do at once."""
    with pytest.raises(StopIteration) as ended:
        event_store.take(event).send(None)
    change: Change = ended.value.value
    return change


class Told(Story):
    """A story whose facts are taken by a ledger as well."""

    def __init__(self, event_store: EventStore, **options: object) -> None:
        self.event_store = event_store
        super().__init__(**options)  # type: ignore[arg-type]

    def tell(self, event: e.Event) -> list[Action]:
        change = taken(self.event_store, event)
        actions = super().tell(event)
        assert change.actions == actions
        return actions


def a_ledger(memory: PrunedJournal, rows: int = 20) -> EventStore:
    return EventStore(Rules("marina"), memory, words, checkpoint_rows=rows)


def same(event_store: EventStore, story: Story, memory: PrunedJournal, *, gone: bool = False) -> None:
    """Everything that is not on the shelf is as it should be; and what is there is found as it was."""
    assert event_store.garage.lanes == story.garage.lanes
    for session, stay in story.garage.stays.items():
        found = event_store.find(session, memory.at)
        if found == Stay(session, left=0):
            assert gone
        else:
            assert found and slim(found) == slim(stay)


def visit(story: Story, session: str) -> None:
    """From driving up to driving off, as far as what was before lets it."""
    story.arrives()
    story.reads(session)
    if (stay := story.garage.stays.get(an_id("stay", session))) is None or not stay.orders:
        return
    story.payby("CREATED", session)
    story.wait(5)
    story.payby("PAID", session)
    if story.stay(session).grants:
        story.raises(session)
    story.wait(2)
    story.drives_through()
    story.wait(30)


def test_settled_stays_leave_memory_and_come_back_as_they_were() -> None:
    memory = PrunedJournal()
    story = Told(a_ledger(memory))
    for n in range(6):
        visit(story, f"s{n}")
        story.wait(700)
    assert len(story.event_store.garage.stays) <= 2
    same(story.event_store, story, memory)
    assert {SHELVED, CHECKPOINT} <= set(memory.kinds())
    session = an_id("stay", "s0")
    assert session not in story.event_store.garage.stays
    order = story.order("s0")
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at + 1, order_no=order.no)
    story.tell(command)
    assert story.event_store.garage.stays[session].refunds == story.stay("s0").refunds
    assert RECALLED in memory.kinds()


def test_a_stay_that_is_only_mentioned_rests_again() -> None:
    memory = PrunedJournal()
    story = Told(a_ledger(memory))
    for n in range(2):
        visit(story, f"s{n}")
        story.wait(700)
    used = an_id("stay", "s0")
    stays = story.event_store.garage.stays
    assert used not in stays
    story.arrives()
    story.reads("s0")  # help: its ticket is used, and nothing of the stay changes
    assert used in stays
    story.leaves_loop()
    for n in range(2, 4):
        story.wait(700)
        visit(story, f"s{n}")
    assert used not in stays
    same(story.event_store, story, memory)


def test_a_used_ticket_is_refused_when_its_stay_has_left_memory_and_when_its_row_is_pruned() -> None:
    memory = PrunedJournal()
    story = Told(a_ledger(memory))
    for n in range(8):
        visit(story, f"s{n}")
        story.wait(700)
    pruned = memory.prune(story.event_store)
    assert pruned and story.event_store.find(an_id("stay", "s0"), memory.at) == Stay(an_id("stay", "s0"), left=0)
    for session in ("s0", "s7"):
        story.arrives()
        story.reads(session)
        assert story.shows() == "help ticket-used"
    again = a_ledger(memory)
    again.replay()
    assert again.garage == story.event_store.garage


def on_the_shelf(memory: PrunedJournal) -> Told:
    """A story whose first stay, "s0", has left memory."""
    story = Told(a_ledger(memory))
    for n in range(3):
        visit(story, f"s{n}")
        story.wait(700)
    assert an_id("stay", "s0") not in story.event_store.garage.stays
    return story


def test_a_question_that_changes_nothing_leaves_the_stay_on_the_shelf() -> None:
    memory = PrunedJournal()
    story = on_the_shelf(memory)
    order, rows = story.order("s0"), len(memory.rows)
    assert story.reply(story.payby("PAID", "s0")) == "duplicate"
    assert (order.session in story.event_store.garage.stays, len(memory.rows)) == (False, rows)


def test_a_commit_that_fails_leaves_the_shelf_as_it_was() -> None:
    memory = PrunedJournal()
    story = on_the_shelf(memory)
    order = story.order("s0")
    memory.failing = True
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at + 1, order_no=order.no)
    with pytest.raises(OSError, match="full"):
        story.event_store.take(command).send(None)
    assert order.session not in story.event_store.garage.stays
    found = story.event_store.find(order.session, memory.at)
    assert found and found.payments and not found.refunds


async def test_what_a_loop_or_an_arm_shows_waits_for_the_next_commit() -> None:
    memory = PrunedJournal()
    event_store = a_ledger(memory)
    at = 1_790_000_000_000
    await event_store.take(e.BoomSeen(at, "exit-1", "down"))
    await event_store.take(e.VehicleSeen(at, "exit-1", True, False, an_id("car")))
    assert memory.commits == []
    await event_store.take(e.BoomSeen(at, "exit-1", "fault"))
    assert (len(memory.commits), memory.kinds()) == (1, ["BoomSeen", "VehicleSeen", "BoomSeen"])
    again = a_ledger(memory)
    again.replay()
    assert again.garage == event_store.garage


def tell_something(story: Story, dice: random.Random, sessions: int) -> None:
    """One more thing that may happen, likely or not."""
    session, lane = f"s{dice.randrange(sessions)}", dice.choice(("exit-1", "exit-2"))
    known = story.garage.stays.get(an_id("stay", session))
    order = dice.choice(known.orders) if known and known.orders else None
    match dice.randrange(12):
        case 0:
            story.arrives(lane)
        case 1 | 2:
            story.reads(session, lane, amount=dice.choice((2000, 0)))
        case 3 | 4 if order:
            story.payby(dice.choice(("CREATED", "PAID", "FAILURE")), order=order)
        case 5 if known and known.grants:
            story.answers(dice.choice(("raised", "refused", "unknown")), "car", session)
        case 6:
            story.boom(dice.choice(("rising", "up", "lowering", "down")), lane=lane)
        case 7:
            story.leaves_loop(lane, under=dice.random() < 0.5)
        case 8 if order:
            no = order.no
            story.tell(e.CommandGiven(story.at, lane, an_id(story.at), "refund", "o", story.at + 1, order_no=no))
        case 9 if known and known.refunds:
            refund = dice.choice(known.refunds)
            stage = dice.choice(("created", "settled", "success", "failed"))
            story.tell(e.RefundReported(story.at, refund.no, refund.order_no, stage))  # type: ignore[arg-type]
        case 10:
            story.tell(e.Started(story.at, "1"))
        case _:
            story.wait(dice.choice((1, 30, 120, 900)))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), prunes=st.booleans())
def test_any_story_replays_to_the_same_state_whatever_was_left_out_of_memory(seed: int, prunes: bool) -> None:
    dice = random.Random(seed)
    memory = PrunedJournal()
    story = Told(a_ledger(memory, rows=dice.choice((1, 5, 40))), lanes=("exit-1", "exit-2"))
    pruned = False
    for number in range(60):
        if dice.random() < 0.2:
            visit(story, f"s{100 + number}")
        else:
            tell_something(story, dice, 4)
        if prunes and dice.random() < 0.05:
            # A pruned stay is known as used and no more, so the reference must not hear of it again.
            pruned = memory.prune(story.event_store) > 0 or pruned
            if pruned:
                break
    same(story.event_store, story, memory, gone=pruned)
    story.tell(e.OrderReported(story.at, "no order of ours", "PAID", 1, story_proof()))  # takes what waits with it
    again = a_ledger(memory)
    again.replay()
    assert again.garage == story.event_store.garage
    assert again.words == story.event_store.words
    assert again.unlisted == story.event_store.unlisted
    same(again, story, memory, gone=pruned)


def story_proof() -> model.PaymentProof:
    return model.PaymentProof("{}", "")


async def test_the_damage_and_its_end_outlive_a_checkpoint() -> None:
    memory = PrunedJournal()
    event_store = a_ledger(memory, rows=1)
    at = 1_790_000_000_000
    await event_store.take(e.BoomSeen(at, "exit-1", "fault"))
    memory.rows.append(Row(9, at, "Damaged", b'{"at":%d,"text":"row 7"}' % at))
    event_store = a_ledger(memory, rows=1)
    event_store.replay()
    assert event_store.in_doubt
    await event_store.take(e.BoomSeen(at + 1, "exit-2", "fault"))
    assert memory.rows[-2].kind == CHECKPOINT
    event_store = a_ledger(memory)
    event_store.replay()
    assert event_store.in_doubt
    await event_store.take(e.Damaged(at + 2, "listed", listed=True))
    assert not event_store.in_doubt


def test_the_kind_of_a_checkpoint_is_the_journals() -> None:
    assert kinds.CHECKPOINT == CHECKPOINT


def test_stays_that_a_change_speaks_of_are_not_put_away_with_it() -> None:
    memory = PrunedJournal()
    story = Told(a_ledger(memory, rows=1000))
    visit(story, "a")
    visit(story, "b")
    story.at += 700_000
    report = e.OrderReported(story.at, story.order("a").no, "FAILURE", 2000, story_proof(), "1317", notified=True)
    story.tell(report)
    same(story.event_store, story, memory)


@pytest.mark.fault("rules-changed")
async def test_a_checkpoint_bears_the_rules_in_force() -> None:
    memory = PrunedJournal()
    event_store = a_ledger(memory, rows=1)
    laid_down = Rules("marina", exit_grace=60_000)
    await event_store.take(e.Started(T0, "1", laid_down))
    await event_store.take(e.BoomSeen(T0 + 1, "exit-1", "fault"))
    assert CHECKPOINT in [row.kind for row in memory.rows]
    memory.rows = [row for row in memory.rows if row.kind == CHECKPOINT]
    again = a_ledger(memory)
    again.replay()
    assert again.garage.rules == laid_down


@pytest.mark.parametrize("checkpoint_rows", [1, 1_000])
def test_the_numbers_of_invoices_go_on_after_a_kill_from_a_checkpoint_as_from_the_beginning(
    checkpoint_rows: int,
) -> None:
    """A number is in the journal with the fact that pays, or it was never given."""
    supplier = Supplier("Marina Parking", "", "Dubai", "", "100123456700003", "5")
    memory, numbers = MemoryJournal(), list[str]()
    for visit in ("a", "b", "c", "d"):
        event_store = EventStore(Rules("marina"), memory, words, checkpoint_rows=checkpoint_rows)
        event_store.replay()
        taken(event_store, e.Started(T0, "test", Rules("marina", supplier=supplier, mark="m")))
        taken(event_store, e.BoomSeen(T0, "exit-1", "down"))
        fee = model.ParkingFee(an_id("fee", visit), an_id("stay", visit), "t", 2000, "due", 90, an_id("car", visit))
        taken(event_store, e.VehicleSeen(T0, "exit-1", True, False, an_id("car", visit)))
        taken(event_store, e.TicketRead(T0, "exit-1", fee))
        no = event_store.garage.stays[an_id("stay", visit)].orders[-1].no
        taken(event_store, e.OrderReported(T0, no, "CREATED", 2000, PROOF, "1317", TOKEN))
        taken(event_store, e.OrderReported(T0, no, "PAID", 2000, PROOF, "1317"))
        (payment,) = event_store.garage.stays[an_id("stay", visit)].payments
        assert payment.invoice is not None
        numbers.append(payment.invoice.number.split("-")[2])
    assert numbers == ["000001", "000002", "000003", "000004"]
    assert any(row.kind == CHECKPOINT for row in memory.rows) == (checkpoint_rows == 1)
