"""The worker: takes an event, journals it, steps, performs what is asked; the one role that speaks to PayBy.

It serves every lane of its garage. Messages become events (hearing), events change the state (ledger, core/lane), and
from the state follow the screens (speaking) and what must be pursued until it is answered (pursuits).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from terminal.contract import grant as grants
from terminal.contract import messages
from terminal.contract.messages import moment
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import events, numbers, owed
from terminal.core.actions import Pursuit, Reply, SendLift
from terminal.core.lane import Change
from terminal.core.shown import State
from terminal.core.visit import Lane, Stay
from terminal.ledger import Keeping, Ledger, Log, Steady
from terminal.link import Heard, Link
from terminal.payby.errors import BadSignature, BadWords
from terminal.roles.worker.health import PayByHealth, Wrongs
from terminal.roles.worker.hearing import command_event, notification_event, ticket_event
from terminal.roles.worker.lifts import Lifts, Line
from terminal.roles.worker.pursuits import Pursuits
from terminal.roles.worker.rivals import Rivals, SecondWorker
from terminal.roles.worker.screens import Screens
from terminal.roles.worker.speaking import Voice
from terminal.roles.worker.storage import Keeper, Store
from terminal.roles.worker.telling import tell
from terminal.roles.worker.timers import LaneTimers
from terminal.roles.worker.told import WorkerSettings
from terminal.screen import qr

LATE_MS = 5_000
"""A message of a barrier that comes so much later than its others says what was; only its answer still counts."""
SILENT_S = 15.0
"""Loops or a barrier that said nothing for so long are not there."""
__all__ = ["SecondWorker", "Worker", "WorkerSettings"]


@dataclass(slots=True)
class _Item:
    """An event on its way into the journal; ``done`` runs after the commit and what follows from it."""

    event: events.Event
    done: Callable[[Change], Awaitable[None]] | None = None


class Worker:
    """``payby`` has the calls of payby.client.PayBy and its ``probe``; ``seed`` makes pauses repeatable in tests;
    ``encode`` makes a link's QR symbol. ``store``: the ``log``, where it is more than rows; a Store is watched."""

    def __init__(
        self,
        link: Link,
        payby: Any,
        log: Log,
        settings: WorkerSettings,
        *,
        seed: int | None = None,
        hindered: Callable[[], str] = str,
        encode: Callable[[str], qr.Symbol] = qr.proven,
        store: Keeping | None = None,
    ) -> None:
        self._link = link
        self._payby = payby
        self._settings = settings
        self._random = random.Random(seed)
        self._steady = Steady(link.clock.wall_ms(), link.clock.steady_ms)
        self.ledger = Ledger(
            settings.rules, log, self._words, store=store, checkpoint_rows=settings.checkpoint_rows, away=self._forget
        )
        self._inbox: asyncio.Queue[_Item] = asyncio.Queue()
        self._voice = Voice(settings.garage, settings.signer, self._to_wall)
        self._timers: dict[str, LaneTimers] = {}
        self._stay_timers: dict[str, asyncio.TimerHandle] = {}
        self._lifts, self._line = Lifts(), Line(link)
        self._lcds: dict[str, str] = {}
        self._group: asyncio.TaskGroup
        self._pursuits: Pursuits  # made in run(), which has the loop
        wrongs = Wrongs(link)
        self._health = PayByHealth(wrongs, payby, changed=lambda: self._screens.show_all(), spawn=self._spawn)
        self._screens = Screens(
            link, self._voice, self.ledger, now=self.now, hindrance=self._idle_reason, spawn=self._spawn, encode=encode
        )
        self._rivals = Rivals(link)
        self._keeper = None
        if isinstance(store, Store):
            self._keeper = Keeper(
                link, store, self.ledger, payby, wrongs, now=self.now, changed=self._screens.show_all, post=self.post
            )
        self._hindered = self._keeper.hindrance if self._keeper else hindered

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._group.create_task(work, name=name)

    # -- time ----------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """Steady ms; what the rules reckon with."""
        return self._steady.now()

    def _to_wall(self, steady: int) -> int:
        return steady + self._link.clock.wall_ms() - self.now()

    def _words(self, pursuit: Pursuit) -> bytes:
        ahead = self._link.clock.wall_ms() - self.now() + (getattr(self._payby, "skew_ms", None) or 0)
        return self._settings.words_for(pursuit, ahead)

    # -- life ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled; raises SecondWorker, or what the journal raises."""
        self.ledger.replay()
        self._steady = Steady(self._link.clock.wall_ms(), self._link.clock.steady_ms, not_before=self.ledger.last_at)
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._pursuits = Pursuits(
                payby=self._payby,
                payee_mid=self._settings.beliefs.payee_mid,
                words=self.ledger.words,
                now=self.now,
                post=self.post,
                say_lift=self._say_lift,
                pause=lambda low, high: low + (high - low) * self._random.random(),
                query_every=self._settings.query_every,
                heard=self._health.heard,
                unheard=self._health.unheard,
                spawn=self._spawn,
            )
            await self._start()
            for kind, hear in (  # of what waits after a start, lanes come first: a fee is judged by what stands there
                ("health", self._hear_health),
                ("vehicle", self._hear_vehicle),
                ("barrier", self._hear_barrier),
                ("fee", self._hear_fee),
                ("paid", self._hear_notification),
                ("refund", self._hear_notification),
                ("command", self._hear_command),
            ):
                group.create_task(self._listen(kind, hear), name=f"worker hears {kind}")
            group.create_task(self._consume(), name="worker")
            if self._keeper:
                group.create_task(self._keeper.run(), name="worker watches its journal")
            group.create_task(self._link.beat(), name="worker health")
            self._link.bus.on_change(lambda connected: self._screens.repeat() if connected else None)

    async def _start(self) -> None:
        """Owe what the state owes, and nothing that was done before."""
        await self._take(_Item(events.Started(self.now(), self._settings.version, self._settings.rules)))
        for stay in list(self.ledger.garage.stays.values()):
            self._follow(stay, restarted=True)
            if stay.grants or any(p.holder == "credit" for p in stay.payments):
                self.post(events.TimePassed(self.now(), session=stay.session))
        for lane in list(self.ledger.garage.lanes.values()):
            self.post(events.TimePassed(self.now(), lane=lane.id))
            await self._screens.show(lane.id)

    async def _listen(self, kind: str, hear: Callable[[Heard], Awaitable[None]]) -> None:
        async for heard in self._link.hear(kind, lane="+"):
            await hear(heard)

    def post(self, event: events.Event, done: Callable[[Change], Awaitable[None]] | None = None) -> None:
        """Hand over an event; it is taken in its turn."""
        self._inbox.put_nowait(_Item(event, done))

    async def _consume(self) -> None:
        while True:
            await self._take(await self._inbox.get())

    async def _take(self, item: _Item) -> None:
        change = await self.ledger.take(item.event)
        for stay in change.stays.values():
            self._follow(stay)
        if item.done:
            await item.done(change)
        garage = self.ledger.garage
        lanes = dict.fromkeys((*change.lanes, *(s.lane for s in change.stays.values() if s.lane)))
        if isinstance(item.event, events.OrderReported) and item.event.order_no not in self._screens.confirmed:
            self._screens.confirmed.add(item.event.order_no)
            if lane := self._lane_of(item.event.order_no):
                lanes[lane] = None
        for lane in lanes:
            await self._screens.show(lane)
            self._schedule(garage.lanes.get(lane) or Lane(lane))
        for action in change.actions:
            await tell(self._link, self._voice, action)

    def _follow(self, stay: Stay, *, restarted: bool = False) -> None:
        self._pursuits.follow(stay.session, owed.owed(stay), restarted=restarted)
        self._lifts.know(stay)
        if timer := self._stay_timers.pop(stay.session, None):
            timer.cancel()
        if due := owed.stay_due(stay, self.now()):
            self._stay_timers[stay.session] = self._at(due, lambda: events.TimePassed(self.now(), session=stay.session))

    def _forget(self, stay: Stay) -> None:
        """It has left memory: nothing is owed or waited for."""
        self._lifts.forget(stay)
        self._screens.confirmed -= {order.no for order in stay.orders}

    def _schedule(self, lane: Lane) -> None:
        timers = self._of(lane.id)
        if timers.due:
            timers.due.cancel()
            timers.due = None
        stay = self.ledger.garage.stays.get(lane.visit.fee.session) if lane.visit else None
        if due := owed.lane_due(lane, stay, self.now()):
            timers.due = self._at(due, lambda: events.TimePassed(self.now(), lane=lane.id))

    def _at(self, due: int, event: Callable[[], events.Event]) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, (due - self.now()) / 1000) + 0.001, lambda: self.post(event()))

    def _of(self, lane: str) -> LaneTimers:
        return self._timers.setdefault(lane, LaneTimers())

    # -- hearing -------------------------------------------------------------------------------------------------

    async def _hear_fee(self, heard: Heard) -> None:
        fee, lane = heard.message, heard.topic.lane
        assert isinstance(fee, messages.Fee)
        self._known(lane)
        event = ticket_event(
            fee,
            lane,
            at=self.now(),
            wall=self._link.clock.wall_ms(),
            beliefs=self._settings.beliefs,
            hindrance=self._hindered(),
        )

        async def done(change: Change) -> None:
            heard.ack()
            if not change:
                await self._screens.show(lane, again=True)

        self.post(event, done)

    async def _hear_notification(self, heard: Heard) -> None:
        said = heard.message
        assert isinstance(said, messages.Paid | messages.Refund)
        if said.sign is None or said.notify_id is None:  # a refund's progress as a worker says it
            heard.ack()
            return
        try:
            event = notification_event(said, at=self.now(), beliefs=self._settings.beliefs)
        except (BadSignature, BadWords) as error:
            heard.ack()
            text = f"a `{heard.topic.kind}` that PayBy did not say was dropped: {error}"
            lane = self._lane_of(said.order_no) or GARAGE_WIDE
            await self._link.alert("forged-paid", "critical", text, lane=lane, once=True)
            return

        async def done(change: Change) -> None:
            heard.ack()
            reply = next((a for a in change.actions if isinstance(a, Reply)), Reply("noted"))
            receipt = messages.Receipt(
                **self._link.head(),
                order_no=said.order_no,
                notify_id=said.notify_id,
                outcome=reply.outcome,
                why=reply.why or None,
            )
            await self._link.say(receipt, lane=self._lane_of(said.order_no) or GARAGE_WIDE)

        if event is None:
            await done(Change({}, {}, []))
        else:
            self.post(event, done)

    def _lane_of(self, order_no: str) -> str | None:
        name = numbers.parse_order_no(order_no)
        return name.lane if name and name.garage == self._settings.garage else None

    async def _hear_vehicle(self, heard: Heard) -> None:
        vehicle, lane = heard.message, heard.topic.lane
        assert isinstance(vehicle, messages.Vehicle)
        heard.ack()
        if heard.retained and abs(self._link.clock.wall_ms() - moment(vehicle.at)) > SILENT_S * 1000:
            return
        self._known(lane)
        said = self._of(lane)
        if said.vehicle_silent:
            said.vehicle_silent.cancel()
        said.vehicle_silent = self._silence(lambda: events.VehicleUnknown(self.now(), lane))
        if vehicle.waiting and not said.waiting:
            self._health.expect_call()
        said.waiting = vehicle.waiting
        self.post(events.VehicleSeen(self.now(), lane, vehicle.waiting, vehicle.under_boom, vehicle.car))

    async def _hear_barrier(self, heard: Heard) -> None:
        barrier, lane = heard.message, heard.topic.lane
        assert isinstance(barrier, messages.Barrier)
        apart = moment(barrier.at) - self._link.clock.wall_ms()
        if heard.retained and abs(apart) > SILENT_S * 1000:
            heard.ack()
            return
        self._known(lane)
        self._barrier_alive(lane)
        news: list[events.Event] = []
        before = self.ledger.garage.lanes.get(lane)
        named = before.boom.lift if before and before.boom else None
        session = barrier.session if barrier.lift != named else None  # the stay is called back for what is news alone
        if heard.retained:
            news.append(events.BoomSeen(self.now(), lane, barrier.state, barrier.lift, session=session))
        else:
            known = self._of(lane).apart
            known.append(apart)
            if max(known) - apart <= LATE_MS:
                skew = round(max(known) / 1000) * 1000
                news.append(events.BoomSeen(self.now(), lane, barrier.state, barrier.lift, skew, session))
                if barrier.state == "down" and before and before.boom and before.boom.state != "down":
                    self._pursuits.hurry(lane)
            answer = barrier.answer
            if answer and (of := self._lifts.session_of(answer.lift)):
                outcome, why = answer.outcome, answer.why or ""
                news.append(events.LiftAnswered(self.now(), lane, of, answer.lift, outcome, why))

        async def done(_: Change) -> None:
            heard.ack()

        for event in news[:-1]:
            self.post(event)
        if news:
            self.post(news[-1], done)
        else:
            heard.ack()

    def _barrier_alive(self, lane: str) -> None:
        said = self._of(lane)
        if said.barrier_silent:
            said.barrier_silent.cancel()
        said.barrier_silent = self._silence(lambda: events.BarrierGone(self.now(), lane))

    def _silence(self, event: Callable[[], events.Event]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(SILENT_S, lambda: self.post(event()))

    async def _hear_command(self, heard: Heard) -> None:
        command, lane = heard.message, heard.topic.lane
        assert isinstance(command, messages.Command)
        wall = self._link.clock.wall_ms()
        why = grants.check_command(command, self._settings.garage, lane, self._settings.trusted, wall)
        if why == "signature":
            heard.ack()
            text = f"a `{command.command}` that no console of ours signed was dropped"
            await self._link.alert("forged-command", "critical", text, lane=lane, once=True)
            return
        if why is not None:
            heard.ack()
            await self._link.say(
                messages.Receipt(**self._link.head(), command=command.id, outcome="refused", why=why), lane=lane
            )
            return

        async def done(change: Change) -> None:
            heard.ack()
            reply = next((a for a in change.actions if isinstance(a, Reply)), Reply("refused", "nothing came of it"))
            receipt = messages.Receipt(
                **self._link.head(), command=command.id, outcome=reply.outcome, why=reply.why or None
            )
            await self._link.say(receipt, lane=lane)

        event = command_event(command, lane, at=self.now(), wall=wall)
        self.post(event, done)

    async def _hear_health(self, heard: Heard) -> None:
        health, topic = heard.message, heard.topic
        assert isinstance(health, messages.Health)
        heard.ack()
        if topic.lane == GARAGE_WIDE:
            if topic.role == "worker":
                await self._rivals.hear(health, retained=heard.retained)
            return
        gone = health.state == "offline"
        if topic.role == "barrier" and gone:
            self.post(events.BarrierGone(self.now(), topic.lane))
        elif topic.role == "loops" and gone:
            self.post(events.VehicleUnknown(self.now(), topic.lane))
        elif topic.role == "lcd" and not gone and health.instance != self._lcds.get(topic.lane):
            self._lcds[topic.lane] = health.instance
            await self._screens.show(topic.lane, again=True)

    def _known(self, lane: str) -> None:
        self.ledger.garage.lanes.setdefault(lane, Lane(lane))

    # -- speaking ------------------------------------------------------------------------------------------------

    def _idle_reason(self) -> tuple[State, str] | None:
        if reason := self._hindered():
            return ("closed" if reason == "disk-full" else "out-of-order"), reason
        return ("out-of-order", self._health.trouble) if self._health.trouble else None

    async def _say_lift(self, send: SendLift) -> None:
        if self._line.carries(send.grant, self.ledger.garage):
            await self._link.say(self._voice.lift(self._link.head(), send), lane=send.grant.lane)
