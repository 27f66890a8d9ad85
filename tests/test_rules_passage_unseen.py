"""Cars that pass while the barrier, the worker or the loops do not look, and vehicles that no loop names."""

import pytest

from terminal.core import events as e
from tests.support.story import T0, Story, an_id

SILENCES = {"a crash": e.Started(T0, "after a crash"), "loops": e.VehicleUnknown(T0, "exit-1")}


def nameless(story: Story, *, waiting: bool) -> None:
    """What loops say that do not tell vehicles apart."""
    story.tell(e.VehicleSeen(story.at, "exit-1", waiting, False, None))


def raised_for_a_nameless_vehicle() -> Story:
    story = Story()
    nameless(story, waiting=True)
    story.reads(car=None)
    story.payby("CREATED")
    story.payby("PAID")
    story.raises()
    nameless(story, waiting=False)
    return story


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


def test_loops_that_come_back_under_a_risen_boom_and_see_no_car_say_that_it_passed() -> None:
    story = Story(loops=False)
    story.reads(car=None)
    story.payby("PAID")
    story.raises()
    story.leaves_loop()
    assert (story.shows(), story.stay().left, story.alerts()) == ("idle", story.at, [])


def test_a_vehicle_that_comes_when_a_nameless_one_had_gone_is_another() -> None:
    story = raised_for_a_nameless_vehicle()
    story.wait(2)
    nameless(story, waiting=True)
    story.boom("lowering")
    story.boom("down")
    story.wait(2)
    assert (story.lane().visit, story.owes()) == (None, [])


def test_a_nameless_vehicle_that_a_loop_loses_for_a_moment_is_the_same() -> None:
    story = raised_for_a_nameless_vehicle()
    story.wait(1.9)
    nameless(story, waiting=True)
    story.boom("lowering")
    story.boom("down")
    story.wait(2)
    assert story.owes() == ["SendLift"]


def test_loops_that_fall_silent_as_a_nameless_vehicle_drives_out_do_not_swallow_the_next_ticket() -> None:
    story = raised_for_a_nameless_vehicle()
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.boom("lowering")
    story.boom("down")
    story.wait(60)
    story.reads("b", car=None)
    assert story.visit().fee.session == an_id("stay", "b")
