"""Whether a car still waits: what its loop says, and for how long it counts as there without it."""

import pytest

from terminal.core import events as e
from tests.support.story import Story, an_id


@pytest.mark.fault("backs-out")
def test_when_the_car_leaves_the_screen_is_blank_and_the_order_closed() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    assert story.shows() == "pay", "a loop that clears is believed after 2 s"
    story.wait(2)
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


@pytest.mark.fault("loop-faulty")
def test_a_bouncing_loop_does_not_end_a_visit() -> None:
    story = Story()
    story.shows_qr()
    car = story.cars["exit-1"]
    for _ in range(5):
        story.leaves_loop()
        story.wait(1.5)
        story.arrives(car=car)
        story.wait(1)
    assert story.shows() == "pay"


def test_a_payment_while_the_loop_bounces_still_lifts() -> None:
    story = Story()
    story.shows_qr()
    story.leaves_loop()
    story.wait(1)
    story.payby("PAID")
    assert story.owes() == ["SendLift"]


@pytest.mark.fault("cars-swap")
def test_another_car_on_the_loop_ends_the_visit_at_once() -> None:
    story = Story()
    story.shows_qr()
    story.arrives()
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


@pytest.mark.fault("loop-faulty")
def test_a_vehicle_that_the_loop_sees_long_after_a_ticket_is_another() -> None:
    story = Story()
    story.reads(car=None)
    story.payby("CREATED")
    story.wait(5.5)
    assert story.shows() == "pay"
    story.arrives()
    assert (story.shows(), story.owes(), story.stay().lane) == ("idle", ["CloseOrder"], None)
    assert story.payby("PAID")
    assert (story.stay().payments[0].holder, story.stay().grants) == ("credit", ())


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.fault("loop-faulty")
def test_where_no_loop_saw_the_payer_the_vehicle_seen_after_the_boom_rose_is_another(loops: bool) -> None:
    story = Story(loops=loops)
    story.reads(amount=0, car=None)
    assert story.raises().car is None
    story.wait(4)
    story.arrives()
    assert (story.shows(), story.stay().left) == ("idle", story.at)
    story.boom("lowering")
    story.boom("down")
    story.wait(5)
    assert (story.stay().lifts, story.owes()) == (1, []), "the boom rises for it no more"
    story.reads("b")
    assert story.visit().fee.session == an_id("stay", "b"), "its own ticket is heard"


def test_loops_that_come_back_tell_whether_the_car_still_waits() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    story.leaves_loop()
    story.wait(2)
    assert (story.shows(), story.owes()) == ("idle", ["CloseOrder"])


@pytest.mark.fault("loop-faulty")
def test_loops_that_fall_silent_leave_the_visit_as_it_is() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.wait(60)
    assert story.shows() == "pay"
    story.payby("PAID")
    assert story.stay().grants[0].car is None, "nobody can say live which car it is"


def test_without_loops_a_car_that_gets_no_order_counts_as_waiting_for_60_s() -> None:
    story = Story(loops=False)
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.reads(car=None)
    story.wait(59.9)
    assert story.shows() == "help barrier"
    story.wait(0.1)
    assert story.lane().visit is None


@pytest.mark.fault("loop-faulty")
def test_a_car_that_its_loop_does_not_see_counts_as_waiting_for_60_s_and_gets_a_lift_for_any() -> None:
    story = Story()
    story.reads(car=an_id("car", "the reader's own"))
    story.payby("CREATED")
    story.wait(110)
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.payby("FAILURE")
    story.wait(59.9)
    assert (story.shows(), story.visit().car) == ("help barrier", an_id("car", "the reader's own"))
    story.wait(0.1)
    assert story.lane().visit is None
    story.reads(car=None)
    story.wait(59.9)
    assert story.shows() == "help barrier"
    story.wait(0.1)
    assert story.lane().visit is None


def test_a_car_that_the_loops_see_at_last_waits_for_as_long_as_they_see_it() -> None:
    story = Story(loops=False)
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.reads(car=None)
    story.arrives()
    story.wait(3600)
    assert story.shows() == "help barrier"


def test_what_payby_says_again_of_a_closed_order_makes_no_car_wait_longer() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.payby("FAILURE")
    story.wait(30)
    story.payby("FAILURE")
    story.wait(29.9)
    assert story.shows() == "help barrier"
    story.wait(0.1)
    assert story.lane().visit is None


def test_without_loops_a_lift_that_nobody_answers_is_waited_for_for_60_s() -> None:
    story = Story(loops=False)
    story.reads(amount=0, car=None)
    story.wait(59.9)
    assert story.lane().visit
    story.wait(0.1)
    assert (story.lane().visit, story.owes()) == (None, [])


def test_without_loops_a_car_counts_as_waiting_for_60_s_from_the_lift_that_it_gets() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    story.payby("FAILURE")
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.payby("FAILURE")
    story.wait(50)
    story.payby("PAID", order=story.stay().orders[0])
    story.wait(59.9)
    assert story.shows() == "paid"
    story.wait(0.1)
    assert story.lane().visit is None
