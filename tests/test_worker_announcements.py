"""An alert that nothing else will raise: a worker that dies before raising it leaves it to the next one."""

import asyncio
from collections.abc import Sequence

import pytest

from terminal.clock import new_id
from terminal.contract.messages import Alert, Answer, Barrier, Lift, Vehicle
from terminal.core.model import Rules
from terminal.eventstore.store import EventStore
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker import announcements
from tests.support.eventually import eventually
from tests.support.lifts import GARAGE
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import CLOCK, WORDING, Lane, sandbox, working

__all__ = ["sandbox"]
RULES = Rules(GARAGE, exit_grace=500)


def state_of(log: MemoryJournal) -> EventStore:
    """As the next worker will find it."""
    event_store = EventStore(RULES, log, lambda pursuit: WORDING(pursuit, 0))
    event_store.replay()
    return event_store


class Cut(MemoryJournal):
    """A journal of which the worker dies when somebody is to be told, and it is in there."""

    def __init__(self) -> None:
        super().__init__()
        self.is_cut = asyncio.Event()

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        last = await super().append(rows, at_ms)
        if any(stay.untold for stay in state_of(self).garage.stays.values()):
            self.is_cut.set()
            await asyncio.Event().wait()
        return last


async def slips_out(lane: Lane) -> Lift:
    """A car pays, and drives out under an arm that somebody holds open; returns the lift that nobody answered."""
    where, car = lane.topic("vehicle"), new_id(CLOCK)
    await lane.bus.hears(where, Vehicle(**lane.head(), waiting=True, under_boom=False, car=car))
    order = await lane.pays_at_the_qr()
    await lane.sandbox.pay(order.order_no, notify=False)
    lift: Lift = await lane.until(Lift, order_no=order.order_no)
    await lane.bus.hears(lane.topic("barrier"), Barrier(**lane.head(), state="up"))
    await lane.bus.hears(where, Vehicle(**lane.head(), waiting=False, under_boom=False))
    return lift


def told(lane: Lane) -> list[Alert]:
    return [alert for alert in lane.bus.of(Alert) if alert.code == "passed-open"]


async def journaled(log: MemoryJournal, kind: str) -> None:
    await eventually(lambda: kind in [row.kind for row in log.rows])


async def is_used(lane: Lane, log: MemoryJournal, lift: Lift) -> None:
    """The barrier refuses the lift, and the exit grace of its payment ends."""
    answer = Answer(lift=lift.id, outcome="refused", why="car")
    await lane.bus.hears(lane.topic("barrier"), Barrier(**lane.head(), state="up", answer=answer))

    def holders() -> list[str]:
        return [p.holder for s in state_of(log).garage.stays.values() for p in s.payments]

    await eventually(lambda: holders() == ["used"], every_s=0.05)


@pytest.mark.fault("passed-open")
async def test_a_worker_that_dies_between_commit_and_telling_leaves_it_to_the_next_which_tells_it_once(
    sandbox: Sandbox,
) -> None:
    cut = Cut()
    async with working(sandbox, cut, rules=RULES) as lane:
        lift = await slips_out(lane)
        async with asyncio.timeout(10):
            await cut.is_cut.wait()
        assert told(lane) == []
    log = MemoryJournal(cut.rows)
    async with working(sandbox, log, rules=RULES) as lane:
        alert = await lane.until(Alert, code="passed-open")
        assert (alert.order_no, alert.severity) == (lift.order_no, "warning")
        await journaled(log, "AlertTold")
        await is_used(lane, log, lift)
        assert len(told(lane)) == 1
    async with working(sandbox, log, rules=RULES) as lane:
        await lane.pays_at_the_qr()
        assert told(lane) == []


async def test_it_counts_as_told_when_the_broker_has_it(sandbox: Sandbox) -> None:
    log = MemoryJournal()
    async with working(sandbox, log, rules=RULES) as lane:
        lift = await slips_out(lane)
        lane.bus.connect(False)
        await lane.until(Alert, code="passed-open")
        await is_used(lane, log, lift)
        assert "AlertTold" not in [row.kind for row in log.rows]
        lane.bus.connect(True)
        await journaled(log, "AlertTold")
    assert [stay.untold for stay in state_of(log).garage.stays.values()] == [()]


@pytest.mark.parametrize("why", ["it did not fit into the backlog", "the broker stays away"])
async def test_what_the_broker_did_not_get_is_told_by_the_next_worker(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    ended = asyncio.Event()

    async def settled() -> bool:
        try:
            if why == "the broker stays away":
                await asyncio.Event().wait()
            return False
        finally:
            ended.set()

    monkeypatch.setattr(announcements, "TOLD_LIMIT_S", 0.1)
    log = MemoryJournal()
    async with working(sandbox, log, rules=RULES) as lane:
        lane.bus.settled = settled  # type: ignore[method-assign]
        lift = await slips_out(lane)
        async with asyncio.timeout(10):
            await ended.wait()
        await is_used(lane, log, lift)
    assert "AlertTold" not in [row.kind for row in log.rows]
    async with working(sandbox, log, rules=RULES) as lane:
        await lane.until(Alert, code="passed-open")
        await journaled(log, "AlertTold")
