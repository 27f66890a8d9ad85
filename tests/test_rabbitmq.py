"""RabbitMQ's definitions say what the access rules say. What RabbitMQ itself makes of them, tests/cluster asks it."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.contract.access import BOUND, USERS, WATCHERS, may_subscribe, withheld, writable
from terminal.contract.messages import MESSAGES
from terminal.contract.rabbitmq import EXCHANGE, definitions, name_of
from terminal.contract.topics import TopicError
from terminal.mqtt.subscription import matches

GARAGE, LANES = "marina", ("exit-1", "exit-10")
EVERYBODY = [*USERS, *WATCHERS, *(f"{role}.{lane}" for role in BOUND for lane in LANES)]
FOUND = definitions(GARAGE, LANES, vhost="dunes")
LEVELS = st.sampled_from(["parking", GARAGE, "other", *LANES, "garage", "health", "alerts", "reader", "run", "+", "#"])
WHAT = st.sampled_from([*MESSAGES, *(f"{kind}/{role}" for kind in ("health", "alerts") for role in (*USERS, "run"))])
TOPICS = st.builds(
    "parking/{}/{}/{}".format, st.sampled_from([GARAGE, "other"]), st.sampled_from([*LANES, "garage"]), WHAT
)


def keys(text: str) -> str:
    """As RabbitMQ's MQTT plug-in turns topics and filters into routing keys and binding keys."""
    return text.replace("/", ".").replace("+", "*")


def rights(user: str, found: dict[str, Any] = FOUND) -> dict[str, str]:
    [one] = [entry for entry in found["topic_permissions"] if entry["user"] == name_of(GARAGE, user)]
    assert (one["exchange"], one["vhost"]) == (EXCHANGE, "dunes")
    return dict(one)


@given(st.sampled_from(EVERYBODY), TOPICS)
def test_what_may_be_published_is_what_the_rules_let_pass(user: str, topic: str) -> None:
    allowed = any(matches(text, topic) for text in writable(user, garage=GARAGE))
    allowed = allowed and topic not in withheld(user, garage=GARAGE)
    assert bool(re.search(rights(user)["write"], keys(topic))) == allowed


@given(st.sampled_from(EVERYBODY), st.lists(LEVELS, min_size=1, max_size=6).map("/".join))
def test_what_may_be_heard_is_what_the_rules_grant(user: str, text: str) -> None:
    if "#" in text[:-1] or text.startswith("#/"):
        return  # no filter of MQTT
    assert bool(re.search(rights(user)["read"], keys(text))) == may_subscribe(user, text, garage=GARAGE)


@given(st.sampled_from(EVERYBODY), st.sampled_from(EVERYBODY))
def test_a_user_has_the_queues_of_its_own_client_id_alone(user: str, other: str) -> None:
    [one] = [entry for entry in FOUND["permissions"] if entry["user"] == name_of(GARAGE, user)]
    for quality in (0, 1):
        queue = f"mqtt-subscription-{name_of(GARAGE, other)}qos{quality}"
        assert bool(re.search(one["configure"], queue)) == (user == other)
        assert bool(re.search(one["read"], queue)) == bool(re.search(one["write"], queue)) == (user == other)
    assert re.search(one["read"], EXCHANGE)
    assert not re.search(one["configure"], EXCHANGE)


def test_a_watchers_client_id_may_go_on_after_a_dash() -> None:
    [one] = [entry for entry in FOUND["permissions"] if entry["user"] == "marina.watch"]
    assert re.search(one["configure"], "mqtt-subscription-marina.watch-7qos0")
    assert not re.search(one["configure"], "mqtt-subscription-marina.watcherqos0")


@pytest.mark.parametrize("suffix", ["worker", "run", "check"])
def test_the_processes_of_a_user_have_client_ids_of_their_own_that_no_other_lane_can_have(suffix: str) -> None:
    [one] = [entry for entry in FOUND["permissions"] if entry["user"] == "marina.lane.exit-1"]
    assert re.search(one["configure"], f"mqtt-subscription-marina.lane.exit-1-{suffix}qos1")
    assert not re.search(one["configure"], "mqtt-subscription-marina.lane.exit-1-xqos1")
    with pytest.raises(TopicError, match="client id"):
        definitions(GARAGE, ("exit", f"exit-{suffix}"), vhost="dunes")


def test_every_user_has_one_entry_of_each_kind_and_no_tag() -> None:
    names = sorted(name_of(GARAGE, user) for user in EVERYBODY)
    assert sorted(user["name"] for user in FOUND["users"]) == names
    assert all(user["tags"] == [] for user in FOUND["users"]), "none of them manages the broker"
    for kind in ("permissions", "topic_permissions"):
        assert sorted(entry["user"] for entry in FOUND[kind]) == names


def test_the_command_takes_passwords_from_their_files_and_keeps_none(tmp_path: Path) -> None:
    (tmp_path / "worker").write_text("correct horse\n", encoding="utf-8")
    words = [sys.executable, "-m", "terminal.contract.rabbitmq", GARAGE, "exit-1", "--passwords", str(tmp_path)]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "correct horse" not in ended.stdout
    found = json.loads(ended.stdout)
    assert found["vhosts"] == [{"name": GARAGE}]
    hashes = {user["name"]: user["password_hash"] for user in found["users"]}
    kept = base64.b64decode(hashes["marina.worker"])
    assert kept[4:] == hashlib.sha256(kept[:4] + b"correct horse").digest()
    assert hashes["marina.listener"] == "", "only its certificate lets it in"


@pytest.mark.parametrize("words", [["Marina"], ["marina", "garage"], ["marina", "--watcher", "worker"]])
def test_a_name_that_will_not_do_is_refused_in_one_line(words: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "terminal.contract.rabbitmq", *words], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert words[-1] in ended.stderr.splitlines()[-1]


def test_a_second_listener_is_a_user_with_queues_of_its_own() -> None:
    found = definitions(GARAGE, LANES, vhost="dunes", servers=["b"])
    assert rights("listener.b", found) == rights("listener", found) | {"user": "marina.listener.b"}
    by_name = {entry["user"]: entry["configure"] for entry in found["permissions"]}
    assert re.search(by_name["marina.listener.b"], "mqtt-subscription-marina.listener.bqos1")
    assert not re.search(by_name["marina.listener"], "mqtt-subscription-marina.listener.bqos1")


def test_home_assistant_is_told_only_where_discovery_is_asked_for() -> None:
    topic = keys("homeassistant/sensor/exit_terminal_marina/exit-1_screen/config")
    found = definitions(GARAGE, LANES, ["homeassistant"], vhost="dunes", discovery=True)
    assert re.search(rights("discovery", found)["write"], topic)
    assert re.search(rights("homeassistant", found)["read"], topic)
    assert not re.search(rights("homeassistant", found)["write"], topic)
    assert not re.search(rights("discovery")["write"], topic)
