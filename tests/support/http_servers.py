"""Each server of HTTP that the product has, running, and how a request to it is made genuine."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import requests
from aiohttp import web

from terminal.demo.lane import DemoLane
from terminal.demo.page import Page
from terminal.payby.sandbox.server import Sandbox
from terminal.payby.signing import sign
from tests.browser.fake_terminal import FakeTerminal
from tests.conftest import open_embedded
from tests.support.console_desk import PASSWORD, open_desk
from tests.support.http_description import Prepare
from tests.support.listening import PlayedWorker, listening
from tests.support.payby_notices import PAYBY
from tests.support.rsa_keys import rsa_key

MERCHANT = rsa_key("merchant")
PARTNER = "200000000888"
NAMES = ("listener", "desk", "demo", "sandbox")
STREAMS = [("GET", "/desk/events"), ("GET", "/events")]
"""They do not end by themselves; tests of their own hold them."""


@dataclass
class HttpServer:
    """One that runs, and how a request for it is made genuine."""

    url: str
    prepare: Prepare = lambda _: None
    app: web.Application | None = None


@asynccontextmanager
async def serving(name: str, folder: Path) -> AsyncIterator[HttpServer]:
    async with AsyncExitStack() as stack:
        match name:
            case "listener":
                worker = await stack.enter_async_context(PlayedWorker())
                yield HttpServer((await stack.enter_async_context(listening(worker))).url, by_payby)
            case "desk":
                broker = await stack.enter_async_context(open_embedded(folder))
                rig = await stack.enter_async_context(open_desk(broker, folder / "console"))
                await rig.opens()
                await rig.arrives()
                yield HttpServer(rig.url.removesuffix("/desk"), SignedIn(rig.url), rig.role.app)
            case "demo":
                fake = FakeTerminal()
                lane = DemoLane(fake.parts(), pace=0)
                following = asyncio.create_task(lane.run())
                page = Page(lane)
                yield HttpServer(await page.start(0), app=page._served._runner.app)
                await page.stop()
                following.cancel()
                await asyncio.wait([following])
            case _:
                sandbox = Sandbox(merchant_keys=[MERCHANT.public_key()], private_key=PAYBY, seed=7)
                await stack.enter_async_context(sandbox)
                yield HttpServer(
                    f"http://127.0.0.1:{sandbox.port}", by_the_merchant(sandbox), sandbox._served._runner.app
                )


def by_payby(asked: requests.PreparedRequest) -> None:
    asked.headers["sign"] = sign(PAYBY, body_of(asked))


def by_the_merchant(sandbox: Sandbox) -> Prepare:
    def prepare(asked: requests.PreparedRequest) -> None:
        sandbox.cut_off = False  # a lever that some request has pulled: a connection that ends is no answer
        sandbox.heal()
        if b"requestTime" in (body := body_of(asked)):
            try:
                body = json.dumps({**json.loads(body), "requestTime": sandbox.clock.wall_ms()}).encode()
            except (TypeError, ValueError):
                return
            asked.prepare_body(body, None)
            asked.headers["Content-Type"] = "application/json"
        asked.headers["sign"], asked.headers["Partner-Id"] = sign(MERCHANT, body), PARTNER

    return prepare


class SignedIn:
    """A manager's browser: its cookie, and the token that each of its forms bears."""

    def __init__(self, url: str) -> None:
        self._url, self._cookie, self._csrf = url, "", ""

    def __call__(self, asked: requests.PreparedRequest) -> None:
        if not self._cookie:
            self._sign_in()
        if "/sign-in" in (path := asked.path_url):
            return
        asked.headers["Cookie"] = f"desk={self._cookie}"
        if asked.method == "POST":
            form = [(name, value) for name, value in parse_qsl(body_of(asked).decode("latin-1")) if name != "csrf"]
            asked.prepare_body([*form, ("csrf", self._csrf)], None)
            asked.headers["Content-Type"] = "application/x-www-form-urlencoded"
        if path.endswith("/sign-out"):
            self._cookie = ""

    def _sign_in(self) -> None:
        with requests.Session() as http:
            http.trust_env = False
            http.headers["X-Forwarded-For"] = "192.0.2.9"  # the wrong passwords of other requests are another's
            form = {"name": "maha", "password": PASSWORD}
            http.post(f"{self._url}/sign-in", data=form, allow_redirects=False, timeout=20).raise_for_status()
            self._cookie = http.cookies["desk"]
            found = re.search(r'name="csrf" value="([^"]+)"', http.get(f"{self._url}/", timeout=20).text)
            assert found
            self._csrf = found[1]


def body_of(asked: requests.PreparedRequest) -> bytes:
    return asked.body.encode() if isinstance(asked.body, str) else asked.body or b""
