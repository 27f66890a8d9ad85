"""``python -m tests.states``: the diagrams of CONTRIBUTING.md, drawn from what the rules do.

Every fact is told in every situation that facts can lead to, as far as situations differ for a lane with one stay;
what a visit's phase, an order's stage and a payment's holder then become is an arrow. ``--write`` puts the diagrams
where the page has the old ones.
"""

import argparse
import sys
from collections import deque
from collections.abc import Callable, Iterator
from copy import copy
from functools import cache
from pathlib import Path

from terminal.core import events as e
from terminal.core.actions import Action
from terminal.core.lane import MAX_ATTEMPTS
from terminal.core.visit import Lane
from tests.story import Story, an_id

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
BEGIN, END = "<!-- drawn by python -m tests.states --write -->\n", "<!-- end of what is drawn -->\n"
SITUATIONS = 3_000
"""More than there are; a bound."""

Arrow = tuple[str, str]


class Watched(Story):
    """A story that notes what each fact turns into what."""

    def __init__(self) -> None:
        self.seen: dict[str, dict[Arrow, set[str]]] = {"visit": {}, "order": {}, "payment": {}}
        super().__init__()

    def tell(self, event: e.Event) -> list[Action]:
        before = self._nouns()
        actions = super().tell(event)
        after = self._nouns()
        for (kind, name), state in after.items():
            old = before.get((kind, name), "[*]")
            if old != state:
                self.seen[kind].setdefault((old, state), set()).add(words(event))
        return actions

    def _nouns(self) -> dict[tuple[str, str], str]:
        lane = self.garage.lanes.get("exit-1") or Lane("exit-1")
        nouns = {("visit", ""): lane.visit.phase if lane.visit else "[*]"}
        for stay in self.garage.stays.values():
            nouns |= {("order", order.no): order.stage for order in stay.orders}
            nouns |= {("payment", payment.order_no): payment.holder for payment in stay.payments}
        return nouns

    def branch(self) -> "Watched":
        """The same situation, to be led elsewhere."""
        other = copy(self)
        other.garage = copy(self.garage)
        other.garage.lanes, other.garage.stays = dict(self.garage.lanes), dict(self.garage.stays)
        other.said, other.cars = [], dict(self.cars)
        return other

    def situation(self) -> object:
        """What of it makes a difference to the rules, times and names left out."""
        lane = self.garage.lanes["exit-1"]
        visit, stay = lane.visit, self.garage.stays.get(an_id("stay", "a"))
        return (
            visit and (visit.phase, visit.raised, visit.attempts >= MAX_ATTEMPTS),
            lane.boom and lane.boom.state in ("rising", "up"),
            lane.vehicle and lane.vehicle.waiting,
            stay
            and ([o.stage for o in stay.orders][-1:], [p.holder for p in stay.payments][-1:], len(stay.grants) > 0),
        )


def words(event: e.Event) -> str:
    """What a fact is called beside an arrow."""
    match event:
        case e.TicketRead():
            return "ticket"
        case e.VehicleSeen(waiting=False):
            return "car gone"
        case e.VehicleSeen():
            return "car"
        case e.BoomSeen() | e.BarrierGone():
            return "boom"
        case e.LiftAnswered(outcome=outcome):
            return {"raised": "raised", "refused": "lift refused", "unknown": "lift unknown"}[outcome]
        case e.OrderReported(status=status, wrong=wrong):
            return "PayBy misfits" if wrong else f"PayBy {status.lower()}"
        case e.OrderDenied(kind=kind):
            return "PayBy has no such order" if kind == "unknown" else "PayBy refuses"
        case e.RefundReported(stage=stage):
            return f"refund {stage}"
        case e.RefundUnheard():
            return "refund refused"
        case e.CommandGiven(command=command):
            return command
        case e.Damaged():
            return "journal damaged"
    return "time"


def facts(story: Watched) -> Iterator[Callable[[Watched], object]]:
    """All that can happen now."""
    stay = story.garage.stays.get(an_id("stay", "a"))
    yield lambda s: s.arrives()
    yield lambda s: s.leaves_loop()
    yield lambda s: s.under()
    yield lambda s: s.under(waiting=False)
    yield lambda s: s.reads()
    yield lambda s: s.reads(amount=0)
    for state in ("down", "rising", "up", "fault"):
        yield lambda s, state=state: s.boom(state)  # type: ignore[misc]
    for seconds in (3, 30, 100, 1000):
        yield lambda s, seconds=seconds: s.wait(seconds)  # type: ignore[misc]
    yield lambda s: s.tell(e.Damaged(s.at, "cut"))
    yield lambda s: command(s, "reset")
    if stay is None:
        return
    for number in range(len(stay.orders))[-2:]:
        for status in ("CREATED", "PAID", "FAILURE"):
            yield lambda s, n=number, status=status: s.payby(status, order=s.stay().orders[n])  # type: ignore[misc]
        yield lambda s, n=number: s.payby("PAID", order=s.stay().orders[n], wrong="amount")  # type: ignore[misc]
        for kind, call in (("refused", "placeOrder"), ("unknown", "getOrder")):
            yield lambda s, n=number, kind=kind, call=call: s.tell(  # type: ignore[misc]
                e.OrderDenied(s.at, s.stay().orders[n].no, call, "62004", "", kind)
            )
        yield lambda s, n=number: command(s, "refund", order_no=s.stay().orders[n].no)  # type: ignore[misc]
        yield lambda s, n=number: command(s, "cancel", order_no=s.stay().orders[n].no)  # type: ignore[misc]
    if stay.grants:
        for outcome, why in (("raised", ""), ("refused", "car"), ("refused", "proof"), ("unknown", "")):
            yield lambda s, o=outcome, why=why: s.answers(o, why)  # type: ignore[misc]
        yield lambda s: s.boom("rising", lift=s.stay().grants[-1].id)
    if stay.refunds:
        for stage in ("success", "failed"):
            yield lambda s, stage=stage: s.tell(  # type: ignore[misc]
                e.RefundReported(s.at, s.refund().no, s.refund().order_no, stage)
            )


def command(story: Watched, name: str, **more: str) -> None:
    session = an_id("stay", "a")
    told = e.CommandGiven(story.at, "exit-1", an_id(name, story.at), name, "omar", story.at + 30_000, session)  # type: ignore[arg-type]
    story.tell(e.CommandGiven(*(more.get(f, getattr(told, f)) for f in e.CommandGiven.__dataclass_fields__)))  # type: ignore[arg-type]


@cache
def explore() -> dict[str, dict[Arrow, set[str]]]:
    """Arrows of each noun, with the facts that are their reason."""
    start = Watched()
    seen = start.seen
    found, ahead = {repr(start.situation())}, deque([start])
    while ahead:
        story = ahead.popleft()
        for happens in facts(story):
            branch = story.branch()
            branch.at += 1
            happens(branch)
            situation = repr(branch.situation())
            if situation not in found:
                found.add(situation)
                assert len(found) < SITUATIONS, "the rules tell more situations apart than there should be"
                ahead.append(branch)
    return seen


SHORTER = {
    **dict.fromkeys(("PayBy failure", "PayBy has no such order", "refund success"), "PayBy closed it"),
    **dict.fromkeys(("PayBy misfits", "PayBy refuses"), "PayBy refuses"),
    **dict.fromkeys(("boom", "lift refused", "lift unknown", "raised"), "barrier"),
    **dict.fromkeys(("cancel", "reset", "refund"), "operator"),
}
"""For the visit, which has arrows enough."""


def drawn() -> str:
    """The diagrams, in Mermaid's words."""
    titles = {"visit": "A visit's phase", "order": "An order's stage", "payment": "Who holds a payment"}
    lines = []
    for noun, arrows in explore().items():
        ends: set[str] = set()
        lines += [f"{titles[noun]}:", "", "```mermaid", "stateDiagram-v2"]
        for (a, b), facts in sorted(arrows.items()):
            why = sorted({SHORTER.get(fact, fact) for fact in facts} if noun == "visit" else facts)
            if b == "[*]":
                ends.update(why)
            else:
                lines.append(f"    {a} --> {b}: {', '.join(why)}")
        lines += ["```", ""]
        lines += [f"Any phase ends the visit by: {', '.join(sorted(ends))}.", ""] if ends else []
    return "\n".join(lines)


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.states", description=__doc__)
    ask.add_argument("--write", action="store_true", help="put them into CONTRIBUTING.md")
    if ask.parse_args().write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + drawn() + END + rest.partition(END)[2])
    else:
        print(drawn())
    return 0


if __name__ == "__main__":
    sys.exit(main())
