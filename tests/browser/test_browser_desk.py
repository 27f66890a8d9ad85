"""The operator's desk as a person meets it: `exit-terminal demo` in a process of its own, with its embedded broker,
PayBy sandbox and real roles, driven in headless Chromium. Every page is held against WCAG 2.2 AA by axe-core.
"""

import asyncio
from pathlib import Path

import pytest

from tests.browser import axe, chromium
from tests.browser.chromium import Tab
from tests.browser.desk_visitor import LANE, LIVE, Driver, acted, choose, comes_to, shoot, tab_to
from tests.chaos.proxy import Line

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(100),
    pytest.mark.skipif(chromium.find() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.skipif(axe.script() is None, reason="axe-core was not fetched: make browser"),
]
PAYS = "document.querySelector('[data-tone=pay]')"


async def test_a_driver_with_a_help_code_is_let_out(url: str, tab: Tab, pictures: Path) -> None:
    driver = Driver(url)
    await tab.size(1280, 800)
    await tab.open(f"{url}/desk/")
    await tab.until(f"{LIVE} && document.querySelector('.card')")
    await driver.arrives()
    await tab.until("document.querySelector('.card[data-tone=pay] img')?.complete")
    code = await tab.run("document.querySelector('.card .code').textContent")
    await shoot(tab, pictures, "lanes")
    await tab.run("document.querySelector('#q').focus()")  # the first click: then the code is typed
    await tab.send("Input.insertText", text=code.lower())
    await tab.key("Enter")
    await tab.until(f"location.pathname.startsWith('/desk/visits/') && {LIVE}")
    await shoot(tab, pictures, "visit")
    await tab.click("[data-dialog=dialog-lift]")
    await tab.until("document.querySelector('dialog[open]')")
    await shoot(tab, pictures, "reason")
    await tab.click("dialog[open] input[value=lost-ticket]")
    await tab.click("dialog[open] .strong")
    await comes_to(tab, [], "raised")
    await tab.until("document.querySelector('.lines').textContent.includes('opened by operator demo: lost-ticket')")
    assert await tab.run("document.querySelector('[data-f=boom]').textContent") in ("rising", "up")
    assert await tab.run("document.querySelector('[data-dialog=dialog-lift]').getAttribute('aria-disabled')") == "true"
    await tab.until("document.querySelector('[data-f=boom]').textContent === 'up'")
    await driver.act("drive_off")
    assert tab.complaints == []


async def test_who_hears_a_help_code_lifts_with_a_reason_in_three_clicks(url: str, tab: Tab) -> None:
    """Counted in the page: each press of the mouse, over all pages that it leads to. The code is typed, not clicked."""
    driver = Driver(url)
    count = (
        "addEventListener('pointerdown', () => sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1, true)"
    )
    await tab.send("Page.addScriptToEvaluateOnNewDocument", source=count)
    await driver.arrives()
    await tab.size(1280, 800)
    await tab.open(f"{url}/desk/")
    await tab.until(f"{LIVE} && document.querySelector('.card[data-tone=pay] .code')?.textContent")
    code = await tab.run("document.querySelector('.card .code').textContent")
    assert await tab.run("document.activeElement.id") == "q"
    await tab.send("Input.insertText", text=code)
    await tab.key("Enter")
    await tab.until(f"location.pathname.startsWith('/desk/visits/') && {LIVE}")
    await tab.click("[data-dialog=dialog-lift]")
    await tab.until("document.querySelector('dialog[open]')")
    await tab.click("dialog[open] input[value=damaged-ticket]")
    await tab.click("dialog[open] .strong")
    await comes_to(tab, [], "raised")
    assert await tab.run("Number(sessionStorage.clicks)") == 3
    assert tab.complaints == []


async def test_a_lane_is_closed_and_opened_a_visit_ended_and_an_order_cancelled(url: str, tab: Tab) -> None:
    driver = Driver(url)
    await tab.size(1280, 800)
    await tab.open(f"{url}{LANE}")
    await tab.until(LIVE)
    before = await choose(tab, "close-lane", "maintenance")
    await comes_to(tab, before, "done", also="document.querySelector('[data-f=screen]').textContent === 'Lane closed'")
    await tab.until("document.querySelector('[data-dialog=dialog-open-lane]')")  # the buttons follow the lane
    before = await choose(tab, "open-lane", "clear")
    await comes_to(tab, before, "done", also="document.querySelector('[data-tone=idle]')")
    await driver.arrives()
    await tab.until(f"{PAYS} && document.querySelector('[data-dialog=dialog-cancel]')")
    before = await choose(tab, "cancel", "driver-asks")
    await comes_to(tab, before, "done", also="document.querySelector('[data-tone=idle]')")
    await driver.scans_again()
    await tab.until(f"{PAYS} && document.querySelector('[data-dialog=dialog-reset]')")
    before = await choose(tab, "reset", "wrong-vehicle")
    await comes_to(tab, before, "done", also=f"!{PAYS}")
    assert tab.complaints == []


async def test_money_is_given_back_in_part_and_then_the_rest(url: str, tab: Tab, pictures: Path) -> None:
    driver = Driver(url)
    await tab.size(1280, 800)
    await tab.open(f"{url}{LANE}")
    await driver.arrives()
    await tab.until(PAYS)
    visit = await tab.run("document.querySelector('dd a.code').href")
    await driver.act("phone_scan")
    await driver.act("pay")
    await tab.until("document.querySelector('[data-f=boom]').textContent === 'up'")
    await driver.act("drive_off")
    await tab.open(visit)
    await tab.until(LIVE)
    before = await choose(tab, "refund", "overcharged", amount="5.50")
    await tab.until("document.querySelector('.orders').textContent.includes('AED 5.50 given back')")
    await comes_to(tab, before, "settled", "success")
    await shoot(tab, pictures, "refunded")
    await tab.open(visit)
    await tab.until(LIVE)
    assert "(AED 44.50)" in await tab.run("document.querySelector('dialog').textContent")
    before = await choose(tab, "refund", "did-not-open")
    await tab.until("document.querySelector('.orders').textContent.includes('AED 50.00 given back')")
    await comes_to(tab, before, "settled", "success")
    await tab.open(visit)
    assert not await tab.run("document.querySelector('[data-dialog^=dialog-refund]')")
    for page in ("alerts", "day", "audit"):
        await tab.open(f"{url}/desk/{page}")
        await tab.until(LIVE)
        await shoot(tab, pictures, page)
    assert "50.00" in await tab.run("(await fetch('/desk/day.csv').then(a => a.text()))".join(("(async () => ", ")()")))
    assert tab.complaints == []


async def test_a_page_that_is_cut_off_says_so_and_goes_on_where_it_was(url: str, tab: Tab, pictures: Path) -> None:
    driver = Driver(url)
    async with Line(int(url.rpartition(":")[2])) as line:
        await tab.size(1280, 800)
        await is_cut_off_and_goes_on(tab, driver, line, pictures)


async def is_cut_off_and_goes_on(tab: Tab, driver: Driver, line: Line, pictures: Path) -> None:
    """``line`` is between the page and the demo."""
    await tab.open(f"http://127.0.0.1:{line.port}{LANE}")
    await tab.until(LIVE)
    line.hang()  # nobody is told
    await tab.until("!document.querySelector('#banner').hidden")
    assert "Cut off from the desk" in await tab.run("document.querySelector('#banner').textContent")
    assert (
        await tab.run("document.querySelector('[data-dialog=dialog-close-lane]').getAttribute('aria-disabled')")
        == "true"
    )
    await tab.picture(pictures / "desk-cut-off.png")
    await driver.arrives(minutes=5 * 60 + 30)
    line.flow()
    await tab.until(f"document.querySelector('#banner').hidden && {LIVE} && {PAYS}")
    words = "[...document.querySelectorAll('.lines .words')].map(node => node.textContent)"
    await tab.until(f"({words}).some(text => text.includes('stay of 5 h'))")  # said while it was away
    heard = await tab.run(words)
    assert len([text for text in heard if "stay of 5 h" in text]) == 1
    cut = asyncio.create_task(driver.act("cut_broker", seconds=8), name="the broker is away")
    await tab.until("document.querySelector('#banner').textContent.includes('no connection to the broker')")
    await tab.until("document.querySelector('[data-f=boom]').classList.contains('old')")
    await cut
    await tab.until("document.querySelector('#banner').hidden", 40)


async def test_a_burst_is_shown_as_what_is_left_of_it_and_what_was_missed_stays_to_be_seen(url: str, tab: Tab) -> None:
    """As the stream brings it after a pause, all at once."""
    await tab.size(1280, 800)
    await tab.open(f"{url}/desk/")
    await tab.until(f"{LIVE} && document.querySelector('.card')")
    drawn = await tab.run("""new Promise(done => {
        missed('and 7 that you missed');
        for (let n = 1; n <= 300; n++) {
            laneSaid({lane: 'exit-1', fields: {order: `order ${n}`}});
            lineSaid({n: `burst-${n}`, kind: 'order', label: 'order', time: '', lane: 'exit-1', words: `order ${n}`});
        }
        const seen = new Set(), card = document.querySelector('[data-f=order]');
        new MutationObserver(() => seen.add(card.textContent)).observe(card, {childList: true});
        requestAnimationFrame(() => requestAnimationFrame(() => {
            done([[...seen], [...document.querySelectorAll('[data-lines] li')].map(row => row.textContent)]);
        }));
    })""")
    assert drawn[0] == ["order 300"]
    assert [text.removeprefix("order") for text in drawn[1]] == [f"exit-1order {n}" for n in range(300, 288, -1)]
    await tab.run("missed('and 7 that you missed'), lineSaid({n: 'last', words: 'the last', lane: '', time: ''})")
    await tab.until("document.querySelector('[data-lines] li').textContent.includes('the last')")
    assert await tab.run("document.querySelectorAll('[data-lines] li')[1].textContent") == "and 7 that you missed"
    assert tab.complaints == []


async def test_everything_can_be_done_by_keyboard_on_a_phone_in_arabic(url: str, tab: Tab, pictures: Path) -> None:
    driver = Driver(url)
    await tab.size(390, 844, mobile=True, scale=2)
    await driver.arrives()
    await tab.open(f"{url}{LANE}?lang=ar")
    await tab.until(LIVE)
    assert await tab.run("document.dir") == "rtl"
    await shoot(tab, pictures, "lane-ar")
    await tab.size(390, 844, mobile=True, scale=2)

    before = await acted(tab)
    await tab_to(tab, "[data-dialog=dialog-lift]")
    box = await tab.run(
        "(() => { const b = document.activeElement.getBoundingClientRect(); return [b.top, b.bottom]; })()"
    )
    assert 0 <= box[0] < box[1] <= 844
    await tab.key("Enter")
    await tab.until("document.querySelector('dialog[open]')")
    await tab_to(tab, "dialog[open] input[type=radio]")
    await tab.key("Space")
    await tab_to(tab, "dialog[open] .strong")
    await tab.key("Enter")
    await comes_to(tab, before, "raised")
    await tab.open(f"{url}/desk/?lang=ar")
    await tab.until(LIVE)
    await shoot(tab, pictures, "lanes-ar")
    assert tab.complaints == []


async def test_who_cannot_sign_in_is_told_why(url: str, tab: Tab, pictures: Path) -> None:
    await tab.size(1280, 800)
    await tab.open(f"{url}/desk/sign-in")
    await shoot(tab, pictures, "sign-in")
    for _ in range(6):
        await tab.until("document.querySelector('#name') && !document.querySelector('form.act, .sign form[data-sent]')")
        await tab.run("document.querySelector('#name').value = 'amal'; document.querySelector('#password').value = 'x'")
        await tab.click(".sign .strong")
        await tab.until("document.querySelector('.sign [role=alert]')")
    await tab.until("document.querySelector('.sign [role=alert]').textContent.startsWith('Too many tries.')")
    assert all("sign-in" in one for one in tab.complaints)  # the browser's own word about 401 and 429
