"""The desk's page in a real Chromium, watched from the inside; and its stream, read beside it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.desk_delays import Entry
from tests.browser import chromium
from tests.browser.chromium import Tab
from tests.support.console_desk import PASSWORD

FIELDS = ("screen", "order", "boom", "car")
PROBE = """(() => {
  const now = () => performance.timeOrigin + performance.now();
  const probe = window.probe = { shown: [], dark: 0, tasks: [] };
  let waiting = [];
  const painted = new MessageChannel(); // its message comes after the frame was painted
  painted.port1.onmessage = () => {
    const at = now();
    for (const [lane, field, text] of waiting) probe.shown.push([lane, field, at, text]);
    waiting = [];
  };
  const changed = (...what) => {
    if (!waiting.length) requestAnimationFrame(() => painted.port2.postMessage(0));
    waiting.push(what);
  };
  for (const card of document.querySelectorAll('.card[data-lane]')) for (const field of FIELDS) {
    const node = card.querySelector(`[data-f=${field}]`);
    const seen = new MutationObserver(() => changed(card.dataset.lane, field, node.textContent));
    seen.observe(node, { childList: true, characterData: true, subtree: true });
  }
  const lamp = document.querySelector('#lamp');
  const lit = new MutationObserver(() => { if (!lamp.classList.contains('on')) probe.dark++; });
  lit.observe(lamp, { attributes: true });
  const long = new PerformanceObserver(list => {
    for (const one of list.getEntries()) probe.tasks.push([performance.timeOrigin + one.startTime, one.duration]);
  });
  long.observe({ type: 'longtask' });
})()""".replace("FIELDS", json.dumps(FIELDS))
"""Notes when each of those fields of a card has changed and was painted, when the page looks cut off, and its tasks of
more than 50 ms."""


class DeskPage:
    """All lanes at a glance. ``shown``: what its cards have shown, once painted."""

    def __init__(self, tab: Tab, url: str) -> None:
        self.tab, self._url = tab, url

    async def open(self, lanes: int) -> None:
        """Signed in, live, with so many lanes."""
        await self.tab.size(1280, 800)
        await self.tab.open(f"{self._url}/sign-in")
        for name, value in {"name": "maha", "password": PASSWORD}.items():
            await self.tab.run(f"document.querySelector('[name={name}]').value = {json.dumps(value)}")
        await self.tab.run("document.querySelector('main form').requestSubmit()")
        await self.tab.until(
            f"document.querySelectorAll('.card').length === {lanes} && document.querySelector('#lamp.on')"
        )
        await self.tab.run(PROBE)

    async def found(self) -> dict[str, Any]:
        """What PROBE has noted: ``shown``, how often the lamp went ``dark``, and ``tasks`` (start and length, ms); and
        the page's ``complaints``. Raises RuntimeError where the page was loaded anew meanwhile."""
        said: dict[str, Any] | None = json.loads(await self.tab.run("JSON.stringify(window.probe ?? null)"))
        if said is None:
            raise RuntimeError("the page was loaded anew while it was watched")
        return {**said, "complaints": self.tab.complaints}


@asynccontextmanager
async def desk_page(folder: Path, url: str, lanes: int) -> AsyncIterator[DeskPage]:
    """A fresh Chromium with the desk's page."""
    program = chromium.find()
    if program is None:
        raise RuntimeError("Chromium is not installed: apt-get install chromium")
    async with chromium.browser(program, folder) as tab:
        page = DeskPage(tab, url)
        await page.open(lanes)
        yield page


class HeardStream:
    """The same stream that the page gets, read as it comes: what of a delay is the console's, and what the page's."""

    def __init__(self) -> None:
        self.shown: list[Entry] = []

    async def read(self, answer: aiohttp.ClientResponse) -> None:
        """Until cancelled."""
        name = ""
        async for raw in answer.content:
            field, _, value = raw.decode().rstrip("\r\n").partition(": ")
            if field == "event":
                name = value
            elif field == "data" and name == "lane":
                at, said = time.time() * 1000, json.loads(value)
                fields = {key: text for key, text in said["fields"].items() if key in FIELDS}
                self.shown += [(said["lane"], key, at, text) for key, text in fields.items()]


@asynccontextmanager
async def heard_stream(url: str) -> AsyncIterator[HeardStream]:
    """Signed in, and reading."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        form = {"name": "maha", "password": PASSWORD}
        async with http.post(f"{url}/sign-in", data=form) as answer:
            answer.raise_for_status()
        async with http.get(f"{url}/events", timeout=aiohttp.ClientTimeout(total=None)) as answer:
            answer.raise_for_status()
            stream = HeardStream()
            reading = asyncio.create_task(stream.read(answer), name="the desk's stream")
            try:
                yield stream
            finally:
                reading.cancel()
