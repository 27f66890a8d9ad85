"""The worker's queue of events, and how received messages get into it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from terminal.core.events import Event
from terminal.core.rules import Change

Done = Callable[[Change | None], Awaitable[None]]
"""Called once an event is taken; gets None if the event could not be taken."""
MOST = 1_000
"""While so many events wait, because the disk hangs, nothing more is heard and PayBy is asked nothing. Timers, of which
each lane and each stay has one, still post theirs."""


@dataclass(slots=True)
class InboxItem:
    """An event on its way into the journal; ``done`` runs after the commit and its consequences."""

    event: Event
    done: Done | None = None


class Inbox(asyncio.Queue[InboxItem]):
    """A queue that tells those who can wait when there is room in it. What is not heard stays with the broker, and then
    with its sender: all who say something of weight repeat it."""

    def __init__(self) -> None:
        super().__init__()
        self._free = asyncio.Event()
        self._free.set()

    def put_nowait(self, item: InboxItem) -> None:
        """Append an event; from MOST on, those who ask for room() wait."""
        super().put_nowait(item)
        if self.qsize() >= MOST:
            self._free.clear()

    def get_nowait(self) -> InboxItem:
        """The oldest event; raises asyncio.QueueEmpty."""
        item = super().get_nowait()
        if self.qsize() < MOST:
            self._free.set()
        return item

    async def room(self) -> None:
        """Return once fewer than MOST events wait."""
        await self._free.wait()


class PostEvent(Protocol):
    """Hands over an event, which is taken in its turn."""

    def __call__(self, event: Event, done: Done | None = None) -> None: ...
