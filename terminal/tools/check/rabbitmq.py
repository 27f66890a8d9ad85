"""A cluster of RabbitMQ: would it keep what it acknowledged, and would two halves of it both go on?

No client can see that: MQTT tells nothing of queues and nodes. So the check judges what `rabbitmqctl` prints as JSON:
``environment`` of each node, and ``list_queues name type durable`` and ``cluster_status`` once. Without them it says
that nothing is proven. Source: RabbitMQ's pages on MQTT, quorum queues and partitions; trials with 3.10 and 4.0.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terminal.config.schema import Settings
from terminal.payby.plain_text import plain
from terminal.tools.check.finding import Finding, Machine

_NAME = "RabbitMQ"
_HOW = "see deploy/cluster/rabbitmq.md"
_MOST_BYTES = 32 * 1024 * 1024
_SESSION_QUEUE = "mqtt-subscription-"
"""How the MQTT plug-in names a session's queue."""
_LEAST = (4, 0)
"""The first release that binds a certificate to a client id."""


@dataclass(slots=True)
class _Reports:
    """What was exported, sorted by its kind."""

    environments: list[dict[str, Any]] = field(default_factory=list)
    queues: list[dict[str, Any]] | None = None
    status: dict[str, Any] | None = None


async def rabbitmq(settings: Settings, machine: Machine) -> AsyncIterator[Finding]:
    """A line for each matter; nothing where the broker is none of RabbitMQ's."""
    is_ours = settings.mqtt and settings.garage and settings.mqtt.username.startswith(f"{settings.garage.id}.")
    if is_ours and settings.mqtt and not settings.mqtt.clean_session:
        text = "mqtt.clean_session is false: when a node dies, its clients are shut out until it is back"
        yield Finding(_NAME, False, text, f"clean_session = true; {_HOW}", about="mqtt.clean_session")
    if not machine.rabbitmq_reports:
        if is_ours:
            text = "whether a dead node loses nothing, and a split one pauses, no client can see"
            yield Finding(_NAME, True, text, f"check --rabbitmq FILE; {_HOW}", but="unproven", about="mqtt.url")
        return
    reports = _Reports()
    for path in machine.rabbitmq_reports:
        if wrong := await asyncio.to_thread(_sort, path, reports):
            yield Finding(_NAME, False, wrong, f"export it anew; {_HOW}", about="mqtt.url")
            return
    for finding in _judge(reports):
        yield finding


def _sort(path: Path, reports: _Reports) -> str:
    """Read one export; returns what is wrong with it. Nothing of it is repeated: an environment holds secrets."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return f"{path} is too long to be what rabbitmqctl printed"
        found = json.loads(path.read_bytes())
    except OSError as error:
        return f"{path} cannot be read: {(error.strerror or type(error).__name__).lower()}"
    except (ValueError, RecursionError):
        return f"{path} is no JSON: rabbitmqctl takes --formatter json"
    match found:
        case {"rabbit": {}}:
            reports.environments.append(found)
        case {"running_nodes": list()}:
            reports.status = found
        case list() if all(isinstance(queue, dict) and {"name", "type"} <= queue.keys() for queue in found):
            reports.queues = [*(reports.queues or []), *found]
        case _:
            return f"{path} is no environment, queues or cluster_status of rabbitmqctl"
    return ""


def _judge(reports: _Reports) -> Iterator[Finding]:
    """The first line says how much was shown; what fails has a line of its own."""
    yield _shown(reports)
    for environment in reports.environments:
        yield from _of_node(environment)
    if reports.status is not None:
        yield from _of_cluster(reports.status)
    classic = [plain(str(queue["name"]), 80) for queue in reports.queues or [] if _is_lossy(queue)]
    if classic:
        text = f"{len(classic)} sessions are on classic queues, whose node's death loses what was acknowledged: "
        advice = "set clean_session = true, and delete these queues while their roles are stopped"
        yield Finding(f"{_NAME} queues", False, f"{text}{classic[0]}", advice, about="mqtt.url")


def _shown(reports: _Reports) -> Finding:
    nodes = reports.status.get("disk_nodes") if reports.status else None
    shown, there = len(reports.environments), len(nodes) if isinstance(nodes, list) else None
    missing = [
        *([f"the environment of {there - shown} nodes"] if there is not None and shown < there else []),
        *(["environment"] if there is None and not shown else []),
        *(["list_queues"] if reports.queues is None else []),
        *(["cluster_status"] if reports.status is None else []),
    ]
    text = f"{shown} nodes and {len(reports.queues or [])} queues were looked at"
    if missing:
        return Finding(_NAME, True, f"{text}; not shown: {', '.join(missing)}", _HOW, but="unproven", about="mqtt.url")
    return Finding(_NAME, True, text, about="mqtt.url")


def _of_node(environment: dict[str, Any]) -> Iterator[Finding]:
    mqtt = environment.get("rabbitmq_mqtt")
    if not isinstance(mqtt, dict) or not mqtt:
        text = "a node has no MQTT plug-in"
        yield Finding(f"{_NAME} node", False, text, "rabbitmq-plugins enable rabbitmq_mqtt", about="mqtt.url")
        return
    for key, value, wanted, why in (
        (
            "cluster_partition_handling",
            environment["rabbit"].get("cluster_partition_handling", "ignore"),
            "pause_minority",
            "both halves of a network that is cut go on, and one of them is thrown away",
        ),
        (
            "mqtt.durable_queue_type",
            mqtt.get("durable_queue_type", "classic"),
            "quorum",
            "a node's death loses what was acknowledged",
        ),
        ("mqtt.allow_anonymous", mqtt.get("allow_anonymous", True), False, "whoever has no name is let in"),
    ):
        if value != wanted:
            said = plain(json.dumps(value), 40).strip('"')
            text = f"{key} is {said} on a node: {why}"
            advice = f"{key} = {str(wanted).lower()} in rabbitmq.conf, and restart that node"
            yield Finding(f"{_NAME} node", False, text, advice, about="mqtt.url")


def _of_cluster(status: dict[str, Any]) -> Iterator[Finding]:
    nodes, running = status.get("disk_nodes"), status.get("running_nodes")
    if isinstance(nodes, list) and isinstance(running, list):
        if len(nodes) < 3:
            text = f"{len(nodes)} nodes: of fewer than three, one's death stops or splits the rest"
            yield Finding(f"{_NAME} cluster", True, text, "add nodes; " + _HOW, but="warning", about="mqtt.url")
        if away := len(nodes) - len(running):
            text = f"{away} of {len(nodes)} nodes are away"
            yield Finding(f"{_NAME} cluster", False, text, "start them", about="mqtt.url")
    if status.get("partitions"):
        text = "the cluster is split: its nodes do not agree who is there"
        yield Finding(f"{_NAME} cluster", False, text, "restart the smaller part", about="mqtt.url")
    for version in sorted(_versions(status)):
        if version < _LEAST:
            text = f"release {'.'.join(map(str, version))}: one lane's certificate can throw another lane out"
            yield Finding(f"{_NAME} cluster", True, text, "take 4.0 or newer", but="warning", about="mqtt.url")


def _versions(status: dict[str, Any]) -> set[tuple[int, ...]]:
    told = status.get("versions")
    texts = [str(one.get("rabbitmq_version", "")) for one in told.values()] if isinstance(told, dict) else []
    return {(int(found[1]), int(found[2])) for text in texts if (found := re.match(r"(\d+)\.(\d+)", text))}


def _is_lossy(queue: dict[str, Any]) -> bool:
    """Is it a durable session's, on a classic queue? A clean session's ends with its connection anyway."""
    is_session = str(queue["name"]).startswith(_SESSION_QUEUE)
    return is_session and queue.get("durable") is not False and "quorum" not in str(queue["type"])
