"""Tickets that are refused: what their driver sees and for how long, and what a person is told."""

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from tests.support.story import Story, an_id


def test_a_genuine_ticket_takes_the_refusal_of_the_last_one_off_the_screen() -> None:
    story = Story()
    story.arrives()
    story.tell(e.TicketRefused(story.at, "exit-1", "a fee", "ticket-foreign"))
    story.reads()
    assert story.shows() == "wait"


def test_a_refusal_shows_for_as_long_as_its_car_waits_and_for_15_s_at_least() -> None:
    story = Story()
    story.arrives()
    story.tell(e.TicketRefused(story.at, "exit-1", "a fee", "ticket-foreign"))
    story.arrives(car=story.cars["exit-1"])
    assert (story.shows(), story.screen().until) == ("help ticket-foreign", None), "the same car"
    story.leaves_loop()
    assert story.shows() == "help ticket-foreign", "whoever walks back to it may read it"
    assert story.screen().until == story.at + 15_000
    story.wait(15)
    assert story.shows() == "idle"


@pytest.mark.fault("ticket-again")
def test_a_used_ticket_is_refused_with_help() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    story.raises()
    story.drives_through()
    story.arrives()
    story.reads(amount=0)
    assert (story.shows(), story.owes()) == ("help ticket-used", [])
    assert story.screen().help_code


@pytest.mark.fault("reader-garbage")
def test_a_refused_ticket_shows_over_a_visit_for_a_moment() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("bad"), "ticket-unknown"))
    assert story.shows() == "help ticket-unknown"
    assert story.screen().until == story.at + 6000
    story.wait(6)
    assert story.shows() == "pay"


def test_a_refusal_is_not_shown_to_the_next_car() -> None:
    story = Story()
    story.arrives()
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("bad"), "ticket-foreign"))
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("bad"), "ticket-foreign"))
    assert story.alerts() == ["ticket-refused"]
    story.arrives()
    assert story.shows() == "idle"


def test_an_alert_of_a_refused_ticket_has_the_code_that_its_driver_reads_out() -> None:
    story = Story()
    story.arrives()
    story.tell(e.TicketRefused(story.at, "exit-1", an_id("fee", "x"), "ticket-unknown", "amount", "PG1.x"))
    shown = story.screen().help_code
    assert shown is not None
    assert [a.help_code for a in story.said if isinstance(a, RaiseAlert)] == [shown, shown]


def test_a_fee_that_the_worker_does_not_believe_is_alerted() -> None:
    story = Story()
    story.tell(
        e.TicketRefused(story.at, "exit-1", an_id("bad"), "refused", "a fee says free 0.00, but the tariff due 20.00")
    )
    assert story.alerts() == ["ticket-refused", "bad-fee"]
    assert story.shows() == "help refused"


@pytest.mark.fault("disk-full")
@pytest.mark.parametrize("hindrance", ["disk-full", "journal"])
def test_no_visit_begins_while_something_hinders(hindrance: str) -> None:
    story = Story()
    story.arrives()
    story.reads(hindrance=hindrance)
    assert (story.lane().visit, story.screen().fee) == (None, story.lane().fee_ids[-1])
