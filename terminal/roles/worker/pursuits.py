"""Pursues orders, refunds and lifts until they are answered, each by a task of its own.

A task asks, posts the outcome to the worker as an event, and goes on until the state no longer owes it; then it is
cancelled. It decides nothing: the rules say what an answer means.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from terminal.config.schema import advice
from terminal.contract import lift_rules as grant
from terminal.contract import messages
from terminal.core import ids
from terminal.core.actions import CloseOrder, PlaceOrder, PlaceRefund, Pursuit, PursuitKey, QueryOrder, SendLift, key_of
from terminal.core.events import OrderDenied, OrderReported, OrderUnheard, RefundUnheard
from terminal.core.model import PaymentProof
from terminal.core.rules import Change
from terminal.payby import errors
from terminal.payby.client import OrderAnswer
from terminal.payby.messages import AcquireOrder, RefundOrder
from terminal.roles.worker.code_scans import CodeScans
from terminal.roles.worker.event_mapper import order_report, refund_report
from terminal.roles.worker.inbox import Done, PostEvent
from terminal.roles.worker.pacing import Pace, lengthening
from terminal.roles.worker.payby_calls import DENIALS, UNSIGNED, PayByOrders
from terminal.roles.worker.payby_requests import device_of

LIFT_REPEATS_S = (0.5, 1.0, 2.0, 3.0)
"""The pauses (s) between publications of an unanswered lift; the last one repeats."""
LIFT_ASKED_S = 30.0
"""The pause between two questions about a lift whose deadline passed unanswered."""
REFUND_QUERY_S = (5.0, 15.0, 60.0, 300.0)
QUERY_EVERY_S = (2.2, 5.8)
"""PayBy's acceptance cases ask for 2 to 6 s between two queries, as they arrive at PayBy."""
PLACING_QUERY_S = (2.5, 4.0)
"""The pace while it is unknown whether there is an order."""
CLOSE_EVERY_S = (3.2, 5.0)
"""They ask for 3 to 10 s between two cancellations; we send a query before each."""
CALL_LIMIT_S = 5.5
"""A query or cancellation that takes longer has failed: the next one is due."""
REACHED_S = 2.0
"""How long after its start a placeOrder has certainly reached PayBy, answered or not."""
CLOSING_QUERY_LIMIT_S = 4.0
"""Together with CALL_LIMIT_S, less than the 10 s between two cancellations."""
LOOKS = 2
"""How often PayBy's proof of a payment may be too long for a lift before a person decides."""
TOO_LONG = "PayBy's signed words are too long for a lift, so no barrier can check them"
FAILED_PAUSES_S = (5.0, 15.0, 60.0, 300.0)
"""The pauses (s) before a pursuit that failed unexpectedly starts again; the last one repeats."""
NOTHING_NEW = (errors.OrderPaid, errors.RateLimited, errors.NotSent)
"""After these failures the next query tells more, or nothing was sent at all."""
NEVER_REFUNDED = errors.RefundRejected | errors.OurMistake | errors.OrderDead | errors.OrderUnknown
"""Refusals of a refund that asking again will not change; the last two mean that PayBy has no payment to refund."""
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    pursuit: Pursuit
    news: asyncio.Event = field(default_factory=asyncio.Event)
    is_new: bool = True
    task: asyncio.Task[None] = field(init=False)
    """A record that needs the one before it, so it comes second."""


@dataclass(slots=True)
class Pursuits:
    """``say_lift`` signs and publishes; ``pause`` returns seconds within two bounds.

    ``heard`` and ``unheard`` are told of each answer that counts and each failure. ``alone`` keeps an exception of one
    session's pursuit from the others: it alerts, and the pursuit starts again after a pause. ``device_ids``: by lane,
    for orders whose own request is no longer here. ``failed`` is told of failures for which PayBy gives a reason;
    ``codes`` asks whether a phone has read a code. Nothing is asked again before there is ``room`` for the answer.
    """

    payby: PayByOrders
    payee_mid: str
    words: Mapping[PursuitKey, bytes]
    now: Callable[[], int]
    post: PostEvent
    say_lift: Callable[[SendLift], Awaitable[None]]
    pause: Callable[[float, float], float]
    query_every: float
    heard: Callable[[], None]
    unheard: Callable[[errors.CallFailed], None]
    spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    alone: Callable[[str, str], AbstractContextManager[None, bool | None]] = lambda what, session: nullcontext()
    device_ids: Mapping[str, str] = field(default_factory=dict)
    failed: Callable[[AcquireOrder | RefundOrder], object] = lambda _: None
    codes: CodeScans = field(default_factory=CodeScans)
    room: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)
    _running: dict[str, dict[PursuitKey, _Running]] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    """When an order was last queried, by the event loop's clock (s)."""
    _reached: dict[str, int] = field(default_factory=dict)
    """By when an order had reached PayBy, which counts its time from there; by the worker's time (ms)."""
    _too_long: dict[str, int] = field(default_factory=dict)
    """How often PayBy's proof of a payment was too long."""
    _looking: set[str] = field(default_factory=set)
    _told: dict[str, set[str]] = field(default_factory=dict)
    """The kinds of unsigned refusals that an order has got."""

    def follow(self, session: str, wanted: Iterable[Pursuit], *, restarted: bool = False) -> None:
        """Pursue exactly these for a stay from now on; ``restarted``: this process has asked for none of them yet."""
        running = self._running.setdefault(session, {})
        now_wanted = {key_of(p): p for p in wanted}
        for key in running.keys() - now_wanted.keys():
            running.pop(key).task.cancel()
            if all(key.number != other.number for other in now_wanted):
                self.codes.forget(key.number)
                self._asked.pop(key.number, None)
                self._too_long.pop(key.number, None)
                self._reached.pop(key.number, None)
                self._told.pop(key.number, None)
        for key, pursuit in now_wanted.items():
            if known := running.get(key):
                if known.pursuit != pursuit:
                    known.pursuit = pursuit
                    known.news.set()
            else:
                record = running[key] = _Running(pursuit)
                record.task = self.spawn(self._guarded(session, key, record, restarted), f"{key.what} {key.number}")
        if not running:
            del self._running[session]

    async def send_lifts(self, session: str) -> bool:
        """Send a stay's new lifts now, not when their tasks have a turn: a driver waits. Returns whether it had any."""
        running = self._running.get(session, {}).values()
        new = [record for record in running if isinstance(record.pursuit, SendLift) and record.is_new]
        for record in new:
            record.is_new = False
            await self._send(record)
        return bool(new)

    def hurry(self, lane: str) -> None:
        """The arm is down: send a lift that was answered `busy` again at once."""
        for running in self._running.values():
            for record in running.values():
                if isinstance(record.pursuit, SendLift) and record.pursuit.grant.lane == lane:
                    record.news.set()

    def cancel(self) -> None:
        """End every task."""
        for running in self._running.values():
            for record in running.values():
                record.task.cancel()
        self._running.clear()

    async def _guarded(self, session: str, key: PursuitKey, record: _Running, restarted: bool) -> None:
        """A pursuit goes on until it is cancelled, so one that ended has failed."""
        for pause_s in lengthening(FAILED_PAUSES_S):
            with self.alone(f"{key.what} {key.number}", session):
                await self._pursue(record, restarted)
            restarted = True
            await asyncio.sleep(pause_s)

    async def _pursue(self, record: _Running, restarted: bool) -> None:
        match record.pursuit:
            case PlaceOrder():
                await self._place(record, restarted)
            case QueryOrder():
                await self._query(record, restarted)
            case CloseOrder():
                await self._close(record)
            case PlaceRefund():
                await self._refund(record)
            case SendLift():
                await self._lift(record)

    async def _place(self, record: _Running, restarted: bool) -> None:
        """Place the order. If the outcome is unknown, query every 2 to 6 s, and place again with the same request if
        PayBy does not have it, or has it and we lack its token."""
        assert isinstance(record.pursuit, PlaceOrder)
        order = record.pursuit.order
        words = self.words[key_of(record.pursuit)]

        async def place() -> None:
            latest = self.now() + round(REACHED_S * 1000)
            try:
                await self._report(order.no, "placeOrder", self.payby.place_order(words))
            finally:
                if self._is_pursued(order.no):  # it may have been cancelled with the stay's last pursuit
                    self._reached.setdefault(order.no, min(self.now(), latest))

        async with asyncio.TaskGroup() as group:
            if not restarted:
                await place()
            placing: asyncio.Task[None] | None = None
            pace = Pace(self.pause, *PLACING_QUERY_S, at_once=restarted)
            while await pace.turn():
                said = await self._query_once(order.no)
                open_there = isinstance(said, OrderReported) and said.status == "CREATED"
                absent = open_there or isinstance(said, errors.OrderUnknown)
                if absent and self.now() < order.payby_expires and (placing is None or placing.done()):
                    placing = group.create_task(place(), name=f"placeOrder again {order.no}")

    async def _query(self, record: _Running, restarted: bool) -> None:
        assert isinstance(record.pursuit, QueryOrder)
        least, most = QUERY_EVERY_S
        fast, slow = max(least, self.query_every * 0.9), min(most, max(least, self.query_every * 1.1))
        pace = Pace(self.pause, min(fast, slow), slow, at_once=restarted)
        no = record.pursuit.order.no
        async with asyncio.TaskGroup() as group:
            while await pace.turn():
                if (asked_s := self._asked_ago(no)) < least:  # a look-up asked just now
                    pace.within(least - asked_s)
                    continue
                self.codes.between(group, record.pursuit.order, fast / 2)
                await self._query_once(no)

    async def _close(self, record: _Running) -> None:
        """Query the order, and cancel it unless it is known to be closed, until PayBy's word ends it. An order that
        PayBy does not have is cancelled too, as long as the rules ask: its placeOrder may still be on the way. An order
        that ran out is not cancelled before its time is over for PayBy, too, which counts from its arrival there."""
        assert isinstance(record.pursuit, CloseOrder)
        order, loop = record.pursuit.order, asyncio.get_running_loop()
        no, not_before_s = order.no, loop.time()
        if (now := self.now()) >= order.expires:
            reached = self._reached.get(no, order.placed + round(REACHED_S * 1000))
            not_before_s += (order.expires + reached - order.placed - now) / 1000
        pace = Pace(self.pause, *CLOSE_EVERY_S, at_once=True)
        while await pace.turn():
            said = None
            if (asked_s := self._asked_ago(no)) < QUERY_EVERY_S[0]:  # another query now would follow too fast
                pace.within(CLOSE_EVERY_S[0] + QUERY_EVERY_S[0] - asked_s)  # and one after a whole turn, too slowly
            else:
                said = await self._query_once(no, CLOSING_QUERY_LIMIT_S)
            if not isinstance(said, OrderReported) or said.status == "CREATED":
                held_s = max(0.0, not_before_s - loop.time())
                await asyncio.sleep(held_s)
                not_before_s = loop.time() + CLOSE_EVERY_S[0]
                cancelling = self.payby.cancel_order(no)
                refusal = await self._report(no, "cancelOrder", cancelling, limit_s=CALL_LIMIT_S - held_s)
                if isinstance(refusal, errors.OrderPaid):  # believed only after a look-up, which brings the proof
                    await self._query_once(no)

    def _is_pursued(self, no: str) -> bool:
        return any(key.number == no for running in self._running.values() for key in running)

    def _asked_ago(self, no: str) -> float:
        """Seconds since the last query of an order began."""
        return asyncio.get_running_loop().time() - self._asked.get(no, -math.inf)

    async def _query_once(
        self, no: str, limit_s: float = CALL_LIMIT_S, done: Done | None = None
    ) -> OrderReported | errors.CallFailed:
        await self.room()
        self._asked[no] = asyncio.get_running_loop().time()
        device = self._device(no)
        asking = self.payby.get_order(no, device_id=device) if device else self.payby.get_order(no)
        return await self._report(no, "getOrder", asking, limit_s=limit_s, done=done)

    def _device(self, no: str) -> str | None:
        """The device that an order was placed with."""
        if words := self.words.get(PursuitKey("placeOrder", no)):
            return device_of(words)
        name = ids.parse_order_no(no)
        return self.device_ids.get(name.lane) if name else None

    async def look(self, no: str, done: Done) -> None:
        """Ask about an order once, soon: PayBy's notification of it was too long to be a proof. The answer is posted
        with ``done``, which gets None if no answer counts."""
        if no in self._looking:
            await done(None)  # the look-up before it gets the answer
            return
        self._looking.add(no)
        try:
            await asyncio.sleep(QUERY_EVERY_S[0] - min(self._asked_ago(no), QUERY_EVERY_S[0]))
            await self._query_once(no, done=done)
        finally:
            self._looking.discard(no)
            if not self._is_pursued(no):
                self._asked.pop(no, None)
                self._too_long.pop(no, None)
                self._told.pop(no, None)

    async def _report(
        self, no: str, call: str, answer: Awaitable[OrderAnswer], limit_s: float | None = None, done: Done | None = None
    ) -> OrderReported | errors.CallFailed:
        done = done or _nothing
        try:
            async with asyncio.timeout(limit_s):
                said = await answer
        except TimeoutError:
            await done(None)
            return self._failed(no, call, errors.OutcomeUnknown(call, why=f"no answer within {limit_s} s"))
        except errors.CallFailed as error:
            await done(None)
            return self._failed(no, call, error)
        self.heard()
        self._told_why(said.order)
        event = order_report(
            said.order,
            PaymentProof(said.body, said.sign),
            at=self.now(),
            payee_mid=self.payee_mid,
            token_url=said.token_url or "",
        )
        if event.status == "PAID" and not grant.fits(messages.Proof(said.body, said.sign)):
            looked = self._too_long[no] = self._too_long.get(no, 0) + 1
            if looked < LOOKS:  # another answer may be shorter
                await done(None)
                return event
            event = replace(event, wrong=event.wrong or TOO_LONG)
        self.post(event, done)
        return event

    def _failed(self, no: str, call: str, error: errors.CallFailed) -> errors.CallFailed:
        self.unheard(error)
        said = error.said if isinstance(error, errors.OutcomeUnknown) else None
        denial = said or error
        kind = (UNSIGNED if said else DENIALS).get(type(denial))
        if mend := advice(denial.code):
            kind = "unauthorised"  # a wrong setting is not a fault of this program
        if kind and (said is None or self._news(no, kind, call)):
            text = denial.msg + mend
            self.post(OrderDenied(self.now(), no, call, denial.code, text, kind, said is not None))
        if (kind is None or (said and call != "placeOrder")) and not isinstance(error, NOTHING_NEW):
            logger.warning("%s", error)
            self.post(OrderUnheard(self.now(), no, call, str(error)))
        return error

    def _news(self, no: str, kind: str, call: str) -> bool:
        """Is this the first unsigned refusal of its kind? A query is repeated anyway, a refused placeOrder is not."""
        told = self._told.setdefault(no, set())
        known = kind in told
        told.add(kind)
        return call == "placeOrder" or not known

    async def _refund(self, record: _Running) -> None:
        """Ask for the refund under its own number, then query until it has ended; look up an unknown outcome first."""
        assert isinstance(record.pursuit, PlaceRefund)
        refund = record.pursuit.refund
        words = self.words[key_of(record.pursuit)]
        asked = refund.stage != "asked"
        for pause_s in lengthening(REFUND_QUERY_S):
            await self.room()
            try:
                said = await (self.payby.get_refund(refund.no) if asked else self.payby.refund(words))
            except errors.CallFailed as error:
                if asked and isinstance(error, errors.RefundUnknown):
                    asked = False
                    continue  # PayBy never had it: ask for it at once
                self.unheard(error)
                final = isinstance(error, NEVER_REFUNDED if not asked else errors.RefundRejected | errors.OurMistake)
                self.post(RefundUnheard(self.now(), refund.no, refund.order_no, str(error), error.code, final))
            else:
                self.heard()
                self._told_why(said.refund)
                if event := refund_report(said.refund, at=self.now()):
                    self.post(event)
            asked = True
            await asyncio.sleep(self.pause(pause_s, pause_s * 1.2))

    def _told_why(self, what: AcquireOrder | RefundOrder) -> None:
        if what.fail_code or what.fail_des:
            self.failed(what)

    async def _lift(self, record: _Running) -> None:
        """Publish the lift until its deadline; a renewed deadline, or an arm that came down, publishes it at once. An
        overdue lift is published now and then, to get its answer."""
        was_sent, record.is_new = not record.is_new, False
        for pause_s in lengthening(LIFT_REPEATS_S):
            record.news.clear()
            if not was_sent:
                await self._send(record)
            was_sent = False
            assert isinstance(record.pursuit, SendLift)
            pause_s = LIFT_ASKED_S if record.pursuit.grant.overdue else pause_s
            try:
                async with asyncio.timeout(pause_s):
                    await record.news.wait()
            except TimeoutError:
                continue

    async def _send(self, record: _Running) -> None:
        assert isinstance(record.pursuit, SendLift)
        if (grant := record.pursuit.grant).overdue or self.now() < grant.not_after:
            await self.say_lift(record.pursuit)


async def _nothing(_: Change | None) -> None:
    pass
