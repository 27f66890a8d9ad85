"""How a visit ends: who left by another's raise or under an open arm, and what is told of him."""

import pytest

from terminal.core import events as e
from terminal.core.actions import RaiseAlert
from tests.support.story import Story, an_id

BY_ANOTHER_S = "a vehicle left under another vehicle's raise: its ticket is used"
BY_AN_OPEN_ARM = "a vehicle left under an arm that none of its own lifts had raised: its ticket is used"


def pays_behind_an_open_arm(story: Story, session: str = "a", why: str = "busy") -> None:
    """Its lift is refused, since the arm is up already."""
    story.shows_qr(session)
    story.payby("PAID", session)
    story.answers("refused", why, session)


def somebody_passes(story: Story) -> None:
    """A car of which no ticket was read."""
    story.leaves_loop(under=True)
    story.leaves_loop()


def told(story: Story, session: str = "a") -> list[tuple[str, str]]:
    """What is said of how its car slipped out."""
    owed = [a for a in story.said if isinstance(a, RaiseAlert) and a.owed]
    assert {a.session for a in owed} <= {an_id("stay", session)}
    return [(a.code, a.text) for a in owed]


@pytest.mark.fault("passed-open")
@pytest.mark.parametrize("arm", ["rising", "up", "lowering"])
def test_who_paid_and_drove_off_while_the_arm_was_open_or_moving_has_left(arm: str) -> None:
    """The loop under the boom is dead; a ticket that counted as unused would let a second car out."""
    story = Story()
    story.shows_qr()
    story.boom(arm)
    story.payby("PAID")
    story.answers("refused", "busy")
    story.leaves_loop()
    story.wait(2)
    assert story.stay().left == story.at
    assert told(story) == [("passed-open", BY_AN_OPEN_ARM)]


@pytest.mark.fault("passed-open")
def test_credit_of_a_car_that_drove_off_under_an_open_arm_is_used() -> None:
    story = Story()
    story.boom("up")
    pays_behind_an_open_arm(story, why="car")
    assert story.payment().holder == "credit"
    story.leaves_loop()
    story.wait(3)
    assert (told(story), story.stay().left) == ([("passed-open", BY_AN_OPEN_ARM)], story.at - 1000)


@pytest.mark.fault("passed-open")
def test_who_had_credit_and_passed_the_second_loop_is_not_called_unpaid() -> None:
    story = Story()
    story.boom("up")
    pays_behind_an_open_arm(story, why="car")
    story.under(waiting=False)
    story.leaves_loop()
    assert told(story) == [("passed-open", BY_AN_OPEN_ARM)]


@pytest.mark.fault("passed-open")
def test_who_drove_off_under_an_open_arm_has_left_though_the_barrier_went_silent_right_after() -> None:
    story = Story()
    story.boom("up")
    pays_behind_an_open_arm(story)
    story.leaves_loop()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.wait(3)
    assert (story.stay().slipped_out, told(story)) == (True, [("passed-open", BY_AN_OPEN_ARM)])


def test_who_went_while_nobody_knew_of_the_arm_may_have_left_and_a_person_decides() -> None:
    story = Story()
    story.shows_qr()
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.leaves_loop()
    assert story.visit().escape == "perhaps"
    story.payby("PAID")
    story.wait(1200)
    assert (story.stay().left, story.stay().perhaps_left, story.payment().holder) == (None, True, "person")


@pytest.mark.fault("tailgating")
def test_who_drives_off_as_a_raise_of_another_shows_is_a_tailgater() -> None:
    """The car before had paid and left on foot; its lift raised late, when the next one had just moved."""
    story = Story()
    story.pays()
    late = story.stay().grants[-1]
    story.leaves_loop()
    story.wait(3)
    story.boom("up")
    pays_behind_an_open_arm(story, "b")
    story.leaves_loop()
    story.boom("up", lift=late.id)
    story.wait(3)
    assert told(story, "b") == [("tailgating", BY_ANOTHER_S)]


@pytest.mark.fault("tailgating")
@pytest.mark.parametrize(("named_at", "code"), [("up", "tailgating"), ("down", "passed-open")])
def test_an_arm_is_up_for_the_lift_that_the_barrier_names_as_it_rises_and_not_as_it_rests(
    named_at: str, code: str
) -> None:
    """A lift that was called refused had raised after all; whoever follows under that raise is a tailgater."""
    story = Story()
    story.pays()
    late = story.answers("refused", "car")
    story.leaves_loop()
    story.wait(3)
    story.tell(e.BarrierGone(story.at, "exit-1"))
    story.boom(named_at, lift=late.id)
    story.boom("up")
    pays_behind_an_open_arm(story, "b")
    story.leaves_loop()
    story.wait(3)
    assert [what for what, _ in told(story, "b")] == [code]


@pytest.mark.fault("tailgating")
def test_the_second_car_under_an_arm_that_a_hand_raised_is_a_tailgater() -> None:
    """It is long enough for both loops, so they saw it stand until it had passed."""
    story = Story()
    story.boom("up")
    somebody_passes(story)
    pays_behind_an_open_arm(story)
    story.under()
    assert story.lane().passages == 2
    story.leaves_loop()
    assert told(story) == [("tailgating", BY_ANOTHER_S)]


@pytest.mark.fault("tailgating")
def test_the_third_car_under_an_arm_that_a_hand_raised_is_a_tailgater_though_the_arm_is_down_by_then() -> None:
    story = Story()
    story.boom("up")
    somebody_passes(story)
    somebody_passes(story)
    pays_behind_an_open_arm(story)
    story.leaves_loop()
    story.boom("down")
    story.wait(3)
    assert told(story) == [("tailgating", BY_ANOTHER_S)]


@pytest.mark.fault("tailgating")
def test_a_car_that_stands_where_it_was_when_another_has_passed_is_as_it_was() -> None:
    story = Story()
    story.boom("up")
    story.shows_qr()
    before = story.visit()
    story.under()
    assert story.visit().follows
    story.arrives(car=story.cars["exit-1"])
    assert story.visit() == before


@pytest.mark.fault("passed-open")
def test_a_car_that_passes_where_the_barrier_does_not_know_its_arm_left_by_its_own_lift() -> None:
    """Nobody is to look for a driver who had paid and was let out."""
    story = Story()
    story.pays()
    story.boom("unknown")
    story.under()
    story.under(waiting=False)
    story.leaves_loop()
    assert (story.stay().left, story.stay().slipped_out, told(story)) == (story.at, False, [])


@pytest.mark.parametrize("stage", ["placing", "created"])
def test_an_order_of_a_stay_that_has_left_elsewhere_is_closed_whether_or_not_payby_has_answered(stage: str) -> None:
    story = Story(lanes=("exit-1", "exit-2"))
    story.arrives()
    story.reads(amount=0)
    grant = story.stay().grants[-1]
    story.tell(e.VehicleUnknown(story.at, "exit-1"))
    story.wait(300)
    story.arrives("exit-2")
    story.reads("a", "exit-2", amount=1000)
    if stage == "created":
        story.payby("CREATED")
    assert story.order().stage == stage
    story.boom("up", lift=grant.id)
    story.under(waiting=False)
    assert (story.stay().left, story.order().stage, story.shows("exit-2")) == (story.at, "closing", "help ticket-used")
