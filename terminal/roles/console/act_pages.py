"""The forms that do something: each is a POST of whoever is signed in, with his role's rights, and ends in a page that
shows what came of it."""

import re

from aiohttp import web

from terminal.contract.topics import GARAGE_WIDE
from terminal.payby.plain_text import plain
from terminal.roles.console.actions import NOTE_MOST, REASONS, Actions, ActionWish, NotDone
from terminal.roles.console.desk import Desk
from terminal.roles.console.desk_journal import DeskJournal, SeenRecord
from terminal.roles.console.drawing import Drawing
from terminal.roles.console.guard import ASKER, SPOKEN, address_of, form_of, need, see_other

_BACK = re.compile(r"(lanes|visits)/[a-z0-9-]{1,36}|alerts|")
_ONCE = re.compile(r"[A-Za-z0-9_-]{8,64}")


class ActPages:
    """What is done. Each raises JournalError, which the guard turns into a page, and by which the role ends."""

    def __init__(self, desk: Desk, actions: Actions, journal: DeskJournal, drawing: Drawing) -> None:
        self._desk, self._actions, self._journal, self._drawing = desk, actions, journal, drawing

    def routes(self) -> list[web.RouteDef]:
        """What the desk's application gets."""
        return [web.post("/lanes/{lane}/{action}", self.act), web.post("/alerts/seen", self.see)]

    async def act(self, request: web.Request) -> web.StreamResponse:
        """An action at a lane."""
        asker, form = request[ASKER], await form_of(request)
        kind = next((kind for kind in REASONS if kind == request.match_info["action"]), None)
        if kind is None:
            raise web.HTTPNotFound
        need(asker, "attendant")
        said = {name: str(form.get(name, "")) for name in
                ("once", "newest", "reason", "note", "session", "order_no", "amount", "ticket", "back")}  # fmt: skip
        if not _ONCE.fullmatch(said["once"]):
            raise web.HTTPBadRequest
        back = said.pop("back")
        back = back if _BACK.fullmatch(back) else ""
        wish = ActionWish(action=kind, lane=request.match_info["lane"], **said)
        try:
            await self._actions.ask(wish, asker.user, address_of(request))
        except NotDone as no:
            return self._not_done(request, no, back)
        return see_other(f"{self._drawing.base}/{back}#actions")

    async def see(self, request: web.Request) -> web.StreamResponse:
        """Somebody has seen an alert, and may leave a note."""
        asker, form = request[ASKER], await form_of(request)
        need(asker, "attendant")
        key, note = plain(str(form.get("key", "")), 200), " ".join(str(form.get("note", "")).split())
        if not key or len(note) > NOTE_MOST or not note.isprintable():
            return self._not_done(request, NotDone("no.text", n=NOTE_MOST), "alerts")
        lane, _, rest = key.partition(" ")
        code = plain(str(form.get("code", "")), 40) or rest.partition(" ")[0]
        record = SeenRecord(key, asker.user.name, note, code, lane or GARAGE_WIDE)
        await self._journal.see(record, self._desk.clock.wall_ms())
        self._desk.inbox.seen(key)
        self._desk.feed.touch_desk()
        return see_other(f"{self._drawing.base}/alerts")

    def _not_done(self, request: web.Request, no: NotDone, back: str) -> web.Response:
        """What kept it from being done, and the way back; nothing was sent."""
        words, values = request[SPOKEN], dict(no.values)
        if no.action:
            record = no.action.record
            values |= {"user": record.user, "action": words.action(record.action),
                       "stage": words.stage(no.action.stage, no.action.stages[-1][2])}  # fmt: skip
        said = words(no.key, **values)
        return self._drawing.page(request, "message.html", status=409, said=said, back=back, title=words("error"))
