"""The line between roles and broker (tests/chaos/proxy.py): what passes, what is lost, and who notices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.chaos.bell import Bell
from tests.chaos.proxy import Line


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """To a server that says again what it hears."""

    echoes: set[asyncio.Task[None] | None] = set()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        echoes.add(asyncio.current_task())
        with suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Line(server.sockets[0].getsockname()[1]) as made:
        yield made
    server.close()
    await server.wait_closed()
    async with asyncio.timeout(5):
        await asyncio.gather(*filter(None, echoes))


async def asks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, word: bytes) -> bytes:
    writer.write(word)
    return await reader.readexactly(len(word))


async def test_a_cut_line_is_reset_and_the_next_one_passes(line: Line) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    assert await asks(reader, writer, b"hello") == b"hello"
    line.cut()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asks(reader, writer, b"hello")
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    assert await asks(reader, writer, b"again") == b"again"
    writer.close()


async def test_a_hanging_line_loses_what_is_said_and_notes_who_gives_up(line: Line) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    assert await asks(reader, writer, b"hello") == b"hello"
    line.hang()
    writer.write(b"lost")
    answer = asyncio.create_task(reader.read(1))
    waiting = asyncio.create_task(line.noticed())
    done, _ = await asyncio.wait({answer, waiting}, timeout=0.05)
    assert not done
    writer.transport.abort()
    await waiting
    assert len(line.noticed_s) == 1
    answer.cancel()
    line.flow()
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    assert await asks(reader, writer, b"again") == b"again"
    writer.close()


async def test_on_a_mute_line_only_the_broker_is_heard_and_what_clients_said_is_lost() -> None:
    heard = asyncio.Event()
    ends: list[asyncio.StreamWriter] = []

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        with suppress(ConnectionError):
            if await reader.read(100):
                heard.set()
        writer.transport.abort()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with Line(server.sockets[0].getsockname()[1]) as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
        async with asyncio.timeout(5):
            while not ends:
                await asyncio.sleep(0)
        line.mute()
        writer.write(b"lost")
        await writer.drain()
        ends[0].write(b"said")
        assert await reader.readexactly(4) == b"said"
        line.flow()
        assert not heard.is_set()
        writer.close()
    server.close()
    await server.wait_closed()


async def test_a_bell_wakes_who_waits_and_no_ring_is_missed() -> None:
    bell, said = Bell(), list[str]()
    seen = bell.rung
    bell.ring()
    await bell.beyond(seen, 10)  # it rang meanwhile
    asyncio.get_running_loop().call_soon(lambda: (said.append("so"), bell.ring()))
    assert await bell.until(lambda: said == ["so"], 10)
    assert not await bell.until(lambda: False, 0.01)
