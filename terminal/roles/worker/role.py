"""The worker: takes events, journals them, steps, and performs the actions; the only role that calls PayBy.

It serves every lane of its garage. Messages become events (event_mapper); events change the state (eventstore,
core/rules); the screens (message_builder) and the pursuits (pursuits) follow from the state.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from terminal.clock import Steady
from terminal.contract import messages
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import events, ids, outbox
from terminal.core.actions import Pursuit, SendLift
from terminal.core.model import Lane, ScreenState, Stay, VisitOrder
from terminal.core.rules import Change
from terminal.eventstore.store import EventLog, EventNotTaken, EventStore
from terminal.mqtt.endpoint import Endpoint, ReceivedMessage
from terminal.roles.worker.announcements import Announcer
from terminal.roles.worker.code_scans import codes_of
from terminal.roles.worker.failures import StayFailures, concerned
from terminal.roles.worker.inbox import Inbox, InboxItem
from terminal.roles.worker.invoices import InvoiceDesk
from terminal.roles.worker.journal_keeper import JournalKeeper, WorkerJournal
from terminal.roles.worker.lane_budget import LANES, LaneBudget
from terminal.roles.worker.lane_devices import LaneDevices
from terminal.roles.worker.lift_index import LiftIndex, LiftWindow
from terminal.roles.worker.message_builder import MessageBuilder
from terminal.roles.worker.newcomers import Newcomers
from terminal.roles.worker.payby_calls import PayByCalls
from terminal.roles.worker.payby_health import PayByHealth, WorkerTroubles
from terminal.roles.worker.payby_notices import PayByNotices
from terminal.roles.worker.pursuits import Pursuits
from terminal.roles.worker.receipts import Receipts
from terminal.roles.worker.screens import Screens
from terminal.roles.worker.second_worker import RivalWorkers
from terminal.roles.worker.settings import WorkerSettings
from terminal.roles.worker.ticket_lookup import LookupWorld
from terminal.roles.worker.ticket_readings import TicketReadings
from terminal.roles.worker.ticket_source import TicketSource
from terminal.roles.worker.trusted_time import TrustedTime
from terminal.roles.worker.visit_log import VisitLog
from terminal.roles.worker.wakes import Wakes
from terminal.screen import qr

KEEP_AGAIN_S = 5.0
TURNS = 3
"""Turns of the event loop until a new order's request is on its way."""


class WorkerRole:
    """``log``: its journal; a WorkerJournal is also watched. ``seed`` makes pauses repeatable in tests; ``hindered``
    says why no new visit may begin if nobody watches the journal; ``encode`` makes a link's QR symbol, where ``thread``
    calls it. ``kept`` takes the wall clock's ms and tells whether the kernel calls that clock right. ``tickets``: who
    knows the entries of other systems' tickets."""

    def __init__(
        self,
        endpoint: Endpoint,
        payby: PayByCalls,
        log: EventLog,
        settings: WorkerSettings,
        *,
        seed: int | None = None,
        hindered: Callable[[], str] = str,
        encode: Callable[[str], qr.Symbol] = qr.proven,
        thread: Callable[[Callable[[], qr.Symbol]], Awaitable[qr.Symbol]] = asyncio.to_thread,
        kept: Callable[[int], bool] = lambda _: True,
        tickets: TicketSource | None = None,
    ) -> None:
        self._endpoint, self._payby, self._settings = endpoint, payby, settings
        self._random = random.Random(seed)
        self._steady = Steady(endpoint.clock.wall_ms(), endpoint.clock.steady_ms)
        world = LookupWorld(
            self.now, self._skew, self._hindered, lambda: self.event_store, self._show, self.post, self._spawn
        )
        self._readings = TicketReadings(endpoint, settings.judgement, settings.foreign, tickets, log, world)
        self.event_store = EventStore(
            settings.rules,
            log,
            self._words,
            checkpoint_rows=settings.checkpoint_rows,
            away=self._forget,
            aside=self._readings.aside,
        )
        self._inbox = Inbox()
        self._builder = MessageBuilder(settings.garage, settings.signer, self._to_wall, settings.receipt_url)
        self._invoices = InvoiceDesk(endpoint, self.event_store, log, settings.garage)
        self._announcer = Announcer(endpoint, self._builder, self.now, self.post, self._spawn)
        self._wakes = Wakes(self.now, self.post)
        self._lifts, self._line, self._visits = LiftIndex(), LiftWindow(endpoint), VisitLog()
        self._devices = LaneDevices(
            endpoint,
            self.event_store,
            self._lifts,
            now=self.now,
            post=self.post,
            hurry=lambda lane: self._pursuits.hurry(lane),
            expect=lambda: self._health.expect_call(),
        )
        self._notices = PayByNotices(endpoint, settings.garage, log, self.now)
        self._receipts = Receipts(
            endpoint,
            settings,
            self._notices,
            now=self.now,
            post=self.post,
            order=self._order,
            look=lambda no, done: self._spawn(self._pursuits.look(no, done), f"getOrder {no}"),
            read_out=self._readings.read_out,
        )
        self._group: asyncio.TaskGroup
        self._pursuits: Pursuits  # made in run(), which has the loop
        troubles = WorkerTroubles(endpoint)
        self._failures = StayFailures(
            endpoint,
            troubles,
            now=self.now,
            post=self.post,
            is_known=self.event_store.knows,
            changed=lambda: self._screens.show_all(),
            spawn=self._spawn,
        )
        self._health = PayByHealth(troubles, payby, changed=lambda: self._screens.show_all(), spawn=self._spawn)
        now, spawn, hindrance = self.now, self._spawn, self._idle_reason
        told, draw, asking = self.event_store, lambda url: thread(partial(encode, url)), self._readings.is_asking
        self._screens = Screens(
            endpoint, self._builder, told, now=now, hindrance=hindrance, spawn=spawn, draw=draw, asking=asking
        )
        self._newcomers = Newcomers(partial(self._show, again=True), self._screens.say_all_again, self.now)
        self._budget = LaneBudget(endpoint, self._spawn)
        self._time = TrustedTime(endpoint.clock, payby, kept, troubles, self._health, changed=self._clock_is_news)
        self._rivals = RivalWorkers(endpoint, settings.signer, settings.trusted, holds_lease=settings.holds_lease)
        self._keeper = None
        if isinstance(log, WorkerJournal):
            self._keeper = JournalKeeper(
                endpoint,
                log,
                self.event_store,
                payby,
                troubles,
                now=self.now,
                changed=self._screens.show_all,
                post=self.post,
            )
        self._outer_hindrance = self._keeper.hindrance if self._keeper else hindered

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._group.create_task(self._alone(work, name), name=name)
        task.add_done_callback(lambda _: work.close())  # closes work that never began because its task was cancelled
        return task

    async def _alone(self, work: Coroutine[Any, Any, None], name: str) -> None:
        with self._failures.alone(name):
            await work

    def _hindered(self) -> str:
        """Why no new visit may begin."""
        return self._time.hindrance() or self._outer_hindrance() or self._failures.hindrance

    async def _show(self, name: str, *, again: bool = False) -> None:
        await self._screens.show(name, again=again)

    # -- time ----------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """The worker's steady time in ms, by which the rules reckon."""
        return self._steady.now()

    def _skew(self) -> int:
        return self._time.skew

    def _to_wall(self, steady: int) -> int:
        return steady + self._endpoint.clock.wall_ms() - self.now()

    def _ahead(self) -> int:
        """PayBy's clock minus our steady one, in ms."""
        return self._endpoint.clock.wall_ms() - self.now() + (self._payby.skew_ms or 0)

    def _words(self, pursuit: Pursuit) -> bytes:
        return self._settings.words_for(pursuit, self._ahead())

    # -- life ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled; raises SecondWorker, JournalError, and MqttError when the connection ends for good."""
        self.event_store.replay()
        await self._time.first_word()
        self._steady = Steady(self._time.begin(self.event_store.last_at), self._endpoint.clock.steady_ms)
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._pursuits = Pursuits(
                payby=self._payby,
                payee_mid=self._settings.judgement.payee_mid,
                words=self.event_store.words,
                now=self.now,
                post=self.post,
                say_lift=self._say_lift,
                pause=lambda low, high: low + (high - low) * self._random.random(),
                query_every=self._settings.query_every,
                heard=self._health.heard,
                unheard=self._health.unheard,
                spawn=self._spawn,
                alone=self._failures.alone,
                device_ids=self._settings.device_ids,
                room=self._inbox.room,
                codes=codes_of(self._payby, self._endpoint, now=self.now, ahead=self._ahead, post=self.post),
                failed=lambda what: self._spawn(self._notices.failed(what), "PayBy's reason"),
            )
            await self._start()
            for kind, hear in (  # lanes first: a fee that waited is judged by what is at its lane
                ("health", self._hear_health),
                ("vehicle", self._devices.hear_vehicle),
                ("barrier", self._devices.hear_barrier),
                ("fee", self._readings.hear_fee),
                *([("plate", self._readings.hear_plate)] if self._settings.foreign.least_confidence else []),
                ("paid", self._receipts.hear_notification),
                ("refund", self._receipts.hear_notification),
                ("command", self._receipts.hear_command),
                *([("enquiry", self._invoices.hear_enquiry)] if self._settings.rules.supplier else []),
                *([("credit", self._receipts.hear_credit)] if self._settings.stations else []),
            ):
                group.create_task(self._listen(kind, hear), name=f"worker hears {kind}")
            group.create_task(self._consume(), name="worker")
            self._spawn(self._readings.run(), "worker asks about tickets")
            self._spawn(self._time.run(), "worker's time")
            if self._keeper:
                group.create_task(self._keep(self._keeper), name="worker watches its journal")
            group.create_task(self._endpoint.run_heartbeat(), name="worker health")
            group.create_task(self._screens.keep(), name="worker screens")

    async def _start(self) -> None:
        """Pursue what the state owes; nothing that was done before is repeated."""
        for kind, session, why in self.event_store.unread:
            self._failures.note(f"the journal's {kind}", why, session=session)
        await self._take(InboxItem(events.Started(self.now(), self._settings.version, self._settings.rules)))
        for stay in list(self.event_store.garage.stays.values()):
            with self._failures.alone("a stay of before", stay.session):
                await self._follow(stay, self.now(), restarted=True)
            if stay.grants or any(p.holder == "credit" for p in stay.payments):
                self.post(events.TimePassed(self.now(), session=stay.session))
        for lane in list(self.event_store.garage.lanes.values()):
            self._budget.lanes.add(lane.id)
            self.post(events.TimePassed(self.now(), lane=lane.id))
            with self._failures.alone("a screen", lane=lane.id):
                await self._screens.show(lane.id)

    async def _listen(self, kind: str, hear: Callable[[ReceivedMessage], Awaitable[None]]) -> None:
        with self._endpoint.subscribe(kind, lane="+") as stream:
            async for heard in stream:
                if heard.topic.is_misplaced:
                    text = f"a `{kind}` must name a lane, and `garage` is none"
                    await self._endpoint.bad_message(str(heard.topic), text)
                elif not self._budget.knows(heard.topic):
                    await self._endpoint.bad_message(str(heard.topic), f"a garage has at most {LANES} lanes")
                elif self._budget.admits(heard.topic):
                    await self._inbox.room()
                    with self._failures.alone(f"a `{kind}`", lane=heard.topic.lane):
                        await hear(heard)
                        continue
                heard.ack()

    async def _keep(self, keeper: JournalKeeper) -> None:
        while True:
            with self._failures.alone("the watch over the journal"):
                await keeper.run()
            await asyncio.sleep(KEEP_AGAIN_S)

    def post(self, event: events.Event, done: Callable[[Change | None], Awaitable[None]] | None = None) -> None:
        """Hand over an event, which is taken in its turn. ``done`` gets None if it could not be taken."""
        self._inbox.put_nowait(InboxItem(event, done))

    async def _consume(self) -> None:
        while True:
            item = await self._inbox.get()
            if self._time.is_apart(self.now()):
                await self._begin_anew(item)
            else:
                await self._take(item)

    async def _begin_anew(self, item: InboxItem) -> None:
        """This process started with an unconfirmed clock and now knows that it is wrong: start anew by the true time,
        and then take what waited."""
        waiting = [item, *(self._inbox.get_nowait() for _ in range(self._inbox.qsize()))]
        self._pursuits.cancel()
        self._steady = Steady(self._time.begin(self.event_store.last_at), self._endpoint.clock.steady_ms)
        await self._start()
        for item in waiting:
            self.post(replace(item.event, at=self.now()), item.done)

    async def _clock_is_news(self) -> None:
        await self._screens.show_all()
        if self._time.is_apart(self.now()):
            self.post(events.TimePassed(self.now()))

    async def _take(self, item: InboxItem) -> None:
        event, alone = item.event, self._failures.alone
        try:
            change = await self.event_store.take(event)
        except (EventNotTaken, msgspec.MsgspecError) as error:
            cause = error.__cause__
            await self._give_up(item, cause if isinstance(cause, Exception) else error)
            return
        what = f"what follows from {type(event).__name__}"
        lifted = list[str | None]()
        for stay in change.stays.values():
            with alone(what, stay.session):
                lifted += [stay.lane] * await self._follow(stay, event.at)
        if lifted:
            await self._devices.barrier_first(lifted)
        elif isinstance(event, events.TicketRead):  # its order goes to PayBy before the lane is told of it
            for _ in range(TURNS):
                await asyncio.sleep(0)
        if item.done:
            with alone(what, concerned(event, self.event_store.garage)[0]):
                await item.done(change)
        lanes = dict.fromkeys((*change.lanes, *(s.lane for s in change.stays.values() if s.lane)))
        if isinstance(event, events.OrderReported) and self._is_first_word_of(event.order_no):
            self._screens.confirmed.add(event.order_no)
            lanes |= dict.fromkeys(filter(None, [self._receipts.lane_of(event.order_no)]))
        elif isinstance(event, events.TimePassed) and event.lane:
            lanes[event.lane] = None  # it waits for its next time although this event came to nothing
        for lane in lanes:
            with alone("a screen", lane=lane):
                self._visits.note(event.at, self.event_store.garage, lane)
                await self._screens.show(lane)
                self._schedule(self.event_store.garage.lanes.get(lane) or Lane(lane), event.at)
        for action in change.actions:
            with alone(what):
                await self._announcer.announce(action)

    async def _give_up(self, item: InboxItem, error: Exception) -> None:
        """An event on which our code fails: alert, and tell whoever waits for it."""
        event = item.event
        session, lane = concerned(event, self.event_store.garage)
        self._failures.note(f"{type(event).__name__} was not taken", error, session=session, lane=lane)
        if isinstance(event, events.TicketRead):
            self.post(events.TicketRefused(event.at, event.lane, event.fee.id, "refused"))
        if item.done:
            with self._failures.alone("an answer", session, lane=lane):
                await item.done(None)

    async def _follow(self, stay: Stay, since: int, *, restarted: bool = False) -> bool:
        """``since``: when the state became what it is; what was due after that may have passed meanwhile. Returns
        whether a lift went out."""
        self._lifts.know(stay)
        self._wakes.set(outbox.stay_due(stay, since), session=stay.session)
        self._pursuits.follow(stay.session, outbox.owed(stay), restarted=restarted)
        return await self._pursuits.send_lifts(stay.session)

    def _order(self, order_no: str) -> VisitOrder | None:
        """An order of a stay that is in memory."""
        name = ids.parse_order_no(order_no)
        stay = self.event_store.garage.stays.get(name.session) if name else None
        return stay.order(order_no) if stay else None

    def _is_first_word_of(self, order_no: str) -> bool:
        """Of an order in memory; PayBy also signs words about orders of other garages, which nobody would forget."""
        return order_no not in self._screens.confirmed and self._order(order_no) is not None

    def _forget(self, stay: Stay) -> None:
        """A stay has left memory: nothing of it is owed or waited for."""
        self._lifts.forget(stay)
        self._screens.confirmed -= {order.no for order in stay.orders}

    def _schedule(self, lane: Lane, since: int) -> None:
        stay = self.event_store.garage.stays.get(lane.visit.fee.session) if lane.visit else None
        self._wakes.set(outbox.lane_due(lane, stay, since), lane=lane.id)

    # -- hearing -------------------------------------------------------------------------------------------------

    async def _hear_health(self, heard: ReceivedMessage) -> None:
        health, topic = heard.message, heard.topic
        assert isinstance(health, messages.Health)
        heard.ack()
        if topic.lane != GARAGE_WIDE:
            self._devices.hear_health(topic, health)
        elif topic.role == "worker":
            await self._rivals.note_health(health, retained=heard.retained)
        await self._newcomers.note_health(topic, health, retained=heard.retained)

    # -- speaking ------------------------------------------------------------------------------------------------

    def _idle_reason(self) -> tuple[ScreenState, str] | None:
        if reason := self._hindered():
            return ("closed" if reason == "disk-full" else "out-of-order"), reason
        return ("out-of-order", self._health.trouble) if self._health.trouble else None

    async def _say_lift(self, send: SendLift) -> None:
        if self._line.carries(send.grant, self.event_store.garage):
            await self._endpoint.publish(self._builder.lift(self._endpoint.head(), send), lane=send.grant.lane)
