"""Where processes die: around each commit of the journals, as the relay closes and opens, and in mid-sentence."""

import random
from collections import deque
from dataclasses import dataclass, replace

SIDES = "before", "after"


@dataclass(frozen=True, slots=True)
class Step:
    """``manner``: the visits (drivers.py) that lead there. ``loops``: only where a loop tells of a car."""

    role: str
    at: str
    manner: tuple[str, ...]
    loops: bool = False

    @property
    def name(self) -> str:
        return f"{self.role} {self.at}"


def _around(role: str, row: str, *manner: str, loops: bool = False) -> list[Step]:
    return [Step(role, f"{side}:{row}", manner, loops) for side in SIDES]


JOURNALED = (
    *_around("worker", "TicketRead:1", "pays", "free"),
    *_around("worker", "TicketRefused:1", "fumbles"),
    *_around("worker", "request placeOrder:1", "pays"),
    *_around("worker", "OrderReported:1", "pays"),
    *_around("worker", "OrderReported:2", "pays"),
    *_around("worker", "OrderReported:2", "receipt"),  # the payment, with its invoice's number
    *_around("worker", "AllowanceGiven:1", "station"),
    *_around("worker", "CouponRead:1", "coupon"),
    *_around("worker", "request placeOrder:2", "coupon"),
    *_around("worker", "PassRead:1", "pass"),
    *_around("worker", "LiftAnswered:1", "pays", "free"),
    *_around("worker", "BoomSeen:1", "pays", "free"),
    *_around("worker", "BarrierGone:1", "pays", "free"),
    *_around("worker", "Started:1", "pays"),
    *_around("worker", "VehicleSeen:1", "pays", loops=True),
    *_around("worker", "TimePassed:1", "leaves", loops=True),
    *_around("worker", "request cancelOrder:1", "leaves", loops=True),
    *_around("worker", "OrderReported:2", "leaves", loops=True),
    *_around("worker", "CommandGiven:1", "refunded", loops=True),
    *_around("worker", "request refund:1", "refunded", loops=True),
    *_around("worker", "RefundReported:1", "refunded", loops=True),
    *_around("barrier", "intent:1", "pays", "free", "fumbles", "returns"),
    *_around("barrier", "done:1", "pays", "free", "fumbles", "returns"),
    Step("barrier", "pin:1:1", ("pays", "free", "fumbles", "returns")),
    Step("barrier", "pin:0:1", ("pays", "free", "fumbles", "returns")),
    *_around("barrier", "refused:1", "refunded", "returns", loops=True),
)
ELSEWHERE = frozenset(
    {
        # take other faults than a kill
        *("VehicleUnknown", "OrderScanned", "OrderUnheard", "OrderDenied", "RefundUnheard", "Damaged", "StayFailed"),
        "AlertTold",  # of a car that slips out
        *("checkpoint", "shelved", "recalled", "gone"),  # take ten minutes or thousands of rows
        "notice",  # nothing follows from it but an alert
        *(
            "ticket-asked",
            "ticket-told",
        ),  # of another system's tickets: test_lookup_processes.py kills while it is asked
    }
)
"""Rows that no visit here leads to: the simulation fails and dies at every write (tests/sim)."""
MOMENTS = {
    "reader": ("fee", "screen"),
    "listener": ("order", "paid", "receipt", "enquiry", "invoice"),
    "lcd": ("screen", "barrier"),
    "loops": ("vehicle", "barrier"),
    "broker": ("fee", "order", "screen", "paid", "lift", "barrier", "credit", "enquiry"),
}
"""Roles without a journal die as the broker passes these on."""
SAID = {
    "pays": {"fee", "order", "screen", "paid", "receipt", "lift", "barrier", "vehicle"},
    "fumbles": {"fee", "order", "screen", "paid", "receipt", "lift", "barrier", "vehicle"},
    "returns": {"fee", "order", "screen", "paid", "receipt", "lift", "barrier", "vehicle"},
    "refunded": {"fee", "order", "screen", "paid", "receipt", "lift", "vehicle"},
    "coupon": {"fee", "order", "screen", "paid", "receipt", "lift", "barrier", "vehicle"},
    "pass": {"fee", "order", "screen", "lift", "barrier", "vehicle"},
    "station": {"credit", "receipt", "fee", "screen", "lift", "barrier", "vehicle"},
    "receipt": {"fee", "order", "screen", "paid", "receipt", "lift", "barrier", "vehicle", "enquiry", "invoice"},
    "free": {"fee", "screen", "lift", "barrier", "vehicle"},
    "leaves": {"fee", "order", "screen", "vehicle"},
}
"""What is said in a visit of each manner."""
BLIND = "pays", "free", "fumbles", "coupon", "pass", "station", "receipt"
"""Visits that a lane without loops can follow."""


def steps(loops: bool) -> list[Step]:
    """All that a lane can be made to die at."""
    spoken = [
        Step(role, what, tuple(m for m, said in SAID.items() if what in said))
        for role, moments in MOMENTS.items()
        for what in moments
        if loops or role != "loops"
    ]
    found = [*JOURNALED, *spoken]
    if loops:
        return found
    seen = [replace(step, manner=tuple(m for m in step.manner if m in BLIND)) for step in found if not step.loops]
    return [step for step in seen if step.manner]


class Plan:
    """Each step as often as the others, by and by; one that was missed comes once more in the same round."""

    def __init__(self, dice: random.Random, *, loops: bool) -> None:
        self._dice, self._all = dice, steps(loops)
        self._left: dict[str, deque[Step]] = {}

    def first(self) -> tuple[Step, str]:
        """A step of the worker's, and the manner of a visit that leads there."""
        step = self._next("worker", None)
        assert step
        return step, self._dice.choice(step.manner)

    def more(self, manner: str) -> list[Step]:
        """One of the barrier's and one in mid-sentence that a visit of this manner leads to as well."""
        found = (self._next("barrier", manner), self._next("spoken", manner))
        return [step for step in found if step]

    def again(self, step: Step) -> None:
        """It was missed; the others first, for one that cannot be reached must not keep them from their turn."""
        self._left[_pile(step)].append(step)

    def _next(self, pile: str, manner: str | None) -> Step | None:
        mine = [step for step in self._all if _pile(step) == pile]
        fitting = [step for step in mine if manner is None or manner in step.manner]
        left = self._left.setdefault(pile, deque())
        if fitting and not any(step in fitting for step in left):
            left.extend(self._dice.sample(mine, len(mine)))
        for step in left:
            if step in fitting:
                left.remove(step)
                return step
        return None


def _pile(step: Step) -> str:
    return step.role if step.role in ("worker", "barrier") else "spoken"
