"""The rules of a garage exit: every transition there is.

``step(garage, event) -> change`` is pure: no clock, no socket, no file. An event is recorded, in the file of its
topic; then ``progress`` moves every lane that it touched as far as the rules allow. ``table`` says what either may do
in each phase. The rules, in the order of a visit:

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

A file stands on those of the lines below its own, never beside it:

    facts                                                     which rule writes down which event
    arrival, passage, boom, deadlines, commands, progress     what happens
    orders, restart                                           PayBy's word, and starts
    lifts, refunds                                            what a payment comes to
    visits                                                    how a visit begins, goes on and ends
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
    """What ``event`` changes in ``garage`` and what must be said; the argument stays as it is."""
    draft = Draft(garage, event.at)
    if isinstance(event, LaneEvent) and event.lane == ids.NO_LANE:
        return draft.change()  # no lane is called so: whoever says this may not
    record(draft, event)
    for lane in draft.touched():
        advance(draft, lane)
    return draft.change()
