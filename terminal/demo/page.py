"""The demo's page: one HTML, one style sheet, one script, and a stream of what happens in the lane."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from PIL import Image

from terminal.contract.describe import in_words
from terminal.demo.feed import MessagePassed
from terminal.demo.lane import DemoLane
from terminal.demo.ports import NotNow
from terminal.payby.sandbox.http_site import HttpSite

_STATIC = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_FONTS = {"Regular", "Medium", "SemiBold"}
"""Weights of the screen's own typeface that the page is set in."""
_POLICY = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
_HEARTBEAT_S = 15.0
DESK = "/desk"
"""Where the operator's desk is."""
_NAMES = ("127.0.0.1", "localhost", "::1")


class Page:
    """Serves one DemoLane on loopback, and the operator's desk beside it. start() raises OSError if the port is
    taken."""

    def __init__(self, lane: DemoLane, desk: web.Application | None = None) -> None:
        self._lane = lane
        self._png: tuple[int, bytes] = (0, b"")
        self._acts: dict[str, Callable[[dict[str, Any]], Awaitable[object]]] = {
            "drive_up": lambda asked: lane.drive_up(_whole(asked, "minutes", 90), str(asked.get("kind", "minutes"))),
            "scan": lambda asked: lane.scan(),
            "phone_scan": lambda asked: lane.phone_scan(),
            "pay": lambda asked: lane.pay(),
            "decline": lambda asked: lane.decline(),
            "drive_off": lambda asked: lane.drive_off(),
            "back_out": lambda asked: lane.back_out(),
            "cut_broker": lambda asked: lane.cut_broker(_whole(asked, "seconds", 10)),
            "cut_payby": lambda asked: lane.cut_payby(_whole(asked, "seconds", 10)),
        }
        app = web.Application(middlewares=[_guard], client_max_size=4096)
        app.add_routes([web.get(path, self._file) for path in _STATIC])
        app.add_routes(
            [
                web.get("/font/{weight}.ttf", self._font),
                web.get("/lcd.png", self._lcd),
                web.get("/events", self._events),
                web.post("/act", self._act),
            ]
        )
        if desk is not None:
            app.add_routes([web.get(DESK, _to_desk)])
            app.add_subapp(DESK, desk)
        app.on_shutdown.append(self._end)
        self._served = HttpSite(app, shutdown_s=1.0)

    async def start(self, port: int, host: str = "127.0.0.1") -> str:
        """Serve until stop(); port 0 takes a free one. Returns the address."""
        return f"http://{host}:{await self._served.start(host, port)}"

    async def stop(self) -> None:
        """End every stream and stop serving; may be called twice."""
        await self._served.stop()

    async def _end(self, app: web.Application) -> None:
        self._lane.feed.close()

    async def _file(self, request: web.Request) -> web.Response:
        name, kind = _STATIC[request.path]
        data = await asyncio.to_thread(resources.files("terminal.demo").joinpath("static", name).read_bytes)
        return web.Response(body=data, content_type=kind, charset="utf-8")

    async def _font(self, request: web.Request) -> web.Response:
        weight = request.match_info["weight"]
        if weight not in _FONTS:
            raise web.HTTPNotFound
        file = resources.files("fontpkg_ibm_plex_sans_arabic").joinpath("files", f"IBMPlexSansArabic-{weight}.ttf")
        data = await asyncio.to_thread(file.read_bytes)
        return web.Response(body=data, content_type="font/ttf", headers={"Cache-Control": "max-age=86400"})

    async def _lcd(self, request: web.Request) -> web.Response:
        number, image = self._lane.frames, self._lane.image
        if image is None:
            raise web.HTTPNotFound(text="no frame has reached the panel yet")
        if self._png[0] != number:
            self._png = (number, await asyncio.to_thread(_to_png, image))
        return web.Response(body=self._png[1], content_type="image/png", headers={"Cache-Control": "no-store"})

    async def _act(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":  # another site's form cannot send that
            raise web.HTTPUnsupportedMediaType
        try:
            asked = await request.json()
            act = self._acts[asked["do"]]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise web.HTTPBadRequest(text="unknown act") from None
        try:
            await act(asked)
        except NotNow as why:
            return web.json_response({"why": str(why)})  # an error status would show in the browser's log
        return web.json_response({})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await stream.prepare(request)
        lane = self._lane
        with lane.feed.watch() as watch, suppress(StopAsyncIteration, ConnectionError):  # the demo ends, or the page
            await stream.write(_event("state", lane.state()))
            await stream.write(b"".join(_event("message", _line(message)) for message in lane.feed.messages))
            while True:
                try:
                    async with asyncio.timeout(_HEARTBEAT_S):
                        happening = await anext(watch)
                except TimeoutError:
                    await stream.write(b": still here\n\n")
                    continue
                if isinstance(happening, MessagePassed):
                    await stream.write(_event("message", _line(happening)))
                    if happening.kind not in ("screen", "health"):  # other kinds change nothing in the scene
                        continue
                await stream.write(_event("state", lane.state()))
        return stream


@web.middleware
async def _guard(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Serve only requests that name this machine: no other site may drive the lane through a visitor's browser."""
    try:
        name = urlsplit(f"//{request.host}").hostname
    except ValueError:
        name = None
    if name not in _NAMES:
        raise web.HTTPForbidden(text="the demo is served to this machine alone")
    response = await handler(request)
    if not response.prepared:
        response.headers.setdefault("Content-Security-Policy", _POLICY)  # the desk has its own
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


async def _to_desk(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(f"{DESK}/")


def _whole(asked: dict[str, Any], name: str, default: int) -> int:
    value = asked.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotNow(f"{name} takes a whole number.")
    return value


def _to_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _line(message: MessagePassed) -> dict[str, Any]:
    return {
        "number": message.number,
        "topic": message.topic,
        "kind": message.kind,
        "words": in_words(message.kind, message.data),
        "retained": message.retained,
        "routine": message.routine,
        "data": message.data,
    }


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
