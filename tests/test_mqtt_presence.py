"""Who is there, by heartbeats, last words and wills."""

import pytest

from terminal.contract.topics import SILENT_MS, Topic
from terminal.mqtt.presence import Presence
from tests.support.endpoint import clock, health
from tests.support.turned_clock import TurnedClock

__all__ = ["clock"]


def at(role: str, lane: str = "exit-1") -> Topic:
    return Topic("marina", lane, f"health/{role}")


def test_a_role_is_there_for_15_s_after_its_last_heartbeat(clock: TurnedClock) -> None:
    presence = Presence(clock)
    assert (presence.state("worker"), presence.online("worker")) == ("offline", False)
    presence.take(at("worker", "garage"), health(), retained=False)
    presence.take(at("reader"), health("degraded"), retained=False)
    assert [presence.state(role) for role in ("worker", "reader")] == ["online", "degraded"]
    assert [presence.online("worker", lane) for lane in ("garage", "exit-1")] == [True, False]
    clock.turn(SILENT_MS)
    assert presence.online("worker")
    clock.turn(1)
    assert not presence.online("worker")
    assert presence.silent_ms("worker") == SILENT_MS + 1


def test_a_retained_message_says_nothing_about_now(clock: TurnedClock) -> None:
    presence = Presence(clock)
    clock.turn(4000)
    presence.take(at("worker"), health(), retained=True)
    assert not presence.online("worker")
    assert presence.silent_ms("worker") == 4000
    assert [(peer.role, peer.at_ms) for peer in presence.all()] == [("worker", None)]
    presence.take(at("worker"), health("degraded"), retained=False)
    presence.take(at("worker"), health("offline"), retained=True)
    assert presence.state("worker") == "degraded"


def test_who_says_that_it_goes_is_gone_at_once(clock: TurnedClock) -> None:
    presence = Presence(clock)
    presence.take(at("worker"), health(), retained=False)
    clock.turn(100)
    presence.take(at("worker"), health("offline"), retained=False)
    assert not presence.online("worker")


@pytest.mark.parametrize("role", ["worker", "run"])
def test_who_says_that_it_goes_was_heard_when_it_last_said_that_it_is_there(clock: TurnedClock, role: str) -> None:
    """Its will must not make its silence as long as this process has lived."""
    presence = Presence(clock)
    clock.turn(60_000)
    presence.take(at("worker"), health(instance="one"), retained=False)
    clock.turn(4_000)
    presence.take(at(role), health("offline", "one"), retained=False)
    assert (presence.online("worker"), presence.silent_ms("worker")) == (False, 4_000)
    clock.turn(1_000)
    presence.take(at("worker"), health("offline", "one"), retained=False)
    assert presence.silent_ms("worker") == 5_000
    presence.take(at("worker"), health(instance="two"), retained=False)
    assert presence.silent_ms("worker") == 0


def test_who_only_ever_said_that_it_goes_was_never_heard(clock: TurnedClock) -> None:
    presence = Presence(clock)
    clock.turn(4_000)
    presence.take(at("worker"), health("offline"), retained=False)
    assert presence.silent_ms("worker") == 4_000


def test_the_will_of_a_process_takes_its_roles_with_it_and_no_others(clock: TurnedClock) -> None:
    presence = Presence(clock)
    for role, instance in (("run", "one"), ("worker", "one"), ("lcd", "one"), ("reader", "two")):
        presence.take(at(role), health(instance=instance), retained=False)
    presence.take(at("run"), health("offline", "one"), retained=False)
    assert [presence.online(role) for role in ("run", "worker", "lcd", "reader")] == [False, False, False, True]
    presence.take(at("worker"), health(instance="three"), retained=False)
    assert presence.online("worker")


def test_one_lane_that_is_online_is_enough_unless_the_lane_is_named(clock: TurnedClock) -> None:
    presence = Presence(clock)
    presence.take(at("barrier", "exit-1"), health("offline"), retained=False)
    presence.take(at("barrier", "exit-2"), health("degraded"), retained=False)
    assert (presence.state("barrier"), presence.state("barrier", "exit-1")) == ("degraded", "offline")
