"""The desk gives a driver's tax invoice as a PDF, to whoever is signed in."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pypdf import PdfReader

from broker.embedded import EmbeddedBroker
from terminal.contract.topics import GARAGE_WIDE
from terminal.mqtt.endpoint import Endpoint
from tests.support.console_desk import GARAGE, NUMBER, SESSION, DeskRig, Person, open_desk
from tests.support.invoices import NOTE, InvoiceKnower, invoice


@asynccontextmanager
async def desk(broker: EmbeddedBroker, folder: Path) -> AsyncIterator[tuple[DeskRig, InvoiceKnower]]:
    """A desk of a garage that issues invoices, and the worker that has them."""
    async with open_desk(broker, folder, issues_invoices=True) as rig:
        own = Endpoint(rig.kerb, garage=GARAGE, lane=None, role="worker", version="1", clock=rig.clock)
        knower = InvoiceKnower(own, {NUMBER: invoice(notes=(NOTE,))})
        task = asyncio.create_task(knower.run())
        try:
            await rig.opens()
            yield rig, knower
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def pdf(person: Person, order_no: str = NUMBER) -> tuple[int, str, bytes]:
    async with person.http.get(f"{person.url}/invoices/{order_no}.pdf", allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Content-Type", ""), await answer.read()


async def test_a_visit_that_was_paid_offers_its_invoice_as_a_pdf(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with desk(embedded, tmp_path) as (rig, knower):
        await rig.paid()
        person = await rig.person("vera")
        _, page = await person.get(f"/visits/{SESSION}")
        assert f"/desk/invoices/{NUMBER}.pdf" in page
        assert "Tax invoice (PDF)" in page
        status, kind, data = await pdf(person)
        assert (status, kind) == (200, "application/pdf")
        text = PdfReader(io.BytesIO(data)).pages[0].extract_text()
        assert invoice().number in text and NOTE.number in text and "AED 25.00" in text
        assert (await pdf(person))[2] == data
        assert {(one.order_no, one.address) for one in knower.asked} == {(NUMBER, None)}
        _, page = await person.get(f"/visits/{SESSION}?lang=ar")
        assert "فاتورة ضريبية (PDF)" in page


async def test_nobody_gets_it_who_is_not_signed_in(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with desk(embedded, tmp_path) as (rig, knower):
        status, _, data = await pdf(rig.stranger())
        assert (status, data) == (303, b"")
        assert knower.asked == []


async def test_an_order_without_one_and_what_is_no_order_have_a_page_that_says_so(
    embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    async with desk(embedded, tmp_path) as (rig, knower):
        person = await rig.person()
        status, _, page = await pdf(person, f"{NUMBER}-2")
        assert (status, b"There is no invoice for this order." in page) == (404, True)
        asked = len(knower.asked)
        assert (await pdf(person, "none"))[0] == 404
        assert len(knower.asked) == asked


async def test_while_the_worker_is_away_the_desk_says_so(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with desk(embedded, tmp_path) as (rig, knower):
        knower.silent = -1
        status, _, page = await pdf(await rig.person())
        assert (status, b"The worker does not answer." in page) == (503, True)


async def test_a_garage_that_issues_none_offers_none(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with open_desk(embedded, tmp_path) as rig:
        await rig.opens()
        await rig.paid()
        person = await rig.person()
        assert "/invoices/" not in (await person.get(f"/visits/{SESSION}"))[1]
        assert (await pdf(person))[0] == 404


async def test_the_address_of_an_invoice_is_not_kept(embedded: EmbeddedBroker, tmp_path: Path) -> None:
    async with desk(embedded, tmp_path) as (rig, _):
        await rig.say("enquiry", GARAGE_WIDE, address="1" * 68)
        await rig.paid()
        await rig.role.desk.flush()
        lines = await rig.role.desk.read(lambda history: history.recent(50)) or []
        assert any(line.kind == "enquiry" for line in lines)
        assert "1" * 68 not in repr(lines)
