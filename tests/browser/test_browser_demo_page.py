"""The demo's page for every visitor: on a phone that lies on its side, by night, by keyboard, and when something is
wrong. WCAG 2.2 AA by axe-core, in each colour scheme.
"""

from pathlib import Path

import pytest

from tests.browser import axe, chromium
from tests.browser.chromium import Tab

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(100),
    pytest.mark.skipif(chromium.find() is None, reason="Chromium is not installed: apt-get install chromium"),
    pytest.mark.skipif(axe.script() is None, reason="axe-core was not fetched: make browser"),
]
READY = "document.querySelector('#lcd').naturalWidth > 0 && state && Object.keys(state.roles).length >= 6"
NEXT = "document.querySelector('#next')"
SIDEWAYS = ((844, 390), (667, 375), (568, 320))


async def opened(tab: Tab, url: str, *, scheme: str = "light") -> None:
    """The page, ready, with nothing that moves by itself."""
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    await tab.send("Emulation.setEmulatedMedia", features=features)
    await tab.open(url)
    await tab.until(READY)


async def next_is(tab: Tab, act: str) -> None:
    await tab.until(f"{NEXT}.dataset.act === '{act}' && {NEXT}.getAttribute('aria-disabled') === 'false'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_breaks_no_rule_of_access_by_day_and_by_night(
    url: str, tab: Tab, pictures: Path, scheme: str
) -> None:
    await tab.size(1280, 800)
    await opened(tab, url, scheme=scheme)
    ground = await tab.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert (max(ground) < 60) == (scheme == "dark")
    for act in ("drive_up", "scan", "phone_scan"):
        await next_is(tab, act)
        await tab.click("#next")
    await next_is(tab, "pay")
    for width, height, mobile in ((1280, 800, False), (390, 844, True), *((*size, True) for size in SIDEWAYS)):
        await tab.size(width, height, mobile=mobile)
        assert await tab.run("document.documentElement.scrollWidth") == width
        await tab.picture(pictures / f"demo-{scheme}-{width}.png")
        assert await axe.violations(tab) == [], f"{width} px"
    assert tab.complaints == []


BOX = (
    "(({top, bottom, left, right}) => [top, bottom, left, right])(document.querySelector('%s').getBoundingClientRect())"
)


async def test_a_phone_on_its_side_shows_car_terminal_and_the_next_step_at_once(url: str, tab: Tab) -> None:
    await tab.size(*SIDEWAYS[0], mobile=True)
    await opened(tab, url)
    await tab.click("#next")
    await next_is(tab, "scan")
    for width, height in SIDEWAYS:
        await tab.size(width, height, mobile=True)
        await tab.run("scrollTo({top: 0, behavior: 'instant'})")
        bar = (await tab.run(BOX % "#guide"))[0]
        assert bar < height - 30
        for part in ("#terminal .t-glass", "#car", "#boom", "#phone"):
            top, bottom, left, right = await tab.run(BOX % part)
            assert 0 <= top < bottom <= bar + 1, (part, width)
            assert right > 0 and left < width, (part, width)


WHERE = """(() => {
    const node = document.activeElement, guide = document.querySelector('#guide');
    if (node === document.body) return ['body', true];
    const box = (node.closest('label') ?? node).getBoundingClientRect(), bar = guide.getBoundingClientRect();
    const apart = box.bottom <= bar.top || box.top >= bar.bottom;
    const free = box.height > innerHeight || guide.contains(node) || apart;
    return [node.id || node.value || node.textContent.trim(), free && box.bottom > 0 && box.top < innerHeight];
})()"""
"""What has the focus, and whether it is to be seen."""


@pytest.mark.fresh  # with few messages, so that Tab comes round
async def test_who_goes_through_the_page_by_tab_changes_no_ticket_and_always_sees_where_he_is(
    url: str, tab: Tab
) -> None:
    await tab.size(1280, 800)
    await opened(tab, url)
    ticket = "document.querySelector('input[name=ticket]:checked').value"
    before = await tab.run(ticket)
    for width, height in ((1280, 800), (390, 844), (844, 390)):
        await tab.size(width, height)
        seen = set()
        for _ in range(36):
            await tab.key("Tab")
            name, is_seen = await tab.run(WHERE)
            seen.add(name)
            assert is_seen, f"{name} has the focus and is not to be seen at {width} px"
            assert await tab.run(ticket) == before, name
        assert {"next", "minutes", "messages", "90"} <= seen
    await tab.click("#minutes")
    assert await tab.run(ticket) == "own"


async def test_the_lowered_boom_is_level_and_the_raised_one_upright(url: str, tab: Tab) -> None:
    await tab.size(1280, 800)
    await opened(tab, url)
    points = "['x1', 'y1', 'x2', 'y2'].map(name => Number(line.getAttribute(name)))"
    arm = f"[...document.querySelectorAll('#arm line')].map(line => {points})"
    down = await tab.run(arm)
    assert len(down) > 5
    assert all(y1 == y2 for _, y1, _, y2 in down)
    assert max(x2 for _, _, x2, _ in down) - min(x1 for x1, _, _, _ in down) > 150
    await tab.click("input[value='8'] + span")  # a stay that costs nothing
    await tab.click("#next")
    await next_is(tab, "scan")
    await tab.click("#next")
    await next_is(tab, "drive_off")
    await tab.until(f"({arm}).every(([x1, y1, x2, y2]) => Math.abs(x2 - x1) < 0.2 * Math.abs(y2 - y1) + 0.1)")


async def test_after_help_the_guide_leads_on(url: str, tab: Tab) -> None:
    await tab.size(1280, 800)
    await opened(tab, url)
    for kind in ("foreign", "damaged", "future"):
        await tab.click(f"input[value={kind}] + span")
        for act in ("drive_up", "scan", "back_out"):
            await next_is(tab, act)
            await tab.click("#next")
    await next_is(tab, "drive_up")
    await tab.click("input[value='90'] + span")
    for act in ("drive_up", "scan", "phone_scan"):
        await next_is(tab, act)
        await tab.click("#next")
    await next_is(tab, "pay")
    await tab.click("#phone [data-do=decline]")
    await next_is(tab, "phone_scan")  # another try with the same code
    assert tab.complaints == []


async def test_the_page_says_what_the_lcd_shows_and_not_what_was_last_said_to_it(url: str, tab: Tab) -> None:
    await tab.size(1280, 800)
    await opened(tab, url)
    assert await tab.run("document.querySelector('#lcd-words').textContent") == "The screen says: scan your ticket."
    await tab.run("document.querySelector('#seconds').value = '30'")
    await tab.click("[data-do=cut_broker]")
    await tab.until("document.querySelector('#lcd-words').textContent.includes('out-of-order, broker')", 40)
    await next_is(tab, "drive_up")
    words = await tab.run("document.querySelector('#guide-words').textContent")
    assert words.startswith("The terminal says out-of-order: broker.")
    assert await tab.run("document.querySelector('#terminal').dataset.tone") == "stop"
    await tab.click("#next")
    await next_is(tab, "back_out")
    await tab.until("document.querySelector('#lcd-words').textContent === 'The screen says: scan your ticket.'", 40)
    await next_is(tab, "scan")
    assert tab.complaints == []
