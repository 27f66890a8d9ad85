"""Every command line of "Listening" in deploy/operations.md, against the broker that it is for."""

import asyncio
import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.embedded import EmbeddedBroker
from terminal.contract.messages import stamp
from terminal.core import ids
from tests.conftest import embedded_bus, open_embedded
from tests.support.leash import LEASH
from tests.support.visit_journal import write_visit

TREE = Path(__file__).parents[1]
PAGE = (TREE / "deploy" / "operations.md").read_text(encoding="utf-8")
CONFIGURATION = """\
[garage]
id = "marina"
[mqtt]
url = "{url}"
username = "lane"
password_file = "secrets/mqtt/lane"
[broker]
port = {port}
users = "secrets/mqtt"
[journal]
path = "journal.db"
"""


def commands(title: str) -> list[str]:
    """The command lines of a chapter, without their remarks."""
    chapter = re.search(rf"^#+ {title}\n(.*?)(?=^#)", PAGE, re.MULTILINE | re.DOTALL)
    assert chapter, title
    lines = "".join(re.findall(r"```sh\n(.*?)```", chapter[1], re.DOTALL)).splitlines()
    return [line.split("  #")[0].strip() for line in lines]


def message(**fields: Any) -> bytes:
    now = time.time_ns() // 1_000_000
    return json.dumps({"v": 1, "id": ids.derived_id(now, str(fields)), "at": stamp(now), **fields}).encode()


@asynccontextmanager
async def garage(folder: Path) -> AsyncIterator[EmbeddedBroker]:
    """An embedded broker as the page has it (users in secrets/mqtt), a lane that speaks, and a journal."""
    (folder / "secrets").mkdir()
    (folder / "users").symlink_to(folder / "secrets" / "mqtt", target_is_directory=True)
    (folder / "secrets" / "mqtt").mkdir()
    now = time.time_ns() // 1_000_000 - 60_000
    session = ids.derived_id(now, "session")
    await write_visit(folder / "journal.db", now, session, ids.order_no("marina", "exit-1", session, 1))
    async with open_embedded(folder) as broker, embedded_bus(broker) as lane:
        (folder / "c.toml").write_text(CONFIGURATION.format(url=broker.url, port=broker.port))

        async def speak() -> None:
            alert = {"severity": "warning", "code": "help", "state": "raised", "help_code": "7KQ2M"}
            for number in range(10_000):
                await lane.publish("parking/marina/exit-1/screen", message(state="idle"), retain=True)
                await lane.publish("parking/marina/exit-1/alerts/lcd", message(raised=[]), retain=True)
                await lane.publish("parking/marina/exit-1/alert", message(text=f"number {number}", **alert))
                await asyncio.sleep(0.2)  # a lane that speaks now and then

        speaking = asyncio.create_task(speak())
        try:
            yield broker
        finally:
            speaking.cancel()
            await asyncio.wait([speaking])


async def first_line(folder: Path, command: str, environment: dict[str, str] | None = None) -> str:
    """What a command says first; it is then ended as by Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        *LEASH, "bash", "-c", f"exec {command}", cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            return (await process.stdout.readline()).decode()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            await process.communicate()


@pytest.mark.parametrize("command", commands("Listening"))
async def test_each_watch_of_the_page_shows_something(tmp_path: Path, command: str) -> None:
    assert command.startswith(".venv/bin/exit-terminal watch")
    program = f"{sys.executable} -m terminal --config c.toml watch"
    async with garage(tmp_path):
        line = await first_line(tmp_path, command.replace(".venv/bin/exit-terminal watch", program))
    if "--json" in command:
        assert json.loads(line)["words"]
    elif "--kind alert" in command or "--code" in command:
        assert "7KQ2M  alert: warning, raised help: number" in line
    elif "--since" in command:
        assert "worker: started" in line
    else:
        assert "screen: shows idle" in line


@pytest.mark.parametrize("command", commands("On the embedded broker"))
async def test_each_command_for_the_embedded_broker_hears_the_garage(tmp_path: Path, command: str) -> None:
    if command.startswith("ssh"):
        told = await first_line(tmp_path, command.replace("ssh -L", "ssh -G -F none -L") + " | grep ^localforward")
        assert told == "localforward 1883 [127.0.0.1]:1883\n"
        return
    async with garage(tmp_path) as broker:
        line = await first_line(tmp_path, command.replace("mosquitto_sub", f"mosquitto_sub -p {broker.port}", 1))
    assert re.match(r"parking/marina/exit-1/(screen|alerts/lcd|alert) \{", line)


async def test_a_filter_that_takes_in_other_garages_is_refused_as_the_page_says(tmp_path: Path) -> None:
    async with garage(tmp_path) as broker:
        await first_line(
            tmp_path,
            f'mosquitto_sub -p {broker.port} -u watch -P "$(cat secrets/mqtt/watch)" -i watch-1 -t "parking/#" 2>&1',
        )
        assert broker.refused.subscriptions == 1
