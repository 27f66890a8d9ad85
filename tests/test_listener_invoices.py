"""A driver's tax invoice at its address, over real HTTP: who finds it, and who does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from terminal.invoice.enquiries import MOST, InvoiceEnquiries, NoAnswer
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.listener.invoice_pages import REMEMBERED_S, InvoicePages
from terminal.roles.listener.role import ListenerRole
from tests.support.eventually import eventually
from tests.support.invoices import ADDRESS, NOTE, InvoiceKnower, invoice
from tests.support.listening import GARAGE, Client, PlayedWorker, client, worker
from tests.support.payby_notices import PAYBY

__all__ = ["client", "worker"]


@asynccontextmanager
async def serving(
    limit_s: float = 3.0, again_s: float = 1.0, remembered_s: float = REMEMBERED_S
) -> AsyncIterator[tuple[Client, InvoiceKnower]]:
    """A listener with invoices, and the worker that has them."""
    played = PlayedWorker()
    enquiries = InvoiceEnquiries(played.endpoint, limit_s=limit_s, again_s=again_s)
    pages = InvoicePages(enquiries, ZoneInfo("Asia/Dubai"), remembered_s=remembered_s)
    listener = ListenerRole(played.endpoint, payby_keys=[PAYBY.public_key()], host="127.0.0.1", port=0, invoices=pages)
    own = Endpoint(played.bus.as_bus(), garage=GARAGE, lane=None, role="worker", version="1", clock=played.clock)
    knower = InvoiceKnower(own, {ADDRESS: invoice()})
    tasks = [asyncio.create_task(listener.run()), asyncio.create_task(knower.run())]
    await listener.started.wait()
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(listener.port, session), knower
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_has_the_address_sees_the_invoice_and_nothing_keeps_it() -> None:
    async with serving() as (client, knower):
        async with client.session.get(f"{client.url}/receipt/{ADDRESS}") as reply:
            page = await reply.text()
            assert reply.status == 200
            assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
            assert reply.headers["Cache-Control"] == "no-store"
            assert reply.headers["Referrer-Policy"] == "no-referrer"
            assert reply.headers["X-Robots-Tag"] == "noindex, nofollow"
            assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        assert invoice().number in page and "AED 25.00" in page
        assert [(one.address, one.order_no) for one in knower.asked] == [(ADDRESS, None)]


async def test_it_only_reads() -> None:
    async with serving() as (client, knower):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            async with client.session.request(method, f"{client.url}/receipt/{ADDRESS}") as reply:
                assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
        async with client.session.head(f"{client.url}/receipt/{ADDRESS}") as reply:
            assert (reply.status, await reply.read()) == (200, b"")
        assert len(knower.asked) == 1


@pytest.mark.parametrize("path", ["", "1", "9" * 68, "1" * 69, ADDRESS + "/", ADDRESS + ".pdf", "..%2Fmetrics"])
async def test_what_is_no_address_costs_the_worker_nothing(path: str) -> None:
    async with serving() as (client, knower):
        status, page = await client.get(f"/receipt/{path}")
        assert status == 404
        assert "There is no such invoice" in page
        assert knower.asked == []


async def test_an_address_that_leads_nowhere_is_not_found() -> None:
    async with serving() as (client, _):
        status, page = await client.get(f"/receipt/{'1' * 68}")
        assert (status, "There is no such invoice" in page) == (404, True)


async def test_an_invoice_that_was_just_served_is_not_asked_for_again() -> None:
    async with serving() as (client, knower):
        await client.get(f"/receipt/{ADDRESS}")
        knower.known[ADDRESS] = invoice(notes=(NOTE,))
        assert NOTE.number not in (await client.get(f"/receipt/{ADDRESS}"))[1]
        assert len(knower.asked) == 1


async def test_a_credit_note_shows_once_what_was_served_is_forgotten() -> None:
    async with serving(remembered_s=0.0) as (client, knower):
        await client.get(f"/receipt/{ADDRESS}")
        knower.known[ADDRESS] = invoice(notes=(NOTE,))
        assert NOTE.number in (await client.get(f"/receipt/{ADDRESS}"))[1]


async def test_who_tries_addresses_is_told_to_come_again_and_who_has_one_still_sees_his() -> None:
    async with serving() as (client, knower):
        await client.get(f"/receipt/{ADDRESS}")
        statuses = [(await client.get(f"/receipt/{number:068d}"))[0] for number in range(100, 140)]
        assert set(statuses) == {404, 429}
        assert len(knower.asked) < 40
        assert (await client.get(f"/receipt/{ADDRESS}"))[0] == 200


async def test_a_worker_that_is_away_is_waited_for_no_longer_than_the_limit() -> None:
    async with serving(limit_s=0.2, again_s=0.05) as (client, knower):
        knower.silent = -1
        async with client.session.get(f"{client.url}/receipt/{ADDRESS}") as reply:
            assert (reply.status, reply.headers["Retry-After"]) == (503, "3")
            assert "Please try again in a moment" in await reply.text()
        assert len({one.id for one in knower.asked}) == 1
        assert len(knower.asked) > 1


async def test_a_question_that_was_lost_is_asked_again_with_the_same_id() -> None:
    async with serving(again_s=0.05) as (client, knower):
        knower.silent = 1
        assert (await client.get(f"/receipt/{ADDRESS}"))[0] == 200
        assert len(knower.asked) == 2
        assert knower.asked[0].id == knower.asked[1].id


async def test_only_so_many_questions_wait_at_once() -> None:
    played = PlayedWorker()
    enquiries = InvoiceEnquiries(played.endpoint, limit_s=30)
    waiting = [asyncio.create_task(enquiries.by_address(ADDRESS)) for _ in range(MOST)]
    await eventually(lambda: len(played.bus.said) == MOST, every_s=0)
    with pytest.raises(NoAnswer):
        await enquiries.by_address(ADDRESS)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_without_invoices_there_is_no_such_path(client: Client) -> None:
    assert (await client.get(f"/receipt/{ADDRESS}"))[0] == 404


async def test_a_notification_is_answered_beside_it() -> None:
    async with serving() as (client, _):
        assert (await client.get("/healthz"))[0] == 200
        assert (await client.post(b"{}", None))[0] == 401
