"""Cars, as the loops tell of them: which one waits, which one passed, and whose raise it was."""

import pytest

from terminal.core import events as e
from tests.support.story import T0, Story, an_id


def test_a_straight_visit_calls_nobody() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.drives_through()
    assert (story.alerts(), story.cleared()) == ([], [])


def test_a_visit_ends_when_its_car_is_off_the_second_loop_too() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.under()
    assert story.shows() == "paid"
    story.leaves_loop(under=True)
    assert (story.shows(), story.stay().left) == ("paid", None)
    story.leaves_loop()
    assert (story.shows(), story.stay().left) == ("idle", T0)


def test_a_car_that_is_under_the_boom_when_the_next_one_is_on_the_loop_has_passed() -> None:
    """Else its ticket would let the next one out too."""
    story = Story()
    story.pays()
    story.raises()
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, an_id("car", "next")))
    assert (story.shows(), story.stay().left, story.alerts()) == ("idle", T0, [])


def test_a_car_that_gives_way_to_another_under_a_risen_boom_has_not_passed() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.arrives()
    assert (story.shows(), story.stay().left, story.alerts()) == ("idle", None, ["no-passage"])


@pytest.mark.fault("forced-open")
def test_what_moves_under_an_arm_that_is_down_passes_nowhere() -> None:
    """It is the car before, or a person on foot."""
    story = Story()
    story.pays()
    story.raises()
    story.boom("lowering")
    story.boom("down")
    for _ in range(2):
        story.under()
        story.tell(e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
    assert (story.shows(), story.stay().left, story.lane().passages) == ("paid", None, 0)
    assert story.alerts() == []


@pytest.mark.fault("tailgating")
def test_a_vehicle_that_stays_under_the_boom_is_one_and_each_that_has_paid_may_pass_under_a_boom_that_stays_up() -> (
    None
):
    story = Story()
    for session in ("a", "b"):
        story.shows_qr(session)
        story.payby("PAID", session)
        story.raises(session)
        story.under()
        story.under(waiting=False)
        story.leaves_loop()
    assert story.alerts() == []
    story.under(waiting=False)
    assert story.alerts() == ["tailgating"]


@pytest.mark.fault("tailgating")
def test_vehicles_under_the_boom_are_counted_from_the_last_time_that_it_was_down() -> None:
    story = Story()
    counts = []
    for state in ("rising", "up", "lowering", "down", "fault", "up"):
        story.boom(state)
        story.under(waiting=False)
        story.leaves_loop()
        counts.append(story.lane().passages)
    assert counts == [1, 2, 3, 0, 1, 2]
    assert story.alerts().count("tailgating") == 3


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


def test_loops_that_come_back_under_a_risen_boom_and_see_no_car_say_that_it_passed() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    story.payby("PAID")
    story.raises()
    story.leaves_loop()
    assert (story.shows(), story.stay().left, story.alerts()) == ("idle", story.at, [])


def test_a_ticket_whose_visit_a_damaged_journal_ended_ends_no_visit_of_another_car() -> None:
    story = Story()
    story.shows_qr("a")
    story.tell(e.Damaged(story.at, "row 7"))
    story.payby("FAILURE", "a")
    story.arrives("exit-1")
    story.reads("b")
    story.arrives("exit-2")
    story.reads("a", lane="exit-2")
    assert story.visit("exit-1").fee.session == an_id("stay", "b")


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
