"""No time that a lane or a stay waits for is missed, though nobody says anything more there."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from terminal.clock import new_id
from terminal.contract.messages import Answer, Lift, Refund, Vehicle, moment
from terminal.core import events as e
from terminal.core.model import Rules
from terminal.core.rules.limits import RENEW_MS
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.wakes import Wakes
from tests.sim.loop import VirtualLoop
from tests.support.eventually import eventually
from tests.support.lifts import GARAGE, LANE
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import CLOCK, sandbox, working

__all__ = ["sandbox"]


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    with VirtualLoop() as loop:
        yield loop


def test_each_lane_and_stay_is_woken_once_at_its_latest_time(loop: VirtualLoop) -> None:
    heard: list[e.TimePassed] = []

    async def lives() -> None:
        wakes = Wakes(lambda: round(loop.now * 1000), heard.append)
        wakes.set(2_000, lane="exit-1")
        wakes.set(1_000, lane="exit-1")
        wakes.set(3_000, lane="exit-2")
        wakes.set(500, session="exit-1")
        wakes.set(4_000, session="a")
        wakes.set(None, session="a")
        wakes.set(None, session="b")
        await asyncio.sleep(5)  # virtual time
        wakes.set(4_000, lane="exit-1")
        await asyncio.sleep(1)  # virtual time

    loop.run(lives())
    assert heard == [
        e.TimePassed(501, session="exit-1"),
        e.TimePassed(1_001, lane="exit-1"),
        e.TimePassed(3_001, lane="exit-2"),
        e.TimePassed(5_001, lane="exit-1"),
    ]


async def test_a_time_of_which_nothing_comes_is_followed_by_the_next(sandbox: Sandbox) -> None:
    """A second after its lift nothing is to be done yet; two seconds after its car went the visit ends."""
    async with working(sandbox) as lane:
        where, car = lane.topic("vehicle"), new_id(CLOCK)
        await lane.bus.hears(where, Vehicle(**lane.head(), waiting=True, under_boom=False, car=car))
        order = await lane.pays_at_the_qr()
        await lane.sandbox.pay(order.order_no, notify=False)
        await lane.until(Lift, order_no=order.order_no)
        await lane.bus.hears(where, Vehicle(**lane.head(), waiting=False, under_boom=False))
        await eventually(lambda: not lane.worker.event_store.garage.lanes[LANE].visit)


async def test_an_unanswered_lift_is_signed_anew_where_nothing_else_happens(sandbox: Sandbox) -> None:
    async with working(sandbox, rules=Rules(GARAGE, lift_unknown_car=RENEW_MS + 1_500)) as lane:
        order = await lane.pays_at_the_qr()
        await lane.sandbox.pay(order.order_no, notify=False)
        first = await lane.until(Lift, order_no=order.order_no)
        later = moment(first.not_after) + 1_000
        await eventually(lambda: max(moment(lift.not_after) for lift in lane.bus.of(Lift)) >= later)
        assert {lift.id for lift in lane.bus.of(Lift)} == {first.id}


class Slow(MemoryJournal):
    """A journal that takes its time over a barrier's answer."""

    async def append(self, rows: Sequence[tuple[str, bytes]], at_ms: int) -> int:
        if "LiftAnswered" in dict(rows):
            await asyncio.sleep(0.6)  # a slow disk, which is what is tested
        return await super().append(rows, at_ms)


async def test_a_credit_that_ended_while_it_was_written_down_goes_back_all_the_same(sandbox: Sandbox) -> None:
    async with working(sandbox, Slow(), rules=Rules(GARAGE, exit_grace=300)) as lane:
        where, car = lane.topic("vehicle"), new_id(CLOCK)
        await lane.bus.hears(where, Vehicle(**lane.head(), waiting=True, under_boom=False, car=car))
        order = await lane.pays_at_the_qr()
        await lane.sandbox.pay(order.order_no, notify=False)
        lift = await lane.until(Lift, order_no=order.order_no)
        await lane.bus.hears(where, Vehicle(**lane.head(), waiting=False, under_boom=False))
        await lane.boom_is_down(answer=Answer(lift=lift.id, outcome="refused", why="car"))
        refund = await lane.until(Refund, order_no=order.order_no)
        assert refund.status == "asked"
