"""What a role has raised and not cleared: the broker keeps it, whoever comes later hears it, and nothing of before."""

import asyncio
import json
from typing import Any

from terminal.contract.messages import MAX_BYTES, Alerts, decode
from terminal.core import ids
from terminal.mqtt.endpoint import Endpoint
from tests.conftest import NewBus
from tests.sim.loop import VirtualLoop
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

GARAGE = "marina"
SESSION = ids.derived_id(1_795_000_000_000, "session")
NUMBER = ids.order_no(GARAGE, "exit-1", SESSION, 1)
OWN = f"parking/{GARAGE}/exit-1/alerts/barrier"


def endpoint(bus: MemoryBus, role: str = "barrier", lane: str | None = "exit-1") -> Endpoint:
    return Endpoint(bus.as_bus(), garage=GARAGE, lane=lane, role=role, version="1", clock=TurnedClock())


def kept(bus: MemoryBus, topic: str = OWN) -> list[dict[str, Any]]:
    raised: list[dict[str, Any]] = json.loads(bus.retained[topic])["raised"]
    return raised


async def test_the_list_is_replaced_on_every_change_and_empty_at_the_end() -> None:
    bus = MemoryBus()
    role = endpoint(bus)
    await role.alert("relay", "the relay failed")
    await role.alert("disk", "90 % full")
    await role.alert("relay", "the relay failed again")
    assert [(alert["code"], alert["severity"], alert["text"]) for alert in kept(bus)] == [
        ("relay", "critical", "the relay failed"),
        ("disk", "warning", "90 % full"),
    ]
    await role.clear("relay", "the relay works")
    assert [alert["code"] for alert in kept(bus)] == ["disk"]
    await role.clear("disk", "there is room")
    assert kept(bus) == []
    lists = [payload for topic, payload, retain in bus.said if topic == OWN and retain]
    assert len(lists) == 4


async def test_what_is_told_once_is_in_no_list() -> None:
    bus = MemoryBus()
    await endpoint(bus, "worker", None).alert("help", "a driver needs help", lane="exit-1")
    assert list(bus.retained) == []


async def test_an_alert_of_a_lane_is_in_that_lanes_list_and_one_of_none_in_the_garages() -> None:
    bus = MemoryBus()
    worker = endpoint(bus, "worker", None)
    await worker.alert("boom-stuck", "it does not rise", lane="exit-2")
    await worker.alert("disk", "90 % full")
    assert {topic: [alert["code"] for alert in kept(bus, topic)] for topic in bus.retained} == {
        "parking/marina/exit-2/alerts/worker": ["boom-stuck"],
        "parking/marina/garage/alerts/worker": ["disk"],
    }


async def test_an_alert_about_an_order_names_its_stay_and_the_help_code_of_the_screen() -> None:
    bus = MemoryBus()
    worker = endpoint(bus, "worker", None)
    await worker.alert("payby-silent", "no answer", lane="exit-1", order_no=NUMBER)
    await worker.alert("payby-forgot", "unknown", lane="exit-1", session=SESSION)
    told = [json.loads(payload) for topic, payload, _ in bus.said if topic.endswith("/alert")]
    for message in (*told, *kept(bus, f"parking/{GARAGE}/exit-1/alerts/worker")):
        assert (message["session"], message["help_code"]) == (SESSION, ids.help_code(SESSION))
    await worker.clear("payby-silent", "an answer", lane="exit-1", order_no=NUMBER)
    assert [alert["code"] for alert in kept(bus, f"parking/{GARAGE}/exit-1/alerts/worker")] == ["payby-forgot"]


async def test_a_list_that_would_be_too_long_bears_the_gravest_and_counts_the_others() -> None:
    bus = MemoryBus()
    worker = endpoint(bus, "worker", None)
    for number in range(200):
        session = ids.derived_id(1_795_000_000_000 + number, "one")
        await worker.alert("payby-failed", "ü" * 2000, severity="warning", once=False, lane="exit-1", session=session)
    await worker.alert("boom-stuck", "it does not rise", lane="exit-1")
    data = bus.retained["parking/marina/exit-1/alerts/worker"]
    said = decode(Alerts, data)
    assert MAX_BYTES * 0.9 < len(data) <= MAX_BYTES
    assert said.raised[0].code == "boom-stuck"
    assert len(said.raised) + (said.more or 0) == 201


def test_a_new_start_says_that_nothing_is_raised_where_an_earlier_one_had_raised_something() -> None:
    with VirtualLoop() as loop:
        bus = MemoryBus()
        before, other = endpoint(bus, "worker", None), endpoint(bus, "barrier")

        async def story() -> None:
            await before.alert("boom-stuck", "it does not rise", lane="exit-2")
            await other.alert("relay", "the relay failed")
            await bus.publish("parking/marina/exit-3/alerts/worker", b"garbage", retain=True)
            now = endpoint(bus, "worker", None)
            await now.alert("disk", "90 % full", lane="exit-1")
            beating = asyncio.create_task(now.run_heartbeat())
            await asyncio.sleep(1)  # virtual time
            lists = {topic: kept(bus, topic) for topic in bus.retained if "/alerts/" in topic}
            assert {topic.split("/", 2)[2]: [alert["code"] for alert in raised] for topic, raised in lists.items()} == {
                "exit-2/alerts/worker": [],
                "exit-3/alerts/worker": [],
                "exit-1/alerts/barrier": ["relay"],
                "exit-1/alerts/worker": ["disk"],
                "garage/alerts/worker": [],
            }
            bus.retained.clear()  # a broker that forgot everything
            bus.connect(False)
            bus.connect(True)
            await asyncio.sleep(1)  # virtual time
            assert set(bus.retained) >= {"parking/marina/exit-1/alerts/worker", "parking/marina/garage/alerts/worker"}
            beating.cancel()
            await asyncio.wait([beating])

        loop.run(story())


async def test_who_comes_later_hears_what_is_raised_from_either_broker(new_bus: NewBus) -> None:
    async with new_bus("worker") as worker, new_bus("watch") as watch:
        role = Endpoint(worker, garage=GARAGE, lane=None, role="worker", version="1", clock=TurnedClock())
        await role.alert("boom-stuck", "it does not rise", lane="exit-1")
        await worker.settled()
        async with asyncio.timeout(5):
            delivery = await anext(watch.subscribe(f"parking/{GARAGE}/+/alerts/+"))
        assert delivery.retained
        assert [alert.code for alert in decode(Alerts, delivery.payload).raised] == ["boom-stuck"]
