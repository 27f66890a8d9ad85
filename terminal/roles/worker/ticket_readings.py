"""What readers and cameras say: the worker's own tickets become events at once, others once their entry is known."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from terminal.contract.messages import Command, Fee, Plate, moment
from terminal.core import events, ids
from terminal.core.foreign_ticket import ForeignEntry, ForeignTicket, entry_fault, is_in_the_way, plate_of
from terminal.core.model import HelpReason, Lane, ParkingFee
from terminal.core.quote import quote, vouched
from terminal.core.rules import Change
from terminal.core.ticket import session_in
from terminal.eventstore.store import EventLog
from terminal.mqtt.endpoint import Endpoint, ReceivedMessage
from terminal.roles.worker.coupon_readings import CouponReadings
from terminal.roles.worker.event_mapper import FRESH_MS, TICKET_SHOWN, JudgementSettings, since_read, ticket_event
from terminal.roles.worker.inbox import Done, Reply
from terminal.roles.worker.ticket_lookup import ForeignReading, ForeignTicketPolicy, LookupWorld, TicketLookups
from terminal.roles.worker.ticket_source import TicketSource

HELD_LOOK_S, HELD_LOOKS = 0.5, 60
"""How often (s) is looked whether a plate that is held can be taken in, and how many times."""


@dataclass(frozen=True, slots=True)
class ForeignTicketSettings:
    """Which tickets that this garage did not make are taken: ``numbers`` of this form (None: none), and plates that a
    camera read with this confidence (per cent; None: none)."""

    numbers: re.Pattern[str] | None = None
    least_confidence: int | None = None
    policy: ForeignTicketPolicy = field(default_factory=ForeignTicketPolicy)


class TicketReadings:
    """``source``: who knows the entries of other systems' tickets; ``log``: the worker's journal."""

    def __init__(
        self,
        endpoint: Endpoint,
        judgement: JudgementSettings,
        foreign: ForeignTicketSettings,
        source: TicketSource | None,
        log: EventLog,
        world: LookupWorld,
    ) -> None:
        self._endpoint, self._judgement, self._foreign, self._world = endpoint, judgement, foreign, world
        self._lookups = TicketLookups(endpoint, source, foreign.policy, judgement.tariff, log, world)
        self._coupons = CouponReadings(judgement, self._lookups.known)
        self._held: dict[str, ReceivedMessage] = {}
        """By lane: the plate that was read while no new visit could begin."""
        self.aside, self.is_asking, self.run = self._lookups.aside, self._lookups.is_asking, self._lookups.run

    def _lane(self, name: str) -> Lane:
        """The lane of this name, which may be new."""
        return self._world.store().garage.lanes.setdefault(name, Lane(name))

    async def hear_fee(self, heard: ReceivedMessage) -> None:
        """Take in a `fee`."""
        fee, lane = heard.message, heard.topic.lane
        assert isinstance(fee, Fee)
        self._lane(lane)
        if fee.reason == "number":
            await self._number(fee, lane, heard.ack)
            return
        if fee.reason == "coupon":
            at, store = self._world.now(), self._world.store()
            coupon = self._coupons.event(fee, self._lane(lane), at=at, wall=self._true_ms(), store=store)
            self._world.post(coupon, self._answered(lane, heard.ack))
            return
        event = ticket_event(
            fee,
            lane,
            at=self._world.now(),
            wall=self._endpoint.clock.wall_ms(),
            judgement=self._judgement,
            hindrance=self._world.hindrance(),
            skew=self._world.skew(),
            knows=self._world.store().knows,
        )
        if isinstance(event, events.TicketRead):
            await self._lookups.give_way(lane)
            self._coupons.note(event.fee, fee.ticket)
        self._world.post(event, self._answered(lane, heard.ack))

    def _true_ms(self) -> int:
        return self._endpoint.clock.wall_ms() + self._world.skew()

    async def _number(self, fee: Fee, lane: str, ack: Callable[[], None]) -> None:
        hindrance, ticket = self._world.hindrance(), ForeignTicket("number", fee.ticket)
        ago, read_ms = since_read(moment(fee.exited or fee.at), self._endpoint.clock.wall_ms(), self._world.skew())

        def refused(disputed: str = "") -> events.TicketRefused:
            why: HelpReason = "refused" if disputed else "ticket-unknown"
            return events.TicketRefused(self._world.now(), lane, fee.id, why, disputed, fee.ticket[:64])

        numbers = self._foreign.numbers
        if fee.id in self._lane(lane).fee_ids or hindrance:
            session = ids.derived_id(ids.moment_of(fee.id), "hindered", self._endpoint.garage, fee.id)
            taken = ParkingFee(fee.id, session, fee.ticket[:64], 0, "due", car=fee.car)
            self._world.post(events.TicketRead(self._world.now(), lane, taken, hindrance), self._answered(lane, ack))
        elif numbers is None or not numbers.fullmatch(fee.ticket):
            self._world.post(refused(), self._answered(lane, ack))
        elif abs(ago) > FRESH_MS:
            text = f"a number was read {ago / 1000:.0f} s ago; at most 60 s are accepted"
            self._world.post(refused(text), self._answered(lane, ack))
        else:
            await self._lookups.take(ForeignReading(fee.id, lane, ticket, read_ms, fee.car), ack)

    async def read_out(self, command: Command, name: str, reply: Reply) -> None:
        """An operator read a ticket that no scanner can read, in ``reason``: its text, its number, another system's
        number, or the session that stands on it, for which he vouches."""
        text, lane = (command.reason or "").replace(" ", ""), self._lane(name)
        if why := self._world.hindrance() or ("the lane is closed" if lane.closed else ""):
            await reply("refused", why)
            return
        read_ms = self._endpoint.clock.wall_ms() + self._world.skew()
        car = lane.vehicle.car if lane.vehicle and lane.vehicle.waiting else None
        await self._lookups.note(command.id, f"read out by {command.by}: {text}")
        told, numbers = self._judgement, self._foreign.numbers
        if session := session_in(text):
            due = vouched(session, read_ms, tariff=told.tariff)
        else:
            lost = ids.lost_session(told.garage, name, car, command.id)
            garage, keys, tariff = told.garage, told.ticket_keys, told.tariff
            due = quote(text, read_ms, garage=garage, keys=keys, tariff=tariff, lost_session=lost)
        if due.why == "ticket-unknown" and numbers and numbers.fullmatch(text):
            reading = ForeignReading(command.id, name, ForeignTicket("number", text), read_ms, car)
            await self._lookups.take(reading, lambda: None)
            await reply("done", "it is looked up")
            return
        if due.session is None or due.reason == "refused":
            await reply("refused", due.why or "ticket-unknown")
            return
        if due.entered_ms is not None and entry_fault(due.entered_ms, read_ms):
            await reply("refused", "ticket-unknown")  # a digit of its session was read wrong
            return
        fee = ParkingFee(command.id, due.session, text[:TICKET_SHOWN], due.amount or 0, due.reason, due.minutes, car)
        self._coupons.note(fee, text)

        async def done(change: Change | None) -> None:
            now = self._lane(name)
            if now.visit and now.visit.fee.id == command.id:
                await reply("done", "")
            else:
                await reply("refused", now.notice.reason if now.notice else "nothing came of it")

        await self._lookups.give_way(name)
        self._world.post(events.TicketRead(self._world.now(), name, fee), done)

    async def hear_plate(self, heard: ReceivedMessage) -> None:
        """Take in a `plate`: a person decides about one that was read with too little confidence. One that is read
        while the same car's visit goes on by another ticket changes nothing."""
        plate, name = heard.message, heard.topic.lane
        assert isinstance(plate, Plate)
        lane, least = self._lane(name), self._foreign.least_confidence
        ago, read_ms = since_read(moment(plate.at), self._endpoint.clock.wall_ms(), self._world.skew())
        number = plate_of(plate.plate)
        known = self._lookups.known(ForeignTicket("plate", number))
        sure = bool(number) and least is not None and plate.confidence >= least
        if (
            least is None
            or heard.retained
            or lane.closed
            or plate.id in lane.fee_ids
            or self._lookups.is_asking_number(name)
            or is_in_the_way(lane, plate.car, known.session if known and sure else None)
        ):
            heard.ack()
        elif self._world.hindrance():
            await self._hold(heard)
        elif abs(ago) > FRESH_MS:
            heard.ack()
            text = f"a plate was read {ago / 1000:.0f} s ago; at most 60 s are accepted"
            await self._endpoint.bad_message(str(heard.topic), text)
        elif not sure:
            await self._unsure(plate, name, heard.ack)
        else:
            entry = None if plate.entered is None else ForeignEntry(moment(plate.entered))
            reading = ForeignReading(plate.id, name, ForeignTicket("plate", number), read_ms, plate.car, entry)
            await self._lookups.take(reading, heard.ack)

    async def _hold(self, heard: ReceivedMessage) -> None:
        """No new visit may begin now, and a camera does not repeat what it read: take it in if that is over soon. Of a
        lane's plates only the newest is held."""
        lane = heard.topic.lane
        if older := self._held.pop(lane, None):
            older.ack()
        self._held[lane] = heard
        self._world.spawn(self._take_held(lane, heard), f"plate held at {lane}")

    async def _take_held(self, lane: str, heard: ReceivedMessage) -> None:
        for _ in range(HELD_LOOKS):
            await asyncio.sleep(HELD_LOOK_S)  # nothing tells of every hindrance's end
            if self._held.get(lane) is not heard:
                return
            if not self._world.hindrance():
                del self._held[lane]
                await self.hear_plate(heard)
                return
        del self._held[lane]
        heard.ack()

    async def _unsure(self, plate: Plate, lane: str, ack: Callable[[], None]) -> None:
        notice, now = self._lane(lane).notice, self._world.now()
        if notice and notice.reason == "plate-unsure" and now < notice.until:
            ack()  # it is shown already: a camera reads the same car again and again
            return
        event = events.TicketRefused(now, lane, plate.id, "plate-unsure", ticket=plate.plate)
        self._world.post(event, self._answered(lane, ack))
        text = f"plate {plate.plate} was read with a confidence of {plate.confidence} %: a person decides"
        await self._endpoint.alert("plate-unsure", text, lane=lane, help_code=ids.help_code(plate.plate))

    def _answered(self, lane: str, ack: Callable[[], None]) -> Done:
        async def done(change: Change | None) -> None:
            ack()
            if change is not None and not change:
                await self._world.show(lane, again=True)

        return done
