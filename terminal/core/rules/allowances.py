"""Rule 14: a stay is paid at a pay station, or something takes a part of its fee away."""

from terminal.core import ids
from terminal.core.allowance import Allowance
from terminal.core.events import AllowanceGiven, CouponRead, PassRead
from terminal.core.model import OPEN, Stay
from terminal.core.rules.draft import Draft
from terminal.core.rules.limits import ALLOWANCES
from terminal.core.rules.records import reduced
from terminal.core.rules.visits import fee_taken, refuse, set_phase, set_stage
from terminal.core.value import replace


def allowance_given(draft: Draft, event: AllowanceGiven) -> None:
    """Count it once, whatever its sender repeats. A visit that is under way gets its new price at once."""
    stay = draft.stay(event.session)
    if any(one.id == event.id for one in stay.allowances):
        draft.reply("duplicate")
        return
    if stay.left is not None:
        text = f"{event.by} marked a ticket as paid or validated after its vehicle had left"
        draft.alert("credit-late", "warning", text, None, stay)
        draft.reply("late", "its vehicle has left")
        return
    if len(stay.allowances) >= ALLOWANCES:
        draft.reply("refused", "a ticket takes no more of them")
        return
    given = Allowance(event.id, event.kind, event.value, event.by, event.until)
    draft.put(replace(stay, allowances=(*stay.allowances, given)))
    if event.kind == "paid" and any(stay.kept(payment) for payment in stay.payments):
        text = "a stay that was paid by phone was paid at a pay station too: a person must give one of the two back"
        draft.alert("paid-twice", "critical", text, None, stay, stay.payments[-1].order_no)
        draft.reply("late", "it is paid by phone: give the money back")
    else:
        draft.reply("noted")
    if stay.lane:
        _price_again(draft, stay.lane, draft.stay(event.session))


def coupon_read(draft: Draft, event: CouponRead) -> None:
    """A coupon is used once: by the stay for which it was read first, at whichever lane. It has a place of its own
    among the stays, so it is never forgotten."""
    lane = draft.lane(event.lane)
    if event.fee_id in lane.fee_ids:
        return
    visit, used = lane.visit, draft.stay(event.coupon)
    stay = draft.stay(event.session)
    mine = any(one.id == event.coupon for one in stay.allowances)
    code = ids.help_code(event.session)
    if (used.coupon or used.left is not None) and not mine:
        draft.alert("coupon-used", "warning", "a coupon was read that is used already", lane.id, help_code=code)
        refuse(draft, lane.id, event.fee_id, "coupon-used", code)
        return
    may = visit is not None and visit.fee.session == event.session and visit.phase != "leaving"
    if not mine and (not may or visit is None or visit.fee.reason != "due" or len(stay.allowances) >= ALLOWANCES):
        refuse(draft, lane.id, event.fee_id, "coupon-alone", code)
        return
    draft.put(fee_taken(lane, event.fee_id))
    if mine:
        return
    draft.put(Stay(event.coupon, left=draft.at, coupon=True))
    given = Allowance(event.coupon, event.kind, event.value, "coupon", event.until, event.minutes)
    draft.put(replace(stay, allowances=(*stay.allowances, given)))
    _price_again(draft, lane.id, draft.stay(event.session))


def pass_read(draft: Draft, event: PassRead) -> None:
    """A season pass lets out one car at a time: a stay that began before the pass was last used was in the garage
    together with the one that used it. Its own place among the stays has when that was."""
    lane = draft.lane(event.lane)
    if event.fee_id in lane.fee_ids:
        return
    visit, stay, last = lane.visit, draft.stay(event.session), draft.stay(event.number).left
    by, code = f"pass {event.number}", ids.help_code(event.session)
    mine = any(one.by == by for one in stay.allowances)
    may = visit is not None and visit.fee.session == event.session and visit.phase != "leaving"
    if not mine and (not may or visit is None or visit.fee.reason != "due" or len(stay.allowances) >= ALLOWANCES):
        refuse(draft, lane.id, event.fee_id, "coupon-alone", code)
        return
    if not mine and last is not None and event.entered <= last:
        text = "a pass was read for two cars that were in the garage at the same time"
        draft.alert("pass-twice", "warning", text, lane.id, stay, help_code=code)
        if not event.soft:
            refuse(draft, lane.id, event.fee_id, "pass-used", code)
            return
    draft.put(fee_taken(draft.lane(event.lane), event.fee_id))
    if mine:
        return
    draft.put(Stay(event.number, left=draft.at, coupon=True))
    given = Allowance(event.fee_id, "free", 0, by, event.until)
    draft.put(replace(stay, allowances=(*stay.allowances, given)))
    _price_again(draft, lane.id, draft.stay(event.session))


def _price_again(draft: Draft, name: str, stay: Stay) -> None:
    lane = draft.lane(name)
    visit = lane.visit
    assert visit is not None, "a stay's lane has its visit"
    fee = reduced(stay, visit.fee, draft.at)
    draft.touch(name)
    if visit.phase == "leaving" or fee.amount == visit.fee.amount:
        return
    draft.put(replace(lane, visit=replace(visit, fee=fee, attempts=0)))
    order = stay.order(visit.order_no)
    if fee.reason != "free" and order and order.stage in OPEN:
        if order.stage != "closing":
            set_stage(draft, order, "closing")
        if visit.phase in ("ordering", "paying"):
            set_phase(draft, name, "reordering")
