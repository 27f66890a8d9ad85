"""Another garage's system that sells tickets here too: its numbers, and how well it answers when it is asked."""

import asyncio
import random
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from terminal.core.foreign_ticket import LONGEST_MS, ForeignEntry, ForeignTicket
from terminal.roles.worker.ticket_lookup import ForeignTicketPolicy
from terminal.roles.worker.ticket_readings import ForeignTicketSettings
from terminal.roles.worker.ticket_source import LateAnswer, LookupFailed, OddAnswer

if TYPE_CHECKING:
    from tests.sim.plans import Plan
    from tests.sim.world import World

NUMBERS = re.compile(r"7[0-9]{11}")
HOLDERS = frozenset(
    {
        *("pays", "free", "slow", "never pays", "two phones", "backs out", "pays and backs out", "rescans", "wavers"),
        *("other lane", "pays, other lane", "motorcycle", "idles under", "short", "lingers"),
    }
)
"""Drivers who may hold such a number; who scans others' tickets has one of ours."""
TIMEOUT_S = 3.0
FAR_MS = 30 * 86_400_000
"""How far ahead an entry lies that cannot be, by whatever clock of this world."""
MOST_AHEAD_MS = 20_000
"""How much later than the true entry it may tell."""


class _Fee(msgspec.Struct):
    id: str
    session: str


class _Read(msgspec.Struct):
    fee: _Fee


_READ = msgspec.json.Decoder(_Read)


class ForeignSystem:
    """The tickets that it sold, and its mood. It is a TicketSource for one worker process after the other."""

    def __init__(self, world: "World", dice: random.Random) -> None:
        self._world, self._dice = world, dice
        self._entries: dict[str, int] = {}
        self._read: dict[str, tuple[str, float]] = {}
        """By fee: which number was read, and when by the loop's time."""
        self.stays: dict[str, set[str]] = {}
        """By number: the stays that the worker took it for."""
        self.asked = 0
        self._late: LateAnswer | None = None
        self._fails, self._odd, self._slow, self._wavers, self._forgets = (
            dice.choice((0.0, 0.1, 0.5)) for _ in range(5)
        )
        flat = dice.choice((0, 2500))
        self.settings = ForeignTicketSettings(
            NUMBERS, None, ForeignTicketPolicy(TIMEOUT_S, flat, dice.choice((0, 60_000)), 100)
        )

    def is_ours(self, text: str) -> bool:
        """Is this one of its numbers?"""
        return text in self._entries

    def sells(self, plan: "Plan") -> None:
        """Some who came in hold one of its tickets instead of ours."""
        if plan.kind in HOLDERS and self._dice.random() < 0.6:
            plan.ticket = f"7{self._dice.randrange(10**11):011}"
            self._entries[plan.ticket] = plan.entered_ms

    def calm(self) -> None:
        """From now on it answers at once, and well."""
        self._fails = self._odd = self._slow = self._wavers = self._forgets = 0.0

    def reads(self, fee_id: str, number: str) -> None:
        """One of its numbers is held under a scanner."""
        self._read[fee_id] = number, self._world.loop.now

    def journaled(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """Rows are on the worker's disk: for which stay did it take a number, and may that be free?"""
        for kind, data in rows:
            if kind == "TicketRead" and (fee := _READ.decode(data).fee).id in self._read:
                self._becomes(fee.id, fee.session)

    def _becomes(self, fee_id: str, session: str) -> None:
        number, at_s = self._read[fee_id]
        if car := self._world.checks.readers.get(fee_id):
            car.sessions.add(session)
            car.owned.add(session)
        world, read_ms = self._world, self._world.epoch_ms + round(at_s * 1000)
        self.stays.setdefault(number, set()).add(session)
        world.checks.read_at.setdefault(session, at_s)
        if not world.tariff.fee(min(read_ms, self._entries[number] + MOST_AHEAD_MS), read_ms):
            world.checks.free.add(session)

    async def run(self, late: LateAnswer) -> None:
        self._late = late
        try:
            await asyncio.Event().wait()
        finally:
            self._late = None

    async def ask(self, lookup_id: str, ticket: ForeignTicket) -> ForeignEntry | None:
        dice, entered = self._dice, self._entries[ticket.number]
        self.asked += 1
        await asyncio.sleep(dice.uniform(0.02, 1.5))
        if dice.random() < self._fails:
            raise LookupFailed("HTTP status 500")
        if dice.random() < self._odd:
            if dice.random() < 0.5:
                raise OddAnswer("its answer is none")
            return ForeignEntry(dice.choice((self._world.true_ms() + FAR_MS, entered - LONGEST_MS)))
        if dice.random() < self._forgets / 4:
            return None
        if dice.random() < self._wavers:
            entered += dice.choice((-1000, 1, 1000, MOST_AHEAD_MS))
        if dice.random() < self._slow:
            self._world.loop.after(dice.uniform(TIMEOUT_S, 20), self._says_late, ticket, ForeignEntry(entered))
            await asyncio.Event().wait()
        return ForeignEntry(entered)

    def _says_late(self, ticket: ForeignTicket, entry: ForeignEntry) -> None:
        if self._late and not self._world.worker.is_dead:
            self._late(ticket, entry)
