"""Rules 3, 4, 6 and 7: what PayBy says of an order, or does not say, and its payment; a code that a phone has read."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from tests.support.rules import unheard
from tests.support.story import Story


def denied(story: Story, kind: str, call: str = "placeOrder", code: str = "601", *, unsigned: bool = False) -> None:
    event = e.OrderDenied(story.at, story.order().no, call, code, "NO", kind, unsigned)  # type: ignore[arg-type]
    story.tell(event)


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
    assert (story.alerts().count("payby-silent"), story.stay()) == (1, silent), "what is told is not news"
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


@pytest.mark.fault("outcome-unknown")
def test_an_order_whose_code_was_shown_is_not_over_because_a_query_does_not_find_it() -> None:
    story = Story()
    no = story.shows_qr().no
    story.wait(110)
    story.tell(e.OrderDenied(story.at, no, "getOrder", "62004", "", "unknown"))
    assert (story.order().stage, story.owes(), story.alerts()[-1]) == ("closing", ["CloseOrder"], "payby-forgot")
    story.tell(e.OrderDenied(story.at, no, "cancelOrder", "62004", "", "unknown"))
    assert story.stay().orders[0].stage == "closed"


@pytest.mark.fault("notified-late")
def test_a_late_payment_of_an_earlier_order_does_not_hide_that_the_next_one_is_open() -> None:
    """PayBy called the first one failed, and took its money after all; the second was still open for the next car."""
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    story.payby("CREATED")
    story.payby("PAID", order=first)
    assert (story.order().stage, story.lane().open_sessions) == ("closing", (story.stay().session,))
    story.arrives()
    story.reads("b")
    assert story.owes("b") == []
    story.payby("FAILURE", "a")
    assert story.owes("b") == ["PlaceOrder"]


@pytest.mark.fault("outcome-unknown")
def test_cancellations_that_fail_are_told_though_queries_in_between_are_answered() -> None:
    story = Story()
    story.shows_qr()
    story.wait(110)
    assert story.owes() == ["CloseOrder"]
    for failures in range(1, 6):
        story.payby("CREATED")
        story.tell(e.OrderUnheard(story.at, story.order().no, "cancelOrder", "500"))
        assert story.alerts().count("payby-silent") == (failures > 3)
    story.said.clear()
    story.payby("FAILURE")
    assert "ClearAlert" in [type(a).__name__ for a in story.said]


def test_an_order_that_payby_has_and_does_not_give_a_code_for_is_told() -> None:
    story = Story()
    story.arrives()
    story.reads()
    for _ in range(4):
        unheard(story)
        story.payby("CREATED", token_url="")
    assert story.alerts().count("payby-silent") == 1
    story.payby("CREATED")
    assert story.shows() == "pay"
    assert [type(a).__name__ for a in story.said][-2:] == ["ClearAlert", "SendReceipt"]


def test_a_silence_that_ends_with_the_word_that_the_order_is_closed_is_over() -> None:
    story = Story()
    story.shows_qr()
    story.wait(110)
    for _ in range(4):
        unheard(story)
    story.said.clear()
    story.tell(e.OrderDenied(story.at, story.order().no, "cancelOrder", "62002", "", "dead"))
    assert story.stay().orders[0].stage == "closed"
    assert [type(a).__name__ for a in story.said] == ["ClearAlert"]


@pytest.mark.fault("clock-wrong")
def test_an_order_that_would_expire_in_the_past_is_closed_and_placed_anew_with_what_the_answer_taught() -> None:
    """A clock 20 minutes slow makes words that PayBy refuses; its first answer tells by how much."""
    story = Story()
    story.arrives()
    story.reads()
    late = e.OrderDenied(story.at, story.order().no, "placeOrder", "62008", "EXPIREDTIME", "mistake")
    story.tell(late)
    assert (story.shows(), story.owes(), story.alerts()) == ("wait", ["CloseOrder"], ["payby-clock"])
    story.tell(e.OrderDenied(story.at, story.order().no, "getOrder", "62004", "", "unknown"))
    assert (story.owes(), story.order().attempt) == (["PlaceOrder"], 2)
    for _ in range(2):
        story.tell(replace(late, order_no=story.order().no))
        story.tell(e.OrderDenied(story.at, story.order().no, "getOrder", "62004", "", "unknown"))
    assert (story.shows(), story.owes()) == ("help unpaid", [])


@pytest.mark.parametrize("kind", ["refused", "mistake"])
def test_who_leaves_by_his_first_order_hears_nothing_of_the_second_one_that_payby_refuses(kind: e.Denial) -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    second = story.order()
    story.payby("PAID", order=first)
    code = "62008" if kind == "mistake" else "601"
    story.tell(e.OrderDenied(story.at, second.no, "placeOrder", code, "", kind))
    assert (story.shows(), story.visit().phase) == ("paid", "leaving")
    story.raises()
    assert story.payment().holder == "raised"


def test_who_waits_for_help_since_his_lift_failed_hears_nothing_of_an_order_that_payby_refuses() -> None:
    story = Story()
    first = story.shows_qr()
    story.payby("FAILURE")
    second = story.order()
    story.payby("PAID", order=first)
    for _ in range(3):
        story.answers("refused", "journal")
        story.wait(1)
    help_before = story.visit()
    assert (help_before.phase, help_before.reason) == ("helping", "barrier")
    story.tell(e.OrderDenied(story.at, second.no, "placeOrder", "601", "", "refused"))
    assert story.visit() == help_before


def test_whom_payby_kept_waiting_for_a_code_is_told_when_it_refuses_the_order() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.wait(15)
    assert (story.visit().phase, story.visit().reason) == ("helping", "no-answer")
    story.tell(e.OrderDenied(story.at, story.order().no, "placeOrder", "601", "", "refused"))
    assert (story.visit().phase, story.visit().reason) == ("helping", "refused")


def test_whom_payby_kept_waiting_for_a_code_gets_a_new_order_where_only_its_end_lay_wrong() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.wait(15)
    assert (story.visit().phase, story.visit().reason) == ("helping", "no-answer")
    first = story.order()
    story.tell(e.OrderDenied(story.at, first.no, "placeOrder", "62008", "", "mistake"))
    assert story.visit().phase == "reordering"
    story.tell(e.OrderDenied(story.at, first.no, "getOrder", "62004", "", "unknown"))
    assert (story.visit().phase, story.order().attempt) == ("ordering", 2)
