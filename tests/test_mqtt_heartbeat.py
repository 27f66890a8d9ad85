"""Heartbeats: when they are said, and what follows where nobody hears them."""

import asyncio

import pytest

from broker.embedded import EmbeddedBroker
from terminal.contract.messages import Health
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import Will
from terminal.mqtt.heartbeat import last_will
from tests.conftest import Mosquitto, PuppetBroker, embedded_bus
from tests.sim.loop import VirtualLoop
from tests.support.endpoint import bus, clock, endpoint, take
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

__all__ = ["bus", "clock"]


async def test_health_is_said_at_once_on_change_again_and_again_and_at_the_end(
    bus: MqttClient, clock: TurnedClock
) -> None:
    speaker = endpoint(bus, clock, beat_s=0.05)
    with speaker.subscribe("health") as hearing:
        await hearing.granted()
        beating = asyncio.create_task(speaker.run_heartbeat())
        first, again = [(await take(hearing))[1] for _ in range(2)]
        assert isinstance(first, Health)
        assert isinstance(again, Health)
        assert (first.state, first.version, first.instance) == ("online", "1.2", bus.instance)
        assert (again.state, again.since) == ("online", first.since)
        assert first.id != again.id
        clock.turn(1000)
        speaker.degraded("PayBy is away")
        while (message := (await take(hearing))[1]).state != "degraded":  # type: ignore[attr-defined]
            pass
        assert (message.reason, message.since > first.since) == ("PayBy is away", True)  # type: ignore[attr-defined]
        speaker.healthy()
        while (await take(hearing))[1].state != "online":  # type: ignore[attr-defined]
            pass
        beating.cancel()
        while (message := (await take(hearing))[1]).state != "offline":  # type: ignore[attr-defined]
            pass
        assert message.reason == "stopped"  # type: ignore[attr-defined]
    with speaker.subscribe("health") as hearing:
        topic, message, retained = await take(hearing)
        assert (topic, message.state, retained) == (  # type: ignore[attr-defined]
            "parking/marina/exit-1/health/worker",
            "offline",
            True,
        )


async def test_health_is_said_after_every_connect(mosquitto: Mosquitto, clock: TurnedClock) -> None:
    async with (
        MqttClient(mosquitto.url, username="worker") as own,
        MqttClient(mosquitto.url, username="watch") as other,
    ):
        speaker, listener = endpoint(own, clock), endpoint(other, clock, "console")
        beating = asyncio.create_task(speaker.run_heartbeat())
        with listener.subscribe("health") as hearing:
            await take(hearing)
            own.reconnect("test")
            assert (await take(hearing))[1].state == "online"  # type: ignore[attr-defined]
        beating.cancel()
        await asyncio.wait([beating])


@pytest.mark.fault("broker-restarts")
async def test_of_two_heartbeats_of_one_role_the_first_is_said_and_the_other_waits(clock: TurnedClock) -> None:
    bus = MemoryBus()
    speaker = endpoint(bus.as_bus(), clock)
    outer = asyncio.create_task(speaker.run_heartbeat())
    await bus.until(Health, 1)
    inner = asyncio.create_task(speaker.run_heartbeat())
    speaker.degraded("news")
    await bus.until(Health, 2)
    inner.cancel()
    await asyncio.wait([inner])
    assert [health.state for health in bus.of(Health)] == ["online", "degraded"], "it is still there"
    outer.cancel()
    await asyncio.wait([outer])
    again = asyncio.create_task(speaker.run_heartbeat())
    speaker.healthy()
    assert [health.state for health in await bus.until(Health, 4)][2:] == ["offline", "online"]
    again.cancel()
    await asyncio.wait([again])


async def test_what_is_raised_of_the_place_as_a_whole_is_known(clock: TurnedClock) -> None:
    speaker = endpoint(MemoryBus().as_bus(), clock)
    await speaker.alert("disk", "nearly full")
    await speaker.alert("payby-silent", "no answer", session="s")
    await speaker.alert("barrier-clock", "off", lane="exit-2")
    await speaker.alert("tailgating", "it happened")
    assert speaker.raised() == ["disk"]


def test_a_heartbeat_is_said_again_for_who_connects_a_moment_later(clock: TurnedClock) -> None:
    with VirtualLoop() as loop:
        bus, heard = MemoryBus(), list[float]()

        async def story() -> None:
            beating = asyncio.create_task(endpoint(bus.as_bus(), clock).run_heartbeat())
            for tenth in range(30):
                await asyncio.sleep(0.1)  # virtual time
                if tenth == 4:
                    bus.connect(False)
                    bus.connect(True)
                heard.extend(round(loop.now, 1) for _ in bus.said)
                bus.said.clear()
            beating.cancel()
            await asyncio.wait([beating])

        loop.run(story())
    assert heard == [0.1, 0.6, 2.7]


async def test_a_broker_that_takes_heartbeats_and_delivers_none_is_left(clock: TurnedClock) -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="worker") as bus:
        speaker = endpoint(bus, clock, beat_s=0.02)
        beating = asyncio.create_task(speaker.run_heartbeat())
        await broker.next(3)
        clock.turn(14_000)
        for _ in range(3):
            await broker.next(3)
        assert len(broker.writers) == 1
        clock.turn(2_000)
        await broker.next(1)
        while len(broker.writers) < 2:
            await broker.next(1)
        beating.cancel()
        await asyncio.wait([beating])


async def test_the_last_will_says_that_the_process_is_offline(embedded: EmbeddedBroker, clock: TurnedClock) -> None:
    will = last_will(garage="marina", lane="exit-1", role="run", version="1", instance="me", clock=clock)
    assert [will().topic, will().retain] == ["parking/marina/exit-1/health/run", True]
    assert will() != will()
    async with embedded_bus(embedded, "watch") as watch:
        with endpoint(watch, clock).subscribe("health") as hearing:
            await hearing.granted()
            async with embedded_bus(embedded, will=will) as bus:
                bus.reconnect("test")
                topic, message, _ = await take(hearing)
    assert isinstance(message, Health)
    assert (topic, message.state, message.instance) == ("parking/marina/exit-1/health/run", "offline", "me")
    garage: Will = last_will(garage="marina", lane=None, role="worker", version="1", instance="me", clock=clock)()
    assert garage.topic == "parking/marina/garage/health/worker"
