"""Lines that break, hang or are not there: what was said arrives, once, and in order."""

import asyncio
import signal
from pathlib import Path

import pytest

from terminal.mqtt.backlog import BACKLOG
from terminal.mqtt.client import WINDOW, MqttClient
from tests.conftest import Mosquitto, NewBus, Proxy, PuppetBroker, embedded_bus, open_embedded
from tests.support.collected import FEE, PAID, collect, gone
from tests.support.eventually import eventually

# The broker goes and comes


@pytest.mark.fault("broker-restarts")
async def test_a_killed_broker_is_found_again_though_the_publisher_is_back_first(mosquitto: Mosquitto) -> None:
    async with MqttClient(mosquitto.url, username="p") as publisher, MqttClient(mosquitto.url, username="s") as reader:
        subscription = reader.subscribe(PAID)
        await subscription.granted()
        await publisher.publish(PAID, b"before")
        assert await collect(subscription, 1) == [b"before"]
        for turn in range(3):
            mosquitto.stop(signal.SIGKILL)
            await gone(publisher)
            await gone(reader)
            await publisher.publish(PAID, b"%d" % turn)
            mosquitto.start()
            await publisher.wait_connected()
            while (await collect(subscription, 1)) != [b"%d" % turn]:
                pass  # what was acknowledged just before the kill may come again


@pytest.mark.fault("broker-restarts")
async def test_filters_are_asked_for_again_when_the_broker_has_forgotten_them(tmp_path: Path) -> None:
    async with open_embedded(tmp_path) as broker:
        port = broker.port
        bus = embedded_bus(broker)
        await bus.__aenter__()
        subscription = bus.subscribe(FEE)
        await subscription.granted()
    await gone(bus)
    async with open_embedded(tmp_path, port):
        await bus.wait_connected()
        await subscription.granted()
        await bus.publish(FEE, b"1")
        assert await collect(subscription, 1) == [b"1"]
        await bus.__aexit__()


async def test_filters_are_asked_for_again_though_the_broker_says_that_it_has_the_session() -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me") as bus:
        bus.subscribe("a/+", "b")
        assert (await broker.next(8)).body[2:] == b"\0\x03a/+\x01\0\x01b\x01"
        broker.writers[-1].close()
        assert (await broker.next(8)).body[2:] == b"\0\x03a/+\x01\0\x01b\x01"


@pytest.mark.fault("broker-restarts")
async def test_what_the_broker_did_not_acknowledge_goes_out_again_as_a_duplicate_before_newer_messages() -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me") as bus:
        await bus.publish("t", b"old")
        first = await broker.next(3)
        broker.writers[-1].close()
        await gone(bus)
        await bus.publish("t", b"new")
        again, newer = await broker.next(3), await broker.next(3)
        assert (first.flags, again.flags, newer.flags) == (0b0010, 0b1010, 0b0010)
        assert again.body == first.body
        assert newer.body.endswith(b"new")


async def test_no_more_than_a_window_goes_out_without_an_acknowledgement() -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me") as bus:
        for n in range(WINDOW + 5):
            await bus.publish("t", b"%d" % n)
        mids = [(await broker.next(3)).body[3:5] for _ in range(WINDOW)]
        await asyncio.sleep(0.05)  # nothing tells that nothing comes
        assert broker.came.empty()
        broker.send(b"\x40\x02" + mids[0])
        assert (await broker.next(3)).body.endswith(b"%d" % WINDOW)


async def test_messages_wait_while_no_broker_is_there_each_once_and_of_a_state_the_newest() -> None:
    async with PuppetBroker() as broker:
        port = broker.port
    async with MqttClient(f"mqtt://127.0.0.1:{port}", username="me") as bus:
        assert not bus.connected
        assert bus.trouble
        for _ in range(3):
            await bus.publish("fee", b"same")
        await bus.publish("health", b"old", latest_only=True)
        await bus.publish("barrier", b"one")
        await bus.publish("barrier", b"two")
        await bus.publish("health", b"new", latest_only=True)
        async with PuppetBroker(port=port) as broker:
            got = [(await broker.next(3)).body for _ in range(4)]
            assert [body[2 : 2 + body[1]] + b" " + body[4 + body[1] :] for body in got] == [
                b"fee same",
                b"barrier one",
                b"barrier two",
                b"health new",
            ]
            await asyncio.sleep(0.05)  # nothing tells that nothing comes
            assert broker.came.empty()


async def test_what_waits_is_bounded_and_the_oldest_goes() -> None:
    async with PuppetBroker() as broker:
        port = broker.port
    async with MqttClient(f"mqtt://127.0.0.1:{port}", username="me") as bus:
        for n in range(BACKLOG + 3):
            await bus.publish("t", b"%d" % n)
        assert bus.dropped == 3
        async with PuppetBroker(port=port) as broker:
            assert (await broker.next(3)).body.endswith(b"3")


async def test_what_was_said_is_known_to_have_arrived_by_the_acknowledgement_of_all_of_it() -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me") as bus:
        assert await bus.settled(), "nothing was said"
        await bus.publish("t", b"1")
        settled = asyncio.create_task(bus.settled())
        first = await broker.next(3)
        await bus.publish("t", b"2")
        second = await broker.next(3)
        broker.send(b"\x40\x02" + first.body[3:5])
        await asyncio.sleep(0.05)  # nothing tells that nothing comes
        assert not settled.done()
        broker.send(b"\x40\x02" + second.body[3:5])
        assert await settled


@pytest.mark.parametrize(("more", "all_of_it"), [(0, True), (1, False)])
async def test_what_waits_for_a_broker_has_arrived_later_unless_it_did_not_fit(more: int, all_of_it: bool) -> None:
    async with PuppetBroker() as broker:
        port = broker.port
    async with MqttClient(f"mqtt://127.0.0.1:{port}", username="me") as bus:
        await bus.publish("t", b"alert")
        settled = asyncio.create_task(bus.settled())
        await asyncio.sleep(0)
        for n in range(BACKLOG - 1 + more):
            await bus.publish("t", b"%d" % n)
        assert not settled.done()
        async with PuppetBroker(port=port) as broker:
            for _ in range(BACKLOG):
                broker.send(b"\x40\x02" + (await broker.next(3)).body[3:5])
            assert await settled is all_of_it


@pytest.mark.fault("link-cuts")
async def test_lines_that_break_all_the_time_lose_nothing(new_bus: NewBus) -> None:
    sent = {b"%03d" % n for n in range(120)}
    got: set[bytes] = set()
    async with (
        Proxy(new_bus.url) as proxy,
        new_bus(url=proxy.url) as publisher,
        new_bus("watch", url=proxy.url) as reader,
    ):
        subscription = reader.subscribe(FEE)
        await subscription.granted()

        async def say() -> None:
            for n, payload in enumerate(sorted(sent)):
                await publisher.publish(FEE, payload)
                await asyncio.sleep(0.01)  # a line that breaks every 0.2 s
                if n % 20 == 10:
                    proxy.cut()

        saying = asyncio.create_task(say())
        async with asyncio.timeout(20):
            while got != sent:
                got |= set(await collect(subscription, 1))
        await saying


async def test_a_hop_is_four_packets(new_bus: NewBus) -> None:
    async with (
        Proxy(new_bus.url) as proxy,
        new_bus(url=proxy.url) as publisher,
        new_bus("watch", url=proxy.url) as reader,
    ):
        subscription = reader.subscribe(FEE)
        await subscription.granted()
        proxy.kinds.clear()
        for _ in range(10):
            await publisher.publish(FEE, b"1")
            await collect(subscription, 1)
        await eventually(lambda: len(proxy.kinds) >= 40)
        assert sorted(proxy.kinds) == [3] * 20 + [4] * 20


@pytest.mark.fault("link-cuts")
@pytest.mark.slow
async def test_a_line_that_hangs_is_replaced_within_15_s(new_bus: NewBus) -> None:
    async with Proxy(new_bus.url) as proxy, new_bus(url=proxy.url) as bus:
        subscription = bus.subscribe(FEE)
        await subscription.granted()
        proxy.hanging = True
        await bus.publish(FEE, b"into the void")
        await eventually(lambda: not bus.connected, limit_s=15)
        proxy.hanging = False
        assert await collect(subscription, 1) == [b"into the void"]
