"""Tickets that this garage did not make: asks who knows their entry, journals question and answer, and posts the event.

The rules hear of such a ticket only once its entry is known, or it is settled what a failure means; until then its lane
shows `wait`. The fee is not answered meanwhile, so its reader repeats it, also to a worker that was killed and started
again; a question that the journal has no answer to is asked again. What was told of a ticket is journaled before the
event, so no reading after it can be another stay (core/foreign_ticket).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from terminal.clock import new_id
from terminal.contract.topics import GARAGE_WIDE
from terminal.core import events, ids
from terminal.core.foreign_ticket import (
    ForeignEntry,
    ForeignStay,
    ForeignStays,
    ForeignTicket,
    coming_back,
    entry_fault,
    flat_stay,
    foreign_quote,
    stays_the_same,
    told_stay,
)
from terminal.core.model import HelpReason, ParkingFee, Stay
from terminal.core.money import Fils
from terminal.core.rules import Change
from terminal.core.tariff import TicketPricing
from terminal.eventstore.store import EventLog, EventStore
from terminal.journal.kinds import ASKED, TOLD
from terminal.mqtt.endpoint import Endpoint
from terminal.mqtt.throttle import Throttle
from terminal.payby.plain_text import plain
from terminal.roles.worker.inbox import Done, PostEvent
from terminal.roles.worker.ticket_source import LookupFailed, OddAnswer, TicketSource

RESUMED_MS = 30_000
"""A start asks again about what was read within this time; a driver who waited longer scans again."""
ASKED_EVERY_MS, ASKED_BURST = 1000, 5
"""How often a lane's tickets may cause a question; the reader repeats the others."""
OPEN_KEPT = 100


@dataclass(frozen=True, slots=True)
class ForeignTicketPolicy:
    """What holds for tickets that this garage did not make. ``flat``: the fee (fils) if nobody tells the entry; 0: a
    person is needed. ``current_ms``: how long an answer counts without another question; ``most``: how many tickets are
    remembered."""

    timeout_s: float = 3.0
    flat: int = 0
    current_ms: int = 15 * 60_000
    most: int = 10_000


@dataclass(frozen=True, slots=True)
class ForeignReading:
    """A ticket that was read at a lane (``read_ms``: by the true time); ``entry``: what its camera said of it."""

    id: str
    lane: str
    ticket: ForeignTicket
    read_ms: int
    car: str | None = None
    entry: ForeignEntry | None = None


@dataclass(frozen=True, slots=True)
class ToldTicket:
    """What came of a reading, in words; ``stay``: what is believed of its ticket since then."""

    id: str
    text: str
    stay: ForeignStay | None = None


class ShowLane(Protocol):
    """Publishes what a lane shows, if it has changed or ``again``."""

    async def __call__(self, name: str, *, again: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class LookupWorld:
    """What readings need of their worker. ``now``: its steady time (ms); ``skew``: how many ms the true time is ahead
    of the wall clock; ``hindrance``: why no new visit may begin."""

    now: Callable[[], int]
    skew: Callable[[], int]
    hindrance: Callable[[], str]
    store: Callable[[], EventStore]
    show: ShowLane
    post: PostEvent
    spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]


@dataclass(eq=False, slots=True)
class _Asking:
    """A question under way. ``task`` is None until it begins."""

    reading: ForeignReading
    task: asyncio.Task[None] | None = field(default=None)


def paid_for(stay: Stay) -> int:
    """What a stay has paid in all, by phone, at a station and by coupons of an amount, without what was given back
    (fils)."""
    back = sum(refund.amount for refund in stay.refunds if refund.stage in ("settled", "success"))
    by_phone = sum(payment.amount for payment in stay.payments)
    return by_phone - back + sum(one.value for one in stay.allowances if one.kind in ("paid", "amount"))


_READINGS, _TOLD = msgspec.json.Decoder(ForeignReading), msgspec.json.Decoder(ToldTicket)


class TicketLookups:
    """``source``: who is asked; None: nobody. ``log``: the worker's journal."""

    def __init__(
        self,
        endpoint: Endpoint,
        source: TicketSource | None,
        policy: ForeignTicketPolicy,
        tariff: TicketPricing,
        log: EventLog,
        world: LookupWorld,
    ) -> None:
        self._endpoint, self._source, self._policy, self._tariff = endpoint, source, policy, tariff
        self._log, self._world = log, world
        self._stays = ForeignStays(policy.most)
        self._asking: dict[str, _Asking] = {}
        self._open: OrderedDict[str, ForeignReading] = OrderedDict()
        """Questions in the journal without an answer there, by id."""
        self._throttles: dict[str, Throttle] = {}
        self.aside = {ASKED: self._replay_asked, TOLD: self._replay_told}
        """What a replay hands over, by the kinds of rows."""

    def _true_ms(self) -> int:
        return self._endpoint.clock.wall_ms() + self._world.skew()

    def _is_over(self, session: str) -> bool:
        return self._world.store().is_over(session)

    # -- the journal ---------------------------------------------------------------------------------------------

    def _replay_asked(self, data: bytes) -> None:
        reading = _READINGS.decode(data)
        self._open[reading.id] = reading
        if len(self._open) > OPEN_KEPT:
            self._open.popitem(last=False)

    def _replay_told(self, data: bytes) -> None:
        told = _TOLD.decode(data)
        self._open.pop(told.id, None)
        if told.stay:
            self._stays.put(told.stay)

    async def _journal(self, kind: str, what: ForeignReading | ToldTicket) -> None:
        await self._log.append([(kind, msgspec.json.encode(what))], self._world.now())

    # -- life ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ask again what a start finds unanswered, and keep the source open, until cancelled."""
        for reading in self._open.values():
            young = 0 <= self._true_ms() - reading.read_ms <= RESUMED_MS
            if self._source and young and reading.lane not in self._asking:  # its reader may have been quicker
                self._begin(self._claim(reading))
        self._open.clear()
        if self._source:
            await self._source.run(self._late)

    def is_asking(self, lane: str) -> bool:
        """Is a question about a ticket of this lane under way?"""
        return lane in self._asking

    def is_asking_number(self, lane: str) -> bool:
        """… and is it about a number that a driver has scanned?"""
        asking = self._asking.get(lane)
        return asking is not None and asking.reading.ticket.kind == "number"

    def known(self, ticket: ForeignTicket) -> ForeignStay | None:
        """What is believed of the ticket."""
        return self._stays.get(ticket)

    async def take(self, reading: ForeignReading, ack: Callable[[], None]) -> None:
        """Take in a reading; ``ack`` is called once it is in the journal, or need not be kept."""
        lane, before = reading.lane, self._asking.get(reading.lane)
        if before and before.reading.id == reading.id:
            ack()
            return
        known = self._stays.get(reading.ticket)
        current = self._stays.current(reading.ticket, reading.read_ms, self._policy.current_ms, self._is_over)
        asks = not reading.entry and not current and self._source is not None
        if asks and not self._throttle(lane).take(self._endpoint.clock.steady_ms()):
            ack()  # its reader repeats it
            return
        await self.give_way(lane)
        if reading.entry:
            await self._told_by_camera(reading, reading.entry)
            ack()
        elif known and current:
            self._give(reading, known)
            ack()
        elif asks:
            asking = self._claim(reading)
            try:
                await self._journal(ASKED, reading)
            except BaseException:  # however it ended, the lane asks about nothing; it is raised again
                self._let_go(asking)
                raise
            ack()
            self._begin(asking)
            await self._world.show(lane)
        else:
            self._refuse(reading, "plate-unsure")
            ack()

    async def give_way(self, lane: str) -> None:
        """Another ticket takes the place of the one that is asked about, also if this process is killed now."""
        if asking := self._asking.pop(lane, None):
            if asking.task:
                asking.task.cancel()
            await self._journal(TOLD, ToldTicket(asking.reading.id, "another ticket took its place"))

    async def note(self, reading_id: str, text: str) -> None:
        """Journal where a reading comes from."""
        await self._journal(TOLD, ToldTicket(reading_id, plain(text)))

    def _throttle(self, lane: str) -> Throttle:
        return self._throttles.setdefault(lane, Throttle(ASKED_EVERY_MS, burst=ASKED_BURST))

    async def _told_by_camera(self, reading: ForeignReading, entry: ForeignEntry) -> None:
        if fault := entry_fault(entry.entered_ms, reading.read_ms):
            await self._alert_odd(reading.ticket, fault)
            self._refuse(reading, "plate-unsure")
            return
        before = self._stays.get(reading.ticket)
        stay = await self._told_stay(reading.ticket, entry, reading.read_ms)
        if before is None or before.session != stay.session:
            await self._journal(TOLD, ToldTicket(reading.id, "told by the camera", stay))
        self._stays.put(stay)
        self._give(reading, stay)

    # -- asking --------------------------------------------------------------------------------------------------

    def _claim(self, reading: ForeignReading) -> _Asking:
        """From here on the lane asks about this reading, though the journal may not know it yet."""
        asking = self._asking[reading.lane] = _Asking(reading)
        return asking

    def _begin(self, asking: _Asking) -> None:
        """Ask, unless another reading has taken its place."""
        if self._asking.get(asking.reading.lane) is asking:
            asking.task = self._world.spawn(self._look_up(asking), f"look-up of {asking.reading.ticket.number}")

    def _let_go(self, asking: _Asking) -> None:
        if self._asking.get(asking.reading.lane) is asking:
            del self._asking[asking.reading.lane]

    async def _look_up(self, asking: _Asking) -> None:
        reading, ticket = asking.reading, asking.reading.ticket
        stay: ForeignStay | None = None
        refusal: HelpReason = "ticket-unknown"
        posted = False
        try:
            try:
                entry = await self._answer(ticket, reading.read_ms)
            except LookupFailed as error:
                stay = await self._failed(reading, error)
                refusal, text = "ticket-unanswered", str(error)
            else:
                await self._endpoint.clear("lookup-failed", "the other system answers", lane=GARAGE_WIDE)
                text = "there is no such ticket"
                if entry:
                    stay, text = await self._told_stay(ticket, entry, reading.read_ms), "found"
            await self._journal(TOLD, ToldTicket(reading.id, plain(text), stay))
            if stay:
                self._stays.put(stay)
                self._give(reading, stay, asking)
            else:
                self._refuse(reading, refusal, asking)
            posted = True
        finally:
            if not posted:
                self._let_go(asking)

    async def _told_stay(self, ticket: ForeignTicket, entry: ForeignEntry, read_ms: int) -> ForeignStay:
        """What is believed of a ticket whose entry was told: a new stay may go on with the one before it."""
        before = self._stays.get(ticket)
        stay = told_stay(self._endpoint.garage, ticket, entry, read_ms, before)
        if before is None or stay.session == before.session:
            return stay
        store = self._world.store()
        row = store.resting_stays.row_of(before.session)
        data = await self._log.fetch(row) if row and before.session not in store.garage.stays else None
        past = store.find(before.session, lambda _: data)
        if past is None or past.left is None:
            return stay
        left_ms = past.left + self._true_ms() - self._world.now()
        return coming_back(stay, before, left_ms, paid_for(past))

    async def _answer(self, ticket: ForeignTicket, read_ms: int) -> ForeignEntry | None:
        assert self._source is not None, "only what can be asked is asked"
        limit_s = self._policy.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                entry = await self._source.ask(new_id(self._endpoint.clock), ticket)
        except TimeoutError:
            raise LookupFailed(f"no answer within {limit_s:g} s") from None
        if entry and (fault := entry_fault(entry.entered_ms, read_ms)):
            raise OddAnswer(fault)
        return entry

    async def _failed(self, reading: ForeignReading, error: LookupFailed) -> ForeignStay | None:
        """The stay by what was told before, or by the flat fee; None if a person is needed."""
        ticket = reading.ticket
        await self._endpoint.alert("lookup-failed", f"{ticket.kind} {ticket.number}: {error}", lane=GARAGE_WIDE)
        if isinstance(error, OddAnswer):
            await self._alert_odd(ticket, str(error))
        before = self._stays.get(ticket)
        if stays_the_same(before, reading.read_ms, self._is_over):
            return before
        if not self._policy.flat:
            return None
        stay = flat_stay(self._endpoint.garage, ticket, reading.read_ms, Fils(self._policy.flat))
        code, text = ids.help_code(stay.session), f"{ticket.kind} {ticket.number} costs the flat fee: {error}"
        await self._endpoint.alert("lookup-flat", text, lane=reading.lane, session=stay.session, help_code=code)
        return stay

    async def _alert_odd(self, ticket: ForeignTicket, fault: str) -> None:
        await self._endpoint.alert("lookup-odd", f"{ticket.kind} {ticket.number}: {fault}", lane=GARAGE_WIDE)

    def _late(self, ticket: ForeignTicket, entry: ForeignEntry) -> None:
        """An answer came after its time: it serves the next reading, unless a stay goes on by what was settled."""
        before, told_ms = self._stays.get(ticket), self._true_ms()
        if (before and not self._is_over(before.session)) or entry_fault(entry.entered_ms, told_ms):
            return
        stay = told_stay(self._endpoint.garage, ticket, entry, told_ms, before)
        self._stays.put(stay)
        self._world.spawn(self._journal(TOLD, ToldTicket("", "found late", stay)), "a late answer")

    # -- what the rules get --------------------------------------------------------------------------------------

    def _give(self, reading: ForeignReading, stay: ForeignStay, asking: _Asking | None = None) -> None:
        due, world = foreign_quote(stay, reading.read_ms, self._tariff), self._world
        assert due.reason in ("due", "free")
        fee = ParkingFee(
            reading.id,
            stay.session,
            reading.ticket.number,
            due.amount or 0,
            due.reason,
            due.minutes,
            reading.car,
        )
        hindrance, age = world.hindrance(), max(0, self._true_ms() - reading.read_ms)
        age = 0 if hindrance == "clock" else age
        self._world.post(events.TicketRead(world.now(), reading.lane, fee, hindrance, age), self._done(reading, asking))

    def _refuse(self, reading: ForeignReading, reason: HelpReason, asking: _Asking | None = None) -> None:
        event = events.TicketRefused(self._world.now(), reading.lane, reading.id, reason, ticket=reading.ticket.number)
        self._world.post(event, self._done(reading, asking))

    def _done(self, reading: ForeignReading, asking: _Asking | None) -> Done:
        async def done(change: Change | None) -> None:
            if asking and self._asking.get(reading.lane) is asking:
                del self._asking[reading.lane]
            if not change:
                await self._world.show(reading.lane, again=True)

        return done
