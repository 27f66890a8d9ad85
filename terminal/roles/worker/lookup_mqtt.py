"""Asks another system about its tickets over MQTT: `lookup` is the question, `found` the answer."""

import asyncio
from collections import OrderedDict

from terminal.contract.messages import Found, Lookup, moment, stamp
from terminal.contract.topics import GARAGE_WIDE
from terminal.core.foreign_ticket import ForeignEntry, ForeignTicket
from terminal.mqtt.endpoint import Endpoint
from terminal.roles.worker.ticket_source import LateAnswer, OddAnswer

AGAIN_S = 1.0
"""A question is repeated, with the same id, until it is answered or its time is over."""
REMEMBERED = 200
"""How many questions are remembered whose time is over, or that are answered."""


class MqttTickets:
    """The questions of ``endpoint``, the worker's, in the garage's place."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._open: dict[str, tuple[ForeignTicket, asyncio.Future[Found]]] = {}
        self._over: OrderedDict[str, tuple[ForeignTicket, Found | None]] = OrderedDict()
        """The latest questions that are no longer open, each with its answer if there was one."""

    async def run(self, late: LateAnswer) -> None:
        """Take answers until cancelled. An answer to no question of ours changes nothing, and neither does a second
        one; if it differs from the first, a person is told."""
        with self._endpoint.subscribe("found", lane=GARAGE_WIDE) as stream:
            async for received in stream:
                received.ack()
                if isinstance(found := received.message, Found):
                    await self._take(found, late)

    async def ask(self, lookup_id: str, ticket: ForeignTicket) -> ForeignEntry | None:
        """See TicketSource."""
        answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._open[lookup_id] = ticket, answer
        clock = self._endpoint.clock
        question = Lookup(id=lookup_id, at=stamp(clock.wall_ms()), kind=ticket.kind, number=ticket.number)
        try:
            while not answer.done():
                await self._endpoint.publish(question, lane=GARAGE_WIDE)
                await asyncio.wait({answer}, timeout=AGAIN_S)
            found = answer.result()
        finally:
            del self._open[lookup_id]
            self._over[lookup_id] = ticket, answer.result() if answer.done() and not answer.cancelled() else None
            if len(self._over) > REMEMBERED:
                self._over.popitem(last=False)
        return _entry(ticket, found)

    async def _take(self, found: Found, late: LateAnswer) -> None:
        if known := self._open.get(found.lookup):
            if not known[1].done():
                known[1].set_result(found)
            return
        if found.lookup not in self._over:
            return
        ticket, before = self._over[found.lookup]
        if before is None:
            self._over[found.lookup] = ticket, found
            try:
                entry = _entry(ticket, found)
            except OddAnswer:
                return
            if entry:
                late(ticket, entry)
        elif (before.number, before.entered, before.ticket_class) != (found.number, found.entered, found.ticket_class):
            text = f"{ticket.kind} {ticket.number}: a second answer differs from the first, which stands"
            await self._endpoint.alert("lookup-odd", text, lane=GARAGE_WIDE)


def _entry(ticket: ForeignTicket, found: Found) -> ForeignEntry | None:
    if found.number != ticket.number:
        raise OddAnswer("its answer is about another number")
    return None if found.entered is None else ForeignEntry(moment(found.entered), found.ticket_class or "")
