"""The pictures of the demo's page and of the operator's desk in deploy/pictures, which the README and the operations
page show.

    python -m tests.browser.gallery [URL]

takes them anew from a demo of its own, or from the one that runs at URL. Needed when one of the pages, or a screen of
the LCD, has changed.
"""

import asyncio
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.browser.chromium import Tab, browser, find
from tests.browser.desk_visitor import LANE, LIVE, Driver, choose, comes_to

PICTURES = Path(__file__).parents[2] / "deploy" / "pictures"
NEXT = "document.querySelector('#next')"
CALM = [{"name": "prefers-reduced-motion", "value": "reduce"}, {"name": "prefers-color-scheme", "value": "light"}]


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """Where the page of a fresh demo is."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "terminal", "demo", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", (await process.stdout.readline()).decode())):
            assert process.returncode is None, "the demo ended before it said where its page is"
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()


async def take(tab: Tab, name: str) -> None:
    """The window as it is, in few colours, as a file of deploy/pictures."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        await tab.picture(file)
        with Image.open(file) as picture:
            small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(PICTURES / name, optimize=True)


async def pictures(tab: Tab, url: str) -> None:
    """One visit in the demo, as its page and as the desk show it, that an operator lets out in the end; and the day."""
    driver = Driver(url)
    await tab.send("Emulation.setEmulatedMedia", features=CALM)
    await tab.size(1280, 580)
    await tab.open(url)
    await tab.until("document.querySelector('#lcd')?.naturalWidth > 0 && state && Object.keys(state.roles).length >= 6")
    await driver.act("drive_up", kind="foreign", minutes=90)
    await driver.act("scan")
    await tab.until("state.screen.state === 'help'")
    await driver.act("back_out")  # an alert tells of it
    await driver.arrives()
    for act in ("phone_scan", "pay"):
        await tab.until(f"{NEXT}.dataset.act === '{act}' && {NEXT}.getAttribute('aria-disabled') === 'false'", 60)
        if act == "phone_scan":
            await tab.click("#next")
    await tab.until("document.querySelector('#phone:not(.looking)')")
    await take(tab, "demo.png")
    await tab.size(1280, 860, scale=1.5)
    await tab.open(f"{url}/desk/")
    await tab.until(f"{LIVE} && document.querySelector('.card[data-tone=pay] img')?.complete", 60)
    await tab.run("document.activeElement.blur()")
    await take(tab, "desk.png")
    await tab.open(f"{url}{LANE}")
    await tab.until(f"{LIVE} && document.querySelector('dd a.code')", 60)
    await tab.open(await tab.run("document.querySelector('dd a.code').href"))
    await tab.until(LIVE, 60)
    before = await choose(tab, "lift", "payment-fails")
    await comes_to(tab, before, "raised", also="document.querySelector('[data-f=boom]').textContent === 'up'")
    await tab.until("document.querySelector('.lines').textContent.includes('up')", 60)
    await tab.run("scrollTo({top: 0, behavior: 'instant'})")
    await take(tab, "desk-visit.png")
    await driver.act("drive_off")
    for minutes in (95, 270, 150):  # the day has some payments
        await driver.arrives(minutes=minutes)
        for act in ("phone_scan", "pay", "drive_off"):
            await driver.act(act)
    await tab.size(1280, 620, scale=1.5)
    await tab.open(f"{url}/desk/day")
    await tab.until(LIVE, 60)
    await take(tab, "desk-day.png")


async def main(url: str) -> None:
    program = find()
    assert program, "Chromium is not installed: apt-get install chromium"
    with tempfile.TemporaryDirectory() as profile:
        async with browser(program, Path(profile)) as tab:
            if url:
                await pictures(tab, url)
            else:
                async with demo() as own:
                    await pictures(tab, own)


if __name__ == "__main__":
    asyncio.run(main(*(sys.argv[1:] or [""])))
