"""Refunds: who may ask for one, and what PayBy makes of it."""

import pytest

from terminal.core import events as e
from terminal.core.actions import PlaceRefund, PublishRefund
from terminal.core.ids import refund_no
from terminal.core.model import RefundStage
from tests.support.rules import commands, refund_said, refunding
from tests.support.story import Story, an_id


def test_a_second_payment_goes_back_although_a_part_of_the_first_had() -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    second = story.order()
    story.payby("CREATED")
    story.payby("PAID", order=first)
    story.raises()
    story.drives_through()
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=first.no, amount=500)
    story.tell(command)
    story.tell(e.RefundReported(story.at, story.refund().no, first.no, "success"))
    story.payby("PAID", order=second)
    assert [(r.order_no, r.reason) for r in story.stay().refunds][1:] == [(second.no, "paid twice")]


@pytest.mark.parametrize(("stage", "holder"), [("success", "person"), ("settled", "person"), ("failed", "credit")])
def test_credit_of_which_somebody_else_gave_back_lifts_for_nobody(stage: RefundStage, holder: str) -> None:
    """A refund that was made in PayBy's own portal."""
    story = Story()
    no = story.shows_qr().no
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.tell(e.RefundReported(story.at, "R" + "0" * 32, no, stage, notified=True))
    assert (story.payment().holder, story.alerts()[-1]) == (holder, "refund-unknown")


def test_money_of_which_a_part_went_back_raises_for_nobody() -> None:
    """Its car still waits before an arm of which the barrier does not know whether it rose."""
    story = Story()
    story.pays()
    no = story.order().no
    story.answers("unknown")
    command = e.CommandGiven(story.at, "exit-1", an_id("c"), "refund", "omar", story.at, order_no=no, amount=500)
    story.tell(command)
    story.tell(e.RefundReported(story.at, story.refund().no, no, "success"))
    assert story.payment().holder == "person"
    story.wait(2)
    assert (story.shows(), story.owes()) == ("help barrier", [])


def test_credit_that_somebody_else_gave_back_raises_for_nobody_who_still_waits() -> None:
    story = Story()
    story.pays()
    story.answers("refused", "car")
    story.tell(e.RefundReported(story.at, "R" + "0" * 32, story.order().no, "success", notified=True))
    story.wait(2)
    assert (story.shows(), story.owes()) == ("help barrier", [])


def test_an_operator_may_refund_a_payment_and_it_is_followed_to_its_end() -> None:
    story = Story()
    refunding(story)
    assert story.pursuits() == [PlaceRefund(story.refund())]
    refund_said(story, "created")
    assert story.owes() == ["PlaceRefund"]
    refund_said(story, "success")
    assert (story.owes(), story.payment().holder) == ([], "refunded")
    refund_said(story, "success")
    told = [a.refund.stage for a in story.said if isinstance(a, PublishRefund)]
    assert told == ["asked", "created", "success"]


def test_a_settled_refund_may_still_become_success() -> None:
    story = Story()
    refunding(story)
    refund_said(story, "settled")
    assert (story.owes(), story.payment().holder) == ([], "refunded")
    refund_said(story, "success")
    assert story.refund().stage == "success"
    refund_said(story, "failed")
    assert (story.refund().stage, story.payment().holder) == ("success", "refunded")
    assert story.alerts()[-1] == "refund-contradicted"


def test_a_failed_refund_goes_to_a_person() -> None:
    story = Story()
    refunding(story)
    refund_said(story, "failed")
    assert (story.payment().holder, story.alerts()[-1], story.owes()) == ("person", "refund-failed", [])
    assert commands(story, "refund", order_no=story.order().no, id=an_id("again")) == "done"


def test_a_refund_that_payby_will_never_make_has_failed() -> None:
    story = Story()
    refunding(story)
    refund = story.refund()
    story.tell(e.RefundUnheard(story.at, refund.no, refund.order_no, "no", "62041", final=True))
    assert (story.refund().stage, story.payment().holder) == ("failed", "person")
    story.tell(e.RefundUnheard(story.at, refund.no, refund.order_no, "no", "62041", final=True))
    assert story.alerts().count("refund-failed") == 1


def test_a_refund_without_answers_is_alerted_once_and_kept_up() -> None:
    story = Story()
    refunding(story)
    refund = story.refund()
    for _ in range(5):
        story.tell(e.RefundUnheard(story.at, refund.no, refund.order_no, "time-out"))
    assert (story.alerts().count("refund-silent"), story.owes()) == (1, ["PlaceRefund"])
    assert story.refund().unheard == 4, "what was told is not news"


def test_an_answer_about_a_refund_ends_its_silence() -> None:
    story = Story()
    refunding(story)
    refund = story.refund()
    for _ in range(3):
        story.tell(e.RefundUnheard(story.at, refund.no, refund.order_no, "time-out"))
    refund_said(story, "created")
    for failures in range(1, 5):
        assert "refund-silent" not in story.alerts()
        story.tell(e.RefundUnheard(story.at, refund.no, refund.order_no, "time-out"))
        assert story.refund().unheard == failures
    assert story.alerts().count("refund-silent") == 1


@pytest.mark.parametrize(
    ("end", "later"),
    [
        ("success", ("created", "settled", "success", "failed")),
        ("settled", ("created", "settled", "failed")),
        ("failed", ("created", "failed")),
    ],
)
def test_a_refund_ends_once(end: str, later: tuple[str, ...]) -> None:
    story = Story()
    refunding(story)
    refund_said(story, end)
    before = story.stay()
    for stage in later:
        refund_said(story, stage)
        assert story.stay() == before
    assert story.alerts().count("refund-contradicted") == ("failed" in later and end != "failed")


@pytest.mark.parametrize("stage", ["settled", "success"])
def test_a_refund_that_payby_made_after_all_is_not_given_back_again(stage: str) -> None:
    story = Story()
    refunding(story)
    refund_said(story, "failed")
    refund_said(story, stage)
    assert (story.refund().stage, story.payment().holder) == (stage, "refunded")
    assert story.alerts()[-1] == "refund-contradicted"
    assert commands(story, "refund", order_no=story.order().no, id=an_id("again")) == "refused"


def test_a_refund_that_payby_made_after_all_leaves_the_next_one_to_its_own_end() -> None:
    story = Story()
    refunding(story)
    first = story.refund()
    refund_said(story, "failed")
    assert commands(story, "refund", order_no=story.order().no, id=an_id("again")) == "done"
    story.tell(e.RefundReported(story.at, first.no, first.order_no, "success"))
    assert (story.payment().holder, story.payment().refund_no) == ("refund", refund_no(an_id("again")))
    assert (story.alerts()[-1], story.owes()) == ("refund-contradicted", ["PlaceRefund"])


def test_a_refund_that_we_did_not_ask_for_is_noted_and_alerted() -> None:
    story = Story()
    story.pays()
    event = e.RefundReported(story.at, "R" + "0" * 32, story.order().no, "success")
    assert story.reply(story.tell(event)) == "noted"
    assert story.alerts() == ["refund-unknown"]
    story.tell(e.RefundUnheard(story.at, "R" + "0" * 32, story.order().no, "time-out"))
    assert story.tell(e.RefundUnheard(story.at, "R" + "0" * 32, "of nobody", "time-out")) == []
    story.tell(e.RefundReported(story.at, "R" + "0" * 32, "of nobody", "success"))
    assert story.alerts() == ["refund-unknown", "refund-unknown"]


@pytest.mark.parametrize(("outcome", "why"), [("refused", "car"), ("raised", ""), ("unknown", "")])
def test_an_operators_refund_waits_for_the_lift_in_flight(outcome: str, why: str) -> None:
    story = Story()
    story.pays()
    assert commands(story, "refund", order_no=story.order().no) == "done"
    assert story.owes() == ["SendLift"]
    story.answers(outcome, why)
    assert (story.payment().holder, story.owes()) == ("refund", ["PlaceRefund"])


@pytest.mark.fault("barrier-away")
def test_once_a_refund_is_asked_the_credit_is_gone() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    commands(story, "refund", order_no=story.order().no)
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("wait", ["PlaceRefund"])
    refund_said(story, "success")
    story.wait(1)
    assert story.stay().grants == ()


def test_refunds_are_partial_up_to_what_was_paid() -> None:
    story = Story()
    refunding_amounts = [(1500, "done"), (501, "refused"), (500, "done"), (1, "refused")]
    story.pays()
    story.raises()
    story.drives_through()
    for number, (amount, outcome) in enumerate(refunding_amounts):
        command = commands(story, "refund", order_no=story.order().no, amount=amount, id=an_id("part", number))
        assert command == outcome, amount
        if outcome == "done":
            assert (story.owes(), story.refund().no) == (["PlaceRefund"], refund_no(an_id("part", number)))
            assert commands(story, "refund", order_no=story.order().no, id=an_id("x", number)) == "refused"
            refund_said(story, "success")
    assert sum(r.amount for r in story.stay().refunds) == 2000


def test_a_refund_of_no_amount_is_of_all_that_is_left() -> None:
    story = Story()
    refunding(story)
    refund_said(story, "failed")
    for number, (amount, asked) in enumerate([(1, 1), (None, 1999)]):
        assert commands(story, "refund", order_no=story.order().no, amount=amount, id=an_id(number)) == "done"
        assert story.refund().amount == asked
        refund_said(story, "success")
    assert commands(story, "refund", order_no=story.order().no, id=an_id("more")) == "refused"


def test_a_refund_of_nothing_is_refused() -> None:
    story = Story()
    story.shows_qr()
    assert commands(story, "refund", order_no=story.order().no) == "refused"
    assert commands(story, "refund", order_no="nothing", id=an_id("two")) == "refused"
    assert commands(story, "refund", id=an_id("three")) == "refused"


@pytest.mark.parametrize("end", ["settled", "success"])
def test_a_car_that_waits_for_the_end_of_a_refund_gets_its_order_then(end: RefundStage) -> None:
    story = Story()
    order = story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.wait(15 * 60)
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("wait", ["PlaceRefund"])
    refund = story.refund()
    story.tell(e.RefundReported(story.at, refund.no, order.no, end))
    assert story.owes() == ["PlaceOrder"]
