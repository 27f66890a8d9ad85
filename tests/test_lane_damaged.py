"""Rule 9: the journal was damaged; what the lost facts told is a person's to find out, and the lane goes on."""

from dataclasses import replace

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from terminal.core.ids import order_no
from terminal.core.model import VisitOrder
from tests.support.story import T0, Story, an_id

LANE = "exit-1"


def damaged(story: Story, *orders: VisitOrder, listed: bool = False) -> None:
    story.tell(e.Damaged(story.at, "row 7", orders, listed))


def lost_order(story: Story, session: str = "lost", attempt: int = 1, **more: object) -> VisitOrder:
    """An order that the facts before the damage do not have."""
    stay = an_id("stay", session)
    no = order_no("marina", LANE, stay, attempt)
    order = VisitOrder(no, LANE, stay, attempt, 2000, T0, T0, T0 + 600_000, stage="closing")
    return replace(order, **more)  # type: ignore[arg-type]


@pytest.mark.fault("journal-damaged")
def test_an_open_order_is_closed_and_a_payment_of_it_is_a_persons() -> None:
    story = Story()
    story.shows_qr()
    damaged(story)
    assert (story.lane().visit, story.owes(), story.garage.in_doubt) == (None, ["CloseOrder"], True)
    story.said.clear()
    assert story.reply(story.payby("PAID")) == "late"
    assert (story.payment().holder, story.alerts(), story.garage.in_doubt) == ("person", ["payment-doubtful"], False)
    story.wait(3600)
    assert (story.owes(), story.stay().refunds) == ([], ())


def test_an_order_that_was_closed_unpaid_leaves_no_doubt_and_the_ticket_is_served_anew() -> None:
    story = Story()
    story.shows_qr()
    damaged(story)
    story.payby("FAILURE")
    assert not story.garage.in_doubt
    story.reads()
    assert (story.owes(), story.order().attempt, story.order().doubtful) == (["PlaceOrder"], 2, False)


def test_a_lift_that_was_out_is_given_up_and_its_payment_is_a_persons() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    damaged(story)
    assert (story.payment().holder, story.stay().grants, story.owes()) == ("person", (), [])
    story.reads()
    story.wait(20)
    assert story.shows() == "help no-answer", "nobody pays twice, and nothing lifts by itself"
    story.tell(e.LiftAnswered(story.at, LANE, story.stay().session, story.payment().grant or "", "raised"))
    assert (story.payment().holder, story.owes()) == ("raised", []), "the barrier's word settles it"


@pytest.mark.fault("journal-damaged")
def test_credit_is_neither_used_nor_refunded_by_itself() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    assert story.payment().holder == "credit"
    damaged(story)
    story.wait(3600)
    assert (story.payment().holder, story.owes()) == ("person", [])


def test_what_had_raised_raises_no_more() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    damaged(story)
    story.boom("lowering")
    story.boom("down")
    story.reads()
    story.wait(20)
    assert (story.payment().holder, story.stay().grants, story.shows()) == ("raised", (), "help no-answer")


def test_a_refund_that_was_asked_for_goes_on_under_its_number() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("PAID")
    story.wait(16 * 60)
    refund = story.refund()
    damaged(story)
    assert (story.owes(), story.refund()) == (["PlaceRefund"], refund)


def test_a_refund_that_waited_for_its_lift_waits_no_longer() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    command = e.CommandGiven(story.at, LANE, an_id("c"), "refund", "omar", story.at + 1, order_no=story.order().no)
    story.tell(command)
    assert story.payment().holder == "lift"
    damaged(story)
    assert (story.payment().holder, story.owes()) == ("refund", ["PlaceRefund"])


def test_an_order_found_in_what_was_salvaged_is_closed_and_its_lane_waits_for_it() -> None:
    story = Story()
    order = lost_order(story, attempt=2)
    damaged(story, order)
    assert story.owes("lost") == ["CloseOrder"]
    story.arrives()
    story.reads("b")
    assert (story.shows(), story.owes("b")) == ("wait", [])
    story.payby("PAID", "lost")
    assert (story.payment("lost").holder, story.owes("b")) == ("person", ["PlaceOrder"])
    story.payby("CREATED", "b")
    story.reads("lost")
    assert story.stay("lost").orders == (replace(order, stage="paid", payby_no="1317", doubtful=True),)


def test_an_order_that_is_known_is_not_taken_from_the_list() -> None:
    story = Story()
    story.shows_qr()
    order = story.order()
    damaged(story, replace(order, amount=1), listed=True)
    assert (story.order(), story.shows()) == (order, "pay")


def test_payby_s_list_puts_nothing_else_in_doubt_and_what_it_calls_closed_is() -> None:
    story = Story(lanes=(LANE, "exit-2"))
    story.shows_qr(lane="exit-2")
    damaged(story, lost_order(story, stage="closed"), listed=True)
    assert (story.shows("exit-2"), story.owes("lost"), story.garage.in_doubt) == ("pay", [], False)
    story.arrives()
    story.reads("lost")
    assert story.order("lost").attempt == 2, "a number is used once"


@pytest.mark.parametrize("code", ["62016", "400"])
def test_an_order_whose_number_payby_has_already_is_not_lifted_when_it_is_paid(code: str) -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.tell(e.OrderDenied(story.at, story.order().no, "placeOrder", code, "", "mistake"))
    assert story.owes() == ["CloseOrder"]
    story.payby("PAID")
    assert story.payment().holder == ("person" if code == "62016" else "lift")


def test_a_worker_that_starts_tells_of_payments_in_doubt() -> None:
    story = Story()
    story.shows_qr()
    damaged(story)
    story.payby("PAID")
    told = [a for a in story.tell(e.Started(story.at + 1, "1")) if isinstance(a, RaiseAlert)]
    assert [(a.code, a.severity, a.order_no) for a in told] == [("payment-doubtful", "critical", story.order().no)]
