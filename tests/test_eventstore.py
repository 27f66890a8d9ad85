"""Events in the journal, and the state that follows: what is written, what is not, and what a replay gives."""

import pytest

from terminal.clock import Steady
from terminal.core import events as e
from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, Pursuit, PursuitKey, key_of
from terminal.core.clock_turn import BACK_MS
from terminal.core.ids import lift_id
from terminal.core.model import ParkingFee, Rules
from terminal.eventstore.store import EventStore
from terminal.journal.kinds import WORDS
from tests.support.memory_journal import MemoryJournal
from tests.support.pursuit_words import words
from tests.support.story import PROOF, T0, TOKEN, an_id

LANE = "exit-1"
DAY_MS = 24 * 60 * 60_000
YEARS = 73 * 365 * 86_400_000


def a_ledger(memory: MemoryJournal) -> EventStore:
    return EventStore(Rules("marina"), memory, words)


def ticket(at: int = T0) -> e.TicketRead:
    return e.TicketRead(at, LANE, ParkingFee(an_id("fee"), an_id("stay"), "t", 2000, "due", 90))


async def placed(memory: MemoryJournal) -> EventStore:
    event_store = a_ledger(memory)
    await event_store.take(e.BoomSeen(T0, LANE, "down"))
    await event_store.take(ticket())
    return event_store


def order_no(event_store: EventStore) -> str:
    return event_store.garage.stays[an_id("stay")].orders[-1].no


@pytest.mark.fault("cut-before-order")
async def test_an_event_and_the_words_it_makes_us_say_are_one_commit() -> None:
    memory = MemoryJournal()
    event_store = await placed(memory)
    no = order_no(event_store)
    assert [row.kind for row in memory.commits[-1]] == ["BoomSeen", "TicketRead", WORDS]
    assert event_store.words == {PursuitKey("placeOrder", no): f"PlaceOrder of {no} at {T0}\n".encode()}


@pytest.mark.fault("cut-before-order")
async def test_a_replay_gives_the_same_state_and_the_same_words() -> None:
    memory = MemoryJournal()
    event_store = await placed(memory)
    no = order_no(event_store)
    await event_store.take(e.OrderReported(T0 + 1, no, "CREATED", 2000, PROOF, "1317", TOKEN))
    await event_store.take(e.TimePassed(T0 + 110_000, lane=LANE))
    await event_store.take(e.OrderReported(T0 + 111_000, no, "PAID", 2000, PROOF, "1317", notified=True))
    again = a_ledger(memory)
    assert again.replay() == len(memory.rows)
    assert (again.garage, again.words, again.last_at) == (event_store.garage, event_store.words, T0 + 111_000)


async def test_words_are_made_once_though_the_state_is_asked_again() -> None:
    memory = MemoryJournal()
    event_store = await placed(memory)
    await event_store.take(e.OrderUnheard(T0 + 5000, order_no(event_store), "placeOrder", "time-out"))
    assert [row.kind for row in memory.commits[-1]] == ["OrderUnheard"]


async def test_what_changes_nothing_and_tells_no_person_is_not_written() -> None:
    memory = MemoryJournal()
    event_store = await placed(memory)
    await event_store.take(e.OrderReported(T0 + 1, order_no(event_store), "CREATED", 2000, PROOF, "1317", TOKEN))
    count = len(memory.commits)
    for second in range(1, 36):
        await event_store.take(
            e.OrderReported(T0 + 3000 * second, order_no(event_store), "CREATED", 2000, PROOF, "1317", TOKEN)
        )
        await event_store.take(e.BoomSeen(T0 + 3000 * second, LANE, "down"))
    assert len(memory.commits) == count


async def test_a_replay_steps_by_the_rules_of_the_first_start_whatever_those_of_now_are() -> None:
    memory = MemoryJournal()
    event_store = EventStore(before := Rules("marina", mark="old key", cancel_after=20_000), memory, words)
    await event_store.take(e.Started(T0, "1", before))
    await event_store.take(ticket())
    again = EventStore(Rules("marina", mark="new key", cancel_after=110_000), memory, words)
    again.replay()
    assert (again.garage, again.words) == (event_store.garage, event_store.words)


async def test_a_payment_that_is_none_of_ours_is_written_and_changes_no_state() -> None:
    memory = MemoryJournal()
    event_store = await placed(memory)
    before = dict(event_store.garage.stays)
    change = await event_store.take(e.OrderReported(T0, "somebody else's", "PAID", 1, PROOF))
    assert [row.kind for row in memory.commits[-1]] == ["OrderReported"]
    assert change.actions and event_store.garage.stays == before


@pytest.mark.fault("torn-write")
async def test_a_commit_that_fails_leaves_the_state_and_the_words_as_they_were() -> None:
    memory = MemoryJournal()
    event_store = a_ledger(memory)
    await event_store.take(e.BoomSeen(T0, LANE, "down"))
    memory.failing = True
    with pytest.raises(OSError, match="full"):
        await event_store.take(ticket())
    assert (event_store.garage.stays, event_store.words) == ({}, {})
    memory.failing = False
    await event_store.take(ticket(T0 + 1000))
    assert list(event_store.words) == [PursuitKey("placeOrder", order_no(event_store))]


def test_every_pursuit_has_a_key_of_its_own() -> None:
    from terminal.core.actions import QueryOrder, SendLift
    from terminal.core.model import Grant, VisitOrder, VisitRefund

    order = VisitOrder("no", LANE, "s", 1, 1, 0, 0, 0)
    pursuits: list[Pursuit] = [
        PlaceOrder(order),
        QueryOrder(order),
        CloseOrder(order),
        SendLift(Grant("lift", LANE, "s", None, "free", 0), None),
        PlaceRefund(VisitRefund("R1", "no", 1, "", "")),
    ]
    assert [(key_of(p).what, key_of(p).number) for p in pursuits] == [
        ("placeOrder", "no"),
        ("getOrder", "no"),
        ("cancelOrder", "no"),
        ("lift", "lift"),
        ("refund", "R1"),
    ]


@pytest.mark.fault("clock-wrong")
def test_the_steady_clock_starts_at_the_later_of_wall_and_journal_and_only_goes_on() -> None:
    ticks = iter([1000, 1500, 1600])
    steady = Steady(T0, lambda: next(ticks))
    assert steady.now() == T0 + 500
    late = Steady(T0, lambda: 0, not_before=T0 + 7000)
    assert late.now() == T0 + 7000


@pytest.mark.fault("rules-changed")
async def test_a_replay_goes_by_the_rules_that_each_start_wrote_down() -> None:
    memory = MemoryJournal()
    first = Rules("marina", exit_grace=60_000, mark="secret")
    event_store = EventStore(first, memory, words)
    await event_store.take(e.Started(T0, "1", first))
    await event_store.take(e.BoomSeen(T0, LANE, "down"))
    await event_store.take(ticket(T0 + 1))
    await event_store.take(e.OrderReported(T0 + 2, order_no(event_store), "PAID", 2000, PROOF, "1317"))
    assert event_store.garage.stays[an_id("stay")].grants
    changed = EventStore(Rules("marina", exit_grace=900_000), memory, words)
    changed.replay()
    assert (changed.garage.stays, changed.garage.rules) == (event_store.garage.stays, first)


async def test_a_start_by_an_earlier_clock_takes_what_is_waited_for_along() -> None:
    memory = MemoryJournal()
    event_store = await placed(memory)
    order = event_store.garage.stays[an_id("stay")].orders[-1]
    await event_store.take(e.Started(T0 - YEARS, "by the right clock"))
    turned = event_store.garage.stays[an_id("stay")].orders[-1]
    assert (turned.no, turned.expires - order.expires) == (order.no, -YEARS)
    assert event_store.last_at == T0 - YEARS
    await event_store.take(e.VehicleSeen(T0 - YEARS + 1000, LANE, False, False))
    await memory.append([], T0)  # writes what was only seen, as a worker does when it stops
    again = a_ledger(memory)
    again.replay()
    assert (again.garage, again.last_at) == (event_store.garage, T0 - YEARS + 1000)


async def test_a_start_that_is_a_little_earlier_is_the_same_clock() -> None:
    event_store = await placed(MemoryJournal())
    order = event_store.garage.stays[an_id("stay")].orders[-1]
    await event_store.take(e.Started(T0 - BACK_MS, "set by the network"))
    assert event_store.garage.stays[an_id("stay")].orders[-1].expires == order.expires
    assert event_store.last_at == T0


async def test_an_earlier_clock_is_written_down_also_where_nothing_waits() -> None:
    memory = MemoryJournal()
    event_store = a_ledger(memory)
    await event_store.take(ticket())  # no barrier: nothing comes of it yet
    event_store.garage.lanes.clear()
    await event_store.take(e.Started(T0 - YEARS, "by the right clock"))
    assert memory.commits[-1][0].kind == "Started"


@pytest.mark.fault("journal-put-back")
async def test_paybys_list_is_asked_for_from_where_a_journal_that_was_put_back_ends() -> None:
    event_store = await placed(MemoryJournal())
    await event_store.take(e.Started(T0 + DAY_MS, "put back", Rules("marina")))
    lift = lift_id(T0 + DAY_MS - 1, "", "marina", LANE, "a lift that it does not hold")
    await event_store.take(e.BoomSeen(T0 + DAY_MS + 1, LANE, "down", lift))
    assert (event_store.unlisted, event_store.in_doubt) == (T0, True)
