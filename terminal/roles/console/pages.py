"""The pages that look: lanes, one lane, one visit, search, alerts, the day, the audit. None of them does anything."""

import asyncio
import csv
import io
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from importlib import resources
from typing import Any, TypeVar

from aiohttp import web

from terminal.core import ids
from terminal.core.ticket import TicketError, read_form
from terminal.journal.kinds import OUTCOME
from terminal.monitor.lane import LaneMonitor
from terminal.payby.plain_text import plain
from terminal.roles.console import figures
from terminal.roles.console.actions import NOTE_MOST, REASONS, TICKET_MOST, Actions
from terminal.roles.console.desk import Desk
from terminal.roles.console.desk_journal import (
    ABOUT_A_PAYMENT,
    DECISIONS,
    READ_OUT,
    ActionKind,
    DeskAction,
    DeskJournal,
    audit_rows,
)
from terminal.roles.console.desk_view import alert_lines, desk_fields
from terminal.roles.console.drawing import Drawing
from terminal.roles.console.guard import ASKER, SPOKEN, need, see_other
from terminal.roles.console.history import DeskHistory, HeardLine
from terminal.roles.console.lane_card import Card, lane_card, view_of_lane
from terminal.roles.console.sign_in import SignIns
from terminal.roles.console.stream import DeskStream, line_fields
from terminal.roles.console.texts import Words
from terminal.roles.console.visit import VisitView, visit_of

F = TypeVar("F")
STATIC = {"desk.css": "text/css", "desk.js": "text/javascript", "icon.svg": "image/svg+xml"}
WEIGHTS = ("Regular", "Medium", "SemiBold")
AUDIT_MOST = 500
"""Rows on the audit's page; its file has all."""
_LANE = re.compile(r"[a-z0-9-]{1,16}")
_SESSION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Pages:
    """What is read. ``drawing.base`` is the desk's path."""

    def __init__(self, desk: Desk, actions: Actions, journal: DeskJournal, drawing: Drawing, sign_ins: SignIns) -> None:
        self._desk, self._actions, self._journal, self._drawing = desk, actions, journal, drawing
        self._sign_ins = sign_ins

    def routes(self) -> list[web.RouteDef]:
        """What the desk's application gets."""
        return [
            web.get("/", self.lanes),
            web.get("/lanes/{lane}", self.lane),
            web.get("/lanes/{lane}/glass.png", self.glass),
            web.get("/visits/{session}", self.visit),
            web.get("/search", self.search),
            web.get("/alerts", self.alerts),
            web.get("/day", self.day),
            web.get("/day.csv", self.day_csv),
            web.get("/audit", self.audit),
            web.get("/audit.csv", self.audit_csv),
            web.get("/events", self.events),
            web.get("/part/{part}", self.part),
            web.get("/static/{name}", self.static),
            web.get("/font/{weight}.ttf", self.font),
        ]

    # Lanes and visits

    async def lanes(self, request: web.Request) -> web.Response:
        """All lanes at a glance."""
        words = request[SPOKEN]
        cards = {lane.name: lane_card(self._desk, lane, words) for lane in self._lanes()}
        after = self._desk.feed.last_id  # before the history is read: the page hears of what comes meanwhile
        values: dict[str, Any] = {"after": after, "cards": cards, "lines": await self._recent(words), **self._alerts()}
        return self._page(request, "lanes.html", **values)

    async def lane(self, request: web.Request) -> web.Response:
        """One lane in depth."""
        name, words = request.match_info["lane"], request[SPOKEN]
        lane = self._desk.monitor.lanes.get(name)
        if lane is None:
            raise web.HTTPNotFound
        card = lane_card(self._desk, lane, words)
        after = self._desk.feed.last_id
        await self._desk.flush()
        lines = await self._read(lambda history: history.lane(name))
        roles = [one for one in self._desk.roles() if one.lane == name]
        return self._page(
            request, "lane.html", lane=name, **self._lane_acts(name, card),
            lines=self._said(lines, words), roles=roles, after=after, **self._did(lane=name),
        )  # fmt: skip

    async def visit(self, request: web.Request) -> web.Response:
        """One visit: where it is, its orders and payments, its time line, and what was done about it."""
        session = request.match_info["session"]
        if not _SESSION.fullmatch(session):
            raise web.HTTPNotFound
        words, after = request[SPOKEN], self._desk.feed.last_id
        view, lines = await self._visit(session)
        return self._page(
            request, "visit.html", session=session, code=ids.help_code(session), view=view, after=after,
            lines=self._said(lines, words)[::-1], **self._visit_acts(view, session, words),
            **self._did(session=session),
        )  # fmt: skip

    async def glass(self, request: web.Request) -> web.Response:
        """The picture on a lane's LCD."""
        name = request.match_info["lane"]
        if name not in self._desk.monitor.lanes:
            raise web.HTTPNotFound
        view = view_of_lane(self._desk, name)
        is_live = "s" in request.query  # asked for anew each second; a picture that stands has no seconds on it
        is_asked_for = request.query.get("v") == self._desk.glasses.mark(view)
        data = await self._desk.glasses.picture(name, view if is_live else replace(view, left=None))
        cache = "private, max-age=3600" if is_asked_for and not is_live else "no-store"
        return web.Response(body=data, content_type="image/png", headers={"Cache-Control": cache})

    async def search(self, request: web.Request) -> web.StreamResponse:
        """What was typed names one visit: go to it; else list those that it may mean. The help code of a ticket that
        was refused names no visit, but the lane whose screen has it."""
        text = plain(request.query.get("q", "").strip(), 512)
        if not text:
            return see_other(f"{self._drawing.base}/")
        try:
            session = read_form(text, self._desk.garage).session
        except TicketError:
            session = ""
        await self._desk.flush()
        found = await self._read(lambda history: history.search(text, session))
        if session and not found:
            return see_other(f"{self._drawing.base}/visits/{session}")
        if len(found) == 1:
            return see_other(f"{self._drawing.base}/visits/{found[0].session}")
        shows = (lane for lane in self._lanes() if lane.screen and lane.screen.text("help_code") == text.upper())
        if not found and (at := next(shows, None)):
            return see_other(f"{self._drawing.base}/lanes/{at.name}")
        began = await self._desk.read(DeskHistory.began_ms)
        return self._page(request, "search.html", text=plain(text, 60), found=found, began=began)

    # The garage

    async def alerts(self, request: web.Request) -> web.Response:
        """What is raised, what to do, and who has seen it."""
        seen = sorted(self._desk.book.seen.values(), key=lambda one: -one[0])[:20]
        return self._page(request, "alerts.html", seen=seen, **self._alerts())

    async def day(self, request: web.Request) -> web.Response:
        """The day in figures."""
        day, found = await self._figures(request)
        top = max(*found.hours, 1)
        bars = [(hour, amount, round(100 * amount / top, 1)) for hour, amount in enumerate(found.hours)]
        times = [
            (key, figures.share_within(times, 0.5), figures.share_within(times, 0.95))
            for key, times in (("day.boom", found.to_boom), ("day.queue", found.waits))
        ]
        return self._page(request, "day.html", day=day, found=found, bars=bars, times=times, today=self._today())

    async def day_csv(self, request: web.Request) -> web.Response:
        """The same as a table."""
        day, found = await self._figures(request)
        return _csv(f"{self._desk.garage}-{day}.csv", figures.to_csv(day, found))

    async def audit(self, request: web.Request) -> web.Response:
        """Who signed in and who did what; a manager's."""
        need(request[ASKER], "manager")
        day = self._day(request)
        rows = await self._audit(day)
        values = {"rows": rows[: -AUDIT_MOST - 1 : -1], "more": max(0, len(rows) - AUDIT_MOST)}
        return self._page(request, "audit.html", day=day, today=self._today(), **values)

    async def audit_csv(self, request: web.Request) -> web.Response:
        """The same as a table, with every field."""
        need(request[ASKER], "manager")
        day = self._day(request)
        names = ("n", "at_ms", "kind", "user", "role", "address", "what", "lane", "action", "reason", "note", "session",
                 "order_no", "amount", "ticket", "id", "stage", "why", "code", "key")  # fmt: skip
        out = io.StringIO()
        table = csv.DictWriter(out, ["at", *names], extrasaction="ignore", restval="")
        table.writeheader()
        for row in await self._audit(day):
            safe = {name: _no_formula(value) for name, value in row.items()}
            table.writerow({"at": self._drawing.when(row["at_ms"]), **safe})
        return _csv(f"{self._desk.garage}-audit-{day}.csv", out.getvalue())

    # What is live

    async def events(self, request: web.Request) -> web.StreamResponse:
        """What changes, as it happens."""
        lane, asker = request.query.get("lane", ""), request[ASKER]
        if lane and not _LANE.fullmatch(lane):
            raise web.HTTPNotFound
        return await DeskStream(
            self._desk, self._sign_ins, asker.sign_in, asker.words, lane, self._drawing.clock
        ).serve(request)

    async def part(self, request: web.Request) -> web.Response:
        """A part of a page, drawn anew."""
        name, query, words = request.match_info["part"], request.query, request[SPOKEN]
        values: dict[str, Any]
        match name:
            case "alerts":
                values = self._alerts() | ({"full": True} if query.get("full") else {})
            case "actions":
                values = self._did(lane=query.get("lane", ""), session=query.get("session", ""))
            case "acts" if known := self._desk.monitor.lanes.get(query.get("lane", "")):
                values = self._lane_acts(known.name, lane_card(self._desk, known, words))
            case "acts" if _SESSION.fullmatch(query.get("session", "")):
                view, _ = await self._visit(query["session"])
                values = self._visit_acts(view, query["session"], words)
            case "orders" if _SESSION.fullmatch(query.get("session", "")):
                view, _ = await self._visit(query["session"])
                values = {"view": view}
            case _:
                raise web.HTTPNotFound
        return self._page(request, f"part_{name}.html", **values)

    # Files

    async def static(self, request: web.Request) -> web.Response:
        """Style, script and icon."""
        if (name := request.match_info["name"]) not in STATIC:
            raise web.HTTPNotFound
        file = resources.files("terminal.roles.console").joinpath("static", name)
        data = await asyncio.to_thread(file.read_bytes)
        return web.Response(
            body=data, content_type=STATIC[name], charset="utf-8", headers={"Cache-Control": "max-age=3600"}
        )

    async def font(self, request: web.Request) -> web.Response:
        """The screens' own typeface."""
        if (weight := request.match_info["weight"]) not in WEIGHTS:
            raise web.HTTPNotFound
        file = resources.files("fontpkg_ibm_plex_sans_arabic").joinpath("files", f"IBMPlexSansArabic-{weight}.ttf")
        data = await asyncio.to_thread(file.read_bytes)
        return web.Response(body=data, content_type="font/ttf", headers={"Cache-Control": "max-age=86400"})

    # What pages are made of

    def _page(self, request: web.Request, template: str, **values: Any) -> web.Response:
        fields = desk_fields(self._desk, request[SPOKEN])
        values = {"after": self._desk.feed.last_id, **values}
        values["invoices"] = self._desk.issues_invoices
        return self._drawing.page(request, template, desk=fields, actions=self._actions, **values)

    def _lanes(self) -> list[LaneMonitor]:
        return [self._desk.monitor.lanes[name] for name in sorted(self._desk.monitor.lanes)]

    def _alerts(self) -> dict[str, Any]:
        lines, more = alert_lines(self._desk)
        return {"alerts": lines, "more": more}

    def _did(self, *, lane: str = "", session: str = "") -> dict[str, Any]:
        found: list[DeskAction] = []
        if lane or session:
            found = self._desk.book.of(lane=lane, session=session)[:20]
        return {"did": found, "did_lane": lane, "did_session": session}

    def _dialog(self, kind: ActionKind, card: dict[str, str], lane: str) -> dict[str, Any]:
        """What a form needs. ``once`` names the form, so that it leads to one action however often it is sent."""
        of_payment = kind in ABOUT_A_PAYMENT
        order_no = card.get("order_no", "") if kind == "cancel" or of_payment else ""
        known = self._desk.monitor.lanes.get(lane)
        return {
            "id": kind,
            "kind": kind,
            "lane": lane,
            "once": secrets.token_urlsafe(16),
            "newest": self._desk.book.newest(order_no if of_payment else lane),
            "subject": order_no if of_payment else lane,
            "of_payment": of_payment,
            "needs": self._actions.needs(kind) if kind in DECISIONS else "attendant",
            "session": card.get("session", ""),
            "order_no": order_no,
            "reasons": REASONS[kind],
            "note_most": NOTE_MOST,
            "ticket_most": TICKET_MOST,
            "why_not": self._actions.why_not(kind, known) if known else "no.lane",
            "most": "",
            "paid": "",
        }

    def _lane_acts(self, lane: str, card: Card) -> dict[str, Any]:
        """What may be asked for at a lane now, as forms."""
        dialogs = [self._dialog(kind, card, lane) for kind in REASONS if kind in card["acts"].split()]
        return {"card": card, "dialogs": dialogs, "back": f"lanes/{lane}"}

    def _visit_acts(self, view: VisitView, session: str, words: Words) -> dict[str, Any]:
        """What may be asked for about a visit: at its lane, and of its payments."""
        card: Card = {"cannot_lift": ""}
        dialogs: list[dict[str, Any]] = []
        if view.at_lane:
            card = lane_card(self._desk, self._desk.monitor.lanes[view.at_lane], words)
            here = [kind for kind in card["acts"].split() if kind not in READ_OUT and not kind.endswith("-lane")]
            kinds = [kind for kind in REASONS if kind in here]
            dialogs = [self._dialog(kind, card, view.at_lane) for kind in kinds]
        for number, order in enumerate(view.orders):
            if order.left > 0:
                refund = self._dialog("refund", {"order_no": order.order_no, "session": session}, order.lane)
                dialogs.append({**refund, "id": f"refund-{number}", "most": order.left_text})
            for kind in sorted(DECISIONS) if order.held and order.paid_ms else ():
                decision = self._dialog(kind, {"order_no": order.order_no, "session": session}, order.lane)
                dialogs.append({**decision, "id": f"{kind}-{number}", "paid": order.amount_text})
        return {"card": card, "dialogs": dialogs, "back": f"visits/{session}"}

    async def _visit(self, session: str) -> tuple[VisitView, list[HeardLine]]:
        await self._desk.flush()
        lines = await self._read(lambda history: history.visit(session))
        return visit_of(self._desk, session, lines), lines

    async def _recent(self, words: Words) -> list[dict[str, str]]:
        await self._desk.flush()
        return self._said(await self._read(DeskHistory.recent), words)

    def _said(self, lines: list[HeardLine], words: Words) -> list[dict[str, str]]:
        return [line_fields(line, words, self._drawing.clock) for line in lines]

    async def _figures(self, request: web.Request) -> tuple[date, figures.DayFigures]:
        day, zone = self._day(request), self._drawing.zone
        await self._desk.flush()
        lines = await self._read(lambda history: history.between(*figures.bounds(day, zone), *figures.KINDS))
        return day, await asyncio.to_thread(figures.figures, lines, zone)

    async def _audit(self, day: date) -> list[dict[str, str | int]]:
        """The day's rows; an outcome's has its action's user, lane and name too."""
        since, until = figures.bounds(day, self._drawing.zone)
        rows = await asyncio.to_thread(lambda: list(audit_rows(self._journal.journal.replay(), since, until)))
        for row in rows:
            if row["kind"] == OUTCOME and (action := self._desk.book.actions.get(str(row["id"]))):
                row |= {"user": action.record.user, "lane": action.record.lane, "action": action.record.action}
        return rows

    def _day(self, request: web.Request) -> date:
        try:
            day = date.fromisoformat(request.query.get("date") or self._today())
            figures.bounds(day, self._drawing.zone)
        except (ValueError, OverflowError):  # the last day that Python knows has no end
            raise web.HTTPBadRequest from None
        return day

    def _today(self) -> str:
        return self._drawing.day_of(self._desk.clock.wall_ms())

    async def _read(self, ask: Callable[[DeskHistory], list[F]]) -> list[F]:
        """Ask the history; nothing where it cannot be used."""
        return await self._desk.read(ask) or []


def _no_formula(value: str | int) -> str | int:
    """A text that a spreadsheet would take for a formula stays a text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value


def _csv(name: str, text: str) -> web.Response:
    return web.Response(
        text=text,
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
