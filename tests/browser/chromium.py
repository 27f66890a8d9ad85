"""A headless Chromium, driven over its own debugging protocol (CDP): no driver and no package beside aiohttp.

One process serves any number of tests: each gets a context of its own, with no cookie and nothing stored.
"""

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.eventually import soon
from tests.support.leash import LEASH, shared

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
LIMIT_S = 20.0
DOMAINS = ("Page", "Runtime", "Log", "Network")


def find() -> str | None:
    """Where Chromium is; None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Tab:
    """One page. ``complaints`` holds every console error, uncaught exception and failed request since the start."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._loaded: set[str] = set()
        self._news = asyncio.Event()
        self.complaints: list[str] = []

    async def listen(self) -> None:
        """Take what Chromium says, until it ends."""
        async for frame in self._socket:
            said = frame.json()
            if "id" in said:
                self._asked.pop(said["id"]).set_result(said)
                continue
            match said["method"], said["params"]:
                case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                    self.complaints.append(f"exception: {json.dumps(details)[:600]}")
                case "Runtime.consoleAPICalled", {"type": "error" | "warning" | "assert", "args": args}:
                    self.complaints.append(f"console: {args}")
                case "Log.entryAdded", {"entry": {"level": "error" | "warning", **entry}}:
                    self.complaints.append(f"log: {entry.get('text')} {entry.get('url', '')}")
                case "Page.lifecycleEvent", {"name": "load", "loaderId": loader}:
                    self._loaded.add(loader)
                    self._news.set()

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command; raises RuntimeError with Chromium's reason."""
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[self._number] = answer
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        said = await asyncio.wait_for(answer, LIMIT_S)
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']}")
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, url: str) -> None:
        """Go to ``url``; ends when that very document is loaded, and not the one before it, which may still be loading
        its pictures."""
        loader = (await self.send("Page.navigate", url=url))["loaderId"]
        async with asyncio.timeout(LIMIT_S):
            while loader not in self._loaded:
                self._news.clear()
                await self._news.wait()

    async def size(self, width: int, height: int, *, mobile: bool = False, scale: float = 1) -> None:
        """Give the page a window of that many CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile}
        await self.send("Emulation.setDeviceMetricsOverride", **metrics)

    async def run(self, script: str) -> Any:
        """The value of ``script`` in the page, its promise awaited; raises RuntimeError where it throws."""
        said = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise RuntimeError(f"{script}: {said['exceptionDetails']}")
        return said["result"].get("value")

    async def until(self, condition: str, limit_s: float = LIMIT_S) -> None:
        """Wait until the script ``condition`` holds in the page; raises TimeoutError with it and all complaints.

        A condition that throws does not hold yet: what it looks into may be on the page that is on its way.
        """
        await self._truth(f"Boolean({condition})", limit_s)

    async def _truth(self, script: str, limit_s: float) -> Any:
        """The first value of ``script`` that is true."""
        thrown = ""
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    try:
                        if value := await self.run(script):
                            return value
                        thrown = ""
                    except RuntimeError as error:
                        thrown = f" ({error})"
                    await asyncio.sleep(0.03)  # the page tells nobody when it has drawn
        except TimeoutError:
            raise TimeoutError(
                f"after {limit_s:g} s still not so: {script}{thrown}; complaints: {self.complaints}"
            ) from None

    async def click(self, selector: str) -> None:
        """Press the mouse on the middle of what ``selector`` finds, as a person does, once it can be pressed and stands
        still: what comes above it moves it."""
        x, y, hit = await self._truth(
            f"""(async () => {{ const found = () => document.querySelector({json.dumps(selector)});
            const node = found();
            if (!node || node.disabled || node.getAttribute('aria-disabled') === 'true') return null;
            node.scrollIntoView({{block: 'nearest', behavior: 'instant'}});
            const before = node.getBoundingClientRect();
            for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
            const box = node.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
            if (found() !== node || box.x !== before.x || box.y !== before.y) return null;
            const top = document.elementFromPoint(x, y);
            return [x, y, node === top || node.contains(top) || !!(top && top.contains(node))]; }})()""",
            LIMIT_S,
        )
        if not hit:
            raise RuntimeError(f"{selector} is covered by something else")
        for kind in ("mousePressed", "mouseReleased"):
            await self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def key(self, key: str) -> None:
        """Press and let go one key: Tab, Enter or Space."""
        code = {"Tab": 9, "Enter": 13, "Space": 32}[key]
        text = {"Enter": "\r", "Space": " "}.get(key)
        common = {"key": " " if key == "Space" else key, "code": key, "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        await self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    async def picture(self, file: Path, *, whole: bool = False) -> None:
        """Write what the page looks like as a PNG; ``whole`` beyond the window's end too."""
        said = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(said["data"]))


@asynccontextmanager
async def _connected(http: aiohttp.ClientSession, url: str) -> AsyncIterator[Tab]:
    """To a page, or to the browser as a whole, at its address for CDP."""
    async with http.ws_connect(url, max_msg_size=0) as socket:
        tab = Tab(socket)
        listening = asyncio.create_task(tab.listen(), name="chromium-listen")
        try:
            yield tab
        finally:
            listening.cancel()


class Chromium:
    """A running one. ``address``: the browser's own, for CDP."""

    def __init__(self, address: str) -> None:
        self._address = address

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """An empty page in a context of its own, which goes with it."""
        async with aiohttp.ClientSession() as http, _connected(http, self._address) as whole:
            context = (await whole.send("Target.createBrowserContext"))["browserContextId"]
            made = await whole.send("Target.createTarget", url="about:blank", browserContextId=context)
            place = f"{self._address.partition('/devtools/')[0]}/devtools/page/{made['targetId']}"
            async with _connected(http, place) as tab:
                for domain in DOMAINS:
                    await tab.send(f"{domain}.enable")
                await tab.send("Page.setLifecycleEventsEnabled", enabled=True)
                await tab.send("Emulation.setFocusEmulationEnabled", enabled=True)
                yield tab
            await whole.send("Target.disposeBrowserContext", browserContextId=context)


@contextmanager
def running(program: str, profile: Path) -> Iterator[Chromium]:
    """A fresh Chromium; ended with its whole process group on leaving."""
    profile.mkdir(parents=True, exist_ok=True)
    told = profile / "DevToolsActivePort"  # Chromium's own file: its port, and its address there
    told.unlink(missing_ok=True)  # an earlier one's
    with (profile / "log").open("wb") as log:
        words = [*LEASH, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def address() -> str:
        if process.poll() is not None:
            raise RuntimeError(f"Chromium ended: {(profile / 'log').read_text(errors='replace')[-2000:]}")
        lines = told.read_text().split() if told.exists() else []
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else ""

    try:
        with shared(process.pid):
            yield Chromium(soon(address, limit_s=LIMIT_S))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@asynccontextmanager
async def browser(program: str, profile: Path) -> AsyncIterator[Tab]:
    """One page of a Chromium of its own."""
    with running(program, profile) as started:
        async with started.tab() as tab:
            yield tab
