"""What a driver will do, drawn when he arrives."""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from terminal.core.ticket import sign_ticket
from tests.sim.reader import LOST

if TYPE_CHECKING:
    from tests.sim.world import World


KINDS = {
    "pays": 60.0,
    "free": 8.0,
    "slow": 6.0,
    "never pays": 5.0,
    "two phones": 4.0,
    "backs out": 4.0,
    "pays and backs out": 4.0,
    "pays late and leaves": 2.0,
    "other lane": 4.0,
    "pays, other lane": 3.0,
    "rescans": 3.0,
    "garbage": 2.0,
    "foreign": 1.0,
    "used": 3.0,
    "future": 0.5,
    "lost": 2.0,
    "tailgates": 3.0,
    "two tickets": 1.5,
    "twin ticket": 2.0,
    "idles under": 1.0,
    "motorcycle": 2.0,
    "wavers": 1.5,
}


@dataclass(slots=True)
class Plan:
    """What this driver will do. ``ticket`` and ``session``: the one that he was given at the entry."""

    kind: str
    ticket: str
    session: str
    entered_ms: int
    is_free: bool
    think_s: float
    pay_s: float
    """From scanning the code to the payment; the phone pays even if the car is gone."""
    others: list[str] = field(default_factory=list)
    """Tickets that are held under the scanner first."""
    was_at_station: bool = False
    coupons: list[str] = field(default_factory=list)
    """Scanned when there is something to pay."""


def make_plan(world: "World", dice: random.Random, kind: str) -> Plan:
    """Draw a driver; of ``kind``, if it names one."""
    kind = kind or dice.choices(tuple(world.kinds), tuple(world.kinds.values()))[0]
    now = world.true_ms()
    free = kind == "free" or (
        kind in ("other lane", "rescans", "used", "twin ticket", "backs out") and dice.random() < 0.3
    )
    entered = now - (dice.randint(30, 500) if free else dice.choice((1900, 5400, 90_000))) * 1000
    session = world.ids(entered)
    ticket = sign_ticket(world.garage, session, entered, "k1", world.keys.ticket)
    slow = kind in ("slow", "pays late and leaves")
    pay_s = dice.uniform(20, 200) if slow else dice.uniform(0.5, 6)
    plan = Plan(kind, ticket, session, entered, free, dice.uniform(0.5, 2.5), pay_s)
    match kind:
        case "garbage":
            plan.others = dice.choices(("", "abc", "1234567890123", ticket[:-1] + "A", ticket.lower()), k=2)
        case "foreign":
            plan.others = [sign_ticket("souk", session, entered, "k1", world.keys.other_ticket)]
        case "future":
            plan.others = [sign_ticket(world.garage, world.ids(now), now + 600_000, "k1", world.keys.ticket)]
        case "used" | "two tickets" if world.seen_tickets:
            plan.others = [dice.choice(world.seen_tickets)]
        case "twin ticket" if world.seen_tickets:
            plan.ticket = dice.choice(world.seen_tickets[-6:])
        case "lost":
            plan.ticket = LOST
    if world.foreign:
        world.foreign.sells(plan)
    if world.outside:
        world.outside.equips(plan)
    return plan
