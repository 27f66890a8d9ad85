"""One line in the log for each visit that ends: whose it was, what came of it, and how long each step took."""

import logging
from dataclasses import dataclass, field
from itertools import pairwise

from terminal.core import ids, money
from terminal.core.model import Lane, Stay, Visit
from terminal.core.rules import Garage

logger = logging.getLogger(__name__)

STEPS = ("ticket", "code", "scan", "paid", "lift", "raised", "gone")
"""What a visit goes through, in order; steps that were not there are passed over."""
TAIL = 4
"""Characters of the session that a screen shows of a ticket."""


@dataclass(slots=True)
class _Course:
    """A visit so far; ``at``: when each step was reached, steady ms."""

    session: str
    amount: int
    at: dict[str, int] = field(default_factory=dict)
    order_no: str = ""
    reason: str = ""


class VisitLog:
    """Looks at the lanes that an event changed, after its commit. What a start finds under way has no first steps."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}

    def note(self, at: int, garage: Garage, name: str) -> None:
        """``at``: of the event, steady ms; ``name``: of a lane that may be another by it."""
        lane = garage.lanes.get(name)
        visit = lane.visit if lane else None
        course = self._courses.get(name)
        if course and (visit is None or visit.fee.session != course.session):
            del self._courses[name]
            course.at["gone"] = at
            stay = garage.stays.get(course.session)
            logger.info("%s", said(name, course, stay), extra={"fields": fields(name, course, stay)})
        if lane and visit:
            self._follow(at, lane, visit, garage.stays.get(visit.fee.session))

    def _follow(self, at: int, lane: Lane, visit: Visit, stay: Stay | None) -> None:
        course = self._courses.get(lane.id)
        if course is None:
            course = self._courses[lane.id] = _Course(visit.fee.session, visit.fee.amount, {"ticket": at})
        course.order_no, course.reason = visit.order_no or course.order_no, visit.reason
        order = stay.order(visit.order_no) if stay else None
        course.amount = order.amount if order else course.amount  # a coupon lessens it
        reached = {
            "code": order is not None and order.stage == "created",
            "scan": order is not None and order.scanned,
            "paid": stay is not None and stay.payment(visit.order_no) is not None,
            "lift": visit.grant is not None,
            "raised": visit.raised,
        }
        for step, there in reached.items():
            if there:
                course.at.setdefault(step, at)


def said(lane: str, course: _Course, stay: Stay | None) -> str:
    """The line. A visit ends as its vehicle has left, or gone without a raise."""
    if stay is not None and stay.left is not None:
        end = "left"
    else:
        end = f"ended in help ({course.reason})" if course.reason else "ended without leaving"
    times = ", ".join(f"{step.replace('_', ' ')} {ms / 1000:.1f} s" for step, ms in _steps(course).items())
    order = f"order {course.order_no}, AED {money.text(course.amount)}" if course.order_no else "no order"
    return (
        f"visit at {lane} {end}: ticket ..{course.session[-TAIL:].upper()}, {order}, "
        f"help code {ids.help_code(course.session)}; {times}"
    )


def fields(lane: str, course: _Course, stay: Stay | None) -> dict[str, object]:
    """The same for programs: ``steps_ms`` has the time of each step, ms."""
    return {
        "lane": lane,
        "session": course.session,
        "help_code": ids.help_code(course.session),
        "order_no": course.order_no or None,
        "amount": money.text(course.amount) if course.order_no else None,
        "left": stay is not None and stay.left is not None,
        "reason": course.reason or None,
        "steps_ms": _steps(course),
    }


def _steps(course: _Course) -> dict[str, int]:
    known = [(step, course.at[step]) for step in STEPS if step in course.at]
    return {f"{before}_to_{step}": max(0, at - began) for (before, began), (step, at) in pairwise(known)}
