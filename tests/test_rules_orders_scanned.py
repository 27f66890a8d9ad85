"""A code that a phone has read, and the minute that its driver gets."""

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from tests.support.story import Story

MASK = "+971-58*92"


@pytest.fixture
def story() -> Story:
    return Story()


def scanned(story: Story, payer: str = MASK) -> None:
    story.tell(e.OrderScanned(story.at, story.order().no, payer))


def test_a_code_that_was_read_is_shown_as_scanned_until_it_is_paid(story: Story) -> None:
    order = story.shows_qr()
    assert not story.screen().scanned
    scanned(story)
    shown = story.screen()
    assert (shown.state, shown.scanned, shown.token_url, shown.expires) == ("pay", True, order.token_url, order.expires)
    assert story.owes() == ["QueryOrder"]
    story.payby("PAID")
    assert (story.shows(), story.screen().scanned) == ("paid", False)
    assert "scanned-unpaid" not in story.alerts()


def test_an_order_that_was_scanned_and_runs_out_gets_a_minute_more_once(story: Story) -> None:
    order = story.shows_qr()
    scanned(story)
    story.wait(109.9)
    assert not story.order().extended
    story.wait(0.2)
    later = story.order()
    assert (later.extended, later.stage, story.shows()) == (True, "created", "pay")
    assert (later.expires - order.expires, later.payby_expires - order.payby_expires) == (60_000, 60_000)
    assert story.screen().expires == later.expires
    story.wait(59.8)
    assert story.shows() == "pay"
    story.wait(0.2)
    assert (story.order().stage, story.shows()) == ("closing", "wait")
    assert story.owes() == ["CloseOrder"]


def test_who_confirms_in_the_minute_more_gets_out(story: Story) -> None:
    story.shows_qr()
    scanned(story)
    story.wait(150)
    story.payby("PAID")
    assert (story.shows(), story.owes()) == ("paid", ["SendLift"])


def test_a_code_that_nobody_read_runs_out_as_ever(story: Story) -> None:
    story.shows_qr()
    story.wait(110)
    assert (story.order().stage, story.order().extended) == ("closing", False)


def test_the_car_that_goes_takes_its_scanned_order_with_it(story: Story) -> None:
    story.shows_qr()
    scanned(story)
    story.leaves_loop()
    story.wait(3)
    assert story.order().stage == "closing"
    assert not story.order().extended


@pytest.mark.parametrize(("away_ms", "stage"), [(169_999, "created"), (170_000, "closing")])
def test_who_was_away_for_longer_than_the_minute_gives_no_more_time(story: Story, away_ms: int, stage: str) -> None:
    story.shows_qr()
    scanned(story)
    story.at += away_ms
    story.tell(e.TimePassed(story.at, lane="exit-1"))
    assert story.order().stage == stage


@pytest.mark.parametrize(("payer", "told"), [(MASK, MASK), ("", "PayBy does not say whose")])
def test_an_operator_hears_whose_phone_read_a_code_that_nobody_paid(story: Story, payer: str, told: str) -> None:
    order = story.shows_qr()
    scanned(story, payer)
    story.wait(171)
    story.payby("FAILURE", order=order)
    (alert,) = [a for a in story.said if isinstance(a, RaiseAlert) and a.code == "scanned-unpaid"]
    assert (alert.severity, alert.once, alert.order_no, alert.session) == ("info", True, order.no, order.session)
    assert told in alert.text


def test_the_next_order_of_the_visit_is_not_scanned(story: Story) -> None:
    order = story.shows_qr()
    scanned(story)
    story.wait(171)
    story.payby("FAILURE", order=order)
    story.payby("CREATED")
    assert (story.shows(), story.screen().scanned, story.order().extended) == ("pay", False, False)


@pytest.mark.parametrize("stage", ["placing", "closing", "paid", "closed"])
def test_a_word_that_comes_early_or_late_changes_nothing(story: Story, stage: str) -> None:
    story.arrives()
    story.reads()
    if stage != "placing":
        story.payby("CREATED")
    if stage == "closing":
        story.wait(111)
    elif stage in ("paid", "closed"):
        story.payby("PAID" if stage == "paid" else "FAILURE")
    order = story.stay().orders[0]
    assert order.stage == stage
    story.tell(e.OrderScanned(story.at, order.no, MASK))
    assert story.stay().orders[0] == order


def test_a_scan_of_no_order_of_ours_is_nothing(story: Story) -> None:
    story.shows_qr()
    for no in ("other", "marina-exit-1-" + "0" * 32):
        assert story.tell(e.OrderScanned(story.at, no, MASK)) == []
