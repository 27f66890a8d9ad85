"""What pages are told as it happens: each open page has a watcher, which loses nothing silently and never grows.

What a lane looks like is told as it is, so a slow page skips what is past. Lines and actions are events with numbers:
the last ones are kept, and a page that comes back after a cut gets those that it missed, or is told how many there
were.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from terminal.roles.console.desk_journal import DeskAction
from terminal.roles.console.history import HeardLine

KEPT = 2_000
"""Events for pages that come back."""
BEHIND = 500
"""How many events may wait for a page; of more it is told their number."""


@dataclass(frozen=True, slots=True)
class DeskEvent:
    """``n`` counts up from 1 at each start of the console. ``what`` is a line that was heard, or an action whose stage
    has changed."""

    n: int
    what: HeardLine | DeskAction

    @property
    def lane(self) -> str:
        """The lane that it is about."""
        return self.what.lane if isinstance(self.what, HeardLine) else self.what.record.lane


class Watcher:
    """One open page. ``lane``: only that lane's events; empty: all. ``changed`` holds the lanes that look otherwise
    than when they were last sent; ``missed`` counts the events that did not fit."""

    def __init__(self, lane: str) -> None:
        self.lane = lane
        self.changed: set[str] = set()
        self.desk_changed = True
        self.events: deque[DeskEvent] = deque()
        self.missed = 0
        self.news = asyncio.Event()
        self.ended: Literal["", "closing"] = ""

    def offer(self, event: DeskEvent) -> None:
        """Take an event, if it is for this page."""
        if self.lane and event.lane != self.lane:
            return
        if len(self.events) >= BEHIND:
            self.events.popleft()
            self.missed += 1
        self.events.append(event)
        self.news.set()

    def touch(self, lane: str) -> None:
        """Note that a lane looks otherwise."""
        if not self.lane or lane == self.lane:
            self.changed.add(lane)
            self.news.set()

    def touch_desk(self) -> None:
        """Note that what concerns the whole garage looks otherwise."""
        self.desk_changed = True
        self.news.set()


class LiveFeed:
    """Passes what happens to every open page. Use it only in the event loop's thread."""

    def __init__(self, instance: str) -> None:
        self.instance = instance
        """Names this start: numbers of another start mean nothing here."""
        self._count = 0
        self._kept: deque[DeskEvent] = deque(maxlen=KEPT)
        self._watchers: set[Watcher] = set()

    @property
    def pages(self) -> int:
        """How many are open."""
        return len(self._watchers)

    def tell(self, what: HeardLine | DeskAction) -> None:
        """Pass an event to all pages that it is for."""
        self._count += 1
        event = DeskEvent(self._count, what)
        self._kept.append(event)
        for watcher in self._watchers:
            watcher.offer(event)

    def touch(self, lane: str) -> None:
        """A lane looks otherwise."""
        for watcher in self._watchers:
            watcher.touch(lane)

    def touch_desk(self) -> None:
        """What concerns the whole garage looks otherwise: alerts, roles, the broker."""
        for watcher in self._watchers:
            watcher.touch_desk()

    def end(self) -> None:
        """Every page's stream ends."""
        for watcher in self._watchers:
            watcher.ended = "closing"
            watcher.news.set()

    @contextmanager
    def watch(self, lane: str, last_id: str | None) -> Iterator[Watcher]:
        """A page's watcher, with what it missed since the event ``last_id`` that it got last; None: it is new."""
        watcher = Watcher(lane)
        if last_id:
            instance, _, number = last_id.rpartition("-")
            last = int(number) if number.isdecimal() and len(number) < 16 and instance == self.instance else 0
            oldest = self._kept[0].n if self._kept else self._count + 1
            watcher.missed = max(0, oldest - last - 1)
            for event in self._kept:
                if event.n > last:
                    watcher.offer(event)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def id_of(self, event: DeskEvent) -> str:
        """What a page sends back to get what comes after this event."""
        return f"{self.instance}-{event.n}"

    @property
    def last_id(self) -> str:
        """The id of the newest event."""
        return f"{self.instance}-{self._count}"
