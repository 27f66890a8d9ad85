"""Two machines under one name: real brokers, which end a session for the next one of its client id and say nothing."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock
from terminal.contract.messages import Alert, Health
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint, MessageStream
from terminal.mqtt.takeover import QUIET_MS, SOON_MS, TakeoverDetector
from tests.conftest import GARAGE, Mosquitto, NewBus, embedded_bus
from tests.support.eventually import eventually
from tests.support.garage import ROOT, Garage
from tests.support.leash import LEASH

TOLD_S = 15.0
"""Three losses each: 0.2 s, 0.4 s, 0.8 s apart and so on."""


class Later(SystemClock):
    """A clock that can be told that time went by."""

    ahead_ms = 0

    def steady_ms(self) -> int:
        return super().steady_ms() + self.ahead_ms


@contextlib.asynccontextmanager
async def machine(bus: MqttClient, clock: SystemClock) -> AsyncIterator[list[bool]]:
    """One that serves ``exit-1``, as far as its heartbeat; gives its connects and losses."""
    came: list[bool] = []
    async with bus:
        bus.on_change(came.append)
        endpoint = Endpoint(bus, garage=GARAGE, lane="exit-1", role="lcd", version="1", clock=clock, heartbeat_s=0.5)
        beating = asyncio.create_task(endpoint.run_heartbeat())
        try:
            yield came
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)


async def alert(hearing: MessageStream, state: str) -> Alert:
    async for heard in hearing:
        heard.ack()
        if isinstance(heard.message, Alert) and heard.message.state == state:
            return heard.message
    raise AssertionError("the end")


async def health(hearing: MessageStream, state: str) -> Health:
    async for heard in hearing:
        heard.ack()
        if isinstance(heard.message, Health) and heard.message.state == state:
            return heard.message
    raise AssertionError("the end")


@pytest.mark.slow
@pytest.mark.fault("pins-signals-clones")
async def test_two_machines_under_one_name_are_told_of_and_leave_the_broker_in_peace(new_bus: NewBus) -> None:
    clock = Later()
    async with contextlib.AsyncExitStack() as stack:
        watch = await stack.enter_async_context(new_bus("watch"))
        listening = Endpoint(watch, garage=GARAGE, lane="exit-1", role="watch", version="1", clock=clock)
        alerts, beats = listening.subscribe("alert"), listening.subscribe("health/lcd")
        await alerts.granted()
        clone = contextlib.AsyncExitStack()
        first = await stack.enter_async_context(machine(new_bus("lane"), clock))
        second = await clone.enter_async_context(machine(new_bus("lane"), clock))
        try:
            async with asyncio.timeout(TOLD_S):
                for _ in range(2):
                    told = await alert(alerts, "raised")
                    assert (told.code, told.severity) == ("taken-over", "critical")
                    assert "does another machine run under this name" in told.text
                assert "another machine" in str((await health(beats, "degraded")).reason)
            first.clear()
            second.clear()
            await asyncio.sleep(8)  # how often they come back in so long is what is tested
            assert first.count(True) + second.count(True) <= 3, "it is four and more where both ask every 2 s"
        finally:
            await clone.aclose()
        async with asyncio.timeout(TOLD_S):
            await eventually(lambda: True in first[-1:])
            clock.ahead_ms = QUIET_MS + 1
            assert (await alert(alerts, "cleared")).code == "taken-over"
            await health(beats, "online")


@pytest.mark.fault("pins-signals-clones")
async def test_a_copied_card_is_told_of_by_both_processes(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with Garage(tmp_path, mosquitto.url, loops="[loops]\nwaiting_pin = 5\nboom_pin = 6") as garage:
        await garage.start("loops")
        words = [*LEASH, sys.executable, *garage.words("loops")]
        copied = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE, cwd=ROOT)
        try:
            told = await garage.heard.until("alert", code="taken-over", state="raised", limit_s=40)
            assert told["severity"] == "critical"
            await garage.heard.until("health/loops", state="degraded")
            async with asyncio.timeout(40):
                assert copied.stderr
                while b"alert taken-over raised" not in await copied.stderr.readline():
                    pass
        finally:
            copied.terminate()
            await copied.communicate()


async def test_one_machine_whose_broker_restarts_now_and_then_is_not_told_of(embedded: EmbeddedBroker) -> None:
    clock = Later()
    async with embedded_bus(embedded, "watch") as watch, embedded_bus(embedded) as bus:
        listening = Endpoint(watch, garage=GARAGE, lane="exit-1", role="watch", version="1", clock=clock)
        beats = listening.subscribe("health/lcd")
        await beats.granted()
        endpoint = Endpoint(bus, garage=GARAGE, lane="exit-1", role="lcd", version="1", clock=clock, heartbeat_s=0.2)
        beating = asyncio.create_task(endpoint.run_heartbeat())
        try:
            async with asyncio.timeout(TOLD_S):
                for _ in range(4):
                    await health(beats, "online")
                    clock.ahead_ms += SOON_MS
                    bus.reconnect("a test ends it")
                    await bus.wait_connected()
                state = await health(beats, "online")
            assert state.reason is None
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)


class Losing:
    """A connection that stands for some seconds, and then does not for some."""

    def __init__(self) -> None:
        self.now = 0
        self.takeover = TakeoverDetector(lambda: self.now, connected=True)

    def loses(self, after_s: float, away_s: float = 1.0) -> bool:
        self.now += round(after_s * 1000)
        self.takeover.changed(False)
        self.now += round(away_s * 1000)
        self.takeover.changed(True)
        return self.takeover.are_many


def test_the_third_loss_within_a_minute_that_comes_soon_after_its_connect_is_told() -> None:
    lane = Losing()
    assert [lane.loses(5) for _ in range(3)] == [False, False, True]


def test_losses_that_come_late_or_too_far_apart_are_not() -> None:
    lane = Losing()
    assert not any(lane.loses(10.1) for _ in range(9))
    assert not any(lane.loses(9, away_s=30) for _ in range(9))


def test_it_is_over_after_a_quiet_minute_with_a_connection_and_not_before() -> None:
    lane = Losing()
    for _ in range(3):
        lane.loses(1)
    lane.now += QUIET_MS - 1
    assert lane.takeover.are_many
    assert lane.loses(20), "one that comes late keeps it up"
    lane.takeover.changed(False)
    lane.now += 2 * QUIET_MS
    assert lane.takeover.are_many, "away is not quiet"
    lane.takeover.changed(True)
    lane.now += QUIET_MS + 1
    assert not lane.takeover.are_many
    assert not lane.loses(1), "and then it is counted from the beginning"
