"""What shows of a lift when others followed it, and whose its money is then. What raised stays known."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.rules.limits import MAX_SIGNED
from tests.support.rules import GRACE_S, sent
from tests.support.story import Story


def test_an_old_copy_that_has_expired_does_not_free_the_payment_of_a_lift_that_was_signed_anew() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    for _ in range(10):
        story.answers("refused", "expired")
    assert (story.payment().holder, story.stay().grants[0].signed) == ("lift", MAX_SIGNED)
    story.arrives()
    story.answers("refused", "too-far")
    assert story.payment().holder == "lift"
    story.wait(90)
    assert story.payment().holder == "credit"


def test_a_raise_that_shows_after_the_driver_was_sent_for_help_and_read_his_ticket_again_gets_no_second_lift() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.answers("refused", "journal")
    story.reads()
    assert story.shows() == "wait"
    story.boom("rising", lift=story.stay().grants[0].id)
    assert (story.shows(), story.payment().holder, story.owes()) == ("paid", "raised", [])
    story.boom("up")
    story.drives_through()
    assert story.stay().left == story.at


def test_a_free_stays_first_lift_that_was_refused_late_is_not_signed_anew_beside_the_second() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    first = story.answers("refused", "journal")
    story.reads(amount=0)
    story.wait(30)
    assert [grant.id == first.id for grant in story.stay().grants] == [True, False]
    story.answers("refused", "expired", grant=first)
    assert story.stay().grant(first.id) == first
    second = story.answers("refused", "expired")
    assert story.stay().grants == (first, replace(second, signed=second.signed + 1))


@pytest.mark.parametrize("why", ["car", "unanswered"])
def test_money_for_which_the_boom_had_risen_is_not_given_back_because_a_further_lift_fails(why: str) -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    first = story.raises()
    story.boom("down")
    story.wait(1)
    assert (story.payment().holder, story.stay().lifts) == ("lift", 2)
    if why == "car":
        story.answers("refused", "car")
    story.leaves_loop()
    story.wait(16 * 60)
    assert (story.payment().holder, story.payment().grant, story.stay().refunds) == ("raised", first.id, ())


def test_money_for_which_an_arm_was_told_to_rise_and_never_did_is_a_persons() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    for _ in range(3):
        story.answers("raised")
        story.boom("down")
        story.wait(6)
    assert (story.shows(), story.payment().holder) == ("help barrier", "person")
    story.leaves_loop()
    story.wait(16 * 60)
    assert story.stay().refunds == ()


def test_a_raise_that_shows_late_is_the_one_that_raised() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    grant = story.answers("refused", "car")
    story.answers("raised", grant=grant)
    assert (story.payment().holder, story.payment().raised) == ("raised", grant.id)


def test_money_of_which_nobody_knows_whether_it_raised_stays_with_a_person_when_a_further_lift_fails() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.answers("unknown")
    story.wait(1)
    assert (story.payment().holder, story.stay().lifts) == ("lift", 2)
    story.answers("refused", "car")
    assert story.payment().holder == "person"
    story.wait(1)
    assert (story.payment().holder, story.stay().lifts) == ("lift", 3), "its car still waits"
    story.leaves_loop()
    story.wait(16 * 60)
    assert (story.payment().holder, story.stay().refunds) == ("person", ())


def test_money_of_which_a_further_lift_is_known_to_have_raised_has_raised() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.answers("unknown")
    story.wait(1)
    raised = story.raises()
    story.drives_through()
    assert (story.payment().holder, story.payment().raised) == ("raised", raised.id)


def test_a_free_lift_that_another_followed_is_not_signed_anew_when_that_one_is_over() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    first = story.stay().grants[0]
    story.arrives()
    story.reads(amount=0)
    story.wait(30)
    assert (story.stay().grants[0].id, len(story.stay().grants)) == (first.id, 2)
    story.answers("refused", "car")
    story.answers("refused", "expired", grant=first)
    assert (story.stay().grants[0].signed, story.owes()) == (1, [])


@pytest.mark.fault("barrier-away")
def test_a_raise_that_shows_when_a_later_lift_was_refused_is_the_one_that_its_payment_raised_by() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    first = story.stay().grants[0]
    story.leaves_loop()
    story.wait(93)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    assert story.answers("refused", "car").id != first.id
    until = story.payment().until
    story.answers("raised", grant=first)
    assert (story.payment().holder, story.payment().grant, story.payment().raised) == ("raised", first.id, first.id)
    assert story.payment().until == until > story.at


def test_a_raise_is_not_forgotten_when_further_lifts_are_refused() -> None:
    story = Story()
    story.pays()
    first = story.raises()
    story.boom("lowering")
    story.boom("down")
    story.wait(1)
    for _ in range(2):
        story.answers("refused", "car")
        story.wait(1)
    story.leaves_loop()
    assert (sent(story), story.payment().raised, story.stay().refunds) == ("raised", first.id, ())


@pytest.mark.fault("power-cut")
@pytest.mark.parametrize("named_by", ["its answer", "its state", "its state at rest"])
@pytest.mark.parametrize("silent_s", [20, 120, 300, GRACE_S + 120])
def test_a_raise_that_shows_after_minutes_keeps_the_money_from_going_back(silent_s: float, named_by: str) -> None:
    """The barrier's machine lost its power between pulse and answer."""
    story = Story()
    story.pays()
    lift = story.stay().grants[-1]
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.wait(3)
    story.leaves_loop()
    story.wait(silent_s)
    match named_by:
        case "its answer":
            story.answers("raised", grant=lift)
        case "its state":
            story.boom("up", lift=lift.id)
        case _:
            story.boom("down", lift=lift.id)
    assert (story.payment().raised, story.payment().holder) == (lift.id, "raised")
    assert (sent(story), story.stay().refunds) == ("raised", ())
    story.arrives()
    story.reads("a")
    assert story.shows() == "help ticket-used"


def test_a_second_raise_for_one_payment_is_told_when_it_shows() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.pays()
    first = story.stay().grants[-1]
    story.leaves_loop()
    story.wait(93)
    story.arrives("exit-2")
    story.reads("a", "exit-2")
    story.raises()
    story.said.clear()
    story.answers("raised", grant=first)
    told = [(a.severity, a.text) for a in story.said if getattr(a, "code", "") == "raised-late"]
    assert told == [("critical", "the boom rose a second time for one payment, at another time or lane")]


def test_what_a_person_is_to_decide_does_not_lift_by_itself_when_a_raise_of_it_shows() -> None:
    story = Story()
    story.pays()
    story.tell(e.Damaged(story.at, "row 7"))
    story.reads()
    story.tell(e.LiftAnswered(story.at, "exit-1", story.stay().session, story.payment().grant or "", "raised"))
    assert (story.payment().holder, story.owes()) == ("raised", [])
