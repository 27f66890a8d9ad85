"""Rule 6: when money lifts, when it goes back by itself, and when a person decides."""

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from terminal.core.ids import derived_id, lift_id, refund_no
from terminal.core.model import RefundStage
from tests.support.rules import alerts_of, sent
from tests.support.story import T0, Story, an_id


def test_money_goes_back_by_itself_when_its_lift_was_refused_and_the_arm_was_seen_down() -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.answers("refused", "car")
    assert sent(story) == "refund"


def test_late_money_goes_back_by_itself_when_the_arm_was_seen_down_until_its_car_was_gone() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    assert sent(story) == "refund"


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("arm", ["unknown", "fault", None])
def test_money_of_a_car_that_left_its_loop_under_an_arm_that_nobody_knew_of_is_a_persons(
    arm: str | None, paid: bool
) -> None:
    story = Story()
    story.shows_qr()
    if arm:
        story.boom(arm)
    else:
        story.tell(e.BarrierGone(story.at, "exit-1"))
    if paid:
        story.payby("PAID")
        story.answers("refused", "car")
    story.leaves_loop()
    story.boom("down")
    story.wait(3)
    if not paid:
        story.payby("PAID")
    assert (sent(story), story.stay().left) == ("person", None)


@pytest.mark.parametrize("arm", ["rising", "up", "lowering"])
def test_late_money_of_a_car_that_left_its_loop_under_an_open_arm_is_a_persons(arm: str) -> None:
    story = Story()
    story.boom(arm)
    story.shows_qr()
    story.leaves_loop()
    story.boom("down")
    story.wait(3)
    story.payby("PAID")
    assert sent(story) == "person"


def test_an_arm_that_was_open_while_the_loop_saw_the_car_and_down_when_it_left_sends_the_money_back() -> None:
    story = Story()
    story.boom("up")
    story.pays()
    story.answers("refused", "busy")
    story.boom("lowering")
    story.boom("down")
    story.answers("refused", "car")
    story.leaves_loop()
    assert sent(story) == "refund"


def test_an_arm_that_was_open_while_the_loops_were_silent_makes_the_money_a_persons() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.boom("up")
    story.boom("down")
    story.leaves_loop()
    assert sent(story) == "person"


def test_an_arm_that_was_open_while_the_loops_were_silent_does_not_matter_once_they_see_the_same_car() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.boom("up")
    story.boom("down")
    story.arrives(car=story.cars["exit-1"])
    story.wait(1)
    story.answers("refused", "car")
    story.leaves_loop()
    assert sent(story) == "refund"


def test_money_of_a_car_that_was_gone_when_the_worker_came_back_is_a_persons() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.tell(e.Started(story.at, "1"))
    story.leaves_loop()
    story.boom("down")
    assert sent(story) == "person"


@pytest.mark.fault("journal-put-back")
def test_no_credit_goes_back_before_a_barrier_can_have_said_that_the_journal_was_put_back() -> None:
    """The journal does not hold the lift that let its car out before it was put back; the barrier names it."""
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.leaves_loop()
    story.boom("down")
    story.wait(600)
    assert story.payment().holder == "credit"
    ends = story.payment().until
    story.at = ends + 60_000
    story.tell(e.Started(story.at, "1"))
    story.wait(14)
    assert (story.payment().holder, story.owes()) == ("credit", [])
    story.boom("down", lift=lift_id(story.at - 40_000, "", "marina", "exit-1", "gone"))
    assert ("journal-behind" in story.alerts(), story.alerts().count("payment-doubtful")) == (True, 1), "told at once"
    story.wait(3600)
    assert (story.payment().holder, story.owes()) == ("person", [])


def test_a_start_lengthens_a_credit_by_no_more_than_barriers_take_to_speak() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.leaves_loop()
    story.boom("down")
    story.wait(10)
    ends = story.payment().until
    story.tell(e.Started(story.at, "1"))
    assert story.payment().until == ends, "it has longer to go"
    story.at = ends - 1
    story.tell(e.Started(story.at, "1"))
    story.boom("down")
    assert story.payment().until == story.at + 15_000
    story.wait(15)
    assert story.payment().holder == "refund"


def test_money_whose_lift_nobody_answered_lifts_elsewhere_and_is_a_persons_in_the_end() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    story.leaves_loop()
    story.wait(93)
    assert (story.payment().holder, story.owes()) == ("credit", ["SendLift"]), "the barrier is asked on"
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert [(g.lane, g.overdue) for g in story.stay().grants] == [("exit-1", True), ("exit-2", False)]
    story.answers("refused", "car")
    story.leaves_loop("exit-2")
    assert sent(story) == "person"
    assert "lift-unknown" in alerts_of(story)


def test_a_barrier_that_was_away_and_says_that_it_never_spent_the_lift_sends_the_money_back() -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(200)
    story.answers("refused", "expired")
    assert story.owes() == []
    assert sent(story) == "refund"


@pytest.mark.parametrize("why", ["busy", "too-far", "signature", "proof", "journal", "car"])
def test_no_other_answer_about_an_overdue_lift_settles_it(why: str) -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(200)
    story.answers("refused", why)
    assert story.owes() == ["SendLift"]
    assert sent(story) == "person"
    assert story.owes() == [], "it is not asked about for ever"


@pytest.mark.fault("backs-out")
def test_a_car_that_leaves_after_paying_has_credit_then_a_refund() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    assert story.reply(story.payby("PAID", notified=True)) == "late"
    assert (story.owes(), story.payment().holder) == ([], "credit")
    assert "late-payment" in story.alerts()
    story.wait(15 * 60 - 1)
    assert story.payment().holder == "credit"
    story.wait(1)
    assert (story.owes(), story.payment().holder) == (["PlaceRefund"], "refund")
    assert (story.refund().amount, story.refund().by) == (2000, "worker")
    asked = derived_id(story.at, "refund", story.order().no)
    assert story.refund().no == refund_no(asked), "a replay names it the same"


@pytest.mark.parametrize("left_ms", [1, 0])
def test_credit_is_over_at_its_end_though_nobody_told_the_time(left_ms: int) -> None:
    """At that moment its refund is asked, and only one may have it."""
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.at = story.payment().until - left_ms
    story.arrives()
    story.reads()
    assert bool(story.stay().grants) == bool(left_ms)


@pytest.mark.parametrize("left_ms", [1, 0])
def test_a_raise_that_let_nobody_out_is_good_for_another_until_the_exit_grace_ends(left_ms: int) -> None:
    story = Story()
    story.pays()
    story.raises()
    story.boom("down")
    assert story.stay().unpassed, "its car still stood on the loop"
    story.leaves_loop()
    story.wait(3)
    story.at = T0 + 15 * 60_000 - left_ms
    story.arrives()
    story.reads()
    assert bool(story.stay().grants) == bool(left_ms)


@pytest.mark.fault("barrier-away")
def test_money_whose_car_was_seen_to_leave_does_not_go_back_by_itself() -> None:
    story = Story()
    story.pays()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.under()
    story.leaves_loop()
    story.wait(90 + 16 * 60)
    assert (story.payment().holder, story.stay().refunds) == ("person", ())
    assert "lift-unknown" in story.alerts()


def test_who_paid_and_was_let_out_by_hand_is_not_paid_back_by_itself() -> None:
    story = Story()
    story.pays()
    for _ in range(3):
        story.answers("refused", "car")
        story.wait(1)
    assert story.shows() == "help barrier"
    story.boom("up")
    story.drives_through()
    story.wait(16 * 60)
    assert (story.payment().holder, story.stay().refunds) == ("person", ())


@pytest.mark.parametrize(("stage", "told"), [("success", "lift-unknown"), ("failed", "refund-failed")])
def test_what_is_left_of_credit_that_was_given_back_in_part_is_for_a_person(stage: RefundStage, told: str) -> None:
    story = Story()
    no = story.shows_qr().no
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=no, amount=500)
    story.tell(command)
    story.said.clear()
    story.tell(e.RefundReported(story.at, story.refund().no, no, stage))
    kept = 1500 if stage == "success" else 2000
    assert (story.payment().holder, story.stay().kept(story.payment())) == ("person", kept)
    assert story.alerts() == [told]


@pytest.mark.parametrize(("left_ms", "owes"), [(1, ["SendLift"]), (0, [])])
def test_a_barrier_is_asked_about_an_overdue_lift_until_the_credit_of_it_ends(left_ms: int, owes: list[str]) -> None:
    """A word in the last second still tells whether its money is to go back."""
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(200)
    story.at = story.payment().until - left_ms
    story.tell(e.TimePassed(story.at, session=story.stay().session))
    assert story.owes() == owes


def test_a_lift_that_nobody_answered_leaves_another_of_its_stay_alone() -> None:
    """Free at a lane whose barrier is away, and then at the next one."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.wait(5)
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=0)
    story.wait(26)
    assert [(g.lane, g.overdue) for g in story.stay().grants] == [("exit-1", False), ("exit-2", False)]
    story.wait(60)
    assert [(g.lane, g.overdue) for g in story.stay().grants] == [("exit-1", True), ("exit-2", False)]


@pytest.mark.fault("passed-open")
def test_money_of_who_slipped_out_is_a_persons_where_the_barrier_does_not_know_whether_it_had_raised_for_him() -> None:
    story = Story()
    car = story.shows_qr() and story.cars["exit-1"]
    story.payby("PAID")
    unheard = story.stay().grants[-1]
    story.leaves_loop()
    story.wait(93)
    story.arrives(car=car)
    story.reads()
    story.answers("unknown", grant=unheard)
    story.boom("up")
    story.answers("refused", "car")
    assert story.payment().holder == "credit"
    story.leaves_loop()
    assert (sent(story), story.stay().slipped_out) == ("person", True)


NOBODY_ANSWERED = "paid, and the barrier never said whether a lift for it raised the boom: a person must decide"
PERHAPS_LEFT = "paid, and its vehicle may have left while the arm was not seen down: a person must decide"
LEFT = "paid, and its vehicle left although no lift is known to have raised the boom: a person must decide"


@pytest.mark.parametrize("text", [NOBODY_ANSWERED, PERHAPS_LEFT, LEFT])
def test_a_person_who_decides_about_money_is_told_what_is_known_of_its_car(text: str) -> None:
    story = Story()
    story.pays()
    if text != NOBODY_ANSWERED:
        story.tell(e.BarrierGone(story.at, "exit-1"))
    if text == LEFT:
        story.under()
    story.leaves_loop()
    assert sent(story) == "person"
    assert [a.text for a in story.said if isinstance(a, RaiseAlert) and a.code == "lift-unknown"] == [text]
