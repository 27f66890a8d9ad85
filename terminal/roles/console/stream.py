"""The live part of a page: server-sent events of what has changed, in the page's language.

``desk`` and ``lane`` have the fields that changed, ``line`` and ``action`` what happened, with an id by which the
browser goes on after a cut; ``beat`` comes every 5 s, so that a page can tell silence from a cut.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from terminal.roles.console.desk import Desk
from terminal.roles.console.desk_view import desk_fields
from terminal.roles.console.history import HeardLine
from terminal.roles.console.lane_card import lane_card
from terminal.roles.console.live import DeskEvent, Watcher
from terminal.roles.console.sign_in import SignIn, SignIns
from terminal.roles.console.texts import Words

BEAT_S = 5.0
GATHER_S = 0.05
"""For so long changes are gathered before a page is told."""
SEND_S = 10.0
"""A page that takes nothing for so long is cut off; it comes back by itself."""
RETRY_MS = 1_500
PAGES_MOST = 200


def line_fields(line: HeardLine, words: Words, clock: Callable[[int], str]) -> dict[str, str]:
    """One line of what happens, for a page. ``clock`` tells the garage's time of day."""
    return {
        "n": str(line.n),
        "time": clock(line.at_ms),
        "lane": line.lane,
        "kind": line.kind,
        "label": words.known(f"kind.{line.kind}", line.kind),
        "words": line.words,
        "code": line.code,
        "session": line.session,
    }


class DeskStream:
    """One page's stream. ``lane``: only that lane's; empty: all."""

    def __init__(
        self, desk: Desk, sign_ins: SignIns, sign_in: SignIn, words: Words, lane: str, clock: Callable[[int], str]
    ) -> None:
        self._desk, self._sign_ins, self._sign_in, self._words, self._lane = desk, sign_ins, sign_in, words, lane
        self._clock = clock
        self._sent: dict[str, dict[str, str]] = {}
        """What the page shows, by lane; ``""``: the whole desk."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Until the page or its sign-in is gone."""
        if self._desk.feed.pages >= PAGES_MOST:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
        last_id = request.headers.get("Last-Event-ID") or request.query.get("after")
        with self._desk.feed.watch(self._lane, last_id) as watcher:
            watcher.changed.update(lane for lane in self._desk.monitor.lanes if self._lane in ("", lane))
            async with sse_response(request, send_timeout=SEND_S, ping_interval=3600) as response:
                with suppress(ConnectionError, TimeoutError):
                    await self._tell(response, watcher)
        return response

    async def _tell(self, response: EventSourceResponse, watcher: Watcher) -> None:
        feed = self._desk.feed
        await response.send(self._beat(), event="beat", id=feed.last_id, retry=RETRY_MS)
        loop = asyncio.get_running_loop()
        beat_s = loop.time() + BEAT_S
        while not watcher.ended:
            if not self._sign_ins.lasts(self._sign_in):
                await response.send("{}", event="ended")
                return
            await self._send_news(response, watcher)
            if loop.time() >= beat_s:
                await response.send(self._beat(), event="beat")
                beat_s = loop.time() + BEAT_S
            try:
                async with asyncio.timeout_at(beat_s):
                    await watcher.news.wait()
                    await asyncio.sleep(GATHER_S)
            except TimeoutError:
                continue

    async def _send_news(self, response: EventSourceResponse, watcher: Watcher) -> None:
        watcher.news.clear()
        if watcher.desk_changed:
            watcher.desk_changed = False
            await self._send_fields(response, "", desk_fields(self._desk, self._words))
        lanes, watcher.changed = watcher.changed, set()
        for lane in sorted(lanes):
            if known := self._desk.monitor.lanes.get(lane):
                await self._send_fields(response, lane, lane_card(self._desk, known, self._words))
        if watcher.missed:
            missed, watcher.missed = watcher.missed, 0
            await response.send(self._words("missed", n=missed), event="missed")
        while watcher.events:
            event = watcher.events.popleft()
            await response.send(self._event(event), event=self._name(event), id=self._desk.feed.id_of(event))

    async def _send_fields(self, response: EventSourceResponse, lane: str, fields: dict[str, str]) -> None:
        before = self._sent.get(lane, {})
        changed = {name: value for name, value in fields.items() if before.get(name) != value}
        if changed:
            self._sent[lane] = fields
            data = json.dumps({"lane": lane, "fields": changed}, ensure_ascii=False)
            await response.send(data, event="lane" if lane else "desk")

    def _event(self, event: DeskEvent) -> str:
        if isinstance(event.what, HeardLine):
            return json.dumps(line_fields(event.what, self._words, self._clock), ensure_ascii=False)
        record = event.what.record
        said: dict[str, Any] = {"id": record.id, "lane": record.lane, "subject": record.subject}
        return json.dumps({**said, "session": record.session, "stage": event.what.stage})

    @staticmethod
    def _name(event: DeskEvent) -> str:
        return "line" if isinstance(event.what, HeardLine) else "action"

    def _beat(self) -> str:
        return json.dumps({"at": self._desk.clock.wall_ms()})
