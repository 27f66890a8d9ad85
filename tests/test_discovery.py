"""What Home Assistant finds: the entities of each lane, their values, and that nothing of it can be commanded."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock, new_id
from terminal.contract.access import USERS, WATCHERS, may_publish, may_subscribe, mosquitto_acl, readable
from terminal.contract.messages import stamp
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.discovery.entities import AnnouncedGarage
from terminal.roles.discovery.role import DiscoveryRole
from terminal.roles.discovery.takings import Takings
from tests.conftest import embedded_bus
from tests.support.eventually import eventually

DUBAI = ZoneInfo("Asia/Dubai")
ORDER = "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab"
HEALTH = "parking/marina/garage/health"
GARAGE = AnnouncedGarage("marina", "Marina Garage", "1.0", (f"{HEALTH}/discovery", f"{HEALTH}/run"))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=DUBAI).timestamp() * 1000)


# -- what is announced ----------------------------------------------------------------------------------------------


def test_each_lane_has_its_entities_and_none_takes_a_command() -> None:
    entities = [*GARAGE.of_garage(), *GARAGE.of_lane("exit-1")]
    assert [entity.topic for entity in entities] == [
        *(f"homeassistant/{kind}/exit_terminal_marina/garage_{what}/config"
          for kind, what in (("sensor", "takings"), ("sensor", "alerts"), ("binary_sensor", "health"))),
        *(f"homeassistant/{kind}/exit_terminal_marina/exit-1_{what}/config"
          for kind, what in (
              ("binary_sensor", "boom"), ("sensor", "barrier"), ("sensor", "screen"), ("binary_sensor", "vehicle"),
              ("sensor", "takings"), ("sensor", "alerts"), ("binary_sensor", "health"),
          )),
    ]  # fmt: skip
    assert len({entity.config["unique_id"] for entity in entities}) == len(entities)
    assert not [key for entity in entities for key in entity.config if "command" in key]
    assert {entity.config["device"]["name"] for entity in entities} == {"Marina Garage", "Marina Garage exit-1"}
    assert all(json.loads(entity.payload) == entity.config for entity in entities)


def shown(what: str, data: dict[str, Any], key: str = "value_template") -> str:
    """What an entity's template makes of a message, by Jinja as Home Assistant has it."""
    entity = next(one for one in GARAGE.of_lane("exit-1") if one.config["unique_id"].endswith(f"_{what}"))
    return Environment(autoescape=False).from_string(entity.config[key]).render(value_json=data)


def test_the_templates_read_the_contract_s_messages() -> None:
    assert [shown("boom", {"state": state}) for state in ("down", "rising", "up", "lowering", "fault", "unknown")] == [
        "OFF", "ON", "ON", "ON", "None", "None",
    ]  # fmt: skip
    assert shown("screen", {"state": "help", "reason": "barrier"}) == "help"
    attributes = json.loads(
        shown(
            "screen",
            {"state": "help", "reason": "x", "help_code": "7KQ2M", "amount": "1.00"},
            "json_attributes_template",
        )
    )
    assert attributes == {"reason": "x", "help_code": "7KQ2M", "amount": "1.00"}
    assert [shown("vehicle", {"waiting": waiting}) for waiting in (True, False)] == ["ON", "OFF"]
    assert shown("health", {"problem": "ON", "roles": {}}) == "ON"


# -- a day's takings ------------------------------------------------------------------------------------------------


def test_an_order_counts_once_and_a_new_day_begins_at_the_garage_s_midnight() -> None:
    takings = Takings(DUBAI)
    assert takings.paid("exit-1", "a", "20.00", ms("2026-12-01T23:59:59"))
    assert not takings.paid("exit-1", "a", "20.00", ms("2026-12-01T23:59:59"))
    assert takings.paid("exit-1", "b", "0.05", ms("2026-12-01T23:59:59"))
    assert takings.today("exit-1", ms("2026-12-01T23:59:59")).state(DUBAI) == {
        "amount": "20.05", "currency": "AED", "payments": 2, "day": "2026-12-01",
        "since": "2026-11-30T20:00:00.000Z", "last": ["a", "b"],
    }  # fmt: skip
    assert takings.today("exit-1", ms("2026-12-02T00:00:00")).fils == 0
    assert takings.until_midnight_s(ms("2026-12-01T23:59:00")) == 60
    assert not takings.paid("exit-1", "c", "much", ms("2026-12-02T00:00:01"))


def test_a_start_goes_on_from_what_was_said_and_from_nothing_else() -> None:
    now = ms("2026-12-01T12:00:00")
    first = Takings(DUBAI)
    first.paid("exit-1", "a", "20.00", now)
    said = first.today("exit-1", now).state(DUBAI)
    again = Takings(DUBAI)
    again.restore("exit-1", said, now)
    assert not again.paid("exit-1", "a", "20.00", now)
    assert again.today("exit-1", now).state(DUBAI) == said
    for odd in (None, [], {"day": "2026-12-01"}, said | {"amount": "x"}, said | {"day": "2026-11-30"}):
        fresh = Takings(DUBAI)
        fresh.restore("exit-1", odd, now)
        assert fresh.today("exit-1", now).fils == 0


# -- who may say and read it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", [*USERS, *WATCHERS])
def test_only_the_role_and_run_announce_and_only_where_it_is_switched_on(user: str) -> None:
    topics = [entity.topic for entity in GARAGE.of_lane("exit-1")] + [
        "homeassistant/exit_terminal/marina/exit-1/takings"
    ]
    for topic in topics:
        assert may_publish(user, topic, garage="marina", discovery=True) == (user in ("discovery", "lane"))
        assert not may_publish(user, topic, garage="marina")
        assert not may_publish(user, topic.replace("marina", "palm"), garage="marina", discovery=True)
    for topic in (
        "homeassistant/lock/exit_terminal_marina/x/config",
        "homeassistant/status",
        "homeassistant/+/x/y/config",
    ):
        assert not may_publish(user, topic, garage="marina", discovery=True)
    assert may_subscribe(user, "homeassistant/#", garage="marina", discovery=True) == (user in WATCHERS)
    assert not may_subscribe(user, "homeassistant/#", garage="marina")


def test_mosquitto_s_rules_say_so_where_they_are_asked_for() -> None:
    assert "homeassistant" not in mosquitto_acl("marina")
    text = mosquitto_acl("marina", watchers=["watch", "homeassistant"], discovery=True)
    assert "access marina --watcher watch --watcher homeassistant --discovery > acl" in text
    assert text.endswith("user homeassistant\ntopic read parking/marina/#\ntopic read homeassistant/#\n")
    assert text.count("topic write homeassistant/sensor/exit_terminal_marina/+/config\n") == 2
    assert readable("discovery", garage="marina", discovery=True)[-1] == "homeassistant/exit_terminal/marina/+/+"


# -- at a real broker -----------------------------------------------------------------------------------------------


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    from functools import partial

    may = {"garage": "marina", "watchers": WATCHERS, "discovery": True}
    made = EmbeddedBroker(
        tmp_path / "users", USERS, watchers=WATCHERS, may_publish=partial(may_publish, **may),
        may_subscribe=partial(may_subscribe, **may), port=0,
    )  # fmt: skip
    async with made:
        yield made


class Kept:
    """What the broker keeps under ``homeassistant/``, as a watcher sees it."""

    def __init__(self, bus: MqttClient) -> None:
        self.topics: dict[str, Any] = {}
        self._subscription = bus.subscribe("homeassistant/#")

    async def follow(self) -> None:
        async for delivery in self._subscription:
            delivery.ack()
            if delivery.payload:
                self.topics[delivery.topic] = json.loads(delivery.payload)
            else:
                self.topics.pop(delivery.topic, None)

    def state(self, place: str, what: str) -> Any:
        return self.topics.get(f"homeassistant/exit_terminal/marina/{place}/{what}", {})


@asynccontextmanager
async def running(broker: EmbeddedBroker, *, announce: bool = True) -> AsyncIterator[None]:
    async with embedded_bus(broker, "discovery") as bus:
        endpoint = Endpoint(bus, garage="marina", lane=None, role="discovery", version="1", clock=SystemClock())
        task = asyncio.create_task(DiscoveryRole(endpoint, GARAGE, DUBAI, announce=announce).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def say(bus: MqttClient, what: str, lane: str = "exit-1", *, retain: bool = True, **fields: Any) -> None:
    clock = SystemClock()
    message = {"v": 1, "id": new_id(clock), "at": stamp(clock.wall_ms()), **fields}
    await bus.publish(f"parking/marina/{lane}/{what}", json.dumps(message).encode(), retain=retain)


@asynccontextmanager
async def watched(broker: EmbeddedBroker) -> AsyncIterator[tuple[MqttClient, Kept]]:
    async with embedded_bus(broker, "lane") as lane, embedded_bus(broker, "watch") as watch:
        kept = Kept(watch)
        following = asyncio.create_task(kept.follow())
        try:
            yield lane, kept
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def test_lanes_are_found_counted_and_go_on_after_a_start(broker: EmbeddedBroker) -> None:
    async with watched(broker) as (lane, kept):
        await say(lane, "screen", state="idle")
        now = stamp(SystemClock().wall_ms())
        await say(lane, "health/lcd", state="online", version="1", instance="i", since=now)
        async with running(broker):
            await eventually(lambda: kept.state("exit-1", "health").get("problem") == "OFF")
            configs = {topic for topic in kept.topics if topic.endswith("/config")}
            assert configs == {entity.topic for entity in (*GARAGE.of_garage(), *GARAGE.of_lane("exit-1"))}
            await say(lane, "order", status="paid", order_no=ORDER, amount="20.00", currency="AED")
            await eventually(lambda: kept.state("garage", "takings").get("amount") == "20.00")
            alert = {
                "code": "arm",
                "severity": "critical",
                "text": "it does not rise",
                "since": now,
                "help_code": "7KQ2M",
            }
            await say(lane, "alerts/barrier", raised=[alert])
            found = await eventually(lambda: kept.state("exit-1", "alerts").get("raised"))
            assert (found[0]["code"], found[0]["what_to_do"]) == ("arm", "Check the arm and its switches.")
        async with running(broker):  # the order that the broker kept is not counted again
            await say(lane, "order", status="paid", order_no=f"{ORDER}-2", amount="5.00", currency="AED")
            both = ("exit-1", "garage")
            await eventually(lambda: all(kept.state(place, "takings").get("payments") == 2 for place in both))
            assert [kept.state(place, "takings")["amount"] for place in both] == ["25.00", "25.00"]


async def test_what_was_announced_is_taken_back(broker: EmbeddedBroker) -> None:
    async with watched(broker) as (lane, kept):
        await say(lane, "screen", state="idle")
        async with running(broker):
            await eventually(lambda: len(kept.topics) >= 14)
        async with running(broker, announce=False):
            await eventually(lambda: kept.topics == {})


def test_a_day_s_beginning_is_a_time_that_home_assistant_reads() -> None:
    since = Takings(DUBAI).today("exit-1", ms("2026-12-01T12:00:00")).state(DUBAI)["since"]
    assert datetime.fromisoformat(since) == datetime(2026, 11, 30, 20, tzinfo=UTC)
