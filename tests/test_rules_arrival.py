"""Rules 1 and 2: a ticket is read, for the first time or again, here or elsewhere; lost tickets."""

import pytest

from terminal.core import events as e
from terminal.core.model import MAX_ATTEMPTS
from tests.support.story import Story, an_id


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


@pytest.mark.fault("second-ticket")
def test_a_ticket_read_at_a_second_lane_ends_its_visit_at_the_first() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    first = story.shows_qr()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    assert (story.shows("exit-1"), story.shows("exit-2"), story.owes()) == ("idle", "wait", ["CloseOrder"])
    story.payby("FAILURE", order=first)
    assert (story.order().lane, story.order().attempt, story.owes()) == ("exit-2", 1, ["PlaceOrder"])


@pytest.mark.fault("second-ticket")
def test_another_ticket_at_the_lane_waits_until_the_old_order_is_closed() -> None:
    story = Story()
    first = story.shows_qr("a")
    story.reads("b")
    assert (story.shows(), story.owes("a"), story.owes("b")) == ("wait", ["CloseOrder"], [])
    story.payby("FAILURE", order=first)
    assert story.owes("b") == ["PlaceOrder"]


@pytest.mark.fault("ticket-again")
def test_the_same_ticket_with_another_car_is_another_visit() -> None:
    story = Story()
    first = story.shows_qr()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.reads(car=an_id("car", "that came without the loops' word"))
    assert (story.order(), story.visit().car) == (
        story.stay().orders[0],
        an_id("car", "that came without the loops' word"),
    )
    assert (story.order().no, story.order().stage, story.shows()) == (first.no, "closing", "wait")


def test_the_same_ticket_again_is_the_same_visit() -> None:
    story = Story()
    story.shows_qr()
    story.reads(amount=3000)
    assert (story.shows(), story.screen().amount, len(story.stay().orders)) == ("pay", 2000, 1)


@pytest.mark.fault("cut-before-fee")
def test_the_same_fee_again_changes_nothing() -> None:
    story = Story()
    story.arrives()
    story.reads(id=an_id("fee", 99))
    before = story.garage.lanes["exit-1"]
    assert story.reads(id=an_id("fee", 99)) == []
    assert story.garage.lanes["exit-1"] is before


@pytest.mark.fault("worker-away")
def test_a_fee_read_for_a_car_that_has_gone_is_dropped() -> None:
    story = Story()
    gone = story.arrives()
    story.arrives()
    story.reads(car=gone)
    assert (story.shows(), story.lane().visit, len(story.lane().fee_ids)) == ("idle", None, 1)


@pytest.mark.fault("loop-faulty")
def test_a_ticket_read_while_the_loop_sees_nothing_is_served_and_alerted() -> None:
    story = Story()
    story.reads(car=None)
    assert (story.shows(), story.alerts()) == ("wait", ["loop-blind"])
    story.leaves_loop()
    story.wait(5.4)
    assert story.visit().loop == "blind"
    car = story.arrives()
    assert (story.visit().loop, story.visit().car) == ("sees", car)


@pytest.mark.fault("loop-faulty")
def test_a_ticket_read_again_while_the_loop_sees_nothing_waits_for_its_word_anew() -> None:
    story = Story()
    story.reads(car=None)
    story.wait(5)
    story.reads(car=None)
    story.wait(5)
    car = story.arrives()
    assert (story.visit().loop, story.visit().car) == ("sees", car)


@pytest.mark.fault("loop-faulty")
def test_a_reader_that_heard_of_the_vehicle_before_the_worker_did_names_it() -> None:
    story = Story()
    car = an_id("early")
    story.reads(car=car)
    story.wait(20)
    story.arrives(car=car)
    assert (story.visit().loop, story.visit().car) == ("sees", car)
    story.leaves_loop()
    story.wait(2)
    story.reads("b", car=an_id("early", 2))
    story.arrives(car=an_id("other"))
    assert (story.shows(), story.stay("b").lane) == ("idle", None)


def test_a_reading_under_a_wrong_clock_does_not_make_an_open_order_free() -> None:
    story = Story()
    story.shows_qr()
    story.reads(amount=0)
    assert (story.shows(), story.visit().fee.reason, story.owes()) == ("pay", "due", ["QueryOrder"])


def test_a_stay_whose_free_lift_was_out_stays_free_when_its_ticket_is_read_again_too_late() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    story.raises()
    story.boom("lowering")
    story.reads(amount=1000)
    story.boom("down")
    story.wait(2)
    assert (story.shows(), story.owes()) == ("free", ["SendLift"])


def test_a_ticket_read_again_in_help_shows_the_qr_as_soon_as_the_old_answer_comes() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.wait(12)
    assert story.shows() == "help no-answer"
    story.reads()
    assert story.shows() == "wait"
    story.payby("CREATED")
    assert story.shows() == "pay"


def test_a_ticket_read_again_in_help_waits_for_its_order_as_long_as_the_first_time() -> None:
    story = Story()
    story.arrives()
    story.reads()
    story.wait(12)
    story.reads()
    story.wait(11.9)
    assert (story.shows(), story.owes()) == ("wait", ["PlaceOrder"])
    story.wait(0.1)
    assert story.shows() == "help no-answer"


@pytest.mark.fault("ticket-again")
def test_a_ticket_read_elsewhere_while_its_car_drives_out_is_used() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.under()
    story.under(waiting=False)
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    assert (story.shows("exit-2"), story.owes()) == ("help ticket-copied", [])
    story.leaves_loop()
    assert story.stay().left == story.at
    assert len(story.lane("exit-2").fee_ids) == 1


def test_another_ticket_of_a_car_that_the_boom_has_risen_for_changes_nothing() -> None:
    """Its visit counted as no passage, and the ticket that had paid let a second car out."""
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.reads("b")
    assert (story.shows(), story.lane().fee_ids[-1]) == ("paid", story.screen().fee)
    story.drives_through()
    assert (story.stay().left, story.owes()) == (story.at, [])
    story.arrives()
    story.reads()
    assert story.shows() == "help ticket-used"


def test_another_ticket_after_the_arm_came_down_on_a_car_that_still_waits_is_served() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    for _ in range(2):
        story.raises()
        story.boom("down")
        story.wait(1)
    assert story.shows() == "help barrier"
    story.reads("b", amount=0)
    assert story.shows() == "free"
