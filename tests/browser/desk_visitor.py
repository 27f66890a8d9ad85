"""What an operator and a driver do in the tests of the desk's pages."""

import json
from pathlib import Path

import aiohttp

from tests.browser import axe
from tests.browser.chromium import Tab

WIDTHS = ((1280, 800, False), (390, 844, True), (2560, 1300, False))
LANE = "/desk/lanes/exit-1"
LIVE = "document.querySelector('#lamp.on')"
STAGES = "[...document.querySelectorAll('.did [data-stage]')].map(node => node.dataset.stage)"


class Driver:
    """Who drives the demo's car, by its own page's interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def act(self, do: str, **more: object) -> None:
        async with aiohttp.ClientSession() as http, http.post(f"{self.url}/act", json={"do": do, **more}) as answer:
            assert answer.status == 200
            assert await answer.json() == {}, do

    async def arrives(self, kind: str = "minutes") -> None:
        await self.act("drive_up", minutes=270, kind=kind)
        await self.act("scan")


async def shoot(tab: Tab, pictures: Path, name: str) -> None:
    """The page at three widths, none of which it overflows, and what axe-core says of it."""
    for width, height, mobile in WIDTHS:
        await tab.size(width, height, mobile=mobile, scale=2 if mobile else 1)
        assert await tab.run("document.documentElement.scrollWidth") == width, f"{name} at {width} px"
        await tab.picture(pictures / f"desk-{name}-{width}.png")
        if width < 2000:  # the widest page has what the wide one has
            assert await axe.violations(tab) == [], f"{name} at {width} px"
    await tab.size(1280, 800)


async def choose(tab: Tab, action: str, reason: str, **fields: str) -> None:
    """Open an action's form, fill it in and send it, by mouse."""
    await tab.click(f"[data-dialog^='dialog-{action}']")
    await tab.until("document.querySelector('dialog[open]')")
    for name, value in fields.items():
        await tab.run(f"document.querySelector('dialog[open] [name={name}]').value = {json.dumps(value)}")
    await tab.click(f"dialog[open] input[value={reason}]")
    await tab.click("dialog[open] .strong")
    await tab.until(f"!document.querySelector('dialog[open]') && {LIVE}")


async def tab_to(tab: Tab, found: str) -> None:
    """Press Tab until what ``found`` selects has the focus."""
    for _ in range(60):
        if await tab.run(f"Boolean(document.activeElement?.matches({json.dumps(found)}))"):
            return
        await tab.key("Tab")
    raise AssertionError(f"Tab does not lead to {found}")
