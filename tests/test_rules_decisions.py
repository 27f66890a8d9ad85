"""A payment waits for a person, and a person decides: give it back, keep it, or let its car go."""

import pytest

from terminal.core import events as e
from terminal.core.actions import SendReceipt
from tests.support.rules import commands, refund_said
from tests.support.story import Story, an_id

KEPT, GRACE_S = "that payment does not wait for a person", 20 * 60


def waiting(*, gone: bool = False) -> Story:
    """The barrier does not know whether it raised; the car that paid is there still, or has ``gone``."""
    story = Story()
    story.pays()
    story.answers("unknown")
    if gone:
        story.leaves_loop()
        story.wait(3)
    assert story.payment().holder == "person"
    return story


def says(story: Story, command: str, **more: object) -> SendReceipt:
    """The answer to a decision, whole."""
    fields = {"order_no": story.order().no, "id": an_id("decided", story.at), **more}
    told = e.CommandGiven(story.at, "exit-1", str(fields.pop("id")), command, "omar", story.at + 30_000)  # type: ignore[arg-type]
    actions = story.tell(e.CommandGiven(*(fields.get(f, getattr(told, f)) for f in told.__dataclass_fields__)))  # type: ignore[arg-type]
    (reply,) = [action for action in actions if isinstance(action, SendReceipt)]
    return reply


def test_a_payment_that_is_kept_is_used_and_nothing_of_it_goes_back() -> None:
    story = waiting(gone=True)
    assert says(story, "keep") == SendReceipt("done", "")
    assert story.payment().holder == "used"
    story.wait(GRACE_S)
    assert (story.payment().holder, story.stay().refunds, story.owes()) == ("used", (), [])


def test_what_was_kept_can_be_given_back_later_by_name() -> None:
    story = waiting(gone=True)
    says(story, "keep")
    assert commands(story, "refund", order_no=story.order().no, id=an_id("later")) == "done"
    refund_said(story, "success")
    assert story.payment().holder == "refunded"


def test_a_car_that_is_let_go_gets_a_lift_by_the_payment_that_waited() -> None:
    """The journal was damaged, so the payment waits whatever the car does."""
    story = Story()
    story.shows_qr()
    story.tell(e.Damaged(story.at, "cut"))
    story.payby("PAID")
    story.reads()
    story.wait(10)
    assert (story.payment().holder, story.stay().given) == ("person", ())
    assert says(story, "let-go") == SendReceipt("done", "")
    assert (story.payment().holder, story.payment().unknown, len(story.stay().given)) == ("lift", False, 1)
    assert story.owes() == ["SendLift"]
    story.raises()
    story.drives_through()
    assert (story.payment().holder, story.stay().left is not None) == ("raised", True)


def test_a_driver_whose_payment_waits_for_a_person_gets_help_with_the_reading() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.Damaged(story.at, "cut"))
    story.payby("PAID")
    story.reads()
    assert (story.payment().holder, story.shows()) == ("person", "help no-answer")
    story.leaves_loop()
    story.wait(10)
    story.arrives()
    story.reads()
    assert story.shows() == "help no-answer", "once more, at once"


def test_whose_visit_has_ended_may_come_back_with_the_ticket_until_the_grace_ends() -> None:
    story = waiting(gone=True)
    at = story.at
    assert says(story, "let-go") == SendReceipt("done", "")
    assert (story.payment().holder, story.payment().unknown) == ("credit", False)
    assert 60_000 <= story.payment().until - at < GRACE_S * 1000
    assert story.owes() == []
    story.wait(GRACE_S)
    assert story.payment().holder == "person", "nobody knows whether the boom rose: it does not go back by itself"
    assert story.stay().refunds == ()


def test_letting_go_does_not_open_for_another_car_with_that_ticket() -> None:
    """The boom may have risen for the first one."""
    story = waiting(gone=True)
    says(story, "let-go")
    given = len(story.stay().given)
    story.arrives()
    story.reads()
    assert len(story.stay().given) == given
    assert story.shows().startswith("help")


@pytest.mark.parametrize("command", ["keep", "let-go"])
def test_a_decision_is_taken_once_and_the_second_person_is_told_so(command: str) -> None:
    story = waiting(gone=True)
    first = an_id("first")
    assert says(story, command, id=first) == says(story, command, id=first) == SendReceipt("done", "")
    assert says(story, "keep", id=an_id("second")) == SendReceipt("refused", KEPT)
    assert says(story, "let-go", id=an_id("third")) == SendReceipt("refused", KEPT)


@pytest.mark.parametrize("command", ["keep", "let-go"])
def test_a_payment_that_waits_for_nobody_stays_as_it_is(command: str) -> None:
    story = Story()
    story.pays()
    before = story.payment()
    assert says(story, command) == SendReceipt("refused", KEPT)
    assert story.payment() == before


@pytest.mark.parametrize("order_no", [None, "marina-exit-1-" + "0" * 32, "nonsense"])
@pytest.mark.parametrize("command", ["keep", "let-go"])
def test_an_order_that_nobody_paid_is_no_matter_for_a_decision(command: str, order_no: str | None) -> None:
    story = Story()
    story.shows_qr()
    unknown = SendReceipt("refused", "no payment is known for that order")
    assert says(story, command, order_no=order_no, id=an_id("one")) == unknown
    assert says(story, command, id=an_id("two")) == unknown  # its own order, which is open


def test_a_car_that_has_left_is_not_let_go_again() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.drives_through()
    commands(story, "refund", order_no=story.order().no)
    refund_said(story, "failed")
    assert (story.payment().holder, story.stay().left is not None) == ("person", True)
    assert says(story, "let-go") == SendReceipt("refused", "that car has left, or the boom has risen for it")
    assert says(story, "keep", id=an_id("then keep")) == SendReceipt("done", "")
    assert story.payment().holder == "used"


def test_a_car_whose_boom_has_risen_is_not_let_go_by_the_same_payment() -> None:
    story = Story()
    story.pays()
    grant = story.raises()
    commands(story, "refund", order_no=story.order().no)
    refund_said(story, "failed")
    assert (story.payment().holder, story.payment().raised, story.stay().left) == ("person", grant.id, None)
    assert says(story, "let-go") == SendReceipt("refused", "that car has left, or the boom has risen for it")


def test_a_payment_of_which_a_part_went_back_lets_nobody_go() -> None:
    story = waiting(gone=True)
    commands(story, "refund", order_no=story.order().no, amount=500)
    refund_said(story, "success")
    assert story.payment().holder == "person"
    assert says(story, "let-go") == SendReceipt("refused", "a part of that payment was given back")
    assert says(story, "keep", id=an_id("then keep")) == SendReceipt("done", "")


def test_a_refund_that_is_under_way_is_decided_already() -> None:
    story = waiting(gone=True)
    commands(story, "refund", order_no=story.order().no)
    assert says(story, "keep") == SendReceipt("refused", KEPT)
    assert story.payment().holder == "refund"
