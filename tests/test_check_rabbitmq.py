"""What `check` says of a cluster of RabbitMQ, by what rabbitmqctl printed of it. tests/cluster has a real one's."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from terminal.config.load import parse
from terminal.config.schema import Settings
from terminal.tools.check.finding import Finding
from terminal.tools.check.rabbitmq import rabbitmq
from tests.support.installation import machine

NODES = ["rabbit@a", "rabbit@b", "rabbit@c"]
GOOD: dict[str, Any] = {
    "rabbit": {"cluster_partition_handling": "pause_minority", "default_pass": "hush-hush"},
    "rabbitmq_mqtt": {"durable_queue_type": "quorum", "allow_anonymous": False},
}
SESSION = {"name": "mqtt-subscription-marina.workerqos1", "type": "rabbit_quorum_queue", "durable": True}
STATUS: dict[str, Any] = {
    "disk_nodes": NODES,
    "running_nodes": NODES,
    "partitions": {},
    "versions": {node: {"rabbitmq_version": "4.0.5"} for node in NODES},
}


def settings(user: str = "marina.worker", clean: str = "true") -> Settings:
    text = f'[garage]\nid = "marina"\n[mqtt]\nurl = "mqtt://b:1883"\nusername = "{user}"\npassword_file = "p"\n'
    return parse(f"{text}clean_session = {clean}\n", Path("exit-terminal.toml"))


async def judged(folder: Path, *exports: Any, user: str = "marina.worker") -> list[Finding]:
    files = []
    for number, export in enumerate(exports):
        file = folder / f"{number}.json"
        file.write_text(export if isinstance(export, str) else json.dumps(export))
        files.append(file)
    here = replace(machine(folder), rabbitmq_reports=tuple(files))
    return [finding async for finding in rabbitmq(settings(user), here)]


async def test_a_sound_cluster_is_proved(tmp_path: Path) -> None:
    [found] = await judged(tmp_path, GOOD, GOOD, GOOD, [SESSION], STATUS)
    assert (found.outcome, found.text) == ("proved", "3 nodes and 1 queues were looked at")


async def test_a_role_whose_session_is_kept_there_is_refused_and_elsewhere_not(tmp_path: Path) -> None:
    found = [one async for one in rabbitmq(settings(clean="false"), machine(tmp_path))]
    assert [one.outcome for one in found] == ["failed", "unproven"]
    assert found[0].key == "mqtt.clean_session" and "shut out" in found[0].text
    assert [one async for one in rabbitmq(settings("worker", "false"), machine(tmp_path))] == []


async def test_without_exports_it_is_unproven_for_a_user_of_rabbitmq_and_nothing_for_another(tmp_path: Path) -> None:
    [found] = await judged(tmp_path)
    assert found.outcome == "unproven" and "--rabbitmq" in found.advice
    assert await judged(tmp_path, user="worker") == []


@pytest.mark.parametrize(
    ("exports", "missing"),
    [
        ([GOOD, GOOD, [SESSION], STATUS], "the environment of 1 nodes"),
        ([GOOD], "list_queues, cluster_status"),
        ([[SESSION]], "environment, cluster_status"),
    ],
)
async def test_what_was_not_shown_is_named_and_unproven(exports: list[Any], missing: str, tmp_path: Path) -> None:
    [found] = await judged(tmp_path, *exports)
    assert found.outcome == "unproven" and found.text.endswith(f"not shown: {missing}")


def changed(section: str, **values: Any) -> dict[str, Any]:
    return {**GOOD, section: {**GOOD[section], **values}}


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (changed("rabbit", cluster_partition_handling="ignore"), "cluster_partition_handling is ignore"),
        (changed("rabbit", cluster_partition_handling=["pause_if_all_down", []]), "pause_if_all_down"),
        ({**GOOD, "rabbit": {}}, "cluster_partition_handling is ignore"),
        (changed("rabbitmq_mqtt", durable_queue_type="classic"), "durable_queue_type is classic"),
        ({**GOOD, "rabbitmq_mqtt": {"allow_anonymous": False}}, "durable_queue_type is classic"),
        (changed("rabbitmq_mqtt", allow_anonymous=True), "allow_anonymous is true"),
        ({"rabbit": GOOD["rabbit"]}, "no MQTT plug-in"),
    ],
)
async def test_one_node_that_would_lose_or_split_fails(node: dict[str, Any], words: str, tmp_path: Path) -> None:
    _, *wrong = await judged(tmp_path, GOOD, GOOD, node, [SESSION], STATUS)
    assert [finding.outcome for finding in wrong] == ["failed"]
    assert words in wrong[0].text and wrong[0].advice


@pytest.mark.parametrize(
    ("queue", "fails"),
    [
        ({**SESSION, "type": "classic"}, True),
        ({**SESSION, "type": "rabbit_classic_queue"}, True),
        ({**SESSION, "type": "classic", "durable": False}, False),
        ({"name": "somebody else's", "type": "classic", "durable": True}, False),
    ],
)
async def test_a_session_on_a_classic_queue_fails_until_it_is_deleted(
    queue: dict[str, Any], fails: bool, tmp_path: Path
) -> None:
    _, *wrong = await judged(tmp_path, GOOD, GOOD, GOOD, [SESSION, queue], STATUS)
    assert [finding.ok for finding in wrong] == [False] * fails


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        ({"partitions": {"rabbit@a": ["rabbit@b"]}}, "failed", "split"),
        ({"running_nodes": NODES[:2]}, "failed", "1 of 3 nodes are away"),
        ({"versions": {"rabbit@a": {"rabbitmq_version": "3.10.8"}}}, "warning", "release 3.10"),
    ],
)
async def test_a_cluster_that_is_split_short_or_old_is_said(
    status: dict[str, Any], outcome: str, words: str, tmp_path: Path
) -> None:
    _, *said = await judged(tmp_path, GOOD, GOOD, GOOD, [SESSION], {**STATUS, **status})
    assert [finding.outcome for finding in said] == [outcome]
    assert words in said[0].text


@pytest.mark.parametrize("export", ["{", "[" * 100_000, '{"secret": "hush-hush"}', "[1]", "[]]"])
async def test_what_is_no_export_fails_and_is_not_repeated(export: str, tmp_path: Path) -> None:
    [found] = await judged(tmp_path, export)
    assert not found.ok and "0.json" in found.text and "hush" not in str(found)
    here = replace(machine(tmp_path), rabbitmq_reports=(tmp_path / "absent.json",))
    [found] = [finding async for finding in rabbitmq(settings(), here)]
    assert not found.ok and "no such file" in found.text


async def test_no_secret_of_an_environment_is_repeated(tmp_path: Path) -> None:
    found = await judged(tmp_path, {**GOOD, "rabbitmq_mqtt": {}}, [{"name": "x", "type": "classic"}])
    assert found and not any("hush" in str(finding) for finding in found)
