"""Two workers of one garage: the later one stops, and nobody else can stop either."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Alert, Health, Message, encode, stamp
from terminal.contract.signatures import check_health, sign_health
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.ids import derived_id
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.presence import SecondWorker
from terminal.roles.worker.role import WorkerRole
from tests.conftest import Mosquitto
from tests.support.lifts import GARAGE, Reachable, private_key, trusted
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import worker_settings

CLOCK = SystemClock()
HEARTBEATS = f"parking/{GARAGE}/garage/health/worker"


@dataclass
class Watch:
    """What everybody says, and a voice that the broker lets say anything."""

    bus: MqttClient
    heard: list[Message] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self) -> None:
        endpoint = Endpoint(self.bus, garage=GARAGE, lane=None, role="console", version="1", clock=CLOCK)
        async for heard in endpoint.subscribe("health/worker", "alert", lane="+"):
            async with self.news:
                self.heard.append(heard.message)
                self.news.notify_all()
            heard.ack()

    def beats(self, instance: str) -> list[Health]:
        return [m for m in self.heard if isinstance(m, Health) and m.instance == instance and m.state == "online"]

    def alerts(self) -> list[str]:
        return [m.code for m in self.heard if isinstance(m, Alert)]

    async def until(self, instance: str, beats: int) -> None:
        """Wait until this many heartbeats of an instance were heard."""
        async with asyncio.timeout(20), self.news:
            await self.news.wait_for(lambda: len(self.beats(instance)) >= beats)

    async def says(self, health: Health) -> None:
        await self.bus.publish(HEARTBEATS, encode(health))


@dataclass
class Started:
    bus: MqttClient
    task: asyncio.Task[None]


@asynccontextmanager
async def a_worker(url: str, client_id: str, *, holds_lease: bool = False) -> AsyncIterator[Started]:
    """Runs in a process of its own, as far as the others can tell; beats four times a second."""
    async with MqttClient(url, client_id=client_id) as bus:
        endpoint = Endpoint(bus, garage=GARAGE, lane=None, role="worker", version="1", clock=CLOCK, heartbeat_s=0.25)
        settings = dataclasses.replace(worker_settings(), holds_lease=holds_lease)
        worker = WorkerRole(endpoint, Reachable(), MemoryJournal(), settings, seed=1)
        task = asyncio.create_task(worker.run())
        try:
            yield Started(bus, task)
        finally:
            task.cancel()
            await asyncio.wait([task])


@asynccontextmanager
async def watching(url: str) -> AsyncIterator[Watch]:
    async with MqttClient(url, client_id="watch") as bus:
        watch = Watch(bus)
        task = asyncio.create_task(watch.follow())
        yield watch
        task.cancel()
        await asyncio.wait([task])


async def test_the_later_of_two_workers_stops_and_the_other_serves_on(mosquitto: Mosquitto) -> None:
    async with watching(mosquitto.url) as watch, a_worker(mosquitto.url, "one") as first:
        await watch.until(first.bus.instance, 1)
        async with a_worker(mosquitto.url, "two") as second:
            with pytest.raises(ExceptionGroup) as ended:
                await asyncio.wait_for(asyncio.shield(second.task), 10)
            assert ended.group_contains(SecondWorker)
        await watch.until(first.bus.instance, len(watch.beats(first.bus.instance)) + 3)
        assert (watch.alerts(), first.task.done()) == (["second-worker"], False)


async def test_the_later_one_stays_if_it_holds_the_lease_and_says_so_once(mosquitto: Mosquitto) -> None:
    """As after a take-over from one that did not hear of it."""
    async with watching(mosquitto.url) as watch, a_worker(mosquitto.url, "one") as first:
        await watch.until(first.bus.instance, 1)
        async with a_worker(mosquitto.url, "two", holds_lease=True) as second:
            await watch.until(second.bus.instance, 8)
            await watch.until(first.bus.instance, len(watch.beats(first.bus.instance)) + 4)
            assert not second.task.done()
            assert watch.alerts() == ["second-worker"]


def forged(sign: str) -> Health:
    """Of a worker that began a minute ago and knows who lives."""
    now = stamp(CLOCK.wall_ms())
    older = derived_id(CLOCK.wall_ms() - 60_000, "older")
    health = Health(id=new_id(CLOCK), at=now, state="online", version="1", instance=older, since=now)
    match sign:
        case "nobody":
            return health
        case "a stranger":
            return sign_health(Ed25519PrivateKey.generate(), GARAGE, GARAGE_WIDE, health, key="worker")
        case "a console":
            return sign_health(private_key("console"), GARAGE, GARAGE_WIDE, health, key="console")
        case "another garage":
            return sign_health(private_key("worker"), "other", GARAGE_WIDE, health, key="worker")
        case _:
            return replace(health, key="worker", sign="no base64")


async def test_heartbeats_that_no_worker_of_ours_signed_stop_nobody_and_raise_one_alert(mosquitto: Mosquitto) -> None:
    async with watching(mosquitto.url) as watch, a_worker(mosquitto.url, "one") as first:
        await watch.until(first.bus.instance, 1)
        for sign in ("nobody", "a stranger", "a console", "another garage", "noise") * 5:
            await watch.says(replace(forged(sign), rival=first.bus.instance))
        await watch.until(first.bus.instance, len(watch.beats(first.bus.instance)) + 3)
        assert (watch.alerts(), first.task.done()) == (["forged-worker"], False)


async def test_a_genuine_heartbeat_that_names_another_than_this_one_stops_nobody(mosquitto: Mosquitto) -> None:
    """One that was recorded, signature and all, and is said again to a worker that began later."""
    async with watching(mosquitto.url) as watch:
        async with a_worker(mosquitto.url, "one") as first, a_worker(mosquitto.url, "two") as second:
            await asyncio.wait([second.task], timeout=10)
            await watch.until(first.bus.instance, 3)
        recorded = watch.beats(first.bus.instance)
        assert {second.bus.instance, None} == {beat.rival for beat in recorded}
        assert all(check_health(beat, GARAGE, GARAGE_WIDE, trusted()) is None for beat in recorded)
        async with a_worker(mosquitto.url, "three") as third:
            await watch.until(third.bus.instance, 1)
            for beat in recorded * 3:
                await watch.says(beat)
            await watch.says(replace(recorded[0], rival=third.bus.instance))
            await watch.until(third.bus.instance, len(watch.beats(third.bus.instance)) + 3)
            assert not third.task.done()
        assert watch.alerts() == ["second-worker", "forged-worker"]
