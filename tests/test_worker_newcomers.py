"""Who looks on at a broker that retains nothing: what stands is said again, at a start and once a minute."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import pytest

from terminal.contract.messages import Alerts, Health, HealthState, Order, Screen, stamp
from terminal.contract.topics import GARAGE_WIDE, parse
from terminal.monitor.garage import GarageMonitor
from terminal.mqtt import alert_lists
from terminal.mqtt.endpoint import Endpoint
from terminal.payby.sandbox.server import Sandbox
from terminal.roles.alerts.role import AlertsOptions, AlertsRole
from terminal.roles.alerts.wording import AlertLetter
from terminal.roles.discovery.entities import AnnouncedGarage
from terminal.roles.discovery.role import AGAIN_S, DiscoveryRole
from terminal.roles.worker import screens
from terminal.roles.worker.newcomers import LOOKERS_APART_MS, Newcomers
from tests.sim.loop import VirtualLoop
from tests.support.eventually import eventually
from tests.support.forgetful_bus import ForgetfulBus
from tests.support.lifts import GARAGE, LANE
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock
from tests.support.worker_lane import CLOCK, Lane, sandbox, working

__all__ = ["sandbox"]


def health(instance: str, state: HealthState = "online") -> Health:
    head = {"id": "0190d3f0-7c1e-7a52-9d2f-0123456789ab", "at": stamp(0)}
    return Health(**head, state=state, version="1", instance=instance, since=stamp(0))


class Answers:
    """A clock, and what was said again."""

    def __init__(self) -> None:
        self.now, self.said = 0, list[str]()
        self.newcomers = Newcomers(self._say, lambda: self.said.append("all"), lambda: self.now)

    async def _say(self, lane: str) -> None:
        self.said.append(lane)

    async def hears(self, what: str, instance: str, *, state: HealthState = "online", retained: bool = False) -> None:
        topic = parse(f"parking/marina/{what}")
        await self.newcomers.note_health(topic, health(instance, state), retained=retained)


async def test_a_console_or_discovery_that_starts_is_told_everything_once() -> None:
    answers = Answers()
    await answers.hears("garage/health/console", "a")
    await answers.hears("garage/health/console", "a")
    assert answers.said == ["all"]
    answers.now += LOOKERS_APART_MS
    await answers.hears("garage/health/discovery", "b")
    answers.now += LOOKERS_APART_MS
    await answers.hears("garage/health/console", "c")
    assert answers.said == ["all", "all", "all"]


async def test_an_lcd_is_told_its_own_lane() -> None:
    answers = Answers()
    await answers.hears("exit-2/health/lcd", "a")
    await answers.hears("exit-2/health/lcd", "a")
    assert answers.said == ["exit-2"]


@pytest.mark.parametrize(
    ("what", "state", "retained"),
    [
        ("garage/health/console", "offline", False),
        ("garage/health/console", "online", True),
        ("garage/health/listener", "online", False),
        ("exit-1/health/console", "online", False),
        ("garage/health/lcd", "online", False),
    ],
)
async def test_who_leaves_was_there_before_or_shows_nothing_is_told_nothing(
    what: str, state: HealthState, retained: bool
) -> None:
    answers = Answers()
    await answers.hears(what, "a", state=state, retained=retained)
    assert answers.said == []


async def test_whoever_claims_to_start_again_and_again_makes_no_storm() -> None:
    answers = Answers()
    for number in range(1000):
        answers.now += 10
        await answers.hears("garage/health/console", f"life {number}")
    assert len(answers.said) == 1


@asynccontextmanager
async def forgotten(sandbox: Sandbox) -> AsyncIterator[Lane]:
    """A worker at work at such a broker, with a car that has its code."""
    async with working(sandbox, bus=ForgetfulBus()) as lane:
        await lane.pays_at_the_qr()
        yield lane


async def test_who_looks_on_later_knows_screen_order_and_alerts_within_a_minute(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screens, "SAY_AGAIN_S", 0.1)  # a minute
    monkeypatch.setattr(alert_lists, "SELDOM_S", 0.1)
    async with forgotten(sandbox) as lane:
        endpoint = Endpoint(lane.bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="1", clock=CLOCK)
        await endpoint.alert("disk", "90 % full")
        beating = asyncio.create_task(endpoint.run_heartbeat())
        monitor = GarageMonitor(GARAGE, CLOCK)
        with_nothing = lane.bus.subscribe(f"parking/{GARAGE}/#")

        async def watch() -> None:
            async for delivery in with_nothing:
                delivery.ack()
                assert not delivery.retained
                monitor.take(delivery.topic, delivery.payload, retained=False)

        watching = asyncio.create_task(watch())
        try:
            await eventually(lambda: bool(monitor.raised()) and LANE in monitor.lanes)
            seen = monitor.lanes[LANE]
            await eventually(lambda: seen.order is not None and seen.screen is not None)
            assert seen.order and seen.order.text("status") == "created"
            assert seen.screen and seen.screen.text("state") == "pay"
            assert [there.alert.code for there in monitor.raised()] == ["disk"]
        finally:
            for task in (watching, beating):
                task.cancel()
            await asyncio.gather(watching, beating, return_exceptions=True)
            with_nothing.close()


async def test_discovery_that_starts_announces_every_lane_at_once(sandbox: Sandbox) -> None:
    async with forgotten(sandbox) as lane:
        announced = AnnouncedGarage(GARAGE, "Garage", "1", ())
        endpoint = Endpoint(lane.bus.as_bus(), garage=GARAGE, lane=None, role="discovery", version="1", clock=CLOCK)
        task = asyncio.create_task(DiscoveryRole(endpoint, announced, ZoneInfo("Asia/Dubai")).run())
        topics = {entity.topic for entity in announced.of_lane(LANE)}
        try:
            await eventually(lambda: topics <= {topic for topic, _, _ in lane.bus.said})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def announced_by(bus: MemoryBus, minutes: int) -> list[str]:
    """How often discovery announces one entity at this broker, in virtual minutes."""
    with VirtualLoop() as loop:
        garage = AnnouncedGarage(GARAGE, "Garage", "1", ())
        endpoint = Endpoint(bus.as_bus(), garage=GARAGE, lane=None, role="discovery", version="1", clock=TurnedClock())

        async def story() -> None:
            task = asyncio.create_task(DiscoveryRole(endpoint, garage, ZoneInfo("Asia/Dubai")).run())
            await asyncio.sleep(minutes * AGAIN_S + 10)  # virtual time
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        loop.run(story())
    one = next(iter(garage.of_garage())).topic
    return [topic for topic, _, _ in bus.said if topic == one]


def test_discovery_announces_again_each_minute_where_nothing_is_kept_and_nowhere_else() -> None:
    assert len(announced_by(ForgetfulBus(), 3)) == 4
    assert len(announced_by(MemoryBus(), 3)) == 1


async def test_after_a_reconnect_the_order_is_said_again_too_and_none_is_not(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        await lane.boom_is_down()
        await lane.until(Order, status="none")
        screens_before = len(lane.bus.of(Screen))
        lane.bus.connect(False)
        lane.bus.connect(True)
        await lane.bus.until(Screen, screens_before + 1)
        assert [order.status for order in lane.bus.of(Order)] == ["none"]
        await lane.pays_at_the_qr()
        said = len(lane.bus.of(Order))
        lane.bus.connect(False)
        lane.bus.connect(True)
        assert (await lane.bus.until(Order, said + 1))[-1].status == "created"


def test_what_is_raised_is_listed_again_each_minute_and_an_empty_list_is_not() -> None:
    with VirtualLoop() as loop:
        bus = MemoryBus()
        role = Endpoint(bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="1", clock=TurnedClock())

        async def story() -> None:
            await role.alert("disk", "90 % full")
            beating = asyncio.create_task(role.run_heartbeat())
            await asyncio.sleep(1)  # virtual time
            before = len(bus.of(Alerts))
            await asyncio.sleep(2 * alert_lists.SELDOM_S)  # virtual time
            again = bus.of(Alerts)[before:]
            assert [[alert.code for alert in one.raised] for one in again] == [["disk"], ["disk"]]
            await role.clear("disk", "there is room")
            before = len(bus.of(Alerts))
            await asyncio.sleep(2 * alert_lists.SELDOM_S)  # virtual time
            assert len(bus.of(Alerts)) == before
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

        loop.run(story())


class Letters:
    """A receiver of alerts that keeps what it is sent."""

    name = "letters"

    def __init__(self) -> None:
        self.sent: list[list[tuple[str, int]]] = []

    async def send(self, letter: AlertLetter) -> None:
        self.sent.append([(notice.code, notice.count) for notice in letter.notices])


def test_who_sends_alerts_on_hears_of_what_stands_by_a_list_and_of_nothing_twice() -> None:
    with VirtualLoop() as loop:
        bus, clock, letters = ForgetfulBus(), TurnedClock(), Letters()
        endpoint = Endpoint(bus.as_bus(), garage=GARAGE, lane=None, role="alerts", version="1", clock=clock)
        worker = Endpoint(bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="1", clock=clock)
        options = AlertsOptions("Garage", ZoneInfo("Asia/Dubai"))

        async def story() -> None:
            await worker.alert("arm", "it does not rise", lane=LANE)
            clock.turn(60_000)
            task = asyncio.create_task(AlertsRole(endpoint, [letters], options).run())
            beating = asyncio.create_task(worker.run_heartbeat())
            for _ in range(4):
                await asyncio.sleep(alert_lists.SELDOM_S / 4)  # virtual time
                clock.turn(15_000)
            await worker.alert("no-receipt", "the worker is silent", lane=LANE)
            for _ in range(12):
                await asyncio.sleep(alert_lists.SELDOM_S / 4)  # virtual time
                clock.turn(15_000)
            for one in (task, beating):
                one.cancel()
            await asyncio.gather(task, beating, return_exceptions=True)

        loop.run(story())
    assert letters.sent == [[("arm", 1)], [("no-receipt", 1)]]


def test_a_screen_that_is_only_said_again_keeps_its_age() -> None:
    clock = TurnedClock()
    monitor = GarageMonitor(GARAGE, clock)
    for _ in range(3):
        said = {"v": 1, "id": "x", "at": stamp(clock.wall_ms()), "state": "idle"}
        monitor.take(f"parking/{GARAGE}/{LANE}/screen", json.dumps(said).encode(), retained=False)
        clock.turn(60_000)
    since = monitor.lanes[LANE].shown_since
    assert since and since.age_ms(clock.wall_ms(), clock.steady_ms()) == 180_000
    assert GARAGE_WIDE not in monitor.lanes
