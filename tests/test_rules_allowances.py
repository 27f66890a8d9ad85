"""Rule 14: paid at a pay station, validated by a shop, and each of them once."""

import pytest

from terminal.core import events as e
from terminal.core.actions import Action
from terminal.core.allowance import AllowanceKind
from terminal.core.model import ParkingFee
from terminal.core.rules.limits import ALLOWANCES
from tests.support.story import Story, an_id

GRACE_MS = 900_000


def allowed(
    story: Story, kind: AllowanceKind = "paid", value: int = 2000, *, name: str = "c", session: str = "a",
    until: int = GRACE_MS,
) -> list[Action]:  # fmt: skip
    event = e.AllowanceGiven(
        story.at, an_id("allowance", name), an_id("stay", session), kind, value, "station", story.at + until
    )
    return story.tell(event)


def test_a_ticket_that_was_paid_at_a_station_leaves_free() -> None:
    story = Story()
    assert story.reply(allowed(story)) == "noted"
    story.arrives()
    story.reads()
    assert story.shows() == "free"
    assert [grant.reason for grant in story.stay().grants] == ["free"]
    story.raises()
    story.drives_through()
    assert (story.shows(), story.stay().orders, story.stay().left) == ("idle", (), story.at)


def test_after_its_time_to_leave_only_what_was_added_is_due() -> None:
    story = Story()
    allowed(story)
    story.at += GRACE_MS + 1
    story.arrives()
    story.reads(amount=3000)
    assert (story.order().amount, story.visit().fee.full) == (1000, 3000)
    story.payby("CREATED")
    assert story.screen().amount == 1000
    story.payby("PAID")
    assert story.shows() == "paid"


def test_a_fee_that_is_no_more_than_what_was_paid_is_nothing_however_late() -> None:
    story = Story()
    allowed(story)
    story.at += GRACE_MS + 1
    story.arrives()
    story.reads(amount=2000)
    assert story.shows() == "free"


@pytest.mark.parametrize(
    ("kind", "value", "due"), [("amount", 500, 1500), ("percent", 2500, 1500), ("amount", 1, 1999)]
)
def test_what_a_shop_takes_off_is_not_charged(kind: AllowanceKind, value: int, due: int) -> None:
    story = Story()
    allowed(story, kind, value)
    story.arrives()
    story.reads()
    assert story.order().amount == due


def test_several_on_one_ticket_add_up_until_it_leaves_free() -> None:
    story = Story()
    allowed(story, "percent", 5000, name="one")
    allowed(story, "amount", 600, name="two")
    allowed(story, "amount", 400, name="three")
    story.arrives()
    story.reads()
    assert story.shows() == "free"


def test_each_counts_once_whatever_is_repeated() -> None:
    story = Story()
    assert story.reply(allowed(story, "amount", 500)) == "noted"
    assert story.reply(allowed(story, "amount", 500)) == "duplicate"
    story.arrives()
    story.reads()
    assert (story.order().amount, len(story.stay().allowances)) == (1500, 1)


def test_one_that_is_over_counts_no_more() -> None:
    story = Story()
    allowed(story, "free", 0)
    story.at += GRACE_MS + 1
    story.arrives()
    story.reads()
    assert story.order().amount == 2000


def test_a_lost_ticket_has_none() -> None:
    """Its stay is derived, so nobody can have paid for it beforehand; and a shop's allowance is for a known stay."""
    story = Story()
    story.arrives()
    fee = ParkingFee(an_id("fee"), an_id("stay", "a"), "LOST", 15_000, "lost")
    story.tell(e.TicketRead(story.at, "exit-1", fee))
    allowed(story, "amount", 5000)
    assert (story.visit().fee.amount, story.order().amount, story.order().stage) == (15_000, 15_000, "placing")


@pytest.mark.parametrize("created", [False, True])
def test_a_driver_whose_order_is_under_way_leaves_free_at_once_and_the_order_is_closed(created: bool) -> None:
    story = Story()
    story.arrives()
    story.reads()
    if created:
        story.payby("CREATED")
    allowed(story)
    assert story.shows() == "free"
    assert (story.order().stage, story.owes()) == ("closing", ["CloseOrder", "SendLift"])
    story.raises()
    story.payby("FAILURE")
    story.drives_through()
    assert (story.stay().left, story.owes()) == (story.at, [])


def test_a_driver_who_sees_a_code_gets_one_for_the_new_price_when_the_old_one_is_dead() -> None:
    story = Story()
    first = story.shows_qr()
    allowed(story, "amount", 500)
    assert (story.shows(), story.order().stage, story.visit().phase) == ("wait", "closing", "reordering")
    assert story.order().no == first.no
    story.payby("FAILURE")
    assert (story.order().amount, story.order().attempt) == (1500, 2)
    story.payby("CREATED")
    assert (story.shows(), story.screen().amount) == ("pay", 1500)
    story.payby("PAID")
    assert story.shows() == "paid"


def test_an_order_that_was_paid_before_it_could_be_closed_lifts_and_nobody_pays_again() -> None:
    story = Story()
    story.shows_qr()
    allowed(story, "amount", 500)
    story.payby("PAID")
    assert (story.shows(), story.payment().amount, len(story.stay().orders)) == ("paid", 2000, 1)


def test_new_prices_do_not_use_up_the_orders_of_a_visit() -> None:
    story = Story()
    story.shows_qr()
    for number in range(4):
        allowed(story, "amount", 100, name=f"shop {number}")
        story.payby("FAILURE")
        story.payby("CREATED")
        assert story.screen().amount == 1900 - 100 * number
    assert story.visit().attempts == 1


def test_a_second_one_while_the_order_is_closed_is_in_the_next_price() -> None:
    story = Story()
    story.shows_qr()
    allowed(story, "amount", 100, name="one")
    allowed(story, "amount", 100, name="two")
    story.payby("FAILURE")
    assert story.order().amount == 1800


def test_what_changes_nothing_leaves_the_code_on_the_screen() -> None:
    story = Story()
    story.shows_qr()
    allowed(story, "percent", 0)
    assert (story.shows(), story.order().stage) == ("pay", "created")


def test_a_driver_in_help_leaves_free_too() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.wait(20)
    assert story.shows() == "help no-answer"
    allowed(story)
    assert story.shows() == "free"


def test_while_the_boom_is_told_to_rise_nothing_changes() -> None:
    story = Story()
    story.pays()
    grants = story.stay().grants
    allowed(story, "amount", 100)
    assert (story.stay().grants, story.shows()) == (grants, "paid")


def test_paid_twice_by_phone_and_at_a_station_a_person_is_told_which_money_to_give_back() -> None:
    story = Story()
    story.pays()
    assert story.reply(allowed(story)) == "late"
    assert story.alerts() == ["paid-twice"]
    assert len(story.stay().allowances) == 1


def test_after_its_vehicle_has_left_a_ticket_is_paid_for_nothing() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.drives_through()
    assert story.reply(allowed(story)) == "late"
    assert (story.stay().allowances, story.alerts()[-1]) == ((), "credit-late")


def test_a_ticket_takes_so_many_and_no_more() -> None:
    story = Story()
    replies = [story.reply(allowed(story, "amount", 1, name=str(number))) for number in range(ALLOWANCES + 1)]
    assert replies == ["noted"] * ALLOWANCES + ["refused"]
    assert len(story.stay().allowances) == ALLOWANCES


def test_a_ticket_that_is_read_again_keeps_the_price_of_its_order() -> None:
    story = Story()
    allowed(story, "amount", 500)
    story.arrives()
    story.reads()
    story.payby("CREATED")
    story.reads()
    assert (story.visit().fee.amount, story.visit().fee.full) == (1500, 2000)
    allowed(story, "amount", 300, name="another")
    story.payby("FAILURE")
    assert story.order().amount == 1200


def test_a_paid_ticket_lets_out_one_car() -> None:
    """Its copy at another lane is refused as any free stay's is."""
    story = Story(lanes=("exit-1", "exit-2"))
    allowed(story)
    story.arrives()
    story.reads()
    story.raises()
    story.drives_through()
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    assert story.shows("exit-2") == "help ticket-used"
