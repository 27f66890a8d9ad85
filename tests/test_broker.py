"""The embedded broker's walls, each tried from outside, byte by byte."""

import asyncio
import contextlib
import gc
import logging
import socket
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.connection import CONNECT_S
from broker.embedded import EmbeddedBroker
from broker.errors import BrokerError, PortInUse, UnsafeBroker
from broker.guard import PENDING
from broker.outbox import LIMIT, Outbox, Parcel
from broker.packets import Packet, encode_length, encode_publish, read_frame
from terminal.contract.access import USERS, WATCHERS
from tests.conftest import open_embedded
from tests.support import mqtt_packets as packets

FEE = "parking/marina/exit-1/fee"
HEALTH = "parking/marina/exit-1/health/run"


class Raw:
    """A client that sends what it is given and keeps nothing in mind."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.broker = broker

    async def __aenter__(self) -> "Raw":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.broker.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    def hello(
        self,
        user: str = "lane",
        *,
        client: str | None = None,
        password: str | None = None,
        clean: bool = False,
        will: tuple[str, bytes, bool] | None = None,
        keepalive: int = 0,
    ) -> bytes:
        if password is None:
            password = self.broker.password_file(user).read_text().strip()
        return packets.connect(user if client is None else client, user, password, keepalive, clean=clean, will=will)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self) -> Packet | None:
        """The next packet, or None at the end of the connection."""
        async with asyncio.timeout(10):
            return await read_frame(self.reader)

    async def ask(self, data: bytes) -> bytes | None:
        """The body of the answer, None for a closed connection."""
        await self.send(data)
        answer = await self.read()
        return answer.body if answer else None


ACCEPTED, RESUMED = b"\0\0", b"\1\0"


# Who gets in


async def test_each_user_gets_in_with_its_own_password(embedded: EmbeddedBroker) -> None:
    for user in (*USERS, *WATCHERS):
        async with Raw(embedded) as raw:
            assert await raw.ask(raw.hello(user, clean=True)) == ACCEPTED


async def test_nobody_gets_in_without_a_user_or_with_a_wrong_password_or_another_id(embedded: EmbeddedBroker) -> None:
    for refusal, hello in {
        b"\0\4": [
            packets.connect("lane", "", "", 5, clean=True),
            packets.connect("lane", "nobody", "", 5, clean=True),
            packets.connect("lane", "lane", "", 5, clean=True),
            packets.connect("lane", "lane", "wrong", 5, clean=True),
            packets.connect("self-test", "self-test", "", 5, clean=True),
        ],
        b"\0\2": [Raw(embedded).hello("reader", client="worker"), Raw(embedded).hello("reader", client="", clean=True)],
        b"\0\1": [b"\x10\x0e\0\x04MQTT\x05\x02\0\x05\0\0\x01a", b"\x10\x10\0\x06MQIsdp\x03\x02\0\x05\0\x01a\0"],
    }.items():
        for data in hello:
            async with Raw(embedded) as raw:
                assert await raw.ask(data) == refusal
                assert await raw.read() is None
    assert embedded.refused.connects == 9


async def test_several_watch_at_once_each_by_an_id_of_its_own(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as one, Raw(embedded) as two, Raw(embedded) as three, Raw(embedded) as lane:
        for raw, client in ((one, "watch"), (two, "watch-laptop"), (three, "watch-a b/c")):
            assert await raw.ask(raw.hello("watch", client=client)) == ACCEPTED
            await raw.ask(packets.subscribe({"parking/marina/#": 1}, 1))
        await lane.ask(lane.hello("lane"))
        await two.ask(encode_publish(FEE.encode(), b"forged", 1, qos=1, retain=True))
        await lane.ask(encode_publish(FEE.encode(), b"fee", 1, qos=1, retain=False))
        for raw in (one, two, three):
            assert (await raw.read()).body.endswith(b"fee")  # type: ignore[union-attr]
    assert embedded.refused.publishes == 1


@pytest.mark.parametrize("client", ["watcher", "watchx-1", "worker", "lane-1", "homeassistant", "homeassistant-1", "-"])
async def test_a_watchers_id_begins_with_its_own_name_and_a_dash(tmp_path: Path, client: str) -> None:
    async with open_embedded(tmp_path, watchers=("watch", "homeassistant")) as broker, Raw(broker) as raw:
        assert await raw.ask(raw.hello("watch", client=client)) == b"\0\2"
        assert broker.refused.connects == 1


async def test_of_two_watchers_names_that_begin_alike_the_longer_one_owns_what_begins_with_it(tmp_path: Path) -> None:
    async with open_embedded(tmp_path, watchers=("watch", "watch-hall")) as broker:
        for user, client, answer in (
            ("watch", "watch-hall", b"\0\2"),
            ("watch", "watch-hall-1", b"\0\2"),
            ("watch", "watch-h", ACCEPTED),
            ("watch-hall", "watch-hall-1", ACCEPTED),
            ("watch-hall", "watch-h", b"\0\2"),
        ):
            async with Raw(broker) as raw:
                assert await raw.ask(raw.hello(user, client=client)) == answer, (user, client)


async def test_nothing_is_kept_for_a_watcher_that_is_away(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as watch:
        await watch.ask(watch.hello("watch", client="watch-1"))
        await watch.ask(packets.subscribe({"parking/marina/#": 1}, 1))
        await watch.send(packets.DISCONNECT)
        assert await watch.read() is None
    async with Raw(embedded) as watch:
        assert await watch.ask(watch.hello("watch", client="watch-1")) == ACCEPTED


async def test_a_refused_client_touches_nobodys_session(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as owner, Raw(embedded) as other:
        assert await owner.ask(owner.hello("worker")) == ACCEPTED
        await owner.ask(packets.subscribe({FEE: 1}, 1))
        for data in (
            packets.connect("worker", "worker", "wrong", 5, clean=True),
            Raw(embedded).hello("reader", client="worker", clean=True),
        ):
            async with Raw(embedded) as thief:
                await thief.ask(data)
        await other.ask(other.hello("lane"))
        await other.ask(encode_publish(FEE.encode(), b"1", 1, qos=1, retain=False))
        assert (await owner.read()).body.endswith(b"1")  # type: ignore[union-attr]


async def test_a_will_is_allowed_only_where_its_user_may_publish(embedded: EmbeddedBroker) -> None:
    for user, topic, answer in (
        ("reader", "parking/marina/exit-1/lift", b"\0\5"),
        ("reader", "parking/marina/exit-1/health/worker", b"\0\5"),
        ("reader", "#", b"\0\5"),
        ("reader", "parking/marina/exit-1/health/reader", ACCEPTED),
    ):
        async with Raw(embedded) as raw:
            assert await raw.ask(raw.hello(user, will=(topic, b"x", True))) == answer


async def test_who_says_nothing_is_dropped_after_3_s_and_its_slot_is_free_again(embedded: EmbeddedBroker) -> None:
    began = asyncio.get_running_loop().time()
    silent = [Raw(embedded) for _ in range(PENDING)]
    for raw in silent:
        await raw.__aenter__()
    await silent[0].send(b"\x10\x20\0\x04MQ")  # begins, and does not go on
    await asyncio.sleep(0.1)
    async with Raw(embedded) as crowded_out:
        assert await crowded_out.read() is None
    for raw in silent:
        assert await raw.read() is None
        await raw.__aexit__()
    assert CONNECT_S - 0.1 < asyncio.get_running_loop().time() - began < CONNECT_S + 1
    assert embedded.refused.silent == PENDING
    async with Raw(embedded) as raw:
        assert await raw.ask(raw.hello()) == ACCEPTED


MALFORMED_CONNECTS = {
    "no CONNECT": b"\xc0\0",
    "no MQTT": b"GET / HTTP/1.1\r\n\r\n" * 20,
    "nothing in it": b"\x10\0",
    "flags in its first byte": b"\x11\x0d\0\x04MQTT\x04\x02\0\x05\0\x01a",
    "another protocol": b"\x10\x0d\0\x04HTTP\x04\x02\0\x05\0\x01a",
    "reserved flag": b"\x10\x0d\0\x04MQTT\x04\x03\0\x05\0\x01a",
    "password without user": b"\x10\x10\0\x04MQTT\x04\x42\0\x05\0\x01a\0\x01p",
    "QoS of no will": b"\x10\x0d\0\x04MQTT\x04\x0a\0\x05\0\x01a",
    "will with QoS 3": b"\x10\x13\0\x04MQTT\x04\x1e\0\x05\0\x01a\0\x01t\0\x01m",
    "will without topic": b"\x10\x12\0\x04MQTT\x04\x06\0\x05\0\x01a\0\0\0\x01m",
    "a length that lies": b"\x10\x0d\0\x04MQTT\x04\x02\0\x05\0\x09a",
    "a password that is missing": b"\x10\x10\0\x04MQTT\x04\xc2\0\x05\0\x01a\0\x01u",
    "bytes left over": b"\x10\x0f\0\x04MQTT\x04\x02\0\x05\0\x01axx",
    "65 KiB": b"\x10" + encode_length(64 * 1024 + 1) + b"\0\x04MQTT",
    "a length of five bytes": b"\x10\xff\xff\xff\xff\x01",
}


@pytest.mark.parametrize("what", MALFORMED_CONNECTS)
async def test_a_malformed_connect_is_dropped_at_once(embedded: EmbeddedBroker, what: str) -> None:
    async with Raw(embedded) as raw:
        began = asyncio.get_running_loop().time()
        answer = await raw.ask(MALFORMED_CONNECTS[what])
        assert answer is None
        assert asyncio.get_running_loop().time() - began < 1


# What it may do inside


MALFORMED_LATER = {
    "a second CONNECT": b"\x10\x0d\0\x04MQTT\x04\x02\0\x05\0\x01a",
    "QoS 3": b"\x36\x06\0\x01t\0\x01x",
    "message id 0": b"\x32\x06\0\x01t\0\0x",
    "no topic": b"\x30\x03\0\0x",
    "a wildcard in the topic": b"\x30\x04\0\x01#x",
    "SUBSCRIBE without filters": b"\x82\x02\0\x01",
    "SUBSCRIBE with QoS 3": b"\x82\x06\0\x01\0\x01t\x03",
    "SUBSCRIBE with wrong flags": b"\x80\x06\0\x01\0\x01t\x01",
    "a length that lies": b"\x82\x06\0\x01\0\x09t\x01",
    "a packet of no kind": b"\xf0\0",
    "a packet for clients": b"\xd0\0",
    "65 KiB": encode_publish(FEE.encode(), b"x" * 64 * 1024, 1, qos=1, retain=False),
}


@pytest.mark.parametrize("what", MALFORMED_LATER)
async def test_a_malformed_packet_ends_the_connection_and_tells_the_will(embedded: EmbeddedBroker, what: str) -> None:
    async with Raw(embedded) as watch, Raw(embedded) as raw:
        await watch.ask(watch.hello("watch"))
        await watch.ask(packets.subscribe({"parking/marina/#": 1}, 1))
        await raw.ask(raw.hello(will=(HEALTH, b"lost", False)))
        assert await raw.ask(MALFORMED_LATER[what]) is None
        assert (await watch.read()).body.endswith(b"lost")  # type: ignore[union-attr]
    assert embedded.refused.malformed == 1


async def test_the_largest_packet_that_is_allowed_passes(embedded: EmbeddedBroker) -> None:
    async with Raw(embedded) as raw:
        await raw.ask(raw.hello())
        assert (
            await raw.ask(encode_publish(FEE.encode(), b"x" * (64 * 1024 - 4 - len(FEE)), 1, qos=1, retain=False))
            == b"\0\1"
        )


async def test_a_forbidden_filter_is_refused_and_a_forbidden_message_dropped_and_counted(
    embedded: EmbeddedBroker,
) -> None:
    async with Raw(embedded) as watch, Raw(embedded) as reader:
        await watch.ask(watch.hello("watch"))
        assert await watch.ask(packets.subscribe({"parking/marina/#": 1, "#": 1}, 1)) == b"\0\1\1\x80"
        await reader.ask(reader.hello("reader"))
        codes = await reader.ask(
            packets.subscribe({"parking/marina/+/order": 1, "parking/marina/+/paid": 1, "a/#/b": 1}, 1)
        )
        assert codes == b"\0\1\1\x80\x80"
        for n, topic in enumerate(("parking/marina/exit-1/lift", "parking/other/exit-1/fee", "$SYS/x"), 1):
            forged = encode_publish(topic.encode(), b"forged", n, qos=1, retain=True)
            assert await reader.ask(forged) == n.to_bytes(2, "big")  # 3.1.1 has no refusal
        await reader.send(encode_publish(FEE.encode(), b"fee", 9, qos=1, retain=False))
        assert (await watch.read()).body.endswith(b"fee")  # type: ignore[union-attr]
    assert (embedded.refused.publishes, embedded.refused.subscriptions) == (3, 3)


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

    async def subscriber() -> None:
        while len(got) < 300:
            async with Raw(embedded) as raw:
                if await raw.ask(raw.hello("worker")) == ACCEPTED:
                    await raw.send(packets.subscribe({FEE: 1}, 1))
                for _ in range(7):  # then the line breaks, some messages unacknowledged
                    frame = await raw.read()
                    if frame and frame.kind == 3:
                        got.add(frame.body[-3:])
                        await raw.send(packets.puback(int.from_bytes(frame.body[-5:-3], "big")))
                    if len(got) == 300:
                        break

    task = asyncio.create_task(subscriber())
    async with Raw(embedded) as lane:
        await lane.ask(lane.hello())
        await asyncio.sleep(0.05)
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


# Opening and closing


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.2", "example.com"])
def test_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1 only"):
        EmbeddedBroker(tmp_path, ["a"], may_publish=bool, may_subscribe=bool, host=host)  # type: ignore[arg-type]


async def test_a_port_in_use_is_said_so(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    with pytest.raises(PortInUse, match=f"port {embedded.port} is in use"):
        await open_embedded(tmp_path, embedded.port).__aenter__()


async def test_passwords_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    async with open_embedded(tmp_path) as broker:
        files = [broker.password_file(user) for user in (*USERS, *WATCHERS)]
        first = [file.read_bytes() for file in files]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert sorted(file.name for file in (tmp_path / "users").iterdir()) == sorted([*USERS, *WATCHERS])
    assert len(set(first)) == len(USERS) + len(WATCHERS)
    assert min(map(len, first)) >= 40
    async with open_embedded(tmp_path):
        assert [file.read_bytes() for file in files] == first


@pytest.mark.parametrize(("mode", "text", "said"), [(0o604, "password\n", "others can read"), (0o600, "\n", "empty")])
async def test_a_password_file_that_will_not_do_stops_it(tmp_path: Path, mode: int, text: str, said: str) -> None:
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "lane").write_text(text)
    (tmp_path / "users" / "lane").chmod(mode)
    with pytest.raises(BrokerError, match=said) as error:
        await open_embedded(tmp_path).__aenter__()
    assert "password\n" not in str(error.value)


@pytest.mark.parametrize("rule", ["may_publish", "may_subscribe"])
async def test_rules_that_let_everything_pass_stop_it(tmp_path: Path, rule: str) -> None:
    with pytest.raises(UnsafeBroker):
        await open_embedded(tmp_path, 0, **{rule: lambda _user, _what: True}).__aenter__()
    assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_it_ends_at_once_and_leaves_nothing_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    caplog.set_level(logging.DEBUG, "amqtt")
    before = len(list(Path("/proc/self/fd").iterdir()))
    async with open_embedded(tmp_path) as broker:
        async with Raw(broker) as raw, Raw(broker):
            await raw.ask(raw.hello())
            await raw.ask(packets.subscribe({"parking/marina/#": 1}, 1))
            began = asyncio.get_running_loop().time()
            await broker.__aexit__()
            assert asyncio.get_running_loop().time() - began < 1
            assert await raw.read() is None
        await broker.__aenter__()
    assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    await asyncio.sleep(0)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert list(recwarn) == []


@pytest.mark.parametrize("turns", range(6))
async def test_a_connection_that_comes_as_it_ends_is_not_left_open(
    tmp_path: Path, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``turns`` of the event loop before the end, it is accepted, made a connection, or known to the broker."""
    left_open: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", left_open.append)
    async with open_embedded(tmp_path) as broker:
        client = socket.create_connection(("127.0.0.1", broker.port))
        for _ in range(turns):
            await asyncio.sleep(0)
    client.close()
    await asyncio.sleep(0)  # one that was dropped is closed a turn later
    gc.collect()
    assert left_open == []


async def test_nothing_is_retained_after_a_restart(tmp_path: Path) -> None:
    for turn in range(2):
        async with open_embedded(tmp_path) as broker, Raw(broker) as lane:
            assert await lane.ask(lane.hello()) == ACCEPTED
            if turn == 0:
                await lane.ask(encode_publish(HEALTH.encode(), b"up", 1, qos=1, retain=True))
            else:
                await lane.ask(packets.subscribe({"parking/marina/#": 1}, 1))
                await lane.send(packets.PINGREQ)
                assert (await lane.read()).kind == 13  # type: ignore[union-attr]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=120), st.booleans())
def test_no_bytes_stop_the_broker(tmp_path: Path, data: bytes, inside: bool) -> None:
    async def scene() -> None:
        async with open_embedded(tmp_path) as broker:
            async with Raw(broker) as raw:
                if inside:
                    await raw.ask(raw.hello())
                await raw.send(data)
                raw.writer.write_eof()
                while await raw.read():
                    pass
            async with Raw(broker) as raw:
                assert await raw.ask(raw.hello()) in (ACCEPTED, RESUMED)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(scene())
