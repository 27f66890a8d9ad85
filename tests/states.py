"""``python -m tests.states``: the diagrams of CONTRIBUTING.md, drawn from what the rules do.

Every fact is told in every situation that facts can lead to, as far as situations differ for a lane with one stay; what
an order's stage and a payment's holder then become is an arrow, what a visit's phase becomes is compared with the table
of the rules (core/rules/table.py), from which its diagram is drawn, and what is said is a line of tests/said.txt.
``--write`` puts them where the old ones are.
"""

import argparse
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from terminal.core import events as e
from terminal.core.actions import Action
from terminal.core.allowance import AllowanceKind
from terminal.core.model import MAX_ATTEMPTS, RefundStage
from terminal.core.rules.table import BY_EVENT, BY_PROGRESS
from tests.said import SAID, line
from tests.support.moves import Move
from tests.support.story import Story, an_id

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
BEGIN, END = "<!-- drawn by python -m tests.states --write -->\n", "<!-- end of what is drawn -->\n"
SITUATIONS = 3_000
"""More than there are; a bound."""

Arrow = tuple[str, str]


class Watched(Story):
    """A story that notes what each fact turns into what, and all that is said."""

    known = None

    def __init__(self) -> None:
        self.seen: dict[str, dict[Arrow, set[str]]] = {"order": {}, "payment": {}}
        self.lines: set[str] = set()
        super().__init__()

    def tell(self, event: e.Event) -> list[Action]:
        before = self._nouns()
        actions = super().tell(event)
        after = self._nouns()
        self.lines.update(line(action, self) for action in actions)
        for (kind, name), state in after.items():
            old = before.get((kind, name), "[*]")
            if old != state:
                self.seen[kind].setdefault((old, state), set()).add(words(event))
        return actions

    def _nouns(self) -> dict[tuple[str, str], str]:
        nouns: dict[tuple[str, str], str] = {}
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
            visit and (visit.phase, visit.raised, visit.attempts >= MAX_ATTEMPTS, visit.fee.reason),
            lane.boom and lane.boom.state in ("rising", "up"),
            lane.vehicle and lane.vehicle.waiting,
            stay
            and (
                [o.stage for o in stay.orders][-1:],
                [p.holder for p in stay.payments][-1:],
                len(stay.grants) > 0,
                stay.slipped_out,
            ),
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
        case e.AllowanceGiven(kind=kind) | e.CouponRead(kind=kind):
            return kind
        case e.Damaged():
            return "journal damaged"
        case e.StayFailed():
            return "own failure"
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


def asides(story: Watched) -> Iterator[Callable[[Watched], object]]:
    """Facts that are told everywhere for what is said of them, and lead no further."""
    stay = story.garage.stays.get(an_id("stay", "a"))
    yield lambda s: s.tell(e.Started(s.at, "1"))
    yield lambda s: s.tell(e.BarrierGone(s.at, "exit-1"))
    yield lambda s: s.tell(e.VehicleUnknown(s.at, "exit-1"))
    yield lambda s: s.tell(e.TicketRefused(s.at, "exit-1", an_id("fee", s.at), "ticket-unknown"))
    yield lambda s: s.tell(e.TicketRefused(s.at, "exit-1", an_id("fee", s.at), "ticket-unknown", "amount"))
    yield lambda s: (s.boom("down", skew=6_000), s.boom("down", skew=0))
    yield lambda s: s.boom("down", skew=-16_000)
    yield lambda s: s.boom("rising", lift=an_id("an operator's lift"))
    yield lambda s: (s.boom("up"), s.under(), s.under(waiting=False), s.under(), s.leaves_loop(), s.under())
    yield lambda s: (command(s, "close-lane"), s.reads("b"), command(s, "open-lane"))
    yield lambda s: (s.reads("b"), s.reads("b", lane="exit-2"))
    yield lambda s: s.tell(e.Damaged(s.at, "listed", listed=True))
    yield lambda s: s.tell(e.StayFailed(s.at, an_id("stay", "a"), "its words"))
    for kind, value in (("paid", 2000), ("amount", 500), ("percent", 2500), ("free", 0)):
        yield lambda s, kind=kind, value=value: allowed(s, kind, value)  # type: ignore[misc]
    yield lambda s: [allowed(s, "amount", 1, id=an_id("allowance", n)) for n in range(17)]
    for session in ("a", "b"):
        yield lambda s, session=session: [coupon(s, session), coupon(s, "a"), coupon(s, "b")]  # type: ignore[misc]
    if stay is None:
        return
    for n in range(len(stay.orders))[-1:]:
        for kind, code in (
            ("dead", "62017"), ("unauthorised", "402"), ("clock", "REQUESTTIME"), ("mistake", "400"),
            ("mistake", "62016"), ("mistake", "62008"), ("refused", "601"),
        ):  # fmt: skip
            for call in ("placeOrder", "cancelOrder"):
                yield lambda s, n=n, kind=kind, code=code, call=call: s.tell(  # type: ignore[misc]
                    e.OrderDenied(s.at, s.stay().orders[n].no, call, code, "its words", kind)
                )
        yield lambda s, n=n: [
            s.tell(e.OrderUnheard(s.at, s.stay().orders[n].no, "getOrder", "time-out")) for _ in range(5)
        ]  # type: ignore[misc]
        for stages in (("created", "settled", "success"), ("failed",)):
            yield lambda s, n=n, stages=stages: paid_twice(s, n, stages)  # type: ignore[misc]
        yield lambda s, n=n: s.payby("OTHER", order=s.stay().orders[n])  # type: ignore[misc]
        for wrong in ({"amount": 1}, {"payby_no": "another"}, {"wrong": "payeeMid"}):
            for notified in (False, True):
                yield lambda s, n=n, wrong=wrong, notified=notified: s.payby(  # type: ignore[misc]
                    "PAID", order=s.stay().orders[n], notified=notified, **wrong
                )
        yield lambda s, n=n: s.tell(  # type: ignore[misc]
            e.RefundReported(s.at, "R" + "0" * 32, s.stay().orders[n].no, "success")
        )
        for amount in (0, 500, 999_999):
            yield lambda s, n=n, amount=amount: (  # type: ignore[misc]
                command(s, "refund", order_no=s.stay().orders[n].no, amount=amount),
                command(s, "refund", order_no=s.stay().orders[n].no),
            )
        for decided in ("keep", "let-go"):
            yield lambda s, n=n, decided=decided: command(s, decided, order_no=s.stay().orders[n].no)  # type: ignore[misc]
    yield lambda s: command(s, "refund", order_no="marina-exit-1-" + "0" * 32)
    yield (
        lambda s: (
            s.payby("PAID", order=replace(story.order(), no=story.order().no[:-1] + "9")) if story.stay().orders else ()
        )
    )
    for lift in [g.id for g in stay.grants[-1:]] or [an_id("a lift of long ago")]:
        for outcome, why in (
            ("refused", "busy"), ("refused", "signature"), ("refused", "expired"), ("refused", "too-far"),
            ("refused", "journal"), ("refused", "spent"), ("raised", ""), ("unknown", ""),
        ):  # fmt: skip
            yield lambda s, lift=lift, o=outcome, why=why: s.tell(  # type: ignore[misc]
                e.LiftAnswered(s.at, "exit-1", an_id("stay", "a"), lift, o, why)
            )
    for payment in stay.payments[-1:]:
        if payment.grant:
            for outcome in ("raised", "unknown"):
                yield lambda s, lift=payment.grant, o=outcome: s.tell(  # type: ignore[misc]
                    e.LiftAnswered(s.at, "exit-1", an_id("stay", "a"), lift, o, "")
                )
    for refund in stay.refunds[-1:]:
        yield lambda s, r=refund: [  # type: ignore[misc]
            s.tell(e.RefundUnheard(s.at, r.no, r.order_no, "time-out")) for _ in range(5)
        ]
        yield lambda s, r=refund: s.tell(  # type: ignore[misc]
            e.RefundUnheard(s.at, r.no, r.order_no, "refused", "62020", final=True)
        )
        for stages in (("created", "settled", "success"), ("settled", "failed"), ("failed", "success")):
            yield lambda s, r=refund, stages=stages: [  # type: ignore[misc]
                s.tell(e.RefundReported(s.at, r.no, r.order_no, stage)) for stage in stages
            ]


def paid_twice(story: Watched, first: int, stages: Iterable[RefundStage]) -> None:
    """An order that was over turns out to be paid when the next one is; its refund ends so."""
    story.payby("FAILURE", order=story.stay().orders[first])
    story.payby("PAID")
    story.payby("PAID", order=story.stay().orders[first])
    for stage in stages if story.stay().refunds else ():
        story.tell(e.RefundReported(story.at, story.refund().no, story.refund().order_no, stage))


def allowed(story: Watched, kind: AllowanceKind, value: int, **more: str) -> None:
    """Told twice, as its sender repeats it."""
    name = more.get("id", an_id(kind))
    for _ in range(2):
        story.tell(e.AllowanceGiven(story.at, name, an_id("stay", "a"), kind, value, "station", story.at + 900_000))


def coupon(story: Watched, session: str) -> None:
    """Read for a stay that may be there."""
    fee = an_id("coupon", session, story.at, len(story.said))
    story.tell(
        e.CouponRead(story.at, "exit-1", fee, an_id("coupon"), an_id("stay", session), "amount", 500, story.at + 9)
    )


def command(story: Watched, name: e.CommandName, **more: Any) -> None:
    session = an_id("stay", "a")
    told = e.CommandGiven(story.at, "exit-1", an_id(name, story.at), name, "omar", story.at + 30_000, session)
    story.tell(replace(told, **more))


class Explored(NamedTuple):
    """Arrows of an order and a payment, each with the facts that lead there; the moves of visits; all that is said."""

    arrows: dict[str, dict[Arrow, set[str]]]
    moved: set[Move]
    lines: list[str]


@cache
def explore(known: frozenset[str] | None = None) -> Explored:
    """Ends early once something is said that is not ``known``."""
    start = Watched()
    found, ahead = {repr(start.situation())}, deque([start])
    while ahead and (known is None or start.lines <= known):
        story = ahead.popleft()
        for happens in asides(story):
            told(story, happens)
        for happens in facts(story):
            branch = told(story, happens)
            situation = repr(branch.situation())
            if situation not in found:
                found.add(situation)
                assert len(found) < SITUATIONS, "the rules tell more situations apart than there should be"
                ahead.append(branch)
    return Explored(start.seen, start.moved, sorted(start.lines))


def told(story: Watched, happens: Callable[[Watched], object]) -> Watched:
    """What becomes of a situation by a fact."""
    branch = story.branch()
    branch.at += 1
    happens(branch)
    return branch


def tabled_arrows() -> dict[Arrow, set[str]]:
    """Those of a visit's phase: by events, in their words, and by progress."""
    arrows: dict[Arrow, set[str]] = {}
    for words, moves in [*BY_EVENT.values(), ("progress", BY_PROGRESS)]:
        for before, after in moves.items():
            for phase in after:
                arrow = (before.replace("none", "[*]"), phase.replace("none", "[*]"))
                arrows.setdefault(arrow, set()).add(words)
    return arrows


def drawn(known: frozenset[str] | None = None) -> str:
    """The diagrams, in Mermaid's words."""
    titles = {"visit": "A visit's phase", "order": "An order's stage", "payment": "Who holds a payment"}
    lines = []
    for noun, arrows in {"visit": tabled_arrows(), **explore(known).arrows}.items():
        ends: set[str] = set()
        lines += [f"{titles[noun]}:", "", "```mermaid", "stateDiagram-v2"]
        for (a, b), reasons in sorted(arrows.items()):
            if b == "[*]":
                ends.update(reasons)
            else:
                lines.append(f"    {a} --> {b}: {', '.join(sorted(reasons))}")
        lines += ["```", ""]
        lines += [f"Any phase ends the visit by: {', '.join(sorted(ends))}.", ""] if ends else []
    return "\n".join(lines)


def main() -> int:
    ask = argparse.ArgumentParser(prog="python -m tests.states", description=__doc__)
    ask.add_argument("--write", action="store_true", help="put them into CONTRIBUTING.md")
    if ask.parse_args().write:
        diagrams = drawn()
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + diagrams + END + rest.partition(END)[2])
        SAID.write_text("\n".join(explore().lines) + "\n")
    else:
        print(drawn())
    return 0


if __name__ == "__main__":
    sys.exit(main())
