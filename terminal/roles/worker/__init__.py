"""The worker: takes an event, journals it, steps, performs what is asked; the one role that speaks to PayBy.

It serves every lane of its garage. Messages become events (hearing), events change the state (ledger, core/lane), and
from the state follow the screens (speaking) and what must be pursued until it is answered (pursuits).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from terminal.contract import grant as grants
from terminal.contract import messages
from terminal.contract.messages import moment
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import events, money, numbers, owed
from terminal.core.actions import Action, Alert, Clear, Pursuit, Reply, SendLift, TellRefund
from terminal.core.lane import Change, Rules
from terminal.core.shown import Shown, State, screen
from terminal.core.visit import Lane, Stay
from terminal.ledger import Ledger, Log, Steady
from terminal.link import Heard, Link
from terminal.payby import errors
from terminal.payby.errors import BadSignature, BadWords
from terminal.roles.worker.hearing import Beliefs, notification_event, ticket_event
from terminal.roles.worker.pursuits import Pursuits
from terminal.roles.worker.speaking import Signer, Voice
from terminal.screen import qr

SILENT_S = 15.0
"""Loops or a barrier that said nothing for so long are not there."""
PAY_REFRESH_S = 5.0
"""A pay screen is said again this often, so that an LCD that just started can confirm it."""
PROBE_S = 15.0
TROUBLED_AFTER = 3
"""Calls in a row without an answer after which an idle lane is out of order."""
SKEW_ALERT_MS = 60_000
logger = logging.getLogger(__name__)


class SecondWorker(Exception):
    """Another worker serves this garage and was there first."""


class JournalLost(Exception):
    """The journal can no longer be written; nothing is acknowledged any more."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the worker is told at its start. ``words_for`` makes the bizContent of an order, refund or cancellation."""

    garage: str
    rules: Rules
    beliefs: Beliefs
    signer: Signer
    trusted: grants.Trusted
    query_every: float
    words_for: Callable[[Pursuit, int], bytes]
    version: str


@dataclass(slots=True)
class _Item:
    """An event on its way into the journal; ``done`` runs after the commit and what follows from it."""

    event: events.Event
    done: Callable[[Change], Awaitable[None]] | None = None


@dataclass(slots=True)
class _Said:
    """What a lane's topics show now."""

    shown: Shown | None = None
    order: dict[str, Any] | None = None
    symbol: tuple[str, qr.Symbol] | None = None
    timer: asyncio.TimerHandle | None = None
    refresh: asyncio.TimerHandle | None = None
    vehicle_silent: asyncio.TimerHandle | None = None
    barrier_silent: asyncio.TimerHandle | None = None
    lcd: str = ""


@dataclass(slots=True)
class _PayBy:
    """How PayBy is doing, for screens, health and alerts."""

    failures: int = 0
    trouble: str = ""
    probe: asyncio.Task[None] | None = None


class Worker:
    """``payby`` has the calls of payby.client.PayBy and its ``probe``; ``seed`` makes pauses repeatable in tests."""

    def __init__(
        self,
        link: Link,
        payby: Any,
        log: Log,
        settings: WorkerSettings,
        *,
        seed: int | None = None,
        hindered: Callable[[], str] = str,
    ) -> None:
        self._link = link
        self._payby = payby
        self._settings = settings
        self._hindered = hindered
        self._random = random.Random(seed)
        self._steady = Steady(link.clock.wall_ms(), link.clock.steady_ms)
        self.ledger = Ledger(settings.rules, log, self._words)
        self._inbox: asyncio.Queue[_Item] = asyncio.Queue()
        self._voice = Voice(settings.garage, settings.signer, self._to_wall)
        self._said: dict[str, _Said] = {}
        self._stay_timers: dict[str, asyncio.TimerHandle] = {}
        self._lifts: dict[str, str] = {}
        self._lifts_of: dict[str, set[str]] = {}
        self._confirmed: set[str] = set()
        self._health = _PayBy()
        self._rivals: dict[str, tuple[str, int]] = {}
        self._began = link.clock.wall_ms()
        self._pursuits: Pursuits  # made in run(), which has the loop
        self._group: asyncio.TaskGroup | None = None

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
        """Serve until cancelled; raises SecondWorker, JournalLost, or what the journal raises."""
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
                heard=self._payby_heard,
                unheard=self._payby_unheard,
                spawn=lambda work, name: group.create_task(work, name=name),  # type: ignore[arg-type]
            )
            await self._start()
            for kind, hear in (
                ("fee", self._hear_fee),
                ("paid", self._hear_notification),
                ("refund", self._hear_notification),
                ("vehicle", self._hear_vehicle),
                ("barrier", self._hear_barrier),
                ("command", self._hear_command),
                ("health", self._hear_health),
            ):
                group.create_task(self._listen(kind, hear), name=f"worker hears {kind}")
            group.create_task(self._consume(), name="worker")
            group.create_task(self._link.beat(), name="worker health")
            self._link.bus.on_change(self._reconnected)

    def _reconnected(self, connected: bool) -> None:
        """A broker that was away may have forgotten what lanes show."""
        for lane in list(self._said) if connected else ():
            self._later(0, lane, again=True)

    async def _start(self) -> None:
        """Owe what the state owes, and nothing that was done before."""
        await self._take(_Item(events.Started(self.now(), self._settings.version)))
        for stay in list(self.ledger.garage.stays.values()):
            self._follow(stay, restarted=True)
            if stay.grants or any(p.holder == "credit" for p in stay.payments):
                self.post(events.TimePassed(self.now(), session=stay.session))
        for lane in list(self.ledger.garage.lanes.values()):
            self.post(events.TimePassed(self.now(), lane=lane.id))
            await self._show(lane.id)

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
        lanes = set(change.lanes) | {s.lane for s in change.stays.values() if s.lane}
        if isinstance(item.event, events.OrderReported) and item.event.order_no not in self._confirmed:
            self._confirmed.add(item.event.order_no)
            lanes |= {lane for lane in (self._lane_of(item.event.order_no),) if lane}
        for lane in lanes:
            await self._show(lane)
            self._schedule(garage.lanes.get(lane) or Lane(lane))
        for action in change.actions:
            await self._act(action)

    def _follow(self, stay: Stay, *, restarted: bool = False) -> None:
        self._pursuits.follow(stay.session, owed.owed(stay), restarted=restarted)
        self._index(stay)
        if timer := self._stay_timers.pop(stay.session, None):
            timer.cancel()
        if due := owed.stay_due(stay, self.now()):
            self._stay_timers[stay.session] = self._at(due, lambda: events.TimePassed(self.now(), session=stay.session))

    def _index(self, stay: Stay) -> None:
        """Know a stay by its lifts while an answer to them matters."""
        lifts = {g.id for g in stay.grants} | {p.grant for p in stay.payments if p.grant}
        for lift in self._lifts_of.get(stay.session, set()) - lifts:
            self._lifts.pop(lift, None)
        self._lifts |= dict.fromkeys(lifts, stay.session)
        self._lifts_of[stay.session] = lifts

    def _schedule(self, lane: Lane) -> None:
        said = self._of(lane.id)
        if said.timer:
            said.timer.cancel()
            said.timer = None
        stay = self.ledger.garage.stays.get(lane.visit.fee.session) if lane.visit else None
        if due := owed.lane_due(lane, stay, self.now()):
            said.timer = self._at(due, lambda: events.TimePassed(self.now(), lane=lane.id))

    def _at(self, due: int, event: Callable[[], events.Event]) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, (due - self.now()) / 1000) + 0.001, lambda: self.post(event()))

    def _of(self, lane: str) -> _Said:
        return self._said.setdefault(lane, _Said())

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
                await self._show(lane, again=True)

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
        before = self.ledger.garage.lanes.get(lane)
        skew = 0 if heard.retained else round(apart / 1000) * 1000
        event: events.Event = events.BoomSeen(self.now(), lane, barrier.state, barrier.lift, skew)
        if barrier.state == "down" and before and before.boom and before.boom.state != "down":
            self._pursuits.hurry(lane)
        answer = barrier.answer
        session = self._lifts.get(answer.lift) if answer else None
        if answer and session and not heard.retained:
            self.post(event)
            event = events.LiftAnswered(self.now(), lane, session, answer.lift, answer.outcome, answer.why or "")

        async def done(_: Change) -> None:
            heard.ack()

        self.post(event, done)

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

        event = events.CommandGiven(
            self.now(),
            lane,
            command.id,
            command.command,
            command.by,
            self.now() + moment(command.not_after) - wall,
            command.session,
            command.order_no,
            None if command.amount is None else money.parse(command.amount),
            command.reason or "",
        )
        self.post(event, done)

    async def _hear_health(self, heard: Heard) -> None:
        health, topic = heard.message, heard.topic
        assert isinstance(health, messages.Health)
        heard.ack()
        if topic.lane == GARAGE_WIDE:
            if topic.role == "worker":
                await self._other_worker(health, retained=heard.retained)
            return
        gone = health.state == "offline"
        if topic.role == "barrier" and gone:
            self.post(events.BarrierGone(self.now(), topic.lane))
        elif topic.role == "loops" and gone:
            self.post(events.VehicleUnknown(self.now(), topic.lane))
        elif topic.role == "lcd" and not gone and health.instance != self._of(topic.lane).lcd:
            self._of(topic.lane).lcd = health.instance
            await self._show(topic.lane, again=True)

    async def _other_worker(self, health: messages.Health, *, retained: bool) -> None:
        """Of two workers that hear each other's live heartbeats the later one stops. An instance's id tells when it
        began. One heartbeat proves nothing: the broker may have kept the last one of the worker before us."""
        instance = self._link.bus.instance
        if retained or health.state == "offline" or not health.instance < instance:
            return
        last, count = self._rivals.get(health.instance, ("", 0))
        self._rivals[health.instance] = (health.at, count + (health.at != last and moment(health.at) > self._began))
        if self._rivals[health.instance][1] >= 2:
            await self._link.alert("second-worker", "critical", "a second worker was started for this garage; it stops")
            raise SecondWorker("another worker already serves this garage; exactly one may")

    def _known(self, lane: str) -> None:
        self.ledger.garage.lanes.setdefault(lane, Lane(lane))

    # -- speaking ------------------------------------------------------------------------------------------------

    async def _show(self, name: str, *, again: bool = False) -> None:
        """Publish a lane's screen and order where they are news, or ``again``."""
        lane = self.ledger.garage.lanes.get(name) or Lane(name)
        said, now = self._of(name), self.now()
        session = lane.visit.fee.session if lane.visit else None
        stay = self.ledger.garage.stays.get(session) if session else None
        shown = screen(lane, stay, now, hindrance=self._idle_hindrance())
        symbol = None
        if shown.state == "pay":
            symbol = self._symbol(said, shown.token_url or "")
            if lane.visit and lane.visit.order_no not in self._confirmed:
                shown, symbol = Shown("wait", shown.fee, shown.session, shown.car), None
            elif symbol is None:
                shown = Shown("help", shown.fee, shown.session, shown.car, reason="qr", help_code=shown.help_code)
        if said.refresh:
            said.refresh.cancel()
            said.refresh = None
        if shown.until is not None:
            said.refresh = self._later((shown.until - now) / 1000 + 0.001, name)
        elif shown.state == "pay":
            said.refresh = self._later(PAY_REFRESH_S, name, again=True)
        if again or shown != said.shown:
            said.shown = shown
            await self._link.say(self._voice.screen(self._link.head(), name, shown, symbol, now), lane=name)
        last = self.ledger.garage.stays.get(session or lane.session or "")
        told = self._voice.order_facts(lane, last)
        if told != said.order:
            said.order = told
            await self._link.say(self._voice.order(self._link.head(), lane, last), lane=name)

    def _later(self, seconds: float, lane: str, *, again: bool = False) -> asyncio.TimerHandle:
        group = self._group
        assert group is not None
        return asyncio.get_running_loop().call_later(
            seconds, lambda: group.create_task(self._show(lane, again=again), name=f"screen of {lane}")
        )

    def _symbol(self, said: _Said, url: str) -> qr.Symbol | None:
        if said.symbol is None or said.symbol[0] != url:
            try:
                said.symbol = (url, qr.encode(url))
            except qr.QrError as error:
                logger.error("the token URL makes no QR code: %s", error)
                return None
        return said.symbol[1]

    def _idle_hindrance(self) -> tuple[State, str] | None:
        if reason := self._hindered():
            return ("closed" if reason == "disk-full" else "out-of-order"), reason
        return ("out-of-order", self._health.trouble) if self._health.trouble else None

    async def _say_lift(self, send: SendLift) -> None:
        await self._link.say(self._voice.lift(self._link.head(), send), lane=send.grant.lane)

    async def _act(self, action: Action) -> None:
        match action:
            case Alert(code, severity, text, lane, session, order_no, once):
                help_code = numbers.help_code(session) if session else None
                await self._link.alert(
                    code,
                    severity,
                    text,
                    lane=lane or GARAGE_WIDE,
                    session=session,
                    order_no=order_no,
                    help_code=help_code,
                    once=once,
                )
            case Clear(code, text, lane):
                await self._link.clear(code, text, lane=lane or GARAGE_WIDE)
            case TellRefund(refund):
                lane = self._lane_of(refund.order_no)
                await self._link.say(self._voice.refund(self._link.head(), refund), lane=lane or GARAGE_WIDE)
            case Reply():
                pass  # answered by whoever asked

    # -- PayBy's health ------------------------------------------------------------------------------------------

    def _payby_heard(self) -> None:
        self._health.failures = 0
        if self._health.trouble:
            self._trouble("")

    def _payby_unheard(self, error: errors.CallFailed) -> None:
        if isinstance(error, errors.Unauthorised | errors.ClockWrong):
            self._trouble("clock" if isinstance(error, errors.ClockWrong) else "unauthorised", str(error))
        elif isinstance(error, errors.OutcomeUnknown):
            self._health.failures += 1
            if self._health.failures >= TROUBLED_AFTER:
                self._trouble("payby", str(error))
        elif not isinstance(error, errors.NotSent):
            self._payby_heard()  # a signed refusal is an answer

    def _trouble(self, reason: str, text: str = "") -> None:
        """PayBy is out of reach or refuses us (``reason``), or answers again (empty)."""
        if reason == self._health.trouble:
            return
        before, self._health.trouble = self._health.trouble, reason
        assert self._group is not None
        self._group.create_task(self._tell_trouble(before, reason, text), name="PayBy's health")
        if reason and (self._health.probe is None or self._health.probe.done()):
            self._health.probe = self._group.create_task(self._probe(), name="PayBy probe")

    async def _tell_trouble(self, before: str, reason: str, text: str) -> None:
        if before:
            await self._link.clear(f"payby-{before}", "PayBy answers again")
        if reason:
            self._link.degraded(f"PayBy: {text}")
            await self._link.alert(f"payby-{reason}", "critical", text)
        else:
            self._link.healthy()
        for lane in list(self.ledger.garage.lanes):
            await self._show(lane)

    async def _probe(self) -> None:
        """Ask PayBy every 15 s while it is in trouble, so that an idle garage learns when it is over."""
        while self._health.trouble:
            await asyncio.sleep(PROBE_S)
            try:
                await self._payby.probe()
            except errors.CallFailed as error:
                logger.info("PayBy is still in trouble: %s", error)
            else:
                self._payby_heard()
