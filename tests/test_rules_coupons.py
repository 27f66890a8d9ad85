"""Rule 14: a coupon is used once, wherever it is read."""

from terminal.core import events as e
from terminal.core.actions import Action
from terminal.core.allowance import AllowanceKind
from terminal.core.model import Stay
from tests.support.story import Story, an_id

DAY_MS = 86_400_000


def coupon(
    story: Story, kind: AllowanceKind = "amount", value: int = 500, *, name: str = "one", session: str | None = "a",
    lane: str = "exit-1", fee: str | None = None,
) -> list[Action]:  # fmt: skip
    """A coupon is read at a lane, for this stay, or where there is none."""
    about = an_id("stay", session) if session else an_id("coupon", name)
    fee_id = an_id("coupon fee", fee or (name, story.at, lane))
    return story.tell(
        e.CouponRead(story.at, lane, fee_id, an_id("coupon", name), about, kind, value, story.at + DAY_MS)
    )


def test_a_coupon_takes_its_worth_off_the_visit_that_is_there() -> None:
    story = Story()
    story.shows_qr()
    coupon(story)
    assert (story.shows(), story.order().stage) == ("wait", "closing")
    story.payby("FAILURE")
    story.payby("CREATED")
    assert (story.shows(), story.screen().amount) == ("pay", 1500)
    assert "coupon-used" not in story.alerts()


def test_several_make_it_free_and_the_boom_rises_for_nothing_else() -> None:
    story = Story()
    story.shows_qr()
    coupon(story, "percent", 5000, name="one")
    coupon(story, "amount", 1000, name="two")
    assert story.shows() == "free"
    assert [grant.reason for grant in story.stay().grants] == ["free"]


def test_read_again_for_its_own_visit_it_changes_nothing() -> None:
    story = Story()
    story.shows_qr()
    coupon(story)
    story.payby("FAILURE")
    story.payby("CREATED")
    before = story.order()
    coupon(story, fee="again")
    assert (story.order(), story.shows(), len(story.stay().allowances)) == (before, "pay", 1)


def test_a_fee_that_its_reader_repeats_is_taken_once() -> None:
    story = Story()
    story.shows_qr()
    coupon(story, fee="same")
    assert coupon(story, "free", 0, name="other", fee="same") == []


def test_used_at_two_lanes_at_once_one_wins_and_the_other_driver_is_told() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr("a", "exit-1")
    story.shows_qr("b", "exit-2")
    coupon(story, "free", 0, session="a", lane="exit-1")
    coupon(story, "free", 0, session="b", lane="exit-2")
    assert (story.shows("exit-1"), story.shows("exit-2")) == ("free", "help coupon-used")
    assert story.stay("b").allowances == ()
    assert story.alerts().count("coupon-used") == 1
    story.wait(7)
    assert (story.shows("exit-2"), story.screen("exit-2").amount) == ("pay", 2000)


def test_it_stays_used_when_its_visit_has_ended_and_another_comes() -> None:
    story = Story()
    story.shows_qr()
    coupon(story, "free", 0)
    story.raises()
    story.payby("FAILURE")
    story.drives_through()
    story.shows_qr("b")
    coupon(story, "free", 0, session="b", fee="another")
    assert story.shows() == "help coupon-used"


def test_a_stay_that_drove_away_and_came_back_still_has_its_coupon() -> None:
    story = Story()
    story.shows_qr()
    coupon(story)
    story.payby("FAILURE")
    story.leaves_loop()
    story.wait(3)
    story.payby("FAILURE")
    story.at += 600_000
    story.arrives()
    story.reads(amount=3000)
    assert story.order().amount == 2500


def test_without_a_ticket_before_it_it_is_not_used() -> None:
    story = Story()
    story.arrives()
    coupon(story, session=None)
    assert story.shows() == "help coupon-alone"
    story.reads()
    story.payby("CREATED")
    coupon(story, fee="now")
    assert len(story.stay().allowances) == 1


def test_for_a_visit_that_has_meanwhile_given_way_to_another_it_is_not_used() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(3)
    story.payby("FAILURE")
    story.shows_qr("b")
    coupon(story, session="a")
    assert (story.shows(), story.stay("a").allowances, story.stay("b").allowances) == ("help coupon-alone", (), ())


def test_a_driver_who_has_paid_keeps_his_coupon() -> None:
    story = Story()
    story.pays()
    coupon(story)
    assert story.stay().allowances == ()
    assert an_id("coupon", "one") not in story.garage.stays


def test_a_lost_ticket_and_a_free_stay_take_none() -> None:
    story = Story()
    story.arrives()
    story.boom("fault")
    story.reads(amount=0)
    coupon(story)
    assert story.stay().allowances == ()


def test_one_whose_use_left_memory_with_its_row_is_used_all_the_same() -> None:
    """All that is known of it then is that it was settled."""
    story = Story()
    story.shows_qr()
    coupon(story)
    used = story.garage.stays[an_id("coupon", "one")]
    assert (used.coupon, used.left) == (True, story.at)
    story.garage.stays[an_id("coupon", "one")] = Stay(an_id("coupon", "one"), left=0)
    story.payby("FAILURE")
    story.leaves_loop()
    story.wait(3)
    story.payby("FAILURE")
    story.shows_qr("b")
    coupon(story, session="b")
    assert story.shows() == "help coupon-used"
