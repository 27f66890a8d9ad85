"""A garage as its messages tell it: lanes and ages, who is there, what is raised, who opened the boom."""

import json
from typing import Any

import pytest

from terminal.contract.messages import stamp
from terminal.contract.topics import SILENT_MS
from terminal.core import ids
from terminal.monitor.garage import GarageMonitor, Observation
from tests.support.turned_clock import TurnedClock

NOW = 1_795_000_000_000
SESSION = ids.derived_id(NOW, "session")
LIFT, OTHER = ids.derived_id(NOW, "lift"), ids.derived_id(NOW, "other")
NUMBER = ids.order_no("marina", "exit-1", SESSION, 1)
CODE = ids.help_code(SESSION)


class Ear:
    """A monitor, and messages for it."""

    def __init__(self) -> None:
        self.clock = TurnedClock()
        self.monitor = GarageMonitor("marina", self.clock)

    def hears(self, what: str, *, lane: str = "exit-1", retained: bool = False, **fields: Any) -> Observation:
        at = stamp(self.clock.wall_ms())
        message = {"v": 1, "id": ids.derived_id(self.clock.wall_ms(), what, str(fields)), "at": at, **fields}
        seen = self.monitor.take(f"parking/marina/{lane}/{what}", json.dumps(message).encode(), retained=retained)
        assert seen is not None
        return seen

    def health(self, role: str, state: str = "online", lane: str = "exit-1", **more: Any) -> Observation:
        fields = {"instance": "one", "version": "1", "since": stamp(NOW), **more}
        return self.hears(f"health/{role}", lane=lane, state=state, **fields)

    def states(self) -> dict[str, str]:
        return {role.role: role.state for role in self.monitor.roles()}


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_what_only_repeats_is_no_news_and_what_changes_is(ear: Ear) -> None:
    assert ear.health("worker", lane="garage").is_news
    ear.clock.turn(5000)
    assert not ear.health("worker", lane="garage").is_news
    assert ear.health("worker", "degraded", lane="garage", reason="no PayBy").is_news
    assert ear.hears("vehicle", waiting=False, under_boom=False).is_news
    ear.clock.turn(5000)
    assert not ear.hears("vehicle", waiting=False, under_boom=False).is_news
    assert ear.hears("vehicle", waiting=True, under_boom=False, car=SESSION).is_news
    assert ear.hears("barrier", state="down").is_news
    assert not ear.hears("barrier", state="down", last={"lift": LIFT, "session": SESSION, "reason": "paid"}).is_news
    assert ear.hears("barrier", state="down", answer={"lift": LIFT, "outcome": "refused", "why": "car"}).is_news


def test_a_pay_screen_that_counts_down_is_told_once(ear: Ear) -> None:
    pay = {"state": "pay", "session": SESSION, "amount": "20.00", "currency": "AED"}
    assert ear.hears("screen", **pay, remaining=109).is_news
    assert not ear.hears("screen", **pay, remaining=99).is_news
    assert ear.hears("screen", **pay, remaining=98, scanned=True).is_news


def test_every_message_of_a_visit_bears_its_help_code(ear: Ear) -> None:
    ear.hears("lift", id=LIFT, session=SESSION, reason="paid", by="worker")
    command = ids.derived_id(NOW, "command")
    ear.hears("command", id=command, command="reset", by="Amal", session=SESSION)
    for seen in (
        ear.hears("fee", session=SESSION, reason="free", minutes=1),
        ear.hears("order", status="created", order_no=NUMBER),
        ear.hears("paid", lane="garage", order_no=NUMBER, notify_id="1", body="", sign=""),
        ear.hears("receipt", order_no=NUMBER, notify_id="1", outcome="lifting"),
        ear.hears("receipt", command=command, outcome="done"),
        ear.hears("barrier", state="down", answer={"lift": LIFT, "outcome": "raised"}),
        ear.hears("alert", code="help", severity="warning", state="raised", text="x", order_no=NUMBER),
    ):
        assert (seen.session, seen.help_code) == (SESSION, CODE), seen.kind
    assert ear.hears("vehicle", waiting=True, under_boom=False).help_code == ""


@pytest.mark.parametrize(
    ("lift", "words"),
    [
        ({"reason": "paid", "by": "worker", "amount": "20.00"}, "opened by a payment of AED 20.00"),
        ({"reason": "credit", "by": "worker", "amount": "20.00"}, "opened by a credit of AED 20.00"),
        ({"reason": "free", "by": "worker"}, "opened for a free stay"),
        ({"reason": "operator", "by": "Amal", "note": "fire"}, "opened by operator Amal: fire"),
    ],
)  # fmt: skip
def test_each_raise_says_who_opened_it(ear: Ear, lift: dict[str, str], words: str) -> None:
    ear.hears("barrier", state="down")
    ear.hears("lift", id=LIFT, session=SESSION, **lift)
    seen = ear.hears("barrier", state="rising", lift=LIFT, session=SESSION, reason=lift["reason"])
    assert seen.words == f"rising, {words}"
    assert seen.opened is not None and seen.opened == ear.monitor.lanes["exit-1"].opened
    assert (seen.opened.session, seen.opened.lift) == (SESSION, LIFT)
    assert ear.hears("barrier", state="up", lift=LIFT).opened is None


def test_an_arm_that_rises_without_a_lift_was_opened_by_hand(ear: Ear) -> None:
    last = {"lift": LIFT, "session": SESSION, "reason": "paid"}
    ear.hears("barrier", state="down", last=last)
    seen = ear.hears("barrier", state="up", last=last)
    assert (seen.opened and seen.opened.by, seen.words) == ("by hand", "up, opened by hand, no lift raised it")


def test_a_device_that_names_its_last_lift_for_ever_was_opened_by_hand_too(ear: Ear) -> None:
    ear.hears("barrier", state="down", lift=LIFT)
    seen = ear.hears("barrier", state="up", lift=LIFT)
    assert seen.opened and seen.opened.by == "by hand"


def test_a_lift_that_was_not_heard_is_known_by_its_reason_or_by_nobody(ear: Ear) -> None:
    for lift, reason, by in ((LIFT, {"reason": "paid"}, "paid"), (OTHER, {}, "unknown")):
        ear.hears("barrier", state="down")
        seen = ear.hears("barrier", state="up", lift=lift, **reason)
        assert seen.opened and seen.opened.by == by


def test_what_the_broker_kept_of_an_arm_that_is_up_tells_of_no_raise(ear: Ear) -> None:
    assert ear.hears("barrier", state="up", lift=LIFT, retained=True).opened is None


def test_a_role_that_is_silent_for_15_s_is_not_there_whatever_it_said(ear: Ear) -> None:
    ear.health("worker", lane="garage")
    ear.health("lcd", instance="two")
    ear.clock.turn(SILENT_MS)
    ear.health("run")
    assert ear.states() == {"worker": "online", "lcd": "online"}
    ear.clock.turn(1)
    assert ear.states() == {"worker": "online", "lcd": "silent"}  # a beat of its process keeps the worker alive
    ear.health("run", "offline", reason="lost")
    assert ear.states() == {"worker": "offline", "lcd": "silent"}
    (lcd,) = (role for role in ear.monitor.roles() if role.role == "lcd")
    assert (lcd.age_ms, lcd.is_there) == (SILENT_MS + 1, False)


def test_a_health_that_was_kept_counts_while_it_is_fresh(ear: Ear) -> None:
    ear.hears("health/worker", retained=True, state="online", instance="a", version="1", since=stamp(NOW))
    assert ear.states() == {"worker": "online"}
    ear.clock.turn(SILENT_MS + 1)
    assert ear.states() == {"worker": "silent"}


def test_loops_and_arm_are_unknown_once_they_are_not_there(ear: Ear) -> None:
    ear.hears("vehicle", waiting=True, under_boom=False)
    ear.hears("barrier", state="down")
    lane = ear.monitor.lanes["exit-1"]
    assert ear.monitor.vehicle_of(lane) and ear.monitor.barrier_of(lane)
    ear.health("barrier")
    ear.clock.turn(SILENT_MS + 1)
    assert not ear.monitor.vehicle_of(lane)
    assert not ear.monitor.barrier_of(lane)
    ear.health("barrier")
    assert ear.monitor.barrier_of(lane)
    assert lane.barrier and lane.barrier.age_ms(ear.clock.wall_ms(), ear.clock.steady_ms()) == SILENT_MS + 1


def test_what_is_raised_is_listed_the_gravest_first_and_goes_with_its_list(ear: Ear) -> None:
    def alert(code: str, severity: str, at: int) -> dict[str, str]:
        return {"code": code, "severity": severity, "text": "x", "since": stamp(NOW + at)}

    ear.hears("alerts/worker", raised=[alert("disk", "warning", 5), alert("arm", "critical", 1)], more=3)
    ear.hears("alerts/lcd", lane="exit-2", raised=[alert("lcd-panel", "critical", 2)])
    assert [(there.lane, there.role, there.alert.code) for there in ear.monitor.raised()] == [
        ("exit-2", "lcd", "lcd-panel"),
        ("exit-1", "worker", "arm"),
        ("exit-1", "worker", "disk"),
    ]
    assert ear.monitor.raised_unlisted == 3
    ear.hears("alerts/worker", raised=[])
    assert [there.alert.code for there in ear.monitor.raised()] == ["lcd-panel"]
    assert ear.monitor.raised_unlisted == 0


@pytest.mark.parametrize(
    "payload",
    [b"{", b"[]", b"null", b'"x"', b"\xff", b"{}", b'{"at": 5, "session": 7, "order_no": [], "answer": "x"}',
     b'{"answer": {"lift": {}}, "state": {}}', b"[" * 10_000],
)  # fmt: skip
@pytest.mark.parametrize("what", ["fee", "barrier", "lift", "health/worker", "alerts/worker", "screen", "x", "receipt"])
def test_whatever_somebody_says_is_shown_and_believed_in_nothing(ear: Ear, what: str, payload: bytes) -> None:
    seen = ear.monitor.take(f"parking/marina/exit-1/{what}", payload, retained=False)
    assert seen is not None
    assert seen.words.isprintable()
    assert ear.monitor.roles() == [] and ear.monitor.raised() == []


@pytest.mark.parametrize("topic", ["parking/other/exit-1/fee", "parking/marina", "$SYS/x", "parking/marina/EXIT/fee"])
def test_another_garages_messages_are_not_taken(ear: Ear, topic: str) -> None:
    assert ear.monitor.take(topic, b"{}", retained=False) is None
    assert ear.monitor.take("parking/marina/exit-1/screen", b"", retained=True) is None


def test_control_characters_of_others_reach_no_terminal(ear: Ear) -> None:
    seen = ear.hears("alert", severity="info", state="raised", code="x", text="\x1b[2J\nroot# rm")
    assert "\x1b" not in seen.words and "\n" not in seen.words


def test_it_knows_how_long_nothing_was_heard(ear: Ear) -> None:
    assert ear.monitor.silent_ms() is None
    ear.hears("screen", state="idle", retained=True)
    assert ear.monitor.silent_ms() is None
    ear.hears("vehicle", waiting=False, under_boom=False)
    ear.clock.turn(17_000)
    assert ear.monitor.silent_ms() == 17_000
