"""Rules 2 and 8: what the loops see, and whether the visit's car has passed, left, or given way to another."""

from terminal.core.events import VehicleSeen, VehicleUnknown
from terminal.core.model import Lane, Visit, WaitingVehicle
from terminal.core.rules.draft import Draft
from terminal.core.rules.limits import GONE_MS, LOOPS_MS
from terminal.core.rules.records import watched
from terminal.core.rules.visits import end_visit
from terminal.core.value import replace


def vehicle_seen(draft: Draft, event: VehicleSeen) -> None:
    """The loops spoke. The visit is over once its car has passed, or another stands in its place."""
    lane = draft.lane(event.lane)
    before, visit = lane.vehicle, lane.visit
    under = event.under_boom and (lane.boom is None or lane.boom.state != "down")
    newly_under = under and not (before and before.under_boom)
    # The first car to pass under a raise is the one that it was for; any that follows is another.
    risen_for = lane.risen_for if newly_under and not lane.passages else None
    if newly_under:
        lane = _passage(draft, lane, risen_for)
    if lane.notice and event.waiting and before and (before.car != event.car or not before.waiting):
        lane = replace(lane, notice=None)  # it was for the previous vehicle
    lane = replace(lane, vehicle=WaitingVehicle(event.waiting, event.car, event.under_boom))
    if visit is None:
        draft.put(lane)
        return
    is_another = event.waiting and _is_another(draft, visit, event.car)
    # If nobody knows where the arm is, a vehicle that comes under it after our lift shows that it rose.
    unknown = lane.boom is None or lane.boom.state == "unknown"
    rose = newly_under and before is not None and unknown and visit.lifts
    # A vehicle that is gone after a silence has passed the boom that had risen. A vehicle with another name is another
    # one if the worker had been away; if the loops had been, they give the same vehicle a new name.
    away = not event.waiting or (is_another and visit.since <= lane.began)
    unseen = before is None and visit.raised and visit.was_up and away
    its_own = visit.was_up or rose or risen_for == visit.fee.session
    if (under and its_own) or unseen:
        visit = replace(visit, under=True)
    elif newly_under and risen_for is None and before is not None:
        visit = replace(visit, follows=True)
    elif visit.follows and not event.under_boom and event.waiting and not is_another:
        visit = replace(visit, follows=False)  # the vehicle under the boom was another: the visit's own is still there
    if (visit.under and not event.under_boom) or is_another or (visit.follows and not event.under_boom):
        draft.put(replace(lane, visit=visit))
        end_visit(draft, lane.id)
        return
    if event.waiting:
        visit = replace(visit, car=visit.car or event.car, loop="sees", gone_since=None, waits_until=None)
    elif visit.loop != "blind":
        visit = replace(visit, loop="sees", gone_since=visit.gone_since or draft.at)
    draft.put(watched(replace(lane, visit=visit)))


def vehicle_unknown(draft: Draft, event: VehicleUnknown) -> None:
    """The loops fell silent."""
    draft.put(watched(replace(draft.lane(event.lane), vehicle=None)))


def _passage(draft: Draft, lane: Lane, risen_for: str | None) -> Lane:
    """A vehicle comes under the boom, which rose for this stay if for any; the stay's visit may be over by now."""
    if risen_for and draft.knows(risen_for) and (stay := draft.stay(risen_for)).lane != lane.id:
        draft.put(replace(stay, left=stay.left or draft.at))
        if stay.lane:
            draft.touch(stay.lane)
    passages = lane.passages + 1
    if passages > 1:
        text = f"{passages} vehicles passed under one raise of the boom"
        draft.alert("tailgating", "warning", text, lane.id)
    return replace(lane, passages=passages)


def _is_another(draft: Draft, visit: Visit, car: str | None) -> bool:
    """Is the vehicle on the loop another than the visit's? If loops do not name vehicles, one that comes after the
    visit's had gone is another. If no loop ever saw the visit's, a vehicle is another when it is first seen after the
    boom rose, or too long after a ticket that a speaking loop should have seen."""
    if visit.car is not None and car is not None:
        return visit.car != car
    if visit.gone_since is not None and draft.at >= visit.gone_since + GONE_MS:
        return True
    late = visit.loop == "blind" and draft.at >= visit.read + LOOPS_MS
    return visit.loop != "sees" and (visit.raised or late)
