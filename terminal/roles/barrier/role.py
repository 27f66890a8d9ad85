"""The barrier: takes lifts, and pulses the relay once for each that may raise the boom.

Between a lift and the pin there is one flush, that of the intent, and no other wait. Every lift is answered, repeats
included. ``contract/lift_rules.py`` decides whether a lift may raise, ``controller.py`` when and how it is answered,
``spent_lifts.py`` what is kept. This file has everything that waits.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NoReturn, Protocol

from terminal.contract.alerts import AlertCode
from terminal.contract.lift_rules import BarrierTrust
from terminal.contract.messages import Health, Lift, RefusalReason, Vehicle
from terminal.core.model import BoomState
from terminal.journal.rows import JournalError, JournalFull
from terminal.mqtt.endpoint import Endpoint, ReceivedMessage
from terminal.roles.barrier.controller import (
    BarrierController,
    Effect,
    PublishBarrier,
    RaiseBoom,
    RefuseLift,
    ReportForgery,
)
from terminal.roles.barrier.second_barrier import SecondBarrier
from terminal.roles.barrier.spent_lifts import MISTRUST_MS, BarrierJournal, done_row, intent_row, refused_row

logger = logging.getLogger(__name__)

EVERY_S = 5.0
"""``barrier`` is published at least this often: its ``at`` lets the worker compare clocks."""
DISK_EVERY_S = 60.0
PLACE_EVERY_S = 2.0
"""How often to check that the journal's path still names the open file."""
FULL_AT = 0.9
KEEP_ROWS = 200_000
"""Two rows a lift: the last 100,000 lifts are remembered. A start replays these rows in 2 s."""
LAST_WORDS_S = 1.0


class RelayDriver(Protocol):
    """What drivers/relay.py is to this role."""

    @property
    def state(self) -> BoomState:
        """Where the boom is."""

    async def pulse(self) -> None:
        """Close the relay once, and return when it is open again; raises what the pin raises."""

    def under_boom(self, covered: bool) -> None:
        """Tell the driver whether the loop under the boom is covered."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call ``callback``, in the event loop's thread, after each change of ``state``."""

    def close(self) -> None:
        """End a running pulse with the relay off; may be called twice."""


class BarrierRole:
    """One lane's barrier. ``book`` is its own journal (``BarrierJournal.open``)."""

    def __init__(
        self,
        endpoint: Endpoint,
        relay: RelayDriver,
        book: BarrierJournal,
        trust: BarrierTrust,
        *,
        every_s: float = EVERY_S,
        disk_every_s: float = DISK_EVERY_S,
        keep_rows: int = KEEP_ROWS,
    ) -> None:
        self._endpoint = endpoint
        self._relay = relay
        self._book = book
        self._every_s = every_s
        self._disk_every_s = disk_every_s
        self._controller = BarrierController(
            trust, book.spent, endpoint.clock, state=relay.state, mistrust_ms=MISTRUST_MS if book.damaged else 0
        )
        self._second = SecondBarrier(endpoint.mqtt_client.instance, endpoint.clock)
        self._outbox: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._wrong: dict[AlertCode, str] = {}
        """What is wrong now, by the alert's code; the role's health names all of it."""
        self._keep_rows = keep_rows
        self._pruned = 0
        self._group: asyncio.TaskGroup

    async def run(self) -> None:
        """Serve until cancelled. Raises JournalError when its journal fails, and MqttError when the connection ends for
        good. However it ends, the relay is off."""
        undo = self._endpoint.mqtt_client.on_change(lambda up: self._controller.on_connected() if up else None)
        if self._endpoint.mqtt_client.connected:
            self._controller.on_connected()
        try:
            async with asyncio.TaskGroup() as self._group:
                for name, task in (
                    ("hears", self._hear()),
                    ("speaks", self._speak()),
                    ("says its state", self._repeat()),
                    ("watches its disk", self._watch_disk()),
                    ("watches its journal's place", self._watch_place()),
                    ("health", self._endpoint.run_heartbeat()),
                ):
                    self._group.create_task(task, name=f"barrier {name}")
                self._relay.on_change(self._moved)
        finally:
            undo()
            if self._timer:
                self._timer.cancel()
            self._relay.close()

    async def _hear(self) -> None:
        with self._endpoint.subscribe("lift", "vehicle", "health") as stream:
            async for received in stream:
                match received.message:
                    case Lift() as lift:
                        self._perform(self._controller.on_lift(lift), received)
                        continue
                    case Vehicle() as vehicle:
                        self._perform(self._controller.on_vehicle(vehicle, retained=received.retained))
                        self._relay.under_boom(self._controller.under_boom)
                    case Health() as health:
                        self._controller.on_health(received.topic, health, retained=received.retained)
                        if (received.topic.lane, received.topic.role) == (self._endpoint.lane, self._endpoint.role):
                            self._hear_of_barrier(health, retained=received.retained)
                received.ack()

    def _hear_of_barrier(self, health: Health, *, retained: bool) -> None:
        """A heartbeat of this lane's barrier came: our own, sent after the subscription, or another barrier's."""
        if health.instance == self._endpoint.mqtt_client.instance and not retained:
            self._perform(self._controller.caught_up())
        self._second.note_health(health, retained=retained)
        if self._second.is_there and "second-barrier" not in self._wrong:
            self._trouble("second-barrier", "a second barrier serves this lane, so one lift may raise the boom twice")

    def _perform(self, effects: Sequence[Effect], received: ReceivedMessage | None = None) -> None:
        """Perform effects. ``received``: the lift behind them, acknowledged once it is journaled or need not be."""
        for effect in effects:
            match effect:
                case PublishBarrier(answer):
                    message = self._controller.message(self._endpoint.head(), answer)
                    self._outbox.put_nowait(partial(self._endpoint.publish, message))
                case ReportForgery(text):
                    self._outbox.put_nowait(partial(self._endpoint.alert, "forged-lift", text))
                case RaiseBoom(lift):
                    self._group.create_task(self._raise(lift, received), name=f"barrier raises for {lift.id}")
                    received = None
                case RefuseLift(lift, why):
                    self._group.create_task(self._refuse(lift, why, received), name=f"barrier refuses {lift.id}")
                    received = None
        if received:
            received.ack()
        self._plan()

    def _plan(self) -> None:
        """Call the controller when it wants to be called."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if (due_ms := self._controller.due_ms) is not None:
            delay_s = max(0, due_ms - self._endpoint.clock.steady_ms()) / 1000
            self._timer = asyncio.get_running_loop().call_later(
                delay_s, lambda: self._perform(self._controller.on_time())
            )

    async def _raise(self, lift: Lift, received: ReceivedMessage | None) -> None:
        try:
            await self._write(intent_row(lift))
        except JournalError as error:
            self._perform(self._controller.unwritten(lift), received)
            await self._journal_failed(error)
            return
        self._controller.intended()
        try:
            await self._relay.pulse()
        except Exception as error:  # whatever the pin raised: the lift is answered and a person alerted
            logger.exception("the relay failed")
            self._perform(self._controller.failed(lift), received)
            self._trouble("relay", f"the relay failed: {error!r}")
            return
        self._perform(self._controller.raised(lift), received)
        self._well("relay", "the relay works")
        try:
            await self._write(done_row(lift))
        except JournalError as error:
            await self._journal_failed(error)

    async def _refuse(self, lift: Lift, why: RefusalReason, received: ReceivedMessage | None) -> None:
        try:
            await self._write(refused_row(lift, why))
        except JournalError as error:
            self._controller.unrefused(lift)
            await self._journal_failed(error)
            return
        self._perform(self._controller.refused(lift, why), received)

    async def _write(self, row: tuple[str, bytes]) -> None:
        """Write rows in one flush; a full disk costs the ballast."""
        journal, now_ms = self._book.journal, self._endpoint.clock.wall_ms()
        try:
            await journal.append([row], now_ms)
        except JournalFull:
            if not await asyncio.to_thread(journal.ballast.release):
                raise
            self._trouble("disk-full", "the disk is full, and the barrier's reserve is now used up: free some space")
            await journal.append([row], now_ms)

    async def _journal_failed(self, error: JournalError) -> None:
        """A write failed. A full disk may have room later; after any other failure only a new start can tell."""
        self._trouble("journal", f"no lift can be journaled, so none raises the boom: {error.reason}")
        if isinstance(error, JournalFull):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await self._outbox.join()  # publish the answer first: the payment must not wait for this barrier
        raise error

    async def _speak(self) -> NoReturn:
        """Publish everything, in the order in which it was queued."""
        while True:
            say = await self._outbox.get()
            await say()
            self._outbox.task_done()

    async def _repeat(self) -> NoReturn:
        if self._book.damaged:
            self._trouble("journal-damaged", f"no lift raises the boom for a minute: {self._book.damaged}")
        while True:
            self._perform([PublishBarrier()])
            self._relay.under_boom(self._controller.under_boom)  # the last word of the loops may be too old now
            if not self._second.is_there:
                self._well("second-barrier", "the second barrier is silent")
            if not self._controller.mistrusts:
                self._well("journal-damaged", "lifts raise the boom again")
            await asyncio.sleep(self._every_s)

    def _moved(self) -> None:
        self._perform(self._controller.on_boom(self._relay.state))
        if self._relay.state == "fault":
            self._trouble("arm", "by its limit switches, the arm does not move as it should")
        else:
            self._well("arm", "the arm moves again")

    async def _watch_disk(self) -> NoReturn:
        """Alert before the disk is full, and prune rows that nobody needs any more."""
        journal = self._book.journal
        while True:
            await self._tell_usage()
            if await asyncio.to_thread(journal.ballast.hold):
                self._well("disk-full", "there is room for a reserve again")
                self._well("journal", "lifts can be journaled again")
            else:
                self._trouble("disk-full", "the disk has no room for the barrier's reserve: free some space")
            if journal.last_seq - self._pruned > self._keep_rows * 5 // 4:
                self._pruned = journal.last_seq - self._keep_rows
                await journal.prune(self._pruned)
            await asyncio.sleep(self._disk_every_s)

    async def _tell_usage(self) -> None:
        try:
            usage = await asyncio.to_thread(self._book.journal.usage)
        except OSError as error:  # its folder may be gone, which the place check tells
            logger.warning("cannot tell how full the disk is: %s", error)
            return
        if usage.used >= FULL_AT:
            await self._endpoint.alert("disk", f"the disk under the barrier's journal is {usage.used:.0%} full")
        else:
            await self._endpoint.clear("disk", "there is room on the disk under the barrier's journal")

    async def _watch_place(self) -> NoReturn:
        """Alert when the journal was taken away. Lifts go on: what was spent is known in memory, and is copied out."""
        while True:
            text = await asyncio.to_thread(self._book.look_at_place, self._endpoint.clock.wall_ms())
            if text:
                self._trouble("journal-replaced", text)
            else:
                self._well("journal-replaced", "the journal is in its place again")
            await asyncio.sleep(PLACE_EVERY_S)

    def _trouble(self, code: AlertCode, text: str) -> None:
        self._wrong[code] = text
        self._endpoint.degraded("; ".join(self._wrong.values()))
        self._outbox.put_nowait(partial(self._endpoint.alert, code, text))

    def _well(self, code: AlertCode, text: str) -> None:
        if self._wrong.pop(code, None) is None:
            return
        if self._wrong:
            self._endpoint.degraded("; ".join(self._wrong.values()))
        else:
            self._endpoint.healthy()
        self._outbox.put_nowait(partial(self._endpoint.clear, code, text))
