"""What PayBy says of a payment: on time, late, twice, or not as it was ordered."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from tests.support.rules import commands, refund_said
from tests.support.story import PROOF, Story, an_id


@pytest.mark.fault("paid-while-closing")
def test_paid_while_it_is_closed_lifts_if_the_car_is_there() -> None:
    story = Story()
    story.shows_qr()
    story.wait(110)
    story.payby("PAID")
    assert (story.shows(), story.owes()) == ("paid", ["SendLift"])


@pytest.mark.fault("paid-while-closing")
@pytest.mark.parametrize("next_one_shows", [True, False])
def test_paid_after_payby_called_it_failed_is_believed_and_the_next_order_closed(next_one_shows: bool) -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    if next_one_shows:
        story.payby("CREATED")
    story.payby("PAID", order=first)
    assert (story.shows(), story.owes()) == ("paid", ["CloseOrder", "SendLift"])


@pytest.mark.fault("paid-twice")
def test_the_second_paid_order_of_a_stay_is_refunded() -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    story.payby("CREATED")
    story.payby("PAID", order=first)
    assert story.reply(story.payby("PAID")) == "late"
    assert [p.holder for p in story.stay().payments] == ["lift", "refund"]
    assert story.owes() == ["SendLift", "PlaceRefund"]
    assert "paid-twice" in story.alerts()
    refund_said(story, "success")
    assert [p.holder for p in story.stay().payments] == ["lift", "refunded"]


@pytest.mark.parametrize("stage", ["asked", "created", "settled", "success"])
def test_the_second_paid_order_of_a_stay_is_its_credit_where_the_first_ones_money_goes_back(stage: str) -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    story.payby("CREATED")
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID", order=first)
    assert commands(story, "refund", order_no=first.no) == "done"
    refund_said(story, stage)
    story.payby("PAID")
    assert [p.holder for p in story.stay().payments][1] == "credit"
    story.arrives()
    story.reads()
    assert story.stay().grants[0].order_no == story.order().no
    story.answers("refused", "car")
    story.wait(1)
    assert story.stay().grants[0].order_no == story.order().no, "no other lifts again"


def test_a_payment_that_comes_when_its_car_has_been_gone_for_2_s_is_late_though_nobody_told_the_time() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.at += 2_000
    assert story.reply(story.payby("PAID")) == "late"
    assert (story.payment().holder, story.shows(), story.owes()) == ("credit", "idle", [])


def test_a_payment_that_comes_between_two_lifts_is_the_next_ones() -> None:
    """Its own order was called failed; the one that was paid first goes back."""
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    story.payby("PAID")
    assert commands(story, "refund", order_no=story.order().no) == "done"
    story.answers("refused", "car")
    assert [p.holder for p in story.stay().payments] == ["refund"]
    assert story.reply(story.payby("PAID", order=first)) == "late"
    assert story.owes() == ["PlaceRefund"]
    story.wait(1)
    assert [(g.order_no, g.reason) for g in story.stay().grants] == [(first.no, "credit")]


def test_failed_after_paid_is_alerted_and_changes_nothing() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.payby("FAILURE")
    assert (story.owes(), story.alerts()) == (["SendLift"], ["paid-then-failed"])


def test_failed_again_after_closed_changes_nothing() -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    before = story.stay()
    assert story.reply(story.payby("FAILURE", order=first)) == "noted"
    assert story.stay() == before


@pytest.mark.fault("payment-misfit")
def test_a_status_that_no_order_of_ours_has_is_alerted() -> None:
    story = Story()
    story.shows_qr()
    assert story.reply(story.payby("OTHER")) == "refused"
    assert (story.shows(), story.alerts()) == ("pay", ["payment-status"])


@pytest.mark.fault("payment-misfit", "stranger-paid")
@pytest.mark.parametrize(
    "wrong", [{"amount": 1999}, {"payby_no": "9999"}, {"wrong": "payeeMid is another merchant's"}], ids=str
)
def test_a_notification_that_does_not_fit_lifts_nothing_and_the_query_goes_on(wrong: dict[str, object]) -> None:
    story = Story()
    story.shows_qr()
    assert story.reply(story.payby("PAID", notified=True, **wrong)) == "refused"
    assert (story.shows(), story.owes(), story.alerts()) == ("pay", ["QueryOrder"], ["payment-mismatch"])
    story.payby("PAID")
    assert story.owes() == ["SendLift"]


@pytest.mark.fault("payment-misfit")
def test_paybys_own_answer_that_does_not_fit_goes_to_a_person() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID", amount=1)
    assert (story.shows(), story.owes(), story.order().stage) == ("help refused", [], "quarantined")
    assert story.reply(story.payby("PAID")) == "refused"
    story.reads()
    story.wait(20)
    assert (story.shows(), len(story.stay().orders)) == ("help no-answer", 1), "nobody pays twice"


def test_a_misfit_about_a_car_that_has_gone_shows_nothing() -> None:
    story = Story()
    story.shows_qr()
    story.arrives()
    story.payby("PAID", amount=1)
    assert (story.shows(), story.order().stage) == ("idle", "quarantined")


@pytest.mark.fault("payment-misfit")
def test_a_payment_for_an_order_that_we_never_made_is_alerted() -> None:
    story = Story()
    foreign = e.OrderReported(story.at, "marina-exit-1-" + an_id("stay", "x").replace("-", ""), "PAID", 1, PROOF)
    assert story.reply(story.tell(foreign)) == "refused"
    assert story.reply(story.tell(replace(foreign, order_no="somebody else's"))) == "refused"
    assert story.alerts() == ["payment-unknown", "payment-unknown"]
    assert story.reply(story.tell(replace(foreign, status="CREATED"))) == "refused"


@pytest.mark.fault("never-notified")
@pytest.mark.parametrize("notified", [True, False])
def test_a_payment_lifts_whether_notified_or_found_by_query(notified: bool) -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID", notified=notified)
    assert story.owes() == ["SendLift"]


@pytest.mark.fault("notified-often")
def test_the_same_payment_reported_again_is_a_duplicate_and_lifts_once() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    assert [story.reply(story.payby("PAID", notified=True)) for _ in range(50)] == ["duplicate"] * 50
    assert story.stay().lifts == 1


@pytest.mark.fault("paid-before-answer")
def test_a_payment_before_the_answer_to_place_order_lifts() -> None:
    story = Story()
    story.arrives()
    story.reads()
    assert story.reply(story.payby("PAID", notified=True)) == "lifting"
    assert story.reply(story.payby("CREATED")) == "noted"
    assert story.owes() == ["SendLift"]


@pytest.mark.fault("paid-while-closing", "second-ticket")
def test_an_order_found_paid_while_its_car_is_at_a_second_lane_lifts_there() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    first = story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    story.payby("PAID", order=first)
    assert [(g.lane, g.reason) for g in story.stay().grants] == [("exit-2", "credit")]
