"""Cars, as the loops tell of them: which one waits, which one passed, and whose raise it was."""

import pytest

from terminal.core import events as e
from terminal.core.rules.limits import LOOPS_MS
from tests.support.rules import GRACE_S, alerts_of, second_car_pays, sent
from tests.support.story import T0, Story, an_id


def test_a_driver_who_reads_his_ticket_again_under_his_own_risen_boom_and_drives_has_used_his_money() -> None:
    """He backed off the loop for a moment, and its loop gave him a new name."""
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    first = story.raises()
    story.arrives()
    assert (story.lane().visit, story.payment().holder, story.alerts()[-1]) == (None, "raised", "no-passage")
    story.reads()
    assert (story.payment().holder, story.owes(), story.shows()) == ("raised", [], "help ticket-used")
    story.drives_through()
    assert (story.lane().visit, story.stay().left) == (None, story.at)
    story.wait(16 * 60)
    assert (story.payment().holder, story.payment().grant, story.owes()) == ("raised", first.id, [])
    assert story.stay().refunds == ()


def test_a_car_that_passes_after_its_visit_was_over_has_used_the_raise_that_was_for_it() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.arrives(car=story.arrives())
    assert (story.lane().visit, story.stay().left) == (None, None), "it is not under the boom yet"
    story.under()
    assert story.stay().left == story.at
    story.wait(1)
    left = story.stay().left
    story.under(waiting=False)
    story.leaves_loop()
    story.under()
    assert story.stay().left == left, "one raise is for one passage"


def test_the_next_car_under_the_boom_takes_the_place_of_nobody() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.under()
    story.under(waiting=False)
    story.arrives()
    left = story.stay().left
    story.reads("b", amount=0)
    story.wait(1)
    story.under()
    story.under(waiting=False)
    assert (story.stay().left, story.visit().under) == (left, False)


@pytest.mark.parametrize("seconds", [59, 600, 3600])
def test_a_raise_belongs_to_its_stay_until_the_arm_is_down_again(seconds: float) -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.arrives()
    story.wait(seconds)
    story.under()
    assert story.stay().left == story.at


def test_a_raise_for_a_stay_that_was_put_away_makes_none_in_its_place() -> None:
    """An empty one would hide its orders."""
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.arrives()
    del story.garage.stays[story.stay().session]
    story.under()
    assert story.garage.stays == {}


@pytest.mark.parametrize("seen", [True, False])
def test_a_raise_is_over_when_the_arm_is_down(seen: bool) -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.arrives()
    if not seen:
        story.tell(e.BarrierGone(story.at, "exit-1"))
    story.boom("down")
    story.boom("down")
    story.boom("up")
    story.under()
    assert story.stay().left is None, "opened by hand for another"


def test_an_arm_that_is_still_down_when_the_barrier_answers_has_the_raise_before_it() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.answers("raised")
    story.boom("down")
    story.boom("up")
    story.arrives()
    story.under()
    assert story.stay().left == story.at


def test_a_raise_for_a_stay_that_is_at_another_lane_now_does_not_end_it_there() -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.boom("down")
    story.leaves_loop()
    story.wait(3)
    story.arrives("exit-2")
    story.reads(lane="exit-2")
    story.boom("up")
    story.under()
    assert (story.stay().lane, story.stay().left) == ("exit-2", None)


def test_the_car_before_under_the_boom_does_not_end_the_next_visit() -> None:
    story = Story()
    story.shows_qr("a")
    story.payby("PAID", "a")
    story.raises("a")
    story.under()
    story.under(waiting=False)
    second = story.arrives()
    assert second
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, second))
    story.reads("b")
    story.payby("CREATED", "b")
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, second))
    assert (story.shows(), story.stay("b").left, story.stay("a").left) == ("pay", None, story.at)


def test_the_car_before_under_the_boom_does_not_use_the_lift_of_the_next() -> None:
    story = Story()
    story.pays()
    story.raises()
    story.under()
    second = story.arrives()
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, second))
    story.reads("b")
    story.payby("PAID", "b")
    story.tell(e.VehicleSeen(story.at, "exit-1", True, True, second))
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, second))
    assert (story.shows(), story.owes("b"), story.stay("b").left) == ("paid", ["SendLift"], None)


@pytest.mark.fault("tailgating")
def test_a_second_vehicle_under_one_raise_is_alerted() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.under()
    story.leaves_loop()
    assert "tailgating" not in story.alerts()
    story.under(waiting=False)
    assert "tailgating" in story.alerts()


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


@pytest.mark.fault("passed-open", "tailgating")
@pytest.mark.parametrize("bumper_to_bumper", [False, True])
def test_who_paid_and_left_under_the_raise_of_the_car_before_has_used_his_ticket(bumper_to_bumper: bool) -> None:
    story = Story()
    second_car_pays(story)
    if not bumper_to_bumper:
        story.tell(e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
        story.wait(0.5)
        story.under()
    story.under(waiting=False)
    story.wait(1)
    story.leaves_loop()
    story.boom("lowering")
    story.boom("down")
    story.wait(3)
    assert story.alerts()[-1] == "tailgating"
    assert story.stay().left is not None
    assert (sent(story), story.stay().refunds) == ("used", ())


@pytest.mark.fault("passed-open")
@pytest.mark.parametrize("dead_loop", [False, True])
def test_who_paid_and_left_under_an_arm_that_is_held_open_has_used_his_ticket(dead_loop: bool) -> None:
    story = Story()
    story.boom("up")
    for session in ("a", "b"):
        story.shows_qr(session)
        story.payby("PAID", session)
        story.answers("refused", "busy", session)
        if dead_loop:
            story.leaves_loop()
        else:
            story.under()
            story.under(waiting=False)
            story.leaves_loop()
        story.wait(3)
    assert {story.stay(s).left is None for s in ("a", "b")} == {False}
    assert alerts_of(story) & {"passed-open", "tailgating"}
    story.wait(GRACE_S)
    assert {story.payment(s).holder for s in ("a", "b")} == {"used"}
    story.arrives()
    story.reads("a")
    assert story.shows() == "help ticket-used"


def test_a_vehicle_that_passes_beside_one_that_waits_takes_no_place() -> None:
    """A motorcycle squeezes by under the raise of the car before; the loop still sees the one that paid."""
    story = Story()
    second_car_pays(story)
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
    story.under()
    story.tell(e.VehicleSeen(story.at, "exit-1", True, False, story.cars["exit-1"]))
    assert (story.stay().left, story.stay().lane, story.payment().holder) == (None, "exit-1", "lift")
    story.boom("lowering")
    story.boom("down")
    story.raises()
    story.drives_through()
    assert (story.stay().left, story.payment().holder) == (story.at, "raised")


def test_an_unpaid_car_that_follows_another_out_is_told_of_and_its_later_money_does_not_go_back() -> None:
    story = Story()
    story.shows_qr("x")
    story.payby("PAID", "x")
    story.raises("x")
    story.under()
    story.under(waiting=False)
    story.leaves_loop()
    story.shows_qr("a")
    story.under()
    story.under(waiting=False)
    story.leaves_loop()
    assert story.alerts()[-1] == "tailgating"
    assert (story.order().stage, story.stay().left) == ("closing", story.at)
    story.payby("PAID")
    assert sent(story) == "used"


def test_passages_count_over_visits_as_long_as_one_raise_lasts() -> None:
    story = Story()
    story.shows_qr("x")
    story.payby("PAID", "x")
    story.raises("x")
    for number, session in enumerate(("x", "a", "b")):
        assert story.lane().passages == number
        if session != "x":
            story.arrives()
            story.reads(session, amount=0)
        story.under()
        story.under(waiting=False)
        story.leaves_loop()
    assert story.lane().passages == 3
    story.boom("down")
    assert story.lane().passages == 0


@pytest.mark.fault("cars-swap")
@pytest.mark.parametrize(("age", "is_its"), [(0, True), (LOOPS_MS - 1_001, True), (LOOPS_MS - 1_000, False)])
def test_a_car_that_comes_late_after_its_ticket_was_read_is_another_however_late_the_worker_heard_of_it(
    age: int, is_its: bool
) -> None:
    story = Story()
    story.leaves_loop()
    story.reads(car=None, age=age)
    story.wait(1)
    story.arrives()
    assert (story.stay().lane == "exit-1") is is_its
    story.reads(car=None, age=age)
    assert story.visit().read == story.at - age
