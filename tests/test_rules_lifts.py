"""Rules 5, 8 and 12: lifts that are refused, unanswered, doubtful or late. What raised stays known."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from terminal.core.ids import derived_id
from terminal.core.model import LIFT_MS, MAX_LIFTS
from terminal.core.rules.limits import MAX_SIGNED
from tests.support.story import Story, an_id


def a_lift_that_nobody_answered() -> Story:
    """Paid; the barrier is away, and its car is gone."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.leaves_loop()
    return story


def test_an_unanswered_lift_is_signed_anew_under_its_id_then_help_comes() -> None:
    story = Story()
    story.pays()
    lift = story.stay().grants[0].id
    story.wait(25)
    assert [(g.id, g.signed) for g in story.stay().grants] == [(lift, 2)]
    assert story.alerts() == []
    story.wait(25)
    assert isinstance(alert := story.said[-1], RaiseAlert)
    assert (alert.code, alert.order_no) == ("lift-unanswered", story.order().no)
    story.wait(25 * (MAX_SIGNED - 2))
    assert (story.shows(), story.stay().grants[0].signed) == ("paid", MAX_SIGNED)
    story.wait(5)
    assert (story.shows(), story.alerts()) == ("help barrier", ["lift-unanswered", "help"])


def test_a_car_that_leaves_before_its_lift_is_answered_ends_its_visit_whatever_the_arm_does() -> None:
    story = Story()
    story.pays()
    story.boom("unknown")
    story.leaves_loop()
    story.wait(2)
    assert (story.lane().visit, story.owes()) == (None, [])


@pytest.mark.fault("barrier-away")
def test_a_payment_stays_with_its_lift_until_60_s_after_the_deadline() -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(2)
    assert (story.owes(), story.payment().holder) == ([], "lift")
    story.arrives()
    story.reads()
    story.wait(80)
    story.tell(e.TimePassed(story.at, session=story.stay().session))
    assert (story.payment().holder, story.owes()) == ("lift", [])
    story.wait(7.9)
    assert (story.payment().holder, story.owes()) == ("lift", [])
    story.wait(0.1)
    told = next(a for a in story.said if isinstance(a, RaiseAlert) and a.code == "lift-unanswered")
    assert (told.lane, told.session, told.order_no) == ("exit-1", story.stay().session, story.order().no)
    assert story.owes() == ["SendLift", "SendLift"], "the barrier is asked on about the first"
    assert [(g.reason, g.signed, g.overdue) for g in story.stay().grants] == [("paid", 1, True), ("credit", 1, False)]


@pytest.mark.fault("arm-still-up")
def test_busy_leaves_the_lift_unspent_and_owed() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "busy")
    assert story.owes() == ["SendLift"]


@pytest.mark.fault("arm-still-up")
def test_an_expired_lift_is_signed_anew() -> None:
    story = Story()
    story.pays()
    first = story.stay().grants[0]
    story.answers("refused", "expired")
    assert (story.stay().grants[0].id, story.stay().grants[0].signed) == (first.id, 2)


@pytest.mark.fault("cars-swap")
def test_a_lift_refused_for_another_car_becomes_credit_and_is_tried_again_up_to_three_times() -> None:
    story = Story()
    story.pays()
    ids = set()
    for _ in range(MAX_LIFTS):
        ids.add(story.answers("refused", "car").id)
        assert story.payment().holder == "credit"
        story.wait(1)
    assert (story.shows(), len(ids), story.owes()) == ("help barrier", MAX_LIFTS, [])
    assert story.payment().holder == "credit"


@pytest.mark.parametrize("why", ["signature", "proof"])
def test_a_refused_proof_or_signature_is_alerted_and_the_lift_repeated_for_anybody_could_have_drawn_it(
    why: str,
) -> None:
    story = Story()
    story.pays()
    story.answers("refused", why)
    assert (story.owes(), story.payment().holder, story.alerts()) == (["SendLift"], "lift", ["lift-refused"])
    story.raises()
    story.drives_through()
    assert (story.payment().holder, story.stay().left) == ("raised", story.at)


def test_a_barrier_without_a_journal_gets_help_at_once_and_the_payment_is_held_until_no_copy_is_valid() -> None:
    """What it cannot write down it cannot promise: a copy of the lift may raise when its disk has room again."""
    story = Story()
    story.pays()
    story.answers("refused", "journal")
    assert (story.shows(), story.payment().holder, story.owes()) == ("help barrier", "lift", ["SendLift"])
    assert story.alerts() == ["lift-refused", "help"]
    story.wait(LIFT_MS // 1000 + 59)
    assert story.payment().holder == "lift"
    story.wait(2)
    assert (story.payment().holder, story.owes()) == ("credit", ["SendLift"])
    story.reads()
    assert story.owes() == ["SendLift", "SendLift"]


def test_a_barrier_without_a_journal_says_nothing_to_a_driver_who_has_gone() -> None:
    story = Story()
    story.pays()
    story.leaves_loop()
    story.wait(3)
    story.answers("refused", "journal")
    assert (story.shows(), story.payment().holder, story.alerts()[-1]) == ("idle", "lift", "lift-refused")


def test_a_lift_that_raises_after_its_barrier_had_no_journal_is_a_raise() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "journal")
    story.raises()
    assert story.payment().holder == "raised"
    story.drives_through()
    assert (story.stay().left, story.shows()) == (story.at, "idle")


def test_a_refused_lift_of_a_car_that_has_gone_is_credit() -> None:
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.wait(20)
    story.arrives()
    story.answers("refused", "car", grant=grant)
    assert (story.payment().holder, story.shows()) == ("credit", "idle")
    assert story.payment().until == story.at + 15 * 60_000


def test_a_ticket_for_which_the_first_lane_raised_after_all_lets_nobody_out_at_a_second() -> None:
    """Nobody knows who passed at the first."""
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    grant = story.stay().grants[0]
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    assert (story.shows("exit-2"), story.owes()) == ("wait", [])
    story.answers("raised", grant=grant)
    assert (story.shows("exit-2"), story.owes()) == ("help ticket-used", [])
    assert (story.payment().holder, story.payment().raised) == ("raised", grant.id)


def test_a_second_after_a_refusal_another_lift_is_thought_of() -> None:
    story = Story()
    story.pays()
    story.wait(5)
    story.answers("refused", "car")
    story.wait(0.9)
    assert story.owes() == []
    story.wait(0.1)
    assert story.owes() == ["SendLift"]


def test_a_lift_for_a_car_that_nobody_knows_is_signed_anew_for_15_s() -> None:
    story = Story(loops=False)
    story.reads(amount=0, car=None)
    story.wait(10)
    assert [(g.signed, g.not_after - story.at) for g in story.stay().grants] == [(2, 15_000)]


@pytest.mark.fault("cut-barrier")
@pytest.mark.parametrize("state", ["rising", "up"])
@pytest.mark.parametrize("outcome", ["raised", "unknown"])
@pytest.mark.parametrize("before", ["down", "unknown"])
def test_a_raise_or_an_unknown_one_under_a_risen_boom_is_a_raise_that_rose(
    before: str, outcome: str, state: str
) -> None:
    story = Story()
    story.pays()
    story.boom(before)
    story.boom(state)
    story.answers(outcome)
    assert (story.payment().holder, story.visit().raised, story.visit().was_up) == ("raised", True, True)


@pytest.mark.parametrize("state", ["down", "lowering", "unknown"])
def test_a_raise_whose_arm_was_not_seen_yet_has_not_risen(state: str) -> None:
    story = Story()
    story.pays()
    story.boom(state)
    story.answers("raised")
    assert (story.payment().holder, story.visit().raised, story.visit().was_up) == ("raised", True, False)


@pytest.mark.parametrize(
    ("outcome", "why", "severity"),
    [
        ("refused", "signature", "critical"),
        ("refused", "journal", "critical"),
        ("refused", "proof", "critical"),
        ("refused", "car", "warning"),
        ("refused", "spent", "warning"),
        ("unknown", "", "critical"),
    ],
)
def test_what_is_said_of_a_lift_names_the_order_that_was_paid(outcome: str, why: str, severity: str) -> None:
    story = Story()
    story.pays()
    story.answers(outcome, why)
    assert isinstance(alert := story.said[-1 if why != "journal" else -2], RaiseAlert)
    assert (alert.severity, alert.session, alert.order_no) == (severity, story.stay().session, story.order().no)


@pytest.mark.fault("cut-barrier")
def test_an_unknown_raise_before_a_closed_arm_lifts_again_by_credit_if_the_car_waits() -> None:
    story = Story()
    story.pays()
    story.answers("unknown")
    assert (story.payment().holder, story.alerts()[-1]) == ("person", "lift-unknown")
    story.wait(1)
    assert [(g.reason) for g in story.stay().grants] == ["credit"]
    assert story.payment().holder == "lift"


@pytest.mark.fault("cut-barrier")
def test_an_unknown_raise_of_a_car_that_has_gone_stays_with_a_person() -> None:
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.arrives()
    story.answers("unknown", grant=grant)
    story.wait(3600)
    assert (story.payment().holder, story.owes()) == ("person", [])


@pytest.mark.fault("barrier-away")
def test_a_raise_that_shows_after_its_payment_became_credit_uses_it_up() -> None:
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.leaves_loop()
    story.wait(92)
    assert story.payment().holder == "credit"
    story.answers("raised", grant=grant)
    assert (story.payment().holder, story.stay().left, story.alerts()[-1]) == ("raised", story.at, "raised-late")
    story.answers("raised", grant=grant)
    assert story.alerts().count("raised-late") == 1


@pytest.mark.fault("barrier-away")
def test_a_raise_that_shows_after_a_refund_was_asked_is_alerted() -> None:
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.leaves_loop()
    story.wait(92)
    story.tell(
        e.CommandGiven(
            story.at, "exit-1", derived_id(story.at, "c"), "refund", "omar", story.at, order_no=story.order().no
        )
    )
    assert story.payment().holder == "refund"
    story.answers("raised", grant=grant)
    assert (story.payment().holder, story.alerts()[-1]) == ("refund", "raised-late")
    assert (story.payment().raised, story.stay().left) == (grant.id, story.at)


def test_answers_about_lifts_of_nobody_or_of_another_lane_are_ignored() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    grant = story.stay().grants[0]
    story.answers("raised", grant=replace(grant, lane="exit-2"))
    story.answers("raised", grant=replace(grant, id=derived_id(story.at, "other")))
    assert story.owes() == ["SendLift"]


@pytest.mark.fault("barrier-away")
def test_a_free_stay_read_at_a_second_lane_waits_until_its_first_lift_has_expired() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads(lane="exit-2", amount=0)
    assert [(g.lane, g.dropped) for g in story.stay().grants] == [("exit-1", True)]
    story.wait(30)
    assert [g.lane for g in story.stay().grants] == ["exit-1", "exit-2"]


@pytest.mark.fault("cut-barrier")
def test_a_barrier_that_says_late_that_it_does_not_know_hands_the_credit_to_a_person() -> None:
    """Its machine died in the pulse, and the car was out: the money went back, and the ticket lifted once more."""
    story = a_lift_that_nobody_answered()
    grant = story.stay().grants[0]
    story.wait(92)
    assert story.payment().holder == "credit"
    story.answers("unknown", grant=grant)
    assert (story.payment().holder, story.alerts()[-1]) == ("person", "lift-unknown")
    story.wait(16 * 60)
    assert story.stay().refunds == ()


def test_a_barrier_that_does_not_know_whether_it_raised_for_money_that_went_back_is_told() -> None:
    story = a_lift_that_nobody_answered()
    grant = story.stay().grants[0]
    story.wait(92)
    story.tell(e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=story.order().no))
    for _ in range(2):
        story.said.clear()
        story.answers("unknown", grant=grant)
        assert (story.payment().holder, story.alerts()) == ("refund", ["lift-unknown"])
    refund = story.refund()
    story.tell(e.RefundReported(story.at, refund.no, refund.order_no, "success"))
    story.said.clear()
    story.answers("raised", grant=grant)
    assert (story.payment().holder, story.alerts(), story.stay().left) == ("refunded", ["raised-late"], story.at)


def test_what_a_person_decides_already_is_not_told_again_for_a_lift_that_is_not_known_to_have_raised() -> None:
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.answers("unknown", grant=grant)
    story.said.clear()
    story.answers("unknown", grant=grant)
    story.answers("refused", "expired", grant=grant)
    assert (story.payment().holder, story.alerts()) == ("person", [])


def test_a_ticket_read_for_a_car_that_the_loops_do_not_see_raises_for_that_car_alone() -> None:
    """A `fee` that somebody sent again: the arm was up, the next car came, and a lift for no car let it out."""
    story = Story()
    read_for = story.arrives()
    story.leaves_loop()
    story.reads(amount=0, car=read_for)
    assert (story.visit().loop, [grant.car for grant in story.stay().grants]) == ("blind", [read_for])
    story.answers("refused", "busy")
    story.arrives()
    assert (story.shows(), story.owes()) == ("idle", [])


def test_while_the_loops_are_silent_a_lift_names_no_car() -> None:
    """The barrier, which hears none of them either, would refuse it."""
    story = Story()
    car = story.arrives()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.reads(amount=0, car=car)
    assert [grant.car for grant in story.stay().grants] == [None]
