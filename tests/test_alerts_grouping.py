"""Which alerts are told when: at once, never twice, and a storm as a few messages."""

from typing import Any

from terminal.clock import SystemClock, new_id
from terminal.contract.messages import Alert, RaisedAlert, stamp
from terminal.roles.alerts.grouping import (
    APART_MS,
    CRITICAL_APART_MS,
    KINDS_MOST,
    SETTLE_MS,
    TOLD_MOST,
    AlertGrouping,
    Notice,
)

AGAIN_MS = 30 * 60_000
CLOCK = SystemClock()
AT = "2026-12-01T10:00:00.000Z"
STAYS = [f"0190d3f0-7c1e-7a52-9d2f-{number:012d}" for number in range(KINDS_MOST + 200)]


def alert(code: str = "scanner", **more: Any) -> Alert:
    fields = {"id": new_id(CLOCK), "at": AT, "severity": "warning", "code": code, "state": "raised", "text": "said"}
    return Alert(**fields | more)


class Story:
    """A grouping, and what it told at which time."""

    def __init__(self, least: str = "warning") -> None:
        self.grouping = AlertGrouping(least, AGAIN_MS)  # type: ignore[arg-type]
        self.told: list[tuple[int, list[Notice], int]] = []

    def take(self, now_ms: int, lane: str = "exit-1", **more: Any) -> None:
        self.grouping.take(lane, alert(**more), now_ms)

    def until(self, now_ms: int) -> list[tuple[int, list[Notice], int]]:
        """Tell everything that is due by then, each at its moment."""
        before = len(self.told)
        while (moment := self.grouping.when()) is not None and moment <= now_ms:
            assert self.grouping.due(moment - 1) == ([], 0)
            notices, more = self.grouping.due(moment)
            assert notices
            self.told.append((moment, notices, more))
        return self.told[before:]


def test_the_first_is_told_a_second_later_with_what_came_meanwhile() -> None:
    story = Story()
    story.take(0, code="scanner")
    story.take(900, code="arm", severity="critical")
    ((moment, notices, more),) = story.until(10**9)
    assert (moment, more) == (SETTLE_MS, 0)
    assert [(one.code, one.severity, one.count) for one in notices] == [
        ("arm", "critical", 1),
        ("scanner", "warning", 1),
    ]


def test_the_same_again_is_counted_and_told_once_its_time_is_over() -> None:
    story = Story()
    for at in range(0, 600_000, 1000):  # ten minutes, one a second
        story.take(at)
        story.until(at)
    assert [(moment, notices[0].count) for moment, notices, _ in story.told] == [(SETTLE_MS, 2)]
    ((moment, (notice,), _),) = story.until(10**9)
    assert (moment, notice.count) == (SETTLE_MS + AGAIN_MS, 598)
    assert story.grouping.when() is None


def test_another_visit_with_the_same_alert_is_not_the_same() -> None:
    story = Story()
    story.take(0, code="help", session=STAYS[0], help_code="7KQ2M")
    story.until(60_000)
    story.take(60_001, code="help", session=STAYS[1], help_code="8QGBJ")
    ((moment, (notice,), _),) = story.until(10**9)
    assert moment == 60_001 + SETTLE_MS
    assert (notice.help_code, notice.session) == ("8QGBJ", STAYS[1])


def test_what_is_critical_waits_ten_seconds_where_others_wait_a_minute() -> None:
    story = Story()
    story.take(0)
    story.until(SETTLE_MS)
    story.take(2_000, code="disk")
    story.take(3_000, code="arm", severity="critical")
    ((moment, notices, _),) = story.until(10**9)
    assert moment == SETTLE_MS + CRITICAL_APART_MS
    assert [one.code for one in notices] == ["arm", "disk"]


def test_the_end_of_what_was_told_is_told_and_no_other_end() -> None:
    story = Story()
    story.take(0, state="cleared")
    assert story.until(10**9) == []
    story.take(0)
    story.until(5_000)
    story.take(10_000, state="cleared", text="it answers again")
    ((moment, (notice,), _),) = story.until(10**9)
    assert (moment, notice.cleared, notice.text) == (SETTLE_MS + APART_MS, True, "it answers again")


def test_what_came_and_went_before_it_was_told_is_one_line() -> None:
    story = Story()
    story.take(0)
    story.take(10, state="cleared")
    ((_, (notice,), _),) = story.until(10**9)
    assert (notice.cleared, notice.count) == (True, 1)


def test_what_comes_and_goes_all_the_time_is_told_twice_and_then_once_in_its_time() -> None:
    story = Story()
    for at in range(0, AGAIN_MS, 2_000):
        story.take(at, state="cleared" if at % 4_000 else "raised")
        story.until(at)
    assert len(story.told) <= 2
    story.until(10**9)
    assert len(story.told) <= 3


def test_what_is_not_grave_enough_is_not_told() -> None:
    story = Story(least="critical")
    story.take(0)
    story.take(0, code="arm", severity="critical")
    ((_, (notice,), _),) = story.until(10**9)
    assert notice.code == "arm"


def test_a_storm_of_ten_thousand_is_a_message_a_minute_and_each_is_counted() -> None:
    story, count = Story(), 0
    for number in range(10_000):
        at = number * 60  # ten minutes
        story.take(at, lane=f"exit-{number % 7}", code="ticket-copied", session=STAYS[number % len(STAYS)])
        count += 1
        story.until(at)
    story.until(10**9)
    told = sum(sum(one.count for one in notices) + more for _, notices, more in story.told)
    assert told == count
    assert len(story.told) <= 14
    assert all(len(notices) <= TOLD_MOST for _, notices, _ in story.told)
    assert max(one.count for _, notices, _ in story.told for one in notices) > 50
    assert all(
        later - earlier >= APART_MS for (earlier, *_), (later, *_) in zip(story.told, story.told[1:], strict=False)
    )


def test_more_kinds_than_a_message_takes_are_counted_the_gravest_stay() -> None:
    story = Story()
    for number in range(KINDS_MOST + 100):
        story.take(0, lane=f"exit-{number}", severity="critical" if number == KINDS_MOST - 1 else "warning")
    ((_, notices, more),) = story.until(SETTLE_MS)
    assert len(notices) == TOLD_MOST
    assert notices[0].lane == f"exit-{KINDS_MOST - 1}"
    assert len(notices) + more == KINDS_MOST + 100


def test_there_is_room_again_once_the_oldest_are_quiet_for_long_enough() -> None:
    story = Story()
    for number in range(KINDS_MOST):
        story.take(0, lane=f"exit-{number}")
    story.until(SETTLE_MS)
    later = SETTLE_MS + AGAIN_MS + 1
    story.take(later, lane="new")
    ((_, (notice,), more),) = story.until(later + APART_MS)
    assert (notice.lane, more) == ("new", 0)


def test_what_stood_before_the_start_is_told_only_if_it_is_critical() -> None:
    story = Story()
    for code, severity in (("arm", "critical"), ("disk", "warning")):
        story.grouping.take_standing("exit-1", RaisedAlert(code, severity, "stood", stamp(1000)), 0)  # type: ignore[arg-type]
        story.grouping.take_standing("exit-1", RaisedAlert(code, severity, "stood", stamp(1000)), 10)  # type: ignore[arg-type]
    ((_, (notice,), _),) = story.until(10**9)
    assert (notice.code, notice.count, notice.since) == ("arm", 1, stamp(1000))
