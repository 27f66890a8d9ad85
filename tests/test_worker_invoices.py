"""The worker and its tax invoices: what the screen leads to, who is answered, and what a restart changes (nothing)."""

import asyncio
from typing import Any

import msgspec
import pytest

from terminal.contract.invoice_messages import Enquiry, Invoice, IssuedInvoice
from terminal.contract.messages import Alert, Answer, Barrier, Lift, Order, Screen, moment, stamp
from terminal.contract.signatures import check_screen, sign_command
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.invoice import read_address
from terminal.core.model import Rules
from terminal.core.retention import slim
from terminal.journal.kinds import SHELVED
from terminal.payby.sandbox.server import Sandbox
from terminal.screen import qr
from tests.support.invoices import SUPPLIER
from tests.support.lifts import GARAGE, LANE, private_key, trusted
from tests.support.memory_journal import MemoryJournal
from tests.support.worker_lane import CLOCK, LIMIT_S, Lane, sandbox, working

__all__ = ["sandbox"]
RULES = Rules(GARAGE, supplier=SUPPLIER, mark="secret")
URL = "https://pay.example.com/receipt"


def billing(sandbox: Sandbox, log: MemoryJournal | None = None, *, url: str = URL, **more: Any) -> Any:
    return working(sandbox, log, rules=RULES, receipt_url=url, **more)


async def pays(lane: Lane) -> tuple[Order, Lift]:
    order = await lane.pays_at_the_qr()
    await lane.sandbox.pay(order.order_no or "", notify=False)
    return order, await lane.until(Lift, order_no=order.order_no)


async def rises(lane: Lane, lift: Lift) -> None:
    answer = Answer(lift.id, "raised", None, lift.order_no)
    barrier = Barrier(**lane.head(), state="rising", lift=lift.id, session=lift.session, reason="paid", answer=answer)
    await lane.bus.hears(lane.topic("barrier"), barrier)


async def asks(lane: Lane, **what: str) -> IssuedInvoice | None:
    question = Enquiry(**lane.head(), **what)
    await lane.bus.hears(lane.topic("enquiry", GARAGE_WIDE), question)
    answer: Invoice = await lane.until(Invoice, enquiry=question.id)
    return answer.invoice


async def code_on_screen(lane: Lane) -> Screen:
    async with asyncio.timeout(LIMIT_S):
        while True:
            for screen in lane.bus.of(Screen):
                if screen.state == "paid" and screen.qr:
                    return screen
            await lane.bus.until(Screen, len(lane.bus.of(Screen)) + 1)


def address_on(screen: Screen) -> str:
    assert screen.qr is not None
    text = qr.decode(qr.draw(qr.from_wire(screen.qr), 480)) or ""
    assert text.startswith(f"{URL}/")
    return text.removeprefix(f"{URL}/")


async def test_once_the_boom_has_risen_the_screen_has_a_signed_code_for_the_invoice(sandbox: Sandbox) -> None:
    async with billing(sandbox) as lane:
        order, lift = await pays(lane)
        await lane.until(Screen, state="paid")
        assert [one for one in lane.bus.of(Screen) if one.state == "paid" and one.qr] == []
        await rises(lane, lift)
        screen = await code_on_screen(lane)
        assert check_screen(screen, GARAGE, LANE, trusted()) is None
        assert (screen.session, screen.expires, screen.remaining) == (order.session, None, None)
        found = await asks(lane, address=address_on(screen))
        assert found is not None
        assert (found.order_no, found.amount, found.vat, found.vat_percent) == (order.order_no, "20.00", "0.95", "5")
        assert (found.supplier, found.trn, found.lane) == (SUPPLIER.name, SUPPLIER.trn, LANE)
        assert found.minutes == 90
        assert found.entered and abs(CLOCK.wall_ms() - moment(found.entered) - 90 * 60_000) < 60_000
        assert found.number.startswith(f"{GARAGE}-") and found.number.split("-")[2] == "000001"


async def test_the_desk_asks_by_the_order(sandbox: Sandbox) -> None:
    async with billing(sandbox) as lane:
        order, _ = await pays(lane)
        found = await asks(lane, order_no=order.order_no or "")
        assert found is not None and found.order_no == order.order_no


async def test_nobody_else_finds_it(sandbox: Sandbox) -> None:
    """A wrong code, another stay, another garage, an order that was not paid, and what is no address of ours."""
    async with billing(sandbox) as lane:
        order, lift = await pays(lane)
        await rises(lane, lift)
        address = address_on(await code_on_screen(lane))
        session, code = read_address(address) or ("", "")
        assert (session, len(code)) == (order.session, 24)
        no = order.order_no or ""
        for wrong in (f"{int(address) ^ 1:068d}", f"{int(address) ^ 1 << 96:068d}", "9" * 68, "0" * 68):
            assert await asks(lane, address=wrong) is None
        for other in (f"{no}-2", no.replace("marina", "creek"), "none"):
            assert await asks(lane, order_no=other) is None
        assert await asks(lane, address=address) is not None


async def test_after_a_restart_the_same_address_leads_to_the_same_invoice_and_numbers_go_on(
    sandbox: Sandbox,
) -> None:
    log = MemoryJournal()
    async with billing(sandbox, log) as lane:
        order, lift = await pays(lane)
        await rises(lane, lift)
        address = address_on(await code_on_screen(lane))
        before = await asks(lane, address=address)
    async with billing(sandbox, MemoryJournal(log.rows)) as lane:
        assert await asks(lane, address=address) == before
        assert before is not None and before.order_no == order.order_no
        again, _ = await pays(lane)
        after = await asks(lane, order_no=again.order_no or "")
        assert after is not None
        assert [one.number.split("-")[2] for one in (before, after)] == ["000001", "000002"]
        assert before.number.split("-")[1] == after.number.split("-")[1]


async def test_an_invoice_of_a_stay_that_has_left_memory_is_found_in_the_journal(sandbox: Sandbox) -> None:
    async with billing(sandbox) as lane:
        order, _ = await pays(lane)
        found = await asks(lane, order_no=order.order_no or "")
        store, session = lane.worker.event_store, order.session or ""
        stay = store.garage.stays.pop(session)
        row = await lane.log.append([(SHELVED, msgspec.json.encode([slim(stay)]))], 1)
        store.resting_stays.put(session, row)
        assert await asks(lane, order_no=order.order_no or "") == found
        assert session not in store.garage.stays
        store.garage.stays[session] = stay


async def test_a_refund_that_is_made_adds_its_credit_note(sandbox: Sandbox) -> None:
    async with billing(sandbox) as lane:
        order, lift = await pays(lane)
        await rises(lane, lift)
        wanted = {
            "command": "refund", "by": "maha", "order_no": order.order_no, "amount": "5.00", "reason": "too much",
            "not_after": stamp(CLOCK.wall_ms() + 30_000),
        }  # fmt: skip
        command = sign_command(private_key("console"), GARAGE, LANE, key="console", **lane.head(), **wanted)
        await lane.bus.hears(lane.topic("command"), command)
        async with asyncio.timeout(LIMIT_S):
            while not (found := await asks(lane, order_no=order.order_no or "")) or not found.notes:
                await asyncio.sleep(0.05)  # nothing tells the moment at which PayBy has made it but another question
        (note,) = found.notes
        assert (note.amount, note.vat) == ("5.00", "0.24")
        assert note.number.split("-")[2] == "C000001"


@pytest.mark.parametrize("url", ["", "https://pay.example.com/" + "x" * 500])
async def test_without_an_address_or_with_one_that_no_code_holds_the_driver_leaves_all_the_same(
    sandbox: Sandbox, url: str
) -> None:
    async with billing(sandbox, url=url) as lane:
        order, lift = await pays(lane)
        await rises(lane, lift)
        assert await asks(lane, order_no=order.order_no or "") is not None
        if url:
            assert (await lane.until(Alert, code="receipt-unreadable")).severity == "warning"
        assert [one for one in lane.bus.of(Screen) if one.state == "paid" and one.qr] == []
        assert [one for one in lane.bus.of(Screen) if one.state == "paid"] != []


async def test_a_garage_that_issues_none_answers_nobody(sandbox: Sandbox) -> None:
    async with working(sandbox) as lane:
        order, lift = await pays(lane)
        await lane.bus.hears(lane.topic("enquiry", GARAGE_WIDE), Enquiry(**lane.head(), order_no=order.order_no))
        await rises(lane, lift)
        await lane.until(Screen, state="paid")
        assert lane.bus.of(Invoice) == []
