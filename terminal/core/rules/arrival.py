"""Rules 1, 2 and 11: a ticket is read, and opens a visit, goes on with one, or is refused."""

from terminal.core import ids
from terminal.core.events import TicketRead, TicketRefused
from terminal.core.model import OPEN, Lane, Obstacle, ParkingFee, Phase, Stay, Visit
from terminal.core.rules.draft import Draft
from terminal.core.rules.records import car_waits, differ, has_risen, linger, may_lift, paid_loss, reduced, stands_there
from terminal.core.rules.visits import (
    begin_visit,
    end_visit,
    fee_taken,
    refuse,
)
from terminal.core.value import replace


def ticket_read(draft: Draft, event: TicketRead) -> None:
    """A genuine ticket was read: it is refused, continues its visit, or opens a visit in place of the one before."""
    lane, fee = draft.lane(event.lane), event.fee
    if fee.id in lane.fee_ids:
        return
    vehicle = lane.vehicle
    if vehicle and differ(fee.car, vehicle.car):
        draft.put(fee_taken(lane, fee.id))  # read for a car that has gone; the one that waits now has its own ticket
        return
    if lane.closed or event.hindrance:
        draft.put(fee_taken(lane, fee.id))
        return
    car = vehicle.car if vehicle and vehicle.waiting else fee.car
    if fee.reason == "lost":
        fee = replace(fee, session=_same_loss(draft, lane, fee, car))
    stay, visit = draft.stay(fee.session), lane.visit
    fee = reduced(stay, fee, draft.at)
    again = visit is not None and visit.fee.session == fee.session and not differ(visit.car, car)
    if reason := _refusal(draft, stay, fee, lane.id, car, again=again):
        refuse(draft, lane.id, fee.id, reason, ids.help_code(fee.session))
        return
    lane = fee_taken(lane, fee.id)
    if again:
        assert visit is not None
        draft.put(replace(lane, visit=_read_again(draft, visit, stay, fee, event.age)))
        return
    draft.put(lane)
    if visit and _keeps_its_place(draft, lane, visit, car):
        return
    if visit:
        end_visit(draft, lane.id)
    if stay.lane is not None:
        end_visit(draft, stay.lane)
    if draft.stay(fee.session).left is not None:  # its car just drove out
        refuse(draft, lane.id, fee.id, "ticket-used", ids.help_code(fee.session))
        return
    begin_visit(draft, lane.id, fee, car, draft.at - event.age)


def _read_again(draft: Draft, visit: Visit, stay: Stay, fee: ParkingFee, age: int) -> Visit:
    """The visit's own ticket was read again. Once there is an order or a lift, the fee that it was made for counts, not
    this reading; so does the order's end."""
    first = visit.fee if visit.order_no or visit.lifts else fee
    kept = replace(fee, amount=first.amount, minutes=first.minutes, reason=first.reason, full=first.full)
    visit = replace(visit, fee=kept, waits_until=visit.waits_until and linger(draft, visit), read=draft.at - age)
    if visit.phase != "helping":
        return visit
    order = stay.order(visit.order_no)
    phase: Phase = "blocked"
    if order and order.stage in OPEN:
        phase = "reordering" if order.stage == "closing" else "ordering"
    return replace(visit, phase=phase, since=draft.at, reason="", attempts=0, lifts=0)


def _refusal(draft: Draft, stay: Stay, fee: ParkingFee, name: str, car: str | None, *, again: bool) -> Obstacle:
    """Why this ticket opens no visit here, empty where it may."""
    if fee.reason == "lost" and stay.lost is None and stay != Stay(stay.session):
        text = "the fee of a lost ticket names a stay that is already known"
        draft.alert("bad-fee", "warning", text, name, stay)
        return "refused"
    if stay.lane and stay.lane != name and _is_held(draft, draft.lane(stay.lane)):
        text = f"a ticket was read at {name} while its car is at {stay.lane}"
        draft.alert("ticket-copied", "warning", text, name, stay)
        return "ticket-copied"
    if stay.left is not None or (not again and has_risen(stay) and not may_lift(draft, stay, car)):
        text = "a ticket was read again after the boom had risen for it"
        draft.alert("ticket-copied", "warning", text, name, stay)
        return "ticket-used"
    return ""


def _is_held(draft: Draft, lane: Lane) -> bool:
    """Rule 11: does its loop see the visit's car, or is the car on its way under the boom that rose for it?"""
    visit = lane.visit
    assert visit is not None, "a stay's lane has its visit"
    between = visit.raised and not (lane.boom and lane.boom.state == "down")
    return between or (visit.loop == "sees" and lane.vehicle is not None and car_waits(draft, lane, visit))


def _keeps_its_place(draft: Draft, lane: Lane, visit: Visit, car: str | None) -> bool:
    """Rule 11: a paid or free visit whose car the loop sees does not give way to another ticket."""
    if not stands_there(lane, visit) or differ(visit.car, car):
        return False
    stay = draft.stay(visit.fee.session)
    return visit.phase == "leaving" or any(p.holder in ("lift", "credit") for p in stay.payments)


def _same_loss(draft: Draft, lane: Lane, fee: ParkingFee, car: str | None) -> str:
    """The session of a lost ticket: the current visit's if it is read again, that of the one just paid if the loop only
    gave its vehicle a new name, otherwise a session of its own."""
    visit = lane.visit
    if visit and visit.fee.reason == "lost" and not visit.raised and not differ(visit.car, car):
        return visit.fee.session
    return paid_loss(draft, lane) or fee.session


def ticket_refused(draft: Draft, event: TicketRefused) -> None:
    """The reading is not a ticket, or its fee is disputed; a person is told of a dispute."""
    lane = draft.lane(event.lane)
    if event.fee_id in lane.fee_ids:
        return
    code = ids.help_code(event.ticket or event.fee_id)
    refuse(draft, event.lane, event.fee_id, event.reason, code)
    if event.disputed:
        draft.alert("bad-fee", "warning", event.disputed, event.lane, help_code=code)
