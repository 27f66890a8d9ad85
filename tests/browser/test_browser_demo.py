"""The demo as a visitor meets it: `exit-terminal demo` in a process of its own, driven in headless Chromium.

tests/browser/conftest.py starts it.
"""

from pathlib import Path

import pytest
from PIL import Image

from tests.browser import chromium
from tests.browser.chromium import Tab

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(100),
    pytest.mark.skipif(chromium.find() is None, reason="Chromium is not installed: apt-get install chromium"),
]


READY = "document.querySelector('#lcd').naturalWidth > 0 && state && Object.keys(state.roles).length >= 6"
NEXT = "document.querySelector('#next')"
KINDS = "[...document.querySelectorAll('#messages .kind')].map(node => node.textContent)"


async def next_is(tab: Tab, act: str) -> None:
    await tab.until(f"{NEXT}.dataset.act === '{act}' && {NEXT}.getAttribute('aria-disabled') === 'false'")


async def shoot(tab: Tab, file: Path) -> None:
    """A picture of what is seen at the page's top."""
    await tab.run("scrollTo({top: 0, behavior: 'instant'})")
    await tab.picture(file)


@pytest.mark.fresh
async def test_a_visit_by_mouse_from_the_ticket_to_the_open_road(url: str, tab: Tab, pictures: Path) -> None:
    await tab.size(1280, 800)
    await tab.open(url)
    await tab.until(READY)
    await shoot(tab, pictures / "desk-1-idle.png")
    await tab.click("input[value='270'] + span")
    await tab.click("#ticket-form [data-do=drive_up]")
    await tab.until("document.querySelector('#loop-waiting.on') && state.car.phase === 'waiting'")
    await tab.click(".controls [data-do=scan]")
    await tab.until("state.screen.state === 'pay'")
    await next_is(tab, "phone_scan")
    await shoot(tab, pictures / "desk-2-pay.png")
    await tab.click("#phone [data-do=phone_scan]")
    await tab.until("state.phone.state === 'order'")
    due = await tab.run("state.screen.amount")
    assert await tab.run("document.querySelector('#amount').textContent") == due
    assert await tab.run("document.querySelector('#merchant').textContent") == "Marina Garage"
    await tab.until("document.querySelector('#phone:not(.looking)')")
    await shoot(tab, pictures / "desk-3-order.png")
    await tab.click("#phone [data-do=pay]")
    await next_is(tab, "drive_off")
    await shoot(tab, pictures / "desk-4-up.png")
    assert await tab.run("state.pulses") == 1
    await tab.until("state.screen.invoice && !document.querySelector('#scan-invoice').hidden")
    await tab.click("#scan-invoice")
    await tab.until("state.phone.state === 'invoice' && document.querySelector('#phone:not(.looking)')")
    await shoot(tab, pictures / "desk-4-invoice.png")
    address, order_no = await tab.run("document.querySelector('#invoice').href"), await tab.run("state.order_no")
    await tab.click(".controls [data-do=drive_off]")
    await next_is(tab, "drive_up")
    await tab.until("state.boom.state === 'down'")
    kinds = set(await tab.run(KINDS))
    assert {"fee", "order", "screen", "paid", "receipt", "lift", "barrier", "vehicle"} <= kinds
    await tab.run("document.querySelector('#messages summary:has(.lift)').click()")  # a mouse may miss: rows move down
    await tab.until("document.querySelector('#messages details[open] pre')?.textContent.includes('\"proof\"')")
    await tab.picture(pictures / "desk-5-gone.png", whole=True)
    assert await tab.run("state.car.phase") == "away"
    for width in (390, 1280):
        await tab.size(width, 800)
        await tab.open(address)
        words = await tab.run("document.body.innerText")
        assert order_no in words and "100000000000003" in words
        assert await tab.run("document.documentElement.scrollWidth") <= width
        await tab.picture(pictures / f"invoice-{width}.png", whole=True)
    assert tab.complaints == []
    with Image.open(pictures / "desk-1-idle.png") as picture:
        assert picture.size == (1280, 800)


async def test_a_visit_by_keyboard_on_a_narrow_screen(url: str, tab: Tab, pictures: Path) -> None:
    await tab.size(390, 844, mobile=True, scale=2)
    await tab.open(url)
    await tab.until(READY)
    await tab.picture(pictures / "phone-1-idle.png")
    await tab.run("document.querySelector('#guide').focus()")
    await tab.key("Tab")
    assert await tab.run("document.activeElement.id") == "next"
    for number, act in enumerate(("drive_up", "scan", "phone_scan", "pay", "drive_off")):
        await next_is(tab, act)
        await tab.picture(pictures / f"phone-2-{number}-{act}.png")
        await tab.key("Enter" if number % 2 else "Space")
        await tab.until(f"{NEXT}.dataset.act !== '{act}' || {NEXT}.getAttribute('aria-disabled') === 'true'")
    await next_is(tab, "drive_up")
    assert await tab.run("document.activeElement.id") == "next"
    assert await tab.run("document.documentElement.scrollWidth") == 390
    await tab.picture(pictures / "phone-3-whole.png", whole=True)
    assert tab.complaints == []
    with Image.open(pictures / "phone-1-idle.png") as picture:
        assert picture.size == (780, 1688)


@pytest.mark.fresh
async def test_trouble_is_said_on_every_part_of_the_page(url: str, tab: Tab, pictures: Path) -> None:
    await tab.size(1280, 800)
    await tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    await tab.open(url)
    await tab.until(READY)
    await tab.click("#phone [data-do=phone_scan]")
    await tab.until("document.querySelector('#phone-note').textContent.startsWith('No code in view')")
    await tab.click("input[value=used] + span")
    await tab.click("#next")
    await tab.until("!document.querySelector('#toast').hidden")
    assert "let a car leave first" in await tab.run("document.querySelector('#toast').textContent")
    await tab.click("input[value=foreign] + span")
    await tab.click("#next")
    await next_is(tab, "scan")
    await tab.click("#next")
    await tab.until("state.screen.state === 'help'")
    await next_is(tab, "back_out")
    words = await tab.run("document.querySelector('#guide-words').textContent")
    assert "ticket-foreign" in words
    assert "help code" in words
    assert await tab.run("document.querySelector('#terminal').dataset.tone") == "stop"
    await shoot(tab, pictures / "desk-6-help.png")
    await tab.click("#next")
    await next_is(tab, "drive_up")
    await tab.run("document.querySelector('#seconds').value = '5'")
    await tab.click("[data-do=cut_broker]")
    await tab.until("document.querySelector('#lamp-broker.off')")
    await tab.until("/[0-9] s/.test(document.querySelector('#left-broker').textContent)")
    await shoot(tab, pictures / "desk-7-cut.png")
    await tab.until("document.querySelector('#lamp-broker.on')")
    assert tab.complaints == []


async def test_every_control_has_a_name(url: str, tab: Tab) -> None:
    await tab.size(1280, 800)
    await tab.open(url)
    await tab.until(READY)
    nodes = (await tab.send("Accessibility.getFullAXTree"))["nodes"]
    controls = [
        node
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in ("button", "checkbox", "radio", "combobox", "spinbutton", "image")
    ]
    assert len(controls) >= 20
    assert [node for node in controls if not node["name"]["value"].strip()] == []
