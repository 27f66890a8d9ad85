"""The example flow in a real Node-RED, at the embedded broker as a watcher."""

import asyncio
import json
import os
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from broker.embedded import EmbeddedBroker
from terminal.clock import SystemClock, new_id
from terminal.contract.access import USERS, WATCHERS, may_publish, may_subscribe
from terminal.contract.messages import stamp
from tests.conftest import embedded_bus
from tests.support.leash import LEASH, bring_down
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
NODE_RED = ROOT / ".venv" / "node-red" / "node_modules" / "node-red" / "red.js"
ORDER = "marina-exit-1-0190d3f07c1e7a529d2f0123456789ab"
SETTINGS = """\
module.exports = {
  flowFile: 'flow', uiHost: '127.0.0.1', uiPort: PORT, userDir: __dirname, credentialSecret: false,
  diagnostics: {enabled: false}, telemetry: {enabled: false}, editorTheme: {tours: false},
  logging: {console: {level: 'info', metrics: false, audit: false}},
};
"""


async def say(bus: Any, what: str, **fields: Any) -> None:
    clock = SystemClock()
    message = {"v": 1, "id": new_id(clock), "at": stamp(clock.wall_ms()), **fields}
    await bus.publish(f"parking/marina/exit-1/{what}", json.dumps(message).encode())


async def until(log: Path, text: str) -> str:
    """What Node-RED has logged, once ``text`` is in it."""
    async with asyncio.timeout(90):
        while text not in (said := log.read_text(encoding="utf-8")):
            await asyncio.sleep(0.1)  # a process's log tells nobody when it grows
    return said


async def test_the_flow_tells_alerts_takings_and_a_boom_that_was_opened_by_hand(tmp_path: Path) -> None:
    assert NODE_RED.exists(), "make integrations installs it"
    may = {"garage": "marina"}
    broker = EmbeddedBroker(
        tmp_path / "users", USERS, watchers=WATCHERS, may_publish=partial(may_publish, **may),
        may_subscribe=partial(may_subscribe, **may), port=0,
    )  # fmt: skip
    async with broker, embedded_bus(broker, "lane") as bus:
        flow = json.loads((ROOT / "deploy/node-red/garage.json").read_text(encoding="utf-8"))
        for node in flow:
            if node["type"] == "mqtt-broker":
                node["port"] = str(broker.port)
        secret = broker.password_file("watch").read_text().strip()
        (tmp_path / "flow").write_text(json.dumps(flow), encoding="utf-8")
        # No .json: such a file counts as said, and Node-RED keeps the password in this one.
        (tmp_path / "flow_cred").write_text(json.dumps({"garage-broker": {"user": "watch", "password": secret}}))
        (tmp_path / "settings.js").write_text(SETTINGS.replace("PORT", str(free_port())))
        log = tmp_path / "log"
        with log.open("wb") as file:
            words = [*LEASH, "node", str(NODE_RED), "--settings", str(tmp_path / "settings.js")]
            process = subprocess.Popen(words, stdout=file, stderr=file, env={**os.environ, "HOME": str(tmp_path)})
        try:
            await until(log, "Connected to broker")
            await say(bus, "alert", severity="warning", code="help", state="raised", text="barrier", help_code="7KQ2M")
            said = await until(log, "help code 7KQ2M")
            assert "warning at parking/marina/exit-1/alert: help: barrier (help code 7KQ2M)" in said
            await say(bus, "order", status="paid", order_no=ORDER, amount="20.05", currency="AED")
            await say(bus, "order", status="paid", order_no=ORDER, amount="20.05", currency="AED")
            await say(bus, "order", status="paid", order_no=f"{ORDER}-2", amount="0.95", currency="AED")
            said = await until(log, "fils: 2100")
            assert "AED 21.00" in said and "fils: 4010" not in said
            await say(bus, "barrier", state="up", lift=new_id(SystemClock()))
            await say(bus, "barrier", state="up")
            said = await until(log, "the boom is open, and no lift raised it")
            assert said.count("no lift raised it") == 1
        finally:
            bring_down(process, signal.SIGTERM)
