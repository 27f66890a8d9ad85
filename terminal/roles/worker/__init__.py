"""The worker: takes an event, journals it, steps, performs what is asked; the one role that speaks to PayBy.

It serves every lane of its garage. Messages become events (hearing), events change the state (ledger, core/lane), and
from the state follow the screens (speaking) and what must be pursued until it is answered (pursuits).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from terminal.contract import messages
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import events, numbers, owed
from terminal.core.actions import Pursuit, SendLift
from terminal.core.lane import Change
from terminal.core.shown import State
from terminal.core.visit import Lane, Order, Stay
from terminal.ledger import Keeping, Ledger, Log, Steady, Untaken
from terminal.link import Heard, Link
from terminal.peers import SecondWorker
from terminal.roles.worker.budget import Budget
from terminal.roles.worker.codes import codes_of
from terminal.roles.worker.failures import Failures
from terminal.roles.worker.health import PayByHealth, Wrongs
from terminal.roles.worker.hearing import ticket_event
from terminal.roles.worker.kerb import Kerb
from terminal.roles.worker.lifts import Lifts, Line
from terminal.roles.worker.notices import Notices
from terminal.roles.worker.pursuits import Pursuits
from terminal.roles.worker.receipts import Receipts
from terminal.roles.worker.rivals import Rivals
from terminal.roles.worker.screens import Screens
from terminal.roles.worker.speaking import Voice
from terminal.roles.worker.storage import Keeper, Store
from terminal.roles.worker.telling import Teller
from terminal.roles.worker.timekeeping import Timekeeping
from terminal.roles.worker.told import WorkerSettings
from terminal.roles.worker.wakes import Wakes
from terminal.screen import qr

KEEP_AGAIN_S = 5.0
__all__ = ["SecondWorker", "Worker", "WorkerSettings"]


@dataclass(slots=True)
class _Item:
    """An event on its way into the journal; ``done`` runs after the commit and what follows from it, with None where
    the event could not be taken."""

    event: events.Event
    done: Callable[[Change | None], Awaitable[None]] | None = None


class Worker:
    """``payby`` has the calls of payby.client.PayBy and its ``probe``; ``seed`` makes pauses repeatable in tests;
    ``encode`` makes a link's QR symbol. ``store``: the ``log``, where it is more than rows; a Store is watched.
    ``kept``: is a wall clock that shows so many ms right, by the kernel's word?"""

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
        kept: Callable[[int], bool] = lambda _: True,
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
        self._teller = Teller(link, self._voice, self.now, self.post, self._spawn)
        self._wakes = Wakes(self.now, self.post)
        self._lifts, self._line = Lifts(), Line(link)
        self._kerb = Kerb(
            link,
            self.ledger,
            self._lifts,
            now=self.now,
            post=self.post,
            hurry=lambda lane: self._pursuits.hurry(lane),
            expect=lambda: self._health.expect_call(),
        )
        self._notices = Notices(link, settings.garage, log, self.now)
        self._receipts = Receipts(
            link,
            settings,
            self._notices,
            now=self.now,
            post=self.post,
            order=self._order,
            look=lambda no, done: self._spawn(self._pursuits.look(no, done), f"getOrder {no}"),
        )
        self._lcds: dict[str, str] = {}
        self._group: asyncio.TaskGroup
        self._pursuits: Pursuits  # made in run(), which has the loop
        wrongs = Wrongs(link)
        self._failures = Failures(
            link,
            wrongs,
            now=self.now,
            post=self.post,
            is_known=self._is_known,
            changed=lambda: self._screens.show_all(),
            spawn=self._spawn,
        )
        self._health = PayByHealth(wrongs, payby, changed=lambda: self._screens.show_all(), spawn=self._spawn)
        self._screens = Screens(
            link, self._voice, self.ledger, now=self.now, hindrance=self._idle_reason, spawn=self._spawn, encode=encode
        )
        self._budget = Budget(link, self._spawn)
        self._time = Timekeeping(link.clock, payby, kept, wrongs, self._health, changed=self._clock_is_news)
        self._rivals = Rivals(link, settings.signer, settings.trusted)
        self._keeper = None
        if isinstance(store, Store):
            self._keeper = Keeper(
                link, store, self.ledger, payby, wrongs, now=self.now, changed=self._screens.show_all, post=self.post
            )
        self._outer_hindrance = self._keeper.hindrance if self._keeper else hindered

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._group.create_task(self._alone(work, name), name=name)
        task.add_done_callback(lambda _: work.close())  # it never began, where the task was cancelled before
        return task

    async def _alone(self, work: Coroutine[Any, Any, None], name: str) -> None:
        with self._failures.alone(name):
            await work

    def _hindered(self) -> str:
        """Why no new visit may begin."""
        return self._time.hindrance() or self._outer_hindrance() or self._failures.hindrance

    def _is_known(self, session: str) -> bool:
        return session in self.ledger.garage.stays or self.ledger.shelf.row_of(session) is not None

    # -- time ----------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """Steady ms; what the rules reckon with."""
        return self._steady.now()

    def _to_wall(self, steady: int) -> int:
        return steady + self._link.clock.wall_ms() - self.now()

    def _ahead(self) -> int:
        """PayBy's clock minus our steady one."""
        return self._link.clock.wall_ms() - self.now() + (getattr(self._payby, "skew_ms", None) or 0)

    def _words(self, pursuit: Pursuit) -> bytes:
        return self._settings.words_for(pursuit, self._ahead())

    # -- life ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled; raises SecondWorker, or what the journal raises."""
        self.ledger.replay()
        await self._time.first_word()
        self._steady = Steady(self._time.begin(self.ledger.last_at), self._link.clock.steady_ms)
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
                alone=self._failures.alone,
                device_ids=self._settings.device_ids,
                codes=codes_of(self._payby, self._link, now=self.now, ahead=self._ahead, post=self.post),
                failed=lambda what: self._spawn(self._notices.failed(what), "PayBy's reason"),
            )
            await self._start()
            for kind, hear in (  # of what waits after a start, lanes come first: a fee is judged by what stands there
                ("health", self._hear_health),
                ("vehicle", self._kerb.hear_vehicle),
                ("barrier", self._kerb.hear_barrier),
                ("fee", self._hear_fee),
                ("paid", self._receipts.hear_notification),
                ("refund", self._receipts.hear_notification),
                ("command", self._receipts.hear_command),
            ):
                group.create_task(self._listen(kind, hear), name=f"worker hears {kind}")
            group.create_task(self._consume(), name="worker")
            self._spawn(self._time.run(), "worker's time")
            if self._keeper:
                group.create_task(self._keep(self._keeper), name="worker watches its journal")
            group.create_task(self._link.beat(), name="worker health")
            group.create_task(self._screens.keep(), name="worker screens")

    async def _start(self) -> None:
        """Owe what the state owes, and nothing that was done before."""
        for kind, session, why in self.ledger.unread:
            self._failures.note(f"the journal's {kind}", why, session=session)
        await self._take(_Item(events.Started(self.now(), self._settings.version, self._settings.rules)))
        for stay in list(self.ledger.garage.stays.values()):
            with self._failures.alone("a stay of before", stay.session):
                self._follow(stay, self.now(), restarted=True)
            if stay.grants or any(p.holder == "credit" for p in stay.payments):
                self.post(events.TimePassed(self.now(), session=stay.session))
        for lane in list(self.ledger.garage.lanes.values()):
            self.post(events.TimePassed(self.now(), lane=lane.id))
            with self._failures.alone("a screen", lane=lane.id):
                await self._screens.show(lane.id)

    async def _listen(self, kind: str, hear: Callable[[Heard], Awaitable[None]]) -> None:
        with self._link.hear(kind, lane="+") as hearing:
            async for heard in hearing:
                if heard.topic.is_misplaced:
                    text = f"a `{kind}` belongs to a lane, and no lane is `garage`"
                    await self._link.bad_message(str(heard.topic), text)
                elif self._budget.admits(heard.topic):
                    with self._failures.alone(f"a `{kind}`", lane=heard.topic.lane):
                        await hear(heard)
                        continue
                heard.ack()

    async def _keep(self, keeper: Keeper) -> None:
        while True:
            with self._failures.alone("the watch over the journal"):
                await keeper.run()
            await asyncio.sleep(KEEP_AGAIN_S)

    def post(self, event: events.Event, done: Callable[[Change | None], Awaitable[None]] | None = None) -> None:
        """Hand over an event; it is taken in its turn. ``done`` gets None where it could not be taken."""
        self._inbox.put_nowait(_Item(event, done))

    async def _consume(self) -> None:
        while True:
            item = await self._inbox.get()
            if self._time.is_apart(self.now()):
                await self._begin_anew(item)
            else:
                await self._take(item)

    async def _begin_anew(self, item: _Item) -> None:
        """This process began with a clock that nobody had confirmed, and now knows that it is wrong: a start by the
        true time, and then what waited."""
        waiting = [item, *(self._inbox.get_nowait() for _ in range(self._inbox.qsize()))]
        self._pursuits.cancel()
        self._steady = Steady(self._time.begin(self.ledger.last_at), self._link.clock.steady_ms)
        await self._start()
        for item in waiting:
            self.post(replace(item.event, at=self.now()), item.done)

    async def _clock_is_news(self) -> None:
        await self._screens.show_all()
        if self._time.is_apart(self.now()):
            self.post(events.TimePassed(self.now()))

    async def _take(self, item: _Item) -> None:
        event, alone = item.event, self._failures.alone
        try:
            change = await self.ledger.take(event)
        except (Untaken, msgspec.MsgspecError) as error:
            cause = error.__cause__
            await self._give_up(item, cause if isinstance(cause, Exception) else error)
            return
        what = f"what follows from {type(event).__name__}"
        for stay in change.stays.values():
            with alone(what, stay.session):
                self._follow(stay, event.at)
        if item.done:
            with alone(what, *self._concerns(event)[:1]):
                await item.done(change)
        lanes = dict.fromkeys((*change.lanes, *(s.lane for s in change.stays.values() if s.lane)))
        if isinstance(event, events.OrderReported) and event.order_no not in self._screens.confirmed:
            self._screens.confirmed.add(event.order_no)
            if lane := self._receipts.lane_of(event.order_no):
                lanes[lane] = None
        elif isinstance(event, events.TimePassed) and event.lane:
            lanes[event.lane] = None  # it waits for its next time, though nothing came of this one
        for lane in lanes:
            with alone("a screen", lane=lane):
                await self._screens.show(lane)
                self._schedule(self.ledger.garage.lanes.get(lane) or Lane(lane), event.at)
        for action in change.actions:
            with alone(what):
                await self._teller.tell(action)

    async def _give_up(self, item: _Item, error: Exception) -> None:
        """An event that is too much for us: it is told, and whoever waits for it hears so."""
        event = item.event
        session, lane = self._concerns(event)
        self._failures.note(f"{type(event).__name__} was not taken", error, session=session, lane=lane)
        if isinstance(event, events.TicketRead):
            self.post(events.TicketRefused(event.at, event.lane, event.fee.id, "refused"))
        if item.done:
            with self._failures.alone("an answer", session, lane=lane):
                await item.done(None)

    def _concerns(self, event: events.Event) -> tuple[str | None, str | None]:
        """The stay that an event is about, or that is served at its lane; and the lane."""
        name = numbers.parse_order_no(getattr(event, "order_no", None) or "")
        lane: str | None = getattr(event, "lane", None) or (name.lane if name else None)
        visit = self.ledger.garage.lanes[lane].visit if lane in self.ledger.garage.lanes else None
        if isinstance(event, events.TicketRead):
            return event.fee.session, lane
        session: str | None = getattr(event, "session", None) or (name.session if name else None)
        return session or (visit.fee.session if visit else None), lane

    def _follow(self, stay: Stay, since: int, *, restarted: bool = False) -> None:
        """``since``: when it became as it is; what was due after that may have gone by meanwhile."""
        self._pursuits.follow(stay.session, owed.owed(stay), restarted=restarted)
        self._lifts.know(stay)
        self._wakes.set(owed.stay_due(stay, since), session=stay.session)

    def _order(self, order_no: str) -> Order | None:
        """An order of a stay that is in memory."""
        name = numbers.parse_order_no(order_no)
        stay = self.ledger.garage.stays.get(name.session) if name else None
        return stay.order(order_no) if stay else None

    def _forget(self, stay: Stay) -> None:
        """It has left memory: nothing is owed or waited for."""
        self._lifts.forget(stay)
        self._screens.confirmed -= {order.no for order in stay.orders}

    def _schedule(self, lane: Lane, since: int) -> None:
        stay = self.ledger.garage.stays.get(lane.visit.fee.session) if lane.visit else None
        self._wakes.set(owed.lane_due(lane, stay, since), lane=lane.id)

    # -- hearing -------------------------------------------------------------------------------------------------

    async def _hear_fee(self, heard: Heard) -> None:
        fee, lane = heard.message, heard.topic.lane
        assert isinstance(fee, messages.Fee)
        self._kerb.known(lane)
        event = ticket_event(
            fee,
            lane,
            at=self.now(),
            wall=self._link.clock.wall_ms(),
            beliefs=self._settings.beliefs,
            hindrance=self._hindered(),
            skew=self._time.skew,
            knows=self._is_known,
        )

        async def done(change: Change | None) -> None:
            heard.ack()
            if change is not None and not change:
                await self._screens.show(lane, again=True)

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

    # -- speaking ------------------------------------------------------------------------------------------------

    def _idle_reason(self) -> tuple[State, str] | None:
        if reason := self._hindered():
            return ("closed" if reason == "disk-full" else "out-of-order"), reason
        return ("out-of-order", self._health.trouble) if self._health.trouble else None

    async def _say_lift(self, send: SendLift) -> None:
        if self._line.carries(send.grant, self.ledger.garage):
            await self._link.say(self._voice.lift(self._link.head(), send), lane=send.grant.lane)
