"""The bus on both brokers, and on one that misbehaves: what is acknowledged is done, what is not comes again."""

import asyncio
from pathlib import Path

import pytest

from broker.embedded import EmbeddedBroker
from broker.packets import Packet
from terminal.mqtt.client import MqttClient
from terminal.mqtt.errors import ConnectionRefused, MqttError, SubscriptionRefused, Will
from terminal.mqtt.subscription import FilterError
from tests.conftest import NewBus, PuppetBroker, embedded_bus
from tests.support import mqtt_packets as packets
from tests.support.collected import FEE, HEALTH, collect, gone, round_trip


async def test_a_message_is_delivered(new_bus: NewBus) -> None:
    async with new_bus() as bus:
        subscription = bus.subscribe("parking/marina/+/fee")
        await subscription.granted()
        await bus.publish(FEE, b"1")
        delivery = await anext(subscription)
        assert (delivery.topic, delivery.payload, delivery.retained) == (FEE, b"1", False)
        delivery.ack()


async def test_five_hundred_messages_arrive_in_order(new_bus: NewBus) -> None:
    sent = [b"%d" % n for n in range(500)]
    async with new_bus("lane") as publisher, new_bus("console") as reader:
        subscription = reader.subscribe("parking/marina/#")
        await subscription.granted()
        for payload in sent:
            await publisher.publish(FEE, payload)
        assert await collect(subscription, 500) == sent


async def test_a_retained_message_comes_with_its_flag_and_first(new_bus: NewBus) -> None:
    async with new_bus("lane") as publisher, new_bus("console") as reader:
        early = reader.subscribe("parking/marina/#")
        await early.granted()
        await publisher.publish(HEALTH, b"up", retain=True)
        live = await anext(early)
        late = reader.subscribe("parking/marina/exit-1/health/+")
        kept = await anext(late)
        assert (live.retained, kept.retained, kept.payload) == (False, True, b"up")
        live.ack()
        kept.ack()


async def test_what_was_not_acknowledged_comes_again_after_a_reconnect_and_the_rest_does_not(new_bus: NewBus) -> None:
    async with new_bus("lane") as publisher, new_bus("console") as reader:
        subscription = reader.subscribe(FEE)
        await subscription.granted()
        for payload in (b"1", b"2", b"3"):
            await publisher.publish(FEE, payload)
        first, second, third = [await anext(subscription) for _ in range(3)]
        first.ack()
        third.ack()
        await round_trip(reader)  # the two PUBACKs must be with the broker before the line breaks
        reader.reconnect("test")
        again = await anext(subscription)
        assert again.payload == b"2"
        second.ack()  # of the old connection: its message id may mean another message now
        again.ack()
        await publisher.publish(FEE, b"4")
        assert await collect(subscription, 1) == [b"4"]


async def test_a_message_of_two_subscriptions_stays_with_the_broker_until_both_are_done(new_bus: NewBus) -> None:
    async with new_bus("lane") as publisher, new_bus("console") as reader:
        one, two = reader.subscribe(FEE), reader.subscribe(FEE)
        await one.granted()
        await two.granted()
        await publisher.publish(FEE, b"1")
        (await anext(one)).ack()
        await anext(two)
        await round_trip(reader)
        reader.reconnect("test")
        assert (await anext(one)).payload == b"1"


async def test_messages_wait_for_a_program_that_is_away_even_if_it_subscribes_late(new_bus: NewBus) -> None:
    async with new_bus("console") as reader:
        await reader.subscribe(FEE).granted()
    async with new_bus("lane") as publisher:
        await publisher.publish(FEE, b"while away")
    async with new_bus("console") as reader:
        await round_trip(reader)  # the broker sends it at once, before anybody has subscribed here
        assert await collect(reader.subscribe(FEE), 1) == [b"while away"]


async def test_what_a_stopped_program_had_not_dealt_with_stays_with_the_broker(new_bus: NewBus) -> None:
    async with new_bus("lane") as publisher:
        async with new_bus("console") as reader:
            with reader.subscribe(FEE) as subscription:
                await subscription.granted()
                await publisher.publish(FEE, b"1")
                await publisher.publish(FEE, b"2")
                (await anext(subscription)).ack()
                await anext(subscription)
        async with new_bus("console") as reader:
            assert await collect(reader.subscribe(FEE), 1) == [b"2"]


async def test_of_what_is_fleeting_nothing_comes_late(new_bus: NewBus) -> None:
    async with new_bus("lane") as publisher:
        async with new_bus("console") as reader:
            subscription = reader.subscribe(FEE, fleeting=[HEALTH])
            await subscription.granted()
            await publisher.publish(HEALTH, b"live")
            assert await collect(subscription, 1) == [b"live"]
        await publisher.publish(HEALTH, b"while away")
        await publisher.publish(FEE, b"while away")
        async with new_bus("console") as reader:
            subscription = reader.subscribe(FEE, fleeting=[HEALTH])
            assert (await anext(subscription)).topic == FEE
            await publisher.publish(HEALTH, b"live again")
            assert (await anext(subscription)).payload == b"live again"


async def test_who_only_looks_on_finds_nothing_of_what_was_while_it_was_away(new_bus: NewBus) -> None:
    async with new_bus("lane") as publisher:
        for payload in (b"first", b"second"):
            async with new_bus("console", clean=True) as reader:
                subscription = reader.subscribe(FEE)
                await subscription.granted()
                await publisher.publish(FEE, payload)
                assert await collect(subscription, 1) == [payload]
            await publisher.publish(FEE, b"while away")


async def test_twenty_unacknowledged_messages_stop_the_delivery(new_bus: NewBus) -> None:
    async with new_bus("lane") as publisher, new_bus("console") as reader:
        subscription = reader.subscribe(FEE)
        await subscription.granted()
        for n in range(25):
            await publisher.publish(FEE, b"%d" % n)
        taken = [await anext(subscription) for _ in range(20)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(subscription)
        for delivery in taken:
            delivery.ack()
        assert await collect(subscription, 5) == [b"%d" % n for n in range(20, 25)]


async def test_a_filter_that_is_not_allowed_is_an_error(embedded: EmbeddedBroker) -> None:
    async with embedded_bus(embedded, "reader") as bus:
        subscription = bus.subscribe("parking/marina/+/paid")
        with pytest.raises(SubscriptionRefused) as refused:
            await subscription.granted()
        assert refused.value.filters == ("parking/marina/+/paid",)
        with pytest.raises(SubscriptionRefused):
            await anext(subscription)
        allowed = bus.subscribe("parking/marina/+/order")
        await allowed.granted()


# Refused, or not there


async def test_a_refused_password_ends_the_opening(embedded: EmbeddedBroker) -> None:
    bus = MqttClient(embedded.url, username="lane", password="wrong")
    with pytest.raises(ConnectionRefused, match="password is wrong"):
        await bus.__aenter__()


async def test_a_refusal_that_comes_later_reaches_everybody_who_waits() -> None:
    async with PuppetBroker() as broker:
        port = broker.port
    async with MqttClient(f"mqtt://127.0.0.1:{port}", username="me") as bus:
        subscription = bus.subscribe("t")
        async with PuppetBroker(code=5, port=port):
            for wait in (bus.wait_connected(), anext(subscription), subscription.granted(), bus.publish("t", b"")):
                with pytest.raises(ConnectionRefused):
                    await wait
            with pytest.raises(ConnectionRefused):
                await anext(bus.subscribe("later"))


@pytest.mark.parametrize("code", [3, 5])
async def test_a_refusal_after_a_success_and_a_broker_that_is_not_ready_are_tried_again(code: int) -> None:
    async with PuppetBroker(code=0 if code == 5 else 3) as broker, MqttClient(broker.url, username="me") as bus:
        assert bus.connected is (code == 5)
        broker.code = code
        broker.writers[-1].close()
        for _ in range(3):
            await broker.next(1)
        assert not bus.connected
        assert "refuses" in bus.trouble
        broker.code = 0
        await bus.wait_connected()
        assert (bus.connected, bus.trouble) == (True, "")


async def test_a_broker_that_never_answers_does_not_hold_up_the_start() -> None:
    async with PuppetBroker(code=None) as broker:
        began = asyncio.get_running_loop().time()
        async with MqttClient(broker.url, username="me") as bus:
            assert not bus.connected
        assert asyncio.get_running_loop().time() - began < 4


async def test_closing_waits_for_what_is_under_way_but_not_for_ever() -> None:
    async with PuppetBroker() as broker:
        async with MqttClient(broker.url, username="me") as bus:
            await bus.publish("t", b"1")
            mid = (await broker.next(3)).body[3:5]
            asyncio.get_running_loop().call_later(0.2, broker.send, b"\x40\x02" + mid)
            began = asyncio.get_running_loop().time()
        assert 0.1 < asyncio.get_running_loop().time() - began < 1
        assert (await broker.next(14)).body == b""
        async with MqttClient(broker.url, username="me") as bus:
            await bus.publish("t", b"2")
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 3


@pytest.mark.parametrize("url", ["http://h", "mqtt://", "mqtt://h:0", "mqtt://h:x", "mqtt://user:secret@h", "h:1883"])
def test_a_url_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(MqttError) as error:
        MqttClient(url)
    assert "secret" not in str(error.value)


def test_a_certificate_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MqttError, match="certificate"):
        MqttClient("mqtts://localhost", ca_file=tmp_path / "none.pem")


async def test_what_mqtt_does_not_allow_is_refused_before_it_is_sent() -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me") as bus:
        with pytest.raises(FilterError):
            await bus.publish("a/#", b"")
        with pytest.raises(FilterError):
            bus.subscribe("a/#/b")
        with pytest.raises(ValueError, match="60001 bytes"):
            await bus.publish("a", bytes(60_001))


# The rest


async def test_the_will_is_published_when_the_line_breaks_and_not_after_a_goodbye(new_bus: NewBus) -> None:
    made = []

    def will() -> Will:
        made.append(1)
        return Will(HEALTH, b"lost %d" % len(made))

    async with new_bus("console") as reader:
        subscription = reader.subscribe("parking/marina/#")
        await subscription.granted()
        async with new_bus("lane", will=will) as bus:
            bus.reconnect("test")
            assert await collect(subscription, 1) == [b"lost 1"]
            await gone(bus)
            await bus.wait_connected()
            await bus.publish(FEE, b"goodbye follows")
        async with new_bus("lane") as bus:
            await bus.publish(FEE, b"end")
        assert await collect(subscription, 2) == [b"goodbye follows", b"end"]


async def test_changes_are_told_and_a_listener_that_raises_harms_nobody(new_bus: NewBus) -> None:
    told: list[bool] = []
    wrong: list[object] = []

    def fails(_connected: bool) -> None:
        raise KeyError("bug of a listener")

    asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context["exception"]))
    async with new_bus() as bus:
        bus.on_change(fails)
        undo = bus.on_change(told.append)
        subscription = bus.subscribe(FEE)
        bus.reconnect("test")
        await gone(bus)
        await bus.wait_connected()
        await subscription.granted()
        undo()
        await bus.publish(FEE, b"1")
        assert await collect(subscription, 1) == [b"1"]
        bus.reconnect("test")
        await gone(bus)
        await bus.wait_connected()
    assert told == [False, True]
    assert [type(error) for error in wrong] == [KeyError] * 5


async def test_a_topic_that_is_no_text_is_acknowledged_and_stops_nothing() -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me") as bus:
        subscription = bus.subscribe("#")
        await broker.next(8)
        broker.send(b"\x32\x06\0\x02\xff\xfe\0\x01" + packets.publish("t", b"x", 2, retain=False, dup=False))
        assert (await anext(subscription)).topic == "t"
        assert (await broker.next(4)).body == b"\0\x01"


async def test_a_message_that_nobody_subscribed_to_any_more_is_acknowledged_in_the_end() -> None:
    async with PuppetBroker() as broker, MqttClient(broker.url, username="me", grace_s=0.2) as bus:
        broker.send(packets.publish("t", b"x", 7, retain=False, dup=False))
        await asyncio.sleep(0.1)  # half of its grace, in which nothing comes
        assert [frame.kind for frame in iter_now(broker)] == [1]
        assert (await broker.next(4)).body == b"\0\x07"
        broker.send(packets.publish("t", b"x", 8, retain=False, dup=False))
        async with asyncio.timeout(0.1):
            assert (await broker.next(4)).body == b"\0\x08"
        assert bus.connected


def iter_now(broker: PuppetBroker) -> list[Packet]:
    return [broker.came.get_nowait() for _ in range(broker.came.qsize())]


async def test_no_password_shows_in_what_the_bus_says_of_itself() -> None:
    bus = MqttClient("mqtt://127.0.0.1", username="me", password="geheim")
    assert "geheim" not in repr(bus) + str(bus) + bus.trouble
