"""Keeps a role that has a journal alive as long as its process, whatever becomes of the disk.

If the journal cannot be opened or written, the role ends and has acknowledged nothing of what it could not write. The
process stays, alerts, tries again every few seconds, and starts the role anew from what is on the disk.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Any, Generic, Protocol, TypeVar

from terminal import build
from terminal.contract.messages import Screen
from terminal.contract.topics import GARAGE_WIDE
from terminal.journal.append_only import AppendOnlyJournal
from terminal.journal.rows import JournalError, JournalForeign, JournalFull, JournalLocked
from terminal.mqtt.endpoint import Endpoint
from terminal.threads import aside

PAUSES_S = (1.0, 2.0)
"""The pauses (s) between tries; the last one repeats. A try itself takes 5 s if another process holds the file."""
AGAIN_S = 5.0
"""How often a lane's screen is repeated."""
CLOSE_S = 10.0
"""How long a journal may take to close on a disk that hangs."""
logger = logging.getLogger(__name__)


class OpenJournal(Protocol):
    """A role's opened journal: the worker's WorkerJournal, the barrier's BarrierJournal."""

    @property
    def journal(self) -> AppendOnlyJournal:
        """The journal itself, which is probed before the role gets it."""

    def close(self) -> None:
        """Close the file and let go of its lock. It blocks, so it is called in a thread."""


T = TypeVar("T", bound=OpenJournal)


class JournalWatch(Generic[T]):
    """``open_`` opens the journal, in a thread; ``serve`` runs the role with it; ``away`` runs while there is none, and
    ``cannot`` says what does not work then. ``key`` is the configuration's that names it. ``beats_on``: the heartbeat
    never stops, so that what ``away`` publishes is believed."""

    def __init__(
        self,
        endpoint: Endpoint,
        open_: Callable[[], T],
        serve: Callable[[T], Awaitable[None]],
        away: Callable[[], Coroutine[Any, Any, None]],
        *,
        key: str,
        cannot: str,
        beats_on: bool = False,
        pauses_s: Sequence[float] = PAUSES_S,
    ) -> None:
        self._endpoint, self._open, self._serve, self._away_work = endpoint, open_, serve, away
        self._key, self._cannot, self._beats_on, self._pauses_s = key, cannot, beats_on, pauses_s
        self._group: asyncio.TaskGroup
        self._away: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run until cancelled; raises what the role raises, except for a failing journal; at the start also what no
        repetition mends, a journal of another's, as ConfigError."""
        async with asyncio.TaskGroup() as self._group:
            if self._beats_on:
                self._group.create_task(self._endpoint.run_heartbeat(), name=f"{self._endpoint.role} health")
            is_first = True
            while True:
                opened = await self._opened(is_first)
                is_first = False
                try:
                    await self._serve(opened)
                    return
                except (JournalError, BaseExceptionGroup) as error:
                    failed = _of_the_journal(error)
                    if failed is None:
                        raise
                    for code in self._endpoint.raised():  # the next start raises what is still wrong
                        if code != "journal":
                            await self._endpoint.clear(code, f"the {self._endpoint.role} begins anew")
                    await self._be_away(failed)
                finally:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(CLOSE_S):
                            await aside(opened.close, f"{self._endpoint.role} journal's end")

    async def _opened(self, is_first: bool) -> T:
        """Open the journal as soon as it can be written."""
        for pause_s in chain(self._pauses_s, repeat(self._pauses_s[-1])):
            try:
                opened = await self._try()
            except (JournalError, OSError) as error:
                if is_first and isinstance(error, JournalForeign | JournalLocked):
                    raise build.cannot_open(self._key, error) from None
                await self._be_away(error)
            else:
                await self._be_back()
                return opened
            await asyncio.sleep(pause_s)
        raise AssertionError("it is tried for ever")

    async def _try(self) -> T:
        found: list[T] = []

        def work() -> None:
            opened = self._open()
            try:
                opened.journal.probe()
            except BaseException as error:
                if not (isinstance(error, JournalFull) and opened.journal.has_reserve):
                    opened.close()
                    raise
            found.append(opened)

        await aside(work, f"{self._endpoint.role} journal's start")
        return found[0]

    async def _be_away(self, error: Exception) -> None:
        text = f"{self._cannot}: {getattr(error, 'reason', '') or error}"
        if self._away is None:
            logger.warning("%s", error)
            self._away = self._group.create_task(self._away_work(), name=f"{self._endpoint.role} without a journal")
        self._endpoint.degraded(text)
        await self._endpoint.alert("journal", text)

    async def _be_back(self) -> None:
        if self._away is None:
            return
        self._away.cancel()
        await asyncio.wait([self._away])
        self._away = None
        self._endpoint.healthy()
        await self._endpoint.clear("journal", "the journal can be written again")


class OutOfOrder:
    """What lanes show while the worker has no journal: those in ``lanes``, and every lane that sends a message."""

    def __init__(self, endpoint: Endpoint, lanes: set[str]) -> None:
        self._endpoint, self._lanes = endpoint, set(lanes)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="worker learns of lanes")
            while True:  # a broker that was away may have forgotten it
                for lane in sorted(self._lanes):
                    await self._say(lane)
                await asyncio.sleep(AGAIN_S)

    async def _listen(self) -> None:
        with self._endpoint.subscribe("health", lane="+") as stream:
            async for received in stream:
                received.ack()
                if (lane := received.topic.lane) != GARAGE_WIDE and lane not in self._lanes:
                    self._lanes.add(lane)
                    await self._say(lane)

    async def _say(self, lane: str) -> None:
        await self._endpoint.publish(Screen(**self._endpoint.head(), state="out-of-order", reason="journal"), lane=lane)


def _of_the_journal(error: BaseException) -> JournalError | None:
    """The journal's error, if nothing else ended the role."""
    leaves = list(_leaves(error))
    failed = [leaf for leaf in leaves if isinstance(leaf, JournalError)]
    return failed[0] if len(failed) == len(leaves) else None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
