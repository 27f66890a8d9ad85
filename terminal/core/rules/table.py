"""What may become of a lane's visit in each phase: by each event, and by progress.

An event may move a visit from the phase on the left to one of those on the right. Where an event has no line for a
phase, it may leave a mark on a visit, a stay or a lane, and the phase stays. After every event, progress moves the
visits of the touched lanes, a step at a time, until no step is left: a limit has passed, or an obstacle is gone.
`none`: the lane has no visit. A visit that gives way to another ends first.

The rules do not read this table. They say when each move happens, and tests check that they make all of these moves and
no others.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from terminal.core.events import (
    AlertTold,
    AllowanceGiven,
    BarrierGone,
    BoomSeen,
    CommandGiven,
    CouponRead,
    Damaged,
    Event,
    LiftAnswered,
    OrderDenied,
    OrderReported,
    OrderScanned,
    OrderUnheard,
    PassRead,
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
from terminal.core.model import Phase

VisitPhase = Phase | Literal["none"]
Moves = Mapping[VisitPhase, tuple[VisitPhase, ...]]


class EventRow(NamedTuple):
    """An event's name in the diagram of CONTRIBUTING.md, and the moves that it may make."""

    words: str
    moves: Moves


_NOTHING: Moves = {}
_OVER: Moves = dict.fromkeys(get_args(Phase), ("none",))

BY_EVENT: Mapping[type[Event], EventRow] = {
    Started: EventRow("start", _NOTHING),
    Damaged: EventRow("journal damaged", _OVER),
    StayFailed: EventRow(
        "own failure",
        dict.fromkeys(("blocked", "ordering", "paying", "reordering", "leaving"), ("helping",)),
    ),
    TicketRead: EventRow(
        "ticket",
        {
            "none": ("blocked",),
            "blocked": ("none",),
            "ordering": ("none",),
            "paying": ("none",),
            "reordering": ("none",),
            "leaving": ("none",),
            "helping": ("none", "blocked", "ordering", "reordering"),
        },
    ),
    TicketRefused: EventRow("ticket refused", _NOTHING),
    VehicleSeen: EventRow("loops", _OVER),
    VehicleUnknown: EventRow("loops silent", _NOTHING),
    BoomSeen: EventRow(
        "boom",
        {
            "blocked": ("none", "leaving"),
            "ordering": ("none", "leaving"),
            "paying": ("none", "leaving"),
            "reordering": ("none", "leaving"),
            "leaving": ("none",),
            "helping": ("none", "leaving"),
        },
    ),
    BarrierGone: EventRow("barrier away", _NOTHING),
    LiftAnswered: EventRow(
        "lift answered",
        {
            "blocked": ("leaving",),
            "ordering": ("leaving",),
            "paying": ("leaving",),
            "reordering": ("leaving",),
            "leaving": ("helping",),
            "helping": ("leaving",),
        },
    ),
    OrderReported: EventRow(
        "PayBy reports",
        {
            "blocked": ("leaving",),
            "ordering": ("leaving", "helping"),
            "paying": ("leaving", "helping"),
            "reordering": ("leaving", "helping"),
            "leaving": ("helping",),
            "helping": ("leaving",),
        },
    ),
    OrderScanned: EventRow("code scanned", _NOTHING),
    OrderUnheard: EventRow("PayBy silent", _NOTHING),
    OrderDenied: EventRow(
        "PayBy denies",
        {
            "ordering": ("reordering", "helping"),
            "paying": ("helping",),
            "reordering": ("helping",),
            "helping": ("reordering",),
        },
    ),
    RefundReported: EventRow("refund", _NOTHING),
    RefundUnheard: EventRow("refund unheard", _NOTHING),
    CommandGiven: EventRow("operator", _OVER),
    AllowanceGiven: EventRow("allowance", dict.fromkeys(("ordering", "paying"), ("reordering",))),
    CouponRead: EventRow("coupon", dict.fromkeys(("ordering", "paying"), ("reordering",))),
    PassRead: EventRow("pass", _NOTHING),
    AlertTold: EventRow("alert told", _NOTHING),
    TimePassed: EventRow("time", _NOTHING),
}
BY_PROGRESS: Moves = {
    "none": ("blocked",),
    "blocked": ("none", "ordering", "leaving", "helping"),
    "ordering": ("none", "paying", "reordering", "leaving", "helping"),
    "paying": ("none", "reordering", "leaving", "helping"),
    "reordering": ("none", "blocked", "leaving", "helping"),
    "leaving": ("none", "helping"),
    "helping": ("none", "ordering", "paying", "leaving"),
}
