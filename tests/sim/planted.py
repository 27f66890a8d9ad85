"""Planted bugs: changes to the rules, each of which the simulation must notice, or it proves nothing.

A bug is a piece of a file and what stands in its place. The file is read, changed and compiled in memory as it is
imported; on the disk nothing changes. ``python -m tests.sim.planted`` hunts all of them and prints a table.
"""

import argparse
import importlib
import importlib.machinery
import importlib.util
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

OURS = ("terminal", "drivers", "broker", "tests.sim")


@dataclass(frozen=True, slots=True)
class Bug:
    """``before`` stands once in ``module``; with ``after`` in its place, ``breaks`` says what goes wrong."""

    name: str
    module: str
    before: str
    after: str
    breaks: str
    climate: str = ""
    """What its worlds are full of (world.Options)."""
    only: str = ""
    """What counts as noticed begins so; empty for all that is wrong."""
    world: int = 0
    """The number of the first world to try: one that caught it when this was written."""


RULES, GATE, GRANT = "terminal.core.rules.", "terminal.roles.barrier.controller", "terminal.contract.lift_rules"
BUGS = (
    Bug(
        "order left open",
        RULES + "visits",
        'if order and order.stage in ("placing", "created"):\n        set_stage(draft, order, "closing")\n'
        "    if visit.raised",
        "if visit.raised",
        "the order of a car that has gone is never closed",
        world=2,
    ),
    Bug(
        "two open orders",
        RULES + "progress",
        "if lane.open_sessions or any(o.stage in OPEN for o in stay.orders):",
        "if False:",
        "an order is placed while another of the lane can be paid",
    ),
    Bug(
        "charged again",
        RULES + "progress",
        "if any(stay.kept(p) for p in stay.payments) or",
        "if",
        "a stay whose money is here is charged once more",
        world=9,
    ),
    Bug(
        "second payment kept",
        RULES + "orders",
        "standing = [p for p in stay.payments if stay.unasked(p)]",
        "standing: list[Payment] = []",
        "the second payment of a stay is not refunded",
        climate="payer",
        world=33,
    ),
    Bug(
        "number used twice",
        RULES + "progress",
        "attempt = _attempt(lane, stay)",
        "attempt = 1",
        "the next order has the number of the last one",
    ),
    Bug(
        "duplicate is a payment",
        RULES + "orders",
        'case "PAID", "paid":\n',
        'case "PAID", "no such stage":\n',
        "a payment that is reported twice counts twice",
        world=1,
    ),
    Bug(
        "credit beside its refund",
        RULES + "refunds",
        'holder: Holder = "lift" if payment.holder == "lift" else "refund"',
        "holder = payment.holder",
        "a payment that is given back still lifts",
        climate="operator",
    ),
    Bug(
        "raise not noted",
        RULES + "lifts",
        'return with_holder(stay, replace(payment, holder="raised", raised=given.id))\n    twice',
        "return stay\n    twice",
        "a payment is held by a lift that is over",
    ),
    Bug(
        "refusal is a raise",
        RULES + "lifts",
        'lane, stay, grant.order_no)\n    _pass_on(draft, stay, grant, "credit")',
        "lane, stay, grant.order_no)\n    lift_raised(draft, stay, stay.lift(grant.id))",
        "a driver whose lift was refused has used up his payment",
        world=1,
    ),
    Bug(
        "busy passes on",
        RULES + "lifts",
        'case "refused", "busy":\n            pass',
        'case "refused", "busy":\n            _not_raised(draft, stay, grant, "busy")',
        "a payment goes on while its lift may still raise",
        climate="barrier",
        world=7,
    ),
    Bug(
        "no hold",
        RULES + "deadlines",
        "if not grant.overdue and draft.at >= grant.not_after + rules.hold:",
        "if not grant.overdue and draft.at >= grant.not_after - 20_000:",
        "a payment goes on before its lift's deadline",
        climate="power",
    ),
    Bug(
        "more time for nobody",
        RULES + "orders",
        "if late or not order.scanned or order.extended",
        "if late or order.extended",
        "an order gets more time though no phone has read its code",
        only="scan",
    ),
    Bug(
        "two free lifts",
        RULES + "progress",
        "and all(draft.at >= g.not_after for g in stay.grants)",
        "",
        "a free stay has two valid lifts",
        climate="barrier",
        world=50,
    ),
    Bug(
        "ticket never used",
        RULES + "visits",
        "left = draft.at if passed or slipped else stay.left",
        "left = stay.left",
        "one payment lets two cars out",
        climate="held open",
        world=5,
    ),
    Bug(
        "lane never free",
        RULES + "visits",
        "sessions = tuple(s for s in lane.open_sessions if s != order.session or still)",
        "sessions = lane.open_sessions",
        "a lane waits for ever for an order that is closed",
    ),
    Bug(
        "credit never ends",
        RULES + "deadlines",
        'if payment.holder == "credit" and draft.at >= payment.until:',
        "if False:",
        "a payment whose car is gone is never given back",
    ),
    Bug(
        "any rise is ours",
        RULES + "boom",
        "if found and (given := found.lift(lift)):",
        "found = found or next((s for s in draft.all_stays() if s.given), None)\n"
        "    if found and (given := found.lift(lift) or found.given[0]):",
        "a car counts as raised for by the lift of another",
        world=8,
    ),
    Bug(
        "unknown is a raise",
        RULES + "lifts",
        'if given and boom and boom.state in ("rising", "up") and boom.lift in (None, grant.id):',
        "if given:",
        "a barrier that does not know counts as one that raised",
        climate="barrier",
        world=15,
    ),
    Bug(
        "refund never done",
        RULES + "refunds",
        'ended = replace(payment, holder="person" if refund.stage == "failed" or rest else "refunded", refund_no=None)',
        "ended = payment",
        "a refund that is done is waited for, for ever",
    ),
    Bug(
        "refund forgotten behind a lift",
        RULES + "records",
        'if payment.refund_no and payment.holder in ("raised", "credit", "person"):',
        "if False:",
        "an operator's refund that waited for a lift is never asked",
        climate="operator",
        world=6,
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
        return refused("refused", f"a fee says {fee.reason} {fee.amount}, the tariff {reckoned[0]} {reckoned[2]}")
""",
        """    if fee.reason != "lost":
        owed = money.parse(fee.amount or "0.00")
        told = ParkingFee(fee.id, fee.session or "", ticket, owed, fee.reason, told.minutes, fee.car)
        return TicketRead(at, lane, told, hindrance)
""",
        "a reader can call a stay free",
        world=10,
    ),
    Bug(
        "spent not noted",
        GATE,
        "self._spent.intend(lift)",
        "pass",
        "a lift that comes twice raises twice",
        world=10,
    ),
    Bug(
        "spent forgotten",
        "terminal.roles.barrier.spent_lifts",
        "ids.append(Digests.of(intent.id))",
        "pass",
        "a barrier that starts again raises again",
        climate="barrier",
        world=43,
    ),
    Bug(
        "refusal does not stand",
        GATE,
        "(before := self._spent.refused_before(lift))",
        "(before := None)",
        "a late copy of a refused lift raises",
        world=1,
    ),
    Bug(
        "named before its pulse",
        GATE,
        'last = (self._pulsing if self.state != "down" else None) or',
        "last = self._raising or",
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
    ),
    Bug(
        "any key",
        GRANT,
        "if check_lift(lift, trust.garage, trust.lane, trust.trusted):",
        "if False:",
        "the boom rises for whoever asks",
        climate="intruder",
        world=6,
    ),
    Bug(
        "never cancelled",
        "terminal.roles.worker.pursuits",
        'if not isinstance(said, OrderReported) or said.status == "CREATED":',
        "if False:",
        "an order that should be closed stays open",
        world=7,
    ),
    Bug(
        "silence is a refusal",
        RULES + "deadlines",
        'if not may_have_left and all(g.outcome == "refused" for g in lifts):',
        "if not may_have_left:",
        "a payment whose lift nobody answered goes back, though it raised",
        climate="power",
        only="raised and given back",
        world=4,
    ),
    Bug(
        "raised for any car",
        RULES + "records",
        "return bool(rose) and not stay.unpassed and (car is None or rose[-1].car != car)",
        "return False",
        "a copy of a ticket that raised, and whose car no loop saw leave, raises again",
        climate="copies",
        only="two cars",
        world=5,
    ),
    Bug(
        "raises without end",
        RULES + "records",
        'if stay.left is not None or sum(g.outcome != "refused" for g in stay.given) >= draft.rules.lifts:',
        "if stay.left is not None:",
        "a stay raises as often as its ticket is read",
        climate="copies",
        only="raises",
        world=1,
    ),
    Bug(
        "copy takes the visit",
        RULES + "arrival",
        "if stay.lane and stay.lane != name and _is_held(draft, draft.lane(stay.lane)):",
        "if False:",
        "a copy that is read at another lane ends the visit of a car that its loop sees",
        climate="copies",
        only="visit lost",
    ),
    Bug(
        "place given away",
        RULES + "arrival",
        "if not stands_there(lane, visit) or differ(visit.car, car):",
        "if True:",
        "another ticket that is read at the lane of who has paid takes his place",
        climate="copies",
        only="visit lost: the paid",
        world=2,
    ),
    Bug(
        "loop's word does not hold a visit",
        RULES + "arrival",
        'return between or (visit.loop == "sees" and lane.vehicle is not None and car_waits(draft, lane, visit))',
        "return between",
        "who pays at one lane opens another for a copy",
        climate="copies",
        only="another's money",
        world=4,
    ),
    Bug(
        "proof refused for good",
        RULES + "lifts",
        'case "refused", "signature" | "proof":',
        'case "refused", "signature":',
        "a copy of a lift without its proof takes the payment from the lift",
        climate="stolen lane",
        only="spoiled",
    ),
    Bug(
        "open arm is no way out",
        RULES + "deadlines",
        "may_have_left = stay.left is not None or stay.perhaps_left",
        "may_have_left = False",
        "who paid and drove out under a raised arm gets his money back",
        climate="held open",
        only="left and given back",
    ),
    Bug(
        "journal put back unseen",
        RULES + "boom",
        "    draft.doubts = True\n    doubt_all(draft)\n",
        "",
        "a payment that had raised goes back, for the journal that says so was put back",
        climate="put back",
        only="raised and given back",
        world=31,
    ),
)


class Found(NamedTuple):
    """What came of a hunt; ``violation`` is empty where nothing was noticed. ``world``: the last one's number."""

    bug: str
    violation: str
    lives: int
    world: int


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, bug: Bug) -> None:
        super().__init__(fullname, path)
        self._bug = bug

    def get_code(self, fullname: str) -> CodeType:
        text = self.get_data(self.path).decode()
        if text.count(self._bug.before) != 1:
            raise ValueError(f"planted bug {self._bug.name!r}: its piece stands {text.count(self._bug.before)} times")
        code: CodeType = compile(text.replace(self._bug.before, self._bug.after), self.path, "exec", dont_inherit=True)
        return code


class _Finder(MetaPathFinder):
    def __init__(self, bug: Bug) -> None:
        self._bug = bug

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._bug.module:
            return None
        found = PathFinder.find_spec(fullname, path)
        assert found is not None and found.origin is not None
        loader = _Loader(fullname, found.origin, self._bug)
        return importlib.util.spec_from_file_location(
            fullname, found.origin, loader=loader, submodule_search_locations=found.submodule_search_locations
        )


def stands(bug: Bug) -> int:
    """How often the piece that ``bug`` replaces stands in its file; 1, unless the file has changed."""
    found = importlib.util.find_spec(bug.module)
    assert found is not None and found.origin is not None
    return Path(found.origin).read_text().count(bug.before)


def hunt(bug: Bug, lives: int, seed: str = "planted") -> Found:
    """Run worlds with ``bug`` in them until one is violated or ``lives`` orders have lived. Call it in a process of
    its own: the product is imported anew."""
    for name in [n for n in sys.modules if n.startswith(OURS) and n != __name__]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder(bug))
    world = importlib.import_module("tests.sim.world")
    done, number = 0, bug.world
    while True:
        report = world.run(f"{seed}:{number}", world.Options(climate=bug.climate, only=bug.only))
        done += report.orders
        if report.violation or done >= lives:
            return Found(bug.name, report.violation, done, number)
        number += 1


def hunt_all(bugs: Iterable[Bug], lives: int, jobs: int) -> list[Found]:
    """Each in a process of its own."""
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        return pool.starmap(hunt, [(bug, lives) for bug in bugs], chunksize=1)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.planted", description=__doc__)
    parser.add_argument("--lives", type=int, default=2000, help="at most so many for each bug (default 2000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", default="", help="bugs whose names hold this")
    which.add_argument("--bug", help="the bug of this name")
    parser.add_argument("--json", action="store_true", help="print what was noticed, by name, as JSON")
    asked = parser.parse_args(arguments)
    bugs = [bug for bug in BUGS if (bug.name == asked.bug if asked.bug else asked.only in bug.name)]
    found = hunt_all(bugs, asked.lives, asked.jobs)
    if asked.json:
        print(json.dumps({what.bug: what.violation for what in found}))
        return 0
    for bug, what in zip(bugs, found, strict=True):
        said = what.violation.replace("\n", " ")[:90] or "NOT CAUGHT"
        print(f"{bug.name:32} {what.lives:5} lives  world {what.world:3}  {said}")
    return 1 if any(not what.violation for what in found) else 0


if __name__ == "__main__":
    sys.exit(main())
