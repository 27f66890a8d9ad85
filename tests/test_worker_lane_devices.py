"""What a barrier's message says about now: one that waited in the broker is not a sign of a slow clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Alert, Barrier, Message, encode, stamp
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.worker.barrier_clock import BarrierClock
from terminal.roles.worker.role import WorkerRole
from tests.conftest import Mosquitto
from tests.support.lifts import GARAGE, LANE, Reachable
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import worker_settings

CLOCK = SystemClock()


def skews(*heard: tuple[float, float]) -> list[float | None]:
    """The skews that follow from messages that come at these seconds and have these seconds in them."""
    rhythm = BarrierClock()
    found = [rhythm.skew(round((at - came) * 1000), round(came * 1000)) for came, at in heard]
    return [None if skew is None else skew / 1000 for skew in found]


def test_messages_that_waited_say_nothing_of_now_and_the_first_live_one_does() -> None:
    heap = [(0.0, -37.0), (0.01, -32.0), (0.02, -31.9), (0.03, -27.0), (0.04, -22.0)]
    assert skews(*heap, (3.0, 3.0), (8.0, 8.0)) == [None] * 5 + [0, 0]


def test_a_clock_that_is_behind_is_believed_with_the_second_message() -> None:
    assert skews(*((5 * n, 5 * n - 30.0) for n in range(4))) == [None, -30, -30, -30]


def test_a_clock_that_is_ahead_is_believed_at_once_since_nothing_comes_before_it_was_said() -> None:
    assert skews((0, 0), (5, 35), (10, 40)) == [0, 30, 30]


def test_a_clock_that_is_set_right_is_believed_with_the_second_message() -> None:
    assert skews((0, 30), (5, 5), (10, 10), (15, 15)) == [30, None, 0, 0]


def test_a_late_message_is_no_skew_and_jitter_is_none() -> None:
    assert skews((0, 0), (5.3, 5), (16, 10), (16.1, 16)) == [0, 0, None, 0]


def test_a_line_that_hung_delivers_a_heap_that_says_nothing_until_it_is_caught_up() -> None:
    hung = [(60 + n / 5, 5 * n) for n in range(1, 12)]
    assert skews((0, 0), *hung, (65, 65)) == [0] + [None] * 10 + [None, 0]


def test_an_answer_and_the_word_after_it_are_not_taken_for_a_rhythm() -> None:
    assert skews((0, -40), (0.1, -39.9), (0.2, -39.8), (2.5, 2.5)) == [None, None, None, 0]


@asynccontextmanager
async def worker_on(url: str, client_id: str = "worker") -> AsyncIterator[WorkerRole]:
    """A worker in its own session of a real broker, for which that broker keeps what comes meanwhile."""
    async with MqttClient(url, client_id=client_id) as bus:
        endpoint = Endpoint(bus, garage=GARAGE, lane=None, role="worker", version="1", clock=CLOCK)
        worker = WorkerRole(endpoint, Reachable(), MemoryJournal(), worker_settings(), seed=1)
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            running.cancel()
            await asyncio.wait([running])


class Watch:
    """Alerts and screens of the lane."""

    def __init__(self) -> None:
        self.alerts: list[Any] = []
        self.screens: list[Any] = []
        self.news = asyncio.Condition()

    async def follow(self, endpoint: Endpoint) -> None:
        async for heard in endpoint.subscribe("alert", "screen", lane="+"):
            heard.ack()
            async with self.news:
                (self.alerts if isinstance(heard.message, Alert) else self.screens).append(heard.message)
                self.news.notify_all()

    async def until(self, found: Any, limit_s: float = 15.0) -> None:
        async with asyncio.timeout(limit_s), self.news:
            await self.news.wait_for(found)


async def says(bus: MqttClient, ago_s: float, **more: Any) -> None:
    message: Message = Barrier(id=new_id(CLOCK), at=stamp(CLOCK.wall_ms() - round(ago_s * 1000)), state="down", **more)
    await bus.publish(f"parking/{GARAGE}/{LANE}/barrier", encode(message), retain=True)


@pytest.mark.slow
@pytest.mark.fault("barrier-clock")
async def test_a_worker_that_comes_back_to_messages_that_waited_takes_none_for_a_slow_clock(
    mosquitto: Mosquitto,
) -> None:
    """A slow clock is alerted within 15 s, by the messages that a barrier sends every 5 s."""
    async with worker_on(mosquitto.url) as worker, MqttClient(mosquitto.url, client_id="barrier") as barrier:
        await barrier.wait_connected()
        while LANE not in worker.event_store.garage.lanes:
            await says(barrier, 0)
            await asyncio.sleep(0.05)  # said again until it is heard
    async with (
        MqttClient(mosquitto.url, client_id="barrier") as barrier,
        MqttClient(mosquitto.url, client_id="watch") as bus,
    ):
        watch, endpoint = Watch(), Endpoint(bus, garage=GARAGE, lane=None, role="console", version="1", clock=CLOCK)
        following = asyncio.create_task(watch.follow(endpoint))
        for ago_s in (37, 32, 31.5, 27, 22, 17):
            await says(barrier, ago_s)
        await says(barrier, 0)
        async with worker_on(mosquitto.url) as worker:
            await watch.until(lambda: any(s.state == "idle" for s in watch.screens))
            for _ in range(2):
                await says(barrier, 0)
                await asyncio.sleep(0.5)  # nothing tells that no alert comes
            assert (watch.alerts, worker.event_store.garage.lanes[LANE].skew) == ([], 0)
            began = asyncio.get_running_loop().time()
            while not watch.alerts:
                await says(barrier, 30)
                await asyncio.sleep(5)  # as often as a barrier speaks
            assert ([a.code for a in watch.alerts], watch.alerts[0].severity) == (["barrier-clock"], "critical")
            assert asyncio.get_running_loop().time() - began <= 15
        following.cancel()
        await asyncio.wait([following])
