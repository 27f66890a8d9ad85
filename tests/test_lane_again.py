"""The same ticket read again: what it keeps, and what begins anew."""

from terminal.core import events as e
from terminal.core.model import MAX_ATTEMPTS
from tests.support.story import Story


def runs_out(story: Story) -> None:
    """The order is not paid in its time, and PayBy closes it."""
    story.payby("CREATED")
    story.wait(110)
    story.payby("FAILURE")


def test_without_loops_a_ticket_read_twice_keeps_its_qr_for_as_long_as_its_order_lasts() -> None:
    """60 s after the second reading the car counted as gone, and a driver who paid then got no lift."""
    story = Story(loops=False)
    story.reads(car=None)
    story.payby("CREATED")
    story.wait(10)
    story.reads(car=None)
    story.wait(99.9)
    assert story.shows() == "pay"
    assert story.reply(story.payby("PAID")) == "lifting"


def test_without_loops_a_ticket_read_twice_before_its_order_waits_60_s_from_the_second_reading() -> None:
    story = Story(loops=False)
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.reads(car=None)
    story.wait(50)
    story.reads(car=None)
    story.wait(59.9)
    assert story.shows() == "help barrier"
    story.wait(0.1)
    assert story.lane().visit is None


def test_the_price_of_a_visit_stays_that_of_its_first_order() -> None:
    story = Story()
    story.shows_qr()
    story.reads(amount=3000, minutes=121)
    assert (story.screen().amount, story.screen().minutes) == (2000, 90)
    story.wait(110)
    story.payby("FAILURE")
    assert (story.order().attempt, story.order().amount, story.order().minutes) == (2, 2000, 90)


def test_before_its_first_order_a_visit_costs_what_the_newest_reading_says() -> None:
    story = Story()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.arrives()
    story.reads()
    story.reads(amount=3000, minutes=121)
    story.boom("down")
    assert (story.order().amount, story.order().minutes) == (3000, 121)


def test_a_reading_that_knows_no_car_is_of_the_visit_that_is_there() -> None:
    story = Story()
    story.shows_qr()
    car = story.visit().car
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.reads(car=None)
    assert (story.shows(), story.visit().car, story.owes()) == ("pay", car, ["QueryOrder"])


def test_a_reading_that_knows_its_car_is_of_the_visit_that_did_not() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    story.payby("CREATED")
    story.reads(car="0190-a-car")
    assert (story.shows(), story.owes()) == ("pay", ["QueryOrder"])


def test_the_loops_know_better_than_a_reading_which_car_it_is() -> None:
    story = Story()
    car = story.arrives()
    story.reads(car=None)
    assert story.visit().car == car


def test_in_help_while_an_order_is_being_closed_the_driver_waits_15_s_more_for_its_end() -> None:
    story = Story()
    story.shows_qr()
    story.wait(110 + 15 + 5)
    assert story.shows() == "help no-answer"
    story.reads()
    story.wait(14.9)
    assert (story.shows(), story.visit().phase) == ("wait", "reordering")
    story.wait(0.1)
    assert (story.shows(), story.owes()) == ("help no-answer", ["CloseOrder"])


def test_in_help_without_an_answer_the_driver_waits_12_s_more_for_it() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.wait(12 + 5)
    story.reads()
    story.wait(11.9)
    assert story.shows() == "wait"
    story.wait(0.1)
    assert story.shows() == "help no-answer"


def test_in_help_a_ticket_read_again_gets_three_orders_more() -> None:
    story = Story()
    story.arrives()
    for reading in (1, 2):
        story.reads()
        for _ in range(MAX_ATTEMPTS):
            assert story.shows() == "wait"
            runs_out(story)
        assert (story.shows(), story.order().attempt) == ("help unpaid", reading * MAX_ATTEMPTS)


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


def test_every_reading_is_remembered_by_its_own_id_whatever_became_of_it() -> None:
    story = Story()
    gone = story.arrives()
    story.arrives()
    story.reads(car=gone, id="of a car that has gone")
    story.reads(hindrance="journal", id="hindered")
    story.reads(id="served")
    assert story.lane().fee_ids == ("of a car that has gone", "hindered", "served")


def test_a_start_shows_no_refusal_of_before_and_believes_a_clear_loop_after_2_s_anew() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.TicketRefused(story.at, "exit-1", "a fee", "ticket-foreign"))
    story.leaves_loop()
    story.wait(1)
    story.tell(e.Started(story.at, "1"))
    assert story.shows() == "pay"
    story.at += 5_000
    story.boom("down")
    story.leaves_loop()
    story.wait(1.9)
    assert story.shows() == "pay"
    story.wait(0.1)
    assert story.shows() == "idle"


def test_a_third_order_is_waited_for_to_its_end_before_a_person_helps() -> None:
    story = Story()
    story.shows_qr()
    runs_out(story)
    runs_out(story)
    story.payby("CREATED")
    story.wait(110)
    assert (story.shows(), story.visit().phase) == ("wait", "reordering")
    story.payby("FAILURE")
    assert (story.shows(), len(story.stay().orders)) == ("help unpaid", MAX_ATTEMPTS)


def test_a_third_order_without_an_answer_is_the_last_one_too() -> None:
    story = Story()
    story.shows_qr()
    runs_out(story)
    runs_out(story)
    story.wait(12)
    assert story.shows() == "help no-answer"
    story.wait(110)
    story.payby("FAILURE")
    assert (story.shows(), len(story.stay().orders)) == ("help no-answer", MAX_ATTEMPTS)
