"""An arm that takes its time, and a barrier that says the same thing again, or names a lift of long ago."""

import pytest

from terminal.core.ids import lift_id, moment_of
from terminal.core.rules.limits import REMEMBERED_LIFTS
from tests.support.story import Story


def test_an_arm_that_is_seven_seconds_on_its_way_up_is_not_raised_once_more() -> None:
    story = Story()
    story.pays()
    lift = story.answers("raised")
    story.boom("rising", lift=lift.id)
    story.wait(7)
    assert (story.stay().lifts, story.alerts()) == (1, [])


def test_a_driver_under_an_arm_that_came_down_is_helped_after_15_s_however_often_the_barrier_says_so() -> None:
    """A loop that is stuck, or a vehicle as long as both; the barrier says every 5 s that its arm is down."""
    story = Story()
    story.pays()
    story.raises()
    story.under()
    for _ in range(3):
        assert story.shows() == "paid"
        story.boom("down")
        story.wait(5)
    assert story.shows() == "help barrier"


@pytest.mark.fault("journal-put-back")
@pytest.mark.parametrize(("later_ms", "alerts"), [(0, []), (1, ["journal-behind"])])
def test_a_lift_is_missed_in_the_journal_if_it_is_younger_than_the_oldest_that_the_lane_remembers(
    later_ms: int, alerts: list[str]
) -> None:
    """An older one may have been forgotten; that it lacks a younger one shows that it was put back."""
    story = Story()
    for number in range(REMEMBERED_LIFTS):
        story.arrives()
        story.reads(f"free {number}", amount=0)
        story.answers("refused", "car", f"free {number}")
        story.leaves_loop()
        story.wait(5)
    story.said.clear()
    oldest = moment_of(story.lane().lifts[0])
    story.boom("down", lift=lift_id(oldest + later_ms, "", "marina", "exit-1", "of which nobody knows"))
    assert story.alerts() == alerts
