"""How a role talks: what goes where, what is refused, alerts that are raised once, heartbeats, and who is there."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock, new_id
from terminal.contract.messages import MESSAGES, Alert, BadMessage, Barrier, Fee, Health, Message, Order, Vehicle
from terminal.contract.topics import SILENT_MS, Topic, TopicError
from terminal.mqtt.alerts import BAD_BURST, BAD_EVERY_MS
from terminal.mqtt.client import MqttClient
from terminal.mqtt.endpoint import Endpoint, MessageStream
from terminal.mqtt.errors import Will
from terminal.mqtt.heartbeat import SHARED_HEARTBEAT_S, last_will
from terminal.mqtt.presence import Presence
from tests.conftest import Mosquitto, NewBus, PuppetBroker, embedded_bus
from tests.sim.loop import VirtualLoop
from tests.sim.memorybus import MemoryBus


@dataclass
class Hands:
    """A clock that stands where it is put."""

    ms: int = 1_800_000_000_000

    def wall_ms(self) -> int:
        return self.ms

    def steady_ms(self) -> int:
        return self.ms - 1_700_000_000_000


@pytest.fixture
async def bus(embedded: EmbeddedBroker) -> AsyncIterator[MqttClient]:
    async with embedded_bus(embedded) as opened:
        yield opened


@pytest.fixture
def clock() -> Hands:
    return Hands()


def endpoint(
    bus: MqttClient, clock: Hands, role: str = "worker", lane: str | None = "exit-1", beat_s: float = 5.0
) -> Endpoint:
    return Endpoint(bus, garage="marina", lane=lane, role=role, version="1.2", clock=clock, heartbeat_s=beat_s)


def vehicle(of: Endpoint, **more: Any) -> Vehicle:
    return Vehicle(**of.head(), **{"waiting": True, "under_boom": False, **more})


async def take(hearing: MessageStream) -> tuple[str, Message, bool]:
    async with asyncio.timeout(5):
        heard = await anext(hearing)
    heard.ack()
    return str(heard.topic), heard.message, heard.retained


async def quiet(hearing: MessageStream) -> bool:
    """Does nothing more come for a while?"""
    try:
        async with asyncio.timeout(0.1):
            await anext(hearing)
    except TimeoutError:
        return True
    return False


# Talking


async def test_a_message_goes_to_its_topic_in_the_own_lane_or_the_one_named(bus: MqttClient, clock: Hands) -> None:
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


async def test_what_the_contract_says_is_retained_and_nothing_else(bus: MqttClient, clock: Hands) -> None:
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


async def test_a_role_hears_its_own_lane_and_the_health_of_the_garage(bus: MqttClient, clock: Hands) -> None:
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


async def test_one_roles_health_can_be_heard_alone(bus: MqttClient, clock: Hands) -> None:
    speaker = endpoint(bus, clock)
    with speaker.subscribe("health/worker", lane="+") as hearing:
        await hearing.granted()
        health = Health(**speaker.head(), state="online", version="1", instance="i", since="2026-11-22T10:00:00.000Z")
        await speaker.publish(health, role="lcd")
        await speaker.publish(health)
        assert (await take(hearing))[0] == "parking/marina/exit-1/health/worker"


def test_ids_are_new_and_of_their_moment() -> None:
    ids = [new_id(Hands()) for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {int(text.replace("-", "")[:12], 16) for text in ids} == {1_800_000_000_000}
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", new_id(SystemClock()))


async def test_names_that_no_topic_may_hold_and_messages_of_no_contract_are_refused(
    bus: MqttClient, clock: Hands
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


async def test_what_does_not_fit_is_acknowledged_alerted_and_not_heard(bus: MqttClient, clock: Hands) -> None:
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
    new_bus: NewBus, clock: Hands, what: str
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


async def test_nothing_at_all_where_nothing_is_ever_kept_is_a_bad_message(bus: MqttClient, clock: Hands) -> None:
    here = endpoint(bus, clock)
    with here.subscribe("fee", "alert") as hearing:
        await hearing.granted()
        await bus.publish("parking/marina/exit-1/fee", b"")
        _, alert, _ = await take(hearing)
    assert isinstance(alert, Alert) and alert.code == "bad-message"


async def test_a_flood_of_bad_messages_becomes_a_few_alerts_with_a_count(bus: MqttClient, clock: Hands) -> None:
    listener = endpoint(bus, clock)
    with listener.subscribe("alert", lane="+") as alerts:
        await alerts.granted()
        for n in range(BAD_BURST + 7):
            await listener.bad_message("parking/marina/exit-2/fee", f"wrong {n}")
        got = [await take(alerts) for _ in range(BAD_BURST)]
        assert {topic for topic, _, _ in got} == {"parking/marina/exit-2/alert"}
        assert await quiet(alerts)
        clock.ms += BAD_EVERY_MS
        await listener.bad_message("not/ours", "wrong again")
        await listener.bad_message("not/ours", "and again")
        topic, message, _ = await take(alerts)
        assert (topic, message.text) == (  # type: ignore[attr-defined]
            "parking/marina/exit-1/alert",
            "not/ours: wrong again (and 7 more)",
        )
        assert await quiet(alerts)


# Alerts


async def test_an_alert_is_raised_once_until_it_is_cleared(bus: MqttClient, clock: Hands) -> None:
    speaker = endpoint(bus, clock)
    with speaker.subscribe("alert", lane="+") as alerts:
        await alerts.granted()
        for _ in range(3):
            await speaker.alert("scanner", "gone")
        await speaker.alert("scanner", "gone", lane="exit-2")
        await speaker.clear("scanner", "back")
        await speaker.clear("scanner", "back")
        await speaker.clear("relay", "fine")
        await speaker.alert("scanner", "gone again", severity="warning")
        got = [await take(alerts) for _ in range(4)]
        assert [(t.split("/")[2], m.state, m.severity, m.text) for t, m, _ in got] == [  # type: ignore[attr-defined]
            ("exit-1", "raised", "critical", "gone"),
            ("exit-2", "raised", "critical", "gone"),
            ("exit-1", "cleared", "critical", "back"),
            ("exit-1", "raised", "warning", "gone again"),
        ]
        assert await quiet(alerts)


async def test_two_visits_have_an_alert_each(bus: MqttClient, clock: Hands) -> None:
    speaker = endpoint(bus, clock)
    one, two = new_id(clock), new_id(clock)
    with speaker.subscribe("alert") as alerts:
        await alerts.granted()
        for session in (one, two, one):
            await speaker.alert("payby-silent", "no answer", session=session, help_code="AB12C")
        await speaker.clear("payby-silent", "left", session=one)
        await speaker.clear("payby-silent", "all left")
        got = [(await take(alerts))[1] for _ in range(4)]
        assert [(m.state, m.session) for m in got] == [  # type: ignore[attr-defined]
            ("raised", one),
            ("raised", two),
            ("cleared", one),
            ("cleared", two),
        ]
        assert await quiet(alerts)


async def test_what_happens_is_told_every_time(bus: MqttClient, clock: Hands) -> None:
    speaker = endpoint(bus, clock)
    with speaker.subscribe("alert") as alerts:
        await alerts.granted()
        for _ in range(2):
            await speaker.alert("tailgating", "two cars")
        assert [(await take(alerts))[1].code for _ in range(2)] == ["tailgating"] * 2  # type: ignore[attr-defined]


# Health


NASTY = ("x" * 20_000, "half \ud83d", "nul \0", "a\nline", "turned \u202e around", '"' * 20_000)


@pytest.mark.parametrize("text", NASTY, ids=ascii)
async def test_any_text_goes_out_in_an_alert_and_in_health_as_one_plain_line(
    clock: Hands, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    bus = MemoryBus()
    it = endpoint(bus.as_bus(), clock)
    await it.alert("scanner", text)
    await it.clear("scanner", text)
    await it.bad_message(f"parking/marina/exit-1/fee{text}", text)
    beating = asyncio.create_task(it.run_heartbeat())
    it.degraded(text)
    await bus.until(Health, 1)
    beating.cancel()
    await asyncio.wait([beating])
    assert len(bus.of(Alert)) == 3
    for said in (*(a.text for a in bus.of(Alert)), bus.of(Health)[0].reason, *caplog.messages):
        assert said and said.isprintable() and len(said) <= 1_100


async def test_health_is_said_at_once_on_change_again_and_again_and_at_the_end(bus: MqttClient, clock: Hands) -> None:
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
        clock.ms += 1000
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


async def test_health_is_said_after_every_connect(mosquitto: Mosquitto, clock: Hands) -> None:
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
async def test_of_two_heartbeats_of_one_role_the_first_is_said_and_the_other_waits(clock: Hands) -> None:
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


async def test_what_is_raised_of_the_place_as_a_whole_is_known(clock: Hands) -> None:
    speaker = endpoint(MemoryBus().as_bus(), clock)
    await speaker.alert("disk", "nearly full")
    await speaker.alert("payby-silent", "no answer", session="s")
    await speaker.alert("barrier-clock", "off", lane="exit-2")
    await speaker.alert("tailgating", "it happened")
    assert speaker.raised() == ["disk"]


def test_a_heartbeat_is_said_again_for_who_connects_a_moment_later(clock: Hands) -> None:
    with VirtualLoop() as loop:
        bus, heard = MemoryBus(), list[float]()

        async def story() -> None:
            beating = asyncio.create_task(endpoint(bus.as_bus(), clock).run_heartbeat())
            for tenth in range(30):
                await asyncio.sleep(0.1)
                if tenth == 4:
                    bus.connect(False)
                    bus.connect(True)
                heard.extend(round(loop.now, 1) for said in bus.said if "/health/" in said[0])
                bus.said.clear()
            beating.cancel()
            await asyncio.wait([beating])

        loop.run(story())
    assert heard == [0.1, 0.6, 2.7]


def test_a_role_that_shares_its_connection_beats_every_12_s_and_says_at_once_what_changes(clock: Hands) -> None:
    with VirtualLoop() as loop:
        bus, heard = MemoryBus(), list[float]()

        async def story() -> None:
            role = endpoint(bus.as_bus(), clock, beat_s=SHARED_HEARTBEAT_S)
            beating = asyncio.create_task(role.run_heartbeat())
            for second in range(60):
                await asyncio.sleep(1)
                if second == 30:
                    role.degraded("a trouble")
                heard.extend(round(loop.now) for said in bus.said if "/health/" in said[0])
                bus.said.clear()
            beating.cancel()
            await asyncio.wait([beating])

        loop.run(story())
    assert heard == [1, 12, 24, 32, 43, 55]


async def test_a_broker_that_takes_heartbeats_and_delivers_none_is_left(clock: Hands) -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="worker") as bus:
        speaker = endpoint(bus, clock, beat_s=0.02)
        beating = asyncio.create_task(speaker.run_heartbeat())
        await broker.next(3)
        clock.ms += 14_000
        await asyncio.sleep(0.1)
        assert len(broker.writers) == 1
        clock.ms += 2_000
        await broker.next(1)
        while len(broker.writers) < 2:
            await broker.next(1)
        beating.cancel()
        await asyncio.wait([beating])


async def test_the_last_will_says_that_the_process_is_offline(embedded: EmbeddedBroker, clock: Hands) -> None:
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


# Who is there


def health(state: str = "online", instance: str = "one") -> Health:
    now = "2026-11-22T10:00:00.000Z"
    return Health(
        id=new_id(Hands()),
        at=now,
        state=state,  # type: ignore[arg-type]
        version="1",
        instance=instance,
        since=now,
    )


def at(role: str, lane: str = "exit-1") -> Topic:
    return Topic("marina", lane, f"health/{role}")


def test_a_role_is_there_for_15_s_after_its_last_heartbeat(clock: Hands) -> None:
    presence = Presence(clock)
    assert (presence.state("worker"), presence.online("worker")) == ("offline", False)
    presence.take(at("worker", "garage"), health(), retained=False)
    presence.take(at("reader"), health("degraded"), retained=False)
    assert [presence.state(role) for role in ("worker", "reader")] == ["online", "degraded"]
    assert [presence.online("worker", lane) for lane in ("garage", "exit-1")] == [True, False]
    clock.ms += SILENT_MS
    assert presence.online("worker")
    clock.ms += 1
    assert not presence.online("worker")
    assert presence.silent_ms("worker") == SILENT_MS + 1


def test_a_retained_message_says_nothing_about_now(clock: Hands) -> None:
    presence = Presence(clock)
    clock.ms += 4000
    presence.take(at("worker"), health(), retained=True)
    assert not presence.online("worker")
    assert presence.silent_ms("worker") == 4000
    assert [(peer.role, peer.at_ms) for peer in presence.all()] == [("worker", None)]
    presence.take(at("worker"), health("degraded"), retained=False)
    presence.take(at("worker"), health("offline"), retained=True)
    assert presence.state("worker") == "degraded"


def test_who_says_that_it_goes_is_gone_at_once(clock: Hands) -> None:
    presence = Presence(clock)
    presence.take(at("worker"), health(), retained=False)
    clock.ms += 100
    presence.take(at("worker"), health("offline"), retained=False)
    assert not presence.online("worker")


@pytest.mark.parametrize("role", ["worker", "run"])
def test_who_says_that_it_goes_was_heard_when_it_last_said_that_it_is_there(clock: Hands, role: str) -> None:
    """Its will must not make its silence as long as this process has lived."""
    presence = Presence(clock)
    clock.ms += 60_000
    presence.take(at("worker"), health(instance="one"), retained=False)
    clock.ms += 4_000
    presence.take(at(role), health("offline", "one"), retained=False)
    assert (presence.online("worker"), presence.silent_ms("worker")) == (False, 4_000)
    clock.ms += 1_000
    presence.take(at("worker"), health("offline", "one"), retained=False)
    assert presence.silent_ms("worker") == 5_000
    presence.take(at("worker"), health(instance="two"), retained=False)
    assert presence.silent_ms("worker") == 0


def test_who_only_ever_said_that_it_goes_was_never_heard(clock: Hands) -> None:
    presence = Presence(clock)
    clock.ms += 4_000
    presence.take(at("worker"), health("offline"), retained=False)
    assert presence.silent_ms("worker") == 4_000


def test_the_will_of_a_process_takes_its_roles_with_it_and_no_others(clock: Hands) -> None:
    presence = Presence(clock)
    for role, instance in (("run", "one"), ("worker", "one"), ("lcd", "one"), ("reader", "two")):
        presence.take(at(role), health(instance=instance), retained=False)
    presence.take(at("run"), health("offline", "one"), retained=False)
    assert [presence.online(role) for role in ("run", "worker", "lcd", "reader")] == [False, False, False, True]
    presence.take(at("worker"), health(instance="three"), retained=False)
    assert presence.online("worker")


def test_a_beat_of_one_role_is_a_sign_of_life_of_all_in_its_process_but_of_those_that_said_they_go(
    clock: Hands,
) -> None:
    presence = Presence(clock)
    for role, instance in (("run", "one"), ("worker", "one"), ("lcd", "one"), ("reader", "two"), ("loops", "one")):
        presence.take(at(role), health(instance=instance), retained=False)
    presence.take(at("loops"), health("offline", "one"), retained=False)
    clock.ms += SILENT_MS
    presence.take(at("run"), health(instance="one"), retained=False)
    clock.ms += 1
    assert [presence.online(role) for role in ("worker", "lcd", "reader", "loops")] == [True, True, False, False]
    assert presence.silent_ms("worker") == 1


def test_one_lane_that_is_online_is_enough_unless_the_lane_is_named(clock: Hands) -> None:
    presence = Presence(clock)
    presence.take(at("barrier", "exit-1"), health("offline"), retained=False)
    presence.take(at("barrier", "exit-2"), health("degraded"), retained=False)
    assert (presence.state("barrier"), presence.state("barrier", "exit-1")) == ("degraded", "offline")
