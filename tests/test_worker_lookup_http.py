"""Another system is asked over HTTP: what it must answer, and what is no answer."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from terminal.core.foreign_ticket import ForeignEntry, ForeignTicket
from terminal.mqtt.transport import tls_context
from terminal.roles.worker.lookup_http import MOST_BYTES, HttpTickets
from terminal.roles.worker.ticket_source import LookupFailed, OddAnswer
from tests.support.authority import Authority
from tests.support.ticket_system import Answering, TicketSystem, replies, ticket_system

TICKET = ForeignTicket("number", "0001 23/4?5")
ENTERED = "2026-11-30T09:15:00+04:00"
ENTRY = ForeignEntry(1_796_015_700_000)


@pytest.fixture
async def system() -> AsyncIterator[TicketSystem]:
    async with ticket_system() as made:
        yield made


@pytest.fixture
async def tickets(system: TicketSystem) -> AsyncIterator[HttpTickets]:
    source = HttpTickets(system.address, token="s3cret", agent="exit-terminal/test")
    task = asyncio.create_task(source.run(lambda *_: None))
    await asyncio.sleep(0)
    yield source
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_number_is_asked_for_whole_and_its_entry_believed(system: TicketSystem, tickets: HttpTickets) -> None:
    system.entries[TICKET.number] = ENTERED
    assert await tickets.ask("", TICKET) == ENTRY
    ((path, headers),) = system.asked
    assert path == "/number/0001%2023%2F4%3F5"
    assert headers["Authorization"] == "Bearer s3cret"
    assert (headers["Accept-Encoding"], headers["User-Agent"]) == ("identity", "exit-terminal/test")


async def test_a_plate_says_that_it_is_one(system: TicketSystem, tickets: HttpTickets) -> None:
    assert await tickets.ask("", ForeignTicket("plate", "D12345")) is None
    assert system.asked[0][0] == "/plate/D12345"


@pytest.mark.parametrize("answer", [replies(status=404, body=b"<html>"), replies(body=b"{}"), replies(body=b'{"x":1}')])
async def test_a_ticket_that_does_not_exist_has_no_entry(
    system: TicketSystem, tickets: HttpTickets, answer: Answering
) -> None:
    system.answering = answer
    assert await tickets.ask("", TICKET) is None


@pytest.mark.parametrize(
    ("body", "entry"),
    [
        (b'{"entered":"2026-11-30T05:15:00Z","ticket_class":"k2"}', ForeignEntry(ENTRY.entered_ms, "k2")),
        (b'{"entered":"2026-11-30T05:15:00Z","number":"0001 23/4?5","plate":null,"more":[1]}', ENTRY),
    ],
)
async def test_an_answer_may_have_a_class_and_more_than_we_know(
    system: TicketSystem, tickets: HttpTickets, body: bytes, entry: ForeignEntry
) -> None:
    system.answering = replies(body=body)
    assert await tickets.ask("", TICKET) == entry


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"null",
        b"[]",
        b'"2026-11-30T05:15:00Z"',
        b'{"entered":1795842900}',
        b'{"entered":""}',
        b'{"entered":"yesterday"}',
        b'{"entered":"2026-11-30T09:15:00"}',
        b'{"entered":"2026-11-30T05:15:00Z","number":"1"}',
        b'{"entered":"2026-11-30T05:15:00Z","number":7}',
        b'{"entered":"2026-11-30T05:15:00Z","ticket_class":"' + b"k" * 9 + b'"}',
        b'{"entered":"2026-11-30T05:15:00Z"}\xff',
        b'{"entered":"\xff"}',
        b"[" * 10_000,
        gzip.compress(b'{"entered":"2026-11-30T05:15:00Z"}', mtime=0),
        b'{"entered":"2026-11-30T05:15:00Z"}' + b" " * MOST_BYTES,
        b"x" * 5_000_000,
    ],
    ids=lambda body: f"{body[:24]!r}",
)
async def test_nonsense_is_no_answer(system: TicketSystem, tickets: HttpTickets, body: bytes) -> None:
    system.answering = replies(body=body)
    with pytest.raises(OddAnswer) as odd:
        await tickets.ask("", TICKET)
    assert len(str(odd.value)) < 200
    assert str(odd.value).isprintable()
    assert len(system.asked) == 1


@pytest.mark.parametrize("status", [201, 204, 302, 307, 400, 401, 403, 429])
async def test_no_other_status_counts_and_no_redirect_is_followed(
    system: TicketSystem, tickets: HttpTickets, status: int
) -> None:
    system.entries["elsewhere"] = ENTERED
    system.answering = replies(status=status, body=b"", headers={"Location": f"{system.url}/number/elsewhere"})
    with pytest.raises(LookupFailed, match=rf"^HTTP status {status}$"):
        await tickets.ask("", TICKET)
    assert len(system.asked) == 1


async def test_a_server_that_fails_is_asked_once_more(system: TicketSystem, tickets: HttpTickets) -> None:
    system.entries[TICKET.number] = ENTERED

    async def fails_once(request: web.Request) -> web.StreamResponse:
        system.answering = None
        return web.Response(status=503)

    system.answering = fails_once
    assert await tickets.ask("", TICKET) == ENTRY
    system.answering = replies(status=500)
    with pytest.raises(LookupFailed, match=r"^HTTP status 500$"):
        await tickets.ask("", TICKET)
    assert len(system.asked) == 4


async def test_a_connection_that_breaks_off_is_no_answer(system: TicketSystem, tickets: HttpTickets) -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "500"})
        await response.prepare(request)
        await response.write(b'{"entered":"2026-11-30T05:15:00Z"}')
        assert request.transport
        request.transport.abort()
        return response

    system.answering = breaks_off
    with pytest.raises(LookupFailed) as failed:
        await tickets.ask("", TICKET)
    assert not isinstance(failed.value, OddAnswer)


async def test_a_system_that_is_away_is_no_answer(system: TicketSystem) -> None:
    source = HttpTickets("http://127.0.0.1:9/{number}")
    with pytest.raises(LookupFailed):
        await source.ask("", TICKET)  # before it runs
    task = asyncio.create_task(source.run(lambda *_: None))
    await asyncio.sleep(0)
    with pytest.raises(LookupFailed):
        await source.ask("", TICKET)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def at_work(source: HttpTickets) -> AsyncIterator[HttpTickets]:
    task = asyncio.create_task(source.run(lambda *_: None))
    await asyncio.sleep(0)
    try:
        yield source
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_only_a_system_with_the_right_certificate_is_believed(tmp_path: Path) -> None:
    ours, others = Authority(tmp_path), Authority(tmp_path, "others")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*ours.issue("system", "127.0.0.1"))
    async with ticket_system(tls) as system:
        system.entries[TICKET.number] = ENTERED
        trusted = tls_context(ours.file, None, None)
        async with at_work(HttpTickets(system.address, token="s3cret", tls=trusted)) as source:
            assert await source.ask("", TICKET) == ENTRY
        for wrong in (tls_context(others.file, None, None), None):
            async with at_work(HttpTickets(system.address, token="s3cret", tls=wrong)) as source:
                with pytest.raises(LookupFailed) as failed:
                    await source.ask("", TICKET)
                assert "s3cret" not in str(failed.value)
        assert len(system.asked) == 1, "nobody else was told the token"
