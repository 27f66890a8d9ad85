"""Unforeseen failures with one stay, one lane or one row of the journal: they are alerted, and all others are
served."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from terminal.contract.messages import Alert, Lift, Order, Screen
from terminal.core import events
from terminal.core.actions import Pursuit
from terminal.journal.rows import JournalError, Row
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.errors import ConnectionRefused
from terminal.mqtt.presence import SecondWorker
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.worker.failures import OVER_S, SUBJECTS, Isolated, StayFailures
from terminal.roles.worker.payby_health import WorkerTroubles
from terminal.screen import qr
from tests.sim.loop import VirtualLoop
from tests.support.lifts import GARAGE, LANE
from tests.support.memory_bus import MemoryBus
from tests.support.memory_journal import MemoryJournal
from tests.support.turned_clock import TurnedClock
from tests.support.worker_lane import WORDING, is_served, sandbox, working

__all__ = ["sandbox"]
OTHER = "exit-2"


class Failing:
    """Fails for the first order that it sees, and for no other."""

    def __init__(self) -> None:
        self.first = ""

    def __call__(self, what: str) -> None:
        self.first = self.first or what
        if what == self.first:
            raise RuntimeError("nobody foresaw\nWARNING this")


class PayByThatIsMisread:
    """The client, but for the first order, whose answers nobody can read."""

    def __init__(self, client: Any) -> None:
        self._client, self._fail = client, Failing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def get_order(self, order_no: str) -> Any:
        self._fail(order_no)
        return await self._client.get_order(order_no)


def wording() -> Callable[[Pursuit, int], bytes]:
    fail = Failing()

    def words(pursuit: Pursuit, ahead: int) -> bytes:
        fail(getattr(pursuit, "order").no)  # noqa: B009 - only orders are placed here
        return WORDING(pursuit, ahead)

    return words


def symbols() -> Callable[[str], qr.Symbol]:
    fail = Failing()

    def encode(url: str) -> qr.Symbol:
        fail(url)
        return qr.proven(url)

    return encode


FAULTS: dict[str, Callable[[], dict[str, Any]]] = {
    "an event": lambda: {"words_for": wording()},
    "a pursuit": lambda: {"payby": PayByThatIsMisread},
    "a screen": lambda: {"encode": symbols()},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_fails_with_one_stay_is_told_and_the_others_are_served(
    sandbox: Sandbox, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with working(sandbox, **FAULTS[fault]()) as lane:
        await lane.boom_is_down()
        fee = lane.fee()
        await lane.reads(fee)
        alert = await lane.until(Alert, code="stay-failed")
        assert (alert.severity, "nobody foresaw" in alert.text) == ("critical", True)
        await is_served(lane, OTHER)
        assert lane.bus.unacknowledged == 0
    assert all(message.isprintable() for message in caplog.messages)


async def test_a_ticket_that_cannot_be_taken_sees_help_and_is_not_said_again(sandbox: Sandbox) -> None:
    async with working(sandbox, words_for=wording()) as lane:
        await lane.boom_is_down()
        fee = lane.fee()
        await lane.reads(fee)
        assert (await lane.until(Screen, fee=fee.id, state="help")).reason == "refused"
        await is_served(lane, LANE)


async def test_an_order_that_nobody_can_ask_about_is_closed_and_is_a_persons(sandbox: Sandbox) -> None:
    async with working(sandbox, payby=PayByThatIsMisread) as lane:
        order = await lane.pays_at_the_qr()
        await lane.until(Alert, code="stay-failed", session=order.session)
        assert (await lane.until(Order, status="closing")).order_no == order.order_no
        assert (await lane.until(Screen, state="help")).session == order.session


async def test_a_row_that_cannot_be_stepped_is_told_and_the_rest_of_the_journal_serves(sandbox: Sandbox) -> None:
    async with working(sandbox) as before:
        order = await before.pays_at_the_qr()
    log = MemoryJournal([Row(0, 0, "VehicleSeen", b'{"at":1}'), *before.log.rows, Row(0, 0, "TicketRead", b"[]")])
    async with working(sandbox, log) as after:
        texts = {(await after.until(Alert, code="stay-failed")).text}
        assert all("the journal's" in text for text in texts)
        await after.boom_is_down()
        await sandbox.pay(order.order_no, notify=False)
        await after.until(Lift, order_no=order.order_no)
        await is_served(after, OTHER)


def failures_of(bus: MemoryBus, group: asyncio.TaskGroup, post: Callable[[events.Event], None]) -> StayFailures:
    endpoint = Endpoint(bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="1", clock=TurnedClock())

    async def changed() -> None:
        pass

    def spawn(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return group.create_task(work, name=name)

    return StayFailures(
        endpoint, WorkerTroubles(endpoint), now=lambda: 5, post=post, is_known=bool, changed=changed, spawn=spawn
    )


def test_what_fails_for_several_stays_puts_lanes_out_of_order_until_it_is_over() -> None:
    bus, posted = MemoryBus(), list[events.Event]()
    with VirtualLoop() as loop:

        async def story() -> None:
            async with asyncio.TaskGroup() as group:
                failures = failures_of(bus, group, posted.append)
                for stay in range(SUBJECTS):
                    assert failures.hindrance == ""
                    for _ in range(100):
                        with failures.alone("a thing", f"stay {stay}"):
                            raise ValueError(stay)
                assert failures.hindrance == "journal"
                await asyncio.sleep(OVER_S - 1)  # virtual time
                assert failures.hindrance == "journal"
                await asyncio.sleep(2)  # virtual time
                assert failures.hindrance == ""

        loop.run(story())
    assert posted == [events.StayFailed(5, f"stay {n}", f"a thing: ValueError: {n}") for n in range(SUBJECTS)]
    assert [(a.code, a.state) for a in bus.of(Alert)] == [("worker-failing", "raised"), ("worker-failing", "cleared")]


@pytest.mark.parametrize(
    "error", [ConnectionRefused("no"), JournalError(Path("j"), "no"), SecondWorker("no")], ids=repr
)
def test_what_means_that_the_process_cannot_serve_goes_through(error: Exception) -> None:
    for raised in (error, ExceptionGroup("in a group", [error])):
        noted: list[Exception] = []
        with pytest.raises(type(raised)), Isolated(noted.append):
            raise raised
        assert noted == []


def test_the_end_of_a_task_goes_through() -> None:
    with pytest.raises(asyncio.CancelledError), Isolated(lambda error: pytest.fail(str(error))):
        raise asyncio.CancelledError
