"""What a lane may say, and that the others are served while it says more."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from terminal.contract.messages import Alert, Lift, Screen
from terminal.contract.topics import Topic
from terminal.core import events
from terminal.core.model import Rules
from terminal.eventstore.store import EventStore
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.journal_keeper import WorkerJournal
from terminal.roles.worker.lane_budget import LaneBudget
from tests.sim.loop import VirtualLoop
from tests.support.lifts import GARAGE, LANE
from tests.support.memory_bus import MemoryBus
from tests.support.story import T0, an_id
from tests.support.turned_clock import TurnedClock
from tests.support.worker_lane import Lane, sandbox, working

__all__ = ["sandbox"]
OTHER = "exit-2"


def refused(lane: Lane) -> Any:
    return lane.fee("garbage", reason="refused", why="ticket-unknown")


async def test_one_lane_that_floods_is_told_and_a_visit_at_another_goes_on(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        for _ in range(1_500):
            await lane.reads(refused(lane), OTHER)
        order = await lane.pays_at_the_qr()
        await sandbox.pay(order.order_no or "", notify=False)
        await lane.until(Lift, order_no=order.order_no)
        alert = await lane.until(Alert, code="lane-flood")
        assert (OTHER in alert.text, "`fee` were dropped" in alert.text) == (True, True)
        told = [a.code for a in lane.bus.of(Alert)]
        assert told.count("ticket-refused") < 100
        assert told.count("lane-flood") == 1
        assert len([row for row in lane.log.rows if row.kind == "TicketRefused"]) < 100
        assert lane.bus.unacknowledged == 0


async def test_after_a_flood_the_same_lane_is_served_again(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        for _ in range(200):
            await lane.reads(refused(lane))
        await lane.boom_is_down()
        fee = lane.fee()
        async with asyncio.timeout(5):
            while not any(s.fee == fee.id for s in lane.bus.of(Screen)):
                await lane.reads(fee)  # as its reader does
                await asyncio.sleep(0.1)  # the pace of a reader


def test_a_lane_has_its_budget_again_as_time_goes_on_and_another_its_own() -> None:
    with VirtualLoop() as loop:
        bus = MemoryBus()
        endpoint = Endpoint(bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="1", clock=TurnedClock())

        async def story() -> None:
            async with asyncio.TaskGroup() as group:

                def spawn(work: Coroutine[Any, Any, None], name: str) -> object:
                    return group.create_task(work, name=name)

                budget = LaneBudget(endpoint, spawn)

                def admitted(count: int, lane: str = LANE) -> int:
                    return sum(budget.admits(Topic(GARAGE, lane, "fee")) for _ in range(count))

                assert (admitted(1_000), admitted(10, OTHER)) == (50, 10)
                await asyncio.sleep(2.0)  # virtual time
                assert (admitted(1_000), admitted(1_000, OTHER)) == (10, 50)
                await asyncio.sleep(100.0)  # virtual time
                assert admitted(50) == 50
                assert admitted(50) == 0
                await asyncio.sleep(1_000.0)  # virtual time
            assert budget._dropped == {}

        loop.run(story())
    lanes = [(a.text.split()[0], a.text.split()[-4]) for a in bus.of(Alert)]
    assert lanes == [(LANE, "950"), (OTHER, "950"), (LANE, "990"), (LANE, "50")]


@pytest.mark.parametrize("kind", ["fee", "vehicle", "barrier", "health"])
def test_what_a_lane_needs_is_within_its_budget(kind: str) -> None:
    """A reader's repeats for one ticket after the other, loops that bounce four times a second for an hour."""
    with VirtualLoop() as loop:
        bus = MemoryBus()
        endpoint = Endpoint(bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="1", clock=TurnedClock())

        async def story() -> None:
            budget = LaneBudget(endpoint, lambda work, name: pytest.fail(name))
            for _ in range(4 * 3_600):
                assert budget.admits(Topic(GARAGE, LANE, kind))
                await asyncio.sleep(0.25)  # virtual time
            assert all(budget.admits(Topic(GARAGE, LANE, kind)) for _ in range(45))

        loop.run(story())


def test_a_refusal_costs_no_flush_of_its_own_and_is_in_the_journal_with_the_next(tmp_path: Any) -> None:
    async def story() -> None:
        with WorkerJournal.open(tmp_path / "j.db", lambda: T0, ballast_bytes=4096) as store:
            event_store = EventStore(Rules(GARAGE), store, lambda _: b"{}")
            event_store.replay()
            await event_store.take(events.BoomSeen(T0, LANE, "down"))
            before = [row.kind for row in store.replay()]
            for number in range(20):
                change = await event_store.take(
                    events.TicketRefused(T0 + number, OTHER, an_id("fee", str(number)), "ticket-unknown")
                )
                assert change.lanes[OTHER].notice
            assert [row.kind for row in store.replay()] == before
        with WorkerJournal.open(tmp_path / "j.db", lambda: T0, ballast_bytes=4096) as store:
            assert [row.kind for row in store.replay()].count("TicketRefused") == 20

    asyncio.run(story())
