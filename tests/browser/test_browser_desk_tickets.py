"""At the desk in real Chromium: a driver without a ticket that scans, and payments that wait for a person.

Tickets are read out to the demo's own worker. A payment that waits for a person needs a barrier that forgot what it
did, so for that the desk runs alone at a real broker, and the test says what the worker would.
"""

import asyncio
import time
from pathlib import Path

import pytest

from broker.embedded import EmbeddedBroker
from terminal.core.ids import derived_id
from tests.browser import axe, chromium
from tests.browser.chromium import Tab
from tests.browser.desk_visitor import ACTIONS, LANE, LIVE, Driver, acted, choose, comes_to, shoot, tab_to
from tests.support.console_desk import NUMBER, PASSWORD, SESSION, DeskRig, open_desk
from tests.support.eventually import eventually

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(100),
    pytest.mark.skipif(chromium.find() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.skipif(axe.script() is None, reason="axe-core was not fetched: make browser"),
]
OFFERED = "document.querySelector('[data-dialog=dialog-lost-ticket]')"


async def test_a_driver_without_a_ticket_pays_for_a_lost_one_and_the_next_for_what_stands_on_his(
    url: str, tab: Tab, pictures: Path
) -> None:
    driver = Driver(url)
    await tab.size(1280, 800)
    await tab.open(f"{url}{LANE}")
    await tab.until(LIVE)
    await driver.act("drive_up", minutes=90)
    await tab.until(f"{OFFERED} && document.querySelector('[data-f=car]').textContent === 'waiting'")
    before = await choose(tab, "lost-ticket", "driver-asks")
    await comes_to(tab, before, "done", also="document.querySelector('[data-tone=pay]')")
    assert "150.00" in await tab.run("document.querySelector('[data-f=order]').textContent")
    await driver.act("back_out")
    await driver.act("drive_up", minutes=90)
    await tab.until(f"{OFFERED} && document.querySelector('[data-tone=idle]')")
    before = await acted(tab)
    await tab.click("[data-dialog=dialog-damaged-ticket]")
    await tab.until("document.querySelector('dialog[open]')")
    await shoot(tab, pictures, "damaged")
    session = derived_id(time.time_ns() // 1_000_000 - 90 * 60_000, "a torn ticket")
    await tab.run("document.querySelector('dialog[open] [name=ticket]').focus()")
    await tab.send("Input.insertText", text=session.upper())
    await tab.click("dialog[open] input[value=unreadable]")
    await tab.click("dialog[open] .strong")
    await comes_to(tab, before, "done", also="document.querySelector('[data-tone=pay]')")
    assert "20.00" in await tab.run("document.querySelector('[data-f=order]').textContent")
    assert await tab.run("document.querySelector('dd a.code').href.split('/').pop()") == session
    assert tab.complaints == []


async def test_a_lost_ticket_is_asked_for_by_keyboard_on_a_phone_in_arabic(url: str, tab: Tab, pictures: Path) -> None:
    driver = Driver(url)
    await tab.size(390, 844, mobile=True, scale=2)
    await driver.act("drive_up", minutes=90)
    await tab.open(f"{url}{LANE}?lang=ar")
    await tab.until(f"{LIVE} && {OFFERED}")
    assert await tab.run("document.dir") == "rtl"
    before = await acted(tab)
    await tab_to(tab, "[data-dialog=dialog-lost-ticket]")
    await tab.key("Enter")
    await tab.until("document.querySelector('dialog[open]')")
    await tab_to(tab, "dialog[open] input[type=radio]")
    await tab.key("Space")
    await tab.picture(pictures / "desk-lost-ar-390.png")
    await tab_to(tab, "dialog[open] .strong")
    await tab.key("Enter")
    await comes_to(tab, before, "done", also="document.querySelector('[data-tone=pay]')")
    assert tab.complaints == []


async def signed_in(tab: Tab, rig: DeskRig, name: str) -> None:
    await tab.open(f"{rig.url}/sign-in")
    await tab.run(f"document.querySelector('#name').value = '{name}'")
    await tab.run(f"document.querySelector('#password').value = '{PASSWORD}'")
    await tab.click(".sign .strong")
    await tab.until(f"location.pathname === '/desk/' && {LIVE}")


async def taken(tab: Tab, rig: DeskRig, number: int) -> str:
    """The worker takes the newest of so many commands; returns what it asks for."""
    await eventually(lambda: len(rig.commands) == number)
    command = await rig.command()
    await rig.say("receipt", command=command.id, outcome="done")
    await tab.until(f"({ACTIONS}).length === {number} && ({ACTIONS})[0].dataset.stage === 'done'")
    assert command.order_no == NUMBER
    return command.command


async def beat(rig: DeskRig) -> None:
    """The worker's heartbeat, until cancelled: a desk asks nothing of one that is silent."""
    while True:
        await rig.health("worker", "garage")
        await asyncio.sleep(4)  # as a heartbeat does


async def waits(rig: DeskRig) -> None:
    await rig.paid()
    await rig.say("alert", severity="critical", code="lift-unknown", state="raised", text="nobody knows",
                  session=SESSION, order_no=NUMBER)  # fmt: skip


async def test_a_manager_decides_about_a_payment_by_mouse_and_by_keyboard_on_a_phone_in_arabic(
    embedded: EmbeddedBroker, tmp_path: Path, tab: Tab, pictures: Path
) -> None:
    async with open_desk(embedded, tmp_path / "console") as rig:
        await rig.opens()
        beating = asyncio.create_task(beat(rig))
        await waits(rig)
        await tab.size(1280, 800)
        await signed_in(tab, rig, "maha")
        await tab.open(f"{rig.url}/visits/{SESSION}")
        await tab.until(f"{LIVE} && document.querySelector('[data-dialog=dialog-keep-0]')")
        await shoot(tab, pictures, "decide")
        await choose(tab, "let-go", "did-not-open")
        assert await taken(tab, rig, 1) == "let-go"
        await waits(rig)
        await tab.size(390, 844, mobile=True, scale=2)
        await tab.open(f"{rig.url}/visits/{SESSION}?lang=ar")
        await tab.until(f"{LIVE} && document.querySelector('[data-dialog=dialog-keep-0]')")
        await tab_to(tab, "[data-dialog=dialog-keep-0]")
        await tab.key("Enter")
        await tab.until("document.querySelector('dialog[open]')")
        await tab_to(tab, "dialog[open] input[type=radio]")
        await tab.key("Space")
        await tab.picture(pictures / "desk-keep-ar-390.png")
        assert await axe.violations(tab) == []
        await tab_to(tab, "dialog[open] .strong")
        await tab.key("Enter")
        assert await taken(tab, rig, 2) == "keep"
        beating.cancel()
        assert tab.complaints == []
