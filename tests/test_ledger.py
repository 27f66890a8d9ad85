"""Events in the journal, and the state that follows: what is written, what is not, and what a replay gives."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest

from terminal.core import events as e
from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, Pursuit
from terminal.core.lane import Rules
from terminal.core.numbers import lift_id
from terminal.core.turned import BACK_MS
from terminal.core.visit import Fee
from terminal.ledger import WORDS, Key, Ledger, Steady, key_of
from tests.story import PROOF, T0, TOKEN, an_id

LANE = "exit-1"
DAY_MS = 24 * 60 * 60_000
YEARS = 73 * 365 * 86_400_000


@dataclass
class Row:
    kind: str
    data: bytes


@dataclass
class Memory:
    """A journal in memory whose next commits can be made to fail."""

    commits: list[list[Row]] = field(default_factory=list)
    failing: bool = False

    def replay(self) -> Iterable[Row]:
        return (row for commit in self.commits for row in commit)

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        if self.failing:
            raise OSError("the disk is full")
        self.commits.append([Row(kind, data) for kind, data in rows])
        return len(self.commits)


def words(pursuit: Pursuit) -> bytes:
    match pursuit:
        case PlaceOrder(order) | CloseOrder(order):
            return f"{type(pursuit).__name__} of {order.no} at {order.placed}\n".encode()
        case PlaceRefund(refund):
            return refund.no.encode()
        case _:
            raise AssertionError("asked for words that change nothing")


def a_ledger(memory: Memory) -> Ledger:
    return Ledger(Rules("marina"), memory, words)


def ticket(at: int = T0) -> e.TicketRead:
    return e.TicketRead(at, LANE, Fee(an_id("fee"), an_id("stay"), "t", 2000, "due", 90))


async def placed(memory: Memory) -> Ledger:
    ledger = a_ledger(memory)
    await ledger.take(e.BoomSeen(T0, LANE, "down"))
    await ledger.take(ticket())
    return ledger


def order_no(ledger: Ledger) -> str:
    return ledger.garage.stays[an_id("stay")].orders[-1].no


@pytest.mark.fault("cut-before-order")
async def test_an_event_and_the_words_it_makes_us_say_are_one_commit() -> None:
    memory = Memory()
    ledger = await placed(memory)
    no = order_no(ledger)
    assert [row.kind for row in memory.commits[-1]] == ["TicketRead", WORDS]
    assert ledger.words == {Key("placeOrder", no): f"PlaceOrder of {no} at {T0}\n".encode()}


@pytest.mark.fault("cut-before-order")
async def test_a_replay_gives_the_same_state_and_the_same_words() -> None:
    memory = Memory()
    ledger = await placed(memory)
    no = order_no(ledger)
    await ledger.take(e.OrderReported(T0 + 1, no, "CREATED", 2000, PROOF, "1317", TOKEN))
    await ledger.take(e.TimePassed(T0 + 110_000, lane=LANE))
    await ledger.take(e.OrderReported(T0 + 111_000, no, "PAID", 2000, PROOF, "1317", notified=True))
    again = a_ledger(memory)
    assert again.replay() == sum(len(c) for c in memory.commits)
    assert (again.garage, again.words, again.last_at) == (ledger.garage, ledger.words, T0 + 111_000)


async def test_words_are_made_once_though_the_state_is_asked_again() -> None:
    memory = Memory()
    ledger = await placed(memory)
    await ledger.take(e.OrderUnheard(T0 + 5000, order_no(ledger), "placeOrder", "time-out"))
    assert [row.kind for row in memory.commits[-1]] == ["OrderUnheard"]


async def test_what_changes_nothing_and_tells_no_person_is_not_written() -> None:
    memory = Memory()
    ledger = await placed(memory)
    await ledger.take(e.OrderReported(T0 + 1, order_no(ledger), "CREATED", 2000, PROOF, "1317", TOKEN))
    count = len(memory.commits)
    for second in range(1, 36):
        await ledger.take(e.OrderReported(T0 + 3000 * second, order_no(ledger), "CREATED", 2000, PROOF, "1317", TOKEN))
        await ledger.take(e.BoomSeen(T0 + 3000 * second, LANE, "down"))
    assert len(memory.commits) == count


async def test_a_replay_steps_by_the_rules_of_the_first_start_whatever_those_of_now_are() -> None:
    memory = Memory()
    ledger = Ledger(before := Rules("marina", mark="old key", cancel_after=20_000), memory, words)
    await ledger.take(e.Started(T0, "1", before))
    await ledger.take(ticket())
    again = Ledger(Rules("marina", mark="new key", cancel_after=110_000), memory, words)
    again.replay()
    assert (again.garage, again.words) == (ledger.garage, ledger.words)


async def test_a_payment_that_is_none_of_ours_is_written_and_changes_no_state() -> None:
    memory = Memory()
    ledger = await placed(memory)
    before = dict(ledger.garage.stays)
    change = await ledger.take(e.OrderReported(T0, "somebody else's", "PAID", 1, PROOF))
    assert [row.kind for row in memory.commits[-1]] == ["OrderReported"]
    assert change.actions and ledger.garage.stays == before


@pytest.mark.fault("torn-write")
async def test_a_commit_that_fails_leaves_the_state_and_the_words_as_they_were() -> None:
    memory = Memory()
    ledger = a_ledger(memory)
    await ledger.take(e.BoomSeen(T0, LANE, "down"))
    memory.failing = True
    with pytest.raises(OSError, match="full"):
        await ledger.take(ticket())
    assert (ledger.garage.stays, ledger.words) == ({}, {})
    memory.failing = False
    await ledger.take(ticket(T0 + 1000))
    assert list(ledger.words) == [Key("placeOrder", order_no(ledger))]


def test_every_pursuit_has_a_key_of_its_own() -> None:
    from terminal.core.actions import QueryOrder, SendLift
    from terminal.core.visit import Grant, Order, Refund

    order = Order("no", LANE, "s", 1, 1, 0, 0, 0)
    pursuits: list[Pursuit] = [
        PlaceOrder(order),
        QueryOrder(order),
        CloseOrder(order),
        SendLift(Grant("lift", LANE, "s", None, "free", 0), None),
        PlaceRefund(Refund("R1", "no", 1, "", "")),
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
    memory = Memory()
    first = Rules("marina", exit_grace=60_000, mark="secret")
    ledger = Ledger(first, memory, words)
    await ledger.take(e.Started(T0, "1", first))
    await ledger.take(e.BoomSeen(T0, LANE, "down"))
    await ledger.take(ticket(T0 + 1))
    await ledger.take(e.OrderReported(T0 + 2, order_no(ledger), "PAID", 2000, PROOF, "1317"))
    assert ledger.garage.stays[an_id("stay")].grants
    changed = Ledger(Rules("marina", exit_grace=900_000), memory, words)
    changed.replay()
    assert (changed.garage.stays, changed.garage.rules) == (ledger.garage.stays, first)


async def test_a_start_by_an_earlier_clock_takes_what_is_waited_for_along() -> None:
    memory = Memory()
    ledger = await placed(memory)
    order = ledger.garage.stays[an_id("stay")].orders[-1]
    await ledger.take(e.Started(T0 - YEARS, "by the right clock"))
    turned = ledger.garage.stays[an_id("stay")].orders[-1]
    assert (turned.no, turned.expires - order.expires) == (order.no, -YEARS)
    assert ledger.last_at == T0 - YEARS
    await ledger.take(e.VehicleSeen(T0 - YEARS + 1000, LANE, False, False))
    again = a_ledger(memory)
    again.replay()
    assert (again.garage, again.last_at) == (ledger.garage, T0 - YEARS + 1000)


async def test_a_start_that_is_a_little_earlier_is_the_same_clock() -> None:
    ledger = await placed(Memory())
    order = ledger.garage.stays[an_id("stay")].orders[-1]
    await ledger.take(e.Started(T0 - BACK_MS, "set by the network"))
    assert ledger.garage.stays[an_id("stay")].orders[-1].expires == order.expires
    assert ledger.last_at == T0


async def test_an_earlier_clock_is_written_down_also_where_nothing_waits() -> None:
    memory = Memory()
    ledger = a_ledger(memory)
    await ledger.take(ticket())  # no barrier: nothing comes of it yet
    ledger.garage.lanes.clear()
    await ledger.take(e.Started(T0 - YEARS, "by the right clock"))
    assert memory.commits[-1][0].kind == "Started"


@pytest.mark.fault("journal-put-back")
async def test_paybys_list_is_asked_for_from_where_a_journal_that_was_put_back_ends() -> None:
    ledger = await placed(Memory())
    await ledger.take(e.Started(T0 + DAY_MS, "put back", Rules("marina")))
    lift = lift_id(T0 + DAY_MS - 1, "", "marina", LANE, "a lift that it does not hold")
    await ledger.take(e.BoomSeen(T0 + DAY_MS + 1, LANE, "down", lift))
    assert (ledger.unlisted, ledger.in_doubt) == (T0, True)
