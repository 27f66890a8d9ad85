"""`watch --garage`: several garages of one broker at once, each with a row."""

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from terminal.clock import SystemClock, new_id
from terminal.config.load import load
from terminal.config.schema import ConfigError, Settings
from terminal.contract.messages import stamp
from terminal.monitor.garage import GarageMonitor
from terminal.tools.watch import command
from terminal.tools.watch.command import WatchOptions
from terminal.tools.watch.header import GARAGES_MOST, BrokerConnection, overview
from terminal.tools.watch.output import PlainOutput
from terminal.tools.watch.wish import WatchWish
from tests.support.turned_clock import TurnedClock

CLOCK, ZONE = TurnedClock(), ZoneInfo("Asia/Dubai")


def heard(garage: str, *said: tuple[str, dict[str, Any]]) -> GarageMonitor:
    monitor = GarageMonitor(garage, CLOCK)
    for what, fields in said:
        monitor.take(f"parking/{garage}/{what}", message(CLOCK.wall, **fields), retained=False)
    return monitor


def message(wall_ms: int, **fields: Any) -> bytes:
    return json.dumps({"v": 1, "id": new_id(SystemClock()), "at": stamp(wall_ms), **fields}).encode()


def health(state: str = "online") -> tuple[str, dict[str, Any]]:
    return "garage/health/worker", {"state": state, "version": "1", "instance": "a", "since": stamp(CLOCK.wall)}


def raised(severity: str) -> tuple[str, dict[str, Any]]:
    alert = {"code": "boom-stuck", "severity": severity, "text": "it does not rise", "since": stamp(CLOCK.wall)}
    return "exit-2/alerts/worker", {"raised": [alert]}


def test_garages_in_trouble_come_first_with_the_gravest_that_is_raised() -> None:
    found = [heard("creek", health()), heard("marina", health(), raised("critical")), heard("palm")]
    rows = overview(found, CLOCK, BrokerConnection())
    assert rows == [
        ("marina | 1 of 1 roles online | 1 raised, the gravest: exit-2 boom-stuck", "bad"),
        ("palm | 0 of 0 roles online | nothing raised", "bad"),
        ("creek | 1 of 1 roles online | nothing raised", "good"),
    ]


def test_a_cut_is_admitted_for_all_and_many_garages_leave_room_for_lines() -> None:
    found = [heard(f"g{number}", health()) for number in range(100)]
    rows = overview(found, CLOCK, BrokerConnection())
    assert len(rows) == GARAGES_MOST + 1 and rows[-1][0] == "  and 88 more garages"
    [(words, tone)] = overview(found, CLOCK, BrokerConnection(CLOCK.steady - 17_000, "refused"))
    assert words == "CUT OFF from the broker for 17 s, trying again: refused" and tone == "bad"


def settings(folder: Path, url: str) -> Settings:
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text("unused\n")
    file = folder / "exit-terminal.toml"
    mqtt = f'[mqtt]\nurl = "{url}"\nusername = "watch"\npassword_file = "password"\n'
    file.write_text(f'[garage]\nid = "marina"\n{mqtt}')
    return load(file, {})


@pytest.mark.parametrize("name", ["Marina", "#", "+", "a/b", ""])
async def test_a_name_that_is_no_garages_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    found = settings(tmp_path, "mqtt://127.0.0.1:1")
    with pytest.raises(ConfigError, match="watch --garage"):
        await command.run(found, WatchOptions(WatchWish(), garages=[name]), PlainOutput(ZONE, now_ms=0))
