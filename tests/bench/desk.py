"""How soon is what a lane says on an operator's screen, and what does the desk cost a lane where nobody is?

    python -m tests.bench.desk [--seconds N] [--idle-seconds N] [--json FILE]

First 50 lanes say 200 messages a second through a real Mosquitto to a real console, whose page is open in a real,
headless Chromium: the delay from each message to the frame that shows it, and whether the page stays live. The same
stream is read beside the page, and the broker is listened to, so that the table tells whose part is what: Mosquitto
writes its whole file at every change and flushes it, so what else uses the disk holds it up (TMPDIR=/dev/shm leaves the
disk out). Then three `run` of a lane stand idle at the same time, one without a console: the differences of their CPU.
Exit status 1 if a target is missed. It needs a quiet machine (the table has its load), Mosquitto and Chromium.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from terminal.mqtt.client import MqttClient
from tests.bench.desk_delays import delays, summary
from tests.bench.desk_page import desk_page, heard_stream
from tests.bench.visits import cpu_ms
from tests.conftest import Mosquitto
from tests.support.console_desk import write_users
from tests.support.console_process import answers, console_file
from tests.support.eventually import eventually
from tests.support.garage import Garage, Process
from tests.support.leash import LEASH
from tests.support.ports import free_port

LANES, PER_S = 50, 200.0
ON_SCREEN_MS, IDLE_SHARE = 500.0, 1.0
"""A state is on screen within so long, the slowest too; a console takes at most so many per cent of a core."""
SETTLED_S = 10.0
"""What a process does at its start it has done by then."""
BROKER, STREAM, SCREEN = "at the broker", "on the stream", "on screen"
"""The ways whose delays are measured, each from the message on."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and the most that it may be."""

    name: str
    figure: float
    most: float
    unit: str

    @property
    def is_met(self) -> bool:
        return self.figure <= self.most

    def __str__(self) -> str:
        verdict = "met" if self.is_met else "MISSED"
        return f"{self.name:<46}{self.figure:8.2f}  at most {self.most:g} {self.unit:<12} {verdict}"


@asynccontextmanager
async def console(folder: Path, broker: str) -> AsyncIterator[tuple[int, str]]:
    """A console at the broker: its process's number, and the desk's address."""
    write_users(folder / "console")
    url = f"http://127.0.0.1:{(port := free_port())}/desk"
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text("unused\n", encoding="utf-8")
    file = console_file(folder, broker, folder / "password", port)
    with (folder / "console.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *LEASH, sys.executable, "-m", "terminal", "--config", str(file), "console", stdout=log, stderr=log
        )
    try:
        await eventually(lambda: process.returncode is not None or answers(f"{url}/sign-in"), limit_s=60, every_s=0.1)
        if process.returncode is not None:
            raise RuntimeError(f"the console ended: {(folder / 'console.log').read_text()}")
        yield process.pid, url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def talker(folder: Path, broker: str, seconds: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """Who speaks for the lanes, once they are open."""
    words = [broker, folder / "worker.pem", folder / "said.json", LANES, PER_S, seconds]
    process = await asyncio.create_subprocess_exec(
        *LEASH, sys.executable, "-m", "tests.bench.desk_traffic", *map(str, words),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    try:
        if await process.stdout.readline() != b"open\n":
            raise RuntimeError("the lanes did not open")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def under_load(folder: Path, broker: str, seconds: float) -> dict[str, Any]:
    """The page while all lanes talk."""
    async with (
        console(folder, broker) as (pid, url),
        talker(folder, broker, seconds) as talk,
        listener(broker) as heard,
        desk_page(folder / "profile", url, LANES) as page,
        heard_stream(url) as stream,
    ):
        assert talk.stdin and talk.stdout
        before = cpu_ms(pid)
        talk.stdin.write(b"go\n")
        rate = float(await asyncio.wait_for(talk.stdout.readline(), seconds + 60))
        cpu = (cpu_ms(pid) - before) / (seconds * 10)
        await asyncio.sleep(2 * ON_SCREEN_MS / 1000)  # what was said last may still be on its way
        found = await page.found()
    told = json.loads(await asyncio.to_thread((folder / "said.json").read_text, encoding="utf-8"))
    said = [tuple(one[:4]) for one in told]
    arrived = [heard[name] - at for _, _, at, _, name in told if name in heard]
    ways = {
        BROKER: (arrived, len(told) - len(arrived)),
        STREAM: delays(said, stream.shown),
        SCREEN: delays(said, found["shown"]),
    }
    return {
        "ways": {name: {"delays": summary(took), "lost": lost} for name, (took, lost) in ways.items()},
        "rate": rate,
        "cpu": cpu,
        **{key: found[key] for key in ("dark", "tasks", "complaints")},
    }


@asynccontextmanager
async def listener(broker: str) -> AsyncIterator[dict[str, float]]:
    """When each message came to somebody who does nothing else (ms since the epoch), by its id."""
    came: dict[str, float] = {}

    async def listen(bus: MqttClient) -> None:
        async for delivery in bus.subscribe(fleeting=["parking/marina/#"]):
            delivery.ack()
            came[json.loads(delivery.payload)["id"]] = time.time() * 1000

    async with MqttClient(broker, username="watch", client_id="watch-1") as bus:
        listening = asyncio.create_task(listen(bus), name="beside the desk")
        try:
            yield came
        finally:
            listening.cancel()


IDLE = ("without", "with a console", "with a page open")


async def idle_cost(folder: Path, seconds: float) -> dict[str, float]:
    """Per cent of a core of a `run` on which nothing happens, each beside a broker of its own, all at the same time:
    without a console, with one that nobody looks at, and with one whose page is open."""
    async with AsyncExitStack() as stack:
        running: dict[str, Process] = {}
        for name in IDLE:
            own, port = folder / name.replace(" ", "-"), free_port()
            await asyncio.to_thread(own.mkdir)
            server = stack.enter_context(mosquitto(own))
            more = "" if name == IDLE[0] else f"[console]\nport = {port}\n"
            garage = await stack.enter_async_context(Garage(own, server.url, more=more, forks=False))
            write_users(own / "console")
            running[name] = await garage.spawn("run")
            await eventually(partial(is_ready, running[name]), limit_s=120, every_s=0.1)
            if name == IDLE[-1]:
                await stack.enter_async_context(heard_stream(f"http://127.0.0.1:{port}/desk"))
        await asyncio.sleep(SETTLED_S)  # both waits are the measurement: CPU over a time in which nothing happens
        before = {name: cpu_ms(process.pid) for name, process in running.items()}
        await asyncio.sleep(seconds)
        return {name: (cpu_ms(process.pid) - before[name]) / (seconds * 10) for name, process in running.items()}


def is_ready(process: Process) -> bool:
    """Has it said so?"""
    return " ready: " in process.said()


@contextmanager
def mosquitto(folder: Path) -> Iterator[Mosquitto]:
    """A stock one, with its files in the folder."""
    server = Mosquitto(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def measure(folder: Path, seconds: float, idle_seconds: float) -> dict[str, Any]:
    """Both measurements, and the machine's load in each."""
    found: dict[str, Any] = {}
    if seconds:
        (live := folder / "live").mkdir()
        with mosquitto(live) as server:
            found["live"] = await under_load(live, server.url, seconds) | {"load": os.getloadavg()[0]}
    if idle_seconds:
        (idle := folder / "idle").mkdir()
        found["idle"] = {"shares": await idle_cost(idle, idle_seconds), "load": os.getloadavg()[0]}
    return found


def targets(found: dict[str, Any]) -> list[Target]:
    """What was measured beside what it may be."""
    judged = []
    if live := found.get("live"):
        way = live["ways"][SCREEN]
        judged += [
            Target("slowest state on screen", way["delays"].most, ON_SCREEN_MS, "ms"),
            Target("states that were never shown", way["lost"], 0, "states"),
            Target("times that the page looked cut off", live["dark"] + len(live["complaints"]), 0, "times"),
            Target("messages a second that were missing", round(PER_S - live["rate"], 1), PER_S / 100, "a second"),
        ]
    if idle := found.get("idle"):
        plain, *others = (idle["shares"][name] for name in IDLE)
        for name, share in zip(IDLE[1:], others, strict=True):
            judged.append(Target(f"an idle lane {name}, beside one without", share - plain, IDLE_SHARE, "% of a core"))
    return judged


def report(found: dict[str, Any]) -> str:
    """The table."""
    lines = []
    if live := found.get("live"):
        lines += [
            f"{LANES} lanes, {live['rate']:.0f} messages a second; console {live['cpu']:.0f} % of a core; "
            f"load of {os.cpu_count()} cores {live['load']:.1f}",
            f"{'ms from the message':<32}{'p50':>8}{'p95':>8}{'most':>8}  states",
            *(f"{name:<32}{way['delays']}{way['delays'].count:8}" for name, way in live["ways"].items()),
            f"longest task of the page {longest(live['tasks'])}",
            "",
        ]
    if idle := found.get("idle"):
        shares = ", ".join(f"{name} {share:.2f} %" for name, share in idle["shares"].items())
        lines += [f"idle lane, of a core: {shares}; load {idle['load']:.1f}", ""]
    return "\n".join([*lines, *map(str, targets(found))])


def longest(spans: Sequence[tuple[float, float]]) -> str:
    """The longest of spans that have a start and a length, both ms."""
    return f"{max(length for _, length in spans):.0f} ms" if spans else "under 50 ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of talking lanes; 0: not")
    parser.add_argument("--idle-seconds", type=float, default=120, help="of idle lanes; 0: not")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), asked.seconds, asked.idle_seconds))
    print(report(found))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1, default=asdict) + "\n", encoding="utf-8")
    return int(not all(target.is_met for target in targets(found)))


if __name__ == "__main__":
    sys.exit(main())
