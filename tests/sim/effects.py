"""What one event changes in the worker's state: who loses his visit by it, and whether a lane's word counts elsewhere.

The state is looked at before and after the event. Only the worker's own view counts: a loop that it has heard, live.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from terminal.core.model import Lane, Stay, Visit
from terminal.core.rules import Garage

if TYPE_CHECKING:
    from tests.sim.checks import Checks

KEPT = ("lift", "credit")
"""Holders of a payment that its driver still leaves by."""
FORGEABLE = ("signature", "proof")
"""Refusals that anybody who has heard a lift can provoke for it."""
Look = Callable[[Garage], None]


class _Fee(msgspec.Struct):
    id: str
    session: str


class _Read(msgspec.Struct):
    lane: str
    fee: _Fee


class _Said(msgspec.Struct):
    lane: str
    lift: str | None = None
    why: str = ""


_READ, _SAID = msgspec.json.Decoder(_Read), msgspec.json.Decoder(_Said)


class Effects:
    """``lane_of``: at which lane each lift was granted, and for which stay."""

    def __init__(self, checks: "Checks") -> None:
        self.lane_of: dict[str, tuple[str, str]] = {}
        self._checks = checks

    def knows(self, stay: Stay) -> None:
        for grant in stay.grants:
            self.lane_of[grant.id] = grant.lane, grant.session

    def before(self, rows: Sequence[tuple[str, bytes]], garage: Garage) -> Look | None:
        """An event is about to change the state; returns what looks at it afterwards."""
        for kind, data in rows:
            if kind == "TicketRead":
                return self._reading(_READ.decode(data), garage)
            if kind in ("LiftAnswered", "BoomSeen"):
                said = _SAID.decode(data)
                its = self.lane_of.get(said.lift or "")
                if its and its[0] != said.lane:
                    here = {said.lane} if kind == "BoomSeen" else set()
                    return self._word(f"another lane's word: {kind} of {said.lane} about {its}", here, garage)
                if its and said.why in FORGEABLE:
                    return self._word(f"spoiled: an answer that anybody can draw, {said.why},", set(), garage)
        return None

    def _reading(self, read: _Read, garage: Garage) -> Look:
        held = [found for lane in garage.lanes.values() if (found := _seen(lane, garage))]

        def after(garage: Garage) -> None:
            for lane, visit, stay in held:
                now = garage.lanes[lane].visit
                if now and now.fee.session == stay.session:
                    continue
                paid = visit.phase == "leaving" or any(p.holder in KEPT for p in stay.payments)
                paid = paid and visit.phase != "helping"
                if paid or lane != read.lane:
                    said = "paid" if paid else "unpaid"
                    self._checks.wrong(
                        f"visit lost: the {said} car {visit.car} of stay {stay.session} is seen at {lane}, and a "
                        f"reading of {read.fee.session} at {read.lane} ends its visit"
                    )
            self._its_stay(read, garage)

        return after

    def _its_stay(self, read: _Read, garage: Garage) -> None:
        """Only the worker knows a lost ticket's stay: tell its reader."""
        visit = garage.lanes[read.lane].visit if read.lane in garage.lanes else None
        car = self._checks.readers.pop(read.fee.id, None)
        if car and visit and visit.fee.id == read.fee.id:
            car.sessions.add(visit.fee.session)
            car.owned.add(visit.fee.session)

    def _word(self, what: str, here: set[str], garage: Garage) -> Look:
        """It must change nothing but the lanes ``here`` and their visits."""
        stays, lanes = dict(garage.stays), dict(garage.lanes)

        def after(garage: Garage) -> None:
            for session in sorted({*stays, *garage.stays}):
                old, new = stays.get(session), garage.stays.get(session)
                if new is None or old is new or new.lane in here or (old and old.lane in here):
                    continue  # it was put to rest, or the lane's own visit goes on
                self._checks.wrong(f"{what} changes stay {session}")
            for name in sorted({*lanes, *garage.lanes} - here):
                if lanes.get(name) is not garage.lanes.get(name):
                    self._checks.wrong(f"{what} changes lane {name}")

        return after


def _seen(lane: Lane, garage: Garage) -> tuple[str, Visit, Stay] | None:
    """A visit whose car a live loop sees now."""
    visit, vehicle = lane.visit, lane.vehicle
    if visit is None or visit.loop != "sees" or vehicle is None or not vehicle.waiting:
        return None
    if visit.car is not None and vehicle.car is not None and visit.car != vehicle.car:
        return None
    stay = garage.stays.get(visit.fee.session)
    return (lane.id, visit, stay) if stay and stay.left is None else None
