"""One connection, with a broker on the other side that does as it is told."""

import asyncio

import pytest

from terminal import packets
from terminal.packets import Packet, ProtocolError, Puback
from terminal.wire import CONNECT_S, Wire
from tests.conftest import PuppetBroker

HELLO = packets.connect("me", "", "", 5, clean=False)


def ignore(_wire: Wire, _packet: Packet) -> None:
    """Take a packet and do nothing."""


async def opened(broker: PuppetBroker, take: list[Packet] | None = None) -> Wire:
    wire = Wire((lambda _, packet: take.append(packet)) if take is not None else ignore)
    await wire.open("127.0.0.1", broker.port, None, HELLO)
    return wire


async def test_packets_are_handed_on_in_order() -> None:
    taken: list[Packet] = []
    async with PuppetBroker() as broker:
        wire = await opened(broker, taken)
        broker.send(packets.puback(1) + packets.puback(2))
        broker.writers[-1].close()
        assert await wire.lost == "the broker closed the connection"
    assert taken == [Puback(1), Puback(2)]


async def test_a_broker_that_says_nothing_is_given_up() -> None:
    async with PuppetBroker(code=None) as broker:
        wire = Wire(ignore)
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await wire.open("127.0.0.1", broker.port, None, HELLO)
        assert CONNECT_S - 0.1 < asyncio.get_running_loop().time() - began < CONNECT_S + 1


async def test_an_answer_that_is_no_connack_ends_the_connection() -> None:
    async with PuppetBroker(code=None) as broker:
        wire = Wire(ignore)
        opening = asyncio.create_task(wire.open("127.0.0.1", broker.port, None, HELLO))
        await broker.next(1)
        broker.send(packets.puback(1))
        with pytest.raises(ProtocolError):
            await opening


async def test_bytes_that_are_no_mqtt_end_the_connection() -> None:
    async with PuppetBroker() as broker:
        wire = await opened(broker)
        broker.send(b"HTTP/1.1 400 Bad Request\r\n" * 4)
        assert "the broker sent" in await wire.lost


async def test_an_error_of_ours_ends_the_connection_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_wire: Wire, _packet: Packet) -> None:
        raise KeyError("bug")

    async with PuppetBroker() as broker:
        wire = Wire(fail)
        await wire.open("127.0.0.1", broker.port, None, HELLO)
        broker.send(packets.puback(1))
        assert await wire.lost == "error of ours: KeyError('bug')"
    assert "an error of ours" in caplog.text


async def test_a_goodbye_says_disconnect() -> None:
    async with PuppetBroker() as broker:
        wire = await opened(broker)
        await wire.goodbye(1)
        assert (await broker.next(14)).body == b""


async def test_nobody_listening_is_an_os_error() -> None:
    async with PuppetBroker() as broker:
        port = broker.port
    with pytest.raises(OSError):
        await Wire(ignore).open("127.0.0.1", port, None, HELLO)


@pytest.mark.slow
async def test_a_half_open_connection_is_noticed_within_15_s() -> None:
    async with PuppetBroker() as broker:  # answers no PINGREQ, closes nothing
        wire = await opened(broker)
        began = asyncio.get_running_loop().time()
        assert await wire.lost == "no sign of life"
        assert asyncio.get_running_loop().time() - began < 15
        assert (await broker.next(12)).body == b""


@pytest.mark.slow
async def test_a_silent_connection_is_kept_alive_by_pings() -> None:
    async with PuppetBroker() as broker:
        wire = await opened(broker)
        for _ in range(3):
            async with asyncio.timeout(6):
                await broker.next(12)
            broker.send(b"\xd0\0")
        assert not wire.lost.done()
        wire.cut("end")
