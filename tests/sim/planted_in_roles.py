"""Bugs beside the rules: the event store, the worker's and the barrier's own code, and the rules of a lift."""

from tests.sim.planted_bug import GATE, GRANT, Bug

IN_ROLES = (
    Bug(
        "another entry, another stay",
        "terminal.core.foreign_ticket",
        "    if before is None or entry.entered_ms > before.told_ms:\n",
        "    if before is None or entry.entered_ms != before.entered_ms:\n",
        "who backs out and comes back pays twice if his entry is told differently",
        climate="look-ups",
        world=2,
    ),
    Bug(
        "applied before the journal",
        "terminal.eventstore.store",
        "        last = await self._log.append(",
        "        self.garage.apply(change)\n        last = await self._log.append(",
        "the state has what a crash takes from the journal",
    ),
    Bug(
        "checkpoint forgets lanes",
        "terminal.eventstore.store",
        "            list(self.garage.lanes.values()),\n",
        "            [],\n",
        "after a checkpoint a start knows nothing of who waits",
    ),
    Bug(
        "a change of a stay may wait",
        "terminal.eventstore.store",
        "    return isinstance(event, LIVE) and not (change.stays or change.actions)\n",
        "    return isinstance(event, LIVE)\n",
        "what a loop's fact did to a stay is lost by a crash",
    ),
    Bug(
        "words not journaled",
        "terminal.eventstore.store",
        "await self._write(rows, event, change, recalled)",
        "await self._write(rows[:1], event, change, recalled)",
        "after a crash nobody knows what PayBy was told",
    ),
    Bug(
        "notification unverified",
        "terminal.roles.worker.event_mapper",
        "    verify(judgement.payby_keys, body.encode(), paid.sign)\n",
        "",
        "anybody on the broker can call an order paid",
        climate="intruder",
    ),
    Bug(
        "fee believed",
        "terminal.roles.worker.event_mapper",
        """    if said != reckoned or (told.reason == "lost" and not amount):
        return refused("refused", f"a fee says {fee.reason} {fee.amount}, but the tariff {reckoned[0]} {reckoned[2]}")
""",
        """    if fee.reason != "lost":
        owed = money.parse(fee.amount or "0.00")
        told = ParkingFee(fee.id, fee.session or "", ticket, owed, fee.reason, told.minutes, fee.car)
        return TicketRead(at, lane, told, hindrance)
""",
        "a reader can call a stay free",
        world=26,
    ),
    Bug(
        "spent not noted",
        GATE,
        "self._spent.intend(lift)",
        "pass",
        "a lift that comes twice raises twice",
        world=39,
    ),
    Bug(
        "spent forgotten",
        "terminal.roles.barrier.spent_lifts",
        "ids.append(Digests.of(intent.id))",
        "pass",
        "a barrier that starts again raises again",
        climate="barrier",
        world=44,
    ),
    Bug(
        "refusal does not stand",
        GATE,
        "(before := self._spent.refused_before(lift))",
        "(before := None)",
        "a late copy of a refused lift raises",
        world=13,
    ),
    Bug(
        "named before its pulse",
        GATE,
        'if by := (self._pulsing if self.state != "down" else None) or',
        "if by := self._raising or",
        "a barrier that died before the pulse had named its lift",
        world=6,
    ),
    Bug(
        "any car",
        GRANT,
        "if lift.car is not None and lift.car != situation.car:",
        "if False:",
        "the boom rises for a car that is not there",
    ),
    Bug(
        "what was said before a cut counts",
        GATE,
        "if self._vehicle_ms >= self._heard_since_ms else None",
        "",
        "a barrier that comes back raises for a car that may have gone meanwhile",
        only="I1",
        world=4,
    ),
    Bug(
        "any key",
        GRANT,
        "if check_lift(lift, trust.garage, trust.lane, trust.trusted):",
        "if False:",
        "the boom rises for whoever asks",
        climate="intruder",
        world=8,
    ),
    Bug(
        "never cancelled",
        "terminal.roles.worker.pursuits",
        'if not isinstance(said, OrderReported) or said.status == "CREATED":',
        "if False:",
        "an order that should be closed stays open",
        world=7,
    ),
)
