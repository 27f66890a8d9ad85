"""Letters on their way to one receiver: tried again, with growing pauses and a limit, and in nobody else's way."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from terminal.clock import Clock
from terminal.payby.plain_text import plain
from terminal.roles.alerts.receivers import AlertReceiver, NotDelivered
from terminal.roles.alerts.wording import AlertLetter

PAUSES_S = (5.0, 30.0, 120.0, 600.0, 1800.0)
"""After each failed try the next one waits this long; after the last of them the letter is given up."""
WAITING_MOST = 60
"""Letters that wait; beyond, the oldest is given up. At one a minute an hour's worth."""

logger = logging.getLogger(__name__)


class AlertDelivery:
    """One receiver's letters, in order. ``changed`` is called when ``trouble`` or ``lost`` changes."""

    def __init__(
        self,
        receiver: AlertReceiver,
        clock: Clock,
        changed: Callable[[], None],
        *,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self.name = receiver.name
        self.trouble = ""
        """Why the last try failed; empty: it did not."""
        self.lost = 0
        """Letters that were given up since the last one was delivered."""
        self._receiver, self._clock, self._changed, self._pauses_s = receiver, clock, changed, pauses_s
        self._waiting: deque[AlertLetter] = deque()
        self._news = asyncio.Event()

    def add(self, letter: AlertLetter) -> None:
        """Send it as soon as those before it are delivered or given up."""
        self._waiting.append(letter)
        if len(self._waiting) > WAITING_MOST:
            del self._waiting[1]  # the first is being tried
            self._give_up("too many others wait")
        self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._news.wait()
            while self._waiting:
                await self._deliver(self._waiting[0])
                self._waiting.popleft()
            self._news.clear()

    async def _deliver(self, letter: AlertLetter) -> None:
        """Try until it is taken, or the pauses are used up."""
        for pause_s in (*self._pauses_s, None):
            failure: NotDelivered | None = None
            try:
                await self._receiver.send(letter)
            except NotDelivered as error:
                failure = error
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError  # a library took it for the server's end, or for a farewell unanswered
            if failure:
                self._failed(plain(str(failure)))
                if pause_s is None:
                    self._give_up(self.trouble)
                else:
                    await asyncio.sleep(pause_s)
                continue
            if self.trouble or self.lost:
                self.trouble, self.lost = "", 0
                self._changed()
            return

    def _failed(self, why: str) -> None:
        if why != self.trouble:
            logger.warning("alerts by %s: %s; they are tried again", self.name, why)
            self.trouble = why
            self._changed()

    def _give_up(self, why: str) -> None:
        self.lost += 1
        logger.error("alerts by %s: a message was given up: %s", self.name, why)
        self._changed()
