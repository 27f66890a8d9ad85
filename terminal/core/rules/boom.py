"""What the barrier says of its boom: its state, its clock, and the lift that raised it last."""

from terminal.core import ids
from terminal.core.events import BarrierGone, BoomSeen
from terminal.core.model import Boom
from terminal.core.rules.draft import Draft
from terminal.core.rules.lifts import lift_raised
from terminal.core.rules.limits import REMEMBERED_LIFTS, SKEW_ALERT_MS
from terminal.core.rules.records import stands_there, watched
from terminal.core.rules.restart import doubt_all
from terminal.core.value import replace


def boom_seen(draft: Draft, event: BoomSeen) -> None:
    """The barrier told what the arm does, its clock's time, and which lift raised the arm last."""
    lane = draft.lane(event.lane)
    before = lane.boom
    since = before.since if before and before.state == event.state else draft.at
    up = event.state in ("rising", "up")
    moves = up or event.state == "lowering"
    if lane.boom_fault and event.state == "up":
        draft.clear("boom-stuck", "the arm was seen up", lane.id)
        lane = replace(lane, boom_fault=False)
    if abs(event.skew) >= SKEW_ALERT_MS > abs(lane.skew):
        text = f"the barrier's clock differs from the worker's by {event.skew / 1000:.0f} s"
        draft.alert_until_cleared("barrier-clock", "critical", text, lane.id)
    elif abs(event.skew) < SKEW_ALERT_MS <= abs(lane.skew):
        draft.clear("barrier-clock", "the barrier's clock agrees again", lane.id)
    if event.state == "fault" and not (before and before.state == "fault"):
        draft.alert_until_cleared("boom-fault", "critical", "the barrier reports a fault of the arm", lane.id)
    elif before and before.state == "fault" and event.state != "fault":
        draft.clear("boom-fault", "the barrier no longer reports a fault", lane.id)
    if event.state == "up" and before and before.state in ("down", "lowering") and event.lift == before.lift:
        draft.alert("boom-open", "warning", "the arm is up and no lift raised it", lane.id)
    visit = lane.visit
    if visit and up and (visit.raised or (before and before.state == "down")):
        visit = replace(visit, was_up=True)
    passages = 0 if event.state == "down" else lane.passages
    if event.state == "down" and not (before and before.state == "down"):
        lane = replace(lane, risen_for=None)
    lane = replace(lane, boom=Boom(event.state, event.lift, since), skew=event.skew, visit=visit, passages=passages)
    draft.put(watched(lane))
    if visit and visit.raised and (moves or event.state == "down"):
        stay = draft.stay(visit.fee.session)
        seen = event.state == "down" and not visit.under and stands_there(lane, visit)
        # An arm that lowers was not down, whoever said so: its car may have passed meanwhile.
        draft.put(replace(stay, unpassed=seen or (stay.unpassed and not moves)))
    if event.lift and not (before and before.lift == event.lift):
        _named(draft, event, event.lift)


def barrier_gone(draft: Draft, event: BarrierGone) -> None:
    """The barrier went offline: nobody knows where the arm is until it is back."""
    draft.put(watched(replace(draft.lane(event.lane), boom=None)))


def _named(draft: Draft, event: BoomSeen, lift: str) -> None:
    """The barrier names the lift that raised its boom last; it may be one whose visit is over."""
    found = next((s for s in draft.all_stays() if (g := s.lift(lift)) and g.lane == event.lane), None)
    if found and (given := found.lift(lift)):
        lift_raised(draft, found, given)
    lane, rules = draft.lane(event.lane), draft.rules
    is_news = lift != lane.named and lift not in lane.lifts and found is None
    draft.put(replace(lane, named=lift))
    if not is_news or not ids.is_lift_id(lift, rules.mark, rules.garage, lane.id):
        return
    if len(lane.lifts) == REMEMBERED_LIFTS and ids.moment_of(lift) <= ids.moment_of(lane.lifts[0]):
        return
    text = "a barrier names a lift of ours that the journal lacks: an older journal was put back; a person must decide"
    draft.alert("journal-behind", "critical", text, lane.id)
    draft.doubts = True
    doubt_all(draft, at_work=True)
