"""The rules when PayBy does not do as hoped, refunds, and operators; one sentence each."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.actions import PlaceRefund, PublishRefund, SendReceipt
from terminal.core.ids import refund_no
from tests.support.story import PROOF, Story, an_id


def unheard(story: Story, session: str = "a") -> None:
    story.tell(e.OrderUnheard(story.at, story.order(session).no, "placeOrder", "time-out"))


def denied(story: Story, kind: str, call: str = "placeOrder", code: str = "601", *, unsigned: bool = False) -> None:
    event = e.OrderDenied(story.at, story.order().no, call, code, "NO", kind, unsigned)  # type: ignore[arg-type]
    story.tell(event)


def commands(story: Story, command: str, *, lane: str = "exit-1", id: str = "", **more: object) -> str:
    event = e.CommandGiven(story.at, lane, id or an_id("command", story.at), command, "omar", story.at + 30_000)  # type: ignore[arg-type]
    return story.reply(story.tell(replace(event, **more)))


# -- PayBy ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault("outcome-unknown")
def test_an_order_without_an_answer_shows_help_after_12_s_and_its_qr_when_it_comes() -> None:
    story = Story()
    story.arrives()
    story.reads()
    unheard(story)
    story.wait(11.9)
    assert story.shows() == "wait"
    story.wait(0.1)
    assert (story.shows(), story.owes()) == ("help no-answer", ["PlaceOrder"])
    story.payby("CREATED")
    assert story.shows() == "pay"


@pytest.mark.fault("cut-before-order", "outcome-unknown")
def test_an_unknown_outcome_is_never_retried_under_a_new_number_but_closed() -> None:
    story = Story()
    story.arrives()
    story.reads()
    for _ in range(4):
        unheard(story)
    silent = story.stay()
    unheard(story)
    assert (story.alerts().count("payby-silent"), story.stay()) == (1, silent), "what is told is no news"
    story.wait(110)
    assert (story.shows(), story.owes(), len(story.stay().orders)) == ("help no-answer", ["CloseOrder"], 1)
    denied(story, "unknown", "getOrder", "62004")
    assert (story.shows(), story.owes(), story.order().attempt) == ("wait", ["PlaceOrder"], 2)
    assert story.stay().orders[0].stage == "closed"


@pytest.mark.parametrize(("kind", "code"), [("refused", "601"), ("unauthorised", "403"), ("mistake", "400")])
def test_an_unsigned_refusal_stops_placing_and_ends_nothing(kind: str, code: str) -> None:
    story = Story()
    story.arrives()
    story.reads()
    denied(story, kind, code=code, unsigned=True)
    assert (story.shows(), story.owes(), story.order().stage) == ("help refused", ["CloseOrder"], "closing")
    assert f"payby-{kind}" in story.alerts()
    denied(story, "unknown", "getOrder", "62004")
    story.wait(60)
    assert (story.shows(), story.owes(), story.order().attempt) == ("help refused", [], 1)


@pytest.mark.parametrize(("kind", "code"), [("refused", "601"), ("unauthorised", "403"), ("mistake", "400")])
def test_who_pays_after_an_unsigned_refusal_gets_out(kind: str, code: str) -> None:
    story = Story()
    story.arrives()
    story.reads()
    denied(story, kind, code=code, unsigned=True)
    story.payby("PAID")
    assert story.payment().holder == "lift"


@pytest.mark.parametrize(("kind", "code"), [("refused", "601"), ("unauthorised", "403"), ("mistake", "400")])
def test_an_unsigned_refusal_takes_no_code_off_that_shows(kind: str, code: str) -> None:
    story = Story()
    story.shows_qr()
    for call in ("placeOrder", "getOrder"):
        denied(story, kind, call, code, unsigned=True)
        assert (story.shows(), story.owes()) == ("pay", ["QueryOrder"])
    assert story.alerts().count(f"payby-{kind}") == 2


def test_an_unsigned_refusal_of_a_query_stops_no_placing() -> None:
    story = Story()
    story.arrives()
    story.reads()
    denied(story, "mistake", "getOrder", "400", unsigned=True)
    denied(story, "refused", "getOrder", "601", unsigned=True)
    assert (story.shows(), story.owes()) == ("wait", ["PlaceOrder"])


def test_an_answer_after_silence_clears_the_alert() -> None:
    story = Story()
    story.shows_qr()
    for _ in range(4):
        unheard(story)
    story.said.clear()
    story.payby("CREATED")
    assert [type(a).__name__ for a in story.said] == ["ClearAlert", "SendReceipt"]
    assert story.order().unheard == 0


def test_one_missed_answer_is_forgotten_without_a_word() -> None:
    story = Story()
    story.shows_qr()
    unheard(story)
    story.said.clear()
    story.payby("CREATED")
    assert [type(a).__name__ for a in story.said] == ["SendReceipt"]


def test_silence_about_no_order_of_ours_is_ignored() -> None:
    story = Story()
    assert story.tell(e.OrderUnheard(story.at, "marina-exit-1-" + "0" * 32, "getOrder", "reset")) == []


@pytest.mark.fault("outcome-unknown")
def test_an_order_still_closing_after_15_s_shows_help() -> None:
    story = Story()
    story.shows_qr()
    story.wait(110 + 15)
    assert (story.shows(), story.owes()) == ("help no-answer", ["CloseOrder"])
    story.payby("CREATED")
    assert story.owes() == ["CloseOrder"], "our clock does not declare it dead"


def test_an_answer_with_the_order_but_no_token_is_placed_again() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.payby("CREATED", token_url="")
    assert (story.shows(), story.owes(), story.order().payby_no) == ("wait", ["PlaceOrder"], "1317")


@pytest.mark.parametrize("kind", ["refused", "unauthorised"])
def test_a_refused_order_shows_help_and_alerts(kind: str) -> None:
    story = Story()
    story.arrives()
    story.reads()
    denied(story, kind)
    assert (story.shows(), story.owes(), story.order().stage) == ("help refused", [], "failed")
    assert f"payby-{kind}" in story.alerts()


def test_a_refused_order_of_a_car_that_has_gone_only_fails() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.arrives()
    denied(story, "refused")
    assert (story.shows(), story.owes(), story.order().stage) == ("idle", [], "failed")


def test_a_refused_query_fails_no_order() -> None:
    story = Story()
    story.shows_qr()
    denied(story, "unauthorised", "getOrder", "403")
    assert (story.shows(), story.order().stage) == ("pay", "created")


@pytest.mark.fault("cut-before-order")
def test_our_own_mistake_is_alerted_closed_and_never_repeated() -> None:
    story = Story()
    story.arrives()
    story.reads()
    denied(story, "mistake", "placeOrder", "62016")
    assert (story.shows(), story.owes(), story.order().stage) == ("help refused", ["CloseOrder"], "closing")
    denied(story, "mistake", "cancelOrder", "400")
    assert story.alerts().count("payby-mistake") == 2


def test_our_own_mistake_about_a_car_that_has_gone_shows_nothing() -> None:
    story = Story()
    story.shows_qr()
    story.arrives()
    denied(story, "mistake", "cancelOrder", "400")
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


def test_our_own_mistake_while_another_visit_is_current_only_closes() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads()
    order = story.order()
    story.garage.lanes["exit-1"] = replace(story.lane(), visit=None)
    story.garage.stays[order.session] = replace(story.stay(), lane=None)
    story.tell(e.OrderDenied(story.at, order.no, "placeOrder", "62016", "EXISTS", "mistake"))
    assert story.order().stage == "closing"


@pytest.mark.fault("clock-wrong")
def test_a_wrong_clock_is_alerted_and_placing_goes_on() -> None:
    story = Story()
    story.arrives()
    story.reads()
    denied(story, "clock", code="400")
    assert (story.owes(), story.alerts()) == (["PlaceOrder"], ["payby-clock"])


def test_a_dead_number_is_followed_by_another() -> None:
    story = Story()
    story.arrives()
    story.reads()
    denied(story, "dead", code="62002")
    assert (story.order().attempt, story.owes()) == (2, ["PlaceOrder"])


def test_an_order_unknown_to_payby_is_placed_on_while_placing_and_alerted_once_created() -> None:
    story = Story()
    story.arrives()
    story.reads()
    denied(story, "unknown", "getOrder", "62004")
    assert (story.owes(), story.alerts()) == (["PlaceOrder"], [])
    story.payby("CREATED")
    denied(story, "unknown", "getOrder", "62004")
    assert (story.owes(), story.alerts()) == (["QueryOrder"], ["payby-forgot"])


def test_denials_of_ended_or_unknown_orders_are_ignored() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    denied(story, "dead", "cancelOrder", "62002")
    assert story.order().stage == "paid"
    story.tell(e.OrderDenied(story.at, "marina-exit-1-" + "0" * 32, "getOrder", "62004", "", "unknown"))
    assert len(story.garage.stays) == 1


def test_payby_closing_an_order_by_itself_brings_the_next_one() -> None:
    story = Story()
    story.shows_qr()
    story.payby("FAILURE")
    assert (story.order().attempt, story.owes()) == (2, ["PlaceOrder"])


def test_an_order_that_payby_closed_before_it_answered_keeps_the_number_that_payby_gave_it() -> None:
    story = Story()
    story.arrives()
    story.reads()
    first = story.order()
    assert story.reply(story.payby("FAILURE")) == "noted"
    assert (story.order().attempt, story.stay().orders[0].stage) == (2, "closed")
    assert story.reply(story.payby("PAID", order=first, payby_no="another")) == "refused"
    assert story.alerts() == ["payment-mismatch"]


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


# -- refunds and operators -----------------------------------------------------------------------------------------


def refunding(story: Story) -> None:
    story.pays()
    story.raises()
    story.drives_through()
    assert commands(story, "refund", order_no=story.order().no, reason="complaint") == "done"


def refund_said(story: Story, stage: str) -> None:
    refund = story.refund()
    story.tell(e.RefundReported(story.at, refund.no, refund.order_no, stage))  # type: ignore[arg-type]


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
    assert story.refund().unheard == 4, "what was told is no news"


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


@pytest.mark.fault("operator-replayed")
def test_a_command_sent_again_is_answered_again_and_done_once() -> None:
    story = Story()
    refunding(story)
    again = an_id("command", story.at)
    assert commands(story, "refund", order_no=story.order().no, id=again) == "done"
    assert len(story.stay().refunds) == 1


@pytest.mark.fault("operator-replayed")
@pytest.mark.parametrize(("after_s", "kept"), [(89.999, True), (90, False)])
def test_spent_commands_are_forgotten_60_s_after_they_could_not_be_sent_again(after_s: float, kept: bool) -> None:
    story = Story()
    commands(story, "close-lane", id=an_id("one"))
    story.wait(after_s)
    commands(story, "open-lane", id=an_id("two"))
    assert [s.id for s in story.lane().spent] == [an_id("one")] * kept + [an_id("two")]


def test_a_closed_lane_takes_no_new_visit_and_finishes_the_one_it_has() -> None:
    story = Story()
    story.shows_qr()
    commands(story, "close-lane")
    assert story.shows() == "pay"
    story.payby("PAID")
    story.raises()
    story.drives_through()
    assert story.shows() == "closed operator"
    story.arrives()
    story.reads("b")
    assert story.lane().visit is None
    commands(story, "open-lane", id=an_id("open"))
    assert story.shows() == "idle"


def test_reset_ends_the_visit_that_it_names_and_no_other() -> None:
    story = Story()
    story.shows_qr()
    assert commands(story, "reset", session=an_id("stay", "b")) == "refused"
    assert story.shows() == "pay"
    assert commands(story, "reset", session=an_id("stay", "a"), id=an_id("two")) == "done"
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])
    assert commands(story, "reset", session=an_id("stay", "a"), id=an_id("three")) == "refused"


def test_cancel_closes_the_order_that_it_names_and_no_past_one() -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    story.payby("CREATED")
    assert commands(story, "cancel", order_no=first.no) == "refused"
    assert commands(story, "cancel", order_no=story.order().no, id=an_id("two")) == "done"
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


@pytest.mark.parametrize("order_no", ["", "of a visit that is over"])
def test_cancel_where_no_such_visit_is_says_so(order_no: str) -> None:
    story = Story()
    cancel = e.CommandGiven(story.at, "exit-1", an_id("one"), "cancel", "omar", story.at, order_no=order_no or None)
    over = SendReceipt("refused", "that visit is over")
    assert story.tell(cancel) == [over]
    story.shows_qr()
    assert story.tell(replace(cancel, id=an_id("two"))) == [over]
    assert story.shows() == "pay"


@pytest.mark.fault("arm-stuck")
@pytest.mark.parametrize("stuck", [True, False])
def test_an_operator_who_opens_a_lane_says_that_its_arm_is_good_who_closes_it_says_nothing_of_it(stuck: bool) -> None:
    story = Story()
    story.garage.lanes["exit-1"] = replace(story.lane(), boom_fault=stuck)
    commands(story, "close-lane", id=an_id("one"))
    assert story.lane().boom_fault is stuck
    commands(story, "open-lane", id=an_id("two"))
    assert story.lane().boom_fault is False


def test_cancel_of_an_order_that_is_paid_is_refused() -> None:
    story = Story()
    story.pays()
    assert commands(story, "cancel", order_no=story.order().no) == "refused"
    assert story.owes() == ["SendLift"]
