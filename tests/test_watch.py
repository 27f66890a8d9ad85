"""`exit-terminal watch`: readable lines, filters, the header, the past, and a connection that admits its end."""

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from terminal.config import load
from terminal.config.schema import ConfigError, Settings
from terminal.contract.messages import stamp
from terminal.core import ids
from terminal.journal.history import FileHistory
from terminal.monitor.garage import GarageMonitor
from terminal.tools.watch import command, history, user
from terminal.tools.watch.command import WatchOptions
from terminal.tools.watch.header import BrokerConnection, age, header, in_short, rich_of
from terminal.tools.watch.line import Line, json_of, line_of
from terminal.tools.watch.output import PlainOutput, TerminalOutput
from terminal.tools.watch.wish import WatchWish
from tests.conftest import NewBus, embedded_bus, open_embedded
from tests.support.ports import free_port
from tests.support.turned_clock import TurnedClock
from tests.support.visit_journal import write_visit

ZONE = ZoneInfo("Asia/Dubai")
NOW = 1_795_000_000_000
SESSION = ids.derived_id(NOW, "session")
NUMBER = ids.order_no("marina", "exit-1", SESSION, 1)
CODE = ids.help_code(SESSION)
FEE = {"reason": "due", "minutes": 91, "amount": "20.00", "currency": "AED", "session": SESSION}


def message(**fields: Any) -> bytes:
    return json.dumps({"v": 1, "id": ids.derived_id(NOW, str(fields)), "at": stamp(NOW), **fields}).encode()


# Lines


def test_a_line_has_local_time_lane_help_code_and_words() -> None:
    seen = GarageMonitor("marina", TurnedClock()).take("parking/marina/exit-1/fee", message(**FEE), retained=True)
    assert seen is not None
    assert line_of(seen).text(ZONE, 6) == f"15:06:40 exit-1 {CODE}  fee: stay of 1 h 31 min, AED 20.00 due (kept)"


def test_a_long_line_is_folded_under_itself_and_fits_80_columns() -> None:
    line = Line(NOW, "exit-1", "alert", "critical, raised: " + "word " * 60, "bad", CODE)
    rows = line.text(ZONE, 6, 80).splitlines()
    assert len(rows) > 3
    assert max(map(len, rows)) <= 80
    assert all(row.startswith(" " * 23) for row in rows[1:])
    assert line.rich(ZONE, 6, 80).plain.splitlines() == rows


def test_json_has_the_message_whole() -> None:
    seen = GarageMonitor("marina", TurnedClock()).take("parking/marina/exit-1/fee", message(**FEE), retained=False)
    assert seen is not None
    document = json.loads(json_of(seen))
    assert document["message"] == json.loads(message(**FEE))
    assert {name: document[name] for name in ("topic", "lane", "kind", "retained", "session", "help_code")} == {
        "topic": "parking/marina/exit-1/fee", "lane": "exit-1", "kind": "fee", "retained": False, "session": SESSION,
        "help_code": CODE,
    }  # fmt: skip
    assert document["words"] == "stay of 1 h 31 min, AED 20.00 due"


@pytest.mark.parametrize(
    ("wish", "wanted"),
    [
        (WatchWish(), True),
        (WatchWish(lanes=["exit-2"]), False),
        (WatchWish(kinds=["screen", "fee"]), True),
        (WatchWish(kinds=["screen"]), False),
        (WatchWish(session=SESSION[-6:]), True),
        (WatchWish(session=SESSION.replace("-", "").upper()), True),
        (WatchWish(session="zzz"), False),
        (WatchWish(order=NUMBER), True),
        (WatchWish(order=NUMBER[-8:]), True),
        (WatchWish(order="marina-exit-2"), False),
        (WatchWish(code=CODE.lower()), True),
        (WatchWish(code="AAAAA"), False),
    ],
)
def test_filters_are_by_lane_kind_stay_order_and_help_code(wish: WatchWish, wanted: bool) -> None:
    assert wish.wants(lane="exit-1", kind="fee", session=SESSION, order_no=NUMBER, code=CODE) is wanted


def test_repetitions_and_lists_are_shown_only_where_they_are_asked_for() -> None:
    assert not WatchWish().wants(lane="exit-1", kind="health", is_news=False)
    assert WatchWish(everything=True).wants(lane="exit-1", kind="health", is_news=False)
    assert not WatchWish().wants(lane="exit-1", kind="alerts")
    assert WatchWish(kinds=["alerts"]).wants(lane="exit-1", kind="alerts")


# The header


def observed(*said: tuple[str, bytes]) -> tuple[GarageMonitor, TurnedClock]:
    clock = TurnedClock()
    monitor = GarageMonitor("marina", clock)
    for what, payload in said:
        monitor.take(f"parking/marina/{what}", payload, retained=False)
    return monitor, clock


def role(name: str, state: str = "online", lane: str = "exit-1", **more: Any) -> tuple[str, bytes]:
    return f"{lane}/health/{name}", message(state=state, version="1", instance=name, since=stamp(NOW), **more)


LIVE = (
    role("worker", lane="garage"),
    role("lcd"),
    role("barrier"),
    role("loops"),
    ("exit-1/screen", message(state="idle")),
    ("exit-1/vehicle", message(waiting=False, under_boom=False)),
    ("exit-1/barrier", message(state="down")),
)


def test_the_header_says_who_is_there_what_is_raised_and_each_lane_with_its_age() -> None:
    monitor, clock = observed(*LIVE)
    assert header(monitor, clock, BrokerConnection()) == [
        ("marina | 4 of 4 roles online | nothing raised", "good"),
        ("  exit-1: shows idle for 0 s, nobody waits, boom down", "plain"),
    ]


def test_the_header_names_who_is_away_and_since_when_and_what_is_no_longer_known() -> None:
    raised = [{"code": "arm", "severity": "critical", "text": "it does not move", "since": stamp(NOW - 240_000)}]
    monitor, clock = observed(*LIVE, ("exit-1/alerts/barrier", message(raised=raised)))
    clock.turn(20_000)
    monitor.take("parking/marina/" + LIVE[0][0], LIVE[0][1], retained=False)
    monitor.take("parking/marina/exit-1/health/lcd", role("lcd", "degraded", reason="no panel")[1], retained=False)
    rows = header(monitor, clock, BrokerConnection())
    assert [row for row, _ in rows] == [
        "marina | 2 of 4 roles online | 1 raised",
        "  exit-1 barrier is silent, last heard 20 s ago",
        "  exit-1 lcd is degraded: no panel",
        "  exit-1 loops is silent, last heard 20 s ago",
        f"  exit-1 arm for {age(clock.wall_ms() - NOW + 240_000)}: it does not move",
        "  exit-1: shows idle for 20 s, loops unknown, boom unknown",
    ]
    assert rows[0][1] == "bad"


def test_the_header_admits_a_silence_and_a_cut() -> None:
    monitor, clock = observed(*LIVE)
    clock.turn(17_000)
    assert header(monitor, clock, BrokerConnection())[0] == (
        "marina | 0 of 4 roles online | nothing raised | NOTHING HEARD for 17 s",
        "bad",
    )
    cut = BrokerConnection(clock.steady_ms() - 5000, "lost: [Errno 111] Connection refused")
    assert header(monitor, clock, cut) == [("CUT OFF from the broker for 5 s, trying again: Connection refused", "bad")]


def test_a_hundred_lanes_and_alerts_leave_room_for_the_lines() -> None:
    alert = {"code": "arm", "severity": "critical", "text": "x" * 200, "since": stamp(NOW)}
    said = [(f"exit-{n}/screen", message(state="idle")) for n in range(100)]
    monitor, clock = observed(*LIVE, *said, ("exit-1/alerts/barrier", message(raised=[alert] * 40, more=7)))
    rows = header(monitor, clock, BrokerConnection())
    assert len(rows) <= 20
    assert ("  and 43 more alerts", "dim") in rows
    assert ("  and 92 more lanes", "dim") in rows
    assert max(map(len, rich_of(rows, 80).plain.splitlines())) <= 80


@pytest.mark.parametrize(
    ("ms", "words"), [(0, "0 s"), (119_999, "119 s"), (120_000, "2 min"), (7_200_000, "2 h"), (172_800_000, "2 d")]
)
def test_an_age_is_said_in_one_unit(ms: int, words: str) -> None:
    assert age(ms) == words


def test_why_there_is_no_connection_is_said_without_numbers() -> None:
    assert in_short("[Errno 111] Connection refused") == "Connection refused"


def test_on_a_terminal_the_header_stays_under_lines_that_fit() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, height=24, color_system="standard", highlight=False)
    output = TerminalOutput(ZONE, console, now_ms=NOW)
    with output.opened():
        output.show_header([("marina | 4 of 4 roles online | nothing raised", "good")])
        output.write(Line(NOW, "exit-1", "fee", "stay of 1 h 31 min, AED 20.00 due", code=CODE))
        output.note(Line(NOW, "", "watch", "cut off from the broker", "bad"))
    said = text.getvalue()
    assert said.index("stay of 1 h 31 min") < said.rindex("roles online")
    assert "\x1b[1;31m" in said  # bold red


def test_a_line_of_another_day_names_the_day_once(capsys: pytest.CaptureFixture[str]) -> None:
    output, day = PlainOutput(ZONE, now_ms=NOW), 86_400_000
    for at in (NOW - day, NOW - day + 1000, NOW, NOW + 1000, NOW + day):
        output.write(Line(at, "exit-1", "screen", "shows idle"))
    assert [line for line in capsys.readouterr().out.splitlines() if "shows" not in line] == [
        "Tuesday 2026-11-17", "Wednesday 2026-11-18", "Thursday 2026-11-19",
    ]  # fmt: skip


def test_a_pipe_gets_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    output = PlainOutput(ZONE, now_ms=NOW)
    with output.opened():
        output.show_header([("nothing", "bad")])
        output.write(Line(NOW, "exit-1", "fee", "stay", "bad", code=CODE))
        output.write(Line(NOW, "exit-12345", "fee", "stay", "bad", code=CODE))
    assert capsys.readouterr().out == f"15:06:40 exit-1 {CODE}  fee: stay\n15:06:40 exit-12345 {CODE}  fee: stay\n"


# The past


@pytest.mark.parametrize(
    ("text", "back_s"),
    [("90s", 90), ("30m", 1800), ("30min", 1800), ("2h", 7200), ("1d", 86400), ("15:00", 400), ("15:06:00", 40),
     ("15:10", 86_400 - 200), ("2026-11-18T15:00", 400), ("2026-11-18T11:00:00Z", 400)],
)  # fmt: skip
def test_since_takes_a_time_or_how_long_ago(text: str, back_s: int) -> None:
    assert history.since_ms(text, ZONE, NOW) == NOW - back_s * 1000


@pytest.mark.parametrize("text", ["", "x", "30", "25:00", "12:61", "1x", "2026-13-01", "9999999d", "²h", "-5m"])
def test_a_time_that_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^watch --since: got .*takes a time of today"):
        history.since_ms(text, ZONE, NOW)


async def test_the_journals_past_is_told_in_the_same_words_without_repetitions(tmp_path: Path) -> None:
    await write_visit(tmp_path / "journal.db", NOW, SESSION, NUMBER)
    told = [line.text(ZONE, 6) for line, _ in history.replay(FileHistory(tmp_path / "journal.db"), 0, WatchWish())]
    assert told == [
        "15:06:40 garage        worker: started, version 0.1.0",
        f"15:06:41 exit-1 {CODE}  fee: stay of 1 h 31 min, AED 20.00 due",
        f"15:06:42 exit-1 {CODE}  order: created, AED 20.00",
        f"15:06:47 exit-1 {CODE}  order: paid, AED 20.00, as PayBy notified",
        f"15:06:48 exit-1 {CODE}  lift: lift raised",
    ]
    late = history.replay(FileHistory(tmp_path / "journal.db"), NOW + 7500, WatchWish(code=CODE))
    assert [line.kind for line, _ in late] == ["lift"]


# With a broker

CONFIGURATION = """\
[garage]
id = "marina"
timezone = "Asia/Dubai"
[mqtt]
url = "{url}"
username = "lane"
password_file = "users/lane"
{more}
"""


def settings(folder: Path, url: str, more: str = "") -> Settings:
    (folder / "users").mkdir(exist_ok=True)
    for name in ("lane", "watch"):
        if not (file := folder / "users" / name).exists():
            file.write_text("secret\n")
            file.chmod(0o600)
    (folder / "c.toml").write_text(CONFIGURATION.format(url=url, more=more))
    return load.load(folder / "c.toml", {})


class Kept(PlainOutput):
    """An output that remembers."""

    def __init__(self) -> None:
        super().__init__(ZONE, now_ms=NOW)
        self.lines: list[str] = []
        self.headers: list[str] = []
        self.news = asyncio.Event()

    def write(self, line: Line) -> None:
        self.lines.append(f"{line.kind}: {line.words}" + (" (kept)" if line.kept else ""))
        self.news.set()

    note = write

    def write_json(self, text: str) -> None:
        self.lines.append(text)
        self.news.set()

    async def until(self, words: str, count: int = 1) -> str:
        async with asyncio.timeout(20):
            while sum(words in line for line in self.lines) < count:
                self.news.clear()
                await self.news.wait()
        return next(line for line in self.lines if words in line)


@asynccontextmanager
async def watching(found: Settings, options: WatchOptions | None = None) -> AsyncIterator[Kept]:
    output = Kept()
    task = asyncio.create_task(command.run(found, options or WatchOptions(), output))
    try:
        yield output
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])
        with suppress(asyncio.CancelledError):
            task.result()


async def test_two_watch_at_once_what_was_kept_and_what_comes(new_bus: NewBus, tmp_path: Path) -> None:
    found = settings(tmp_path, new_bus.url)
    async with new_bus("lane") as lane:
        await lane.publish("parking/marina/exit-1/screen", message(state="idle"), retain=True)
        await lane.settled()
        as_json = WatchOptions(WatchWish(kinds=["fee"]), as_json=True)
        async with watching(found) as one, watching(found, as_json) as two:
            await one.until("screen: shows idle (kept)")
            await lane.publish("parking/marina/exit-1/vehicle", message(waiting=True, under_boom=False))
            await one.until("vehicle: a car waits")
            async with asyncio.timeout(20):
                while not two.lines:  # until the second one has subscribed
                    await lane.publish("parking/marina/exit-1/fee", message(**FEE))
                    await asyncio.sleep(0.05)  # between two tries
            assert json.loads(await two.until('"kind": "fee"'))["message"]["minutes"] == 91
            await one.until("fee: stay of 1 h 31 min, AED 20.00 due")
    assert len([line for line in one.lines if line.startswith("fee")]) == 1


async def test_a_cut_is_admitted_and_mended(tmp_path: Path) -> None:
    port = free_port()
    async with open_embedded(tmp_path, port) as broker:
        found = settings(tmp_path, broker.url)
        output = Kept()
        task = asyncio.create_task(command.run(found, WatchOptions(), output))
        async with embedded_bus(broker) as lane:
            await lane.publish("parking/marina/exit-1/screen", message(state="idle"), retain=True)
            await output.until("shows idle")
    await output.until("watch: cut off from the broker, trying again")
    async with open_embedded(tmp_path, port):
        await output.until("watch: connected again after")
    task.cancel()
    await asyncio.wait([task])


async def test_without_a_broker_it_says_so_and_tries_again(tmp_path: Path) -> None:
    async with watching(settings(tmp_path, f"mqtt://127.0.0.1:{free_port()}")) as output:
        await output.until("watch: no connection to the broker, trying again: Connection refused")


# As whom


def test_it_connects_as_a_watcher_whatever_the_configurations_user_is(tmp_path: Path) -> None:
    found = user.watcher(settings(tmp_path, "mqtt://127.0.0.1:1"), None, None)
    assert (found.username, found.password_file) == ("watch", tmp_path / "users" / "watch")
    broker = '[broker]\nusers = "users"\nwatchers = ["hall", "watch"]'
    (tmp_path / "users" / "hall").touch()
    assert user.watcher(settings(tmp_path, "mqtt://127.0.0.1:1", broker), None, None).username == "hall"
    assert user.watcher(settings(tmp_path, "mqtt://127.0.0.1:1", broker), "watch", None).username == "watch"


@pytest.mark.parametrize(
    ("name", "more", "text"),
    [
        ("worker", "", "watch --user: worker is a role's user, and would be thrown off"),
        ("nobody", '[broker]\nusers = "users"', "watch --user: nobody is not in broker.watchers, which has watch"),
        ("other", "", "watch: .*/users/other is not there: put the password of its user other there"),
    ],
)
def test_whom_it_cannot_be_is_said_in_one_line(tmp_path: Path, name: str, more: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        user.watcher(settings(tmp_path, "mqtt://127.0.0.1:1", more), name, None)


async def test_the_command_replays_the_journal_without_a_broker_and_names_what_is_missing(tmp_path: Path) -> None:
    settings(tmp_path, "mqtt://127.0.0.1:1", '[journal]\npath = "journal.db"')
    program = [sys.executable, "-m", "terminal", "--config", str(tmp_path / "c.toml"), "watch"]

    def called(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, *words], capture_output=True, text=True, check=False, timeout=30)

    missing = await asyncio.to_thread(called, "--replay")
    assert missing.returncode == 2
    assert missing.stderr.endswith("journal.db is not there; no worker has run here yet\n")
    await write_visit(tmp_path / "journal.db", NOW, SESSION, NUMBER)
    told = await asyncio.to_thread(called, "--replay", "--kind", "order")
    assert (told.returncode, [line[:9] for line in told.stdout.splitlines()]) == (
        0, ["Wednesday", "15:06:42 ", "15:06:47 "],
    )  # fmt: skip
    told = await asyncio.to_thread(called, "--replay", "--json", "--code", CODE.lower())
    assert [json.loads(line)["event"] for line in told.stdout.splitlines()] == [
        "TicketRead", "OrderReported", "OrderReported", "LiftAnswered",
    ]  # fmt: skip
