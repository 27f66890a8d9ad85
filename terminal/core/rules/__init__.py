"""The rules of a garage exit: every transition there is.

``step(garage, event) -> change`` is pure: no clock, no socket, no file. It records an event, in the file of its
topic; then ``progress`` moves every lane that was touched as far as the rules allow. ``table`` says what either may do
in each phase. The rules, in the order of a visit:

 1. A ticket is served once: its stay is followed at whichever lane reads it, and ends when its car has passed.
 2. An order belongs to the car on the loop. When that car has gone (2 s) or another ticket is read, the order is
    closed; a lane, and a stay, has at most one order that can be paid. If the loop saw no car when the ticket was read,
    the vehicle that it sees soon after is that car; a later one, or one after the boom rose, is another.
 3. While its car waits, an order that ran out is closed and followed by another: three in a visit, then help. If a
    phone has read its code by then, it gets a minute more, once.
 4. Our clock never declares an order dead: it is closed only when PayBy says so, and paid whenever PayBy says so.
 5. A payment has one holder: a lift, a credit, a refund or a person. It passes on when the barrier refuses the lift, or
    60 s after the lift's deadline if there is no answer and no sign of a raise; the barrier is then asked again.
 6. A payment whose car waits lifts the boom. A payment whose car is gone is credit for its ticket until the exit grace
    ends. Then it goes back, if every lift for it was refused and the arm was seen down until its car was off the loop;
    otherwise a person decides. The second payment of a stay is refunded.
 7. What PayBy says must match the order to the fils; otherwise nothing lifts and a person is told.
 8. An arm that did not rise, or came down before its car had passed, gets further lifts: three in a visit, then help.
    A payment that raised the boom stays known: it is used, or a person decides. A stay leaves once, and has three
    raises in its life. After a raise it lifts again only for the same car, or if that car was on its loop until the arm
    was down.
 9. When the journal was damaged, every visit ends and every order is closed. Nobody knows what became of a payment
    meanwhile, so a person decides: it neither lifts nor goes back by itself.
10. One stay never stops the garage: a person decides about a stay on which our own code fails, and all others go on.
11. While a live loop sees a visit's car, or that car is between the loops under the boom raised for it, a reading at
    another lane does not take the visit over: it is a copy of the ticket. A paid visit does not give way to another
    ticket at its own lane either.
12. A lane speaks for itself: an answer and a boom count only for lifts of their own lane. If a barrier names a lift of
    ours that the journal does not hold, the journal was put back, and rule 9 applies. So that it can, no credit goes
    back in the first 15 s after a start.
13. If the garage issues tax invoices, each payment has one from the fact that pays it, and each refund a credit note
    from the fact that makes it. The numbers have no gap; when rule 9 applies, they begin anew in a series of their own.
14. A stay that was paid at a pay station leaves free until its time to leave ends; then only what has been added since
    is due. What shops and coupons take off adds up, each once. A visit that is under way gets its new price at once:
    its order is closed, and another is placed, or it leaves free.

A file imports only from the lines below its own, never from its own line:

    facts                                                     which rule records which event
    arrival, passage, boom, deadlines, commands, allowances, progress     what happens
    orders, restart                                           PayBy's word, and starts
    lifts, refunds                                            what a payment comes to
    visits, billing                                           how a visit begins, goes on and ends; invoices
    records                                                   what is looked up
    draft, limits
"""

from terminal.core import ids
from terminal.core.events import Event, LaneEvent
from terminal.core.rules.draft import Change, Draft, Garage
from terminal.core.rules.facts import record
from terminal.core.rules.progress import advance

__all__ = ["Change", "Garage", "step"]


def step(garage: Garage, event: Event) -> Change:
    """What ``event`` changes in ``garage``, and which actions follow. ``garage`` itself stays as it is."""
    draft = Draft(garage, event.at)
    if isinstance(event, LaneEvent) and event.lane == ids.NO_LANE:
        return draft.change()  # no lane has this name, so nobody may say this
    record(draft, event)
    for lane in draft.touched():
        advance(draft, lane)
    return draft.change()
