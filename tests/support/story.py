"""A visit told to the rules, event by event, with a clock of its own: what test_rules_*.py are written with."""

from dataclasses import replace
from functools import lru_cache
from itertools import count
from typing import Any

from terminal.core import events as e
from terminal.core.actions import Action, ClearAlert, Pursuit, RaiseAlert, SendReceipt
from terminal.core.display import LaneDisplay, screen
from terminal.core.ids import derived_id
from terminal.core.model import (
    Grant,
    Lane,
    ParkingFee,
    Payment,
    PaymentProof,
    Rules,
    Stay,
    Visit,
    VisitOrder,
    VisitRefund,
)
from terminal.core.outbox import lane_due, owed, stay_due
from terminal.core.rules import Garage
from tests.said import in_general, known_lines, line
from tests.support.moves import Move, moves, tabled

T0 = 1_790_000_000_000
PROOF = PaymentProof('{"acquireOrder":{}}', "c2lnbg==")
TOKEN = "https://qr.payby.com?BIZ_TYPE=202&ft=7ac14d5d372a459fbe948e83fcaae0cb&t=1765054600668"


@lru_cache(None, typed=True)
def an_id(*parts: object) -> str:
    return derived_id(T0, *map(str, parts))


class Story:
    """``at`` is the worker's clock; every method tells one fact and returns the actions it caused. Whatever the rules
    say must be a line of tests/said.txt, with its severity and what it is about; what they do to a visit, in their
    table."""

    known: frozenset[str] | None = known_lines()
    tabled = tabled()

    def __init__(self, *, lanes: tuple[str, ...] = ("exit-1",), loops: bool = True) -> None:
        self.garage = Garage(Rules("marina"))
        self.at = T0
        self.said: list[Action] = []
        self.moved: set[Move] = set()
        """What became of its visits, by each event and by progress."""
        self._ids = count(1)
        self.cars: dict[str, str | None] = {}
        for lane in lanes:
            self.boom("down", lane=lane)
            if loops:
                self.leaves_loop(lane=lane)
        self.said.clear()

    # -- telling -------------------------------------------------------------------------------------------------

    def tell(self, event: e.Event) -> list[Action]:
        before = dict(self.garage.lanes), dict(self.garage.stays)
        phases = self._phases()
        change, moved = moves(self.garage, event)
        self.moved |= moved
        assert moved <= self.tabled, "the table of the rules has no such move"
        assert (self.garage.lanes, self.garage.stays) == before, "step() changed its argument"
        self.garage.apply(change)
        self.said += change.actions
        self._holds_together()
        for name, (phase, since) in self._phases().items():
            assert since == event.at or (phase, since) == phases[name], "a phase knows since when it is"
        for alert in change.actions:
            if isinstance(alert, RaiseAlert):
                untold = self.garage.stays[alert.session].untold if alert.session in self.garage.stays else ()
                assert alert.owed == any(told.code == alert.code for told in untold), "owed is what the state has so"
        if self.known is not None:
            for said in (in_general(line(action, self)) for action in change.actions):
                assert said in self.known, f"not in tests/said.txt: {said}"
        return change.actions

    def _phases(self) -> dict[str, tuple[str, int]]:
        return {name: (lane.visit.phase, lane.visit.since) for name, lane in self.garage.lanes.items() if lane.visit}

    def _holds_together(self) -> None:
        """A visit and its stay know of each other, only its lift is sent, and only a driver in help is told why."""
        lanes, stays = self.garage.lanes, self.garage.stays
        for lane in lanes.values():
            if visit := lane.visit:
                assert stays[visit.fee.session].lane == lane.id
                assert bool(visit.reason) == (visit.phase == "helping") and visit.reason is not None
        for stay in stays.values():
            visit = lanes[stay.lane].visit if stay.lane else None
            assert stay.lane is None or (visit and visit.fee.session == stay.session)
            assert {grant.lane for grant in stay.grants if not grant.dropped} <= {stay.lane}

    def wait(self, seconds: float) -> None:
        """Let time pass, with every TimePassed that the state asked for, in its order."""
        until = self.at + round(seconds * 1000)
        while due := self._next_due(until):
            self.at = due[0]
            self.tell(due[1])
        self.at = until

    def _next_due(self, until: int) -> tuple[int, e.Event] | None:
        found: list[tuple[int, str, e.Event]] = []
        for lane in self.garage.lanes.values():
            stay = self.garage.stays.get(lane.visit.fee.session) if lane.visit else None
            if (due := lane_due(lane, stay, self.at)) and due <= until:
                found.append((due, lane.id, e.TimePassed(due, lane=lane.id)))
        for stay in self.garage.stays.values():
            if (due := stay_due(stay, self.at)) and due <= until:
                found.append((due, stay.session, e.TimePassed(due, session=stay.session)))
        return min(((d, event) for d, _, event in sorted(found, key=lambda f: f[:2])), key=lambda f: f[0], default=None)

    def arrives(self, lane: str = "exit-1", *, car: str | None = "new") -> str | None:
        """A car drives onto the loop."""
        self.cars[lane] = an_id("car", next(self._ids)) if car == "new" else car
        self.tell(e.VehicleSeen(self.at, lane, True, False, self.cars[lane]))
        return self.cars[lane]

    def leaves_loop(self, lane: str = "exit-1", *, under: bool = False) -> None:
        self.tell(e.VehicleSeen(self.at, lane, False, under))

    def under(self, lane: str = "exit-1", *, waiting: bool = True) -> None:
        self.tell(e.VehicleSeen(self.at, lane, waiting, True, self.cars.get(lane) if waiting else None))

    def drives_through(self, lane: str = "exit-1") -> None:
        """Under the boom, off the loop, and away; the arm comes down behind it."""
        self.under(lane)
        self.under(lane, waiting=False)
        self.leaves_loop(lane)
        self.boom("lowering", lane=lane)
        self.boom("down", lane=lane)

    def reads(
        self,
        session: str = "a",
        lane: str = "exit-1",
        *,
        amount: int = 2000,
        minutes: int = 90,
        car: str | None = "own",
        **more: Any,
    ) -> list[Action]:
        """A genuine ticket is read."""
        fee = ParkingFee(
            more.pop("id", an_id("fee", next(self._ids))),
            an_id("stay", session),
            "ticket",
            amount,
            "due" if amount else "free",
            minutes,
            self.cars.get(lane) if car == "own" else car,
        )
        return self.tell(e.TicketRead(self.at, lane, fee, **more))

    def payby(self, status: str, session: str = "a", *, order: VisitOrder | None = None, **more: Any) -> list[Action]:
        """PayBy says how an order stands, by default the stay's last."""
        about = order or self.stay(session).orders[-1]
        event = e.OrderReported(self.at, about.no, status, about.amount, PROOF, "1317", TOKEN)  # type: ignore[arg-type]
        return self.tell(replace(event, **more))

    def boom(self, state: str, *, lift: str | None = None, lane: str = "exit-1", skew: int = 0) -> None:
        known = self.garage.lanes.get(lane)
        last = known.boom.lift if known and known.boom else None
        self.tell(e.BoomSeen(self.at, lane, state, lift or last, skew))  # type: ignore[arg-type]

    def answers(self, outcome: str, why: str = "", session: str = "a", *, grant: Grant | None = None) -> Grant:
        """The barrier answers a lift, by default the stay's last."""
        about = grant or self.stay(session).grants[-1]
        self.tell(e.LiftAnswered(self.at, about.lane, about.session, about.id, outcome, why))  # type: ignore[arg-type]
        return about

    def raises(self, session: str = "a") -> Grant:
        """The barrier raises for the stay's lift, and its arm goes up."""
        grant = self.answers("raised", session=session)
        self.boom("rising", lift=grant.id, lane=grant.lane)
        self.boom("up", lift=grant.id, lane=grant.lane)
        return grant

    def shows_qr(self, session: str = "a", lane: str = "exit-1") -> VisitOrder:
        """A car arrives, its ticket is read, PayBy takes the order."""
        self.arrives(lane)
        self.reads(session, lane)
        self.payby("CREATED", session)
        return self.order(session)

    def pays(self) -> None:
        self.shows_qr()
        self.payby("PAID")

    # -- asking --------------------------------------------------------------------------------------------------

    def lane(self, name: str = "exit-1") -> Lane:
        return self.garage.lanes[name]

    def visit(self, lane: str = "exit-1") -> Visit:
        found = self.lane(lane).visit
        assert found is not None
        return found

    def stay(self, session: str = "a") -> Stay:
        return self.garage.stays[an_id("stay", session)]

    def order(self, session: str = "a") -> VisitOrder:
        return self.stay(session).orders[-1]

    def payment(self, session: str = "a") -> Payment:
        return self.stay(session).payments[-1]

    def refund(self, session: str = "a") -> VisitRefund:
        return self.stay(session).refunds[-1]

    def screen(self, lane: str = "exit-1") -> LaneDisplay:
        found = self.lane(lane)
        stay = self.garage.stays.get(found.visit.fee.session) if found.visit else None
        return screen(found, stay, self.at)

    def shows(self, lane: str = "exit-1") -> str:
        shown = self.screen(lane)
        return f"{shown.state} {shown.reason}".strip()

    def owes(self, session: str = "a") -> list[str]:
        return [type(p).__name__ for p in self.pursuits(session)]

    def pursuits(self, session: str = "a") -> list[Pursuit]:
        return list(owed(self.stay(session)))

    def alerts(self) -> list[str]:
        return [a.code for a in self.said if isinstance(a, RaiseAlert)]

    def cleared(self) -> list[str]:
        return [a.code for a in self.said if isinstance(a, ClearAlert)]

    @staticmethod
    def reply(actions: list[Action]) -> str:
        return next(a.outcome for a in actions if isinstance(a, SendReceipt))
