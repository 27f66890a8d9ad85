"""How long each step of a visit took, by the times that its messages bear.

A step begins and ends with a message that says when it was made, so it is measured where it happens, whoever looks on.
Between two machines it is as right as their clocks. A repeated message changes nothing: the first one counts.
"""

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from terminal.contract.describe import MessageFields
from terminal.contract.messages import moment

StepName = Literal[
    "ticket_to_code", "payment_to_notification", "notification_to_lift", "lift_to_pulse", "pulse_to_arm_up"
]
REMEMBERED = 512
"""Beginnings of each kind whose end is waited for."""
LONGEST_MS = 3_600_000
"""What took longer was no step of a visit: a clock was set, or something was away."""


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step of a visit at a lane; ``ms`` is 0 or more."""

    name: StepName
    lane: str
    ms: int


class _Begun:
    """When things began, by key; the first time counts, and the oldest are forgotten."""

    def __init__(self) -> None:
        self._at: OrderedDict[str, int | None] = OrderedDict()

    def note(self, key: object, at_ms: int) -> bool:
        """It begins now; False: it has before."""
        if not isinstance(key, str) or not key or key in self._at:
            return False
        self._at[key] = at_ms
        if len(self._at) > REMEMBERED:
            self._at.popitem(last=False)
        return True

    def end(self, key: object) -> int | None:
        """When it began; None: it did not, or has ended already."""
        if not isinstance(key, str) or (found := self._at.get(key)) is None:
            return None
        self._at[key] = None  # it stays known, so that a repetition does not begin it anew
        return found


class VisitSteps:
    """Feed it every live message of a garage, in the order in which they come."""

    def __init__(self) -> None:
        self._fees, self._paid, self._lifts, self._pulses = _Begun(), _Begun(), _Begun(), _Begun()

    def take(self, kind: str, lane: str, data: MessageFields) -> list[StepTime]:
        """The steps that end with this message. Its ``data`` is not trusted."""
        try:
            at_ms = moment(data["at"])
        except (KeyError, TypeError, ValueError, OverflowError):
            return []
        found: list[tuple[StepName, int | None, int]] = []
        match kind, data:
            case "fee", {"id": fee, "reason": "due" | "lost" | "number"}:
                self._fees.note(fee, at_ms)
            case "screen", {"state": "pay", "fee": fee}:
                found.append(("ticket_to_code", self._fees.end(fee), at_ms))
            case "paid", {"order_no": order_no, "body": body}:
                if self._paid.note(order_no, at_ms):
                    found.append(("payment_to_notification", _paid_ms(body), at_ms))
            case "lift", {"id": lift, "reason": reason}:
                if reason == "paid":
                    found.append(("notification_to_lift", self._paid.end(data.get("order_no")), at_ms))
                self._lifts.note(lift, at_ms)
            case "barrier", {"state": state}:
                answer = data.get("answer")
                lift = data.get("lift") or (answer.get("lift") if isinstance(answer, dict) else None)
                if state in ("rising", "up") and (begun := self._lifts.end(lift)) is not None:
                    found.append(("lift_to_pulse", begun, at_ms))
                    self._pulses.note(lift, at_ms)
                if state == "up":
                    found.append(("pulse_to_arm_up", self._pulses.end(lift), at_ms))
        return [
            StepTime(name, lane, ended - begun)
            for name, begun, ended in found
            if begun is not None and 0 <= ended - begun <= LONGEST_MS
        ]


def _paid_ms(body: object) -> int | None:
    """When PayBy says that it was paid, ms since the epoch; a packed notification does not tell here."""
    try:
        at_ms = json.loads(body)["acquireOrder"]["paymentInfo"]["paidTime"] if isinstance(body, str) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return at_ms if isinstance(at_ms, int) and not isinstance(at_ms, bool) else None
