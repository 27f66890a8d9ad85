"""The rules of a garage exit: every transition there is.

``step(garage, event) -> change`` is pure: no clock, no socket, no file. An event records a fact; then ``_advance``
moves every lane that the fact touched as far as the rules allow. The rules, in the order of a visit:

 1. A ticket is served once: its stay is followed at whichever lane reads it, and ends when its car has passed.
 2. An order belongs to the car on the loop. When that car has gone (2 s) or another ticket is read, the order is
    closed; a lane, and a stay, has at most one order that can be paid. Where the loop saw no car at the ticket, the
    vehicle that it sees soon is the one; a later one, or one after the boom rose, is another.
 3. While its car waits, an order that ran out is closed and followed by another; three in a visit, then help. Where a
    phone has read its code meanwhile it gets a minute more, once.
 4. Our clock never declares an order dead: it is closed when PayBy says so, and paid whenever PayBy says so.
 5. A payment has one holder: a lift, a credit, a refund or a person. It passes on when the barrier refused the
    lift, or 60 s after the lift's deadline with no answer and no sign of a raise; that lift is asked about again.
 6. A payment whose car waits lifts. One whose car is gone is credit for its ticket until the exit grace ends. Then it
    goes back, if every lift of it was refused and the arm was seen down until its car was off the loop; else a person
    decides. The second payment of a stay is refunded.
 7. What PayBy says must fit the order to the fils; else nothing lifts and a person is told.
 8. An arm that did not rise, or came down before its car had passed, gets further lifts: three in a visit, then help.
    What raised stays known: it is used or a person's. A stay leaves once, and has three raises in its life; after one
    it lifts again only for the same car, or where that car was on its loop until the arm was down.
 9. When the journal was damaged, every visit ends and every order is closed; what became of a payment meanwhile is not
    known, so a person decides: it neither lifts nor goes back by itself.
10. One stay never stops the garage: what makes our own code fail is a person's, and all others go on.
11. A visit whose car a live loop sees, or which is between the loops under its raised boom, is not taken over by a
    reading elsewhere: that is a copy of the ticket. Nor does a paid one give way to another ticket at its own lane.
12. A lane speaks for itself: an answer and a boom count only for lifts of their own lane. A barrier that names a lift
    of ours which the journal does not hold shows that the journal was put back: rule 9 holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from terminal.core import numbers
from terminal.core.actions import Action, Alert, Clear, Reply, TellRefund
from terminal.core.events import (
    AlertTold,
    BarrierGone,
    BoomSeen,
    CommandGiven,
    Damaged,
    Event,
    LiftAnswered,
    OrderDenied,
    OrderReported,
    OrderScanned,
    OrderUnheard,
    RefundReported,
    RefundUnheard,
    Started,
    StayFailed,
    TicketRead,
    TicketRefused,
    TimePassed,
    VehicleSeen,
    VehicleUnknown,
)
from terminal.core.noun import replace
from terminal.core.visit import (
    HOLD_MS,
    OPEN,
    REFUND_ENDS,
    Boom,
    Fee,
    GivenLift,
    Grant,
    GrantReason,
    Lane,
    Notice,
    Order,
    OrderStage,
    Payment,
    Phase,
    Refund,
    Rules,
    SpentCommand,
    Stay,
    Untold,
    Vehicle,
    Visit,
)

GONE_MS = 2_000
"""A loop that cleared is believed after this."""
WAIT_LIMIT_MS = 15_000
"""A driver looks at `wait` no longer than this, then at `help`."""
ANSWER_LIMIT_MS = 12_000
"""PayBy has this long to give a QR; then the driver sees `help`, and we keep asking."""
RENEW_MS = 5_000
"""An unanswered lift is signed anew this long before its deadline."""
RISE_LIMIT_MS = 6_000
"""An arm that was told to rise and is still down after this did not."""
SETTLE_MS = 1_000
"""Between two lifts, and after the arm came down, before another is thought of."""
LOOPS_MS = 5_500
"""After a start the loops have so long to say whether the car is still there, and after a ticket that it is there:
they speak every 5 s."""
LINGER_MS = 60_000
"""Without a loop a car counts as waiting this long after its last order was closed."""
NOTICE_MS = 15_000
"""A refusal shows so long, and longer while its car waits; without loops as long as a car counts as waiting."""
NOTICE_OVER_VISIT_MS = 6_000
NUMBER_TAKEN = "62016"
"""PayBy's code for an order number that it has with other parameters."""
EXPIRY_REFUSED = ("62008", "62009", "62089")
"""Its codes for an order that would expire in the past, or too late."""
MAX_SIGNED = 6
ALERT_AFTER_UNHEARD = 4
"""PayBy's eighth acceptance case: more than three failures, then a person is told."""
ALERT_AFTER_SIGNED = 3
SKEW_ALERT_MS = 5_000
SKEW_LIMIT_MS = 15_000
REMEMBERED_FEES = 8
REMEMBERED_LIFTS = 16
REMEMBERED_LOST = 3
REMIND_MS = 7 * 24 * 60 * 60_000
"""What waits for a person, or may not have been told, is told again at every start, for so long."""


@dataclass(slots=True)
class Garage:
    """All lanes and stays by id and session. step() never changes it; apply() does."""

    rules: Rules
    lanes: dict[str, Lane] = field(default_factory=dict)
    stays: dict[str, Stay] = field(default_factory=dict)

    def apply(self, change: "Change") -> None:
        self.rules = change.rules or self.rules
        self.lanes.update(change.lanes)
        self.stays.update(change.stays)

    @property
    def in_doubt(self) -> bool:
        """Might an order still be paid of which a damaged journal lost what became of it?"""
        return any(o.doubtful and o.stage in OPEN for stay in self.stays.values() for o in stay.orders)


@dataclass(slots=True)
class Change:
    """The nouns that a step made anew, and what it asks to be said."""

    lanes: dict[str, Lane]
    stays: dict[str, Stay]
    actions: list[Action]
    rules: Rules | None = None
    """Those in force from here on, where they are others."""
    doubts: bool = False
    """The journal was found to lack what happened: PayBy must be asked which orders it has of us."""

    def __bool__(self) -> bool:
        return bool(self.lanes or self.stays or self.actions or self.rules)


def step(garage: Garage, event: Event) -> Change:
    """What ``event`` changes in ``garage`` and what must be said; the argument stays as it is."""
    draft = _Draft(garage, event.at)
    if getattr(event, "lane", None) == numbers.NO_LANE:
        return Change({}, {}, [])  # no lane is called so: whoever says this may not
    match event:
        case Started():
            _started(draft, event)
        case Damaged():
            _damaged(draft, event)
        case StayFailed():
            _stay_failed(draft, event)
        case TicketRead():
            _ticket_read(draft, event)
        case TicketRefused():
            _ticket_refused(draft, event)
        case VehicleSeen():
            _vehicle_seen(draft, event)
        case VehicleUnknown(lane=lane):
            draft.put(_watched(replace(draft.lane(lane), vehicle=None)))
        case BoomSeen():
            _boom_seen(draft, event)
        case BarrierGone(lane=lane):
            draft.put(_watched(replace(draft.lane(lane), boom=None)))
        case LiftAnswered():
            _lift_answered(draft, event)
        case OrderReported():
            _order_reported(draft, event)
        case OrderScanned():
            _order_scanned(draft, event)
        case OrderUnheard():
            _order_unheard(draft, event)
        case OrderDenied():
            _order_denied(draft, event)
        case RefundReported():
            _refund_reported(draft, event)
        case RefundUnheard():
            _refund_unheard(draft, event)
        case CommandGiven():
            _command_given(draft, event)
        case AlertTold():
            _alert_told(draft, event)
        case _:
            _time_passed(draft, event)
    for touched in draft.touched():
        _advance(draft, touched)
    return Change(draft.lanes, draft.stays, draft.actions, draft.new_rules, draft.doubts)


class _Draft:
    """Reads through to the garage; what is put here differs from what is there."""

    def __init__(self, garage: Garage, at: int) -> None:
        self.at = at
        self.rules = garage.rules
        self.lanes: dict[str, Lane] = {}
        self.stays: dict[str, Stay] = {}
        self.actions: list[Action] = []
        self.new_rules: Rules | None = None
        self.doubts = False
        self._garage = garage
        self._touched: list[str] = []

    def lane(self, name: str) -> Lane:
        return self.lanes.get(name) or self._garage.lanes.get(name) or Lane(name)

    def stay(self, session: str) -> Stay:
        return self.stays.get(session) or self._garage.stays.get(session) or Stay(session)

    def knows(self, session: str) -> bool:
        """Is the stay in memory? One that was put away is not to be made anew in its place."""
        return session in self.stays or session in self._garage.stays

    def all_lanes(self) -> Iterable[Lane]:
        return [self.lane(name) for name in self._garage.lanes]

    def all_stays(self) -> Iterable[Stay]:
        return list(self._garage.stays.values())

    def put(self, noun: Lane | Stay) -> None:
        if isinstance(noun, Lane):
            self.touch(noun.id)
            if noun != self.lane(noun.id):
                self.lanes[noun.id] = noun
        elif noun != self.stay(noun.session):
            self.stays[noun.session] = noun

    def touch(self, lane: str) -> None:
        if lane not in self._touched:
            self._touched.append(lane)

    def touched(self) -> Iterable[str]:
        """Lanes in the order of their first touch, those touched meanwhile included."""
        yield from self._touched

    def alert(
        self,
        code: str,
        severity: str,
        text: str,
        lane: str | None,
        stay: Stay | None = None,
        order_no: str | None = None,
        *,
        once: bool = False,
        help_code: str | None = None,
        owed: bool = False,
    ) -> None:
        assert severity in ("info", "warning", "critical")
        session = stay.session if stay else None
        self.actions.append(Alert(code, severity, text, lane, session, order_no, once, help_code, owed))  # type: ignore[arg-type]

    def clear(self, code: str, text: str, lane: str | None) -> None:
        self.actions.append(Clear(code, text, lane))

    def reply(self, outcome: str, why: str = "") -> None:
        self.actions.append(Reply(outcome, why))  # type: ignore[arg-type]


def _time_passed(draft: _Draft, event: TimePassed) -> None:
    if event.lane is not None:
        draft.touch(event.lane)
    if event.session is not None:
        _stay_matured(draft, draft.stay(event.session))


# -- the car and its ticket --------------------------------------------------------------------------------------


def _started(draft: _Draft, event: Started) -> None:
    if event.rules and event.rules != draft.rules:
        draft.rules = draft.new_rules = event.rules
    for lane in draft.all_lanes():
        visit = lane.visit and replace(lane.visit, gone_since=None)
        draft.put(_watched(replace(lane, vehicle=None, boom=None, notice=None, visit=visit, began=draft.at)))
    for stay in sorted(draft.all_stays(), key=lambda stay: stay.session):  # whatever left memory and came back
        _remind(draft, stay)


def _remind(draft: _Draft, stay: Stay) -> None:
    """What waits for a person is told again: the worker may have died before it could tell."""
    for payment in stay.payments:
        if payment.holder == "person" and draft.at < payment.paid + REMIND_MS:
            failed = any(r.order_no == payment.order_no and r.stage == "failed" for r in stay.refunds)
            paid_for = stay.order(payment.order_no)
            code = "payment-doubtful" if paid_for and paid_for.doubtful else "lift-unknown"
            code = "refund-failed" if failed else code
            text = "a payment still waits for a person's decision"
            draft.alert(code, "critical", text, None, stay, payment.order_no, once=True)
    for order in stay.orders:
        if order.stage == "quarantined" and draft.at < order.placed + REMIND_MS:
            text = "an order of which PayBy's words do not fit still waits for a person"
            draft.alert("payment-mismatch", "critical", text, order.lane, stay, order.no, once=True)
    for untold in stay.untold:
        if draft.at < untold.since + REMIND_MS:
            _tell(draft, stay, untold)


def _tell(draft: _Draft, stay: Stay, what: Untold) -> None:
    draft.alert(what.code, "warning", what.text, what.lane, stay, what.order_no, once=True, owed=True)


def _alert_told(draft: _Draft, event: AlertTold) -> None:
    stay = draft.stay(event.session)
    draft.put(replace(stay, untold=tuple(untold for untold in stay.untold if untold.code != event.code)))


def _damaged(draft: _Draft, event: Damaged) -> None:
    """Rule 9."""
    if not event.listed:
        _doubt_all(draft)
    for order in event.orders:
        stay = draft.stay(order.session)
        if stay.order(order.no) is None:
            draft.put(replace(stay, orders=(*stay.orders, replace(order, doubtful=True))))
            if order.stage in OPEN:
                lane = draft.lane(order.lane)
                draft.put(replace(lane, open_sessions=(*lane.open_sessions, order.session)))


def _doubt_all(draft: _Draft) -> None:
    for known in draft.all_lanes():
        draft.put(replace(draft.lane(known.id), visit=None))
    for stay in draft.all_stays():
        draft.put(_doubted(draft.stay(stay.session)))


def _doubted(stay: Stay) -> Stay:
    """A stay of which the lost facts may have told more: its orders are closed, its lifts given up, and what a payment
    might still have bought is for a person to say. A refund that was asked for goes on under its number."""
    for payment in stay.payments:
        if payment.holder in ("lift", "credit"):
            stay = _held(stay, replace(payment, holder="person"))
        elif payment.holder == "raised":
            stay = _held(stay, replace(payment, until=0))
    orders = tuple(replace(o, stage="closing" if o.stage in OPEN else o.stage, doubtful=True) for o in stay.orders)
    return replace(stay, orders=orders, grants=(), lane=None)


def _stay_failed(draft: _Draft, event: StayFailed) -> None:
    """Rule 10."""
    stay = draft.stay(event.session)
    name = stay.lane
    draft.put(replace(_doubted(stay), lane=name))
    text = f"what came of a stay is not known, since our own code failed on it: {event.text}"
    draft.alert("stay-failed", "critical", text, name, stay, once=True)
    if name:
        _help(draft, name, "refused")


def _ticket_read(draft: _Draft, event: TicketRead) -> None:
    lane, fee = draft.lane(event.lane), event.fee
    if fee.id in lane.fee_ids:
        return
    vehicle = lane.vehicle
    if vehicle and _differ(fee.car, vehicle.car):
        draft.put(_fee_taken(lane, fee.id))  # read for a car that has gone; the one that waits now has its own
        return
    if lane.closed or event.hindrance:
        draft.put(_fee_taken(lane, fee.id))
        return
    car = vehicle.car if vehicle and vehicle.waiting else fee.car
    if fee.reason == "lost":
        fee = replace(fee, session=_same_loss(draft, lane, fee, car))
    stay, visit = draft.stay(fee.session), lane.visit
    again = visit is not None and visit.fee.session == fee.session and not _differ(visit.car, car)
    if reason := _refusal(draft, stay, fee, lane.id, car, again=again):
        _refuse(draft, lane.id, fee.id, reason, numbers.help_code(fee.session))
        return
    lane = _fee_taken(lane, fee.id)
    if again:
        assert visit is not None
        draft.put(replace(lane, visit=_read_again(draft, visit, stay, fee, event.age)))
        return
    draft.put(lane)
    if visit and _keeps_its_place(draft, lane, visit, car):
        return
    if visit:
        _end(draft, lane.id)
    if stay.lane is not None:
        _end(draft, stay.lane)
    if draft.stay(fee.session).left is not None:  # its car was just driving out
        _refuse(draft, lane.id, fee.id, "ticket-used", numbers.help_code(fee.session))
        return
    _begin(draft, lane.id, fee, car, draft.at - event.age)


def _read_again(draft: _Draft, visit: Visit, stay: Stay, fee: Fee, age: int) -> Visit:
    """The visit's own ticket. Once there is an order or a lift, what it was for counts, not this reading; and an
    order's end."""
    first = visit.fee if visit.order_no or visit.lifts else fee
    kept = replace(fee, amount=first.amount, minutes=first.minutes, reason=first.reason)
    visit = replace(visit, fee=kept, waits_until=visit.waits_until and _linger(draft, visit), read=draft.at - age)
    if visit.phase != "helping":
        return visit
    order = stay.order(visit.order_no)
    phase: Phase = "blocked"
    if order and order.stage in OPEN:
        phase = "reordering" if order.stage == "closing" else "ordering"
    return replace(visit, phase=phase, since=draft.at, reason="", attempts=0, lifts=0)


def _refusal(draft: _Draft, stay: Stay, fee: Fee, name: str, car: str | None, *, again: bool) -> str:
    """Why this ticket opens no visit here, in the words of `help`; empty where nothing speaks against it."""
    if fee.reason == "lost" and stay.lost is None and stay != Stay(stay.session):
        text = "a lost ticket has the session of a stay that is known"
        draft.alert("bad-fee", "warning", text, name, stay, once=True)
        return "refused"
    if stay.lane and stay.lane != name and _is_held(draft, draft.lane(stay.lane)):
        text = f"a ticket was read at {name} whose car is at {stay.lane}"
        draft.alert("ticket-copied", "warning", text, name, stay, once=True)
        return "ticket-copied"
    if stay.left is not None or (not again and _rose(stay) and not _may_lift(draft, stay, car)):
        text = "a ticket was read again for which the boom had risen"
        draft.alert("ticket-copied", "warning", text, name, stay, once=True)
        return "ticket-used"
    return ""


def _is_held(draft: _Draft, lane: Lane) -> bool:
    """Rule 11: is the visit's car there, by the word of its loop, or on its way under the boom that rose for it?"""
    visit = lane.visit
    assert visit is not None, "a stay is where its visit is"
    between = visit.raised and not (lane.boom and lane.boom.state == "down")
    return between or (visit.loop == "sees" and lane.vehicle is not None and _waits(draft, lane, visit))


def _keeps_its_place(draft: _Draft, lane: Lane, visit: Visit, car: str | None) -> bool:
    """Rule 11: a paid or free visit whose car the loop sees does not give way to another ticket."""
    if not _stands_there(lane, visit) or _differ(visit.car, car):
        return False
    stay = draft.stay(visit.fee.session)
    return visit.phase == "leaving" or any(p.holder in ("lift", "credit") for p in stay.payments)


def _stands_there(lane: Lane, visit: Visit) -> bool:
    """Does a live loop see the visit's car?"""
    vehicle = lane.vehicle
    sees = visit.loop == "sees" and vehicle is not None and vehicle.waiting
    return sees and visit.gone_since is None and not _differ(visit.car, vehicle.car if vehicle else None)


def _same_loss(draft: _Draft, lane: Lane, fee: Fee, car: str | None) -> str:
    """The session of a lost ticket: of the visit that is under way if it is read again, of the one that was paid just
    now if the loop only names its vehicle anew, else its own."""
    visit = lane.visit
    if visit and visit.fee.reason == "lost" and not visit.raised and not _differ(visit.car, car):
        return visit.fee.session
    return _paid_loss(draft, lane) or fee.session


def _paid_loss(draft: _Draft, lane: Lane) -> str | None:
    """The lane's last lost stay that is paid and has not raised, if that is only just so."""
    for session in reversed(lane.lost):
        stay = draft.stay(session)
        paid = [p.paid for p in stay.payments if p.holder in ("lift", "credit")]
        young = paid and draft.at < max(stay.lost or 0, *paid) + draft.rules.lost_again
        if young and stay.left is None and not _rose(stay):
            return session
    return None


def _differ(one: str | None, other: str | None) -> bool:
    """Are these the names of two vehicles?"""
    return one is not None and other is not None and one != other


def _fee_taken(lane: Lane, fee_id: str) -> Lane:
    others = (i for i in lane.fee_ids if i != fee_id)
    return replace(lane, fee_ids=(*others, fee_id)[-REMEMBERED_FEES:], notice=None)


def _begin(draft: _Draft, name: str, fee: Fee, car: str | None, read: int) -> None:
    lane, stay = draft.lane(name), draft.stay(fee.session)
    lost = stay.lost
    if fee.reason == "lost":
        lost = draft.at
        others = (session for session in lane.lost if session != fee.session)
        lane = replace(lane, lost=(*others, fee.session)[-REMEMBERED_LOST:])
    draft.put(replace(stay, lane=name, lost=lost))
    visit = Visit(fee, "blocked", draft.at, car, read=read)
    if lane.vehicle is None:
        visit = replace(visit, loop="unknown", waits_until=draft.at + LINGER_MS)
    elif not lane.vehicle.waiting:
        visit = replace(visit, loop="blind", waits_until=draft.at + LINGER_MS)
        draft.alert("loop-blind", "warning", "a ticket was read while the loop saw no vehicle", name, stay, once=True)
    draft.put(_watched(replace(lane, visit=visit)))


def _ticket_refused(draft: _Draft, event: TicketRefused) -> None:
    lane = draft.lane(event.lane)
    if event.fee_id in lane.fee_ids:
        return
    code = numbers.help_code(event.ticket or event.fee_id)
    _refuse(draft, event.lane, event.fee_id, event.reason, code)
    if event.disputed:
        draft.alert("bad-fee", "warning", event.disputed, event.lane, once=True, help_code=code)


def _refuse(draft: _Draft, name: str, fee_id: str, reason: str, help_code: str) -> None:
    """Show a refusal; a visit that is under way goes on behind it."""
    lane = _fee_taken(draft.lane(name), fee_id)
    shown = NOTICE_OVER_VISIT_MS if lane.visit else NOTICE_MS if lane.vehicle else LINGER_MS
    draft.put(replace(lane, notice=Notice(reason, help_code, draft.at + shown)))
    text = f"a ticket was refused: {reason}"
    draft.alert("ticket-refused", "info", text, name, once=True, help_code=help_code)


def _vehicle_seen(draft: _Draft, event: VehicleSeen) -> None:
    lane = draft.lane(event.lane)
    before, visit = lane.vehicle, lane.visit
    under = event.under_boom and (lane.boom is None or lane.boom.state != "down")
    newly_under = under and not (before and before.under_boom)
    # The first to pass under a raise is the one that it was for; whoever follows is another.
    risen_for = lane.risen_for if newly_under and not lane.passages else None
    if newly_under:
        lane = _passage(draft, lane, risen_for)
    if lane.notice and event.waiting and before and (before.car != event.car or not before.waiting):
        lane = replace(lane, notice=None)  # it was for the vehicle before
    lane = replace(lane, vehicle=Vehicle(event.waiting, event.car, event.under_boom))
    if visit is None:
        draft.put(lane)
        return
    is_another = event.waiting and _is_another(draft, visit, event.car)
    # Where nobody knows of the arm, a vehicle that comes under it after our lift says that it rose.
    unknown = lane.boom is None or lane.boom.state == "unknown"
    rose = newly_under and before is not None and unknown and visit.lifts
    # A vehicle that is not there any more after a silence passed the boom that had risen. One with another name is
    # another if it was the worker that had been away; loops that were give the same vehicle a new name.
    away = not event.waiting or (is_another and visit.since <= lane.began)
    unseen = before is None and visit.raised and visit.was_up and away
    its_own = visit.was_up or rose or risen_for == visit.fee.session
    if (under and its_own) or unseen:
        visit = replace(visit, under=True)
    elif newly_under and risen_for is None and before is not None:
        visit = replace(visit, follows=True)
    elif visit.follows and not event.under_boom and event.waiting and not is_another:
        visit = replace(visit, follows=False)  # it was another's: its own is still there
    if (visit.under and not event.under_boom) or is_another or (visit.follows and not event.under_boom):
        draft.put(replace(lane, visit=visit))
        _end(draft, lane.id)
        return
    if event.waiting:
        visit = replace(visit, car=visit.car or event.car, loop="sees", gone_since=None, waits_until=None)
    elif visit.loop != "blind":
        visit = replace(visit, loop="sees", gone_since=visit.gone_since or draft.at)
    draft.put(_watched(replace(lane, visit=visit)))


def _watched(lane: Lane) -> Lane:
    """With what is known now of whether the visit's car may have left without a raise of its own."""
    visit, boom = lane.visit, lane.boom
    if visit is None or (boom and boom.state == "down" and not _stands_there(lane, visit)):
        return lane
    escape = visit.escape
    if _stands_there(lane, visit):
        escape = "no"
    elif lane.vehicle and visit.loop == "sees" and boom and boom.state in ("rising", "up", "lowering"):
        escape = "tailgating" if lane.risen_for or lane.passages > 1 else "open"
    elif escape == "no":
        escape = "perhaps"
    return lane if escape == visit.escape else replace(lane, visit=replace(visit, escape=escape))


def _passage(draft: _Draft, lane: Lane, risen_for: str | None) -> Lane:
    """A vehicle comes under the boom, which rose for this stay if for any; the visit may have been over by then."""
    if risen_for and draft.knows(risen_for) and (stay := draft.stay(risen_for)).lane != lane.id:
        draft.put(replace(stay, left=stay.left or draft.at))
        if stay.lane:
            draft.touch(stay.lane)
    passages = lane.passages + 1
    if passages > 1:
        text = f"vehicle {passages} passed under one raise of the boom"
        draft.alert("tailgating", "warning", text, lane.id, once=True)
    return replace(lane, passages=passages)


def _is_another(draft: _Draft, visit: Visit, car: str | None) -> bool:
    """Is the vehicle on the loop another than the visit's? Where loops do not name vehicles, one that comes when the
    visit's had gone is. Where no loop ever saw the visit's, one that is seen after the boom rose is, and after a ticket
    that a loop which spoke should have seen."""
    if visit.car is not None and car is not None:
        return visit.car != car
    if visit.gone_since is not None and draft.at >= visit.gone_since + GONE_MS:
        return True
    late = visit.loop == "blind" and draft.at >= visit.read + LOOPS_MS
    return visit.loop != "sees" and (visit.raised or late)


def _end(draft: _Draft, name: str) -> None:
    """The visit is over: close its order, send its lift no more; its payment, if any, keeps its holder."""
    lane = draft.lane(name)
    visit = lane.visit
    if visit is None:
        return
    draft.put(replace(lane, visit=None))
    stay = draft.stay(visit.fee.session)
    grants = tuple(replace(grant, dropped=True) for grant in stay.grants)
    passed = visit.under or (visit.raised and visit.loop != "sees")
    slipped = None if passed or visit.raised else _slipped_out(draft, lane, visit, stay)
    left = draft.at if passed or slipped else stay.left
    perhaps = stay.perhaps_left or (visit.escape != "no" and not visit.raised)
    stay = replace(stay, lane=None, grants=grants, left=left, perhaps_left=perhaps)
    if slipped:
        stay = replace(stay, slipped_out=True, untold=(*stay.untold, slipped))
        _tell(draft, stay, slipped)
    draft.put(stay)
    order = stay.order(visit.order_no)
    if order and order.stage in ("placing", "created"):
        _stage(draft, order, "closing")
    if visit.raised and not passed:
        draft.alert("no-passage", "warning", "the boom rose and its vehicle did not pass", name, stay, once=True)


def _slipped_out(draft: _Draft, lane: Lane, visit: Visit, stay: Stay) -> Untold | None:
    """Did its car leave under another's raise, or under an arm that is held open? Then its ticket is used, and this is
    to be told: nothing else will say what became of its payment."""
    may_leave = visit.fee.reason == "free" or any(p.holder in ("lift", "credit") for p in stay.payments)
    if not visit.follows and not (visit.escape in ("open", "tailgating") and may_leave):
        return None
    for_another = visit.escape == "tailgating" or lane.risen_for is not None or lane.passages > 1
    how = "under the raise of another" if for_another else "under an arm that no lift of it had raised"
    text = f"a vehicle left {how}: its ticket is used" if may_leave else f"a vehicle left {how}, unpaid"
    number = stay.payments[-1].order_no if stay.payments else None
    return Untold(draft.at, "tailgating" if for_another else "passed-open", text, lane.id, number)


def _waits(draft: _Draft, lane: Lane, visit: Visit) -> bool:
    """Is the visit's car still there, as far as anyone can tell?"""
    if visit.gone_since is not None and lane.vehicle is not None:
        return draft.at - visit.gone_since < GONE_MS
    return visit.waits_until is None or draft.at < visit.waits_until


def _unheard(draft: _Draft, lane: Lane, visit: Visit) -> bool:
    """Has a worker that came back still to hear from the loops, which spoke when the ticket was read? Another may stand
    there now, and a lift without a car would let it out."""
    return visit.loop != "unknown" and lane.vehicle is None and draft.at < lane.began + LOOPS_MS


def _linger(draft: _Draft, visit: Visit) -> int | None:
    return None if visit.loop == "sees" else draft.at + LINGER_MS


# -- progress ----------------------------------------------------------------------------------------------------


def _advance(draft: _Draft, name: str) -> None:
    """Move a lane's visit as far as the rules allow."""
    while (visit := draft.lane(name).visit) is not None:
        lane = draft.lane(name)
        if visit.phase == "leaving":
            _advance_leaving(draft, lane, visit)
        elif not _waits(draft, lane, visit):
            _end(draft, name)
        else:
            _advance_paying(draft, lane, visit)
        if draft.lane(name).visit == visit:
            return


def _advance_paying(draft: _Draft, lane: Lane, visit: Visit) -> None:
    stay = draft.stay(visit.fee.session)
    order = stay.order(visit.order_no)
    if _unheard(draft, lane, visit):
        return
    credit, is_free = _credit(draft, stay), visit.fee.reason == "free"
    may_begin = visit.phase != "helping" or not visit.lifts
    has_right = may_begin and (credit is not None or is_free)
    if stay.left is not None or (has_right and not _may_lift(draft, stay, visit.car)):
        if order and order.stage in ("placing", "created"):
            _stage(draft, order, "closing")
        if visit.phase != "helping":
            _help(draft, lane.id, "ticket-used" if stay.left is not None or _rose(stay) else "barrier")
        return
    if may_begin and credit:
        _grant(draft, lane.id, _reason_for(lane.id, stay, credit), credit)
        return
    if may_begin and is_free and all(draft.at >= g.not_after for g in stay.grants):
        _grant(draft, lane.id, "free", None)
        return
    if order and order.stage in ("placing", "created") and draft.at >= order.expires:
        if _extended(draft, order, visit):
            return
        _stage(draft, order, "closing")
        if visit.phase != "helping":
            _phase(draft, lane.id, "reordering")
        return
    match visit.phase:
        case "ordering" if order and order.stage == "created":
            _phase(draft, lane.id, "paying")
        case "ordering" if order and order.stage == "placing":
            if draft.at >= visit.since + ANSWER_LIMIT_MS:
                _help(draft, lane.id, "no-answer")
        case "ordering" | "paying" if order and order.stage not in OPEN:
            _phase(draft, lane.id, "reordering")
        case "reordering" if order and order.stage in OPEN:
            if draft.at >= visit.since + WAIT_LIMIT_MS:
                _help(draft, lane.id, "no-answer")
        case "reordering" if visit.attempts >= draft.rules.attempts:
            _help(draft, lane.id, "unpaid")
        case "reordering":
            _phase(draft, lane.id, "blocked")
        case "blocked":
            if obstacle := _obstacle(draft, lane, stay):
                if draft.at >= visit.since + WAIT_LIMIT_MS:
                    _help(draft, lane.id, obstacle)
            elif visit.fee.reason == "lost" and (paid := _paid_loss(draft, lane)) not in (None, stay.session):
                assert paid is not None
                _end(draft, lane.id)  # the same loss, which was paid while its vehicle had another name
                _begin(draft, lane.id, replace(visit.fee, session=paid), visit.car, visit.read)
            else:
                _place(draft, lane, visit, stay)
        case "helping" if order and order.stage == "created":
            _phase(draft, lane.id, "paying")
        case "helping" if visit.reason in ("no-answer", "barrier") and not visit.lifts:
            if visit.attempts < draft.rules.attempts and not _obstacle(draft, lane, stay):
                _place(draft, lane, visit, stay)


def _phase(draft: _Draft, name: str, phase: Phase, reason: str = "") -> Visit:
    lane = draft.lane(name)
    assert lane.visit is not None
    visit = replace(lane.visit, phase=phase, since=draft.at, reason=reason)
    draft.put(replace(lane, visit=visit))
    return visit


def _help(draft: _Draft, name: str, reason: str) -> None:
    visit = _phase(draft, name, "helping", reason)
    stay = draft.stay(visit.fee.session)
    draft.alert("help", "warning", f"a driver needs help: {reason}", name, stay, visit.order_no, once=True)


def _obstacle(draft: _Draft, lane: Lane, stay: Stay) -> str:
    """Why no order may be placed here now, in the words of `help`; empty when nothing stands in the way."""
    if any(grant.reason == "free" and draft.at < grant.not_after for grant in stay.grants):
        return "no-answer"  # it was free at another lane, where its lift may still raise
    if lane.boom is None or lane.boom_fault or lane.boom.state == "fault":
        return "barrier"
    if abs(lane.skew) >= SKEW_LIMIT_MS:
        return "no-answer"
    if lane.open_sessions or any(o.stage in OPEN for o in stay.orders):
        return "no-answer"
    if any(stay.kept(p) for p in stay.payments) or any(o.stage == "quarantined" for o in stay.orders):
        return "no-answer"  # its money is here: it lifts, goes back, or a person decides; nobody pays twice
    if _attempt(lane, stay) > numbers.ATTEMPTS:
        return "no-answer"
    if not _may_lift(draft, stay, lane.visit.car if lane.visit else None):
        return "barrier"  # who paid could not be let out
    return ""


def _attempt(lane: Lane, stay: Stay) -> int:
    """The number of a stay's next order at a lane; of those before, a damaged journal may have lost some."""
    return 1 + max((o.attempt for o in stay.orders if o.lane == lane.id), default=0)


def _place(draft: _Draft, lane: Lane, visit: Visit, stay: Stay) -> None:
    attempt = _attempt(lane, stay)
    rules, session = draft.rules, stay.session
    no = numbers.order_no(rules.garage, lane.id, session, attempt)
    expires = draft.at + rules.cancel_after
    order = Order(
        no,
        lane.id,
        session,
        attempt,
        visit.fee.amount,
        draft.at,
        expires,
        expires + rules.payby_margin,
        visit.fee.minutes,
    )
    draft.put(replace(stay, orders=(*stay.orders, order)))
    visit = replace(
        visit, phase="ordering", since=draft.at, order_no=no, attempts=visit.attempts + 1, reason="", waits_until=None
    )
    draft.put(replace(lane, visit=visit, open_sessions=(*lane.open_sessions, session)))


# -- the order and its payment -----------------------------------------------------------------------------------


def _stage(draft: _Draft, order: Order, stage: OrderStage, **more: object) -> Order:
    """An order's next stage; a lane and a visit learn when it can no longer be paid."""
    order = replace(order, stage=stage, **more)  # type: ignore[arg-type]
    stay = draft.stay(order.session)
    draft.put(replace(stay, orders=tuple(order if o.no == order.no else o for o in stay.orders)))
    if stage not in OPEN:
        lane = draft.lane(order.lane)
        others = draft.stay(order.session).orders
        still = any(o.lane == order.lane and o.stage in OPEN for o in others)
        sessions = tuple(s for s in lane.open_sessions if s != order.session or still)
        visit = lane.visit
        if visit and visit.order_no == order.no:
            visit = replace(visit, waits_until=_linger(draft, visit))
        draft.put(replace(lane, open_sessions=sessions, visit=visit))
    if stay.lane:
        draft.touch(stay.lane)
    return order


def _find(draft: _Draft, order_no: str) -> tuple[Stay, Order] | None:
    name = numbers.parse_order_no(order_no)
    if name is None or name.garage != draft.rules.garage:
        return None
    stay = draft.stay(name.session)
    order = stay.order(order_no)
    return (stay, order) if order else None


def _order_reported(draft: _Draft, event: OrderReported) -> None:
    found = _find(draft, event.order_no)
    if found is None:
        if event.status == "PAID":
            text = "PayBy reports a payment for an order that we never made"
            draft.alert("payment-unknown", "critical", text, None, order_no=event.order_no, once=True)
        draft.reply("refused", "no such order")
        return
    stay, order = found
    if wrong := event.wrong or _misfit(order, event):
        _misreported(draft, stay, order, event, wrong)
        return
    # That it is still open does not make up for calls that were to place or to close it.
    if event.status != "CREATED" or order.stage == "created" or (order.stage == "placing" and event.token_url):
        order = _heard_again(draft, order)
    payby_no = order.payby_no or event.payby_no
    match event.status, order.stage:
        case "PAID", "paid":
            draft.reply("duplicate")
        case "PAID", "quarantined":
            draft.reply("refused", "quarantined")
        case "PAID", _:
            _stage(draft, order, "paid", payby_no=payby_no)
            _paid(draft, order, event)
        case "CREATED", "placing":
            token = event.token_url or order.token_url
            _stage(draft, order, "created" if token else "placing", payby_no=payby_no, token_url=token)
            draft.reply("noted")
        case "FAILURE", "placing" | "created" | "closing":
            _stage(draft, order, "closed", payby_no=payby_no)
            if order.scanned:
                text = f"a phone read the code, and nobody paid: {order.scanned_by or 'PayBy does not say whose'}"
                draft.alert("scanned-unpaid", "info", text, order.lane, stay, order.no, once=True)
            draft.reply("noted")
        case "FAILURE", "paid":
            text = "PayBy reports an order as failed that it had reported as paid"
            draft.alert("paid-then-failed", "critical", text, order.lane, stay, order.no, once=True)
            draft.reply("noted")
        case "OTHER", _:
            text = "PayBy reports a status that no DYNQR order should have"
            draft.alert("payment-status", "warning", text, order.lane, stay, order.no, once=True)
            draft.reply("refused", "status")
        case _:
            draft.reply("noted")


def _order_scanned(draft: _Draft, event: OrderScanned) -> None:
    found = _find(draft, event.order_no)
    if found and found[1].stage == "created" and not found[1].scanned:
        _stage(draft, found[1], "created", scanned=True, scanned_by=event.payer)


def _extended(draft: _Draft, order: Order, visit: Visit) -> bool:
    """Rule 3: does whoever scanned it get time to confirm?"""
    more = draft.rules.scanned_more
    late = draft.at >= order.expires + more
    if late or not order.scanned or order.extended or order.stage != "created" or visit.phase != "paying":
        return False
    expires, payby_expires = order.expires + more, order.payby_expires + more
    _stage(draft, order, "created", expires=expires, payby_expires=payby_expires, extended=True)
    return True


def _heard_again(draft: _Draft, order: Order) -> Order:
    if order.unheard >= ALERT_AFTER_UNHEARD:
        draft.clear("payby-silent", "PayBy answers again", order.lane)
    return _stage(draft, replace(order, unheard=0), order.stage) if order.unheard else order


def _misfit(order: Order, event: OrderReported) -> str:
    if event.amount != order.amount:
        return f"amount is {event.amount} fils, the order's {order.amount}"
    if order.payby_no and event.payby_no and event.payby_no != order.payby_no:
        return "orderNo is not the one that PayBy gave this order"
    return ""


def _misreported(draft: _Draft, stay: Stay, order: Order, event: OrderReported, wrong: str) -> None:
    """Rule 7. A notification alone decides nothing more (the query goes on); PayBy's own answer ends the order."""
    text = f"PayBy's words do not fit the order: {wrong}"
    draft.alert("payment-mismatch", "critical", text, order.lane, stay, order.no, once=True)
    draft.reply("refused", wrong)
    if event.status == "PAID" and not event.notified and order.stage in OPEN:
        _stage(draft, order, "quarantined")
        lane = draft.lane(order.lane)
        if lane.visit and lane.visit.order_no == order.no:
            _help(draft, lane.id, "refused")


def _paid(draft: _Draft, order: Order, event: OrderReported) -> None:
    """Rule 6."""
    stay = draft.stay(order.session)
    standing = [p for p in stay.payments if stay.unasked(p)]
    payment = Payment(order.no, order.amount, draft.at, event.proof, "credit", until=draft.at + draft.rules.exit_grace)
    if order.doubtful:
        payment = replace(payment, holder="person")
    draft.put(replace(stay, payments=(*stay.payments, payment)))
    stay = draft.stay(order.session)
    if order.doubtful:
        text = "paid, and nobody knows whether it was served before the journal was damaged: a person decides"
        draft.alert("payment-doubtful", "critical", text, order.lane, stay, order.no, once=True)
        draft.reply("late", "a person decides")
        return
    if standing:
        draft.alert(
            "paid-twice",
            "critical",
            "a stay was paid twice; the second is refunded",
            order.lane,
            stay,
            order.no,
            once=True,
        )
        _ask_refund(draft, stay, payment, payment.amount, "paid twice", "worker", order.no)
        draft.reply("late", "paid twice; it is refunded")
        return
    lane = draft.lane(stay.lane) if stay.lane else None
    visit = lane.visit if lane else None
    may = visit is not None and _may_lift(draft, stay, visit.car)
    if lane and visit and may and visit.phase != "leaving" and _waits(draft, lane, visit):
        if not _unheard(draft, lane, visit):
            _grant(draft, lane.id, _reason_for(lane.id, stay, payment), payment)
        draft.reply("lifting")
        return
    text, why = _lateness(stay)
    draft.alert("late-payment", "warning", text, order.lane, stay, order.no, once=True)
    draft.reply("late", why)


def _lateness(stay: Stay) -> tuple[str, str]:
    """What becomes of a payment whose vehicle is gone (``_credit_matured``): for the alert, and for its answer."""
    if stay.slipped_out:
        return (
            "paid when its vehicle had left without a raise of its own: the payment is kept, the ticket is used",
            "its vehicle has left; the payment is kept",
        )
    if stay.left is not None or stay.perhaps_left:
        return (
            "paid when its vehicle had left or may have: a person decides when the exit grace ends",
            "its vehicle may have left; a person decides",
        )
    return (
        "paid when its vehicle was gone: credit for its ticket until the exit grace ends, then a refund",
        "its vehicle is gone; the ticket has credit",
    )


def _order_unheard(draft: _Draft, event: OrderUnheard) -> None:
    found = _find(draft, event.order_no)
    if found is None or found[1].unheard >= ALERT_AFTER_UNHEARD:
        return
    stay, order = found
    order = _stage(draft, replace(order, unheard=order.unheard + 1), order.stage)
    if order.unheard == ALERT_AFTER_UNHEARD:
        text = f"PayBy does not answer ({event.call}: {event.text})"
        draft.alert("payby-silent", "critical", text, order.lane, stay, order.no)


def _order_denied(draft: _Draft, event: OrderDenied) -> None:
    found = _find(draft, event.order_no)
    if found is None or found[1].stage not in OPEN:
        return
    stay, order = found
    text = f"PayBy refused {event.call}: {event.code} {event.text}"
    mine = draft.lane(order.lane).visit
    current = bool(mine and mine.order_no == order.no)
    placing = order.stage == "placing" and (event.call == "placeOrder" or not event.unsigned)
    match event.kind:
        case "dead":
            _stage(draft, _heard_again(draft, order), "closed")
        case "unknown":
            # Of an order whose code was shown, PayBy's word that it has nothing to cancel is asked for as well.
            if order.stage == "closing" and (not order.token_url or event.call == "cancelOrder"):
                _stage(draft, _heard_again(draft, order), "closed")
            elif order.token_url:
                draft.alert("payby-forgot", "critical", text, order.lane, stay, order.no)
        case "refused" | "unauthorised":
            draft.alert(f"payby-{event.kind}", "critical", text, order.lane, stay, order.no, once=True)
            if event.call == "placeOrder" and (placing or not event.unsigned):
                _stage(draft, order, "closing" if event.unsigned else "failed")
                if current:
                    _help(draft, order.lane, "refused")
        case "mistake":
            # Our clock may be wrong and not yet known to be; PayBy's answer tells, and the next order's words heed it.
            ahead = event.code in EXPIRY_REFUSED and placing
            code = "payby-clock" if ahead else "payby-mistake"
            draft.alert(code, "critical", text, order.lane, stay, order.no, once=True)
            if placing:
                # PayBy may have that number with other words: an order that a damaged journal lost.
                _stage(draft, order, "closing", doubtful=order.doubtful or event.code == NUMBER_TAKEN)
                if current and ahead:
                    _phase(draft, order.lane, "reordering")
                elif current:
                    _help(draft, order.lane, "refused")
        case _:  # our clock
            draft.alert("payby-clock", "critical", text, order.lane, stay, order.no)


# -- the lift ----------------------------------------------------------------------------------------------------


def _credit(draft: _Draft, stay: Stay) -> Payment | None:
    """A payment that may lift now: credit, or one whose lift raised for a car that did not pass."""
    for payment in stay.payments:
        if payment.holder == "credit" and draft.at < payment.until:
            return payment
        if payment.holder == "raised" and draft.at < payment.until and payment.refund_no is None:
            return payment
    return None


def _rose(stay: Stay) -> bool:
    """Did the boom rise for it, or may it have, by a barrier's word?"""
    return any(g.outcome in ("raised", "unknown") for g in stay.given)


def _may_lift(draft: _Draft, stay: Stay, car: str | None) -> bool:
    """Rule 8: may the boom rise (again) for this stay, whose ticket was read for this car?"""
    if stay.left is not None or sum(g.outcome != "refused" for g in stay.given) >= draft.rules.lifts:
        return False
    return not _rose_for_another(stay, car)


def _rose_for_another(stay: Stay, car: str | None, but: str | None = None) -> bool:
    """Did the boom rise for it, or may it have, for a car that is not this one by all that is known? ``but``: a lift
    that does not count."""
    rose = [g for g in stay.given if g.id != but and g.outcome in ("raised", "unknown")]
    return bool(rose) and not stay.unpassed and (car is None or rose[-1].car != car)


def _reason_for(lane: str, stay: Stay, payment: Payment) -> GrantReason:
    """`paid` spends an order's number at its own lane, once; everything else is `credit`."""
    order = stay.order(payment.order_no)
    return "paid" if order and order.lane == lane and payment.grant is None else "credit"


def _grant(draft: _Draft, name: str, reason: GrantReason, payment: Payment | None) -> None:
    lane = draft.lane(name)
    visit = lane.visit
    assert visit is not None
    stay = draft.stay(visit.fee.session)
    car = visit.car if lane.vehicle else None  # while loops speak, the one that the ticket was read for and no other
    rules = draft.rules
    lift = numbers.lift_id(draft.at, rules.mark, rules.garage, name, stay.session, reason, str(stay.lifts + 1))
    number = payment.order_no if payment else None
    grant = Grant(
        lift,
        name,
        stay.session,
        car,
        reason,
        draft.at + (rules.lift if car else rules.lift_unknown_car),
        number,
        payment.amount if payment else None,
    )
    given = GivenLift(lift, name, visit.car, number)
    stay = replace(stay, grants=(*stay.grants, grant), given=(*stay.given, given))
    if payment:
        stay = _held(stay, replace(payment, holder="lift", grant=lift))
    draft.put(stay)
    visit = replace(
        visit,
        phase="leaving",
        since=draft.at,
        grant=lift,
        lifts=visit.lifts + 1,
        raised=False,
        was_up=False,
        reason="",
        waits_until=_linger(draft, visit),
    )
    draft.put(replace(lane, visit=visit, lifts=(*lane.lifts, lift)[-REMEMBERED_LIFTS:]))
    order = stay.order(visit.order_no)
    if order and order.stage in ("placing", "created"):
        _stage(draft, order, "closing")


def _held(stay: Stay, payment: Payment) -> Stay:
    """The payment with its new holder; a refund that waited for the lift in flight takes it over."""
    if payment.refund_no and payment.holder in ("raised", "credit", "person"):
        payment = replace(payment, holder="refund")
    return replace(stay, payments=tuple(payment if p.order_no == payment.order_no else p for p in stay.payments))


def _boom_seen(draft: _Draft, event: BoomSeen) -> None:
    lane = draft.lane(event.lane)
    before = lane.boom
    since = before.since if before and before.state == event.state else draft.at
    up = event.state in ("rising", "up")
    if lane.boom_fault and event.state == "up":
        draft.clear("boom-stuck", "the arm was seen up", lane.id)
        lane = replace(lane, boom_fault=False)
    if abs(event.skew) >= SKEW_ALERT_MS > abs(lane.skew):
        text = f"the barrier's clock differs from the worker's by {event.skew / 1000:.0f} s"
        draft.alert("barrier-clock", "critical", text, lane.id)
    elif abs(event.skew) < SKEW_ALERT_MS <= abs(lane.skew):
        draft.clear("barrier-clock", "the barrier's clock agrees again", lane.id)
    if event.state == "fault" and not (before and before.state == "fault"):
        draft.alert("boom-fault", "critical", "the barrier reports a fault of the arm", lane.id)
    elif before and before.state == "fault" and event.state != "fault":
        draft.clear("boom-fault", "the barrier reports no fault any more", lane.id)
    if event.state == "up" and before and before.state in ("down", "lowering") and event.lift == before.lift:
        draft.alert("boom-open", "warning", "the arm is up and no lift raised it", lane.id, once=True)
    visit = lane.visit
    if visit and up and (visit.raised or (before and before.state == "down")):
        visit = replace(visit, was_up=True)
    passages = 0 if event.state == "down" else lane.passages
    if event.state == "down" and not (before and before.state == "down"):
        lane = replace(lane, risen_for=None)
    lane = replace(lane, boom=Boom(event.state, event.lift, since), skew=event.skew, visit=visit, passages=passages)
    draft.put(_watched(lane))
    if visit and visit.raised and (up or event.state == "down"):
        stay = draft.stay(visit.fee.session)
        seen = event.state == "down" and not visit.under and _stands_there(lane, visit)
        draft.put(replace(stay, unpassed=seen or (stay.unpassed and not up)))
    if event.lift and not (before and before.lift == event.lift):
        _named(draft, event, event.lift)


def _named(draft: _Draft, event: BoomSeen, lift: str) -> None:
    """The barrier names the lift that raised its boom last; it may be one whose visit is over."""
    found = next((s for s in draft.all_stays() if (g := s.lift(lift)) and g.lane == event.lane), None)
    if found and (given := found.lift(lift)):
        _raised(draft, found, given)
    lane, rules = draft.lane(event.lane), draft.rules
    is_news = lift != lane.named and lift not in lane.lifts and found is None
    draft.put(replace(lane, named=lift))
    if not is_news or not numbers.is_lift_id(lift, rules.mark, rules.garage, lane.id):
        return
    if len(lane.lifts) == REMEMBERED_LIFTS and numbers.moment_of(lift) <= numbers.moment_of(lane.lifts[0]):
        return
    text = "a barrier names a lift of ours that the journal does not hold: it was put back, and a person decides"
    draft.alert("journal-behind", "critical", text, lane.id, once=True)
    draft.doubts = True
    _doubt_all(draft)


def _lift_answered(draft: _Draft, event: LiftAnswered) -> None:
    stay = draft.stay(event.session)
    given, grant = stay.lift(event.lift), stay.grant(event.lift)
    if given is None or given.lane != event.lane or given.outcome == "raised":
        return
    if event.outcome == "raised":
        _raised(draft, stay, given)
        return
    if grant is None or grant.overdue:
        _answered_late(draft, stay, given, event)
        return
    match event.outcome, event.why:
        case "refused", "busy":
            pass  # unspent: it is repeated until the arm is down
        case "refused", "signature" | "proof":
            # Whoever can publish a lift can draw this answer for an id of ours; our own lift may still raise.
            what = "its signature" if event.why == "signature" else "its proof"
            text = f"the barrier refused a lift with an id of ours for {what}"
            draft.alert("lift-refused", "critical", text, grant.lane, stay, grant.order_no, once=True)
        case "refused", "expired" | "too-far":  # the copy that was answered is; the last one's deadline is ours to know
            visit = draft.lane(grant.lane).visit
            current = visit is not None and visit.grant == grant.id  # of a free stay, another may have followed it
            if current and not grant.dropped and grant.signed < MAX_SIGNED:
                _renew(draft, stay, grant)
        case "refused", "journal":
            _unwritten(draft, stay, grant)
        case "unknown", _:
            _unknown(draft, stay, grant)
        case _:
            _not_raised(draft, stay, grant, event.why)


def _answered_late(draft: _Draft, stay: Stay, given: GivenLift, event: LiftAnswered) -> None:
    """Its payment has passed on. One that was never spent and is no more valid did not raise; where the barrier does
    not know, credit that is still there is for a person."""
    if event.outcome == "refused":
        if event.why in ("expired", "spent") and given.outcome == "":
            draft.put(_settled(stay, given.id, "refused"))
        return
    draft.put(_settled(stay, given.id, "unknown"))
    if stay.lane:
        draft.touch(stay.lane)
    payment = stay.payment(given.order_no)
    if payment is None or payment.holder in ("person", "raised"):
        return
    text = f"the boom may have risen for a payment that meanwhile is held by: {payment.holder}"
    draft.alert("lift-unknown", "critical", text, given.lane, stay, payment.order_no, once=True)
    if payment.holder == "credit":
        draft.put(_held(draft.stay(stay.session), replace(payment, holder="person", unknown=True)))


def _settled(stay: Stay, lift: str, outcome: Literal["raised", "refused", "unknown"]) -> Stay:
    """What came of a lift is known: it is waited for no more."""
    return replace(
        stay,
        grants=tuple(g for g in stay.grants if g.id != lift),
        given=tuple(replace(g, outcome=outcome) if g.id == lift else g for g in stay.given),
    )


def _raised(draft: _Draft, stay: Stay, given: GivenLift) -> None:
    """A lift raised the boom, by the barrier's answer or because it names it; whatever became of the stay meanwhile."""
    if given.outcome == "raised":
        return
    grant = stay.grant(given.id)
    stay = replace(_settled(stay, given.id, "raised"), unpassed=False)
    payment = stay.payment(given.order_no)
    if payment:
        stay = _raised_for(draft, stay, payment, given)
    lane = draft.lane(given.lane)
    if grant or (lane.boom and lane.boom.state != "down"):
        lane = replace(lane, risen_for=stay.session, passages=0)
        draft.put(lane)
    visit = lane.visit
    if visit and visit.grant == given.id and visit.fee.session == stay.session:
        up = lane.boom is not None and lane.boom.state in ("rising", "up")
        visit = replace(visit, phase="leaving", reason="", raised=True, was_up=up, since=draft.at)
        draft.put(replace(lane, visit=visit))
    elif stay.lane is None:
        stay = replace(stay, left=stay.left or draft.at)  # it rose when its visit had ended: the ticket is used
    draft.put(stay)
    if stay.lane:
        draft.touch(stay.lane)


def _raised_for(draft: _Draft, stay: Stay, payment: Payment, given: GivenLift) -> Stay:
    """The payment has raised. It is used by that, unless its money is on its way back or it is held by another lift."""
    if payment.holder == "lift" and payment.grant == given.id:
        return _held(stay, replace(payment, holder="raised", raised=given.id))
    twice = payment.raised is not None
    text = f"the boom had risen for a payment that meanwhile is held by: {payment.holder}"
    text = "the boom has risen for a second time for one payment, at another time or lane" if twice else text
    draft.alert("raised-late", "critical", text, given.lane, stay, payment.order_no, once=True)
    if payment.holder in ("credit", "person"):  # what a person was asked to decide does not lift by itself either
        until = payment.until if payment.holder == "credit" else 0
        payment = replace(payment, holder="raised", grant=given.id, until=until)
    return _held(stay, replace(payment, raised=given.id))


def _unknown(draft: _Draft, stay: Stay, grant: Grant) -> None:
    """The barrier meant to raise and does not know whether it did."""
    boom, given = draft.lane(grant.lane).boom, stay.lift(grant.id)
    if given and boom and boom.state in ("rising", "up") and boom.lift in (None, grant.id):
        _raised(draft, stay, given)
        return
    draft.alert(
        "lift-unknown",
        "critical",
        "the barrier does not know whether it raised",
        grant.lane,
        stay,
        grant.order_no,
        once=True,
    )
    _pass_on(draft, stay, grant, "person")


def _unwritten(draft: _Draft, stay: Stay, grant: Grant) -> None:
    """The barrier can write nothing down, so it cannot promise to refuse the next copy too: the payment is held until
    no copy is valid any more."""
    draft.alert(
        "lift-refused",
        "critical",
        "the barrier refused a lift: its journal takes nothing",
        grant.lane,
        stay,
        grant.order_no,
        once=True,
    )
    visit = draft.lane(grant.lane).visit
    if visit and visit.grant == grant.id and visit.phase == "leaving":
        _help(draft, grant.lane, "barrier")


def _not_raised(draft: _Draft, stay: Stay, grant: Grant, why: str) -> None:
    text = f"the barrier refused a lift: {why}"
    draft.alert("lift-refused", "warning", text, grant.lane, stay, grant.order_no, once=True)
    _pass_on(draft, stay, grant, "credit")


def _pass_on(draft: _Draft, stay: Stay, grant: Grant, holder: Literal["credit", "person"]) -> None:
    """The grant is over without a raise that anyone saw: refused (``credit``), or nobody knows (``person``). Its
    payment goes there, unless an earlier lift had raised for it, or may have."""
    stay = _settled(stay, grant.id, "refused" if holder == "credit" else "unknown")
    draft.put(_let_go(draft, stay, grant, holder))
    lane = draft.lane(grant.lane)
    if lane.visit and lane.visit.grant == grant.id:
        draft.put(replace(lane, visit=replace(lane.visit, since=draft.at)))
    if stay.lane:
        draft.touch(stay.lane)


def _let_go(draft: _Draft, stay: Stay, grant: Grant, holder: Literal["credit", "person"]) -> Stay:
    payment = stay.payment(grant.order_no)
    if payment is None or payment.grant != grant.id or payment.holder != "lift":
        return stay
    if holder == "credit" and payment.raised:
        payment = replace(payment, holder="raised", grant=payment.raised)
    elif holder == "person" or payment.unknown:
        payment = replace(payment, holder="person", unknown=True)
    else:
        payment = replace(payment, holder="credit", until=draft.at + draft.rules.exit_grace)
    return _held(stay, payment)


def _renew(draft: _Draft, stay: Stay, grant: Grant) -> None:
    ahead = draft.rules.lift if grant.car else draft.rules.lift_unknown_car
    grant = replace(grant, not_after=draft.at + ahead, signed=grant.signed + 1)
    draft.put(replace(stay, grants=tuple(grant if g.id == grant.id else g for g in stay.grants)))
    if grant.signed == ALERT_AFTER_SIGNED:
        draft.alert(
            "lift-unanswered",
            "critical",
            "the barrier does not answer a lift",
            grant.lane,
            stay,
            grant.order_no,
            once=True,
        )


def _advance_leaving(draft: _Draft, lane: Lane, visit: Visit) -> None:
    """Rule 8, and the lift's deadline while its car waits."""
    stay = draft.stay(visit.fee.session)
    waits, boom = _waits(draft, lane, visit), lane.boom
    grant = stay.grant(visit.grant)
    down = boom is not None and boom.state == "down"
    settled = boom is not None and draft.at >= boom.since + SETTLE_MS
    if grant is not None and not visit.raised and _is_barred(stay, grant):
        _drop(draft, stay, grant)
        _help(draft, lane.id, "ticket-used")
    elif visit.loop != "sees" and visit.raised and ((visit.was_up and down) or not waits):
        _end(draft, lane.id)  # nobody can tell better: the arm rose and came down
    elif not waits and (not visit.raised or down):
        _end(draft, lane.id)
    elif grant is not None:
        if draft.at >= grant.not_after - RENEW_MS and grant.signed < MAX_SIGNED:
            _renew(draft, stay, grant)
        elif draft.at >= grant.not_after:
            _help(draft, lane.id, "barrier")
    elif not waits or visit.gone_since is not None or _unheard(draft, lane, visit):
        return
    elif not visit.raised:
        if draft.at >= visit.since + SETTLE_MS:
            _lift_again(draft, lane, visit, stay, draft.rules.lifts)
    elif visit.was_up:
        if down and settled and not (lane.vehicle and lane.vehicle.under_boom):
            _lift_again(draft, lane, visit, stay, 2)
        elif down and boom is not None and draft.at >= boom.since + WAIT_LIMIT_MS:
            _help(draft, lane.id, "barrier")  # a loop that is stuck, or a vehicle as long as both
    elif draft.at >= visit.since + RISE_LIMIT_MS or (boom is not None and boom.state == "fault"):
        _rise_again(draft, lane, visit, down=down)


def _is_barred(stay: Stay, grant: Grant) -> bool:
    """Rule 8: did it show, while this lift was on its way, that its stay has left, or was raised for elsewhere?"""
    return stay.left is not None or _rose_for_another(stay, grant.car, but=grant.id)


def _drop(draft: _Draft, stay: Stay, grant: Grant) -> None:
    """Send it no more; it may raise as long as a copy of it is valid."""
    dropped = replace(grant, dropped=True)
    draft.put(replace(stay, grants=tuple(dropped if g.id == grant.id else g for g in stay.grants)))


def _rise_again(draft: _Draft, lane: Lane, visit: Visit, *, down: bool) -> None:
    """The arm did not rise though it was told to."""
    stay = draft.stay(visit.fee.session)
    if down:
        stay = replace(stay, unpassed=True)
        draft.put(stay)
    if visit.lifts >= draft.rules.lifts and not lane.boom_fault:
        draft.alert("boom-stuck", "critical", "the arm does not rise; the lane takes no new orders", lane.id, stay)
        lane = replace(lane, boom_fault=True)
        draft.put(lane)
    for payment in [p for p in stay.payments if p.holder == "raised" and visit.lifts >= draft.rules.lifts]:
        text = "paid, and the arm was not seen to rise though it was told to: a person decides"
        draft.alert("lift-unknown", "critical", text, lane.id, stay, payment.order_no, once=True)
        draft.put(_held(draft.stay(stay.session), replace(payment, holder="person")))
    _lift_again(draft, lane, visit, draft.stay(stay.session), draft.rules.lifts)


def _lift_again(draft: _Draft, lane: Lane, visit: Visit, stay: Stay, most: int) -> None:
    payment = next((p for p in stay.payments if _may_lift_again(stay, p)), None)
    has_right = payment is not None or visit.fee.reason == "free"
    if visit.lifts >= most or not has_right or not _may_lift(draft, stay, visit.car):
        _help(draft, lane.id, "barrier")
        return
    draft.alert("lift-again", "warning", f"lift {visit.lifts + 1} for one visit", lane.id, stay, once=True)
    _grant(draft, lane.id, "credit" if payment else "free", payment)


def _may_lift_again(stay: Stay, payment: Payment) -> bool:
    """Nothing of it was given back, and whoever waits here is the one that it was to raise for."""
    whole = payment.refund_no is None and stay.kept(payment) == payment.amount
    return whole and (payment.holder in ("credit", "raised") or (payment.holder == "person" and payment.unknown))


def _stay_matured(draft: _Draft, stay: Stay) -> None:
    """Rules 5 and 6: deadlines that no lane waits for."""
    rules = draft.rules
    for grant in stay.grants:
        if not grant.overdue and draft.at >= grant.not_after + rules.hold:
            _unanswered(draft, draft.stay(stay.session), grant)
    for payment in draft.stay(stay.session).payments:
        if payment.holder == "credit" and draft.at >= payment.until:
            _credit_matured(draft, draft.stay(stay.session), payment)
    stay = draft.stay(stay.session)
    asked = tuple(g for g in stay.grants if not g.overdue or draft.at < g.not_after + rules.hold + rules.exit_grace)
    draft.put(replace(stay, grants=asked))


def _unanswered(draft: _Draft, stay: Stay, grant: Grant) -> None:
    """Its payment becomes credit, so that its driver can leave elsewhere; the barrier is asked on."""
    text = "a lift was never answered"
    draft.alert("lift-unanswered", "critical", text, grant.lane, stay, grant.order_no, once=True)
    asked = replace(grant, dropped=True, overdue=True)
    stay = replace(stay, grants=tuple(asked if g.id == grant.id else g for g in stay.grants))
    draft.put(_let_go(draft, stay, grant, "credit"))
    lane = draft.lane(grant.lane)
    if lane.visit and lane.visit.grant == grant.id:
        draft.put(replace(lane, visit=replace(lane.visit, since=draft.at)))
    if stay.lane:
        draft.touch(stay.lane)


def _credit_matured(draft: _Draft, stay: Stay, payment: Payment) -> None:
    """Rule 6: nobody used it while it could lift."""
    lifts = [g for g in stay.given if g.order_no == payment.order_no]
    may_have_left = stay.left is not None or stay.perhaps_left
    if not may_have_left and all(g.outcome == "refused" for g in lifts):
        _ask_refund(draft, stay, payment, payment.amount, "credit not used", "worker", payment.order_no)
        return
    if stay.slipped_out and all(g.outcome != "unknown" for g in lifts):
        draft.put(_held(stay, replace(payment, holder="used")))  # what is told of it is owed since it left
        return
    text = "paid, and its vehicle left though no lift is known to have raised: a person decides"
    if not may_have_left:
        text = "paid, and nobody answered whether a lift of it raised: a person decides"
    elif stay.left is None:
        text = "paid, and its vehicle may have left while the arm was not seen down: a person decides"
    draft.alert("lift-unknown", "critical", text, None, stay, payment.order_no, once=True)
    draft.put(_held(stay, replace(payment, holder="person")))


# -- refunds and commands ----------------------------------------------------------------------------------------


def _ask_refund(draft: _Draft, stay: Stay, payment: Payment, amount: int, reason: str, by: str, cause: str) -> None:
    """``cause``: the UUID of the command, or the order's number; the refund's number follows from it."""
    no = numbers.refund_no(numbers.derived_id(draft.at, "refund", cause) if numbers.parse_order_no(cause) else cause)
    refund = Refund(no, payment.order_no, amount, reason, by)
    holder = "lift" if payment.holder == "lift" else "refund"
    payment = replace(payment, holder=holder, refund_no=no)  # type: ignore[arg-type]
    stay = replace(stay, refunds=(*stay.refunds, refund))
    draft.put(_held(stay, payment))
    draft.actions.append(TellRefund(refund))
    draft.alert("refund", "info", f"a refund was asked: {reason}", None, stay, payment.order_no, once=True)


def _refund_reported(draft: _Draft, event: RefundReported) -> None:
    found = _find(draft, event.order_no)
    refund = found[0].refund(event.refund_no) if found else None
    draft.reply("noted")
    if found is None or refund is None:
        text = "PayBy reports a refund that we did not ask for"
        draft.alert("refund-unknown", "warning", text, None, order_no=event.order_no, once=True)
        payment = found[0].payment(event.order_no) if found else None
        if found and payment and payment.holder == "credit" and event.stage in ("settled", "success"):
            draft.put(_held(found[0], replace(payment, holder="person")))  # how much is left of it a person must see
        return
    told = replace(refund, stage=event.stage, unheard=0)
    match refund.stage, event.stage:
        case "settled" | "success", "failed":
            text = "PayBy calls a refund failed that it had called done"
            draft.alert("refund-contradicted", "critical", text, None, found[0], refund.order_no, once=True)
        case "failed", "settled" | "success":
            text = "PayBy made a refund that it had called failed; nobody may give that money back again"
            draft.alert("refund-contradicted", "critical", text, None, found[0], refund.order_no, once=True)
            _refund_stage(draft, found[0], refund, told)
        case ("settled" | "success" | "failed") as ended, stage if (ended, stage) != ("settled", "success"):
            pass  # an older word that comes late
        case _:
            _refund_stage(draft, found[0], refund, told)


def _refund_stage(draft: _Draft, stay: Stay, before: Refund, refund: Refund) -> None:
    stay = replace(stay, refunds=tuple(refund if r.no == refund.no else r for r in stay.refunds))
    payment = stay.payment(refund.order_no)
    revived = before.stage == "failed" and payment is not None and payment.holder == "person"
    if payment and (payment.refund_no == refund.no or revived) and refund.stage in REFUND_ENDS:
        rest = stay.kept(payment) and not payment.raised and stay.left is None
        ended = replace(payment, holder="person" if refund.stage == "failed" or rest else "refunded", refund_no=None)
        stay = replace(stay, payments=tuple(ended if p is payment else p for p in stay.payments))
        if rest and refund.stage != "failed":
            text = "a part was given back; a person decides about the rest"
            draft.alert("lift-unknown", "critical", text, None, stay, refund.order_no, once=True)
    if refund.stage == "failed":
        draft.alert(
            "refund-failed",
            "critical",
            "PayBy will not refund it; a person must",
            None,
            stay,
            refund.order_no,
            once=True,
        )
    draft.put(stay)
    if stay.lane:
        draft.touch(stay.lane)
    if refund.stage != before.stage:
        draft.actions.append(TellRefund(refund))


def _refund_unheard(draft: _Draft, event: RefundUnheard) -> None:
    found = _find(draft, event.order_no)
    refund = found[0].refund(event.refund_no) if found else None
    if found is None or refund is None or refund.stage in REFUND_ENDS:
        return
    if event.final:
        _refund_stage(draft, found[0], refund, replace(refund, stage="failed"))
    elif refund.unheard < ALERT_AFTER_UNHEARD:
        _refund_stage(draft, found[0], refund, replace(refund, unheard=refund.unheard + 1))
        if refund.unheard + 1 == ALERT_AFTER_UNHEARD:
            text = f"PayBy does not answer about a refund ({event.code or event.text}); we keep asking"
            draft.alert("refund-silent", "critical", text, None, found[0], event.order_no, once=True)


def _command_given(draft: _Draft, event: CommandGiven) -> None:
    lane = draft.lane(event.lane)
    if spent := next((s for s in lane.spent if s.id == event.id), None):
        draft.reply(spent.outcome, spent.why)
        return
    why = _obey(draft, event)
    lane = draft.lane(event.lane)
    answer = SpentCommand(event.id, event.not_after, "refused" if why else "done", why)
    kept = tuple(s for s in lane.spent if s.not_after + HOLD_MS > draft.at)
    draft.put(replace(lane, spent=(*kept, answer)))
    draft.reply(answer.outcome, why)


def _obey(draft: _Draft, event: CommandGiven) -> str:
    """Do what is asked, or say why not."""
    lane = draft.lane(event.lane)
    visit = lane.visit
    match event.command:
        case "close-lane" | "open-lane":
            closed = event.command == "close-lane"
            draft.put(replace(lane, closed=closed, boom_fault=lane.boom_fault and closed))
            if closed:
                draft.alert("lane-closed", "info", f"closed by {event.by}", lane.id)
            else:
                draft.clear("lane-closed", f"opened by {event.by}", lane.id)
            return ""
        case "reset" if visit and visit.fee.session == event.session:
            _end(draft, lane.id)
            return ""
        case "cancel" if visit and event.order_no and visit.order_no == event.order_no:
            order = draft.stay(visit.fee.session).order(event.order_no)
            if order and order.stage in OPEN:
                _end(draft, lane.id)
                return ""
            return "that order is no longer open"
        case "refund":
            return _obey_refund(draft, event)
        case _:
            return "that visit is over"


def _obey_refund(draft: _Draft, event: CommandGiven) -> str:
    found = _find(draft, event.order_no) if event.order_no else None
    payment = found[0].payment(event.order_no) if found else None
    if found is None or payment is None:
        return "no payment is known for that order"
    if payment.refund_no:
        return "a refund of that order is under way"
    most = found[0].unasked(payment)
    amount = most if event.amount is None else event.amount
    if not 0 < amount <= most:
        return "the amount is more than is left of the payment"
    _ask_refund(draft, found[0], payment, amount, event.reason or "operator", event.by, event.id)
    return ""
