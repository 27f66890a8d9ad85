"""The example flow for Node-RED: of core nodes alone, about topics that there are, and it says nothing.
tests/integrations runs it."""

import json
from pathlib import Path
from typing import Any

import pytest

from terminal.contract.access import WATCHERS, may_subscribe
from terminal.contract.messages import MESSAGES

FLOW: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "deploy/node-red/garage.json").read_text(encoding="utf-8")
)
CORE = {"tab", "mqtt-broker", "mqtt in", "switch", "template", "rbe", "debug", "function", "trigger"}
"""Those of Node-RED's own nodes that it has; none may publish, and none needs to be installed."""
NODES = {node["id"]: node for node in FLOW}


def test_it_is_of_core_nodes_that_say_nothing() -> None:
    assert {node["type"] for node in FLOW} == CORE
    assert len(NODES) == len(FLOW)


def test_every_wire_leads_somewhere_and_every_node_is_reached() -> None:
    wired = {to for node in FLOW for output in node.get("wires", []) for to in output}
    assert wired <= set(NODES)
    sources = {node["id"] for node in FLOW if node["type"] in ("tab", "mqtt-broker", "mqtt in")}
    assert wired | sources == set(NODES)


@pytest.mark.parametrize("topic", [node["topic"] for node in FLOW if node["type"] == "mqtt in"])
def test_a_watcher_may_read_each_topic_and_the_contract_has_it(topic: str) -> None:
    assert may_subscribe(WATCHERS[0], topic, garage="marina")
    assert topic.rsplit("/", 1)[1] in MESSAGES


def test_it_connects_as_the_pages_say() -> None:
    """MQTT 3.1.1, a client id that a watcher may have, no will and no birth, and no secret in the file."""
    broker = NODES["garage-broker"]
    assert (broker["protocolVersion"], broker["clientid"], broker["cleansession"]) == ("4", "watch-nodered", True)
    assert not [key for key in ("birthTopic", "closeTopic", "willTopic") if broker[key]]
    assert all("credentials" not in node for node in FLOW)
