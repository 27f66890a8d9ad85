"""The embedded broker's sessions: what it keeps for whom, what it delivers, and who takes over from whom."""

import asyncio
import contextlib

import pytest

from broker.embedded import EmbeddedBroker
from broker.outbox import LIMIT, Outbox, Parcel
from broker.packets import encode_publish
from tests.support import mqtt_packets as packets
from tests.support.raw_mqtt import ACCEPTED, FEE, HEALTH, RESUMED, Raw


async def test_a_client_gets_retained_messages_of_its_own_filters_only(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as lane:
        await lane.ask(lane.hello())
        for what in ("order", "screen", "barrier"):
            topic = f"parking/marina/exit-1/{what}".encode()
            await lane.ask(encode_publish(topic, what.encode(), 1, qos=1, retain=True))
    async with Raw(embedded) as watch:  # so that somebody has a filter that takes in all of them
        await watch.ask(watch.hello("watch"))
        await watch.ask(packets.subscribe({"parking/marina/#": 1}, 1))
    for turn in range(2):
        async with Raw(embedded) as lcd:
            await lcd.ask(lcd.hello("lcd"))
            if turn == 0:
                await lcd.ask(packets.subscribe({"parking/marina/+/screen": 1}, 1))
                got = await lcd.read()
                assert got
                assert (got.flags & 1, got.body.endswith(b"screen")) == (1, True)
                await lcd.send(packets.puback(int.from_bytes(got.body[-8:-6], "big")))
            await lcd.send(packets.PINGREQ)
            assert (await lcd.read()).kind == 13  # type: ignore[union-attr]


async def test_a_retained_message_is_replaced_and_removed(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as lane:
        await lane.ask(lane.hello())
        for payload in (b"old", b"new"):
            await lane.ask(encode_publish(HEALTH.encode(), payload, 1, qos=1, retain=True))
        assert await lane.ask(packets.subscribe({HEALTH: 1}, 2)) == b"\0\2\1"
        assert (await lane.read()).body.endswith(b"new")  # type: ignore[union-attr]
        await lane.ask(encode_publish(HEALTH.encode(), b"", 1, qos=1, retain=True))
    async with Raw(embedded) as watch:
        await watch.ask(watch.hello("watch"))
        await watch.ask(packets.subscribe({"parking/marina/#": 1}, 1))
        await watch.send(packets.PINGREQ)
        assert (await watch.read()).kind == 13  # type: ignore[union-attr]


async def test_a_message_that_matches_two_filters_comes_once(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as watch, Raw(embedded) as lane:
        await watch.ask(watch.hello("watch"))
        await watch.ask(packets.subscribe({"parking/marina/#": 1, FEE: 1}, 1))
        await lane.ask(lane.hello())
        await lane.ask(encode_publish(FEE.encode(), b"once", 1, qos=1, retain=False))
        assert (await watch.read()).body.endswith(b"once")  # type: ignore[union-attr]
        await watch.send(packets.PINGREQ)
        assert (await watch.read()).kind == 13  # type: ignore[union-attr]


async def test_a_message_of_qos_2_is_taken_once_however_often_it_is_sent(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as watch, Raw(embedded) as lane:
        await watch.ask(watch.hello("watch"))
        await watch.ask(b"\x82\x15\0\x01\0\x10parking/marina/#\x02")
        await lane.ask(lane.hello())
        for _ in range(2):
            assert await lane.ask(encode_publish(FEE.encode(), b"twice", 7, qos=2, retain=False)) == b"\0\7"
        assert await lane.ask(b"\x62\x02\0\x07") == b"\0\7"
        await lane.ask(encode_publish(FEE.encode(), b"after", 8, qos=1, retain=False))
        got = [(await watch.read()) for _ in range(2)]
        assert [frame and (frame.flags >> 1 & 3, frame.body[-5:]) for frame in got] == [(1, b"twice"), (1, b"after")]


# Sessions


@pytest.mark.fault("link-cuts")
async def test_a_flapping_subscriber_loses_nothing(embedded: EmbeddedBroker) -> None:
    """amqtt's own delivery lost up to 43 % here."""
    got: set[bytes] = set()
    acked = 0
    subscribed = asyncio.Event()

    async def subscriber() -> None:
        while len(got) < 300:
            async with Raw(embedded) as raw:
                if await raw.ask(raw.hello("worker")) == ACCEPTED:
                    await raw.send(packets.subscribe({FEE: 1}, 1))
                for _ in range(7):  # then the line breaks, some messages unacknowledged
                    frame = await raw.read()
                    subscribed.set()
                    if frame and frame.kind == 3:
                        got.add(frame.body[-3:])
                        await raw.send(packets.puback(int.from_bytes(frame.body[-5:-3], "big")))
                    if len(got) == 300:
                        break

    task = asyncio.create_task(subscriber())
    async with Raw(embedded) as lane:
        await lane.ask(lane.hello())
        await subscribed.wait()
        for n in range(300):
            payload = b"%03d" % n
            acked += await lane.ask(encode_publish(FEE.encode(), payload, n + 1, qos=1, retain=False)) is not None
        async with asyncio.timeout(20):
            await task
    assert (acked, len(got)) == (300, 300)


async def test_a_session_is_resumed_without_asking_for_its_filters_again(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as worker:
        await worker.ask(worker.hello("worker"))
        await worker.ask(packets.subscribe({FEE: 1}, 1))
        await worker.send(packets.DISCONNECT)
        assert await worker.read() is None
    async with Raw(embedded) as lane:
        await lane.ask(lane.hello())
        await lane.ask(encode_publish(FEE.encode(), b"1", 1, qos=1, retain=False))
    async with Raw(embedded) as worker:
        assert await worker.ask(worker.hello("worker")) == RESUMED
        got = await worker.read()
        assert got
        assert (got.flags, got.body[-1:]) == (0b0010, b"1")  # news, not a retained message
    async with Raw(embedded) as worker:
        assert await worker.ask(worker.hello("worker", clean=True)) == ACCEPTED
        await worker.send(packets.PINGREQ)
        assert (await worker.read()).kind == 13  # type: ignore[union-attr]


async def test_the_newer_connection_of_a_user_takes_over(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as watch, Raw(embedded) as old, Raw(embedded) as new:
        await watch.ask(watch.hello("watch"))
        await watch.ask(packets.subscribe({"parking/marina/#": 1}, 1))
        await old.ask(old.hello(will=(HEALTH, b"old", False)))
        assert await new.ask(new.hello(will=(HEALTH, b"new", False))) == RESUMED
        assert await old.read() is None
        assert (await watch.read()).body.endswith(b"old")  # type: ignore[union-attr]
        await new.send(packets.PINGREQ)
        assert (await new.read()).kind == 13  # type: ignore[union-attr]


async def test_twenty_connections_of_one_user_at_once_leave_one(embedded: EmbeddedBroker) -> None:
    raws = [Raw(embedded) for _ in range(20)]
    for raw in raws:
        await raw.__aenter__()
        await raw.send(raw.hello())
    answers = await asyncio.gather(*(raw.read() for raw in raws))
    alive = 0
    for raw, answer in zip(raws, answers, strict=True):
        assert answer is None or answer.body in (ACCEPTED, RESUMED)
        with contextlib.suppress(OSError):
            alive += await raw.ask(packets.PINGREQ) is not None
        await raw.__aexit__()
    assert alive == 1


async def test_a_client_that_is_silent_for_half_as_long_again_as_it_promised_is_dropped(
    embedded: EmbeddedBroker,
) -> None:
    async with Raw(embedded) as raw:
        await raw.ask(raw.hello(keepalive=1))
        began = asyncio.get_running_loop().time()
        assert await raw.read() is None
        assert 1.3 < asyncio.get_running_loop().time() - began < 2.5


def test_what_waits_for_a_client_is_bounded_and_the_oldest_goes() -> None:
    box, sent = Outbox(), list[bytes]()
    for n in range(LIMIT + 5):
        box.push(Parcel(b"t", b"%d" % n, False), 1)
    box.push(Parcel(b"t", b"not kept", False), 0)
    assert (len(box), box.dropped) == (LIMIT, 5)
    box.attach(sent.append)
    assert (len(sent), sent[0][-1:]) == (20, b"5")
