"""The listener's connections: who is slow, who asks for too much, and that a genuine notification gets in."""

import asyncio
import re
import socket

import aiohttp
import pytest

from terminal.config.schema import ConfigError
from terminal.payby.signing import sign
from terminal.roles.listener.connections import ConnectionLimits
from terminal.roles.listener.role import ListenerRole
from tests.support.listening import Client, PlayedWorker, client, gauge, listening, worker
from tests.support.payby_notices import GENUINE, PAYBY, notification
from tests.support.ports import free_port

__all__ = ["client", "worker"]


async def test_expect_100_continue_is_answered(client: Client) -> None:
    body = notification()
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(
        b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
        b"sign: %b\r\nContent-Length: %d\r\n\r\n" % (sign(PAYBY, body).encode(), len(body))
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()
    await writer.wait_closed()


async def test_a_compressed_body_is_not_unpacked(client: Client, worker: PlayedWorker) -> None:
    import gzip

    packed = gzip.compress(b" " * 1_000_000)
    assert (await client.post(packed, Content_Encoding="gzip"))[0] == 400  # signed over the packed bytes: no JSON
    assert (await client.post(packed, sign(PAYBY, b" " * 1_000_000), Content_Encoding="gzip"))[0] == 401


@pytest.mark.fault("listener-flood")
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /payby/notify HTTP/1.1\r\nHost: x\r\n",
        b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
    ],
)
async def test_who_does_not_finish_a_request_is_cut_off(worker: PlayedWorker, begun: bytes) -> None:
    async with listening(worker, ConnectionLimits(read_s=0.05)) as client:
        assert b"200" not in await client.raw(begun)


async def test_a_half_request_on_a_kept_connection_is_cut_off_too(worker: PlayedWorker) -> None:
    body = notification()
    head = b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nsign: %b\r\nContent-Length: %d\r\n\r\n" % (
        sign(PAYBY, body).encode(), len(body),
    )  # fmt: skip
    async with listening(worker, ConnectionLimits(read_s=0.1)) as client:
        found = await client.raw(head + body + head + body[:100])
        assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"200", b"408"]


async def test_a_burst_of_connections_stays_within_the_limit(worker: PlayedWorker) -> None:
    async with listening(worker, ConnectionLimits(connections=20)) as client:
        burst = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", client.port) for _ in range(80)))
        assert (await client.post(notification()))[0] == 200
        assert await gauge(client, "payby_listener_connections") <= 20
        for _, writer in burst:
            writer.close()


@pytest.mark.fault("listener-flood")
async def test_500_half_open_requests_do_not_keep_a_genuine_one_out(worker: PlayedWorker, client: Client) -> None:
    halves = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(500)]
    for _, writer in halves:
        writer.write(b"POST /payby/notify HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n{")
    try:
        assert (await client.post(notification()))[0] == 200
        assert await gauge(client, "payby_listener_connections") <= ConnectionLimits().connections
    finally:
        for _, writer in halves:
            writer.close()


@pytest.mark.fault("listener-flood")
async def test_a_flood_over_many_connections_is_slowed_down(worker: PlayedWorker, client: Client) -> None:
    loop = asyncio.get_running_loop()

    async def bad() -> float:
        began = loop.time()
        async with aiohttp.ClientSession() as session:
            assert (await Client(client.port, session).post(notification(), GENUINE[::-1]))[0] == 401
        return loop.time() - began

    assert await bad() < ConnectionLimits().flood_delay_s
    took = await asyncio.gather(*(bad() for _ in range(ConnectionLimits().calm_connections * 2)))
    assert max(took) >= ConnectionLimits().flood_delay_s


async def test_an_address_in_use_is_told_at_once(worker: PlayedWorker, client: Client) -> None:
    second = ListenerRole(worker.endpoint, payby_keys=[PAYBY.public_key()], host="127.0.0.1", port=client.port)
    with pytest.raises(ConfigError, match=rf"^listener\.port: 127\.0\.0\.1, port {client.port}, is in use"):
        await second.run()


async def test_a_listener_that_is_cancelled_while_it_opens_leaves_its_port_free(worker: PlayedWorker) -> None:
    """In any turn of the loop: a role that fails beside it cancels it."""
    port = free_port()
    for turns in range(8):
        role = ListenerRole(worker.endpoint, payby_keys=[PAYBY.public_key()], host="127.0.0.1", port=port)
        task = asyncio.create_task(role.run())
        for _ in range(turns):
            await asyncio.sleep(0)  # a turn is what is tried
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
