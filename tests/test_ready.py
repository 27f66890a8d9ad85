"""`run` says once that it is ready, and the log has times where journald adds none."""

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from terminal.app.log_stream import is_journald
from terminal.app.ready import tell_when_ready
from terminal.config import load
from terminal.config.schema import Settings
from terminal.contract.messages import Health, encode, stamp
from terminal.mqtt.endpoint import Endpoint
from tests.sim.loop import VirtualLoop
from tests.support.memory_bus import MemoryBus
from tests.support.turned_clock import TurnedClock

NOW = 1_795_000_000_000
CONFIGURATION = """\
[garage]
id = "marina"
[lane]
id = "exit-1"
[mqtt]
url = "mqtt://127.0.0.1:1883"
username = "lane"
password_file = "lane"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "c.toml").write_text(CONFIGURATION)
    return load.load(tmp_path / "c.toml", {})


def test_it_is_ready_once_each_role_of_this_process_was_heard(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with VirtualLoop() as loop:
        bus, clock = MemoryBus(), TurnedClock()
        bus.trouble = ""  # type: ignore[attr-defined]

        async def says(role: str, state: str, instance: str, lane: str = "exit-1") -> None:
            health = Health(
                id=f"01993b7e-0000-7000-8000-0000000000{len(bus.said):02x}", at=stamp(NOW), state=state,  # type: ignore[arg-type]
                version="1", instance=instance, since=stamp(NOW), reason="no panel" if state == "degraded" else None,
            )  # fmt: skip
            await bus.publish(f"parking/marina/{lane}/health/{role}", encode(health), retain=True)

        async def story() -> None:
            own = Endpoint(bus.as_bus(), garage="marina", lane="exit-1", role="run", version="1", clock=clock)
            await says("lcd", "online", "test")  # kept from before: it says nothing of now
            telling = asyncio.create_task(tell_when_ready(own, ["lcd", "broker"], settings))
            await asyncio.sleep(1)  # virtual time
            await says("lcd", "online", "another process's")
            await says("broker", "online", "test", lane="garage")
            await asyncio.sleep(25)  # virtual time
            assert [record.levelname for record in caplog.records] == ["WARNING"]
            await says("lcd", "degraded", "test")
            await asyncio.sleep(1)  # virtual time
            assert telling.done()

        loop.run(story())
    assert caplog.messages[0].startswith("not ready yet: no word from lcd: ")
    assert caplog.messages[1:] == [
        "ready: version 0.1.0 serves marina exit-1 as lcd, broker; broker mqtt://127.0.0.1:1883 (embedded); "
        "PayBy not from here; degraded: lcd: no panel"
    ]


@pytest.mark.parametrize("in_journal", [False, True])
def test_lines_of_the_log_have_a_time_where_journald_adds_none(tmp_path: Path, in_journal: bool) -> None:
    code = (
        "import logging; from terminal.app.log_stream import log_to_stderr as l; l(); logging.getLogger('x').info('y')"
    )
    with (tmp_path / "log").open("w") as log:
        found = os.fstat(log.fileno())
        stream = f"{found.st_dev}:{found.st_ino if in_journal else 0}"
        environment = {**os.environ, "JOURNAL_STREAM": stream}
        subprocess.run([sys.executable, "-c", code], check=True, stderr=log, env=environment)
    line = (tmp_path / "log").read_text()
    assert line.endswith("INFO x: y\n")
    assert line.startswith("INFO") is in_journal
    assert (line[:2] == "20" and line[10] == " ") is not in_journal


def test_a_stream_with_nothing_behind_it_is_no_journal() -> None:
    assert not is_journald(None)  # type: ignore[arg-type]
