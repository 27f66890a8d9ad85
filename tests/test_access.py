"""Who may publish and read what: the contract's table, the rights of each role, and one source for both brokers."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.contract.access import (
    BOUND,
    KERB,
    ROLES,
    USERS,
    WATCHERS,
    may_publish,
    may_subscribe,
    mosquitto_acl,
    readable,
    withheld,
    writable,
)
from terminal.contract.messages import MESSAGES
from terminal.contract.topics import TopicError
from terminal.mqtt.subscription import matches

GARAGE = "marina"
SAID_BY = {  # the contract's table of topics; `alert` and `health/<role>` are any role's
    "fee": {"reader"},
    "plate": {"camera"},
    "lookup": {"worker"},
    "found": {"tickets"},
    "order": {"worker"},
    "screen": {"worker"},
    "paid": {"listener"},
    "receipt": {"worker"},
    "lift": {"worker", "console"},
    "barrier": {"barrier"},
    "vehicle": {"loops"},
    "command": {"console"},
    "refund": {"worker", "listener"},
    "enquiry": {"listener", "console"},
    "invoice": {"worker"},
    "credit": {"paystation"},
}
HEARD_BY = {
    "fee": {"worker", "console"},
    "plate": {"worker", "console"},
    "lookup": {"tickets", "console"},
    "found": {"worker", "console"},
    "order": {"reader", "console"},
    "screen": {"reader", "lcd", "console"},
    "paid": {"worker", "console"},
    "receipt": {"listener", "console", "paystation"},
    "lift": {"barrier", "worker", "console"},
    "barrier": {"worker", "console"},
    "vehicle": {"reader", "worker", "barrier", "loops", "console"},
    "command": {"worker", "console"},
    "refund": {"worker", "console"},
    "enquiry": {"worker", "console"},
    "credit": {"worker", "console"},
    "invoice": {"listener", "console"},
    "alert": {"console"},
    "alerts/reader": {"console", "reader"},
}
EVERYBODY = [*USERS, *WATCHERS, *(f"{role}.exit-1" for role in BOUND)]


@pytest.mark.parametrize("kind", SAID_BY)
def test_each_message_is_said_by_whom_the_contract_names(kind: str) -> None:
    topic = f"parking/marina/exit-1/{kind}"
    assert {user for user in ROLES if may_publish(user, topic, garage=GARAGE)} == SAID_BY[kind]


@pytest.mark.parametrize("kind", HEARD_BY)
def test_each_message_is_heard_by_who_needs_it(kind: str) -> None:
    text = f"parking/marina/+/{kind}"
    assert {user for user in ROLES if may_subscribe(user, text, garage=GARAGE)} == HEARD_BY[kind]


@pytest.mark.parametrize("user", ROLES)
def test_every_role_alerts_and_says_and_hears_its_own_health(user: str) -> None:
    own, others = f"parking/marina/exit-1/health/{user}", "parking/marina/exit-1/health/run"
    assert may_publish(user, "parking/marina/garage/alert", garage=GARAGE)
    assert may_publish(user, own, garage=GARAGE)
    assert may_subscribe(user, own, garage=GARAGE)
    assert not may_publish(user, others, garage=GARAGE)


def test_the_lane_may_do_what_every_role_may() -> None:
    for user in ROLES:
        for text in readable(user, garage=GARAGE):
            assert may_subscribe("lane", text, garage=GARAGE)
    for kind in SAID_BY:
        assert may_publish("lane", f"parking/marina/exit-1/{kind}", garage=GARAGE)
    assert may_publish("lane", "parking/marina/exit-1/health/run", garage=GARAGE)
    assert may_publish("lane", "parking/marina/garage/health/worker", garage=GARAGE)


@pytest.mark.parametrize(
    "kind", ["fee", "plate", "order", "screen", "lift", "barrier", "vehicle", "command", "health/barrier", "alerts/lcd"]
)
def test_nobody_says_what_belongs_to_a_lane_in_the_garages_place(kind: str) -> None:
    assert [user for user in EVERYBODY if may_publish(user, f"parking/marina/garage/{kind}", garage=GARAGE)] == []


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        ("worker", "receipt"),
        ("worker", "refund"),
        ("worker", "lookup"),
        ("tickets", "found"),
        ("worker", "health/worker"),
        ("listener", "paid"),
        ("listener", "refund"),
        ("console", "health/console"),
        ("broker", "health/broker"),
        ("reader", "alert"),
        ("lane.exit-1", "alert"),
        ("lane", "health/run"),
        ("worker", "alerts/worker"),
        ("lane", "alerts/run"),
    ],
)
def test_what_concerns_the_whole_garage_is_said_in_its_place(user: str, kind: str) -> None:
    assert may_publish(user, f"parking/marina/garage/{kind}", garage=GARAGE)


@pytest.mark.parametrize("kind", ["plate", "found"])
def test_no_machine_of_a_lane_says_when_a_car_entered(kind: str) -> None:
    for user in ("lane.exit-1", *(f"{role}.exit-1" for role in KERB)):
        for place in ("exit-1", "exit-2", "garage"):
            assert not may_publish(user, f"parking/marina/{place}/{kind}", garage=GARAGE)
    assert may_publish("camera.exit-1", "parking/marina/exit-1/plate", garage=GARAGE)
    assert not may_publish("camera.exit-1", "parking/marina/exit-2/plate", garage=GARAGE)


def test_who_watches_hears_everything_and_says_nothing() -> None:
    assert may_subscribe("watch", "parking/marina/#", garage=GARAGE)
    assert writable("watch", garage=GARAGE) == []
    for kind in (*SAID_BY, "alert", "alerts/", "alerts/watch", "health/", "health/watch"):
        assert not may_publish("watch", f"parking/marina/exit-1/{kind}", garage=GARAGE)


def test_watchers_are_whom_the_configuration_names() -> None:
    named = ("homeassistant", "hall-2")
    for user in named:
        assert may_subscribe(user, "parking/marina/#", garage=GARAGE, watchers=named)
        assert not may_publish(user, "parking/marina/exit-1/command", garage=GARAGE, watchers=named)
        assert not may_subscribe(user, "parking/marina/#", garage=GARAGE)
    assert not may_subscribe("watch", "parking/marina/#", garage=GARAGE, watchers=named)


@pytest.mark.parametrize("name", ["worker", "lane", "reader.exit-1", "lane-x", "", "a\nuser x", " a"])
def test_no_watcher_has_a_roles_name_or_one_that_breaks_the_access_list(name: str) -> None:
    with pytest.raises(TopicError):
        mosquitto_acl("marina", watchers=[name])


def test_each_role_says_and_hears_its_own_list_of_alerts_and_no_others() -> None:
    for role in ROLES:
        lane = "exit-1" if role in KERB else "garage"
        own, other = (f"parking/marina/{lane}/alerts/{name}" for name in (role, "run"))
        assert may_publish(role, own, garage=GARAGE)
        assert may_subscribe(role, own, garage=GARAGE)
        assert not may_publish(role, other, garage=GARAGE)
        assert may_subscribe(role, other, garage=GARAGE) == (role == "console")


@pytest.mark.parametrize(
    "user", ["", "nobody", "reader.", "reader.garage", "reader.EXIT", "worker.exit-1", "watch.x", "."]
)
def test_a_user_that_is_none_may_nothing(user: str) -> None:
    assert readable(user, garage=GARAGE) == writable(user, garage=GARAGE) == []
    assert not may_publish(user, "parking/marina/exit-1/fee", garage=GARAGE)
    assert not may_subscribe(user, "parking/marina/exit-1/order", garage=GARAGE)


@pytest.mark.parametrize(
    "topic",
    [
        "parking/other/exit-1/fee",
        "parking/marina/exit-1",
        "parking/marina/exit-1/fee/x",
        "parking/marina/exit-1/health",
        "parking/marina/EXIT/fee",
        "parking/marina/+/fee",
        "parking/marina//fee",
        "$SYS/broker",
        "",
        "fee",
    ],
)
def test_what_is_no_topic_of_the_garage_is_said_by_nobody(topic: str) -> None:
    assert [user for user in EVERYBODY if may_publish(user, topic, garage=GARAGE)] == []


@pytest.mark.parametrize("text", ["#", "+/#", "parking/#", "parking/+/exit-1/fee", "$SYS/#", "parking/other/#", ""])
def test_a_filter_that_leaves_the_garage_is_granted_to_nobody(text: str) -> None:
    assert [user for user in EVERYBODY if may_subscribe(user, text, garage=GARAGE)] == []


def test_a_user_of_one_lane_stays_in_it_but_hears_who_is_there_and_may_raise_an_alarm() -> None:
    assert may_publish("barrier.exit-1", "parking/marina/exit-1/barrier", garage=GARAGE)
    assert not may_publish("barrier.exit-1", "parking/marina/exit-2/barrier", garage=GARAGE)
    assert not may_publish("barrier.exit-1", "parking/marina/garage/barrier", garage=GARAGE)
    assert may_publish("barrier.exit-1", "parking/marina/garage/alert", garage=GARAGE)
    assert may_subscribe("barrier.exit-1", "parking/marina/exit-1/lift", garage=GARAGE)
    assert not may_subscribe("barrier.exit-1", "parking/marina/+/lift", garage=GARAGE)
    assert may_subscribe("barrier.exit-1", "parking/marina/+/health/+", garage=GARAGE)


def test_the_run_of_one_lane_has_no_rights_of_the_worker() -> None:
    for kind in ("lift", "order", "screen", "receipt", "paid", "command", "refund"):
        assert not may_publish("lane.exit-1", f"parking/marina/exit-1/{kind}", garage=GARAGE)
    for kind in ("fee", "barrier", "vehicle", "health/run", "health/reader"):
        assert may_publish("lane.exit-1", f"parking/marina/exit-1/{kind}", garage=GARAGE)
    assert not may_subscribe("lane.exit-1", "parking/marina/exit-1/paid", garage=GARAGE)


LEVELS = st.sampled_from(
    ["parking", GARAGE, "other", "exit-1", "exit-2", "garage", "health", "reader", "run", "+", "#", ""]
)
WHAT = st.sampled_from(
    [*MESSAGES, "health/reader", "health/worker", "health/run", "alerts/reader", "alerts/worker", "alerts/run", "x"]
)
TOPICS = st.builds("parking/{}/{}/{}".format, st.sampled_from([GARAGE, "other"]), LEVELS, WHAT)


@given(st.sampled_from(EVERYBODY), TOPICS)
def test_the_rule_for_saying_and_its_filters_agree(user: str, topic: str) -> None:
    expected = any(matches(text, topic) for text in writable(user, garage=GARAGE))
    expected = expected and topic not in withheld(user, garage=GARAGE)
    if may_publish(user, topic, garage=GARAGE):
        assert expected
    elif expected:  # Mosquitto's rules know no names: they let pass what is no topic of ours, in the right place
        level = topic.split("/")[2]
        assert level not in ("exit-1", "exit-2", "garage") or topic.endswith(("health", "alerts"))


@given(st.sampled_from(EVERYBODY), st.lists(LEVELS, max_size=6).map("/".join), TOPICS)
def test_a_granted_filter_lets_nothing_pass_that_its_user_may_not_hear(user: str, text: str, topic: str) -> None:
    if may_subscribe(user, text, garage=GARAGE) and matches(text, topic):
        assert any(matches(allowed, topic) for allowed in readable(user, garage=GARAGE))


def test_the_command_prints_the_access_list_with_the_lanes() -> None:
    command = [sys.executable, "-m", "terminal.contract.access", "g", "exit-1"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert text == mosquitto_acl("g", ["exit-1"])
    assert "user lcd.exit-1\ntopic write parking/g/exit-1/alert\n" in text
    assert "user reader\ntopic deny parking/g/garage/fee\n" in text
    assert [line for line in text.splitlines() if line.startswith("user ")] == [
        f"user {user}" for user in (*USERS, *(f"{role}.exit-1" for role in BOUND), "watch")
    ]


def test_the_command_takes_watchers_and_refuses_a_roles_name_in_one_line() -> None:
    command = [sys.executable, "-m", "terminal.contract.access", "g", "--watcher", "watch", "--watcher"]
    text = subprocess.run([*command, "homeassistant"], check=True, capture_output=True, text=True).stdout
    assert text == mosquitto_acl("g", watchers=["watch", "homeassistant"])
    assert text.endswith("user watch\ntopic read parking/g/#\n\nuser homeassistant\ntopic read parking/g/#\n")
    assert "> acl\n" in text and text.splitlines()[1] == (
        "# python -m terminal.contract.access g --watcher watch --watcher homeassistant > acl"
    )
    refused = subprocess.run([*command, "worker"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].endswith("watcher 'worker': a name is needed that is no role's")


@pytest.mark.parametrize("names", [("Marina", ["a"]), ("g", ["garage"]), ("g", ["a\nuser x"])])
def test_a_name_that_no_topic_may_hold_gets_into_no_access_list(names: tuple[str, list[str]]) -> None:
    with pytest.raises(TopicError):
        mosquitto_acl(*names)


def test_a_second_listener_has_the_rights_of_the_first_under_a_name_of_its_own() -> None:
    for ask in (readable, writable):
        assert ask("listener.b", garage=GARAGE) == ask("listener", garage=GARAGE) != []
    for name in ("listener.", "listener.B", "listener.garage", "listener.b.c", "worker.b", "console.b"):
        assert readable(name, garage=GARAGE) == writable(name, garage=GARAGE) == []
    text = mosquitto_acl(GARAGE, servers=["b"])
    assert "--server b > acl" in text
    blocks = [block.partition("\n")[2] for block in text.split("\n\n") if block.startswith("user listener")]
    assert len(blocks) == 2 and blocks[0] == blocks[1]
