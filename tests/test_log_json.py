"""The log as JSON: one object a line, whatever is in it, with what belongs to it and no secret; plain unless asked."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

from terminal.app.log_format import JsonFormatter
from tests.conftest import Mosquitto
from tests.support.eventually import eventually
from tests.support.garage import Garage
from tests.support.leaving import leaves


def formatted(message: str, *args: object, **more: Any) -> dict[str, Any]:
    record = logging.LogRecord("terminal.x", logging.WARNING, "f", 1, message, args, more.pop("exc_info", None))
    record.__dict__.update(more)
    record.created, record.msecs = 1_795_000_000.042, 42.0
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_a_record_is_one_object_with_its_fields() -> None:
    assert formatted("alert %s", "arm", fields={"alert": "arm", "help_code": None, "message": "forged"}) == {
        "at": "2026-11-18T11:06:40.042Z", "level": "warning", "logger": "terminal.x", "message": "alert arm",
        "alert": "arm",
    }  # fmt: skip


def test_no_text_can_begin_a_line_of_its_own_or_a_field() -> None:
    evil = 'x\n{"level":"critical"}\r\u2028\x1b[2J", "level": "critical'
    found = formatted("%s", evil)
    assert found["level"] == "warning"
    assert not {"\n", "\r", "\u2028", "\x1b"} & set(found["message"])
    assert len(formatted("%s", "x" * 9_000)["message"]) == 2_000


def test_a_traceback_is_in_the_object() -> None:
    try:
        raise ValueError("line one\nline two")
    except ValueError:
        found = formatted("it failed", exc_info=sys.exc_info())
    assert found["traceback"][0].startswith("Traceback")
    assert "ValueError: line one" in found["traceback"] and "line two" in found["traceback"]


def test_what_ends_the_program_is_an_object_too(tmp_path: Path) -> None:
    """A configuration that loads, and a port that cannot be had."""
    (tmp_path / "secrets").mkdir()
    text = (
        '[garage]\nid = "marina"\n[broker]\nport = 1\nusers = "secrets"\n[log]\nformat = "{form}"\n'
        '[mqtt]\nurl = "mqtt://127.0.0.1:1"\nusername = "lane"\npassword_file = "secrets/lane"\n'
    )
    said = {}
    for form in ("plain", "json"):
        (tmp_path / "lane.toml").write_text(text.format(form=form))
        words = [sys.executable, "-m", "terminal", "--config", str(tmp_path / "lane.toml"), "broker"]
        (tmp_path / "secrets" / "lane").write_text("short")
        (tmp_path / "secrets" / "lane").chmod(0o644)
        ended = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 2, ended.stderr
        said[form] = ended.stderr.splitlines()[-1]
    assert said["plain"].startswith("exit-terminal: broker.users: ")
    found = json.loads(said["json"])
    assert (found["level"], found["message"]) == ("critical", said["plain"].removeprefix("exit-terminal: "))


async def test_a_whole_visit_of_real_processes_is_json_line_by_line(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async with Garage(tmp_path, mosquitto.url, more='[log]\nformat = "json"\n') as lane:
        await lane.start("worker", "listener", "barrier", "reader")
        mark = lane.scan(lane.ticket())
        order = await lane.order(since=mark)
        await lane.sandbox.pay(order["token_url"])
        await leaves(lane, mark)

        def logged() -> list[str]:
            logs = [log.read_text(encoding="utf-8") for log in tmp_path.glob("*.log")]
            return [line for text in logs for line in text.splitlines()]

        lines = await eventually(lambda: logged() if "steps_ms" in "".join(logged()) else None, limit_s=30.0)
        found = [json.loads(line) for line in lines]
        (visit,) = [one for one in found if "steps_ms" in one]
        assert (visit["order_no"], visit["left"], visit["lane"]) == (order["order_no"], True, "exit-1")
        assert set(visit["steps_ms"]) >= {"ticket_to_code", "paid_to_lift", "lift_to_raised"}
        text = "\n".join(lines)
        for secret in (tmp_path / "secrets").rglob("*"):
            if secret.is_file() and "pub" not in secret.name:
                assert secret.read_text(encoding="utf-8").strip() not in text
