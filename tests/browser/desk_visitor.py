"""What an operator and a driver do in the tests of the desk's pages."""

import asyncio
import json
import os
import time
from pathlib import Path

from tests.browser import axe, shared_demo
from tests.browser.chromium import LIMIT_S, Tab

WIDTHS = ((1280, 800, False), (390, 844, True), (2560, 1300, False))
LANE = "/desk/lanes/exit-1"
LIVE = "document.querySelector('#lamp.on')"
ACTIONS = "[...document.querySelectorAll('.did [data-stage]')]"
"""What was done at the desk, the newest first."""
SAME_TICKET_S = 2.1
"""A reader takes the same ticket again after 2 s."""


class Driver:
    """Who drives the demo's car, by its own page's interface."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._scanned_s = 0.0

    async def act(self, do: str, **more: object) -> None:
        """Once it can be done: a code that is on its way to the glass cannot be scanned yet. Raises TimeoutError with
        the reason."""
        why = ""
        try:
            async with asyncio.timeout(LIMIT_S):
                while why := await shared_demo.act(self.url, do, **more):
                    await asyncio.sleep(0.05)  # the demo's answer is all that there is to ask
        except TimeoutError:
            raise TimeoutError(f"{do}: {why}") from None

    async def arrives(self, kind: str = "minutes", minutes: int = 270) -> None:
        await self.act("drive_up", minutes=minutes, kind=kind)
        await self.act("scan")
        self._scanned_s = time.monotonic()

    async def scans_again(self) -> None:
        """The same ticket, once the reader takes it again."""
        await asyncio.sleep(self._scanned_s + SAME_TICKET_S - time.monotonic())  # nobody tells when it does
        await self.act("scan")


async def shoot(tab: Tab, pictures: Path, name: str) -> None:
    """The page at three widths, none of which it overflows, and what axe-core says of it. Pictures are taken where
    somebody wants to look at them (PICTURES)."""
    for width, height, mobile in WIDTHS:
        await tab.size(width, height, mobile=mobile, scale=2 if mobile else 1)
        assert await tab.run("document.documentElement.scrollWidth") == width, f"{name} at {width} px"
        if "PICTURES" in os.environ:
            await tab.picture(pictures / f"desk-{name}-{width}.png")
        if width < 2000:  # the widest page has what the wide one has
            assert await axe.violations(tab) == [], f"{name} at {width} px"
    await tab.size(1280, 800)


async def acted(tab: Tab) -> list[str]:
    """The actions that the page lists, by their ids."""
    return [str(one) for one in await tab.run(f"({ACTIONS}).map(node => node.dataset.id)")]


async def comes_to(tab: Tab, before: list[str], *stages: str, also: str = "true") -> None:
    """Until an action that was not among those ``before`` has come to one of these stages (any, if none is named), and
    ``also`` holds."""
    newest = f"!{json.dumps(before)}.includes(({ACTIONS})[0].dataset.id)"
    stage = f"{json.dumps(stages)}.includes(({ACTIONS})[0].dataset.stage)" if stages else "true"
    await tab.until(f"{newest} && {stage} && ({also})")


async def choose(tab: Tab, action: str, reason: str, **fields: str) -> list[str]:
    """Open an action's form, fill it in and send it, by mouse; returns which actions there were before it."""
    before = await acted(tab)
    await tab.click(f"[data-dialog^='dialog-{action}']")
    await tab.until("document.querySelector('dialog[open]')")
    for name, value in fields.items():
        await tab.run(f"document.querySelector('dialog[open] [name={name}]').value = {json.dumps(value)}")
    await tab.click(f"dialog[open] input[value={reason}]")
    await tab.click("dialog[open] .strong")
    await comes_to(tab, before, also=f"!document.querySelector('dialog[open]') && {LIVE}")
    return before


async def tab_to(tab: Tab, found: str) -> None:
    """Press Tab until what ``found`` selects has the focus."""
    for _ in range(60):
        if await tab.run(f"Boolean(document.activeElement?.matches({json.dumps(found)}))"):
            return
        await tab.key("Tab")
    raise AssertionError(f"Tab does not lead to {found}")
