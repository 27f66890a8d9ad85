"""The law of money and raises, under whatever order of facts: random stories of two lanes, looked at after every fact.

What drivers, copies, loops, arms, barriers and PayBy do is drawn; what must hold is said in CONTRIBUTING.md.
"""

import random
from collections.abc import Callable

import pytest

from terminal.core import events as e
from terminal.core.actions import SendLift
from terminal.core.model import GivenLift, Stay
from terminal.core.outbox import owed
from tests.support.story import Story, an_id

LANES = ("exit-1", "exit-2")
SESSIONS = ("a", "b", "free")
BY_ITSELF = "credit not used"


class Watched(Story):
    """Every fact is followed by a look."""

    known = None

    def __init__(self) -> None:
        self.raised: dict[str, GivenLift] = {}
        super().__init__(lanes=LANES)

    def tell(self, event: e.Event) -> list[object]:  # type: ignore[override]
        before = dict(self.garage.stays)
        actions = super().tell(event)
        for session, stay in self.garage.stays.items():
            if stay is not before.get(session):
                self._look(stay, before.get(session) or Stay(session))
        return actions  # type: ignore[return-value]

    def _look(self, stay: Stay, before: Stay) -> None:
        for known in before.given:
            now = stay.lift(known.id)
            assert now is not None, "no lift is forgotten"
            assert known.outcome != "raised" or now.outcome == "raised", "what raised stays known"
        sent = [p.grant for p in owed(stay) if isinstance(p, SendLift) and not p.grant.overdue]
        assert sum(self.at < grant.not_after for grant in sent) <= 1, "one lift at a time"
        new = [given for given in stay.given if before.lift(given.id) is None]
        assert not (new and before.left is not None), "nothing lifts of a stay that has left"
        assert not sent or stay.left is None, "and nothing goes on to"
        for given in new:
            assert sum(g.outcome != "refused" for g in stay.given) <= 3, "three raises in its life"
            rose = [g for g in stay.given if g not in new and g.outcome in ("raised", "unknown")]
            same = rose and given.car is not None and rose[-1].car == given.car
            assert not rose or same or stay.unpassed, "again for the same car, or one that was there"
        for refund in stay.refunds:
            if before.refund(refund.no) is None and refund.reason == BY_ITSELF:
                lifts = [g.outcome for g in stay.given if g.order_no == refund.order_no]
                assert set(lifts) <= {"refused"}, "money goes back by itself when every lift was refused"
                assert (stay.left, stay.perhaps_left, before.left) == (None, False, None), "and its car did not leave"


def draw(story: Watched, dice: random.Random) -> Callable[[], object]:
    """One fact that may come now."""
    lane, session = dice.choice(LANES), dice.choice(SESSIONS)
    stay = story.garage.stays.get(an_id("stay", session))
    lifts = [(s, g) for s in story.garage.stays.values() for g in s.given]
    choices: list[tuple[int, Callable[[], object]]] = [
        (3, lambda: story.arrives(lane, car=dice.choice(("new", story.cars.get(lane) or "new")))),
        (3, lambda: story.leaves_loop(lane)),
        (2, lambda: story.under(lane, waiting=dice.random() < 0.5)),
        (6, lambda: story.reads(session, lane, amount=0 if session == "free" else 2000)),
        (4, lambda: story.boom(dice.choice(("down", "rising", "up", "lowering", "unknown", "fault")), lane=lane)),
        (6, lambda: story.wait(dice.choice((0.5, 1, 3, 7, 20, 95, 400, 1000)))),
        (1, lambda: story.tell(e.VehicleUnknown(story.at, lane))),
        (1, lambda: story.tell(e.BarrierGone(story.at, lane))),
        (1, lambda: story.tell(e.Started(story.at, "1"))),
    ]
    if stay and stay.orders:
        status = dice.choice(("CREATED", "PAID", "PAID", "FAILURE"))
        choices.append((6, lambda: story.payby(status, session, order=dice.choice(stay.orders))))
    if stay and stay.payments:
        cause = an_id("refund", story.at, dice.random())
        number = dice.choice(stay.payments).order_no
        command = e.CommandGiven(story.at, lane, cause, "refund", "omar", story.at, order_no=number)
        choices.append((1, lambda: story.tell(command)))
    if stay and stay.refunds:
        refund, stage = dice.choice(stay.refunds), dice.choice(("success", "success", "failed"))
        report = e.RefundReported(story.at, refund.no, refund.order_no, stage)  # type: ignore[arg-type]
        choices.append((2, lambda: story.tell(report)))
    if lifts:
        of, lift = dice.choice(lifts[-4:])
        outcome, why = dice.choice(
            (("raised", ""), ("raised", ""), ("refused", "car"), ("refused", "busy"), ("refused", "expired"),
             ("refused", "proof"), ("unknown", ""))
        )  # fmt: skip
        answer = e.LiftAnswered(story.at, lift.lane, of.session, lift.id, outcome, why)  # type: ignore[arg-type]
        choices.append((6, lambda: story.tell(answer)))
        choices.append((3, lambda: story.boom(dice.choice(("rising", "up", "down")), lift=lift.id, lane=lift.lane)))
    return dice.choices([act for _, act in choices], [weight for weight, _ in choices])[0]


@pytest.mark.parametrize("block", range(10))
def test_the_law_holds_in_any_order_of_facts(block: int) -> None:
    for seed in range(block * 40, block * 40 + 40):
        dice, story = random.Random(seed), Watched()
        try:
            for _ in range(60):
                draw(story, dice)()
        except AssertionError as error:
            raise AssertionError(f"story {seed}: {error}") from error


@pytest.mark.parametrize("block", range(4))
def test_what_another_lane_says_of_a_lift_changes_nothing(block: int) -> None:
    for seed in range(1000 + block * 25, 1025 + block * 25):
        dice, story = random.Random(seed), Watched()
        for _ in range(40):
            draw(story, dice)()
            for stay in list(story.garage.stays.values()):
                for given in stay.given:
                    other = next(lane for lane in LANES if lane != given.lane)
                    before = dict(story.garage.stays), dict(story.garage.lanes)
                    outcome = dice.choice(("raised", "refused", "unknown"))
                    story.tell(e.LiftAnswered(story.at, other, stay.session, given.id, outcome, "car"))
                    assert before == (story.garage.stays, story.garage.lanes), f"story {seed}"
