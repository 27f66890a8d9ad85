"""What the desk knows of its garage: the monitor's view, since when each state holds, the glasses, alerts, and actions.

It hears every message and passes it on; it decides nothing and sends nothing (actions.py does).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from terminal.clock import Clock
from terminal.contract.topics import GARAGE_WIDE, SILENT_MS
from terminal.core import ids
from terminal.monitor.garage import GarageMonitor, Observation
from terminal.monitor.heard import Heard
from terminal.monitor.lane import LaneMonitor
from terminal.monitor.roles import RoleStatus
from terminal.mqtt.subscription import Delivery
from terminal.payby.plain_text import plain
from terminal.roles.console.alert_inbox import AlertInbox
from terminal.roles.console.desk_journal import DeskBook
from terminal.roles.console.glass import Glasses
from terminal.roles.console.history import DeskHistory, HeardLine, line_of, ticket_hash
from terminal.roles.console.live import LiveFeed

T = TypeVar("T")
WRITE_S = 0.5
"""How often what was heard is written to the history."""
WAITING_MOST = 20_000
"""Lines that wait for a slow disk; of more only the newest are kept."""
ROLES_MS = 250
"""For so long the roles' states are not computed again."""
PERSON_CODES = frozenset(
    {"lift-unknown", "payment-doubtful", "stay-failed", "refund-unknown", "refund-failed", "journal-behind"}
)
"""The alerts that leave a payment to a person."""


@dataclass(frozen=True, slots=True)
class Since:
    """A state's text, and since when it holds, ms since the epoch."""

    value: str
    at_ms: int


class Desk:
    """``connected`` tells whether the broker is there, ``trouble`` why not."""

    def __init__(
        self,
        garage: str,
        clock: Clock,
        glasses: Glasses,
        book: DeskBook,
        history: DeskHistory | None,
        feed: LiveFeed,
        *,
        connected: Callable[[], bool],
        trouble: Callable[[], str],
    ) -> None:
        self.garage, self.clock, self.glasses, self.book, self.feed = garage, clock, glasses, book, feed
        self.monitor = GarageMonitor(garage, clock)
        self.inbox = AlertInbox()
        self.history = history
        self.history_trouble = "" if history else "cannot be opened"
        self.issues_invoices = False
        """Has each payment a tax invoice?"""
        self._connected, self._trouble = connected, trouble
        self._lost_ms: int | None = clock.steady_ms()
        """Since when the broker is away, by the steady clock."""
        self._began_ms = clock.steady_ms()
        self._since: dict[tuple[str, str], Since] = {}
        self._waiting: list[tuple[HeardLine, bytes | None]] = []
        self._n = history.last if history else 0
        self._held: dict[str, int] = {}
        """Orders, else stays, about whose payment a person must decide, and since when (ms since the epoch)."""
        self._roles: tuple[int, list[RoleStatus]] = (-ROLES_MS, [])
        self._by_name: dict[tuple[str, str | None], RoleStatus] = {}
        """The best of each role, at a lane and anywhere (None)."""

    # What is heard

    def hear(self, delivery: Delivery) -> Observation | None:
        """Take in one message."""
        seen = self.monitor.take(delivery.topic, delivery.payload, retained=delivery.retained)
        if seen is None:
            return None
        lane = seen.lane
        if seen.kind == "screen":
            self.glasses.take(lane, delivery.payload, retained=delivery.retained)
            if seen.data.get("state") != "help" and self.inbox.helped(lane):
                self.feed.touch_desk()
        if seen.kind == "health" and seen.is_news:
            self._roles = -ROLES_MS, []
        if seen.kind == "alerts" or (seen.kind == "health" and seen.is_news):
            self.feed.touch_desk()
        if lane != GARAGE_WIDE and (seen.is_news or seen.kind in ("screen", "order")):
            self._note_since(lane, seen)
            self.feed.touch(lane)
        if seen.is_news and not seen.retained and seen.kind != "alerts":
            self._note_line(seen)
        return seen

    def connection(self, connected: bool) -> None:
        """The broker was lost, or is back."""
        self._lost_ms = None if connected else self.clock.steady_ms()
        self.feed.touch_desk()
        for lane in self.monitor.lanes:
            self.feed.touch(lane)

    def tick(self) -> None:
        """Ages grow without a message: what was silent for too long becomes unknown."""
        self.feed.touch_desk()
        for lane in self.monitor.lanes:
            self.feed.touch(lane)

    # What is known

    def away_ms(self) -> int:
        """How long the broker has been away; 0: it is there."""
        if self._connected():
            return 0
        return max(1, self.clock.steady_ms() - (self._began_ms if self._lost_ms is None else self._lost_ms))

    def trouble(self) -> str:
        """Why the broker is away, in words."""
        return plain(self._trouble(), 120)

    def is_cut_off(self) -> bool:
        """Is what stands here not what is: no broker, or nothing heard for 15 s?"""
        silent = self.monitor.silent_ms()
        return self.away_ms() > 0 or silent is None or silent > SILENT_MS

    def since(self, lane: str, what: str) -> Since | None:
        """Since when ``what`` (screen, barrier, vehicle) is as it is; None: it was not heard."""
        return self._since.get((lane, what))

    def roles(self) -> list[RoleStatus]:
        """Every role now, at most a quarter of a second old."""
        now = self.clock.steady_ms()
        if now - self._roles[0] >= ROLES_MS:
            self._roles = now, self.monitor.roles()
            self._by_name = {}
            for one in sorted(self._roles[1], key=lambda one: (not one.is_there, one.age_ms)):
                self._by_name.setdefault((one.role, one.lane), one)
                self._by_name.setdefault((one.role, None), one)
        return self._roles[1]

    def role(self, name: str, lane: str | None = None) -> RoleStatus | None:
        """The state of a role (of a lane): the best of those that were heard; None: none was."""
        self.roles()
        return self._by_name.get((name, lane))

    def barrier_of(self, lane: LaneMonitor) -> Heard | None:
        """Where the boom is now; None where its barrier is not there, or its word is too old to say."""
        return self._now(lane, "barrier", lane.barrier)

    def vehicle_of(self, lane: LaneMonitor) -> Heard | None:
        """What the loops see now; None where they are not there, or their word is too old to say."""
        return self._now(lane, "loops", lane.vehicle)

    def _now(self, lane: LaneMonitor, role: str, heard: Heard | None) -> Heard | None:
        """As the monitor says, without asking for every role each time."""
        if heard is None:
            return None
        if known := self.role(role, lane.name):
            return heard if known.is_there else None
        return None if heard.is_old(self.clock.wall_ms(), self.clock.steady_ms()) else heard

    def worker_silent_ms(self) -> int:
        """How long no worker was heard."""
        worker = self.role("worker")
        if worker and worker.is_there:
            return 0
        return worker.age_ms if worker else self.clock.steady_ms() - self._began_ms

    def session_at(self, lane: LaneMonitor) -> str:
        """The stay whose visit the lane has now; empty: none."""
        screen = lane.screen.text("session") if lane.screen else ""
        order = lane.order.text("session") if lane.order and lane.order.text("status") != "none" else ""
        return screen or order

    def car_at(self, lane: LaneMonitor) -> str:
        """The car that waits, if loops name it now."""
        vehicle = self.vehicle_of(lane)
        return vehicle.text("car") if vehicle and vehicle.data.get("waiting") is True else ""

    def waits_for_person(self, order_no: str) -> bool:
        """Has an alert said that a person must decide about this payment, and has no manager done so?"""
        name = ids.parse_order_no(order_no)
        return order_no in self._held or (name is not None and name.session in self._held)

    def decided(self, order_no: str, at_ms: int) -> None:
        """A person has decided about a payment; what an alert said later waits for another decision."""
        name = ids.parse_order_no(order_no)
        for key in (order_no, name.session if name else ""):
            if self._held.get(key, at_ms + 1) <= at_ms:
                del self._held[key]

    # What is kept

    def restore(self, lines: Iterable[HeardLine]) -> None:
        """Alerts that an earlier start has heard: nobody may miss one because the desk was started anew."""
        for line in lines:
            self.inbox.take(line)
            self._note_held(line)
        for _, record in self.book.seen.values():
            self.inbox.seen(record.key)
        for action in self.book.actions.values():
            if action.record.role == "manager" and action.decided_ms:
                self.decided(action.record.order_no, action.decided_ms)

    async def write(self) -> None:
        """Write what was heard to the history, until cancelled."""
        pruned_ms = -1
        try:
            while True:
                await asyncio.sleep(WRITE_S)
                await self._write_waiting()
                now = self.clock.steady_ms()
                if self.history and (pruned_ms < 0 or now - pruned_ms > 3_600_000):
                    pruned_ms = now
                    with suppress(sqlite3.Error):
                        await asyncio.to_thread(self.history.prune, self.clock.wall_ms())
        finally:
            if self.history and self._waiting:
                with suppress(sqlite3.Error):
                    self.history.write(self._waiting)

    async def read(self, ask: Callable[[DeskHistory], T]) -> T | None:
        """Ask the history in a thread; None where it cannot be used."""
        if self.history is None:
            return None
        try:
            return await asyncio.to_thread(ask, self.history)
        except sqlite3.Error as error:
            self._history_is(plain(str(error), 120))
            return None

    async def flush(self) -> None:
        """Write now, before the history is read."""
        await self._write_waiting()

    async def _write_waiting(self) -> None:
        if not self._waiting or self.history is None:
            return
        lines, self._waiting = self._waiting, []
        try:
            await asyncio.to_thread(self.history.write, lines)
            self._history_is("")
        except sqlite3.Error as error:
            self._waiting = [*lines, *self._waiting][-WAITING_MOST:]
            self._history_is(plain(str(error), 120))

    def _history_is(self, trouble: str) -> None:
        if trouble != self.history_trouble:
            self.history_trouble = trouble
            self.feed.touch_desk()

    def _note_line(self, seen: Observation) -> None:
        self._n += 1
        line = line_of(seen, self._n)
        if self.inbox.take(line):
            self.feed.touch_desk()
        self._note_held(line)
        if seen.kind != "health":
            self.feed.tell(line)
        if self.history is not None:
            text = seen.data.get("ticket")
            self._waiting.append((line, ticket_hash(text) if isinstance(text, str) and text else None))
            if len(self._waiting) > WAITING_MOST:
                del self._waiting[: len(self._waiting) - WAITING_MOST]

    def _note_held(self, line: HeardLine) -> None:
        if line.kind == "alert" and line.field("state") == "raised" and line.field("code") in PERSON_CODES:
            self._held[line.order_no or line.session] = line.at_ms
            if len(self._held) > WAITING_MOST:
                del self._held[next(iter(self._held))]

    def _note_since(self, lane: str, seen: Observation) -> None:
        match seen.kind:
            case "screen":
                value = " ".join(str(seen.data.get(name, "")) for name in ("state", "reason", "session", "scanned"))
            case "barrier":
                value = str(seen.data.get("state"))
            case "vehicle":
                value = " ".join(str(seen.data.get(name, "")) for name in ("waiting", "car", "under_boom"))
            case _:
                return
        before = self._since.get((lane, seen.kind))
        if before is None or before.value != value:
            self._since[lane, seen.kind] = Since(value, seen.at_ms)
