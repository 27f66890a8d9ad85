"""What the barrier says of its boom: an arm that does not do as told, its clock, and lifts that it names."""

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from terminal.core.model import MAX_LIFTS
from tests.support.story import Story


@pytest.mark.fault("backs-out")
def test_a_car_that_was_off_its_loop_before_its_arm_was_down_gets_no_further_lift() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.leaves_loop()
    story.wait(3)
    assert story.shows() == "paid", "it may still come back before the arm is down"
    story.boom("lowering")
    story.boom("down")
    story.wait(1)
    assert (story.shows(), story.stay().left, story.payment().holder) == ("idle", None, "raised")
    assert "no-passage" in story.alerts()
    story.arrives()
    story.reads()
    assert (story.shows(), story.stay().grants) == ("help ticket-used", ())


@pytest.mark.fault("stolen-lane")
@pytest.mark.parametrize("amount", [2000, 0])
def test_an_arm_that_lowers_was_not_down_so_a_car_that_passed_meanwhile_leaves_no_lift_for_a_copy(amount: int) -> None:
    """A stolen lane machine says that the arm is down while it stands open, and the car drives out."""
    story = Story()
    story.arrives()
    story.reads("a", amount=amount)
    if amount:
        story.payby("CREATED")
        story.payby("PAID")
    story.raises()
    story.boom("down")
    assert story.stay().unpassed, "its car is on the loop before an arm that is down: so it seems"
    story.under()
    story.leaves_loop(under=True)
    story.leaves_loop()
    story.boom("lowering")
    assert not story.stay().unpassed
    story.boom("down")
    story.wait(3)
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=amount)
    assert (story.shows("exit-2"), story.stay().grants) == ("help ticket-used", ())


@pytest.mark.fault("barrier-away")
def test_no_order_is_placed_while_the_barrier_is_away_and_help_comes_after_15_s() -> None:
    story = Story()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    assert story.shows() == "closed barrier"
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("wait", [])
    story.wait(15)
    assert story.shows() == "help barrier"
    story.boom("down")
    assert (story.shows(), story.owes()) == ("wait", ["PlaceOrder"])


@pytest.mark.fault("arm-stuck")
def test_no_order_is_placed_while_the_arm_is_faulty() -> None:
    story = Story()
    story.boom("fault")
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("wait", [])
    story.wait(15)
    assert (story.shows(), story.owes()) == ("help barrier", [])
    story.boom("down")
    assert (story.shows(), story.owes()) == ("wait", ["PlaceOrder"])


@pytest.mark.fault("barrier-clock")
@pytest.mark.parametrize(("skew", "places"), [(14_999, True), (-14_999, True), (15_000, False), (-15_000, False)])
def test_a_barrier_clock_that_is_15_s_off_keeps_a_driver_waiting_then_in_help(skew: int, places: bool) -> None:
    story = Story()
    story.boom("down", skew=skew)
    story.arrives()
    story.reads()
    assert bool(story.owes()) == places
    assert story.shows() == ("wait" if places else "out-of-order clock")
    story.wait(15)
    assert story.shows() == "help no-answer"
    assert bool(story.owes()) == places


@pytest.mark.fault("barrier-clock")
@pytest.mark.parametrize(
    ("before", "now", "alerts", "cleared"),
    [
        (0, 4_999, 0, 0),
        (0, 5_000, 1, 0),
        (4_999, -5_000, 1, 0),
        (5_000, 5_000, 0, 0),
        (5_000, 6_000, 0, 0),
        (6_000, -5_000, 0, 0),
        (5_000, 4_999, 0, 1),
        (-5_000, 0, 0, 1),
        (0, 0, 0, 0),
    ],
)
def test_a_barrier_clock_is_alerted_once_and_cleared_once(before: int, now: int, alerts: int, cleared: int) -> None:
    story = Story()
    story.boom("down", skew=before)
    story.said.clear()
    story.boom("down", skew=now)
    assert (story.alerts(), story.cleared()) == (["barrier-clock"] * alerts, ["barrier-clock"] * cleared)


@pytest.mark.fault("arm-stuck")
@pytest.mark.parametrize(
    ("before", "now", "alerts", "cleared"),
    [
        ("down", "fault", ["boom-fault"], []),
        ("fault", "fault", [], []),
        ("fault", "down", [], ["boom-fault"]),
        ("fault", "up", [], ["boom-fault"]),
        ("up", "lowering", [], []),
        ("up", "down", [], []),
        ("down", "up", ["boom-open"], []),
        ("lowering", "up", ["boom-open"], []),
        ("rising", "up", [], []),
        ("unknown", "up", [], []),
        ("up", "up", [], []),
    ],
)
def test_what_the_barrier_says_of_its_arm(before: str, now: str, alerts: list[str], cleared: list[str]) -> None:
    story = Story()
    story.boom(before)
    story.said.clear()
    story.boom(now)
    assert (story.alerts(), story.cleared()) == (alerts, cleared)


@pytest.mark.fault("barrier-clock")
def test_a_barrier_clock_5_s_off_is_alerted_and_15_s_off_stops_orders() -> None:
    story = Story()
    story.boom("down", skew=600_000)
    assert isinstance(alert := story.said[0], RaiseAlert)
    assert alert.text.endswith(" by 600 s")
    story = Story()
    story.boom("down", skew=6000)
    assert story.alerts() == ["barrier-clock"]
    story.boom("down", skew=-16_000)
    assert story.shows() == "out-of-order clock"
    story.arrives()
    story.reads()
    assert (story.shows(), story.owes()) == ("out-of-order clock", [])
    story.boom("down")
    assert story.owes() == ["PlaceOrder"]


def test_a_lift_that_shows_at_the_boom_counts_as_raised_without_an_answer() -> None:
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.boom("rising", lift=grant.id)
    assert (story.owes(), story.payment().holder) == ([], "raised")


def test_a_lift_that_showed_when_its_visit_was_over_uses_the_ticket() -> None:
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.leaves_loop()
    story.wait(2)
    story.answers("raised", grant=grant)
    assert (story.stay().left, story.payment().holder) == (story.at, "raised")


def test_an_arm_that_is_up_once_more_and_names_an_old_lift_is_open() -> None:
    story = Story()
    story.pays()
    raised = story.raises()
    story.drives_through()
    story.said.clear()
    story.boom("up", lift=raised.id)
    assert story.alerts() == ["boom-open"]


def test_an_arm_has_6_s_to_rise_from_the_barriers_word_that_it_raises() -> None:
    story = Story()
    story.pays()
    story.wait(4)
    story.answers("raised")
    story.wait(5.9)
    assert story.stay().lifts == 1
    story.wait(0.1)
    assert story.stay().lifts == 2


@pytest.mark.fault("arm-stuck")
def test_an_arm_that_does_not_rise_gets_three_lifts_then_the_lane_closes_to_orders() -> None:
    story = Story()
    story.pays()
    for number in range(MAX_LIFTS):
        assert (story.stay().lifts, "boom-stuck" in story.alerts()) == (number + 1, False)
        story.answers("raised")
        story.wait(6)
    assert (story.shows(), story.payment().holder) == ("help barrier", "person")
    assert story.alerts() == ["lift-again", "lift-again", "boom-stuck", "lift-unknown", "help"]
    story.arrives()
    assert story.shows() == "closed barrier"
    story.reads("b")
    assert story.owes("b") == []
    story.boom("rising")
    assert (story.owes("b"), story.cleared()) == ([], [])
    story.boom("up")
    assert (story.owes("b"), story.cleared(), story.lane().boom_fault) == (["PlaceOrder"], ["boom-stuck"], False)


@pytest.mark.fault("arm-stuck")
def test_a_faulty_arm_is_alerted_and_cleared() -> None:
    story = Story()
    story.boom("fault")
    story.boom("fault")
    assert (story.alerts(), story.shows()) == (["boom-fault"], "closed barrier")
    story.boom("down")
    assert story.shows() == "idle"


@pytest.mark.fault("arm-stuck")
def test_an_arm_that_faults_under_a_lift_is_tried_again_at_once() -> None:
    story = Story()
    story.pays()
    story.answers("raised")
    story.boom("fault")
    assert story.stay().lifts == 2


def test_an_arm_that_came_down_before_its_car_had_passed_gets_one_more_lift_then_help() -> None:
    story = Story()
    story.pays()
    for lifts in (1, 2):
        assert (story.stay().lifts, story.visit().raised, story.visit().was_up) == (lifts, False, False)
        story.raises()
        story.wait(3)
        story.boom("lowering")
        story.boom("down")
        story.wait(0.9)
        assert (story.shows(), story.stay().lifts) == ("paid", lifts)
        story.wait(0.1)
    assert (story.shows(), story.stay().lifts) == ("help barrier", 2)
    assert (
        next(a.text for a in story.said if isinstance(a, RaiseAlert))
        == "the arm is down and the car still waits: lift 2"
    )


def test_a_free_car_whose_arm_came_down_early_gets_one_more_lift_then_help() -> None:
    story = Story()
    story.arrives()
    story.reads(amount=0)
    for _ in range(2):
        assert story.raises().reason == "free"
        story.boom("down")
        story.wait(1)
    story.wait(100)
    assert (story.shows(), story.stay().lifts, story.owes()) == ("help barrier", 2, [])


def test_a_car_under_the_boom_is_not_lifted_for_again() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.under()
    story.boom("down")
    story.wait(5)
    assert story.stay().lifts == 1


@pytest.mark.fault("forced-open")
def test_an_arm_that_is_up_without_a_lift_is_alerted() -> None:
    story = Story()
    story.boom("up")
    assert story.alerts() == ["boom-open"]


@pytest.mark.fault("forced-open")
@pytest.mark.parametrize("state", ["rising", "up"])
def test_a_car_that_drives_out_under_a_forced_open_arm_has_used_its_ticket(state: str) -> None:
    story = Story()
    story.shows_qr()
    story.boom(state)
    story.under()
    story.leaves_loop()
    assert (story.stay().left, story.owes()) == (story.at, ["CloseOrder"])


def test_a_raise_that_only_the_arm_tells_of_counts_when_its_visit_is_over_and_the_next_one_has_begun() -> None:
    """The answer and `rising` were lost; the next car's raise hid the lift's name before its deadline was over."""
    story = Story()
    story.pays()
    grant = story.stay().grants[0]
    story.leaves_loop()
    story.wait(3)
    assert story.lane().visit is None
    story.boom("up", lift=grant.id)
    assert (story.payment().holder, story.stay().left) == ("raised", story.at)
    story.boom("down", lift=grant.id)
    story.shows_qr("b")
    story.payby("PAID", "b")
    story.raises("b")
    assert (story.payment("b").holder, story.payment("a").holder) == ("raised", "raised")


@pytest.mark.fault("loop-faulty")
def test_an_arm_that_came_down_while_the_second_loop_still_sees_something_gets_help() -> None:
    """A loop that is stuck, or a bus on both: nobody was called, and `paid` stood there for ever."""
    story = Story()
    story.pays()
    story.raises()
    story.under()
    story.boom("lowering")
    story.boom("down")
    story.wait(14.9)
    assert story.shows() == "paid"
    story.wait(0.1)
    assert (story.shows(), story.alerts()[-1]) == ("help barrier", "help")


def test_an_arm_that_came_down_is_not_raised_again_while_the_loop_does_not_see_the_car() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.boom("down")
    story.leaves_loop()
    story.wait(1.9)
    assert (story.stay().lifts, story.owes()) == (1, [])
    story.arrives(car=story.cars["exit-1"])
    assert (story.stay().lifts, story.owes()) == (2, ["SendLift"])
