"""Whose car passed under the boom, told by what barrier and loops saw of it, or did not see; the simulation found most
of these stories (tests/sim).
"""

import pytest

from terminal.core import events as e
from tests.support.story import T0, Story


def test_a_car_that_passes_while_the_barrier_does_not_know_its_arm_has_used_its_ticket() -> None:
    """The barrier died between pulse and note, and there is no switch: the first lift had raised after all."""
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.boom("unknown")
    story.answers("unknown")
    story.wait(1)
    assert story.owes() == ["SendLift"]
    story.under()
    story.under(waiting=False)
    story.boom("down")
    story.answers("refused", "car")
    story.leaves_loop()
    assert (story.shows(), story.stay().left) == ("idle", story.at)
    story.arrives()
    story.reads()
    assert story.shows() == "help ticket-used"


def test_a_car_that_passes_while_the_barrier_is_away_has_used_its_ticket() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.under()
    story.leaves_loop()
    assert (story.lane().visit, story.stay().left) == (None, story.at)


def test_what_a_worker_that_came_back_sees_first_under_an_unknown_arm_may_be_the_vehicle_before() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.tell(e.Started(story.at, "after a crash"))
    story.under()
    story.arrives(car=story.cars["exit-1"])
    assert (story.visit().phase, story.stay().left) == ("leaving", None)


def test_a_vehicle_that_was_under_an_unknown_arm_before_the_lift_says_nothing_of_it() -> None:
    story = Story()
    story.boom("unknown")
    story.arrives()
    story.under()
    story.reads(amount=0)
    story.under()
    story.arrives(car=story.cars["exit-1"])
    assert (story.shows(), story.stay().left) == ("free", None)


def test_a_vehicle_under_an_unknown_arm_without_a_lift_is_the_one_before() -> None:
    story = Story()
    story.shows_qr()
    story.boom("unknown")
    story.under()
    story.arrives(car=story.cars["exit-1"])
    assert (story.shows(), story.stay().left) == ("pay", None)


def test_a_vehicle_that_a_nameless_loop_still_sees_under_a_risen_boom_is_the_same() -> None:
    story = Story()
    story.arrives(car=None)
    story.reads(car=None)
    story.payby("PAID")
    story.raises()
    story.arrives(car=None)
    assert (story.visit().phase, story.stay().left) == ("leaving", None)


SILENCES = {"a crash": e.Started(T0, "after a crash"), "loops": e.VehicleUnknown(T0, "exit-1")}


@pytest.mark.parametrize(
    ("silence", "first"),
    [("a crash", "nobody"), ("loops", "nobody"), ("a crash", "under"), ("loops", "under"), ("a crash", "another")],
)
def test_a_car_that_went_while_nobody_looked_has_passed_the_boom_that_had_risen(silence: str, first: str) -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.tell(SILENCES[silence])
    if first == "another":
        story.arrives()
    elif first == "under":
        story.under(waiting=False)
        assert story.stay().left is None
    story.wait(0.5)
    story.leaves_loop()
    left = story.at - (500 if first == "another" else 0)
    assert (story.lane().visit, story.stay().left, "no-passage" in story.alerts()) == (None, left, False)


def test_loops_that_came_back_may_give_the_car_that_did_not_pass_another_name() -> None:
    story = Story()
    story.wait(1)
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.boom("down")
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives()
    assert (story.lane().visit, story.stay().left, story.alerts()[-1]) == (None, None, "no-passage")
    story.reads()
    assert (story.shows(), story.owes()) == ("paid", ["SendLift"]), "its payment is still its own"


def test_a_car_that_still_waits_when_the_loops_come_back_has_not_passed() -> None:
    story = Story()
    story.shows_qr()
    story.payby("PAID")
    story.raises()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.arrives(car=story.cars["exit-1"])
    assert (story.visit().phase, story.stay().left) == ("leaving", None)
    story.leaves_loop()
    story.boom("down")
    story.wait(2)
    assert (story.lane().visit, story.stay().left, story.alerts()[-1]) == (None, None, "no-passage")


@pytest.mark.parametrize("loops", [True, False])
def test_a_car_that_went_while_nobody_looked_and_whose_arm_never_rose_has_not_passed(loops: bool) -> None:
    story = Story(loops=loops)
    if loops:
        story.arrives()
    story.reads()
    story.payby("PAID")
    story.answers("raised")
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.leaves_loop()
    story.wait(2)
    assert (story.lane().visit, story.stay().left) == (None, None)


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
