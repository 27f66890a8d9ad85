"""A role's endpoint: what goes where, what is refused, alerts that are raised once, heartbeats, and who is online."""

import asyncio
import json
import re

import pytest

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import MESSAGES, Alert, BadMessage, Barrier, Fee, Health, Message, Order
from terminal.contract.topics import TopicError
from terminal.mqtt.alerts import BAD_BURST, BAD_EVERY_MS
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint
from tests.conftest import NewBus
from tests.support.endpoint import NOW, bus, clock, endpoint, quiet, take, vehicle
from tests.support.turned_clock import TurnedClock

__all__ = ["bus", "clock"]


# Talking


async def test_a_message_goes_to_its_topic_in_the_own_lane_or_the_one_named(
    bus: MqttClient, clock: TurnedClock
) -> None:
    at_lane, at_garage = endpoint(bus, clock), endpoint(bus, clock, lane=None)
    with at_garage.subscribe("vehicle", "health", "alert") as hearing:
        await hearing.granted()
        message = vehicle(at_lane)
        await at_lane.publish(message)
        assert await take(hearing) == ("parking/marina/exit-1/vehicle", message, False)
        await at_garage.publish(message, lane="exit-2")
        assert (await take(hearing))[0] == "parking/marina/exit-2/vehicle"
        await at_garage.alert("disk", "of no lane")
        assert (await take(hearing))[0] == "parking/marina/garage/alert"
        health = Health(**at_lane.head(), state="online", version="1", instance="i", since="2026-11-22T10:00:00.000Z")
        await at_lane.publish(health)
        await at_lane.publish(health, role="run")
        assert [(await take(hearing))[0].rpartition("/")[2] for _ in range(2)] == ["worker", "run"]


RETAINED = {"order", "screen", "barrier", "vehicle", "health"}


async def test_what_the_contract_says_is_retained_and_nothing_else(bus: MqttClient, clock: TurnedClock) -> None:
    said = endpoint(bus, clock)
    samples: list[Message] = [
        vehicle(said),
        Barrier(**said.head(), state="down"),
        Order(**said.head(), status="none"),
        Fee(**said.head(), ticket="x", reason="refused", why="ticket-unknown"),
        Alert(**said.head(), severity="info", code="c", state="raised", text="t"),
    ]
    with said.subscribe("alert") as hearing:
        await hearing.granted()
        for sample in samples:
            await said.publish(sample)
        await take(hearing)
    with said.subscribe(*(kind for kind in MESSAGES if kind != "health")) as hearing:
        kept = {(await take(hearing))[0].rpartition("/")[2] for _ in range(3)}
        assert kept == {"vehicle", "barrier", "order"} < RETAINED
        assert await quiet(hearing)


async def test_a_role_hears_its_own_lane_and_the_health_of_the_garage(bus: MqttClient, clock: TurnedClock) -> None:
    one, two, garage = endpoint(bus, clock), endpoint(bus, clock, lane="exit-2"), endpoint(bus, clock, "worker", None)
    with one.subscribe("vehicle", "health") as hearing:
        await hearing.granted()
        health = Health(**one.head(), state="online", version="1", instance="i", since="2026-11-22T10:00:00.000Z")
        for speaker in (two, garage, one):
            await speaker.publish(vehicle(speaker))
            await speaker.publish(health)
        assert sorted([(await take(hearing))[0] for _ in range(3)]) == [
            "parking/marina/exit-1/health/worker",
            "parking/marina/exit-1/vehicle",
            "parking/marina/garage/health/worker",
        ]
        assert await quiet(hearing)


async def test_one_roles_health_can_be_heard_alone(bus: MqttClient, clock: TurnedClock) -> None:
    speaker = endpoint(bus, clock)
    with speaker.subscribe("health/worker", lane="+") as hearing:
        await hearing.granted()
        health = Health(**speaker.head(), state="online", version="1", instance="i", since="2026-11-22T10:00:00.000Z")
        await speaker.publish(health, role="lcd")
        await speaker.publish(health)
        assert (await take(hearing))[0] == "parking/marina/exit-1/health/worker"


def test_ids_are_new_and_of_their_moment() -> None:
    ids = [new_id(TurnedClock(NOW)) for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {int(text.replace("-", "")[:12], 16) for text in ids} == {NOW}
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", new_id(SystemClock()))


async def test_names_that_no_topic_may_hold_and_messages_of_no_contract_are_refused(
    bus: MqttClient, clock: TurnedClock
) -> None:
    with pytest.raises(TopicError):
        endpoint(bus, clock, lane="garage")
    with pytest.raises(TopicError):
        Endpoint(bus, garage="Marina", lane=None, role="worker", version="1", clock=clock)
    with pytest.raises(ValueError, match="nonsense"):
        endpoint(bus, clock).subscribe("fee", "nonsense")
    with pytest.raises(ValueError, match="nothing named"):
        endpoint(bus, clock).subscribe()
    with pytest.raises(TopicError):
        await endpoint(bus, clock).publish(vehicle(endpoint(bus, clock)), lane="UPPER")
    with pytest.raises(BadMessage):
        await endpoint(bus, clock).publish(
            Fee(**endpoint(bus, clock).head(), ticket="x", reason="refused", why="y" * 17_000)
        )


# What cannot be read


async def test_what_does_not_fit_is_acknowledged_alerted_and_not_heard(bus: MqttClient, clock: TurnedClock) -> None:
    speaker = endpoint(bus, clock)
    good = vehicle(speaker)
    with speaker.subscribe("vehicle", "alert") as hearing, speaker.subscribe("vehicle") as hearer:
        await hearing.granted()
        await hearer.granted()
        await bus.publish("parking/marina/exit-1/vehicle", b"no JSON")
        await bus.publish("parking/marina/exit-1/vehicle", json.dumps({"v": 1, "id": new_id(clock)}).encode())
        await speaker.publish(good)
        assert (await take(hearer))[1] == good
        texts: list[str] = []
        while len(texts) < 2:
            async with asyncio.timeout(5):
                message = (await take(hearing))[1]
            if isinstance(message, Alert) and message.text not in texts:
                texts.append(message.text)
                assert (message.code, message.state, message.severity) == ("bad-message", "raised", "warning")
        assert texts[0].startswith("parking/marina/exit-1/vehicle: vehicle: ")
        assert "`at`" in texts[1]


@pytest.mark.parametrize("what", ["order", "screen", "barrier", "vehicle", "health/loops"])
async def test_what_is_deleted_at_the_broker_is_no_bad_message_and_is_kept_no_more(
    new_bus: NewBus, clock: TurnedClock, what: str
) -> None:
    async with new_bus("lane") as bus:
        here = endpoint(bus, clock)
        topic = f"parking/marina/exit-1/{what}"
        with here.subscribe(what, "fee", "alert") as hearing:
            await hearing.granted()
            await bus.publish(topic, b"", retain=True)
            for text in ("x", "z"):  # an alert would come between the two
                said = Fee(**here.head(), ticket=text, reason="refused", why="y")
                await here.publish(said)
                assert (await take(hearing))[1] == said
        with here.subscribe(what) as later:
            await later.granted()
            assert await quiet(later)


async def test_nothing_at_all_where_nothing_is_ever_kept_is_a_bad_message(bus: MqttClient, clock: TurnedClock) -> None:
    here = endpoint(bus, clock)
    with here.subscribe("fee", "alert") as hearing:
        await hearing.granted()
        await bus.publish("parking/marina/exit-1/fee", b"")
        _, alert, _ = await take(hearing)
    assert isinstance(alert, Alert) and alert.code == "bad-message"


async def test_a_flood_of_bad_messages_becomes_a_few_alerts_with_a_count(bus: MqttClient, clock: TurnedClock) -> None:
    listener = endpoint(bus, clock)
    with listener.subscribe("alert", lane="+") as alerts:
        await alerts.granted()
        for n in range(BAD_BURST + 7):
            await listener.bad_message("parking/marina/exit-2/fee", f"wrong {n}")
        got = [await take(alerts) for _ in range(BAD_BURST)]
        assert {topic for topic, _, _ in got} == {"parking/marina/exit-2/alert"}
        assert await quiet(alerts)
        clock.turn(BAD_EVERY_MS)
        await listener.bad_message("not/ours", "wrong again")
        await listener.bad_message("not/ours", "and again")
        topic, message, _ = await take(alerts)
        assert (topic, message.text) == (  # type: ignore[attr-defined]
            "parking/marina/exit-1/alert",
            "not/ours: wrong again (and 7 more)",
        )
        assert await quiet(alerts)
