"""The embedded broker's walls, each tried from outside, byte by byte."""

import asyncio
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
from broker.packets import encode_length, encode_publish
from terminal.contract.access import USERS, WATCHERS
from tests.conftest import open_embedded
from tests.support import mqtt_packets as packets
from tests.support.eventually import eventually
from tests.support.raw_mqtt import ACCEPTED, FEE, HEALTH, RESUMED, Raw

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
    await eventually(lambda: embedded._guard.pending == PENDING)
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


@pytest.mark.parametrize(("mode", "text", "said"), [(0o604, "password\n", "others may read"), (0o600, "\n", "empty")])
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
